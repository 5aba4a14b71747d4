//! An identity: the envelope in which keys say that they belong together, each proving that its secret is held.

use std::fmt;

use dta_crypto::{IdentityKeys, KeyError, PublicKeys, SignatureError, VerifyingKeys};
use ipld_core::ipld::Ipld;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::canonical;
use crate::cid::{Cid, Codec};
use crate::envelope::{Envelope, EnvelopeError, Verified};
use crate::fields::{FieldError, Fields};
use crate::kind::Kind;
use crate::statement::{Body, Statement, map};

/// Bytes of a name, at most; at least 1.
pub const MAX_NAME_BYTES: usize = 128;

/// BIP340 tag of `secp256k1_proof`.
const PROOF_TAG: &str = "milagro-dta/v1/identity";

/// The public part of an identity, well-formed; keys and proofs are not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityBody {
    /// What it calls itself, 1 to 128 bytes; shown, never trusted.
    pub name: String,
    /// All its public keys.
    pub keys: PublicKeys,
    /// By the BLS key over itself.
    pub bls_proof: [u8; 48],
    /// BIP340 by the secp256k1 key over the hash of the body.
    pub secp256k1_proof: [u8; 64],
    /// By the Ed25519 key over the same hash.
    pub ed25519_proof: [u8; 64],
    /// The identity it takes over from.
    pub supersedes: Option<Cid>,
    /// The identity whose log holds its statements, if that is another.
    pub log: Option<Cid>,
}

/// An identity whose keys, signatures and proofs all hold.
#[derive(Clone)]
pub struct Identity {
    envelope: Verified<Envelope>,
    body: Box<IdentityBody>,
    verifying: VerifyingKeys,
}

/// Why a block is not an identity.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// Not an envelope, or its signature does not verify.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// An envelope of another kind.
    #[error("an envelope of kind {0} is not an identity")]
    OtherKind(Kind),
    /// A key is not valid.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// `bls_proof` does not verify.
    #[error("field `bls_proof` does not prove the key")]
    BlsProof,
    /// `secp256k1_proof` does not verify.
    #[error("field `secp256k1_proof` does not prove the key")]
    Secp256k1Proof,
    /// `ed25519_proof` does not verify.
    #[error("field `ed25519_proof` does not prove the key")]
    Ed25519Proof,
}

impl IdentityError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            IdentityError::Envelope(error) => error.code(),
            IdentityError::OtherKind(_) => "identity-other-kind",
            IdentityError::Key(_) => "identity-key-invalid",
            IdentityError::BlsProof => "identity-bls-proof",
            IdentityError::Secp256k1Proof => "identity-secp256k1-proof",
            IdentityError::Ed25519Proof => "identity-ed25519-proof",
        }
    }
}

impl Identity {
    /// Makes and signs an identity of these keys. `issued_at_ms` is milliseconds since 1970, UTC.
    pub fn create(
        keys: &IdentityKeys,
        name: &str,
        supersedes: Option<Cid>,
        log: Option<Cid>,
        issued_at_ms: u64,
    ) -> Result<Self, IdentityError> {
        let mut body = IdentityBody {
            name: name.to_owned(),
            keys: keys.public().clone(),
            bls_proof: keys.bls_proof(),
            secp256k1_proof: [0; 64],
            ed25519_proof: [0; 64],
            supersedes,
            log,
        };
        let hash = body.proof_hash();
        body.secp256k1_proof = keys.secp256k1_sign(PROOF_TAG, &hash);
        body.ed25519_proof = keys.ed25519_sign(&hash);
        let verifying = body.keys.validate()?;
        let statement = Statement {
            kind: Kind::Identity,
            body: Body::Identity(Box::new(body.clone())),
            sealed: Vec::new(),
            signer: None,
            subject: String::new(),
            previous: None,
            issued_at_ms,
        };
        let envelope = Envelope::sign(&statement, keys)?;
        Ok(Self { envelope, body: Box::new(body), verifying })
    }

    /// Reads and checks a block: its form, every key, both signatures and the three proofs.
    pub fn decode(block: &[u8]) -> Result<Self, IdentityError> {
        let envelope = Envelope::decode(block)?;
        let Body::Identity(body) = &envelope.statement().body else {
            return Err(IdentityError::OtherKind(envelope.statement().kind));
        };
        let body = body.clone();
        let verifying = body.keys.validate()?;
        let envelope = envelope.verify_with(&verifying)?;
        body.check_proofs(&verifying)?;
        Ok(Self { envelope, body, verifying })
    }

    /// The CID of its envelope, which is its id.
    pub fn cid(&self) -> Cid {
        self.envelope.cid()
    }

    /// What it calls itself; shown, never trusted.
    pub fn name(&self) -> &str {
        &self.body.name
    }

    /// Its public keys, all valid.
    pub fn public(&self) -> &PublicKeys {
        &self.body.keys
    }

    /// Its public keys, ready to verify with.
    pub fn verifying(&self) -> &VerifyingKeys {
        &self.verifying
    }

    /// The envelope it stands in.
    pub fn envelope(&self) -> &Verified<Envelope> {
        &self.envelope
    }

    /// When it was signed, by its own clock: milliseconds since 1970, UTC.
    pub fn issued_at_ms(&self) -> u64 {
        self.envelope.statement().issued_at_ms
    }

    /// The identity it says it takes over from.
    pub fn supersedes(&self) -> Option<Cid> {
        self.body.supersedes
    }

    /// The identity whose log holds its statements, if that is another.
    pub fn log(&self) -> Option<Cid> {
        self.body.log
    }

    /// The identity of the node it lives on, which makes its calls: itself, or the holder of its log.
    pub fn node(&self) -> Cid {
        self.body.log.unwrap_or_else(|| self.cid())
    }

    /// Whether `node` answers for it: it is that identity, or names it as the holder of its log.
    pub fn lives_with(&self, node: &Cid) -> bool {
        self.cid() == *node || self.body.log == Some(*node)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, {:?})", self.cid(), self.name())
    }
}

impl IdentityBody {
    pub(crate) fn read(mut fields: Fields) -> Result<Self, FieldError> {
        let link = |fields: &mut Fields, name| fields.link(name, Codec::DagCbor);
        let body = Self {
            name: fields.text("name", MAX_NAME_BYTES)?,
            keys: PublicKeys {
                bls: fields.bytes("bls")?,
                ml_dsa: fields.boxed("ml_dsa")?,
                kem: fields.boxed("kem")?,
                secp256k1: fields.bytes("secp256k1")?,
                ed25519: fields.bytes("ed25519")?,
            },
            bls_proof: fields.bytes("bls_proof")?,
            secp256k1_proof: fields.bytes("secp256k1_proof")?,
            ed25519_proof: fields.bytes("ed25519_proof")?,
            supersedes: fields.nullable("supersedes", link)?,
            log: fields.nullable("log", link)?,
        };
        fields.finish()?;
        if body.name.is_empty() || !name_is_plain(&body.name) {
            let rule = "must not be empty nor hold control or bidirectional characters";
            return Err(FieldError::Value { field: "name", rule });
        }
        Ok(body)
    }

    pub(crate) fn to_ipld(&self) -> Ipld {
        let mut body = self.proved();
        if let Ipld::Map(fields) = &mut body {
            fields.insert("secp256k1_proof".into(), Ipld::Bytes(self.secp256k1_proof.to_vec()));
            fields.insert("ed25519_proof".into(), Ipld::Bytes(self.ed25519_proof.to_vec()));
        }
        body
    }

    /// The body without the two proofs that are over its hash; `bls_proof` is in it.
    fn proved(&self) -> Ipld {
        let link = |cid: Option<Cid>| cid.map_or(Ipld::Null, |cid| cid.link());
        map([
            ("name", Ipld::String(self.name.clone())),
            ("bls", Ipld::Bytes(self.keys.bls.to_vec())),
            ("bls_proof", Ipld::Bytes(self.bls_proof.to_vec())),
            ("ml_dsa", Ipld::Bytes(self.keys.ml_dsa.to_vec())),
            ("kem", Ipld::Bytes(self.keys.kem.to_vec())),
            ("secp256k1", Ipld::Bytes(self.keys.secp256k1.to_vec())),
            ("ed25519", Ipld::Bytes(self.keys.ed25519.to_vec())),
            ("supersedes", link(self.supersedes)),
            ("log", link(self.log)),
        ])
    }

    fn proof_hash(&self) -> [u8; 32] {
        Sha256::digest(canonical::encode(&self.proved())).into()
    }

    fn check_proofs(&self, keys: &VerifyingKeys) -> Result<(), IdentityError> {
        let failed = |error| move |_: SignatureError| error;
        let hash = self.proof_hash();
        keys.verify_bls_proof(&self.bls_proof).map_err(failed(IdentityError::BlsProof))?;
        keys.verify_secp256k1(PROOF_TAG, &hash, &self.secp256k1_proof)
            .map_err(failed(IdentityError::Secp256k1Proof))?;
        keys.verify_ed25519(&hash, &self.ed25519_proof).map_err(failed(IdentityError::Ed25519Proof))
    }
}

/// Whether a name is free of control characters and of those that turn the direction of text.
pub fn name_is_plain(name: &str) -> bool {
    let turns = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !name.chars().any(|c| c.is_control() || turns(c))
}
