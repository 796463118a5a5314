//! The pauses between attempts to connect again.

use std::time::Duration;

/// The pause after the first failure.
const SHORTEST: Duration = Duration::from_millis(500);

/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(15);

/// A connection that lasted so long counts as one that worked: what ends it later is a first failure.
pub(super) const WORKED: Duration = Duration::from_secs(5);

/// The pause after so many failures in a row, counted from 1: doubled each time, up to a quarter of a minute. `random`
/// chooses from its upper half, so that the clients of a server that restarts don't all come back at once.
pub(super) fn pause(failures: u32, random: u32) -> Duration {
    let doubled = SHORTEST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    let part = f64::from(random) / f64::from(u32::MAX);
    doubled.mul_f64(0.5 + part / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let longest: Vec<u128> = (1..=8).map(|count| pause(count, u32::MAX).as_millis()).collect();
        assert_eq!(longest, [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
        assert_eq!(pause(u32::MAX, 0), LONGEST / 2);
    }

    #[test]
    fn chance_spreads_a_pause_over_its_upper_half() {
        for random in [0, 1, u32::MAX / 3, u32::MAX] {
            let pause = pause(2, random);
            assert!((Duration::from_millis(500)..=Duration::from_secs(1)).contains(&pause), "{pause:?}");
        }
    }
}
