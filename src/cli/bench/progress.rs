//! The line on the terminal while it is measured.

use std::time::{Duration, Instant};

use super::Bar;
use crate::cli::args::BenchArgs;
use crate::cli::figures;
use crate::cli::logging::LogOutput;
use crate::cli::progress::{columns, on_terminal};

/// Cleared on drop.
pub(super) struct Progress {
    log: Option<LogOutput>,
    duration: Duration,
    clients: u32,
    began: Instant,
    /// When it was shown last, and the messages and bytes by then.
    before: (Instant, u64, u64),
}

/// How often figures change.
const REFRESH: Duration = Duration::from_millis(500);

impl Progress {
    pub(super) fn new(args: &BenchArgs, bar: Bar, log: &LogOutput) -> Self {
        let log = (bar == Bar::Shown && on_terminal()).then(|| log.clone());
        let now = Instant::now();
        Self { log, duration: args.duration, clients: args.clients, began: now, before: (now, 0, 0) }
    }

    /// Shows how far it is; `so_far` gives all messages and bytes.
    pub(super) fn show(&mut self, so_far: impl FnOnce() -> (u64, u64)) {
        let Some(log) = &self.log else { return };
        let (now, (shown, messages_before, bytes_before)) = (Instant::now(), self.before);
        let since = now.duration_since(shown);
        if since < REFRESH {
            return;
        }
        let (messages, bytes) = so_far();
        let rate = |count: u64, before: u64| (count - before) as f64 / since.as_secs_f64();
        let line = format!(
            "{} of {} s  {} clients  {:.0} messages/s  {}",
            self.began.elapsed().as_secs(),
            self.duration.as_secs_f32(),
            self.clients,
            rate(messages, messages_before),
            figures::rate(rate(bytes, bytes_before)),
        );
        log.set_bar(Some(line.chars().take(columns().saturating_sub(1)).collect()));
        self.before = (now, messages, bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(log) = &self.log {
            log.set_bar(None);
        }
    }
}
