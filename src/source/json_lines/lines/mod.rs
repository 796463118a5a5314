//! From whole lines to batches: reads each line, finds its channel, and puts its payload where it can be sent from.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::assembly::Assembly;
use super::csv::Header;
use super::line::{self, BadLine, Kind};
use super::notes::{InputCounts, Notes};
use super::refuse;
use super::said::{Fault, Message, Said, SchemaLine};
use super::timing::{Held, Timing, Verdict};
use super::{JsonLinesOptions, Line, LineForm, NanPolicy, nan, stray};
use crate::model::Schema;
use crate::source::live::{Input, LiveChannels};
use crate::source::{Hint, Hints, SourceError};
use crate::time::Timestamp;

mod message;

use message::Cached;

/// What becomes of lines, apart from where they come from.
pub(super) struct Lines {
    name: String,
    options: Arc<JsonLinesOptions>,
    channels: Input,
    cache: HashMap<String, Cached>,
    notes: Notes,
    /// Names of fields, once the first line of comma separated values was read.
    header: Option<Header>,
    /// Of lines that are played by their times.
    timing: Option<Timing>,
}

/// Where the text is that a message was read from.
#[derive(Clone, Copy)]
enum Text<'t> {
    /// In the piece of the stream.
    AsItCame,
    /// Beside it; numbers that JSON does not have were replaced in this line.
    WithoutNan(&'t str),
    /// Beside it.
    Made,
}

/// A piece of the stream, and what has been made of it.
struct Yield<'p> {
    piece: &'p Bytes,
    arrival: Timestamp,
    /// Of the line that is read.
    number: u64,
    assembly: Assembly,
    done: Vec<Result<Line, SourceError>>,
}

impl Yield<'_> {
    /// Ends the batch: what comes next must not be in it.
    fn cut(&mut self) {
        let assembly = std::mem::take(&mut self.assembly);
        if !assembly.is_empty() {
            self.done.push(Ok(Line::Batch(assembly.finish(self.piece))));
        }
    }
}

impl Lines {
    pub(super) fn new(name: String, options: Arc<JsonLinesOptions>, channels: Arc<LiveChannels>) -> Self {
        let (channels, notes) = (channels.input(), Notes::new(name.clone()));
        Self { name, options, channels, cache: HashMap::new(), notes, header: None, timing: None }
    }

    /// Says hints like this.
    pub(super) fn set_hints(&mut self, hints: Hints) {
        self.notes.hints = hints;
    }

    /// Counts them beside others as well.
    pub(super) fn set_totals(&mut self, totals: Arc<InputCounts>) {
        self.notes.totals = Some(totals);
    }

    /// The lines are played by their times.
    pub(super) fn set_paced(&mut self) {
        self.timing = Some(Timing::default());
    }

    pub(super) fn counts(&self) -> &Arc<InputCounts> {
        &self.notes.counts
    }

    /// What is left at the end of the input, which is summed up. An error if nothing of it could be used.
    pub(super) fn end(&mut self, arrival: Timestamp) -> Vec<Result<Line, SourceError>> {
        let piece = Bytes::new();
        let mut to =
            Yield { piece: &piece, arrival, number: 0, assembly: Assembly::default(), done: Vec::new() };
        if let Some(held) = self.timing.as_mut().and_then(Timing::end) {
            self.on_held(&held, &mut to);
        }
        to.cut();
        let unused = self.notes.end().filter(|_| !self.options.strict);
        to.done.extend(unused.map(|reason| Err(SourceError::Unusable { name: self.name.clone(), reason })));
        to.done
    }

    /// Time has passed in a read; `begun`: what has come of the next line.
    pub(super) fn on_time(&mut self, begun: &[u8]) {
        self.notes.on_time(begun, Instant::now());
    }

    /// Skips a line that was too long to be kept; in strict mode that is an error.
    pub(super) fn skip_too_long(&mut self) -> Option<SourceError> {
        let line = self.notes.line();
        self.refuse(line, refuse::too_long(&self.options), b"")
    }

    /// Skips a line for which there is no room; in strict mode that is an error.
    pub(super) fn skip_without_room(&mut self) -> Option<SourceError> {
        let line = self.notes.line();
        self.refuse(line, refuse::no_room(), b"")
    }

    /// A command was read where none is carried out.
    pub(super) fn skip_command(&mut self) {
        self.notes.skip_command();
    }

    /// The batches that a piece of the stream makes, with commands and, in strict mode, errors between them.
    pub(super) fn read(&mut self, piece: &Bytes, arrival: Timestamp) -> Vec<Result<Line, SourceError>> {
        let mut to = Yield { piece, arrival, number: 0, assembly: Assembly::default(), done: Vec::new() };
        let whole = std::str::from_utf8(piece).ok();
        let (mut start, end) = (0, piece.len());
        while start < end {
            let stop = memchr::memchr(b'\n', &piece[start..]).map_or(end, |length| start + length);
            to.number = self.notes.line();
            let result = if stop - start > self.options.max_line {
                Err(refuse::too_long(&self.options))
            } else {
                match whole {
                    Some(text) => Ok(&text[start..stop]),
                    None => {
                        std::str::from_utf8(&piece[start..stop]).map_err(|error| refuse::not_text(&error))
                    }
                }
                .and_then(|text| self.on_line(text, &mut to))
            };
            if let Err(bad) = result
                && let Some(error) = self.refuse(to.number, bad, &piece[start..stop])
            {
                to.cut();
                to.done.push(Err(error));
            }
            start = stop + 1;
        }
        to.cut();
        to.done
    }

    /// A bad line: reported, or in strict mode an error.
    fn refuse(&mut self, line: u64, bad: BadLine, text: &[u8]) -> Option<SourceError> {
        self.notes.count_bad();
        if !self.options.strict {
            self.notes.report(line, &bad, text, Instant::now());
            return None;
        }
        let reason = bad.told(self.notes.hints);
        Some(SourceError::Line { name: self.name.clone(), line, column: bad.column, reason })
    }

    fn on_line(&mut self, text: &str, to: &mut Yield<'_>) -> Result<(), BadLine> {
        let marked = text.trim_start_matches('\u{feff}');
        let bare = marked.trim_ascii();
        if bare.is_empty() || bare.starts_with('#') {
            return Ok(());
        }
        if self.options.form == LineForm::Csv {
            // tabs at the ends of a line separate values
            return self.on_row(marked.trim_end_matches(['\r', '\n']), to);
        }
        let before = line::column(text, bare) - 1;
        if !bare.starts_with('{') {
            return Err(stray::bad_line(bare, before + 1));
        }
        self.on_object(bare, Text::AsItCame, to).map_err(|bad| BadLine { column: bad.column + before, ..bad })
    }

    /// A line of comma separated values; the first names them.
    fn on_row(&mut self, row: &str, to: &mut Yield<'_>) -> Result<(), BadLine> {
        match &self.header {
            None => {
                let header = Header::read(row)?;
                if header.is_numbers {
                    self.notes.names_are_numbers(row);
                }
                self.header = Some(header);
                Ok(())
            }
            Some(header) => {
                let object = header.object(row)?;
                self.on_object(&object, Text::Made, to).map_err(|bad| BadLine { column: 1, ..bad })
            }
        }
    }

    fn on_object(&mut self, text: &str, place: Text<'_>, to: &mut Yield<'_>) -> Result<(), BadLine> {
        match Said::read(text, &self.options) {
            Ok(said) => self.on_said(said, text, place, to),
            Err(Fault::Bad(bad)) => Err(bad),
            Err(Fault::Syntax(error)) => self.on_invalid(text, &error, to),
        }
    }

    /// A line that is not JSON, but perhaps for its numbers.
    fn on_invalid(
        &mut self,
        text: &str,
        error: &serde_json::Error,
        to: &mut Yield<'_>,
    ) -> Result<(), BadLine> {
        let Some((strings, first)) = nan::replaced(text, true) else { return Err(BadLine::syntax(error)) };
        if self.options.nan == NanPolicy::Reject {
            return Err(BadLine::new(Kind::Nan, first + 1, "NaN and Infinity are not JSON").with(Hint::Nan));
        }
        match Said::read(&strings, &self.options) {
            Ok(said) => self.on_said(said, text, Text::WithoutNan(text), to),
            Err(Fault::Bad(bad)) => Err(bad),
            // up to the first such number the place of the other fault is the same in the line as it came
            Err(Fault::Syntax(other)) if other.column() <= first => Err(BadLine::syntax(&other)),
            Err(Fault::Syntax(other)) => Err(BadLine { column: first + 1, ..BadLine::syntax(&other) }),
        }
    }

    fn on_said(
        &mut self,
        said: Said<'_>,
        text: &str,
        place: Text<'_>,
        to: &mut Yield<'_>,
    ) -> Result<(), BadLine> {
        match said {
            Said::Message(message) => {
                if self.is_in_time(&message, text, to) {
                    self.on_message(&message, place, to)?;
                } else {
                    return Ok(());
                }
            }
            Said::Channel(channel) => self.on_channel(channel, to)?,
            Said::Schema(SchemaLine { name, encoding, data }) => {
                let schema = Schema { name: name.into_owned(), encoding: encoding.into_owned(), data };
                self.channels
                    .declare_schema(schema)
                    .map_err(|reason| BadLine::new(Kind::Channel, 1, reason))?;
            }
            Said::Command(_) if matches!(place, Text::WithoutNan(_)) => {
                return Err(BadLine::new(Kind::Nan, 1, "a command can't have NaN or Infinity"));
            }
            Said::Command(command) => {
                to.cut();
                to.done.push(Ok(Line::Command { line: to.number, command }));
            }
            Said::Event => self.notes.event(),
        }
        self.notes.usable();
        Ok(())
    }

    /// Whether a message is played now. If it lies far ahead it is held, as `text`.
    fn is_in_time(&mut self, message: &Message<'_>, text: &str, to: &mut Yield<'_>) -> bool {
        let (Some(timing), Some(time)) = (&mut self.timing, &message.log_time) else { return true };
        let verdict = timing.judge(time.at);
        let is_first = timing.position().is_none();
        let is_in_time = timing.accept(time.at);
        if is_first {
            // those before it had no time
            to.assembly.set_times(time.at);
        }
        match verdict {
            Some(Verdict::Right(held)) => self.on_held(&held, to),
            Some(Verdict::Alone(held)) => {
                let reason = format!("the time {} lies far after those around it", held.time);
                let bad = BadLine::new(Kind::Time, 1, reason);
                if let Some(error) = self.refuse(held.number, bad, held.text.as_bytes()) {
                    to.cut();
                    to.done.push(Err(error));
                }
            }
            None => {}
        }
        if let Some(timing) = self.timing.as_mut().filter(|_| !is_in_time) {
            timing.hold(Held { number: to.number, text: text.to_owned(), time: time.at });
        }
        is_in_time
    }

    /// A line that was held turns out to be right.
    fn on_held(&mut self, held: &Held, to: &mut Yield<'_>) {
        let timing = self.timing.take();
        let number = std::mem::replace(&mut to.number, held.number);
        if let Err(bad) = self.on_object(&held.text, Text::Made, to)
            && let Some(error) = self.refuse(held.number, bad, held.text.as_bytes())
        {
            to.cut();
            to.done.push(Err(error));
        }
        to.number = number;
        self.timing = timing;
    }
}
