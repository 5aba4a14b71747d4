//! The log's records as read models take them: decoded, each with its hash.

use dta_events::record::{Record, hash_of};

use super::error::ViewsError;
use crate::actors::log::LogReader;

/// How many records are read and applied at a time.
pub const BATCH_RECORDS: usize = 256;

/// A record, and the hash by which the next one names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The record.
    pub record: Record,
    /// SHA-256 of its stored bytes.
    pub hash: [u8; 32],
}

/// What the log has from a place on: a batch of records, cut short where one cannot be decoded.
#[derive(Debug)]
pub struct Feed {
    /// In order, without gaps.
    pub entries: Vec<Entry>,
    /// Why it ends where it does, if not because the log or the batch ends.
    pub cut: Option<ViewsError>,
}

impl Entry {
    /// Decodes stored bytes.
    ///
    /// # Errors
    /// `Record` if they are not a record, or one from newer code.
    pub fn decode(sequence: u64, stored: &[u8]) -> Result<Self, ViewsError> {
        match Record::decode(stored) {
            Ok(record) => Ok(Self { record, hash: hash_of(stored) }),
            Err(cause) => Err(ViewsError::Record { sequence, cause }),
        }
    }
}

impl Feed {
    /// At most [`BATCH_RECORDS`] records from `from_sequence` on.
    ///
    /// # Errors
    /// `Log` if the log cannot be read.
    pub fn read(log: &dyn LogReader, from_sequence: u64) -> Result<Self, ViewsError> {
        let mut feed = Self { entries: Vec::new(), cut: None };
        for (sequence, stored) in log.read(from_sequence, BATCH_RECORDS)? {
            match Entry::decode(sequence, &stored) {
                Ok(entry) => feed.entries.push(entry),
                Err(error) => {
                    feed.cut = Some(error);
                    break;
                }
            }
        }
        Ok(feed)
    }
}
