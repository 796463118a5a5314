//! A simulation of a minute that viewers pause, speed up and seek in: `playback [PORT]`.
#![allow(clippy::print_stdout, clippy::cast_possible_truncation, reason = "an example")]

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use foxglove_bridge::hub::capability::playback::{Command, PlaybackRequest, Rate, RateChange, Seek};
use foxglove_bridge::hub::handles::JsonChannel;
use foxglove_bridge::hub::responder::Responder;
use foxglove_bridge::hub::{Hub, HubOptions};
use foxglove_bridge::protocol::{PlaybackState, PlaybackStatus};
use foxglove_bridge::server::Server;
use foxglove_bridge::time::{TimeRange, Timestamp};
use serde::Serialize;

const STEP: Duration = Duration::from_millis(20);

/// A pendulum, whose angle follows from the time.
#[derive(Serialize)]
struct Pendulum {
    angle: f64,
}

struct Simulation {
    range: TimeRange,
    state: PlaybackState,
    pendulum: JsonChannel<Pendulum>,
}

impl Simulation {
    /// Answers before anything of another time is logged.
    fn control(&mut self, request: &PlaybackRequest, answer: Responder<PlaybackState>) {
        if let Some(RateChange::To(Rate::Times(rate))) = request.rate {
            self.state.speed = rate as f32;
        }
        match request.command {
            Some(Command::Play) => self.state.status = PlaybackStatus::Playing,
            Some(Command::Pause) => self.state.status = PlaybackStatus::Paused,
            _ => {}
        }
        let did_seek = if let Some(Seek::To(time)) = request.seek {
            self.state.current_time = self.range.clamp(time);
            true
        } else {
            false
        };
        answer.respond(PlaybackState { did_seek, ..self.state.clone() });
    }

    /// Returns the state, if it has changed by itself.
    fn step(&mut self) -> Option<PlaybackState> {
        if self.state.status != PlaybackStatus::Playing {
            return None;
        }
        let time = self.state.current_time;
        let seconds = time.since(self.range.start).as_secs_f64();
        self.pendulum.log_at(time, &Pendulum { angle: (2.0 * seconds).sin() });
        let next = time.saturating_add(STEP.mul_f32(self.state.speed.max(0.0)));
        self.state.current_time = self.range.clamp(next);
        (next > self.range.end).then(|| {
            self.state.status = PlaybackStatus::Ended;
            self.state.clone()
        })
    }
}

fn lock(simulation: &Mutex<Simulation>) -> MutexGuard<'_, Simulation> {
    simulation.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(8765), |port| port.parse())?;
    let hub = Hub::new("pendulum", HubOptions::default());
    let start = Timestamp(1_700_000_000_000_000_000);
    let range = TimeRange { start, end: start.saturating_add(Duration::from_secs(60)) };
    let (status, speed, current_time) = (PlaybackStatus::Playing, 1.0, start);
    let state = PlaybackState { status, current_time, speed, did_seek: false, request_id: None };
    let pendulum = hub.channel("/pendulum").json()?;
    let simulation = Arc::new(Mutex::new(Simulation { range, state: state.clone(), pendulum }));
    let controlled = simulation.clone();
    hub.on_playback_control(range, move |request, answer| lock(&controlled).control(&request, answer))?;
    hub.publisher().playback_changed(state);
    let server = Server::start(("127.0.0.1", port), &hub)?;
    println!("ws://{}", server.address());

    loop {
        let changed = lock(&simulation).step();
        if let Some(state) = changed {
            hub.publisher().playback_changed(state);
        }
        thread::sleep(STEP);
    }
}
