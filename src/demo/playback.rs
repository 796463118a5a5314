//! `demo playback`: a minute of a double pendulum, computed at the start and played from memory. Viewers that know
//! playback control pause it, seek and change the speed; in others it runs in a loop.

use foxglove_bridge::hub::Hub;
use foxglove_bridge::model::{Batch, Entry, Schema};
use foxglove_bridge::playback::{PlaybackOptions, Player, StartOn};
use foxglove_bridge::registry::ChannelSpec;
use foxglove_bridge::source::{Extent, Gathered, MemoryRecording, Playable, RecordingOptions};
use foxglove_bridge::time::Timestamp;
use serde::Serialize;

use super::Running;

/// Messages a second, and seconds.
const RATE: u32 = 50;
const SECONDS: u32 = 60;

/// Steps of the computation between two messages.
const STEPS: u32 = 20;

/// Length of each rod in metres, and gravity in m/s².
const ROD: f64 = 1.0;
const GRAVITY: f64 = 9.81;

/// When it is said to have happened: 2026-01-01.
const START: u64 = 1_767_225_600_000_000_000;

#[derive(Debug, Clone, Copy, Serialize)]
struct Pendulum {
    /// From straight down, in radians.
    upper: f64,
    lower: f64,
    /// In radians per second.
    upper_speed: f64,
    lower_speed: f64,
}

const SCHEMA: &str = r#"{"type":"object","properties":{"upper":{"type":"number"},"lower":{"type":"number"},
    "upper_speed":{"type":"number"},"lower_speed":{"type":"number"}}}"#;

pub(super) fn start(hub: &Hub) -> anyhow::Result<Running> {
    let schema =
        Schema { name: "Pendulum".to_owned(), encoding: "jsonschema".to_owned(), data: SCHEMA.into() };
    let spec = ChannelSpec { schema: Some(schema.into()), ..ChannelSpec::json("/pendulum") };
    let channel = hub.registry().claim(spec)?.channel;
    let mut batch = Batch { announcements: vec![channel.clone()], ..Batch::default() };
    let mut pendulum = Pendulum { upper: 2.0, lower: 2.6, upper_speed: 0.0, lower_speed: 0.0 };
    for number in 0..u64::from(RATE * SECONDS) {
        let time = Timestamp(START + number * 1_000_000_000 / u64::from(RATE));
        batch.push_copy(&Entry::at(channel.id, time), &serde_json::to_vec(&pendulum)?);
        (0..STEPS).for_each(|_| pendulum.step(1.0 / f64::from(RATE * STEPS)));
    }
    let mut gathered = Gathered::default();
    gathered.push(batch);
    let recording =
        MemoryRecording::new("pendulum".to_owned(), gathered, Extent::All, &RecordingOptions::default())?;
    let options = PlaybackOptions { looping: true, start_on: StartOn::Launch, ..PlaybackOptions::default() };
    let player =
        Player::start(Playable::Recording(Box::new(recording)), hub.clone(), options, |_outcome| {})?;
    Ok(Box::new(player))
}

impl Pendulum {
    /// Moves on by a short time in seconds, by the midpoint between two slopes.
    fn step(&mut self, time: f64) {
        let [upper, lower] = self.accelerations();
        let half = Self {
            upper: self.upper + self.upper_speed * time / 2.0,
            lower: self.lower + self.lower_speed * time / 2.0,
            upper_speed: self.upper_speed + upper * time / 2.0,
            lower_speed: self.lower_speed + lower * time / 2.0,
        };
        let [upper, lower] = half.accelerations();
        self.upper += half.upper_speed * time;
        self.lower += half.lower_speed * time;
        self.upper_speed += upper * time;
        self.lower_speed += lower * time;
    }

    /// Of two equal weights on equal rods.
    fn accelerations(&self) -> [f64; 2] {
        let Self { upper, lower, upper_speed, lower_speed } = *self;
        let (sin, cos) = (upper - lower).sin_cos();
        let below = ROD * (3.0 - (2.0 * (upper - lower)).cos());
        let (upper_square, lower_square) = (upper_speed * upper_speed * ROD, lower_speed * lower_speed * ROD);
        let pull = -3.0 * GRAVITY * upper.sin() - GRAVITY * (upper - 2.0 * lower).sin();
        [
            (pull - 2.0 * sin * (lower_square + upper_square * cos)) / below,
            2.0 * sin * (2.0 * upper_square + 2.0 * GRAVITY * upper.cos() + lower_square * cos) / below,
        ]
    }

    /// Per kilogram of one weight.
    #[cfg(test)]
    fn energy(&self) -> f64 {
        let Self { upper, lower, upper_speed, lower_speed } = *self;
        let moving = upper_speed.powi(2)
            + 0.5 * lower_speed.powi(2)
            + upper_speed * lower_speed * (upper - lower).cos();
        moving - GRAVITY * (2.0 * upper.cos() + lower.cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pendulum_keeps_its_energy() {
        let mut pendulum = Pendulum { upper: 2.0, lower: 2.6, upper_speed: 0.0, lower_speed: 0.0 };
        let before = pendulum.energy();
        for _ in 0..RATE * SECONDS * STEPS {
            pendulum.step(1.0 / f64::from(RATE * STEPS));
        }
        assert!((pendulum.energy() - before).abs() < 0.2, "{before} became {}", pendulum.energy());
    }
}
