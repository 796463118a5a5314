//! A recording in the MCAP format: zstd chunks with indexes and CRCs, then a summary with statistics.
//!
//! A chunk reaches the system whole, and at the latest [`FLUSH_INTERVAL`] after its first message: if the program is
//! killed, everything before that can be read.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mcap::records::MessageHeader;
use mcap::{Compression, McapError, WriteOptions, Writer};

use super::SinkError;
use super::mcap_kept::Kept;
use crate::model::{Channel, ChannelId, Entry};

/// A chunk is closed when its messages exceed this: small enough to be read at once, large enough to compress well.
const CHUNK_SIZE: u64 = 1 << 20;

/// A message is with the system after this time, in a chunk smaller than [`CHUNK_SIZE`] if need be.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// zstd's fastest of the regular levels: the processor is needed to serve.
const COMPRESSION_LEVEL: u32 = 1;

/// The last id for a channel or a schema. The format has one more; the writer can't count beyond that one.
const LAST_ID: u16 = u16::MAX - 1;

/// What is in a file that was completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// A recording that is being written.
pub(super) struct McapFile {
    path: PathBuf,
    writer: Writer<Output>,
    ids: BTreeMap<ChannelId, u16>,
    last_id: u16,
    messages: u64,
    bytes: Arc<AtomicU64>,
    flush_at: Option<Instant>,
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
        let bytes = Arc::<AtomicU64>::default();
        let output = Output { file: BufWriter::new(file), position: bytes.clone() };
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
        Ok(Self { path, writer, ids: BTreeMap::new(), last_id: 0, messages: 0, bytes, flush_at: None })
    }

    /// Writes what is kept of the recordings that are played.
    pub(super) fn keep(&mut self, kept: &Kept) -> Result<(), SinkError> {
        let written = kept.metadata.iter().try_for_each(|metadata| self.writer.write_metadata(metadata));
        let written =
            written.and_then(|()| kept.for_each_attachment(|attachment| self.writer.attach(attachment)));
        written.and_then(|()| self.writer.flush()).map_err(|error| self.failed(reason(error)))
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
        self.ids.insert(channel.id, id.map_err(|error| self.failed(reason(error)))?);
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
        self.writer.write_to_known_channel(&header, payload).map_err(|error| self.failed(reason(error)))?;
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
            self.writer.flush().map_err(|error| self.failed(reason(error)))?;
        }
        Ok(())
    }

    /// Completes the file. All of it is with the system then; when that has it on the disk is not waited for, as a slow
    /// one can have minutes of it to catch up with.
    pub(super) fn finish(mut self) -> Result<Contents, SinkError> {
        self.writer.finish().map_err(|error| self.failed(reason(error)))?;
        Ok(Contents { messages: self.messages, bytes: self.bytes() })
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
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

/// A file that is written from its beginning to its end, and counts.
struct Output {
    file: BufWriter<File>,
    position: Arc<AtomicU64>,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.position.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Output {
    /// Tells the position, nothing else: a `BufWriter` would write its buffer out to tell it.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Current(0) => Ok(self.position.load(Ordering::Relaxed)),
            SeekFrom::Current(_) | SeekFrom::Start(_) | SeekFrom::End(_) => {
                Err(ErrorKind::Unsupported.into())
            }
        }
    }
}
