//! A record in words, on one line.

use dta_events::identity;
use dta_events::log::{self, Checkpointed, Watched};
use dta_events::node;
use dta_events::order::{Event, Order, Origin, Party};
use dta_events::peer;
use dta_events::record::{AggregateKind, Effect, Record};
use dta_protocol::Cid;

use super::fold::Happened;
use super::replay::Told;
use crate::cli::plain;
use crate::time::rfc3339;

/// Sequence, time, who asked, kind of history, command, and what came of it.
pub(super) fn record(record: &Record, told: &[Told]) -> String {
    let came = match &record.effect {
        Effect::Refused { code, details } => format!("refused {}: {}", plain(code), plain(details)),
        Effect::Events(events) if events.is_empty() => "nothing changed".into(),
        Effect::Events(_) => told.iter().map(event).collect::<Vec<_>>().join("; "),
    };
    let (time, by) = (rfc3339(record.time_ms), plain(&record.by));
    let (kind, command) = (kind(record.aggregate.kind), plain(&record.command.name));
    format!("{}  {time}  {by}  {kind}  {command}  {came}", record.sequence)
}

/// The name of a kind of history.
pub(super) fn kind(kind: AggregateKind) -> &'static str {
    match kind {
        AggregateKind::Node => "node",
        AggregateKind::Identity => "identity",
        AggregateKind::Order => "order",
        AggregateKind::Peer => "peer",
        AggregateKind::Seed => "seed",
        AggregateKind::Log => "log",
    }
}

fn event((happened, stage): &Told) -> String {
    let what = match happened {
        Happened::Node(node::Event::Initialised(node)) => {
            format!("node/initialised {}, epoch {}", node.identity, node.epoch)
        }
        Happened::Node(node::Event::Recovered(node)) => {
            format!("node/recovered {} records from {}, epoch {}", node.records, node.checkpoint, node.epoch)
        }
        Happened::Identity(identity::Event::Created { known, uuid }) => {
            let seed =
                uuid.map_or("the node's own".into(), |uuid| format!("hosted under {}", hex::encode(uuid)));
            format!("identity/created {} {:?}, {seed}", known.cid, plain(&known.name))
        }
        Happened::Identity(identity::Event::Learned { known }) => {
            format!("identity/learned {} {:?}", known.cid, plain(&known.name))
        }
        Happened::Order(event) => order_event(event),
        Happened::Peer(peer::Event::Pinned { identity, url }) => {
            let at = url.as_ref().map_or("without a URL".into(), |url| format!("at {}", plain(url)));
            format!("peer/pinned {identity} {at}")
        }
        Happened::Log(log::Event::Checkpointed(checkpoint)) => {
            let Checkpointed { number, cid, size, .. } = checkpoint;
            format!("log/checkpointed {number} {cid}, of {size} records")
        }
        Happened::Log(log::Event::NoteSeen { owner, after }) => watched("log/note-seen", owner, after),
        Happened::Log(log::Event::NoteProved { owner, after }) => watched("log/note-proved", owner, after),
        Happened::Log(log::Event::AlarmRaised { owner, code, after }) => {
            watched(&format!("log/alarm-raised {}", code.as_str()), owner, after)
        }
        Happened::Log(log::Event::StatementsProved { owner, after }) => {
            let settled = after.statements.settled;
            format!("log/statements-proved {owner}, those accepted before record {settled} are settled")
        }
        Happened::Log(log::Event::StatementsMissing { owner, statements, .. }) => {
            let statements: Vec<_> = statements.iter().map(Cid::to_string).collect();
            format!("log/statements-missing {owner}, its log does not hold {}", statements.join(" and "))
        }
        Happened::Peer(peer::Event::Unpinned { identity }) => format!("peer/unpinned {identity}"),
        Happened::Peer(peer::Event::Followed { identity }) => format!("peer/followed {identity}"),
        Happened::Peer(peer::Event::Unfollowed { identity }) => format!("peer/unfollowed {identity}"),
    };
    match stage {
        Some(stage) => format!("{what}, now {}", stage.as_str()),
        None => what,
    }
}

fn watched(what: &str, owner: &Cid, after: &Watched) -> String {
    let size = after.newest().map_or(0, |tip| tip.size);
    format!("{what} {owner}, its log has {size} records")
}

fn order_event(event: &Event) -> String {
    match event {
        Event::StepAppended(appended) => {
            let step = &appended.step;
            let elsewhere = if appended.origin == Origin::Received { " elsewhere" } else { "" };
            let pending = if appended.pending { ", not settled yet" } else { "" };
            format!("{} {} signed by {}{elsewhere}{pending}", step.facts.kind(), step.cid, step.signer)
        }
        Event::StepRefused { cid, code } => format!("order/step-refused {cid}: {}", plain(code)),
        Event::EquivocationSeen { first, second } => format!("order/equivocation-seen {first} and {second}"),
        Event::DeliveryEnded { to, step, outcome } => {
            let code = outcome.code().map(|code| format!(": {}", plain(code))).unwrap_or_default();
            format!("order/delivery-ended {step} to the {}: {}{code}", to.as_str(), outcome.as_str())
        }
        Event::DeliveriesResumed { .. } => "order/deliveries-resumed".to_owned(),
        Event::CustodyLost { .. } => "order/custody-lost".to_owned(),
        Event::CustodyFound { .. } => "order/custody-found".to_owned(),
        Event::Held { .. } => "order/held".to_owned(),
        Event::ShredOrdered { due_ms, .. } => format!("order/shred-ordered from {} on", rfc3339(*due_ms)),
        Event::Shredded { .. } => "order/shredded".to_owned(),
        Event::RetentionEnded { secret, .. } => format!("order/retention-ended {secret}"),
    }
}

/// The state of an order, on several lines.
pub(super) fn order(order: &Order) -> String {
    let mut lines = vec![format!("order {}: {}", plain(&order.reference), order.stage.as_str())];
    let mut line = |name: &str, value: String| lines.push(format!("  {name:<14}{value}"));
    let text = |cid: Option<Cid>| cid.map_or("not named".into(), |cid| cid.to_string());
    line("placed", text(order.placed()));
    for party in [Party::Principal, Party::Fiduciary, Party::Beneficiary] {
        let here = if order.hosts(party) { " (hosted here)" } else { "" };
        line(party.as_str(), format!("{}{here}", text(order.party(party))));
    }
    let terms = &order.terms;
    for (name, ms) in [("not before", terms.not_before_ms), ("expires", terms.expires_at_ms)] {
        if ms > 0 {
            line(name, rfc3339(ms));
        }
    }
    if let Some(commitment) = order.commitment() {
        line("commitment", hex::encode(commitment));
    }
    for accepted in &order.steps {
        line("accepted", format!("{} {}", accepted.step.facts.kind(), accepted.step.cid));
    }
    for pending in order.unsettled() {
        line("not settled", format!("{} {}", pending.step.facts.kind(), pending.step.cid));
    }
    if let Some(secret) = &order.secret {
        let until = match (secret.ended, secret.until_ms) {
            (true, _) => "dropped".into(),
            (false, Some(until_ms)) => format!("kept until {}", rfc3339(until_ms)),
            (false, None) => "kept for good".into(),
        };
        line("sealed secret", format!("{} {until}", secret.cid));
    }
    match (order.shredded, order.shred_due_ms) {
        (true, _) => line("seed", "destroyed".into()),
        (false, Some(due_ms)) => line("seed", format!("to be destroyed from {} on", rfc3339(due_ms))),
        (false, None) => {}
    }
    if order.cancellation_requested {
        line("cancellation", "requested".into());
    }
    if let Some(code) = &order.refused {
        line("refused", plain(code));
    }
    for (first, second) in &order.equivocations {
        line("equivocation", format!("{first} and {second}"));
    }
    lines.join("\n")
}
