//! Every identity and envelope that the records bring: its block, its facts, its place in the chain, its signature.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, bail, ensure};
use dta_events::identity;
use dta_events::ids::{identity_aggregate, order_aggregate};
use dta_events::order::{self, Order, Party, Step, StepAppended, StepFacts, rule};
use dta_events::record::{Aggregate, Record};
use dta_protocol::{Cid, Envelope, Identity, Kind};

use super::books::Books;
use super::deep::Deep;
use super::fold::{Happened, each_record};
use crate::actors::keyring::Keyring;
use crate::actors::log::{LogReader, StoredBlock};
use crate::ports::OsEntropy;

/// Envelopes whose signatures are verified together.
const WINDOW: usize = 256;

/// What was found whole.
pub(super) struct Findings {
    pub(super) identities: usize,
    pub(super) orders: usize,
    pub(super) signatures: u64,
    pub(super) deep: Option<Deep>,
}

/// What is damaged, for people to find it.
struct Place {
    sequence: u64,
    /// The order's reference; empty for an identity.
    reference: String,
    what: &'static str,
    cid: Cid,
}

/// A well-formed envelope whose signature is still to be verified.
struct Signed {
    place: Place,
    envelope: Envelope,
    /// The step it makes; none if it is the evidence of an equivocation.
    step: Option<Taken>,
}

/// A step, and the order with it.
pub(super) struct Taken {
    pub(super) id: Aggregate,
    pub(super) step: Step,
    pub(super) order: Order,
}

struct Audit<'a> {
    books: Books<'a>,
    window: Vec<Signed>,
    signatures: u64,
    deep: Option<Deep>,
}

/// Checks them all; with a keyring also what they seal to identities hosted here, in one order or in all.
///
/// # Errors
/// The first damage by sequence, with its place.
pub(super) fn audit(
    log: &dyn LogReader,
    deep: Option<(Keyring, Option<Aggregate>)>,
    progress: &mut dyn FnMut(u64, u64),
) -> anyhow::Result<Findings> {
    let total = log.head()?.count;
    let (keyring, deep) = deep.map(|(keyring, only)| (keyring, Deep::new(only))).unzip();
    let mut audit = Audit { books: Books::new(log, keyring), window: Vec::new(), signatures: 0, deep };
    let walked = each_record(log, None, &mut |entry| {
        audit.record(&entry.record)?;
        progress(entry.record.sequence + 1, total);
        Ok(())
    });
    // A signature that is wrong stands before what stopped the walk.
    audit.flush()?;
    walked?;
    audit.check_secrets()?;
    let Audit { books, signatures, deep, .. } = audit;
    let (identities, orders) = (books.world.identities(), books.world.orders.len());
    Ok(Findings { identities, orders, signatures, deep })
}

impl Audit<'_> {
    fn record(&mut self, record: &Record) -> anyhow::Result<()> {
        let all = Happened::of(record)?;
        if record.sequence == 0 && !matches!(all.as_slice(), [Happened::Node(_)]) {
            bail!("sequence 0: the first record does not say whose log it is");
        }
        for happened in all {
            match &happened {
                Happened::Node(_) => {}
                Happened::Identity(event) => {
                    let place = Place {
                        sequence: record.sequence,
                        reference: String::new(),
                        what: "identity",
                        cid: event.known().cid,
                    };
                    self.identity(record, event).context(place)?;
                }
                Happened::Order(event) => self.event(record, event)?,
            }
            self.books.world.apply(&record.aggregate, &happened);
            if let Happened::Identity(event) = &happened {
                self.books.party(&event.known().cid)?;
                self.signatures += 1;
            }
        }
        if self.window.len() >= WINDOW { self.flush() } else { Ok(()) }
    }

    fn identity(&self, record: &Record, event: &identity::Event) -> anyhow::Result<()> {
        let known = event.known();
        let document = Identity::decode(&self.books.published(&known.cid)?)?;
        ensure!(identity::Known::of(&document) == *known, "the record says something else than its document");
        ensure!(record.aggregate == identity_aggregate(&known.cid), "it stands in another's history");
        Ok(())
    }

    fn event(&mut self, record: &Record, event: &order::Event) -> anyhow::Result<()> {
        let order = self.books.world.orders.get(&record.aggregate.id).cloned().unwrap_or_default();
        let place = |reference: &str, what, cid: &Cid| Place {
            sequence: record.sequence,
            reference: reference.to_owned(),
            what,
            cid: *cid,
        };
        match event {
            order::Event::StepAppended(appended) => {
                let step = &appended.step;
                let place = place(&appended.reference, step.facts.kind().as_str(), &step.cid);
                let before = order.seen_from(step.previous.as_ref());
                match self.step(record, appended, &before) {
                    Ok(envelope) => {
                        // As it will be once it is accepted: who reads what follows from that.
                        let accepted = StepAppended { pending: false, ..appended.clone() };
                        let order = before.apply(&order::Event::StepAppended(accepted));
                        let taken = Taken { id: record.aggregate, step: step.clone(), order };
                        self.window.push(Signed { place, envelope, step: Some(taken) });
                    }
                    Err(error) => return Err(error.context(place)),
                }
            }
            order::Event::EquivocationSeen { first, second } => {
                let place = place(&order.reference, "the second statement", second);
                match self.equivocation(&order, first, second) {
                    Ok(envelope) => self.window.push(Signed { place, envelope, step: None }),
                    Err(error) => return Err(error.context(place)),
                }
            }
            order::Event::StepRefused { cid, .. } => {
                let pending = order.pending.as_ref().is_some_and(|pending| pending.step.cid == *cid);
                let place = place(&order.reference, "the refused step", cid);
                ensure!(pending, "{place}: does not wait for an answer");
            }
            order::Event::RetentionEnded { secret, .. } => {
                let held = order.secret.is_some_and(|held| held.cid == *secret);
                let place = place(&order.reference, "the dropped secret", secret);
                ensure!(held, "{place}: is not the order's");
            }
        }
        Ok(())
    }

    /// The envelope of a step, which must be what the record says, and where it says.
    fn step(&self, record: &Record, appended: &StepAppended, before: &Order) -> anyhow::Result<Envelope> {
        let StepAppended { reference, step, .. } = appended;
        let kind = step.facts.kind();
        let envelope = Envelope::decode(&self.books.published(&step.cid)?)?;
        let statement = envelope.statement();
        let sealed: Vec<Cid> = statement.sealed.iter().map(|descriptor| descriptor.cid).collect();
        for (holds, field) in [
            (statement.kind == kind, "kind"),
            (statement.subject == *reference, "subject"),
            (statement.signer == Some(step.signer), "signer"),
            (statement.previous == step.previous, "previous"),
            (statement.issued_at_ms == step.issued_at_ms, "issued_at_ms"),
            (sealed == step.sealed, "sealed"),
            (envelope.statement_hash() == step.statement, "statement hash"),
        ] {
            ensure!(holds, "its {field} is not the one in the record");
        }
        for cid in &step.sealed {
            self.books.published(cid)?;
        }
        let rule = rule(kind).with_context(|| format!("{kind} is no step of an order"))?;
        let parties = match &step.facts {
            StepFacts::Placed { parties, .. } => Some(parties),
            _ => before.parties.as_ref(),
        };
        let parties = parties.context("it belongs to no order")?;
        let signer = match rule.signer {
            Party::Principal => Some(parties.principal),
            Party::Fiduciary => Some(parties.fiduciary),
            Party::Beneficiary => parties.beneficiary,
        };
        ensure!(signer == Some(step.signer), "its signer is not the order's {}", rule.signer.as_str());
        ensure!(
            record.aggregate == order_aggregate(&parties.principal, reference),
            "it stands in another order's history"
        );
        ensure!(
            self.books.world.identity(&step.signer).is_some(),
            "its signer {} is not known by then",
            step.signer
        );
        let head = before.head();
        ensure!(
            step.previous == head.map(|head| head.cid),
            "its previous is not the last accepted step of the order"
        );
        ensure!(
            head.is_none_or(|head| head.issued_at_ms <= step.issued_at_ms),
            "it was issued before the step that it answers"
        );
        ensure!(
            rule.from.contains(&before.stage),
            "it cannot follow while the order is {}",
            before.stage.as_str()
        );
        if let StepFacts::RedemptionRequested { beneficiary } | StepFacts::Released { beneficiary, .. } =
            &step.facts
        {
            let named = parties.beneficiary;
            ensure!(named.is_none_or(|named| named == *beneficiary), "its beneficiary is not the order's");
        }
        Ok(envelope)
    }

    fn equivocation(&self, order: &Order, first: &Cid, second: &Cid) -> anyhow::Result<Envelope> {
        let first = order.steps.iter().map(|accepted| &accepted.step).find(|step| step.cid == *first);
        let first = first.context("the first statement is not a step of the order")?;
        let block = match self.books.block(second)?.with_context(|| format!("block {second} is missing"))? {
            StoredBlock::Published(block) => block.bytes().to_vec(),
            StoredBlock::Held(block) => block.bytes().to_vec(),
        };
        let envelope = Envelope::decode(&block)?;
        let statement = envelope.statement();
        let kind = first.facts.kind();
        let slot = matches!(kind, Kind::Placed | Kind::Committed) || statement.previous == first.previous;
        let same = slot
            && statement.kind == kind
            && statement.signer == Some(first.signer)
            && statement.subject == order.reference;
        ensure!(same, "it does not stand in the first one's place");
        ensure!(envelope.statement_hash() != first.statement, "it says the same as the first");
        Ok(envelope)
    }

    /// Verifies the signatures of the window, then opens what can be opened; the first failure by sequence is told.
    fn flush(&mut self) -> anyhow::Result<()> {
        let mut by_signer: BTreeMap<Cid, (Vec<usize>, Vec<Envelope>)> = BTreeMap::new();
        let mut steps = Vec::new();
        for (n, Signed { place, envelope, step }) in std::mem::take(&mut self.window).into_iter().enumerate()
        {
            let signer = envelope.statement().signer.with_context(|| format!("{place}: has no signer"))?;
            let (places, envelopes) = by_signer.entry(signer).or_default();
            places.push(n);
            envelopes.push(envelope);
            steps.push((place, step));
        }
        let mut verified = BTreeMap::new();
        for (signer, (places, envelopes)) in by_signer {
            let signer = self.books.party(&signer)?;
            let answers = Envelope::verify_batch(envelopes, &signer.document, &mut OsEntropy);
            verified.extend(places.into_iter().zip(answers));
        }
        for ((place, step), answer) in steps.into_iter().zip(verified.into_values()) {
            match (answer, &mut self.deep, step) {
                (Err(error), _, _) => return Err(anyhow::Error::new(error).context(place)),
                (Ok(envelope), Some(deep), Some(step)) => {
                    deep.step(&mut self.books, &envelope, &step).context(place)?;
                }
                _ => {}
            }
            self.signatures += 1;
        }
        Ok(())
    }

    /// A released secret is held here until its retention ends, and never published.
    fn check_secrets(&self) -> anyhow::Result<()> {
        for order in self.books.world.orders.values() {
            let Some(secret) = order.secret else { continue };
            let here = order.hosts(Party::Fiduciary) || order.hosts(Party::Beneficiary);
            let wrong = match self.books.block(&secret.cid)? {
                Some(StoredBlock::Published(_)) => "is published",
                Some(StoredBlock::Held(_)) if secret.ended => "is still here after its retention ended",
                None if here && !secret.ended => "is missing",
                _ => continue,
            };
            bail!("order {}: the sealed secret {} {wrong}", order.reference, secret.cid);
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, reference, what, cid } = self;
        match reference.is_empty() {
            true => write!(f, "sequence {sequence}: {what} {cid}"),
            false => write!(f, "sequence {sequence}: order {reference}, {what} {cid}"),
        }
    }
}
