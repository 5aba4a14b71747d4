//! One copy of a seed store: the file `seeds.dta` in a folder.

use super::header::{HALF_BYTES, Header, PAGE_BYTES, PageError};
use super::slot::{SLOT_BYTES, Slot, SlotBytes, free};
use crate::keystore::files;
use rustix::io::Errno;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

const FILE: &str = "seeds.dta";
/// A slot that is torn in each of so many reads is not just being written.
const READS: u32 = 100;

/// An open copy.
pub struct CopyFile {
    file: File,
    /// Device and inode: the file that stands at the path must stay the one that is open.
    identity: (u64, u64),
    /// What its header said when it was opened.
    pub page: Result<(Header, u32), PageError>,
}

/// Where the copy of a folder is.
pub fn path_in(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

impl CopyFile {
    /// Makes the file of a new copy with this many free slots, whole and synced, or not at all.
    pub fn create(folder: &Path, header: &Header, slots: u32) -> io::Result<()> {
        let half = header.half(slots);
        let mut bytes = [half, half].concat();
        bytes.extend(free_slots(header, 0, slots));
        files::write_new(&path_in(folder), &bytes)
    }

    /// Opens the file and reads its header; what the header lacks is for the caller to judge.
    pub fn open(folder: &Path) -> io::Result<Self> {
        Self::of(OpenOptions::new().read(true).write(true).open(path_in(folder))?)
    }

    /// As [`CopyFile::open`], to read it only.
    pub fn open_read_only(folder: &Path) -> io::Result<Self> {
        Self::of(File::open(path_in(folder))?)
    }

    fn of(file: File) -> io::Result<Self> {
        let identity = identity(&file.metadata()?);
        let mut page = [0; PAGE_BYTES];
        let page = match file.read_exact_at(&mut page, 0) {
            Ok(()) => Header::read(&page),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(PageError::Damaged),
            Err(error) => return Err(error),
        };
        Ok(Self { file, identity, page })
    }

    /// Whether the path still leads to the open file: false after an unmount or a deletion, when writes would
    /// go where nobody finds them.
    pub fn is_at(&self, folder: &Path) -> bool {
        fs::metadata(path_in(folder)).is_ok_and(|found| identity(&found) == self.identity)
    }

    /// Whether two copies are one file, which would be no second copy.
    pub fn is_same_file(&self, other: &Self) -> bool {
        self.identity == other.identity
    }

    /// Reads slot `number`.
    pub fn read(&self, number: u32, store_id: &[u8; 16]) -> io::Result<Slot> {
        let mut bytes = [0; SLOT_BYTES];
        match self.file.read_exact_at(&mut bytes, offset(number)) {
            Ok(()) => Ok(Slot::read(&bytes, store_id, number)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Slot::Absent),
            // One bad sector is one bad slot, which another copy may repair.
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                Ok(Slot::Damaged([0xff; 36]))
            }
            Err(error) => Err(error),
        }
    }

    /// How many slots there are by the length of the file, for one whose header does not say.
    pub fn slots_by_length(&self) -> u32 {
        let bytes = self.file.metadata().map_or(0, |metadata| metadata.len());
        let slots = bytes.saturating_sub(PAGE_BYTES as u64) / SLOT_BYTES as u64;
        u32::try_from(slots).unwrap_or(u32::MAX).min(super::MAX_SLOTS)
    }

    /// Reads slot `number`, with its bytes; again if somebody was just writing it.
    pub fn read_whole(&self, number: u32, store_id: &[u8; 16]) -> io::Result<(Slot, SlotBytes)> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut bytes = [0; SLOT_BYTES];
            self.file.read_exact_at(&mut bytes, offset(number))?;
            let slot = Slot::read(&bytes, store_id, number);
            if tries == READS || !matches!(slot, Slot::Damaged(_)) {
                return Ok((slot, bytes));
            }
            std::thread::yield_now();
        }
    }

    /// Writes slot `number`; not durable until `sync`.
    pub fn write(&self, number: u32, bytes: &SlotBytes) -> io::Result<()> {
        self.file.write_all_at(bytes, offset(number))
    }

    /// Makes all that was written durable, the file's length included.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Appends free slots `from..to` and only then tells the header of them.
    pub fn grow(&self, header: &Header, from: u32, to: u32) -> io::Result<()> {
        // Whatever a header says: a seed is not written over.
        for number in from..to {
            if let Slot::Used(_) | Slot::Shredded(_) = self.read(number, &header.store_id)? {
                let what = format!("slot {number}, to be added, is used");
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        }
        self.file.write_all_at(&free_slots(header, from, to), offset(from))?;
        self.sync()?;
        self.write_header(header, to)
    }

    /// Writes both halves of the header, one after the other, each synced.
    pub fn write_header(&self, header: &Header, slots: u32) -> io::Result<()> {
        for at in [0, HALF_BYTES as u64] {
            self.file.write_all_at(&header.half(slots), at)?;
            self.sync()?;
        }
        Ok(())
    }

    /// Whether both halves of the header stand as they should.
    pub fn has_header(&self, header: &Header, slots: u32) -> io::Result<bool> {
        let mut page = [0; PAGE_BYTES];
        let half = header.half(slots);
        match self.file.read_exact_at(&mut page, 0) {
            Ok(()) => Ok(page[..HALF_BYTES] == half && page[HALF_BYTES..] == half),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn free_slots(header: &Header, from: u32, to: u32) -> Vec<u8> {
    (from..to).flat_map(|number| free(&header.store_id, number)).collect()
}

fn offset(number: u32) -> u64 {
    PAGE_BYTES as u64 + u64::from(number) * SLOT_BYTES as u64
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
