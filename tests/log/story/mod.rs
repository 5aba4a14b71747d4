//! An order's history by the real rules, in real envelopes, told into the log of a real home; one thing in it may be false.

mod content;

use std::collections::BTreeMap;
use std::sync::Arc;

use dta_crypto::{ContentKey, IdentityKeys, OrderKey, Secret, SecretBytes, VerifyingKeys, hosted_seed};
use dta_events::identity::{self, Known};
use dta_events::ids::{identity_aggregate, order_aggregate};
use dta_events::order::{
    Command, DisputeCode, Event, Facts, Hosts, Made, Order, Origin, Party, ReceivedStep, Step, StepAppended,
    StepFacts, Verdict, rule,
};
use dta_events::record::{Aggregate, AggregateKind, Effect, Stored};
use dta_events::{Rules, replay_order};
use dta_protocol::sealed::{SealRequest, SealedBody, seal};
use dta_protocol::{Body, Cid, Envelope, Identity, Kind, Role, Statement};
use milagro_dta::actors::log::{Append, Block, BlockClass, EventLog, LogReader, RocksLog};
use milagro_dta::home::Home as Layout;
use milagro_dta::keystore::{Keystore, Protection};
use milagro_dta::node::open::entropy;
use milagro_dta::ports::OsEntropy;
use sha2::{Digest, Sha256};

use crate::kit::Home;

pub const START_MS: u64 = 1_790_000_000_000;
pub const REFERENCE: &str = "0192f5a0-5b1e-7c3a-8f00-0123456789ab";

pub struct Who {
    pub cid: Cid,
    keys: IdentityKeys,
    document: Identity,
    hosted: bool,
}

/// A home whose log is open for writing, as a daemon has it.
pub struct Story {
    pub home: Home,
    pub log: RocksLog,
    seed: Secret<32>,
}

/// What is false in one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Twist {
    /// The proof is of something else.
    Proof,
    /// The body says something else than the record.
    Plaintext,
    /// The body is sealed to one more than it should be.
    TooMany,
    /// The body is sealed to nobody hosted here.
    TooFew,
    /// Signed with other keys than the signer's.
    Signature,
    /// Signed, and by its own words, by the fiduciary.
    Signer,
    /// The envelope and the record differ in one field.
    Time,
    Previous,
    Statement,
    /// A sealed body is not stored.
    Missing,
    /// The released secret is another one, is published, or is not stored.
    OtherSecret,
    PublishedSecret,
    NoSecret,
    /// A redemption discloses other keys.
    Keys,
}

pub struct Tale<'a> {
    pub story: &'a Story,
    pub order: Order,
    parties: [&'a Who; 3],
    key: OrderKey,
    keys: BTreeMap<Cid, ContentKey>,
    secret: Option<SealedBody>,
    twist: Option<(Kind, Twist)>,
    dispute: (DisputeCode, bool),
    now_ms: u64,
}

impl Story {
    pub fn begin() -> Self {
        let home = Home::initialised();
        let layout = Layout::new(home.path());
        let seed = Keystore::open(&layout.seed_file(), &Protection::KeyFile(layout.key_file())).unwrap();
        let log = RocksLog::open(&layout.log(), Arc::new(Rules), entropy()).unwrap();
        Self { home, log, seed }
    }

    /// An identity whose seed derives from the node's.
    pub fn hosted(&self, name: &str) -> Who {
        let uuid: [u8; 16] = std::array::from_fn(|i| Sha256::digest(name)[i]);
        self.identity(name, &hosted_seed(&self.seed, &uuid), Some(uuid))
    }

    /// An identity of another node.
    pub fn stranger(&self, name: &str) -> Who {
        self.identity(name, &Secret::from_bytes(Sha256::digest(name).into()), None)
    }

    fn identity(&self, name: &str, seed: &Secret<32>, uuid: Option<[u8; 16]>) -> Who {
        let keys = IdentityKeys::from_seed(seed);
        let document = Identity::create(&keys, name, None, None, START_MS).unwrap();
        let cid = document.cid();
        let command = match uuid {
            Some(_) => identity::Command::Create { name: name.into(), uuid },
            None => identity::Command::Learn { cid },
        };
        let events = identity::Identity::default().decide(&command, Some(Known::of(&document))).unwrap();
        let events = events.iter().map(|event| event.to_stored().unwrap()).collect();
        let block = published(cid, document.envelope().block());
        let command = command.to_stored().unwrap();
        self.append(identity_aggregate(&cid), command, Effect::Events(events), vec![block], vec![]);
        Who { cid, keys, document, hosted: uuid.is_some() }
    }

    pub fn append(
        &self,
        aggregate: Aggregate,
        command: Stored,
        effect: Effect,
        blocks: Vec<Block>,
        drop_held: Vec<[u8; 36]>,
    ) {
        let records = self.log.load(&aggregate).unwrap();
        let expected_version = records.len() as u64;
        let mut append = Append {
            aggregate,
            expected_version,
            time_ms: START_MS,
            by: "local".into(),
            request: None,
            trace_id: [9; 16],
            command,
            effect,
            blocks,
            drop_held,
            publish: Vec::new(),
            due_ms: None,
        };
        // The timer is part of what is verified.
        if let (Effect::Events(events), true) =
            (&append.effect, append.aggregate.kind == AggregateKind::Order)
        {
            let mut order = replay_order(&records).unwrap();
            for event in events {
                match Event::from_stored(event) {
                    Ok(event) => order = order.apply(&event),
                    Err(_) => break,
                }
            }
            append.due_ms = order.next_due_ms();
        }
        self.log.commit(vec![append]).unwrap().pop().unwrap().unwrap();
    }

    pub fn order<'a>(&'a self, principal: &'a Who, fiduciary: &'a Who, beneficiary: &'a Who) -> Tale<'a> {
        Tale {
            story: self,
            order: Order::default(),
            parties: [principal, fiduciary, beneficiary],
            key: OrderKey::from_seed(&Secret::from_bytes([7; 32])),
            keys: BTreeMap::new(),
            secret: None,
            twist: None,
            dispute: (DisputeCode::WrongSecret, true),
            now_ms: START_MS,
        }
    }
}

pub const WHOLE: [Kind; 5] =
    [Kind::Placed, Kind::Committed, Kind::RedemptionRequested, Kind::Released, Kind::Received];

impl Tale<'_> {
    pub fn twisted(mut self, kind: Kind, twist: Twist) -> Self {
        self.twist = Some((kind, twist));
        self
    }

    /// What the beneficiary disputes, and whether it discloses the key.
    pub fn disputing(mut self, code: DisputeCode, disclosed: bool) -> Self {
        self.dispute = (code, disclosed);
        self
    }

    /// These steps, one record each.
    pub fn tell(mut self, kinds: &[Kind]) -> Self {
        for kind in kinds {
            self.step(*kind);
        }
        self
    }

    pub fn aggregate(&self) -> Aggregate {
        order_aggregate(&self.parties[0].cid, REFERENCE)
    }

    fn is(&self, kind: Kind, twist: Twist) -> bool {
        self.twist == Some((kind, twist))
    }

    /// A second statement in the place of the first step, which is what is false from now on if anything is.
    pub fn equivocating(mut self, twist: Option<Twist>) -> Self {
        self.twist = twist.map(|twist| (Kind::Placed, twist));
        self.step_after(Kind::Placed, None);
        self
    }

    /// The retention is over; the sealed secret is dropped, or should be.
    pub fn end_retention(mut self, dropped: bool) -> Self {
        self.now_ms += 86_400_000;
        let facts = Facts { now_ms: self.now_ms, clock_trusted: true, ..Facts::default() };
        let events = self.order.decide(&Command::EndRetention, &facts, None).unwrap();
        self.order = events.iter().fold(std::mem::take(&mut self.order), Order::apply);
        let secret = self.order.secret.unwrap().cid;
        let drop_held = if dropped { vec![secret.to_bytes()] } else { vec![] };
        let stored = events.iter().map(|event| event.to_stored().unwrap()).collect();
        let command = Command::EndRetention.to_stored().unwrap();
        self.story.append(self.aggregate(), command, Effect::Events(stored), vec![], drop_held);
        self
    }

    fn step(&mut self, kind: Kind) {
        // The fiduciary's answer settles what its principal has pending.
        let last = self.order.pending.as_ref().map(|pending| &pending.step).or(self.order.head());
        self.step_after(kind, last.map(|step| step.cid));
    }

    fn step_after(&mut self, kind: Kind, previous: Option<Cid>) {
        self.now_ms += 1_000;
        let [principal, fiduciary, beneficiary] = self.parties;
        let signer = match rule(kind).unwrap().signer {
            _ if self.is(kind, Twist::Signer) => fiduciary,
            Party::Principal => principal,
            Party::Fiduciary => fiduciary,
            Party::Beneficiary => beneficiary,
        };
        let mut statement = Statement {
            kind,
            body: Body::Order { note: None },
            sealed: Vec::new(),
            signer: Some(signer.cid),
            subject: REFERENCE.into(),
            previous,
            issued_at_ms: self.now_ms,
        };
        if self.is(kind, Twist::Time) {
            statement.issued_at_ms += 1;
        }
        if self.is(kind, Twist::Previous) {
            statement.previous = Some(principal.cid);
        }
        let (facts, proof, bodies, held) = self.content(kind, &statement);
        let mut readers = match kind {
            Kind::Placed | Kind::Committed | Kind::CancellationRequested => vec![principal, fiduciary],
            Kind::Closed if self.order.step(Kind::RedemptionRequested).is_none() => {
                vec![principal, fiduciary]
            }
            _ => vec![principal, fiduciary, beneficiary],
        };
        let mallory = self.story_mallory();
        if self.is(kind, Twist::TooMany) {
            readers.push(&mallory);
        }
        if self.is(kind, Twist::TooFew) {
            readers = vec![&mallory];
        }
        let mut blocks = Vec::new();
        for (role, plaintext) in bodies {
            let to = if role == Role::Parties { readers.clone() } else { vec![beneficiary] };
            let body = sealed(&statement, role, &plaintext, &to);
            self.keys.insert(body.descriptor.cid, ContentKey::from_bytes(*body.content_key.expose()));
            if !self.is(kind, Twist::Missing) {
                blocks.push(published(body.descriptor.cid, &body.block));
            }
            statement.sealed.push(body.descriptor);
        }
        blocks.extend(held);
        let keys = if self.is(kind, Twist::Signature) { &mallory.keys } else { &signer.keys };
        let envelope = Envelope::sign(&statement, keys).unwrap();
        blocks.push(published(envelope.cid(), envelope.block()));
        let mut step = Step {
            cid: envelope.cid(),
            statement: envelope.statement_hash(),
            signer: signer.cid,
            previous,
            issued_at_ms: self.now_ms,
            sealed: statement.sealed.iter().map(|descriptor| descriptor.cid).collect(),
            facts,
        };
        if self.is(kind, Twist::Statement) {
            step.statement[0] ^= 1;
        }
        let twisted = self.twist.is_some_and(|(twisted, _)| twisted == kind);
        self.record(step, proof, signer, twisted, blocks);
    }

    /// Lets the rules decide; what is false goes past them.
    fn record(
        &mut self,
        step: Step,
        proof: Option<Vec<u8>>,
        signer: &Who,
        twisted: bool,
        blocks: Vec<Block>,
    ) {
        let [principal, fiduciary, beneficiary] = self.parties;
        let hosts = Hosts {
            principal: principal.hosted,
            fiduciary: fiduciary.hosted,
            beneficiary: beneficiary.hosted,
        };
        let facts = Facts {
            now_ms: self.now_ms,
            clock_trusted: true,
            hosts,
            plugin: "milagro".into(),
            ..Facts::default()
        };
        let command = if signer.hosted {
            self.command(&step)
        } else {
            Command::Accept(vec![ReceivedStep {
                reference: REFERENCE.into(),
                step: step.clone(),
                reserved_policy_is_empty: true,
                proof,
            }])
        };
        let first = self.order.step(step.facts.kind()).map(|first| first.step.cid);
        let events = if let (true, Some(first)) = (twisted, first) {
            vec![Event::EquivocationSeen { first, second: step.cid }]
        } else if twisted {
            let pending = signer.cid == principal.cid && !fiduciary.hosted;
            let origin = if signer.hosted { Origin::Issued } else { Origin::Received };
            let reference = REFERENCE.into();
            vec![Event::StepAppended(StepAppended {
                reference,
                step,
                origin,
                pending,
                hosts,
                at_ms: self.now_ms,
            })]
        } else {
            let made = Made {
                cid: step.cid,
                statement: step.statement,
                sealed: step.sealed.clone(),
                commitment: match step.facts {
                    StepFacts::Committed { commitment } => Some(commitment),
                    _ => None,
                },
                secret: match step.facts {
                    StepFacts::Released { secret, .. } => Some(secret),
                    _ => None,
                },
            };
            self.order.decide(&command, &facts, Some(&made)).unwrap()
        };
        assert_eq!(events.len(), 1, "{command:?}");
        self.order = events.iter().fold(std::mem::take(&mut self.order), Order::apply);
        let stored = events.iter().map(|event| event.to_stored().unwrap()).collect();
        let command = command.to_stored().unwrap();
        self.story.append(self.aggregate(), command, Effect::Events(stored), blocks, vec![]);
    }

    fn command(&self, step: &Step) -> Command {
        match &step.facts {
            StepFacts::Placed { parties, plugin, coin, terms } => Command::Place {
                reference: REFERENCE.into(),
                parties: parties.clone(),
                plugin: plugin.clone(),
                coin: *coin,
                terms: terms.clone(),
            },
            StepFacts::Committed { .. } => Command::Commit,
            StepFacts::RedemptionRequested { beneficiary } => {
                Command::RequestRedemption { beneficiary: *beneficiary }
            }
            StepFacts::Released { .. } => Command::Release,
            StepFacts::Received => Command::Acknowledge(Verdict::Genuine),
            StepFacts::Disputed { code } => Command::Acknowledge(Verdict::Disputed(*code)),
            StepFacts::CancellationRequested => Command::RequestCancellation { detail: String::new() },
            StepFacts::Closed { code } => Command::Close(*code),
        }
    }

    fn story_mallory(&self) -> Who {
        let keys = IdentityKeys::from_seed(&Secret::from_bytes([66; 32]));
        let document = Identity::create(&keys, "mallory", None, None, START_MS).unwrap();
        Who { cid: document.cid(), keys, document, hosted: false }
    }
}

fn sealed(statement: &Statement, role: Role, plaintext: &SecretBytes, to: &[&Who]) -> SealedBody {
    let request = SealRequest::of(statement, role).unwrap();
    let recipients: Vec<(Cid, &VerifyingKeys)> =
        to.iter().map(|who| (who.cid, who.document.verifying())).collect();
    seal(&request, plaintext.expose(), ContentKey::random(&mut OsEntropy), &recipients).unwrap()
}

fn published(cid: Cid, bytes: &[u8]) -> Block {
    Block { cid: cid.to_bytes(), class: BlockClass::Published, bytes: bytes.to_vec() }
}
