//! What the rules know of an identity, and the transition table.

use super::event::Known;

/// How a node knows an identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Never heard of.
    #[default]
    Unknown,
    /// Its document was verified here; its keys are elsewhere.
    Learned,
    /// Its keys are derived from this node's seed.
    Hosted,
}

/// One row: an act, where it is legal, where it leads.
#[derive(Debug)]
pub struct Rule {
    /// The command's name.
    pub act: &'static str,
    /// The standings in which it changes something.
    pub from: &'static [Standing],
    /// The standing after it.
    pub to: Standing,
}

/// Every act there is. Learning an identity that is known already changes nothing; creating it anew is refused.
pub const RULES: [Rule; 2] = [
    Rule { act: "identity/create", from: &[Standing::Unknown], to: Standing::Hosted },
    Rule { act: "identity/learn", from: &[Standing::Unknown], to: Standing::Learned },
];

/// The state of one identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// How it is known.
    pub standing: Standing,
    /// What its document says.
    pub known: Option<Known>,
    /// The UUID its seed is derived under, if it is hosted here and not the node's own.
    pub uuid: Option<[u8; 16]>,
}
