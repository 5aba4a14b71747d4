//! What alice makes of what her fiduciary answers, and brings to her.

use dta_crypto::OrderKey;
use dta_protocol::Kind;
use dta_protocol::body::{COMMITMENT_TAG, ClosedCode, Committed, commitment_proof_message};

use crate::cases::{Case, Cases};
use crate::story::{Party, extension};
use crate::world::*;

pub fn commitments(world: &World, cases: &mut Cases) {
    let (alice, bob, carol) = (&world.alice, &world.bob, &world.carol);
    let placed = world.told(Kind::Placed);
    let given = [placed];
    let answer = |what: &str| Case::new(what, alice, bob, &given).pending();
    let committed = world.told(Kind::Committed);
    cases.believed(Kind::Committed, answer("a commitment").sends(committed));

    // Rogue commitments: to a key that the fiduciary does not hold, or not for this order.
    let about = About::after(placed);
    let commit = |body: Committed| step(bob, &about, &body, &world.two());
    let proved = |prover: &OrderKey, placed: &Step, fiduciary: &Party| {
        let commitment = world.key.commitment();
        // Over the message that names the key committed to, as a thief of a public key would make it.
        let message = commitment_proof_message(&placed.cid(), &fiduciary.cid(), &commitment);
        let proof = prover.sign(COMMITMENT_TAG, &message);
        commit(Committed { commitment, proof, extension: extension(&[]), seen: vec![] })
    };
    let other = world.placed(OTHER, |_| {});
    for (what, step) in [
        ("a commitment to a key that another key proves", proved(&world.other_key, placed, bob)),
        ("a commitment with the proof of another order", proved(&world.key, &other, bob)),
        ("a commitment with the proof of another fiduciary", proved(&world.key, placed, carol)),
        ("a commitment with a proof of zeros", {
            let body = world.commitment(placed, &world.key);
            commit(Committed { proof: [0; 64], ..body })
        }),
        ("a commitment to another key with this one's proof", {
            let body = world.commitment(placed, &world.key);
            commit(Committed { commitment: world.other_key.commitment(), ..body })
        }),
    ] {
        cases.unbelieved("proof-invalid", answer(what).sends(&step));
    }
    let body = || world.commitment(placed, &world.key);
    for (what, to) in [
        ("a commitment that its beneficiary can read", &[alice, bob, carol][..]),
        ("a commitment that a stranger can read", &[alice, bob, &world.dave]),
        ("a commitment that its fiduciary cannot read", &[alice]),
    ] {
        cases.unbelieved("other-recipients", answer(what).sends(&step(bob, &about, &body(), to)));
    }
    let hidden = step(bob, &about, &body(), &[bob]);
    cases.unbelieved("cannot-open", answer("a commitment that its principal cannot read").sends(&hidden));
    for (what, signer) in
        [("by the beneficiary", carol), ("by a stranger", &world.mallory), ("by alice's keys", alice)]
    {
        let step = step(signer, &about, &body(), &world.two());
        cases.unbelieved("wrong-signer", answer(&format!("a commitment {what}")).sends(&step));
    }
    let early = step(bob, &about.clone().at(placed.issued_at_ms() - 1), &body(), &world.two());
    let now = placed.issued_at_ms() + 1_000;
    cases.unbelieved("issued-before-previous", answer("before the order").sends(&early).at(now));
    let late = answer("300,001 ms ahead of alice's clock").sends(committed);
    cases.unbelieved("issued-in-future", late.at(committed.issued_at_ms() - 300_001));
    let flipped = committed.changed(|block| block[100] ^= 1);
    cases.unbelieved("signature-invalid", answer("a bit of the signature").sends(&flipped));
    let bare = answer("without its body").sends(committed).without(committed.bodies[0].descriptor.cid);
    cases.unbelieved("block-missing", bare);
    let named = About { reference: OTHER.into(), ..about.clone() };
    let elsewhere = step(bob, &named, &body(), &world.two());
    cases.unbelieved("wrong-reference", answer("under another order's reference").sends(&elsewhere));
    let again = |ms| step(bob, &about.clone().at(about.issued_at_ms + ms), &body(), &world.two());
    let two = world.until(Kind::Committed);
    let case = Case::new("a second commitment: recorded", alice, bob, &two).sends(&again(1));
    cases.believed(Kind::Committed, case);
    let case = Case::new("two more commitments", alice, bob, &two).sends(&again(1)).sends(&again(2));
    cases.unbelieved("equivocation", case);
}

pub fn releases(world: &World, cases: &mut Cases) {
    let (alice, bob, carol, dave) = (&world.alice, &world.bob, &world.carol, &world.dave);
    let (placed, requested) = (world.told(Kind::Placed), world.told(Kind::RedemptionRequested));
    let given = world.until(Kind::RedemptionRequested);
    let answer = |what: &str| Case::new(what, alice, bob, &given).pending();
    let released = world.told(Kind::Released);
    cases.believed(Kind::Released, answer("a release").sends(released));

    let about = About::after(requested);
    let all = world.all();
    let secret = |about: &About, to: &Party| world.secret(about, placed.cid(), &world.key, to);
    let to_dave = world.released(&about, secret(&about, dave), dave, &all);
    cases.unbelieved("beneficiary-mismatch", answer("for somebody else").sends(&to_dave));
    for (what, to) in [
        ("a release that its beneficiary cannot read", &[alice, bob][..]),
        ("a release that a stranger can read", &[alice, bob, carol, dave]),
    ] {
        let step = world.released(&about, secret(&about, carol), carol, to);
        cases.unbelieved("other-recipients", answer(what).sends(&step));
    }
    for (what, signer) in [("by the beneficiary", carol), ("by alice's keys", alice)] {
        let step = world.released_by(signer, &about, secret(&about, carol), carol, &all);
        cases.unbelieved("wrong-signer", answer(&format!("a release {what}")).sends(&step));
    }
    let early = About::after(world.told(Kind::Committed));
    let unasked = world.released(&early, secret(&early, carol), carol, &all);
    let two = world.until(Kind::Committed);
    cases.unbelieved(
        "out-of-state",
        Case::new("a release that nobody asked for", alice, bob, &two).sends(&unasked),
    );
    let three = Case::new("a release that skips the redemption", alice, bob, &given).sends(&unasked);
    cases.unbelieved("wrong-previous", three);
    let again = |ms| {
        let about = about.clone().at(about.issued_at_ms + ms);
        world.released(&about, secret(&about, carol), carol, &all)
    };
    let done = world.until(Kind::Released);
    let case = Case::new("two more releases", alice, bob, &done).sends(&again(1)).sends(&again(2));
    cases.refused(409, "equivocation", case);

    // The sealed secret of one order, released by another.
    let mut orders = world.until(Kind::Released);
    let second = world.placed(OTHER, |_| {});
    let committed = world.committed(&second, &world.other_key);
    let body = world.redemption(carol, [second.key(), committed.key()]);
    let redemption = world.requested(alice, &About::after(&committed), &body, &all);
    orders.extend([&second, &committed, &redemption]);
    let about = About::after(&redemption);
    let taken = again_secret(released);
    let stolen = world.released(&about, taken, carol, &all);
    let case = Case::new("with the sealed secret of another order", alice, bob, &orders).pending();
    cases.unbelieved("secret-taken", case.sends(&stolen));
}

fn again_secret(released: &Step) -> dta_protocol::SealedBody {
    again(released.secret.as_ref().unwrap())
}

pub fn ends(world: &World, cases: &mut Cases) {
    let (alice, bob, carol) = (&world.alice, &world.bob, &world.carol);
    let given = world.until(Kind::Released);
    let received = world.told(Kind::Received);
    let bring = |what| Case::new(what, alice, bob, &given);
    cases.taken(Kind::Received, bring("a receipt, brought by the fiduciary").sends(received));
    cases.taken(
        Kind::Disputed,
        bring("a dispute, brought by the fiduciary").sends(world.told(Kind::Disputed)),
    );
    let released = world.told(Kind::Released);
    let forged =
        step(carol, &About::after(released), &world.received(released, &world.other_key), &world.all());
    cases.refused(422, "proof-invalid", bring("a receipt with a proof by another key").sends(&forged));
    let by_bob = step(bob, &About::after(released), &world.received(released, &world.key), &world.all());
    cases.refused(
        422,
        "wrong-signer",
        bring("a receipt by the fiduciary, who has the secret").sends(&by_bob),
    );
    let by_bob = step(bob, &About::after(released), &disputed(), &world.all());
    cases.refused(422, "wrong-signer", bring("a dispute by the fiduciary").sends(&by_bob));
    let late = step(bob, &About::after(released), &closed(ClosedCode::Expired), &world.all());
    cases.refused(409, "out-of-state", bring("a closure after the release").sends(&late));
    let about = About::after(world.told(Kind::Committed));
    let stolen = step(alice, &about, &wish(), &world.two());
    let two = world.until(Kind::Committed);
    let case = Case::new("a wish to cancel by alice's own keys, which alice did not make", alice, bob, &two);
    cases.refused(409, "not-made-here", case.sends(&stolen));
    let expired = |to: &[&Party]| step(bob, &about, &closed(ClosedCode::Expired), to);
    let case = |what| Case::new(what, alice, bob, &two);
    cases.taken(Kind::Closed, case("a closure").sends(&expired(&world.two())));
    let told = case("a closure that somebody can read whom no redemption has named");
    cases.refused(422, "other-recipients", told.sends(&expired(&world.all())));
    let by_carol = step(carol, &about, &closed(ClosedCode::Expired), &world.two());
    cases.refused(422, "wrong-signer", case("a closure by the beneficiary").sends(&by_carol));
    let ended = world.until(Kind::Closed);
    let closure = world.told(Kind::Closed);
    let about = About::after(closure);
    let secret = world.secret(&about, ended[0].cid(), &world.key, carol);
    let late = world.released(&about, secret, carol, &world.all());
    cases.refused(410, "closed", Case::new("a release after the closure", alice, bob, &ended).sends(&late));
}
