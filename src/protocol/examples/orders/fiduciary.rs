//! What bob makes of steps by principals and beneficiaries.

use dta_crypto::ContentKey;
use dta_protocol::body::{ClosedCode, Placed};
use dta_protocol::{Cid, Codec, Identity, Kind};

use crate::cases::{Case, Cases};
use crate::story::{Party, START_MS};
use crate::world::*;

const DAY_MS: u64 = 86_400_000;

/// What is other in an order.
type Change<'a> = &'a dyn Fn(&mut Placed);
/// What is other in the keys that a redemption discloses.
type ChangeOfKeys<'a> = &'a dyn Fn(&mut [(Cid, ContentKey); 2]);

pub fn valid(world: &World, cases: &mut Cases) {
    let (alice, bob, carol) = (&world.alice, &world.bob, &world.carol);
    let bring = |what, caller, kind: Kind| {
        let mut given = world.until(kind);
        given.pop();
        Case::new(what, bob, caller, &given).sends(world.told(kind))
    };
    cases.taken(Kind::Committed, bring("an order", alice, Kind::Placed));
    // The key pair of the order was made in the story and is in nobody's custody, so the release has to wait.
    cases.taken(Kind::RedemptionRequested, bring("a redemption", alice, Kind::RedemptionRequested));
    cases.taken(Kind::Closed, bring("a wish to cancel", alice, Kind::CancellationRequested));
    cases.taken(Kind::Received, bring("a receipt", carol, Kind::Received));
    cases.taken(Kind::Disputed, bring("a dispute", carol, Kind::Disputed));
    let committed = world.until(Kind::Committed);
    let placed = world.told(Kind::Placed);
    cases.taken(
        Kind::Committed,
        Case::new("an order that is known, once more", bob, alice, &committed).sends(placed),
    );
    let again = step_again(world, placed);
    cases.taken(
        Kind::Committed,
        Case::new("the same statement, signed once more", bob, alice, &committed).sends(&again),
    );
    let received = world.until(Kind::Received);
    let late =
        Case::new("a dispute after the receipt", bob, carol, &received).sends(world.told(Kind::Disputed));
    cases.taken(Kind::Received, late);
    let closed = world.until(Kind::Closed);
    let late = Case::new("a redemption that the closure overtook", bob, alice, &closed);
    cases.taken(Kind::Closed, late.sends(world.told(Kind::RedemptionRequested)));
}

/// The statement in another envelope.
fn step_again(world: &World, placed: &Step) -> Step {
    let about = About { reference: THE_ORDERS.into(), previous: None, issued_at_ms: placed.issued_at_ms() };
    let again = sign(&world.alice, &about, Kind::Placed, placed.bodies.iter().map(again).collect());
    assert_ne!(again.cid(), placed.cid());
    again
}

pub fn placed(world: &World, cases: &mut Cases) {
    let (alice, bob, dave) = (&world.alice, &world.bob, &world.dave);
    let order = |change: Change<'_>| world.placed(OTHER, change);
    let mut refused = |status, reason, what, step: &Step| {
        cases.refused(status, reason, Case::new(what, bob, alice, &[]).sends(step));
    };
    let plugin = order(&|body| body.plugin = "bitcoinwallet".into());
    refused(422, "unknown-plugin", "a plugin that bob does not run", &plugin);
    let capital = order(&|body| body.plugin = "Milagro".into());
    refused(422, "unknown-plugin", "a plugin in capitals", &capital);
    let reserved: [(&str, Change<'_>); 4] = [
        ("a delay", &|body| body.policy.delay_ms = 1),
        ("a guardian", &|body| body.policy.guardian = Some(Cid::of(Codec::DagCbor, b"guardian"))),
        ("an approver", &|body| body.policy.approvers = vec![Cid::of(Codec::DagCbor, b"approver")]),
        ("an approval", &|body| body.policy.approvals_required = 1),
    ];
    for (what, change) in reserved {
        refused(422, "policy-unsupported", what, &order(change));
    }
    let invalid: [(&str, Change<'_>); 4] = [
        ("expires as it begins", &|body| body.policy.expires_at_ms = body.policy.not_before_ms),
        ("expires before it begins", &|body| body.policy.expires_at_ms = body.policy.not_before_ms - 1),
        ("expired already", &|body| {
            body.policy.not_before_ms = 0;
            body.policy.expires_at_ms = START_MS;
        }),
        ("a retention of more than ten years", &|body| body.policy.retention_ms = 3_660 * DAY_MS + 1),
    ];
    for (what, change) in invalid {
        refused(422, "policy-invalid", what, &order(change));
    }
    let note = |whose: &Party| format!("milagro-dta/{}/0\n3\n{}=\n\n", whose.cid(), "A".repeat(43));
    let signed =
        |whose: &Party| format!("{}\u{2014} milagro-dta/{}/0 {}\n", note(whose), whose.cid(), "A".repeat(92));
    for (what, note) in [
        ("a note that is none", "nonsense".to_owned()),
        ("a note of another log", signed(&world.mallory)),
        ("a note of her log that she did not sign", signed(alice)),
        ("a note of her log without a signature", note(alice)),
    ] {
        refused(422, "note-invalid", what, &world.noted(OTHER, &note));
    }
    let unknown = order(&|body| body.beneficiary = Some(dave.cid()));
    refused(422, "unknown-identity", "a beneficiary of whom bob has no document", &unknown);
    let about = About::new_order(OTHER);
    let body = Placed { reference: OTHER.into(), ..crate::story::placed_body(bob, None) };
    let own = step(bob, &about, &body, &[bob]);
    cases.refused(
        409,
        "not-made-here",
        Case::new("an order by bob's own keys, which bob did not make", bob, bob, &[]).sends(&own),
    );
    let second = second_document(&world.carol, "carol too");
    let shared = world.placed(OTHER, |body| body.beneficiary = Some(second.cid()));
    let case = Case::new("a beneficiary with carol's keys under another name", bob, alice, &[]);
    let document = (second.cid(), second.envelope().block().to_vec());
    cases.refused(422, "identity-refused", case.sends(&shared).and(document));
    // The stamp is by alice's clock, the rest by bob's.
    let placed = world.told(Kind::Placed);
    let early = placed.issued_at_ms() - 300_001;
    let case = Case::new("a stamp 300,001 ms ahead of bob's clock", bob, alice, &[]).sends(placed);
    cases.refused(503, "issued-in-future", case.at(early));
    let case = Case::new("a stamp 300,000 ms ahead of bob's clock", bob, alice, &[]).sends(placed);
    cases.taken(Kind::Committed, case.at(early + 1));
    let two = [placed, &world.placed(THE_ORDERS, |body| body.plugin = "milagro".into())];
    let twice = world.placed(THE_ORDERS, |body| body.seen = vec!["another note".into()]);
    let case = Case::new("another order under one reference, once more", bob, alice, &two[..1]);
    cases.refused(409, "equivocation", case.sends(two[1]).sends(&twice));
    let case = Case::new("another order under one reference: recorded", bob, alice, &two[..1]);
    // The first goes on.
    cases.taken(Kind::Committed, case.sends(two[1]));
}

/// Another document of the same keys.
fn second_document(party: &Party, name: &str) -> Identity {
    Identity::create(&party.keys, name, None, None, START_MS).unwrap()
}

pub fn redemption(world: &World, cases: &mut Cases) {
    let (alice, bob, carol, dave) = (&world.alice, &world.bob, &world.carol, &world.dave);
    let (placed, committed) = (world.told(Kind::Placed), world.told(Kind::Committed));
    let given = world.until(Kind::Committed);
    let keys = || [placed.key(), committed.key()];
    let about = About::after(committed);
    let all = world.all();
    let case = |what| Case::new(what, bob, alice, &given);

    let to_dave = world.requested(alice, &about, &world.redemption(dave, keys()), &[alice, bob, dave]);
    let brought = case("for another beneficiary than the order's").sends(&to_dave).and(world.block_of(dave));
    cases.refused(409, "beneficiary-mismatch", brought);
    let wrong = |change: ChangeOfKeys<'_>| {
        let mut keys = keys();
        change(&mut keys);
        world.requested(alice, &about, &world.redemption(carol, keys), &all)
    };
    let key = |byte| ContentKey::from_bytes([byte; 32]);
    for (what, requested) in [
        ("another key for the placed body", wrong(&|keys| keys[0].1 = key(1))),
        ("another key for the committed body", wrong(&|keys| keys[1].1 = key(1))),
        ("a key of neither body", wrong(&|keys| keys[1].0 = Cid::of(Codec::Raw, b"another body"))),
        ("the two keys exchanged", {
            let [(first, one), (second, other)] = keys();
            world.requested(alice, &about, &world.redemption(carol, [(first, other), (second, one)]), &all)
        }),
    ] {
        cases.refused(422, "keys-invalid", case(what).sends(&requested));
    }
    let by_carol = world.requested(carol, &about, &world.redemption(carol, keys()), &all);
    let brought = Case::new("a redemption by the beneficiary", bob, carol, &given).sends(&by_carol);
    cases.refused(422, "wrong-signer", brought);
    let early = world.requested(
        alice,
        &about.clone().at(committed.issued_at_ms() - 1),
        &world.redemption(carol, keys()),
        &all,
    );
    let late = committed.issued_at_ms() + 1_000;
    cases.refused(422, "issued-before-previous", case("before what it answers").sends(&early).at(late));
    let elsewhere = About { reference: OTHER.into(), ..about.clone() };
    let elsewhere = world.requested(alice, &elsewhere, &world.redemption(carol, keys()), &all);
    cases.refused(422, "wrong-reference", case("under another order's reference").sends(&elsewhere));
    let again = world.requested(
        alice,
        &about.clone().at(about.issued_at_ms + 1),
        &world.redemption(carol, keys()),
        &all,
    );
    let third = world.requested(
        alice,
        &about.clone().at(about.issued_at_ms + 2),
        &world.redemption(carol, keys()),
        &all,
    );
    let redeemed = world.until(Kind::RedemptionRequested);
    let brought = Case::new("two more redemptions in one place", bob, alice, &redeemed);
    cases.refused(409, "equivocation", brought.sends(&again).sends(&third));

    // The policy is judged by bob's clock alone.
    let requested = world.told(Kind::RedemptionRequested);
    let expires = START_MS + DAY_MS;
    cases.refused(410, "expired", case("as the order expires").sends(requested).at(expires));
    cases.taken(Kind::RedemptionRequested, case("just before it expires").sends(requested).at(expires - 1));
    let waits = world.placed(OTHER, |body| body.policy.not_before_ms = START_MS + 3_600_000);
    let waits = [&waits, &world.committed(&waits, &world.key)];
    let body = world.redemption(carol, [waits[0].key(), waits[1].key()]);
    let requested = world.requested(alice, &About::after(waits[1]), &body, &all);
    let brought = |what| Case::new(what, bob, alice, &waits).sends(&requested);
    cases.refused(409, "not-before", brought("1 ms too early").at(START_MS + 3_599_999));
    cases.taken(Kind::RedemptionRequested, brought("in time").at(START_MS + 3_600_000));
    let open = world.placed(OTHER, |body| body.beneficiary = None);
    let open = [&open, &world.committed(&open, &world.key)];
    let body = world.redemption(dave, [open[0].key(), open[1].key()]);
    let requested = world.requested(alice, &About::after(open[1]), &body, &[alice, bob, dave]);
    let brought = |what| Case::new(what, bob, alice, &open).sends(&requested);
    cases.refused(422, "unknown-identity", brought("for somebody of whom bob has no document"));
    let document = world.block_of(dave);
    cases.taken(Kind::RedemptionRequested, brought("for somebody whose document comes along").and(document));
}

pub fn ends(world: &World, cases: &mut Cases) {
    let (alice, bob, carol) = (&world.alice, &world.bob, &world.carol);
    let released = world.told(Kind::Released);
    let given = world.until(Kind::Released);
    let about = About::after(released);
    let all = world.all();
    let case = |what| Case::new(what, bob, carol, &given);
    let forged = step(carol, &about, &world.received(released, &world.other_key), &all);
    cases.refused(422, "proof-invalid", case("a receipt with a proof by another key").sends(&forged));
    let transplanted = world.received(world.told(Kind::Committed), &world.key);
    let transplanted = step(carol, &about, &transplanted, &all);
    cases.refused(422, "proof-invalid", case("a receipt with a proof for another step").sends(&transplanted));
    let empty = step(carol, &about, &dta_protocol::body::Received { proof: [0; 64], seen: vec![] }, &all);
    cases.refused(422, "proof-invalid", case("a receipt with a proof of zeros").sends(&empty));
    let by_alice = step(alice, &about, &world.received(released, &world.key), &all);
    let brought = |what, step| Case::new(what, bob, alice, &given).sends(step);
    cases.refused(422, "wrong-signer", brought("a receipt by the principal", &by_alice));
    let by_alice = step(alice, &about, &disputed(), &all);
    cases.refused(422, "wrong-signer", brought("a dispute by the principal", &by_alice));
    let wish_after = step(alice, &about, &wish(), &world.two());
    cases.refused(409, "out-of-state", brought("a wish to cancel what is released", &wish_after));
    let second = |ms| step(carol, &about.clone().at(about.issued_at_ms + ms), &disputed(), &all);
    let ended = world.until(Kind::Disputed);
    let brought = Case::new("two more disputes in one place", bob, carol, &ended);
    cases.refused(409, "equivocation", brought.sends(&second(1)).sends(&second(2)));
    let second = |ms| {
        let body = world.received(released, &world.key);
        step(carol, &about.clone().at(about.issued_at_ms + ms), &body, &all)
    };
    let ended = world.until(Kind::Received);
    let brought = Case::new("two more receipts in one place", bob, carol, &ended);
    cases.refused(409, "equivocation", brought.sends(&second(1)).sends(&second(2)));
    let received = world.told(Kind::Received);
    let body = dta_protocol::body::Received { proof: [1; 64], seen: vec![] };
    let more = step(carol, &About::after(received), &body, &all);
    cases.refused(409, "out-of-state", Case::new("a receipt of a receipt", bob, carol, &ended).sends(&more));
    let about = About::after(world.told(Kind::Committed));
    let wish_by = |party, to: &[&Party]| step(party, &about, &wish(), to);
    let given = world.until(Kind::Committed);
    let by_carol = wish_by(carol, &world.two());
    let brought = Case::new("a wish to cancel by the beneficiary", bob, carol, &given).sends(&by_carol);
    cases.refused(422, "wrong-signer", brought);
    for (what, kind) in [("a closure", Kind::Closed), ("a release", Kind::Released)] {
        let stolen = |by: &Party| match kind {
            Kind::Closed => step(by, &about, &closed(ClosedCode::Cancelled), &world.two()),
            _ => {
                let about = About::after(world.told(Kind::RedemptionRequested));
                let secret = world.secret(&about, given[0].cid(), &world.key, carol);
                world.released_by(by, &about, secret, carol, &all)
            }
        };
        let given = match kind {
            Kind::Closed => world.until(Kind::Committed),
            _ => world.until(Kind::RedemptionRequested),
        };
        let step = stolen(alice);
        cases.refused(
            422,
            "wrong-signer",
            Case::new(&format!("{what} by the principal"), bob, alice, &given).sends(&step),
        );
        let step = stolen(bob);
        let case = Case::new(&format!("{what} by bob's own keys, which bob did not make"), bob, bob, &given)
            .sends(&step);
        cases.refused(409, "not-made-here", case);
    }
}

pub fn order_of_steps(world: &World, cases: &mut Cases) {
    let (alice, bob, carol) = (&world.alice, &world.bob, &world.carol);
    let all = world.all();
    let (placed, committed) = (world.told(Kind::Placed), world.told(Kind::Committed));
    let keys = || [placed.key(), committed.key()];
    let redeem = |previous: &Step| {
        world.requested(alice, &About::after(previous), &world.redemption(carol, keys()), &all)
    };
    let requested = world.told(Kind::RedemptionRequested);
    let state = |kind: Kind| world.until(kind);
    for (what, kind) in [
        ("a redemption before the commitment", Kind::Placed),
        ("a redemption of a redemption", Kind::RedemptionRequested),
        ("a redemption after the release", Kind::Released),
        ("a redemption after the receipt", Kind::Received),
    ] {
        let step = redeem(world.told(kind));
        cases.refused(409, "out-of-state", Case::new(what, bob, alice, &state(kind)).sends(&step));
    }
    for (what, kind) in [
        ("a receipt before the release", Kind::RedemptionRequested),
        ("a receipt before the redemption", Kind::Committed),
    ] {
        let body = world.received(requested, &world.key);
        let step = step(carol, &About::after(world.told(kind)), &body, &all);
        cases.refused(409, "out-of-state", Case::new(what, bob, carol, &state(kind)).sends(&step));
    }
    let early = step(carol, &About::after(requested), &disputed(), &all);
    let case = Case::new("a dispute before the release", bob, carol, &state(Kind::RedemptionRequested));
    cases.refused(409, "out-of-state", case.sends(&early));
    let closure = world.told(Kind::Closed);
    let late = redeem(closure);
    let case = Case::new("a redemption after the closure", bob, alice, &state(Kind::Closed)).sends(&late);
    cases.refused(410, "closed", case);
    let wishing = world.told(Kind::CancellationRequested);
    let late = redeem(wishing);
    let case =
        Case::new("a redemption after a wish to cancel", bob, alice, &state(Kind::CancellationRequested));
    cases.refused(410, "closed", case.sends(&late));
    let again = step(alice, &About::after(closure), &wish(), &world.two());
    let case =
        Case::new("a wish to cancel after the closure", bob, alice, &state(Kind::Closed)).sends(&again);
    cases.refused(410, "closed", case);
    // It answers a step that bob never took, which answers one that is not the last.
    let side = step(alice, &About::after(placed), &wish(), &world.two());
    let on_it = step(alice, &About::after(&side), &wish(), &world.two());
    let blocks = [on_it.blocks(), side.blocks()].concat();
    let case = Case::new("steps beside the chain", bob, alice, &state(Kind::Committed));
    cases.refused(409, "wrong-previous", case.sends_blocks(&on_it, blocks));
}
