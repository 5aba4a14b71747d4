//! The course of one command: gather facts, prepare, work, decide, append, apply; then whatever that makes due.

use std::collections::HashMap;
use std::sync::Arc;

use dta_crypto::OrderKey;
use dta_events::ids::secret_claim;
use dta_events::order::{Command, Due, Event, Facts, Hosts, Order, Rejection, StepFacts, Verdict, Work};
use dta_events::record::{Aggregate, Effect};
use dta_events::replay_order;
use dta_plugins::Private;
use dta_protocol::{Cid, Extension};

use super::error::OrderError;
use super::reopen::{self, Opened};
use super::slot::{Loaded, Slot};
use super::work::{self, Product, Unsealed};
use crate::actors::log::{Block, NotWritten};
use crate::actors::services::{Caller, Services};
use crate::actors::unavailable::Unavailable;
use crate::crash_points::{CrashPoint, reached};

/// Why a command is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The caller asked for it: its refusal is history.
    Asked,
    /// It follows from the order's state: that it has to wait is no event.
    Due,
}

/// One command under way on one order.
pub(super) struct Course<'a> {
    pub(super) services: &'a Services,
    pub(super) id: Aggregate,
    slot: &'a mut Slot,
    pub(super) caller: Caller,
    /// The order's key pair, while this course has it: a release made here need not be opened again.
    pub(super) key: Option<Arc<OrderKey>>,
    /// What the client says in this request; for the plugin, if its answer depends on it.
    pub(super) asked: Arc<Private>,
    /// What the fiduciary's plugin added to the last step made here.
    pub(super) extension: Option<Extension>,
    /// The node that sent the steps of this course, as who it signs its calls.
    pub(super) from: Option<Cid>,
    /// Whom a redemption among those steps names: the first of them are read with that in mind.
    pub(super) named: Option<Cid>,
    /// The blocks of those steps, by step.
    pub(super) incoming: HashMap<Cid, Vec<Block>>,
    /// The newest record behind the answer: the last one appended here, else the one of the same request before.
    pub(super) sequence: Option<u64>,
}

impl<'a> Course<'a> {
    /// A request whose step the fiduciary turned down is answered so, however often it is made.
    pub(super) fn not_turned_down(&self, step: &Cid) -> Result<(), OrderError> {
        match self.order()?.turned_down.get(step) {
            Some(refused) => Err(OrderError::TurnedDown { code: refused.code.clone() }),
            None => Ok(()),
        }
    }

    /// Reads the order, if it is not in memory.
    pub(super) fn begin(
        services: &'a Services,
        id: Aggregate,
        slot: &'a mut Slot,
        caller: Caller,
        before: Option<u64>,
    ) -> Result<Self, OrderError> {
        if slot.loaded.is_none() {
            let records = services.log.load(&id)?;
            let order = replay_order(&records)?;
            let newest = records.last().map(|record| record.sequence);
            slot.loaded = Some(Loaded { order, version: records.len() as u64, newest });
        }
        Ok(Self {
            services,
            id,
            slot,
            caller,
            key: None,
            asked: Arc::default(),
            extension: None,
            from: None,
            named: None,
            incoming: HashMap::new(),
            sequence: before,
        })
    }

    /// Does what is due, one step after the other, until nothing is or a rule holds it back.
    pub(super) async fn follow(&mut self) -> Result<(), OrderError> {
        loop {
            let due = self.order()?.due(self.services.clock.wall_ms());
            let command = match (due, due.and_then(Due::command)) {
                (_, Some(command)) => command,
                (Some(_), None) => Command::Acknowledge(self.verdict().await?),
                (None, None) => match self.by_policy()? {
                    Some(command) => command,
                    None => return Ok(()),
                },
            };
            match self.run(&command, Unsealed::default(), Cause::Due).await {
                Ok(()) => {}
                // It stays due, and is not asked again at once.
                Err(OrderError::Rejected(rejection)) => {
                    tracing::debug!(code = rejection.code(), ?due, "what is due has to wait");
                    return Ok(());
                }
                // The order has ended: what is answered of it does not depend on that.
                Err(OrderError::Unavailable(Unavailable::Custody(why))) if due == Some(Due::Shred) => {
                    tracing::warn!(%why, "a seed that is to be destroyed is still there");
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) async fn verdict(&mut self) -> Result<Verdict, OrderError> {
        if self.key.is_some() {
            return Ok(Verdict::Genuine);
        }
        match reopen::secret(self.services, self.order()?).await? {
            Opened::Genuine(key, extension) => {
                // They belong together: what is answered of the key is answered with it.
                (self.key, self.extension) = (Some(key), Some(extension));
                Ok(Verdict::Genuine)
            }
            Opened::Disputed(code) => Ok(Verdict::Disputed(code)),
        }
    }

    /// One command: nothing is signed or sealed for what prepare rejects, nothing is answered before it is synced.
    pub(super) async fn run(
        &mut self,
        command: &Command,
        unsealed: Unsealed,
        cause: Cause,
    ) -> Result<(), OrderError> {
        let facts = self.gather(command).await?;
        let work = match self.order()?.prepare(command, &facts) {
            Ok(work) => work,
            Err(rejection) => return self.refuse(command, facts.now_ms, rejection, cause).await,
        };
        let product = match work {
            Work::Sign(draft) => {
                reached(CrashPoint::OrderPrepared);
                let key = self.key.clone();
                let product = work::perform(self.services, self.order()?, *draft, unsealed, key).await?;
                reached(CrashPoint::OrderSigned);
                Some(product)
            }
            Work::Record => None,
            Work::Shred => {
                self.destroy_seed().await?;
                None
            }
            Work::Done if self.caller.request.is_none() => return Ok(()),
            // Nothing happens, but the key of the request is taken.
            Work::Done => None,
        };
        let decided = self.order()?.decide(command, &facts, product.as_ref().map(|product| &product.made));
        match decided {
            Ok(events) => self.write(command, facts.now_ms, &events, product).await,
            Err(rejection) => self.refuse(command, facts.now_ms, rejection, cause).await,
        }
    }

    pub(super) async fn gather(&self, command: &Command) -> Result<Facts, OrderError> {
        let services = self.services;
        let mut facts = Facts {
            now_ms: services.clock.wall_ms(),
            clock_trusted: services.clock_watch.look(&*services.clock),
            plugin: services.plugin.name().to_owned(),
            give_up_after_ms: services.give_up_after_ms,
            ..Facts::default()
        };
        let Some(parties) = self.order()?.concerned(command, self.named) else { return Ok(facts) };
        let from = self.from;
        let mut whereabouts = async |cid: Cid| -> Result<(bool, bool), Unavailable> {
            match services.known(&cid).await? {
                Some(known) => {
                    Ok((known.keys.is_some(), from.is_some_and(|from| known.document.lives_with(&from))))
                }
                None => {
                    facts.unknown.push(cid);
                    Ok((false, false))
                }
            }
        };
        let principal = whereabouts(parties.principal).await?;
        let fiduciary = whereabouts(parties.fiduciary).await?;
        let beneficiary = match parties.beneficiary {
            Some(beneficiary) => whereabouts(beneficiary).await?,
            None => (false, false),
        };
        let hosts = |party: fn((bool, bool)) -> bool| Hosts {
            principal: party(principal),
            fiduciary: party(fiduciary),
            beneficiary: party(beneficiary),
        };
        (facts.hosts, facts.told) = (hosts(|(here, _)| here), hosts(|(_, there)| there));
        Ok(facts)
    }

    async fn write(
        &mut self,
        command: &Command,
        now_ms: u64,
        events: &[Event],
        product: Option<Product>,
    ) -> Result<(), OrderError> {
        let next = events.iter().fold(self.order()?.clone(), Order::apply);
        let stored = events.iter().map(Event::to_stored).collect::<Result<_, _>>()?;
        let (blocks, key, extension) = match product {
            Some(product) => (product.blocks, product.key, product.extension),
            None => (self.came_with(events), None, None),
        };
        let mut append = self.services.append(
            &self.caller,
            self.id,
            self.loaded()?.version,
            now_ms,
            command.to_stored()?,
            Effect::Events(stored),
        );
        // Only the first record of a request takes its key; what follows of itself does not.
        append.request = self.caller.request;
        append.blocks = blocks;
        append.due_ms = next.next_due_ms();
        append.drop_held = events
            .iter()
            .filter_map(|event| match event {
                Event::RetentionEnded { secret, .. } => Some(secret.to_bytes()),
                _ => None,
            })
            .collect();
        let secrets: Vec<_> =
            events.iter().filter_map(secret_of).map(|secret| secret_claim(&secret)).collect();
        let answer = self.services.writer.append(append).await;
        if let Err(NotWritten::ClaimTaken { claim, .. }) = &answer
            && secrets.contains(claim)
        {
            return self.refuse(command, now_ms, Rejection::SecretTaken, Cause::Asked).await;
        }
        let appended = self.written(answer)?;
        reached(CrashPoint::OrderAppended);
        self.caller.request = None;
        self.slot.loaded = Some(Loaded { order: next, version: appended, newest: self.sequence });
        self.key = key.or(self.key.take());
        self.extension = extension.or(self.extension.take());
        Ok(())
    }

    /// The blocks of the steps that these events keep.
    fn came_with(&mut self, events: &[Event]) -> Vec<Block> {
        let secret =
            self.slot.loaded.as_ref().and_then(|loaded| loaded.order.secret).map(|secret| secret.cid);
        let step = |event: &Event| match event {
            Event::StepAppended(appended) => Some(appended.step.cid),
            // Evidence.
            Event::EquivocationSeen { second, .. } => Some(*second),
            Event::CustodyFound { .. } => secret,
            _ => None,
        };
        events.iter().filter_map(step).filter_map(|cid| self.incoming.remove(&cid)).flatten().collect()
    }

    /// Records the refusal, within the quota, and answers it. What was not asked by anyone is not recorded.
    pub(super) async fn refuse(
        &mut self,
        command: &Command,
        now_ms: u64,
        rejection: Rejection,
        cause: Cause,
    ) -> Result<(), OrderError> {
        let services = self.services;
        let kept = self.order()?.keeps_refusal(command, &rejection);
        if cause == Cause::Asked && kept && services.may_record(&self.caller) {
            let effect =
                Effect::Refused { code: rejection.code().to_owned(), details: rejection.to_string() };
            let mut append = services.append(
                &self.caller,
                self.id,
                self.loaded()?.version,
                now_ms,
                command.to_stored()?,
                effect,
            );
            append.due_ms = self.order()?.next_due_ms();
            let version = self.written(services.writer.append(append).await)?;
            if let Some(loaded) = self.slot.loaded.as_mut() {
                loaded.version = version;
                loaded.newest = self.sequence;
            }
            if let Some(sequence) = self.sequence {
                return Err(OrderError::Recorded { rejection, sequence });
            }
        }
        Err(rejection.into())
    }

    fn written(
        &mut self,
        answer: Result<crate::actors::log::Appended, NotWritten>,
    ) -> Result<u64, OrderError> {
        match answer {
            Ok(appended) => {
                self.sequence = Some(appended.sequence);
                Ok(appended.version)
            }
            Err(error) => {
                // What memory holds may be wrong: the next command reads the log again.
                if matches!(error, NotWritten::Version { .. }) {
                    self.slot.loaded = None;
                }
                Err(Unavailable::NotWritten(error).into())
            }
        }
    }

    /// The answer is of all that happened to the order, also by what another node answered meanwhile: its caller reads it.
    pub(super) fn of_all_so_far(&mut self) -> Result<(), Unavailable> {
        self.sequence = self.loaded()?.newest;
        Ok(())
    }

    fn loaded(&self) -> Result<&Loaded, Unavailable> {
        let gone = || Unavailable::Inconsistent("the order has to be read from the log again".to_owned());
        self.slot.loaded.as_ref().ok_or_else(gone)
    }

    /// The error as the caller is told it: with what was appended before it.
    pub(super) fn told(&self, error: OrderError) -> OrderError {
        match (error, self.sequence) {
            (OrderError::Unavailable(why), Some(sequence)) => OrderError::Unfinished { why, sequence },
            (error, _) => error,
        }
    }

    pub(super) fn order(&self) -> Result<&Order, Unavailable> {
        self.loaded().map(|loaded| &loaded.order)
    }
}

/// The sealed secret that a step brings.
fn secret_of(event: &Event) -> Option<Cid> {
    match event {
        Event::StepAppended(appended) => match appended.step.facts {
            StepFacts::Released { secret, .. } => Some(secret),
            _ => None,
        },
        _ => None,
    }
}
