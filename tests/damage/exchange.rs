//! What nodes have published, as it is fetched by somebody who has nothing else: from an exchange in which blocks may be others,
//! or gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use dta_crypto::IdentityKeys;
use dta_proof::checkpoints::{ChainError, Checkpoint, Walk};
use dta_protocol::{Body, Cid, Codec, Envelope, Identity, Kind, Manifest, car};
use dta_verify::{Report, verify};
use milagro_dta::actors::log::LogReader as _;
use milagro_dta::home::Home as Layout;

use crate::judge::open;
use crate::kit::Home;

/// Enough for links of a second level: those of 16 and of 32.
const CHECKPOINTS: u64 = 40;
/// When it is audited: the year 2100.
const AT_MS: u64 = 4_102_444_800_000;

/// What a node has published, and its keys.
pub struct Published {
    pub blocks: BTreeMap<Cid, Vec<u8>>,
    pub owner: Identity,
    pub keys: IdentityKeys,
    pub newest: Cid,
    /// The envelopes of its checkpoints by number.
    pub checkpoints: Vec<Envelope>,
    /// The newest step of each order.
    pub orders: Vec<Cid>,
}

/// Two nodes that have nothing to do with each other.
pub struct Both {
    pub one: Published,
    pub other: Published,
}

pub fn both() -> Arc<Both> {
    static MADE: Mutex<Weak<Both>> = Mutex::new(Weak::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.upgrade().unwrap_or_else(|| {
        let both = Arc::new(Both { one: Published::by_a_node(), other: Published::by_a_node() });
        *made = Arc::downgrade(&both);
        both
    })
}

impl Published {
    fn by_a_node() -> Self {
        let home = Home::in_memory();
        home.settings("[checkpoints]\nrecords = 1\nafter_ms = 1\n");
        home.must(&["init", "--name", "alice"]);
        let node = home.start();
        let me = node.cid();
        for _ in 0..3 {
            let (reference, _) = node.place("");
            node.redeem(&reference, &me).is(200);
        }
        while home.newest_checkpoint().is_none_or(|(number, _)| number < CHECKPOINTS) {
            node.place("");
        }
        node.stop();
        Self::of(&home)
    }

    fn of(home: &Home) -> Self {
        let node = open(&Layout::new(home.path())).unwrap();
        let published = node.log.published(None, usize::MAX).unwrap().into_iter();
        let blocks: BTreeMap<Cid, Vec<u8>> = published
            .map(|(_, block)| (Cid::from_bytes(block.cid()).unwrap(), block.bytes().to_vec()))
            .collect();
        let envelopes: Vec<Envelope> =
            blocks.values().filter_map(|block| Envelope::decode(block).ok()).collect();
        let mut checkpoints: Vec<Envelope> =
            envelopes.iter().filter(|one| one.statement().kind == Kind::Checkpoint).cloned().collect();
        checkpoints.sort_by_key(number_of);
        let ends = envelopes.iter().filter(|one| one.statement().kind == Kind::Received);
        let orders: Vec<Cid> = ends.map(Envelope::cid).collect();
        assert!(orders.len() == 3 && checkpoints.len() as u64 > CHECKPOINTS);
        Self {
            owner: Identity::decode(&blocks[&node.identity]).unwrap(),
            keys: node.keyring.derive(None),
            newest: checkpoints.last().unwrap().cid(),
            checkpoints,
            orders,
            blocks,
        }
    }

    /// The chain of checkpoints as it is fetched from a store like this one, but for a change.
    pub fn walked(
        &self,
        change: impl FnOnce(&mut Exchange<'_>, &mut Cid),
    ) -> Result<Vec<Checkpoint>, Refused> {
        let (mut exchange, mut newest) = (Exchange::of(&self.blocks), self.newest);
        change(&mut exchange, &mut newest);
        exchange.checkpoints(&newest, &self.owner)
    }

    /// An order as it is fetched and audited, but for a change.
    pub fn audited(
        &self,
        order: &Cid,
        change: impl FnOnce(&mut Exchange<'_>, &mut Cid),
    ) -> Result<Report, Refused> {
        let (mut exchange, mut newest) = (Exchange::of(&self.blocks), *order);
        change(&mut exchange, &mut newest);
        exchange.order(&newest, &self.owner)
    }

    /// Steps of an order, the newest first, the identity that signed them, and their sealed bodies.
    pub fn blocks_of(&self, order: &Cid) -> (Vec<Cid>, Vec<Cid>) {
        let (mut steps, mut bodies, mut next) = (Vec::new(), Vec::new(), Some(*order));
        while let Some(cid) = next {
            let envelope = Envelope::decode(&self.blocks[&cid]).unwrap();
            next = envelope.statement().previous;
            bodies.extend(envelope.statement().sealed.iter().map(|body| body.cid));
            steps.push(cid);
        }
        (steps, bodies)
    }
}

pub fn number_of(envelope: &Envelope) -> u64 {
    match &envelope.statement().body {
        Body::Checkpoint(body) => body.number,
        _ => unreachable!(),
    }
}

/// Somebody's blocks, each under the name by which it is asked for: those of a node, and what was done to them.
pub struct Exchange<'a> {
    published: &'a BTreeMap<Cid, Vec<u8>>,
    /// None: it is gone.
    changed: BTreeMap<Cid, Option<Vec<u8>>>,
}

/// Why something that was fetched is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Nobody gives the block.
    NotThere(Cid),
    /// The bytes are not those that the CID names: no exchange hands these on.
    NotItsBytes(Cid),
    /// The name of what is wrong.
    Named(&'static str),
    /// What is wrong with a chain of checkpoints.
    Chain(ChainError),
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Refused::NotThere(_) => "not-there",
            Refused::NotItsBytes(_) => "not-its-bytes",
            Refused::Named(name) => name,
            Refused::Chain(error) => error.fault.code(),
        }
    }
}

impl<'a> Exchange<'a> {
    fn of(published: &'a BTreeMap<Cid, Vec<u8>>) -> Self {
        Self { published, changed: BTreeMap::new() }
    }

    fn get(&self, cid: &Cid) -> Result<&[u8], Refused> {
        let block = match self.changed.get(cid) {
            Some(changed) => changed.as_ref(),
            None => self.published.get(cid),
        };
        let block = block.ok_or(Refused::NotThere(*cid))?;
        if cid.names(block) { Ok(block) } else { Err(Refused::NotItsBytes(*cid)) }
    }

    /// Puts a block under its right name, which is answered.
    pub fn put(&mut self, block: &[u8]) -> Cid {
        let cid = Cid::of(Codec::DagCbor, block);
        self.replace(cid, block);
        cid
    }

    /// Puts a block under any name.
    pub fn replace(&mut self, cid: Cid, block: &[u8]) {
        self.changed.insert(cid, Some(block.to_vec()));
    }

    pub fn remove(&mut self, cid: Cid) {
        self.changed.insert(cid, None);
    }

    /// Has another node's blocks too.
    pub fn with(&mut self, other: &Published) {
        self.changed.extend(other.blocks.iter().map(|(cid, block)| (*cid, Some(block.clone()))));
    }

    fn envelope(&self, cid: &Cid) -> Result<Envelope, Refused> {
        Envelope::decode(self.get(cid)?).map_err(|error| Refused::Named(error.code()))
    }

    fn checkpoints(&self, newest: &Cid, owner: &Identity) -> Result<Vec<Checkpoint>, Refused> {
        let signed =
            |cid: &Cid| self.envelope(cid)?.verify(owner).map_err(|error| Refused::Named(error.code()));
        let mut walk = Walk::new(owner, signed(newest)?).map_err(Refused::Chain)?;
        loop {
            let wanted: Vec<_> = walk.wanted().collect();
            let given: Vec<_> = wanted.iter().map(|(number, cid)| (*number, signed(cid))).collect();
            // What nobody gives stays wanted; the rest is taken all the same.
            if given.iter().all(|(_, envelope)| matches!(envelope, Err(Refused::NotThere(_)))) {
                return walk.finish().map_err(Refused::Chain);
            }
            for (number, envelope) in given {
                match envelope {
                    Ok(envelope) => walk.take(number, envelope).map_err(Refused::Chain)?,
                    Err(Refused::NotThere(_)) => {}
                    Err(refused) => return Err(refused),
                }
            }
        }
    }

    /// An order, packed as `dta audit export` does, and audited by one who trusts the node.
    fn order(&self, newest: &Cid, trusted: &Identity) -> Result<Report, Refused> {
        let (mut steps, mut next) = (Vec::new(), Some(*newest));
        while let Some(cid) = next {
            let envelope = self.envelope(&cid)?;
            next = envelope.statement().previous;
            steps.insert(0, envelope);
        }
        let identities: BTreeSet<Cid> = steps.iter().filter_map(|step| step.statement().signer).collect();
        let manifest = Manifest {
            steps: steps.iter().map(Envelope::cid).collect(),
            identities: identities.into_iter().collect(),
            proofs: vec![],
        };
        let root = manifest.encode().map_err(|error| Refused::Named(error.code()))?;
        let name = Cid::of(Codec::DagCbor, &root);
        let mut blocks: Vec<(Cid, &[u8])> = vec![(name, &root)];
        for cid in manifest.steps.iter().chain(&manifest.identities) {
            blocks.push((*cid, self.get(cid)?));
        }
        for body in steps.iter().flat_map(|step| &step.statement().sealed) {
            match self.get(&body.cid) {
                Ok(block) => blocks.push((body.cid, block)),
                // Withheld: its descriptor is in the envelope.
                Err(Refused::NotThere(_)) => {}
                Err(refused) => return Err(refused),
            }
        }
        let file = car::encode(name, blocks).map_err(|error| Refused::Named(error.code()))?;
        let report = verify(&file, None, &[trusted.cid()].into(), AT_MS);
        let failed = report.failures().next().map(|(_, failure)| failure.code);
        failed.map_or(Ok(report), |code| Err(Refused::Named(code)))
    }
}
