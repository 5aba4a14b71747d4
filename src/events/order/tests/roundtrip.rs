//! Any event, command and state of an order is read back from its stored form as it was.

use std::collections::BTreeMap;

use dta_protocol::{Cid, Codec};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::codec;
use crate::order::*;

fn cid() -> impl Strategy<Value = Cid> {
    (any::<[u8; 4]>(), any::<bool>())
        .prop_map(|(seed, raw)| Cid::of(if raw { Codec::Raw } else { Codec::DagCbor }, &seed))
}

fn facts() -> impl Strategy<Value = StepFacts> {
    let parties = (cid(), cid(), option::of(cid())).prop_map(|(principal, fiduciary, beneficiary)| Parties {
        principal,
        fiduciary,
        beneficiary,
    });
    let terms = any::<[u64; 3]>().prop_map(|[not_before_ms, expires_at_ms, retention_ms]| Terms {
        not_before_ms,
        expires_at_ms,
        retention_ms,
    });
    let placed = (parties, ".{0,20}", any::<u8>(), terms)
        .prop_map(|(parties, plugin, coin, terms)| StepFacts::Placed { parties, plugin, coin, terms });
    let dispute = prop_oneof![Just(DisputeCode::CannotOpen), Just(DisputeCode::WrongSecret)];
    let closed = prop_oneof![Just(ClosedCode::Cancelled), Just(ClosedCode::Expired)];
    prop_oneof![
        placed,
        vec(any::<u8>(), 65).prop_map(|bytes| StepFacts::Committed { commitment: bytes.try_into().unwrap() }),
        cid().prop_map(|beneficiary| StepFacts::RedemptionRequested { beneficiary }),
        (cid(), cid()).prop_map(|(beneficiary, secret)| StepFacts::Released { beneficiary, secret }),
        Just(StepFacts::Received),
        dispute.prop_map(|code| StepFacts::Disputed { code }),
        Just(StepFacts::CancellationRequested),
        closed.prop_map(|code| StepFacts::Closed { code }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let names = (cid(), any::<[u8; 32]>(), cid(), option::of(cid()));
    (names, any::<u64>(), vec(cid(), 0..3), facts()).prop_map(
        |((cid, statement, signer, previous), issued_at_ms, sealed, facts)| Step {
            cid,
            statement,
            signer,
            previous,
            issued_at_ms,
            sealed,
            facts,
        },
    )
}

fn hosts() -> impl Strategy<Value = Hosts> {
    any::<[bool; 3]>().prop_map(|[principal, fiduciary, beneficiary]| Hosts {
        principal,
        fiduciary,
        beneficiary,
    })
}

fn event() -> impl Strategy<Value = Event> {
    let party = prop_oneof![Just(Party::Principal), Just(Party::Fiduciary), Just(Party::Beneficiary)];
    let outcome = prop_oneof![
        Just(Outcome::Delivered),
        "[a-z-]{1,64}".prop_map(Outcome::Refused),
        Just(Outcome::Stalled),
        Just(Outcome::Unaddressed),
    ];
    let origin = prop_oneof![Just(Origin::Issued), Just(Origin::Received)];
    let appended = (".{0,40}", step(), origin, any::<bool>(), hosts(), any::<u64>()).prop_map(
        |(reference, step, origin, pending, hosts, at_ms)| {
            Event::StepAppended(StepAppended { reference, step, origin, pending, hosts, at_ms })
        },
    );
    prop_oneof![
        4 => appended,
        1 => (cid(), "[a-z-]{1,64}").prop_map(|(cid, code)| Event::StepRefused { cid, code }),
        1 => (cid(), cid()).prop_map(|(first, second)| Event::EquivocationSeen { first, second }),
        1 => (cid(), any::<u64>()).prop_map(|(secret, at_ms)| Event::RetentionEnded { secret, at_ms }),
        1 => (party, cid(), outcome).prop_map(|(to, step, outcome)| Event::DeliveryEnded { to, step, outcome }),
        1 => any::<u64>().prop_map(|at_ms| Event::DeliveriesResumed { at_ms }),
        1 => any::<u64>().prop_map(|at_ms| Event::CustodyLost { at_ms }),
        1 => any::<u64>().prop_map(|at_ms| Event::CustodyFound { at_ms }),
        1 => any::<u64>().prop_map(|at_ms| Event::Held { at_ms }),
        1 => any::<[u64; 2]>().prop_map(|[due_ms, at_ms]| Event::ShredOrdered { due_ms, at_ms }),
        1 => any::<u64>().prop_map(|at_ms| Event::Shredded { at_ms }),
    ]
}

proptest! {
    #[test]
    fn events(event in event()) {
        let stored = event.to_stored().unwrap();
        prop_assert_eq!(Event::from_stored(&stored).unwrap(), event);
    }

    #[test]
    fn commands(
        steps in vec((".{0,40}", step(), any::<bool>(), option::of(vec(any::<u8>(), 0..70))), 0..4),
    ) {
        let received = |(reference, step, reserved_policy_is_empty, proof)| ReceivedStep {
            reference,
            step,
            reserved_policy_is_empty,
            proof,
        };
        let command = Command::Accept(steps.into_iter().map(received).collect());
        let stored = command.to_stored().unwrap();
        prop_assert_eq!(codec::decode::<Command>(&stored.bytes).unwrap(), command);
    }

    /// Whatever events make of it: apply is total.
    #[test]
    fn states(events in vec(event(), 0..12)) {
        let order = events.iter().fold(Order::default(), Order::apply);
        let bytes = codec::encode(&order).unwrap();
        prop_assert_eq!(codec::decode::<Order>(&bytes).unwrap(), order.clone());
        let equivocations: BTreeMap<_, _> = order.equivocations.clone();
        prop_assert!(equivocations.len() <= events.len());
        prop_assert!(order.steps.len() <= events.len() + 1);
    }
}
