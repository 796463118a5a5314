//! Rates as they are shown.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The rates shown are the mean of this time: short enough to follow, long enough to read.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// How many a second over the last [`RATE_WINDOW`].
#[derive(Debug, Default)]
pub(crate) struct Throughput {
    samples: VecDeque<(Instant, u64)>,
}

impl Throughput {
    /// The rate, now that there are so many.
    pub(crate) fn measure(&mut self, count: u64, now: Instant) -> f64 {
        self.samples.push_back((now, count));
        while self.samples.len() > 2 && now.duration_since(self.samples[1].0) >= RATE_WINDOW {
            self.samples.pop_front();
        }
        let (then, before) = self.samples[0];
        let seconds = now.duration_since(then).as_secs_f64();
        if seconds > 0.0 { count.saturating_sub(before) as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_rate_is_the_mean_of_the_last_second() {
        let start = Instant::now();
        let mut throughput = Throughput::default();
        assert_eq!(throughput.measure(0, start), 0.0);
        let mut rate = 0.0;
        for tenth in 1..=50u64 {
            // 1000 B/s for two seconds, then 3000 B/s
            let bytes = if tenth <= 20 { tenth * 100 } else { 2000 + (tenth - 20) * 300 };
            rate = throughput.measure(bytes, start + Duration::from_millis(tenth * 100));
        }
        assert!((rate - 3000.0).abs() < 1.0, "{rate}");
        assert!(throughput.samples.len() <= 12);
    }
}
