//! Pauses between tries of what may work again later: each twice as long as the one before, up to a longest.

use std::time::Duration;

/// The pauses of one thing that is tried.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Pauses from `first` to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// How long to wait after one more try in vain.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = self.longest.min(pause.saturating_mul(2));
        pause
    }

    /// It worked: the next pause is the first again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(250), ms(1_500));
        assert_eq!([(); 5].map(|()| backoff.pause()), [250, 500, 1_000, 1_500, 1_500].map(ms));
        backoff.reset();
        assert_eq!(backoff.pause(), ms(250));
        let mut endless = Backoff::new(Duration::MAX, Duration::MAX);
        assert_eq!([(); 2].map(|()| endless.pause()), [Duration::MAX; 2]);
    }
}
