//! What the rules know of an order: the accepted chain of steps and at most one pending step of its own.

use std::collections::BTreeMap;

use dta_protocol::{Cid, Kind};
use serde::{Deserialize, Serialize};

use super::event::{Hosts, Outcome, Parties, Step, StepFacts, Terms};
use super::table::{Party, Stage};

/// An accepted step and when this node appended it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The step.
    pub step: Step,
    /// By this node's clock, milliseconds since 1970 UTC.
    pub at_ms: u64,
}

/// A released secret that is kept sealed until its retention ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldSecret {
    /// The block.
    pub cid: Cid,
    /// When retention ends, milliseconds since 1970 UTC; `None`: never.
    pub until_ms: Option<u64>,
    /// It has ended and the block is gone.
    pub ended: bool,
}

/// A delivery that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The step that was to be brought.
    pub step: Cid,
    /// How it ended.
    pub outcome: Outcome,
}

/// A step of our own that the fiduciary turned down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnedDown {
    /// The step.
    pub step: Accepted,
    /// Why.
    pub code: String,
}

/// The state of one order on this node, whatever the node's roles in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The order's reference (UUIDv7 text); empty before the first step.
    pub reference: String,
    /// How far it has come.
    pub stage: Stage,
    /// The parties, once placed. The beneficiary is the one named last by an accepted step.
    pub parties: Option<Parties>,
    /// Which of them this node hosts.
    pub hosts: Hosts,
    /// When the fiduciary may act.
    pub terms: Terms,
    /// The accepted chain, oldest first; of an order that was turned down, its `order/placed` alone.
    pub steps: Vec<Accepted>,
    /// Our own step that the fiduciary has not settled yet.
    pub pending: Option<Accepted>,
    /// Our wish to cancel an order whose `order/placed` is still pending: it answers that, and goes with it.
    pub withdrawal: Option<Accepted>,
    /// The principal hosted here has taken the order back before the fiduciary answered: whatever that accepted meanwhile
    /// is to be closed.
    pub withdrawn: bool,
    /// An accepted wish to cancel.
    pub cancellation_requested: bool,
    /// The released secret.
    pub secret: Option<HeldSecret>,
    /// Slots for which a second statement has been recorded: the accepted envelope of each.
    pub equivocations: BTreeMap<Cid, Cid>,
    /// Why the fiduciary turned the order down.
    pub refused: Option<String>,
    /// Our own steps that the fiduciary turned down: whoever asked for one is told so again. It may still take one, by a call
    /// that was held up on the way and is served after the one that was refused; then that stands.
    pub turned_down: BTreeMap<Cid, TurnedDown>,
    /// How the last delivery to each party on another node ended.
    pub deliveries: BTreeMap<Party, Ended>,
    /// When deliveries were last told to be tried again, milliseconds since 1970 UTC.
    pub resumed_at_ms: u64,
    /// What custody held for this order, its seed or the sealed secret, is gone: nothing of it is committed to, released or
    /// opened any more.
    pub custody_lost: bool,
    /// The fiduciary hosted here makes no commitment and no release until it is told to go on.
    pub held: bool,
    /// From when on the seed is to be destroyed, milliseconds since 1970 UTC, if that was ordered.
    pub shred_due_ms: Option<u64>,
    /// The seed is destroyed.
    pub shredded: bool,
}

impl Order {
    /// The last step that the fiduciary accepted: what the next one must name as `previous`.
    pub fn head(&self) -> Option<&Step> {
        self.steps.last().map(|accepted| &accepted.step)
    }

    /// Our own steps that the fiduciary has not settled, oldest first.
    pub fn unsettled(&self) -> impl Iterator<Item = &Accepted> {
        self.pending.iter().chain(&self.withdrawal)
    }

    /// All that we have said and the fiduciary has not accepted: what waits, and what was turned down.
    pub(super) fn said(&self) -> impl Iterator<Item = &Accepted> {
        self.unsettled().chain(self.turned_down.values().map(|turned_down| &turned_down.step))
    }

    /// The first accepted step of a kind.
    pub fn step(&self, kind: Kind) -> Option<&Accepted> {
        self.steps.iter().find(|accepted| accepted.step.facts.kind() == kind)
    }

    /// The order's identity: the CID of its `order/placed`, accepted or pending.
    pub fn placed(&self) -> Option<Cid> {
        let first = self.steps.first().or(self.pending.as_ref())?;
        matches!(first.step.facts, StepFacts::Placed { .. }).then_some(first.step.cid)
    }

    /// The public key, once committed: 65 bytes, uncompressed SEC1.
    pub fn commitment(&self) -> Option<[u8; 65]> {
        self.steps.iter().find_map(|accepted| match accepted.step.facts {
            StepFacts::Committed { commitment } => Some(commitment),
            _ => None,
        })
    }

    /// The identity in a role.
    pub fn party(&self, party: Party) -> Option<Cid> {
        let parties = self.parties.as_ref()?;
        match party {
            Party::Principal => Some(parties.principal),
            Party::Fiduciary => Some(parties.fiduciary),
            Party::Beneficiary => parties.beneficiary,
        }
    }

    /// Whether this node holds the keys of a party.
    pub fn hosts(&self, party: Party) -> bool {
        match party {
            Party::Principal => self.hosts.principal,
            Party::Fiduciary => self.hosts.fiduciary,
            Party::Beneficiary => self.hosts.beneficiary,
        }
    }

    /// The accepted step whose slot (signer, kind, `previous`) a statement would take.
    pub fn slot(&self, signer: &Cid, kind: Kind, previous: Option<&Cid>) -> Option<&Step> {
        self.steps.iter().map(|accepted| &accepted.step).find(|step| {
            step.signer == *signer && step.facts.kind() == kind && step.previous.as_ref() == previous
        })
    }
}
