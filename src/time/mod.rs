//! Timestamps, and the notations in which users write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

mod wall;

/// A point in time: nanoseconds, usually since 1970-01-01T00:00:00Z, as in MCAP and on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The earliest representable time.
    pub const MIN: Self = Self(0);
    /// The latest representable time, in the year 2554.
    pub const MAX: Self = Self(u64::MAX);

    /// Nanoseconds since the epoch.
    pub fn nanos(self) -> u64 {
        self.0
    }

    /// Later by a duration; stops at [`Timestamp::MAX`].
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Earlier by a duration; stops at [`Timestamp::MIN`].
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Time passed since an earlier time; zero if that is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 with nine digits, in UTC, for times after 1971; seconds with nine digits before
    /// (simulators and benches count from zero).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const YEAR: u64 = 365 * 24 * 3600 * 1_000_000_000;
        let utc =
            (self.0 >= YEAR).then(|| jiff::Timestamp::from_nanosecond(i128::from(self.0)).ok()).flatten();
        match utc {
            Some(utc) => write!(f, "{utc:.9}"),
            None => write!(f, "{}.{:09} s", self.0 / 1_000_000_000, self.0 % 1_000_000_000),
        }
    }
}

/// A range of time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// First instant of the range.
    pub start: Timestamp,
    /// Last instant of the range; not before `start`.
    pub end: Timestamp,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self { start: Timestamp::MIN, end: Timestamp::MAX };

    /// From the first to the last instant.
    pub fn duration(&self) -> Duration {
        self.end.since(self.start)
    }

    /// Whether a time lies within, ends included.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.start <= time && time <= self.end
    }

    /// What lies in both ranges, ends included; None if nothing does.
    pub(crate) fn intersection(&self, other: &Self) -> Option<Self> {
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        (start <= end).then_some(Self { start, end })
    }

    /// The nearest time within the range.
    pub fn clamp(&self, time: Timestamp) -> Timestamp {
        time.clamp(self.start, self.end)
    }
}

/// A point in time as users write it, still to be resolved against a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSpec {
    /// A fixed time: RFC 3339 (`2026-01-02T03:04:05.5Z`) or nanoseconds (`1767323045500000000`).
    At(Timestamp),
    /// Since the first message: `+12.5s`, `+2m`.
    FromStart(Duration),
}

impl TimeSpec {
    /// The time meant, in a recording with this first time.
    pub fn resolve(self, start: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::FromStart(offset) => start.saturating_add(offset),
        }
    }
}

/// What was wrong with a time or a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseTimeError {
    /// Not one of the notations of [`TimeSpec`].
    #[error("'{0}' is not a time: write +12.5s (from the start), 2026-01-02T03:04:05Z, or nanoseconds")]
    Time(String),
    /// Not one of the notations of [`parse_duration`].
    #[error("'{0}' is not a duration: write 12.5s, 250ms, 2m, 1h30m")]
    Duration(String),
}

impl FromStr for TimeSpec {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some(offset) = text.strip_prefix('+') {
            return parse_duration(offset).map(Self::FromStart);
        }
        if let Ok(nanos) = text.parse::<u64>() {
            return Ok(Self::At(Timestamp(nanos)));
        }
        text.parse::<jiff::Timestamp>()
            .ok()
            .and_then(|time| u64::try_from(time.as_nanosecond()).ok())
            .map(|nanos| Self::At(Timestamp(nanos)))
            .ok_or_else(|| ParseTimeError::Time(text.to_owned()))
    }
}

/// Parses a duration: decimal numbers with the units `ns`, `us`, `ms`, `s`, `m`, `h`, `d` (`1h30m`, `250ms`);
/// a number alone is seconds. Exact to the nanosecond.
pub fn parse_duration(text: &str) -> Result<Duration, ParseTimeError> {
    let error = || ParseTimeError::Duration(text.to_owned());
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(error());
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic() && c != 'µ').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let unit: u128 = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            // a bare number only stands alone: "1h30" says neither 30 s nor 30 min
            "" if number.len() == text.trim().len() => 1_000_000_000,
            "m" | "min" => 60 * 1_000_000_000,
            "h" => 3_600 * 1_000_000_000,
            "d" => 86_400 * 1_000_000_000,
            _ => return Err(error()),
        };
        total = decimal_times(number, unit).and_then(|nanos| total.checked_add(nanos)).ok_or_else(error)?;
        rest = tail.trim_start();
    }
    u64::try_from(total).map(Duration::from_nanos).map_err(|_error| error())
}

/// A length of time for people, rounded to what is shown: `7.3 s`, `2:05`, `1:02:05`, `30 d 0:00:01`.
pub fn duration_text(duration: Duration) -> String {
    let tenths = (duration.as_nanos() + 50_000_000) / 100_000_000;
    if tenths < 600 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let seconds = (duration.as_nanos() + 500_000_000) / 1_000_000_000;
    let (days, hours, minutes, rest) =
        (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{rest:02}"),
        (0, _) => format!("{hours}:{minutes:02}:{rest:02}"),
        (_, _) => format!("{days} d {hours}:{minutes:02}:{rest:02}"),
    }
}

/// `number` (digits with at most one point) times `unit`, rounded down.
fn decimal_times(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || whole.len() > 20 || fraction.contains('.') {
        return None;
    }
    // beyond 18 digits a fraction is below any nanosecond
    let fraction = &fraction[..fraction.len().min(18)];
    let parse = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u128>().ok() };
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    parse(whole)?.checked_mul(unit)?.checked_add(parse(fraction)? * unit / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact() {
        let nanos = |text: &str| parse_duration(text).map(|d| d.as_nanos());
        assert_eq!(nanos("12.5"), Ok(12_500_000_000));
        assert_eq!(nanos("12.5s"), Ok(12_500_000_000));
        assert_eq!(nanos("0.000000001s"), Ok(1));
        assert_eq!(nanos("1h30m"), Ok(5_400_000_000_000));
        assert_eq!(nanos("250ms"), Ok(250_000_000));
        assert_eq!(nanos(".5s"), Ok(500_000_000));
        assert_eq!(nanos("18446744073709551615ns"), Ok(u128::from(u64::MAX)));
    }

    #[test]
    fn lengths_of_time_are_short_and_rounded() {
        for (millis, text) in [
            (0, "0.0 s"),
            (2_399, "2.4 s"),
            (59_949, "59.9 s"),
            (59_950, "1:00"),
            (125_000, "2:05"),
            (3_599_500, "1:00:00"),
            (3_725_400, "1:02:05"),
            (86_399_999, "1 d 0:00:00"),
            (2_592_001_000, "30 d 0:00:01"),
        ] {
            assert_eq!(duration_text(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn bad_durations_are_refused_with_examples() {
        for text in
            ["", "s", "1h30", "5 parsecs", "-3s", "1..5s", "18446744073709551616ns", ".", "99999d99999999d"]
        {
            let error = parse_duration(text).unwrap_err();
            assert!(error.to_string().contains("12.5s"), "{text}: {error}");
        }
    }

    #[test]
    fn times_are_read_in_every_notation() {
        let at = |text: &str| text.parse::<TimeSpec>();
        assert_eq!(at("+12.5s"), Ok(TimeSpec::FromStart(Duration::from_millis(12_500))));
        assert_eq!(at("1490149580103843113"), Ok(TimeSpec::At(Timestamp(1_490_149_580_103_843_113))));
        assert_eq!(
            at("2017-03-22T02:26:20.103843113Z"),
            Ok(TimeSpec::At(Timestamp(1_490_149_580_103_843_113)))
        );
        assert_eq!(at("2017-03-22T03:26:20.5+01:00"), Ok(TimeSpec::At(Timestamp(1_490_149_580_500_000_000))));
        assert!(at("yesterday").is_err());
        assert!(at("1950-01-01T00:00:00Z").is_err());
    }

    #[test]
    fn timestamps_print_to_the_nanosecond() {
        assert_eq!(Timestamp(1_490_149_580_103_843_113).to_string(), "2017-03-22T02:26:20.103843113Z");
        assert_eq!(Timestamp(8_297_777_777).to_string(), "8.297777777 s");
        assert_eq!(Timestamp::MAX.to_string(), "2554-07-21T23:34:33.709551615Z");
    }
}
