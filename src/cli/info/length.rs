//! Lengths of time and offsets, as precise as they are worth being.

use std::time::Duration;

use crate::cli::progress::span;

const DAY: u64 = 24 * 3600;

/// `408 ns`, `70.7 ms`, `7.3 s`, `2:05`, `1:02:05`, `30 d 0:00:01`.
pub(super) fn length(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    match (nanos, duration.as_secs()) {
        (0, _) => "0 s".to_owned(),
        (1..1_000, _) => format!("{nanos} ns"),
        (1_000..1_000_000, _) => format!("{} µs", tenths(nanos, 1_000)),
        (1_000_000..1_000_000_000, _) => format!("{} ms", tenths(nanos, 1_000_000)),
        (_, seconds) if seconds >= DAY => {
            let rest = seconds % DAY;
            let (hours, minutes, seconds) = (rest / 3600, rest / 60 % 60, rest % 60);
            format!("{} d {hours}:{minutes:02}:{seconds:02}", duration.as_secs() / DAY)
        }
        _ => span(duration),
    }
}

/// An offset from the beginning of a recording of this length, such that all offsets of it compare well: `+7.3 s`.
pub(super) fn offset(offset: Duration, whole: Duration) -> String {
    if whole < Duration::from_secs(10) {
        return format!("+{}.{:03} s", offset.as_secs(), offset.subsec_millis());
    }
    match offset.as_secs() {
        seconds if whole.as_secs() < 60 => format!("+{seconds}.{} s", offset.subsec_millis() / 100),
        seconds if whole.as_secs() < 3600 => format!("+{}:{:02}", seconds / 60, seconds % 60),
        seconds if seconds < DAY => {
            format!("+{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
        }
        _ => format!("+{}", length(offset)),
    }
}

/// With one digit after the point, rounded down.
fn tenths(number: u128, unit: u128) -> String {
    format!("{}.{}", number / unit, number % unit / (unit / 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_size_are_short_and_say_something() {
        for (nanos, text) in [
            (0, "0 s"),
            (408, "408 ns"),
            (70_654_000, "70.6 ms"),
            (999_999_999, "999.9 ms"),
            (33_311, "33.3 µs"),
            (7_340_000_000, "7.3 s"),
            (125_000_000_000, "2:05"),
            (2_592_001_900_000_000, "30 d 0:00:01"),
            (u64::MAX, "213503 d 23:34:33"),
        ] {
            assert_eq!(length(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn offsets_of_a_recording_compare_well() {
        let seconds = Duration::from_secs;
        assert_eq!(offset(Duration::from_millis(12), seconds(2)), "+0.012 s");
        assert_eq!(offset(Duration::from_millis(12_340), seconds(20)), "+12.3 s");
        assert_eq!(offset(Duration::ZERO, seconds(20)), "+0.0 s");
        assert_eq!(offset(seconds(5), seconds(300)), "+0:05");
        assert_eq!(offset(seconds(5), seconds(7200)), "+0:00:05");
        assert_eq!(offset(seconds(200_000), seconds(300_000)), "+2 d 7:33:20");
    }
}
