//! Tiles: how C2SP tlog-tiles serves a tree, 256 hashes of every eighth level at a time, under paths that never change once
//! they are full. Ours because the library's paths are those of the Go checksum database, with the height in them.

use crate::tree::{Hashes, Reader, TreeError, place};

/// Levels of the tree in a tile.
const HEIGHT: u8 = 8;
/// Hashes, or entries, in a full tile.
pub const WIDTH: u64 = 1 << HEIGHT;
/// The highest level of tiles; a tree of 2^53 leaves has none above.
const LEVEL_MAX: u8 = 6;
/// The digits of a path's elements.
const GROUP: u64 = 1_000;

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Which hashes; none for a bundle of entries.
    pub level: Option<u8>,
    /// Which tile of the level, from 0.
    pub n: u64,
    /// How many of its hashes or entries: 1 to 256.
    pub width: u64,
}

impl Tile {
    /// Reads what follows `/tile/`: `<level or "entries">/<n>[.p/<width>]`, `n` in groups of three digits, all but the last with an
    /// `x` before them. None for every other text, of which each tile has exactly one.
    pub fn from_path(path: &str) -> Option<Self> {
        let (level, rest) = path.split_once('/')?;
        let level = match level {
            "entries" => None,
            level => Some(number(level).filter(|level| *level <= LEVEL_MAX.into())? as u8),
        };
        let (n, width) = match rest.split_once(".p/") {
            None => (rest, WIDTH),
            Some((n, width)) => (n, number(width).filter(|width| (1..WIDTH).contains(width))?),
        };
        let (groups, last) = n.rsplit_once('/').map_or(("", n), |(groups, last)| (groups, last));
        let mut n = 0_u64;
        for group in groups.split('/').filter(|_| !groups.is_empty()) {
            n = n.checked_mul(GROUP)?.checked_add(three_digits(group.strip_prefix('x')?)?)?;
        }
        let n = n.checked_mul(GROUP)?.checked_add(three_digits(last)?)?;
        // No group before the first digit that counts: one tile, one path.
        let tile = Self { level, n, width };
        (tile.path() == path).then_some(tile)
    }

    /// What follows `/tile/`.
    pub fn path(&self) -> String {
        let mut path = format!("{:03}", self.n % GROUP);
        let mut n = self.n / GROUP;
        while n > 0 {
            path = format!("x{:03}/{path}", n % GROUP);
            n /= GROUP;
        }
        let level = self.level.map_or("entries".to_owned(), |level| level.to_string());
        let part = if self.width == WIDTH { String::new() } else { format!(".p/{}", self.width) };
        format!("{level}/{path}{part}")
    }

    /// The first leaf below it, and the one after its last; none if that is no number.
    pub fn leaves(&self) -> Option<(u64, u64)> {
        let each = 1_u64.checked_shl((HEIGHT * self.level.unwrap_or(0)).into())?;
        let first = self.n.checked_mul(WIDTH)?;
        let end = first.checked_add(self.width)?;
        Some((first.checked_mul(each)?, end.checked_mul(each)?))
    }

    /// Its bytes in a tree of `size` leaves: its hashes (32 bytes each), one after the other.
    ///
    /// # Errors
    /// `Range` if the tree has not grown over it, or it is a bundle of entries; the reader's.
    pub fn hashes<H: Hashes>(&self, hashes: &H, size: u64) -> Result<Vec<u8>, TreeError<H::Error>> {
        let level = self.level.ok_or(TreeError::Range)?;
        let (_, end) = self.leaves().ok_or(TreeError::Range)?;
        if end > size {
            return Err(TreeError::Range);
        }
        let first = self.n * WIDTH;
        let places: Vec<u64> = (first..first + self.width).map(|n| place(level * HEIGHT, n)).collect();
        let reader = Reader::over(hashes);
        let read = tlog_tiles::HashReader::read_hashes(&reader, &places);
        Ok(reader.told(read)?.iter().flat_map(|hash| hash.0).collect())
    }
}

/// An entry in a bundle: its length (16 bits, big-endian), then itself.
pub fn bundled(entry: &[u8]) -> Vec<u8> {
    // A leaf has at most 79 bytes.
    let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
    [length.to_be_bytes().as_slice(), entry].concat()
}

/// Digits without leading zeros, or 0.
fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number: &u64| plain && number.to_string() == text)
}

fn three_digits(text: &str) -> Option<u64> {
    let plain = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}
