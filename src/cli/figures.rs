//! Sizes, for people.

use std::fmt::Write;

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

#[cfg(test)]
mod tests {
    use super::bytes;

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
