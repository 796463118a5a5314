//! The bar while a file is scanned.

use std::time::{Duration, Instant};

use super::{Part, REFRESH, Share, columns, fitted, on_terminal};
use crate::cli::logging::LogOutput;
use foxglove_bridge::internals::printable;
use foxglove_bridge::source::summary::ScanProgress;

/// A scan that is over sooner shows nothing.
const PATIENCE: Duration = Duration::from_millis(300);

/// How much of a file has been scanned; appears only if that takes a while. Cleared on drop.
#[derive(Debug)]
pub(crate) struct ScanBar {
    name: String,
    log: LogOutput,
    next: Instant,
    shown: bool,
}

impl ScanBar {
    /// Starts to count the time; `name` is the file's.
    pub(crate) fn new(name: &str, log: &LogOutput) -> Self {
        Self { name: name.to_owned(), log: log.clone(), next: Instant::now() + PATIENCE, shown: false }
    }

    /// Shows how far the scan has come, if it has taken long enough and stderr is a terminal.
    pub(crate) fn update(&mut self, progress: ScanProgress) {
        let now = Instant::now();
        if now < self.next || !on_terminal() {
            return;
        }
        self.next = now + REFRESH;
        self.shown = true;
        let columns = columns();
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let name = format!("scanning {}", printable(&self.name, columns / 3));
        let done = format!("{:.1} of {:.1} MB", megabytes(progress.done), megabytes(progress.total));
        let parts = vec![Part::left(1, name), Part::right(2, done)];
        let share = Share { done: progress.done, total: progress.total };
        self.log.set_bar(Some(fitted(parts, Some(share), columns)));
    }
}

impl Drop for ScanBar {
    fn drop(&mut self) {
        if self.shown {
            self.log.set_bar(None);
        }
    }
}
