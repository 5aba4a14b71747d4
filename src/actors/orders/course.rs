//! The course of one command: gather facts, prepare, work, decide, append, apply; then whatever that makes due.

use std::sync::Arc;

use dta_crypto::OrderKey;
use dta_events::order::{
    Command, Event, Facts, HeldSecret, Hosts, Order, Parties, Party, Rejection, Stage, StepFacts, Verdict,
    Work,
};
use dta_events::record::{Aggregate, Effect};
use dta_events::replay_order;
use dta_protocol::{Cid, Extension};

use super::error::OrderError;
use super::message::{Place, Placed, Redeem, Redeemed};
use super::reopen::{self, Opened};
use super::slot::{Loaded, Slot};
use super::work::{self, Private, Product};
use crate::actors::log::NotWritten;
use crate::actors::services::{Caller, Services};
use crate::actors::unavailable::Unavailable;

/// Why a command is run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The caller asked for it: its refusal is history.
    Asked,
    /// It follows from the order's state: that it has to wait is no event.
    Due,
}

/// One command under way on one order.
pub(super) struct Course<'a> {
    services: &'a Services,
    id: Aggregate,
    slot: &'a mut Slot,
    caller: Caller,
    /// The order's key pair, while this course has it: a release made here need not be opened again.
    key: Option<Arc<OrderKey>>,
    /// What the fiduciary's plugin added to the last step made here.
    extension: Option<Extension>,
    /// The newest record behind the answer: the last one appended here, else the one of the same request before.
    sequence: Option<u64>,
}

impl<'a> Course<'a> {
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
            slot.loaded = Some(Loaded { order, version: records.len() as u64 });
        }
        Ok(Self { services, id, slot, caller, key: None, extension: None, sequence: before })
    }

    /// Places an order; if the fiduciary is hosted here, its key pair is made too.
    pub(super) async fn place(&mut self, reference: String, place: Place) -> Result<Placed, OrderError> {
        let Place { fiduciary, beneficiary, coin, terms, extension } = place;
        let parties = Parties { principal: self.services.node, fiduciary, beneficiary };
        let plugin = self.services.plugin.clone();
        let command = Command::Place { reference, parties, plugin, coin, terms };
        self.custody_is_ready(&fiduciary).await?;
        self.run(&command, Private { extension, data: Extension::new() }, Cause::Asked).await?;
        self.placed().await
    }

    /// The answer to a request to place that was made before, finishing what it began.
    pub(super) async fn placed_before(&mut self) -> Result<Placed, OrderError> {
        self.placed().await
    }

    async fn placed(&mut self) -> Result<Placed, OrderError> {
        match self.follow().await {
            // The order stands and stays due: it is finished when custody or the log is back.
            Err(OrderError::Unavailable(why)) if why.is_temporary() => {
                tracing::warn!(%why, "an order waits for its key pair");
            }
            other => other?,
        }
        let order = self.order()?;
        let first = order.steps.first().or(order.pending.as_ref()).ok_or(Rejection::UnknownOrder)?;
        let (reference, created_at_ms) = (order.reference.clone(), first.step.issued_at_ms);
        let commitment = order.commitment();
        let extension = match (self.extension.take(), commitment) {
            (Some(extension), _) => extension,
            (None, Some(_)) => {
                reopen::committed(self.services, self.order()?, Party::Principal).await?.extension
            }
            (None, None) => Extension::new(),
        };
        Ok(Placed { reference, commitment, created_at_ms, extension, sequence: self.sequence })
    }

    /// Asks for the release. What follows of itself (release, receipt) follows here if those parties are hosted here.
    pub(super) async fn redeem(&mut self, redeem: Redeem) -> Result<Redeemed, OrderError> {
        let beneficiary = match redeem.beneficiary.or(self.order()?.party(Party::Beneficiary)) {
            Some(beneficiary) => beneficiary,
            None if self.order()?.placed().is_none() => return Err(Rejection::UnknownOrder.into()),
            None => {
                let text =
                    "beneficiaryIDDocumentCID: must name a beneficiary, in the order or in the redemption";
                return Err(OrderError::Invalid(text.into()));
            }
        };
        if redeem.order.placed.is_some_and(|named| self.order().ok().and_then(Order::placed) != Some(named)) {
            return Err(Rejection::UnknownOrder.into());
        }
        let command = Command::RequestRedemption { beneficiary };
        let private = Private { extension: redeem.extension, data: Extension::new() };
        self.run(&command, private, Cause::Asked).await?;
        self.follow().await?;
        self.redeemed().await
    }

    async fn redeemed(&mut self) -> Result<Redeemed, OrderError> {
        let facts = self.gather(&Command::Release).await?;
        let (key, extension) = (self.key.take(), self.extension.take());
        let order = self.order()?;
        let commitment = order.commitment().ok_or(Rejection::UnknownOrder)?;
        let reference = order.reference.clone();
        let answer = |secret, extension: Extension, sequence| {
            Ok(Redeemed { reference, commitment, secret, extension, sequence })
        };
        // The secret is its beneficiary's alone: whoever asks here gets it only if that is hosted here.
        if !order.hosts(Party::Beneficiary) {
            return answer(None, Extension::new(), self.sequence);
        }
        if let (Some(key), Stage::Released | Stage::Received) = (&key, order.stage) {
            return answer(Some(key.clone()), extension.unwrap_or_default(), self.sequence);
        }
        match (order.stage, order.secret) {
            (_, Some(HeldSecret { ended: true, until_ms, .. })) => {
                Err(Rejection::RetentionEnded { until_ms: until_ms.unwrap_or_default() }.into())
            }
            (Stage::Released | Stage::Received, _) => match reopen::secret(self.services, order).await? {
                Opened::Genuine(key, extension) => answer(Some(key), extension, self.sequence),
                Opened::Disputed(_) => Err(order.barred("redeem").into()),
            },
            // Not released: a rule holds the fiduciary back, or the order ended another way.
            (Stage::RedemptionRequested, _) if !order.hosts(Party::Fiduciary) => {
                answer(None, Extension::new(), self.sequence)
            }
            _ => match order.prepare(&Command::Release, &facts) {
                Err(rejection) => Err(rejection.into()),
                Ok(_) => Err(order.barred("redeem").into()),
            },
        }
    }

    /// Does what is due, one step after the other, until nothing is or a rule holds it back.
    pub(super) async fn follow(&mut self) -> Result<(), OrderError> {
        while let Some(due) = self.order()?.due(self.services.clock.wall_ms()) {
            let command = match due.command() {
                Some(command) => command,
                None => Command::Acknowledge(self.verdict().await?),
            };
            match self.run(&command, Private::default(), Cause::Due).await {
                Ok(()) => {}
                // It stays due, and is not asked again at once.
                Err(OrderError::Rejected(rejection)) => {
                    tracing::debug!(code = rejection.code(), ?due, "what is due has to wait");
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn verdict(&mut self) -> Result<Verdict, OrderError> {
        if self.key.is_some() {
            return Ok(Verdict::Genuine);
        }
        match reopen::secret(self.services, self.order()?).await? {
            Opened::Genuine(key, _) => {
                self.key = Some(key);
                Ok(Verdict::Genuine)
            }
            Opened::Disputed(code) => Ok(Verdict::Disputed(code)),
        }
    }

    /// One command: nothing is signed or sealed for what prepare rejects, nothing is answered before it is synced.
    async fn run(&mut self, command: &Command, private: Private, cause: Cause) -> Result<(), OrderError> {
        let facts = self.gather(command).await?;
        let work = match self.order()?.prepare(command, &facts) {
            Ok(work) => work,
            Err(rejection) => return self.refuse(command, facts.now_ms, rejection, cause).await,
        };
        let product = match work {
            Work::Sign(draft) => {
                Some(work::perform(self.services, self.order()?, *draft, private, self.key.clone()).await?)
            }
            Work::Record => None,
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

    async fn gather(&self, command: &Command) -> Result<Facts, OrderError> {
        let services = self.services;
        let mut facts = Facts {
            now_ms: services.clock.wall_ms(),
            clock_trusted: services.clock_watch.look(&*services.clock),
            plugin: services.plugin.clone(),
            ..Facts::default()
        };
        let mut parties = self.order()?.parties.clone();
        match command {
            Command::Place { parties: placed, .. } => parties = Some(placed.clone()),
            Command::Accept(received) => {
                if let StepFacts::Placed { parties: placed, .. } = &received.step.facts {
                    parties = Some(placed.clone());
                }
            }
            _ => {}
        }
        let Some(mut parties) = parties else { return Ok(facts) };
        let named = match command {
            Command::RequestRedemption { beneficiary } => Some(*beneficiary),
            Command::Accept(received) => match &received.step.facts {
                StepFacts::RedemptionRequested { beneficiary } => Some(*beneficiary),
                _ => None,
            },
            _ => None,
        };
        parties.beneficiary = named.or(parties.beneficiary);
        let mut hosted = async |cid: Cid| -> Result<bool, Unavailable> {
            match services.known(&cid).await? {
                Some(known) => Ok(known.keys.is_some()),
                None => {
                    facts.unknown.push(cid);
                    Ok(false)
                }
            }
        };
        facts.hosts = Hosts {
            principal: hosted(parties.principal).await?,
            fiduciary: hosted(parties.fiduciary).await?,
            beneficiary: match parties.beneficiary {
                Some(beneficiary) => hosted(beneficiary).await?,
                None => false,
            },
        };
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
            None => (Vec::new(), None, None),
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
        let appended = self.written(self.services.writer.append(append).await)?;
        self.caller.request = None;
        self.slot.loaded = Some(Loaded { order: next, version: appended });
        self.key = key.or(self.key.take());
        self.extension = extension.or(self.extension.take());
        Ok(())
    }

    /// Records the refusal, within the quota, and answers it. What was not asked by anyone is not recorded.
    async fn refuse(
        &mut self,
        command: &Command,
        now_ms: u64,
        rejection: Rejection,
        cause: Cause,
    ) -> Result<(), OrderError> {
        let services = self.services;
        // Nobody's order has no history to stand in, but for the one that was to be placed.
        let known = self.order()?.placed().is_some() || matches!(command, Command::Place { .. });
        if cause == Cause::Asked && known && services.refusals.take(services.clock.monotonic_ms()) {
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

    /// No order is taken while a copy of the seed store is away: its seed could not be kept as promised.
    async fn custody_is_ready(&self, fiduciary: &Cid) -> Result<(), OrderError> {
        let hosted = self.services.known(fiduciary).await?.is_some_and(|known| known.keys.is_some());
        if hosted && let Err(why) = self.services.seeds.ready().await {
            tracing::warn!(%why, "custody takes no order");
            return Err(Unavailable::Custody(why).into());
        }
        Ok(())
    }

    fn loaded(&self) -> Result<&Loaded, Unavailable> {
        let gone = || Unavailable::Inconsistent("the order has to be read from the log again".to_owned());
        self.slot.loaded.as_ref().ok_or_else(gone)
    }

    fn order(&self) -> Result<&Order, Unavailable> {
        self.loaded().map(|loaded| &loaded.order)
    }
}
