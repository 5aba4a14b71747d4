//! `dta log replay`: every record through the pure rules, printed as it goes by.

use std::io::Write;

use anyhow::{Context as _, bail};
use dta_events::order::Stage;
use dta_events::record::{Aggregate, NO_PREVIOUS};

use super::fold::{Entry, Happened, World, each_record};
use super::{ReplayCommand, find_order, json, words};
use crate::actors::log::LogReader;

/// Prints a line a record, then what all of them, or the records of the one order, come to.
///
/// # Errors
/// No such order; damage; a record or event that only a newer program knows; or the output's.
pub(super) fn replay(
    log: &dyn LogReader,
    command: &ReplayCommand,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if let (Some(from), Some(to)) = (command.from, command.to)
        && from > to
    {
        bail!("--from {from} is after --to {to}");
    }
    let mut world = World::default();
    let (mut records, mut head) = (0u64, NO_PREVIOUS);
    let mut show = |entry: Entry| {
        let happened = apply(&mut world, &entry)?;
        (records, head) = (records + 1, entry.hash);
        if command.from.is_some_and(|from| entry.record.sequence < from) {
            return Ok(());
        }
        let line = if command.json {
            json::record(&entry, &happened).to_string()
        } else {
            words::record(&entry.record, &happened)
        };
        Ok(writeln!(out, "{line}")?)
    };
    match &command.order {
        None => {
            each_record(log, command.to, &mut show)?;
            let (orders, identities) = (world.orders.len(), world.identities());
            let line = if command.json {
                json::summary(records, orders, identities, &head).to_string()
            } else {
                let head = hex::encode(head);
                format!(
                    "{records} records replayed, {orders} orders, {identities} identities; head hash {head}"
                )
            };
            writeln!(out, "{line}")?;
        }
        Some(name) => {
            let aggregate = find_order(log, name)?;
            each_of(log, &aggregate, command.to, &mut show)?;
            let order = world.orders.get(&aggregate.id);
            let order = order.with_context(|| format!("order {name} has no record up to there"))?;
            let text = if command.json {
                json::order_summary(records, order).to_string()
            } else {
                words::order(order)
            };
            writeln!(out, "{text}")?;
        }
    }
    Ok(())
}

/// An event, and for an order how far it had come then.
pub(super) type Told = (Happened, Option<Stage>);

fn apply(world: &mut World, entry: &Entry) -> anyhow::Result<Vec<Told>> {
    let happened = Happened::of(&entry.record)?;
    Ok(happened
        .into_iter()
        .map(|happened| {
            let stage = world.apply(&entry.record.aggregate, &happened);
            (happened, stage)
        })
        .collect())
}

fn each_of(
    log: &dyn LogReader,
    aggregate: &Aggregate,
    to: Option<u64>,
    visit: &mut dyn FnMut(Entry) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for record in log.load(aggregate)? {
        let sequence = record.sequence;
        if to.is_some_and(|to| sequence > to) {
            break;
        }
        let (_, stored) = log.read(sequence, 1)?.pop().with_context(|| format!("sequence {sequence}"))?;
        visit(Entry::decode(sequence, &stored)?)?;
    }
    Ok(())
}
