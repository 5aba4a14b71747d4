//! Key encryption keys (KEKs): where they are and what is known of them. `soft` is one in this process's memory, sealed under the
//! node's seed; `token` is one in a PKCS#11 token.

mod soft;
mod token;

use dta_crypto::{Entropy, Secret, SecretBytes, derive};
use dta_token::{Algorithm, Place, TokenError};

pub use dta_token::KekId;

use super::SeedError;

/// Bytes of a label, and of a token's name, in a header.
const LABEL_BYTES: usize = 64;

/// Wraps and opens, a batch at a time: a token works at it with all its sessions.
pub trait Kek: Send {
    /// Wraps each under what it is bound to; one answer for each.
    fn wrap(
        &self,
        jobs: Vec<(Vec<u8>, SecretBytes)>,
        entropy: &mut dyn Entropy,
    ) -> Vec<Result<Vec<u8>, TokenError>>;

    /// Opens each. `Refused` is said only by a KEK that has just shown that it is the one it should be.
    fn unwrap(&self, jobs: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<Result<SecretBytes, TokenError>>;

    /// Whether it is there and is the one it should be, asked now.
    fn check(&self) -> Result<(), TokenError>;
}

/// What a store's header says of a KEK. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KekEntry {
    /// Random; its name in every wrapping.
    pub id: KekId,
    /// Where it is and how it wraps.
    pub kind: KekKind,
    /// What it is for now.
    pub role: Role,
    /// How the settings name its token; empty if it is in none. At most 64 bytes.
    pub token: String,
    /// Its label there; empty if it is in none. At most 64 bytes.
    pub label: String,
    /// The sealed KEK itself (soft), or its canary (in a token). At most 150 bytes.
    pub material: Vec<u8>,
}

impl KekEntry {
    /// As its token knows it; none for a soft one.
    pub fn in_token(&self) -> Option<dta_token::Kek> {
        let (algorithm, label) = (self.kind.algorithm()?, self.label.clone());
        Some(dta_token::Kek { id: self.id, label, algorithm, canary: self.material.clone() })
    }
}

/// Where a KEK is and how it wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KekKind {
    /// Sealed under the node's seed, in the header.
    Soft = 1,
    /// In a token that has AES-GCM.
    AesGcm = 2,
    /// In a token that has HMAC only.
    HmacKdf = 3,
}

/// What a KEK is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Wraps every new seed.
    First = 1,
    /// Wraps every new seed too, so that either opens it.
    Second = 2,
    /// Opens what it wrapped before, until nothing is left of that.
    Retired = 3,
}

impl KekKind {
    /// As it is stored.
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Soft, Self::AesGcm, Self::HmacKdf].into_iter().find(|kind| *kind as u8 == byte)
    }

    /// How it wraps in a token; none for a soft one.
    pub fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::Soft => None,
            Self::AesGcm => Some(Algorithm::AesGcm),
            Self::HmacKdf => Some(Algorithm::HmacKdf),
        }
    }

    /// As it is told to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::AesGcm => "aes-gcm",
            Self::HmacKdf => "hmac-kdf",
        }
    }
}

impl Role {
    /// As it is stored.
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::First, Self::Second, Self::Retired].into_iter().find(|role| *role as u8 == byte)
    }

    /// As it is told to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
            Self::Retired => "retired",
        }
    }
}

impl From<Algorithm> for KekKind {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::AesGcm => Self::AesGcm,
            Algorithm::HmacKdf => Self::HmacKdf,
        }
    }
}

/// What the settings say of a store's KEKs, with what it takes to open them.
pub struct Keks {
    /// Seals soft KEKs.
    soft: Secret<32>,
    /// Seals headers.
    header: Secret<32>,
    /// Where new KEKs are to be, first and second; none for a soft one.
    places: Vec<Place>,
    /// Stands in the labels that are made up.
    store: Option<String>,
}

impl Keks {
    /// Of a soft store.
    pub fn soft(node_seed: &Secret<32>) -> Self {
        Self::on_tokens(node_seed, Vec::new())
    }

    /// On these tokens: the first one's KEK, and a second one's that opens everything too.
    pub fn on_tokens(node_seed: &Secret<32>, places: Vec<Place>) -> Self {
        Self {
            soft: derive::purpose(node_seed, "seed-store"),
            header: derive::purpose(node_seed, "seed-store-header"),
            places,
            store: None,
        }
    }

    /// Of the store of this name, beside others.
    #[must_use]
    pub fn of_store(self, name: &str) -> Self {
        Self { store: Some(name.to_owned()), ..self }
    }

    /// The key that seals headers.
    pub fn header_key(&self) -> &Secret<32> {
        &self.header
    }

    /// The roles for which the settings want a KEK.
    pub fn roles(&self) -> &'static [Role] {
        if self.places.len() > 1 { &[Role::First, Role::Second] } else { &[Role::First] }
    }

    /// Whether a KEK is where the settings want the one of its role.
    pub fn wants(&self, entry: &KekEntry) -> bool {
        match (self.place(entry.role), entry.role) {
            (Some(place), _) => entry.kind != KekKind::Soft && entry.token == place.name(),
            (None, Role::First) => self.places.is_empty() && entry.kind == KekKind::Soft,
            (None, _) => false,
        }
    }

    fn place(&self, role: Role) -> Option<&Place> {
        match role {
            Role::First => self.places.first(),
            Role::Second => self.places.get(1),
            Role::Retired => None,
        }
    }

    /// A new KEK for a role, of this label if it is in a token; a key that is there already is adopted, unless it is one of `taken`: a
    /// key that serves twice is deleted by who is done with it first.
    /// Errors: `KekTaken`, `Token`, `LabelLong`.
    pub fn make(
        &self,
        role: Role,
        label: Option<&str>,
        taken: &[&KekEntry],
        bound_to: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<KekEntry, SeedError> {
        let mut id = [0; 16];
        entropy.fill(&mut id);
        let Some(place) = self.place(role) else {
            let material = soft::make(&self.soft, bound_to, &id, entropy);
            let (token, label) = Default::default();
            return Ok(KekEntry { id, kind: KekKind::Soft, role, token, label, material });
        };
        let label = label.unwrap_or(&place.label).to_owned();
        let token = place.name();
        if label.is_empty() || label.len() > LABEL_BYTES || token.len() > LABEL_BYTES {
            return Err(SeedError::LabelLong { label, token });
        }
        if self.has_label(role, &label, taken) {
            return Err(SeedError::KekTaken { label });
        }
        // Tokens have more names than one, and only their keys tell.
        let taken = taken.iter().filter_map(|kek| kek.in_token()).collect();
        let made = place.token.make_or_adopt(&label, &id, place.algorithm, taken, entropy);
        let (kek, _) = made.map_err(|error| match error {
            TokenError::KeyTaken { label } => SeedError::KekTaken { label },
            error => error.into(),
        })?;
        Ok(KekEntry { id, kind: place.algorithm.into(), role, token, label, material: kek.canary })
    }

    /// The KEK of an entry. A token is not asked yet.
    /// Errors: `Locked` for a soft one that is another node's.
    pub fn open(&self, entry: &KekEntry, bound_to: &[u8]) -> Result<Box<dyn Kek>, SeedError> {
        let Some(kek) = entry.in_token() else { return soft::open(&self.soft, bound_to, entry) };
        let place = self.places.iter().find(|place| place.name() == entry.token);
        Ok(token::open(place.map(|place| place.token.clone()), entry, kek))
    }

    /// Whether one of these KEKs is this key of the role's token, by the names that settings give it.
    pub fn has_label(&self, role: Role, label: &str, keks: &[&KekEntry]) -> bool {
        let name = self.place(role).map(Place::name);
        keks.iter().any(|kek| Some(&kek.token) == name.as_ref() && kek.label == label)
    }

    /// The label of a KEK for a role that has none: the configured one, which an administrator may have made for this, unless one of
    /// these has it.
    pub fn first_label(&self, role: Role, had: &[&KekEntry], number: u32) -> Option<String> {
        let place = self.place(role)?;
        if self.has_label(role, &place.label, had) {
            self.next_label(role, number)
        } else {
            Some(place.label.clone())
        }
    }

    /// The label of the KEK that replaces one: with a number behind it that no earlier one had, since a key that was given up is not
    /// taken up again; and with the store's name, since another store's KEK may be of the same label and number.
    pub fn next_label(&self, role: Role, number: u32) -> Option<String> {
        let label = &self.place(role)?.label;
        let number = format!("-{number}");
        let Some(store) = &self.store else { return Some(format!("{label}{number}")) };
        let room = LABEL_BYTES.saturating_sub(label.len() + 1 + number.len());
        let store = store.get(..room).unwrap_or(store); // a store's name is ASCII
        Some(format!("{label}-{store}{number}"))
    }
}
