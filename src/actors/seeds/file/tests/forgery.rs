//! Files changed by someone who can compute a checksum, and stores opened by the wrong node.

use super::*;
use crate::actors::seeds::file::header::Header;
use crate::actors::seeds::file::slot::{Slot, Wrapped, Wrapping, tombstone};
use crate::actors::seeds::file::verdict::{Verdict, judge};

/// Reads, changes and writes back slot `number` of home's copy, with a right checksum.
fn forge(home: &Home, number: usize, change: impl FnOnce(&mut Wrapped)) {
    let bytes = home.bytes(0);
    let store_id = Header::read(bytes[..PAGE_BYTES].try_into().unwrap()).unwrap().0.store_id;
    let slot = bytes[at(number)..at(number + 1)].try_into().unwrap();
    let Slot::Used(mut wrapped) = Slot::read(slot, &store_id, number as u32) else { panic!("not used") };
    change(&mut wrapped);
    let forged = wrapped.to_bytes(&store_id, number as u32);
    home.change(0, |bytes| bytes[at(number)..at(number + 1)].copy_from_slice(&forged));
}

fn wrapped(home: &Home, number: usize) -> Wrapped {
    let mut found = None;
    forge(home, number, |wrapped| found = Some(wrapped.clone()));
    found.unwrap()
}

#[test]
fn another_node_seed_or_identity_is_locked_out() {
    let home = Home::new(0);
    let open = |seed, node| home.try_open_as(seed, node);
    assert_eq!(code(open("mallory", "node")), "custody-locked");
    assert_eq!(code(open("node", "mallory")), "custody-locked");
    assert_eq!(code(open("node", "node")), "ok");
}

#[test]
fn a_seed_moved_to_another_order_is_a_conflict() {
    let home = Home::new(0);
    home.order("alice 1");
    home.store().create(&[cid("mallory 1")], &mut TestEntropy::new("mallory")).remove(0).unwrap();
    let other = wrapped(&home, 1);
    forge(&home, 0, |wrapped| {
        wrapped.wrappings = other.wrappings;
        wrapped.commitment = other.commitment;
    });
    assert_eq!(code(open(&mut home.store(), "alice 1")), "custody-conflict");
    assert_eq!(code(order(&mut home.store(), "alice 1")), "custody-conflict");
}

#[test]
fn a_forged_field_is_a_conflict() {
    let forgeries: [fn(&mut Wrapped); 3] = [
        |wrapped| wrapped.commitment[64] ^= 1,
        |wrapped| wrapped.wrappings[0].bytes[0] ^= 1,
        |wrapped| wrapped.wrappings[0].bytes[12] ^= 1,
    ];
    for forgery in forgeries {
        let home = Home::new(0);
        home.order("alice 1");
        forge(&home, 0, forgery);
        assert_eq!(code(open(&mut home.store(), "alice 1")), "custody-conflict");
    }
}

#[test]
fn a_renamed_slot_is_not_the_seed_of_its_new_order() {
    let home = Home::new(0);
    home.order("alice 1");
    forge(&home, 0, |wrapped| wrapped.placed = cid("mallory 1"));
    let mut store = home.store();
    assert_eq!(code(open(&mut store, "mallory 1")), "custody-conflict");
    assert_eq!(code(open(&mut store, "alice 1")), "custody-not-found");
}

#[test]
fn a_second_slot_for_an_order_is_a_conflict() {
    let home = Home::new(0);
    home.order("alice 1");
    home.order("alice 2");
    let first = wrapped(&home, 0);
    forge(&home, 1, |wrapped| *wrapped = first);
    assert_eq!(code(open(&mut home.store(), "alice 1")), "custody-conflict");
}

#[test]
fn a_shredded_seed_brought_back_in_one_copy_is_shredded_again() {
    let home = Home::new(1);
    home.order("alice 1");
    let before = home.bytes(1);
    home.store().shred(&cid("alice 1")).unwrap();
    home.put(1, &before);
    assert_eq!(code(open(&mut home.store(), "alice 1")), "custody-shredded");
    home.assert_copies_equal();
}

#[test]
fn verdicts() {
    let store_id = [7; 16];
    let wrapped = |order: &str, byte, generation, commitment| {
        let wrappings = vec![Wrapping { kek: [1; 16], bytes: vec![byte; 92] }];
        Slot::Used(Wrapped { placed: cid(order), commitment: [commitment; 65], generation, wrappings })
    };
    let seed = |order: &str, byte| wrapped(order, byte, 0, 4);
    let anew = |byte, generation| wrapped("a", byte, generation, 4);
    let gone = Slot::Shredded(cid("a"));
    let torn = Slot::Damaged(cid("a"));
    let (free, absent) = (Slot::Free, Slot::Absent);
    let table: Vec<(Vec<Slot>, &str)> = vec![
        (vec![free.clone()], "free"),
        (vec![free.clone(), absent.clone()], "free"),
        (vec![absent.clone()], "damaged"),
        (vec![absent.clone(), absent.clone()], "damaged"),
        (vec![torn.clone()], "damaged"),
        (vec![torn.clone(), free.clone()], "damaged"),
        (vec![torn.clone(), absent.clone(), free.clone()], "damaged"),
        (vec![seed("a", 1)], "used"),
        (vec![free.clone(), seed("a", 1), torn.clone(), absent.clone()], "used"),
        (vec![seed("a", 1), seed("a", 1)], "used"),
        (vec![seed("a", 1), seed("a", 2)], "conflict"),
        (vec![seed("a", 2), seed("a", 1), seed("a", 1)], "conflict"),
        (vec![seed("a", 1), seed("b", 1)], "conflict"),
        // Wrapped anew: a copy that missed it is behind, and nothing else is.
        (vec![seed("a", 1), anew(2, 1)], "used"),
        (vec![anew(2, 2), anew(3, 1), seed("a", 1), anew(2, 2)], "used"),
        (vec![anew(2, 1), anew(3, 1)], "conflict"),
        (vec![seed("a", 1), wrapped("a", 2, 1, 5)], "conflict"),
        (vec![seed("b", 1), anew(2, 1)], "conflict"),
        (vec![gone.clone(), anew(2, 1)], "shredded"),
        (vec![gone.clone(), seed("b", 1)], "conflict"),
        (vec![gone.clone(), Slot::Shredded(cid("b"))], "conflict"),
        (vec![gone.clone(), seed("a", 1), seed("a", 2)], "shredded"),
        (vec![free, gone, absent, torn], "shredded"),
    ];
    for (n, (slots, expected)) in table.into_iter().enumerate() {
        let verdict = judge(&slots);
        let found = match &verdict {
            Verdict::Free => "free",
            Verdict::Used(_) => "used",
            Verdict::Shredded(_) => "shredded",
            Verdict::Damaged(_) => "damaged",
            Verdict::Conflict(_) => "conflict",
        };
        assert_eq!(found, expected, "row {n}");
        // A repaired copy gives the same verdict alone, unless it was left as it was.
        for slot in &slots {
            if let Some(bytes) = verdict.repair(slot, &store_id, 3) {
                assert!(
                    !matches!((slot, &verdict), (Slot::Used(old), Verdict::Used(new)) if old.generation >= new.generation)
                        && !matches!((slot, expected), (Slot::Used(_), "conflict" | "damaged" | "free")),
                    "row {n} overwrites a seed"
                );
                let alone = judge(&[Slot::read(&bytes, &store_id, 3)]);
                assert_eq!(std::mem::discriminant(&alone), std::mem::discriminant(&verdict), "row {n}");
            }
        }
    }
    assert!(tombstone(&cid("a"), &store_id, 3) != tombstone(&cid("a"), &store_id, 4));
}
