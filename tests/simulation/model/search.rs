//! The search: breadth first through every state there is, each once, so that a counterexample is as short as there is one.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::properties::{Expectation, Property};
use super::{Action, Nodes, State};

/// What was found.
pub struct Report {
    /// Transitions looked at.
    pub steps: u64,
    /// Different states.
    pub states: u64,
    /// The longest of the shortest ways to a state.
    pub depth: u64,
    /// The first state that breaks an `always`, or shows a `sometimes`, by the way that leads there.
    pub found: HashMap<&'static str, Vec<Action>>,
}

/// 128 bits of a state: among ten million states two meet with a chance of 10^-25.
fn fingerprint(state: &State) -> [u64; 2] {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, state).hash(&mut hasher);
        hasher.finish()
    };
    [half(0), half(1)]
}

/// Looks at every state, or until each of these properties is found.
pub fn search(nodes: &Nodes, properties: &[Property], until: &[&'static str]) -> Report {
    // By state: the one before it, the action that led here, and how far it is.
    let mut ways: HashMap<[u64; 2], Option<([u64; 2], Action)>> = HashMap::new();
    let mut report = Report { steps: 0, states: 0, depth: 0, found: HashMap::new() };
    let start = nodes.start();
    ways.insert(fingerprint(&start), None);
    let (mut level, mut actions) = (vec![start], Vec::new());
    while !level.is_empty() {
        let mut next_level = Vec::new();
        for state in level {
            report.states += 1;
            let here = fingerprint(&state);
            for property in properties {
                let shows =
                    (property.holds)(nodes, &state) == (property.expectation == Expectation::Sometimes);
                if shows && !report.found.contains_key(property.name) {
                    report.found.insert(property.name, way(&ways, here));
                }
            }
            let all = !until.is_empty() && until.iter().all(|name| report.found.contains_key(name));
            let broken = |property: &Property| {
                property.expectation == Expectation::Always && report.found.contains_key(property.name)
            };
            if all || until.is_empty() && properties.iter().any(broken) {
                return report;
            }
            nodes.moves(&state, &mut actions);
            for action in actions.drain(..) {
                let Some(next) = nodes.moved(&state, &action).filter(|next| *next != state) else { continue };
                report.steps += 1;
                let print = fingerprint(&next);
                if let std::collections::hash_map::Entry::Vacant(way) = ways.entry(print) {
                    way.insert(Some((here, action)));
                    next_level.push(next);
                }
            }
        }
        level = next_level;
        report.depth += 1;
    }
    report
}

fn way(ways: &HashMap<[u64; 2], Option<([u64; 2], Action)>>, end: [u64; 2]) -> Vec<Action> {
    let (mut way, mut at) = (Vec::new(), end);
    while let Some(Some((before, action))) = ways.get(&at) {
        way.push(action.clone());
        at = *before;
    }
    way.reverse();
    way
}
