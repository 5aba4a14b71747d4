//! What the order actor does with the rules, without the actor: facts are gathered, what prepare names is made, what comes
//! from outside is believed or not. Simulation and model both go through here; each keeps the order in its own way.

use std::collections::BTreeSet;

use dta_events::order::{
    Command, Content, DisputeCode, Draft, Event, Facts, Hosts, Made, Order, Origin, Party, ReceivedStep,
    Rejection, Root, Step, StepAppended, StepFacts, Verdict, Work,
};
use dta_protocol::body::{sign_commitment_proof, sign_received_proof};
use dta_protocol::{Cid, Kind};

use crate::paper::{Cast, Envelope, Packet, SealedSecret, Statement, order_key};

pub const PLUGIN: &str = "milagro";

/// What a node is made to do wrong, so that simulation and model are seen to find it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flaw {
    #[default]
    None,
    /// Takes steps of others that are to be refused for this reason.
    Overlooks(&'static str),
    /// Never does this, though it is due.
    Neglects(&'static str),
    /// Gives the sealed secret to whoever is told of the release.
    Indiscreet,
    /// Sends a step before it is in the log; a crash loses it.
    SendsUnsynced,
    /// Forgets its last acknowledged append in a crash.
    LosesAcknowledged,
    /// Disputes whatever is released to it. (No flaw of an honest node: a cheat's.)
    Disputes,
}

/// A node as one command finds it.
pub struct Here<'a> {
    pub cast: &'a Cast,
    pub node: usize,
    pub now_ms: u64,
    pub clock_trusted: bool,
    pub give_up_after_ms: u64,
    /// Whose documents it has.
    pub knows: &'a BTreeSet<Cid>,
    /// With whom it begins orders.
    pub trusts: &'a BTreeSet<Cid>,
    /// Blocks of its log.
    pub envelope: &'a dyn Fn(&Cid) -> Option<Envelope>,
    pub secret: &'a dyn Fn(&Cid) -> Option<SealedSecret>,
    /// The secret in custody under an order, made if there is none.
    pub custody: &'a dyn Fn(&Cid) -> [u8; 32],
    /// What makes the next signature differ from all others.
    pub salt: u64,
    pub flaw: Flaw,
}

/// What a command has come to.
#[derive(Default)]
pub struct Decided {
    pub events: Vec<Event>,
    pub envelopes: Vec<Envelope>,
    pub secrets: Vec<SealedSecret>,
}

/// What steps from outside have come to.
pub enum Judged {
    /// Whoever calls is no party: it learns nothing, and nothing is recorded.
    Outsider,
    /// All of them are known.
    Known,
    /// The rules refuse them.
    Refused(Command, Rejection),
    /// To be run: with whom they name and this node did not know, and the blocks that came.
    Take { command: Command, named: Option<Cid>, strangers: Vec<Cid> },
}

impl Here<'_> {
    fn hosts(&self, cid: &Cid) -> bool {
        self.cast.home(cid) == Some(self.node)
    }

    /// The facts of a command. `named`: whom a redemption among the steps names; `from`: the node they came from.
    pub fn gather(&self, order: &Order, command: &Command, named: Option<Cid>, from: Option<Cid>) -> Facts {
        let mut facts = Facts {
            now_ms: self.now_ms,
            clock_trusted: self.clock_trusted,
            plugin: PLUGIN.to_owned(),
            give_up_after_ms: self.give_up_after_ms,
            ..Facts::default()
        };
        let Some(parties) = order.concerned(command, named) else { return facts };
        let all = [Some(parties.principal), Some(parties.fiduciary), parties.beneficiary];
        facts.unknown = all.into_iter().flatten().filter(|cid| !self.knows.contains(cid)).collect();
        let each = |is: &dyn Fn(&Cid) -> bool| {
            let [principal, fiduciary, beneficiary] =
                all.map(|cid| cid.is_some_and(|cid| self.knows.contains(&cid) && is(&cid)));
            Hosts { principal, fiduciary, beneficiary }
        };
        facts.hosts = each(&|cid| self.hosts(cid));
        facts.told = each(&|cid| from.is_some_and(|from| self.cast.lives_with(cid, &from)));
        facts
    }

    /// Prepare, work, decide.
    pub fn decide(
        &self,
        order: &Order,
        command: &Command,
        facts: &Facts,
        came: &[Envelope],
    ) -> Result<Decided, Rejection> {
        let mut decided = Decided::default();
        let made = match order.prepare(command, facts) {
            Ok(Work::Sign(draft)) => {
                let (made, envelope, secret) = self.perform(order, *draft);
                decided.envelopes.push(envelope);
                decided.secrets.extend(secret);
                Some(made)
            }
            // What is refused is refused by decide, too.
            Ok(Work::Done | Work::Record | Work::Shred) | Err(_) => None,
        };
        decided.events = self.rule(order, command, facts, made.as_ref())?;
        for event in &decided.events {
            let cid = match event {
                Event::StepAppended(appended) => appended.step.cid,
                Event::EquivocationSeen { second, .. } => *second,
                _ => continue,
            };
            decided.envelopes.extend(came.iter().find(|envelope| envelope.cid() == cid).cloned());
        }
        Ok(decided)
    }

    /// What the rules decide, unless this node is made to overlook why they refuse it.
    fn rule(
        &self,
        order: &Order,
        command: &Command,
        facts: &Facts,
        made: Option<&Made>,
    ) -> Result<Vec<Event>, Rejection> {
        let decided = order.decide(command, facts, made);
        let (Flaw::Overlooks(code), Command::Accept(steps)) = (self.flaw, command) else { return decided };
        match &decided {
            Err(rejection) if rejection.code() == code => {}
            Ok(events) if code == "equivocation" && events.iter().any(is_equivocation) => {}
            _ => return decided,
        }
        let new = steps.iter().filter(|received| !order.has(&received.step.cid));
        let appended = new.map(|received| {
            Event::StepAppended(StepAppended {
                reference: received.reference.clone(),
                step: received.step.clone(),
                origin: Origin::Received,
                pending: false,
                hosts: if order.placed().is_some() { order.hosts } else { facts.hosts },
                at_ms: facts.now_ms,
            })
        });
        Ok(appended.collect())
    }

    /// What is to be done next of itself.
    pub fn due(&self, order: &Order) -> Option<Command> {
        let command = order.due(self.now_ms)?.command();
        let command = command.unwrap_or_else(|| Command::Acknowledge(self.verdict(order)));
        (self.flaw != Flaw::Neglects(command.name())).then_some(command)
    }

    /// What is signed and sealed for a draft.
    fn perform(&self, order: &Order, draft: Draft) -> (Made, Envelope, Option<SealedSecret>) {
        let (mut proof, mut keys, mut commitment, mut sealed) = (None, Vec::new(), None, None);
        let facts = match &draft.content {
            Content::Placed { parties, plugin, coin, terms } => StepFacts::Placed {
                parties: parties.clone(),
                plugin: plugin.clone(),
                coin: *coin,
                terms: terms.clone(),
            },
            Content::Committed { placed } => {
                let key = order_key(&(self.custody)(placed)).expect("custody makes keys");
                proof = Some(sign_commitment_proof(&key, placed, &draft.signer).to_vec());
                commitment = Some(key.commitment());
                StepFacts::Committed { commitment: key.commitment() }
            }
            Content::RedemptionRequested { beneficiary, placed, committed } => {
                keys = vec![*placed, *committed];
                StepFacts::RedemptionRequested { beneficiary: *beneficiary }
            }
            Content::Released { placed, beneficiary, commitment } => {
                let secret = (self.custody)(placed);
                let kept = order_key(&secret).expect("custody makes keys").commitment();
                assert_eq!(kept, **commitment, "custody holds another key than the one committed to");
                let secret = SealedSecret { to: *beneficiary, placed: *placed, secret, opens: true };
                let cid = secret.cid();
                sealed = Some(secret);
                StepFacts::Released { beneficiary: *beneficiary, secret: cid }
            }
            Content::Received { released } => {
                let secret = self.released(order).expect("a receipt needs the released secret at hand");
                let key = order_key(&secret.secret).expect("it was judged to be the secret");
                proof = Some(sign_received_proof(&key, released, &draft.signer).to_vec());
                StepFacts::Received
            }
            Content::Disputed { code, .. } => StepFacts::Disputed { code: *code },
            Content::CancellationRequested { .. } => StepFacts::CancellationRequested,
            Content::Closed { code } => StepFacts::Closed { code: *code },
        };
        let statement = Statement {
            facts,
            signer: draft.signer,
            reference: draft.reference,
            previous: draft.previous,
            issued_at_ms: draft.issued_at_ms,
            readers: draft.readers,
            proof,
            keys,
            reserved_policy_is_empty: true,
        };
        let envelope = Envelope { signed_by: statement.signer, statement, salt: self.salt };
        let made = Made {
            cid: envelope.cid(),
            statement: envelope.statement_hash(),
            sealed: Vec::new(),
            commitment,
            secret: sealed.as_ref().map(SealedSecret::cid),
        };
        (made, envelope, sealed)
    }

    fn released(&self, order: &Order) -> Option<SealedSecret> {
        match order.step(Kind::Released)?.step.facts {
            StepFacts::Released { secret, .. } => (self.secret)(&secret),
            _ => None,
        }
    }

    /// What a beneficiary finds in a release.
    pub fn verdict(&self, order: &Order) -> Verdict {
        let secret = self.released(order).expect("the log of a beneficiary holds what was released to it");
        if self.flaw == Flaw::Disputes {
            return Verdict::Disputed(DisputeCode::WrongSecret);
        }
        if !secret.opens || Some(secret.to) != order.party(Party::Beneficiary) {
            return Verdict::Disputed(DisputeCode::CannotOpen);
        }
        match order_key(&secret.secret) {
            Some(key)
                if Some(key.commitment()) == order.commitment() && Some(secret.placed) == order.placed() =>
            {
                Verdict::Genuine
            }
            _ => Verdict::Disputed(DisputeCode::WrongSecret),
        }
    }

    /// Steps from another node, as the actor takes them: who calls, what is believed, what the rules say.
    pub fn judge(&self, order: &Order, packet: &Packet) -> Judged {
        let (Some(first), Some(root)) = (packet.steps.first(), packet.steps.last()) else {
            return Judged::Outsider;
        };
        let trusted = self.trusts.contains(&packet.from);
        let speakers = order.speakers(first.statement.facts.kind(), &root.root(), trusted);
        if !speakers.iter().any(|speaker| self.cast.lives_with(speaker, &packet.from)) {
            return Judged::Outsider;
        }
        let refused =
            |steps: &[ReceivedStep], rejection| Judged::Refused(Command::Accept(steps.to_vec()), rejection);
        let mut believer = Believer { here: self, packet, strangers: Vec::new(), disclosed: Vec::new() };
        let named = match believer.disclose() {
            Ok(named) => named,
            Err(rejection) => return refused(&[], rejection),
        };
        let (mut seen, mut steps) = (order.clone(), Vec::new());
        for envelope in &packet.steps {
            if seen.has(&envelope.cid()) {
                continue;
            }
            match believer.believe(&seen, envelope) {
                Ok(step) => steps.push(step),
                Err(rejection) => return refused(&steps, rejection),
            }
            let command = Command::Accept(steps.clone());
            let facts = self.facts_with(order, &command, named, packet, &believer.strangers);
            let Ok(events) = self.rule(order, &command, &facts, None) else { break };
            seen = events.iter().fold(order.clone(), Order::apply);
            if events.iter().any(is_equivocation) {
                break;
            }
        }
        if steps.is_empty() {
            return Judged::Known;
        }
        let strangers = believer.strangers;
        let command = Command::Accept(steps);
        let facts = self.facts_with(order, &command, named, packet, &strangers);
        match self.rule(order, &command, &facts, None) {
            Ok(_) => Judged::Take { command, named, strangers },
            Err(rejection) => Judged::Refused(command, rejection),
        }
    }

    fn facts_with(
        &self,
        order: &Order,
        command: &Command,
        named: Option<Cid>,
        packet: &Packet,
        strangers: &[Cid],
    ) -> Facts {
        let mut facts = self.gather(order, command, named, Some(packet.from));
        facts.unknown.retain(|cid| !strangers.contains(cid));
        facts
    }

    /// What the node that brought a step is answered.
    pub fn answer(&self, order: &Order, root: &Root, caller: Cid) -> Result<Packet, Rejection> {
        let steps = order.answer_to(root);
        for accepted in steps {
            if let Some((beneficiary, gone)) = order.gone_with(&accepted.step)
                && self.cast.lives_with(&beneficiary, &caller)
            {
                return Err(gone);
            }
        }
        Ok(self.packet(order, steps, caller, &caller, Vec::new()))
    }

    /// What goes to the other node for these steps. The sealed secret is its beneficiary's alone.
    pub fn packet(
        &self,
        order: &Order,
        steps: &[dta_events::order::Accepted],
        to: Cid,
        node: &Cid,
        introduces: Vec<Cid>,
    ) -> Packet {
        let mut secrets = Vec::new();
        for accepted in steps {
            if let Some((beneficiary, secret)) = order.sealed_with(&accepted.step)
                && (self.cast.lives_with(&beneficiary, node) || self.flaw == Flaw::Indiscreet)
            {
                secrets.push((self.secret)(&secret).expect("a secret is kept until its retention ends"));
            }
        }
        let read = |cid: &Cid| (self.envelope)(cid).expect("what was accepted is in the log");
        let steps = steps.iter().map(|accepted| read(&accepted.step.cid)).collect();
        Packet { from: self.cast.node(self.node), to, steps, secrets, introduces }
    }
}

fn is_equivocation(event: &Event) -> bool {
    matches!(event, Event::EquivocationSeen { .. })
}

/// Reads the steps of one packet.
struct Believer<'a> {
    here: &'a Here<'a>,
    packet: &'a Packet,
    strangers: Vec<Cid>,
    disclosed: Vec<Cid>,
}

impl Believer<'_> {
    /// Someone known here, or whose document came along.
    fn knows(&mut self, cid: &Cid) -> bool {
        if self.here.knows.contains(cid) || self.strangers.contains(cid) {
            return true;
        }
        let came = *cid == self.packet.from || self.packet.introduces.contains(cid);
        // A made-up identity has no document.
        if came && self.here.cast.home(cid).is_some() {
            self.strangers.push(*cid);
            return true;
        }
        false
    }

    fn opens(&self, envelope: &Envelope) -> bool {
        let own = envelope.statement.readers.contains(&self.packet.to) && self.here.hosts(&self.packet.to);
        own || self.disclosed.contains(&envelope.cid())
    }

    fn disclose(&mut self) -> Result<Option<Cid>, Rejection> {
        let begins =
            self.packet.steps.first().is_some_and(|first| first.statement.facts.kind() == Kind::Placed);
        let redemption = self.packet.steps.iter().find_map(|envelope| match envelope.statement.facts {
            StepFacts::RedemptionRequested { beneficiary } => Some((envelope, beneficiary)),
            _ => None,
        });
        let Some((envelope, beneficiary)) = redemption.filter(|_| begins) else { return Ok(None) };
        if !self.opens(envelope) {
            return Err(Rejection::CannotOpen);
        }
        self.disclosed.clone_from(&envelope.statement.keys);
        Ok(Some(beneficiary))
    }

    fn believe(&mut self, order: &Order, envelope: &Envelope) -> Result<ReceivedStep, Rejection> {
        let statement = &envelope.statement;
        let kind = statement.facts.kind();
        let role = dta_events::order::rule(kind).ok_or(Rejection::UnknownOrder)?.signer;
        let signer = statement.signer;
        if !self.knows(&signer) {
            return Err(Rejection::UnknownIdentity { party: role, cid: signer });
        }
        let looks = self.here.flaw != Flaw::Overlooks("signature-invalid");
        if looks && envelope.signed_by != signer {
            return Err(Rejection::SignatureInvalid);
        }
        if !self.opens(envelope) {
            return Err(Rejection::CannotOpen);
        }
        if kind == Kind::RedemptionRequested && self.disclosed.is_empty() {
            for kind in [Kind::Placed, Kind::Committed] {
                // Before the commitment the rules refuse it, whatever it discloses.
                let Some(step) = order.step(kind) else { break };
                if !statement.keys.contains(&step.step.cid) {
                    return Err(Rejection::KeysInvalid);
                }
            }
        }
        if let StepFacts::Placed { parties, .. } = &statement.facts {
            if parties.principal != signer {
                return Err(Rejection::CannotOpen);
            }
            if let Some(named) = parties.beneficiary {
                self.knows(&named);
            }
        }
        self.check_readers(order, statement)?;
        self.held(&statement.facts)?;
        let step = Step {
            cid: envelope.cid(),
            statement: envelope.statement_hash(),
            signer,
            previous: statement.previous,
            issued_at_ms: statement.issued_at_ms,
            sealed: Vec::new(),
            facts: statement.facts.clone(),
        };
        Ok(ReceivedStep {
            reference: statement.reference.clone(),
            step,
            reserved_policy_is_empty: statement.reserved_policy_is_empty,
            proof: statement.proof.clone(),
        })
    }

    fn check_readers(&mut self, order: &Order, statement: &Statement) -> Result<(), Rejection> {
        let order = match &statement.facts {
            StepFacts::Placed { parties, .. } => Order { parties: Some(parties.clone()), ..Order::default() },
            _ => order.seen_from(statement.previous.as_ref()),
        };
        let named = match &statement.facts {
            StepFacts::RedemptionRequested { beneficiary } => Some(*beneficiary),
            _ => None,
        };
        let readers = order.readers(statement.facts.kind(), named);
        if readers.is_empty() {
            return Err(Rejection::UnknownOrder);
        }
        if let Some(stranger) = readers.iter().find(|cid| !self.knows(cid)) {
            return Err(Rejection::UnknownIdentity { party: Party::Beneficiary, cid: *stranger });
        }
        let mut sealed_to = statement.readers.clone();
        let mut prescribed = readers;
        sealed_to.sort();
        prescribed.sort();
        if sealed_to == prescribed { Ok(()) } else { Err(Rejection::OtherRecipients) }
    }

    /// Where the beneficiary is, the sealed secret must have come too.
    fn held(&self, facts: &StepFacts) -> Result<(), Rejection> {
        let StepFacts::Released { beneficiary, secret } = facts else { return Ok(()) };
        if !self.here.hosts(beneficiary) || self.packet.secrets.iter().any(|came| came.cid() == *secret) {
            return Ok(());
        }
        Err(Rejection::BlockMissing(*secret))
    }
}
