//! Sizes, for people.

use std::fmt::Write;
use std::time::Duration;

/// A size with one digit after the point: `562.1 kB`.
pub(crate) fn bytes(size: u64) -> String {
    let mut value = size as f64;
    if size < 1000 {
        return format!("{size} B");
    }
    let mut text = String::new();
    for unit in ["kB", "MB", "GB", "TB"] {
        value /= 1000.0;
        // below this, one digit after the point rounds up to 1000.0 of the unit
        if value < 999.95 || unit == "TB" {
            write!(text, "{value:.1} {unit}").ok();
            break;
        }
    }
    text
}

/// Bytes a second: `2.4 MB/s`.
pub(crate) fn rate(bytes_per_second: f64) -> String {
    format!("{}/s", bytes(Duration::from_secs_f64(bytes_per_second.clamp(0.0, 1e18)).as_secs()))
}

#[cfg(test)]
mod tests {
    use super::{bytes, rate};

    #[test]
    fn rates_are_sizes_a_second() {
        assert_eq!(
            (rate(14.4), rate(2_400_000.0), rate(-1.0)),
            ("14 B/s".into(), "2.4 MB/s".into(), "0 B/s".into())
        );
    }

    #[test]
    fn sizes_have_four_digits_at_most() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(562_088), "562.1 kB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(bytes(25_000_000_000), "25.0 GB");
        assert_eq!(bytes(u64::MAX), "18446744.1 TB");
    }
}
