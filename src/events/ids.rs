//! How an aggregate is found from what the outside names: an order by its principal and reference.

use dta_protocol::Cid;
use sha2::{Digest, Sha256};

use crate::record::{Aggregate, AggregateKind};

/// The aggregate of an order: SHA-256(principal CID ‖ subject), so that a conflicting `order/placed` under the same
/// reference meets the same owner. References of different principals never collide.
pub fn order_aggregate(principal: &Cid, reference: &str) -> Aggregate {
    let mut hash = Sha256::new();
    hash.update(principal.to_bytes());
    hash.update(reference.as_bytes());
    Aggregate { kind: AggregateKind::Order, id: hash.finalize().into() }
}

/// The aggregate of an identity: the digest of its envelope's CID.
pub fn identity_aggregate(identity: &Cid) -> Aggregate {
    Aggregate { kind: AggregateKind::Identity, id: *identity.digest() }
}

/// The aggregate of an identity's pin: of another kind than the identity's own, under the same digest.
pub fn peer_aggregate(identity: &Cid) -> Aggregate {
    Aggregate { kind: AggregateKind::Peer, id: *identity.digest() }
}

/// The aggregate of the node itself: there is one in a log.
pub fn node_aggregate() -> Aggregate {
    Aggregate { kind: AggregateKind::Node, id: [0; 32] }
}

/// The aggregate of an identity's log.
pub fn log_aggregate(owner: &Cid) -> Aggregate {
    Aggregate { kind: AggregateKind::Log, id: *owner.digest() }
}

/// A claim (a key that may be taken once in a log): a hash under a label of its own.
pub fn claim(label: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((label.len() as u64).to_be_bytes());
    hash.update(label.as_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The claim of a sealed secret by the order that releases it.
pub fn secret_claim(secret: &Cid) -> [u8; 32] {
    claim("sealed-secret", &[&secret.to_bytes()])
}

/// The claim of one caller's `Idempotency-Key`; `key` is its SHA-256.
pub fn request_claim(by: &str, key: &[u8; 32]) -> [u8; 32] {
    claim("request", &[by.as_bytes(), key])
}
