//! When each message is due, and the thread that publishes it then.

mod advance;
pub mod clock;
mod inbox;
mod player;
mod requests;
#[cfg(test)]
mod tests;
mod worker;

pub use crate::hub::capability::playback::Rate;
pub use inbox::{PlayerHandle, Request};
pub use player::Player;

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
