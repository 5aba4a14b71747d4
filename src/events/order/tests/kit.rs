//! given(what stood).when(a command).then(what follows), and the steps of one order to tell stories with.

use std::sync::LazyLock;

use dta_crypto::{OrderKey, Secret};
use dta_protocol::body::{sign_commitment_proof, sign_received_proof};
use dta_protocol::{Cid, Codec};
use sha2::{Digest, Sha256};

use crate::order::*;

pub const REFERENCE: &str = "0192f5a0-5b1e-7c3a-8f00-0123456789ab";
pub const NOW_MS: u64 = 1_790_000_000_000;
pub const GIVE_UP_AFTER_MS: u64 = 60_000;

/// Which parties' keys a node has.
pub const ALICE: Hosts = Hosts { principal: true, fiduciary: false, beneficiary: false };
pub const BOB: Hosts = Hosts { principal: false, fiduciary: true, beneficiary: false };
pub const CAROL: Hosts = Hosts { principal: false, fiduciary: false, beneficiary: true };
pub const ALL: Hosts = Hosts { principal: true, fiduciary: true, beneficiary: true };

pub fn envelope(name: &str) -> Cid {
    Cid::of(Codec::DagCbor, name.as_bytes())
}

pub fn block(name: &str) -> Cid {
    Cid::of(Codec::Raw, name.as_bytes())
}

pub fn alice() -> Cid {
    envelope("alice")
}

pub fn bob() -> Cid {
    envelope("bob")
}

pub fn carol() -> Cid {
    envelope("carol")
}

pub fn dave() -> Cid {
    envelope("dave")
}

pub fn mallory() -> Cid {
    envelope("mallory")
}

/// The key pair that bob keeps.
pub fn key() -> &'static OrderKey {
    static KEY: LazyLock<OrderKey> =
        LazyLock::new(|| OrderKey::from_secret(Secret::from_bytes([7; 32])).unwrap());
    &KEY
}

/// A step with everything about it derived from its name: signed by whom it should be, in answer to `previous`.
pub fn step(name: &str, facts: StepFacts, previous: Option<&Step>) -> Step {
    let signer = match &facts {
        StepFacts::Placed { .. } | StepFacts::RedemptionRequested { .. } => alice(),
        StepFacts::CancellationRequested => alice(),
        StepFacts::Committed { .. } | StepFacts::Released { .. } | StepFacts::Closed { .. } => bob(),
        StepFacts::Received | StepFacts::Disputed { .. } => carol(),
    };
    Step {
        cid: envelope(name),
        statement: Sha256::digest(name).into(),
        signer,
        previous: previous.map(|step| step.cid),
        issued_at_ms: NOW_MS,
        sealed: vec![block(name)],
        facts,
    }
}

/// The same step said again in other words: another statement, so another envelope.
pub fn reworded(step: &Step, word: &str) -> Step {
    Step { cid: envelope(word), statement: Sha256::digest(word).into(), ..step.clone() }
}

pub fn placed_for(beneficiary: Option<Cid>, terms: Terms) -> Step {
    let parties = Parties { principal: alice(), fiduciary: bob(), beneficiary };
    step("placed", StepFacts::Placed { parties, plugin: "milagro".into(), coin: 0, terms }, None)
}

pub fn placed() -> Step {
    placed_for(None, Terms::default())
}

pub fn committed() -> Step {
    step("committed", StepFacts::Committed { commitment: key().commitment() }, Some(&placed()))
}

pub fn redemption_for(beneficiary: Cid) -> Step {
    step("redemption", StepFacts::RedemptionRequested { beneficiary }, Some(&committed()))
}

pub fn redemption() -> Step {
    redemption_for(carol())
}

pub fn released() -> Step {
    let facts = StepFacts::Released { beneficiary: carol(), secret: block("secret") };
    step("released", facts, Some(&redemption()))
}

pub fn received() -> Step {
    step("received", StepFacts::Received, Some(&released()))
}

pub fn disputed() -> Step {
    step("disputed", StepFacts::Disputed { code: DisputeCode::CannotOpen }, Some(&released()))
}

pub fn cancellation(after: &Step) -> Step {
    step("cancellation", StepFacts::CancellationRequested, Some(after))
}

pub fn closed(code: ClosedCode, after: &Step) -> Step {
    step("closed", StepFacts::Closed { code }, Some(after))
}

/// placed to received, each answering the one before.
pub fn whole_order() -> [Step; 5] {
    [placed(), committed(), redemption(), released(), received()]
}

/// How a node appended a step: the principal's waits for a fiduciary that is elsewhere.
pub fn appended(node: Hosts, step: &Step) -> Event {
    let (own, by_principal) = match step.signer {
        signer if signer == alice() => (node.principal, true),
        signer if signer == bob() => (node.fiduciary, false),
        _ => (node.beneficiary, false),
    };
    Event::StepAppended(StepAppended {
        reference: REFERENCE.into(),
        step: step.clone(),
        origin: if own { Origin::Issued } else { Origin::Received },
        pending: own && by_principal && !node.fiduciary,
        hosts: node,
        at_ms: NOW_MS,
    })
}

/// What another node sent, with a genuine proof where the kind has one.
pub fn sent(step: &Step) -> ReceivedStep {
    let proof = match &step.facts {
        StepFacts::Committed { .. } => Some(sign_commitment_proof(key(), &placed().cid, &bob())),
        StepFacts::Received => step.previous.map(|released| sign_received_proof(key(), &released, &carol())),
        _ => None,
    };
    ReceivedStep {
        reference: REFERENCE.into(),
        step: step.clone(),
        reserved_policy_is_empty: true,
        proof: proof.map(|proof| proof.to_vec()),
    }
}

pub fn receive(step: &Step) -> Command {
    Command::Accept(vec![sent(step)])
}

pub fn place() -> Command {
    place_for(None, Terms::default())
}

pub fn place_for(beneficiary: Option<Cid>, terms: Terms) -> Command {
    let parties = Parties { principal: alice(), fiduciary: bob(), beneficiary };
    Command::Place { reference: REFERENCE.into(), parties, plugin: "milagro".into(), coin: 0, terms }
}

pub fn redeem(beneficiary: Cid) -> Command {
    Command::RequestRedemption { beneficiary }
}

pub fn cancel() -> Command {
    Command::RequestCancellation { detail: "changed my mind".into() }
}

/// What signing and sealing gives for whatever was prepared.
pub fn made() -> Made {
    Made {
        cid: envelope("made"),
        statement: Sha256::digest("made").into(),
        sealed: vec![block("made")],
        commitment: Some(key().commitment()),
        secret: Some(block("secret")),
    }
}

pub fn facts(node: Hosts) -> Facts {
    Facts {
        now_ms: NOW_MS,
        clock_trusted: true,
        hosts: node,
        plugin: "milagro".into(),
        give_up_after_ms: GIVE_UP_AFTER_MS,
        ..Facts::default()
    }
}

/// An order on a node, before a command.
#[derive(Clone)]
pub struct Given {
    pub order: Order,
    pub facts: Facts,
}

/// The order that these steps make on a node.
pub fn given(node: Hosts, steps: &[Step]) -> Given {
    let order = steps.iter().fold(Order::default(), |order, step| order.apply(&appended(node, step)));
    Given { order, facts: facts(node) }
}

impl Given {
    pub fn and(mut self, event: Event) -> Self {
        self.order = self.order.apply(&event);
        self
    }

    pub fn at(mut self, now_ms: u64) -> Self {
        self.facts.now_ms = now_ms;
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        change(&mut self.facts);
        self
    }

    /// The order after a chain of steps from outside.
    #[track_caller]
    pub fn when_many(&self, chain: &[Step]) -> Order {
        let command = Command::Accept(chain.iter().map(sent).collect());
        let events = self.order.decide(&command, &self.facts, None).unwrap();
        events.iter().fold(self.order.clone(), Order::apply)
    }

    /// Prepares and decides, and holds the two to one answer.
    #[track_caller]
    pub fn when(&self, command: &Command) -> Outcome {
        let Given { order, facts } = self;
        let prepared = order.prepare(command, facts);
        let decided = order.decide(command, facts, Some(&made()));
        match (&prepared, &decided) {
            (Err(before), Err(after)) => assert_eq!(before, after),
            (Ok(Work::Done), Ok(events)) => assert!(events.is_empty(), "{events:?}"),
            (Ok(Work::Record | Work::Shred), Ok(events)) => assert_eq!(events.len(), 1, "{events:?}"),
            (Ok(Work::Sign(draft)), Ok(events)) => {
                assert_eq!(order.decide(command, facts, None), Err(Rejection::NotAsPrepared));
                let [Event::StepAppended(appended)] = events.as_slice() else { panic!("{events:?}") };
                let Made { cid, statement, sealed, .. } = made();
                let step = &appended.step;
                assert_eq!((step.cid, step.statement, &step.sealed), (cid, statement, &sealed));
                assert_eq!((step.signer, step.previous), (draft.signer, draft.previous));
                assert_eq!((step.issued_at_ms, appended.at_ms), (draft.issued_at_ms, facts.now_ms));
                assert_eq!((step.facts.kind(), appended.origin), (draft.content.kind(), Origin::Issued));
            }
            _ => panic!("prepare and decide differ: {prepared:?}, {decided:?}"),
        }
        Outcome { order: order.clone(), prepared, decided }
    }
}

/// What came of a command.
pub struct Outcome {
    order: Order,
    prepared: Result<Work, Rejection>,
    decided: Result<Vec<Event>, Rejection>,
}

impl Outcome {
    #[track_caller]
    pub fn then(&self, events: &[Event]) {
        assert_eq!(self.decided.as_deref(), Ok(events));
    }

    #[track_caller]
    pub fn then_nothing(&self) {
        self.then(&[]);
    }

    #[track_caller]
    pub fn then_rejected(&self, code: &str) {
        match &self.decided {
            Err(rejection) => assert_eq!(rejection.code(), code, "{rejection}"),
            Ok(events) => panic!("expected {code}, got {events:?}"),
        }
    }

    /// What is to be done before it is recorded.
    #[track_caller]
    pub fn work(&self) -> Work {
        self.prepared.clone().unwrap()
    }

    /// What is to be signed.
    #[track_caller]
    pub fn draft(&self) -> Draft {
        match &self.prepared {
            Ok(Work::Sign(draft)) => (**draft).clone(),
            other => panic!("nothing to sign: {other:?}"),
        }
    }

    /// The beneficiary of the redemption that was just made or accepted.
    pub fn redeemed_for(&self) -> Option<Cid> {
        match self.decided.as_deref() {
            Ok([Event::StepAppended(StepAppended { step, .. })]) => match step.facts {
                StepFacts::RedemptionRequested { beneficiary } => Some(beneficiary),
                _ => None,
            },
            _ => None,
        }
    }

    /// The order after it.
    #[track_caller]
    pub fn order(&self) -> Order {
        match &self.decided {
            Ok(events) => events.iter().fold(self.order.clone(), Order::apply),
            Err(rejection) => panic!("rejected: {rejection}"),
        }
    }

    /// In one word: `+` and what happened, `done`, or the code of the rejection.
    pub fn word(&self) -> String {
        let events = match &self.decided {
            Err(rejection) => return rejection.code().to_owned(),
            Ok(events) => events,
        };
        match events.as_slice() {
            [] => "done".to_owned(),
            [Event::StepAppended(appended)] => appended.step.facts.kind().as_str().replace("order/", "+"),
            [Event::StepRefused { .. }] => "+refused".to_owned(),
            [Event::EquivocationSeen { .. }] => "+equivocation".to_owned(),
            [Event::RetentionEnded { .. }] => "+retention-ended".to_owned(),
            [Event::ShredOrdered { .. }] => "+shred-ordered".to_owned(),
            more => format!("{more:?}"),
        }
    }
}
