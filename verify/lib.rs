//! The chain of custody of an order, checked by anyone who holds the file: offline, without a node, and with no clock, no
//! randomness and no trust but in the identities that are named to it.
//!
//! [`verify`] reads the CAR that `dta audit export` writes. Without a [`Disclosure`] it checks what everyone may see: whose
//! signatures, in which order, when. With the content keys that the parties choose to reveal, all the rest: who the parties
//! are, who can read what, what was committed to, when it might be released and to whom it was. No bytes make it panic.

mod chain;
mod custody;
mod disclosure;
mod inclusion;
mod name;
mod opened;
mod public;
mod release;
mod report;

use std::collections::BTreeSet;

use dta_protocol::Cid;

pub use chain::ChainError;
pub use disclosure::{Disclosure, DisclosureError, MAX_DISCLOSURE_BYTES};
pub use name::Name;
pub use report::{About, Check, Failure, Outcome, Report, Subject};

use chain::Chain;
use opened::Opened;

/// Checks an exported chain. `trusted`: the identities that the auditor has verified out of band. `now_ms`: when it is audited,
/// milliseconds since 1970, UTC; a step from later than five minutes after it is refused.
pub fn verify(car: &[u8], disclosure: Option<&Disclosure>, trusted: &BTreeSet<Cid>, now_ms: u64) -> Report {
    let mut report = Report::default();
    let chain = match Chain::read(car) {
        Ok(chain) => chain,
        Err(error) => {
            report.add(Name::File, Subject::File, Outcome::Fails(error.into()));
            return report;
        }
    };
    report.add(Name::File, Subject::File, Outcome::Holds);
    let people = public::check(&chain, trusted, now_ms, &mut report);
    inclusion::check(&chain, &people, trusted, now_ms, &mut report);
    let disclosure = disclosure.filter(|disclosure| disclosure.is_for(&chain, &mut report));
    let people = people.with(disclosure);
    let opened = Opened::of(&chain, disclosure, &people, &mut report);
    custody::check(&chain, &opened, disclosure, &people, now_ms, &mut report);
    report.about = Some(About::of(&chain, &opened));
    report
}
