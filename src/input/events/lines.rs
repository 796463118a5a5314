//! One line for each event.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::hub::{ClientId, ClientInfo, HubEvent};
use crate::input::commands::one_line;
use crate::model::{Channel, Schema};
use crate::protocol::{PlaybackState, PlaybackStatus};
use crate::time::Timestamp;

/// JSON of what can't fail to be written: text, numbers, and JSON that was read.
fn line(event: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(event).unwrap_or_default()
}

/// RFC 3339 with nine digits, which any reader of lines takes.
fn time_text(time: Timestamp) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(time.nanos())) {
        Ok(time) => format!("{time:.9}"),
        Err(_beyond_the_year_9999) => time.nanos().to_string(),
    }
}

pub(super) fn listening(url: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Listening<'a> {
        op: &'a str,
        url: &'a str,
    }
    line(&Listening { op: "listening", url })
}

pub(super) fn connect(client: ClientId, info: &ClientInfo) -> Vec<u8> {
    #[derive(Serialize)]
    struct Connect<'a> {
        op: &'a str,
        client: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        agent: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        subprotocol: Option<&'a str>,
    }
    line(&Connect {
        op: "connect",
        client: client.token(),
        address: info.address.map(|address| address.to_string()),
        agent: &info.agent,
        subprotocol: info.offer.choose().map(|subprotocol| subprotocol.as_str()),
    })
}

/// Of an event of a client that has left.
pub(super) fn disconnect(event: &HubEvent<'_>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Disconnect<'a> {
        op: &'a str,
        client: u64,
        reason: &'a str,
        messages: u64,
        bytes: u64,
        dropped: u64,
    }
    let HubEvent::Left { client, reason, messages, bytes, dropped } = *event else { return Vec::new() };
    line(&Disconnect { op: "disconnect", client: client.token(), reason, messages, bytes, dropped })
}

pub(super) fn subscription(op: &str, client: ClientId, topic: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Subscription<'a> {
        op: &'a str,
        topic: &'a str,
        client: u64,
    }
    line(&Subscription { op, topic, client: client.token() })
}

pub(super) fn playback(state: &PlaybackState) -> Vec<u8> {
    #[derive(Serialize)]
    struct Playback<'a> {
        op: &'a str,
        status: &'a str,
        time: String,
        speed: f32,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        did_seek: bool,
    }
    let status = match state.status {
        PlaybackStatus::Playing => "playing",
        PlaybackStatus::Paused => "paused",
        PlaybackStatus::Buffering => "buffering",
        PlaybackStatus::Ended => "ended",
    };
    let (time, speed, did_seek) = (time_text(state.current_time), state.speed, state.did_seek);
    line(&Playback { op: "playback", status, time, speed, did_seek })
}

/// The line that declares a schema for those after it. What is no text is in base64.
pub(super) fn schema(schema: &Schema) -> Vec<u8> {
    #[derive(Serialize)]
    struct Declared<'a> {
        op: &'a str,
        name: &'a str,
        encoding: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        schema: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        schema_base64: Option<String>,
    }
    let is_binary = matches!(schema.encoding.as_str(), "protobuf" | "flatbuffer");
    let text = if is_binary { None } else { std::str::from_utf8(&schema.data).ok() };
    line(&Declared {
        op: "schema",
        name: &schema.name,
        encoding: &schema.encoding,
        schema: text,
        schema_base64: text.is_none().then(|| STANDARD.encode(&schema.data)),
    })
}

/// A message as a line. JSON stands there as it is, all else in base64, and beside it as JSON where it could be decoded: a
/// key that readers pass over, so that they get the same bytes. A schema whose definition is known is named by
/// `schema`; of another one `schema_name`, which readers pass over, has the name.
pub(super) fn message(
    client: ClientId,
    channel: &Channel,
    log_time: Timestamp,
    payload: &Bytes,
    decoded: Option<&RawValue>,
) -> Vec<u8> {
    #[derive(Serialize)]
    struct Message<'a> {
        topic: &'a str,
        log_time: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        encoding: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        schema: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        schema_name: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        data_base64: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        decoded: Option<&'a RawValue>,
        client: u64,
    }
    let text = one_line(payload);
    let is_json = channel.message_encoding == "json";
    let data: Option<&RawValue> = if is_json { serde_json::from_slice(&text).ok() } else { None };
    let (known, named) = match channel.schema.as_deref() {
        Some(schema) if !schema.data.is_empty() => (Some(schema.name.as_str()), None),
        Some(schema) => (None, Some(schema.name.as_str())),
        None => (None, None),
    };
    line(&Message {
        topic: &channel.topic,
        log_time: time_text(log_time),
        encoding: data.is_none().then_some(&channel.message_encoding),
        schema: known,
        schema_name: named,
        data,
        data_base64: data.is_none().then(|| STANDARD.encode(payload)),
        decoded,
        client: client.token(),
    })
}
