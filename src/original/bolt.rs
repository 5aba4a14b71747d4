//! Reads a bbolt file: two meta pages with a checksum, and below the newer one trees of branch and leaf pages, one a bucket.
//!
//! Pages other than meta have no checksum, so what a tree must be is what is checked: each page says its own number and is met
//! once, keys ascend and lie between those of the branch above. A page that is none is told and passed over; the others are read.

use thiserror::Error;

/// Bytes before a page's elements: its number (8), its kind (2), how many elements (2), how many pages more it goes over (4).
const PAGE_HEADER: usize = 16;
/// Bytes of an element's header, in a branch as in a leaf.
const ELEMENT: usize = 16;
/// Bytes of a meta page's content up to its checksum.
const META: usize = 56;
/// Bytes before an inline bucket's page: the root (8), a sequence (8).
const BUCKET_HEADER: usize = 16;

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;

const BRANCH: u16 = 1;
const LEAF: u16 = 2;

/// The marker of a bucket among the elements of a leaf.
const IS_BUCKET: u32 = 1;

/// bbolt takes the system's page size: 4 KiB nearly everywhere.
const PAGE_BYTES: std::ops::RangeInclusive<usize> = 1 << 10..=1 << 16;

/// The original nests buckets two deep.
const DEPTH: usize = 8;

/// Why there is no tree to read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BoltError {
    /// Neither meta page is one.
    #[error("not a bbolt file, or both its meta pages are damaged")]
    NoMeta,
    /// Another format.
    #[error("a bbolt file of format {0}; only format 2 is known")]
    Version(u32),
    /// Two whole meta pages that cannot be of one file.
    #[error(
        "its two meta pages disagree: it was copied while it was written to, or put together from two files"
    )]
    Disagree,
}

/// Takes a value: the names of the buckets above it from the root, its key, and itself.
pub type Give<'a, 'w> = dyn FnMut(&[&'a [u8]], &'a [u8], &'a [u8]) + 'w;

/// A page that could not be read, or only to a point.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("page {page}: {why}")]
pub struct Damage {
    /// Its number; of an inline bucket, that of the page it lies in.
    pub page: u64,
    /// What is wrong with it.
    pub why: &'static str,
}

/// A bbolt file.
pub struct Bolt<'a> {
    bytes: &'a [u8],
    page_bytes: usize,
    root: u64,
    /// Pages that exist, by the file's length and by the meta page.
    pages: u64,
    older: bool,
}

struct Meta {
    page_bytes: usize,
    root: u64,
    pages: u64,
    transaction: u64,
}

/// Little-endian at `at`; `None` beyond the end.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    number(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    number(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    number(bytes, at).map(u64::from_le_bytes)
}

/// FNV-1a of 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Meta {
    /// The meta page that begins at `at`, if it is whole.
    fn read(bytes: &[u8], at: usize) -> Result<Option<Self>, BoltError> {
        let Some(meta) =
            at.checked_add(PAGE_HEADER).and_then(|from| bytes.get(from..from.checked_add(META + 8)?))
        else {
            return Ok(None);
        };
        let (Some(magic), Some(version), Some(page_bytes)) =
            (u32_at(meta, 0), u32_at(meta, 4), u32_at(meta, 8))
        else {
            return Ok(None);
        };
        let checksum = u64_at(meta, META);
        if magic != MAGIC || checksum != meta.get(..META).map(fnv) {
            return Ok(None);
        }
        if version != VERSION {
            return Err(BoltError::Version(version));
        }
        let page_bytes = page_bytes as usize;
        if !PAGE_BYTES.contains(&page_bytes) || !page_bytes.is_power_of_two() {
            return Ok(None);
        }
        let (Some(root), Some(pages), Some(transaction)) =
            (u64_at(meta, 16), u64_at(meta, 40), u64_at(meta, 48))
        else {
            return Ok(None);
        };
        Ok(Some(Self { page_bytes, root, pages, transaction }))
    }
}

impl<'a> Bolt<'a> {
    /// The file's newest whole state.
    ///
    /// # Errors
    /// There is none: see [`BoltError`].
    pub fn open(bytes: &'a [u8]) -> Result<Self, BoltError> {
        let first = Meta::read(bytes, 0)?;
        let second = match &first {
            Some(meta) => Meta::read(bytes, meta.page_bytes)?,
            // Where the second lies is not known without the first, so it is looked for.
            None => {
                let mut found = None;
                let mut at = *PAGE_BYTES.start();
                while found.is_none() && at <= *PAGE_BYTES.end() {
                    found = Meta::read(bytes, at)?.filter(|meta| meta.page_bytes == at);
                    at *= 2;
                }
                found
            }
        };
        let older = first.is_none() || second.is_none();
        let meta = match (first, second) {
            (Some(a), Some(b)) if a.page_bytes != b.page_bytes || a.transaction == b.transaction => {
                return Err(BoltError::Disagree);
            }
            (Some(a), Some(b)) => {
                if a.transaction > b.transaction {
                    a
                } else {
                    b
                }
            }
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return Err(BoltError::NoMeta),
        };
        let in_file = (bytes.len() / meta.page_bytes) as u64;
        let Meta { page_bytes, root, pages, .. } = meta;
        Ok(Self { bytes, page_bytes, root, pages: pages.min(in_file), older })
    }

    /// One meta page is damaged: what is read may be one transaction old.
    pub fn may_be_older(&self) -> bool {
        self.older
    }

    /// Gives every value of every bucket, in the order of keys. Answers what could not be read.
    pub fn walk(&self, give: &mut Give<'a, '_>) -> Vec<Damage> {
        let met = vec![0; usize::try_from(self.pages.div_ceil(64)).unwrap_or_default()];
        let mut walk = Walk { bolt: self, met, path: Vec::new(), damage: Vec::new(), give };
        walk.bucket(self.root);
        walk.damage
    }
}

/// Part of a tree that is still to be read: a page, and between which keys its own must lie.
struct Part<'a> {
    page: u64,
    from: Option<&'a [u8]>,
    to: Option<&'a [u8]>,
}

struct Walk<'a, 'w> {
    bolt: &'w Bolt<'a>,
    /// A bit a page: no page has two places, so none is read twice and no circle is followed.
    met: Vec<u64>,
    path: Vec<&'a [u8]>,
    damage: Vec<Damage>,
    give: &'w mut Give<'a, 'w>,
}

impl<'a> Walk<'a, '_> {
    fn wrong(&mut self, page: u64, why: &'static str) {
        self.damage.push(Damage { page, why });
    }

    /// Notes the pages from `page` to `last`; says whether all exist and none was met before.
    fn meet(&mut self, page: u64, last: u64) -> bool {
        if page < 2 || last >= self.bolt.pages {
            return false; // 0 and 1 are the meta pages
        }
        (page..=last).all(|page| {
            let bit = 1 << (page % 64);
            match usize::try_from(page / 64).ok().and_then(|at| self.met.get_mut(at)) {
                Some(word) if *word & bit == 0 => {
                    *word |= bit;
                    true
                }
                _ => false,
            }
        })
    }

    /// Reads the tree of a bucket.
    fn bucket(&mut self, root: u64) {
        let mut parts = vec![Part { page: root, from: None, to: None }];
        while let Some(part) = parts.pop() {
            match self.page(part.page) {
                Ok((BRANCH, span, count)) => self.branch(&part, span, count, &mut parts),
                Ok((_, span, count)) => self.leaf(&part, span, count, false),
                Err(why) => self.wrong(part.page, why),
            }
        }
    }

    /// A page's kind, all its bytes, and how many elements it has.
    fn page(&mut self, page: u64) -> Result<(u16, &'a [u8], usize), &'static str> {
        if !self.meet(page, page) {
            return Err("is not in the file, or has two places in the trees");
        }
        let outside = "goes beyond the file";
        let page_bytes = self.bolt.page_bytes;
        let at = usize::try_from(page).ok().and_then(|page| page.checked_mul(page_bytes)).ok_or(outside)?;
        let rest = self.bolt.bytes.get(at..).ok_or(outside)?;
        let (Some(number), Some(kind), Some(count), Some(more)) =
            (u64_at(rest, 0), u16_at(rest, 8), u16_at(rest, 10), u32_at(rest, 12))
        else {
            return Err(outside);
        };
        if number != page {
            return Err("says that it is another page");
        }
        if kind != BRANCH && kind != LEAF {
            return Err("is neither a branch nor a leaf");
        }
        let more_pages = u64::from(more);
        if more > 0 && !self.meet(page + 1, page.saturating_add(more_pages)) {
            return Err("goes over pages that are not in the file, or have two places in the trees");
        }
        let span = usize::try_from(more_pages + 1).ok().and_then(|pages| pages.checked_mul(page_bytes));
        let span = span.and_then(|span| rest.get(..span)).ok_or(outside)?;
        Ok((kind, span, usize::from(count)))
    }

    fn branch(&mut self, part: &Part<'a>, span: &'a [u8], count: usize, parts: &mut Vec<Part<'a>>) {
        let mut children: Vec<Part<'a>> = Vec::new();
        for element in (0..count).map(|i| PAGE_HEADER + i * ELEMENT) {
            let (Some(offset), Some(length), Some(page)) =
                (u32_at(span, element), u32_at(span, element + 4), u64_at(span, element + 8))
            else {
                self.wrong(part.page, "says that it has more elements than it has room for");
                break;
            };
            let Some(key) = slice(span, element, offset, length) else {
                self.wrong(part.page, "has a key outside of itself");
                break;
            };
            let before = children.last().and_then(|child| child.from);
            if before.is_some_and(|before| key <= before) || !between(part, key) {
                self.wrong(part.page, "has keys out of order");
                break;
            }
            if let Some(child) = children.last_mut() {
                child.to = Some(key);
            }
            children.push(Part { page, from: Some(key), to: part.to });
        }
        children.reverse();
        parts.append(&mut children);
    }

    fn leaf(&mut self, part: &Part<'a>, span: &'a [u8], count: usize, inline: bool) {
        let mut before: Option<&'a [u8]> = None;
        for element in (0..count).map(|i| PAGE_HEADER + i * ELEMENT) {
            let (Some(flags), Some(offset), Some(key_length), Some(length)) = (
                u32_at(span, element),
                u32_at(span, element + 4),
                u32_at(span, element + 8),
                u32_at(span, element + 12),
            ) else {
                return self.wrong(part.page, "says that it has more elements than it has room for");
            };
            let value_at = offset.checked_add(key_length);
            let (Some(key), Some(value)) = (
                slice(span, element, offset, key_length),
                value_at.and_then(|value_at| slice(span, element, value_at, length)),
            ) else {
                return self.wrong(part.page, "has a key or a value outside of itself");
            };
            if before.is_some_and(|before| key <= before) || !between(part, key) {
                return self.wrong(part.page, "has keys out of order");
            }
            before = Some(key);
            match flags {
                0 => (self.give)(&self.path, key, value),
                IS_BUCKET if !inline => self.nested(part.page, key, value),
                _ => return self.wrong(part.page, "has an element of no known kind"),
            }
        }
    }

    /// A bucket in a bucket: a tree of its own, or a leaf in the place of a value if it is small.
    fn nested(&mut self, page: u64, name: &'a [u8], value: &'a [u8]) {
        let Some(root) = u64_at(value, 0) else {
            return self.wrong(page, "has a bucket without a header");
        };
        if self.path.len() >= DEPTH {
            return self.wrong(page, "has buckets nested deeper than the original's");
        }
        self.path.push(name);
        match value.get(BUCKET_HEADER..) {
            Some(inner) if root == 0 => match (u16_at(inner, 8), u16_at(inner, 10)) {
                (Some(LEAF), Some(count)) => {
                    self.leaf(&Part { page, from: None, to: None }, inner, usize::from(count), true);
                }
                _ => self.wrong(page, "has an inline bucket that is no leaf"),
            },
            _ if root == 0 => self.wrong(page, "has an inline bucket without a page"),
            _ => self.bucket(root),
        }
        self.path.pop();
    }
}

/// `length` bytes at `offset` from an element's header.
fn slice(span: &[u8], element: usize, offset: u32, length: u32) -> Option<&[u8]> {
    let from = element.checked_add(usize::try_from(offset).ok()?)?;
    span.get(from..from.checked_add(usize::try_from(length).ok()?)?)
}

fn between(part: &Part<'_>, key: &[u8]) -> bool {
    part.from.is_none_or(|from| key >= from) && part.to.is_none_or(|to| key < to)
}
