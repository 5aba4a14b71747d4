//! What the rules know of a pin, and the transition table.

/// Whether an identity is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Never, or not any more.
    Unpinned,
    /// By the operator.
    Pinned,
}

/// One row: an act, where it is legal, where it leads.
#[derive(Debug)]
pub struct Rule {
    /// The command's name.
    pub act: &'static str,
    /// The standings in which it is legal.
    pub from: &'static [Standing],
    /// The standing after it.
    pub to: Standing,
}

/// Every act there is. Pinning again changes the URL; the same pin again changes nothing.
pub const RULES: [Rule; 2] = [
    Rule { act: "peer/pin", from: &[Standing::Unpinned, Standing::Pinned], to: Standing::Pinned },
    Rule { act: "peer/unpin", from: &[Standing::Pinned], to: Standing::Unpinned },
];

/// A pin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pin {
    /// Where the identity's node serves peer calls; none: it calls, and is not called.
    pub url: Option<String>,
}

/// The state of one identity's pin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// The pin, if there is one.
    pub pin: Option<Pin>,
}

impl Peer {
    /// Whether it is pinned.
    pub fn standing(&self) -> Standing {
        if self.pin.is_some() { Standing::Pinned } else { Standing::Unpinned }
    }
}
