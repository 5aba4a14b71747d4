//! Audits every order of this home's log, as an auditor would who is handed each export, with all that this node can open.
//!
//! Orders are read in chunks. The signatures of a chunk are verified first, those of one signer together; then each order is
//! judged by itself. Both run on all cores.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use dta_events::identity::Standing;
use dta_events::order::Order;
use dta_events::record::{Aggregate, AggregateKind};
use dta_events::{replay_identity, replay_order};
use dta_protocol::{Cid, Envelope, Identity};
use dta_verify::{Signatures, verify_with};

use super::Verify;
use super::disclose::{Reveal, disclose};
use super::export::{Logged, Newest, logged, newest, pack};
use super::summary::{Summary, Verdict};
use crate::actors::keyring::Keyring;
use crate::actors::log::LogReader;
use crate::actors::order_chain::{OrderChain, order_chain};
use crate::actors::peers::book::Book;
use crate::cli::log::{open, unlocked};
use crate::cli::parallel;
use crate::cli::progress::Progress;
use crate::home::Home;
use crate::node::open::whose;
use crate::ports::{Clock, SystemClock};

/// Orders in memory at a time, at most.
const CHUNK_ORDERS: usize = 256;
/// Bytes of their blocks after which no more are read: few orders come near to what one may have.
const CHUNK_BYTES: usize = 64 * 1024 * 1024;
/// Orders read at a time, between which that is looked at. One has at most 4 MiB, else it is none that can be exported.
const READ_ORDERS: usize = 16;
/// Identities kept from chunk to chunk.
const CACHED: usize = 1_024;

/// An order as it would be exported.
struct Loaded {
    order: Order,
    all: OrderChain,
    logged: Logged,
}

/// What is the same for all orders.
struct Auditor {
    log: Arc<dyn LogReader>,
    /// None: only what is public is checked.
    keyring: Option<Keyring>,
    newest: Option<Newest>,
    trusted: BTreeSet<Cid>,
    now_ms: u64,
}

/// Checks them all, and tells of each check that fails. Exit status 0 if none does.
pub(super) fn verify_all(home: &Home, command: &Verify, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let clock = SystemClock::default();
    let log = open(home)?;
    let keyring = match command.public {
        true => None,
        false => Some(unlocked(home, command.passphrase_file.as_deref(), &log)?),
    };
    let trusted = match command.trust.is_empty() {
        true => trusted(&*log)?,
        false => command.trust.iter().copied().collect(),
    };
    let now_ms = command.at_ms.unwrap_or_else(|| clock.wall_ms());
    let auditor = Auditor { newest: newest(&*log)?, log, keyring, trusted, now_ms };
    let summary = auditor.audit(&clock, command.json, out)?;
    summary.print(command.json, out)?;
    Ok(if summary.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The identities that live here, and those that are pinned.
fn trusted(log: &dyn LogReader) -> anyhow::Result<BTreeSet<Cid>> {
    let mut trusted: BTreeSet<Cid> = Book::read(log, false)?.all().into_iter().collect();
    trusted.insert(whose(log)?);
    for aggregate in log.aggregates(AggregateKind::Identity)? {
        let state = replay_identity(&log.load(&aggregate)?)?;
        let hosted = state.known.filter(|_| state.standing == Standing::Hosted);
        trusted.extend(hosted.map(|known| known.cid));
    }
    Ok(trusted)
}

impl Auditor {
    fn audit(&self, clock: &dyn Clock, json: bool, out: &mut dyn Write) -> anyhow::Result<Summary> {
        let mut summary = Summary::default();
        let mut identities = BTreeMap::new();
        let orders = self.log.aggregates(AggregateKind::Order)?;
        let (mut rest, total) = (orders.as_slice(), orders.len() as u64);
        let started_ms = clock.monotonic_ms();
        let mut progress = Progress::counting("audit", "orders");
        while !rest.is_empty() {
            let mut chunk = Vec::new();
            let mut bytes = 0_usize;
            while !rest.is_empty() && chunk.len() < CHUNK_ORDERS && bytes < CHUNK_BYTES {
                let (now, later) = rest.split_at(rest.len().min(READ_ORDERS));
                for (aggregate, loaded) in now.iter().zip(parallel::map(now, |order| self.load(order))) {
                    bytes = bytes.saturating_add(loaded.as_ref().map_or(0, Loaded::bytes));
                    chunk.push((aggregate, loaded));
                }
                rest = later;
            }
            let (signatures, verified) = self.signatures(&chunk, &mut identities);
            summary.envelopes = summary.envelopes.saturating_add(verified);
            let verdicts = parallel::map(&chunk, |(aggregate, loaded)| match loaded {
                Ok(loaded) => self.judge(loaded, &signatures),
                Err(error) => Verdict::unreadable(aggregate, error),
            });
            for verdict in verdicts {
                verdict.print(json, out)?;
                summary.add(&verdict);
            }
            progress.show(total.saturating_sub(rest.len() as u64), total);
        }
        progress.finish();
        summary.took_ms = clock.monotonic_ms().saturating_sub(started_ms);
        Ok(summary)
    }

    fn load(&self, aggregate: &Aggregate) -> anyhow::Result<Loaded> {
        let log = &*self.log;
        let order = replay_order(&log.load(aggregate)?)?;
        let all = order_chain(log, &order)?;
        let logged = logged(log, &all, self.newest.as_ref())?;
        Ok(Loaded { order, all, logged })
    }

    /// Verifies the envelopes of all these orders by signer. Those that do not hold are left out: the check of the order says
    /// what is wrong with them. How many there were.
    fn signatures(
        &self,
        chunk: &[(&Aggregate, anyhow::Result<Loaded>)],
        identities: &mut BTreeMap<Cid, Arc<Identity>>,
    ) -> (Signatures, u64) {
        let loaded = || chunk.iter().filter_map(|(_, loaded)| loaded.as_ref().ok());
        if identities.len() > CACHED {
            identities.clear();
        }
        let documents: BTreeMap<Cid, &[u8]> =
            loaded().flat_map(Loaded::documents).filter(|(cid, _)| !identities.contains_key(cid)).collect();
        let documents: Vec<&[u8]> = documents.into_values().collect();
        let decoded = parallel::map(&documents, |block| Identity::decode(block).ok().map(Arc::new));
        identities.extend(decoded.into_iter().flatten().map(|identity| (identity.cid(), identity)));

        let envelopes: BTreeMap<Cid, &Envelope> =
            loaded().flat_map(Loaded::envelopes).map(|envelope| (envelope.cid(), envelope)).collect();
        let mut by_signer: BTreeMap<Cid, Vec<(usize, Envelope)>> = BTreeMap::new();
        for (place, envelope) in envelopes.values().enumerate() {
            if let Some(signer) = envelope.statement().signer {
                by_signer.entry(signer).or_default().push((place, (*envelope).clone()));
            }
        }
        let batches = by_signer
            .into_iter()
            .filter_map(|(signer, envelopes)| Some((&**identities.get(&signer)?, envelopes)));
        let mut signatures = Signatures::default();
        for envelope in parallel::verify(batches.collect()).into_values().flatten() {
            signatures.add(&envelope);
        }
        identities.values().for_each(|identity| signatures.add_identity(identity.clone()));
        (signatures, envelopes.len() as u64)
    }

    fn judge(&self, loaded: &Loaded, signatures: &Signatures) -> Verdict {
        let Loaded { order, all, logged } = loaded;
        let Some(first) = all.steps.first() else { return Verdict::empty() };
        let packed = pack(all, logged).and_then(|car| {
            let keyring = self.keyring.as_ref();
            let disclosure =
                keyring.map(|keyring| disclose(&*self.log, keyring, order, all, Reveal::Everything));
            Ok((car, disclosure.transpose()?.flatten()))
        });
        match packed {
            Ok((car, disclosure)) => {
                let report = verify_with(&car, disclosure.as_ref(), &self.trusted, self.now_ms, signatures);
                Verdict::of(first.cid(), order.reference.clone(), report)
            }
            Err(error) => Verdict::failed(first.cid(), order.reference.clone(), &error),
        }
    }
}

impl Loaded {
    fn documents(&self) -> impl Iterator<Item = (Cid, &[u8])> {
        let signers = self.all.identities.iter().map(|(cid, block)| (*cid, block.as_slice()));
        signers.chain(self.logged.node.as_ref().map(|(cid, block)| (*cid, block.as_slice())))
    }

    fn envelopes(&self) -> impl Iterator<Item = &Envelope> {
        self.all.steps.iter().chain(self.logged.checkpoint.as_ref())
    }

    /// As large as its file would be, nearly.
    fn bytes(&self) -> usize {
        let bodies = self.all.bodies.iter().map(|(_, block)| block.len());
        let steps = self.all.steps.iter().map(|step| step.block().len());
        bodies.chain(steps).chain(self.documents().map(|(_, block)| block.len())).sum()
    }
}
