//! Damage of which there is much is counted: the first parts are reported one by one, the others together.

use std::fmt;
use std::time::{Duration, Instant};

use crate::source::SourceError;

/// Damaged parts that are reported one by one within [`PERIOD`].
const ONE_BY_ONE: usize = 3;

/// How often the others are reported.
const PERIOD: Duration = Duration::from_secs(10);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct DamageLog {
    /// When the first of this period was reported.
    since: Option<Instant>,
    reported: usize,
    /// The last one that was not reported, and how many there are.
    unreported: Option<(SourceError, u64)>,
}

impl DamageLog {
    /// What to report now that something could not be read; None if reading is to go on. Errors other than damage are
    /// reported as they are.
    pub(super) fn on(&mut self, error: SourceError, now: Instant) -> Option<SourceError> {
        if !matches!(error, SourceError::Damaged { .. }) {
            return Some(error);
        }
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= PERIOD) {
            self.since = Some(now);
            self.reported = 0;
        }
        if self.reported < ONE_BY_ONE {
            self.reported += 1;
            let before = self.unreported.take().map_or(0, |(_, count)| count);
            return Some(with_count(error, before));
        }
        let before = self.unreported.take().map_or(0, |(_, count)| count);
        self.unreported = Some((error, before + 1));
        None
    }

    /// What is still to be reported at the end.
    pub(super) fn at_end(&mut self) -> Option<SourceError> {
        let (error, count) = self.unreported.take()?;
        Some(with_count(error, count - 1))
    }
}

fn with_count(error: SourceError, before: u64) -> SourceError {
    match error {
        SourceError::Damaged { name, offset, reason } if before > 0 => SourceError::Damaged {
            name,
            offset,
            reason: format!("{reason}; and {before} more damaged parts before it"),
        },
        other => other,
    }
}

/// Said of what has a fault and no message.
pub(super) const NOTHING_TO_RECOVER: &str = "there is no message to recover";

/// The fault of a recorder that was stopped between two records.
pub(super) const NO_FOOTER: &str = "it ends without a footer";

/// Faults that are named one by one in one sentence.
const NAMED: usize = 3;

/// What is wrong with a source, as the words of one sentence.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// The first [`NAMED`], with their places.
    named: Vec<String>,
    count: usize,
}

impl Faults {
    /// Takes note of a fault at a byte.
    pub(super) fn add(&mut self, offset: u64, reason: impl fmt::Display) {
        self.count += 1;
        if self.count <= NAMED {
            self.named.push(format!("byte {offset}: {reason}"));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.named.join("; "))?;
        match self.count - self.named.len() {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damage(offset: u64) -> SourceError {
        SourceError::Damaged { name: "a".into(), offset, reason: "is torn".into() }
    }

    #[test]
    fn the_first_are_reported_and_the_others_counted() {
        let (mut log, now) = (DamageLog::default(), Instant::now());
        let mut said: Vec<String> = (0..1000)
            .filter_map(|offset| log.on(damage(offset), now))
            .map(|error| error.to_string())
            .collect();
        assert_eq!(said, ["a: byte 0: is torn", "a: byte 1: is torn", "a: byte 2: is torn"]);
        let later = log.on(damage(1000), now + PERIOD).unwrap();
        assert_eq!(later.to_string(), "a: byte 1000: is torn; and 997 more damaged parts before it");
        said.clear();
        said.extend(
            (0..7).filter_map(|offset| log.on(damage(offset), now + PERIOD)).map(|error| error.to_string()),
        );
        assert_eq!(said.len(), 2);
        assert_eq!(
            log.at_end().unwrap().to_string(),
            "a: byte 6: is torn; and 4 more damaged parts before it"
        );
        assert!(log.at_end().is_none());
    }

    #[test]
    fn what_is_no_damage_is_reported_as_it_is() {
        let (mut log, now) = (DamageLog::default(), Instant::now());
        for _ in 0..10 {
            let error = SourceError::LeftOut { name: "b".into(), reason: "is away".into() };
            assert!(log.on(error, now).is_some());
        }
    }
}
