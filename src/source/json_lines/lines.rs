//! From whole lines to batches: reads each line, finds its channel, and puts its payload where it can be sent from.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::assembly::Assembly;
use super::csv::Header;
use super::line::{self, BadLine, Kind};
use super::notes::{InputCounts, Notes};
use super::refuse::{self, TOPIC, not_an_object, number};
use super::said::{self, ChannelLine, Fault, Message, Payload, Said, SchemaLine};
use super::timing::{Held, Timing, Verdict};
use super::{JsonLinesOptions, LineForm, NanPolicy, nan, stray};
use crate::model::{Batch, ChannelId, Entry, Schema};
use crate::numeric_time::Zone;
use crate::payload::MessageType;
use crate::printable::printable;
use crate::source::live::{Given, Input, LiveChannels, Resolved, Traits, Wanted};
use crate::source::{Hint, Hints, SourceError};
use crate::time::Timestamp;

/// Topics whose channel an input has at hand: those that are live, and some that are left out.
const MAX_CACHED: usize = 20_000;

/// Bytes that can be made of one piece of a stream, so that offsets fit into 32 bits. Defaults that are written out can make
/// a message a multiple of what was given.
const MAX_MADE: usize = 2 << 30;

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

/// The channel of the last message on a topic, and what that message said.
struct Cached {
    schema: Option<String>,
    encoding: Option<String>,
    given: Given,
    /// None if the topic is left out.
    resolved: Option<Resolved>,
    generation: u64,
}

/// A piece of the stream, and what has been made of it.
struct Yield<'p> {
    piece: &'p Bytes,
    arrival: Timestamp,
    /// Of the line that is read.
    number: u64,
    assembly: Assembly,
    done: Vec<Result<Batch, SourceError>>,
}

impl Yield<'_> {
    /// Ends the batch: what comes next must not be in it.
    fn cut(&mut self) {
        let assembly = std::mem::take(&mut self.assembly);
        if !assembly.is_empty() {
            self.done.push(Ok(assembly.finish(self.piece)));
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

    /// The lines are played by their times.
    pub(super) fn set_paced(&mut self) {
        self.timing = Some(Timing::default());
    }

    pub(super) fn counts(&self) -> &Arc<InputCounts> {
        &self.notes.counts
    }

    /// What is left at the end of the input, which is summed up. An error if nothing of it could be used.
    pub(super) fn end(&mut self, arrival: Timestamp) -> Vec<Result<Batch, SourceError>> {
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

    /// The batches that a piece of the stream makes, and in strict mode the errors between them.
    pub(super) fn read(&mut self, piece: &Bytes, arrival: Timestamp) -> Vec<Result<Batch, SourceError>> {
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

    fn on_channel(&mut self, channel: ChannelLine<'_>, to: &mut Yield<'_>) -> Result<(), BadLine> {
        let wanted = Wanted {
            topic: &channel.topic,
            schema: channel.schema.as_deref(),
            encoding: channel.encoding.as_deref(),
            given: Given::Nothing,
        };
        let traits = Traits { metadata: channel.metadata, latched: channel.latched };
        let resolved = self.channels.declare_channel(wanted, traits, to.arrival);
        let resolved = resolved.map_err(|refusal| refuse::refused(refusal, 1))?;
        self.remember(wanted, resolved, to);
        Ok(())
    }

    fn on_message(
        &mut self,
        message: &Message<'_>,
        place: Text<'_>,
        to: &mut Yield<'_>,
    ) -> Result<(), BadLine> {
        let bad = |reason: String| BadLine::new(Kind::Payload, message.column, reason);
        let given = match &message.payload {
            Payload::Json(_) => Given::Json,
            Payload::Base64(_) => Given::Bytes,
        };
        let wanted = Wanted {
            topic: &message.topic,
            schema: message.schema.as_deref(),
            encoding: message.encoding.as_deref(),
            given,
        };
        if !self.cache.get(wanted.topic).is_some_and(|known| known.holds(wanted, self.channels.generation()))
        {
            let fits = |encoder: Option<&MessageType>| refuse::fits(message, encoder);
            let resolved = self.channels.resolve(wanted, to.arrival, fits);
            let resolved = resolved.map_err(|refusal| refuse::refused(refusal, message.column))?;
            self.remember(wanted, resolved, to);
        }
        let Some(Cached { resolved: Some(Resolved { live, encoder, .. }), .. }) =
            self.cache.get(wanted.topic)
        else {
            return Ok(());
        };
        if matches!(place, Text::WithoutNan(_)) && live.topic.warn_once() {
            let (topic, hint) = (printable(&live.channel.topic, TOPIC), (self.notes.hints)(Hint::Nan));
            tracing::warn!("{topic}: messages have NaN or Infinity, which is not JSON; {hint}");
        }
        let times = [message.log_time, message.publish_time];
        if times.iter().flatten().any(|time| time.zone == Zone::Assumed) {
            self.notes.assumed_zone();
        }
        let [log_time, publish_time] = times.map(|time| time.map(|time| time.at));
        let now = self.timing.as_ref().and_then(Timing::position).unwrap_or(to.arrival);
        let log_time = log_time.unwrap_or(now);
        let mut entry = Entry {
            log_time,
            publish_time: publish_time.unwrap_or(log_time),
            channel: live.channel.id,
            sequence: 0,
            buffer: 0,
            offset: 0,
            length: 0,
            origin: self.channels.origin(),
        };
        let made = to.assembly.made();
        let start = made.len();
        let mut shared = false;
        match (&message.payload, encoder) {
            (Payload::Base64(text), _) => said::decode_base64(text, made).map_err(bad)?,
            (Payload::Json(json), Some(encoder)) => {
                let zone = encoder.encode(json, made).map_err(|error| bad(error.to_string()))?;
                if zone == Zone::Assumed {
                    self.notes.assumed_zone();
                }
            }
            (Payload::Json(json), None) if !json.starts_with('{') => {
                return Err(bad(not_an_object(&message.topic, json)));
            }
            (Payload::Json(json), None) => match place {
                Text::AsItCame => {
                    let offset = (json.as_ptr() as usize).wrapping_sub(to.piece.as_ptr() as usize);
                    (entry.offset, entry.length) = (number(offset)?, number(json.len())?);
                    shared = true;
                }
                Text::WithoutNan(original) if self.options.nan != NanPolicy::String => {
                    extend_with_nulls(original, &self.options, made)?;
                }
                Text::WithoutNan(_) | Text::Made => made.extend_from_slice(json.as_bytes()),
            },
        }
        if made.len() > MAX_MADE {
            made.truncate(start);
            return Err(bad("the message takes too many bytes as it is sent; split it".to_owned()));
        }
        entry.sequence = message.sequence.unwrap_or_else(|| live.topic.next_sequence());
        if shared {
            to.assembly.push_shared(entry);
        } else {
            to.assembly.push_made(start, entry);
        }
        self.notes.message();
        Ok(())
    }

    /// Keeps the channel for the next messages of the topic, and announces it if this input has not used it before.
    fn remember(&mut self, wanted: Wanted<'_>, resolved: Option<Resolved>, to: &mut Yield<'_>) {
        if let Some(Resolved { live, retired, .. }) = &resolved {
            if let Some(retired) = retired {
                to.cut();
                to.assembly.channels().retired.push(*retired);
            }
            if self.id(wanted.topic) != Some(live.channel.id) {
                to.assembly.channels().announcements.push(live.channel.clone());
            }
        }
        if self.cache.len() >= MAX_CACHED {
            self.cache.clear();
        }
        let generation = resolved.as_ref().map_or(u64::MAX, |resolved| resolved.generation);
        let known = Cached {
            schema: wanted.schema.map(str::to_owned),
            encoding: wanted.encoding.map(str::to_owned),
            given: wanted.given,
            resolved,
            generation,
        };
        self.cache.insert(wanted.topic.to_owned(), known);
    }

    /// The channel that this input has announced for a topic.
    fn id(&self, topic: &str) -> Option<ChannelId> {
        Some(self.cache.get(topic)?.resolved.as_ref()?.live.channel.id)
    }
}

impl Cached {
    /// Whether it says what becomes of a message that says this.
    fn holds(&self, wanted: Wanted<'_>, generation: u64) -> bool {
        // which topics are left out does not change
        self.resolved.is_none()
            || self.generation == generation
                && self.given == wanted.given
                && self.schema.as_deref() == wanted.schema
                && self.encoding.as_deref() == wanted.encoding
    }
}

/// Appends the payload of a line with null in the place of numbers that JSON does not have.
fn extend_with_nulls(line: &str, options: &JsonLinesOptions, made: &mut Vec<u8>) -> Result<(), BadLine> {
    let (nulls, _) = nan::replaced(line, false).unwrap_or_default();
    match Said::read(&nulls, options) {
        Ok(Said::Message(Message { payload: Payload::Json(json), .. })) => {
            made.extend_from_slice(json.as_bytes())
        }
        // it was read with strings in their place, where it said the same
        _ => return Err(BadLine::new(Kind::Nan, 1, "the line can't be read without its NaN or Infinity")),
    }
    Ok(())
}
