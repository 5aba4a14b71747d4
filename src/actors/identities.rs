//! The actor of identities: makes new ones from the node's seed, one at a time; and how a node learns of others.

use std::sync::Arc;

use actix::{Actor, AtomicResponse, Context, Handler, Message, WrapFuture};
use dta_events::identity::{
    Command, Event, Identity as State, Known as KnownFacts, Rejection, Standing, Work,
};
use dta_events::ids::{claim, identity_aggregate, request_claim};
use dta_events::record::{Effect, Record};
use dta_events::replay_identity;
use dta_protocol::{Cid, Identity};
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;

use super::crypto_pool::Priority;
use super::log::{Block, BlockClass, NotWritten};
use super::orders::{Prior, prior};
use super::services::{Caller, Services};
use crate::actors::unavailable::Unavailable;

/// The actor.
pub struct Identities {
    services: Arc<Services>,
}

impl Identities {
    /// Over the node's services.
    pub fn new(services: Arc<Services>) -> Self {
        Self { services }
    }
}

impl Actor for Identities {
    type Context = Context<Self>;
}

/// Make an identity hosted here.
#[derive(Message)]
#[rtype(result = "Result<Created, IdentityError>")]
pub struct Create {
    /// 1 to 128 bytes, no control or bidirectional characters.
    pub name: String,
    /// Who asks.
    pub caller: Caller,
    /// Counts it among the commands under way until it is answered.
    pub permit: OwnedSemaphorePermit,
}

/// An identity was made, or had been made for the same request.
#[derive(Clone, Copy, Debug)]
pub struct Created {
    /// Its document.
    pub cid: Cid,
    /// The record that says so.
    pub sequence: u64,
}

/// Why none was made.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// By the rules.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The idempotency key belongs to another request.
    #[error("Idempotency-Key: was used for another request")]
    OtherRequest,
    /// Not now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Handler<Create> for Identities {
    // One after the other: an identity is made rarely, and two with one idempotency key must not both be made.
    type Result = AtomicResponse<Self, Result<Created, IdentityError>>;

    fn handle(&mut self, create: Create, _: &mut Context<Self>) -> Self::Result {
        let services = self.services.clone();
        AtomicResponse::new(Box::pin(async move { services.create_identity(create).await }.into_actor(self)))
    }
}

impl Services {
    async fn create_identity(&self, create: Create) -> Result<Created, IdentityError> {
        let Create { name, caller, permit: _under_way } = create;
        match prior(&*self.log, &caller)? {
            Prior::None => {}
            Prior::Other => return Err(IdentityError::OtherRequest),
            Prior::Same(record) => return created_before(&record),
        }
        let state = State::default();
        let uuid: [u8; 16] = self.random();
        let command = Command::Create { name: name.clone(), uuid: Some(uuid) };
        let work = match state.prepare(&command) {
            Ok(work) => work,
            Err(rejection) => return self.refuse_identity(&caller, &command, uuid, rejection).await,
        };
        debug_assert_eq!(work, Work::Create);
        let now_ms = self.clock.wall_ms();
        let (keyring, log_holder) = (self.keyring.clone(), self.node);
        let document = self
            .crypto
            .run(Priority::Interactive, move || {
                Identity::create(&keyring.derive(Some(&uuid)), &name, None, Some(log_holder), now_ms)
            })
            .await
            .map_err(Unavailable::from)?
            .map_err(|error| Unavailable::Inconsistent(error.to_string()))?;
        let events = state.decide(&command, Some(KnownFacts::of(&document)))?;
        let effect =
            Effect::Events(events.iter().map(Event::to_stored).collect::<Result<_, _>>().map_err(stored)?);
        let command = command.to_stored().map_err(stored)?;
        let mut append =
            self.append(&caller, identity_aggregate(&document.cid()), 0, now_ms, command, effect);
        append.request = caller.request;
        append.blocks = vec![published(&document)];
        match self.writer.append(append).await {
            Ok(appended) => Ok(Created { cid: document.cid(), sequence: appended.sequence }),
            // Another route was quicker to take the request's key.
            Err(NotWritten::ClaimTaken { claim, .. }) if Some(claim) == request_claim_of(&caller) => {
                Err(IdentityError::OtherRequest)
            }
            Err(NotWritten::ClaimTaken { .. }) => Err(Rejection::KeyTaken.into()),
            Err(error) => Err(Unavailable::NotWritten(error).into()),
        }
    }

    /// Takes note of a document made elsewhere: answers the record that says so, or none if it was known before. Its
    /// block is published with it, and each of its signing keys is claimed.
    ///
    /// # Errors
    /// `key-taken` if one of its keys is another known identity's; that is recorded, unless a peer sent the document.
    pub async fn learn(&self, document: &Identity, caller: &Caller) -> Result<Option<u64>, IdentityError> {
        let aggregate = identity_aggregate(&document.cid());
        let command = Command::Learn { cid: document.cid() };
        loop {
            let records = self.log.load(&aggregate).map_err(Unavailable::from)?;
            let state = replay_identity(&records).map_err(stored)?;
            let events = state.decide(&command, Some(KnownFacts::of(document)))?;
            if events.is_empty() {
                return Ok(None);
            }
            let (version, now_ms) = (records.len() as u64, self.clock.wall_ms());
            let effect = Effect::Events(
                events.iter().map(Event::to_stored).collect::<Result<_, _>>().map_err(stored)?,
            );
            let frame = |effect| {
                let command = command.to_stored().map_err(stored)?;
                Ok::<_, Unavailable>(self.append(caller, aggregate, version, now_ms, command, effect))
            };
            let mut append = frame(effect)?;
            append.blocks = vec![published(document)];
            match self.writer.append(append).await {
                Ok(appended) => return Ok(Some(appended.sequence)),
                // Somebody was quicker: with the same document, or with a refusal of it.
                Err(NotWritten::Version { .. }) => {}
                Err(NotWritten::ClaimTaken { .. }) if self.is_known(document)? => return Ok(None),
                Err(NotWritten::ClaimTaken { .. }) => {
                    let rejection = Rejection::KeyTaken;
                    // A stranger does not fill the log from outside.
                    if !caller.is_peer() && self.refusals.take(self.clock.monotonic_ms()) {
                        let (code, details) = (rejection.code().to_owned(), rejection.to_string());
                        let refused = frame(Effect::Refused { code, details })?;
                        self.writer.append(refused).await.map_err(Unavailable::NotWritten)?;
                    }
                    return Err(rejection.into());
                }
                Err(error) => return Err(Unavailable::NotWritten(error).into()),
            }
        }
    }

    fn is_known(&self, document: &Identity) -> Result<bool, Unavailable> {
        let records = self.log.load(&identity_aggregate(&document.cid()))?;
        Ok(replay_identity(&records).map_err(stored)?.standing != Standing::Unknown)
    }

    async fn refuse_identity(
        &self,
        caller: &Caller,
        command: &Command,
        uuid: [u8; 16],
        rejection: Rejection,
    ) -> Result<Created, IdentityError> {
        if self.refusals.take(self.clock.monotonic_ms()) {
            // What was never made has no CID: its refusal stands under the UUID it would have had.
            let mut aggregate = identity_aggregate(&self.node);
            aggregate.id = claim("refused-identity", &[&uuid]);
            let effect =
                Effect::Refused { code: rejection.code().to_owned(), details: rejection.to_string() };
            let command = command.to_stored().map_err(stored)?;
            let append = self.append(caller, aggregate, 0, self.clock.wall_ms(), command, effect);
            self.writer.append(append).await.map_err(Unavailable::NotWritten)?;
        }
        Err(rejection.into())
    }
}

fn request_claim_of(caller: &Caller) -> Option<[u8; 32]> {
    caller.request.map(|request| request_claim(&caller.by, &request.idempotency_key))
}

fn published(document: &Identity) -> Block {
    Block {
        cid: document.cid().to_bytes(),
        class: BlockClass::Published,
        bytes: document.envelope().block().to_vec(),
    }
}

fn created_before(record: &Record) -> Result<Created, IdentityError> {
    let Effect::Events(events) = &record.effect else { return Err(IdentityError::OtherRequest) };
    let event = events.first().ok_or(IdentityError::OtherRequest)?;
    let event = Event::from_stored(event).map_err(stored)?;
    Ok(Created { cid: event.known().cid, sequence: record.sequence })
}

fn stored(error: dta_events::stored::StoredError) -> Unavailable {
    Unavailable::Inconsistent(error.to_string())
}
