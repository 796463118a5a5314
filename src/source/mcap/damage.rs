//! Damage of which there is much is counted: the first parts are reported one by one, the others together. What was
//! reported or counted once is not reported again when the source is played again, in a loop or after a seek.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::source::SourceError;

/// Damaged parts that are reported one by one within [`PERIOD`].
const ONE_BY_ONE: usize = 3;

/// Places that are remembered; damage beyond them is reported again in each lap.
const KNOWN: usize = 100_000;

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
    /// Where it was found.
    known: BTreeSet<(String, Option<u64>)>,
}

impl DamageLog {
    /// What to report now that something could not be read; None if reading is to go on. What can't be reached is
    /// reported once, errors other than damage as they are.
    pub(super) fn on(&mut self, error: SourceError, now: Instant) -> Option<SourceError> {
        let place = match &error {
            SourceError::Damaged { name, offset, .. } => (name.clone(), Some(*offset)),
            SourceError::LeftOut { .. } => (error.to_string(), None),
            _ => return Some(error),
        };
        if self.known.contains(&place) {
            return None;
        }
        let is_damage = place.1.is_some();
        if self.known.len() < KNOWN {
            self.known.insert(place);
        }
        if !is_damage {
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
            (2000..2007)
                .filter_map(|offset| log.on(damage(offset), now + PERIOD))
                .map(|error| error.to_string()),
        );
        assert_eq!(said.len(), 2);
        assert_eq!(
            log.at_end().unwrap().to_string(),
            "a: byte 2006: is torn; and 4 more damaged parts before it"
        );
        assert!(log.at_end().is_none());
    }

    #[test]
    fn what_was_reported_or_counted_is_not_reported_in_the_next_lap() {
        let (mut log, now) = (DamageLog::default(), Instant::now());
        let mut lap = |after| {
            let said = (0..10).filter(|offset| log.on(damage(*offset), now + after).is_some()).count();
            (said, log.at_end().is_some())
        };
        assert_eq!(lap(Duration::ZERO), (3, true));
        assert_eq!(lap(2 * PERIOD), (0, false));
        assert!(log.on(damage(10), now + 4 * PERIOD).is_some());
    }

    #[test]
    fn a_file_that_is_left_out_is_reported_once_and_what_is_no_damage_as_it_is() {
        let (mut log, now) = (DamageLog::default(), Instant::now());
        let left_out = |name: &str| SourceError::LeftOut { name: name.into(), reason: "is away".into() };
        let reported = ["b", "b", "c", "b"].map(|name| log.on(left_out(name), now).is_some());
        assert_eq!(reported, [true, false, true, false]);
        for _ in 0..10 {
            let error = std::io::Error::from(std::io::ErrorKind::TimedOut);
            assert!(log.on(SourceError::Unavailable { name: "b".into(), error }, now).is_some());
        }
    }
}
