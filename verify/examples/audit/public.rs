//! What shows without a key: the file, the identities, the signatures, the links, the times.

use dta_protocol::car::Block;
use dta_protocol::sealed::SealedBody;
use dta_protocol::{Cid, Codec, Kind};
use dta_verify::Name;

use crate::export::{Case, Cases};
use crate::world::*;

pub fn files(world: &World, cases: &mut Cases) {
    let whole = world.until(Kind::Received);
    let chain = |what| Case::of(world, what, &whole);
    let mut file = |reason, case| cases.fails(Name::File, reason, case);
    for block in chain("").blocks {
        file("car-other-block", chain("a bit of a block").flipping(block.0, block.1.len() / 2));
    }
    let first = whole[0].cid();
    file("car-other-block", chain("the first byte of a block").flipping(first, 0));
    file("car-truncated", chain("a byte less").changing(chain("").car().len() - 1, 1, &[]));
    file("car-truncated", chain("a zero byte more").changing(chain("").car().len(), 0, &[0x80]));
    file("cid-length", chain("an empty section more").changing(chain("").car().len(), 0, &[0]));
    file("car-root-missing", {
        let car = chain("").car();
        let manifest = chain("").manifest.encode().unwrap();
        let at = car.windows(manifest.len()).position(|window| window == manifest).unwrap();
        // With its CID and the length before that.
        chain("without the manifest").changing(at - 38, manifest.len() + 38, &[])
    });
    for step in &whole {
        file("block-missing", chain("without a step that is listed").without(step.cid()));
    }
    for party in world.all() {
        file("block-missing", chain("without an identity that is listed").without(party.cid()));
        let cid = party.cid();
        let case = chain("an identity is not listed, and not there").without(cid);
        file("identity-missing", case.listing(|manifest| manifest.identities.retain(|known| *known != cid)));
    }
    let secret = world.told(Kind::Released).secret_block();
    file("block-unexpected", chain("the sealed secret is among the blocks").and(secret));
    let stranger = world.block_of(&world.dave);
    file("block-unexpected", chain("an identity more").and(stranger.clone()));
    let case = chain("an identity more, which is listed").and(stranger);
    let dave = world.dave.cid();
    file(
        "identity-unexpected",
        case.listing(|manifest| {
            manifest.identities.push(dave);
            manifest.identities.sort();
        }),
    );
    let dispute = world.told(Kind::Disputed);
    let case = chain("a step that is not listed");
    file("block-unexpected", case.and((dispute.cid(), dispute.envelope.block().to_vec())));
    let case = chain("a step is not listed");
    file("block-unexpected", case.listing(|manifest| _ = manifest.steps.remove(1)));
    let case = chain("the newest step is not listed, whose signer signed no other");
    file("identity-unexpected", case.listing(|manifest| _ = manifest.steps.pop()));
    let alice = world.alice.cid();
    let case = Case::of(world, "an identity stands as a step", &whole[..1]).listing(|manifest| {
        manifest.steps.push(alice);
        manifest.identities.clear();
    });
    file("step-other-kind", case);
    let page: Block = {
        let page = dta_protocol::DeliveryPage { step: None, next: 0 }.encode();
        (Cid::of(Codec::DagCbor, &page), page)
    };
    let case = Case::of(world, "something else stands as a step", &whole[..1]);
    let cid = page.0;
    file("envelope-layout", case.and(page).listing(|manifest| manifest.steps.push(cid)));
    cases.fails(Name::File, "field-missing", {
        let order =
            std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/order.car")).unwrap();
        let length = chain("").car().len();
        chain("a chain whose root is its newest step").changing(0, length, &order)
    });
}

pub fn steps(world: &World, cases: &mut Cases) {
    let whole = world.until(Kind::Received);
    let chain = |what: &str, steps: &[&Step]| Case::of(world, what, steps);
    let [placed, committed, requested, released, received] = whole[..] else { panic!("five steps") };
    let without_first = [committed, requested, released, received];
    let case = chain("the first step is left out", &without_first);
    cases.fails_at(Name::Link, Kind::Committed, "order-not-placed", case);
    for (kind, steps) in [
        (Kind::RedemptionRequested, [placed, requested, released, received]),
        (Kind::Released, [placed, committed, released, received]),
        (Kind::Received, [placed, committed, requested, received]),
    ] {
        cases.fails_at(Name::Link, kind, "wrong-previous", chain("a step in the middle is left out", &steps));
    }
    let case = chain("two steps change places", &[placed, requested, committed]);
    cases.fails_at(Name::Link, Kind::RedemptionRequested, "wrong-previous", case);
    let case = chain("the newest is listed first", &[received, released, requested, committed, placed]);
    cases.fails_at(Name::Link, Kind::Received, "order-not-placed", case);
    let other = world.placed(OTHER, |_| {});
    let theirs = world.committed(&other, &world.other_key);
    let case = chain("the commitment of another order", &[placed, &theirs]);
    cases.fails_at(Name::Link, Kind::Committed, "wrong-previous", case);
    let case = chain("another order's placed", &[&other, committed, requested]);
    cases.fails_at(Name::Link, Kind::Committed, "wrong-previous", case);
    let case = chain("two orders", &[placed, committed, &other, &theirs]);
    cases.fails_at(Name::Link, Kind::Placed, "wrong-previous", case);
    let about = About { reference: OTHER.into(), ..About::after(placed) };
    let elsewhere = step(&world.bob, &about, &world.commitment(placed, &world.key), &world.two());
    let case = chain("a commitment under another reference", &[placed, &elsewhere]);
    cases.fails_at(Name::Link, Kind::Committed, "wrong-reference", case);
    let case = chain(
        "both a receipt and a dispute",
        &[placed, committed, requested, released, received, world.told(Kind::Disputed)],
    );
    cases.fails_at(Name::Link, Kind::Disputed, "wrong-previous", case);

    // The order of the steps.
    let bob = &world.bob;
    let again = step(bob, &About::after(committed), &world.commitment(placed, &world.key), &world.two());
    let case = chain("a second commitment", &[placed, committed, &again]);
    cases.fails_at(Name::Sequence, Kind::Committed, "out-of-state", case);
    let about = About::after(placed);
    let secret = world.secret(&about, placed.cid(), &world.key, &world.carol);
    let early = world.released(&about, secret, &world.carol, &world.all());
    let case = chain("a release that nobody asked for", &[placed, &early]);
    cases.fails_at(Name::Sequence, Kind::Released, "out-of-state", case);
    let late = step(&world.alice, &About::after(received), &wish(), &world.two());
    let case = chain("a wish after the receipt", &[placed, committed, requested, released, received, &late]);
    cases.fails_at(Name::Sequence, Kind::CancellationRequested, "out-of-state", case);

    // Times.
    let early = About::after(placed).at(placed.issued_at_ms() - 1);
    let early = step(bob, &early, &world.commitment(placed, &world.key), &world.two());
    let case = chain("before what it answers", &[placed, &early]).at(placed.issued_at_ms());
    cases.fails_at(Name::Time, Kind::Committed, "issued-before-previous", case);
    let at = received.issued_at_ms() - 300_001;
    let case = chain("audited more than five minutes before its last step", &whole).at(at);
    cases.fails_at(Name::Time, Kind::Received, "issued-in-future", case);
}

pub fn signatures(world: &World, cases: &mut Cases) {
    let placed = world.told(Kind::Placed);
    let about = about_of(placed);
    let bodies = || placed.bodies.iter().map(again).collect::<Vec<SealedBody>>();
    let foreign = world.told(Kind::Committed).envelope.block()[14..3_371].to_vec();
    let half = sign_as(world.alice.cid(), &world.mallory, &about, Kind::Placed, bodies());
    let mallorys = half.envelope.block()[14..3_371].to_vec();
    for (what, step) in [
        ("a bit of the BLS signature", placed.changed(|block| block[40] ^= 1)),
        ("a bit of the ML-DSA signature", placed.changed(|block| block[1_000] ^= 1)),
        ("the last bit of the ML-DSA signature", placed.changed(|block| block[3_370] ^= 0x80)),
        (
            "a BLS signature at infinity",
            placed.changed(|block| {
                block[14..62].fill(0);
                block[14] = 0xc0;
            }),
        ),
        ("zeros", placed.changed(|block| block[14..3_371].fill(0))),
        (
            "the signature of another statement",
            placed.changed(|block| block[14..3_371].copy_from_slice(&foreign)),
        ),
        (
            "alice's BLS signature and mallory's ML-DSA signature",
            placed.changed(|block| block[62..3_371].copy_from_slice(&mallorys[48..])),
        ),
        (
            "mallory's BLS signature and alice's ML-DSA signature",
            placed.changed(|block| block[14..62].copy_from_slice(&mallorys[..48])),
        ),
        ("a stamp changed after signing", placed.changed(|block| *block.last_mut().unwrap() ^= 1)),
        ("mallory's signature in alice's name", half),
    ] {
        cases.fails_at(Name::Signature, Kind::Placed, "signature-invalid", Case::of(world, what, &[&step]));
    }
    let whole = world.until(Kind::Received);
    let case = |what| Case::of(world, what, &whole);
    cases.fails(Name::TrustedSigner, "signer-not-trusted", case("nobody is trusted").trusting(&[]));
    for (what, trusted) in [
        ("the fiduciary is not trusted", [&world.alice, &world.carol]),
        ("the principal is not trusted", [&world.bob, &world.carol]),
        ("the beneficiary is not trusted", [&world.alice, &world.bob]),
        ("others are trusted", [&world.dave, &world.mallory]),
    ] {
        cases.fails(Name::TrustedSigner, "signer-not-trusted", case(what).trusting(&trusted));
    }
    let (alice, bob, mallory) = (&world.alice, &world.bob, &world.mallory);
    let everyone = [alice, bob, &world.carol, mallory];
    let [placed, committed, requested, ..] = whole[..] else { panic!("five steps") };
    let body = world.redemption(&world.carol, [placed.key(), committed.key()]);
    let theirs = world.requested(mallory, &About::after(committed), &body, &world.all());
    let case = Case::of(world, "a redemption by somebody else", &[placed, committed, &theirs]);
    cases.fails_at(Name::OneSigner, Kind::RedemptionRequested, "wrong-signer", case.trusting(&everyone));
    let about = About::after(requested);
    let secret = world.secret(&about, placed.cid(), &world.key, &world.carol);
    let theirs = world.released_by(mallory, &about, secret, &world.carol, &world.all());
    let case = Case::of(world, "a release by somebody else", &[placed, committed, requested, &theirs]);
    cases.fails_at(Name::OneSigner, Kind::Released, "wrong-signer", case.trusting(&everyone));
    let about = About::after(committed);
    let theirs = step(bob, &about, &wish(), &world.two());
    let case = Case::of(world, "a wish to cancel by the fiduciary", &[placed, committed, &theirs]);
    cases.fails_at(Name::OneSigner, Kind::CancellationRequested, "wrong-signer", case);

    // Documents that do not hold, each the signer's by its name.
    let order = |signer: Cid, document: Vec<u8>, what: &str| {
        let step = sign_as(signer, alice, &about_of(placed), Kind::Placed, bodies());
        let case = Case::of(world, what, &[&step]).and((signer, document));
        case.listing(|manifest| manifest.identities = vec![signer])
    };
    let document = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut block = world.block_of(alice).1;
        change(&mut block);
        (Cid::of(Codec::DagCbor, &block), block)
    };
    let place = |field: &str, block: &[u8]| {
        block.windows(field.len()).position(|window| window == field.as_bytes()).unwrap() + field.len() + 4
    };
    for (what, reason, at) in [
        ("a bit of a document's signature", "signature-invalid", None),
        ("a bit of a proof in a document", "signature-invalid", Some("secp256k1_proof")),
        ("a bit of a key in a document", "identity-key-invalid", Some("secp256k1")),
    ] {
        let (cid, block) = document(&|block| {
            let at = at.map_or(100, |field| place(field, block));
            block[at] ^= 1;
        });
        if reason == "identity-key-invalid"
            && dta_protocol::Identity::decode(&block).unwrap_err().code() != reason
        {
            // The other x is on the curve too.
            continue;
        }
        let case = order(cid, block, what).trusting(&[]);
        cases.fails(Name::Identity, reason, case);
    }
}

fn about_of(step: &Step) -> About {
    let statement = step.envelope.statement();
    About {
        reference: statement.subject.clone(),
        previous: statement.previous,
        issued_at_ms: statement.issued_at_ms,
    }
}
