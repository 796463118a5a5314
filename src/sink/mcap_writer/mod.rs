//! A writer of MCAP files without a hub: chunks with indexes and CRCs, then a summary with statistics.
//!
//! A chunk is made by whoever writes, compressed on one of several threads and written on another one ([`pipeline`]), which
//! also begins new files ([`parts`]). A chunk reaches the system whole, and at the latest [`FLUSH_INTERVAL`] after its first
//! message: if the program is killed, everything before that can be read.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use super::mcap_kept::Kept;
use super::{FINISH_LIMIT, Recorded, SinkError};
use crate::model::{Channel, ChannelId, Entry, Extra};

mod chunk;
mod definitions;
mod latched;
mod names;
mod options;
mod part_file;
mod parts;
mod pipeline;
mod records;
mod sealed;
mod span;
mod summary;
mod sync;

pub use options::{Split, WriterOptions};
pub use sync::OnDisk;

use chunk::{Chunk, Latching};
use definitions::Definitions;
use parts::{Ended, First, Parts};
use pipeline::{HasEnded, Pipeline};
use span::Span;
pub(super) use sync::Syncing;

/// A chunk is closed when its records exceed this: small enough to be read at once, large enough to compress well.
const CHUNK_SIZE: usize = 1 << 20;

/// A message is with the system after this time, in a chunk smaller than [`CHUNK_SIZE`] if need be.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

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
    definitions: Definitions,
    /// Ids in the files.
    ids: HashMap<ChannelId, (u16, Latching)>,
    /// The last one that was looked up.
    last: Option<(ChannelId, (u16, Latching))>,
    chunk: Chunk,
    span: Span,
    flush_at: Option<Instant>,
    pipeline: Pipeline,
    /// How long the end may take.
    patience: Duration,
    syncing: Option<Syncing>,
    /// None until then.
    ended: Option<Ended>,
}

impl McapWriter {
    /// Makes the file, which must not exist. `{time}` in its name is replaced by the time at which it begins
    /// ([`path_at`](super::path_at)). If the recording may be split ([`Split::is_split`]), its files are numbered:
    /// `run.mcap` becomes `run-0001.mcap`, `run-0002.mcap` and so on, and none of them may exist.
    pub fn create(path: &Path, options: WriterOptions) -> Result<Self, SinkError> {
        let WriterOptions { threads, split, keep } = options;
        let threads = threads.map_or_else(options::default_threads, std::num::NonZero::get);
        let first = First::create(path, split, Kept::of(&keep))?;
        Self::start(first, Span::new(split.duration), threads, FINISH_LIMIT)
    }

    /// Writes a recording from front to back to what takes it, such as a pipe or a socket, on a thread. It can be read while
    /// it is written, from the first message on, and has an index at its end. `name`: for people. Once a write fails as
    /// [`BrokenPipe`], writing here is [`SinkError::Closed`].
    ///
    /// Who reads sets the pace: [`McapWriter::write`], [`McapWriter::finish`] and dropping the writer wait for it as long as
    /// it takes.
    ///
    /// ```
    /// use foxglove_bridge::sink::McapWriter;
    ///
    /// let (mut reader, pipe) = std::io::pipe()?;
    /// let writer = McapWriter::stream("pipe", pipe)?;
    /// assert_eq!(writer.finish()?.messages, 0);
    /// let mut recording = Vec::new();
    /// std::io::Read::read_to_end(&mut reader, &mut recording)?;
    /// assert!(recording.starts_with(b"\x89MCAP0\r\n") && recording.ends_with(b"\x89MCAP0\r\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`BrokenPipe`]: std::io::ErrorKind::BrokenPipe
    pub fn stream(name: &str, to: impl Write + Send + 'static) -> Result<Self, SinkError> {
        let first = First::stream(name, Box::new(to));
        Self::start(first, Span::default(), options::default_threads(), Duration::MAX)
    }

    fn start(first: First, span: Span, threads: usize, patience: Duration) -> Result<Self, SinkError> {
        let path = first.path().to_owned();
        let cant =
            |error: std::io::Error| SinkError::Create { path: path.clone(), reason: error.to_string() };
        let (sync, syncing) = sync::start().map_err(cant)?;
        let compressor = pipeline::compressor().map_err(cant)?;
        let pipeline = Pipeline::start(Parts::new(first, sync, compressor), threads).map_err(cant)?;
        Ok(Self {
            path,
            definitions: Definitions::default(),
            ids: HashMap::new(),
            last: None,
            chunk: Chunk::default(),
            span,
            flush_at: None,
            pipeline,
            patience,
            syncing: Some(syncing),
            ended: None,
        })
    }

    /// The first file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a channel. One that is equal to another but for its id is written once. What of a latched channel still counts
    /// is repeated at the beginning of each file but the first, with the log time at which that file begins; the publish
    /// time stays.
    pub fn add_channel(&mut self, channel: &Channel) -> Result<(), SinkError> {
        let id = self.definitions.id(channel, |definition| self.chunk.define(definition));
        let id = id.map_err(|too_many| self.failed(too_many.to_string()))?;
        let latching = if channel.latched { Latching::Latched } else { Latching::Plain };
        self.ids.insert(channel.id, (id, latching));
        self.last = None;
        self.end_large_chunk()
    }

    /// Writes a message of a channel that was added. Of the entry only the channel, the times, the sequence and, of latched
    /// channels, the origin matter.
    pub fn write(&mut self, entry: &Entry, payload: &[u8]) -> Result<(), SinkError> {
        let (channel, latching) = self.id_of(entry.channel)?;
        if self.span.ends_before(entry.log_time) {
            self.end_chunk()?;
            self.pipeline.split().map_err(|HasEnded| self.failure())?;
        }
        self.chunk.push(channel, latching, entry, payload);
        if self.flush_at.is_none() {
            self.flush_at = Some(Instant::now() + FLUSH_INTERVAL);
        }
        self.end_large_chunk()
    }

    fn id_of(&mut self, channel: ChannelId) -> Result<(u16, Latching), SinkError> {
        if let Some((last, id)) = self.last
            && last == channel
        {
            return Ok(id);
        }
        match self.ids.get(&channel) {
            Some(id) => {
                self.last = Some((channel, *id));
                Ok(*id)
            }
            None => Err(self.failed(format!("channel {channel} was never announced"))),
        }
    }

    /// Writes an attachment, or metadata, into the current file; metadata are in each file after it as well. What is equal
    /// to metadata that are there is written once. A profile is that of all files if it comes before anything else; a
    /// later one that differs is logged.
    pub fn write_extra(&mut self, extra: Extra) -> Result<(), SinkError> {
        self.end_chunk()?;
        self.pipeline.write_extra(extra).map_err(|HasEnded| self.failure())
    }

    /// When [`McapWriter::flush_if_due`] has something to do; None while nothing waits for it.
    pub fn flush_at(&self) -> Option<Instant> {
        self.flush_at
    }

    /// Hands what has waited for a second to the system, so that it outlives the program. To be called at
    /// [`McapWriter::flush_at`] and now and then while messages come.
    pub fn flush_if_due(&mut self, now: Instant) -> Result<(), SinkError> {
        if self.flush_at.is_some_and(|at| at <= now) { self.end_chunk() } else { Ok(()) }
    }

    fn end_large_chunk(&mut self) -> Result<(), SinkError> {
        if self.chunk.len() > CHUNK_SIZE { self.end_chunk() } else { Ok(()) }
    }

    fn end_chunk(&mut self) -> Result<(), SinkError> {
        self.flush_at = None;
        if self.chunk.len() > 0 {
            let next = self.pipeline.write(std::mem::take(&mut self.chunk));
            self.chunk = next.map_err(|HasEnded| self.failure())?;
        }
        Ok(())
    }

    fn end_last_chunk(&mut self) -> Result<(), SinkError> {
        if self.chunk.len() == 0 {
            return Ok(());
        }
        let handed = self.pipeline.write_last(std::mem::take(&mut self.chunk));
        handed.map_err(|HasEnded| self.failure())
    }

    /// Bytes in all files so far, also in those that have been removed.
    pub fn bytes(&self) -> u64 {
        self.pipeline.written()
    }

    /// Completes the last file, and waits until the disk has all of them, for [`FINISH_LIMIT`] at most. A writer that is
    /// dropped does the same.
    pub fn finish(mut self) -> Result<Recorded, SinkError> {
        self.finish_now()
    }

    fn finish_now(&mut self) -> Result<Recorded, SinkError> {
        let begin = Instant::now();
        let recorded = self.complete(self.patience)?;
        // of a stream nothing is left to wait for
        let deadline = begin.checked_add(self.patience).unwrap_or_else(|| Instant::now() + FINISH_LIMIT);
        let on_disk = self.syncing.take().map_or(Ok(OnDisk::Yes), |syncing| syncing.wait(deadline))?;
        Ok(Recorded { on_disk, ..recorded })
    }

    /// Completes the last file. The disk need not have it yet.
    pub(super) fn complete(&mut self, limit: Duration) -> Result<Recorded, SinkError> {
        self.end_last_chunk()?;
        self.end(limit)?;
        match &mut self.ended {
            Some(Ended { error: Some(_), .. }) | None => Err(self.failure()),
            Some(Ended { parts, .. }) => Ok(Recorded::of(std::mem::take(parts))),
        }
    }

    /// What waits for the disk, once the last file is complete.
    pub(super) fn into_syncing(mut self) -> Option<Syncing> {
        self.syncing.take()
    }

    /// Gives the recording up after an error; how many messages can be read.
    pub fn abandon(mut self) -> u64 {
        // without an error of the disk the file can be completed
        let ended = self.end_last_chunk().and_then(|()| self.end(FINISH_LIMIT));
        if let Err(error) = ended {
            tracing::debug!("{error}");
        }
        self.ended.as_ref().map_or(0, |ended| ended.readable)
    }

    /// Waits for the end of the thread that writes.
    fn end(&mut self, limit: Duration) -> Result<(), SinkError> {
        if self.ended.is_none() {
            let ended = self.pipeline.end(limit);
            self.ended = Some(ended.map_err(|error| match error {
                RecvTimeoutError::Timeout => SinkError::Stuck(self.path.clone()),
                RecvTimeoutError::Disconnected => self.failed("the thread that writes panicked".to_owned()),
            })?);
        }
        Ok(())
    }

    /// Why the thread that writes has ended.
    fn failure(&mut self) -> SinkError {
        if let Err(error) = self.end(FINISH_LIMIT) {
            return error;
        }
        let error = self.ended.as_mut().and_then(|ended| ended.error.take());
        error.unwrap_or_else(|| self.failed("it has failed before".to_owned()))
    }

    fn failed(&self, reason: String) -> SinkError {
        SinkError::Write { path: self.path.clone(), reason }
    }
}

impl Drop for McapWriter {
    fn drop(&mut self) {
        if self.pipeline.is_open()
            && let Err(error) = self.finish_now()
        {
            tracing::error!("{error}");
        }
    }
}

#[cfg(test)]
mod tests;
