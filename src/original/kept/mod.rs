//! What a node keeps of an original's home: its orders' seeds and its EC keys, sealed, as the bytes of a file. `file` has its format;
//! `take` adds to it.

mod file;
mod take;

use dta_crypto::{OrderKey, Secret, SecretBytes, original_ec_key, original_order_key, purpose};
use dta_plugins::keys::add_secrets;
use thiserror::Error;

use file::{Format1, KeptIdentity, KeptOrder};

pub use file::{Check, MAX_FILE_BYTES};
pub use take::{Judged, Taken, judge};

/// Why what was kept cannot be used, or not be added to.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeptError {
    /// Not as it was written.
    #[error("it is damaged: restore it from a backup, or move it away and run `dta import-original` again")]
    Damaged,
    /// One entry.
    #[error(
        "{0} does not open with this node's seed: it is damaged, or another node's; restore it from a backup, or move it away and run `dta \
         import-original` again"
    )]
    Sealed(String),
    /// Written by a later program.
    #[error("it has format {0}; this program knows format 1")]
    Newer(u32),
    /// What is there is never written over.
    #[error(
        "{what} was taken over before with {other}: nothing was changed; take that home over into a home of its own"
    )]
    Conflict {
        /// Which entry.
        what: String,
        /// What about it is another.
        other: &'static str,
    },
}

/// An order of the original, as far as it can be told without its seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its reference.
    pub reference: String,
    /// The public half of the key that its seed gives, uncompressed, in hex.
    pub commitment: String,
    /// Whether that is what its client has.
    pub checked: Check,
    /// The commitment that its client has, in hex, if anybody said so.
    pub promised: Option<String>,
    /// The identity whose EC key is the other addend.
    pub addend: Option<String>,
    /// The CID, or the transaction, of its newest document.
    pub document: Option<String>,
    /// When that was made, RFC 3339.
    pub changed: Option<String>,
    /// The beneficiary that its client named, by its CID in the original.
    pub beneficiary: Option<String>,
    /// The coin, of `bitcoinwallet`.
    pub coin: Option<String>,
}

/// An order of the original with its key.
pub struct ImportedOrder {
    /// What is known of it.
    pub listed: Listed,
    key: OrderKey,
    sum: Option<OrderKey>,
}

impl ImportedOrder {
    /// The fiduciary's key: the one that the seed gives.
    pub fn key(&self) -> &OrderKey {
        &self.key
    }

    /// The key of the commitment that the client has, as far as it is here: the sum with the beneficiary's if that is here, else the
    /// fiduciary's.
    pub fn redeemed(&self) -> &OrderKey {
        self.sum.as_ref().unwrap_or(&self.key)
    }
}

/// What was taken over, with what opens it.
pub struct Kept {
    key: Secret<32>,
    kept: Format1,
}

/// The orders in a file, without opening anything.
///
/// # Errors
/// It is none.
pub fn list(bytes: &[u8]) -> Result<Vec<Listed>, KeptError> {
    Ok(Format1::parse(bytes)?.orders.iter().map(Listed::of).collect())
}

impl Listed {
    fn of(order: &KeptOrder) -> Self {
        let KeptOrder {
            reference,
            commitment,
            checked,
            promised,
            addend,
            document,
            changed,
            beneficiary,
            coin,
            ..
        } = order.clone();
        Self { reference, commitment, checked, promised, addend, document, changed, beneficiary, coin }
    }
}

impl Kept {
    /// Nothing yet, for the node with this seed.
    pub fn new(node_seed: &Secret<32>) -> Self {
        Self { key: purpose(node_seed, "original"), kept: Format1::new() }
    }

    /// What is in a file, for the node with this seed; nothing is unsealed yet.
    ///
    /// # Errors
    /// The file is none.
    pub fn parse(bytes: &[u8], node_seed: &Secret<32>) -> Result<Self, KeptError> {
        Ok(Self { key: purpose(node_seed, "original"), kept: Format1::parse(bytes)? })
    }

    /// The file.
    ///
    /// # Errors
    /// None that can occur.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        self.kept.to_json()
    }

    /// The EC key of the node's identity in the original.
    ///
    /// # Errors
    /// Its seed does not open.
    pub fn ec_key(&self) -> Result<Option<OrderKey>, KeptError> {
        let node = self.kept.identities.iter().find(|identity| identity.of_node);
        node.map(|identity| self.key_of(identity)).transpose()
    }

    /// The EC key of an identity of the original, by its CID there.
    ///
    /// # Errors
    /// Its seed does not open.
    pub fn ec_key_of(&self, cid: &str) -> Result<Option<OrderKey>, KeptError> {
        let named = self.kept.identities.iter().find(|identity| identity.cid == cid);
        named.map(|identity| self.key_of(identity)).transpose()
    }

    /// An order with its key, which is derived again and compared with the commitment.
    ///
    /// # Errors
    /// Its seed does not open, or gives another commitment than it did when it was taken over.
    pub fn order(&self, reference: &str) -> Result<Option<ImportedOrder>, KeptError> {
        let Some(order) = self.kept.orders.iter().find(|order| order.reference == reference) else {
            return Ok(None);
        };
        let key = original_order_key(&self.seed_of(order)?);
        if hex::encode(key.commitment()) != order.commitment {
            return Err(KeptError::Sealed(format!("order {reference}")));
        }
        let sum = match &order.addend {
            None => None,
            Some(cid) => {
                let what = || {
                    KeptError::Sealed(format!(
                        "identity {cid}, to whose key that of order {reference} is added"
                    ))
                };
                let addend = self.ec_key_of(cid)?.ok_or_else(what)?;
                let sum = add_secrets(key.secret(), addend.secret()).ok();
                let sum = sum.and_then(|sum| OrderKey::from_secret(sum).ok()).ok_or_else(what)?;
                let promised = order.promised.as_deref();
                let forms = [hex::encode(sum.compressed()), hex::encode(sum.commitment())];
                if !forms.iter().any(|form| Some(form.as_str()) == promised) {
                    return Err(what());
                }
                Some(sum)
            }
        };
        Ok(Some(ImportedOrder { listed: Listed::of(order), key, sum }))
    }

    fn key_of(&self, identity: &KeptIdentity) -> Result<OrderKey, KeptError> {
        let wrong = || KeptError::Sealed(format!("identity {}", identity.cid));
        let seed = identity.seed.open(&self.key, &identity.associated_data()).ok_or_else(wrong)?;
        let key = original_ec_key(seed.expose()).map_err(|_| wrong())?;
        match hex::encode(key.compressed()) == identity.ec_public_key {
            true => Ok(key),
            false => Err(wrong()),
        }
    }

    fn seed_of(&self, order: &KeptOrder) -> Result<Secret<32>, KeptError> {
        let opened: Option<SecretBytes> = order.seed.open(&self.key, &order.associated_data());
        let Some(opened) = opened.filter(|seed| seed.expose().len() == 32) else {
            return Err(KeptError::Sealed(format!("order {}", order.reference)));
        };
        Ok(Secret::build(|seed: &mut [u8; 32]| seed.copy_from_slice(opened.expose())))
    }
}
