//! A seed file on a damaged disk, for fuzzing: its slots and its header.

use super::header::{HALF_BYTES, Header, PAGE_BYTES};
use super::slot::{self, SLOT_BYTES, Slot, SlotBytes, Wrapped, Wrapping};
use crate::actors::seeds::kek::{KekEntry, KekKind, Role};

const STORE: [u8; 16] = [1; 16];

fn fitted<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|at| bytes.get(at).copied().unwrap_or_default())
}

/// A slot counts only where it was written, in the store that it was written for.
pub(crate) fn slot(bytes: &[u8]) {
    let bytes: SlotBytes = fitted(bytes);
    let here = Slot::read(&bytes, &STORE, 7);
    match &here {
        Slot::Damaged(_) | Slot::Absent => return,
        Slot::Used(wrapped) => assert!(Slot::read(&wrapped.to_bytes(&STORE, 7), &STORE, 7) == here),
        Slot::Free | Slot::Shredded(_) => {}
    }
    assert!(matches!(Slot::read(&bytes, &STORE, 8), Slot::Damaged(_)));
    assert!(matches!(Slot::read(&bytes, &[2; 16], 7), Slot::Damaged(_)));
}

pub(crate) fn slots() -> Vec<Vec<u8>> {
    let wrappings =
        vec![Wrapping { kek: [5; 16], bytes: vec![6; 92] }, Wrapping { kek: [7; 16], bytes: vec![8; 112] }];
    let wrapped = Wrapped { placed: [3; 36], commitment: [4; 65], generation: 1, wrappings };
    let all = [
        wrapped.to_bytes(&STORE, 7),
        slot::free(&STORE, 7),
        slot::tombstone(&[3; 36], &STORE, 7),
        [0; SLOT_BYTES],
        slot::LOST,
    ];
    all.map(|slot| slot.to_vec()).into()
}

/// A header is believed if one half is whole, and never promises more slots than a store may have.
pub(crate) fn page(bytes: &[u8]) {
    let page: [u8; PAGE_BYTES] = fitted(bytes);
    let Ok((header, slots)) = Header::read(&page) else { return };
    assert!(slots <= super::MAX_SLOTS);
    let half = header.half(slots);
    assert!(page[..HALF_BYTES] == half || page[HALF_BYTES..] == half, "one of the halves says just this");
}

pub(crate) fn pages() -> Vec<Vec<u8>> {
    let kek = |kind, role, name: &str| KekEntry {
        id: [2; 16],
        kind,
        role,
        token: name.to_owned(),
        label: name.to_owned(),
        material: vec![3; 60],
    };
    let keks = vec![kek(KekKind::Soft, Role::Retired, ""), kek(KekKind::AesGcm, Role::First, "label")];
    let header = Header { store_id: STORE, version: 3, keks, seal: [4; 28] };
    let of = |first, second| [header.half(first), header.half(second)].concat();
    vec![of(256, 256), of(256, 512), of(super::MAX_SLOTS, 0), of(super::MAX_SLOTS + 1, 256)]
}
