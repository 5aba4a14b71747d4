//! Bytes that change, files that are cut or grow, slots that move.

use super::*;
use crate::actors::seeds::file::header::HALF_BYTES;
use proptest::prelude::*;

#[test]
fn any_changed_byte_of_a_slot_is_noticed() {
    let home = Home::new(0);
    home.order("alice 1");
    let whole = home.bytes(0);
    for byte in at(0)..at(1) {
        home.put(0, &whole);
        home.change(0, |bytes| bytes[byte] ^= 0x40);
        let mut store = home.store();
        assert!(matches!(open(&mut store, "alice 1"), Err(SeedError::Damaged { slot: 0 })), "byte {byte}");
        assert_eq!(store.status().damaged, [0], "byte {byte}");
    }
}

#[test]
fn any_changed_byte_of_a_slot_is_repaired_from_another_copy() {
    let home = Home::new(2);
    let commitment = home.order("alice 1");
    let whole = home.bytes(0);
    for (round, byte) in (at(0)..at(1)).enumerate() {
        home.change(round % 3, |bytes| bytes[byte] ^= 0x40);
        assert_eq!(open(&mut home.store(), "alice 1").unwrap(), commitment, "byte {byte}");
        assert!(home.bytes(0) == whole);
        home.assert_copies_equal();
    }
}

#[test]
fn damage_while_the_store_is_open_is_repaired_on_reading() {
    let home = Home::new(2);
    let commitment = home.order("alice 1");
    let mut store = home.store();
    let whole = home.bytes(0);
    home.change(0, |bytes| bytes[at(0) + 120] ^= 1);
    home.change(2, |bytes| bytes[at(0)..at(1)].fill(0));
    assert_eq!(open(&mut store, "alice 1").unwrap(), commitment);
    assert!(home.bytes(0) == whole);
    home.assert_copies_equal();
}

#[test]
fn a_slot_torn_in_every_copy_is_named_and_the_rest_works() {
    let home = Home::new(1);
    home.order("alice 1");
    let second = home.order("alice 2");
    home.change(0, |bytes| bytes[at(0) + 128..at(1)].fill(0));
    home.change(1, |bytes| bytes[at(0) + 130..at(1)].fill(0xaa));
    let mut store = home.store();
    let error = open(&mut store, "alice 1").unwrap_err();
    assert_eq!(error.to_string(), "slot 0 of the seed store is damaged in every copy");
    assert_eq!(code(order(&mut store, "alice 1")), "custody-damaged"); // never a second key for an order
    assert_eq!(open(&mut store, "alice 2").unwrap(), second);
    // Whether another order was there cannot be told: not "not found".
    assert_eq!(code(open(&mut store, "alice 3")), "custody-damaged");
    order(&mut store, "alice 3").unwrap();
}

#[test]
fn a_slot_lost_as_zeros_is_not_free() {
    let home = Home::new(0);
    home.order("alice 1");
    home.change(0, |bytes| bytes[at(0)..at(1)].fill(0));
    assert_eq!(code(open(&mut home.store(), "alice 1")), "custody-damaged");
}

#[test]
fn any_changed_byte_of_one_half_of_the_header_is_repaired() {
    let home = Home::new(0);
    let commitment = home.order("alice 1");
    let whole = home.bytes(0);
    // Every byte of the fields, some of the padding, every byte of the checksum.
    let bytes = (0..110).chain((110..HALF_BYTES - 32).step_by(97)).chain(HALF_BYTES - 32..HALF_BYTES);
    for byte in bytes {
        let half = byte % 2 * HALF_BYTES;
        home.change(0, |bytes| bytes[half + byte] ^= 1);
        assert_eq!(open(&mut home.store(), "alice 1").unwrap(), commitment, "byte {byte}");
        assert!(home.bytes(0) == whole, "byte {byte}");
    }
}

#[test]
fn a_header_torn_in_both_halves_is_refused_or_repaired_from_another_copy() {
    let tear = |bytes: &mut Vec<u8>| {
        bytes[60] ^= 1;
        bytes[HALF_BYTES + 60] ^= 1;
    };
    let alone = Home::new(0);
    alone.order("alice 1");
    alone.change(0, tear);
    let torn = alone.bytes(0);
    assert_eq!(code(alone.try_open()), "custody-unreadable");
    assert!(alone.bytes(0) == torn);

    let home = Home::new(1);
    let commitment = home.order("alice 1");
    home.change(0, tear);
    assert_eq!(open(&mut home.store(), "alice 1").unwrap(), commitment);
    home.assert_copies_equal();
}

#[test]
fn another_format_is_refused_and_untouched() {
    for format in [1, 2, 4] {
        let home = Home::new(1);
        home.change(0, |bytes| {
            for half in [0, HALF_BYTES] {
                bytes[half + 8] = format;
                let sum = <sha2::Sha256 as sha2::Digest>::digest(&bytes[half..half + HALF_BYTES - 32]);
                bytes[half + HALF_BYTES - 32..half + HALF_BYTES].copy_from_slice(&sum);
            }
        });
        let other = home.bytes(0);
        assert_eq!(code(home.try_open()), "custody-unreadable");
        assert!(home.bytes(0) == other);
    }
}

#[test]
fn a_file_cut_short_is_never_silently_shorter() {
    for length in [at(0), at(0) + 1, at(1) - 1, at(1), at(2), at(255)] {
        let home = Home::new(0);
        let first = home.order("alice 1");
        home.order("alice 2");
        home.change(0, |bytes| bytes.truncate(length));
        for _ in 0..2 {
            // Again after what the first opening did about it.
            let mut store = home.store();
            let kept = (length - at(0)) / SLOT_BYTES;
            assert_eq!(store.status().damaged.len(), 256 - kept, "{length}");
            assert_eq!(open(&mut store, "alice 1").ok(), (kept > 0).then_some(first), "{length}");
            let second = open(&mut store, "alice 2");
            assert_eq!(code(second), if kept > 1 { "ok" } else { "custody-damaged" }, "{length}");
        }
    }
}

#[test]
fn a_file_cut_short_is_filled_from_another_copy() {
    for length in [0, 1, 100, HALF_BYTES, PAGE_BYTES - 1, at(0), at(0) + 77, at(1), at(200) + 3] {
        let home = Home::new(2);
        let commitment = home.order("alice 1");
        let whole = home.bytes(0);
        home.change(1, |bytes| bytes.truncate(length));
        let mut store = home.store();
        assert!(store.status().damaged.is_empty(), "{length}");
        assert_eq!(open(&mut store, "alice 1").unwrap(), commitment);
        assert!(home.bytes(1) == whole, "{length}");
    }
}

#[test]
fn a_single_file_cut_within_its_header_is_refused() {
    for length in [0, 1, 100, HALF_BYTES - 1] {
        let home = Home::new(0);
        home.change(0, |bytes| bytes.truncate(length));
        assert_eq!(code(home.try_open()), "custody-unreadable", "{length}");
        assert_eq!(home.bytes(0).len(), length);
    }
}

#[test]
fn a_file_with_a_partial_slot_more_works_and_grows() {
    let home = Home::new(1);
    let commitment = home.order("alice 1");
    home.change(0, |bytes| bytes.extend([0x5a; 100]));
    let mut store = home.store();
    let orders: Vec<_> = (0..256).map(|n| cid(&n.to_string())).collect();
    let keys = store.create(&orders, &mut TestEntropy::new("many"));
    assert!(keys.iter().all(Result::is_ok));
    drop(store);
    home.assert_copies_equal();
    let mut store = home.store();
    assert_eq!((store.status().used, store.status().free), (257, 255));
    assert_eq!(open(&mut store, "alice 1").unwrap(), commitment);
}

#[test]
fn growth_interrupted_between_the_copies_is_finished() {
    let home = Home::new(1);
    home.order("alice 1");
    let small = home.bytes(1);
    let orders: Vec<_> = (0..256).map(|n| cid(&n.to_string())).collect();
    home.store().create(&orders, &mut TestEntropy::new("many"));
    home.put(1, &small);
    assert_eq!(home.store().status().used, 257);
    home.assert_copies_equal();
}

#[test]
fn exchanged_slots_are_noticed_and_repaired() {
    let exchange = |bytes: &mut Vec<u8>| {
        let (before, second) = bytes.split_at_mut(at(1));
        before[at(0)..].swap_with_slice(&mut second[..SLOT_BYTES]);
    };
    let alone = Home::new(0);
    alone.order("alice 1");
    alone.order("alice 2");
    alone.change(0, exchange);
    let mut store = alone.store();
    assert_eq!(store.status().damaged, [0, 1]);
    assert_eq!(code(open(&mut store, "alice 1")), "custody-damaged");

    let home = Home::new(2);
    let commitment = home.order("alice 1");
    home.order("alice 2");
    home.change(2, exchange);
    assert_eq!(open(&mut home.store(), "alice 1").unwrap(), commitment);
    home.assert_copies_equal();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn noise_over_header_and_seed_is_repaired(noise in proptest::collection::vec(any::<u8>(), 1..4500), start in 0..at(1)) {
        let home = Home::new(1);
        let commitment = home.order("alice 1");
        home.change(0, |bytes| bytes[start..at(1)].iter_mut().zip(&noise).for_each(|(byte, noise)| *byte = *noise));
        prop_assert_eq!(open(&mut home.store(), "alice 1").unwrap(), commitment);
        home.assert_copies_equal();
    }

    #[test]
    fn files_of_noise_are_refused(noise in proptest::collection::vec(any::<u8>(), 0..6000)) {
        let home = Home::new(1);
        home.put(0, &noise);
        home.put(1, &noise);
        prop_assert_eq!(code(home.try_open()), "custody-unreadable");
    }
}

#[test]
fn a_free_slot_damaged_in_one_copy_stays_visible() {
    // The copy in which it is free may be an old one, so it does not outvote.
    let home = Home::new(1);
    home.order("alice 1");
    home.change(0, |bytes| bytes[at(9) + 3] ^= 1);
    for _ in 0..2 {
        let mut store = home.store();
        assert_eq!(store.status().damaged, [9]);
        assert_eq!(code(open(&mut store, "alice 2")), "custody-damaged");
    }
    home.order("alice 2");
}

#[test]
fn with_a_torn_header_the_length_counts_and_nothing_is_written_over() {
    let home = Home::new(1);
    let old = home.bytes(1);
    let orders: Vec<_> = (0..300).map(|n| cid(&n.to_string())).collect();
    let made = home.store().create(&orders, &mut TestEntropy::new("many"));
    let made: Vec<_> = made.into_iter().map(|key| key.unwrap().commitment()).collect();
    // The home's header is torn, and the other copy is from before it grew.
    home.put(1, &old);
    home.change(0, |bytes| {
        bytes[100] ^= 1;
        bytes[100 + HALF_BYTES] ^= 1;
    });
    let mut store = home.store();
    assert_eq!(store.status().used, 300);
    let more: Vec<_> = (0..300).map(|n| cid(&format!("more {n}"))).collect();
    assert!(store.create(&more, &mut TestEntropy::new("more")).iter().all(Result::is_ok));
    let opened = store.open(&orders);
    assert!(opened.into_iter().zip(made).all(|(key, made)| key.unwrap().commitment() == made));
    home.assert_copies_equal();
}
