//! What must hold of the whole, whoever cheats and whatever fails: checked at every append, at every message that leaves an
//! honest node, and at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dta_events::order::{ClosedCode, Event, Order, Origin, Party, Stage, StepAppended, StepFacts, rule};
use dta_events::record::Aggregate;
use dta_protocol::{Cid, Kind};

use crate::node::Node;
use crate::paper::{Cast, Packet};
use crate::world::MALLORY;

type Slot = (Cid, &'static str, Option<Cid>);

pub struct Audit {
    cast: Arc<Cast>,
    /// The statement that an honest fiduciary or beneficiary has shown to others in each slot.
    shown: BTreeMap<Slot, [u8; 32]>,
    /// The commitment of each order of an honest fiduciary.
    committed: BTreeMap<Cid, Cid>,
    /// The final step of each order of an honest fiduciary.
    finals: BTreeMap<Cid, Cid>,
    /// What honest principals said and were refused: who asks anew says it anew, and the first may still arrive.
    turned_down: BTreeSet<Cid>,
}

macro_rules! must {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err(format!($($text)*));
        }
    };
}

impl Audit {
    pub fn new(cast: Arc<Cast>) -> Self {
        Self {
            cast,
            shown: BTreeMap::new(),
            committed: BTreeMap::new(),
            finals: BTreeMap::new(),
            turned_down: BTreeSet::new(),
        }
    }

    fn honest(&self, cid: &Cid) -> bool {
        self.cast.home(cid).is_some_and(|home| home != MALLORY)
    }

    /// An append of an honest node.
    pub fn look(&mut self, node: &mut Node, id: Aggregate, event: &Event) -> Result<(), String> {
        match event {
            Event::EquivocationSeen { first, second } => {
                let anew = self.turned_down.contains(first) || self.turned_down.contains(second);
                let first = node.envelope(first).ok_or("the first statement of an equivocation is kept")?;
                must!(
                    anew || !self.honest(&first.statement.signer),
                    "an honest signer is held to have said two things: {first:?} and {:?}",
                    node.envelope(second)
                );
            }
            Event::StepRefused { cid, .. } => {
                self.turned_down.insert(*cid);
            }
            Event::RetentionEnded { secret, .. } if node.up => {
                must!(!node.has_secret(secret), "the secret's retention ended and it is still there");
            }
            Event::StepAppended(appended) => {
                let envelope = node.envelope(&appended.step.cid).ok_or("a step without its envelope")?;
                must!(
                    envelope.signed_by == appended.step.signer,
                    "a step from a wrong signer: {:?} signed by {}",
                    appended.step,
                    envelope.signed_by
                );
                if node.up {
                    let order = node.order(id).clone();
                    must_hold(&order)?;
                    self.step(&order, appended)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn step(&mut self, order: &Order, appended: &StepAppended) -> Result<(), String> {
        let StepAppended { step, origin, at_ms, pending, .. } = appended;
        let placed = order.placed().ok_or("a step of no order")?;
        let honest = order.party(Party::Fiduciary).is_some_and(|fiduciary| self.honest(&fiduciary));
        let kind = step.facts.kind();
        if honest && kind == Kind::Committed {
            let first = *self.committed.entry(placed).or_insert(step.cid);
            must!(first == step.cid, "two commitments for one order: {first} and {}", step.cid);
        }
        if honest && matches!(kind, Kind::Received | Kind::Disputed | Kind::Closed) {
            let first = *self.finals.entry(placed).or_insert(step.cid);
            must!(first == step.cid, "two final states of one order: {first} and {}", step.cid);
        }
        if *origin == Origin::Issued && !pending {
            let terms = &order.terms;
            let expired = terms.expires_at_ms > 0 && *at_ms >= terms.expires_at_ms;
            match &step.facts {
                StepFacts::Committed { .. } => must!(!expired, "committed after its time"),
                StepFacts::Released { .. } => {
                    must!(!expired, "released after its time");
                    must!(*at_ms >= terms.not_before_ms, "released before its time");
                    must!(!order.cancellation_requested, "released though cancelled");
                }
                StepFacts::Closed { code: ClosedCode::Expired } => must!(expired, "expired before its time"),
                _ => {}
            }
        }
        Ok(())
    }

    /// A message on its way from an honest node to another.
    pub fn leaves(&mut self, node: &Node, to: usize, packet: &Packet) -> Result<(), String> {
        for envelope in &packet.steps {
            let statement = &envelope.statement;
            must!(node.has_envelope(&envelope.cid()), "a step left before it was in the log: {statement:?}");
            let kind = statement.facts.kind();
            let of_principal = rule(kind).is_none_or(|rule| rule.signer == Party::Principal);
            if of_principal || self.cast.home(&statement.signer) != Some(node.index) {
                continue;
            }
            let slot = (statement.signer, kind.as_str(), statement.previous);
            let shown = *self.shown.entry(slot).or_insert_with(|| envelope.statement_hash());
            must!(
                shown == envelope.statement_hash(),
                "a second statement in one slot was shown: {statement:?}"
            );
        }
        for secret in &packet.secrets {
            must!(
                self.cast.home(&secret.to) == Some(to),
                "a secret on its way to another than its beneficiary"
            );
            let cid = secret.cid();
            let released = packet.steps.iter().any(|envelope| match envelope.statement.facts {
                StepFacts::Released { beneficiary, secret } => {
                    secret == cid && beneficiary == secret_to(packet, &cid)
                }
                _ => false,
            });
            must!(released, "a secret on its way without its release");
        }
        Ok(())
    }

    /// How an order ended on all nodes; wrong, if honest parties could go on or do not agree.
    pub fn ended(
        &self,
        states: &[Order],
        trusts: &[&BTreeSet<Cid>],
        now_ms: u64,
    ) -> Result<&'static str, String> {
        for (node, state) in states.iter().enumerate().filter(|(node, _)| *node != MALLORY) {
            must_hold(state)?;
            must!(state.due(now_ms).is_none(), "node {node}: {:?} is still due", state.due(now_ms));
            let kept = state.secret.filter(|secret| !secret.ended).and_then(|secret| secret.until_ms);
            must!(kept.is_none_or(|until_ms| until_ms > now_ms), "node {node}: retention did not end");
        }
        let Some(parties) = states.iter().take(MALLORY).find_map(|state| state.parties.clone()) else {
            return Ok("the cheat's own");
        };
        let home = |cid: &Cid| self.cast.home(cid).unwrap_or(MALLORY);
        let (principal, fiduciary) = (home(&parties.principal), home(&parties.fiduciary));
        if fiduciary == MALLORY {
            return Ok("the cheat keeps it");
        }
        let kept = &states[fiduciary];
        must!(
            !matches!(kept.stage, Stage::Placed | Stage::RedemptionRequested),
            "the fiduciary's order stays {:?}",
            kept.stage
        );
        must!(
            kept.stage != Stage::Committed || kept.terms.expires_at_ms == 0 && !kept.cancellation_requested,
            "the fiduciary's order should be closed"
        );
        let hears = |node: usize, whom: usize| trusts[node].contains(&self.cast.node(whom));
        if principal != MALLORY && principal != fiduciary && hears(fiduciary, principal) {
            let own = &states[principal];
            must!(own.pending.is_none(), "the principal still waits: {:?}", own.pending);
            if own.stage == Stage::Refused {
                return Ok("turned down");
            }
            if own.turned_down.values().any(|step| step.code == "retention-ended") {
                return Ok("released, gone");
            }
            if not_told_yet(own, kept) {
                return Ok("released, unheard");
            }
            agree("principal", own, kept)?;
        }
        if let (Some(secret), Some(beneficiary)) = (kept.secret, kept.party(Party::Beneficiary)) {
            let beneficiary = home(&beneficiary);
            let waits = kept.stage == Stage::Released;
            let unheard =
                beneficiary == MALLORY || beneficiary != fiduciary && !hears(beneficiary, fiduciary);
            if waits && unheard {
                return Ok("released, unheard");
            }
            must!(!waits || secret.ended, "a release stays without an answer");
            if waits {
                return Ok("released, gone");
            }
            if !unheard && beneficiary != principal {
                agree("beneficiary", &states[beneficiary], kept)?;
            }
        }
        Ok(match kept.stage {
            Stage::New => "never came",
            stage => stage.as_str(),
        })
    }
}

/// Whether a principal may hold for turned down what its fiduciary released: a call that was held up was served after the
/// one that was refused, and its answer was lost. It is told when its beneficiary answers, or when it asks for anything more.
pub fn not_told_yet(principal: &Order, fiduciary: &Order) -> bool {
    let taken = |cid: &Cid| fiduciary.steps.iter().any(|accepted| accepted.step.cid == *cid);
    fiduciary.stage == Stage::Released && principal.turned_down.keys().any(taken)
}

fn secret_to(packet: &Packet, cid: &Cid) -> Cid {
    packet.secrets.iter().find(|secret| secret.cid() == *cid).map_or(packet.to, |secret| secret.to)
}

fn agree(who: &str, own: &Order, kept: &Order) -> Result<(), String> {
    let cids = |order: &Order| order.steps.iter().map(|accepted| accepted.step.cid).collect::<Vec<_>>();
    must!(
        own.stage == kept.stage && cids(own) == cids(kept),
        "the {who} has {:?} after {} steps, the fiduciary {:?} after {}",
        own.stage,
        own.steps.len(),
        kept.stage,
        kept.steps.len()
    );
    Ok(())
}

/// What holds of every order on every honest node, whatever was asked of it.
pub fn must_hold(order: &Order) -> Result<(), String> {
    let steps: Vec<_> = order.steps.iter().map(|accepted| &accepted.step).collect();
    let of = |kind| steps.iter().filter(move |step| step.facts.kind() == kind).count();
    for kind in Kind::ALL {
        must!(kind == Kind::CancellationRequested || of(kind) <= 1, "{kind:?} twice in one chain");
    }
    must!(of(Kind::Received) + of(Kind::Disputed) + of(Kind::Closed) <= 1, "two ends in one chain");
    must!(of(Kind::Closed) + of(Kind::Released) <= 1, "closed and released");
    for pair in steps.windows(2) {
        must!(pair[1].previous == Some(pair[0].cid), "a broken link");
        must!(pair[1].issued_at_ms >= pair[0].issued_at_ms, "time runs backwards");
    }
    for step in &steps {
        let signer = rule(step.facts.kind()).and_then(|rule| order.party(rule.signer));
        must!(signer == Some(step.signer), "{:?} is signed by another than its party", step.facts.kind());
    }
    let named = steps.iter().find_map(|step| match &step.facts {
        StepFacts::Placed { parties, .. } => parties.beneficiary,
        _ => None,
    });
    let asked = steps.iter().find_map(|step| match step.facts {
        StepFacts::RedemptionRequested { beneficiary } => Some(beneficiary),
        _ => None,
    });
    let got = steps.iter().find_map(|step| match step.facts {
        StepFacts::Released { beneficiary, .. } => Some(beneficiary),
        _ => None,
    });
    must!(got.is_none() || got == asked, "released to another than the redemption names");
    must!(named.is_none() || asked.is_none() || named == asked, "redeemed for another than the order names");
    must!(!order.stage.is_final() || order.pending.is_none(), "something waits at the end");
    Ok(())
}
