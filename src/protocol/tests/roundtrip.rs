//! Any statement and any plaintext within the limits is read back as it was written; at the limits too, not beyond.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use dta_crypto::{ContentKey, IdentityKeys, OrderKey, Secret};
use dta_protocol::body::*;
use dta_protocol::envelope::MAX_BLOCK_BYTES;
use dta_protocol::{
    BlockPage, Body, CheckpointBody, Cid, Codec, DeliveryPage, Descriptor, Envelope, EnvelopeError, Identity,
    Kind, Place, Plaintext, Role, Statement, checkpoint, name_is_plain,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

fn cid(codec: Codec) -> impl Strategy<Value = Cid> {
    any::<[u8; 8]>().prop_map(move |seed| Cid::of(codec, &seed))
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just((1 << 53) - 1), any::<u64>().prop_map(|n| n >> 11)]
}

fn reference() -> impl Strategy<Value = String> {
    "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
}

fn descriptor(role: Role, recipients: usize) -> impl Strategy<Value = Descriptor> {
    let entries = btree_set(any::<[u8; 8]>(), 1..=recipients);
    (cid(Codec::Raw), any::<[u8; 32]>(), entries).prop_map(move |(cid, commit, entries)| {
        let entry = |seed: [u8; 8]| {
            let mut entry = Box::new([0; 1168]);
            entry[..8].copy_from_slice(&seed);
            entry
        };
        Descriptor { cid, commit, role, suite: 1, to: entries.into_iter().map(entry).collect() }
    })
}

fn statement() -> impl Strategy<Value = Statement> {
    let steps: Vec<_> = Kind::ALL.into_iter().filter(|kind| kind.is_order()).collect();
    let kind = proptest::sample::select(steps);
    let link = || cid(Codec::DagCbor);
    let bodies = (descriptor(Role::Parties, 4), option::of(descriptor(Role::Beneficiary, 1)));
    (kind, option::of(".{0,200}"), bodies, link(), reference(), link(), time()).prop_map(
        |(kind, note, (parties, data), signer, subject, previous, issued_at_ms)| Statement {
            kind,
            body: Body::Order { note },
            sealed: [Some(parties), data.filter(|_| kind == Kind::RedemptionRequested)]
                .into_iter()
                .flatten()
                .collect(),
            signer: Some(signer),
            subject,
            previous: (kind != Kind::Placed).then_some(previous),
            issued_at_ms,
        },
    )
}

fn checkpoint() -> impl Strategy<Value = Statement> {
    let number = prop_oneof![0..300_u64, time()];
    let link = || cid(Codec::DagCbor);
    (number, ".{0,200}", vec(link(), 14), descriptor(Role::Log, 1), link(), time()).prop_map(
        |(number, note, mut skip, sealed, signer, issued_at_ms)| {
            skip.truncate(checkpoint::levels(number));
            Statement {
                kind: Kind::Checkpoint,
                previous: skip.first().copied(),
                body: Body::Checkpoint(CheckpointBody { number, note, skip }),
                sealed: vec![sealed],
                signer: Some(signer),
                subject: String::new(),
                issued_at_ms,
            }
        },
    )
}

fn extension() -> impl Strategy<Value = Extension> {
    btree_map(".{0,8}", ".{0,20}", 0..6)
}

fn seen() -> impl Strategy<Value = Vec<String>> {
    vec(".{0,40}", 0..=3)
}

fn policy() -> impl Strategy<Value = Policy> {
    let link = || cid(Codec::DagCbor);
    let times = (time(), time(), time(), time(), time());
    (times, option::of(link()), vec(link(), 0..=16)).prop_map(|(times, guardian, approvers)| Policy {
        not_before_ms: times.0,
        expires_at_ms: times.1,
        retention_ms: times.2,
        delay_ms: times.3,
        guardian,
        approvers,
        approvals_required: times.4,
    })
}

fn same<P: Plaintext>(body: &P) -> P {
    let bytes = body.encode().unwrap();
    let read = P::decode(bytes.expose()).unwrap();
    assert_eq!(read.encode().unwrap().expose(), bytes.expose());
    let value: ipld_core::ipld::Ipld = serde_ipld_dagcbor::from_slice(bytes.expose()).unwrap();
    assert_eq!(serde_ipld_dagcbor::to_vec(&value).unwrap(), bytes.expose());
    read
}

proptest! {
    #[test]
    fn cids(raw: bool, block in vec(any::<u8>(), 0..100)) {
        let cid = Cid::of(if raw { Codec::Raw } else { Codec::DagCbor }, &block);
        prop_assert_eq!(Cid::from_bytes(&cid.to_bytes()), Ok(cid));
        prop_assert_eq!(cid.to_string().parse(), Ok(cid));
        prop_assert!(cid.names(&block));
    }

    #[test]
    fn pages(step in option::of((cid(Codec::DagCbor), cid(Codec::DagCbor))), next in time()) {
        let page = DeliveryPage { step, next };
        prop_assert_eq!(DeliveryPage::decode(&page.encode()), Ok(page));
    }

    #[test]
    fn block_pages(
        all in btree_map((time(), any::<u32>()), (any::<bool>(), any::<u64>()), 0..64),
        more: bool,
    ) {
        let mut blocks = Vec::new();
        for ((sequence, n), (raw, block)) in all {
            let cid = Cid::of(if raw { Codec::Raw } else { Codec::DagCbor }, &block.to_be_bytes());
            if blocks.iter().all(|(_, other)| *other != cid) {
                blocks.push((Place { sequence, n }, cid));
            }
        }
        let page = BlockPage { more: more && !blocks.is_empty(), blocks };
        prop_assert_eq!(BlockPage::decode(&page.encode()), Ok(page));
    }

    #[test]
    fn statements(statement in prop_oneof![4 => statement(), 1 => checkpoint()]) {
        let bytes = statement.encode().unwrap();
        prop_assert_eq!(&Statement::decode(&bytes).unwrap(), &statement);
        let value: ipld_core::ipld::Ipld = serde_ipld_dagcbor::from_slice(&bytes).unwrap();
        prop_assert_eq!(serde_ipld_dagcbor::to_vec(&value).unwrap(), bytes);
    }

    #[test]
    fn orders(
        reference in reference(),
        parties in (cid(Codec::DagCbor), option::of(cid(Codec::DagCbor))),
        plugin in "[a-z]{1,128}",
        coin in 0..=1u8,
        policy in policy(),
        seed: [u8; 32],
        proof in vec(any::<u8>(), 64),
        extension in extension(),
        seen in seen(),
    ) {
        let (fiduciary, beneficiary) = parties;
        let read = same(&Placed {
            reference: reference.clone(),
            fiduciary,
            beneficiary,
            plugin: plugin.clone(),
            coin,
            policy: policy.clone(),
            extension: extension.clone(),
            seen: seen.clone(),
        });
        prop_assert_eq!((read.reference, read.fiduciary, read.beneficiary), (reference, fiduciary, beneficiary));
        prop_assert_eq!((read.plugin, read.coin, read.policy), (plugin, coin, policy));
        prop_assert_eq!((&read.extension, &read.seen), (&extension, &seen));
        let Ok(key) = OrderKey::from_secret(Secret::from_bytes(seed)) else { return Ok(()) };
        let commitment = key.commitment();
        let proof: [u8; 64] = proof.try_into().unwrap();
        let committed = same(&Committed { commitment, proof, extension: extension.clone(), seen: seen.clone() });
        prop_assert_eq!((committed.commitment, committed.proof), (commitment, proof));
        prop_assert_eq!((committed.extension, committed.seen), (extension, seen.clone()));
        prop_assert_eq!(same(&Received { proof, seen }).proof, proof);
        let placed = Cid::of(Codec::DagCbor, &seed);
        let secret = same(&SecretBody { placed, commitment, secret: Secret::from_bytes(seed) });
        prop_assert_eq!((secret.placed, secret.commitment, *secret.secret.expose()), (placed, commitment, seed));
    }

    #[test]
    fn releases(
        beneficiary in cid(Codec::DagCbor),
        bodies in btree_map(cid(Codec::Raw), any::<[u8; 32]>(), 2),
        secret in descriptor(Role::Secret, 1),
        extension in extension(),
        seen in seen(),
        detail in ".{0,200}",
        key: Option<[u8; 32]>,
    ) {
        let keys = || bodies.iter().map(|(cid, key)| (*cid, ContentKey::from_bytes(*key))).collect();
        let read = same(&RedemptionRequested { beneficiary, keys: keys(), extension: extension.clone(), seen: seen.clone() });
        let read_keys: BTreeMap<_, _> = read.keys.iter().map(|(cid, key)| (*cid, *key.expose())).collect();
        prop_assert_eq!((read.beneficiary, read_keys), (beneficiary, bodies.clone()));
        prop_assert_eq!(&same(&BeneficiaryData { extension: extension.clone() }).extension, &extension);
        let released = same(&Released { beneficiary, secret: secret.clone(), extension, seen: seen.clone() });
        prop_assert_eq!((released.beneficiary, released.secret), (beneficiary, secret));
        let code = DisputeCode::CannotOpen;
        let disputed = same(&Disputed { code, content_key: key.map(ContentKey::from_bytes), seen: seen.clone() });
        prop_assert_eq!(disputed.content_key.map(|key| *key.expose()), key);
        prop_assert_eq!(&same(&CancellationRequested { detail: detail.clone(), seen: seen.clone() }).detail, &detail);
        let closed = same(&Closed { code: ClosedCode::Expired, detail: detail.clone(), seen: seen.clone() });
        prop_assert_eq!((closed.code, closed.detail, closed.seen), (ClosedCode::Expired, detail, seen));
    }
}

proptest! {
    // Keys are made for each, and every proof is verified again.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn identities(
        seed: [u8; 32],
        name in ".{1,40}",
        links in (option::of(cid(Codec::DagCbor)), option::of(cid(Codec::DagCbor))),
        issued_at_ms in time(),
    ) {
        let keys = IdentityKeys::from_seed(&Secret::from_bytes(seed));
        let made = Identity::create(&keys, &name, links.0, links.1, issued_at_ms);
        prop_assert_eq!(made.is_ok(), name.len() <= 128 && name_is_plain(&name));
        let Ok(made) = made else { return Ok(()) };
        let read = Identity::decode(made.envelope().block()).unwrap();
        prop_assert_eq!((read.cid(), read.name(), read.public()), (made.cid(), name.as_str(), keys.public()));
        prop_assert_eq!((read.supersedes(), read.log(), read.issued_at_ms()), (links.0, links.1, issued_at_ms));
    }
}

#[test]
fn an_extension_may_be_as_large_as_its_limits() {
    let entries =
        |count: usize, value: usize| (0..count).map(|n| (format!("{n:02}"), "v".repeat(value))).collect();
    let code = |extension| BeneficiaryData { extension }.encode().map_err(|error| error.code()).map(|_| ());
    assert_eq!(code(entries(64, 254)), Ok(()), "64 entries, 16 KiB");
    assert_eq!(code(entries(64, 255)), Err("field-limit"));
    assert_eq!(code(entries(65, 0)), Err("field-limit"));
    assert_eq!(code(entries(1, 16_382)), Ok(()));
    assert_eq!(code(entries(1, 16_383)), Err("field-limit"));
}

/// The largest statement there can be fits the block, so the block's limit only bounds what a stranger makes us read.
#[test]
fn a_block_over_64_kib_is_not_read() {
    assert_eq!(
        Envelope::decode(&vec![0xa2; MAX_BLOCK_BYTES + 1]),
        Err(EnvelopeError::TooLarge(MAX_BLOCK_BYTES + 1))
    );
    assert_eq!(Envelope::decode(&vec![0xa2; MAX_BLOCK_BYTES]), Err(EnvelopeError::Layout));
}
