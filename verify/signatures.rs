//! What was verified before, so that it is not verified again: whoever audits many orders verifies signatures of one signer
//! together, which needs random numbers, and each identity once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dta_protocol::{Cid, Envelope, Identity, Verified};

/// Identities and envelopes whose signatures hold. Nothing gets in that was not verified: that is what the types of what is
/// added say.
#[derive(Clone, Default)]
pub struct Signatures {
    identities: BTreeMap<Cid, Arc<Identity>>,
    envelopes: BTreeSet<Cid>,
}

impl Signatures {
    /// An identity's document holds.
    pub fn add_identity(&mut self, identity: Arc<Identity>) {
        self.identities.insert(identity.cid(), identity);
    }

    /// An envelope is its signer's.
    pub fn add(&mut self, envelope: &Verified<Envelope>) {
        self.envelopes.insert(envelope.cid());
    }

    /// What others verified.
    pub fn extend(&mut self, others: Self) {
        self.identities.extend(others.identities);
        self.envelopes.extend(others.envelopes);
    }

    pub(crate) fn identity(&self, cid: &Cid) -> Option<Arc<Identity>> {
        self.identities.get(cid).cloned()
    }

    /// Whether an envelope is known to be its signer's: its name says both what is signed, and by whom.
    pub(crate) fn has(&self, envelope: &Envelope) -> bool {
        self.envelopes.contains(&envelope.cid())
    }
}
