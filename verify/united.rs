//! Exports of one order by several parties, as one: the steps of the longest, the proofs of all.

use dta_crypto::ContentKey;
use dta_protocol::manifest::ManifestError;
use dta_protocol::{CarError, Cid, Codec, Envelope, Manifest, car};
use thiserror::Error;

use crate::chain::{Chain, ChainError};
use crate::disclosure::Disclosure;
use crate::name::Name;
use crate::report::{Failure, Outcome, Report, Subject};

/// Why two exports do not go together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Conflict {
    /// They are of different orders.
    #[error("is of the order {other}, and the files before it are of {order}")]
    OtherOrder {
        /// That of the files before it.
        order: Cid,
        /// Its own.
        other: Cid,
    },
    /// A step is another than in a file before it.
    #[error("step {at} is {other}, and {step} in a file before it")]
    Steps {
        /// Which, from 1.
        at: usize,
        /// That of the files before it.
        step: Cid,
        /// Its own.
        other: Cid,
    },
}

/// Why several exports do not make one file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JoinError {
    /// There is nothing to join.
    #[error("there is no file")]
    Nothing,
    /// One is no exported chain.
    #[error("file {number}: {error}")]
    File {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        error: ChainError,
    },
    /// One does not go together with those before it.
    #[error("file {number}: {conflict}")]
    Conflict {
        /// Which, from 1.
        number: usize,
        /// In what.
        conflict: Conflict,
    },
    /// Together they have more than a manifest lists.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Together they are larger than a file may be.
    #[error(transparent)]
    Car(#[from] CarError),
}

impl Conflict {
    /// A stable name for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Conflict::OtherOrder { .. } => "other-order",
            Conflict::Steps { .. } => "steps-conflict",
        }
    }
}

impl From<Conflict> for Failure {
    fn from(conflict: Conflict) -> Self {
        Self::new(conflict.code(), conflict)
    }
}

/// Joins several exports of one order into one, with the proofs of all.
///
/// # Errors
/// The first file that is none, or does not go together with those before it; or a limit of what they come to.
pub fn join(cars: &[&[u8]]) -> Result<Vec<u8>, JoinError> {
    let mut united: Option<Chain> = None;
    for (number, car) in (1..).zip(cars) {
        let chain = Chain::read(car).map_err(|error| JoinError::File { number, error })?;
        match &mut united {
            None => united = Some(chain),
            Some(all) => {
                all.unite(chain).map_err(|conflict| JoinError::Conflict { number, conflict })?;
            }
        }
    }
    united.ok_or(JoinError::Nothing)?.pack()
}

/// Reads several exports as one; says of each whether it is one, and goes together with those before it. What is not, or does
/// not, is left out.
pub(crate) fn read(cars: &[&[u8]], report: &mut Report) -> Option<Chain> {
    let mut chains = Vec::new();
    for (number, car) in (1..).zip(cars) {
        let chain = Chain::read(car);
        let subject = Subject::Part(number);
        report.add(Name::File, subject, Outcome::of(chain.as_ref().map(|_| ()).map_err(Clone::clone)));
        chains.extend(chain.ok().map(|chain| (subject, chain)));
    }
    let mut chains = chains.into_iter();
    let (_, mut united) = chains.next()?;
    for (subject, chain) in chains {
        report.add(Name::SameOrder, subject, Outcome::of(united.unite(chain)));
    }
    Some(united)
}

/// What several parties disclose of one order. What is of another order is reported, and left out.
pub(crate) fn disclosed(
    disclosures: &[Disclosure],
    chain: &Chain,
    report: &mut Report,
) -> Option<Disclosure> {
    let mut united: Option<Disclosure> = None;
    for disclosure in disclosures {
        if !disclosure.is_for(chain, report) {
            continue;
        }
        let all = united.get_or_insert_with(|| Disclosure::new(chain.order()));
        if let Some(body) = all.unite(disclosure) {
            let text = format!("two of them have different keys to {body}");
            report.add(Name::Disclosure, Subject::File, Outcome::Fails(Failure::new("key-conflict", text)));
        }
    }
    united
}

impl Chain {
    /// Takes what another export of the same order has more.
    fn unite(&mut self, other: Chain) -> Result<(), Conflict> {
        if self.order() != other.order() {
            return Err(Conflict::OtherOrder { order: self.order(), other: other.order() });
        }
        let pairs = self.steps.iter().map(Envelope::cid).zip(other.steps.iter().map(Envelope::cid));
        if let Some((at, (step, other))) = (1..).zip(pairs).find(|(_, (step, other))| step != other) {
            return Err(Conflict::Steps { at, step, other });
        }
        let known = self.steps.len();
        self.steps.extend(other.steps.into_iter().skip(known));
        self.identities.extend(other.identities);
        self.bodies.extend(other.bodies);
        self.checkpoints.extend(other.checkpoints);
        for proof in other.proofs {
            if !self.proofs.contains(&proof) {
                self.proofs.push(proof);
            }
        }
        Ok(())
    }

    /// The file.
    fn pack(&self) -> Result<Vec<u8>, JoinError> {
        let manifest = Manifest {
            steps: self.steps.iter().map(Envelope::cid).collect(),
            identities: self.identities.keys().copied().collect(),
            proofs: self.proofs.clone(),
        };
        let root = manifest.encode()?;
        let name = Cid::of(Codec::DagCbor, &root);
        let envelopes = self.steps.iter().chain(self.checkpoints.values());
        let others = self.identities.iter().chain(&self.bodies);
        let blocks = [(name, root.as_slice())]
            .into_iter()
            .chain(envelopes.map(|envelope| (envelope.cid(), envelope.block())))
            .chain(others.map(|(cid, block)| (*cid, block.as_slice())));
        Ok(car::encode(name, blocks)?)
    }
}

impl Disclosure {
    /// Takes what another discloses more; answers a body to which it has another key, which is not taken.
    fn unite(&mut self, other: &Disclosure) -> Option<Cid> {
        let mut conflict = None;
        for body in other.bodies() {
            let Some(key) = other.key(&body) else { continue };
            match self.key(&body) {
                Some(known) if known.expose() != key.expose() => conflict = Some(body),
                Some(_) => {}
                None => self.add_key(body, ContentKey::from_bytes(*key.expose())),
            }
        }
        for cid in other.blocks() {
            if let Some(block) = other.block(&cid) {
                self.add_block(cid, block.to_vec());
            }
        }
        conflict
    }
}
