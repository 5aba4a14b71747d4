//! Reads back what an earlier step sealed, with the keys of a party hosted here: nothing of it is kept anywhere else.

use std::sync::Arc;

use dta_crypto::{ContentKey, OrderKey, SecretBytes};
use dta_events::order::{DisputeCode, Order, Party, Step};
use dta_protocol::body::{self, Extension, Plaintext};
use dta_protocol::sealed::{self, SealRequest, SealedError};
use dta_protocol::{Cid, Descriptor, Envelope, Kind, Role};

use super::error::OrderError;
use crate::actors::crypto_pool::Priority;
use crate::actors::keyring::Known;
use crate::actors::log::StoredBlock;
use crate::actors::services::Services;
use crate::actors::unavailable::Unavailable;
use crate::contain::contain;

/// What a beneficiary finds in a release.
pub(super) enum Opened {
    /// The secret of the commitment, and what the fiduciary's plugin added to the release.
    Genuine(Arc<OrderKey>, Extension),
    /// Something else.
    Disputed(DisputeCode),
}

/// The `parties` body of the commitment.
pub(super) async fn committed(
    services: &Services,
    order: &Order,
    reader: Party,
) -> Result<body::Committed, OrderError> {
    let (_, _, plaintext) = parties(services, order, Kind::Committed, reader).await?;
    body::Committed::decode(plaintext.expose()).map_err(inconsistent)
}

/// What an order's first bodies say.
pub(super) struct Bodies {
    pub(super) placed: body::Placed,
    /// None before there is a commitment.
    pub(super) committed: Option<body::Committed>,
}

/// The bodies of the order and of its commitment: by the keys of a party hosted here, or those that the redemption disclosed to its
/// beneficiary.
pub(super) async fn bodies(services: &Services, order: &Order) -> Result<Bodies, OrderError> {
    let has_commitment = order.step(Kind::Committed).is_some();
    let reader = [Party::Principal, Party::Fiduciary].into_iter().find(|party| order.hosts(*party));
    let (placed, committed) = match reader {
        Some(reader) => {
            let placed = parties(services, order, Kind::Placed, reader).await?.2;
            let committed = match has_commitment {
                true => Some(parties(services, order, Kind::Committed, reader).await?.2),
                false => None,
            };
            (placed, committed)
        }
        None => {
            let request = parties(services, order, Kind::RedemptionRequested, Party::Beneficiary).await?.2;
            let request = body::RedemptionRequested::decode(request.expose()).map_err(inconsistent)?;
            let placed = disclosed(services, order, Kind::Placed, &request)?;
            (placed, Some(disclosed(services, order, Kind::Committed, &request)?))
        }
    };
    let committed = committed.map(|committed| body::Committed::decode(committed.expose()));
    Ok(Bodies {
        placed: body::Placed::decode(placed.expose()).map_err(inconsistent)?,
        committed: committed.transpose().map_err(inconsistent)?,
    })
}

fn disclosed(
    services: &Services,
    order: &Order,
    kind: Kind,
    request: &body::RedemptionRequested,
) -> Result<SecretBytes, OrderError> {
    let (envelope, descriptor) = envelope(services, step(order, kind)?)?;
    let block = read(services, &descriptor.cid)?;
    let key = request.keys.get(&descriptor.cid);
    let key = key.ok_or_else(|| inconsistent(format!("the key of {} is not disclosed", descriptor.cid)))?;
    let request = SealRequest::of(envelope.statement(), Role::Parties).map_err(inconsistent)?;
    sealed::open_with_key(key, &request, &descriptor, &block).map_err(inconsistent)
}

/// What a redemption holds for its beneficiary alone. A principal may have sealed anything there: what does not open is nothing.
pub(super) async fn data(services: &Services, order: &Order) -> Result<Extension, OrderError> {
    let beneficiary = party(services, order, Party::Beneficiary).await?;
    let (envelope, _) = envelope(services, step(order, Kind::RedemptionRequested)?)?;
    let Some(descriptor) = envelope.statement().sealed_for(Role::Beneficiary).cloned() else {
        return Ok(Extension::new());
    };
    let block = read(services, &descriptor.cid)?;
    let opened = open(services, beneficiary, &envelope, descriptor, block).await?;
    let data = opened.ok().map(|(_, plaintext)| {
        contain(|| body::BeneficiaryData::decode(plaintext.expose()).ok()).ok().flatten()
    });
    Ok(data.flatten().map(|data| data.extension).unwrap_or_default())
}

/// The content key of a step's `parties` body, and the CID of that body.
pub(super) async fn content_key(
    services: &Services,
    order: &Order,
    kind: Kind,
    reader: Party,
) -> Result<(Cid, ContentKey), OrderError> {
    let (descriptor, key, _) = parties(services, order, kind, reader).await?;
    Ok((descriptor.cid, key))
}

/// What the beneficiary of a release gets: opened with its keys, compared with what was committed to.
pub(super) async fn secret(services: &Services, order: &Order) -> Result<Opened, OrderError> {
    let commitment = order.commitment().ok_or_else(|| inconsistent("a release without a commitment"))?;
    let placed = order.placed().ok_or_else(|| inconsistent("a release without an order"))?;
    let Released { extension, opened, exclusive } = match release(services, order).await {
        Ok(release) => release,
        Err(Release::CannotOpen) => return Ok(Opened::Disputed(DisputeCode::CannotOpen)),
        Err(Release::Error(error)) => return Err(error),
    };
    let Ok((_, plaintext)) = opened else { return Ok(Opened::Disputed(DisputeCode::CannotOpen)) };
    if !exclusive {
        return Ok(Opened::Disputed(DisputeCode::CannotOpen));
    }
    let Ok(secret) = body::SecretBody::decode(plaintext.expose()) else {
        return Ok(Opened::Disputed(DisputeCode::CannotOpen));
    };
    match OrderKey::from_secret(secret.secret) {
        Ok(key) if key.commitment() == commitment && secret.placed == placed => {
            Ok(Opened::Genuine(Arc::new(key), extension))
        }
        _ => Ok(Opened::Disputed(DisputeCode::WrongSecret)),
    }
}

/// The content key of the sealed secret, for a dispute; none if it does not open.
pub(super) async fn secret_content_key(
    services: &Services,
    order: &Order,
) -> Result<Option<ContentKey>, OrderError> {
    match release(services, order).await {
        Ok(released) => Ok(released.opened.ok().map(|(key, _)| key)),
        Err(Release::CannotOpen) => Ok(None),
        Err(Release::Error(error)) => Err(error),
    }
}

enum Release {
    /// The `parties` body of the release does not open, so neither does the secret.
    CannotOpen,
    Error(OrderError),
}

impl From<OrderError> for Release {
    fn from(error: OrderError) -> Self {
        Release::Error(error)
    }
}

type OpenedBody = Result<(ContentKey, SecretBytes), SealedError>;

/// What is in a release.
struct Released {
    extension: Extension,
    opened: OpenedBody,
    /// The sealed secret is its beneficiary's alone: nobody else has an entry, and this one is made as prescribed.
    exclusive: bool,
}

async fn release(services: &Services, order: &Order) -> Result<Released, Release> {
    let step = step(order, Kind::Released)?;
    let beneficiary = party(services, order, Party::Beneficiary).await?;
    let (envelope, descriptor) = envelope(services, step)?;
    let block = read(services, &descriptor.cid)?;
    let opened = open(services, beneficiary.clone(), &envelope, descriptor, block).await?;
    let (_, plaintext) = opened.map_err(|_| Release::CannotOpen)?;
    let released = body::Released::decode(plaintext.expose()).map_err(|_| Release::CannotOpen)?;
    let block = read(services, &released.secret.cid)?;
    let opened = open(services, beneficiary.clone(), &envelope, released.secret.clone(), block).await?;
    let exclusive = match (&opened, envelope.statement().signer) {
        (Ok((key, _)), Some(signer)) => {
            let key = ContentKey::from_bytes(*key.expose());
            let check = move || {
                let to = [(beneficiary.cid(), beneficiary.document.verifying())];
                sealed::check_recipients(&key, &signer, &to, &released.secret).is_ok()
            };
            services
                .crypto
                .run(Priority::Interactive, check)
                .await
                .map_err(|busy| OrderError::from(Unavailable::from(busy)))?
        }
        _ => false,
    };
    Ok(Released { extension: released.extension, opened, exclusive })
}

async fn parties(
    services: &Services,
    order: &Order,
    kind: Kind,
    reader: Party,
) -> Result<(Descriptor, ContentKey, SecretBytes), OrderError> {
    let step = step(order, kind)?;
    let reader = party(services, order, reader).await?;
    let (envelope, descriptor) = envelope(services, step)?;
    let block = read(services, &descriptor.cid)?;
    let opened = open(services, reader, &envelope, descriptor.clone(), block).await?;
    let (key, plaintext) = opened.map_err(inconsistent)?;
    Ok((descriptor, key, plaintext))
}

async fn open(
    services: &Services,
    reader: Arc<Known>,
    envelope: &Envelope,
    descriptor: Descriptor,
    block: Vec<u8>,
) -> Result<OpenedBody, OrderError> {
    let statement = envelope.statement().clone();
    let opened = services.crypto.run(Priority::Interactive, move || {
        let request = SealRequest::of(&statement, descriptor.role)?;
        let keys = reader.keys.as_ref().ok_or(SealedError::CannotOpen)?;
        sealed::open(keys, &reader.cid(), &request, &descriptor, &block)
    });
    Ok(opened.await.map_err(Unavailable::from)?)
}

fn step(order: &Order, kind: Kind) -> Result<&Step, OrderError> {
    let accepted = order.step(kind).ok_or_else(|| inconsistent(format!("the order has no {kind}")))?;
    Ok(&accepted.step)
}

async fn party(services: &Services, order: &Order, party: Party) -> Result<Arc<Known>, OrderError> {
    let cid =
        order.party(party).ok_or_else(|| inconsistent(format!("the order has no {}", party.as_str())))?;
    Ok(services.party(&cid).await?)
}

/// The envelope of an accepted step, which was verified or made here, and the descriptor of its `parties` body.
pub(super) fn envelope(services: &Services, step: &Step) -> Result<(Envelope, Descriptor), OrderError> {
    let envelope = Envelope::decode(&read(services, &step.cid)?).map_err(inconsistent)?;
    let descriptor = envelope.statement().sealed_for(Role::Parties).cloned();
    let descriptor = descriptor.ok_or_else(|| inconsistent(format!("{} has no parties body", step.cid)))?;
    Ok((envelope, descriptor))
}

pub(super) fn read(services: &Services, cid: &Cid) -> Result<Vec<u8>, OrderError> {
    let bytes = match services.log.block(&cid.to_bytes())? {
        Some(StoredBlock::Published(block)) => block.bytes().to_vec(),
        Some(StoredBlock::Held(block)) => block.bytes().to_vec(),
        None => return Err(inconsistent(format!("block {cid} is not in the log"))),
    };
    if cid.names(&bytes) { Ok(bytes) } else { Err(inconsistent(format!("block {cid} is damaged"))) }
}

pub(super) fn inconsistent(what: impl std::fmt::Display) -> OrderError {
    Unavailable::Inconsistent(what.to_string()).into()
}
