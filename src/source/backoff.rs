//! Pauses between attempts to read on after failures.

use std::time::{Duration, Instant};

use super::ErrorKind;

/// The first pause; each further one is twice as long …
const SHORTEST: Duration = Duration::from_millis(10);

/// … up to this.
const LONGEST: Duration = Duration::from_secs(5);

/// Damage in a row after which reading goes on at once: a reader that goes round in circles must not take a core.
const SKIPPED_AT_ONCE: u32 = 100;

/// Failures that are retried are logged at most this often.
const LOG_EVERY: Duration = Duration::from_secs(30);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    skipped: u32,
    pause: Duration,
    until: Option<Instant>,
    /// When a failure was last logged, of this row or another.
    logged: Option<Instant>,
    /// Whether one of this row was.
    row_logged: bool,
}

impl Backoff {
    /// Takes note of a failure. Returns whether it is to be logged.
    pub(crate) fn failed(&mut self, kind: ErrorKind, now: Instant) -> bool {
        if kind == ErrorKind::Skipped && self.skipped < SKIPPED_AT_ONCE {
            self.skipped += 1;
            return true;
        }
        // of several attempts that were under way each counts once
        if self.until.is_none() {
            self.pause = (self.pause * 2).clamp(SHORTEST, LONGEST);
            self.until = Some(now + self.pause);
        }
        let log = self.logged.is_none_or(|then| now.saturating_duration_since(then) >= LOG_EVERY);
        if log {
            self.logged = Some(now);
            self.row_logged = true;
        }
        log
    }

    /// Forgets the failures in a row. Returns whether one of them was logged, so that their end is to be logged, too.
    pub(crate) fn succeeded(&mut self) -> bool {
        let logged = self.row_logged;
        *self = Self { logged: self.logged, ..Self::default() };
        logged
    }

    /// Whether the last attempts failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.pause > Duration::ZERO
    }

    /// When the next attempt may begin, if it has to wait.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Ends the pause if its time has come. Returns whether an attempt may begin.
    pub(crate) fn may_try(&mut self, now: Instant) -> bool {
        if self.until.is_some_and(|until| until <= now) {
            self.until = None;
        }
        self.until.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn pauses_double_up_to_five_seconds_and_a_success_forgets_them() {
        let (mut backoff, mut now) = (Backoff::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..12 {
            backoff.failed(ErrorKind::RetryAfterPause, now);
            assert!(!backoff.may_try(now));
            let until = backoff.until().unwrap();
            pauses.push((until - now).as_millis());
            now = until;
            assert!(backoff.may_try(now));
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000, 5000]);
        assert!(backoff.succeeded(), "it was logged");
        assert!(!backoff.succeeded());
        assert!(!backoff.failed(ErrorKind::RetryAfterPause, now), "soon after the last one that was logged");
        assert_eq!(backoff.until(), Some(now + 10 * MS));
        assert!(!backoff.succeeded());
    }

    #[test]
    fn attempts_that_were_under_way_count_once() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        for _ in 0..3 {
            backoff.failed(ErrorKind::RetryAfterPause, now);
        }
        assert_eq!(backoff.until(), Some(now + 10 * MS));
    }

    #[test]
    fn the_first_failure_is_logged_and_then_one_in_half_a_minute() {
        let (mut backoff, start) = (Backoff::default(), Instant::now());
        let logged = (0..100u32).filter(|second| {
            let now = start + Duration::from_secs((*second).into());
            backoff.may_try(now);
            backoff.failed(ErrorKind::RetryAfterPause, now)
        });
        assert_eq!(logged.collect::<Vec<_>>(), [0, 30, 60, 90]);
    }

    #[test]
    fn damage_is_skipped_at_once_but_not_without_end() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        for _ in 0..SKIPPED_AT_ONCE {
            assert!(backoff.failed(ErrorKind::Skipped, now));
            assert!(backoff.may_try(now));
        }
        backoff.failed(ErrorKind::Skipped, now);
        assert!(!backoff.may_try(now));
    }
}
