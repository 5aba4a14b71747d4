//! A record as one JSON object: every field of it, bytes in hex, events decoded.

use dta_events::identity;
use dta_events::log;
use dta_events::node;
use dta_events::order::{Accepted, Event, Order, Origin, Parties, Step, StepFacts};
use dta_events::peer;
use dta_events::record::{Effect, Stored};
use dta_protocol::Cid;
use serde_json::{Value, json};

use super::fold::{Entry, Happened};
use super::replay::Told;
use super::words::kind;
use crate::time::rfc3339;

/// A record and its hash.
pub(super) fn record(entry: &Entry, told: &[Told]) -> Value {
    let record = &entry.record;
    let effect = match &record.effect {
        Effect::Refused { code, details } => json!({ "refused": { "code": code, "details": details } }),
        Effect::Events(events) => {
            json!({ "events": events.iter().zip(told).map(event).collect::<Vec<_>>() })
        }
    };
    let request = record.request.map(|request| {
        json!({
            "idempotency_key": hex::encode(request.idempotency_key),
            "body": hex::encode(request.body),
        })
    });
    json!({
        "sequence": record.sequence,
        "time_ms": record.time_ms,
        "time": rfc3339(record.time_ms),
        "aggregate": { "kind": kind(record.aggregate.kind), "id": hex::encode(record.aggregate.id) },
        "version": record.version,
        "by": record.by,
        "request": request,
        "trace_id": hex::encode(record.trace_id),
        "command": stored(&record.command),
        "effect": effect,
        "previous": hex::encode(record.previous),
        "nonce": hex::encode(record.nonce),
        "blind": hex::encode(record.blind),
        "hash": hex::encode(entry.hash),
    })
}

/// The last line of a replay.
pub(super) fn summary(records: u64, orders: usize, identities: usize, head: &[u8; 32]) -> Value {
    let head = hex::encode(head);
    json!({ "summary": { "records": records, "orders": orders, "identities": identities, "head": head } })
}

/// The last line of one order's replay.
pub(super) fn order_summary(records: u64, order: &Order) -> Value {
    json!({ "summary": {
        "records": records,
        "reference": order.reference,
        "stage": order.stage.as_str(),
        "placed": text(order.placed()),
        "parties": order.parties.as_ref().map(parties),
        "hosts": order.hosts,
        "terms": order.terms,
        "commitment": order.commitment().map(hex::encode),
        "steps": order.steps.iter().map(accepted).collect::<Vec<_>>(),
        "pending": order.pending.as_ref().map(accepted),
        "withdrawal": order.withdrawal.as_ref().map(accepted),
        "withdrawn": order.withdrawn,
        "cancellation_requested": order.cancellation_requested,
        "secret": order.secret.map(|secret| json!({
            "cid": secret.cid.to_string(),
            "until_ms": secret.until_ms,
            "ended": secret.ended,
        })),
        "equivocations": order.equivocations.iter().map(|(first, second)| json!({
            "first": first.to_string(),
            "second": second.to_string(),
        })).collect::<Vec<_>>(),
        "refused": order.refused,
        "shred_due_ms": order.shred_due_ms,
        "shredded": order.shredded,
    } })
}

fn stored(stored: &Stored) -> Value {
    json!({ "name": stored.name, "schema": stored.schema, "bytes": hex::encode(&stored.bytes) })
}

fn event((bytes, (happened, stage)): (&Stored, &Told)) -> Value {
    let mut value = stored(bytes);
    value["event"] = decoded(happened);
    if let Some(stage) = stage {
        value["stage"] = stage.as_str().into();
    }
    value
}

fn decoded(happened: &Happened) -> Value {
    match happened {
        Happened::Node(node::Event::Recovered(node)) => json!({
            "home": hex::encode(node.home),
            "epoch": node.epoch,
            "records": node.records,
            "last": hex::encode(node.last),
            "checkpoint": node.checkpoint.to_string(),
            "seen": node.seen,
        }),
        Happened::Node(node::Event::Initialised(node)) => json!({
            "home": hex::encode(node.home),
            "epoch": node.epoch,
            "identity": node.identity.to_string(),
        }),
        Happened::Identity(event) => {
            let mut value = known(event.known());
            if let identity::Event::Created { uuid, .. } = event {
                value["uuid"] = uuid.map(hex::encode).into();
            }
            value
        }
        Happened::Order(event) => order_event(event),
        Happened::Peer(peer::Event::Pinned { identity, url }) => {
            json!({ "identity": identity.to_string(), "url": url })
        }
        Happened::Log(log::Event::Checkpointed(checkpoint)) => json!({
            "cid": checkpoint.cid.to_string(),
            "number": checkpoint.number,
            "note": checkpoint.note,
            "epoch": checkpoint.epoch,
            "size": checkpoint.size,
            "root": hex::encode(checkpoint.root),
            "sealed": checkpoint.sealed,
        }),
        Happened::Log(
            event @ (log::Event::NoteSeen { owner, after }
            | log::Event::NoteProved { owner, after }
            | log::Event::AlarmRaised { owner, after, .. }
            | log::Event::StatementsProved { owner, after }
            | log::Event::StatementsMissing { owner, after, .. }),
        ) => {
            let mut value = json!({ "owner": owner.to_string(), "after": after });
            for (place, missing) in after.statements.missing.iter().enumerate() {
                value["after"]["statements"]["missing"][place]["statement"] =
                    missing.statement.to_string().into();
            }
            match event {
                log::Event::AlarmRaised { code, .. } => value["code"] = code.as_str().into(),
                log::Event::StatementsMissing { statements, .. } => {
                    value["code"] = log::MISSING_STATEMENT.into();
                    value["statements"] = json!(statements.iter().map(Cid::to_string).collect::<Vec<_>>());
                }
                _ => {}
            }
            value
        }
        Happened::Peer(
            peer::Event::Unpinned { identity }
            | peer::Event::Followed { identity }
            | peer::Event::Unfollowed { identity },
        ) => json!({ "identity": identity.to_string() }),
    }
}

fn known(known: &identity::Known) -> Value {
    json!({
        "cid": known.cid.to_string(),
        "name": known.name,
        "issued_at_ms": known.issued_at_ms,
        "bls": hex::encode(known.bls),
        "kem": hex::encode(&known.kem),
        "secp256k1": hex::encode(known.secp256k1),
        "ed25519": hex::encode(known.ed25519),
        "key_claims": known.key_claims.iter().map(hex::encode).collect::<Vec<_>>(),
        "supersedes": text(known.supersedes),
    })
}

fn order_event(event: &Event) -> Value {
    match event {
        Event::StepAppended(appended) => {
            let mut value = step(&appended.step);
            value["reference"] = appended.reference.clone().into();
            value["origin"] = match appended.origin {
                Origin::Issued => "issued",
                Origin::Received => "received",
            }
            .into();
            value["pending"] = appended.pending.into();
            value["hosts"] = json!(appended.hosts);
            value["at_ms"] = appended.at_ms.into();
            value
        }
        Event::StepRefused { cid, code } => json!({ "cid": cid.to_string(), "code": code }),
        Event::EquivocationSeen { first, second } => {
            json!({ "first": first.to_string(), "second": second.to_string() })
        }
        Event::DeliveryEnded { to, step, outcome } => {
            json!({ "to": to.as_str(), "step": step.to_string(), "outcome": outcome.as_str(), "code": outcome.code() })
        }
        Event::DeliveriesResumed { at_ms }
        | Event::CustodyLost { at_ms }
        | Event::CustodyFound { at_ms }
        | Event::Held { at_ms }
        | Event::Shredded { at_ms } => json!({ "at_ms": at_ms }),
        Event::ShredOrdered { due_ms, at_ms } => json!({ "due_ms": due_ms, "at_ms": at_ms }),
        Event::RetentionEnded { secret, at_ms } => json!({ "secret": secret.to_string(), "at_ms": at_ms }),
    }
}

fn accepted(accepted: &Accepted) -> Value {
    let mut value = step(&accepted.step);
    value["at_ms"] = accepted.at_ms.into();
    value
}

fn step(step: &Step) -> Value {
    json!({
        "kind": step.facts.kind().as_str(),
        "cid": step.cid.to_string(),
        "statement": hex::encode(step.statement),
        "signer": step.signer.to_string(),
        "previous": text(step.previous),
        "issued_at_ms": step.issued_at_ms,
        "sealed": step.sealed.iter().map(Cid::to_string).collect::<Vec<_>>(),
        "facts": facts(&step.facts),
    })
}

fn facts(facts: &StepFacts) -> Value {
    match facts {
        StepFacts::Placed { parties: named, plugin, coin, terms } => {
            json!({ "parties": parties(named), "plugin": plugin, "coin": coin, "terms": terms })
        }
        StepFacts::Committed { commitment } => json!({ "commitment": hex::encode(commitment) }),
        StepFacts::RedemptionRequested { beneficiary } => json!({ "beneficiary": beneficiary.to_string() }),
        StepFacts::Released { beneficiary, secret } => {
            json!({ "beneficiary": beneficiary.to_string(), "secret": secret.to_string() })
        }
        StepFacts::Disputed { code } => json!({ "code": code.as_str() }),
        StepFacts::Closed { code } => json!({ "code": code.as_str() }),
        StepFacts::Received | StepFacts::CancellationRequested => json!({}),
    }
}

fn parties(parties: &Parties) -> Value {
    json!({
        "principal": parties.principal.to_string(),
        "fiduciary": parties.fiduciary.to_string(),
        "beneficiary": text(parties.beneficiary),
    })
}

fn text(cid: Option<Cid>) -> Value {
    cid.map(|cid| cid.to_string()).into()
}
