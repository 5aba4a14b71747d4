//! The plaintexts that end an order before its release.

use ipld_core::ipld::Ipld;
use serde::{Deserialize, Serialize};

use super::shape::Shape;
use super::{MAX_DETAIL_BYTES, Plaintext, read_seen, write_seen};
use crate::fields::{FieldError, Fields};
use crate::kind::{Kind, Role};
use crate::statement::map;

/// `order/cancellation-requested`: the principal wants the order closed.
pub struct CancellationRequested {
    /// For people, at most 1,024 bytes.
    pub detail: String,
    /// The newest signed notes of the other parties, at most 3.
    pub seen: Vec<String>,
}

impl Plaintext for CancellationRequested {
    const KIND: Kind = Kind::CancellationRequested;
    const ROLE: Role = Role::Parties;
}

impl Shape for CancellationRequested {
    fn read(fields: &mut Fields) -> Result<Self, FieldError> {
        Ok(Self { detail: fields.text("detail", MAX_DETAIL_BYTES)?, seen: read_seen(fields)? })
    }

    fn write(&self) -> Ipld {
        map([("detail", Ipld::String(self.detail.clone())), ("seen", write_seen(&self.seen))])
    }
}

/// Why an order was closed.
/// Stored by its position: the order of the variants is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClosedCode {
    /// `cancelled`: the principal asked for it.
    Cancelled,
    /// `expired`: its time was over.
    Expired,
}

impl ClosedCode {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            ClosedCode::Cancelled => "cancelled",
            ClosedCode::Expired => "expired",
        }
    }
}

/// `order/closed`: the fiduciary will not release any more.
pub struct Closed {
    /// Why.
    pub code: ClosedCode,
    /// For people, at most 1,024 bytes.
    pub detail: String,
    /// The newest signed notes of the other parties, at most 3.
    pub seen: Vec<String>,
}

impl Plaintext for Closed {
    const KIND: Kind = Kind::Closed;
    const ROLE: Role = Role::Parties;
}

impl Shape for Closed {
    fn read(fields: &mut Fields) -> Result<Self, FieldError> {
        let code = match fields.text("code", usize::MAX)?.as_str() {
            "cancelled" => ClosedCode::Cancelled,
            "expired" => ClosedCode::Expired,
            _ => return Err(FieldError::Value { field: "code", rule: "must be cancelled or expired" }),
        };
        Ok(Self { code, detail: fields.text("detail", MAX_DETAIL_BYTES)?, seen: read_seen(fields)? })
    }

    fn write(&self) -> Ipld {
        map([
            ("code", Ipld::String(self.code.as_str().into())),
            ("detail", Ipld::String(self.detail.clone())),
            ("seen", write_seen(&self.seen)),
        ])
    }
}
