//! The transition table of an order: one row a step, and every judgement of a step reads it.

use dta_protocol::Kind;
use serde::{Deserialize, Serialize};

/// How far an order has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// Nothing accepted yet.
    #[default]
    New,
    /// The fiduciary holds an order for a key pair.
    Placed,
    /// The key pair exists; its public half is known.
    Committed,
    /// The secret half was asked for, for a named beneficiary.
    RedemptionRequested,
    /// The sealed secret may leave.
    Released,
    /// Final: the beneficiary proved that it has the secret.
    Received,
    /// Final: the beneficiary claims that what it got is not the secret.
    Disputed,
    /// Final: closed by the fiduciary before release.
    Closed,
    /// At the principal only: the fiduciary turned the order down.
    Refused,
    /// At the principal only: it took the order back before the fiduciary answered. Not final: what the fiduciary says
    /// stands, and what it has accepted is closed.
    Withdrawn,
}

impl Stage {
    /// The name shown to people and used in read models.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::New => "New",
            Stage::Placed => "Placed",
            Stage::Committed => "Committed",
            Stage::RedemptionRequested => "RedemptionRequested",
            Stage::Released => "Released",
            Stage::Received => "Received",
            Stage::Disputed => "Disputed",
            Stage::Closed => "Closed",
            Stage::Refused => "Refused",
            Stage::Withdrawn => "Withdrawn",
        }
    }

    /// No step follows.
    pub fn is_final(self) -> bool {
        matches!(self, Stage::Received | Stage::Disputed | Stage::Closed | Stage::Refused)
    }
}

/// A party of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Party {
    /// Orders the key pair and asks for its release.
    Principal,
    /// Keeps the secret half.
    Fiduciary,
    /// Receives the secret half.
    Beneficiary,
}

impl Party {
    /// The word for it in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Party::Principal => "principal",
            Party::Fiduciary => "fiduciary",
            Party::Beneficiary => "beneficiary",
        }
    }
}

/// One row: a step, where it is legal, who signs it, where it leads, and who can read its `parties` body.
#[derive(Debug)]
pub struct Rule {
    /// The kind of envelope that carries the step.
    pub kind: Kind,
    /// The stages in which it is legal.
    pub from: &'static [Stage],
    /// Who must have signed it.
    pub signer: Party,
    /// The stage after it; `None`: as before.
    pub to: Option<Stage>,
    /// Who can open its `parties` body; a beneficiary not named yet is left out.
    pub readers: &'static [Party],
}

use Party::{Beneficiary, Fiduciary, Principal};
use Stage::{Closed, Committed, Disputed, New, Placed, Received, RedemptionRequested, Released};

/// Every step there is. What is not here is illegal.
pub const RULES: [Rule; 8] = [
    Rule {
        kind: Kind::Placed,
        from: &[New],
        signer: Principal,
        to: Some(Placed),
        readers: &[Principal, Fiduciary],
    },
    Rule {
        kind: Kind::Committed,
        from: &[Placed],
        signer: Fiduciary,
        to: Some(Committed),
        readers: &[Principal, Fiduciary],
    },
    Rule {
        kind: Kind::RedemptionRequested,
        from: &[Committed],
        signer: Principal,
        to: Some(RedemptionRequested),
        readers: &[Principal, Fiduciary, Beneficiary],
    },
    Rule {
        kind: Kind::Released,
        from: &[RedemptionRequested],
        signer: Fiduciary,
        to: Some(Released),
        readers: &[Principal, Fiduciary, Beneficiary],
    },
    Rule {
        kind: Kind::Received,
        from: &[Released],
        signer: Beneficiary,
        to: Some(Received),
        readers: &[Principal, Fiduciary, Beneficiary],
    },
    Rule {
        kind: Kind::Disputed,
        from: &[Released],
        signer: Beneficiary,
        to: Some(Disputed),
        readers: &[Principal, Fiduciary, Beneficiary],
    },
    Rule {
        kind: Kind::CancellationRequested,
        from: &[Placed, Committed, RedemptionRequested],
        signer: Principal,
        to: None,
        readers: &[Principal, Fiduciary],
    },
    Rule {
        kind: Kind::Closed,
        from: &[Placed, Committed, RedemptionRequested],
        signer: Fiduciary,
        to: Some(Closed),
        // The beneficiary only once a redemption names it: see `Order::readers`.
        readers: &[Principal, Fiduciary, Beneficiary],
    },
];

/// The row of a kind; none for kinds that are no step of an order.
pub fn rule(kind: Kind) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.kind == kind)
}
