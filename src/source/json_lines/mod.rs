//! Messages from JSON lines, as they arrive: from stdin, a pipe or a socket.
//!
//! Payloads are passed on byte for byte, without a copy where a read gave much of them, and parsed no further than to
//! find their end. A line that can't be used is skipped and counted, whatever it holds; with [`JsonLinesOptions::strict`]
//! it is an error. Bound: one line of the longest size allowed, and one read.

use std::io::Read;
use std::sync::Arc;
use std::time::SystemTime;

use super::live::LiveChannels;
use super::{SourceError, Stop, Stream};
use crate::model::Batch;
use crate::time::Timestamp;

mod assembly;
mod buffer;
mod line;
mod lines;
mod nan;
mod notes;
mod options;
mod said;
#[cfg(test)]
mod tests;
mod times;

pub use nan::NanPolicy;
pub use notes::InputCounts;
pub use options::{JsonLinesOptions, LARGEST_MAX_LINE};
pub use times::TimeUnit;

use buffer::{LineBuffer, Piece};
use lines::Lines;

/// JSON lines as a stream.
///
/// [`Stream::next`] waits in a read, and returns all messages of the lines that it completes.
pub struct JsonLines<R> {
    name: String,
    stream: R,
    stop: Stop,
    buffer: LineBuffer,
    lines: Lines,
    /// Parsed and not yet taken, in the order of the stream, with the next at the end.
    ready: Vec<Result<Batch, SourceError>>,
    ended: bool,
    clock: fn() -> Timestamp,
}

impl<R: Read + Send> JsonLines<R> {
    /// The lines that are read; `name` is what people know them by: `stdin`, `127.0.0.1:51234`. A read that fails once
    /// `stop` is stopped is the end.
    pub fn new(
        name: String,
        stream: R,
        stop: &Stop,
        options: Arc<JsonLinesOptions>,
        channels: Arc<LiveChannels>,
    ) -> Self {
        let buffer = LineBuffer::new(options.max_line.min(LARGEST_MAX_LINE));
        let lines = Lines::new(name.clone(), options, channels);
        Self {
            name,
            stream,
            stop: stop.clone(),
            buffer,
            lines,
            ready: Vec::new(),
            ended: false,
            clock: wall_clock,
        }
    }

    /// Takes the time of arrival from another clock.
    #[must_use]
    pub fn with_clock(self, clock: fn() -> Timestamp) -> Self {
        Self { clock, ..self }
    }

    /// What has been read so far; kept up to date.
    pub fn counts(&self) -> Arc<InputCounts> {
        self.lines.counts().clone()
    }
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::MIN.saturating_add(since)
}

impl<R: Read + Send> Stream for JsonLines<R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        loop {
            if let Some(next) = self.ready.pop() {
                return next.map(Some);
            }
            if self.ended || self.stop.is_stopped() {
                return Ok(None);
            }
            match self.buffer.next(&mut self.stream) {
                Err(_) if self.stop.is_stopped() => return Ok(None),
                Err(error) => {
                    self.ended = true;
                    self.lines.end();
                    return Err(SourceError::Io { name: self.name.clone(), error });
                }
                Ok(Piece::Lines(piece)) => {
                    self.ready = self.lines.read(&piece, (self.clock)());
                    self.ready.reverse();
                }
                Ok(Piece::TooLong) => self.ready.extend(self.lines.skip().map(Err)),
                Ok(Piece::End) => {
                    self.ended = true;
                    self.lines.end();
                }
            }
        }
    }
}
