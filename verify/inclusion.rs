//! Whether the steps stand in their signers' logs: checkpoints, and records proved to be under them.

use std::collections::{BTreeMap, BTreeSet};

use dta_events::order::{CLOCK_SKEW_MS, Rejection};
use dta_proof::{Leaf, Note, Origin, tree};
use dta_protocol::manifest::Proof;
use dta_protocol::{Body, Cid, Envelope, Identity};

use crate::Auditor;
use crate::chain::Chain;
use crate::name::Name;
use crate::public::{People, step};
use crate::report::{Failure, Outcome, Report, Subject};

/// One line a checkpoint, one a proof, one a step.
pub(crate) fn check(chain: &Chain, people: &People, auditor: &Auditor<'_>, report: &mut Report) {
    let mut notes = BTreeMap::new();
    for (cid, envelope) in &chain.checkpoints {
        let note = checkpoint(envelope, people, auditor).and_then(|note| one_tree(note, &notes));
        report.add(Name::Checkpoint, Subject::Checkpoint(*cid), Outcome::of(note.clone().map(|_| ())));
        notes.extend(note.ok().map(|note| (*cid, note)));
    }
    let mut logged: BTreeSet<(Cid, Cid)> = BTreeSet::new();
    for proof in &chain.proofs {
        let judged = heard(proof, chain, people, auditor.trusted).and_then(|()| included(proof, &notes));
        if judged.is_ok() {
            logged.extend(proof.envelopes.iter().map(|envelope| (proof.log, *envelope)));
        }
        report.add(Name::Inclusion, Subject::Record(proof.log, proof.sequence), Outcome::of(judged));
    }
    for envelope in &chain.steps {
        let signer = envelope.statement().signer.and_then(|signer| people.get(&signer));
        let own = signer.is_some_and(|signer| logged.contains(&(signer.node(), envelope.cid())));
        let outcome = if own {
            Outcome::Holds
        } else {
            Outcome::NotDisclosed("no proof that it stands in its signer's log is in the file")
        };
        report.add(Name::Logged, step(envelope), outcome);
    }
}

/// A checkpoint is its log's owner's envelope, and the note in it is signed by the same.
fn checkpoint(envelope: &Envelope, people: &People, auditor: &Auditor<'_>) -> Result<Note, Failure> {
    let owner = envelope.statement().signer.and_then(|signer| people.get(&signer));
    let owner =
        owner.ok_or_else(|| Failure::new("signature-invalid", "its signer's document does not hold"))?;
    if !auditor.signatures.has(envelope) {
        envelope.clone().verify(owner).map_err(|error| Failure::new(error.code(), error))?;
    }
    if envelope.statement().issued_at_ms > auditor.now_ms.saturating_add(CLOCK_SKEW_MS) {
        let code = Rejection::IssuedInFuture.code();
        return Err(Failure::new(code, "issued_at_ms: is more than 300 s after the audit"));
    }
    let Body::Checkpoint(body) = &envelope.statement().body else {
        return Err(Failure::new("checkpoint-other-kind", "is not a checkpoint"));
    };
    Note::verify(&body.note, owner).map_err(|error| Failure::new(error.code(), error))
}

/// Two trees of one size under one origin: its owner tells different people different things.
fn one_tree(note: Note, others: &BTreeMap<Cid, Note>) -> Result<Note, Failure> {
    let log: (Origin, u64) = (note.origin(), note.size());
    let forked =
        others.values().any(|other| (other.origin(), other.size()) == log && other.root() != note.root());
    if forked {
        let text = format!("another checkpoint has another root for the same {} records", note.size());
        return Err(Failure::new("log-forked", text));
    }
    Ok(note)
}

/// A log counts that is of one whom the auditor trusts, or that a signer names as where its statements stand.
fn heard(proof: &Proof, chain: &Chain, people: &People, trusted: &BTreeSet<Cid>) -> Result<(), Failure> {
    let mut signers = chain.steps.iter().filter_map(|step| people.get(&step.statement().signer?));
    if trusted.contains(&proof.log) || signers.any(|signer| Identity::lives_with(signer, &proof.log)) {
        return Ok(());
    }
    Err(Failure::new("log-stranger", "is neither a signer's log nor that of one whom the auditor trusts"))
}

fn included(proof: &Proof, notes: &BTreeMap<Cid, Note>) -> Result<(), Failure> {
    let fails = |code, text| Err(Failure::new(code, text));
    let Some(note) = notes.get(&proof.checkpoint) else {
        return fails("checkpoint-invalid", "its checkpoint does not hold");
    };
    if note.origin().identity != proof.log {
        return fails("checkpoint-other-log", "its checkpoint is of another log");
    }
    let envelopes: Vec<_> = proof.envelopes.iter().map(Cid::to_bytes).collect();
    let leaf = Leaf::of(proof.sequence, proof.record, &proof.blind, &envelopes).hash();
    let (size, root) = (note.size(), note.root());
    match tree::check_inclusion(&proof.path, size, root, proof.sequence, leaf) {
        Ok(()) => Ok(()),
        Err(_) => {
            fails("not-included", "the record does not stand in the log to which the checkpoint commits")
        }
    }
}
