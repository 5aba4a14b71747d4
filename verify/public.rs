//! What anyone can check who holds the file: identities, signatures, links, the order of the steps, times.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dta_events::order::{CLOCK_SKEW_MS, Party, Rejection, Stage, rule};
use dta_protocol::{Cid, Envelope, Identity, IdentityError, Kind};

use crate::Auditor;
use crate::chain::{Chain, after};
use crate::disclosure::Disclosure;
use crate::name::Name;
use crate::report::{Failure, Outcome, Report, Subject};
use crate::signatures::Signatures;

/// The identities whose documents are at hand and hold.
pub(crate) struct People(BTreeMap<Cid, Arc<Identity>>);

impl People {
    pub(crate) fn get(&self, cid: &Cid) -> Option<&Identity> {
        self.0.get(cid).map(|identity| &**identity)
    }

    /// With those of parties who have signed nothing, whose documents only the parties may show.
    pub(crate) fn with(mut self, disclosure: Option<&Disclosure>, signatures: &Signatures) -> Self {
        for (cid, block) in disclosure.into_iter().flat_map(Disclosure::documents) {
            if let Ok(identity) = document(cid, block, signatures) {
                self.0.entry(identity.cid()).or_insert(identity);
            }
        }
        self
    }
}

/// The subject of a check of this step.
pub(crate) fn step(envelope: &Envelope) -> Subject {
    Subject::Step(envelope.statement().kind, envelope.cid())
}

/// Makes these checks; answers the identities that hold.
pub(crate) fn check(chain: &Chain, auditor: &Auditor<'_>, report: &mut Report) -> People {
    let people = identities(chain, auditor.signatures, report);
    let signers: BTreeSet<Cid> = chain.steps.iter().filter_map(|step| step.statement().signer).collect();
    for cid in signers {
        let judged = auditor.trusted.contains(&cid).then_some(());
        let not = || Failure::new("signer-not-trusted", "is not among the identities given as trusted");
        report.add(Name::TrustedSigner, Subject::Identity(cid), Outcome::of(judged.ok_or_else(not)));
    }
    for envelope in &chain.steps {
        report.add(
            Name::Signature,
            step(envelope),
            Outcome::of(signature(envelope, &people, auditor.signatures)),
        );
    }
    let before = |at: usize| at.checked_sub(1).and_then(|before| chain.steps.get(before));
    for (at, envelope) in chain.steps.iter().enumerate() {
        report.add(Name::Link, step(envelope), Outcome::of(link(envelope, before(at))));
    }
    let mut stage = Stage::New;
    for envelope in &chain.steps {
        let kind = envelope.statement().kind;
        let next = after(stage, kind).ok_or(Rejection::OutOfState { act: kind.as_str(), stage });
        report.add(Name::Sequence, step(envelope), Outcome::of(next.clone().map(|_| ())));
        stage = next.unwrap_or(stage);
    }
    let mut signers = BTreeMap::new();
    for envelope in &chain.steps {
        report.add(Name::OneSigner, step(envelope), Outcome::of(one_signer(envelope, &mut signers)));
    }
    for (at, envelope) in chain.steps.iter().enumerate() {
        report.add(Name::Time, step(envelope), Outcome::of(time(envelope, before(at), auditor.now_ms)));
    }
    people
}

fn identities(chain: &Chain, signatures: &Signatures, report: &mut Report) -> People {
    let mut people = BTreeMap::new();
    for (cid, block) in &chain.identities {
        let outcome = match document(cid, block, signatures) {
            Ok(identity) => {
                people.insert(*cid, identity);
                Outcome::Holds
            }
            Err(error) => Outcome::Fails(Failure::new(error.code(), error)),
        };
        report.add(Name::Identity, Subject::Identity(*cid), outcome);
    }
    People(people)
}

/// The document of an identity, whose block this is by its name.
fn document(cid: &Cid, block: &[u8], signatures: &Signatures) -> Result<Arc<Identity>, IdentityError> {
    signatures.identity(cid).map_or_else(|| Identity::decode(block).map(Arc::new), Ok)
}

fn signature(envelope: &Envelope, people: &People, signatures: &Signatures) -> Result<(), Failure> {
    let signer = envelope.statement().signer.and_then(|signer| people.get(&signer));
    let signer =
        signer.ok_or_else(|| Failure::new("signature-invalid", "its signer's document does not hold"))?;
    if signatures.has(envelope) {
        return Ok(());
    }
    match envelope.clone().verify(signer) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::new(error.code(), error)),
    }
}

fn link(envelope: &Envelope, before: Option<&Envelope>) -> Result<(), Failure> {
    let statement = envelope.statement();
    let Some(before) = before else {
        let first = statement.kind == Kind::Placed;
        return first.then_some(()).ok_or_else(|| {
            Failure::new(
                "order-not-placed",
                "the oldest step does not place an order: steps before it are missing",
            )
        });
    };
    if statement.previous != Some(before.cid()) {
        return Err(Failure::new("wrong-previous", "does not answer the step before it"));
    }
    if statement.subject != before.statement().subject {
        return Err(Rejection::WrongReference.into());
    }
    Ok(())
}

fn one_signer(envelope: &Envelope, signers: &mut BTreeMap<Party, Option<Cid>>) -> Result<(), Rejection> {
    let statement = envelope.statement();
    let Some(rule) = rule(statement.kind) else { return Err(Rejection::UnknownOrder) };
    if *signers.entry(rule.signer).or_insert(statement.signer) == statement.signer {
        Ok(())
    } else {
        Err(Rejection::WrongSigner(rule.signer))
    }
}

fn time(envelope: &Envelope, before: Option<&Envelope>, now_ms: u64) -> Result<(), Failure> {
    let issued_at_ms = envelope.statement().issued_at_ms;
    if before.is_some_and(|before| issued_at_ms < before.statement().issued_at_ms) {
        return Err(Rejection::IssuedBeforePrevious.into());
    }
    if issued_at_ms > now_ms.saturating_add(CLOCK_SKEW_MS) {
        let code = Rejection::IssuedInFuture.code();
        return Err(Failure::new(code, "issued_at_ms: is more than 300 s after the audit"));
    }
    Ok(())
}
