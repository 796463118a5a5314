//! Durations, counted by size.

use std::time::Duration;

/// Buckets of each power of two: a figure is off by 1.6 % at most.
const STEPS: u64 = 32;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// Longer durations count as this one: a quarter of an hour and more.
const LONGEST: u64 = 1 << 40;

/// How often durations came, in nanoseconds. At most 5 kB.
#[derive(Debug, Default, Clone)]
pub(super) struct Histogram {
    counts: Vec<u32>,
    count: u64,
    longest: u64,
}

/// What is shown of durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Percentiles {
    pub(super) p50: Duration,
    pub(super) p90: Duration,
    pub(super) p99: Duration,
    pub(super) max: Duration,
}

impl Histogram {
    pub(super) fn add(&mut self, nanos: u64) {
        let index = bucket(nanos.min(LONGEST));
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] = self.counts[index].saturating_add(1);
        self.count += 1;
        self.longest = self.longest.max(nanos);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    /// None if there are no durations.
    pub(super) fn percentiles(&self) -> Option<Percentiles> {
        (self.count > 0).then(|| Percentiles {
            p50: self.percentile(50),
            p90: self.percentile(90),
            p99: self.percentile(99),
            max: Duration::from_nanos(self.longest),
        })
    }

    /// The duration that so many percent of all do not exceed, as the largest of its bucket.
    fn percentile(&self, percent: u64) -> Duration {
        let rank = (self.count * percent).div_ceil(100);
        let mut passed = 0;
        let index = self.counts.iter().position(|count| {
            passed += u64::from(*count);
            passed >= rank
        });
        let largest = index.map_or(self.longest, |index| smallest(index + 1) - 1);
        Duration::from_nanos(largest.min(self.longest))
    }
}

/// Up to [`STEPS`] a bucket for each number, then as many for each power of two.
fn bucket(nanos: u64) -> usize {
    let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(STEP_BITS + 1);
    let index = u64::from(shift) * STEPS + (nanos >> shift);
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The smallest number of a bucket.
fn smallest(index: usize) -> u64 {
    let index = index as u64;
    let shift = (index / STEPS).saturating_sub(1);
    (index - shift * STEPS) << shift
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bucket_has_what_is_near(nanos in 0..=LONGEST) {
            let index = bucket(nanos);
            prop_assert!(smallest(index) <= nanos && nanos < smallest(index + 1));
            let width = smallest(index + 1) - smallest(index);
            prop_assert!(width == 1 || width * STEPS <= nanos, "{width} at {nanos}");
        }
    }

    #[test]
    fn percentiles_are_those_of_all() {
        let (mut one, mut other) = (Histogram::default(), Histogram::default());
        (1..=500u64).for_each(|n| one.add(n * 1000));
        (501..=1000u64).for_each(|n| other.add(n * 1000));
        one.merge(&other);
        let shown = one.percentiles().unwrap();
        let near = |shown: Duration, micros: u64| {
            let (shown, exact) = (shown.as_nanos() as f64, micros as f64 * 1000.0);
            assert!(shown >= exact && shown <= exact * 1.032, "{shown} for {exact}");
        };
        near(shown.p50, 500);
        near(shown.p90, 900);
        near(shown.p99, 990);
        assert_eq!((shown.max, one.count()), (Duration::from_millis(1), 1000));
        assert_eq!(Histogram::default().percentiles(), None);
    }

    #[test]
    fn what_is_very_long_is_counted() {
        let mut histogram = Histogram::default();
        histogram.add(u64::MAX);
        let shown = histogram.percentiles().unwrap();
        assert_eq!(shown.max, Duration::from_nanos(u64::MAX));
        assert!(shown.p50 >= Duration::from_nanos(LONGEST));
    }
}
