//! Lines of the log that others can cause as often as they like: some are logged, the others counted.

use std::fmt;
use std::time::{Duration, Instant};

/// The time for which the limit holds.
const PERIOD: Duration = Duration::from_secs(10);

/// Admits so many lines in ten seconds.
#[derive(Debug)]
pub struct LogLimit {
    lines: u32,
    /// When the first line of this period was logged.
    since: Option<Instant>,
    logged: u32,
    left_out: u64,
}

impl LogLimit {
    /// At most so many.
    pub const fn new(lines: u32) -> Self {
        Self { lines, since: None, logged: 0, left_out: 0 }
    }

    /// Whether a line is logged now; if so, how many were left out since the last one.
    pub fn admit(&mut self, now: Instant) -> Option<LeftOut> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= PERIOD) {
            self.since = Some(now);
            self.logged = 0;
        }
        if self.logged >= self.lines {
            self.left_out += 1;
            return None;
        }
        self.logged += 1;
        Some(LeftOut(std::mem::take(&mut self.left_out)))
    }
}

/// Ends a line with how many like it were left out before it, if there were any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut(u64);

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" (1 line like this was left out)"),
            count => write!(f, " ({count} lines like this were left out)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_lines_some_are_logged_and_the_others_counted() {
        let start = Instant::now();
        let mut limit = LogLimit::new(2);
        let mut log = |tenth: u64| limit.admit(start + Duration::from_millis(tenth * 100));
        let logged: Vec<_> =
            (0..=250u64).filter_map(|tenth| Some((tenth, log(tenth)?.to_string()))).collect();
        let said = |tenth: u64, text: &str| (tenth, text.to_owned());
        assert_eq!(
            logged,
            [
                said(0, ""),
                said(1, ""),
                said(100, " (98 lines like this were left out)"),
                said(101, ""),
                said(200, " (98 lines like this were left out)"),
                said(201, "")
            ]
        );
        assert_eq!(LeftOut(1).to_string(), " (1 line like this was left out)");
    }
}
