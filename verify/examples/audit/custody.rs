//! What shows with keys: the disclosure itself, who reads what, who is who, the commitment, the policy.

use dta_crypto::ContentKey;
use dta_protocol::body::{ClosedCode, Placed, Plaintext, sign_commitment_proof};
use dta_protocol::{Cid, Codec, Kind};
use dta_verify::Name;

use crate::export::{Case, Cases};
use crate::story::{Party, START_MS, placed_body};
use crate::world::*;

const DAY_MS: u64 = 86_400_000;

/// What is other in an order.
type Change<'a> = &'a dyn Fn(&mut Placed);

pub fn disclosures(world: &World, cases: &mut Cases) {
    let whole = world.until(Kind::Received);
    let full = |what| Case::disclosed(world, what, &whole);
    let other = ContentKey::from_bytes([1; 32]);
    let case = Case::of(world, "a disclosure of another order", &whole);
    cases.fails(Name::Disclosure, "disclosure-other-order", case.disclosing(whole[1].cid()));
    let case = full("a key to a body of another order");
    let theirs = world.placed(OTHER, |_| {});
    cases.fails(Name::Disclosure, "key-unexpected", case.key_of(&theirs.bodies[0]));
    let shorter = Case::disclosed(world, "the newest step is left out, whose key is disclosed", &whole[..4]);
    cases.fails(Name::Disclosure, "key-unexpected", shorter.key_of(&whole[4].bodies[0]));
    let secret = world.told(Kind::Released).secret.as_ref().unwrap();
    let case = Case::of(world, "the key of the secret, without that of the release", &whole);
    cases.fails(Name::Disclosure, "key-unexpected", case.key_of(secret));
    let block = (Cid::of(Codec::Raw, b"anything"), b"anything".to_vec());
    cases.fails(Name::Disclosure, "block-unexpected", full("a block that is nothing").reveals(block));
    let mut forged = world.block_of(&world.dave).1;
    forged[100] ^= 1;
    let block = (Cid::of(Codec::DagCbor, &forged), forged);
    cases.fails(Name::Disclosure, "block-unexpected", full("a document that does not hold").reveals(block));
    for step in &whole {
        let kind = step.kind();
        for body in &step.bodies {
            let cid = body.descriptor.cid;
            let key = ContentKey::from_bytes(*other.expose());
            let case = full("another key").key(cid, key);
            cases.fails_at(Name::Body, kind, "sealed-cannot-open", case);
            let case = full("a body whose key is disclosed is left out").without(cid);
            cases.fails_at(Name::Body, kind, "block-missing", case);
        }
    }
    let (one, two) = (&whole[0].bodies[0], &whole[1].bodies[0]);
    let case = full("two keys exchanged").key(one.descriptor.cid, copy(&two.content_key));
    let case = case.key(two.descriptor.cid, copy(&one.content_key));
    cases.fails_at(Name::Body, Kind::Placed, "sealed-cannot-open", case);
    bodies(world, cases);
}

/// Bodies that open and say nothing, and such as were moved.
fn bodies(world: &World, cases: &mut Cases) {
    let (alice, bob) = (&world.alice, &world.bob);
    let about = About::new_order(OTHER);
    let order = Placed { reference: OTHER.into(), ..placed_body(bob, None) };
    let plaintext = order.encode().unwrap();
    let sealed = |kind, about: &About, bytes: &[u8]| {
        let role = dta_protocol::Role::Parties;
        seal_bytes(alice, about, kind, role, bytes, &world.two())
    };
    let mut fails = |what, reason, body| {
        let step = sign(alice, &about, Kind::Placed, vec![body]);
        let case = Case::disclosed(world, what, &[&step]);
        cases.fails_at(Name::Body, Kind::Placed, reason, case);
    };
    let placed = Kind::Placed;
    fails("nothing in it", "cannot-open", sealed(placed, &about, b""));
    fails("a byte more", "cannot-open", sealed(placed, &about, &[plaintext.expose(), &[0]].concat()));
    let wished = wish().encode().unwrap();
    fails("what another kind says", "cannot-open", sealed(placed, &about, wished.expose()));
    let other = Placed { reference: THE_ORDERS.into(), ..placed_body(bob, None) }.encode().unwrap();
    fails("another reference", "cannot-open", sealed(placed, &about, other.expose()));
    let later = about.clone().at(about.issued_at_ms + 1);
    fails("a body of another time", "sealed-cannot-open", sealed(placed, &later, plaintext.expose()));
    let kind = Kind::CancellationRequested;
    fails("a body of another kind", "sealed-cannot-open", sealed(kind, &about, plaintext.expose()));
    let whole = again(&world.told(placed).bodies[0]);
    fails("the body of another order", "sealed-cannot-open", whole);
}

pub fn readers(world: &World, cases: &mut Cases) {
    let (alice, bob, carol, dave) = (&world.alice, &world.bob, &world.carol, &world.dave);
    let whole = world.until(Kind::Received);
    let [placed, committed, requested, released, _] = whole[..] else { panic!("five steps") };
    let mut fails = |what: &str, before: &[&Step], step: &Step| {
        let chain: Vec<&Step> = before.iter().copied().chain([step]).collect();
        let case = Case::disclosed(world, what, &chain).reveals(world.block_of(dave));
        cases.fails_at(Name::Recipients, step.kind(), "other-recipients", case);
    };
    let order = Placed { reference: OTHER.into(), ..placed_body(bob, Some(carol)) };
    for (what, to) in [
        ("an order for its fiduciary alone", &[bob][..]),
        ("an order for its principal alone", &[alice]),
        ("an order for its beneficiary too", &[alice, bob, carol]),
        ("an order for a stranger too", &[alice, bob, dave]),
        ("an order for a stranger instead of its principal", &[bob, dave]),
    ] {
        fails(what, &[], &step(alice, &About::new_order(OTHER), &order, to));
    }
    for (what, to) in [
        ("a commitment for its beneficiary too", &[alice, bob, carol][..]),
        ("a commitment for a stranger too", &[alice, bob, dave]),
        ("a commitment for its fiduciary alone", &[bob]),
    ] {
        fails(what, &[placed], &step(bob, &About::after(placed), &world.commitment(placed, &world.key), to));
    }
    for (what, to) in [
        ("a redemption without its beneficiary", &[alice, bob][..]),
        ("a redemption without its principal", &[bob, carol]),
        ("a redemption for a stranger too", &[alice, bob, dave, carol]),
    ] {
        let body = world.redemption(carol, [placed.key(), committed.key()]);
        fails(what, &[placed, committed], &world.requested(alice, &About::after(committed), &body, to));
    }
    // What is for the beneficiary alone, for somebody else.
    let about = About::after(committed);
    let body = world.redemption(carol, [placed.key(), committed.key()]);
    let data = dta_protocol::body::BeneficiaryData { extension: crate::story::extension(&[]) };
    let bodies =
        vec![seal_body(alice, &about, &body, &world.all()), seal_body(alice, &about, &data, &[dave])];
    let theirs = sign(alice, &about, Kind::RedemptionRequested, bodies);
    fails("what is for the beneficiary alone, for a stranger", &[placed, committed], &theirs);
    let about = About::after(requested);
    for (what, to) in [
        ("a release that its beneficiary cannot read", &[alice, bob][..]),
        ("a release that its principal cannot read", &[bob, carol]),
        ("a release that a stranger can read", &[alice, bob, carol, dave]),
    ] {
        let secret = world.secret(&about, placed.cid(), &world.key, carol);
        fails(what, &[placed, committed, requested], &world.released(&about, secret, carol, to));
    }
    let about = About::after(released);
    for (what, to) in [
        ("a receipt without the principal", &[bob, carol][..]),
        ("a receipt for a stranger too", &[alice, bob, carol, dave]),
    ] {
        fails(what, &whole[..4], &step(carol, &about, &world.received(released, &world.key), to));
    }
    fails("a dispute for the beneficiary alone", &whole[..4], &step(carol, &about, &disputed(), &[carol]));
    let about = About::after(committed);
    for (what, to) in [
        ("a wish for the beneficiary too", &[alice, bob, carol][..]),
        ("a wish for its fiduciary alone", &[bob]),
    ] {
        fails(what, &[placed, committed], &step(alice, &about, &wish(), to));
    }
    let wished = step(alice, &about, &wish(), &world.two());
    let about = About::after(&wished);
    for (what, to) in [
        ("a closure that the beneficiary can read whom no redemption has named", &[alice, bob, carol][..]),
        ("a closure that the principal cannot read", &[bob]),
    ] {
        let step = step(bob, &about, &closed(ClosedCode::Cancelled), to);
        fails(what, &[placed, committed, &wished], &step);
    }
}

pub fn orders(world: &World, cases: &mut Cases) {
    let (alice, bob, carol, dave) = (&world.alice, &world.bob, &world.carol, &world.dave);
    let whole = world.until(Kind::Received);
    let [placed, committed, requested, ..] = whole[..] else { panic!("five steps") };
    let everyone = [alice, bob, carol, dave, &world.mallory];
    // Who is who: each signs for itself, and is not whom the order names.
    let about = About::after(placed);
    let body = dta_protocol::body::Committed {
        proof: sign_commitment_proof(&world.key, &placed.cid(), &world.mallory.cid()),
        ..world.commitment(placed, &world.key)
    };
    let theirs = step(&world.mallory, &about, &body, &world.two());
    let case = Case::disclosed(world, "a commitment by somebody else", &[placed, &theirs]);
    cases.fails_at(Name::Party, Kind::Committed, "wrong-signer", case.trusting(&everyone));
    let own = step(alice, &about, &world.commitment(placed, &world.key), &world.two());
    let case = Case::disclosed(world, "a commitment by the principal", &[placed, &own]);
    cases.fails_at(Name::Party, Kind::Committed, "wrong-signer", case);
    let about = About::after(whole[3]);
    let receipt = world.received(whole[3], &world.key);
    let by_bob = step(bob, &about, &receipt, &world.all());
    let chain = [placed, committed, requested, whole[3], &by_bob];
    let case = Case::disclosed(world, "a receipt by the fiduciary, who has the secret", &chain);
    cases.fails_at(Name::Party, Kind::Received, "wrong-signer", case);

    // The commitment.
    let about = About::after(placed);
    let proofs = [
        ("a proof by another key", sign_commitment_proof(&world.other_key, &placed.cid(), &bob.cid())),
        ("a proof for another order", sign_commitment_proof(&world.key, &committed.cid(), &bob.cid())),
        ("a proof for another fiduciary", sign_commitment_proof(&world.key, &placed.cid(), &dave.cid())),
        ("a proof of zeros", [0; 64]),
    ];
    for (what, proof) in proofs {
        let body = dta_protocol::body::Committed { proof, ..world.commitment(placed, &world.key) };
        let forged = step(bob, &about, &body, &world.two());
        let case = Case::disclosed(world, what, &[placed, &forged]);
        cases.fails_at(Name::Commitment, Kind::Committed, "proof-invalid", case);
    }

    // The redemption.
    let about = About::after(committed);
    let key = |byte| ContentKey::from_bytes([byte; 32]);
    let [(first, one), (second, two)] = [placed.key(), committed.key()];
    for (what, keys) in [
        ("another key for the placed body", [(first, key(1)), (second, copy(&two))]),
        ("another key for the committed body", [(first, copy(&one)), (second, key(1))]),
        ("a key of neither body", [(Cid::of(Codec::Raw, b"another"), copy(&one)), (second, copy(&two))]),
        ("the two keys exchanged", [(first, copy(&two)), (second, copy(&one))]),
    ] {
        let step = world.requested(alice, &about, &world.redemption(carol, keys), &world.all());
        let case = Case::disclosed(world, what, &[placed, committed, &step]);
        cases.fails_at(Name::Keys, Kind::RedemptionRequested, "keys-invalid", case);
    }
    let to_dave = world.redemption(dave, [placed.key(), committed.key()]);
    let step = world.requested(alice, &about, &to_dave, &[alice, bob, dave]);
    let case = Case::disclosed(
        world,
        "a redemption for another beneficiary than the order's",
        &[placed, committed, &step],
    );
    let case = case.reveals(world.block_of(dave));
    cases.fails_at(Name::Beneficiary, Kind::RedemptionRequested, "beneficiary-mismatch", case);
}

pub fn policies(world: &World, cases: &mut Cases) {
    let (alice, bob, carol) = (&world.alice, &world.bob, &world.carol);
    let orders: [(&str, &str, Change<'_>); 7] = [
        ("a delay", "policy-unsupported", &|body| body.policy.delay_ms = 1),
        ("a guardian", "policy-unsupported", &|body| {
            body.policy.guardian = Some(Cid::of(Codec::DagCbor, b"guardian"));
        }),
        ("an approver", "policy-unsupported", &|body| {
            body.policy.approvers = vec![Cid::of(Codec::DagCbor, b"approver")];
        }),
        ("an approval", "policy-unsupported", &|body| body.policy.approvals_required = 1),
        ("expires as it begins", "policy-invalid", &|body| {
            body.policy.expires_at_ms = body.policy.not_before_ms;
        }),
        ("expires before it begins", "policy-invalid", &|body| {
            body.policy.expires_at_ms = body.policy.not_before_ms - 1;
        }),
        ("a retention of more than ten years", "policy-invalid", &|body| {
            body.policy.retention_ms = 3_660 * DAY_MS + 1;
        }),
    ];
    for (what, reason, change) in orders {
        let case = Case::disclosed(world, what, &[&world.placed(OTHER, change)]);
        cases.fails_at(Name::Policy, Kind::Placed, reason, case);
    }
    // Released at this time, of an order with these limits; the redemption comes a minute before.
    let release = |what: &str, not_before_ms, expires_at_ms, at: u64, asked: u64| {
        let placed = world.placed(OTHER, |body| {
            body.policy.not_before_ms = not_before_ms;
            body.policy.expires_at_ms = expires_at_ms;
        });
        let committed = world.committed(&placed, &world.key);
        let body = world.redemption(carol, [placed.key(), committed.key()]);
        let requested = world.requested(alice, &About::after(&committed).at(asked), &body, &world.all());
        let about = About::after(&requested).at(at);
        let secret = world.secret(&about, placed.cid(), &world.key, carol);
        let released = world.released(&about, secret, carol, &world.all());
        Case::disclosed(world, what, &[&placed, &committed, &requested, &released])
    };
    let (asked, at) = (START_MS + 600_000, START_MS + 660_000);
    let case = release("released a millisecond too early", at + 1, 0, at, asked);
    cases.fails_at(Name::Policy, Kind::Released, "not-before", case);
    let case = release("released as the order expires", 0, at, at, asked);
    cases.fails_at(Name::Policy, Kind::Released, "expired", case);
    let case = release("released after the order expired", 0, at - 30_000, at, asked);
    cases.fails_at(Name::Policy, Kind::Released, "expired", case);
    let case = release("too late, even if the stamp is another clock's", 0, at - 300_000, at, at);
    cases.fails_at(Name::Policy, Kind::Released, "expired", case);
    let late = world.placed(OTHER, |body| {
        body.policy.not_before_ms = 0;
        body.policy.expires_at_ms = START_MS + 120_000;
    });
    let committed = world.committed(&late, &world.key);
    let case = Case::disclosed(world, "committed as the order expires", &[&late, &committed]);
    cases.fails_at(Name::Policy, Kind::Committed, "expired", case);

    // Ends.
    let until = world.until(Kind::RedemptionRequested);
    let [placed, committed, requested] = until[..] else { panic!("three steps") };
    let about = About::after(committed);
    let ended = step(bob, &about, &closed(ClosedCode::Cancelled), &world.two());
    let case = Case::disclosed(world, "cancelled, and nobody wished it", &[placed, committed, &ended]);
    cases.fails_at(Name::Policy, Kind::Closed, "out-of-state", case);
    let ended =
        step(bob, &about.clone().at(START_MS + DAY_MS - 1), &closed(ClosedCode::Expired), &world.two());
    let case = Case::disclosed(world, "expired a millisecond too early", &[placed, committed, &ended]);
    cases.fails_at(Name::Policy, Kind::Closed, "not-due", case);
    let open = world.placed(OTHER, |body| body.policy.expires_at_ms = 0);
    let ended = step(bob, &About::after(&open), &closed(ClosedCode::Expired), &world.two());
    let case = Case::disclosed(world, "expired, and it has no such time", &[&open, &ended]);
    cases.fails_at(Name::Policy, Kind::Closed, "not-due", case);
    let wished = step(alice, &About::after(requested), &wish(), &world.two());
    let about = About::after(&wished);
    let secret = world.secret(&about, placed.cid(), &world.key, carol);
    let released = world.released(&about, secret, carol, &world.all());
    let chain = [placed, committed, requested, &wished, &released];
    let case = Case::disclosed(world, "released after the wish to cancel was accepted", &chain);
    cases.fails_at(Name::Policy, Kind::Released, "closed", case);
    let wished = step(alice, &About::after(placed), &wish(), &world.two());
    let committed = step(bob, &About::after(&wished), &world.commitment(placed, &world.key), &world.two());
    let case = Case::disclosed(world, "committed after it was taken back", &[placed, &wished, &committed]);
    cases.fails_at(Name::Policy, Kind::Committed, "closed", case);
    let _: &Party = alice;
}
