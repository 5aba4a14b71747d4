//! Does what prepare named: asks custody, seals, signs. Interactive arithmetic runs on the crypto pool.

use std::collections::BTreeMap;
use std::sync::Arc;

use dta_crypto::{ContentKey, OrderKey, SecretBytes};
use dta_events::order::{Content, Draft, Made, Order, Party};
use dta_protocol::body::{self, Extension, Plaintext};
use dta_protocol::sealed::{self, SealRequest, SealedBody};
use dta_protocol::{Body, Cid, Envelope, Kind, Role, Statement};

use super::error::OrderError;
use super::{plugin, reopen};
use crate::actors::crypto_pool::Priority;
use crate::actors::keyring::Known;
use crate::actors::log::{Block, BlockClass};
use crate::actors::services::Services;
use crate::actors::unavailable::Unavailable;

/// What is private and goes straight into a sealed body: never into a command, an event or a log line.
#[derive(Default)]
pub(super) struct Unsealed {
    /// For the other side's plugin.
    pub(super) extension: Extension,
    /// For the beneficiary alone.
    pub(super) data: Extension,
}

/// What the work gave.
pub(super) struct Product {
    /// For the rules.
    pub(super) made: Made,
    /// The envelope, its sealed bodies, and the held secret of a release.
    pub(super) blocks: Vec<Block>,
    /// The order's key pair, when custody gave it or a receipt needed it.
    pub(super) key: Option<Arc<OrderKey>>,
    /// What the fiduciary's plugin added.
    pub(super) extension: Option<Extension>,
}

/// A plaintext on its way to be sealed.
struct ToSeal {
    role: Role,
    plaintext: SecretBytes,
    content_key: ContentKey,
    to: Vec<Arc<Known>>,
}

/// Signs and seals a draft. Nothing leaves this node and nothing is stored by it, but for a new seed in custody, which
/// is found again under its order.
pub(super) async fn perform(
    services: &Services,
    order: &Order,
    draft: Draft,
    unsealed: Unsealed,
    key: Option<Arc<OrderKey>>,
) -> Result<Product, OrderError> {
    let mut key = key;
    let others: Vec<Cid> = draft.readers.iter().filter(|reader| **reader != draft.signer).copied().collect();
    let seen = services.notes_of(&others).await?;
    let (mut commitment, mut secret, mut held, mut added) = (None, None, None, None);
    let mut bodies = Vec::new();
    let Unsealed { extension, data } = unsealed;
    let plaintext = match &draft.content {
        Content::Placed { parties, plugin, coin, terms } => encode(&body::Placed {
            reference: draft.reference.clone(),
            fiduciary: parties.fiduciary,
            beneficiary: parties.beneficiary,
            plugin: plugin.clone(),
            coin: *coin,
            policy: body::Policy {
                not_before_ms: terms.not_before_ms,
                expires_at_ms: terms.expires_at_ms,
                retention_ms: terms.retention_ms,
                delay_ms: 0,
                guardian: None,
                approvers: Vec::new(),
                approvals_required: 0,
            },
            extension,
            seen,
        })?,
        Content::Committed { placed } => {
            let made = services.seeds.create(placed.to_bytes()).await.map_err(Unavailable::Custody)?;
            let proof = body::sign_commitment_proof(&made, placed, &draft.signer);
            commitment = Some(made.commitment());
            let extension = plugin::adds(services, order, Kind::Committed).await?;
            added = Some(extension.clone());
            encode(&body::Committed { commitment: made.commitment(), proof, extension, seen })?
        }
        Content::RedemptionRequested { beneficiary, .. } => {
            bodies.push(ToSeal {
                role: Role::Beneficiary,
                plaintext: encode(&body::BeneficiaryData { extension: data })?,
                content_key: services.content_key(),
                to: vec![services.party(beneficiary).await?],
            });
            let mut keys = BTreeMap::new();
            for kind in [Kind::Placed, Kind::Committed] {
                let (cid, key) = reopen::content_key(services, order, kind, Party::Principal).await?;
                keys.insert(cid, key);
            }
            encode(&body::RedemptionRequested { beneficiary: *beneficiary, keys, extension, seen })?
        }
        Content::Released { placed, beneficiary, commitment } => {
            let kept = services.seeds.open(placed.to_bytes()).await.map_err(Unavailable::Custody)?;
            if kept.commitment() != **commitment {
                let text = format!("custody holds another key for {placed} than the one committed to");
                return Err(Unavailable::Inconsistent(text).into());
            }
            let sealed =
                seal_secret(services, &draft, beneficiary, body::SecretBody::of(&kept, placed)).await?;
            let descriptor = sealed.descriptor;
            secret = Some(descriptor.cid);
            held = Some(block(descriptor.cid, BlockClass::Held, sealed.block));
            key = Some(Arc::new(kept));
            let extension = plugin::adds(services, order, Kind::Released).await?;
            added = Some(extension.clone());
            encode(&body::Released { beneficiary: *beneficiary, secret: descriptor, extension, seen })?
        }
        Content::Received { released } => {
            let key = key.as_ref().ok_or_else(|| {
                Unavailable::Inconsistent("a receipt needs the released secret at hand".to_owned())
            })?;
            let proof = body::sign_received_proof(key, released, &draft.signer);
            encode(&body::Received { proof, seen })?
        }
        Content::Disputed { code, .. } => {
            let content_key = reopen::secret_content_key(services, order).await?;
            encode(&body::Disputed { code: *code, content_key, seen })?
        }
        Content::CancellationRequested { detail } => {
            encode(&body::CancellationRequested { detail: detail.clone(), seen })?
        }
        Content::Closed { code } => encode(&body::Closed { code: *code, detail: String::new(), seen })?,
    };
    let mut readers = Vec::new();
    for reader in &draft.readers {
        readers.push(services.party(reader).await?);
    }
    let note = services.note();
    let content_key = services.content_key();
    bodies.insert(0, ToSeal { role: Role::Parties, plaintext, content_key, to: readers });
    let signer = services.party(&draft.signer).await?;
    let (envelope, sealed) = services
        .crypto
        .run(Priority::Interactive, move || issue(&draft, &signer, note, bodies))
        .await
        .map_err(Unavailable::from)??;
    let made = Made {
        cid: envelope.cid(),
        statement: envelope.statement_hash(),
        sealed: sealed.iter().map(|body| body.descriptor.cid).collect(),
        commitment,
        secret,
    };
    let published = |cid, bytes| block(cid, BlockClass::Published, bytes);
    let mut blocks = vec![published(envelope.cid(), envelope.block().to_vec())];
    blocks.extend(sealed.into_iter().map(|body| published(body.descriptor.cid, body.block)));
    blocks.extend(held);
    Ok(Product { made, blocks, key, extension: added })
}

fn issue(
    draft: &Draft,
    signer: &Known,
    note: Option<String>,
    bodies: Vec<ToSeal>,
) -> Result<(dta_protocol::Verified<Envelope>, Vec<SealedBody>), OrderError> {
    let sealed =
        bodies.into_iter().map(|body| seal_body(draft, body)).collect::<Result<Vec<_>, OrderError>>()?;
    let statement = Statement {
        kind: draft.content.kind(),
        body: Body::Order { note },
        sealed: sealed.iter().map(|body| body.descriptor.clone()).collect(),
        signer: Some(draft.signer),
        subject: draft.reference.clone(),
        previous: draft.previous,
        issued_at_ms: draft.issued_at_ms,
    };
    let keys = signer.keys.as_ref().ok_or_else(|| {
        Unavailable::Inconsistent(format!("the keys of {} are not on this node", draft.signer))
    })?;
    let envelope = Envelope::sign(&statement, keys).map_err(invalid)?;
    Ok((envelope, sealed))
}

/// The released secret is sealed for its beneficiary alone, bound to the statement that will say so.
async fn seal_secret(
    services: &Services,
    draft: &Draft,
    beneficiary: &Cid,
    secret: body::SecretBody,
) -> Result<SealedBody, OrderError> {
    let to = vec![services.party(beneficiary).await?];
    let (draft, beneficiary) = (draft.clone(), *beneficiary);
    services
        .crypto
        .run(Priority::Interactive, move || {
            let content_key = secret.content_key(&request(&draft, Role::Secret), &beneficiary);
            seal_body(&draft, ToSeal { role: Role::Secret, plaintext: encode(&secret)?, content_key, to })
        })
        .await
        .map_err(Unavailable::from)?
}

/// What a body of this role is bound to.
fn request(draft: &Draft, role: Role) -> SealRequest<'_> {
    SealRequest {
        kind: draft.content.kind(),
        role,
        signer: draft.signer,
        subject: &draft.reference,
        previous: draft.previous,
        issued_at_ms: draft.issued_at_ms,
    }
}

fn seal_body(draft: &Draft, body: ToSeal) -> Result<SealedBody, OrderError> {
    let request = request(draft, body.role);
    let recipients: Vec<_> = body.to.iter().map(|known| (known.cid(), known.document.verifying())).collect();
    sealed::seal(&request, body.plaintext.expose(), body.content_key, &recipients).map_err(invalid)
}

fn encode<P: Plaintext>(plaintext: &P) -> Result<SecretBytes, OrderError> {
    plaintext.encode().map_err(invalid)
}

/// What the protocol refuses to write is the caller's to mend: the text names field and limit.
fn invalid(error: impl std::fmt::Display) -> OrderError {
    OrderError::Invalid(error.to_string())
}

fn block(cid: Cid, class: BlockClass, bytes: Vec<u8>) -> Block {
    Block { cid: cid.to_bytes(), class, bytes }
}
