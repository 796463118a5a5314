//! `/api/topics/{topic}/latest`: the last message of a topic, decoded, as it is, or as a picture.
//!
//! Of a recording it is the last one at or before the position, which its index knows. Other topics are watched for a while
//! after each request: their messages count as wanted, and the last one is kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Api;
use super::answer::{Json, Refusal, nanos, whole};
use crate::hub::{Message, lock};
use crate::model::Channel;
use crate::payload::{Decoders, JsonOptions, Length};

mod image;
mod watching;

/// Messages that are looked up and decoded at once; further requests wait.
const AT_ONCE: usize = 4;

/// How long a request waits for the first message of a topic that was not watched …
const FIRST_WITHIN: Duration = Duration::from_millis(500);

/// … and how often it looks.
const LOOK: Duration = Duration::from_millis(25);

/// Requests that wait for a first message at once; further ones wait before that. With more than are watched at once each
/// would end the watch of another before its message comes.
const WAITING: usize = 32;

/// What requests for messages share.
pub(super) struct Messages {
    decoders: Arc<Mutex<Decoders>>,
    turns: Arc<Semaphore>,
    first_messages: Semaphore,
    watching: watching::Watching,
    decode_errors: Arc<AtomicU64>,
}

impl Messages {
    /// Messages that could not be shown as JSON.
    pub(super) fn decode_errors(&self) -> u64 {
        self.decode_errors.load(Ordering::Relaxed)
    }

    /// Does what takes long on a thread that may block, once it has a turn. It goes on if who asked leaves, and keeps its
    /// turn until then. None if it panicked, which has been logged.
    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let turn = self.turns.clone().acquire_owned().await.ok()?;
        let done = spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.ok()
    }
}

impl Default for Messages {
    fn default() -> Self {
        let (decoders, watching, decode_errors) = Default::default();
        Self {
            decoders,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            first_messages: Semaphore::new(WAITING),
            watching,
            decode_errors,
        }
    }
}

/// In which form a message is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json(Length),
    /// The payload itself.
    Raw,
    /// The picture in it.
    Image,
}

impl Form {
    /// By the keys of the query; keys that mean nothing here are passed over.
    fn of(query: &str) -> Self {
        let has = |name: &str| query.split('&').any(|key| key.split('=').next() == Some(name));
        match (has("raw"), has("image"), has("short")) {
            (true, _, _) => Self::Raw,
            (_, true, _) => Self::Image,
            (_, _, true) => Self::Json(Length::Short),
            _ => Self::Json(Length::Whole),
        }
    }
}

#[derive(Debug, Serialize)]
struct Latest<'a> {
    topic: &'a str,
    channel: u32,
    log_time_ns: String,
    publish_time_ns: String,
    sequence: u32,
    size: u32,
    schema_name: Option<&'a str>,
    encoding: &'a str,
    #[serde(flatten)]
    payload: Payload,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Payload {
    Decoded { json: Box<RawValue> },
    Encoded { base64: String, error: String },
}

pub(super) async fn answer(
    State(api): State<Arc<Api>>,
    topic: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Refusal> {
    let Path(topic) = topic?;
    let none = || {
        let slash = api.hub.channel_on(&format!("/{topic}")).map(|_meant| "; write its slash as %2F");
        Refusal::not_found(format!("there is no topic {topic}{}", slash.unwrap_or_default()))
    };
    let channel = api.hub.channel_on(&topic).ok_or_else(none)?;
    let form = Form::of(query.as_deref().unwrap_or_default());
    let message = find(&api, &channel).await.ok_or_else(|| Refusal::not_found("no message yet"))?;
    let (decoders, errors) = (api.messages.decoders.clone(), api.messages.decode_errors.clone());
    let answered = api.messages.in_turn(move || match form {
        Form::Json(length) => {
            let latest = decoded(&decoders, &channel, &message, length);
            if matches!(latest.payload, Payload::Encoded { .. }) {
                errors.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Json(latest).into_response())
        }
        Form::Raw => Ok(bytes(image::kind(&message.payload), message.payload)),
        Form::Image => picture(&decoders, &channel, &message),
    });
    answered.await.unwrap_or_else(|| Err(gone()))
}

fn gone() -> Refusal {
    Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the message could not be read; the server's log says why",
    )
}

/// The last message of a channel.
async fn find(api: &Arc<Api>, channel: &Arc<Channel>) -> Option<Message> {
    if let Some(message) = find_recorded(api, channel).await {
        return Some(message);
    }
    let watch = || api.messages.watching.watch(&api.hub, channel.id);
    if let Some(message) = watch() {
        return Some(message);
    }
    let _turn = api.messages.first_messages.acquire().await.ok()?;
    let begin = Instant::now();
    loop {
        if let Some(message) = watch() {
            return Some(message);
        }
        if begin.elapsed() >= FIRST_WITHIN {
            return None;
        }
        sleep(LOOK).await;
    }
}

async fn find_recorded(api: &Arc<Api>, channel: &Arc<Channel>) -> Option<Message> {
    let recordings = api.hub.recordings()?;
    let position = api.look().await?.position?;
    let id = channel.id;
    match api.messages.in_turn(move || recordings.latest(id, position)).await? {
        Ok(batch) => Message::last_of(&batch),
        Err(reason) => {
            tracing::debug!("{}: its last message is not found: {reason}", channel.topic);
            None
        }
    }
}

fn decoded<'a>(
    decoders: &Mutex<Decoders>,
    channel: &'a Channel,
    message: &Message,
    length: Length,
) -> Latest<'a> {
    let payload = match json(decoders, channel, &message.payload, length) {
        Ok(json) => Payload::Decoded { json },
        Err(error) => Payload::Encoded { base64: STANDARD.encode(&message.payload), error },
    };
    Latest {
        topic: &channel.topic,
        channel: channel.id.0,
        log_time_ns: nanos(message.entry.log_time),
        publish_time_ns: nanos(message.entry.publish_time),
        sequence: message.entry.sequence,
        size: message.entry.length,
        schema_name: channel.schema.as_ref().map(|schema| schema.name.as_str()),
        encoding: &channel.message_encoding,
        payload,
    }
}

/// A payload as JSON; Err: why not.
fn json(
    decoders: &Mutex<Decoders>,
    channel: &Channel,
    payload: &[u8],
    length: Length,
) -> Result<Box<RawValue>, String> {
    let decoder = lock(decoders).of(channel).map_err(|error| error.to_string())?;
    if decoder.is_base64() {
        return Err(format!("messages in the encoding '{}' can't be decoded here", channel.message_encoding));
    }
    let mut json = Vec::new();
    let options = JsonOptions { length, ..JsonOptions::default() };
    decoder.to_json(payload, &options, &mut json).map_err(|error| error.to_string())?;
    let text = String::from_utf8(json).map_err(|error| error.to_string())?;
    RawValue::from_string(text).map_err(|error| error.to_string())
}

/// The picture in a message.
fn picture(
    decoders: &Mutex<Decoders>,
    channel: &Channel,
    message: &Message,
) -> Result<Response<Body>, Refusal> {
    let unsupported = |text: String| Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    let name = channel.schema.as_ref().map_or("", |schema| schema.name.as_str());
    if !image::is_picture(name) {
        return Err(unsupported(format!(
            "{} has no pictures: its messages are of the type '{name}'",
            channel.topic
        )));
    }
    let json = json(decoders, channel, &message.payload, Length::Whole).map_err(unsupported)?;
    let picture = image::data(json.get()).map_err(unsupported)?;
    match image::kind(&picture) {
        Some(kind) => Ok(bytes(Some(kind), picture)),
        None => Err(unsupported(
            "the picture is neither PNG, JPEG, WebP nor AVIF; ?raw has the payload".to_owned(),
        )),
    }
}

/// Bytes that others made: a browser shows pictures, and runs nothing.
fn bytes(kind: Option<&'static str>, bytes: impl Into<Body>) -> Response<Body> {
    let mut response = whole(StatusCode::OK, kind.unwrap_or("application/octet-stream"), bytes);
    let nothing = HeaderValue::from_static("default-src 'none'; sandbox");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, nothing);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_names_the_form() {
        for (query, expected) in [
            ("", Form::Json(Length::Whole)),
            ("short", Form::Json(Length::Short)),
            ("short=1&_=5", Form::Json(Length::Short)),
            ("raw", Form::Raw),
            ("image", Form::Image),
            ("image&short", Form::Image),
            ("rawest", Form::Json(Length::Whole)),
        ] {
            assert_eq!(Form::of(query), expected, "{query}");
        }
    }
}
