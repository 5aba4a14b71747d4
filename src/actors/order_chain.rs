//! An order's chain as everyone may have it: its envelopes, the documents of those who signed them, its sealed bodies.
//!
//! Not the sealed secret, and not the documents of parties that have signed nothing, whom the envelopes do not name.

use std::collections::BTreeMap;

use dta_events::order::Order;
use dta_protocol::{Cid, Envelope};

use super::log::LogReader;
use super::unavailable::Unavailable;

/// A block and its name.
pub type Named = (Cid, Vec<u8>);

/// What is published of an order.
pub struct OrderChain {
    /// Its steps, oldest first: those that were accepted, then our own that the fiduciary has not answered, which are signed and
    /// published too.
    pub steps: Vec<Envelope>,
    /// The documents of their signers.
    pub identities: BTreeMap<Cid, Vec<u8>>,
    /// The sealed bodies, in the order of the steps.
    pub bodies: Vec<Named>,
}

/// Reads it from the log; no steps if the order is not known.
///
/// # Errors
/// The log cannot be read, or a block in it is missing or damaged.
pub fn order_chain(log: &dyn LogReader, order: &Order) -> Result<OrderChain, Unavailable> {
    let mut all = OrderChain { steps: Vec::new(), identities: BTreeMap::new(), bodies: Vec::new() };
    for accepted in order.steps.iter().chain(order.unsettled()) {
        let cid = accepted.step.cid;
        let envelope = Envelope::decode(&needed(log, cid)?)
            .map_err(|error| Unavailable::Inconsistent(format!("block {cid}: {error}")))?;
        let statement = envelope.statement();
        if let Some(signer) = statement.signer {
            all.identities.insert(signer, needed(log, signer)?);
        }
        for descriptor in &statement.sealed {
            // One that was withheld is missed by nobody: its descriptor stays in the envelope.
            all.bodies.extend(block(log, descriptor.cid)?.map(|block| (descriptor.cid, block)));
        }
        all.steps.push(envelope);
    }
    Ok(all)
}

fn needed(log: &dyn LogReader, cid: Cid) -> Result<Vec<u8>, Unavailable> {
    let missing = || Unavailable::Inconsistent(format!("block {cid} of a chain is not published in the log"));
    block(log, cid)?.ok_or_else(missing)
}

fn block(log: &dyn LogReader, cid: Cid) -> Result<Option<Vec<u8>>, Unavailable> {
    let Some(block) = log.published_block(&cid.to_bytes())? else { return Ok(None) };
    let damaged = || Unavailable::Inconsistent(format!("block {cid} of a chain is damaged"));
    if cid.names(block.bytes()) { Ok(Some(block.bytes().to_vec())) } else { Err(damaged()) }
}
