//! What was checked, of what, and what came of it.

use std::fmt;

use dta_events::order::{Order, Party, Rejection, Stage, rule};
use dta_protocol::{Cid, Kind, Role};
use serde_json::{Value, json};

use crate::chain::{Chain, ChainError};
use crate::name::Name;
use crate::opened::Opened;

/// All checks that were made or could not be made, in the order in which they build on each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What the chain is about; none if the file is none.
    pub about: Option<About>,
    /// The checks.
    pub checks: Vec<Check>,
}

/// The order in a few words. What only the disclosure says is none without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The CID of `order/placed`, which is the order's identity.
    pub order: Cid,
    /// The order's reference: the subject of its statements.
    pub reference: String,
    /// How far it has come by these steps.
    pub stage: Stage,
    /// Principal, fiduciary and beneficiary: as the order names them, else as they have signed.
    pub parties: [(Party, Option<Cid>); 3],
    /// The public key that was committed to: 65 bytes, uncompressed SEC1.
    pub commitment: Option<[u8; 65]>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Which.
    pub name: Name,
    /// Of what.
    pub subject: Subject,
    /// What came of it.
    pub outcome: Outcome,
}

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The whole file.
    File,
    /// One of several files, by its number from 1.
    Part(usize),
    /// An identity.
    Identity(Cid),
    /// A step, by its kind and envelope.
    Step(Kind, Cid),
    /// A checkpoint.
    Checkpoint(Cid),
    /// A record, by the identity whose log it is and its number there.
    Record(Cid, u64),
    /// A sealed body: the kind of its step, its role, its block.
    Body(Kind, Role, Cid),
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Holds,
    /// It does not.
    Fails(Failure),
    /// It cannot be made, for this reason.
    NotDisclosed(&'static str),
}

/// Why a check does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A stable name.
    pub code: &'static str,
    /// For people; may hold text from the file, which is not to steer a terminal.
    pub text: String,
}

impl Report {
    /// Whether the file is one, and every check that could be made holds.
    pub fn holds(&self) -> bool {
        self.about.is_some() && self.failures().next().is_none()
    }

    /// What does not hold.
    pub fn failures(&self) -> impl Iterator<Item = (&Check, &Failure)> {
        self.checks.iter().filter_map(|check| match &check.outcome {
            Outcome::Fails(failure) => Some((check, failure)),
            _ => None,
        })
    }

    pub(crate) fn add(&mut self, name: Name, subject: Subject, outcome: Outcome) {
        self.checks.push(Check { name, subject, outcome });
    }

    /// The report as one JSON object.
    pub fn json(&self) -> Value {
        json!({
            "holds": self.holds(),
            "order": self.about.as_ref().map(About::json),
            "checks": self.checks.iter().map(Check::json).collect::<Vec<_>>(),
        })
    }
}

impl About {
    pub(crate) fn of(chain: &Chain, opened: &Opened<'_>) -> Self {
        let known = opened.last_order();
        let signer = |party| {
            let mut signed = chain.steps.iter().map(|step| step.statement());
            let step = signed.find(|said| rule(said.kind).is_some_and(|rule| rule.signer == party));
            step.and_then(|said| said.signer)
        };
        let parties = [Party::Principal, Party::Fiduciary, Party::Beneficiary];
        Self {
            order: chain.order(),
            reference: chain.reference().to_owned(),
            stage: chain.stage(),
            parties: parties
                .map(|party| (party, known.and_then(|order| order.party(party)).or(signer(party)))),
            commitment: known.and_then(Order::commitment),
        }
    }

    fn json(&self) -> Value {
        let mut value = json!({
            "cid": self.order.to_string(),
            "reference": self.reference,
            "state": self.stage.as_str(),
            "commitment": self.commitment.map(hex::encode),
        });
        for (party, cid) in self.parties {
            value[party.as_str()] = cid.map(|cid| cid.to_string()).into();
        }
        value
    }
}

impl Check {
    /// The check as a JSON object.
    pub fn json(&self) -> Value {
        let mut value = json!({ "check": self.name.as_str(), "outcome": self.outcome.as_str() });
        match self.subject {
            Subject::File => {}
            Subject::Part(number) => value["file"] = number.into(),
            Subject::Identity(cid) => value["identity"] = cid.to_string().into(),
            Subject::Step(kind, cid) => {
                value["step"] = kind.as_str().into();
                value["envelope"] = cid.to_string().into();
            }
            Subject::Checkpoint(cid) => value["checkpoint"] = cid.to_string().into(),
            Subject::Record(log, sequence) => {
                value["log"] = log.to_string().into();
                value["sequence"] = sequence.into();
            }
            Subject::Body(kind, role, cid) => {
                value["step"] = kind.as_str().into();
                value["role"] = role.as_str().into();
                value["body"] = cid.to_string().into();
            }
        }
        match &self.outcome {
            Outcome::Holds => {}
            Outcome::Fails(Failure { code, text }) => {
                value["reason"] = (*code).into();
                value["text"] = text.clone().into();
            }
            Outcome::NotDisclosed(why) => value["text"] = (*why).into(),
        }
        value
    }
}

impl Outcome {
    pub(crate) fn of<E: Into<Failure>>(judged: Result<(), E>) -> Self {
        match judged {
            Ok(()) => Outcome::Holds,
            Err(error) => Outcome::Fails(error.into()),
        }
    }

    /// The word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Outcome::Holds => "holds",
            Outcome::Fails(_) => "fails",
            Outcome::NotDisclosed(_) => "not disclosed",
        }
    }
}

impl Failure {
    pub(crate) fn new(code: &'static str, text: impl fmt::Display) -> Self {
        Self { code, text: text.to_string() }
    }
}

/// The rules refuse by names of their own.
impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::new(rejection.code(), rejection)
    }
}

impl From<ChainError> for Failure {
    fn from(error: ChainError) -> Self {
        Self::new(error.code(), error)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::File => f.write_str("file"),
            Subject::Part(number) => write!(f, "file {number}"),
            Subject::Identity(cid) => write!(f, "identity {cid}"),
            Subject::Step(kind, cid) => write!(f, "{kind} {cid}"),
            Subject::Checkpoint(cid) => write!(f, "checkpoint {cid}"),
            Subject::Record(log, sequence) => write!(f, "record {sequence} of {log}"),
            Subject::Body(kind, role, cid) => write!(f, "{kind}, {role} {cid}"),
        }
    }
}
