//! The kinds of statement and the roles of sealed bodies, with the names they have on the wire.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// What a statement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `identity`: these keys are mine.
    Identity,
    /// `order/placed`, by the principal.
    Placed,
    /// `order/committed`, by the fiduciary.
    Committed,
    /// `order/redemption-requested`, by the principal.
    RedemptionRequested,
    /// `order/released`, by the fiduciary.
    Released,
    /// `order/received`, by the beneficiary.
    Received,
    /// `order/disputed`, by the beneficiary.
    Disputed,
    /// `order/cancellation-requested`, by the principal.
    CancellationRequested,
    /// `order/closed`, by the fiduciary.
    Closed,
    /// `log/checkpoint`, by a node about its log.
    Checkpoint,
}

/// A kind or role whose name is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the name is not one this version knows")]
pub struct UnknownName;

impl Kind {
    /// All kinds there are.
    pub const ALL: [Kind; 10] = [
        Kind::Identity,
        Kind::Placed,
        Kind::Committed,
        Kind::RedemptionRequested,
        Kind::Released,
        Kind::Received,
        Kind::Disputed,
        Kind::CancellationRequested,
        Kind::Closed,
        Kind::Checkpoint,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Identity => "identity",
            Kind::Placed => "order/placed",
            Kind::Committed => "order/committed",
            Kind::RedemptionRequested => "order/redemption-requested",
            Kind::Released => "order/released",
            Kind::Received => "order/received",
            Kind::Disputed => "order/disputed",
            Kind::CancellationRequested => "order/cancellation-requested",
            Kind::Closed => "order/closed",
            Kind::Checkpoint => "log/checkpoint",
        }
    }

    /// Whether this is a step of an order.
    pub const fn is_order(self) -> bool {
        !matches!(self, Kind::Identity | Kind::Checkpoint)
    }
}

/// Whom a sealed body is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `parties`: those the kind prescribes.
    Parties,
    /// `beneficiary`: data for the beneficiary alone.
    Beneficiary,
    /// `secret`: the released secret, for the beneficiary alone, never published.
    Secret,
    /// `log`: the node's own records, for itself.
    Log,
}

impl Role {
    /// All roles there are.
    pub const ALL: [Role; 4] = [Role::Parties, Role::Beneficiary, Role::Secret, Role::Log];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Parties => "parties",
            Role::Beneficiary => "beneficiary",
            Role::Secret => "secret",
            Role::Log => "log",
        }
    }
}

macro_rules! named {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(name: &str) -> Result<Self, UnknownName> {
                Self::ALL.into_iter().find(|known| known.as_str() == name).ok_or(UnknownName)
            }
        }
    };
}

named!(Kind);
named!(Role);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_no_others() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        for name in ["", "Identity", "order/placed ", "order", "order/refused", "log", "log/checkpoints"] {
            assert_eq!(name.parse::<Kind>(), Err(UnknownName), "{name}");
        }
        assert_eq!("Parties".parse::<Role>(), Err(UnknownName));
    }
}
