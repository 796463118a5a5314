//! From whole lines to batches: reads each line, finds its channel, and puts its payload where it can be sent from.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::assembly::Assembly;
use super::line::{self, BadLine};
use super::notes::{InputCounts, Notes};
use super::said::{self, ChannelLine, Fault, Message, Payload, Said, SchemaLine};
use super::{JsonLinesOptions, NanPolicy, nan};
use crate::model::{Batch, ChannelId, Entry, Schema};
use crate::source::SourceError;
use crate::source::live::{Given, LiveChannels, Resolved, Traits, Wanted, Writer};
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
    channels: Arc<LiveChannels>,
    writer: Writer,
    cache: HashMap<String, Cached>,
    notes: Notes,
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

fn too_long(options: &JsonLinesOptions) -> BadLine {
    BadLine::new(1, format!("the line is longer than {} bytes; max_line allows more", options.max_line))
}

impl Lines {
    pub(super) fn new(name: String, options: Arc<JsonLinesOptions>, channels: Arc<LiveChannels>) -> Self {
        let notes = Notes::new(name.clone());
        let writer = channels.join();
        Self { name, options, channels, writer, cache: HashMap::new(), notes }
    }

    pub(super) fn counts(&self) -> &Arc<InputCounts> {
        &self.notes.counts
    }

    /// Sums up at the end of the input.
    pub(super) fn end(&self) {
        self.notes.end();
    }

    /// Skips a line that was too long to be kept; in strict mode that is an error.
    pub(super) fn skip(&mut self) -> Option<SourceError> {
        let line = self.notes.line();
        self.refuse(line, too_long(&self.options))
    }

    /// The batches that a piece of the stream makes, and in strict mode the errors between them.
    pub(super) fn read(&mut self, piece: &Bytes, arrival: Timestamp) -> Vec<Result<Batch, SourceError>> {
        let mut to = Yield { piece, arrival, assembly: Assembly::default(), done: Vec::new() };
        let whole = std::str::from_utf8(piece).ok();
        let (mut start, end) = (0, piece.len());
        while start < end {
            let stop = memchr::memchr(b'\n', &piece[start..]).map_or(end, |length| start + length);
            let number = self.notes.line();
            let result = if stop - start > self.options.max_line {
                Err(too_long(&self.options))
            } else {
                match whole {
                    Some(text) => Ok(&text[start..stop]),
                    None => std::str::from_utf8(&piece[start..stop]).map_err(|error| not_text(&error)),
                }
                .and_then(|text| self.on_line(text, &mut to))
            };
            if let Err(bad) = result
                && let Some(error) = self.refuse(number, bad)
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
    fn refuse(&mut self, line: u64, bad: BadLine) -> Option<SourceError> {
        self.notes.count_bad();
        if !self.options.strict {
            self.notes.report(line, &bad, Instant::now());
            return None;
        }
        let BadLine { column, reason } = bad;
        Some(SourceError::Line { name: self.name.clone(), line, column, reason })
    }

    fn on_line(&mut self, text: &str, to: &mut Yield<'_>) -> Result<(), BadLine> {
        let bare = text.trim_start_matches('\u{feff}').trim_ascii();
        if bare.is_empty() || bare.starts_with('#') {
            return Ok(());
        }
        let before = line::column(text, bare) - 1;
        if !bare.starts_with('{') {
            return Err(BadLine::new(
                before + 1,
                "the line is not a JSON object, {\"topic\":…,\"data\":{…}}",
            ));
        }
        let result = match Said::read(bare, &self.options) {
            Ok(said) => self.on_said(said, None, to),
            Err(Fault::Bad(bad)) => Err(bad),
            Err(Fault::Syntax(error)) => self.on_invalid(bare, &error, to),
        };
        result.map_err(|bad| BadLine { column: bad.column + before, ..bad })
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
            let reason = "NaN and Infinity are not JSON; the options null and string of nan take them";
            return Err(BadLine::new(first + 1, reason));
        }
        match Said::read(&strings, &self.options) {
            Ok(said) => self.on_said(said, Some(text), to),
            Err(Fault::Bad(bad)) => Err(bad),
            // up to the first such number the place of the other fault is the same in the line as it came
            Err(Fault::Syntax(other)) if other.column() <= first => Err(BadLine::syntax(&other)),
            Err(Fault::Syntax(other)) => Err(BadLine { column: first + 1, ..BadLine::syntax(&other) }),
        }
    }

    /// `original`: the line as it came, if numbers had to be replaced in it to read it.
    fn on_said(&mut self, said: Said<'_>, original: Option<&str>, to: &mut Yield<'_>) -> Result<(), BadLine> {
        match said {
            Said::Message(message) => self.on_message(&message, original, to),
            Said::Channel(channel) => self.on_channel(channel, to),
            Said::Schema(SchemaLine { name, encoding, data }) => {
                let schema = Schema { name: name.into_owned(), encoding: encoding.into_owned(), data };
                self.channels.declare_schema(schema).map_err(|reason| BadLine::new(1, reason))
            }
        }
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
        let resolved = resolved.map_err(|reason| BadLine::new(1, reason))?;
        self.remember(wanted, resolved, to);
        Ok(())
    }

    fn on_message(
        &mut self,
        message: &Message<'_>,
        original: Option<&str>,
        to: &mut Yield<'_>,
    ) -> Result<(), BadLine> {
        let bad = |reason: String| BadLine::new(message.column, reason);
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
            let resolved = self.channels.resolve(wanted, to.arrival).map_err(bad)?;
            self.remember(wanted, resolved, to);
        }
        let Some(Cached { resolved: Some(Resolved { live, encoder, .. }), .. }) =
            self.cache.get(wanted.topic)
        else {
            return Ok(());
        };
        if original.is_some() && live.topic.warn_once() {
            tracing::warn!(
                "{}: messages have NaN or Infinity, which is not JSON; the option nan says what becomes of them",
                live.channel.topic
            );
        }
        let log_time = message.log_time.unwrap_or(to.arrival);
        let mut entry = Entry {
            log_time,
            publish_time: message.publish_time.unwrap_or(log_time),
            channel: live.channel.id,
            sequence: 0,
            buffer: 0,
            offset: 0,
            length: 0,
            origin: self.writer.number(),
        };
        let made = to.assembly.made();
        let start = made.len();
        let mut shared = false;
        match (&message.payload, encoder) {
            (Payload::Base64(text), _) => said::decode_base64(text, made).map_err(bad)?,
            (Payload::Json(json), Some(encoder)) => {
                encoder.encode(json, made).map_err(|error| bad(error.to_string()))?;
            }
            (Payload::Json(json), None) if !json.starts_with('{') => {
                let reason = "the message is not a JSON object, as viewers need it; write {\"value\":…}";
                return Err(bad(reason.to_owned()));
            }
            (Payload::Json(json), None) => match original {
                None => {
                    let offset = (json.as_ptr() as usize).wrapping_sub(to.piece.as_ptr() as usize);
                    (entry.offset, entry.length) = (number(offset)?, number(json.len())?);
                    shared = true;
                }
                Some(_) if self.options.nan == NanPolicy::String => made.extend_from_slice(json.as_bytes()),
                Some(original) => extend_with_nulls(original, &self.options, made)?,
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

fn not_text(error: &std::str::Utf8Error) -> BadLine {
    BadLine::new(error.valid_up_to() + 1, "the line is not UTF-8 from here on")
}

fn number(place: usize) -> Result<u32, BadLine> {
    u32::try_from(place).map_err(|_error| BadLine::new(1, "the line is too long"))
}

/// Appends the payload of a line with null in the place of numbers that JSON does not have.
fn extend_with_nulls(line: &str, options: &JsonLinesOptions, made: &mut Vec<u8>) -> Result<(), BadLine> {
    let (nulls, _) = nan::replaced(line, false).unwrap_or_default();
    match Said::read(&nulls, options) {
        Ok(Said::Message(Message { payload: Payload::Json(json), .. })) => {
            made.extend_from_slice(json.as_bytes())
        }
        // it was read with strings in their place, where it said the same
        _ => return Err(BadLine::new(1, "the line can't be read without its NaN or Infinity")),
    }
    Ok(())
}
