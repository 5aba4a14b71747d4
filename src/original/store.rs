//! What the original's store means: which bucket holds what.
//!
//! `id-doc`: identities by their CIDs, with their seeds in hex, and where the node's chain had got to (`previous-id-…`).
//! `keySeed`: orders' seeds in hex, by reference. `order`: the newest document of each order, and when it was made
//! (`index-time`). No bucket has an order's commitment, beneficiary or coin: these stand in its documents alone, which are on
//! IPFS or a chain, sealed by SIKE.

use std::collections::BTreeMap;
use std::fmt;

use dta_crypto::{OrderKey, Secret, SecretBytes, original_ec_key, original_order_key};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::bolt::{Bolt, Damage};
use crate::gob;
use crate::keys::Wiped;

/// The longest reference or CID that is taken: the original's have 36 to 64 bytes.
const NAME_BYTES: usize = 256;

/// An identity whose keys are here.
pub struct Identity {
    /// The CID of its document; of the one in the file `keys`, the node's ID by the settings.
    pub cid: String,
    /// What it called itself; empty if that is not known.
    pub name: String,
    /// Whether it is the node's own.
    pub of_node: bool,
    /// From which its keys derived: 48 bytes.
    pub seed: SecretBytes,
}

impl Identity {
    /// Its EC key; `None` if the seed is none.
    pub fn ec_key(&self) -> Option<OrderKey> {
        original_ec_key(self.seed.expose()).ok()
    }
}

/// An order of which there is something.
#[derive(Default)]
pub struct Order {
    /// Its reference.
    pub reference: String,
    /// The CID, or the transaction, of its newest document.
    pub document: Option<String>,
    /// When that was made, as the original wrote it: RFC 3339.
    pub changed: Option<String>,
    /// Its seed, if this node was its fiduciary.
    pub seed: Option<Secret<32>>,
}

impl Order {
    /// The key that its seed gives, if there is one. Takes about 1 ms.
    pub fn key(&self) -> Option<OrderKey> {
        self.seed.as_ref().map(original_order_key)
    }
}

/// Something that is not taken over, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// A page of the store.
    Page(Damage),
    /// One of the two meta pages.
    Meta,
    /// A value of the store.
    Value {
        /// Its bucket.
        bucket: String,
        /// Its key there.
        key: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A bucket that the original had not.
    Bucket {
        /// The names from the root, with slashes.
        path: String,
        /// How many values it has.
        values: u64,
    },
    /// A file that is none of the original's form.
    File {
        /// Its name.
        name: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Lines of the settings.
    Lines(Vec<usize>),
    /// A key in the file `keys`.
    Key(String),
    /// The original's own IPFS store.
    Ipfs,
}

impl Left {
    /// Whether something is lost by it that another copy of the home may have.
    pub fn is_damage(&self) -> bool {
        match self {
            Left::Page(_) | Left::Meta | Left::Value { .. } | Left::File { .. } => true,
            Left::Bucket { .. } | Left::Lines(_) | Left::Key(_) | Left::Ipfs => false,
        }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Left::Page(damage) => write!(f, "datastore.dat: {damage}: what was below it is missing"),
            Left::Meta => f.write_str(
                "datastore.dat: one of its two meta pages is damaged: what is read may lack the last change",
            ),
            Left::Value { bucket, key, why } => write!(f, "datastore.dat: {bucket} {key}: {why}"),
            Left::Bucket { path, values } => {
                write!(f, "datastore.dat: bucket {path} ({values} values): not one of the original's")
            }
            Left::File { name, why } => write!(f, "{name}: {why}"),
            Left::Lines(lines) => {
                write!(f, "config.yaml: lines {lines:?} are in no form that the original wrote")
            }
            Left::Key(name) => write!(f, "keys: {name}: a key of which nothing is known"),
            Left::Ipfs => {
                f.write_str("ipfs-data: documents, which SIKE sealed; the original alone can open them")
            }
        }
    }
}

/// What a store holds.
#[derive(Default)]
pub struct Stored {
    /// By CID.
    pub identities: Vec<Identity>,
    /// By reference.
    pub orders: Vec<Order>,
    /// What could not be read.
    pub left: Vec<Left>,
}

/// Reads a store.
///
/// # Errors
/// The file is none; damage below that is among what is left.
pub fn read(bytes: &[u8]) -> Result<Stored, crate::bolt::BoltError> {
    let bolt = Bolt::open(bytes)?;
    let mut reader = Reader::default();
    let damage = bolt.walk(&mut |path, key, value| reader.value(path, key, value));
    let Reader { identities, mut orders, others, mut left } = reader;
    if bolt.may_be_older() {
        left.push(Left::Meta);
    }
    left.extend(damage.into_iter().map(Left::Page));
    left.extend(others.into_iter().map(|(path, values)| Left::Bucket { path, values }));
    for (reference, order) in &mut orders {
        order.reference.clone_from(reference);
    }
    Ok(Stored { identities, orders: orders.into_values().collect(), left })
}

#[derive(Default)]
struct Reader {
    identities: Vec<Identity>,
    orders: BTreeMap<String, Order>,
    others: BTreeMap<String, u64>,
    left: Vec<Left>,
}

impl Reader {
    fn value(&mut self, path: &[&[u8]], key: &[u8], value: &[u8]) {
        let [kind, parts @ ..] = path else { return self.other(path) };
        let read = match (*kind, parts) {
            (b"keySeed", [b"data"]) => self.seed(key, value),
            (b"order", [b"data"]) => self.document(key, value),
            (b"order", [b"index-time"]) => self.time(key, value),
            (b"id-doc", [b"data"]) if key.starts_with(b"previous-id-") => Ok(()),
            (b"id-doc", [b"data"]) => self.identity(key, value),
            (b"chain", [b"data"]) | (b"id-doc", [b"index-time"]) => Ok(()),
            // Which entries of an index are a key's.
            (b"keySeed" | b"order" | b"id-doc" | b"chain", []) if key.starts_with(b"indexes-") => Ok(()),
            _ => return self.other(path),
        };
        if let Err(why) = read {
            let [bucket, key] =
                [kind, key].map(|text| String::from_utf8_lossy(text).chars().take(NAME_BYTES).collect());
            self.left.push(Left::Value { bucket, key, why });
        }
    }

    fn other(&mut self, path: &[&[u8]]) {
        let path: Vec<_> = path.iter().map(|name| String::from_utf8_lossy(name)).collect();
        let path = path.join("/").chars().take(NAME_BYTES).collect();
        *self.others.entry(path).or_default() += 1;
    }

    fn order(&mut self, reference: &[u8]) -> Result<&mut Order, &'static str> {
        let reference = name(reference).ok_or("is no reference")?;
        Ok(self.orders.entry(reference.to_owned()).or_default())
    }

    fn seed(&mut self, reference: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let text = text(value).ok_or("the seed is torn, or of a kind that the original never stored")?;
        let mut seed = None;
        if text.len() == 64 {
            let mut whole = true;
            let decoded = Secret::build(|bytes: &mut [u8; 32]| {
                whole = hex::decode_to_slice(text.as_bytes(), bytes).is_ok()
            });
            seed = whole.then_some(decoded);
        }
        let seed = seed.ok_or("the seed is not 64 hex digits")?;
        self.order(reference)?.seed = Some(seed);
        Ok(())
    }

    fn document(&mut self, reference: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let why = "the CID of its document is torn, or of a kind that the original never stored";
        let text = text(value).ok_or(why)?;
        let document = name(text.as_bytes()).ok_or(why)?.to_owned();
        self.order(reference)?.document = Some(document);
        Ok(())
    }

    /// The key is the time, a zero, and what makes it unique; the value is the reference.
    fn time(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let time = key.split(|byte| *byte == 0).next().and_then(name).ok_or("is no time")?;
        self.order(value)?.changed = Some(time.to_owned());
        Ok(())
    }

    fn identity(&mut self, cid: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let cid = name(cid).ok_or("is no CID")?.to_owned();
        let secrets = Secrets::parse(value)
            .ok_or("the identity is torn, or of a kind that the original never stored")?;
        let seed = hex::decode(secrets.seed.0.as_bytes()).map_err(|_| "the identity's seed is not hex")?;
        let identity =
            Identity { cid, name: secrets.name.clone(), of_node: false, seed: SecretBytes::new(seed) };
        if identity.ec_key().is_none() {
            return Err("the identity's seed is not 16 to 64 bytes");
        }
        self.identities.push(identity);
        Ok(())
    }
}

/// A short text without control characters.
fn name(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let fits = !text.is_empty() && text.len() <= NAME_BYTES && !text.chars().any(char::is_control);
    fits.then_some(text)
}

/// A text, in gob or, as the first releases had it, in JSON.
fn text(value: &[u8]) -> Option<Zeroizing<String>> {
    let text = match gob::text(value) {
        Ok(text) => text.to_owned(),
        Err(_) => serde_json::from_slice(value).ok()?,
    };
    Some(Zeroizing::new(text))
}

/// The secrets of an identity, but for the SIKE and BLS keys, which nothing here can use.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Secrets {
    #[serde(alias = "Name")]
    name: String,
    #[serde(alias = "Seed")]
    seed: Wiped,
}

impl Secrets {
    fn parse(value: &[u8]) -> Option<Self> {
        let Ok(fields) = gob::texts(value) else { return serde_json::from_slice(value).ok() };
        let mut secrets = Self::default();
        for (name, value) in fields {
            match name {
                "Name" => value.clone_into(&mut secrets.name),
                "Seed" => secrets.seed = Wiped(Zeroizing::new(value.to_owned())),
                _ => (),
            }
        }
        Some(secrets)
    }
}
