//! Tiles: their paths are those of C2SP tlog-tiles, their hashes those of the library's.

use proptest::prelude::*;

use super::{Memory, leaf_hash};
use crate::tile::*;
use crate::tree::TreeError;

#[test]
fn paths_are_those_of_c2sp() {
    for (path, level, n, width) in [
        ("0/000", Some(0), 0, 256),
        ("0/x001/x234/067", Some(0), 1_234_067, 256),
        ("3/x001/x234/067.p/8", Some(3), 1_234_067, 8),
        ("entries/000.p/1", None, 0, 1),
        ("entries/x001/000.p/255", None, 1_000, 255),
        ("6/999", Some(6), 999, 256),
    ] {
        let tile = Tile { level, n, width };
        assert_eq!(Tile::from_path(path), Some(tile), "{path}");
        assert_eq!(tile.path(), path);
    }
}

#[test]
fn every_other_spelling_is_refused() {
    for path in [
        "",
        "0",
        "0/",
        "0/0",
        "0/00",
        "0/0000",
        "/000",
        "00/000",
        "7/000",
        "64/000",
        "-1/000",
        "+1/000",
        "0/-01",
        "0/+01",
        "data/000",
        "8/0/000",
        "0/x000/001",
        "0/001/001",
        "0/x001",
        "0/x001/x001",
        "0/X001/001",
        "0/000.p/0",
        "0/000.p/00",
        "0/000.p/256",
        "0/000.p/01",
        "0/000.p/",
        "0/000.p/1.p/1",
        "0/000.p/1/",
        "0/000/",
        "0/ 00",
        "0/x1/000",
        "0/x018/x446/x744/x073/x709/x551/616",
        "0/x999/x999/x999/x999/x999/x999/x999/999",
        "0/\u{661}00",
        "Entries/000",
        "entries",
    ] {
        assert_eq!(Tile::from_path(path), None, "{path}");
    }
}

#[test]
fn a_tile_holds_the_hashes_of_its_level() {
    let size = 600;
    let memory = Memory::of(size);
    let of = |path: &str| Tile::from_path(path).unwrap().hashes(&memory, size);
    let leaves = |from: u64, to: u64| (from..to).flat_map(leaf_hash).collect::<Vec<u8>>();
    assert_eq!(of("0/000").unwrap(), leaves(0, 256));
    assert_eq!(of("0/001").unwrap(), leaves(256, 512));
    assert_eq!(of("0/002.p/88").unwrap(), leaves(512, 600));
    assert_eq!(of("0/002.p/3").unwrap(), leaves(512, 515));
    let library = tlog_tiles::Tile::new(8, 1, 0, 2, false);
    let above = [0, 1].map(|n| tlog_tiles::Tile::subtree_hash(&of(&format!("0/00{n}")).unwrap()).0);
    assert_eq!(of("1/000.p/2").unwrap(), above.concat());
    assert_eq!(library.path(), "tile/8/1/000.p/2");
    for beyond in [
        "0/002",
        "0/002.p/89",
        "0/003.p/1",
        "1/000.p/3",
        "1/000",
        "2/000.p/1",
        "6/x999/x999/999",
        "entries/000",
    ] {
        assert_eq!(of(beyond), Err(TreeError::Range), "{beyond}");
    }
    assert_eq!(Tile::from_path("1/000.p/2").unwrap().leaves(), Some((0, 512)));
    assert_eq!(Tile::from_path("entries/001.p/4").unwrap().leaves(), Some((256, 260)));
}

#[test]
fn an_entry_is_bundled_with_its_length() {
    assert_eq!(bundled(b"abc"), b"\x00\x03abc");
    assert_eq!(bundled(&[7; 300])[..3], [1, 44, 7]);
}

proptest! {
    #[test]
    fn a_path_is_read_back_and_no_text_panics(level in 0..7_u8, n: u64, width in 1..257_u64, text in "[0-9x./pentris]{0,40}") {
        let tile = Tile { level: (level < 6).then_some(level), n, width };
        prop_assert_eq!(Tile::from_path(&tile.path()), Some(tile));
        let _ = tile.leaves();
        if let Some(tile) = Tile::from_path(&text) {
            prop_assert_eq!(tile.path(), text);
        }
    }
}
