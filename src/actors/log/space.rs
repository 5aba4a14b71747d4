//! The room on the disk that the log leaves free, so that a full disk is a clean refusal and the node can still start.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Room that is left free unless the configuration says otherwise, in bytes.
pub const RESERVE_BYTES: u64 = 64 << 20;

/// How long one look at the disk holds.
const LOOK: Duration = Duration::from_millis(100);

/// Knows whether the disk has more room than the reserve.
pub struct SpaceReserve {
    reserve_bytes: u64,
    free_bytes: Box<dyn FnMut() -> io::Result<u64> + Send>,
    running: Box<dyn FnMut() -> Duration + Send>,
    last: Option<(Duration, bool)>,
}

impl SpaceReserve {
    /// A reserve that asks `free_bytes`, at most once in 100 ms by a clock that only runs forward.
    pub fn new(
        reserve_bytes: u64,
        free_bytes: impl FnMut() -> io::Result<u64> + Send + 'static,
        running: impl FnMut() -> Duration + Send + 'static,
    ) -> Self {
        Self { reserve_bytes, free_bytes: Box::new(free_bytes), running: Box::new(running), last: None }
    }

    /// A reserve of the file system that holds this folder.
    pub fn of(folder: PathBuf, reserve_bytes: u64) -> Self {
        let start = Instant::now();
        Self::new(reserve_bytes, move || fs4::available_space(&folder), move || start.elapsed())
    }

    /// No reserve: for a log that is not on a disk.
    pub fn none() -> Self {
        Self::new(0, || Ok(u64::MAX), || Duration::ZERO)
    }

    /// Whether there is room for more. A disk that does not tell has none.
    pub(super) fn has_room(&mut self) -> bool {
        let now = (self.running)();
        if let Some((seen, answer)) = self.last
            && now.saturating_sub(seen) < LOOK
        {
            return answer;
        }
        let answer = (self.free_bytes)().is_ok_and(|free| free >= self.reserve_bytes);
        self.last = Some((now, answer));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use super::*;

    #[test]
    fn the_disk_is_asked_once_in_a_while() {
        let (free, asked, clock) = (AtomicU64::new(100), AtomicU64::new(0), AtomicU64::new(0));
        let world = Arc::new((free, asked, clock));
        let (disk, time) = (world.clone(), world.clone());
        let free_bytes = move || {
            disk.1.fetch_add(1, SeqCst);
            Ok(disk.0.load(SeqCst))
        };
        let mut space =
            SpaceReserve::new(100, free_bytes, move || Duration::from_millis(time.2.load(SeqCst)));
        assert!(space.has_room());
        world.0.store(99, SeqCst);
        world.2.store(99, SeqCst);
        assert!(space.has_room());
        assert_eq!(world.1.load(SeqCst), 1);
        world.2.store(100, SeqCst);
        assert!(!space.has_room());
        assert!(!space.has_room());
        assert_eq!(world.1.load(SeqCst), 2);
    }

    #[test]
    fn a_disk_that_does_not_tell_has_no_room() {
        let mut space = SpaceReserve::new(0, || Err(io::Error::other("gone")), || Duration::ZERO);
        assert!(!space.has_room());
        assert!(!SpaceReserve::of("/no/such/folder".into(), 0).has_room());
        assert!(!SpaceReserve::of(std::env::temp_dir(), u64::MAX).has_room());
        assert!(SpaceReserve::of(std::env::temp_dir(), 0).has_room());
    }
}
