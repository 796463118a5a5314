//! A recording in the MCAP format: zstd chunks with indexes and CRCs, then a summary with statistics.
//!
//! A chunk reaches the system whole, and at the latest [`FLUSH_INTERVAL`] after its first message: if the program is
//! killed, everything before that can be read. If a write fails, what the system has of the last chunk is cut off.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mcap::records::MessageHeader;
use mcap::{Compression, McapError, WriteOptions, Writer};

use super::SinkError;
use super::mcap_kept::Kept;
use super::output::Output;
use crate::model::{Channel, ChannelId, Entry};

/// A chunk is closed when its messages exceed this: small enough to be read at once, large enough to compress well.
const CHUNK_SIZE: u64 = 1 << 20;

/// A message is with the system after this time, in a chunk smaller than [`CHUNK_SIZE`] if need be.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// zstd's fastest of the regular levels: the processor is needed to serve.
const COMPRESSION_LEVEL: u32 = 1;

/// The last id for a channel or a schema. The format has one more; the writer can't count beyond that one.
const LAST_ID: u16 = u16::MAX - 1;

/// What is in a file, or in its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// A recording that is being written.
pub(super) struct McapFile {
    path: PathBuf,
    writer: Writer<Output>,
    /// The same file, to cut it.
    file: File,
    ids: BTreeMap<ChannelId, u16>,
    last_id: u16,
    messages: u64,
    /// Bytes given to the writer's buffer, and bytes that the system has taken.
    bytes: Arc<AtomicU64>,
    taken: Arc<AtomicU64>,
    /// What the system has up to the end of a record.
    whole: Contents,
    /// Ends of chunks that may be in the buffer still, oldest first.
    ends: VecDeque<Contents>,
    flush_at: Option<Instant>,
    /// A write has failed: the writer is not asked for more.
    is_broken: bool,
}

impl McapFile {
    /// Makes the file; it must not exist.
    pub(super) fn create(path: &Path, kept: &Kept) -> Result<Self, SinkError> {
        let cant = |error: &dyn std::fmt::Display| SinkError::Create {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
            if error.kind() == ErrorKind::AlreadyExists {
                SinkError::Exists(path.to_owned())
            } else {
                cant(&error)
            }
        })?;
        let mine = file.try_clone().map_err(|error| cant(&error))?;
        let (bytes, taken) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let output = Output::new(file, bytes.clone(), taken.clone());
        let writer = WriteOptions::new()
            .compression(Some(Compression::Zstd))
            .compression_level(COMPRESSION_LEVEL)
            // the thread of the recorder has nothing else to do
            .compression_threads(0)
            .chunk_size(Some(CHUNK_SIZE))
            // chunks are made in memory, so that none is in the file in part
            .disable_seeking(true)
            .profile(&kept.profile)
            .library(concat!("foxglove-bridge ", env!("CARGO_PKG_VERSION")))
            .create(output)
            .and_then(|mut writer| writer.flush().map(|()| writer))
            .map_err(|error| {
                // a name that is taken by nothing would be refused the next time; if it stays, it does
                std::fs::remove_file(path).ok();
                cant(&reason(error))
            })?;
        let path = path.to_owned();
        let whole = Contents { messages: 0, bytes: bytes.load(Ordering::Relaxed) };
        Ok(Self {
            path,
            writer,
            file: mine,
            ids: BTreeMap::new(),
            last_id: 0,
            messages: 0,
            bytes,
            taken,
            whole,
            ends: VecDeque::new(),
            flush_at: None,
            is_broken: false,
        })
    }

    /// Writes what is kept of the recordings that are played.
    pub(super) fn keep(&mut self, kept: &Kept) -> Result<(), SinkError> {
        let written = kept.metadata.iter().try_for_each(|metadata| self.writer.write_metadata(metadata));
        let written =
            written.and_then(|()| kept.for_each_attachment(|attachment| self.writer.attach(attachment)));
        self.written(written)?;
        self.flush()
    }

    /// Writes a channel, unless there is one just like it.
    pub(super) fn add_channel(&mut self, channel: &Channel) -> Result<(), SinkError> {
        if self.last_id == LAST_ID {
            let reason = format!("a recording has at most {LAST_ID} channels and as many schemas");
            return Err(self.failed(reason));
        }
        let schema = match &channel.schema {
            Some(schema) => self.writer.add_schema(&schema.name, &schema.encoding, &schema.data),
            None => Ok(0),
        };
        let id = schema.and_then(|schema| {
            let encoding = &channel.message_encoding;
            let id = self.writer.add_channel(schema, &channel.topic, encoding, &channel.metadata)?;
            self.last_id = self.last_id.max(id).max(schema);
            Ok(id)
        });
        let id = self.written(id)?;
        self.ids.insert(channel.id, id);
        Ok(())
    }

    /// Writes a message of a channel that was added.
    pub(super) fn write(&mut self, entry: &Entry, payload: &[u8]) -> Result<(), SinkError> {
        let Some(&channel_id) = self.ids.get(&entry.channel) else {
            return Err(self.failed(format!("channel {} was never announced", entry.channel)));
        };
        let header = MessageHeader {
            channel_id,
            sequence: entry.sequence,
            log_time: entry.log_time.nanos(),
            publish_time: entry.publish_time.nanos(),
        };
        let before = self.bytes();
        let written = self.writer.write_to_known_channel(&header, payload);
        self.written(written)?;
        if self.bytes() > before {
            // a chunk has ended, before this message
            self.ends.push_back(self.contents());
            self.settle();
        }
        self.messages += 1;
        if self.flush_at.is_none() {
            self.flush_at = Some(Instant::now() + FLUSH_INTERVAL);
        }
        Ok(())
    }

    /// When [`McapFile::flush_if_due`] has something to do; None if nothing waits for it.
    pub(super) fn flush_at(&self) -> Option<Instant> {
        self.flush_at
    }

    /// Hands what has waited long enough to the system.
    pub(super) fn flush_if_due(&mut self, now: Instant) -> Result<(), SinkError> {
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush_at = None;
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the chunk, and hands it to the system.
    fn flush(&mut self) -> Result<(), SinkError> {
        let flushed = self.writer.flush();
        self.written(flushed)?;
        self.ends.push_back(self.contents());
        self.settle();
        Ok(())
    }

    /// Takes note of the chunks that the system has by now.
    fn settle(&mut self) {
        let taken = self.taken.load(Ordering::Relaxed);
        while let Some(end) = self.ends.front().copied().filter(|end| end.bytes <= taken) {
            self.whole = end;
            self.ends.pop_front();
        }
    }

    /// Completes the file. All of it is with the system then; when that has it on the disk is not waited for, as a slow
    /// one can have minutes of it to catch up with.
    pub(super) fn finish(&mut self) -> Result<Contents, SinkError> {
        self.flush()?;
        let finished = self.writer.finish();
        self.written(finished)?;
        Ok(self.contents())
    }

    /// Gives the file up after an error, so that it ends with its last whole chunk; how many messages are in it.
    pub(super) fn abandon(mut self) -> u64 {
        // where no write has failed the file can be completed
        if !self.is_broken && self.finish().is_ok() {
            return self.messages;
        }
        self.settle();
        let Self { writer, file, whole, .. } = self;
        // it may still write
        drop(writer);
        match file.set_len(whole.bytes) {
            Ok(()) => tracing::debug!("the file ends after {} bytes", whole.bytes),
            Err(error) => tracing::debug!("the file can't be cut: {error}"),
        }
        whole.messages
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether no path leads to the file any more.
    #[cfg(unix)]
    pub(super) fn is_removed(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        self.file.metadata().is_ok_and(|file| file.nlink() == 0)
    }

    /// Where that can't be seen, an open file can't be removed.
    #[cfg(not(unix))]
    pub(super) fn is_removed(&self) -> bool {
        false
    }

    fn contents(&self) -> Contents {
        Contents { messages: self.messages, bytes: self.bytes() }
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The outcome of a call of the writer.
    fn written<T>(&mut self, outcome: Result<T, McapError>) -> Result<T, SinkError> {
        outcome.map_err(|error| {
            self.is_broken |= matches!(error, McapError::Io(_) | McapError::AttemptedWriteAfterFailure);
            self.failed(reason(error))
        })
    }

    fn failed(&self, reason: String) -> SinkError {
        SinkError::Write { path: self.path.clone(), reason }
    }
}

/// What went wrong, without the words that the writer puts around what the system said.
fn reason(error: McapError) -> String {
    match error {
        McapError::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}
