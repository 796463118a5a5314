//! What is written: channels that are equal are one, whatever their ids, and what is in the file by now.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::anyhow;
use foxglove_bridge::internals::counted;
use foxglove_bridge::model::{Channel, ChannelId, Entry, Extra, Schema};
use foxglove_bridge::sink::{McapWriter, SinkError, WriterOptions};

use super::stdout;
use crate::cli::{Failure, Reader, serve};

/// What makes channels equal. Their metadata are those of the first one.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Form {
    topic: String,
    message_encoding: String,
    schema: Option<Arc<Schema>>,
}

/// What is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Stdout,
}

/// The recording that is being written.
pub(super) struct File {
    writer: McapWriter,
    kind: Kind,
    channels: HashMap<Form, ChannelId>,
    /// Messages that were written, and the bytes of their payloads.
    pub(super) messages: u64,
    pub(super) bytes: u64,
    has_attachment: bool,
    /// Messages after which it is complete.
    count: Option<u64>,
}

impl File {
    /// Makes the file; it must not exist. `count`: messages after which it is complete.
    pub(super) fn create(path: &Path, options: WriterOptions, count: Option<u64>) -> Result<Self, Failure> {
        let writer = McapWriter::create(path, options).map_err(|error| match error {
            SinkError::Exists(_) | SinkError::Create { .. } => Failure::Input(error.into()),
            SinkError::Write { .. } | SinkError::Closed(_) | SinkError::Removed(_) | SinkError::Stuck(_) => {
                Failure::Runtime(error.into())
            }
        })?;
        Ok(Self::new(writer, Kind::File, count))
    }

    /// The same on stdout.
    pub(super) fn stdout(count: Option<u64>) -> Result<Self, Failure> {
        let stdout = stdout::open().map_err(|error| Failure::Runtime(error.into()))?;
        let writer = McapWriter::stream(stdout::NAME, stdout);
        Ok(Self::new(writer.map_err(|error| Failure::Runtime(error.into()))?, Kind::Stdout, count))
    }

    fn new(writer: McapWriter, kind: Kind, count: Option<u64>) -> Self {
        Self { writer, kind, channels: HashMap::new(), messages: 0, bytes: 0, has_attachment: false, count }
    }

    /// Whether nothing more is to be written.
    pub(super) fn is_complete(&self) -> bool {
        self.count.is_some_and(|count| self.messages >= count)
    }

    /// The id in the file of a channel that may be known; its own id does not matter.
    pub(super) fn channel(&mut self, channel: &Channel) -> Result<ChannelId, SinkError> {
        let form = Form {
            topic: channel.topic.clone(),
            message_encoding: channel.message_encoding.clone(),
            schema: channel.schema.clone(),
        };
        if let Some(id) = self.channels.get(&form) {
            return Ok(*id);
        }
        // the writer has fewer than this has numbers
        let id = ChannelId(u32::try_from(self.channels.len()).unwrap_or(u32::MAX));
        self.writer.add_channel(&Channel { id, ..channel.clone() })?;
        self.channels.insert(form, id);
        Ok(id)
    }

    /// Writes a message, unless the recording is complete. Its channel is one of [`File::channel`].
    pub(super) fn write(&mut self, entry: &Entry, payload: &[u8]) -> Result<(), SinkError> {
        if self.is_complete() {
            return Ok(());
        }
        self.writer.write(entry, payload)?;
        self.messages += 1;
        self.bytes += payload.len() as u64;
        Ok(())
    }

    /// Writes an attachment, metadata or the profile.
    pub(super) fn write_extra(&mut self, extra: Extra) -> Result<(), SinkError> {
        self.has_attachment |= matches!(extra, Extra::Attachment(_));
        self.writer.write_extra(extra)
    }

    /// Hands what has waited for a second to the system.
    pub(super) fn flush_if_due(&mut self, now: Instant) -> Result<(), SinkError> {
        self.writer.flush_if_due(now)
    }

    /// The first file.
    pub(super) fn path(&self) -> &Path {
        self.writer.path()
    }

    /// Completes the file, and says what is in it. A reader of stdout may have had enough.
    pub(super) fn finish(self) -> Result<Reader, Failure> {
        match self.writer.finish() {
            Ok(recorded) => serve::say_recorded(&recorded),
            Err(SinkError::Closed(_)) => return Ok(Reader::Gone),
            Err(error) => return Err(Failure::Runtime(error.into())),
        }
        Ok(Reader::Reads)
    }

    /// The same where there was nothing to record: a file without a message or an attachment is removed, so that the command
    /// can be run again.
    pub(super) fn finish_unless_empty(self) -> Result<(), Failure> {
        if self.messages > 0 || self.has_attachment || self.kind == Kind::Stdout {
            return self.finish().map(drop);
        }
        let recorded = self.writer.finish().map_err(|error| Failure::Runtime(error.into()))?;
        for part in recorded.parts {
            if let Err(error) = std::fs::remove_file(&part.path) {
                tracing::debug!("{}: {error}", part.path.display());
            }
        }
        Ok(())
    }

    /// Gives the file up, which could not be written; says what can be read of it.
    pub(super) fn abandon(self, error: SinkError) -> Failure {
        let readable = counted(self.writer.abandon(), "message");
        Failure::Runtime(anyhow!("{error}; {readable} can be read"))
    }
}
