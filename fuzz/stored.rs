//! What is read back from a disk that may be damaged: records, the events in them, and the orders that these make.

use dta_events::order::{
    ClosedCode, DisputeCode, Event, Hosts, Order, Origin, Outcome, Parties, Party, Step, StepAppended,
    StepFacts, Terms,
};
use dta_events::record::{Aggregate, AggregateKind, Effect, Record, Request, Stored};
use dta_events::{identity, log, node, peer};
use dta_protocol::{Cid, Codec};

pub fn record(bytes: &[u8]) {
    if let Ok(record) = Record::decode(bytes) {
        assert!(record.encode().as_deref() == Ok(bytes), "one record, one spelling");
        events_of(&record);
    }
}

fn events_of(record: &Record) {
    if let Effect::Events(events) = &record.effect {
        events.iter().for_each(one_spelling);
    }
}

/// Whatever reads a stored event writes it the same.
fn one_spelling(stored: &Stored) {
    let same = |written: Result<Stored, _>| match written {
        Ok::<_, dta_events::stored::StoredError>(written) => assert!(written == *stored),
        Err(error) => panic!("what was read cannot be written: {error}"),
    };
    if let Ok(event) = Event::from_stored(stored) {
        same(event.to_stored());
    }
    if let Ok(event) = identity::Event::from_stored(stored) {
        same(event.to_stored());
    }
    if let Ok(event) = peer::Event::from_stored(stored) {
        same(event.to_stored());
    }
    if let Ok(event) = log::Event::from_stored(stored) {
        match event.to_stored() {
            // An older program's: it is the same event in the newest schema.
            Ok(newer) if newer.schema > stored.schema => {
                assert!(log::Event::from_stored(&newer).as_ref() == Ok(&event));
            }
            written => same(written),
        }
    }
    if let Ok(event) = node::Event::from_stored(stored) {
        same(event.to_stored());
    }
}

const NAMES: [(&str, u16); 28] = [
    ("order/step-appended", 1),
    ("order/step-refused", 1),
    ("order/equivocation-seen", 1),
    ("order/retention-ended", 1),
    ("order/delivery-ended", 1),
    ("order/deliveries-resumed", 1),
    ("identity/created", 1),
    ("identity/learned", 1),
    ("peer/pinned", 1),
    ("peer/unpinned", 1),
    ("node/initialised", 1),
    ("log/checkpointed", 1),
    ("log/note-seen", 1),
    ("log/note-proved", 1),
    ("log/alarm-raised", 1),
    ("log/note-seen", 2),
    ("log/note-proved", 2),
    ("log/alarm-raised", 2),
    ("log/statements-proved", 1),
    ("log/statements-missing", 1),
    ("order/custody-lost", 1),
    ("order/custody-found", 1),
    ("order/held", 1),
    ("node/recovered", 1),
    ("peer/followed", 1),
    ("peer/unfollowed", 1),
    ("order/shred-ordered", 1),
    ("order/shredded", 1),
];

fn stored(input: &[u8]) -> Option<Stored> {
    let (name, bytes) = input.split_first()?;
    let (name, schema) = NAMES[usize::from(*name) % NAMES.len()];
    Some(Stored { name: name.to_owned(), schema, bytes: bytes.to_vec() })
}

/// A byte that says the name and schema, then the bytes of the event.
pub fn event(bytes: &[u8]) {
    if let Some(stored) = stored(bytes) {
        one_spelling(&stored);
    }
}

/// Events as above, each after its length (2 bytes, big-endian): whatever is in a log can be applied, and asked what is due.
pub fn history(bytes: &[u8]) {
    let (mut rest, mut order) = (bytes, Order::default());
    while let Some((length, after)) = rest.split_first_chunk() {
        let Some((one, after)) = after.split_at_checked(u16::from_be_bytes(*length).into()) else { break };
        rest = after;
        if let Some(Ok(event)) = stored(one).as_ref().map(Event::from_stored) {
            order = order.apply(&event);
        }
        let _ = (order.due(u64::MAX), order.due(0), order.next_due_ms());
        let _ = (order.outbox(), order.stalled().count(), order.placed(), order.commitment());
        let previous = order.pending.as_ref().map(|pending| pending.step.cid);
        let _ = order.seen_from(previous.as_ref());
    }
}

fn cid(name: &str) -> Cid {
    Cid::of(Codec::DagCbor, name.as_bytes())
}

/// The steps of a whole order, and what else can happen to it.
fn all_events() -> Vec<Event> {
    let parties = Parties { principal: cid("alice"), fiduciary: cid("bob"), beneficiary: Some(cid("carol")) };
    let terms = Terms { not_before_ms: 1, expires_at_ms: 2_000, retention_ms: 500 };
    let placed = StepFacts::Placed { parties, plugin: "milagro".into(), coin: 0, terms };
    let secret = Cid::of(Codec::Raw, b"secret");
    let facts = [
        placed,
        StepFacts::Committed { commitment: [4; 65] },
        StepFacts::RedemptionRequested { beneficiary: cid("carol") },
        StepFacts::Released { beneficiary: cid("carol"), secret },
        StepFacts::Received,
        StepFacts::Disputed { code: DisputeCode::CannotOpen },
        StepFacts::CancellationRequested,
        StepFacts::Closed { code: ClosedCode::Expired },
    ];
    let mut previous = None;
    let steps = facts.into_iter().enumerate().map(|(place, facts)| {
        let step = Step {
            cid: cid(&format!("step {place}")),
            statement: [place as u8; 32],
            signer: cid("alice"),
            previous,
            issued_at_ms: place as u64,
            sealed: vec![Cid::of(Codec::Raw, &[place as u8])],
            facts,
        };
        previous = Some(step.cid);
        Event::StepAppended(StepAppended {
            reference: "0192f5a0-5b1e-7c3a-8f00-0123456789ab".into(),
            step,
            origin: if place % 2 == 0 { Origin::Received } else { Origin::Issued },
            pending: place == 2,
            hosts: Hosts { principal: place == 2, fiduciary: true, beneficiary: false },
            at_ms: place as u64,
        })
    });
    let further = [
        Event::StepRefused { cid: cid("step 2"), code: "expired".into() },
        Event::EquivocationSeen { first: cid("step 1"), second: cid("another") },
        Event::RetentionEnded { secret, at_ms: 9 },
        Event::DeliveryEnded { to: Party::Beneficiary, step: cid("step 3"), outcome: Outcome::Stalled },
        Event::DeliveryEnded {
            to: Party::Principal,
            step: cid("step 4"),
            outcome: Outcome::Refused("closed".into()),
        },
        Event::DeliveriesResumed { at_ms: 10 },
        Event::CustodyLost { at_ms: 11 },
        Event::CustodyFound { at_ms: 12 },
        Event::Held { at_ms: 13 },
        Event::ShredOrdered { due_ms: 14, at_ms: 15 },
        Event::Shredded { at_ms: 16 },
    ];
    steps.chain(further).collect()
}

fn input(event: &Event) -> Vec<u8> {
    let stored = event.to_stored().unwrap();
    let name = NAMES.iter().position(|name| *name == (stored.name.as_str(), stored.schema)).unwrap();
    [&[name as u8][..], &stored.bytes].concat()
}

pub fn events() -> Vec<Vec<u8>> {
    let document = crate::samples::identities().remove(0);
    let known = identity::Known::of(&dta_protocol::Identity::decode(&document).unwrap());
    let created = identity::Event::Created { known: known.clone(), uuid: Some([7; 16]) }.to_stored().unwrap();
    let learned = identity::Event::Learned { known }.to_stored().unwrap();
    let pinned = peer::Event::Pinned { identity: cid("alice"), url: Some("http://localhost:1".into()) };
    let (pinned, begun) = (
        pinned.to_stored().unwrap(),
        node::Event::Initialised(node::Initialised { home: [1; 16], epoch: 0, identity: cid("alice") })
            .to_stored()
            .unwrap(),
    );
    let followed = peer::Event::Followed { identity: cid("alice") }.to_stored().unwrap();
    let others = [(6, created), (7, learned), (8, pinned), (10, begun), (24, followed)];
    let others = others.map(|(name, stored)| [&[name][..], &stored.bytes].concat());
    all_events().iter().map(input).chain(others).collect()
}

pub fn histories() -> Vec<Vec<u8>> {
    let framed = |event: &Event| {
        let input = input(event);
        [&u16::try_from(input.len()).unwrap().to_be_bytes()[..], &input].concat()
    };
    let all = all_events();
    vec![all.iter().flat_map(framed).collect(), all.iter().rev().flat_map(framed).collect()]
}

pub fn records() -> Vec<Vec<u8>> {
    let record = |effect| Record {
        sequence: 7,
        time_ms: 1_790_000_000_000,
        aggregate: Aggregate { kind: AggregateKind::Order, id: [3; 32] },
        version: 2,
        by: "local".into(),
        request: Some(Request { idempotency_key: [5; 32], body: [6; 32] }),
        trace_id: [8; 16],
        command: Stored { name: "order/accept".into(), schema: 1, bytes: vec![1, 2, 3] },
        effect,
        previous: [9; 32],
        nonce: [10; 32],
        blind: [11; 32],
    };
    let events = all_events().iter().map(|event| event.to_stored().unwrap()).collect();
    let refused = Effect::Refused { code: "expired".into(), details: "policy: expired".into() };
    [Effect::Events(events), refused].map(|effect| record(effect).encode().unwrap()).into()
}
