//! One line taken apart: the values of the keys that mean something here, each as the text that stands in the line.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::times::shortened;
use crate::printable::{LONG, printable};
use crate::source::{Hint, Hints};

/// What can be wrong with a line. The user is shown the first line of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No JSON.
    Syntax,
    /// No JSON object.
    NotAnObject,
    /// No UTF-8.
    NotText,
    /// Longer than allowed.
    TooLong,
    /// It names no topic.
    NoTopic,
    /// It has no payload, or two.
    NoPayload,
    /// A key has a value that it can't have.
    Value,
    /// A time is none, or lies far from those around it.
    Time,
    /// NaN or Infinity.
    Nan,
    /// Its channel or schema can't be had.
    Channel,
    /// The payload can't be sent.
    Payload,
}

/// Why a line is not used: where in the line (bytes, from 1), what is wrong, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadLine {
    pub(super) kind: Kind,
    pub(super) column: usize,
    pub(super) reason: String,
    pub(super) hint: Option<Hint>,
}

impl BadLine {
    pub(super) fn new(kind: Kind, column: usize, reason: impl Into<String>) -> Self {
        Self { kind, column, reason: reason.into(), hint: None }
    }

    /// The same with an option that helps.
    pub(super) fn with(self, hint: Hint) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// In one sentence, whatever of the line is in it.
    pub(super) fn told(&self, hints: Hints) -> String {
        let reason = printable(&self.reason, LONG);
        match self.hint {
            Some(hint) => format!("{reason}; {}", hints(hint)),
            None => reason.to_string(),
        }
    }

    /// What the parser says.
    pub(super) fn syntax(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        // the line that it counts is always 1
        let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
        let hint = match error.classify() {
            serde_json::error::Category::Eof => {
                "; each line holds one whole JSON object, as `jq -c` prints them"
            }
            _ if reason == "trailing characters" => "; each line holds one JSON object",
            _ => "",
        };
        Self::new(Kind::Syntax, error.column(), format!("{reason}{hint}"))
    }
}

/// The values of the known keys. A value of null counts as absent, and of a key that comes twice the last one counts.
#[derive(Debug, Default)]
pub(super) struct Line<'a> {
    pub(super) topic: Option<&'a RawValue>,
    pub(super) data: Option<&'a RawValue>,
    pub(super) data_base64: Option<&'a RawValue>,
    pub(super) log_time: Option<&'a RawValue>,
    pub(super) publish_time: Option<&'a RawValue>,
    pub(super) sequence: Option<&'a RawValue>,
    pub(super) schema: Option<&'a RawValue>,
    pub(super) encoding: Option<&'a RawValue>,
    pub(super) op: Option<&'a RawValue>,
    /// rosbridge's word for `data`.
    pub(super) msg: Option<&'a RawValue>,
    pub(super) name: Option<&'a RawValue>,
    pub(super) schema_base64: Option<&'a RawValue>,
    pub(super) latch: Option<&'a RawValue>,
    pub(super) metadata: Option<&'a RawValue>,
    /// One of the keys is there that make a line more than the data of a message.
    pub(super) is_keyed: bool,
}

impl<'a> Line<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let line = deserializer.deserialize_map(LineVisitor)?;
        deserializer.end()?;
        Ok(line)
    }
}

struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = Line<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object, {\"topic\":…,\"data\":{…}}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line<'de>, A::Error> {
        let mut line = Line::default();
        while let Some(slot) = map.next_key_seed(SlotSeed)? {
            match slot {
                Some((key, slot)) => {
                    line.is_keyed |= key == Key::Speaking;
                    let value = map.next_value::<&'de RawValue>()?;
                    *slot(&mut line) = (value.get() != "null").then_some(value);
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(line)
    }
}

type Slot = for<'l, 'a> fn(&'l mut Line<'a>) -> &'l mut Option<&'a RawValue>;

/// Whether a key says that the line is more than the data of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Speaking,
    Other,
}

/// Reads a key: where its value goes, if it is a known one.
struct SlotSeed;

impl<'de> DeserializeSeed<'de> for SlotSeed {
    type Value = Option<(Key, Slot)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for SlotSeed {
    type Value = Option<(Key, Slot)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        let slot: Slot = match key {
            "topic" => |line| &mut line.topic,
            "data" => |line| &mut line.data,
            "data_base64" => |line| &mut line.data_base64,
            "log_time" => |line| &mut line.log_time,
            "publish_time" => |line| &mut line.publish_time,
            "sequence" => |line| &mut line.sequence,
            "schema" => |line| &mut line.schema,
            "encoding" => |line| &mut line.encoding,
            "op" => |line| &mut line.op,
            "msg" => |line| &mut line.msg,
            "name" => |line| &mut line.name,
            "schema_base64" => |line| &mut line.schema_base64,
            "latch" => |line| &mut line.latch,
            "metadata" => |line| &mut line.metadata,
            _ => return Ok(None),
        };
        let speaks = matches!(key, "topic" | "op" | "data" | "data_base64");
        Ok(Some((if speaks { Key::Speaking } else { Key::Other }, slot)))
    }
}

/// Where a part of a line begins, in bytes from 1.
pub(super) fn column(line: &str, part: &str) -> usize {
    (part.as_ptr() as usize).wrapping_sub(line.as_ptr() as usize).min(line.len()) + 1
}

/// The string that is the value of `key`.
pub(super) fn string<'a>(line: &str, key: &str, value: &'a RawValue) -> Result<Cow<'a, str>, BadLine> {
    let text = value.get();
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if !inner.contains('\\') => Ok(Cow::Borrowed(inner)),
        Some(_) => serde_json::from_str::<String>(text).map(Cow::Owned).map_err(|error| {
            let reason = format!("{key}: {}", BadLine::syntax(&error).reason);
            BadLine::new(Kind::Value, column(line, text), reason)
        }),
        None => {
            let reason = format!("{key} {} is not a string", shortened(text));
            Err(BadLine::new(Kind::Value, column(line, text), reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: Option<&RawValue>) -> &str {
        value.map_or("-", RawValue::get)
    }

    #[test]
    fn values_keep_their_text_in_any_order_of_keys() {
        let line = r#" { "data" : { "a" : 1.0e0 } ,"x":[1,{"topic":2}],"t\u006fpic":"\/a", "log_time":1.50,"schema":null }"#;
        let parsed = Line::parse(line).unwrap();
        assert_eq!(text(parsed.data), "{ \"a\" : 1.0e0 }");
        assert_eq!(text(parsed.log_time), "1.50");
        assert_eq!(text(parsed.schema), "-");
        assert_eq!(string(line, "topic", parsed.topic.unwrap()).unwrap(), "/a");
        assert_eq!(column(line, text(parsed.data)), 13);
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        let parsed = Line::parse(r#"{"topic":"/a","sequence":1,"topic":"/b","sequence":null}"#).unwrap();
        assert_eq!((text(parsed.topic), text(parsed.sequence)), ("\"/b\"", "-"));
    }

    #[test]
    fn faults_are_told_with_their_column_and_the_way_out() {
        let bad = |line: &str| BadLine::syntax(&Line::parse(line).unwrap_err());
        assert_eq!(bad(r#"{"topic":"/a",}"#), BadLine::new(Kind::Syntax, 15, "trailing comma"));
        assert!(bad("{").reason.contains("jq -c"));
        assert!(bad("{}{}").reason.contains("one JSON object"));
        assert!(bad("[1]").reason.contains("expected a JSON object"), "{}", bad("[1]").reason);
        let line = r#"{"topic":5}"#;
        let error = string(line, "topic", Line::parse(line).unwrap().topic.unwrap()).unwrap_err();
        assert_eq!(error, BadLine::new(Kind::Value, 10, "topic 5 is not a string"));
    }

    #[test]
    fn any_depth_is_read_without_a_stack() {
        let deep = format!("{{\"data\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(text(Line::parse(&deep).unwrap().data).len(), 400_000);
    }
}
