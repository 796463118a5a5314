//! How late messages of a recording are handed out, after they were due. Pure.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets but the last one, in microseconds.
const BOUNDS: [u64; 11] = [100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 1_000_000];

/// Counts how late messages were.
#[derive(Debug, Default)]
pub(super) struct Lag {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

/// What was counted so far: groups of messages that are due together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LagSnapshot {
    /// Upper bounds in seconds, the last one infinite, and how many were so late but later than the bound before.
    pub(crate) buckets: Vec<(f64, u64)>,
    /// The sum of all, in seconds.
    pub(crate) sum: f64,
}

impl Lag {
    pub(super) fn count(&self, late: Duration) {
        let bucket = BOUNDS.partition_point(|bound| Duration::from_micros(*bound) < late);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> LagSnapshot {
        let bounds = BOUNDS.iter().map(|micros| *micros as f64 / 1e6).chain([f64::INFINITY]);
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        LagSnapshot {
            buckets: bounds.zip(counts).collect(),
            sum: self.nanos.load(Ordering::Relaxed) as f64 / 1e9,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_below_its_bound() {
        let lag = Lag::default();
        for micros in [0, 100, 101, 800, 99_999, 2_000_000] {
            lag.count(Duration::from_micros(micros));
        }
        let LagSnapshot { buckets, sum } = lag.snapshot();
        let counts: Vec<u64> = buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1]);
        assert_eq!((buckets[0].0, buckets[11].0), (0.0001, f64::INFINITY));
        assert!((sum - 2.101).abs() < 1e-9, "{sum}");
    }
}
