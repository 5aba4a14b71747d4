//! A signed note: the owner of a log commits to all of it, by its size and the root of its tree (C2SP signed-note, C2SP
//! tlog-checkpoint). Signed with the Ed25519 key of the owner's identity; others may have added their signatures.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dta_crypto::{IdentityKeys, VerifyingKeys};
use dta_protocol::statement::MAX_NOTE_BYTES;
use dta_protocol::strict::MAX_INTEGER;
use dta_protocol::{Cid, Identity};
use signed_note::{Signature, VerificationError, Verifier, Verifiers};
use thiserror::Error;
use tlog_tiles::Checkpoint;

use crate::tree::Hash;

/// What an origin begins with.
const PREFIX: &str = "milagro-dta/";
/// The algorithm of a key, before its bytes: Ed25519 (C2SP signed-note).
const ED25519: u8 = 1;

/// Which log: its owner's identity, and how often its owner has declared that records were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The owner.
    pub identity: Cid,
    /// 0 until a recovery lost records.
    pub epoch: u64,
}

/// A note whose owner signed it. Nothing but signing or verifying makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    origin: Origin,
    size: u64,
    root: Hash,
    text: String,
    own: String,
}

/// Why a text is not a note of a log's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoteError {
    /// More than 4,096 bytes.
    #[error("a signed note is at most {MAX_NOTE_BYTES} bytes, not {0}")]
    TooLarge(usize),
    /// Not a signed note at all.
    #[error("the text is not a signed note")]
    Malformed,
    /// Not three lines: origin, size, root.
    #[error("the note's text is not origin, size and root, each on its line")]
    Lines,
    /// The origin is not one of this network.
    #[error("the note's origin is not `milagro-dta/<identity>/<epoch>`")]
    Origin,
    /// The log is another's.
    #[error("the note is of another identity's log")]
    OtherIdentity,
    /// The owner's signature is missing or not of this text.
    #[error("the note has no signature of its log's owner that verifies")]
    Signature,
}

impl NoteError {
    /// A stable name for this error.
    pub const fn code(&self) -> &'static str {
        match self {
            NoteError::TooLarge(_) => "note-too-large",
            NoteError::Malformed => "note-malformed",
            NoteError::Lines => "note-lines",
            NoteError::Origin => "note-origin",
            NoteError::OtherIdentity => "note-other-identity",
            NoteError::Signature => "note-signature",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}/{}", self.identity, self.epoch)
    }
}

impl FromStr for Origin {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (identity, epoch) =
            text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('/')).ok_or(NoteError::Origin)?;
        let identity = identity.parse().map_err(|_| NoteError::Origin)?;
        let epoch = epoch.parse().map_err(|_| NoteError::Origin)?;
        let origin = Self { identity, epoch };
        // One origin, one spelling.
        if epoch <= MAX_INTEGER && origin.to_string() == text { Ok(origin) } else { Err(NoteError::Origin) }
    }
}

impl Origin {
    /// The origin that a text claims; nothing else of it is looked at, and nothing is verified.
    ///
    /// # Errors
    /// `Origin` if its first line is none.
    pub fn claimed(text: &str) -> Result<Self, NoteError> {
        text.lines().next().unwrap_or_default().parse()
    }
}

impl Note {
    /// Signs that the log of `origin`, whose owner has these keys, has this size and root.
    ///
    /// # Errors
    /// `Lines` for a size above 2^53 - 1; `Malformed` if the library refuses what is made here, which it does not.
    pub fn sign(origin: Origin, size: u64, root: Hash, keys: &IdentityKeys) -> Result<Self, NoteError> {
        if size > MAX_INTEGER {
            return Err(NoteError::Lines);
        }
        let name = origin.to_string();
        let body = Checkpoint::new(&name, size, tlog_tiles::Hash(root), "").map_err(|_| NoteError::Lines)?;
        let body = body.to_bytes();
        let id = key_id(&name, &keys.public().ed25519);
        let signature = Signature::new(name, id, keys.ed25519_sign(&body).to_vec());
        let note = signature.and_then(|signature| signed_note::Note::new(&body, &[signature]));
        let text = note.map_err(|_| NoteError::Malformed)?.to_bytes();
        let text = String::from_utf8(text).map_err(|_| NoteError::Malformed)?;
        Ok(Self { origin, size, root, own: text.clone(), text })
    }

    /// Reads a note of the log that `owner` has.
    ///
    /// # Errors
    /// See [`NoteError`].
    pub fn verify(text: &str, owner: &Identity) -> Result<Self, NoteError> {
        if text.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLarge(text.len()));
        }
        let note = signed_note::Note::from_bytes(text.as_bytes()).map_err(|_| NoteError::Malformed)?;
        let body = Checkpoint::from_bytes(note.text()).map_err(|_| NoteError::Lines)?;
        if !body.extension().is_empty() || body.size() > MAX_INTEGER || body.to_bytes() != note.text() {
            return Err(NoteError::Lines);
        }
        let origin: Origin = body.origin().parse()?;
        if origin.identity != owner.cid() {
            return Err(NoteError::OtherIdentity);
        }
        let known = Owner { name: origin.to_string(), keys: owner.verifying() };
        let (by_owner, _) = note.verify(&known).map_err(|_| NoteError::Signature)?;
        let own = signed_note::Note::new(note.text(), &by_owner).map_err(|_| NoteError::Malformed)?;
        let own = String::from_utf8(own.to_bytes()).map_err(|_| NoteError::Malformed)?;
        Ok(Self { origin, size: body.size(), root: body.hash().0, text: text.to_owned(), own })
    }

    /// Which log it is of.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// How many records the tree is over.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The note as it is handed on.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The note with its owner's signature alone: at most 400 bytes, however many others have signed it.
    pub fn own_text(&self) -> &str {
        &self.own
    }
}

/// The key by which tools for signed notes verify those of `origin`: `<name>+<key id>+<base64>`.
pub fn verifier_key(origin: &Origin, owner: &Identity) -> String {
    let name = origin.to_string();
    let key = owner.public().ed25519;
    let encoded = STANDARD.encode([&[ED25519], key.as_slice()].concat());
    format!("{name}+{:08x}+{encoded}", key_id(&name, &key))
}

/// The one who may sign: the log's owner.
struct Owner<'a> {
    name: String,
    keys: &'a VerifyingKeys,
}

impl Verifier for Owner<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        key_id(&self.name, &self.keys.public().ed25519)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.try_into().is_ok_and(|signature| self.keys.verify_ed25519(message, signature).is_ok())
    }
}

impl Verifiers for Owner<'_> {
    fn verifier(&self, name: &str, id: u32) -> Result<&dyn Verifier, VerificationError> {
        if name == self.name && id == self.key_id() {
            return Ok(self);
        }
        Err(VerificationError::UnknownKey { name: name.to_owned(), id })
    }
}

fn key_id(name: &str, key: &[u8; 32]) -> u32 {
    signed_note::key_id(name, &[&[ED25519], key.as_slice()].concat())
}
