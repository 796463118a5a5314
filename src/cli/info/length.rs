//! Lengths of time and offsets, as precise as they are worth being.

use std::time::Duration;

use foxglove_bridge::time::duration_text;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// `408 ns`, `70.7 ms`, `7.3 s`, `2:05`, `1:02:05`, `30 d 0:00:01`.
pub(super) fn length(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    // with one digit after the point; what rounds up to 1000.0 is shown in the next unit
    let tenths = |unit: u128| rounded(nanos * 10, unit);
    match nanos {
        0 => "0 s".to_owned(),
        1..1_000 => format!("{nanos} ns"),
        _ if tenths(1_000) < 10_000 => format!("{} µs", with_point(tenths(1_000))),
        _ if tenths(1_000_000) < 10_000 => format!("{} ms", with_point(tenths(1_000_000))),
        _ => duration_text(duration),
    }
}

/// An offset from the beginning of a recording of this length, such that all offsets of it compare well: `+7.3 s`.
pub(super) fn offset(offset: Duration, whole: Duration) -> String {
    let in_units = |nanos| rounded(offset.as_nanos(), nanos);
    if whole < Duration::from_secs(10) {
        let millis = in_units(1_000_000);
        return format!("+{}.{:03} s", millis / 1000, millis % 1000);
    }
    let seconds = in_units(1_000_000_000);
    let (minutes, rest) = (seconds / 60, seconds % 60);
    match () {
        () if whole < MINUTE => format!("+{} s", with_point(in_units(100_000_000))),
        () if whole < HOUR => format!("+{minutes}:{rest:02}"),
        () if offset < DAY => format!("+{}:{:02}:{rest:02}", minutes / 60, minutes % 60),
        () => format!("+{}", length(offset)),
    }
}

/// The nearest whole number of units.
fn rounded(number: u128, unit: u128) -> u128 {
    (number + unit / 2) / unit
}

fn with_point(tenths: u128) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_size_are_short_and_say_something() {
        for (nanos, text) in [
            (0, "0 s"),
            (408, "408 ns"),
            (70_654_000, "70.7 ms"),
            (999_999_999, "1.0 s"),
            (999_960, "1.0 ms"),
            (33_311, "33.3 µs"),
            (2_399_000_000, "2.4 s"),
            (125_000_000_000, "2:05"),
            (2_592_001_400_000_000, "30 d 0:00:01"),
            (u64::MAX, "213503 d 23:34:34"),
        ] {
            assert_eq!(length(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn offsets_of_a_recording_compare_well() {
        let seconds = Duration::from_secs;
        assert_eq!(offset(Duration::from_millis(12), seconds(2)), "+0.012 s");
        assert_eq!(offset(Duration::from_micros(2_399_600), seconds(3)), "+2.400 s");
        assert_eq!(offset(Duration::from_millis(12_360), seconds(20)), "+12.4 s");
        assert_eq!(offset(Duration::ZERO, seconds(20)), "+0.0 s");
        assert_eq!(offset(Duration::from_millis(4_600), seconds(300)), "+0:05");
        assert_eq!(offset(seconds(5), seconds(7200)), "+0:00:05");
        assert_eq!(offset(seconds(200_000), seconds(300_000)), "+2 d 7:33:20");
    }
}
