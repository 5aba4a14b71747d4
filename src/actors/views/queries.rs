//! What may be asked of the read models. Each answer is of one moment and of whole records.

use std::collections::BTreeMap;
use std::sync::Arc;

use dta_events::order::Party;
use dta_projections::{
    COUNT_KEY, History, HistoryRow, Identities, IdentityRow, OUTSTANDING_PREFIX, OrderRow, Orders,
    PEER_PREFIX, PeerRow, Peers, Projection, Rows, history_prefix, identity_key, identity_ordinal_key,
    order_key, order_ordinal_key, outstanding_key, placed_key, reference_key,
};
use dta_protocol::Cid;
use serde::de::DeserializeOwned;

use super::database::{Database, Reader, Standing};
use super::error::ViewsError;
use super::feed::Entry;
use crate::actors::log::LogReader;

/// The most rows of one page.
pub const PAGE_ROWS_MAX: u64 = 1_000;

/// A place in the histories: the record's sequence, and which of that record's entries.
pub type HistoryPlace = (u64, u16);

/// How much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Orders, whatever became of them.
    pub orders: u64,
    /// Identities, hosted here or known.
    pub identities: u64,
}

/// A step that a party has not got yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToFetch {
    /// The record since which it is outstanding.
    pub sequence: u64,
    /// The aggregate id of the order.
    pub order: [u8; 32],
    /// For which of its parties.
    pub to: Party,
}

/// Reads of the read models; clones read the same. Each call blocks on the disk, none waits for the projector.
///
/// Every call may fail: `Engine` if the disk fails; `Row` if a row is damaged; `Schema` if the read model was filled by
/// other code, which happens only where it was opened read-only.
#[derive(Clone)]
pub struct Queries {
    database: Arc<Database>,
}

impl Queries {
    pub(super) fn over(database: Arc<Database>) -> Self {
        Self { database }
    }

    /// The projections, in the order of their opening.
    pub fn projections(&self) -> &[&'static dyn Projection] {
        &self.database.projections
    }

    /// Where a read model stands; none if it has never been made.
    pub fn standing(&self, name: &str) -> Result<Option<Standing>, ViewsError> {
        self.database.standing(self.database.projection(name)?.name())
    }

    /// Whether a read model can take the record it takes next, if the log has it: a halted one says why, also to who
    /// only reads.
    ///
    /// # Errors
    /// `Halted` if it cannot; `Broken` if it is not of this log; `Record` and `Log` if the log cannot be read.
    pub fn try_next(&self, name: &str, log: &dyn LogReader) -> Result<(), ViewsError> {
        let projection = self.database.projection(name)?;
        let name = projection.name();
        let Some(standing) = self.standing(name)? else { return Ok(()) };
        let Some((sequence, stored)) = log.read(standing.position, 1)?.pop() else { return Ok(()) };
        let Entry { record, .. } = Entry::decode(sequence, &stored)?;
        if record.previous != standing.last {
            return Err(ViewsError::Broken { reader: name, sequence });
        }
        self.database.read(projection, |reader| {
            let mut rows = BTreeMap::new();
            for key in projection.reads(&record) {
                if let Some(row) = reader.bytes(&key)? {
                    rows.insert(key, row);
                }
            }
            let changes = projection.apply(&Rows::new(rows), &record);
            changes.map(|_| ()).map_err(|cause| ViewsError::Halted { name, sequence, cause })
        })
    }

    /// The order with this aggregate id.
    pub fn order_by_id(&self, id: &[u8; 32]) -> Result<Option<OrderRow>, ViewsError> {
        self.database.read(&Orders, |reader| reader.row(&order_key(id)))
    }

    /// The order with this reference whose principal is hosted here.
    pub fn order_by_reference(&self, reference: &str) -> Result<Option<OrderRow>, ViewsError> {
        self.database.read(&Orders, |reader| order_at(reader, &reference_key(reference)))
    }

    /// The order that this `order/placed` envelope began.
    pub fn order_by_placed(&self, placed: &Cid) -> Result<Option<OrderRow>, ViewsError> {
        self.database.read(&Orders, |reader| order_at(reader, &placed_key(placed)))
    }

    /// A page of the orders in the order of the log, or against it; `page` counts from 0, and above
    /// [`PAGE_ROWS_MAX`] a page has that many rows.
    pub fn orders(&self, page: u64, per_page: u64, ascending: bool) -> Result<Vec<OrderRow>, ViewsError> {
        self.database.read(&Orders, |reader| {
            listed(reader, page, per_page, ascending, |n| order_at(reader, &order_ordinal_key(n)))
        })
    }

    /// An identity, hosted here or known.
    pub fn identity(&self, identity: &Cid) -> Result<Option<IdentityRow>, ViewsError> {
        self.database.read(&Identities, |reader| reader.row(&identity_key(identity)))
    }

    /// A page of the identities, as [`Queries::orders`].
    pub fn identities(
        &self,
        page: u64,
        per_page: u64,
        ascending: bool,
    ) -> Result<Vec<IdentityRow>, ViewsError> {
        self.database.read(&Identities, |reader| {
            listed(reader, page, per_page, ascending, |n| {
                let identity = reader.row::<Cid>(&identity_ordinal_key(n))?;
                followed(reader, identity.map(|identity| identity_key(&identity)))
            })
        })
    }

    /// A page of the pins in the order in which they were set, or against it, as [`Queries::orders`]; each with the name
    /// in its identity. There are as many as an operator sets: each call reads all of them.
    pub fn peers(
        &self,
        page: u64,
        per_page: u64,
        ascending: bool,
    ) -> Result<Vec<(PeerRow, String)>, ViewsError> {
        let mut peers: Vec<PeerRow> = self
            .database
            .read(&Peers, |reader| reader.scan(PEER_PREFIX).map(|row| reader.decode(&row?.1)).collect())?;
        peers.sort_by_key(|peer| peer.since);
        if !ascending {
            peers.reverse();
        }
        let per_page = usize::try_from(per_page.min(PAGE_ROWS_MAX)).unwrap_or(usize::MAX);
        let first = usize::try_from(page).unwrap_or(usize::MAX).saturating_mul(per_page);
        self.database.read(&Identities, |reader| {
            let named = |peer: PeerRow| {
                let identity = reader.row::<IdentityRow>(&identity_key(&peer.identity))?;
                // The identities may be behind the pins for a moment.
                Ok((peer, identity.map(|identity| identity.known.name).unwrap_or_default()))
            };
            peers.into_iter().skip(first).take(per_page).map(named).collect()
        })
    }

    /// What happened to the order with this aggregate id, refusals included, oldest first: at most `limit` entries
    /// ([`PAGE_ROWS_MAX`] at most) after a place, or from the start.
    pub fn history(
        &self,
        order: &[u8; 32],
        after: Option<HistoryPlace>,
        limit: u64,
    ) -> Result<Vec<(HistoryPlace, HistoryRow)>, ViewsError> {
        let prefix = history_prefix(order);
        let mut from = prefix.clone();
        if let Some((sequence, position)) = after {
            from.extend(sequence.to_be_bytes());
            from.extend(position.to_be_bytes());
            // The key that follows this one before any other.
            from.push(0);
        }
        self.database.read(&History, |reader| {
            let mut entries = Vec::new();
            for row in reader.scan(&from) {
                let (key, row) = row?;
                let Some(place) = key.strip_prefix(prefix.as_slice()).and_then(place) else { break };
                if entries.len() as u64 >= limit.min(PAGE_ROWS_MAX) {
                    break;
                }
                entries.push((place, reader.decode(&row)?));
            }
            Ok(entries)
        })
    }

    /// What a party has not got yet: at most `limit` steps, in the order of the records since which they are outstanding, after
    /// one of these.
    pub fn outstanding(
        &self,
        party: &Cid,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ToFetch>, ViewsError> {
        let Some(from) = after.map_or(Some(0), |after| after.checked_add(1)) else { return Ok(Vec::new()) };
        let prefix = outstanding_key(party, None);
        self.database.read(&Orders, |reader| {
            let mut found = Vec::new();
            for row in reader.scan(&outstanding_key(party, Some(from))).take(limit) {
                let (key, row) = row?;
                let sequence = key.strip_prefix(prefix.as_slice()).and_then(|rest| rest.try_into().ok());
                let Some(sequence) = sequence.map(u64::from_be_bytes) else { break };
                let (order, to) = reader.decode(&row)?;
                found.push(ToFetch { sequence, order, to });
            }
            Ok(found)
        })
    }

    /// The parties that have not got something yet, each once: at most `limit`, in the order of their CIDs.
    pub fn waiting_parties(&self, limit: usize) -> Result<Vec<Cid>, ViewsError> {
        self.database.read(&Orders, |reader| {
            let mut parties: Vec<Cid> = Vec::new();
            while parties.len() < limit {
                // The first row of the party after the last one found, however many rows that has.
                let from = match parties.last() {
                    Some(last) => [outstanding_key(last, Some(u64::MAX)), vec![0]].concat(),
                    None => OUTSTANDING_PREFIX.to_vec(),
                };
                let Some(row) = reader.scan(&from).next() else { break };
                let (key, _) = row?;
                let cid = key.strip_prefix(OUTSTANDING_PREFIX).and_then(|rest| rest.first_chunk::<36>());
                let Some(party) = cid.and_then(|cid| Cid::from_bytes(cid).ok()) else { break };
                parties.push(party);
            }
            Ok(parties)
        })
    }

    /// How many orders and identities there are.
    pub fn counts(&self) -> Result<Counts, ViewsError> {
        Ok(Counts {
            orders: self.database.read(&Orders, count)?,
            identities: self.database.read(&Identities, count)?,
        })
    }

    /// Every row of a read model, its state aside, in ascending order of the keys.
    pub(super) fn each_row(
        &self,
        projection: &'static dyn Projection,
        visit: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), ViewsError> {
        self.database.read(projection, |reader| {
            for row in reader.scan(&[1]) {
                let (key, row) = row?;
                visit(&key, &row);
            }
            Ok(())
        })
    }
}

fn place(key: &[u8]) -> Option<HistoryPlace> {
    let (sequence, position) = key.split_first_chunk()?;
    Some((u64::from_be_bytes(*sequence), u16::from_be_bytes(position.try_into().ok()?)))
}

fn count(reader: &Reader) -> Result<u64, ViewsError> {
    Ok(reader.row(COUNT_KEY)?.unwrap_or(0))
}

/// The order whose aggregate id stands under a key.
fn order_at(reader: &Reader, key: &[u8]) -> Result<Option<OrderRow>, ViewsError> {
    let id = reader.row::<[u8; 32]>(key)?;
    followed(reader, id.map(|id| order_key(&id)))
}

fn followed<T: DeserializeOwned>(reader: &Reader, key: Option<Vec<u8>>) -> Result<Option<T>, ViewsError> {
    key.map_or(Ok(None), |key| reader.row(&key))
}

/// The rows of a page: ordinals have no gaps, so a page is found by counting.
fn listed<T>(
    reader: &Reader,
    page: u64,
    per_page: u64,
    ascending: bool,
    row: impl Fn(u64) -> Result<Option<T>, ViewsError>,
) -> Result<Vec<T>, ViewsError> {
    let count = count(reader)?;
    let per_page = per_page.min(PAGE_ROWS_MAX);
    let first = page.saturating_mul(per_page);
    let end = first.saturating_add(per_page).min(count);
    let ordinals = (first..end).map(|n| if ascending { n } else { count - 1 - n });
    ordinals.filter_map(|ordinal| row(ordinal).transpose()).collect()
}
