//! The chain of custody of an order, checked by anyone who holds the file: offline, without a node, and with no clock, no
//! randomness and no trust but in the identities that are named to it.
//!
//! [`verify`] reads the CAR that `dta audit export` writes, [`verify_all`] those of several parties as one. Without a [`Disclosure`] it checks what everyone may see: whose
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
mod signatures;
mod united;

use std::collections::BTreeSet;

use dta_protocol::Cid;

pub use chain::ChainError;
pub use disclosure::{Disclosure, DisclosureError, MAX_DISCLOSURE_BYTES};
pub use name::Name;
pub use report::{About, Check, Failure, Outcome, Report, Subject};
pub use signatures::Signatures;
pub use united::{Conflict, JoinError, join};

use chain::Chain;
use opened::Opened;

/// Checks an exported chain. `trusted`: the identities that the auditor has verified out of band. `now_ms`: when it is audited,
/// milliseconds since 1970, UTC; a step from later than five minutes after it is refused.
pub fn verify(car: &[u8], disclosure: Option<&Disclosure>, trusted: &BTreeSet<Cid>, now_ms: u64) -> Report {
    verify_with(car, disclosure, trusted, now_ms, &Signatures::default())
}

/// As [`verify`], where some signatures were verified before.
pub fn verify_with(
    car: &[u8],
    disclosure: Option<&Disclosure>,
    trusted: &BTreeSet<Cid>,
    now_ms: u64,
    signatures: &Signatures,
) -> Report {
    let mut report = Report::default();
    let chain = match Chain::read(car) {
        Ok(chain) => chain,
        Err(error) => {
            report.add(Name::File, Subject::File, Outcome::Fails(error.into()));
            return report;
        }
    };
    report.add(Name::File, Subject::File, Outcome::Holds);
    judge(&chain, Disclosed::One(disclosure), &Auditor { trusted, now_ms, signatures }, &mut report);
    report
}

/// As [`verify`], of several exports of one order, as its parties made them, and of what each of them discloses. Their steps must
/// be the same, and one may go on where another ends; then the proofs of all count. A file that is none, is of another order or
/// has other steps than one before it is a check that fails, and nothing else of it is looked at. Of no file nothing holds.
pub fn verify_all(
    cars: &[&[u8]],
    disclosures: &[Disclosure],
    trusted: &BTreeSet<Cid>,
    now_ms: u64,
) -> Report {
    let mut report = Report::default();
    let Some(chain) = united::read(cars, &mut report) else { return report };
    let auditor = Auditor { trusted, now_ms, signatures: &Signatures::default() };
    judge(&chain, Disclosed::All(disclosures), &auditor, &mut report);
    report
}

/// What the auditor knows.
struct Auditor<'a> {
    trusted: &'a BTreeSet<Cid>,
    now_ms: u64,
    signatures: &'a Signatures,
}

/// What the parties reveal.
enum Disclosed<'a> {
    One(Option<&'a Disclosure>),
    All(&'a [Disclosure]),
}

/// Makes all checks of what the file has.
fn judge(chain: &Chain, disclosed: Disclosed<'_>, auditor: &Auditor<'_>, report: &mut Report) {
    let now_ms = auditor.now_ms;
    let people = public::check(chain, auditor, report);
    inclusion::check(chain, &people, auditor, report);
    let united;
    let disclosure = match disclosed {
        Disclosed::One(disclosure) => disclosure.filter(|disclosure| disclosure.is_for(chain, report)),
        Disclosed::All(disclosures) => {
            united = united::disclosed(disclosures, chain, report);
            united.as_ref()
        }
    };
    let people = people.with(disclosure, auditor.signatures);
    let opened = Opened::of(chain, disclosure, &people, report);
    custody::check(chain, &opened, disclosure, &people, now_ms, report);
    report.about = Some(About::of(chain, &opened));
}
