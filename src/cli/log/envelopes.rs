//! One identity or envelope: its block, against the record that brings it and the order that it finds.

use anyhow::{Context as _, bail, ensure};
use dta_events::identity;
use dta_events::ids::{identity_aggregate, log_aggregate, order_aggregate};
use dta_events::log::{Checkpointed, Watched};
use dta_events::order::{Order, Party, StepAppended, StepFacts, rule};
use dta_events::record::Record;
use dta_proof::{Note, tree};
use dta_protocol::checkpoint::skip_after;
use dta_protocol::{Body, Cid, Envelope, Identity, Kind};

use super::books::Books;
use crate::actors::log::{StoredBlock, Tree};

/// The document of an identity must be what the record says.
pub(super) fn identity(books: &Books, record: &Record, event: &identity::Event) -> anyhow::Result<()> {
    let known = event.known();
    let document = Identity::decode(&books.published(&known.cid)?)?;
    ensure!(identity::Known::of(&document) == *known, "the record says something else than its document");
    ensure!(record.aggregate == identity_aggregate(&known.cid), "it stands in another's history");
    Ok(())
}

/// The envelope of a step, which must be what the record says, and where it says.
pub(super) fn step(
    books: &Books,
    record: &Record,
    appended: &StepAppended,
    before: &Order,
) -> anyhow::Result<Envelope> {
    let StepAppended { reference, step, .. } = appended;
    let kind = step.facts.kind();
    let envelope = Envelope::decode(&books.published(&step.cid)?)?;
    let statement = envelope.statement();
    let sealed: Vec<Cid> = statement.sealed.iter().map(|descriptor| descriptor.cid).collect();
    for (holds, field) in [
        (statement.kind == kind, "kind"),
        (statement.subject == *reference, "subject"),
        (statement.signer == Some(step.signer), "signer"),
        (statement.previous == step.previous, "previous"),
        (statement.issued_at_ms == step.issued_at_ms, "issued_at_ms"),
        (sealed == step.sealed, "sealed"),
        (envelope.statement_hash() == step.statement, "statement hash"),
    ] {
        ensure!(holds, "its {field} is not the one in the record");
    }
    for cid in &step.sealed {
        books.published(cid)?;
    }
    let rule = rule(kind).with_context(|| format!("{kind} is no step of an order"))?;
    let parties = match &step.facts {
        StepFacts::Placed { parties, .. } => Some(parties),
        _ => before.parties.as_ref(),
    };
    let parties = parties.context("it belongs to no order")?;
    let signer = match rule.signer {
        Party::Principal => Some(parties.principal),
        Party::Fiduciary => Some(parties.fiduciary),
        Party::Beneficiary => parties.beneficiary,
    };
    ensure!(signer == Some(step.signer), "its signer is not the order's {}", rule.signer.as_str());
    ensure!(
        record.aggregate == order_aggregate(&parties.principal, reference),
        "it stands in another order's history"
    );
    ensure!(books.world.identity(&step.signer).is_some(), "its signer {} is not known by then", step.signer);
    let head = before.head();
    ensure!(
        step.previous == head.map(|head| head.cid),
        "its previous is not the last accepted step of the order"
    );
    ensure!(
        head.is_none_or(|head| head.issued_at_ms <= step.issued_at_ms),
        "it was issued before the step that it answers"
    );
    ensure!(
        rule.from.contains(&before.stage),
        "it cannot follow while the order is {}",
        before.stage.as_str()
    );
    if let StepFacts::RedemptionRequested { beneficiary } | StepFacts::Released { beneficiary, .. } =
        &step.facts
    {
        let named = parties.beneficiary;
        ensure!(named.is_none_or(|named| named == *beneficiary), "its beneficiary is not the order's");
    }
    Ok(envelope)
}

/// The evidence of an equivocation: another statement of the same signer in the same place.
pub(super) fn equivocation(
    books: &Books,
    order: &Order,
    first: &Cid,
    second: &Cid,
) -> anyhow::Result<Envelope> {
    let first = order.steps.iter().map(|accepted| &accepted.step).find(|step| step.cid == *first);
    let first = first.context("the first statement is not a step of the order")?;
    let block = match books.block(second)?.with_context(|| format!("block {second} is missing"))? {
        StoredBlock::Published(block) => block.bytes().to_vec(),
        StoredBlock::Held(block) => block.bytes().to_vec(),
    };
    let envelope = Envelope::decode(&block)?;
    let statement = envelope.statement();
    let kind = first.facts.kind();
    let slot = matches!(kind, Kind::Placed | Kind::Committed) || statement.previous == first.previous;
    let same = slot
        && statement.kind == kind
        && statement.signer == Some(first.signer)
        && statement.subject == order.reference;
    ensure!(same, "it does not stand in the first one's place");
    ensure!(envelope.statement_hash() != first.statement, "it says the same as the first");
    Ok(envelope)
}

/// A checkpoint, which must be about this log, what the record says, and the next one after the last.
pub(super) fn checkpoint(
    books: &mut Books,
    record: &Record,
    said: &Checkpointed,
    last: Option<&Checkpointed>,
) -> anyhow::Result<Envelope> {
    let envelope = Envelope::decode(&books.published(&said.cid)?)?;
    let statement = envelope.statement();
    let Body::Checkpoint(body) = &statement.body else {
        bail!("an envelope of kind {} is no checkpoint", statement.kind)
    };
    let signer = statement.signer.context("it has no signer")?;
    let owner = &books.party(&signer)?.document;
    let note = Note::verify(&body.note, owner)?;
    let skip = last.map_or(Vec::new(), |last| skip_after(last.number, last.cid, &last.skip, last.first));
    for (holds, field) in [
        (record.aggregate == log_aggregate(&signer), "history"),
        (body.number == said.number && said.number == last.map_or(0, |last| last.number + 1), "number"),
        (statement.previous == last.map(|last| last.cid), "previous"),
        (body.skip == said.skip && body.skip == skip, "skip"),
        (said.first == last.map_or(said.cid, |last| last.first), "first"),
        (statement.issued_at_ms == said.issued_at_ms, "issued_at_ms"),
        (statement.issued_at_ms >= last.map_or(0, |last| last.issued_at_ms), "time"),
        (body.note == said.note, "note"),
        ((note.size(), note.root()) == (said.size, said.root), "size and root"),
        (note.origin().epoch == said.epoch, "epoch"),
        (said.size >= last.map_or(0, |last| last.size) && said.size <= record.sequence, "size"),
        (said.sealed >= last.map_or(0, |last| last.sealed) && said.sealed <= said.size, "sealed records"),
    ] {
        ensure!(holds, "its {field} is not the one that it should be");
    }
    let root = tree::root(&Tree(books.log), said.size)?;
    ensure!(root == said.root, "the log's first {} records are not those that it is about", said.size);
    for descriptor in &statement.sealed {
        books.published(&descriptor.cid)?;
    }
    Ok(envelope)
}

/// What is known of another's log: every note must be its owner's, and say what the record says that it does; every statement that
/// is missing there must have been brought by the record that is named.
pub(super) fn watched(
    books: &mut Books,
    record: &Record,
    owner: &Cid,
    after: &Watched,
) -> anyhow::Result<()> {
    ensure!(record.aggregate == log_aggregate(owner), "it stands in another's history");
    let party = books.party(owner)?;
    let alarms = after.alarms.iter().flat_map(|alarm| [&alarm.known, &alarm.other]);
    let missing = after.statements.missing.iter().map(|missing| &missing.under);
    let tips = after.proved.iter().chain(&after.before).chain(&after.pending);
    for tip in tips.chain(alarms).chain(missing) {
        let note = Note::verify(&tip.note, &party.document)?;
        let said = (note.origin().epoch, note.size(), note.root());
        ensure!(said == (tip.epoch, tip.size, tip.root), "the record says something else than its note");
    }
    let statements = &after.statements;
    ensure!(
        statements.settled <= record.sequence && statements.all_settled <= record.sequence,
        "it settles statements that came after it"
    );
    for missing in &statements.missing {
        let brought = books.log.brought_by(&missing.statement.to_bytes())?;
        ensure!(
            missing.sequence < statements.settled && brought.is_some_and(|by| by >= missing.sequence),
            "no record brought the statement {} that it says is missing",
            missing.statement
        );
    }
    Ok(())
}
