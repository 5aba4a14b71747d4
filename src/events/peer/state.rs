//! What the rules know of a pin, and the transition table.

/// Whether an identity is pinned, and its log followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Never, or not any more.
    Unpinned,
    /// By the operator.
    Pinned,
    /// Pinned, and a copy of its log is kept.
    Followed,
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

/// Every act there is. Pinning again changes the URL; the same pin again changes nothing, nor does following again.
pub const RULES: [Rule; 5] = [
    Rule { act: "peer/pin", from: &[Standing::Unpinned, Standing::Pinned], to: Standing::Pinned },
    Rule { act: "peer/pin", from: &[Standing::Followed], to: Standing::Followed },
    Rule { act: "peer/unpin", from: &[Standing::Pinned, Standing::Followed], to: Standing::Unpinned },
    Rule { act: "peer/follow", from: &[Standing::Pinned, Standing::Followed], to: Standing::Followed },
    Rule { act: "peer/unfollow", from: &[Standing::Followed], to: Standing::Pinned },
];

/// A pin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pin {
    /// Where the identity's node serves peer calls; none: it calls, and is not called.
    pub url: Option<String>,
    /// Whether a copy of its log is kept.
    pub followed: bool,
}

/// The state of one identity's pin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// The pin, if there is one.
    pub pin: Option<Pin>,
}

impl Peer {
    /// How it stands.
    pub fn standing(&self) -> Standing {
        match &self.pin {
            None => Standing::Unpinned,
            Some(Pin { followed: false, .. }) => Standing::Pinned,
            Some(Pin { followed: true, .. }) => Standing::Followed,
        }
    }
}
