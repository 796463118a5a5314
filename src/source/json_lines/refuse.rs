//! Why lines are bad that are JSON lines as such.

use super::JsonLinesOptions;
use super::line::{BadLine, Kind};
use super::said::{self, Message, Payload};
use super::unfinished::TOGETHER;
use crate::payload::MessageType;
use crate::printable::printable;
use crate::source::Hint;
use crate::source::live::{Refusal, Refused};

/// Characters of a topic that are shown.
pub(super) const TOPIC: usize = 100;

/// Whether a message can be sent as one of a channel that is not there yet.
pub(super) fn fits(message: &Message<'_>, encoder: Option<&MessageType>) -> Result<(), Refusal> {
    let mut made = Vec::new();
    match (&message.payload, encoder) {
        (Payload::Base64(text), _) => said::decode_base64(text, &mut made),
        (Payload::Json(json), Some(encoder)) => {
            encoder.encode(json, &mut made).map(|_zone| ()).map_err(|error| error.to_string())
        }
        (Payload::Json(json), None) if !json.starts_with('{') => Err(not_an_object(&message.topic, json)),
        (Payload::Json(_), None) => Ok(()),
    }
    .map_err(Refusal::of_payload)
}

pub(super) fn not_an_object(topic: &str, json: &str) -> String {
    let what = match json.as_bytes().first() {
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        _ => "a number",
    };
    let topic = printable(topic, TOPIC);
    format!("the message on {topic} is {what}, and viewers need a JSON object; write {{\"value\":…}}")
}

pub(super) fn refused(refusal: Refusal, column: usize) -> BadLine {
    let kind = match refusal.of {
        Refused::Channel => Kind::Channel,
        Refused::Payload => Kind::Payload,
    };
    BadLine { hint: refusal.hint, ..BadLine::new(kind, column, refusal.reason) }
}

pub(super) fn not_text(error: &std::str::Utf8Error) -> BadLine {
    BadLine::new(Kind::NotText, error.valid_up_to() + 1, "the line is not UTF-8 from here on")
}

pub(super) fn number(place: usize) -> Result<u32, BadLine> {
    u32::try_from(place).map_err(|_error| BadLine::new(Kind::TooLong, 1, "the line is too long"))
}

pub(super) fn too_long(options: &JsonLinesOptions) -> BadLine {
    let reason = format!("the line is longer than {} bytes", options.max_line);
    BadLine::new(Kind::TooLong, 1, reason).with(Hint::MaxLine)
}

/// A line that has to go as those of all inputs are too long together.
pub(super) fn no_room() -> BadLine {
    let reason = format!("there is no room: the unfinished lines of all inputs have {} MiB", TOGETHER >> 20);
    BadLine::new(Kind::TooLong, 1, reason)
}
