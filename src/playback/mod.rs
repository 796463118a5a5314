//! When each message is due, and the thread that publishes it then.
//!
//! A player is asked in one vocabulary, [`PlaybackRequest`](crate::hub::capability::playback::PlaybackRequest), through
//! its handle ([`PlayerHandle`], a [`Playback`](crate::hub::capability::playback::Playback)), by the keyboard and by
//! clients alike:
//!
//! ```
//! use foxglove_bridge::hub::capability::playback::{Command, Playback, PlaybackRequest, RangeChange, Seek};
//! use foxglove_bridge::hub::responder::Responder;
//! use foxglove_bridge::time::{TimeRange, Timestamp};
//!
//! fn ask(player: &impl Playback) {
//!     // from A to B; with loop, again and again
//!     let part = TimeRange { start: Timestamp(5_000_000_000), end: Timestamp(7_000_000_000) };
//!     player.request(RangeChange::To(part).into(), Responder::ignore());
//!     // to the third message of a topic from here
//!     let step = Command::Step { count: 3, topic: Some("/camera".into()) };
//!     let report = Responder::new(|state| println!("{state:?}"));
//!     player.request(PlaybackRequest { seek: Some(Seek::By(-1_000_000_000)), ..step.into() }, report);
//! }
//! ```

#[doc(hidden)]
pub mod clock;
mod inbox;
mod machine;
mod player;
mod recordings;
mod remote;
mod shift;
mod stage;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use crate::hub::capability::playback::Rate;
pub use inbox::PlayerHandle;
pub use player::Player;
pub use recordings::offered_files;
pub use remote::{NotOffered, Remote};

/// What playback waits for before it first starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartOn {
    /// This many clients have subscribed to something; with 1, and no subscription has come for a second (at
    /// [`Rate::Max`] for a quarter of one), or five have passed since the first.
    Clients(usize),
    /// Nothing.
    Launch,
}

/// What happens after the last message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtEnd {
    /// Stay, so that a viewer can look and seek back.
    Stay,
    /// Call `on_finished` of [`Player::start`]: the program closes every client once all is sent, and ends.
    Exit,
}

/// Which times messages are sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeShift {
    /// Those of the recording.
    Off,
    /// Moved so that what is played is of now: a message has the time of this computer's clock at which it is due, and
    /// at [`Rate::Max`] that at which it is handed out. Times never go back: a lap is no seek, and a seek no new session
    /// for clients. Payloads stay as they are, stamps in them included. Requests, states and the range of playback are
    /// in the recording's own time.
    Now,
}

/// Who may control playback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlBy {
    /// Clients, and the program: the capability `playbackControl` is declared for a recording.
    Clients,
    /// The program alone. So it has to be beside live sources, which have no range and can't be sought.
    Program,
}

/// The longest pause that is waited for, unless another is asked for: nobody sits before a viewer for longer.
const LONGEST_GAP: Duration = Duration::from_secs(24 * 3600);

/// How a recording is played. `PlaybackOptions::default()` has what the options of the program have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlaybackOptions {
    /// Speed at the start. Default: that of the recording, `Rate::Times(1.0)`.
    pub rate: Rate,
    /// Start again at the end. Default: false.
    pub looping: bool,
    /// Wait for a play request. Default: false.
    pub start_paused: bool,
    /// What to wait for before time starts. Default: the first client, `StartOn::Clients(1)`.
    pub start_on: StartOn,
    /// What happens after the last message. Default: [`AtEnd::Stay`].
    pub at_end: AtEnd,
    /// Which times messages are sent with. Default: those of the recording, [`TimeShift::Off`].
    pub shift: TimeShift,
    /// A pause between messages that takes longer than this at the current speed is not waited for; None: every pause
    /// is. Default: a day.
    pub skip_gaps: Option<Duration>,
    /// Who may control playback. Default: [`ControlBy::Clients`].
    pub control: ControlBy,
}

impl Default for PlaybackOptions {
    fn default() -> Self {
        Self {
            rate: Rate::Times(1.0),
            looping: false,
            start_paused: false,
            start_on: StartOn::Clients(1),
            at_end: AtEnd::Stay,
            shift: TimeShift::Off,
            skip_gaps: Some(LONGEST_GAP),
            control: ControlBy::Clients,
        }
    }
}
