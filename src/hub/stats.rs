//! One snapshot of what is played and sent, as the program's progress bar shows it.

use crate::time::{TimeRange, Timestamp};

/// What playback is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activity {
    /// Not started: waits for the first subscription.
    #[default]
    Waiting,
    /// Time runs.
    Playing,
    /// Time stands still.
    Paused,
    /// Everything has been played, or the input has ended.
    Ended,
}

/// Figures of one moment; counters count from the start of the server.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// What playback is doing.
    pub activity: Activity,
    /// Where on the timeline it is; None where nothing can be played.
    pub position: Option<Timestamp>,
    /// First and last message that is played.
    pub range: Option<TimeRange>,
    /// The part of it to which playback is limited (A–B), if it is.
    pub part: Option<TimeRange>,
    /// Seconds of recording a second; infinite for `max`. None for live input: messages go out as they come in.
    pub speed: Option<f64>,
    /// Whether playback starts again at the end.
    pub looping: bool,
    /// Messages that came from live input.
    pub messages_received: u64,
    /// Clients connected.
    pub clients: usize,
    /// Messages written to clients, each client counted.
    pub messages_sent: u64,
    /// Bytes of payload in them.
    pub bytes_sent: u64,
    /// Messages that slow clients did not get.
    pub messages_dropped: u64,
    /// Size of the file that what is served is recorded into; 0 without one.
    pub bytes_recorded: u64,
}
