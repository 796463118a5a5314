//! What is played, beside its messages: its files, how many messages there are when, and which was the last at a time.
//! The server's HTTP side asks for it; the protocol has no words for it.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::hub::{AlreadyProvided, Hub, lock};
use crate::model::{Batch, ChannelId};
use crate::time::{TimeRange, Timestamp};

pub use crate::model::{DamagedPart, Timeline, TopicTimeline};

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

impl RecordedFile {
    /// A file as it is now; only regular ones, since opening another could wait.
    pub(crate) fn look(name: &str, path: &Path) -> io::Result<Self> {
        Self::described(name, &path.metadata()?)
    }

    /// Opens it, as [`RecordedFile::look`] takes it.
    pub(crate) fn open(name: &str, path: &Path) -> io::Result<(Self, Box<dyn ReadSeek>)> {
        Self::look(name, path)?;
        let file = File::open(path)?;
        Ok((Self::described(name, &file.metadata()?)?, Box::new(file)))
    }

    fn described(name: &str, file: &Metadata) -> io::Result<Self> {
        if !file.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Self { name: name.to_owned(), size: file.len(), modified: file.modified().ok() })
    }
}

/// What [`RecordedFile`]s are read from.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// Has recordings. Its functions may block on a disk: call them on threads that may wait. Two calls of one function can
/// wait for each other.
pub trait Recordings: Send + Sync {
    /// The files that can be had as they are, in the order in which they play; none for a recording that is in memory, or
    /// in lines. Sizes and times are those of now; a file that is gone is left out.
    fn files(&self) -> Vec<RecordedFile>;

    /// Opens one of them, as it is now.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if there is no file of this name, or it is gone; what the system says.
    fn open(&self, name: &str) -> io::Result<(RecordedFile, Box<dyn ReadSeek>)>;

    /// Counts of messages in `bins` (at least 1) equal parts of what is played within a range ([`TimeRange::ALL`]: of all
    /// that is played). Of a recording with so many channels that the answer would have more than a million numbers, in
    /// fewer parts.
    ///
    /// # Errors
    ///
    /// What is wrong, for people.
    fn timeline(&self, within: TimeRange, bins: usize) -> Result<Timeline, String>;

    /// The last message of the channel at or before a time; a batch without messages if there is none.
    ///
    /// # Errors
    ///
    /// What is wrong, for people.
    fn latest(&self, channel: ChannelId, at: Timestamp) -> Result<Batch, String>;
}

impl Hub {
    /// Registers who has recordings. A [`Player`](crate::playback::Player) does so for what it plays.
    pub fn provide_recordings(&self, recordings: Arc<dyn Recordings>) -> Result<(), AlreadyProvided> {
        let mut state = lock(&self.0.state);
        let refused = state.slots.recordings.fill(recordings);
        drop(state);
        refused.map_err(|_too_late| AlreadyProvided("recordings"))
    }

    /// Frees the slot, if it is taken by these.
    pub(crate) fn withdraw_recordings(&self, recordings: &Arc<dyn Recordings>) {
        let mut state = lock(&self.0.state);
        let is_theirs = state.slots.recordings.as_ref().is_some_and(|taken| Arc::ptr_eq(taken, recordings));
        let gone = if is_theirs { state.slots.recordings.empty() } else { None };
        drop(state);
        drop(gone);
    }

    /// Who has recordings, if anybody has.
    pub fn recordings(&self) -> Option<Arc<dyn Recordings>> {
        lock(&self.0.state).slots.recordings.as_ref().cloned()
    }
}
