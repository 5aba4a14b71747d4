//! Any slot and any header is read back as it was written, and only at its place.

use proptest::prelude::*;

use crate::actors::seeds::soft::header::{Header, PAGE_BYTES, PageError};
use crate::actors::seeds::soft::slot::{Slot, Wrapped};

fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    proptest::collection::vec(any::<u8>(), N).prop_map(|bytes| bytes.try_into().unwrap())
}

proptest! {
    #[test]
    fn slots(
        parts in (bytes::<36>(), bytes::<65>(), bytes::<12>(), bytes::<80>()),
        store: [u8; 16],
        number: u32,
        bit in 0..8 * 256usize,
    ) {
        let (placed, commitment, nonce, sealed) = parts;
        let wrapped = Wrapped { placed, commitment, nonce, sealed };
        let written = wrapped.to_bytes(&store, number);
        prop_assert!(Slot::read(&written, &store, number) == Slot::Used(wrapped));
        prop_assert!(matches!(Slot::read(&written, &store, number ^ 1), Slot::Damaged(_)));
        let mut damaged = written;
        damaged[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(matches!(Slot::read(&damaged, &store, number), Slot::Damaged(_)));
    }

    #[test]
    fn headers(
        parts in (any::<[u8; 16]>(), any::<[u8; 16]>(), bytes::<12>(), bytes::<48>()),
        slots in (0..=1u32 << 24, 0..=1u32 << 24),
        bit in 0..8 * 2_048usize,
    ) {
        let (store_id, kek_id, kek_nonce, sealed_kek) = parts;
        let header = Header { store_id, kek_id, kek_nonce, sealed_kek };
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
}
