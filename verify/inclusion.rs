//! Whether the steps stand in their signers' logs.

use crate::chain::Chain;
use crate::public::step;
use crate::report::{Failure, Name, Outcome, Report};

/// One line a step. A proof that this version cannot read proves nothing.
pub(crate) fn check(chain: &Chain, report: &mut Report) {
    for envelope in &chain.steps {
        let claimed = chain.proofs.iter().any(|proof| proof.envelopes.contains(&envelope.cid()));
        let outcome = if claimed {
            Outcome::Fails(Failure::new(
                "proof-unsupported",
                "this version does not read proofs of inclusion",
            ))
        } else {
            Outcome::NotDisclosed("no proof of inclusion is in the file")
        };
        report.add(Name::Inclusion, step(envelope), outcome);
    }
}
