//! What was recorded.

use std::path::PathBuf;

use super::OnDisk;
use crate::time::TimeRange;

/// What was recorded in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The files that are there, oldest first.
    pub parts: Vec<Part>,
    /// Messages in them; what is repeated at the beginning of a file counts in each.
    pub messages: u64,
    /// Their size.
    pub bytes: u64,
    /// Messages that are not in them because the disk was too slow. A [`McapWriter`](super::McapWriter) loses none.
    pub lost: u64,
    /// Whether the disk has them.
    pub on_disk: OnDisk,
}

impl Recorded {
    /// The files for people: `run.mcap`, or `run-0002.mcap to run-0007.mcap (6 files)`.
    pub fn files(&self) -> String {
        match self.parts.as_slice() {
            [] => "no file".to_owned(),
            [one] => one.path.display().to_string(),
            [first, .., last] => {
                format!("{} to {} ({} files)", first.path.display(), last.path.display(), self.parts.len())
            }
        }
    }

    pub(super) fn of(parts: Vec<Part>) -> Self {
        let messages = parts.iter().map(|part| part.messages).sum();
        let bytes = parts.iter().map(|part| part.bytes).sum();
        Self { parts, messages, bytes, lost: 0, on_disk: OnDisk::NotYet }
    }
}

/// A file of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The file.
    pub path: PathBuf,
    /// Messages in it.
    pub messages: u64,
    /// Its size.
    pub bytes: u64,
    /// From the lowest to the highest log time in it; None without a message.
    pub range: Option<TimeRange>,
}
