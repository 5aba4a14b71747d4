//! The pages of the fixture, and files that are none.

use super::{BOB, store};
use crate::bolt::{Bolt, BoltError};

/// The buckets above, the key, the value.
type Value = (Vec<Vec<u8>>, Vec<u8>, Vec<u8>);

fn values(bytes: &[u8]) -> Vec<Value> {
    let mut values = Vec::new();
    let damage = Bolt::open(bytes).unwrap().walk(&mut |path, key, value| {
        values.push((path.iter().map(|name| name.to_vec()).collect(), key.to_vec(), value.to_vec()));
    });
    assert_eq!(damage, []);
    values
}

#[test]
fn every_value_is_met_once_and_in_order() {
    let values = values(&store());
    let of = |path: [&[u8]; 2]| values.iter().filter(|(of, ..)| *of == path).collect::<Vec<_>>();
    assert_eq!(of([b"order", b"data"]).len(), 301);
    assert_eq!(of([b"order", b"index-time"]).len(), 301);
    assert_eq!(of([b"keySeed", b"data"]).len(), 303);
    assert_eq!(of([b"id-doc", b"data"]).len(), 3);
    assert!(of([b"chain", b"data"]).is_empty(), "an empty bucket");
    assert!(values.is_sorted_by(|(a, b, _), (c, d, _)| (a, b) < (c, d) || a != c));
    let bob = values.iter().find(|(_, key, _)| key == BOB.as_bytes()).unwrap();
    assert!(bob.2.len() > 4_800, "a value that goes over pages");
}

#[test]
fn of_two_meta_pages_the_newer_is_read_and_one_is_enough() {
    let whole = store();
    let newest = values(&whole).len();
    for damaged in [0, 4_096] {
        let mut bytes = whole.clone();
        bytes[damaged + 20] ^= 1;
        let bolt = Bolt::open(&bytes).unwrap();
        assert!(bolt.may_be_older());
        let mut count = 0;
        // The older state's pages may have been written over: that is damage, and no panic.
        let damage = bolt.walk(&mut |_, _, _| count += 1);
        assert!(count == newest || !damage.is_empty() || newest - count < 3, "{count} of {newest}");
    }
    assert!(!Bolt::open(&whole).unwrap().may_be_older());
}

/// The checksum of the meta page at `at` made again.
fn sealed(bytes: &mut [u8], at: usize) {
    let hash = bytes[at + 16..at + 72].iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    bytes[at + 72..at + 80].copy_from_slice(&hash.to_le_bytes());
}

fn refused(bytes: &[u8]) -> BoltError {
    Bolt::open(bytes).err().unwrap()
}

#[test]
fn what_is_no_bolt_file_is_refused() {
    for bytes in [&b""[..], b"bolt", &[0; 4_096], &[0xff; 100_000]] {
        assert_eq!(refused(bytes), BoltError::NoMeta);
    }
    let mut both = store();
    both[20] ^= 1;
    both[4_116] ^= 1;
    assert_eq!(refused(&both), BoltError::NoMeta);
    let mut newer = store();
    newer[20] = 3;
    sealed(&mut newer, 0);
    assert_eq!(refused(&newer), BoltError::Version(3));
}

#[test]
fn meta_pages_that_disagree_are_refused() {
    let mut same = store();
    let other = same[4_096 + 64..4_096 + 72].to_vec();
    same[64..72].copy_from_slice(&other);
    sealed(&mut same, 0);
    assert_eq!(refused(&same), BoltError::Disagree);
    let mut sizes = store();
    sizes[4_096 + 24..4_096 + 28].copy_from_slice(&8_192_u32.to_le_bytes());
    sealed(&mut sizes, 4_096);
    assert_eq!(refused(&sizes), BoltError::Disagree);
}
