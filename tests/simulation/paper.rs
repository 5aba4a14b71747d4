//! Stand-ins for what is signed and sealed. An envelope says who truly signed it and who can read it; its CID is the hash of
//! all it says, as of a real one. The proofs inside are real: the rules verify them.

use std::collections::BTreeMap;

use dta_crypto::{OrderKey, Secret};
use dta_events::codec;
use dta_events::order::{Root, StepFacts};
use dta_protocol::{Cid, Codec};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a signer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    pub facts: StepFacts,
    pub signer: Cid,
    pub reference: String,
    pub previous: Option<Cid>,
    pub issued_at_ms: u64,
    /// To whom its body is sealed.
    pub readers: Vec<Cid>,
    pub proof: Option<Vec<u8>>,
    /// The envelopes whose bodies a redemption discloses to its beneficiary.
    pub keys: Vec<Cid>,
    pub reserved_policy_is_empty: bool,
}

/// A signed statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    pub statement: Statement,
    /// Whose keys signed: a signature holds if this is the signer.
    pub signed_by: Cid,
    /// Signing is randomised: the same statement signed twice is two envelopes.
    pub salt: u64,
}

impl Envelope {
    pub fn bytes(&self) -> Vec<u8> {
        codec::encode(self).expect("an envelope is small")
    }

    pub fn cid(&self) -> Cid {
        Cid::of(Codec::DagCbor, &self.bytes())
    }

    pub fn statement_hash(&self) -> [u8; 32] {
        Sha256::digest(codec::encode(&self.statement).expect("a statement is small")).into()
    }

    pub fn root(&self) -> Root {
        Root {
            cid: self.cid(),
            statement: self.statement_hash(),
            kind: self.statement.facts.kind(),
            signer: Some(self.statement.signer),
            previous: self.statement.previous,
        }
    }
}

/// A secret sealed to its beneficiary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    pub to: Cid,
    pub placed: Cid,
    pub secret: [u8; 32],
    /// It opens with its beneficiary's key; else it is garbage.
    pub opens: bool,
}

impl SealedSecret {
    pub fn bytes(&self) -> Vec<u8> {
        codec::encode(self).expect("a secret is small")
    }

    pub fn cid(&self) -> Cid {
        Cid::of(Codec::Raw, &self.bytes())
    }
}

/// What one node sends another about an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packet {
    /// Who makes the call: a node's identity; that call's signature always holds.
    pub from: Cid,
    /// The identity that opens it.
    pub to: Cid,
    /// Oldest first, each answering the one before.
    pub steps: Vec<Envelope>,
    pub secrets: Vec<SealedSecret>,
    /// Whose documents come along.
    pub introduces: Vec<Cid>,
}

/// Who there is, and on which node each lives. The first identity of a node is the node's own.
#[derive(Clone, Debug)]
pub struct Cast {
    homes: BTreeMap<Cid, usize>,
    nodes: Vec<Cid>,
}

impl Cast {
    pub fn new(nodes: &[&[&str]]) -> Self {
        let homes = nodes
            .iter()
            .enumerate()
            .flat_map(|(node, names)| names.iter().map(move |name| (person(name), node)));
        Self { homes: homes.collect(), nodes: nodes.iter().map(|names| person(names[0])).collect() }
    }

    pub fn node(&self, node: usize) -> Cid {
        self.nodes[node]
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Where an identity lives; nowhere, if it is a made-up one.
    pub fn home(&self, cid: &Cid) -> Option<usize> {
        self.homes.get(cid).copied()
    }

    /// Whether a caller answers for somebody.
    pub fn lives_with(&self, cid: &Cid, caller: &Cid) -> bool {
        self.home(cid).is_some_and(|home| self.node(home) == *caller)
    }
}

pub fn person(name: &str) -> Cid {
    Cid::of(Codec::DagCbor, name.as_bytes())
}

/// A key pair from 32 bytes of custody.
pub fn order_key(secret: &[u8; 32]) -> Option<OrderKey> {
    OrderKey::from_secret(Secret::from_bytes(*secret)).ok()
}
