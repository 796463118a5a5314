//! Messages as the JSON that viewers read: times as `{"sec","nsec"}`, enums and all integers as numbers, bytes as base64,
//! names as in the definition, default values written out.
//!
//! Numbers that JSON does not have (NaN and the infinities) become `null`.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{DynamicMessage, MapKey, MessageDescriptor, ReflectMessage as _, Value};

use super::WellKnown;

/// Writes messages of one type.
#[derive(Debug)]
pub(in crate::payload) struct Viewer(MessageDescriptor);

impl Viewer {
    pub(super) fn new(message: MessageDescriptor) -> Self {
        Self(message)
    }

    /// Appends a message, given as protobuf; an error leaves a part of it behind.
    pub(in crate::payload) fn write(&self, protobuf: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let message = DynamicMessage::decode(self.0.clone(), protobuf).map_err(|error| error.to_string())?;
        write_message(&message, out).map_err(|error| error.to_string())
    }
}

fn write_message(message: &DynamicMessage, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let descriptor = message.descriptor();
    match descriptor.full_name() {
        "google.protobuf.Timestamp" | "google.protobuf.Duration" => {
            write_time(message, out);
            return Ok(());
        }
        "google.protobuf.DoubleValue" | "google.protobuf.FloatValue" => return write_field(message, 1, out),
        "google.protobuf.Int64Value" | "google.protobuf.UInt64Value" => return write_field(message, 1, out),
        _ if WellKnown::of(&descriptor).is_some() => return serde_json::to_writer(out, message),
        _ => {}
    }
    out.push(b'{');
    let mut first = true;
    for field in descriptor.fields() {
        if field.supports_presence() && !message.has_field(&field) {
            continue;
        }
        separate(&mut first, out);
        serde_json::to_writer(&mut *out, field.name())?;
        out.push(b':');
        write_value(&message.get_field(&field), out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_field(message: &DynamicMessage, number: u32, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    match message.get_field_by_number(number) {
        Some(value) => write_value(&value, out),
        None => serde_json::to_writer(out, &()),
    }
}

/// Nanoseconds count forward here, so that -0.5 s is -1 s and 500,000,000 ns.
fn write_time(message: &DynamicMessage, out: &mut Vec<u8>) {
    let field = |number| message.get_field_by_number(number).map(std::borrow::Cow::into_owned);
    let seconds = field(1).and_then(|value| value.as_i64()).unwrap_or(0);
    let nanos = field(2).and_then(|value| value.as_i32()).unwrap_or(0);
    let (seconds, nanos) = if nanos < 0 { (seconds - 1, nanos + 1_000_000_000) } else { (seconds, nanos) };
    out.extend_from_slice(format!("{{\"sec\":{seconds},\"nsec\":{nanos}}}").as_bytes());
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    match value {
        Value::Bool(value) => serde_json::to_writer(out, value),
        Value::I32(value) | Value::EnumNumber(value) => serde_json::to_writer(out, value),
        Value::I64(value) => serde_json::to_writer(out, value),
        Value::U32(value) => serde_json::to_writer(out, value),
        Value::U64(value) => serde_json::to_writer(out, value),
        Value::F32(value) => serde_json::to_writer(out, value),
        Value::F64(value) => serde_json::to_writer(out, value),
        Value::String(value) => serde_json::to_writer(out, value),
        Value::Bytes(value) => write!(out, "\"{}\"", STANDARD.encode(value)).map_err(serde_json::Error::io),
        Value::Message(message) => write_message(message, out),
        Value::List(values) => {
            out.push(b'[');
            let mut first = true;
            for value in values {
                separate(&mut first, out);
                write_value(value, out)?;
            }
            out.push(b']');
            Ok(())
        }
        Value::Map(entries) => {
            // in the same order each time
            let mut entries: Vec<_> = entries.iter().map(|(key, value)| (key_text(key), value)).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            out.push(b'{');
            let mut first = true;
            for (key, value) in entries {
                separate(&mut first, out);
                serde_json::to_writer(&mut *out, &key)?;
                out.push(b':');
                write_value(value, out)?;
            }
            out.push(b'}');
            Ok(())
        }
    }
}

fn separate(first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::replace(first, false) {
        out.push(b',');
    }
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}
