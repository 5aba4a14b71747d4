//! Whether the log still has all that was derived from it. What was derived lies elsewhere, so it tells of a log that is
//! whole in itself and older than it was.

use dta_events::order::Custody;
use dta_events::record::AggregateKind;
use dta_events::replay_order;
use dta_protocol::Cid;
use thiserror::Error;

use crate::actors::log::{Damage, LogReader, ReadError};
use crate::actors::seeds::Stores;
use crate::actors::views::{Views, ViewsError};
use crate::home::Home;

/// How many seeds a start looks at, newest first: a log that lost its end lacks the newest of them.
const SEEDS: usize = 256;

/// Why the read models do not go with the log.
#[derive(Debug, Error)]
pub enum DerivedError {
    /// The log is shorter than what was derived from it.
    #[error(
        "the read model {name} was made of {position} records and the log has {records}: the log has lost its end, \
         or views/ is another node's; restore the log, or remove views/ to go on without what is lost"
    )]
    LogShorter {
        /// The read model.
        name: &'static str,
        /// How many records it was made of.
        position: u64,
        /// How many there are.
        records: u64,
    },
    /// The read models.
    #[error(transparent)]
    Views(#[from] ViewsError),
    /// The log.
    #[error(transparent)]
    Log(#[from] ReadError),
}

/// Opens the read models of a log, which has all that they were made of.
///
/// # Errors
/// `LogShorter` if it has not; or they do not open.
pub fn read_models(home: &Home, log: &dyn LogReader) -> Result<Views, DerivedError> {
    let views = Views::open(&home.views(), &dta_projections::all())?;
    let queries = views.queries();
    let records = log.head()?.count;
    for projection in dta_projections::all() {
        let name = projection.name();
        let position = queries.standing(name)?.map_or(0, |standing| standing.position);
        if position > records {
            return Err(DerivedError::LogShorter { name, position, records });
        }
    }
    Ok(views)
}

/// Orders that custody keeps a seed for and the log does not have. A seed is made after its `placed` is synced, so there
/// are none, unless the log is an older copy or lost its end.
///
/// # Errors
/// The log cannot be read.
pub fn unknown_seeds(seeds: &mut Stores, log: &dyn LogReader) -> Result<Vec<Cid>, ReadError> {
    let mut unknown = Vec::new();
    for placed in seeds.newest(SEEDS) {
        if log.envelope(&placed)?.is_none() {
            // What custody keeps under another name than a CID is no order either.
            unknown.extend(Cid::from_bytes(&placed).ok());
        }
    }
    Ok(unknown)
}

/// Orders of the log that this node has committed to, and that need their seed to go on; not those whose loss is recorded.
///
/// # Errors
/// The log cannot be read.
pub fn wanting_seeds(log: &dyn LogReader) -> Result<Vec<Cid>, ReadError> {
    let mut wanting = Vec::new();
    for aggregate in log.aggregates(AggregateKind::Order)? {
        let records = log.load(&aggregate)?;
        let sequence = records.first().map_or(0, |record| record.sequence);
        let order = replay_order(&records);
        let order = order.map_err(|error| Damage::Record { sequence, reason: error.to_string() })?;
        if order.custody() == Some(Custody::Seed) && order.commitment().is_some() && !order.custody_lost {
            wanting.extend(order.placed());
        }
    }
    Ok(wanting)
}
