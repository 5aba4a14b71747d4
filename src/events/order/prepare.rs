//! Every check of a command against an order, and the name of what must be signed and sealed for it. Nothing is signed
//! for a command that is rejected here.

use dta_protocol::body::MAX_DETAIL_BYTES;
use dta_protocol::{Cid, Kind};

use super::command::{Command, Content, Draft, Facts, Verdict, Work};
use super::event::{ClosedCode, StepFacts, Terms};
use super::outbox::is_code;
use super::rejection::Rejection;
use super::state::{Accepted, Order};
use super::table::{Party, Stage, rule};

impl Order {
    /// Judges a command. `Ok` names the work; `decide` is asked again with what the work gave.
    pub fn prepare(&self, command: &Command, facts: &Facts) -> Result<Work, Rejection> {
        match command {
            Command::Place { .. } => self.prepare_place(command, facts),
            Command::Commit => {
                self.own(Party::Fiduciary)?;
                let placed = self.legal(Kind::Committed, "commit")?;
                self.in_custody()?;
                self.terms.permit_answer(facts.now_ms)?;
                self.not_cancelled()?;
                self.sign(Content::Committed { placed }, facts)
            }
            Command::RequestRedemption { beneficiary } => self.prepare_redemption(*beneficiary, facts),
            Command::Release => {
                self.own(Party::Fiduciary)?;
                let placed = self.legal(Kind::Released, "release")?;
                self.redeemable(facts)?;
                self.not_cancelled()?;
                let beneficiary = self.party(Party::Beneficiary).ok_or(Rejection::UnknownOrder)?;
                let commitment = Box::new(self.commitment().ok_or(Rejection::UnknownOrder)?);
                self.sign(Content::Released { placed, beneficiary, commitment }, facts)
            }
            Command::Acknowledge(verdict) => {
                self.own(Party::Beneficiary)?;
                self.legal(Kind::Received, "acknowledge")?;
                self.retained()?;
                let released = self.head().map(|step| step.cid).ok_or(Rejection::UnknownOrder)?;
                let content = match verdict {
                    Verdict::Genuine => Content::Received { released },
                    Verdict::Disputed(code) => Content::Disputed { released, code: *code },
                };
                self.sign(content, facts)
            }
            Command::RequestCancellation { detail } => {
                self.own(Party::Principal)?;
                let asks = |ours: &Accepted| ours.step.facts.kind() == Kind::CancellationRequested;
                let asked = self.cancellation_requested || self.unsettled().any(asks);
                if asked && !self.stage.is_final() {
                    return Ok(Work::Done);
                }
                // An order that the fiduciary has not answered is taken back by an answer to our own step.
                let placed =
                    |ours: &Accepted| (ours.step.facts.kind() == Kind::Placed).then_some(ours.step.cid);
                let order = match self.pending.as_ref().and_then(placed) {
                    Some(placed) => &self.seen_from(Some(&placed)),
                    None => self,
                };
                order.legal(Kind::CancellationRequested, "cancel")?;
                order.none_pending()?;
                if detail.len() > MAX_DETAIL_BYTES {
                    return Err(Rejection::TooLong {
                        field: "detail",
                        bytes: detail.len(),
                        limit: MAX_DETAIL_BYTES,
                    });
                }
                order.sign(Content::CancellationRequested { detail: detail.clone() }, facts)
            }
            Command::Close(code) => {
                self.own(Party::Fiduciary)?;
                self.legal(Kind::Closed, "close")?;
                self.close_is_due(*code, facts)?;
                self.sign(Content::Closed { code: *code }, facts)
            }
            Command::EndRetention => {
                let secret =
                    self.secret.ok_or(Rejection::OutOfState { act: "end retention", stage: self.stage })?;
                if secret.ended {
                    return Ok(Work::Done);
                }
                if secret.until_ms.is_none_or(|until_ms| facts.now_ms < until_ms) {
                    let due_at_ms = secret.until_ms.unwrap_or(u64::MAX);
                    return Err(Rejection::NotDue { due_at_ms, now_ms: facts.now_ms });
                }
                if !facts.clock_trusted {
                    return Err(Rejection::ClockUntrusted);
                }
                Ok(Work::Record)
            }
            Command::Accept(steps) => {
                let events = self.accept_all(steps, facts)?;
                Ok(if events.is_empty() { Work::Done } else { Work::Record })
            }
            Command::Refuse { code, .. } if !is_code(code) => Err(Rejection::CodeMalformed),
            Command::Refuse { cid, .. } if self.unsettled().any(|ours| ours.step.cid == *cid) => {
                Ok(Work::Record)
            }
            Command::Refuse { .. } => Err(Rejection::NotPending),
            Command::EndDelivery { to, step, outcome } => {
                self.prepare_end_delivery(*to, step, outcome, facts)
            }
            Command::Resume => {
                self.placed().ok_or(Rejection::UnknownOrder)?;
                Ok(if self.held || self.stalled().next().is_some() { Work::Record } else { Work::Done })
            }
            Command::LoseCustody | Command::FindCustody | Command::Hold => self.prepare_custody(command),
            Command::ShredAt { .. } | Command::Shred => self.prepare_shred(command, facts),
        }
    }

    fn prepare_place(&self, command: &Command, facts: &Facts) -> Result<Work, Rejection> {
        let Command::Place { reference, parties, plugin, coin, terms } = command else {
            return Err(Rejection::NotAsPrepared);
        };
        if self.parties.is_some() {
            return Err(Rejection::ReferenceTaken);
        }
        if !facts.hosts.principal {
            return Err(Rejection::NotHosted(Party::Principal));
        }
        check_placed(parties, plugin, *coin, terms, facts)?;
        check_not_past(terms, facts)?;
        let mut readers = vec![parties.principal, parties.fiduciary];
        readers.dedup();
        Ok(Work::Sign(Box::new(Draft {
            reference: reference.clone(),
            signer: parties.principal,
            previous: None,
            issued_at_ms: facts.now_ms,
            readers,
            content: Content::Placed {
                parties: parties.clone(),
                plugin: plugin.clone(),
                coin: *coin,
                terms: terms.clone(),
            },
        })))
    }

    fn prepare_redemption(&self, beneficiary: Cid, facts: &Facts) -> Result<Work, Rejection> {
        self.own(Party::Principal)?;
        if self.withdrawn && !self.stage.is_final() {
            return Err(Rejection::Withdrawn);
        }
        // Asked before: the same answer for the same beneficiary, and a plain no for another.
        let asked = match (&self.pending, self.stage) {
            (Some(pending), _) => match pending.step.facts {
                StepFacts::RedemptionRequested { beneficiary } => Some(beneficiary),
                _ => return Err(Rejection::StepPending),
            },
            (None, Stage::RedemptionRequested | Stage::Released | Stage::Received | Stage::Disputed) => {
                self.party(Party::Beneficiary)
            }
            _ => None,
        };
        if let Some(asked) = asked {
            if asked != beneficiary {
                return Err(Rejection::BeneficiaryMismatch(asked));
            }
            self.retained()?;
            return Ok(Work::Done);
        }
        let placed = self.legal(Kind::RedemptionRequested, "redeem")?;
        self.not_cancelled()?;
        self.beneficiary_fits(&beneficiary)?;
        if facts.unknown.contains(&beneficiary) {
            return Err(Rejection::UnknownIdentity { party: Party::Beneficiary, cid: beneficiary });
        }
        if self.hosts(Party::Fiduciary) {
            self.redeemable(facts)?;
        }
        let committed =
            self.step(Kind::Committed).map(|accepted| accepted.step.cid).ok_or(Rejection::UnknownOrder)?;
        self.sign(Content::RedemptionRequested { beneficiary, placed, committed }, facts)
    }

    /// The step is legal now; answers the order's CID.
    fn legal(&self, kind: Kind, act: &'static str) -> Result<Cid, Rejection> {
        let placed = self.placed().ok_or(Rejection::UnknownOrder)?;
        if rule(kind).is_some_and(|rule| rule.from.contains(&self.stage)) {
            return Ok(placed);
        }
        if self.pending.is_some() {
            return Err(Rejection::StepPending);
        }
        Err(self.barred(act))
    }

    /// Why a step is not legal now.
    pub fn barred(&self, act: &'static str) -> Rejection {
        match (&self.refused, self.head().map(|step| &step.facts)) {
            (Some(code), _) => Rejection::Refused(code.clone()),
            (None, Some(StepFacts::Closed { code })) => Rejection::Closed(*code),
            _ => Rejection::OutOfState { act, stage: self.stage },
        }
    }

    /// Who can open the `parties` body of a step: the table's readers, each identity once. A beneficiary reads `closed`
    /// only once a redemption has named it. Of a received step ask the order that it finds ([`Order::seen_from`]).
    pub fn readers(&self, kind: Kind, named: Option<Cid>) -> Vec<Cid> {
        let mut readers = Vec::new();
        for party in rule(kind).map(|rule| rule.readers).unwrap_or_default() {
            let redeemed = self.step(Kind::RedemptionRequested).is_some();
            let cid = match party {
                Party::Beneficiary if kind == Kind::Closed && !redeemed => None,
                Party::Beneficiary => named.or_else(|| self.party(Party::Beneficiary)),
                _ => self.party(*party),
            };
            if let Some(cid) = cid.filter(|cid| !readers.contains(cid)) {
                readers.push(cid);
            }
        }
        readers
    }

    pub(super) fn own(&self, party: Party) -> Result<(), Rejection> {
        self.placed().ok_or(Rejection::UnknownOrder)?;
        if self.hosts(party) { Ok(()) } else { Err(Rejection::NotHosted(party)) }
    }

    fn none_pending(&self) -> Result<(), Rejection> {
        if self.pending.is_some() { Err(Rejection::StepPending) } else { Ok(()) }
    }

    pub(super) fn not_cancelled(&self) -> Result<(), Rejection> {
        if self.cancellation_requested { Err(Rejection::Closed(ClosedCode::Cancelled)) } else { Ok(()) }
    }

    fn retained(&self) -> Result<(), Rejection> {
        self.in_custody()?;
        match self.secret {
            Some(secret) if secret.ended => {
                Err(Rejection::RetentionEnded { until_ms: secret.until_ms.unwrap_or_default() })
            }
            _ => Ok(()),
        }
    }

    /// The fiduciary's judgement of a redemption or release by the policy, at the moment it appends.
    pub(super) fn redeemable(&self, facts: &Facts) -> Result<(), Rejection> {
        self.in_custody()?;
        self.terms.permit_release(facts.now_ms)
    }

    /// If the order names a beneficiary, redemption names the same.
    pub(super) fn beneficiary_fits(&self, beneficiary: &Cid) -> Result<(), Rejection> {
        match self.party(Party::Beneficiary) {
            Some(named) if named != *beneficiary => Err(Rejection::BeneficiaryMismatch(named)),
            _ => Ok(()),
        }
    }

    fn close_is_due(&self, code: ClosedCode, facts: &Facts) -> Result<(), Rejection> {
        match code {
            ClosedCode::Cancelled if self.cancellation_requested => Ok(()),
            ClosedCode::Cancelled => Err(Rejection::OutOfState { act: "cancel", stage: self.stage }),
            ClosedCode::Expired => {
                self.terms.permit_expiry(facts.now_ms)?;
                if facts.clock_trusted { Ok(()) } else { Err(Rejection::ClockUntrusted) }
            }
        }
    }

    fn sign(&self, content: Content, facts: &Facts) -> Result<Work, Rejection> {
        let kind = content.kind();
        let rule = rule(kind).ok_or(Rejection::UnknownOrder)?;
        let head = self.head().ok_or(Rejection::UnknownOrder)?;
        let named = match &content {
            Content::RedemptionRequested { beneficiary, .. } => Some(*beneficiary),
            _ => None,
        };
        Ok(Work::Sign(Box::new(Draft {
            reference: self.reference.clone(),
            signer: self.party(rule.signer).ok_or(Rejection::UnknownOrder)?,
            previous: Some(head.cid),
            issued_at_ms: facts.now_ms.max(head.issued_at_ms),
            readers: self.readers(kind, named),
            content,
        })))
    }
}

/// What must hold of an order however it arrives.
pub(super) fn check_placed(
    parties: &super::event::Parties,
    plugin: &str,
    coin: u8,
    terms: &Terms,
    facts: &Facts,
) -> Result<(), Rejection> {
    let named = [
        (Party::Principal, Some(parties.principal)),
        (Party::Fiduciary, Some(parties.fiduciary)),
        (Party::Beneficiary, parties.beneficiary),
    ];
    for (party, cid) in named {
        if let Some(cid) = cid.filter(|cid| facts.unknown.contains(cid)) {
            return Err(Rejection::UnknownIdentity { party, cid });
        }
    }
    if plugin != facts.plugin {
        return Err(Rejection::UnknownPlugin(plugin.to_owned()));
    }
    if coin > 1 {
        return Err(Rejection::CoinUnknown(coin));
    }
    terms.check()
}

/// A new order whose time is over could only be closed. A beneficiary that is told of an old one does not ask this.
pub(super) fn check_not_past(terms: &Terms, facts: &Facts) -> Result<(), Rejection> {
    if terms.expires_at_ms > 0 && terms.expires_at_ms <= facts.now_ms {
        return Err(Rejection::PolicyInvalid { field: "expiresAtMs", problem: "is in the past" });
    }
    Ok(())
}

impl Content {
    /// The kind of envelope that says it.
    pub fn kind(&self) -> Kind {
        match self {
            Content::Placed { .. } => Kind::Placed,
            Content::Committed { .. } => Kind::Committed,
            Content::RedemptionRequested { .. } => Kind::RedemptionRequested,
            Content::Released { .. } => Kind::Released,
            Content::Received { .. } => Kind::Received,
            Content::Disputed { .. } => Kind::Disputed,
            Content::CancellationRequested { .. } => Kind::CancellationRequested,
            Content::Closed { .. } => Kind::Closed,
        }
    }
}
