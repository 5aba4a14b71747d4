//! What a cheat does to what she has seen or is about to say. Her calls are hers and her keys are hers: whatever she claims
//! beyond that, she cannot sign.

use dta_crypto::OrderKey;
use dta_events::order::{ClosedCode, DisputeCode, StepFacts};
use dta_protocol::Cid;
use dta_protocol::body::sign_commitment_proof;

use crate::chance::Chance;
use crate::paper::{Cast, Envelope, Packet, order_key, person};

/// Something else than what the packet says, by the one at `node`.
pub fn cheat(chance: &mut Chance, cast: &Cast, node: usize, packet: &mut Packet) {
    packet.from = cast.node(node);
    if packet.steps.len() > 1 && chance.one_in(6) {
        // A chain with a gap, or its end alone.
        let at = chance.below(packet.steps.len() as u64 - 1) as usize;
        if chance.one_in(2) {
            packet.steps.remove(at);
        } else {
            packet.steps.drain(..=at);
        }
    }
    if chance.one_in(8) {
        packet.secrets.clear();
    }
    let times = chance.below(3);
    for _ in 0..times {
        let placed = packet.steps.first().map(Envelope::cid);
        let secrets = &mut packet.secrets;
        let Some(last) = packet.steps.last_mut() else { return };
        if let (StepFacts::Released { secret, .. }, Some(sealed), true) =
            (&mut last.statement.facts, secrets.last_mut(), chance.one_in(3))
        {
            match chance.below(4) {
                0 => sealed.opens = false,
                1 => sealed.secret = [7; 32],
                2 => sealed.placed = person("another order"),
                _ => sealed.to = person("mallory"),
            }
            *secret = sealed.cid();
        } else {
            alter(chance, last, placed);
        }
    }
    if let Some(last) = packet.steps.last_mut().filter(|_| times > 0) {
        // What she claims for others she signs with her own keys; they do not fit.
        let own = cast.home(&last.statement.signer) == Some(node);
        last.signed_by = if own { last.statement.signer } else { cast.node(node) };
    }
}

fn alter(chance: &mut Chance, envelope: &mut Envelope, placed: Option<Cid>) {
    let statement = &mut envelope.statement;
    let people = ["alice", "bob", "carol", "mallory", "moll", "ann", "nobody"].map(person);
    match chance.below(18) {
        0 => envelope.salt = chance.number(),
        1 => statement.proof = chance.pick(&[None, Some(vec![]), Some(vec![7; 64]), Some(vec![0; 64])]),
        2 => statement.signer = chance.pick(&people),
        3 => statement.previous = chance.pick(&[None, placed, Some(person("no step"))]),
        4 => {
            let at_ms = statement.issued_at_ms;
            statement.issued_at_ms = chance.pick(&[
                0,
                at_ms.saturating_add(1),
                at_ms.saturating_add(400_000),
                u64::MAX,
                at_ms.saturating_sub(1),
            ]);
        }
        5 => statement.readers.push(person("moll")),
        6 => drop(statement.readers.pop()),
        7 => statement.keys = vec![person("no body"), person("none")],
        8 => statement.reference.push('x'),
        9 => statement.reserved_policy_is_empty = false,
        _ => other_facts(chance, envelope, placed),
    }
}

fn other_facts(chance: &mut Chance, envelope: &mut Envelope, placed: Option<Cid>) {
    let statement = &mut envelope.statement;
    let people = ["carol", "ann", "moll", "mallory"].map(person);
    let other = chance.pick(&people);
    match &mut statement.facts {
        StepFacts::Placed { parties, coin, terms, .. } => match chance.below(4) {
            0 => parties.beneficiary = Some(other),
            1 => parties.fiduciary = other,
            2 => *coin = 2,
            _ => terms.expires_at_ms = 1,
        },
        // Another key for the same order, with a proof that holds.
        StepFacts::Committed { commitment } => {
            let mut secret = [0; 32];
            chance.bytes(&mut secret);
            secret[0] &= 0x7f;
            let (Some(key), Some(placed)) = (order_key(&secret), statement.previous.or(placed)) else {
                return;
            };
            *commitment = OrderKey::commitment(&key);
            statement.proof = Some(sign_commitment_proof(&key, &placed, &statement.signer).to_vec());
        }
        StepFacts::RedemptionRequested { beneficiary } => {
            *beneficiary = other;
            if let Some(last) = statement.readers.last_mut() {
                *last = other;
            }
        }
        StepFacts::Released { beneficiary, .. } => *beneficiary = other,
        StepFacts::Received => statement.facts = StepFacts::Disputed { code: DisputeCode::WrongSecret },
        StepFacts::Disputed { .. } => statement.facts = StepFacts::Received,
        StepFacts::CancellationRequested => {
            statement.facts = StepFacts::Closed { code: ClosedCode::Cancelled };
        }
        StepFacts::Closed { code } => *code = ClosedCode::Expired,
    }
}
