//! `/playback/…`: JSON in, what holds then out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::parameters;
use crate::hub::Hub;
use crate::hub::capability::parameters::ParameterStore;
use crate::hub::capability::playback::{Command, Playback, PlaybackRequest, Rate, RateChange, Seek};
use crate::hub::capability::services::{NameTaken, Service, ServiceCall, ServiceHandle, ServiceSpec};
use crate::hub::responder::{NoAnswer, Responder};
use crate::hub::stats::{Activity, Snapshot};
use crate::playback::PlayerHandle;
use crate::protocol::ServiceMessage;
use crate::source::json_lines;
use crate::time::TimeRange;

/// What a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Play,
    Pause,
    Toggle,
    SetRate,
    Seek,
    Step,
    Burst,
}

impl Operation {
    const ALL: [Self; 7] =
        [Self::Play, Self::Pause, Self::Toggle, Self::SetRate, Self::Seek, Self::Step, Self::Burst];

    /// The last part of its name, the name of its type, and the properties of its requests in JSON Schema.
    fn described(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Play => ("play", "Play", ""),
            Self::Pause => ("pause", "Pause", ""),
            Self::Toggle => ("toggle", "Toggle", ""),
            Self::SetRate => ("set_rate", "SetRate", r#""rate":{"type":"number"}"#),
            Self::Seek => (
                "seek",
                "Seek",
                r#""time":{"type":"string"},"offset":{"type":"number"},"by":{"type":"number"}"#,
            ),
            Self::Step => ("step", "Step", r#""count":{"type":"integer"},"topic":{"type":"string"}"#),
            Self::Burst => ("burst", "Burst", r#""num_messages":{"type":"integer"}"#),
        }
    }
}

const RESPONSE: &str = r#""success":{"type":"boolean"},"message":{"type":"string"},"status":{"type":"string"},"time":{"type":"string"},"position":{"type":"number"},"rate":{"type":"number"},"loop":{"type":"boolean"}"#;

/// Viewers need a schema with a name and a definition of it; Lichtblick takes neither `$ref` nor unions.
fn message(schema_name: String, properties: &str) -> ServiceMessage {
    ServiceMessage {
        encoding: "json".to_owned(),
        schema_name,
        schema_encoding: Some("jsonschema".to_owned()),
        schema: format!(r#"{{"type":"object","properties":{{{properties}}}}}"#),
    }
}

/// Adds them all.
pub(super) fn add(
    hub: &Hub,
    store: &ParameterStore,
    player: &PlayerHandle,
    range: TimeRange,
) -> Result<Vec<ServiceHandle>, NameTaken> {
    let registry = hub.services();
    let add = |operation: Operation| {
        let (name, schema, properties) = operation.described();
        let spec = ServiceSpec {
            name: format!("/playback/{name}"),
            service_type: format!("playback/{schema}"),
            request: message(format!("playback/{schema}Request"), properties),
            response: message(format!("playback/{schema}Response"), RESPONSE),
        };
        let (hub, store, player) = (hub.clone(), store.clone(), player.clone());
        registry.add(spec, Arc::new(Control { hub, store, player, range, operation }))
    };
    Operation::ALL.into_iter().map(add).collect()
}

struct Control {
    hub: Hub,
    store: ParameterStore,
    player: PlayerHandle,
    range: TimeRange,
    operation: Operation,
}

impl Service for Control {
    fn call(&self, call: ServiceCall, answer: Responder<Result<Bytes, String>>) {
        if call.encoding != "json" {
            return answer.respond(Err(format!("the encoding is {:?}, it must be json", call.encoding)));
        }
        let (request, why) = match self.request(&call.payload) {
            Ok(request) => (Some(request), None),
            Err(why) => (None, Some(why)),
        };
        let (store, range, operation) = (self.store.clone(), self.range, self.operation);
        let seek = request.as_ref().and_then(|request| request.seek);
        let after = Responder::new(move |after: Result<Snapshot, NoAnswer>| {
            let response = match after {
                Ok(after) => {
                    parameters::update(&store, &after, range);
                    let said = why.as_deref().or_else(|| remark(operation, seek, &after, range));
                    Response {
                        message: said.unwrap_or_default().to_owned(),
                        ..Response::of(why.is_none(), &after, range)
                    }
                }
                Err(none) => Response { message: none.to_string(), ..Response::default() },
            };
            answer.respond(serde_json::to_vec(&response).map(Bytes::from).map_err(|error| error.to_string()));
        });
        match request {
            Some(request) => self.player.carry_out(request, after),
            None => self.player.look(after),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetRate<'a> {
    #[serde(borrow)]
    rate: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeekTo<'a> {
    #[serde(borrow)]
    time: Option<&'a RawValue>,
    offset: Option<f64>,
    by: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    count: Option<u32>,
    topic: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Burst {
    num_messages: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Control {
    /// What a call asks for; Err: what is wrong with it.
    fn request(&self, payload: &[u8]) -> Result<PlaybackRequest, String> {
        let payload = if payload.trim_ascii().is_empty() { b"{}" } else { payload };
        Ok(match self.operation {
            Operation::Play => {
                let Nothing {} = parsed(payload)?;
                PlaybackRequest::play_or_restart(&self.player.snapshot())
            }
            Operation::Pause => {
                let Nothing {} = parsed(payload)?;
                Command::Pause.into()
            }
            Operation::Toggle => {
                let Nothing {} = parsed(payload)?;
                Command::Toggle.into()
            }
            Operation::SetRate => {
                let SetRate { rate } = parsed(payload)?;
                let rate: Rate =
                    rate.get().trim_matches('"').parse().map_err(|why| format!("rate: {why}"))?;
                RateChange::To(rate).into()
            }
            Operation::Seek => self.seek(parsed(payload)?)?.into(),
            Operation::Step => {
                let Step { count, topic } = parsed(payload)?;
                if let Some(topic) = &topic
                    && self.hub.channel_on(topic).is_none()
                {
                    return Err(format!("topic: {topic} is not offered"));
                }
                Command::Step { count: count.unwrap_or(1), topic }.into()
            }
            Operation::Burst => {
                let Burst { num_messages } = parsed(payload)?;
                // as with rosbag2, 0 is no limit
                let count = if num_messages == 0 { u32::MAX } else { num_messages };
                Command::Step { count, topic: None }.into()
            }
        })
    }

    fn seek(&self, to: SeekTo<'_>) -> Result<Seek, String> {
        match to {
            SeekTo { time: Some(time), offset: None, by: None } => {
                json_lines::time(time.get()).map(Seek::To).map_err(|why| format!("time: {why}"))
            }
            SeekTo { time: None, offset: Some(offset), by: None } => {
                let offset =
                    Duration::try_from_secs_f64(offset).map_err(|error| format!("offset: {error}"))?;
                Ok(Seek::To(self.range.start.saturating_add(offset)))
            }
            SeekTo { time: None, offset: None, by: Some(by) } => {
                let nanos = Duration::try_from_secs_f64(by.abs()).map_err(|error| format!("by: {error}"))?;
                let nanos = i64::try_from(nanos.as_nanos()).unwrap_or(i64::MAX);
                Ok(Seek::By(if by < 0.0 { -nanos } else { nanos }))
            }
            _ => {
                Err("give one of time, offset (seconds from the start) and by (seconds from here)".to_owned())
            }
        }
    }
}

fn parsed<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(payload).map_err(|error| format!("the request can't be read: {error}"))
}

/// What is said of a call that was carried out, where that is less than it may look like.
fn remark(
    operation: Operation,
    seek: Option<Seek>,
    after: &Snapshot,
    range: TimeRange,
) -> Option<&'static str> {
    match (operation, seek) {
        (Operation::Step | Operation::Burst, _) if after.position == Some(range.end) => {
            Some("playback is at the end")
        }
        (Operation::Seek, Some(Seek::To(time))) if !range.contains(time) => {
            Some("the time is outside of what is played: playback is at its nearest end")
        }
        _ => None,
    }
}

/// What a call is answered: whether it was carried out, and what holds.
#[derive(Debug, Default, Serialize)]
struct Response {
    success: bool,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// RFC 3339; of the first years after 1970, which are no dates, seconds. It can be sought.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(rename = "loop", skip_serializing_if = "Option::is_none")]
    looping: Option<bool>,
}

impl Response {
    /// Without a message.
    fn of(success: bool, now: &Snapshot, range: TimeRange) -> Self {
        let status = match now.activity {
            Activity::Waiting => "waiting",
            Activity::Playing => "playing",
            Activity::Paused => "paused",
            Activity::Ended => "ended",
        };
        Self {
            success,
            message: String::new(),
            status: Some(status),
            time: now.position.map(|time| time.to_string().trim_end_matches(" s").to_owned()),
            position: parameters::position(now, range),
            rate: parameters::rate(now),
            looping: Some(now.looping),
        }
    }
}
