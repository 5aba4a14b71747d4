//! The search: breadth first through every state there is, so that a counterexample is as short as there is one. A state
//! that differs from one seen before only in that fewer messages are on their way shows nothing new, and is left out.

use std::collections::HashMap;

use super::properties::{Expectation, Property};
use super::table::Messages;
use super::{Action, Nodes, State};

/// What was found.
pub struct Report {
    /// Actions looked at that led somewhere.
    pub steps: u64,
    /// Different states.
    pub states: usize,
    /// The longest of the shortest ways to a state.
    pub depth: usize,
    /// The first state that breaks an `always`, or shows a `sometimes`, by the way that leads there.
    pub found: HashMap<&'static str, Vec<Action>>,
    /// Everything of each state but the messages.
    pub seen: HashMap<Vec<u64>, Vec<Messages>>,
}

/// A state without its messages.
fn outline(state: &State) -> Vec<u64> {
    let State { orders, minute, redeems, cancels, crashes, salts, before, .. } = state;
    let mut outline: Vec<u64> = orders.iter().flatten().map(|kept| kept.number).collect();
    outline.extend([*minute, *redeems, *cancels, *crashes].map(u64::from));
    outline.extend(salts.iter().copied().map(u64::from));
    outline.extend(before.iter().flatten().map(|kept| kept.as_ref().map_or(u64::MAX, |kept| kept.number)));
    outline
}

/// Looks at every state, or until this property is found.
pub fn search(nodes: &Nodes, properties: &[Property], until: Option<&'static str>) -> Report {
    let mut report = Report { steps: 0, states: 0, depth: 0, found: HashMap::new(), seen: HashMap::new() };
    // By state: the one before it and the action that led here.
    let mut ways: Vec<Option<(usize, Action)>> = vec![None];
    let start = nodes.start();
    report.seen.insert(outline(&start), vec![start.messages.clone()]);
    let (mut level, mut actions) = (vec![(0, start)], Vec::new());
    while !level.is_empty() {
        let mut next_level = Vec::new();
        for (here, state) in level {
            report.states += 1;
            for property in properties {
                let shows =
                    (property.holds)(nodes, &state) == (property.expectation == Expectation::Sometimes);
                if shows && !report.found.contains_key(property.name) {
                    report.found.insert(property.name, way(&ways, here));
                    let broken = property.expectation == Expectation::Always;
                    if until == Some(property.name) || until.is_none() && broken {
                        return report;
                    }
                }
            }
            nodes.moves(&state, &mut actions);
            for action in actions.drain(..) {
                let Some(next) = nodes.moved(&state, &action).filter(|next| *next != state) else { continue };
                report.steps += 1;
                let seen = report.seen.entry(outline(&next)).or_default();
                let known = |seen: &Messages| match nodes.config.each_message {
                    true => next.messages == *seen,
                    false => next.messages.is_subset(seen),
                };
                if !seen.iter().any(known) {
                    seen.push(next.messages.clone());
                    ways.push(Some((here, action)));
                    next_level.push((ways.len() - 1, next));
                }
            }
        }
        level = next_level;
        report.depth += 1;
    }
    report
}

fn way(ways: &[Option<(usize, Action)>], mut at: usize) -> Vec<Action> {
    let mut way = Vec::new();
    while let Some((before, action)) = &ways[at] {
        way.push(action.clone());
        at = *before;
    }
    way.reverse();
    way
}
