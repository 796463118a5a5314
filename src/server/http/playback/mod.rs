//! `/api/playback`: what is played, and its control.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::answer::{Json, Refusal, nanos};
use super::{Api, body};
use crate::hub::Access;
use crate::hub::responder::Responder;
use crate::hub::stats::{Activity, Snapshot};
use crate::time::{TimeRange, Timestamp};

mod request;

/// A request was carried out after this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// What playback is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Playback {
    state: &'static str,
    position_ns: String,
    start_ns: String,
    end_ns: String,
    position_s: f64,
    duration_s: f64,
    /// A–B.
    range: Option<Part>,
    rate: Rate,
    #[serde(rename = "loop")]
    looping: bool,
    seekable: bool,
}

/// A part of what is played, in seconds from its start.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Part {
    start_s: f64,
    end_s: f64,
}

/// A number, or `max`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum Rate {
    Times(f64),
    Max(&'static str),
}

impl Playback {
    /// None where nothing can be sought.
    pub(super) fn of(now: &Snapshot) -> Option<Self> {
        let range = now.range?;
        let position = now.position.unwrap_or(range.start);
        let seconds = |time: Timestamp| time.since(range.start).as_secs_f64();
        Some(Self {
            state: match now.activity {
                Activity::Waiting => "waiting",
                Activity::Playing => "playing",
                Activity::Paused => "paused",
                Activity::Ended => "ended",
            },
            position_ns: nanos(position),
            start_ns: nanos(range.start),
            end_ns: nanos(range.end),
            position_s: seconds(position),
            duration_s: range.duration().as_secs_f64(),
            range: now
                .part
                .map(|TimeRange { start, end }| Part { start_s: seconds(start), end_s: seconds(end) }),
            rate: match now.speed {
                Some(speed) if speed.is_infinite() => Rate::Max("max"),
                speed => Rate::Times(speed.unwrap_or(1.0)),
            },
            looping: now.looping,
            seekable: true,
        })
    }

    pub(super) fn duration_s(&self) -> f64 {
        self.duration_s
    }
}

fn none() -> Refusal {
    Refusal::not_found("there is no recording here that can be controlled; live input is sent as it comes")
}

impl Api {
    /// What playback is doing; None where nothing can be played.
    pub(super) async fn playback(&self) -> Option<Playback> {
        Playback::of(&self.look().await?)
    }

    /// The same as figures.
    pub(super) async fn look(&self) -> Option<Snapshot> {
        let playback = self.hub.playback()?;
        let (answer, looked) = oneshot::channel();
        // who asked may have left
        playback.look(Responder::new(move |snapshot| drop(answer.send(snapshot))));
        match timeout(PATIENCE, looked).await {
            Ok(Ok(Ok(snapshot))) => Some(snapshot),
            _ => self.hub.playback_as_published(),
        }
    }

    /// Whether requests may change something here.
    pub(super) fn may_act(&self) -> Result<(), Refusal> {
        match self.hub.access() {
            Access::Full => Ok(()),
            Access::ReadOnly => Err(Refusal::new(StatusCode::FORBIDDEN, "this server is read-only")),
        }
    }
}

pub(super) async fn answer(State(api): State<Arc<Api>>) -> Result<Json<Playback>, Refusal> {
    api.playback().await.map(Json).ok_or_else(none)
}

pub(super) async fn control(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<Json<Playback>, Refusal> {
    api.may_act()?;
    let control: request::Control = body::json(request, r#"{"command":"pause"}"#).await?;
    let playback = api.hub.playback().ok_or_else(none)?;
    let now = api.look().await.ok_or_else(none)?;
    if let Some(topic) = control.topic()
        && api.hub.channel_on(topic).is_none()
    {
        return Err(Refusal::bad_request(format!("topic: there is no topic {topic}")));
    }
    let request = control.into_request(&now).map_err(Refusal::bad_request)?;
    let (answer, done) = oneshot::channel();
    playback.request(request, Responder::new(move |state| drop(answer.send(state))));
    let late = |_elapsed| Refusal::new(StatusCode::GATEWAY_TIMEOUT, "playback has not answered within 10 s");
    match timeout(PATIENCE, done).await.map_err(late)? {
        Ok(Ok(_state)) => api.playback().await.map(Json).ok_or_else(none),
        Ok(Err(_)) | Err(_) => Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "playback has stopped")),
    }
}
