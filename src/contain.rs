//! Panics: one ends the process, so that nothing serves on without a thread it needs, except inside [`contain`], where
//! bytes from outside are decoded: no byte sequence may stop a node.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use thiserror::Error;

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// The work panicked; it is reported in the log and is a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this input met a fault of the program")]
pub struct Panicked;

/// Runs work on outside bytes; a panic in it is an error. What the work changed besides its result must not be used
/// after an error.
///
/// # Errors
/// `Panicked`.
pub fn contain<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    let before = CONTAINED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(before);
    result.map_err(|_| Panicked)
}

/// From now on a panic anywhere else reports and aborts; the next start recovers.
pub fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        if !CONTAINED.get() {
            std::process::abort();
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_inside_and_the_flag_is_put_back() {
        assert_eq!(contain(|| 7), Ok(7));
        assert_eq!(contain(|| -> u8 { [][std::hint::black_box(0)] }), Err(Panicked));
        assert!(!CONTAINED.get());
        assert_eq!(contain(|| contain(|| panic!("inner")).is_err() && CONTAINED.get()), Ok(true));
    }
}
