//! The pauses between attempts to read a source that can't be read now.

use std::time::Duration;

use super::SourceError;

/// The first pause; each one after it is twice as long.
const FIRST: Duration = Duration::from_millis(10);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);

/// Counts failures in a row. The first is logged, the others are counted.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u64,
    pause: Duration,
}

impl Backoff {
    /// Notes a failure; the next attempt is to be made after this time.
    pub(crate) fn failed(&mut self, error: &SourceError) -> Duration {
        if self.failures == 0 {
            tracing::warn!("{error}; it is tried again");
        }
        self.failures += 1;
        self.pause = (self.pause * 2).clamp(FIRST, LONGEST);
        self.pause
    }

    /// Notes that it can be read again.
    pub(crate) fn succeeded(&mut self, name: &str) {
        if self.failures > 0 {
            tracing::info!("{name}: it can be read again, after {} attempts", self.failures);
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_seconds_and_begin_again_after_a_success() {
        let mut backoff = Backoff::default();
        let error = SourceError::Unavailable { name: "a".into(), error: std::io::Error::other("away") };
        let pauses: Vec<_> = (0..12).map(|_| backoff.failed(&error).as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000, 5000]);
        backoff.succeeded("a");
        assert_eq!(backoff.failed(&error), FIRST);
    }
}
