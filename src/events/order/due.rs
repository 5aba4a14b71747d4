//! What an order needs done without being told, as a pure function of its state: recovery after a crash, timers and the
//! ordinary course all ask the same question.

use super::command::Command;
use super::event::ClosedCode;
use super::state::Order;
use super::table::{Party, Stage};

/// What to do next of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The fiduciary makes the key pair.
    Commit,
    /// The fiduciary releases the secret.
    Release,
    /// The beneficiary opens what was released and answers.
    Acknowledge,
    /// The principal, which has taken the order back, asks for what the fiduciary had accepted to be closed.
    RequestCancellation,
    /// The fiduciary closes the order.
    Close(ClosedCode),
    /// The sealed secret is dropped.
    EndRetention,
    /// The seed is destroyed.
    Shred,
}

impl Due {
    /// The command for it; `None` for `Acknowledge`, whose verdict must be found first.
    pub fn command(self) -> Option<Command> {
        match self {
            Due::Commit => Some(Command::Commit),
            Due::Release => Some(Command::Release),
            Due::Acknowledge => None,
            Due::RequestCancellation => Some(Command::RequestCancellation { detail: String::new() }),
            Due::Close(code) => Some(Command::Close(code)),
            Due::EndRetention => Some(Command::EndRetention),
            Due::Shred => Some(Command::Shred),
        }
    }
}

impl Order {
    /// What is due, and since when (milliseconds since 1970 UTC; 0: at once). The first entry comes first.
    pub fn due(&self, now_ms: u64) -> Option<Due> {
        self.agenda().into_iter().find(|(at_ms, _)| *at_ms <= now_ms).map(|(_, due)| due)
    }

    /// When the order must be looked at next, if ever: something is due or to be delivered.
    pub fn next_due_ms(&self) -> Option<u64> {
        let own = self.agenda().into_iter().map(|(at_ms, _)| at_ms).min();
        own.into_iter().chain(self.outbox_due_ms()).min()
    }

    /// What there is to do and from when. What ends something comes before what goes on with it.
    fn agenda(&self) -> Vec<(u64, Due)> {
        let mut agenda = Vec::new();
        let open = matches!(self.stage, Stage::Placed | Stage::Committed | Stage::RedemptionRequested);
        if self.withdrawn && self.pending.is_none() && open {
            agenda.push((0, Due::RequestCancellation));
        }
        if self.hosts(Party::Fiduciary) && open {
            if self.cancellation_requested {
                agenda.push((0, Due::Close(ClosedCode::Cancelled)));
            }
            let expires_at_ms = self.terms.expires_at_ms;
            if expires_at_ms > 0 {
                agenda.push((expires_at_ms, Due::Close(ClosedCode::Expired)));
            }
            match self.stage {
                // It can only be closed, or waits for the operator.
                _ if self.custody_lost || self.held => {}
                Stage::Placed => agenda.push((0, Due::Commit)),
                Stage::RedemptionRequested => agenda.push((self.terms.not_before_ms, Due::Release)),
                _ => {}
            }
        }
        if let Some(secret) = self.secret.filter(|secret| !secret.ended) {
            // A receipt that a crash held up is made before the secret it needs is dropped.
            if self.hosts(Party::Beneficiary) && self.stage == Stage::Released && !self.custody_lost {
                agenda.push((0, Due::Acknowledge));
            }
            agenda.extend(secret.until_ms.map(|until_ms| (until_ms, Due::EndRetention)));
        }
        agenda.extend(self.shred_due_ms.filter(|_| !self.shredded).map(|due_ms| (due_ms, Due::Shred)));
        agenda
    }
}
