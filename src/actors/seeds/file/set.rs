//! All copies of a store as one: reads ask every copy and repair, writes reach every copy and are synced.
//!
//! A copy that fails is set aside with its reason and read again from the start when it returns.

use super::copies::{CopyFile, path_in};
use super::header::{Header, PageError};
use super::slot::{Slot, SlotBytes};
use super::verdict::{Verdict, judge};
use crate::actors::seeds::{CopyStatus, SeedError};
use crate::crash_points::{CrashPoint, reached};
use std::io;
use std::path::{Path, PathBuf};

/// The configured copies, home first.
pub struct CopySet {
    places: Vec<Place>,
}

struct Place {
    folder: PathBuf,
    copy: Result<CopyFile, SeedError>,
}

impl CopySet {
    /// Opens what is there.
    pub fn attach(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        let open = |folder: PathBuf| {
            let copy = CopyFile::open(&folder).map_err(|error| SeedError::io(&folder, error));
            Place { folder, copy }
        };
        Self { places: folders.into_iter().map(open).collect() }
    }

    /// The folders, home first.
    pub fn folders(&self) -> Vec<PathBuf> {
        self.places.iter().map(|place| place.folder.clone()).collect()
    }

    /// The first whole header; without one, why there is none.
    pub fn header(&self) -> Result<Header, SeedError> {
        let mut errors = Vec::new();
        for place in &self.places {
            match place.copy.as_ref().map(|copy| &copy.page) {
                Ok(Ok((header, _))) => return Ok(header.clone()),
                Ok(Err(error)) => errors.insert(0, page_error(&place.folder, error)),
                Err(error) => errors.push(error.clone()),
            }
        }
        Err(errors.into_iter().next().unwrap_or_else(|| SeedError::conflict("a store has no copy")))
    }

    /// Every whole header, home's first.
    pub fn headers(&self) -> impl Iterator<Item = Header> {
        let page = |place: &Place| Some(place.copy.as_ref().ok()?.page.as_ref().ok()?.0.clone());
        self.places.iter().filter_map(page)
    }

    /// Sets aside every copy that is of another store, of a newer format, or the same file as another. One whose
    /// header is torn stays: its slots are bound to the store, so what is not of this store is repaired.
    pub fn hold_to(&mut self, header: &Header) {
        for i in 0..self.places.len() {
            let (before, rest) = self.places.split_at_mut(i);
            let Some(place) = rest.first_mut() else { continue };
            let Ok(copy) = &place.copy else { continue };
            let twin =
                before.iter().filter_map(|other| other.copy.as_ref().ok()).any(|o| o.is_same_file(copy));
            if twin {
                let what = format!("{} is the same file as another copy", path_in(&place.folder).display());
                place.copy = Err(SeedError::conflict(what));
            } else if let Err(error) = accepts(&place.folder, copy, header) {
                place.copy = Err(error);
            }
        }
    }

    /// Whether a copy that was set aside is there again and fits.
    pub fn has_returned(&self, header: &Header) -> bool {
        let fits = |place: &Place| {
            CopyFile::open(&place.folder).is_ok_and(|copy| accepts(&place.folder, &copy, header).is_ok())
        };
        self.places.iter().any(|place| place.copy.is_err() && fits(place))
    }

    /// Sets aside every copy whose file is no longer where it was.
    pub fn notice_absence(&mut self) {
        for place in &mut self.places {
            if place.copy.as_ref().is_ok_and(|copy| !copy.is_at(&place.folder)) {
                place.copy = Err(SeedError::missing(&place.folder, "its file is gone or was replaced"));
            }
        }
    }

    /// Why the first copy that is set aside is; `None` when all are in use.
    pub fn trouble(&self) -> Option<&SeedError> {
        self.places.iter().find_map(|place| place.copy.as_ref().err())
    }

    /// Why the copy in this folder is, if it is.
    pub fn trouble_at(&self, folder: &Path) -> Option<&SeedError> {
        self.places.iter().find(|place| place.folder == folder).and_then(|place| place.copy.as_ref().err())
    }

    /// The same for every copy.
    pub fn status(&self) -> Vec<CopyStatus> {
        let status = |place: &Place| CopyStatus {
            folder: place.folder.clone(),
            trouble: place.copy.as_ref().err().map(SeedError::to_string),
        };
        self.places.iter().map(status).collect()
    }

    /// How many slots there must be: the most that a header tells. What a file holds beyond was never used, since
    /// a header is told of new slots before they are.
    pub fn slots(&self) -> u32 {
        let told = |place: &Place| {
            let copy = place.copy.as_ref().ok()?;
            Some(copy.page.as_ref().map_or_else(|_| copy.slots_by_length(), |page| page.1))
        };
        self.places.iter().filter_map(told).max().unwrap_or(0)
    }

    /// Judges a slot and repairs the copies that differ from the verdict (durable after `sync`). True if any did.
    pub fn settle(&mut self, number: u32, header: &Header) -> Result<(Verdict, bool), SeedError> {
        let store_id = &header.store_id;
        let mut slots = Vec::with_capacity(self.places.len());
        self.each(|copy| copy.read(number, store_id).map(|slot| slots.push(slot)));
        if slots.is_empty() {
            return Err(self.trouble().cloned().unwrap_or(SeedError::NotFound));
        }
        let verdict = judge(&slots);
        let mut held = slots.iter();
        let mut repaired = false;
        self.each(|copy| match held.next().and_then(|slot: &Slot| verdict.repair(slot, store_id, number)) {
            Some(bytes) => {
                repaired = true;
                copy.write(number, &bytes)
            }
            None => Ok(()),
        });
        Ok((verdict, repaired))
    }

    /// Writes these slots to every copy in use, then syncs every one; an error if any copy failed.
    pub fn write(&mut self, slots: &[(u32, SlotBytes)]) -> Result<(), SeedError> {
        self.each(|copy| {
            slots.iter().try_for_each(|(number, bytes)| copy.write(*number, bytes))?;
            reached(CrashPoint::SeedCopyWritten);
            Ok(())
        });
        self.sync();
        reached(CrashPoint::SeedSynced);
        self.trouble().map_or(Ok(()), |trouble| Err(trouble.clone()))
    }

    /// Appends free slots to every copy.
    pub fn grow(&mut self, header: &Header, from: u32, to: u32) -> Result<(), SeedError> {
        self.each(|copy| copy.grow(header, from, to));
        self.trouble().map_or(Ok(()), |trouble| Err(trouble.clone()))
    }

    /// Writes a changed header to every copy; an error if any copy failed.
    pub fn write_header(&mut self, header: &Header, slots: u32) -> Result<(), SeedError> {
        self.each(|copy| copy.write_header(header, slots));
        self.trouble().map_or(Ok(()), |trouble| Err(trouble.clone()))
    }

    /// Makes every header whole and of this number of slots.
    pub fn mend_headers(&mut self, header: &Header, slots: u32) {
        self.each(
            |copy| {
                if copy.has_header(header, slots)? { Ok(()) } else { copy.write_header(header, slots) }
            },
        );
    }

    /// Syncs every copy in use.
    pub fn sync(&mut self) {
        self.each(CopyFile::sync);
    }

    /// Does something with every copy in use; one that fails is set aside.
    fn each(&mut self, mut act: impl FnMut(&CopyFile) -> io::Result<()>) {
        for place in &mut self.places {
            let Ok(copy) = &place.copy else { continue };
            if let Err(error) = act(copy) {
                place.copy = Err(SeedError::io(&place.folder, error));
            }
        }
    }
}

fn accepts(folder: &Path, copy: &CopyFile, header: &Header) -> Result<(), SeedError> {
    match &copy.page {
        // One that missed a change of the KEKs is mended.
        Ok((found, _)) if found == header || header.is_newer_than(found) => Ok(()),
        Err(PageError::Damaged) => Ok(()),
        Ok(_) => Err(SeedError::conflict(format!("{} is of another store", path_in(folder).display()))),
        Err(error) => Err(page_error(folder, error)),
    }
}

pub(super) fn page_error(folder: &Path, error: &PageError) -> SeedError {
    match error {
        PageError::Damaged => unreadable(folder, "neither half of its header is whole"),
        PageError::OtherFormat => {
            unreadable(folder, "its format is another than 3, which this program reads")
        }
        PageError::Divided => {
            SeedError::conflict(format!("the header of {} is of two stores", path_in(folder).display()))
        }
    }
}

fn unreadable(folder: &Path, why: &'static str) -> SeedError {
    SeedError::Unreadable { file: path_in(folder), why }
}
