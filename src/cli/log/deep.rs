//! What the sealed bodies say and prove, as far as identities hosted here can open them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail, ensure};
use dta_crypto::ContentKey;
use dta_events::order::{DisputeCode, Order, Party, Stage, Step, StepFacts, Terms};
use dta_events::record::Aggregate;
use dta_protocol::body::{self, Plaintext, verify_commitment_proof, verify_received_proof};
use dta_protocol::{Cid, Descriptor, Envelope, Kind, Role, Statement};

use super::audit::Taken;
use super::books::Books;
use super::released::{Judged, judge_dispute, judge_secret, parties_body};

/// What was opened, order by order.
pub(super) struct Deep {
    only: Option<Aggregate>,
    reports: Vec<Report>,
    /// Where in `reports`, by the order's aggregate.
    places: BTreeMap<[u8; 32], usize>,
}

/// What was opened of one order.
pub(super) struct Report {
    reference: String,
    stage: Stage,
    commitment: Proof,
    receipt: Proof,
    secret: Judged,
    dispute: Judged,
    opened: u64,
    /// Bodies sealed to others.
    unopened: BTreeSet<Cid>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    None,
    NotOpenable,
    Holds,
}

/// What a body says beyond the record's facts.
enum Said {
    Nothing,
    Keys(BTreeMap<Cid, ContentKey>),
    Secret(Box<Descriptor>),
    Dispute(DisputeCode, Option<ContentKey>),
}

impl Deep {
    /// For all orders, or only one.
    pub(super) fn new(only: Option<Aggregate>) -> Self {
        Self { only, reports: Vec::new(), places: BTreeMap::new() }
    }

    /// The orders, as they came to stand in the log.
    pub(super) fn reports(&self) -> &[Report] {
        &self.reports
    }

    /// How many bodies were opened, and how many are sealed to others.
    pub(super) fn bodies(&self) -> (u64, usize) {
        let unopened = self.reports.iter().map(|report| report.unopened.len()).sum();
        (self.reports.iter().map(|report| report.opened).sum(), unopened)
    }

    /// Opens the bodies of one more step, whose signature is verified.
    pub(super) fn step(
        &mut self,
        books: &mut Books,
        envelope: &Envelope,
        taken: &Taken,
    ) -> anyhow::Result<()> {
        let Taken { id, step, order } = taken;
        if self.only.is_some_and(|only| only != *id) {
            return Ok(());
        }
        let next = self.reports.len();
        let place = *self.places.entry(id.id).or_insert(next);
        if place == next {
            self.reports.push(Report::new(&order.reference));
        }
        match self.reports.get_mut(place) {
            Some(report) => report.step(books, envelope.statement(), step, order),
            None => Ok(()),
        }
    }
}

impl Report {
    fn new(reference: &str) -> Self {
        Self {
            reference: reference.to_owned(),
            stage: Stage::New,
            commitment: Proof::None,
            receipt: Proof::None,
            secret: Judged::NotHere,
            dispute: Judged::NotHere,
            opened: 0,
            unopened: BTreeSet::new(),
        }
    }

    fn step(
        &mut self,
        books: &mut Books,
        statement: &Statement,
        step: &Step,
        order: &Order,
    ) -> anyhow::Result<()> {
        self.stage = order.stage;
        match statement.kind {
            Kind::Committed => self.commitment = Proof::NotOpenable,
            Kind::Received => self.receipt = Proof::NotOpenable,
            _ => {}
        }
        for descriptor in &statement.sealed {
            let readers = match descriptor.role {
                Role::Parties => order.readers(statement.kind, None),
                _ => order.party(Party::Beneficiary).into_iter().collect(),
            };
            let block = books.published(&descriptor.cid)?;
            match books.open(statement, descriptor, &block, &readers)? {
                None => _ = self.unopened.insert(descriptor.cid),
                Some((_, plaintext)) if descriptor.role == Role::Parties => {
                    let said = self.read(step, order, plaintext.expose())?;
                    self.judge(books, statement, order, said)?;
                }
                Some((_, plaintext)) => {
                    body::BeneficiaryData::decode(plaintext.expose()).context("data for the beneficiary")?;
                    self.opened += 1;
                }
            }
        }
        Ok(())
    }

    /// The plaintext of a `parties` body: it must say what the record says, and its proof must hold.
    fn read(&mut self, step: &Step, order: &Order, plaintext: &[u8]) -> anyhow::Result<Said> {
        self.opened += 1;
        let named = |party| order.party(party).context("a party is not named");
        let placed = order.placed().context("the order was not placed")?;
        let mut said = Said::Nothing;
        match &step.facts {
            StepFacts::Placed { parties, plugin, coin, terms } => {
                let body = body::Placed::decode(plaintext)?;
                let policy = &body.policy;
                let sealed = Terms {
                    not_before_ms: policy.not_before_ms,
                    expires_at_ms: policy.expires_at_ms,
                    retention_ms: policy.retention_ms,
                };
                agree(body.reference == order.reference, "reference")?;
                agree(body.fiduciary == parties.fiduciary, "fiduciary")?;
                agree(body.beneficiary == parties.beneficiary, "beneficiary")?;
                agree(body.plugin == *plugin, "plugin")?;
                agree(body.coin == *coin, "coin")?;
                let reserved = policy.delay_ms == 0
                    && policy.guardian.is_none()
                    && policy.approvers.is_empty()
                    && policy.approvals_required == 0;
                agree(sealed == *terms && reserved, "policy")?;
            }
            StepFacts::Committed { commitment } => {
                let body = body::Committed::decode(plaintext)?;
                agree(body.commitment == *commitment, "commitment")?;
                verify_commitment_proof(&placed, &named(Party::Fiduciary)?, commitment, &body.proof)
                    .context("the commitment proof does not hold")?;
                self.commitment = Proof::Holds;
            }
            StepFacts::RedemptionRequested { beneficiary } => {
                let body = body::RedemptionRequested::decode(plaintext)?;
                agree(body.beneficiary == *beneficiary, "beneficiary")?;
                said = Said::Keys(body.keys);
            }
            StepFacts::Released { beneficiary, secret } => {
                let body = body::Released::decode(plaintext)?;
                agree(body.beneficiary == *beneficiary, "beneficiary")?;
                agree(body.secret.cid == *secret, "secret")?;
                said = Said::Secret(Box::new(body.secret));
            }
            StepFacts::Received => {
                let body = body::Received::decode(plaintext)?;
                let released = step.previous.context("it answers nothing")?;
                let commitment = order.commitment().context("there is no commitment")?;
                verify_received_proof(&released, &named(Party::Beneficiary)?, &commitment, &body.proof)
                    .context("the receipt proof does not hold")?;
                self.receipt = Proof::Holds;
            }
            StepFacts::Disputed { code } => {
                let body = body::Disputed::decode(plaintext)?;
                agree(body.code == *code, "code")?;
                said = Said::Dispute(body.code, body.content_key);
            }
            StepFacts::CancellationRequested => _ = body::CancellationRequested::decode(plaintext)?,
            StepFacts::Closed { code } => agree(body::Closed::decode(plaintext)?.code == *code, "code")?,
        }
        Ok(said)
    }

    fn judge(
        &mut self,
        books: &mut Books,
        statement: &Statement,
        order: &Order,
        said: Said,
    ) -> anyhow::Result<()> {
        match said {
            Said::Nothing => {}
            Said::Keys(keys) => self.disclosed(books, order, &keys)?,
            Said::Secret(descriptor) => {
                self.secret = judge_secret(books, statement, order, &descriptor, None)?;
                let own = order.hosts(Party::Fiduciary);
                if own && matches!(self.secret, Judged::CannotOpen | Judged::Wrong) {
                    bail!("the sealed secret {} is not the one committed to", descriptor.cid);
                }
            }
            Said::Dispute(code, key) => self.dispute = judge_dispute(books, order, code, key)?,
        }
        Ok(())
    }

    /// The keys in a redemption open what was sealed before the beneficiary was named. Those that a stranger discloses
    /// to a stranger are theirs to judge.
    fn disclosed(
        &mut self,
        books: &mut Books,
        order: &Order,
        keys: &BTreeMap<Cid, ContentKey>,
    ) -> anyhow::Result<()> {
        if !order.hosts(Party::Principal) && !order.hosts(Party::Beneficiary) {
            return Ok(());
        }
        for kind in [Kind::Placed, Kind::Committed] {
            let step = &order.step(kind).with_context(|| format!("the order has no {kind}"))?.step;
            let (statement, descriptor) = parties_body(books, step)?;
            let key =
                keys.get(&descriptor.cid).with_context(|| format!("it discloses no key of the {kind}"))?;
            let block = books.published(&descriptor.cid)?;
            let readers = order.readers(kind, None);
            let plaintext = books.open_with(key, &statement, &descriptor, &block, &readers)?;
            if self.unopened.remove(&descriptor.cid) {
                self.read(step, order, plaintext.expose())?;
            }
        }
        Ok(())
    }

    /// One line for people.
    pub(super) fn line(&self) -> String {
        let proof = |name: &str, proof: Proof| match proof {
            Proof::None => format!("no {name}"),
            Proof::NotOpenable => format!("{name} proof not openable here"),
            Proof::Holds => format!("{name} proof ok"),
        };
        let mut parts = vec![proof("commitment", self.commitment)];
        parts.push(match (self.stage, self.dispute) {
            (Stage::Disputed, Judged::NotHere) => "dispute not judged here".into(),
            (Stage::Disputed, Judged::Genuine) => "dispute unfounded: the secret is genuine".into(),
            (Stage::Disputed, _) => "dispute upheld".into(),
            _ => proof("receipt", self.receipt),
        });
        match self.secret {
            Judged::NotHere => {}
            Judged::Genuine => parts.push("secret ok".into()),
            Judged::CannotOpen => parts.push("secret cannot be opened".into()),
            Judged::Wrong => parts.push("secret is not the one committed to".into()),
        }
        if !self.unopened.is_empty() {
            parts.push(format!("bodies not openable here: {}", self.unopened.len()));
        }
        format!("order {}: {}", self.reference, parts.join(", "))
    }
}

fn agree(holds: bool, field: &str) -> anyhow::Result<()> {
    ensure!(holds, "the sealed {field} is not the one in the record");
    Ok(())
}
