//! Chains in which every check that can be made holds.

use dta_protocol::Kind;
use dta_protocol::body::{ClosedCode, Placed};

use crate::export::{Case, Cases};
use crate::story::{START_MS, placed_body};
use crate::world::*;

const DAY_MS: u64 = 86_400_000;

pub fn cases(world: &World, cases: &mut Cases) {
    let whole = world.until(Kind::Received);
    let secret = world.told(Kind::Released).secret.as_ref().unwrap();
    cases.holds(Case::disclosed(world, "a whole order, all of it disclosed but the secret", &whole));
    cases.holds(Case::of(world, "a whole order, nothing disclosed", &whole));
    let case = Case::disclosed(world, "with the key of the sealed secret, and not the secret", &whole);
    cases.holds(case.key_of(secret));
    let case = Case::disclosed(world, "with the sealed secret too", &whole);
    cases.holds(case.key_of(secret).reveals(world.told(Kind::Released).secret_block()));
    for kind in [Kind::Placed, Kind::Committed, Kind::RedemptionRequested, Kind::Released, Kind::Closed] {
        let what = format!("an order up to {kind}");
        cases.holds(Case::of(world, &what, &world.until(kind)));
        cases.holds(Case::disclosed(world, &format!("{what}, disclosed"), &world.until(kind)));
    }
    cases.holds(Case::of(world, "a dispute, nothing disclosed", &world.until(Kind::Disputed)));
    let placed = &whole[0].bodies[0];
    cases.holds(Case::of(world, "only who and when is disclosed", &whole).key_of(placed));
    let case = Case::of(world, "only the receipt is disclosed, which says nothing without the rest", &whole);
    cases.holds(case.key_of(&whole[4].bodies[0]));
    let case = Case::of(world, "a body is withheld, and so is its key", &whole);
    cases.holds(case.without(placed.descriptor.cid));
    let keys = whole[..3].iter().flat_map(|step| &step.bodies);
    let hidden = keys.fold(Case::of(world, "carol's document is not disclosed", &whole[..3]), Case::key_of);
    cases.holds(hidden);

    let bob = &world.bob;
    let body = Placed { ..placed_body(bob, Some(bob)) };
    let placed = step(bob, &About::new_order(THE_ORDERS), &body, &[bob]);
    let committed = step(bob, &About::after(&placed), &world.commitment(&placed, &world.key), &[bob]);
    let body = world.redemption(bob, [placed.key(), committed.key()]);
    let requested = world.requested(bob, &About::after(&committed), &body, &[bob]);
    let about = About::after(&requested);
    let released = world.released(&about, world.secret(&about, placed.cid(), &world.key, bob), bob, &[bob]);
    let proof = dta_protocol::body::sign_received_proof(&world.key, &released.cid(), &bob.cid());
    let body = dta_protocol::body::Received { proof, seen: vec![] };
    let received = step(bob, &About::after(&released), &body, &[bob]);
    let alone = [&placed, &committed, &requested, &released, &received];
    let case = alone.iter().flat_map(|step| &step.bodies);
    let case = case.fold(Case::of(world, "one identity in all three roles", &alone), Case::key_of);
    cases.holds(case.key_of(released.secret.as_ref().unwrap()).trusting(&[bob]));

    let late = world.placed(OTHER, |body| body.beneficiary = None);
    let committed = world.committed(&late, &world.key);
    let body = world.redemption(&world.carol, [late.key(), committed.key()]);
    let requested = world.requested(&world.alice, &About::after(&committed), &body, &world.all());
    let named = [&late, &committed, &requested];
    cases.holds(Case::disclosed(world, "a beneficiary whom only the redemption names", &named));

    // The policy's limits, by the stamps.
    let (alice, carol) = (&world.alice, &world.carol);
    let limits = world.placed(OTHER, |body| {
        body.policy.not_before_ms = START_MS + 240_000;
        body.policy.expires_at_ms = START_MS + 240_001;
    });
    let committed = world.committed(&limits, &world.key);
    let body = world.redemption(carol, [limits.key(), committed.key()]);
    let requested = world.requested(alice, &About::after(&committed), &body, &world.all());
    let about = About::after(&requested);
    let secret = world.secret(&about, limits.cid(), &world.key, carol);
    let released = world.released(&about, secret, carol, &world.all());
    let chain = [&limits, &committed, &requested, &released];
    cases.holds(Case::disclosed(world, "released in the one millisecond in which it may be", &chain));
    let ahead = About::after(&committed).at(START_MS + 240_001 + 299_999);
    let requested = world.requested(alice, &ahead, &body, &world.all());
    let about = About::after(&requested).at(requested.issued_at_ms());
    let secret = world.secret(&about, limits.cid(), &world.key, carol);
    let released = world.released(&about, secret, carol, &world.all());
    let chain = [&limits, &committed, &requested, &released];
    cases.holds(Case::disclosed(world, "a stamp that may be another clock's, five minutes ahead", &chain));
    let expired = world.placed(OTHER, |_| {});
    let about = About::after(&expired).at(START_MS + DAY_MS);
    let ended = step(bob, &about, &closed(ClosedCode::Expired), &world.two());
    cases.holds(Case::disclosed(world, "closed in the millisecond in which it expires", &[&expired, &ended]));
    let case = Case::of(world, "audited five minutes before its last step was issued", &whole);
    let stamp = whole[4].issued_at_ms();
    cases.holds(case.at(stamp - 300_000));
}
