//! One identity or envelope: its block, against the record that brings it and the order that it finds.

use anyhow::{Context as _, ensure};
use dta_events::identity;
use dta_events::ids::{identity_aggregate, order_aggregate};
use dta_events::order::{Order, Party, StepAppended, StepFacts, rule};
use dta_events::record::Record;
use dta_protocol::{Cid, Envelope, Identity, Kind};

use super::books::Books;
use crate::actors::log::StoredBlock;

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
