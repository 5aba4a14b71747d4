//! What the process does not let others see of its memory, where the system allows it.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// No core dumps, and no other process of the same user may attach: this one holds keys, and it aborts on purpose when it
/// cannot tell what was written. A system that refuses is left as it is; docs/operate.md says what else to set.
pub fn no_core_dumps() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Keeps every page that is used, now and later, out of swap; whether the system allows it. Without a privilege and with a limit
/// on locked memory it does not, and nothing is changed.
#[must_use]
pub fn lock_memory() -> bool {
    // Pages that are never touched are not: a thread's stack is reserved large and used little.
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).is_ok()
}
