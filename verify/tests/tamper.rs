//! Whatever is done to an exported chain is seen, and named; and no bytes whatsoever make the verifier panic.

#![allow(clippy::unwrap_used, clippy::panic)]

mod kit;

use std::collections::BTreeMap;

use dta_protocol::car::Block;
use dta_protocol::{Cid, Envelope};
use dta_verify::{Name, Report, Subject};

use kit::{Vectors, pack, parts};

const WHOLE: &str = "with the sealed secret too";

/// A generator of numbers that are the same in every run (xorshift64*).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

fn first(report: &Report) -> (Name, Subject, &'static str) {
    let (check, failure) = report.failures().next().unwrap_or_else(|| panic!("nothing fails"));
    (check.name, check.subject, failure.code)
}

#[test]
fn any_changed_byte_of_the_file_is_seen() {
    let vectors = Vectors::read();
    let case = vectors.named(WHOLE);
    let car = case.car();
    let mut places: Vec<usize> = (0..400).chain((400..car.len()).step_by(97)).collect();
    places.extend(car.len() - 100..car.len());
    for at in places {
        let mut changed = car.clone();
        changed[at] ^= 1 << (at % 8);
        let report = case.verify_car(&changed);
        assert_eq!(first(&report).0, Name::File, "byte {at}");
        assert!(!report.holds() && report.about.is_none());
    }
    for at in (0..car.len()).step_by(61).chain(car.len() - 40..car.len()) {
        assert_eq!(first(&case.verify_car(&car[..at])).0, Name::File, "cut at {at}");
        let mut longer = car.clone();
        longer.insert(at, 0x41);
        assert_eq!(first(&case.verify_car(&longer)).0, Name::File, "a byte more at {at}");
        let mut shorter = car.clone();
        shorter.remove(at);
        assert_eq!(first(&case.verify_car(&shorter)).0, Name::File, "a byte less at {at}");
    }
}

/// By one who can pack files: the block has its right CID, and the manifest lists it.
#[test]
fn any_changed_block_under_its_right_name_is_seen() {
    let vectors = Vectors::read();
    let case = vectors.named(WHOLE);
    let (manifest, blocks) = parts(&case);
    for (n, (cid, block)) in blocks.iter().enumerate() {
        for part in 0..6 {
            let at = (block.len() - 1) * part / 5;
            let mut changed = block.clone();
            changed[at] ^= 1;
            let new = Cid::of(cid.codec(), &changed);
            let mut all = blocks.clone();
            all[n] = (new, changed);
            let rename = |list: &mut Vec<Cid>| {
                list.iter_mut().filter(|named| *named == cid).for_each(|named| *named = new);
            };
            let mut listed = manifest.clone();
            rename(&mut listed.steps);
            rename(&mut listed.identities);
            listed.identities.sort();
            let report = case.verify_car(&pack(&listed, &all).unwrap());
            let (name, subject, code) = first(&report);
            match Envelope::decode(block).map(|envelope| envelope.statement().kind.is_order()) {
                // A step: it reads no more, names a stranger, or is not what was signed.
                Ok(true) => {
                    let seen = [Name::File, Name::Signature];
                    assert!(seen.contains(&name), "block {n}, byte {at}: {subject}: {code}");
                }
                // An identity or a body: nothing names it by its new name.
                _ => assert_eq!(name, Name::File, "block {n}, byte {at}: {subject}: {code}"),
            }
        }
    }
}

#[test]
fn any_block_left_out_is_seen() {
    let vectors = Vectors::read();
    let case = vectors.named(WHOLE);
    let (manifest, blocks) = parts(&case);
    for (cid, _) in &blocks {
        let mut left: Vec<_> = blocks.clone();
        left.retain(|(known, _)| known != cid);
        // As it is, and with the manifest changed to fit.
        let report = case.verify_car(&pack(&manifest, &left).unwrap());
        assert!(!report.holds(), "{cid}");
        let mut fitting = manifest.clone();
        fitting.steps.retain(|known| known != cid);
        fitting.identities.retain(|known| known != cid);
        let named: Vec<Cid> = left
            .iter()
            .filter_map(|(_, block)| Envelope::decode(block).ok())
            .flat_map(|envelope| {
                let said = envelope.statement();
                said.sealed.iter().map(|body| body.cid).chain(said.signer).collect::<Vec<_>>()
            })
            .collect();
        // What only that step needed goes with it.
        let listed = fitting.steps.clone();
        left.retain(|(known, _)| named.contains(known) || listed.contains(known));
        fitting.identities.retain(|known| named.contains(known));
        let report = case.verify_car(&pack(&fitting, &left).unwrap());
        assert!(!report.holds(), "{cid}, with a manifest that fits");
    }
}

#[test]
fn blocks_in_another_order_are_the_same_chain() {
    let vectors = Vectors::read();
    let case = vectors.named(WHOLE);
    let (manifest, mut blocks) = parts(&case);
    blocks.reverse();
    assert_eq!(case.verify_car(&pack(&manifest, &blocks).unwrap()), case.verify());
}

#[test]
fn steps_that_are_listed_in_another_order_or_exchanged_with_another_orders_are_seen() {
    let vectors = Vectors::read();
    let case = vectors.named(WHOLE);
    let (manifest, blocks) = parts(&case);
    let count = manifest.steps.len();
    for one in 0..count {
        for two in 0..one {
            let mut listed = manifest.clone();
            listed.steps.swap(one, two);
            let report = case.verify_car(&pack(&listed, &blocks).unwrap());
            assert!(!report.holds(), "{one} and {two}");
        }
    }
    // Every step of every other chain in the vectors, in each place.
    let mut strange: BTreeMap<Cid, Vec<Block>> = BTreeMap::new();
    for other in vectors.cases().filter(|other| other.json.get("reason").is_none()) {
        let (listed, blocks) = parts(&other);
        for cid in listed.steps.iter().filter(|cid| !manifest.steps.contains(cid)) {
            strange.insert(*cid, blocks.clone());
        }
    }
    assert!(strange.len() > 10);
    for (cid, theirs) in strange {
        for at in 0..count {
            let mut listed = manifest.clone();
            let old = std::mem::replace(&mut listed.steps[at], cid);
            let mut all = blocks.clone();
            all.retain(|(known, _)| *known != old);
            all.extend(theirs.iter().filter(|(known, _)| *known == cid).cloned());
            let report = case.verify_car(&pack(&listed, &all).unwrap());
            assert!(!report.holds(), "{cid} in place {at}");
        }
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let vectors = Vectors::read();
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let samples: Vec<_> = vectors.cases().filter(|case| case.json.get("reason").is_none()).collect();
    for round in 0..600 {
        let case = &samples[chance.below(samples.len())];
        let (mut manifest, mut blocks) = parts(case);
        // Well-packed nonsense: fields of the manifest and blocks under their right names, mixed.
        for _ in 0..=chance.below(3) {
            let n = chance.below(blocks.len());
            let other = &samples[chance.below(samples.len())];
            match chance.below(5) {
                0 => _ = blocks.remove(n),
                1 => blocks.extend(parts(other).1.into_iter().take(3)),
                2 => manifest.steps.extend(parts(other).0.steps),
                3 => manifest.identities.extend(parts(other).0.identities),
                _ => {
                    let block = &mut blocks[n].1;
                    let at = chance.below(block.len());
                    block[at] = chance.next() as u8;
                    blocks[n].0 = Cid::of(blocks[n].0.codec(), &blocks[n].1);
                }
            }
            if blocks.is_empty() {
                break;
            }
        }
        manifest.identities.sort();
        manifest.identities.dedup();
        if let Some(car) = pack(&manifest, &blocks) {
            let report = case.verify_car(&car);
            assert!(!report.checks.is_empty(), "round {round}");
        }
        let noise: Vec<u8> = (0..chance.below(300)).map(|_| chance.next() as u8).collect();
        assert!(!case.verify_car(&noise).holds());
    }
}
