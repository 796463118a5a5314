//! Where a recording is split, as users write it.

use std::num::NonZero;
use std::time::Duration;

use foxglove_bridge::time::parse_duration;

use super::size;

/// A chunk has about this size before it is compressed.
const SMALLEST: u64 = 1 << 20;

/// A file has a quarter of it.
const SMALLEST_BUDGET: u64 = 16 << 20;

/// The size of a file.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    at_least(SMALLEST, text)
}

/// The size of all files.
pub(crate) fn budget(text: &str) -> Result<u64, String> {
    at_least(SMALLEST_BUDGET, text)
}

fn at_least(least: u64, text: &str) -> Result<u64, String> {
    match size::parse(text)? as u64 {
        bytes if bytes >= least => Ok(bytes),
        _ => Err(format!("'{text}' is too small: write at least {} MiB", least >> 20)),
    }
}

/// How much of a recording is in a file.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text).map_err(|error| error.to_string())? {
        duration if duration >= Duration::from_secs(1) => Ok(duration),
        _ => Err(format!("'{text}' is too short: write at least 1s, like 60s or 1h30m")),
    }
}

/// How many files stay.
pub(crate) fn files(text: &str) -> Result<NonZero<usize>, String> {
    text.parse().map_err(|_error| format!("'{text}' is not a number of files: write 1 or more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_with_what_does() {
        assert_eq!((size("1MiB"), budget("10GB")), (Ok(1 << 20), Ok(10_000_000_000)));
        assert_eq!(
            (duration("1h30m"), files("7")),
            (Ok(Duration::from_secs(5400)), Ok(NonZero::new(7).unwrap()))
        );
        assert!(size("1MB").unwrap_err().contains("at least 1 MiB"));
        assert!(budget("15MiB").unwrap_err().contains("at least 16 MiB"));
        assert!(duration("999ms").unwrap_err().contains("at least 1s"));
        for text in ["0", "-1", "1.5", "many"] {
            assert!(files(text).unwrap_err().contains("1 or more"), "{text}");
        }
    }
}
