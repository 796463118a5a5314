//! A message, or a declaration of a channel, to its place in a batch.

use super::{Lines, Text, Yield};
use crate::model::{ChannelId, Entry};
use crate::numeric_time::Zone;
use crate::payload::MessageType;
use crate::printable::printable;
use crate::source::Hint;
use crate::source::json_lines::line::{BadLine, Kind};
use crate::source::json_lines::refuse::{self, TOPIC, not_an_object, number};
use crate::source::json_lines::said::{self, ChannelLine, Message, Payload, Said};
use crate::source::json_lines::timing::Timing;
use crate::source::json_lines::{JsonLinesOptions, NanPolicy, nan};
use crate::source::live::{Given, Resolved, Traits, Wanted};

/// Topics whose channel an input has at hand: those that are live, and some that are left out.
const MAX_CACHED: usize = 20_000;

/// Bytes that can be made of one piece of a stream, so that offsets fit into 32 bits. Defaults that are written out can make
/// a message a multiple of what was given.
const MAX_MADE: usize = 2 << 30;

/// The channel of the last message on a topic, and what that message said.
pub(super) struct Cached {
    schema: Option<String>,
    encoding: Option<String>,
    given: Given,
    /// None if the topic is left out.
    resolved: Option<Resolved>,
    generation: u64,
}

impl Lines {
    pub(super) fn on_channel(&mut self, channel: ChannelLine<'_>, to: &mut Yield<'_>) -> Result<(), BadLine> {
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

    pub(super) fn on_message(
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
        if log_time.is_none() && self.timing.is_none() {
            to.assembly.batch().arrival = Some(to.arrival);
        }
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
                to.assembly.batch().retired.push(*retired);
            }
            if self.id(wanted.topic) != Some(live.channel.id) {
                to.assembly.batch().announcements.push(live.channel.clone());
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
