//! Every identity and envelope that the records bring, in order: the envelope by itself, then its signature, then what it
//! seals.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, bail, ensure};
use dta_events::ids::peer_aggregate;
use dta_events::log::{self, Checkpointed};
use dta_events::node;
use dta_events::order::{self, Order, Party, Step, StepAppended};
use dta_events::record::{Aggregate, AggregateKind, Record};
use dta_protocol::{Cid, Envelope, Kind};

use super::books::Books;
use super::deep::Deep;
use super::envelopes;
use super::fold::{Happened, each_record};
use crate::actors::keyring::Keyring;
use crate::actors::log::{LogReader, StoredBlock};
use crate::cli::parallel;

/// Envelopes whose signatures are verified together.
const WINDOW: usize = 1_024;

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
    /// The step it makes; none if it is the evidence of an equivocation, or a checkpoint.
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
    /// The newest checkpoint so far.
    checkpoint: Option<Checkpointed>,
    epoch: u64,
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
    let books = Books::new(log, keyring);
    let mut audit = Audit { books, checkpoint: None, epoch: 0, window: Vec::new(), signatures: 0, deep };
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
        if record.sequence == 0 && !matches!(all.as_slice(), [Happened::Node(node::Event::Initialised(_))]) {
            bail!("sequence 0: the first record does not say whose log it is");
        }
        for happened in all {
            match &happened {
                Happened::Node(node::Event::Initialised(_)) => {
                    ensure!(record.sequence == 0, "sequence {}: a log begins once", record.sequence);
                }
                Happened::Node(node::Event::Recovered(recovered)) => {
                    let place = format!("sequence {}: a recovery", record.sequence);
                    ensure!(recovered.records == record.sequence, "{place} of another number of records");
                    ensure!(recovered.last == record.previous, "{place} of another log");
                    ensure!(recovered.epoch > self.epoch, "{place} does not begin a new epoch");
                    self.epoch = recovered.epoch;
                }
                Happened::Peer(event) => {
                    let (sequence, cid) = (record.sequence, *event.identity());
                    let place = Place { sequence, reference: String::new(), what: "the pin of", cid };
                    let known = self.books.world.identity(&cid).is_some();
                    ensure!(record.aggregate == peer_aggregate(&cid), "{place}: stands in another's history");
                    ensure!(known, "{place}: is not known by then");
                }
                Happened::Identity(event) => {
                    let place = Place {
                        sequence: record.sequence,
                        reference: String::new(),
                        what: "identity",
                        cid: event.known().cid,
                    };
                    envelopes::identity(&self.books, record, event).context(place)?;
                }
                Happened::Order(event) => self.event(record, event)?,
                Happened::Log(
                    log::Event::NoteSeen { owner, after }
                    | log::Event::NoteProved { owner, after }
                    | log::Event::AlarmRaised { owner, after, .. }
                    | log::Event::StatementsProved { owner, after }
                    | log::Event::StatementsMissing { owner, after, .. },
                ) => {
                    let (sequence, cid) = (record.sequence, *owner);
                    let place =
                        Place { sequence, reference: String::new(), what: "a note of the log of", cid };
                    envelopes::watched(&mut self.books, record, owner, after).context(place)?;
                }
                Happened::Log(log::Event::Checkpointed(checkpointed)) => {
                    let (sequence, cid) = (record.sequence, checkpointed.cid);
                    let place = Place { sequence, reference: String::new(), what: "checkpoint", cid };
                    let last = self.checkpoint.replace(checkpointed.clone());
                    match envelopes::checkpoint(&mut self.books, record, checkpointed, last.as_ref()) {
                        Ok(envelope) => self.window.push(Signed { place, envelope, step: None }),
                        Err(error) => return Err(error.context(place)),
                    }
                }
            }
            self.books.world.apply(&record.aggregate, &happened);
            if let Happened::Identity(event) = &happened {
                self.books.party(&event.known().cid)?;
                self.signatures += 1;
            }
        }
        if self.window.len() >= WINDOW { self.flush() } else { Ok(()) }
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
                match envelopes::step(&self.books, record, appended, &before) {
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
                match envelopes::equivocation(&self.books, &order, first, second) {
                    Ok(envelope) => self.window.push(Signed { place, envelope, step: None }),
                    Err(error) => return Err(error.context(place)),
                }
            }
            order::Event::StepRefused { cid, .. } => {
                let pending = order.unsettled().any(|ours| ours.step.cid == *cid);
                let place = place(&order.reference, "the refused step", cid);
                ensure!(pending, "{place}: does not wait for an answer");
            }
            order::Event::DeliveryEnded { step, .. } => {
                let known = order.steps.iter().chain(order.unsettled()).any(|known| known.step.cid == *step);
                let place = place(&order.reference, "the step of a delivery", step);
                ensure!(known, "{place}: is not the order's");
            }
            order::Event::DeliveriesResumed { .. }
            | order::Event::CustodyLost { .. }
            | order::Event::CustodyFound { .. }
            | order::Event::Held { .. }
            | order::Event::ShredOrdered { .. } => {}
            order::Event::Shredded { .. } => {
                let (sequence, reference) = (record.sequence, &order.reference);
                let ordered = order.shred_due_ms.is_some();
                ensure!(ordered, "sequence {sequence}: order {reference}, its seed: nobody had it destroyed");
            }
            order::Event::RetentionEnded { secret, .. } => {
                let held = order.secret.is_some_and(|held| held.cid == *secret);
                let place = place(&order.reference, "the dropped secret", secret);
                ensure!(held, "{place}: is not the order's");
            }
        }
        Ok(())
    }

    /// Verifies the signatures of the window, then opens what can be opened; the first failure by sequence is told.
    fn flush(&mut self) -> anyhow::Result<()> {
        let mut by_signer: BTreeMap<Cid, Vec<(usize, Envelope)>> = BTreeMap::new();
        let mut steps = Vec::new();
        for (n, Signed { place, envelope, step }) in std::mem::take(&mut self.window).into_iter().enumerate()
        {
            let signer = envelope.statement().signer.with_context(|| format!("{place}: has no signer"))?;
            by_signer.entry(signer).or_default().push((n, envelope));
            steps.push((place, step));
        }
        let mut signers = BTreeMap::new();
        for cid in by_signer.keys() {
            signers.insert(*cid, self.books.party(cid)?);
        }
        let batches = by_signer
            .into_iter()
            .filter_map(|(signer, envelopes)| Some((&signers.get(&signer)?.document, envelopes)));
        let verified = parallel::verify(batches.collect());
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
        for (id, order) in &self.books.world.orders {
            if let Err(error) = self.check_secret(order) {
                return Err(error.context(self.released(id, order)?));
            }
        }
        Ok(())
    }

    fn check_secret(&self, order: &Order) -> anyhow::Result<()> {
        let Some(secret) = order.secret else { return Ok(()) };
        let here = order.hosts(Party::Fiduciary) || order.hosts(Party::Beneficiary);
        let wrong = match self.books.block(&secret.cid)? {
            Some(StoredBlock::Published(_)) => "is published",
            Some(StoredBlock::Held(_)) if secret.ended => "is still here after its retention ended",
            None if here && !secret.ended && !order.custody_lost => "is missing",
            _ => return Ok(()),
        };
        bail!("the sealed secret {} {wrong}", secret.cid)
    }

    /// Where an order's release stands.
    fn released(&self, id: &[u8; 32], order: &Order) -> anyhow::Result<Place> {
        let cid = order.step(Kind::Released).map(|released| released.step.cid).context("no release")?;
        let mut sequence = 0;
        for record in self.books.log.load(&Aggregate { kind: AggregateKind::Order, id: *id })? {
            let here = |happened: &Happened| matches!(happened, Happened::Order(order::Event::StepAppended(appended)) if appended.step.cid == cid);
            if Happened::of(&record)?.iter().any(here) {
                sequence = record.sequence;
            }
        }
        Ok(Place { sequence, reference: order.reference.clone(), what: Kind::Released.as_str(), cid })
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
