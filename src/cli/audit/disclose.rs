//! What a node can reveal of an order: the content keys of the bodies that it can open as one of the parties.

use std::collections::BTreeMap;
use std::sync::Arc;

use dta_crypto::{ContentKey, SecretBytes};
use dta_events::order::{Order, Party, Stage};
use dta_protocol::body::{self, Plaintext};
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{Cid, Descriptor, Envelope, Kind, Role};
use dta_verify::Disclosure;

use crate::actors::keyring::{Keyring, Known};
use crate::actors::log::{LogReader, StoredBlock};
use crate::actors::order_chain::OrderChain;

const PARTIES: [Party; 3] = [Party::Principal, Party::Fiduciary, Party::Beneficiary];

/// The parties of an order that are known here, and what they can open.
struct Openers(Vec<Arc<Known>>);

/// What of the released secret is disclosed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reveal {
    /// Nothing.
    NoSecret,
    /// Its key; and the sealed secret itself if it is disputed.
    SecretKey,
    /// Its key and the sealed secret, as far as they are here.
    Everything,
}

/// The keys of all bodies that the parties hosted here can open, and the documents of parties who have signed nothing. Never
/// that of the secret, unless it is asked for. None if nobody is hosted here who can open anything.
pub(super) fn disclose(
    log: &dyn LogReader,
    keyring: &Keyring,
    order: &Order,
    all: &OrderChain,
    reveal: Reveal,
) -> anyhow::Result<Option<Disclosure>> {
    let Some(first) = all.steps.first() else { return Ok(None) };
    let mut disclosure = Disclosure::new(first.cid());
    // With whom a redemption names that the fiduciary has not answered.
    let order = order.seen_from(all.steps.last().map(Envelope::cid).as_ref());
    let mut openers = Openers(Vec::new());
    for cid in PARTIES.into_iter().filter_map(|party| order.party(party)) {
        if let Some(known) = keyring.get(&cid)? {
            if !all.identities.contains_key(&cid) {
                disclosure.add_block(cid, known.document.envelope().block().to_vec());
            }
            openers.0.push(known);
        }
    }
    let blocks: BTreeMap<Cid, &[u8]> =
        all.bodies.iter().map(|(cid, block)| (*cid, block.as_slice())).collect();
    let bodies =
        || all.steps.iter().flat_map(|step| step.statement().sealed.iter().map(move |body| (step, body)));
    let mut handed_on = BTreeMap::new();
    let mut released = None;
    for (step, descriptor) in bodies() {
        let Some(block) = blocks.get(&descriptor.cid) else { continue };
        let Some((key, plaintext)) = openers.open(step, descriptor, block) else { continue };
        disclosure.add_key(descriptor.cid, key);
        match (step.statement().kind, descriptor.role) {
            (Kind::RedemptionRequested, Role::Parties) => {
                handed_on = body::RedemptionRequested::decode(plaintext.expose())?.keys;
            }
            (Kind::Released, _) => {
                released = Some((step, body::Released::decode(plaintext.expose())?.secret));
            }
            _ => {}
        }
    }
    // A beneficiary reads the first two bodies by the keys in the redemption.
    for (step, descriptor) in bodies() {
        if let (Some(key), Some(block)) = (handed_on.get(&descriptor.cid), blocks.get(&descriptor.cid))
            && opens(key, step, descriptor, block)
        {
            disclosure.add_key(descriptor.cid, ContentKey::from_bytes(*key.expose()));
        }
    }
    if disclosure.bodies().next().is_none() {
        return Ok(None);
    }
    if let Some((step, descriptor)) = released.filter(|_| reveal != Reveal::NoSecret)
        && let Some(StoredBlock::Held(block)) = log.block(&descriptor.cid.to_bytes())?
    {
        if let Some((key, _)) = openers.open(step, &descriptor, block.bytes()) {
            disclosure.add_key(descriptor.cid, key);
        }
        if order.stage == Stage::Disputed || reveal == Reveal::Everything {
            disclosure.add_block(descriptor.cid, block.bytes().to_vec());
        }
    }
    Ok(Some(disclosure))
}

impl Openers {
    fn open(&self, step: &Envelope, body: &Descriptor, block: &[u8]) -> Option<(ContentKey, SecretBytes)> {
        let request = SealRequest::of(step.statement(), body.role).ok()?;
        self.0
            .iter()
            .find_map(|party| sealed::open(party.keys.as_ref()?, &party.cid(), &request, body, block).ok())
    }
}

fn opens(key: &ContentKey, step: &Envelope, body: &Descriptor, block: &[u8]) -> bool {
    SealRequest::of(step.statement(), body.role)
        .is_ok_and(|request| sealed::open_with_key(key, &request, body, block).is_ok())
}
