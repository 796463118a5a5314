//! `play`, `pause`, `seek`, `step`, `rate`: playback control from a script. Each prints the state after it.

use anyhow::anyhow;
use foxglove_bridge::client::{Client, PlaybackChange, RequestError, ServiceResponse};
use foxglove_bridge::protocol::{Capability, PlaybackCommand, PlaybackState, PlaybackStatus};
use foxglove_bridge::time::TimeSpec;
use serde_json::Value;

use super::args::{AskedRate, ControlArgs, RateArgs, SeekArgs, StepArgs};
use super::remote::{answered, once};
use super::{Failure, print};

/// Services of playback that servers of this program have.
const STEP: &str = "/playback/step";
const PLAY: &str = "/playback/play";
const SET_RATE: &str = "/playback/set_rate";

/// Nanoseconds since 1970 below which a time was probably meant from the start: 1971.
const FIRST_YEAR: u64 = 365 * 24 * 3600 * 1_000_000_000;

pub(crate) fn play(args: &ControlArgs) -> Result<(), Failure> {
    let change = PlaybackChange { command: Some(PlaybackCommand::Play), ..PlaybackChange::default() };
    once(&args.url, &args.server, async |client| {
        if control(&client, change).await?.status != PlaybackStatus::Ended {
            return Ok(());
        }
        let again = match client.services().await.iter().any(|service| service.name == PLAY) {
            true => ", or call its service /playback/play, which starts again",
            false => "",
        };
        Err(Failure::Runtime(anyhow!("playback is at the end; seek first (seek URL +0s){again}")))
    })
}

pub(crate) fn pause(args: &ControlArgs) -> Result<(), Failure> {
    let change = PlaybackChange { command: Some(PlaybackCommand::Pause), ..PlaybackChange::default() };
    once(&args.url, &args.server, async |client| control(&client, change).await.map(drop))
}

/// The protocol has speeds alone; `max` is for the service of servers of this program.
pub(crate) fn rate(args: &RateArgs) -> Result<(), Failure> {
    once(&args.url, &args.server, async |client| {
        let AskedRate::Times(speed) = args.rate else {
            return match client.call(SET_RATE, r#"{"rate":"max"}"#).await {
                Err(RequestError::NoSuchService(_)) => Err(Failure::Runtime(anyhow!(
                    "the protocol has no rate max, and the server has no service {SET_RATE}; give a number"
                ))),
                response => succeeded(&answered("setting the rate", response)?),
            };
        };
        let state =
            control(&client, PlaybackChange { speed: Some(speed), ..PlaybackChange::default() }).await?;
        if state.speed != speed {
            tracing::warn!("{speed} was asked for; the server plays at {}", state.speed);
        }
        Ok(())
    })
}

pub(crate) fn seek(args: &SeekArgs) -> Result<(), Failure> {
    once(&args.url, &args.server, async |client| {
        let info = client.server_info().await.unwrap_or_default();
        if !info.capabilities.contains(&Capability::PlaybackControl) {
            return Err(no_control());
        }
        let (start, end) = (info.data_start_time, info.data_end_time);
        let seek = match (args.time, start) {
            (TimeSpec::At(time), _) => time,
            (from_start, Some(start)) => from_start.resolve(start),
            (TimeSpec::FromStart(_), None) => {
                return Err(Failure::Runtime(anyhow!(
                    "the server does not say where its data begins; give a time instead of +…"
                )));
            }
        };
        control(&client, PlaybackChange { seek: Some(seek), ..PlaybackChange::default() }).await?;
        if let (Some(start), Some(end)) = (start, end)
            && !(start..=end).contains(&seek)
        {
            let seconds = match args.time {
                TimeSpec::At(time) if time.0 < FIRST_YEAR => "; +3s is 3 s from the start",
                TimeSpec::At(_) | TimeSpec::FromStart(_) => "",
            };
            tracing::warn!("{seek} is outside of the data, {start} to {end}, and held to it{seconds}");
        }
        Ok(())
    })
}

/// The response of the service is printed as it is, also if it is that stepping failed.
pub(crate) fn step(args: &StepArgs) -> Result<(), Failure> {
    let mut request = serde_json::json!({ "count": args.count });
    if let Some(topic) = &args.topic {
        request["topic"] = topic.as_str().into();
    }
    once(&args.url, &args.server, async |client| {
        succeeded(&answered("stepping", client.call(STEP, request.to_string()).await)?)
    })
}

/// Prints what a service of playback answered. It says itself whether it has succeeded.
fn succeeded(response: &ServiceResponse) -> Result<(), Failure> {
    print(&format!("{}\n", String::from_utf8_lossy(&response.payload).trim_end()))?;
    let answer: Value = serde_json::from_slice(&response.payload).unwrap_or_default();
    if answer["success"] != false {
        return Ok(());
    }
    let why = answer["message"].as_str().filter(|why| !why.is_empty());
    Err(Failure::Runtime(anyhow!("{}", why.unwrap_or("the server says that it has not succeeded"))))
}

/// Prints the state after a change.
async fn control(client: &Client, change: PlaybackChange) -> Result<PlaybackState, Failure> {
    let state = match client.control_playback(change).await {
        Err(RequestError::Unsupported(_)) => return Err(no_control()),
        state => answered("controlling playback", state)?,
    };
    print(&format!("{}\n", text(&state)))?;
    Ok(state)
}

fn no_control() -> Failure {
    Failure::Runtime(anyhow!(
        "the server does not offer playbackControl: its input is live, or it lets nobody control it (read-only)"
    ))
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
