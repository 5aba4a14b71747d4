//! Releases to somebody else, and how they end: receipts and disputes.

use dta_crypto::ContentKey;
use dta_protocol::body::{DisputeCode, Disputed, Received, sign_received_proof};
use dta_protocol::sealed::SealedBody;
use dta_protocol::{Kind, Role};
use dta_verify::Name;

use crate::export::{Case, Cases};
use crate::story::Party;
use crate::world::*;

/// Bob's release of this sealed secret, in answer to the redemption of protocol.json.
fn release(world: &World, secret: impl Fn(&About) -> SealedBody, to: &Party) -> Step {
    let about = About::after(world.told(Kind::RedemptionRequested));
    world.released(&about, secret(&about), to, &world.all())
}

/// The order with another release, disclosed, with the key of its secret.
fn with_key(world: &World, what: &str, released: &Step, more: &[&Step]) -> Case {
    let mut chain = world.until(Kind::RedemptionRequested);
    chain.push(released);
    chain.extend(more);
    Case::disclosed(world, what, &chain).key_of(released.secret.as_ref().unwrap())
}

pub fn secrets(world: &World, cases: &mut Cases) {
    let (bob, carol, dave) = (&world.bob, &world.carol, &world.dave);
    let order = world.told(Kind::Placed).cid();
    let to_dave = release(world, |about| world.secret(about, order, &world.key, dave), dave);
    let mut chain = world.until(Kind::RedemptionRequested);
    chain.push(&to_dave);
    let case = Case::disclosed(world, "a release to somebody else", &chain);
    cases.fails_at(Name::Beneficiary, Kind::Released, "beneficiary-mismatch", case);

    let at = |check, reason, case| (check, reason, case);
    let genuine = |about: &About| world.secret(about, order, &world.key, carol);
    let theirs = release(world, |about| world.secret(about, order, &world.key, dave), carol);
    let own = release(world, |about| world.secret(about, order, &world.key, bob), carol);
    let other = release(world, |about| world.secret(about, order, &world.other_key, carol), carol);
    let another = world.told(Kind::Committed).cid();
    let elsewhere = release(world, |about| world.secret(about, another, &world.key, carol), carol);
    let nothing = release(
        world,
        |about| seal_bytes(bob, about, Kind::Released, Role::Secret, b"nothing", &[carol]),
        carol,
    );
    let moved = release(world, |about| genuine(&about.clone().at(about.issued_at_ms + 1)), carol);
    let swapped = release(
        world,
        |about| {
            // Carol is given another key than the one that the body is sealed under.
            let mut body = genuine(about);
            let decoy = world.secret(about, order, &world.other_key, carol);
            (body.descriptor.to, body.content_key) = (decoy.descriptor.to, decoy.content_key);
            body
        },
        carol,
    );
    let chain: Vec<&Step> = world.until(Kind::RedemptionRequested).into_iter().chain([&swapped]).collect();
    let keys = chain.iter().flat_map(|step| &step.bodies);
    let case = Case::of(world, "another key, and the beneficiary's document is not disclosed", &chain);
    cases.holds(keys.fold(case, Case::key_of).key_of(swapped.secret.as_ref().unwrap()));
    for (check, reason, case) in [
        at(
            Name::SecretRecipients,
            "other-recipients",
            with_key(world, "the secret is sealed to a stranger", &theirs, &[]),
        ),
        at(
            Name::SecretRecipients,
            "other-recipients",
            with_key(world, "the secret is sealed to the fiduciary", &own, &[]),
        ),
        at(
            Name::SecretRecipients,
            "key-other",
            with_key(world, "another key for the sealed secret", world.told(Kind::Released), &[])
                .key(world.told(Kind::Released).secret_block().0, ContentKey::from_bytes([1; 32])),
        ),
        at(
            Name::Secret,
            "cannot-open",
            with_key(world, "the beneficiary is given another key", &swapped, &[]),
        ),
        at(
            Name::Secret,
            "wrong-secret",
            with_key(world, "another secret", &other, &[]).reveals(other.secret_block()),
        ),
        at(
            Name::Secret,
            "wrong-secret",
            with_key(world, "a secret that names another order", &elsewhere, &[])
                .reveals(elsewhere.secret_block()),
        ),
        at(
            Name::Secret,
            "cannot-open",
            with_key(world, "no secret", &nothing, &[]).reveals(nothing.secret_block()),
        ),
        at(
            Name::Secret,
            "cannot-open",
            with_key(world, "a secret of another step", &moved, &[]).reveals(moved.secret_block()),
        ),
    ] {
        cases.fails_at(check, Kind::Released, reason, case);
    }
}

pub fn ends(world: &World, cases: &mut Cases) {
    let carol = &world.carol;
    let released = world.told(Kind::Released);
    let until = world.until(Kind::Released);
    let about = About::after(released);
    let proofs = [
        (
            "a receipt with a proof by another key",
            sign_received_proof(&world.other_key, &released.cid(), &carol.cid()),
        ),
        (
            "a receipt with a proof for another step",
            sign_received_proof(&world.key, &until[1].cid(), &carol.cid()),
        ),
        (
            "a receipt with a proof for somebody else",
            sign_received_proof(&world.key, &released.cid(), &world.dave.cid()),
        ),
        ("a receipt with a proof of zeros", [0; 64]),
    ];
    for (what, proof) in proofs {
        let step = step(carol, &about, &Received { proof, seen: vec![] }, &world.all());
        let chain: Vec<&Step> = until.iter().copied().chain([&step]).collect();
        let case = Case::disclosed(world, what, &chain);
        cases.fails_at(Name::Receipt, Kind::Received, "proof-invalid", case);
    }

    // The story's dispute is not right: what was released is the secret.
    let chain = world.until(Kind::Disputed);
    let case = Case::disclosed(world, "a dispute about the right secret", &chain);
    cases.fails_at(
        Name::Dispute,
        Kind::Disputed,
        "nothing-to-dispute",
        case.reveals(released.secret_block()),
    );
    let dispute = |released: &Step, code, content_key| {
        step(carol, &About::after(released), &Disputed { code, content_key, seen: vec![] }, &world.all())
    };
    let lie = dispute(released, DisputeCode::WrongSecret, Some(ContentKey::from_bytes([1; 32])));
    let chain: Vec<&Step> = until.iter().copied().chain([&lie]).collect();
    let case = Case::disclosed(world, "a dispute whose key opens nothing", &chain);
    cases.fails_at(Name::Dispute, Kind::Disputed, "keys-invalid", case);
    let order = until[0].cid();
    let wrong = release(world, |about| world.secret(about, order, &world.other_key, carol), carol);
    let key = || Some(copy(&wrong.secret.as_ref().unwrap().content_key));
    let right = dispute(&wrong, DisputeCode::WrongSecret, key());
    let mut chain = world.until(Kind::RedemptionRequested);
    chain.extend([&wrong, &right]);
    let case = Case::disclosed(world, "a dispute that is right: the fiduciary's release fails", &chain);
    cases.fails_at(Name::Secret, Kind::Released, "wrong-secret", case.reveals(wrong.secret_block()));
    let case = Case::disclosed(world, "a dispute that cannot be judged without the sealed secret", &chain);
    cases.holds(case);
    let silent = dispute(&wrong, DisputeCode::CannotOpen, None);
    let mut chain = world.until(Kind::RedemptionRequested);
    chain.extend([&wrong, &silent]);
    let case = Case::disclosed(world, "a dispute that gives no key cannot be judged", &chain);
    cases.holds(case.reveals(wrong.secret_block()));
    let theirs = release(world, |about| world.secret(about, order, &world.key, &world.dave), carol);
    let key = copy(&theirs.secret.as_ref().unwrap().content_key);
    let right = dispute(&theirs, DisputeCode::CannotOpen, Some(key));
    let mut chain = world.until(Kind::RedemptionRequested);
    chain.extend([&theirs, &right]);
    let case = Case::disclosed(world, "a dispute that is right: the secret was sealed to a stranger", &chain);
    cases.fails_at(Name::SecretRecipients, Kind::Released, "other-recipients", case);
}
