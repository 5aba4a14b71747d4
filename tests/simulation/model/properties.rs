//! What must hold in every state, by name. What must come some time is said as `always`, too: from this state on, once
//! faults stop and everything sent arrives, the order ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use dta_events::order::{Order, Party, Stage, StepFacts, rule};
use dta_protocol::{Cid, Kind};

use super::table::key;
use super::{Flaw, Kept, Nodes, Says, State};
use crate::audit::must_hold;
use crate::paper::{Envelope, Packet, person};

pub const ONE_COMMITMENT: &str = "one commitment per order";
pub const NAMED_BENEFICIARY: &str = "no release to another than the named beneficiary";
pub const RIGHT_SIGNER: &str = "no step from a wrong signer";
pub const ONE_END: &str = "no two final states";
pub const GOES_ON: &str = "every order that can go on does";
pub const RECEIVED: &str = "an order is received";
pub const CLOSED: &str = "an order is closed";

/// Whether a property must hold in every state, or in one at least.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    Always,
    Sometimes,
}

pub struct Property {
    pub name: &'static str,
    pub expectation: Expectation,
    pub holds: fn(&Nodes, &State) -> bool,
}

impl Property {
    fn always(name: &'static str, holds: fn(&Nodes, &State) -> bool) -> Self {
        Self { name, expectation: Expectation::Always, holds }
    }

    fn sometimes(name: &'static str, holds: fn(&Nodes, &State) -> bool) -> Self {
        Self { name, expectation: Expectation::Sometimes, holds }
    }
}

pub fn all() -> Vec<Property> {
    vec![
        Property::always(ONE_COMMITMENT, one_commitment),
        Property::always(NAMED_BENEFICIARY, named_beneficiary),
        Property::always(RIGHT_SIGNER, right_signer),
        Property::always(ONE_END, one_end),
        Property::always(GOES_ON, goes_on),
        Property::sometimes(RECEIVED, |nodes, state| reached(nodes, state, Stage::Received)),
        // Where nobody can close anything this asks for nothing.
        Property::sometimes(CLOSED, |nodes, state| {
            let can = nodes.config.cancels > 0 || nodes.config.terms.expires_at_ms > 0;
            !can || reached(nodes, state, Stage::Closed)
        }),
    ]
}

fn reached(nodes: &Nodes, state: &State, stage: Stage) -> bool {
    honest(nodes, state).any(|(_, _, order)| order.stage == stage)
}

fn honest<'a>(nodes: &'a Nodes, state: &'a State) -> impl Iterator<Item = (usize, usize, &'a Order)> {
    let honest = (0..nodes.cast.len()).filter(|node| nodes.honest(*node));
    honest.flat_map(|node| {
        state.orders[node].iter().enumerate().map(move |(number, kept)| (node, number, &kept.order))
    })
}

/// What honest nodes have sent.
fn sent(nodes: &Nodes, state: &State) -> Vec<(usize, Packet)> {
    let messages = state.messages.iter().map(|id| nodes.table.message(id));
    let honest = messages.filter(|message| nodes.honest(message.from));
    honest
        .filter_map(|message| match &message.says {
            Says::Call { packet, .. } | Says::Answer { packet, .. } => Some((message.to, packet.clone())),
            Says::Refusal { .. } => None,
        })
        .collect()
}

/// By an honest fiduciary, shown or accepted anywhere; and never two in one chain, whoever is the fiduciary.
fn one_commitment(nodes: &Nodes, state: &State) -> bool {
    let mut by_bob: BTreeSet<(Option<Cid>, Cid)> = BTreeSet::new();
    for (_, _, order) in honest(nodes, state) {
        let committed = order.steps.iter().filter(|accepted| accepted.step.facts.kind() == Kind::Committed);
        if committed.clone().count() > 1 {
            return false;
        }
        by_bob.extend(committed.map(|accepted| (accepted.step.previous, accepted.step.cid)));
    }
    if !nodes.honest(1) {
        return true;
    }
    for (_, packet) in sent(nodes, state) {
        let committed = packet.steps.iter().filter(|step| step.statement.facts.kind() == Kind::Committed);
        by_bob.extend(committed.map(|step| (step.statement.previous, step.cid())));
    }
    let orders: BTreeSet<_> = by_bob.iter().map(|(placed, _)| placed).collect();
    orders.len() == by_bob.len()
}

/// Whom the honest principal asked to release to, which is carol; and a sealed secret goes to her node alone.
fn named_beneficiary(nodes: &Nodes, state: &State) -> bool {
    let carol = Nodes::carol();
    let rightly = |order: &Order| {
        order.steps.iter().all(|accepted| match &accepted.step.facts {
            StepFacts::Released { beneficiary, .. } => {
                let asked = order.step(Kind::RedemptionRequested).map(|asked| &asked.step.facts);
                let asked = matches!(asked, Some(StepFacts::RedemptionRequested { beneficiary: asked }) if asked == beneficiary);
                asked && (!nodes.honest(0) || *beneficiary == carol)
            }
            _ => true,
        })
    };
    let secrets_rightly = || {
        sent(nodes, state).iter().all(|(to, packet)| {
            packet.secrets.iter().all(|secret| {
                nodes.cast.home(&secret.to) == Some(*to) && (!nodes.honest(0) || secret.to == carol)
            })
        })
    };
    honest(nodes, state).all(|(_, _, order)| rightly(order)) && secrets_rightly()
}

/// Every step that an honest node took was signed by the one whose step it is.
fn right_signer(nodes: &Nodes, state: &State) -> bool {
    honest(nodes, state).all(|(_, _, order)| {
        order.steps.iter().all(|accepted| {
            let signer = match rule(accepted.step.facts.kind()).map(|rule| rule.signer) {
                Some(Party::Principal) => Some(person("alice")),
                Some(Party::Fiduciary) => Some(person("bob")),
                _ => order.party(Party::Beneficiary),
            };
            let signed_by =
                nodes.table.envelope(&accepted.step.cid).map(|envelope: Envelope| envelope.signed_by);
            signed_by == signer && Some(accepted.step.signer) == signer
        })
    })
}

/// Of one order of an honest fiduciary, over all honest nodes; and in one chain, whoever is the fiduciary.
fn one_end(nodes: &Nodes, state: &State) -> bool {
    let mut ends: BTreeSet<(usize, Cid)> = BTreeSet::new();
    for (_, number, order) in honest(nodes, state) {
        if must_hold(order).is_err() {
            return false;
        }
        let last = order.steps.iter().find(|accepted| {
            matches!(accepted.step.facts.kind(), Kind::Received | Kind::Disputed | Kind::Closed)
        });
        ends.extend(last.map(|accepted| (number, accepted.step.cid)));
    }
    let numbers: BTreeSet<_> = ends.iter().map(|(number, _)| number).collect();
    !nodes.honest(1) || numbers.len() == ends.len()
}

/// From here on without faults: what is due is done, what is to be brought is brought and answered. Then every order has
/// ended, or waits for its principal alone, and honest nodes agree on it.
fn goes_on(nodes: &Nodes, state: &State) -> bool {
    (0..nodes.config.orders).all(|number| {
        let kept: Vec<Arc<Kept>> = state.orders.iter().map(|orders| orders[number].clone()).collect();
        let mut parts: Vec<&[u8]> = kept.iter().map(|kept| kept.hash().as_slice()).collect();
        parts.push(&state.salts);
        nodes.table.goes_on(key(&parts), || goes_on_alone(nodes, kept.clone(), &state.salts))
    })
}

fn goes_on_alone(nodes: &Nodes, kept: Vec<Arc<Kept>>, salts: &[u8]) -> bool {
    let mut state = State {
        orders: kept.into_iter().map(|kept| vec![kept]).collect(),
        messages: BTreeSet::new(),
        // Late enough for everything that waits for a time.
        minute: nodes.config.minutes.saturating_add(60),
        redeems: 0,
        cancels: 0,
        cheats: 0,
        crashes: 0,
        salts: salts.to_vec(),
        before: Vec::new(),
    };
    let parties = [0, 1, 2].into_iter().filter(|node| nodes.honest(*node));
    let parties: Vec<usize> = parties.collect();
    for _ in 0..24 {
        let before = state.clone();
        for node in parties.iter().copied() {
            while nodes.config.flaw != Flaw::NoTimers
                && let Some(step) = nodes.due(&state, node, 0)
            {
                state.orders[node][0] = step.order;
            }
            // Called and answered, until there is nothing left to bring or no progress.
            let Some(id) = nodes.send(&state, node, 0) else { continue };
            let to = nodes.table.message(&id).to;
            if !nodes.honest(to) {
                continue;
            }
            let Some(arrived) = nodes.arrive(&state, &id) else { continue };
            state.orders[to][0] = arrived.order;
            if let Some(answer) = arrived.sends
                && let Some(taken) = nodes.arrive(&state, &answer)
            {
                state.orders[node][0] = taken.order;
            }
        }
        if state == before {
            return is_at_its_end(nodes, &state);
        }
    }
    false
}

fn is_at_its_end(nodes: &Nodes, state: &State) -> bool {
    let now_ms = nodes.now_ms(state);
    let order = |node: usize| &state.orders[node][0].order;
    let settled = |node: usize| {
        // What waits for the cheat may wait for ever.
        let cheat = nodes.config.cheat.filter(|cheat| *cheat < 3);
        let waits = order(node).pending.is_some() || !order(node).outbox().is_empty();
        order(node).due(now_ms).is_none() && (!waits || cheat.is_some())
    };
    if (0..3).filter(|node| nodes.honest(*node)).any(|node| !settled(node)) {
        return false;
    }
    if !nodes.honest(1) {
        return true;
    }
    let kept = order(1);
    let ended = match kept.stage {
        Stage::New => order(0).stage == Stage::Refused || order(0).placed().is_none() || !nodes.honest(0),
        Stage::Committed => kept.terms.expires_at_ms == 0 && !kept.cancellation_requested,
        Stage::Released => !nodes.honest(2) || kept.party(Party::Beneficiary) != Some(Nodes::carol()),
        stage => stage.is_final(),
    };
    let cids = |node: usize| order(node).steps.iter().map(|accepted| accepted.step.cid).collect::<Vec<_>>();
    let agrees = |node: usize| cids(node) == cids(1) && order(node).stage == kept.stage;
    let principal =
        !nodes.honest(0) || order(0).stage == Stage::Refused || kept.stage == Stage::New || agrees(0);
    let released = kept.secret.is_some() && kept.party(Party::Beneficiary) == Some(Nodes::carol());
    ended && principal && (!released || !nodes.honest(2) || agrees(2))
}
