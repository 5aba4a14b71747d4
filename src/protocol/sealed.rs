//! Sealed bodies: a plaintext bound to its statement, in a block of its own that can be withheld or shredded.

use dta_crypto::{ContentKey, IdentityKeys, Recipient, SealError, SecretBytes, VerifyingKeys};
use ipld_core::ipld::Ipld;
use thiserror::Error;

use crate::canonical;
use crate::cid::{CID_BYTES, Cid, Codec};
use crate::kind::{Kind, Role};
use crate::statement::{Descriptor, SUITE, Statement, VERSION, map};

/// The most ciphertext, its tag (16 bytes) included.
pub const MAX_CIPHERTEXT_BYTES: usize = 256 * 1024;

/// What a sealed body is bound to: moved to another statement, it does not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealRequest<'a> {
    /// The kind of the statement.
    pub kind: Kind,
    /// Whom the body is for.
    pub role: Role,
    /// Who signs the statement.
    pub signer: Cid,
    /// The statement's subject.
    pub subject: &'a str,
    /// The envelope the statement answers.
    pub previous: Option<Cid>,
    /// The statement's time stamp, milliseconds since 1970, UTC.
    pub issued_at_ms: u64,
}

/// A body as it is sealed, with the key that opens it.
pub struct SealedBody {
    /// What the statement says about it.
    pub descriptor: Descriptor,
    /// The raw block: ciphertext and tag.
    pub block: Vec<u8>,
    /// Opens the body and proves to whom it was sealed.
    pub content_key: ContentKey,
}

/// Why a body does not open, or was not sealed to whom it should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SealedError {
    /// The statement has no signer, so nothing can be sealed in it.
    #[error("a statement without a signer has no sealed bodies")]
    NoSigner,
    /// More than 256 KiB.
    #[error("a sealed body is at most 262144 bytes, not {0}")]
    TooLarge(usize),
    /// The block is not the one the descriptor names.
    #[error("the block is not the one that the descriptor names")]
    OtherBlock,
    /// It does not open with this key; why is not told.
    #[error("the sealed body cannot be opened")]
    CannotOpen,
    /// It is sealed to others than the kind prescribes.
    #[error("the sealed body is not sealed to exactly the prescribed recipients")]
    OtherRecipients,
    /// A recipient's key cannot be sealed to, or there are too many.
    #[error("the recipients cannot be sealed to: {0}")]
    Recipients(String),
}

impl SealedError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            SealedError::NoSigner => "sealed-no-signer",
            SealedError::TooLarge(_) => "sealed-too-large",
            SealedError::OtherBlock => "sealed-other-block",
            SealedError::CannotOpen => "sealed-cannot-open",
            SealedError::OtherRecipients => "sealed-other-recipients",
            SealedError::Recipients(_) => "sealed-recipients-invalid",
        }
    }
}

impl From<SealError> for SealedError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::TooLong(bytes) => SealedError::TooLarge(bytes),
            other => SealedError::Recipients(other.to_string()),
        }
    }
}

impl<'a> SealRequest<'a> {
    /// What a body of this role in `statement` is bound to.
    pub fn of(statement: &'a Statement, role: Role) -> Result<Self, SealedError> {
        Ok(Self {
            kind: statement.kind,
            role,
            signer: statement.signer.ok_or(SealedError::NoSigner)?,
            subject: &statement.subject,
            previous: statement.previous,
            issued_at_ms: statement.issued_at_ms,
        })
    }

    /// The associated data: canonical DAG-CBOR.
    pub fn aad(&self) -> Vec<u8> {
        canonical::encode(&map([
            ("v", Ipld::Integer(VERSION.into())),
            ("kind", Ipld::String(self.kind.as_str().into())),
            ("role", Ipld::String(self.role.as_str().into())),
            ("signer", self.signer.link()),
            ("subject", Ipld::String(self.subject.to_owned())),
            ("previous", self.previous.map_or(Ipld::Null, |cid| cid.link())),
            ("issued_at_ms", Ipld::Integer(self.issued_at_ms.into())),
        ]))
    }
}

/// Seals a plaintext to 1 to 4 identities; one that is named twice gets one entry. The content key must be fresh.
pub fn seal(
    request: &SealRequest<'_>,
    plaintext: &[u8],
    content_key: ContentKey,
    recipients: &[(Cid, &VerifyingKeys)],
) -> Result<SealedBody, SealedError> {
    let signer = request.signer.to_bytes();
    let cids = binary(recipients);
    let parts =
        dta_crypto::seal(&content_key, plaintext, &request.aad(), &signer, &entries(&cids, recipients))?;
    let descriptor = Descriptor {
        cid: Cid::of(Codec::Raw, &parts.ciphertext),
        commit: parts.commit,
        role: request.role,
        suite: SUITE,
        to: parts.to,
    };
    Ok(SealedBody { descriptor, block: parts.ciphertext, content_key })
}

/// Opens a body with the keys of the identity `own`. What comes out is not to be believed before
/// [`check_recipients`] has passed.
pub fn open(
    keys: &IdentityKeys,
    own: &Cid,
    request: &SealRequest<'_>,
    descriptor: &Descriptor,
    block: &[u8],
) -> Result<(ContentKey, SecretBytes), SealedError> {
    check_block(descriptor, block)?;
    let (own, signer) = (own.to_bytes(), request.signer.to_bytes());
    dta_crypto::open(
        keys,
        &own,
        &signer,
        &aad(request, descriptor),
        block,
        &descriptor.commit,
        &descriptor.to,
    )
    .map_err(|_| SealedError::CannotOpen)
}

/// Opens a body with its content key, as one does to whom it was disclosed.
pub fn open_with_key(
    content_key: &ContentKey,
    request: &SealRequest<'_>,
    descriptor: &Descriptor,
    block: &[u8],
) -> Result<SecretBytes, SealedError> {
    check_block(descriptor, block)?;
    dta_crypto::open_with(content_key, &aad(request, descriptor), block, &descriptor.commit)
        .map_err(|_| SealedError::CannotOpen)
}

/// Proves that exactly the prescribed identities can open a body, by making their entries again.
pub fn check_recipients(
    content_key: &ContentKey,
    signer: &Cid,
    prescribed: &[(Cid, &VerifyingKeys)],
    descriptor: &Descriptor,
) -> Result<(), SealedError> {
    let cids = binary(prescribed);
    let recipients = entries(&cids, prescribed);
    match dta_crypto::recipients_match(content_key, &signer.to_bytes(), &recipients, &descriptor.to)? {
        true => Ok(()),
        false => Err(SealedError::OtherRecipients),
    }
}

/// The role bound is the descriptor's own: a body presented in another role does not open.
fn aad(request: &SealRequest<'_>, descriptor: &Descriptor) -> Vec<u8> {
    SealRequest { role: descriptor.role, ..request.clone() }.aad()
}

fn check_block(descriptor: &Descriptor, block: &[u8]) -> Result<(), SealedError> {
    if block.len() > MAX_CIPHERTEXT_BYTES {
        return Err(SealedError::TooLarge(block.len()));
    }
    if descriptor.cid.names(block) { Ok(()) } else { Err(SealedError::OtherBlock) }
}

fn binary(recipients: &[(Cid, &VerifyingKeys)]) -> Vec<[u8; CID_BYTES]> {
    recipients.iter().map(|(cid, _)| cid.to_bytes()).collect()
}

fn entries<'a>(cids: &'a [[u8; CID_BYTES]], recipients: &[(Cid, &'a VerifyingKeys)]) -> Vec<Recipient<'a>> {
    cids.iter().zip(recipients).map(|(cid, (_, keys))| Recipient { cid, keys }).collect()
}
