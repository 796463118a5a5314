//! Messages from JSON lines, as they arrive: from stdin, a pipe or a socket.
//!
//! Payloads are passed on byte for byte, without a copy where a read gave much of them, and parsed no further than to
//! find their end. A line that can't be used is skipped and counted, whatever it holds; with [`JsonLinesOptions::strict`]
//! it is an error. Bound: one line of the longest size allowed, and one read; and a bound on what the unfinished lines of
//! all inputs of a server have together.

use std::io::{ErrorKind, Read};
use std::sync::Arc;

use super::live::LiveChannels;
use super::{Hints, SourceError, Stop, Stream};
use crate::model::Batch;
use crate::time::Timestamp;

mod assembly;
mod buffer;
mod command;
mod csv;
mod line;
mod lines;
mod notes;
mod options;
mod path;
mod recording;
mod refuse;
mod said;
mod stray;
mod summary;
mod tail;
#[cfg(test)]
mod tests;
mod times;
mod timing;
mod unfinished;

pub use crate::numeric_time::TimeUnit;
pub use crate::payload::NanPolicy;
use crate::payload::nan;
pub use command::{Command, ServiceLine};
pub use notes::InputCounts;
pub use options::{JsonLinesOptions, LARGEST_MAX_LINE, LineForm};
pub use recording::{is_file_of_lines, open_recording};
pub(in crate::source) use summary::summary;
pub use summary::{LinesRead, file_summary};
pub use tail::{Tail, TailFrom};

use buffer::{LineBuffer, Piece};
use lines::Lines;
pub use notes::PATIENCE;
use unfinished::Share;

/// The time that a JSON value means, given as its text, in any notation that lines can have.
pub(crate) fn time(value: &str) -> Result<Timestamp, String> {
    times::parse(value, None).map(|parsed| parsed.at).map_err(|why| why.to_string())
}

/// What lines give, in their order.
#[derive(Debug, Clone)]
pub enum Line {
    /// Channels, and messages of lines that follow each other.
    Batch(Batch),
    /// A command.
    Command {
        /// The number of its line, from 1.
        line: u64,
        /// What it asks for.
        command: Command,
    },
}

/// JSON lines as a stream.
///
/// [`Stream::next`] waits in a read, and returns all messages of the lines that it completes. As a plain stream it carries
/// no command out: they are skipped, with one warning. [`JsonLines::next_line`] gives them too.
pub struct JsonLines<R> {
    name: String,
    stream: R,
    stop: Stop,
    buffer: LineBuffer,
    lines: Lines,
    /// Parsed and not yet taken, in the order of the stream, with the next at the end.
    ready: Vec<Result<Line, SourceError>>,
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
        let share = Share::of(channels.unfinished());
        let buffer = LineBuffer::new(options.max_line.min(LARGEST_MAX_LINE), share);
        let lines = Lines::new(name.clone(), options, channels);
        Self {
            name,
            stream,
            stop: stop.clone(),
            buffer,
            lines,
            ready: Vec::new(),
            ended: false,
            clock: Timestamp::now,
        }
    }

    /// Takes the time of arrival from another clock.
    #[must_use]
    pub fn with_clock(self, clock: fn() -> Timestamp) -> Self {
        Self { clock, ..self }
    }

    /// Names the way out of what is wrong as a program's users know it.
    #[must_use]
    pub fn with_hints(mut self, hints: Hints) -> Self {
        self.lines.set_hints(hints);
        self
    }

    /// Counts what is read beside what other inputs read as well.
    #[must_use]
    pub fn with_totals(mut self, totals: Arc<InputCounts>) -> Self {
        self.lines.set_totals(totals);
        self
    }

    /// For playback by log time: a line without a time is of the time of the line before it, and one whose time is far
    /// ahead of all others is skipped.
    #[must_use]
    pub fn paced(mut self) -> Self {
        self.lines.set_paced();
        self
    }

    /// What its channels are claimed by.
    fn into_lines(self) -> Lines {
        self.lines
    }

    /// As [`Stream::next`], with commands in their places.
    pub fn next_line(&mut self) -> Result<Option<Line>, SourceError> {
        loop {
            if let Some(next) = self.ready.pop() {
                return next.map(Some);
            }
            if self.ended || self.stop.is_stopped() {
                return Ok(None);
            }
            match self.buffer.next(&mut self.stream) {
                Err(_) if self.stop.is_stopped() => return Ok(None),
                Err(error) if error.kind() == ErrorKind::TimedOut => self.lines.on_time(self.buffer.begun()),
                Err(error) => {
                    self.ended = true;
                    self.ready = self.lines.end((self.clock)());
                    self.ready.retain(Result::is_ok);
                    self.ready.reverse();
                    self.ready.insert(0, Err(SourceError::Io { name: self.name.clone(), error }));
                }
                Ok(Piece::Lines(piece)) => {
                    self.ready = self.lines.read(&piece, (self.clock)());
                    self.ready.reverse();
                }
                Ok(Piece::TooLong) => self.ready.extend(self.lines.skip_too_long().map(Err)),
                Ok(Piece::NoRoom) => self.ready.extend(self.lines.skip_without_room().map(Err)),
                Ok(Piece::End) => {
                    self.ended = true;
                    self.ready = self.lines.end((self.clock)());
                    self.ready.reverse();
                }
            }
        }
    }

    /// What has been read so far; kept up to date.
    pub fn counts(&self) -> Arc<InputCounts> {
        self.lines.counts().clone()
    }
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
            match self.next_line()? {
                Some(Line::Batch(batch)) => return Ok(Some(batch)),
                Some(Line::Command { .. }) => self.lines.skip_command(),
                None => return Ok(None),
            }
        }
    }
}
