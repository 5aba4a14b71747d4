//! An envelope: one block, a statement and the signature over its bytes as they were received.
//!
//! The layout is fixed, so the signed bytes are found without decoding: 14 bytes of head, the signature (3,357), 10
//! bytes of key, then the statement to the end of the block.

use std::ops::Deref;

use dta_crypto::{Entropy, IdentityKeys, SIGNATURE_BYTES, Signature, SignatureError, VerifyingKeys};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::cid::{Cid, Codec};
use crate::identity::Identity;
use crate::statement::{Statement, StatementError};

/// The largest envelope.
pub const MAX_BLOCK_BYTES: usize = 64 * 1024;

/// A map of two, the key `signature`, and the head of 3,357 bytes.
const HEAD: &[u8; 14] = b"\xa2\x69signature\x59\x0d\x1d";
/// The key `statement`.
const MIDDLE: &[u8; 10] = b"\x69statement";
/// Bad envelopes that are looked for in one batch.
const BAD_MAX: usize = 8;
const STATEMENT_AT: usize = HEAD.len() + SIGNATURE_BYTES + MIDDLE.len();
/// Separates these signatures from all others made with the same keys.
const SIGNING_PREFIX: &[u8] = b"milagro-dta/v1/statement\0";

/// A well-formed envelope. Whether its signer signed it is not known: see [`Envelope::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    block: Vec<u8>,
    cid: Cid,
    statement: Statement,
}

/// Something whose signature has been verified, or that was signed here. Nothing else makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The thing itself, no longer known to be verified.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Why a block is not an envelope, or not its signer's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// Larger than 64 KiB.
    #[error("an envelope is at most 65536 bytes, not {0}")]
    TooLarge(usize),
    /// The fixed bytes of the layout are not there.
    #[error("the block does not begin as an envelope does")]
    Layout,
    /// The statement is not one.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The identity offered is not the one the statement names.
    #[error("the statement names another signer than this identity")]
    OtherSigner,
    /// The signature is not of this statement by these keys.
    #[error("the signature does not verify: {0}")]
    Signature(#[from] SignatureError),
}

impl EnvelopeError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            EnvelopeError::TooLarge(_) => "envelope-too-large",
            EnvelopeError::Layout => "envelope-layout",
            EnvelopeError::Statement(error) => error.code(),
            EnvelopeError::OtherSigner => "envelope-other-signer",
            EnvelopeError::Signature(_) => "signature-invalid",
        }
    }
}

impl Envelope {
    /// Reads a block. What comes out is well-formed and not yet to be believed.
    pub fn decode(block: &[u8]) -> Result<Self, EnvelopeError> {
        if block.len() > MAX_BLOCK_BYTES {
            return Err(EnvelopeError::TooLarge(block.len()));
        }
        let middle = block.get(STATEMENT_AT - MIDDLE.len()..STATEMENT_AT);
        if !block.starts_with(HEAD) || middle != Some(MIDDLE.as_slice()) {
            return Err(EnvelopeError::Layout);
        }
        let statement = Statement::decode(&block[STATEMENT_AT..])?;
        Ok(Self { block: block.to_vec(), cid: Cid::of(Codec::DagCbor, block), statement })
    }

    /// Signs a statement. Do it once and keep the block: signing again makes another block, with another CID.
    pub fn sign(statement: &Statement, keys: &IdentityKeys) -> Result<Verified<Self>, EnvelopeError> {
        let bytes = statement.encode()?;
        let Signature(signature) = keys.sign(&message(&bytes));
        let block = [HEAD.as_slice(), &signature, MIDDLE, &bytes].concat();
        Self::decode(&block).map(Verified)
    }

    /// Believes the envelope if `signer` is whom the statement names, and signed it.
    pub fn verify(self, signer: &Identity) -> Result<Verified<Self>, EnvelopeError> {
        if self.statement.signer != Some(signer.cid()) {
            return Err(EnvelopeError::OtherSigner);
        }
        self.verify_with(signer.verifying())
    }

    /// Verifies many envelopes of one signer, several times faster than one by one; the answers are in their order.
    /// The first bad one is found by halving, and what follows it goes on as a batch; after some the rest is verified one by
    /// one, so that a signer whose signatures are all bad costs not more than that.
    pub fn verify_batch(
        envelopes: Vec<Self>,
        signer: &Identity,
        entropy: &mut dyn Entropy,
    ) -> Vec<Result<Verified<Self>, EnvelopeError>> {
        let messages: Vec<_> = envelopes.iter().map(|envelope| message(envelope.statement_bytes())).collect();
        let items: Vec<_> = messages
            .iter()
            .zip(&envelopes)
            .map(|(message, envelope)| (message.as_slice(), envelope.signature()))
            .collect();
        let mut bad = vec![None; envelopes.len()];
        // Only those that name the signer are worth its keys.
        let mut worth = Vec::new();
        for (n, envelope) in envelopes.iter().enumerate() {
            match envelope.statement.signer == Some(signer.cid()) {
                true => worth.push(n),
                false => bad[n] = Some(EnvelopeError::OtherSigner),
            }
        }
        let mut alone = |n: usize| {
            let (message, signature) = items[n];
            bad[n] = signer.verifying().verify(message, signature).err().map(EnvelopeError::from);
        };
        let mut rest = worth.as_slice();
        for _ in 0..BAD_MAX {
            let batch: Vec<_> = rest.iter().map(|n| items[*n]).collect();
            rest = match signer.verifying().verify_batch(&batch, entropy) {
                Ok(()) => &[],
                Err(first) => {
                    rest.get(first).copied().into_iter().for_each(&mut alone);
                    rest.get(first.saturating_add(1)..).unwrap_or_default()
                }
            };
        }
        rest.iter().copied().for_each(alone);
        envelopes
            .into_iter()
            .zip(bad)
            .map(|(envelope, bad)| bad.map_or(Ok(Verified(envelope)), Err))
            .collect()
    }

    /// As [`Envelope::verify`], where the caller answers for the keys being the signer's.
    pub(crate) fn verify_with(self, keys: &VerifyingKeys) -> Result<Verified<Self>, EnvelopeError> {
        keys.verify(&message(self.statement_bytes()), self.signature())?;
        Ok(Verified(self))
    }

    /// The name of the block.
    pub fn cid(&self) -> Cid {
        self.cid
    }

    /// What is said.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The block as it was received.
    pub fn block(&self) -> &[u8] {
        &self.block
    }

    /// The bytes that are signed, after the prefix that separates them.
    pub fn statement_bytes(&self) -> &[u8] {
        self.block.get(STATEMENT_AT..).unwrap_or_default()
    }

    /// SHA-256 of the statement bytes: the same statement signed twice has one hash and two CIDs.
    pub fn statement_hash(&self) -> [u8; 32] {
        Sha256::digest(self.statement_bytes()).into()
    }

    /// Bytes 14 to 3,370. [`Envelope::decode`] has seen that they are there; zeros would verify nothing.
    fn signature(&self) -> &[u8; SIGNATURE_BYTES] {
        let from_here = self.block.get(HEAD.len()..).unwrap_or_default();
        from_here.first_chunk().unwrap_or(&[0; SIGNATURE_BYTES])
    }
}

fn message(statement: &[u8]) -> Vec<u8> {
    [SIGNING_PREFIX, statement].concat()
}
