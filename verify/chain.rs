//! The file: a CAR whose root is a manifest, and exactly the blocks that this and the steps name.

use std::collections::{BTreeMap, BTreeSet};

use dta_events::order::{Stage, rule};
use dta_protocol::manifest::Proof;
use dta_protocol::{CarError, Cid, Envelope, EnvelopeError, Kind, Manifest, ManifestError, car};
use thiserror::Error;

/// An exported chain: well-formed, and nothing of it believed yet.
pub(crate) struct Chain {
    /// At least one, oldest first; each a step of an order.
    pub(crate) steps: Vec<Envelope>,
    /// The documents of the signers and of those in whose logs the steps are proved to stand.
    pub(crate) identities: BTreeMap<Cid, Vec<u8>>,
    /// The sealed bodies that are not withheld.
    pub(crate) bodies: BTreeMap<Cid, Vec<u8>>,
    /// What is to prove that the steps stand in logs.
    pub(crate) proofs: Vec<Proof>,
    /// The checkpoints that the proofs lead to.
    pub(crate) checkpoints: BTreeMap<Cid, Envelope>,
}

/// Why a file is no exported chain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChainError {
    /// Not a CAR, or a block in it is not what its CID says.
    #[error("{0}")]
    Car(#[from] CarError),
    /// The root is not a manifest.
    #[error("the root: {0}")]
    Manifest(#[from] ManifestError),
    /// A block that the manifest lists is not there.
    #[error("{what} {cid} is not among the blocks")]
    Missing {
        /// As what it is listed.
        what: &'static str,
        /// Which.
        cid: Cid,
    },
    /// A block that nothing in the chain names.
    #[error("block {0} is there, and nothing in the chain names it")]
    Unexpected(Cid),
    /// A listed step or checkpoint is not an envelope.
    #[error("{cid}: {error}")]
    Step {
        /// Which.
        cid: Cid,
        /// What is wrong.
        error: EnvelopeError,
    },
    /// A listed step is no step of an order.
    #[error("step {cid}: an envelope of kind {kind} is no step of an order")]
    NotAStep {
        /// Which.
        cid: Cid,
        /// What it is.
        kind: Kind,
    },
    /// What a proof leads to is no checkpoint of a log.
    #[error("checkpoint {0} is an envelope of another kind")]
    NotACheckpoint(Cid),
    /// An identity that the manifest does not list, and a step or a proof needs.
    #[error("identity {0} is needed, and the manifest does not list it")]
    IdentityMissing(Cid),
    /// An identity that the manifest lists, and nothing needs.
    #[error("identity {0} is listed, and nothing in the chain needs it")]
    IdentityUnexpected(Cid),
}

impl ChainError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            ChainError::Car(error) => error.code(),
            ChainError::Manifest(error) => error.code(),
            ChainError::Missing { .. } => "block-missing",
            ChainError::Unexpected(_) => "block-unexpected",
            ChainError::Step { error, .. } => error.code(),
            ChainError::NotAStep { .. } => "step-other-kind",
            ChainError::NotACheckpoint(_) => "checkpoint-other-kind",
            ChainError::IdentityMissing(_) => "identity-missing",
            ChainError::IdentityUnexpected(_) => "identity-unexpected",
        }
    }
}

impl Chain {
    pub(crate) fn read(car: &[u8]) -> Result<Self, ChainError> {
        let (root, blocks) = car::decode(car)?;
        let mut blocks: BTreeMap<Cid, Vec<u8>> = blocks.into_iter().collect();
        let mut take = |what, cid: Cid| blocks.remove(&cid).ok_or(ChainError::Missing { what, cid });
        let Manifest { steps, identities, proofs } = Manifest::decode(&take("the root", root)?)?;
        let steps = steps
            .into_iter()
            .map(|cid| read_step(cid, &take("step", cid)?))
            .collect::<Result<Vec<_>, _>>()?;
        let identities = identities
            .into_iter()
            .map(|cid| Ok((cid, take("identity", cid)?)))
            .collect::<Result<BTreeMap<_, _>, ChainError>>()?;
        let named: BTreeSet<Cid> = proofs.iter().map(|proof| proof.checkpoint).collect();
        let checkpoints = named
            .into_iter()
            .map(|cid| Ok((cid, read_checkpoint(cid, &take("checkpoint", cid)?)?)))
            .collect::<Result<BTreeMap<_, _>, ChainError>>()?;
        check_identities(&steps, &proofs, &identities)?;
        let descriptors = steps.iter().flat_map(|step| &step.statement().sealed);
        let bodies = descriptors.filter_map(|body| blocks.remove_entry(&body.cid)).collect();
        match blocks.keys().next() {
            Some(cid) => Err(ChainError::Unexpected(*cid)),
            None => Ok(Self { steps, identities, bodies, proofs, checkpoints }),
        }
    }

    /// The CID of the first step, which is the order's identity if that places one.
    pub(crate) fn order(&self) -> Cid {
        // A manifest lists a step.
        self.steps.first().map(Envelope::cid).unwrap_or_else(|| Cid::of(dta_protocol::Codec::DagCbor, &[]))
    }

    /// The reference of the first step.
    pub(crate) fn reference(&self) -> &str {
        self.steps.first().map(|step| step.statement().subject.as_str()).unwrap_or_default()
    }

    /// How far the steps lead by the table, those left out that may not follow.
    pub(crate) fn stage(&self) -> Stage {
        self.steps.iter().fold(Stage::New, |stage, step| after(stage, step.statement().kind).unwrap_or(stage))
    }
}

/// The stage after a step of this kind; none if it may not follow.
pub(crate) fn after(stage: Stage, kind: Kind) -> Option<Stage> {
    let rule = rule(kind).filter(|rule| rule.from.contains(&stage))?;
    Some(rule.to.unwrap_or(stage))
}

fn read_step(cid: Cid, block: &[u8]) -> Result<Envelope, ChainError> {
    let envelope = Envelope::decode(block).map_err(|error| ChainError::Step { cid, error })?;
    let kind = envelope.statement().kind;
    if rule(kind).is_none() {
        return Err(ChainError::NotAStep { cid, kind });
    }
    Ok(envelope)
}

fn read_checkpoint(cid: Cid, block: &[u8]) -> Result<Envelope, ChainError> {
    let envelope = Envelope::decode(block).map_err(|error| ChainError::Step { cid, error })?;
    let checkpoint = envelope.statement().kind == Kind::Checkpoint;
    checkpoint.then_some(envelope).ok_or(ChainError::NotACheckpoint(cid))
}

/// Exactly those are listed whom the chain needs: nobody slips in as a signer by being listed.
fn check_identities(
    steps: &[Envelope],
    proofs: &[Proof],
    listed: &BTreeMap<Cid, Vec<u8>>,
) -> Result<(), ChainError> {
    let signers = steps.iter().filter_map(|step| step.statement().signer);
    let needed: BTreeSet<Cid> = signers.chain(proofs.iter().map(|proof| proof.log)).collect();
    if let Some(cid) = needed.iter().find(|cid| !listed.contains_key(cid)) {
        return Err(ChainError::IdentityMissing(*cid));
    }
    match listed.keys().find(|cid| !needed.contains(cid)) {
        Some(cid) => Err(ChainError::IdentityUnexpected(*cid)),
        None => Ok(()),
    }
}
