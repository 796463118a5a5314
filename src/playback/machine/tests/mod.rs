//! Playback on a simulated clock: no thread, no sleep, and a reader that does what a test says.

use std::time::Duration;

use crate::hub::capability::playback::{Asker, Command, PlaybackRequest, RateChange, Seek};
use crate::hub::{ClientId, SlowClient};
use crate::playback::{AtEnd, PlaybackOptions, Rate, StartOn, TimeShift};
use crate::protocol::{PlaybackCommand, PlaybackControlRequest, PlaybackStatus};
use crate::time::Timestamp;

mod control;
mod delivery;
mod invariants;
mod part;
mod reading;
mod script;
mod sessions;
mod shifted;
mod simulation;
mod start;
mod step;
mod waits;

use script::{Sent, made_batch};
use simulation::{Answer, Simulation, channel_named};

const MS: Duration = Duration::from_millis(1);

/// A time of a recording, in ms.
fn ms(ms: u64) -> Timestamp {
    Timestamp(ms * 1_000_000)
}

fn options() -> PlaybackOptions {
    PlaybackOptions { start_on: StartOn::Launch, ..PlaybackOptions::default() }
}

/// Ten messages on channels 1 and 2 in turns, from 1000 ms to 1900 ms.
fn ten() -> Vec<(Timestamp, u32)> {
    (0..10).map(|number| (ms(1000 + 100 * number), 1 + u32::try_from(number % 2).unwrap())).collect()
}

/// As a client asks by the protocol.
fn asked_by(
    client: u64,
    id: &str,
    command: PlaybackCommand,
    speed: f32,
    seek: Option<u64>,
) -> PlaybackRequest {
    let request = PlaybackControlRequest { command, speed, seek: seek.map(ms), request_id: id.into() };
    PlaybackRequest::of_client(ClientId::from_token(client), request)
}

/// A state as tests compare it: what time does, where it is (ms), whether it was sought, which request it answers.
type Brief = (PlaybackStatus, u64, bool, &'static str);

fn brief(state: &crate::protocol::PlaybackState) -> (PlaybackStatus, u64, bool, String) {
    let id = state.request_id.clone().unwrap_or_default();
    (state.status, state.current_time.0 / 1_000_000, state.did_seek, id)
}

fn assert_states(simulation: &mut Simulation, expected: &[Brief]) {
    let expected: Vec<_> =
        expected.iter().map(|(status, time, seek, id)| (*status, *time, *seek, (*id).to_owned())).collect();
    assert_eq!(simulation.take_states(), expected);
}
