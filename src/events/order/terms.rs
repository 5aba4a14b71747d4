//! When a fiduciary may act, by its own clock.

use super::event::Terms;
use super::rejection::Rejection;

/// The longest retention of a released secret: ten years, in milliseconds.
pub const RETENTION_LIMIT_MS: u64 = 10 * 366 * 24 * 3_600_000;
/// No time in a policy is later than this (2^53 - 1): what every implementation's integers hold.
pub const TIME_LIMIT_MS: u64 = (1 << 53) - 1;

impl Terms {
    /// Whether they can be kept at all.
    ///
    /// # Errors
    /// [`Rejection::PolicyInvalid`].
    pub fn check(&self) -> Result<(), Rejection> {
        let invalid = |field, problem| Err(Rejection::PolicyInvalid { field, problem });
        if self.not_before_ms > TIME_LIMIT_MS {
            return invalid("notBeforeMs", "at most 2^53-1");
        }
        if self.expires_at_ms > TIME_LIMIT_MS {
            return invalid("expiresAtMs", "at most 2^53-1");
        }
        if self.retention_ms > RETENTION_LIMIT_MS {
            return invalid("retentionMs", "at most ten years");
        }
        if self.expires_at_ms > 0 && self.expires_at_ms <= self.not_before_ms {
            return invalid("expiresAtMs", "must be later than notBeforeMs");
        }
        Ok(())
    }

    /// Whether the order can still be answered.
    ///
    /// # Errors
    /// [`Rejection::Expired`].
    pub fn permit_answer(&self, now_ms: u64) -> Result<(), Rejection> {
        let expires_at_ms = self.expires_at_ms;
        if expires_at_ms > 0 && now_ms >= expires_at_ms {
            return Err(Rejection::Expired { expires_at_ms, now_ms });
        }
        Ok(())
    }

    /// Whether the secret may be released now.
    ///
    /// # Errors
    /// [`Rejection::Expired`], [`Rejection::NotBefore`].
    pub fn permit_release(&self, now_ms: u64) -> Result<(), Rejection> {
        self.permit_answer(now_ms)?;
        let not_before_ms = self.not_before_ms;
        if now_ms < not_before_ms {
            return Err(Rejection::NotBefore { not_before_ms, now_ms });
        }
        Ok(())
    }

    /// Whether the order may be closed because its time is over.
    ///
    /// # Errors
    /// [`Rejection::NotDue`].
    pub fn permit_expiry(&self, now_ms: u64) -> Result<(), Rejection> {
        let due_at_ms = self.expires_at_ms;
        if due_at_ms == 0 || now_ms < due_at_ms {
            return Err(Rejection::NotDue { due_at_ms, now_ms });
        }
        Ok(())
    }
}
