//! What carol makes of a release: she knows nothing of the order, so the whole of it comes.

use dta_crypto::{ContentKey, OrderKey};
use dta_protocol::Kind;
use dta_protocol::body::{Committed, Placed, SecretBody};
use dta_protocol::car::Block;
use dta_protocol::sealed::SealedBody;

use crate::cases::{Case, Cases};
use crate::story::Party;
use crate::world::*;

/// What a fiduciary may do otherwise.
struct Chain<'a> {
    placed: &'a dyn Fn(&mut Placed),
    committed: &'a dyn Fn(&mut Committed),
    keys: [Option<ContentKey>; 2],
    committed_to: &'a [&'a Party],
    requested_to: &'a [&'a Party],
    key: &'a OrderKey,
}

impl<'a> Chain<'a> {
    fn good(world: &'a World, two: &'a [&'a Party], all: &'a [&'a Party]) -> Self {
        Self {
            placed: &|_| {},
            committed: &|_| {},
            keys: [None, None],
            committed_to: two,
            requested_to: all,
            key: &world.key,
        }
    }

    /// The order and its redemption.
    fn told(self, world: &World) -> [Step; 3] {
        let placed = world.placed(OTHER, self.placed);
        let mut body = world.commitment(&placed, self.key);
        (self.committed)(&mut body);
        let committed = step(&world.bob, &About::after(&placed), &body, self.committed_to);
        let [first, second] = self.keys;
        let (mut one, mut two) = (placed.key(), committed.key());
        one.1 = first.unwrap_or(one.1);
        two.1 = second.unwrap_or(two.1);
        let body = world.redemption(&world.carol, [one, two]);
        let requested = world.requested(&world.alice, &About::after(&committed), &body, self.requested_to);
        [placed, committed, requested]
    }
}

/// The chain under its newest step, with the sealed secret.
fn brought(chain: &[Step; 3], released: &Step) -> Vec<Block> {
    let mut blocks = released.blocks();
    blocks.extend(chain.iter().rev().flat_map(Step::blocks));
    blocks.push(released.secret_block());
    blocks
}

pub fn releases(world: &World, cases: &mut Cases) {
    let (alice, bob, carol, dave) = (&world.alice, &world.bob, &world.carol, &world.dave);
    let (two, all) = (world.two(), world.all());
    let case = |what| Case::new(what, carol, bob, &[]);
    let secret = |chain: &[Step; 3], about: &About, key: &OrderKey, to: &Party| {
        world.secret(about, chain[0].cid(), key, to)
    };
    let release = |chain: &[Step; 3], readers: &[&Party]| {
        let about = About::after(&chain[2]);
        world.released(&about, secret(chain, &about, &world.key, carol), carol, readers)
    };
    let good = || Chain::good(world, &two, &all);

    let steps = world.until(Kind::Released);
    let released = world.told(Kind::Released);
    let mut blocks: Vec<Block> = steps.iter().rev().flat_map(|step| step.blocks()).collect();
    blocks.push(released.secret_block());
    cases.taken(Kind::Received, case("the release of the story").sends_blocks(released, blocks.clone()));
    let bare: Vec<Block> = blocks[..blocks.len() - 1].to_vec();
    cases.refused(422, "block-missing", case("without the sealed secret").sends_blocks(released, bare));
    let hidden = steps[0].bodies[0].descriptor.cid;
    let bare = case("without the body of the order").sends_blocks(released, blocks.clone()).without(hidden);
    cases.refused(422, "block-missing", bare);
    let cut = case("without the order").sends_blocks(released, blocks.clone()).without(steps[0].cid());
    cases.refused(404, "not-found", cut);
    let alone = case("the release alone").sends(released).and(released.secret_block());
    cases.refused(404, "not-found", alone);
    let stranger = case("of a principal of whom carol has no document").sends_blocks(released, blocks);
    cases.refused(422, "unknown-identity", stranger.not_knowing(alice));

    // What is released is judged by its receiver's word alone, and answered with that.
    let chain = good().told(world);
    let about = About::after(&chain[2]);
    let mut garbage = secret(&chain, &about, &world.key, carol);
    garbage.block = b"garbage".to_vec();
    garbage.descriptor.cid = dta_protocol::Cid::of(dta_protocol::Codec::Raw, &garbage.block);
    let odd = |bytes: &[u8]| {
        let role = dta_protocol::Role::Secret;
        seal_bytes(bob, &about, Kind::Released, role, bytes, &[carol])
    };
    let transplanted: SealedBody = again(released.secret.as_ref().unwrap());
    for (what, secret) in [
        ("a secret of another key", secret(&chain, &about, &world.other_key, carol)),
        ("a secret for another order", world.secret(&about, steps[0].cid(), &world.key, carol)),
        ("a secret that is no body", garbage),
        ("a secret that is no plaintext", odd(b"no")),
        ("a secret sealed to somebody else", secret(&chain, &about, &world.key, dave)),
        ("the sealed secret of another release", transplanted),
        ("a secret of zeros", {
            let body = SecretBody {
                placed: chain[0].cid(),
                commitment: world.key.commitment(),
                secret: dta_crypto::Secret::from_bytes([0; 32]),
            };
            seal_body(bob, &about, &body, &[carol])
        }),
    ] {
        let released = world.released(&about, secret, carol, &all);
        let blocks = brought(&chain, &released);
        cases.taken(Kind::Disputed, case(what).sends_blocks(&released, blocks));
    }

    let refused = |cases: &mut Cases, status, reason, what, chain: &[Step; 3], released: &Step| {
        cases.refused(status, reason, case(what).sends_blocks(released, brought(chain, released)));
    };
    for (what, to) in [
        ("a release without its principal", &[bob, carol][..]),
        ("a release for a stranger too", &[alice, bob, carol, dave]),
    ] {
        refused(cases, 422, "other-recipients", what, &chain, &release(&chain, to));
    }
    refused(cases, 422, "cannot-open", "a release that carol cannot read", &chain, &release(&chain, &two));
    let to_dave = world.released(&about, secret(&chain, &about, &world.key, dave), dave, &all);
    refused(cases, 409, "beneficiary-mismatch", "a release for somebody else", &chain, &to_dave);
    let own = secret(&chain, &about, &world.key, carol);
    let by_mallory = world.released_by(&world.mallory, &about, own, carol, &all);
    let blocks = brought(&chain, &by_mallory);
    let mallorys = Case::new("a release by a stranger whom carol trusts", carol, &world.mallory, &[]);
    cases.refused(422, "wrong-signer", mallorys.sends_blocks(&by_mallory, blocks));
    let public = SealedBody {
        descriptor: dta_protocol::Descriptor {
            cid: chain[0].bodies[0].descriptor.cid,
            ..secret(&chain, &about, &world.key, carol).descriptor
        },
        ..again(&chain[0].bodies[0])
    };
    let published = world.released(&about, public, carol, &all);
    let mut blocks = brought(&chain, &published);
    blocks.pop();
    let shown = case("a body of the order, for all to see, as its secret").sends_blocks(&published, blocks);
    cases.refused(422, "cannot-open", shown);
    let early = world.released(
        &about.clone().at(chain[2].issued_at_ms() - 1),
        secret(&chain, &about, &world.key, carol),
        carol,
        &all,
    );
    refused(cases, 422, "issued-before-previous", "a release before its redemption", &chain, &early);

    // A chain that bob and alice made up together.
    let other = world.commitment(&chain[0], &world.other_key);
    let rogue = Chain { committed: &|body| body.proof = other.proof, ..good() };
    let broken = |chain: Chain<'_>| {
        let chain = chain.told(world);
        let released = release(&chain, &all);
        (chain, released)
    };
    let wrong_key = || Some(ContentKey::from_bytes([1; 32]));
    for (status, reason, what, (chain, released)) in [
        (422, "proof-invalid", "a commitment without proof", broken(rogue)),
        (
            422,
            "policy-unsupported",
            "an order with a guardian",
            broken(Chain { placed: &|body| body.policy.guardian = Some(body.fiduciary), ..good() }),
        ),
        (
            422,
            "unknown-plugin",
            "an order of another plugin",
            broken(Chain { placed: &|body| body.plugin = "other".into(), ..good() }),
        ),
        (
            409,
            "not-hosted",
            "an order that names somebody else",
            broken(Chain { placed: &|body| body.beneficiary = Some(body.fiduciary), ..good() }),
        ),
        (
            422,
            "other-recipients",
            "a commitment for all to read",
            broken(Chain { committed_to: &all, ..good() }),
        ),
        (
            422,
            "other-recipients",
            "a redemption for a stranger too",
            broken(Chain { requested_to: &[alice, bob, dave, carol], ..good() }),
        ),
        (
            422,
            "cannot-open",
            "another key for the placed body",
            broken(Chain { keys: [wrong_key(), None], ..good() }),
        ),
        (
            422,
            "cannot-open",
            "another key for the committed body",
            broken(Chain { keys: [None, wrong_key()], ..good() }),
        ),
    ] {
        refused(cases, status, reason, what, &chain, &released);
    }
    let order = world.told(Kind::Placed);
    cases.refused(
        422,
        "cannot-open",
        Case::new("an order that is not hers to keep", carol, alice, &[]).sends(order),
    );
}
