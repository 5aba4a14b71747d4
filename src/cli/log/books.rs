//! What an audit looks things up in: the log's blocks, the state so far, the identities and, if the seed is at hand,
//! their keys.

use std::collections::HashMap;
use std::rc::Rc;

use anyhow::{Context as _, bail, ensure};
use dta_crypto::{ContentKey, IdentityKeys, SecretBytes, VerifyingKeys};
use dta_events::identity::Standing;
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{Cid, Descriptor, Identity, Statement};

use super::fold::World;
use crate::actors::keyring::Keyring;
use crate::actors::log::{LogReader, StoredBlock};

/// Identities kept at hand; more are read again.
const CACHED: usize = 1_024;

/// An identity whose document was verified.
pub(super) struct Party {
    pub(super) document: Identity,
    /// If it is hosted here and the node's seed is at hand.
    pub(super) keys: Option<IdentityKeys>,
}

/// The log, and what its records have come to so far.
pub(super) struct Books<'a> {
    pub(super) log: &'a dyn LogReader,
    pub(super) world: World,
    keyring: Option<Keyring>,
    cache: HashMap<Cid, Rc<Party>>,
}

impl<'a> Books<'a> {
    /// Without a keyring nothing is opened.
    pub(super) fn new(log: &'a dyn LogReader, keyring: Option<Keyring>) -> Self {
        Self { log, world: World::default(), keyring, cache: HashMap::new() }
    }

    /// A block that must be there for all to see.
    pub(super) fn published(&self, cid: &Cid) -> anyhow::Result<Vec<u8>> {
        match self.block(cid)? {
            Some(StoredBlock::Published(block)) => Ok(block.bytes().to_vec()),
            Some(StoredBlock::Held(_)) => bail!("block {cid} is held, and should be published"),
            None => bail!("block {cid} is missing"),
        }
    }

    /// A block, if it is there; of either class.
    pub(super) fn block(&self, cid: &Cid) -> anyhow::Result<Option<StoredBlock>> {
        let block = self.log.block(&cid.to_bytes())?;
        let whole = match &block {
            Some(StoredBlock::Published(block)) => cid.names(block.bytes()),
            Some(StoredBlock::Held(block)) => cid.names(block.bytes()),
            None => true,
        };
        ensure!(whole, "block {cid} is damaged: its content has another CID");
        Ok(block)
    }

    /// An identity that the records so far know.
    pub(super) fn party(&mut self, cid: &Cid) -> anyhow::Result<Rc<Party>> {
        if let Some(party) = self.cache.get(cid) {
            return Ok(party.clone());
        }
        let state =
            self.world.identity(cid).with_context(|| format!("identity {cid} is not known by then"))?;
        let document = Identity::decode(&self.published(cid)?)?;
        let keys = self
            .keyring
            .as_ref()
            .filter(|_| state.standing == Standing::Hosted)
            .map(|keyring| keyring.derive(state.uuid.as_ref()));
        let own = keys.as_ref().is_none_or(|keys| keys.public() == document.public());
        ensure!(own, "the node's seed does not make the keys of {cid}");
        if self.cache.len() >= CACHED {
            self.cache.clear();
        }
        let party = Rc::new(Party { document, keys });
        self.cache.insert(*cid, party.clone());
        Ok(party)
    }

    /// Opens a body with the keys of any of those it must be sealed to, and proves that it is sealed to exactly them.
    /// None if the keys of all of them are elsewhere.
    pub(super) fn open(
        &mut self,
        statement: &Statement,
        descriptor: &Descriptor,
        block: &[u8],
        prescribed: &[Cid],
    ) -> anyhow::Result<Option<(ContentKey, SecretBytes)>> {
        let members = self.members(prescribed)?;
        let Some((own, keys)) =
            members.iter().find_map(|party| party.keys.as_ref().map(|keys| (party.document.cid(), keys)))
        else {
            return Ok(None);
        };
        let request = SealRequest::of(statement, descriptor.role)?;
        let (key, plaintext) = sealed::open(keys, &own, &request, descriptor, block)
            .with_context(|| format!("sealed body {}, with the keys of {own}", descriptor.cid))?;
        check_recipients(&members, &key, statement, descriptor)?;
        Ok(Some((key, plaintext)))
    }

    /// Opens a body with a key that was disclosed.
    pub(super) fn open_with(
        &mut self,
        key: &ContentKey,
        statement: &Statement,
        descriptor: &Descriptor,
        block: &[u8],
        prescribed: &[Cid],
    ) -> anyhow::Result<SecretBytes> {
        let request = SealRequest::of(statement, descriptor.role)?;
        let plaintext = sealed::open_with_key(key, &request, descriptor, block)
            .with_context(|| format!("sealed body {}, with the key disclosed for it", descriptor.cid))?;
        check_recipients(&self.members(prescribed)?, key, statement, descriptor)?;
        Ok(plaintext)
    }

    fn members(&mut self, cids: &[Cid]) -> anyhow::Result<Vec<Rc<Party>>> {
        cids.iter().map(|cid| self.party(cid)).collect()
    }
}

fn check_recipients(
    members: &[Rc<Party>],
    key: &ContentKey,
    statement: &Statement,
    descriptor: &Descriptor,
) -> anyhow::Result<()> {
    let signer = statement.signer.context("a sealed body without a signer")?;
    let prescribed: Vec<(Cid, &VerifyingKeys)> =
        members.iter().map(|party| (party.document.cid(), party.document.verifying())).collect();
    sealed::check_recipients(key, &signer, &prescribed, descriptor)
        .with_context(|| format!("sealed body {}", descriptor.cid))
}
