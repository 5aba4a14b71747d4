//! What must hold in every state, by name. What must come some time is said as `always`, too: from this state on, once
//! faults stop and everything sent arrives, the order ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use dta_events::order::{Order, Party, Stage, StepFacts, rule};
use dta_protocol::{Cid, Kind};

use super::table::{Kept, Messages};
use super::{Message, Nodes, State};
use crate::audit::{must_hold, not_told_yet};
use crate::paper::person;

pub const ONE_COMMITMENT: &str = "one commitment per order";
pub const NAMED_BENEFICIARY: &str = "no release to another than the named beneficiary";
pub const RIGHT_SIGNER: &str = "no step from a wrong signer";
pub const ONE_END: &str = "no two final states";
pub const GOES_ON: &str = "every order that can go on does";
pub const WHOLE_CHAIN: &str = "a chain is whole, and each kind stands in it once";
pub const RECEIVED: &str = "an order is received";
pub const DISPUTED: &str = "a release is disputed";
pub const CLOSED: &str = "an order is closed";
pub const WITHDRAWN: &str = "an order is taken back";
pub const REFUSED: &str = "an order is turned down";

/// What must hold in every state.
pub const ALWAYS: [&str; 6] =
    [ONE_COMMITMENT, NAMED_BENEFICIARY, RIGHT_SIGNER, ONE_END, WHOLE_CHAIN, GOES_ON];

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
        Property::always(WHOLE_CHAIN, whole_chain),
        Property::always(GOES_ON, goes_on),
        Property::sometimes(RECEIVED, |nodes, state| reached(nodes, state, Stage::Received)),
        Property::sometimes(DISPUTED, |nodes, state| reached(nodes, state, Stage::Disputed)),
        Property::sometimes(CLOSED, |nodes, state| reached(nodes, state, Stage::Closed)),
        Property::sometimes(WITHDRAWN, |nodes, state| reached(nodes, state, Stage::Withdrawn)),
        Property::sometimes(REFUSED, |nodes, state| reached(nodes, state, Stage::Refused)),
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
fn sent(nodes: &Nodes, state: &State) -> impl Iterator<Item = Arc<Message>> {
    let messages = state.messages.iter().map(|id| nodes.table.message(id));
    messages.filter(|message| nodes.honest(message.from))
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
    for message in sent(nodes, state) {
        let steps = message.packet().into_iter().flat_map(|packet| &packet.steps);
        let committed = steps.filter(|step| step.statement.facts.kind() == Kind::Committed);
        by_bob.extend(committed.map(|step| (step.statement.previous, step.cid())));
    }
    let orders: BTreeSet<_> = by_bob.iter().map(|(placed, _)| placed).collect();
    orders.len() == by_bob.len()
}

/// Whom the order names, if it does, and the redemption; of an honest principal that is carol. And a sealed secret goes to
/// the node of that one alone.
fn named_beneficiary(nodes: &Nodes, state: &State) -> bool {
    let carol = Nodes::carol();
    let rightly = |order: &Order| {
        let released = order.steps.iter().find_map(|accepted| match &accepted.step.facts {
            StepFacts::Released { beneficiary, .. } => Some(*beneficiary),
            _ => None,
        });
        let Some(released) = released else { return true };
        let named = |kind| match order.step(kind).map(|accepted| &accepted.step.facts) {
            Some(StepFacts::Placed { parties, .. }) => parties.beneficiary,
            Some(StepFacts::RedemptionRequested { beneficiary }) => Some(*beneficiary),
            _ => None,
        };
        let fits = named(Kind::RedemptionRequested) == Some(released)
            && named(Kind::Placed).is_none_or(|named| named == released);
        fits && (!nodes.honest(0) || released == carol)
    };
    let secrets_rightly = |message: &Message| {
        message.packet().into_iter().flat_map(|packet| &packet.secrets).all(|secret| {
            nodes.cast.home(&secret.to) == Some(message.to) && (!nodes.honest(0) || secret.to == carol)
        })
    };
    honest(nodes, state).all(|(_, _, order)| rightly(order))
        && sent(nodes, state).all(|message| secrets_rightly(&message))
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
            let signed_by = nodes.table.envelope(&accepted.step.cid).map(|envelope| envelope.signed_by);
            signed_by == signer && Some(accepted.step.signer) == signer
        })
    })
}

/// Of one order of an honest fiduciary, over all honest nodes; and in one chain, whoever is the fiduciary.
fn one_end(nodes: &Nodes, state: &State) -> bool {
    let mut ends: BTreeSet<(usize, Cid)> = BTreeSet::new();
    for (_, number, order) in honest(nodes, state) {
        let is_end = |kind| matches!(kind, Kind::Received | Kind::Disputed | Kind::Closed);
        let last = order.steps.iter().filter(|accepted| is_end(accepted.step.facts.kind()));
        if last.clone().count() > 1 {
            return false;
        }
        ends.extend(last.map(|accepted| (number, accepted.step.cid)));
    }
    let numbers: BTreeSet<_> = ends.iter().map(|(number, _)| number).collect();
    !nodes.honest(1) || numbers.len() == ends.len()
}

/// What the simulation holds of every order, too.
fn whole_chain(nodes: &Nodes, state: &State) -> bool {
    honest(nodes, state).all(|(_, _, order)| must_hold(order).is_ok())
}

/// From here on without faults: what is due is done, what is to be brought is brought and answered. Then every order has
/// ended, or waits for its principal alone, and honest nodes agree on it.
fn goes_on(nodes: &Nodes, state: &State) -> bool {
    (0..nodes.config.orders).all(|number| {
        let kept: Vec<Arc<Kept>> = state.orders.iter().map(|orders| orders[number].clone()).collect();
        let numbers = kept.iter().map(|kept| kept.number).collect();
        nodes.table.goes_on((numbers, state.salts.clone()), || {
            let mut alone = State {
                orders: kept.into_iter().map(|kept| vec![kept]).collect(),
                messages: Messages::default(),
                // Late enough for everything that waits for a time.
                minute: nodes.config.minutes.saturating_add(60),
                before: Vec::new(),
                ..state.clone()
            };
            goes_on_alone(nodes, &mut alone) && is_at_its_end(nodes, &alone)
        })
    })
}

/// Brings one order as far as it goes; false, if it turns in a circle.
fn goes_on_alone(nodes: &Nodes, state: &mut State) -> bool {
    let parties: Vec<usize> = (0..3).filter(|node| nodes.honest(*node)).collect();
    for _ in 0..24 {
        let before = state.clone();
        for node in parties.iter().copied() {
            while let Some(step) = nodes.due(state, node, 0) {
                state.orders[node][0] = step.order;
            }
            // Called and answered, until there is nothing left to bring or no progress.
            let Some(id) = nodes.send(state, node, 0) else { continue };
            let to = nodes.table.message(id).to;
            if !nodes.honest(to) {
                continue;
            }
            let Some(arrived) = nodes.arrive(state, id) else { continue };
            state.orders[to][0] = arrived.order;
            if let Some(answer) = arrived.sends
                && let Some(taken) = nodes.arrive(state, answer)
            {
                state.orders[node][0] = taken.order;
            }
        }
        if *state == before {
            return true;
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
    let principal = !nodes.honest(0)
        || order(0).stage == Stage::Refused
        || kept.stage == Stage::New
        || agrees(0)
        // While carol, who cheats, says nothing.
        || !nodes.honest(2) && not_told_yet(order(0), kept);
    let released = kept.secret.is_some() && kept.party(Party::Beneficiary) == Some(Nodes::carol());
    ended && principal && (!released || !nodes.honest(2) || agrees(2))
}
