//! Steps from another node: whose call it is, what they say, whether the rules take them, and what the caller is answered.

use dta_events::order::{Command, Event, Order, Party, Rejection, Stage};
use dta_protocol::{Cid, car};

use super::arrival::Arrival;
use super::believe::{Believed, Believer};
use super::course::{Cause, Course};
use super::error::OrderError;
use super::message::Stands;
use super::parcel;
use super::reopen::inconsistent;
use super::work::Unsealed;
use crate::actors::identities::IdentityError;
use crate::actors::log::{Block, BlockClass};

/// What the sender of steps is answered.
pub struct Arrived {
    /// What stands after the sender's step, or that step if nothing does: a CAR.
    pub car: Vec<u8>,
    /// The newest record behind this answer.
    pub sequence: Option<u64>,
}

impl Course<'_> {
    /// Takes steps that another node sent, does what follows from them, and answers with what came of it.
    pub(super) async fn arrive(&mut self, arrival: Arrival) -> Result<Arrived, OrderError> {
        if let Err(error) = self.accept(&arrival).await {
            return self.overtaken(&arrival, error).await;
        }
        self.follow_on().await;
        self.answer_to(&arrival).await
    }

    /// Does what follows from steps that are taken. They stand, whatever becomes of that: it stays due.
    async fn follow_on(&mut self) {
        if let Err(error) = self.follow().await {
            tracing::warn!(%error, "what follows from steps of another node has to wait");
        }
    }

    /// As [`Course::arrive`], of steps that answer a call of ours or were fetched.
    pub(super) async fn take(&mut self, arrival: Arrival) -> Result<Stands, OrderError> {
        self.accept(&arrival).await?;
        self.follow_on().await;
        self.stands()
    }

    /// What stands instead of steps that were refused because the order has moved on.
    async fn overtaken(&mut self, arrival: &Arrival, error: OrderError) -> Result<Arrived, OrderError> {
        let rejection = match &error {
            OrderError::Rejected(rejection) | OrderError::Recorded { rejection, .. } => rejection,
            _ => return Err(error),
        };
        let previous = arrival.root().and_then(|root| root.previous);
        let overtaken = self.order()?.overtook(previous.as_ref(), rejection);
        if overtaken { self.answer_to(arrival).await } else { Err(error) }
    }

    async fn accept(&mut self, arrival: &Arrival) -> Result<(), OrderError> {
        let services = self.services;
        let mut believer = Believer::new(services, arrival);
        self.admit(arrival, &mut believer).await?;
        self.from = Some(arrival.from.cid());
        let mut order = self.order()?.clone();
        let mut steps = Vec::new();
        // Signed notes, and whether each is of the log that holds a step.
        let mut notes = Vec::new();
        let mut extensions = Vec::new();
        let mut unbelieved = None;
        match believer.disclose().await {
            Ok(named) => self.named = named,
            Err(error) => unbelieved = Some(error),
        }
        for envelope in &arrival.steps {
            let cid = envelope.cid();
            if order.has(&cid) {
                continue;
            }
            if unbelieved.is_some() {
                break;
            }
            let Believed { step, blocks, extension, note, seen } =
                match believer.believe(&order, envelope).await {
                    Ok(believed) => believed,
                    Err(error) => {
                        unbelieved = Some(error);
                        break;
                    }
                };
            steps.push(step);
            extensions.extend(extension.map(|extension| (cid, extension)));
            notes.extend(note.map(|note| (note, true)));
            notes.extend(seen.into_iter().map(|note| (note, false)));
            self.incoming.insert(cid, blocks);
            // The next one is read as by the order that this one leaves; whether it may is decided below, for all.
            let mut facts = self.gather(&Command::Accept(steps.clone())).await?;
            facts.unknown.retain(|cid| believer.strangers.iter().all(|stranger| stranger.cid() != *cid));
            let Ok(events) = self.order()?.decide(&Command::Accept(steps.clone()), &facts, None) else {
                break;
            };
            order = events.iter().fold(self.order()?.clone(), Order::apply);
            if events.iter().any(|event| matches!(event, Event::EquivocationSeen { .. })) {
                break;
            }
        }
        match unbelieved {
            None => {}
            Some(OrderError::Rejected(rejection)) => {
                let now_ms = services.clock.wall_ms();
                return self.refuse(&Command::Accept(steps), now_ms, rejection, Cause::Asked).await;
            }
            Some(error) => return Err(error),
        }
        if let Some(block) = self.found_again(arrival)? {
            self.incoming.insert(block.0, vec![block.1]);
            self.run(&Command::FindCustody, Unsealed::default(), Cause::Due).await?;
        }
        if steps.is_empty() {
            return Ok(());
        }
        let command = Command::Accept(steps);
        let mut facts = self.gather(&command).await?;
        facts.unknown.retain(|cid| believer.strangers.iter().all(|stranger| stranger.cid() != *cid));
        if let Err(rejection) = self.order()?.prepare(&command, &facts) {
            return self.refuse(&command, facts.now_ms, rejection, Cause::Asked).await;
        }
        self.judged((&command, &facts), &mut believer, &extensions).await?;
        // Only now that the steps are taken: nobody fills the log with identities.
        for stranger in std::mem::take(&mut believer.strangers) {
            match services.learn(&stranger.document, &self.caller).await {
                Ok(_) => {}
                Err(IdentityError::Unavailable(why)) => return Err(why.into()),
                Err(error) => {
                    let (cid, why) = (stranger.cid(), error.to_string());
                    let rejection = Rejection::IdentityRefused { cid, why };
                    return self.refuse(&command, facts.now_ms, rejection, Cause::Asked).await;
                }
            }
        }
        // Before the steps: what was taken was taken with its notes. One that a signer handed on of others is its affair.
        for (note, own) in notes {
            if services.see_note(&note).await?.is_err() && own {
                return self.refuse(&command, facts.now_ms, Rejection::NoteInvalid, Cause::Asked).await;
            }
        }
        self.run(&command, Unsealed::default(), Cause::Asked).await
    }

    /// The sealed secret that a recovery did not find, if its fiduciary brings it again: the block that the release names.
    fn found_again(&self, arrival: &Arrival) -> Result<Option<(Cid, Block)>, OrderError> {
        let order = self.order()?;
        let wanted = order.custody_lost && order.stage == Stage::Released && order.hosts(Party::Beneficiary);
        let Some(secret) = order.secret.filter(|secret| wanted && !secret.ended) else { return Ok(None) };
        let Some(bytes) = arrival.blocks.get(&secret.cid) else { return Ok(None) };
        if self.services.log.block(&secret.cid.to_bytes())?.is_some() {
            return Ok(None);
        }
        let block = Block { cid: secret.cid.to_bytes(), class: BlockClass::Held, bytes: bytes.clone() };
        Ok(Some((secret.cid, block)))
    }

    /// Only a party of the order is heard, and only with what is its own to bring.
    async fn admit(&self, arrival: &Arrival, believer: &mut Believer<'_>) -> Result<(), OrderError> {
        let order = self.order()?;
        let (Some(first), Some(root)) = (arrival.steps.first(), arrival.root()) else {
            return Err(OrderError::Outsider);
        };
        let trusted = order.placed().is_none() && self.services.trusts(&arrival.from.cid()).await?;
        let speakers = order.speakers(first.statement().kind, &root, trusted);
        for speaker in speakers {
            if believer.caller_is(&speaker).await? {
                return Ok(());
            }
        }
        Err(OrderError::Outsider)
    }

    async fn answer_to(&mut self, arrival: &Arrival) -> Result<Arrived, OrderError> {
        let order = self.order()?;
        let root = arrival.root().ok_or(Rejection::UnknownOrder)?;
        let steps = order.answer_to(&root);
        for accepted in steps {
            if let Some((beneficiary, gone)) = order.gone_with(&accepted.step)
                && self.services.party(&beneficiary).await?.document.lives_with(&arrival.from.cid())
            {
                return Err(gone.into());
            }
        }
        let (root, blocks) = parcel::blocks(self.services, order, steps, &arrival.from.cid(), &[]).await?;
        let blocks = blocks.iter().map(|(cid, block)| (*cid, block.as_slice()));
        let car = car::encode(root, blocks).map_err(inconsistent)?;
        Ok(Arrived { car, sequence: self.sequence })
    }
}
