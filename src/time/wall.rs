//! The clock of this computer.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Timestamp;

impl Timestamp {
    /// The time of this computer's clock. It can go back, when somebody sets the clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }
}

impl From<SystemTime> for Timestamp {
    /// Times before 1970 become [`Timestamp::MIN`], those after 2554 [`Timestamp::MAX`].
    fn from(time: SystemTime) -> Self {
        Self::MIN.saturating_add(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn system_times_keep_their_nanoseconds_and_stop_at_the_ends() {
        let since = Duration::new(1_490_149_580, 103_843_100);
        assert_eq!(Timestamp::from(UNIX_EPOCH + since), Timestamp(1_490_149_580_103_843_100));
        assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::from_secs(1)), Timestamp::MIN);
        let far = UNIX_EPOCH + Duration::from_secs(20_000_000_000);
        assert_eq!(Timestamp::from(far), Timestamp::MAX);
    }

    #[test]
    fn now_lies_between_the_clock_before_and_after() {
        let before = Timestamp::from(SystemTime::now());
        let now = Timestamp::now();
        assert!(before <= now && now <= Timestamp::from(SystemTime::now()));
    }
}
