//! Sizes, for people.

use std::time::Duration;

pub(crate) use foxglove_bridge::internals::bytes;

/// Bytes a second: `2.4 MB/s`.
pub(crate) fn rate(bytes_per_second: f64) -> String {
    format!("{}/s", bytes(Duration::from_secs_f64(bytes_per_second.clamp(0.0, 1e18)).as_secs()))
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn rates_are_sizes_a_second() {
        assert_eq!(
            (rate(14.4), rate(2_400_000.0), rate(-1.0)),
            ("14 B/s".into(), "2.4 MB/s".into(), "0 B/s".into())
        );
    }
}
