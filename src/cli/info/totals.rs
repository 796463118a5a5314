//! What several inputs come to together.

use foxglove_bridge::internals::counted;
use foxglove_bridge::source::summary::RecordingSummary;
use foxglove_bridge::time::TimeRange;

use super::length::length;
use crate::cli::figures::bytes;
use crate::cli::table::{row, table};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Totals {
    files: u64,
    size_bytes: u64,
    messages: u64,
    range: Option<TimeRange>,
    pub(super) damaged: u64,
    /// Files with messages that do not fit their schemas.
    pub(super) misfitting: u64,
    pub(super) unreadable: u64,
}

impl Totals {
    /// One more that was read.
    pub(super) fn add(&mut self, summary: &RecordingSummary) {
        self.files += 1;
        self.size_bytes = self.size_bytes.saturating_add(summary.size_bytes);
        self.messages = self.messages.saturating_add(summary.message_count);
        self.damaged += u64::from(!summary.damage.is_empty());
        self.misfitting += u64::from(summary.misfits() > 0);
        self.range = match (self.range, summary.range) {
            (Some(all), Some(one)) => {
                Some(TimeRange { start: all.start.min(one.start), end: all.end.max(one.end) })
            }
            (all, one) => all.or(one),
        };
    }

    /// A table, for the end.
    pub(super) fn render(&self) -> String {
        let mut files = format!("{}, {}", counted(self.files, "file"), bytes(self.size_bytes));
        if self.damaged > 0 {
            files += &format!(", {} damaged", self.damaged);
        }
        if self.misfitting > 0 {
            files += &format!(", {} with misfits", self.misfitting);
        }
        if self.unreadable > 0 {
            files += &format!("; {} can't be read", self.unreadable);
        }
        let mut rows = vec![row(["total", &files])];
        if let Some(range) = self.range {
            rows.push(row(["start", &range.start.to_string()]));
            rows.push(row(["end", &range.end.to_string()]));
            rows.push(row(["duration", &length(range.duration())]));
        }
        rows.push(row(["messages", &self.messages.to_string()]));
        table(&rows, &[])
    }
}

#[cfg(test)]
mod tests {
    use foxglove_bridge::time::Timestamp;

    use super::*;

    #[test]
    fn totals_reach_from_the_first_to_the_last_message_of_all() {
        let second = |start: u64, end: u64| {
            let range =
                TimeRange { start: Timestamp(start * 1_000_000_000), end: Timestamp(end * 1_000_000_000) };
            RecordingSummary { size_bytes: 1500, message_count: 5, range: Some(range), ..Default::default() }
        };
        let mut totals = Totals::default();
        for summary in [second(20, 30), RecordingSummary::default(), second(10, 15)] {
            totals.add(&summary);
        }
        let text = totals.render();
        assert!(text.starts_with("total     3 files, 3.0 kB\nstart     10.0"), "{text}");
        assert!(text.ends_with("duration  20.0 s\nmessages  10\n"), "{text}");
        totals.unreadable = 2;
        totals.add(&RecordingSummary { damage: vec!["torn".into()], ..Default::default() });
        assert!(totals.render().starts_with("total     4 files, 3.0 kB, 1 damaged; 2 can't be read\n"));
    }
}
