//! A writer of MCAP files without a hub.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::mcap_file::McapFile;
use super::mcap_kept::Kept;
use super::{Part, Recorded, SinkError};
use crate::model::{Channel, Entry};

mod options;

pub use options::{Split, WriterOptions};

/// Writes channels and messages into one MCAP file, or into several one after the other.
///
/// Compression, files and disk are the business of threads of its own: [`McapWriter::write`] copies the payload, and
/// blocks only while those threads have too much to do. A file of a program that was killed can be read up to the last
/// [`McapWriter::flush_if_due`]. After an error nothing more can be written; [`McapWriter::abandon`] says what is readable.
///
/// ```
/// use foxglove_bridge::model::{Channel, ChannelId, Entry};
/// use foxglove_bridge::sink::{McapWriter, WriterOptions};
/// use foxglove_bridge::time::Timestamp;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("run.mcap");
/// let mut writer = McapWriter::create(&path, WriterOptions::default())?;
/// let imu = ChannelId(1);
/// writer.add_channel(&Channel {
///     id: imu,
///     topic: "/imu".into(),
///     message_encoding: "json".into(),
///     schema: None,
///     metadata: Default::default(),
///     latched: false,
/// })?;
/// let entry = Entry { sequence: 1, ..Entry::at(imu, Timestamp(1_700_000_000_000_000_000)) };
/// writer.write(&entry, br#"{"ax":0.5}"#)?;
/// let recorded = writer.finish()?;
/// assert_eq!((recorded.messages, recorded.parts.len()), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct McapWriter {
    path: PathBuf,
    file: McapFile,
}

impl McapWriter {
    /// Makes the file, which must not exist. `{time}` in its name is replaced by the time at which it begins
    /// ([`path_at`](super::path_at)). If the recording may be split ([`Split::is_split`]), its files are numbered:
    /// `run.mcap` becomes `run-0001.mcap`, `run-0002.mcap` and so on, and none of them may exist.
    pub fn create(path: &Path, options: WriterOptions) -> Result<Self, SinkError> {
        let kept = Kept::of(&options.keep);
        let mut file = McapFile::create(path, &kept)?;
        file.keep(&kept)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// The first file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a channel. One that is equal to another but for its id is written once, under that one's id in the file.
    pub fn add_channel(&mut self, channel: &Channel) -> Result<(), SinkError> {
        self.file.add_channel(channel)
    }

    /// Writes a message of a channel that was added. Of the entry only the channel, the times, the sequence and the origin
    /// matter.
    pub fn write(&mut self, entry: &Entry, payload: &[u8]) -> Result<(), SinkError> {
        self.file.write(entry, payload)
    }

    /// When [`McapWriter::flush_if_due`] has something to do; None while nothing waits for it.
    pub fn flush_at(&self) -> Option<Instant> {
        self.file.flush_at()
    }

    /// Hands what has waited for a second to the system, so that it outlives the program. To be called at
    /// [`McapWriter::flush_at`] and now and then while messages come.
    pub fn flush_if_due(&mut self, now: Instant) -> Result<(), SinkError> {
        self.file.flush_if_due(now)
    }

    /// Bytes in all files so far.
    pub fn bytes(&self) -> u64 {
        self.file.bytes()
    }

    /// Completes the last file. Blocks for [`FINISH_LIMIT`](super::FINISH_LIMIT) at most. A writer that is dropped does
    /// the same.
    pub fn finish(mut self) -> Result<Recorded, SinkError> {
        let contents = self.file.finish()?;
        let part = Part { path: self.path, messages: contents.messages, bytes: contents.bytes, range: None };
        Ok(Recorded::of(vec![part]))
    }

    /// Gives the recording up after an error; how many messages can be read.
    pub fn abandon(self) -> u64 {
        self.file.abandon()
    }
}
