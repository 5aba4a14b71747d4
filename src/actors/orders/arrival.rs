//! What another node sent about an order: its steps, oldest first, with the blocks they need. Nothing of it is believed yet.

use std::collections::HashMap;

use dta_events::order::Root;
use dta_protocol::{Cid, Envelope, EnvelopeError, Identity, Kind};
use thiserror::Error;

use crate::contain::{Panicked, contain};

/// Steps of one order, as they came.
pub struct Arrival {
    /// Who made the call: its signature on that was verified.
    pub from: Identity,
    /// The identity hosted here that opens what is sealed.
    pub to: Cid,
    /// Oldest first, each answering the one before; at least one.
    pub steps: Vec<Envelope>,
    /// All blocks that came.
    pub blocks: HashMap<Cid, Vec<u8>>,
}

/// Why blocks are no steps of an order.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ArrivalError {
    /// The root, or what it links to, is no envelope.
    #[error("{cid}: {error}")]
    Envelope {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        error: EnvelopeError,
    },
    /// The root is not there.
    #[error("the root block is not in the CAR")]
    NoRoot,
    /// An envelope that is no step of an order.
    #[error("{cid}: is of kind {kind}, which is no step of an order")]
    NoStep {
        /// The block.
        cid: Cid,
        /// Its kind.
        kind: Kind,
    },
    /// The steps tell of more than one order.
    #[error("{0}: tells of another order than the step that links to it")]
    OtherOrder(Cid),
    /// A fault of ours.
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

impl ArrivalError {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            ArrivalError::Envelope { error, .. } => error.code(),
            ArrivalError::NoRoot => "root-missing",
            ArrivalError::NoStep { .. } => "not-a-step",
            ArrivalError::OtherOrder(_) => "other-order",
            ArrivalError::Panicked(_) => "internal",
        }
    }
}

impl Arrival {
    /// Reads the steps from the root back, as far as the blocks go.
    ///
    /// # Errors
    /// They are no steps of one order.
    pub fn read(
        from: Identity,
        to: Cid,
        root: Cid,
        blocks: HashMap<Cid, Vec<u8>>,
    ) -> Result<Self, ArrivalError> {
        let steps = contain(|| steps(root, &blocks))??;
        Ok(Self { from, to, steps, blocks })
    }

    /// The newest step.
    pub(super) fn root(&self) -> Option<Root> {
        let envelope = self.steps.last()?;
        let statement = envelope.statement();
        Some(Root {
            cid: envelope.cid(),
            statement: envelope.statement_hash(),
            kind: statement.kind,
            signer: statement.signer,
            previous: statement.previous,
        })
    }
}

fn steps(root: Cid, blocks: &HashMap<Cid, Vec<u8>>) -> Result<Vec<Envelope>, ArrivalError> {
    let mut steps: Vec<Envelope> = Vec::new();
    let (mut next, mut subject) = (Some(root), None);
    // A block names the one before it by its hash, so this ends.
    while let Some((cid, block)) = next.and_then(|cid| Some((cid, blocks.get(&cid)?))) {
        let envelope = Envelope::decode(block).map_err(|error| ArrivalError::Envelope { cid, error })?;
        let statement = envelope.statement();
        if dta_events::order::rule(statement.kind).is_none() {
            return Err(ArrivalError::NoStep { cid, kind: statement.kind });
        }
        if *subject.get_or_insert_with(|| statement.subject.clone()) != statement.subject {
            return Err(ArrivalError::OtherOrder(cid));
        }
        next = statement.previous;
        steps.push(envelope);
    }
    if steps.is_empty() {
        return Err(ArrivalError::NoRoot);
    }
    steps.reverse();
    Ok(steps)
}
