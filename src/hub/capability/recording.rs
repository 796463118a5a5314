//! What is played, beside its messages: its files, how many messages there are when, and which was the last at a time.
//! The server's HTTP side asks for it; the protocol has no words for it.

use std::io::{self, Read, Seek};
use std::sync::Arc;
use std::time::SystemTime;

use crate::hub::{AlreadyProvided, Hub, lock};
use crate::model::{Batch, ChannelId};
use crate::time::{TimeRange, Timestamp};

/// A file of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedFile {
    /// Unique among those that are offered, without a path: `drive.mcap`.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// When it was last changed, where that is known.
    pub modified: Option<SystemTime>,
}

/// What [`RecordedFile`]s are read from.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// How many messages there are in equal parts of a range.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// From the first to the last message.
    pub range: Option<TimeRange>,
    /// One for each channel with messages.
    pub topics: Vec<TopicTimeline>,
    /// Parts without a message of any channel that playback would take longer for than the others, by time.
    pub gaps: Vec<TimeRange>,
    /// Parts that can't be read, by time, with what is wrong.
    pub damaged: Vec<(TimeRange, String)>,
}

/// The messages of one channel over time.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicTimeline {
    /// The channel.
    pub channel: ChannelId,
    /// Messages in each part.
    pub counts: Vec<f32>,
    /// The counts are estimated: what is known is less exact than the messages of each chunk.
    pub estimated: bool,
}

/// Has recordings. Its functions may block on a disk.
pub trait Recordings: Send + Sync {
    /// The files, in the order in which they play.
    fn files(&self) -> Vec<RecordedFile>;

    /// Opens one of them, as it is now.
    fn open(&self, name: &str) -> io::Result<(RecordedFile, Box<dyn ReadSeek>)>;

    /// Counts in `bins` equal parts of the whole range.
    fn timeline(&self, bins: usize) -> Result<Timeline, String>;

    /// The last message of the channel at or before a time; an empty batch if there is none.
    fn latest(&self, channel: ChannelId, at: Timestamp) -> Result<Batch, String>;
}

impl Hub {
    /// Registers who has recordings.
    pub fn provide_recordings(&self, recordings: Arc<dyn Recordings>) -> Result<(), AlreadyProvided> {
        let mut state = lock(&self.0.state);
        let refused = state.slots.recordings.fill(recordings);
        drop(state);
        refused.map_err(|_too_late| AlreadyProvided("recordings"))
    }

    /// Who has recordings, if anybody has.
    pub fn recordings(&self) -> Option<Arc<dyn Recordings>> {
        lock(&self.0.state).slots.recordings.as_ref().cloned()
    }
}
