//! What the disclosed keys show: parties, readers, policy, commitment, beneficiary. The proofs, the table and the terms are
//! those by which nodes judge.

use dta_crypto::ContentKey;
use dta_events::order::{
    CLOCK_SKEW_MS, Command, Facts, Hosts, Order, Parties, Party, Rejection, Said, StepFacts, Work, rule,
};
use dta_protocol::body::verify_commitment_proof;
use dta_protocol::{Cid, Descriptor, Envelope, Kind, Role, sealed};

use crate::chain::Chain;
use crate::disclosure::Disclosure;
use crate::name::Name;
use crate::opened::{BEFORE_UNKNOWN, Detail, NO_KEY, Opened, OpenedStep, received};
use crate::public::{People, step};
use crate::release;
use crate::report::{Failure, Outcome, Report, Subject};

/// Makes these checks, each for the steps that it is about.
pub(crate) fn check(
    chain: &Chain,
    opened: &Opened<'_>,
    disclosure: Option<&Disclosure>,
    people: &People,
    now_ms: u64,
    report: &mut Report,
) {
    let steps = || chain.steps.iter().zip(&opened.steps);
    for (envelope, found) in steps() {
        report.add(Name::Party, step(envelope), party(envelope, found));
    }
    for (envelope, found) in steps() {
        for descriptor in &envelope.statement().sealed {
            let subject = Subject::Body(envelope.statement().kind, descriptor.role, descriptor.cid);
            report.add(Name::Recipients, subject, recipients(envelope, found, descriptor, opened, people));
        }
    }
    let mut before: Option<&Envelope> = None;
    for (envelope, found) in steps() {
        if let Some(outcome) = policy(envelope, found, before) {
            report.add(Name::Policy, step(envelope), outcome);
        }
        before = Some(envelope);
    }
    for (name, judge) in [
        (Name::Commitment, commitment as fn(&Order, &Said) -> Option<Result<(), Rejection>>),
        (Name::Beneficiary, beneficiary),
    ] {
        for (envelope, found) in steps().filter(|(envelope, _)| is_about(name, envelope.statement().kind)) {
            let outcome = known(found)
                .map(|(order, said)| judge(order, said).map_or(Outcome::NotDisclosed(NO_KEY), Outcome::of));
            report.add(name, step(envelope), outcome.unwrap_or_else(Outcome::NotDisclosed));
        }
    }
    for (envelope, found) in
        steps().filter(|(envelope, _)| envelope.statement().kind == Kind::RedemptionRequested)
    {
        report.add(Name::Keys, step(envelope), keys(chain, found));
    }
    release::check(chain, opened, disclosure, people, report);
    for (envelope, found) in steps() {
        let outcome = known(found).map(|(order, said)| Outcome::of(rules(order, envelope, said, now_ms)));
        report.add(Name::Rules, step(envelope), outcome.unwrap_or_else(Outcome::NotDisclosed));
    }
}

/// The order that a step finds, and what it says; or what of it is not known.
pub(crate) fn known(found: &OpenedStep) -> Result<(&Order, &Said), &'static str> {
    Ok((found.before.as_ref().ok_or(BEFORE_UNKNOWN)?, found.said.as_ref().ok_or(NO_KEY)?))
}

fn is_about(name: Name, kind: Kind) -> bool {
    match name {
        Name::Commitment => kind == Kind::Committed,
        _ => matches!(kind, Kind::RedemptionRequested | Kind::Released),
    }
}

fn party(envelope: &Envelope, found: &OpenedStep) -> Outcome {
    let statement = envelope.statement();
    let Some(rule) = rule(statement.kind) else { return Outcome::Fails(Rejection::UnknownOrder.into()) };
    let order = match (&found.before, &found.said) {
        (None, _) => return Outcome::NotDisclosed(BEFORE_UNKNOWN),
        (Some(order), _) if order.parties.is_some() => order.clone(),
        (Some(_), None) => return Outcome::NotDisclosed(NO_KEY),
        (Some(order), Some(said)) => with_parties(order, said),
    };
    let named = order.party(rule.signer).filter(|cid| statement.signer == Some(*cid));
    Outcome::of(named.map(|_| ()).ok_or(Rejection::WrongSigner(rule.signer)))
}

/// The order with the parties that its first step names.
fn with_parties(order: &Order, said: &Said) -> Order {
    let parties: Option<Parties> = match &said.facts {
        StepFacts::Placed { parties, .. } => Some(parties.clone()),
        _ => order.parties.clone(),
    };
    Order { parties, ..order.clone() }
}

fn recipients(
    envelope: &Envelope,
    found: &OpenedStep,
    descriptor: &Descriptor,
    opened: &Opened<'_>,
    people: &People,
) -> Outcome {
    let kind = envelope.statement().kind;
    let Some(key) = opened.keys.get(&descriptor.cid) else { return Outcome::NotDisclosed(NO_KEY) };
    let (order, said) = match known(found) {
        Ok(known) => known,
        Err(why) => return Outcome::NotDisclosed(why),
    };
    let named = match said.facts {
        StepFacts::RedemptionRequested { beneficiary } => Some(beneficiary),
        _ => None,
    };
    let prescribed = match descriptor.role {
        Role::Parties => with_parties(order, said).readers(kind, named),
        _ => named.into_iter().collect(),
    };
    exactly(key, envelope, &prescribed, descriptor, people)
}

/// Whether a body's entries are those of exactly these identities.
pub(crate) fn exactly(
    key: &ContentKey,
    envelope: &Envelope,
    prescribed: &[Cid],
    descriptor: &Descriptor,
    people: &People,
) -> Outcome {
    // How many read it shows without their documents.
    if descriptor.to.len() != prescribed.len() {
        return Outcome::Fails(Rejection::OtherRecipients.into());
    }
    let documents: Option<Vec<_>> =
        prescribed.iter().map(|cid| people.get(cid).map(|person| (*cid, person.verifying()))).collect();
    let Some(documents) = documents else {
        return Outcome::NotDisclosed("the document of one who is to read it is not disclosed");
    };
    let Some(signer) = envelope.statement().signer.filter(|_| !documents.is_empty()) else {
        return Outcome::Fails(Rejection::UnknownOrder.into());
    };
    let judged = sealed::check_recipients(key, &signer, &documents, descriptor);
    Outcome::of(judged.map_err(|_| Rejection::OtherRecipients))
}

/// Of an order, whether its terms can be kept; of the fiduciary's steps, whether it could take them by those terms at the time
/// that its stamp tells.
fn policy(envelope: &Envelope, found: &OpenedStep, before: Option<&Envelope>) -> Option<Outcome> {
    let statement = envelope.statement();
    if !matches!(statement.kind, Kind::Placed | Kind::Committed | Kind::Released | Kind::Closed) {
        return None;
    }
    let (order, said) = match known(found) {
        Ok(known) => known,
        Err(why) => return Some(Outcome::NotDisclosed(why)),
    };
    let stamp_ms = statement.issued_at_ms;
    // A stamp is never before that of the step it answers, which another clock made: then the fiduciary's own may have been
    // behind it, by no more than it lets others be ahead.
    let earliest_ms = match before.map(|before| before.statement().issued_at_ms) {
        Some(answered_ms) if answered_ms >= stamp_ms => stamp_ms.saturating_sub(CLOCK_SKEW_MS),
        _ => stamp_ms,
    };
    let (command, now_ms) = match &said.facts {
        StepFacts::Placed { terms, .. } => {
            let reserved = said.reserved_policy_is_empty.then_some(()).ok_or(Rejection::PolicyUnsupported);
            return Some(Outcome::of(terms.check().and(reserved)));
        }
        StepFacts::Committed { .. } => (Command::Commit, earliest_ms),
        StepFacts::Released { .. } => {
            (Command::Release, order.terms.not_before_ms.clamp(earliest_ms, stamp_ms))
        }
        StepFacts::Closed { code } => (Command::Close(*code), stamp_ms),
        _ => return None,
    };
    let fiduciary = Order { hosts: Hosts { fiduciary: true, ..Hosts::default() }, ..order.clone() };
    let facts = Facts { now_ms, clock_trusted: true, ..Facts::default() };
    Some(Outcome::of(fiduciary.prepare(&command, &facts).map(|_| ())))
}

fn commitment(order: &Order, said: &Said) -> Option<Result<(), Rejection>> {
    let StepFacts::Committed { commitment } = &said.facts else { return None };
    let named = order.placed().zip(order.party(Party::Fiduciary));
    let proof = said.proof.as_deref().and_then(|proof| <&[u8; 64]>::try_from(proof).ok());
    let holds = named.zip(proof).is_some_and(|((placed, fiduciary), proof)| {
        verify_commitment_proof(&placed, &fiduciary, commitment, proof).is_ok()
    });
    Some(holds.then_some(()).ok_or(Rejection::ProofInvalid))
}

fn beneficiary(order: &Order, said: &Said) -> Option<Result<(), Rejection>> {
    match said.facts {
        StepFacts::RedemptionRequested { beneficiary } | StepFacts::Released { beneficiary, .. } => {
            let other = order.party(Party::Beneficiary).filter(|named| *named != beneficiary);
            Some(other.map_or(Ok(()), |named| Err(Rejection::BeneficiaryMismatch(named))))
        }
        _ => None,
    }
}

/// The beneficiary can read the order only with the keys of its first two bodies.
fn keys(chain: &Chain, found: &OpenedStep) -> Outcome {
    let Detail::Redemption(keys) = &found.detail else { return Outcome::NotDisclosed(NO_KEY) };
    for kind in [Kind::Placed, Kind::Committed] {
        let statement = chain.steps.iter().map(Envelope::statement).find(|statement| statement.kind == kind);
        let descriptor = statement.and_then(|statement| statement.sealed_for(Role::Parties));
        let opens = descriptor
            .is_some_and(|body| keys.get(&body.cid).is_some_and(|key| key.is_committed(&body.commit)));
        if !opens {
            return Outcome::Fails(Rejection::KeysInvalid.into());
        }
    }
    Outcome::Holds
}

/// As a node judges that is told of it later, and holds no party's keys.
fn rules(order: &Order, envelope: &Envelope, said: &Said, now_ms: u64) -> Result<(), Failure> {
    let mut facts = Facts { now_ms, ..Facts::default() };
    if let StepFacts::Placed { plugin, .. } = &said.facts {
        facts.plugin.clone_from(plugin);
        // Nobody but a party judges an order; a beneficiary is told of one that may be long over.
        facts.hosts.beneficiary = true;
    }
    match order.prepare(&Command::Accept(vec![received(envelope, said)]), &facts) {
        Ok(Work::Record) => Ok(()),
        Ok(_) => Err(Failure::new("step-twice", "the same statement stands in the chain before")),
        Err(rejection) => Err(rejection.into()),
    }
}
