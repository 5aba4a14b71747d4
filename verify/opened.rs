//! The sealed bodies that are disclosed, opened; and the order as it stands before each step, as far as that is known.

use std::collections::{BTreeMap, BTreeSet};

use dta_crypto::{ContentKey, SecretBytes};
use dta_events::order::{
    Event, Hosts, Order, Origin, ReceivedStep, Rejection, Said, Step, StepAppended, StepFacts, said,
};
use dta_protocol::body::{self, DisputeCode, Plaintext};
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{Cid, Descriptor, Envelope, Kind, Role};

use crate::chain::Chain;
use crate::disclosure::Disclosure;
use crate::name::Name;
use crate::public::People;
use crate::report::{Failure, Outcome, Report, Subject};

/// What is said of a body to which there is no key.
pub(crate) const NO_KEY: &str = "its key is not disclosed";
/// What is said of a step if one before it is not known.
pub(crate) const BEFORE_UNKNOWN: &str = "a step before it is not disclosed";

/// The chain as far as it is disclosed.
pub(crate) struct Opened<'a> {
    /// One for each step of the chain.
    pub(crate) steps: Vec<OpenedStep>,
    /// The keys of bodies that opened.
    pub(crate) keys: BTreeMap<Cid, &'a ContentKey>,
    /// The order after the last step that is known.
    last: Option<Order>,
}

/// A step and what it says.
#[derive(Default)]
pub(crate) struct OpenedStep {
    /// The order as the step finds it, if all steps before it are known.
    pub(crate) before: Option<Order>,
    /// What its `parties` body says, if that is disclosed.
    pub(crate) said: Option<Said>,
    /// What it says besides, that the rules do not ask for.
    pub(crate) detail: Detail,
}

/// What of a plaintext only an audit looks at.
#[derive(Default)]
pub(crate) enum Detail {
    #[default]
    None,
    Redemption(BTreeMap<Cid, ContentKey>),
    Release(Box<Descriptor>),
    Dispute(DisputeCode, Option<ContentKey>),
}

impl Disclosure {
    /// Whether it is of this chain's order; if not, that is reported, and nothing of it is used.
    pub(crate) fn is_for(&self, chain: &Chain, report: &mut Report) -> bool {
        let same = self.order() == chain.order();
        if !same {
            let failure = Failure::new("disclosure-other-order", format!("is of the order {}", self.order()));
            report.add(Name::Disclosure, Subject::File, Outcome::Fails(failure));
        }
        same
    }
}

impl<'a> Opened<'a> {
    pub(crate) fn of(
        chain: &Chain,
        disclosure: Option<&'a Disclosure>,
        people: &People,
        report: &mut Report,
    ) -> Self {
        let mut opened = Self { steps: Vec::new(), keys: BTreeMap::new(), last: None };
        let mut bodies = Vec::new();
        let mut order = Some(Order::default());
        for envelope in &chain.steps {
            let mut step = OpenedStep { before: order.clone(), ..OpenedStep::default() };
            for descriptor in &envelope.statement().sealed {
                let outcome = opened.body(chain, disclosure, envelope, descriptor, &mut step);
                let subject = Subject::Body(envelope.statement().kind, descriptor.role, descriptor.cid);
                bodies.push((subject, outcome));
            }
            let facts = step.said.as_ref().map(|said| said.facts.clone()).or_else(|| evident(envelope));
            order = order.zip(facts).map(|(order, facts)| {
                let after = order.apply(&Event::StepAppended(appended(envelope, facts)));
                opened.last = Some(after.clone());
                after
            });
            opened.steps.push(step);
        }
        if let Some(disclosure) = disclosure {
            let outcome = Outcome::of(opened.all_used(chain, disclosure, people));
            report.add(Name::Disclosure, Subject::File, outcome);
        }
        for (subject, outcome) in bodies {
            report.add(Name::Body, subject, outcome);
        }
        opened
    }

    /// The order after the last step that is known.
    pub(crate) fn last_order(&self) -> Option<&Order> {
        self.last.as_ref()
    }

    /// The descriptor of the sealed secret, if the release is disclosed.
    pub(crate) fn secret(&self) -> Option<&Descriptor> {
        self.steps.iter().find_map(|step| match &step.detail {
            Detail::Release(descriptor) => Some(&**descriptor),
            _ => None,
        })
    }

    /// Opens one body and reads it.
    fn body(
        &mut self,
        chain: &Chain,
        disclosure: Option<&'a Disclosure>,
        envelope: &Envelope,
        descriptor: &Descriptor,
        step: &mut OpenedStep,
    ) -> Outcome {
        let key = disclosure.and_then(|disclosure| disclosure.key(&descriptor.cid));
        let (key, block) = match (key, chain.bodies.get(&descriptor.cid)) {
            (Some(key), Some(block)) => (key, block),
            (None, Some(_)) => return Outcome::NotDisclosed(NO_KEY),
            (None, None) => return Outcome::NotDisclosed("its block is withheld"),
            (Some(_), None) => {
                let text = "its key is disclosed, and its block is not in the file";
                return Outcome::Fails(Failure::new("block-missing", text));
            }
        };
        let plaintext = match open(envelope, descriptor, key, block) {
            Ok(plaintext) => plaintext,
            Err(failure) => return Outcome::Fails(failure),
        };
        self.keys.insert(descriptor.cid, key);
        if descriptor.role != Role::Parties {
            // What is sealed to the beneficiary alone is nobody's to judge: if it is nothing, it is as if it were empty.
            return Outcome::Holds;
        }
        match said(envelope.statement(), plaintext.expose())
            .zip(detail(envelope.statement().kind, &plaintext))
        {
            Some((said, detail)) => {
                (step.said, step.detail) = (Some(said), detail);
                Outcome::Holds
            }
            None => Outcome::Fails(Rejection::CannotOpen.into()),
        }
    }

    /// A key or block of something else is a disclosure of something else.
    fn all_used(&self, chain: &Chain, disclosure: &Disclosure, people: &People) -> Result<(), Failure> {
        let descriptors = chain.steps.iter().flat_map(|step| &step.statement().sealed);
        let secret = self.secret().map(|secret| secret.cid);
        let bodies: BTreeSet<Cid> = descriptors.map(|body| body.cid).chain(secret).collect();
        if let Some(cid) = disclosure.bodies().find(|cid| !bodies.contains(cid)) {
            return Err(Failure::new(
                "key-unexpected",
                format!("has a key to {cid}, which is no body of this order"),
            ));
        }
        match disclosure.blocks().find(|cid| Some(*cid) != secret && people.get(cid).is_none()) {
            Some(cid) => {
                let text =
                    format!("block {cid} is neither the document of an identity nor the sealed secret");
                Err(Failure::new("block-unexpected", text))
            }
            None => Ok(()),
        }
    }
}

fn open(
    envelope: &Envelope,
    descriptor: &Descriptor,
    key: &ContentKey,
    block: &[u8],
) -> Result<SecretBytes, Failure> {
    SealRequest::of(envelope.statement(), descriptor.role)
        .and_then(|request| sealed::open_with_key(key, &request, descriptor, block))
        .map_err(|error| Failure::new(error.code(), error))
}

fn detail(kind: Kind, plaintext: &SecretBytes) -> Option<Detail> {
    let plaintext = plaintext.expose();
    Some(match kind {
        Kind::RedemptionRequested => {
            Detail::Redemption(body::RedemptionRequested::decode(plaintext).ok()?.keys)
        }
        Kind::Released => Detail::Release(Box::new(body::Released::decode(plaintext).ok()?.secret)),
        Kind::Disputed => {
            let disputed = body::Disputed::decode(plaintext).ok()?;
            Detail::Dispute(disputed.code, disputed.content_key)
        }
        _ => Detail::None,
    })
}

/// What a step says by being there, whatever is sealed in it.
fn evident(envelope: &Envelope) -> Option<StepFacts> {
    match envelope.statement().kind {
        Kind::CancellationRequested => Some(StepFacts::CancellationRequested),
        Kind::Received => Some(StepFacts::Received),
        _ => None,
    }
}

/// The step as the rules take it.
pub(crate) fn received(envelope: &Envelope, said: &Said) -> ReceivedStep {
    ReceivedStep {
        reference: envelope.statement().subject.clone(),
        step: step_of(envelope, said.facts.clone()),
        reserved_policy_is_empty: said.reserved_policy_is_empty,
        proof: said.proof.clone(),
    }
}

fn step_of(envelope: &Envelope, facts: StepFacts) -> Step {
    let statement = envelope.statement();
    Step {
        cid: envelope.cid(),
        statement: envelope.statement_hash(),
        // Every step of an order has a signer.
        signer: statement.signer.unwrap_or_else(|| envelope.cid()),
        previous: statement.previous,
        issued_at_ms: statement.issued_at_ms,
        sealed: statement.sealed.iter().map(|descriptor| descriptor.cid).collect(),
        facts,
    }
}

/// As it stands in the log of somebody who is no party.
fn appended(envelope: &Envelope, facts: StepFacts) -> StepAppended {
    StepAppended {
        reference: envelope.statement().subject.clone(),
        step: step_of(envelope, facts),
        origin: Origin::Received,
        pending: false,
        hosts: Hosts::default(),
        at_ms: envelope.statement().issued_at_ms,
    }
}
