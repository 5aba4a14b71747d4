//! Sealed bodies: one ciphertext, and for each recipient an entry that holds its content key. Who could open is
//! provable, because with the content key anyone can make the same entries again.

use subtle::ConstantTimeEq;

use crate::at_rest::{TAG_BYTES, open_at_rest, seal_at_rest};
use crate::{Entropy, IdentityKeys, KEM_BYTES, Secret, SecretBytes, VerifyingKeys, derive, kem};

/// Bytes of a CID in binary.
pub const CID_BYTES: usize = 36;
/// Bytes of a recipient's entry: an encapsulated key (1,120), the content key (32), a tag (16).
pub const ENTRY_BYTES: usize = kem::WRAPPED_BYTES;
/// The most recipients of one body.
pub const RECIPIENTS_MAX: usize = 4;
/// The most bytes of ciphertext, its tag included.
pub const CIPHERTEXT_BYTES_MAX: usize = 256 * 1024;
/// The most bytes of plaintext.
pub const PLAINTEXT_BYTES_MAX: usize = CIPHERTEXT_BYTES_MAX - TAG_BYTES;
/// The one suite: X-Wing, HKDF-SHA256, AES-256-GCM.
pub const SUITE: u8 = 1;

/// What a recipient opens with its own key.
pub type Entry = Box<[u8; ENTRY_BYTES]>;

/// Every key seals one body only, so the nonce carries nothing.
const NONCE: [u8; 12] = [0; 12];

/// Why a body cannot be sealed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    /// Nobody could open it, or more than may.
    #[error("recipients: {0}, not 1 to {RECIPIENTS_MAX}")]
    Recipients(usize),
    /// The ciphertext would be too long.
    #[error("plaintext: {0} bytes, more than {PLAINTEXT_BYTES_MAX}")]
    TooLong(usize),
    /// The library encapsulated in another way than this format needs.
    #[error("encapsulation did not use its 64 bytes of randomness")]
    Encapsulation,
}

/// The one answer to everything that does not open, so that it tells nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[error("cannot be opened")]
pub struct OpenError;

/// The secret of one sealed body. Uniformly random and used once: entries and nonce rely on it.
pub struct ContentKey(Secret<32>);

impl ContentKey {
    /// A new one.
    pub fn random(entropy: &mut dyn Entropy) -> Self {
        Self(Secret::random(entropy))
    }

    /// One that was disclosed, or handed on inside another body.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::from_bytes(bytes))
    }

    /// The bytes, to hand on or disclose.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// Whether a body with this commitment is sealed with this key: what shows without the body.
    pub fn is_committed(&self, commit: &[u8; 32]) -> bool {
        self.body().1.ct_eq(commit).into()
    }

    /// The key of AES-256-GCM and the commitment to it, which GCM does not give.
    fn body(&self) -> (Secret<32>, [u8; 32]) {
        let both: Secret<64> = derive::hkdf(self.expose(), &[b"milagro-dta/v1/body"]);
        let mut commit = [0; 32];
        let (key, tail) = both.expose().split_at(32);
        commit.copy_from_slice(tail);
        (Secret::build(|buf| buf.copy_from_slice(key)), commit)
    }

    /// The entry of one recipient. Deterministic: the randomness comes from the content key.
    fn entry(&self, signer: &[u8; CID_BYTES], recipient: &Recipient<'_>) -> Result<Entry, SealError> {
        let randomness = derive::hkdf(self.expose(), &[b"milagro-dta/v1/encap\0", signer, recipient.cid]);
        kem::wrap(&recipient.keys.kem, &hpke_info(signer, recipient.cid), &self.0, &randomness)
            .ok_or(SealError::Encapsulation)
    }

    /// The entries of exactly these recipients, as they must stand: sorted by their bytes, none twice.
    fn entries(
        &self,
        signer: &[u8; CID_BYTES],
        recipients: &[Recipient<'_>],
    ) -> Result<Vec<Entry>, SealError> {
        let mut recipients = recipients.to_vec();
        recipients.sort_by_key(Recipient::order);
        recipients.dedup_by(|one, other| one.order() == other.order());
        if recipients.is_empty() || recipients.len() > RECIPIENTS_MAX {
            return Err(SealError::Recipients(recipients.len()));
        }
        let mut entries: Vec<Entry> =
            recipients.iter().map(|recipient| self.entry(signer, recipient)).collect::<Result<_, _>>()?;
        entries.sort();
        Ok(entries)
    }
}

/// One who shall be able to open.
#[derive(Clone, Copy)]
pub struct Recipient<'a> {
    /// The CID of the identity, in binary.
    pub cid: &'a [u8; CID_BYTES],
    /// Its keys, which were validated.
    pub keys: &'a VerifyingKeys,
}

impl<'a> Recipient<'a> {
    /// By which recipients are told apart.
    fn order(&self) -> (&'a [u8; CID_BYTES], &'a [u8; KEM_BYTES]) {
        (self.cid, &self.keys.public.kem)
    }
}

/// What sealing gives: the raw block, and the parts of its descriptor that are not names.
pub struct SealedParts {
    /// AES-256-GCM of the plaintext, then the tag (16 bytes).
    pub ciphertext: Vec<u8>,
    /// Commits to the content key.
    pub commit: [u8; 32],
    /// One entry for each recipient, sorted by bytes.
    pub to: Vec<Entry>,
}

/// Seals `plaintext` to 1 to 4 recipients; those given twice count once. `aad` is the canonical DAG-CBOR that binds
/// the body to its statement.
///
/// # Errors
/// [`SealError`]: the number of recipients, or a ciphertext beyond 256 KiB.
pub fn seal(
    key: &ContentKey,
    plaintext: &[u8],
    aad: &[u8],
    signer: &[u8; CID_BYTES],
    recipients: &[Recipient<'_>],
) -> Result<SealedParts, SealError> {
    if plaintext.len() > PLAINTEXT_BYTES_MAX {
        return Err(SealError::TooLong(plaintext.len()));
    }
    let to = key.entries(signer, recipients)?;
    let (body_key, commit) = key.body();
    Ok(SealedParts { ciphertext: seal_at_rest(&body_key, &NONCE, aad, plaintext), commit, to })
}

/// Opens a body as one of its recipients. The caller then checks with [`recipients_match`] that it was sealed to
/// exactly those whom the statement prescribes, before believing the plaintext.
///
/// # Errors
/// [`OpenError`], whatever the reason.
pub fn open(
    keys: &IdentityKeys,
    own_cid: &[u8; CID_BYTES],
    signer: &[u8; CID_BYTES],
    aad: &[u8],
    ciphertext: &[u8],
    commit: &[u8; 32],
    to: &[Entry],
) -> Result<(ContentKey, SecretBytes), OpenError> {
    if to.len() > RECIPIENTS_MAX {
        return Err(OpenError);
    }
    let info = hpke_info(signer, own_cid);
    let key = to.iter().find_map(|entry| kem::unwrap(&keys.kem, &info, entry)).ok_or(OpenError)?;
    let key = ContentKey(key);
    let plaintext = open_with(&key, aad, ciphertext, commit)?;
    Ok((key, plaintext))
}

/// Opens a body with its content key.
///
/// # Errors
/// [`OpenError`], whether the key is not the one committed to or the ciphertext is not authentic.
pub fn open_with(
    key: &ContentKey,
    aad: &[u8],
    ciphertext: &[u8],
    commit: &[u8; 32],
) -> Result<SecretBytes, OpenError> {
    let (body_key, expected) = key.body();
    if !bool::from(expected.ct_eq(commit)) || ciphertext.len() > CIPHERTEXT_BYTES_MAX {
        return Err(OpenError);
    }
    open_at_rest(&body_key, &NONCE, aad, ciphertext)
}

/// Whether `to` are the entries of exactly these recipients: no other, none missing, sorted, none twice.
///
/// # Errors
/// [`SealError`] if these recipients could not have been sealed to.
pub fn recipients_match(
    key: &ContentKey,
    signer: &[u8; CID_BYTES],
    recipients: &[Recipient<'_>],
    to: &[Entry],
) -> Result<bool, SealError> {
    Ok(key.entries(signer, recipients)? == to)
}

/// Binds an entry to the suite, the signer and the recipient.
fn hpke_info(signer: &[u8; CID_BYTES], recipient: &[u8; CID_BYTES]) -> Vec<u8> {
    [b"milagro-dta/v1/hpke\0".as_slice(), &[SUITE], signer, recipient].concat()
}
