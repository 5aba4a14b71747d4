//! Bodies that were moved, are missing or say nothing, and bodies that others can read than those prescribed.

use dta_protocol::body::{Placed, Plaintext};
use dta_protocol::sealed::SealedBody;
use dta_protocol::{Kind, Role};

use crate::cases::{Case, Cases};
use crate::story::{Party, placed_body};
use crate::world::*;

pub fn bodies(world: &World, cases: &mut Cases) {
    let (alice, bob) = (&world.alice, &world.bob);
    let about = About::new_order(OTHER);
    let signed = |bodies: Vec<SealedBody>| sign(alice, &about, Kind::Placed, bodies);
    let order = || Placed { reference: OTHER.into(), ..placed_body(bob, None) };
    let mut refused = |reason, what, step: &Step| {
        cases.refused(422, reason, Case::new(what, bob, alice, &[]).sends(step));
    };
    // Transplanted whole: each is bound to the statement that it was sealed for.
    let of = |about: &About, role: Role, kind: Kind| {
        seal_bytes(alice, about, kind, role, order().encode().unwrap().expose(), &world.two())
    };
    let parties = Role::Parties;
    let later = about.clone().at(about.issued_at_ms + 1);
    refused("cannot-open", "a body of another time", &signed(vec![of(&later, parties, Kind::Placed)]));
    let other = About { reference: THE_ORDERS.into(), ..about.clone() };
    refused("cannot-open", "a body of another order", &signed(vec![of(&other, parties, Kind::Placed)]));
    let kind = Kind::CancellationRequested;
    refused("cannot-open", "a body of another kind", &signed(vec![of(&about, parties, kind)]));
    let mut role = seal_bytes(alice, &about, Kind::Placed, Role::Beneficiary, b"", &[bob]);
    role.descriptor.role = Role::Parties;
    refused("cannot-open", "a body of another role", &signed(vec![role]));
    let answering = About { previous: Some(alice.cid()), ..about.clone() };
    refused(
        "cannot-open",
        "a body that answers another step",
        &signed(vec![of(&answering, parties, Kind::Placed)]),
    );
    let by_bob = seal_body(bob, &about, &order(), &world.two());
    refused("cannot-open", "a body of another signer", &signed(vec![by_bob]));
    let whole = again(&world.told(Kind::Placed).bodies[0]);
    refused("cannot-open", "the body of the order in the story", &signed(vec![whole]));

    // Transplanted in part.
    let (one, two) = (of(&about, parties, Kind::Placed), of(&later, parties, Kind::Placed));
    let mixed = |change: &dyn Fn(&mut SealedBody)| {
        let mut body = again(&one);
        change(&mut body);
        signed(vec![body])
    };
    let entries = mixed(&|body| body.descriptor.to = two.descriptor.to.clone());
    refused("cannot-open", "the entries of another body", &entries);
    let commitment = mixed(&|body| body.descriptor.commit = two.descriptor.commit);
    refused("cannot-open", "the commitment of another body", &commitment);
    let ciphertext = mixed(&|body| {
        body.descriptor.cid = two.descriptor.cid;
        body.block = two.block.clone();
    });
    refused("cannot-open", "the ciphertext of another body", &ciphertext);
    let bobs = position(&one, bob, &about, alice);
    let entry = mixed(&|body| {
        // Bob's entry stays, the other one is of another body: he can open it, and alice could not.
        body.descriptor.to[1 - bobs] = two.descriptor.to[1 - position(&two, bob, &later, alice)].clone();
        body.descriptor.to.sort();
    });
    refused("other-recipients", "alice's entry is of another body", &entry);

    // What is in it.
    let sealed =
        |bytes: &[u8]| signed(vec![seal_bytes(alice, &about, Kind::Placed, parties, bytes, &world.two())]);
    refused("cannot-open", "nothing in it", &sealed(b""));
    refused("cannot-open", "an empty map in it", &sealed(&[0xa0]));
    let plaintext = order().encode().unwrap();
    refused("cannot-open", "a byte more than the plaintext", &sealed(&[plaintext.expose(), &[0]].concat()));
    let wished = wish().encode().unwrap();
    refused("cannot-open", "the plaintext of another kind", &sealed(wished.expose()));
    let other = Placed { reference: THE_ORDERS.into(), ..order() }.encode().unwrap();
    refused("cannot-open", "another reference than the statement's subject", &sealed(other.expose()));
    let mut coin = plaintext.expose().to_vec();
    let at = coin.windows(5).position(|window| window == b"dcoin").unwrap() + 5;
    coin[at] = 2;
    refused("cannot-open", "coin 2", &sealed(&coin));

    // What is missing.
    let placed = world.placed(OTHER, |_| {});
    let case = Case::new("without its body", bob, alice, &[]).sends(&placed);
    cases.refused(422, "block-missing", case.without(placed.bodies[0].descriptor.cid));
    let requested = world.told(Kind::RedemptionRequested);
    let given = world.until(Kind::Committed);
    for (what, body) in [("without what the parties read", 0), ("without what the beneficiary reads", 1)] {
        let case = Case::new(what, bob, alice, &given).sends(requested);
        cases.refused(422, "block-missing", case.without(requested.bodies[body].descriptor.cid));
    }

    // Whose it is.
    let mut signature = |what, step: &Step| {
        cases.refused(422, "signature-invalid", Case::new(what, bob, alice, &[]).sends(step));
    };
    signature("a bit of the BLS signature", &placed.changed(|block| block[40] ^= 1));
    signature("a bit of the ML-DSA signature", &placed.changed(|block| block[1_000] ^= 1));
    signature(
        "a BLS signature at infinity",
        &placed.changed(|block| {
            block[14..62].fill(0);
            block[14] = 0xc0;
        }),
    );
    let foreign = world.told(Kind::Placed).envelope.block()[14..3_371].to_vec();
    signature(
        "the signature of another statement",
        &placed.changed(|block| block[14..3_371].copy_from_slice(&foreign)),
    );
    let mut half =
        sign_as(alice.cid(), &world.mallory, &about, Kind::Placed, placed.bodies.iter().map(again).collect());
    signature("mallory's signature in alice's name", &half);
    let mallorys = half.envelope.block()[62..3_371].to_vec();
    half = placed.changed(|block| block[62..3_371].copy_from_slice(&mallorys));
    signature("alice's BLS signature and mallory's ML-DSA signature", &half);
    let stamp = placed.changed(|block| *block.last_mut().unwrap() ^= 1);
    signature("a stamp changed after signing", &stamp);
}

/// Which of the two entries is this party's.
fn position(body: &SealedBody, party: &Party, about: &About, signer: &Party) -> usize {
    let request = dta_protocol::SealRequest {
        kind: Kind::Placed,
        role: Role::Parties,
        signer: signer.cid(),
        subject: &about.reference,
        previous: about.previous,
        issued_at_ms: about.issued_at_ms,
    };
    let opens = |at: &usize| {
        let mut one = body.descriptor.clone();
        one.to = vec![one.to[*at].clone()];
        dta_protocol::sealed::open(&party.keys, &party.cid(), &request, &one, &body.block).is_ok()
    };
    (0..2).find(opens).unwrap()
}

pub fn recipients(world: &World, cases: &mut Cases) {
    let (alice, bob, carol, dave) = (&world.alice, &world.bob, &world.carol, &world.dave);
    let order = Placed { reference: OTHER.into(), ..placed_body(bob, Some(carol)) };
    for (what, to) in [
        ("an order for its fiduciary alone", &[bob][..]),
        ("an order for its beneficiary too", &[alice, bob, carol]),
        ("an order for a stranger too", &[alice, bob, dave]),
        ("an order for a stranger instead of its principal", &[bob, dave]),
        ("an order for four", &[alice, bob, carol, dave]),
    ] {
        let step = step(alice, &About::new_order(OTHER), &order, to);
        cases.refused(422, "other-recipients", Case::new(what, bob, alice, &[]).sends(&step));
    }
    for (what, to) in
        [("an order for its principal alone", &[alice][..]), ("an order for two others", &[carol, dave])]
    {
        let step = step(alice, &About::new_order(OTHER), &order, to);
        cases.refused(422, "cannot-open", Case::new(what, bob, alice, &[]).sends(&step));
    }
    let committed = world.told(Kind::Committed);
    let keys = || [world.told(Kind::Placed).key(), committed.key()];
    for (what, to) in [
        ("a redemption without its beneficiary", &[alice, bob][..]),
        ("a redemption without its principal", &[bob, carol]),
        ("a redemption for a stranger too", &[alice, bob, dave, carol]),
    ] {
        let body = world.redemption(carol, keys());
        let step = world.requested(alice, &About::after(committed), &body, to);
        let case = Case::new(what, bob, alice, &world.until(Kind::Committed)).sends(&step);
        cases.refused(422, "other-recipients", case);
    }
    for (what, to) in [
        ("a wish for the beneficiary too", &[alice, bob, carol][..]),
        ("a wish for its fiduciary alone", &[bob]),
    ] {
        let step = step(alice, &About::after(committed), &wish(), to);
        let case = Case::new(what, bob, alice, &world.until(Kind::Committed)).sends(&step);
        cases.refused(422, "other-recipients", case);
    }
    let released = world.told(Kind::Released);
    for (what, to) in [
        ("a receipt without the principal", &[bob, carol][..]),
        ("a receipt for a stranger too", &[alice, bob, carol, dave]),
    ] {
        let step = step(carol, &About::after(released), &world.received(released, &world.key), to);
        let case = Case::new(what, bob, carol, &world.until(Kind::Released)).sends(&step);
        cases.refused(422, "other-recipients", case);
    }
    let step = step(carol, &About::after(released), &disputed(), &[bob, carol]);
    let case =
        Case::new("a dispute without the principal", bob, carol, &world.until(Kind::Released)).sends(&step);
    cases.refused(422, "other-recipients", case);
}
