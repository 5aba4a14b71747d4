//! The actor of pins: takes the operator's commands one at a time, and keeps the book.

use std::sync::Arc;

use actix::{Actor, AtomicResponse, Context, Handler, Message, WrapFuture};
use dta_events::ids::peer_aggregate;
use dta_events::peer::{Command, Event, Facts, Rejection};
use dta_events::record::{Effect, Stored};
use dta_events::replay_peer;
use dta_events::stored::StoredError;
use dta_protocol::{Cid, Identity};
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;

use super::url::PeerUrl;
use crate::actors::identities::IdentityError;
use crate::actors::log::{Appended, NotWritten};
use crate::actors::orders::{Prior, prior};
use crate::actors::services::{Caller, Services};
use crate::actors::unavailable::Unavailable;

/// The actor.
pub struct Pins {
    services: Arc<Services>,
    keeps_blocks: bool,
}

impl Pins {
    /// Over the node's services. `keeps_blocks`: there is an IPFS node to keep those of others in.
    pub fn new(services: Arc<Services>, keeps_blocks: bool) -> Self {
        Self { services, keeps_blocks }
    }
}

impl Actor for Pins {
    type Context = Context<Self>;
}

/// What the operator wants.
pub enum Wish {
    /// Trust an identity that is known already.
    Pin(Cid, Option<PeerUrl>),
    /// Trust an identity by its document, and learn it if it is new.
    PinDocument(Box<Identity>, Option<PeerUrl>),
    /// Trust it no more.
    Unpin(Cid),
    /// Keep a copy of its log.
    Follow(Cid),
    /// Copy no more of it.
    Unfollow(Cid),
}

/// A wish, and whose.
#[derive(Message)]
#[rtype(result = "Result<Granted, PinError>")]
pub struct Tell {
    /// What.
    pub wish: Wish,
    /// Who asks.
    pub caller: Caller,
    /// Counts it among the commands under way until it is answered.
    pub permit: OwnedSemaphorePermit,
}

/// It is as was wished, now or since before.
#[derive(Clone, Copy, Debug)]
pub struct Granted {
    /// Whose pin.
    pub identity: Cid,
    /// The newest record of that pin.
    pub sequence: Option<u64>,
}

/// Why it is not.
#[derive(Debug, Error)]
pub enum PinError {
    /// By the rules.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// By the rules, and recorded in the log.
    #[error("{rejection}")]
    Recorded {
        /// The reason.
        rejection: Rejection,
        /// The record that says so.
        sequence: u64,
    },
    /// The document was not learned.
    #[error(transparent)]
    Document(IdentityError),
    /// The idempotency key belongs to another request.
    #[error("Idempotency-Key: was used for another request")]
    OtherRequest,
    /// Not now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<StoredError> for PinError {
    fn from(error: StoredError) -> Self {
        Unavailable::Inconsistent(error.to_string()).into()
    }
}

impl Handler<Tell> for Pins {
    // One after the other, so that the book is written in the order of the log.
    type Result = AtomicResponse<Self, Result<Granted, PinError>>;

    fn handle(&mut self, tell: Tell, _: &mut Context<Self>) -> Self::Result {
        let (services, keeps_blocks) = (self.services.clone(), self.keeps_blocks);
        let Tell { wish, caller, permit } = tell;
        let granted = async move {
            let _under_way = permit;
            services.grant(wish, keeps_blocks, &caller).await
        };
        AtomicResponse::new(Box::pin(granted.into_actor(self)))
    }
}

impl Services {
    async fn grant(&self, wish: Wish, keeps_blocks: bool, caller: &Caller) -> Result<Granted, PinError> {
        let url = |url: Option<PeerUrl>| url.map(|url| url.as_str().to_owned());
        let (command, document) = match wish {
            Wish::Pin(identity, at) => (Command::Pin { identity, url: url(at) }, None),
            Wish::PinDocument(document, at) => {
                (Command::Pin { identity: document.cid(), url: url(at) }, Some(document))
            }
            Wish::Unpin(identity) => (Command::Unpin { identity }, None),
            Wish::Follow(identity) => (Command::Follow { identity }, None),
            Wish::Unfollow(identity) => (Command::Unfollow { identity }, None),
        };
        let identity = *command.identity();
        match prior(&*self.log, caller)? {
            Prior::None => {}
            Prior::Same(record) if record.aggregate == peer_aggregate(&identity) => {
                return Ok(Granted { identity, sequence: Some(record.sequence) });
            }
            Prior::Same(_) | Prior::Other => return Err(PinError::OtherRequest),
        }
        if let Some(document) = document {
            self.learn(&document, caller).await.map_err(PinError::Document)?;
        }
        let records = self.log.load(&peer_aggregate(&identity)).map_err(Unavailable::from)?;
        let peer = replay_peer(&records)?;
        let known = self.known(&identity).await?;
        let facts = Facts {
            known: known.is_some(),
            hosted: known.as_ref().is_some_and(|known| known.keys.is_some()),
            log: known.map(|known| known.document.node()),
            keeps_blocks,
        };
        let version = records.len() as u64;
        let events = match peer.decide(&command, &facts) {
            Ok(events) => events,
            Err(rejection) => return self.refuse_pin(&command, version, rejection, caller).await,
        };
        // Nothing happens, but the key of a request is taken all the same.
        if events.is_empty() && caller.request.is_none() {
            return Ok(Granted { identity, sequence: records.last().map(|record| record.sequence) });
        }
        let stored = events.iter().map(Event::to_stored).collect::<Result<Vec<Stored>, _>>()?;
        let appended = self.append_pin(&command, version, Effect::Events(stored), caller).await?;
        for event in &events {
            self.peers.note(event);
        }
        Ok(Granted { identity, sequence: Some(appended.sequence) })
    }

    async fn refuse_pin(
        &self,
        command: &Command,
        version: u64,
        rejection: Rejection,
        caller: &Caller,
    ) -> Result<Granted, PinError> {
        if !self.refusals.take(self.clock.monotonic_ms()) {
            return Err(rejection.into());
        }
        let effect = Effect::Refused { code: rejection.code().to_owned(), details: rejection.to_string() };
        let Appended { sequence, .. } = self.append_pin(command, version, effect, caller).await?;
        Err(PinError::Recorded { rejection, sequence })
    }

    async fn append_pin(
        &self,
        command: &Command,
        version: u64,
        effect: Effect,
        caller: &Caller,
    ) -> Result<Appended, PinError> {
        let aggregate = peer_aggregate(command.identity());
        let now_ms = self.clock.wall_ms();
        let mut append = self.append(caller, aggregate, version, now_ms, command.to_stored()?, effect);
        append.request = caller.request;
        match self.writer.append(append).await {
            Ok(appended) => Ok(appended),
            // A pin claims nothing but its request, which somebody else has made since we looked.
            Err(NotWritten::ClaimTaken { .. }) => Err(PinError::OtherRequest),
            Err(error) => Err(Unavailable::NotWritten(error).into()),
        }
    }
}
