//! The secrets of a node that is down, read from its home with its own keys, as somebody would who has taken both.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dta_crypto::{ContentKey, IdentityKeys, OrderKey, Secret, SecretBytes, open_at_rest, purpose};
use dta_events::Rules;
use dta_protocol::body::{Plaintext, Released, SecretBody};
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{Cid, Codec, Descriptor, Envelope, Kind, Role, Statement};
use dta_token::{Algorithm, Find, PinFrom, Settings, Token, Unwrap};
use milagro_dta::actors::log::{LogReader, RocksLog, StoredBlock};
use milagro_dta::home::Home;
use milagro_dta::keystore::{Keystore, Protection};

use crate::kit::leaks::Secrets;
use crate::world::Party;

/// What else is made of a node's seed (docs/protocol.md, section 3), and how its seeds in custody are sealed.
const PURPOSES: [&str; 8] =
    ["bls", "ml-dsa", "kem", "secp256k1", "ed25519", "libp2p", "seed-store", "seed-store-header"];
/// More than there are.
const BLOCKS_MAX: usize = 10_000;

/// A node's secrets, and the bodies that they open.
pub struct Known {
    name: &'static str,
    words: String,
    key_file: Vec<u8>,
    seed: Secret<32>,
    custody: Custody,
    /// The content key of every sealed body that the node can open.
    pub content_keys: BTreeMap<Cid, [u8; 32]>,
    /// The released secrets that it can open, by the CID of the sealed body, with that.
    pub released: BTreeMap<Cid, ([u8; 32], Vec<u8>)>,
}

/// What is under lock in `seeds.dta`.
pub struct Custody {
    kek: Kek,
    seeds: Vec<Secret<32>>,
}

impl Known {
    pub fn by(party: &Party) -> Self {
        let home = Home::new(party.home.path());
        let seed = Keystore::open(&home.seed_file(), &Protection::KeyFile(home.key_file())).unwrap();
        let node: Cid = party.cid.parse().unwrap();
        let mut known = Self {
            name: party.name,
            words: party.home.must(&["identity", "seed", "export"]),
            key_file: hex::decode(std::fs::read_to_string(home.key_file()).unwrap().trim()).unwrap(),
            custody: Custody::read(
                &std::fs::read(home.seeds("main").join("seeds.dta")).unwrap(),
                &seed,
                &node,
            ),
            seed,
            content_keys: BTreeMap::new(),
            released: BTreeMap::new(),
        };
        known.open_all(&RocksLog::open_read_only(&home.log(), Arc::new(Rules)).unwrap(), &node);
        known
    }

    /// The seeds in custody here.
    pub fn seeds(&self) -> usize {
        self.custody.seeds.len()
    }

    pub fn tell(&self, secrets: &mut Secrets) {
        let name = self.name;
        secrets.words(&format!("{name}'s words"), &self.words);
        secrets.bytes(&format!("{name}'s seed"), self.seed.expose());
        secrets.bytes("seed.key", &self.key_file);
        for purpose_of in PURPOSES {
            secrets.bytes(&format!("{name}'s {purpose_of}"), purpose(&self.seed, purpose_of).expose());
        }
        if let Kek::Soft(key) = &self.custody.kek {
            secrets.bytes(&format!("{name}'s key encryption key"), key.expose());
        }
        for (number, seed) in self.custody.seeds.iter().enumerate() {
            secrets.bytes(&format!("order seed {number} at {name}"), seed.expose());
            let words = milagro_dta::keystore::words::to_words(seed);
            let words = std::str::from_utf8(words.expose()).unwrap();
            secrets.words(&format!("the words of order seed {number} at {name}"), words);
        }
        for (body, key) in &self.content_keys {
            secrets.bytes(&format!("the content key of {body}, by {name}"), key);
        }
    }

    fn open_all(&mut self, log: &dyn LogReader, node: &Cid) {
        let keys = IdentityKeys::from_seed(&self.seed);
        for (_, block) in log.published(None, BLOCKS_MAX).unwrap() {
            let cid = Cid::from_bytes(block.cid()).unwrap();
            if cid.codec() == Codec::Raw {
                continue;
            }
            let envelope = Envelope::decode(block.bytes()).unwrap();
            let statement = envelope.statement();
            for descriptor in &statement.sealed {
                let Some((_, plaintext)) = self.open(log, &keys, node, statement, descriptor) else {
                    continue;
                };
                if statement.kind == Kind::Released && descriptor.role == Role::Parties {
                    let secret = Released::decode(plaintext.expose()).unwrap().secret;
                    if let Some((block, plaintext)) = self.open(log, &keys, node, statement, &secret) {
                        let body = SecretBody::decode(plaintext.expose()).unwrap();
                        self.released.insert(secret.cid, (*body.secret.expose(), block));
                    }
                }
            }
        }
    }

    /// The block and what it says, if it is here and for this node.
    fn open(
        &mut self,
        log: &dyn LogReader,
        keys: &IdentityKeys,
        node: &Cid,
        statement: &Statement,
        descriptor: &Descriptor,
    ) -> Option<(Vec<u8>, SecretBytes)> {
        let block = match log.block(&descriptor.cid.to_bytes()).unwrap()? {
            StoredBlock::Published(block) => block.bytes().to_vec(),
            StoredBlock::Held(block) => block.bytes().to_vec(),
        };
        let request = SealRequest::of(statement, descriptor.role).unwrap();
        let (key, plaintext): (ContentKey, _) =
            sealed::open(keys, node, &request, descriptor, &block).ok()?;
        self.content_keys.insert(descriptor.cid, *key.expose());
        Some((block, plaintext))
    }
}

/// A field of the header: its length, then its bytes.
fn field(header: &[u8], at: usize) -> &[u8] {
    &header[at + 1..=at + usize::from(header[at])]
}

impl Custody {
    /// A file of header (4,096 bytes) and slots (512 each) with one KEK, as `src/actors/seeds/file` says.
    fn read(file: &[u8], node_seed: &Secret<32>, node: &Cid) -> Self {
        let (header, slots) = file.split_at(4096);
        let (store_id, kek_id, node) = (&header[16..32], &header[37..53], node.to_bytes());
        assert_eq!(header[36], 1, "one KEK");
        let kek = match header[53] {
            1 => {
                let aad = [b"milagro-dta/v1/seed-store\0kek\0", &node[..], store_id, kek_id].concat();
                let sealed = field(header, 185);
                let key = purpose(node_seed, "seed-store");
                Kek::Soft(open_at_rest(&key, sealed[..12].try_into().unwrap(), &aad, &sealed[12..]).unwrap())
            }
            _ => Kek::in_token(kek_id.try_into().unwrap(), field(header, 120), field(header, 185)),
        };
        let used = slots.chunks_exact(512).filter(|slot| slot[0] == 2);
        let seeds = used.map(|slot| {
            let (placed, commitment, wrapped) = (&slot[1..37], &slot[37..102], field(slot, 123));
            let aad =
                [&b"milagro-dta/v1/seed-store\0order\0"[..], &node, placed, kek_id, commitment].concat();
            let opened = kek.open(&aad, wrapped);
            let (seed, secret) = opened.expose().split_at(32);
            let seed = Secret::from_bytes(seed.try_into().unwrap());
            let key = OrderKey::from_seed(&seed);
            assert_eq!(key.secret().expose(), secret, "it goes with the key that it makes");
            assert_eq!(key.commitment(), commitment, "it is the seed of that order");
            seed
        });
        Self { seeds: seeds.collect(), kek }
    }
}

/// Where the key is that wraps the seeds.
enum Kek {
    Soft(SecretBytes),
    InToken(Token, Arc<dta_token::Kek>),
}

impl Kek {
    fn in_token(id: [u8; 16], label: &[u8], canary: &[u8]) -> Self {
        let settings = Settings {
            library: std::env::var("DTA_HSM_SOFT").unwrap().into(),
            token: Find::Label("dta-test".to_owned()),
            sessions: 1,
            limit: Duration::from_secs(20),
        };
        let token = Token::new(settings, PinFrom::File(crate::kit::token::pin_file())).unwrap();
        let (label, canary) = (String::from_utf8(label.to_vec()).unwrap(), canary.to_vec());
        Self::InToken(token, Arc::new(dta_token::Kek { id, label, algorithm: Algorithm::AesGcm, canary }))
    }

    fn open(&self, aad: &[u8], wrapped: &[u8]) -> SecretBytes {
        match self {
            Self::Soft(key) => {
                let key = Secret::from_bytes(key.expose().try_into().unwrap());
                open_at_rest(&key, wrapped[..12].try_into().unwrap(), aad, &wrapped[12..]).unwrap()
            }
            Self::InToken(token, kek) => {
                let job = Unwrap { aad: aad.to_vec(), wrapped: wrapped.to_vec() };
                token.unwrap(kek, vec![job]).remove(0).unwrap()
            }
        }
    }
}
