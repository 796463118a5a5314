//! What can be asked of a recording while it plays.

use std::path::PathBuf;

use super::SourceError;
use crate::model::{Batch, ChannelId, Timeline};
use crate::time::{TimeRange, Timestamp};

/// Looks at a recording without disturbing whoever plays it: on any thread, with file handles of its own. Its functions
/// may block on a disk. It stays when the recording is dropped.
pub trait Overview: Send + Sync {
    /// The files that it plays, if others can make use of them as they are; in the order in which they play.
    fn files(&self) -> Vec<PathBuf>;

    /// Counts of messages in `bins` (at least 1) equal parts of what is played; in fewer parts if the answer would have
    /// more than a million numbers.
    fn timeline(&self, bins: usize) -> Timeline {
        self.timeline_within(TimeRange::ALL, bins)
    }

    /// The same of what is played within a range alone; nothing if that is before or after it.
    fn timeline_within(&self, within: TimeRange, bins: usize) -> Timeline;

    /// The last message of a channel at or before a time; a batch without messages if there is none.
    fn latest(&self, channel: ChannelId, at: Timestamp) -> Result<Batch, SourceError>;
}
