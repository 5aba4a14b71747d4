//! Idempotency: what an earlier request under the same key led to.

use dta_events::ids::request_claim;
use dta_events::order::Event;
use dta_events::record::{Effect, Record};
use dta_protocol::Cid;

use crate::actors::log::{LogReader, NotWritten};
use crate::actors::services::Caller;
use crate::actors::unavailable::Unavailable;

/// What is known of a request's key.
pub enum Prior {
    /// There is no key, or it is new.
    None,
    /// The same request was made before: this record answers it.
    Same(Box<Record>),
    /// Another body was sent under this key.
    Other,
}

/// The record that an earlier request led to, for whoever makes the request again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    /// Its sequence.
    pub(super) sequence: u64,
    /// The step that the request made: what the fiduciary said to that is what it is answered.
    pub(super) step: Option<Cid>,
}

impl Before {
    /// Of the record that took the request's key.
    ///
    /// # Errors
    /// Newer code wrote it.
    pub(super) fn of(record: &Record) -> Result<Self, Unavailable> {
        let mut before = Self { sequence: record.sequence, step: None };
        let Effect::Events(events) = &record.effect else { return Ok(before) };
        for stored in events {
            let event = Event::from_stored(stored);
            if let Event::StepAppended(appended) =
                event.map_err(|error| Unavailable::Inconsistent(error.to_string()))?
            {
                before.step = Some(appended.step.cid);
            }
        }
        Ok(before)
    }
}

/// Looks a request up by caller and key.
///
/// # Errors
/// The log cannot be read.
pub fn prior(log: &dyn LogReader, caller: &Caller) -> Result<Prior, Unavailable> {
    let Some(request) = &caller.request else { return Ok(Prior::None) };
    match log.claim(&request_claim(&caller.by, &request.idempotency_key))? {
        None => Ok(Prior::None),
        Some(sequence) => prior_at(log, caller, sequence),
    }
}

/// Whether the request's key was taken since its desk looked: by the same request, or by another under that key.
///
/// # Errors
/// `ClaimTaken` if it was, which sends the desk to look again; or the log cannot be read.
pub(super) fn still_new(log: &dyn LogReader, caller: &Caller) -> Result<(), Unavailable> {
    let Some(request) = &caller.request else { return Ok(()) };
    let claim = request_claim(&caller.by, &request.idempotency_key);
    match log.claim(&claim)? {
        None => Ok(()),
        Some(sequence) => Err(Unavailable::NotWritten(NotWritten::ClaimTaken { claim, sequence })),
    }
}

/// As [`prior`], once the record is known.
pub(super) fn prior_at(log: &dyn LogReader, caller: &Caller, sequence: u64) -> Result<Prior, Unavailable> {
    let lost =
        || Unavailable::Inconsistent(format!("record {sequence}: a claim names it and it is not there"));
    let (_, bytes) = log.read(sequence, 1)?.into_iter().next().ok_or_else(lost)?;
    let record = Record::decode(&bytes).map_err(|error| Unavailable::Inconsistent(error.to_string()))?;
    let same = record.request.map(|request| request.body) == caller.request.map(|request| request.body);
    Ok(if same { Prior::Same(Box::new(record)) } else { Prior::Other })
}
