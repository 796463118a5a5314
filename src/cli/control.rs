//! `play`, `pause`, `seek`, `step`, `rate`: playback control from a script. Each prints the state after it.

use anyhow::anyhow;
use foxglove_bridge::client::{Client, PlaybackChange};
use foxglove_bridge::protocol::{PlaybackCommand, PlaybackState, PlaybackStatus};
use foxglove_bridge::time::TimeSpec;

use super::args::{ControlArgs, RateArgs, SeekArgs, StepArgs};
use super::remote::{answered, once};
use super::{Failure, print};

/// The service by which servers of this program step.
const STEP: &str = "/playback/step";

pub(crate) fn play(args: &ControlArgs) -> Result<(), Failure> {
    let change = PlaybackChange { command: Some(PlaybackCommand::Play), ..PlaybackChange::default() };
    once(&args.url, &args.server, |client| control(client, change))
}

pub(crate) fn pause(args: &ControlArgs) -> Result<(), Failure> {
    let change = PlaybackChange { command: Some(PlaybackCommand::Pause), ..PlaybackChange::default() };
    once(&args.url, &args.server, |client| control(client, change))
}

pub(crate) fn rate(args: &RateArgs) -> Result<(), Failure> {
    let change = PlaybackChange { speed: Some(args.rate), ..PlaybackChange::default() };
    once(&args.url, &args.server, |client| control(client, change))
}

pub(crate) fn seek(args: &SeekArgs) -> Result<(), Failure> {
    once(&args.url, &args.server, async |client| {
        let start = client.server_info().await.and_then(|info| info.data_start_time);
        let seek = match (args.time, start) {
            (TimeSpec::At(time), _) => time,
            (from_start, Some(start)) => from_start.resolve(start),
            (TimeSpec::FromStart(_), None) => {
                return Err(Failure::Runtime(anyhow!(
                    "the server does not say where its data begins; give a time instead of +…"
                )));
            }
        };
        control(client, PlaybackChange { seek: Some(seek), ..PlaybackChange::default() }).await
    })
}

/// The response of the service is printed as it is.
pub(crate) fn step(args: &StepArgs) -> Result<(), Failure> {
    let mut request = serde_json::json!({ "count": args.count });
    if let Some(topic) = &args.topic {
        request["topic"] = topic.as_str().into();
    }
    once(&args.url, &args.server, async |client| {
        let response = answered("stepping", client.call(STEP, request.to_string()).await)?;
        print(&format!("{}\n", String::from_utf8_lossy(&response.payload).trim_end())).map(drop)
    })
}

async fn control(client: Client, change: PlaybackChange) -> Result<(), Failure> {
    let state = answered("controlling playback", client.control_playback(change).await)?;
    print(&format!("{}\n", text(&state))).map(drop)
}

/// The state as one JSON object.
pub(crate) fn text(state: &PlaybackState) -> String {
    let status = match state.status {
        PlaybackStatus::Playing => "playing",
        PlaybackStatus::Paused => "paused",
        PlaybackStatus::Buffering => "buffering",
        PlaybackStatus::Ended => "ended",
    };
    let (time, speed) = (state.current_time, state.speed);
    format!(r#"{{"status":"{status}","time":"{time}","speed":{speed},"did_seek":{}}}"#, state.did_seek)
}
