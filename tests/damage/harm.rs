//! What can happen to a file, and where in it: every so many bytes of a short one, drawn from a seed in a long one.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// One harm to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Harm {
    Missing,
    /// Cut to this many bytes.
    Cut(u64),
    /// This bit of this byte changed.
    Flip(u64, u8),
    /// Replaced by this file.
    Swap(PathBuf),
}

impl Harm {
    pub fn to(&self, file: &Path) {
        match self {
            Harm::Missing => fs::remove_file(file).unwrap(),
            Harm::Cut(length) => {
                fs::File::options().write(true).open(file).unwrap().set_len(*length).unwrap();
            }
            Harm::Flip(at, bit) => {
                let mut bytes = fs::read(file).unwrap();
                bytes[usize::try_from(*at).unwrap()] ^= 1 << bit;
                fs::write(file, bytes).unwrap();
            }
            Harm::Swap(with) => _ = fs::copy(with, file).unwrap(),
        }
    }

    /// The kind, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Harm::Missing => "missing",
            Harm::Cut(_) => "cut",
            Harm::Flip(..) => "flipped",
            Harm::Swap(_) => "swapped",
        }
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Harm::Missing => f.write_str("missing"),
            Harm::Cut(length) => write!(f, "cut to {length} bytes"),
            Harm::Flip(at, bit) => write!(f, "bit {bit} of byte {at} flipped"),
            Harm::Swap(with) => write!(f, "replaced by {}", with.display()),
        }
    }
}

/// Cut to nothing, to half, and by the last byte; none that leaves it as it is.
pub fn cuts(length: u64) -> Vec<Harm> {
    let mut cuts = vec![0, length / 2, length.saturating_sub(1)];
    cuts.dedup();
    cuts.into_iter().filter(|cut| *cut < length).map(Harm::Cut).collect()
}

/// How far apart flips are in a short file, in bytes.
const STEP: u64 = 97;
/// Flips of a long file: at its ends, and as many again at drawn places.
const ENDS: u64 = 4;

/// Changed bits.
pub fn flips(length: u64, many: u64, draw: &mut Draw) -> Vec<Harm> {
    let bit = |draw: &mut Draw| u8::try_from(draw.below(8)).unwrap();
    if length <= STEP * many {
        return (0..length).step_by(97).map(|at| Harm::Flip(at, bit(draw))).collect();
    }
    let ends = (0..ENDS).chain(length - ENDS..length);
    let drawn: Vec<_> = (0..many).map(|_| draw.below(length)).collect();
    ends.chain(drawn).map(|at| Harm::Flip(at, bit(draw))).collect()
}

/// The file that stands in another folder where this one does in its own: by name, else by what the name says without its
/// numbers, since RocksDB counts its files. None if there is no such file, or it is the same.
pub fn counterpart(file: &Path, own: &Path, other: &Path) -> Option<PathBuf> {
    let shape =
        |name: &Path| -> String { name.to_string_lossy().chars().filter(|c| !c.is_ascii_digit()).collect() };
    let bytes = fs::read(own.join(file)).unwrap();
    let differs = |found: &PathBuf| fs::read(found).is_ok_and(|other| other != bytes);
    let here = other.join(file);
    if here.exists() {
        return Some(here).filter(differs);
    }
    let mut siblings: Vec<_> =
        fs::read_dir(here.parent()?).ok()?.map(|entry| entry.unwrap().path()).collect();
    siblings.sort();
    siblings.into_iter().filter(|sibling| shape(sibling) == shape(&here)).find(differs)
}

/// Numbers that follow from a seed (SplitMix64): the same in each run.
pub struct Draw(pub u64);

impl Draw {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    /// In another order.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for n in (1..all.len()).rev() {
            all.swap(n, usize::try_from(self.below(n as u64 + 1)).unwrap());
        }
    }
}
