//! Any slot and any header is read back as it was written, and only at its place.

use proptest::prelude::*;

use crate::actors::seeds::file::header::{Header, PAGE_BYTES, PageError};
use crate::actors::seeds::file::slot::{Slot, Wrapped, Wrapping};
use crate::actors::seeds::kek::{KekEntry, KekKind, Role};

fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    proptest::collection::vec(any::<u8>(), N).prop_map(|bytes| bytes.try_into().unwrap())
}

fn wrappings() -> impl Strategy<Value = Vec<Wrapping>> {
    let wrapping = (bytes::<16>(), proptest::collection::vec(any::<u8>(), 0..=128));
    proptest::collection::vec(wrapping.prop_map(|(kek, bytes)| Wrapping { kek, bytes }), 1..=2)
}

fn keks() -> impl Strategy<Value = Vec<KekEntry>> {
    let kind = prop_oneof![Just(KekKind::Soft), Just(KekKind::AesGcm), Just(KekKind::HmacKdf)];
    let role = prop_oneof![Just(Role::First), Just(Role::Second), Just(Role::Retired)];
    let material = proptest::collection::vec(any::<u8>(), 0..=150);
    let kek = (bytes::<16>(), kind, role, "[a-zé]{0,32}", ".{0,16}", material);
    let entry =
        |(id, kind, role, token, label, material)| KekEntry { id, kind, role, token, label, material };
    proptest::collection::vec(kek.prop_map(entry), 0..=6)
}

proptest! {
    #[test]
    fn slots(
        parts in (bytes::<36>(), bytes::<65>(), any::<u32>(), wrappings()),
        store: [u8; 16],
        number: u32,
        bit in 0..8 * 512usize,
    ) {
        let (placed, commitment, generation, wrappings) = parts;
        let wrapped = Wrapped { placed, commitment, generation, wrappings };
        let written = wrapped.to_bytes(&store, number);
        prop_assert!(Slot::read(&written, &store, number) == Slot::Used(wrapped));
        prop_assert!(matches!(Slot::read(&written, &store, number ^ 1), Slot::Damaged(_)));
        let mut damaged = written;
        damaged[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(matches!(Slot::read(&damaged, &store, number), Slot::Damaged(_)));
    }

    #[test]
    fn headers(
        parts in (any::<[u8; 16]>(), any::<u32>(), keks(), bytes::<28>()),
        slots in (0..=1u32 << 24, 0..=1u32 << 24),
        bit in 0..8 * 2_048usize,
    ) {
        let (store_id, version, keks, seal) = parts;
        let header = Header { store_id, version, keks, seal };
        let page: Vec<u8> = [header.half(slots.0), header.half(slots.1)].concat();
        let mut page: [u8; PAGE_BYTES] = page.try_into().unwrap();
        let read = Header::read(&page).ok().unwrap();
        prop_assert!(read.0 == header && read.1 == slots.0.max(slots.1));
        // One half that is torn leaves the other; both leave nothing.
        page[bit / 8] ^= 1 << (bit % 8);
        let read = Header::read(&page).ok().unwrap();
        prop_assert!(read.0 == header && read.1 == slots.1);
        page[2_048 + bit / 8] ^= 1 << (bit % 8);
        prop_assert!(Header::read(&page).err() == Some(PageError::Damaged));
    }

    #[test]
    fn of_two_headers_of_a_store_the_later_counts(parts in (any::<[u8; 16]>(), keks(), bytes::<28>(), keks()), version in 0..u32::MAX) {
        let (store_id, keks, seal, others) = parts;
        let old = Header { store_id, version, keks, seal };
        let new = Header { version: version + 1, keks: others.clone(), ..old.clone() };
        let page = |one: &Header, other: &Header| -> [u8; PAGE_BYTES] {
            [one.half(1), other.half(1)].concat().try_into().unwrap()
        };
        prop_assert!(Header::read(&page(&old, &new)).unwrap().0 == new);
        prop_assert!(Header::read(&page(&new, &old)).unwrap().0 == new);
        let other = Header { seal: [9; 28], ..old.clone() };
        prop_assert!(other == old || Header::read(&page(&old, &other)).err() == Some(PageError::Divided));
        let foreign = Header { store_id: [7; 16], ..new };
        prop_assert!(store_id == [7; 16] || Header::read(&page(&old, &foreign)).err() == Some(PageError::Divided));
    }
}
