//! What a line says: a message, the definition of a schema, how a channel is to be, or a command.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine};
use bytes::Bytes;
use serde_json::value::RawValue;

use super::command::{self, Command};
use super::line::{BadLine, Kind, Line, column, string};
use super::path::{missing, value_at};
use super::times::{self, Parsed, shortened};
use super::{JsonLinesOptions, LineForm};
use crate::source::{Hint, recorded_as_latched};

/// The standard alphabet, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a line says.
#[derive(Debug)]
pub(super) enum Said<'a> {
    Message(Message<'a>),
    Schema(SchemaLine<'a>),
    Channel(ChannelLine<'a>),
    Command(Command),
    /// What another server has printed beside its messages.
    Event,
}

/// A message, its payload still as it stands in the line.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) topic: Cow<'a, str>,
    pub(super) schema: Option<Cow<'a, str>>,
    pub(super) encoding: Option<Cow<'a, str>>,
    pub(super) payload: Payload<'a>,
    /// Where the payload begins in the line, in bytes from 1.
    pub(super) column: usize,
    pub(super) log_time: Option<Parsed>,
    pub(super) publish_time: Option<Parsed>,
    pub(super) sequence: Option<u32>,
}

/// A payload as it stands in the line.
#[derive(Debug)]
pub(super) enum Payload<'a> {
    Json(&'a str),
    Base64(Cow<'a, str>),
}

/// `{"op":"schema"}`: a schema that later lines name.
#[derive(Debug)]
pub(super) struct SchemaLine<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) encoding: Cow<'a, str>,
    pub(super) data: Bytes,
}

/// `{"op":"channel"}`: what lines of a topic need not say again.
#[derive(Debug)]
pub(super) struct ChannelLine<'a> {
    pub(super) topic: Cow<'a, str>,
    pub(super) schema: Option<Cow<'a, str>>,
    pub(super) encoding: Option<Cow<'a, str>>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) latched: bool,
}

/// Why a line says nothing.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is not JSON; perhaps it is with other numbers.
    Syntax(serde_json::Error),
    Bad(BadLine),
}

impl From<BadLine> for Fault {
    fn from(bad: BadLine) -> Self {
        Self::Bad(bad)
    }
}

impl<'a> Said<'a> {
    /// Reads a line, trimmed.
    pub(super) fn read(text: &'a str, options: &JsonLinesOptions) -> Result<Self, Fault> {
        if options.form == LineForm::Commands {
            return command_only(text);
        }
        if options.form != LineForm::Keyed {
            return whole(text, None, options).map(Self::Message);
        }
        let line = Line::parse(text).map_err(Fault::Syntax)?;
        if !line.is_keyed && options.default_topic.is_some() {
            return whole(text, line.log_time, options).map(Self::Message);
        }
        let Some(op) = line.op else { return Ok(Self::Message(message(text, &line, line.data, options)?)) };
        let name = string(text, "op", op)?;
        Ok(match &*name {
            "publish" => Self::Message(message(text, &line, line.msg.or(line.data), options)?),
            "schema" => Self::Schema(schema(text, &line)?),
            "channel" => Self::Channel(channel(text, &line, options)?),
            other if command::is_event(other) => Self::Event,
            other => match command::command(other, text)? {
                Some(command) => Self::Command(command),
                None => {
                    let reason = format!(
                        "op '{}' is unknown; it is publish, schema, channel, service, response or parameter, and a message \
                         needs none",
                        shortened(other)
                    );
                    return Err(BadLine::new(Kind::Value, column(text, op.get()), reason).into());
                }
            },
        })
    }
}

/// A line where nothing but commands is taken.
fn command_only(text: &str) -> Result<Said<'_>, Fault> {
    let line = Line::parse(text).map_err(Fault::Syntax)?;
    let op = line.op.map(|op| string(text, "op", op)).transpose()?;
    let op = op.as_deref().unwrap_or_default();
    if command::is_event(op) {
        return Ok(Said::Event);
    }
    match command::command(op, text)? {
        Some(command) => Ok(Said::Command(command)),
        None => {
            let reason = "beside a recording only commands are taken (op service, response, parameter)";
            Err(BadLine::new(Kind::Value, 1, reason).with(Hint::Shift).into())
        }
    }
}

fn optional<'a>(text: &str, key: &str, value: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>, BadLine> {
    value.map(|value| string(text, key, value)).transpose()
}

/// The topic of a line that names it, or else the default.
fn topic<'a>(text: &str, line: &Line<'a>, options: &JsonLinesOptions) -> Result<Cow<'a, str>, BadLine> {
    match (line.topic, &options.default_topic) {
        (Some(topic), _) => string(text, "topic", topic),
        (None, Some(topic)) => Ok(Cow::Owned(topic.clone())),
        (None, None) => {
            let hint = if line.is_keyed { Hint::DefaultTopic } else { Hint::WholeLines };
            Err(BadLine::new(Kind::NoTopic, 1, "there is no topic").with(hint))
        }
    }
}

fn time(
    text: &str,
    key: &str,
    value: Option<&RawValue>,
    options: &JsonLinesOptions,
) -> Result<Option<Parsed>, BadLine> {
    let read = |value: &RawValue| {
        times::parse(value.get(), options.time_unit).map_err(|fault| {
            let reason = format!("{key} {fault}");
            let bad = BadLine::new(Kind::Time, column(text, value.get()), reason);
            if fault.why == times::OVERFLOW { bad.with(Hint::TimeUnit) } else { bad }
        })
    };
    value.map(read).transpose()
}

fn message<'a>(
    text: &'a str,
    line: &Line<'a>,
    data: Option<&'a RawValue>,
    options: &JsonLinesOptions,
) -> Result<Message<'a>, BadLine> {
    let (payload, value) = match (data, line.data_base64) {
        (Some(data), None) => (Payload::Json(data.get()), data),
        (None, Some(data)) => (Payload::Base64(string(text, "data_base64", data)?), data),
        (Some(_), Some(both)) => {
            let reason = "there is data and data_base64; a message has one of them";
            return Err(BadLine::new(Kind::NoPayload, column(text, both.get()), reason));
        }
        (None, None) => {
            // one that names no topic either is most likely data itself
            if !line.is_keyed {
                topic(text, line, options)?;
            }
            return Err(BadLine::new(Kind::NoPayload, 1, "there is neither data nor data_base64"));
        }
    };
    let sequence = line.sequence.map(|value| {
        let reason = || format!("sequence {} is not a number below 2^32", shortened(value.get()));
        let bad = |_error| BadLine::new(Kind::Value, column(text, value.get()), reason());
        value.get().parse().map_err(bad)
    });
    Ok(Message {
        topic: topic(text, line, options)?,
        schema: optional(text, "schema", line.schema)?,
        encoding: optional(text, "encoding", line.encoding)?,
        payload,
        column: column(text, value.get()),
        log_time: time(text, "log_time", line.log_time, options)?,
        publish_time: time(text, "publish_time", line.publish_time, options)?,
        sequence: sequence.transpose()?,
    })
}

/// The whole line is the payload; `log_time` is what it has under that key.
fn whole<'a>(
    text: &'a str,
    log_time: Option<&'a RawValue>,
    options: &JsonLinesOptions,
) -> Result<Message<'a>, Fault> {
    let Some(topic) = options.default_topic.clone() else {
        let bad = BadLine::new(Kind::NoTopic, 1, "whole lines as messages need a topic");
        return Err(bad.with(Hint::DefaultTopic).into());
    };
    let value: &RawValue = serde_json::from_str(text).map_err(Fault::Syntax)?;
    let log_time = match &options.time_field {
        Some(path) => {
            let found = value_at(value.get(), path).ok_or_else(|| {
                BadLine::new(Kind::Time, 1, missing(value.get(), path)).with(Hint::TimeField)
            })?;
            time(text, path, Some(found), options)?
        }
        None => time(text, "log_time", log_time, options)?,
    };
    Ok(Message {
        topic: Cow::Owned(topic),
        schema: None,
        encoding: None,
        payload: Payload::Json(value.get()),
        column: 1,
        log_time,
        publish_time: None,
        sequence: None,
    })
}

fn schema<'a>(text: &'a str, line: &Line<'a>) -> Result<SchemaLine<'a>, BadLine> {
    let name = optional(text, "name", line.name)?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| BadLine::new(Kind::Value, 1, "a schema needs a name"))?;
    let encoding = optional(text, "encoding", line.encoding)?.unwrap_or(Cow::Borrowed("jsonschema"));
    let bad = |value: &RawValue, reason: &str| BadLine::new(Kind::Value, column(text, value.get()), reason);
    let binary = matches!(&*encoding, "protobuf" | "flatbuffer");
    let data = match (line.schema, line.schema_base64) {
        (Some(value), _) if binary => {
            return Err(bad(value, "a schema of this encoding is binary: give it as schema_base64"));
        }
        (Some(value), None) if value.get().starts_with('"') => {
            string(text, "schema", value)?.into_owned().into()
        }
        (Some(value), None) if value.get().starts_with('{') => Bytes::copy_from_slice(value.get().as_bytes()),
        (Some(value), None) => return Err(bad(value, "schema is neither an object nor a string")),
        (None, Some(value)) => {
            let mut data = Vec::new();
            decode_base64(&string(text, "schema_base64", value)?, &mut data)
                .map_err(|reason| bad(value, &format!("schema_base64: {reason}")))?;
            data.into()
        }
        (Some(_), Some(value)) => {
            return Err(bad(value, "there is schema and schema_base64; give one of them"));
        }
        (None, None) => {
            return Err(BadLine::new(Kind::Value, 1, "there is neither schema nor schema_base64"));
        }
    };
    Ok(SchemaLine { name, encoding, data })
}

fn channel<'a>(
    text: &'a str,
    line: &Line<'a>,
    options: &JsonLinesOptions,
) -> Result<ChannelLine<'a>, BadLine> {
    let mut metadata = BTreeMap::new();
    if let Some(value) = line.metadata {
        let values: BTreeMap<String, &RawValue> = serde_json::from_str(value.get()).map_err(|_error| {
            BadLine::new(Kind::Value, column(text, value.get()), "metadata is not an object")
        })?;
        for (key, value) in values {
            // whatever is not a string stands there as the JSON that it is
            let value =
                string(text, "metadata", value).map_or_else(|_bad| value.get().to_owned(), Cow::into_owned);
            metadata.insert(key, value);
        }
    }
    let latched = match line.latch.map(RawValue::get) {
        Some("true") => true,
        // metadata that was copied from a recording
        None => recorded_as_latched(&metadata),
        Some("false") => false,
        Some(other) => {
            return Err(BadLine::new(Kind::Value, column(text, other), "latch is neither true nor false"));
        }
    };
    Ok(ChannelLine {
        topic: topic(text, line, options)?,
        schema: optional(text, "schema", line.schema)?,
        encoding: optional(text, "encoding", line.encoding)?,
        metadata,
        latched,
    })
}

/// Appends the bytes that base64 text means; an error leaves `out` as it was.
pub(super) fn decode_base64(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let before = out.len();
    BASE64.decode_vec(text, out).map_err(|error| {
        out.truncate(before);
        let why = match error {
            DecodeError::InvalidByte(at, byte) => {
                format!("character {} is '{}'", at + 1, byte.escape_ascii())
            }
            DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => "it is cut off".to_owned(),
            DecodeError::InvalidLastSymbol { .. } => "its last character has bits too many".to_owned(),
        };
        format!("not base64 (letters, digits, + and /): {why}")
    })
}
