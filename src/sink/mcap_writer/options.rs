//! How a recording is written, and where it is split.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

/// How [`McapWriter`](super::McapWriter) writes. The default is one file, compressed on as many threads as there are
/// processors, at most four.
#[derive(Debug, Clone, Default)]
pub struct WriterOptions {
    /// Threads that compress. None: one for each processor, at most four.
    pub threads: Option<NonZero<usize>>,
    /// Where a new file begins.
    pub split: Split,
    /// MCAP files of which the profile, the metadata and the attachments are kept. The metadata are in each file that is
    /// written, the attachments in the first one.
    pub keep: Vec<PathBuf>,
}

/// Where a recording goes on in a new file, and how many of its files are kept. The default is one file without a limit.
///
/// Each file can be read by itself: it has all channels and schemas known by then, and begins with what counts of the
/// latched channels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Split {
    /// No file is larger, in bytes, unless a single chunk is (1 MiB and one message, before it is compressed).
    pub size: Option<u64>,
    /// No file has more of the recording, by log time. Where log times go back by more than a second (a lap, a restart),
    /// the rest counts from there.
    pub duration: Option<Duration>,
    /// At most so many files stay: the oldest one of this writer is removed when a new one begins.
    pub max_files: Option<NonZero<usize>>,
    /// The files of this writer take at most so many bytes: the oldest finished ones are removed. A file is split at a
    /// quarter of it at the latest.
    pub disk_budget: Option<u64>,
}

impl Split {
    /// Whether there may be more than one file; they are numbered then.
    pub fn is_split(&self) -> bool {
        self.size.is_some() || self.duration.is_some() || self.disk_budget.is_some()
    }
}

/// Threads that compress where nobody says how many.
pub(super) fn default_threads() -> usize {
    /// Two keep up with most disks.
    const MOST: usize = 4;
    std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST)
}
