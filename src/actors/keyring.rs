//! Identities as the actors use them: the verified documents of all that are known, the keys of those hosted here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use dta_crypto::{IdentityKeys, Secret, hkdf, hosted_seed};
use dta_events::identity::Standing;
use dta_events::ids::identity_aggregate;
use dta_events::replay_identity;
use dta_protocol::{Cid, Identity};

use super::log::{LogReader, StoredBlock};
use super::unavailable::Unavailable;

/// Identities kept at hand; more are read from the log again.
const CACHED: usize = 1_024;

/// An identity this node knows.
pub struct Known {
    /// Its verified document.
    pub document: Identity,
    /// Its keys, if it is hosted here.
    pub keys: Option<IdentityKeys>,
}

impl Known {
    /// Its CID.
    pub fn cid(&self) -> Cid {
        self.document.cid()
    }
}

/// The known identities.
pub struct Keyring {
    node_seed: Secret<32>,
    log: Arc<dyn LogReader>,
    cache: Mutex<HashMap<Cid, Arc<Known>>>,
}

impl Keyring {
    /// Over the log that holds the documents; hosted keys derive from the node's seed.
    pub fn new(node_seed: Secret<32>, log: Arc<dyn LogReader>) -> Self {
        Self { node_seed, log, cache: Mutex::default() }
    }

    /// The keys of an identity hosted under this UUID; none: the node's own.
    pub fn derive(&self, uuid: Option<&[u8; 16]>) -> IdentityKeys {
        match uuid {
            Some(uuid) => IdentityKeys::from_seed(&hosted_seed(&self.node_seed, uuid)),
            None => IdentityKeys::from_seed(&self.node_seed),
        }
    }

    /// What a request is known by: a keyed hash, since the hash of a text tells it to whoever can guess it.
    pub fn of_request(&self, hash: &[u8; 32]) -> [u8; 32] {
        *hkdf::<32>(self.node_seed.expose(), &[b"milagro-dta/v1/request/", hash]).expose()
    }

    /// What only this node can derive, for one plugin and one thing of its own.
    pub fn for_plugin(&self, plugin: &str, about: &[u8]) -> Secret<32> {
        let length = [u8::try_from(plugin.len()).unwrap_or(u8::MAX)];
        hkdf(self.node_seed.expose(), &[b"milagro-dta/v1/plugin/", &length, plugin.as_bytes(), about])
    }

    /// The identity, if it is at hand.
    pub(super) fn cached(&self, cid: &Cid) -> Option<Arc<Known>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(cid).cloned()
    }

    /// The identity: at hand, else as [`Keyring::load`].
    pub(crate) fn get(&self, cid: &Cid) -> Result<Option<Arc<Known>>, Unavailable> {
        self.cached(cid).map_or_else(|| self.load(cid), |known| Ok(Some(known)))
    }

    /// Reads, verifies and derives: some milliseconds, so it belongs on the crypto pool.
    pub(crate) fn load(&self, cid: &Cid) -> Result<Option<Arc<Known>>, Unavailable> {
        let inconsistent = |what: String| Unavailable::Inconsistent(format!("identity {cid}: {what}"));
        let records = self.log.load(&identity_aggregate(cid))?;
        let state = replay_identity(&records).map_err(|error| inconsistent(error.to_string()))?;
        if state.standing == Standing::Unknown {
            return Ok(None);
        }
        let block = match self.log.block(&cid.to_bytes())? {
            Some(StoredBlock::Published(block)) => block,
            _ => return Err(inconsistent("its document is not in the log".into())),
        };
        let document = Identity::decode(block.bytes()).map_err(|error| inconsistent(error.to_string()))?;
        let keys = (state.standing == Standing::Hosted).then(|| self.derive(state.uuid.as_ref()));
        if keys.as_ref().is_some_and(|keys| keys.public() != document.public()) {
            return Err(inconsistent("the node's seed does not make its keys".into()));
        }
        let known = Arc::new(Known { document, keys });
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED {
            cache.clear();
        }
        cache.insert(*cid, known.clone());
        Ok(Some(known))
    }
}
