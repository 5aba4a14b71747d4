//! Any commands with any facts, any events in any order: nothing panics, and what must always hold holds.

use proptest::prelude::*;

use super::kit::*;
use crate::order::*;
use dta_protocol::{Cid, Kind};

/// Bytes that choices are made of; past its end all choices are 0.
struct Dice<'a>(std::slice::Iter<'a, u8>);

impl Dice<'_> {
    fn roll(&mut self) -> u8 {
        self.0.next().copied().unwrap_or_default()
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::from(self.roll()) % from.len()].clone()
    }

    /// True once in `times`.
    fn seldom(&mut self, times: u8) -> bool {
        self.roll() % times == times - 1
    }
}

fn identity(dice: &mut Dice) -> Cid {
    dice.pick(&[carol(), alice(), bob(), dave(), mallory(), carol(), carol()])
}

fn terms(dice: &mut Dice) -> Terms {
    let near = [0, 0, 0, NOW_MS + 20, NOW_MS + 60, NOW_MS, u64::MAX];
    Terms {
        not_before_ms: dice.pick(&near),
        expires_at_ms: dice.pick(&near),
        retention_ms: dice.pick(&[0, 0, 1, 50, u64::MAX]),
    }
}

fn step_facts(dice: &mut Dice) -> StepFacts {
    let code = dice.pick(&[DisputeCode::CannotOpen, DisputeCode::WrongSecret]);
    match dice.roll() % 9 {
        0 => {
            let (beneficiary, principal) = (dice.pick(&[None, Some(carol()), Some(dave())]), alice());
            let parties = Parties { principal, fiduciary: bob(), beneficiary };
            let plugin = dice.pick(&["milagro", "milagro", "other"]).to_owned();
            StepFacts::Placed { parties, plugin, coin: dice.roll() % 3, terms: terms(dice) }
        }
        1 | 8 => StepFacts::Committed { commitment: key().commitment() },
        2 => StepFacts::RedemptionRequested { beneficiary: identity(dice) },
        3 => StepFacts::Released { beneficiary: identity(dice), secret: block("secret") },
        4 => StepFacts::Received,
        5 => StepFacts::Disputed { code },
        6 => StepFacts::CancellationRequested,
        _ => StepFacts::Closed { code: dice.pick(&[ClosedCode::Cancelled, ClosedCode::Expired]) },
    }
}

/// A step that mostly fits the order, named after all it says, as envelopes are.
fn some_step(dice: &mut Dice, order: &Order) -> Step {
    let facts = step_facts(dice);
    let waiting = order.pending.as_ref().map(|pending| pending.step.cid);
    let head = order.head().map(|step| step.cid);
    let mut previous = match dice.roll() % 12 {
        0 => None,
        1 => Some(placed().cid),
        2 => Some(mallory()),
        3 => order.steps.first().map(|accepted| accepted.step.cid),
        4..=6 => head,
        _ => waiting.or(head),
    };
    if facts.kind() == Kind::Placed && !dice.seldom(6) {
        previous = None;
    }
    let word = dice.roll() % 3;
    let mut step = step(&format!("{facts:?} {previous:?} {word}"), facts, None);
    step.previous = previous;
    step.issued_at_ms = dice.pick(&[NOW_MS, NOW_MS, NOW_MS + 10, NOW_MS + 400_000, 0, u64::MAX]);
    if dice.seldom(8) {
        step.signer = identity(dice);
    }
    if let (StepFacts::Received | StepFacts::Disputed { .. }, Some(carol), false) =
        (&step.facts, order.party(Party::Beneficiary), dice.seldom(8))
    {
        step.signer = carol;
    }
    step
}

fn some_command(dice: &mut Dice, order: &Order) -> Command {
    let code = dice.pick(&[ClosedCode::Cancelled, ClosedCode::Expired]);
    match dice.roll() % 18 {
        0 => place_for(dice.pick(&[None, Some(carol())]), terms(dice)),
        1 => Command::Commit,
        2 => redeem(identity(dice)),
        3 => Command::Release,
        4 => Command::Acknowledge(dice.pick(&[Verdict::Genuine, Verdict::Disputed(DisputeCode::CannotOpen)])),
        5 => cancel(),
        6 => Command::Close(code),
        7 => Command::EndRetention,
        8 => {
            let waiting = order.pending.as_ref().map(|pending| pending.step.cid);
            let cid = if dice.seldom(4) { mallory() } else { waiting.unwrap_or(mallory()) };
            Command::Refuse { cid, code: "trust".into() }
        }
        9 | 10 => {
            order.due(u64::from(dice.roll()) + NOW_MS).and_then(Due::command).unwrap_or(Command::Commit)
        }
        11 => Command::ShredAt { at_ms: dice.pick(&[0, NOW_MS, NOW_MS + 40, u64::MAX]) },
        12 => Command::Shred,
        _ => {
            let step = some_step(dice, order);
            let mut received = sent(&step);
            if let (StepFacts::Received, Some(previous), Some(carol)) =
                (&step.facts, step.previous, order.party(Party::Beneficiary))
            {
                let proof = dta_protocol::body::sign_received_proof(key(), &previous, &carol);
                received.proof = Some(proof.to_vec());
            }
            if let (StepFacts::Committed { .. }, Some(placed)) = (&step.facts, order.placed()) {
                let proof = dta_protocol::body::sign_commitment_proof(key(), &placed, &bob());
                received.proof = Some(proof.to_vec());
            }
            if dice.seldom(12) {
                received.proof = dice.pick(&[None, Some(vec![]), Some(vec![7; 64])]);
            }
            if dice.seldom(20) {
                received.reference = String::new();
            }
            received.reserved_policy_is_empty = !dice.seldom(20);
            Command::Accept(vec![received])
        }
    }
}

fn some_facts(dice: &mut Dice, node: Hosts, now_ms: u64) -> Facts {
    let mut facts = facts(node);
    facts.now_ms = if dice.seldom(20) { dice.pick(&[0, u64::MAX]) } else { now_ms };
    facts.clock_trusted = !dice.seldom(4);
    if dice.seldom(10) {
        facts.unknown.push(identity(dice));
    }
    if dice.seldom(15) {
        facts.plugin = "other".into();
    }
    facts
}

/// What holds of every order, whatever was asked of it.
fn must_hold(order: &Order) {
    let steps: Vec<&Step> = order.steps.iter().map(|accepted| &accepted.step).collect();
    let of = |kind| steps.iter().filter(move |step| step.facts.kind() == kind).count();
    for kind in Kind::ALL {
        let most = if kind == Kind::CancellationRequested { usize::MAX } else { 1 };
        assert!(of(kind) <= most, "{kind:?} twice");
    }
    assert!(of(Kind::Received) + of(Kind::Disputed) + of(Kind::Closed) <= 1, "two ends");
    if let [first, ..] = steps.as_slice() {
        assert_eq!((first.facts.kind(), first.previous), (Kind::Placed, None));
    }
    for pair in steps.windows(2) {
        assert_eq!(pair[1].previous, Some(pair[0].cid), "a broken link");
        assert!(pair[1].issued_at_ms >= pair[0].issued_at_ms, "time runs backwards");
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
    assert!(got.is_none() || got == asked, "released to another than the redemption names");
    assert!(
        named.is_none() || asked.is_none() || named == asked,
        "redeemed for another than the order names"
    );
    assert_eq!(order.commitment().is_some(), of(Kind::Committed) == 1);
    assert_eq!(order.secret.is_some(), of(Kind::Released) == 1);
    if order.stage.is_final() {
        assert!(order.pending.is_none(), "something waits at the end");
        assert!(matches!(order.due(u64::MAX), None | Some(Due::EndRetention | Due::Shred)));
    }
    if order.shredded || order.shred_due_ms.is_some() {
        assert!(order.shred_due_ms.is_some(), "no seed goes that nobody ordered to go");
        assert!(order.hosts(Party::Fiduciary) && matches!(order.stage, Stage::Received | Stage::Closed));
    }
}

fn node(bits: u8) -> Hosts {
    Hosts { principal: bits & 1 != 0, fiduciary: bits & 2 != 0, beneficiary: bits & 4 != 0 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_commands_keep_what_must_hold(
        hosts in 0u8..8,
        begun in any::<bool>(),
        rounds in prop::collection::vec(prop::collection::vec(any::<u8>(), 24), 1..40),
    ) {
        let hosts = node(hosts);
        let mut order = Order::default();
        if begun {
            order = order.apply(&appended(hosts, &placed()));
        }
        let mut now_ms = NOW_MS;
        for (round, dice) in rounds.iter().enumerate() {
            let dice = &mut Dice(dice.iter());
            now_ms += u64::from(dice.roll() % 16);
            let facts = some_facts(dice, hosts, now_ms);
            let command = some_command(dice, &order);
            let name = format!("made in round {round}");
            let made = Made { cid: envelope(&name), statement: *envelope(&name).digest(), ..made() };
            let prepared = order.prepare(&command, &facts);
            let decided = order.decide(&command, &facts, Some(&made));
            let events = match (prepared, decided) {
                (Err(before), Err(after)) => {
                    prop_assert_eq!(before, after);
                    continue;
                }
                (Ok(work), Ok(events)) => {
                    let one = matches!(events.as_slice(), [Event::StepAppended(_)]);
                    match work {
                        Work::Sign(_) => prop_assert!(one),
                        Work::Record | Work::Shred => prop_assert_eq!(events.len(), 1),
                        Work::Done => prop_assert!(events.is_empty()),
                    }
                    events
                }
                (prepared, decided) => panic!("{prepared:?} but {decided:?}"),
            };
            let before = order.clone();
            for event in &events {
                let reread = Event::from_stored(&event.to_stored().unwrap());
                prop_assert_eq!(reread.as_ref(), Ok(event));
                order = order.apply(event);
            }
            must_hold(&order);
            if let Some(due) = order.due(now_ms) {
                let command = due.command().unwrap_or(Command::Acknowledge(Verdict::Genuine));
                let facts = Facts { now_ms, ..super::kit::facts(hosts) };
                let done = order.decide(&command, &facts, Some(&made));
                prop_assert!(done.as_ref().is_ok_and(|events| events.len() == 1), "{:?} is due: {:?}", due, done);
            }
            if before.stage.is_final() {
                prop_assert_eq!((before.stage, before.steps), (order.stage, order.steps.clone()));
            } else {
                prop_assert!(order.steps.starts_with(&before.steps), "the chain only grows");
            }
        }
    }

    /// Whatever a log may hold can be applied, and what comes of it can be asked anything.
    #[test]
    fn any_events_can_be_applied(
        rounds in prop::collection::vec(prop::collection::vec(any::<u8>(), 24), 0..30),
        raw in any::<[u64; 4]>(),
    ) {
        let mut order = Order::default();
        for dice in &rounds {
            let dice = &mut Dice(dice.iter());
            let cid = order.head().map_or(mallory(), |step| step.cid);
            let event = match dice.roll() % 10 {
                0 => Event::StepRefused {
                    cid: order.pending.as_ref().map_or(cid, |pending| pending.step.cid),
                    code: "trust".into(),
                },
                1 => Event::EquivocationSeen { first: cid, second: mallory() },
                2 => Event::RetentionEnded { secret: block("secret"), at_ms: raw[0] },
                3 => Event::ShredOrdered { due_ms: raw[2], at_ms: raw[0] },
                4 => Event::Shredded { at_ms: raw[0] },
                _ => {
                    let mut step = some_step(dice, &order);
                    step.issued_at_ms = raw[1];
                    if let StepFacts::Placed { terms, .. } = &mut step.facts {
                        (terms.expires_at_ms, terms.retention_ms) = (raw[2], raw[3]);
                    }
                    let StepAppended { reference, origin, .. } = match appended(ALL, &step) {
                        Event::StepAppended(appended) => appended,
                        other => panic!("{other:?}"),
                    };
                    let (pending, hosts) = (dice.seldom(3), node(dice.roll()));
                    Event::StepAppended(StepAppended { reference, step, origin, pending, hosts, at_ms: raw[0] })
                }
            };
            order = order.apply(&event);
            for now_ms in [0, raw[0], raw[2], u64::MAX] {
                let _ = (order.due(now_ms), order.next_due_ms());
                let command = some_command(dice, &order);
                let hosts = node(dice.roll());
                let facts = some_facts(dice, hosts, now_ms);
                let _ = order.decide(&command, &facts, Some(&made()));
            }
            for kind in Kind::ALL {
                let readers = order.seen_from(Some(&cid)).readers(kind, None);
                prop_assert!(readers.len() <= 3);
            }
        }
    }
}
