//! When each message is due, and the thread that publishes it then.

use std::str::FromStr;
use std::time::Duration;

mod advance;
pub mod clock;
mod inbox;
mod live;
mod player;
mod requests;
mod restart;
#[cfg(test)]
mod tests;
mod worker;

pub use inbox::{PlayerHandle, Request};
pub use live::{Live, OnEof, OpenWriter, Writers};
pub use player::Player;

/// How long what must not overtake messages (a lap's end, a change of channels, a restart of time) waits for slow
/// clients that are not waited for otherwise.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// How fast time runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// This many seconds of recording a second; within [`Rate::RANGE`].
    Times(f64),
    /// As fast as clients take it, nothing dropped.
    Max,
}

impl Rate {
    /// Speeds that can be asked for.
    pub const RANGE: std::ops::RangeInclusive<f64> = 0.01..=1000.0;
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("max") {
            return Ok(Self::Max);
        }
        match text.parse::<f64>() {
            Ok(rate) if Self::RANGE.contains(&rate) => Ok(Self::Times(rate)),
            _ => Err(format!("'{text}' is not a rate: write a number from 0.01 to 1000, or max")),
        }
    }
}

/// What playback waits for before it first starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartOn {
    /// This many clients have subscribed to something.
    Clients(usize),
    /// Nothing.
    Launch,
}

/// What happens after the last message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtEnd {
    /// Stay, so that a viewer can look and seek back.
    Stay,
    /// Close every client once all is sent, and exit.
    Exit,
}

/// How a recording is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlaybackOptions {
    /// Speed at the start.
    pub rate: Rate,
    /// Start again at the end.
    pub looping: bool,
    /// Wait for a play request or key.
    pub start_paused: bool,
    /// What to wait for before time starts.
    pub start_on: StartOn,
    /// What happens after the last message.
    pub at_end: AtEnd,
}
