//! The capability `playbackControl`, and the one vocabulary in which playback is controlled: by clients, by the keyboard,
//! and by the program that embeds it.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

use crate::hub::responder::Responder;
use crate::hub::stats::{Activity, Snapshot};
use crate::hub::{AlreadyProvided, ClientId, Hub, lock};
use crate::protocol::{PlaybackCommand, PlaybackControlRequest, PlaybackState, PlaybackStatus};
use crate::time::{TimeRange, Timestamp};

/// How fast time runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// This many seconds of recording a second; within [`Rate::RANGE`].
    Times(f64),
    /// As fast as clients take it, nothing dropped.
    Max,
}

impl Rate {
    /// Rates that can be asked for.
    pub const RANGE: RangeInclusive<f64> = 0.01..=1000.0;
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

/// Where to continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// At a time of the recording; one outside of the range becomes its nearest end.
    To(Timestamp),
    /// This many nanoseconds after the position; before it if negative.
    By(i64),
}

/// A change of the rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RateChange {
    /// This rate; a number outside of [`Rate::RANGE`] becomes its nearest end. To a client [`Rate::Max`] looks like the
    /// end of that range, so that a client's request for it leaves `max` as it is.
    To(Rate),
    /// The rate multiplied by this factor; [`Rate::Max`] becomes 1 by a factor below 1.
    By(f64),
}

/// A change of the part of the timeline that is played (A–B).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeChange {
    /// This part, as far as there is something; with `loop` it is what is repeated. Seeks stay within it, and playback
    /// continues at its start if it is elsewhere. The range that is declared to clients stays.
    To(TimeRange),
    /// All of it again.
    Whole,
}

/// Whether playback starts again at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopChange {
    /// On or off.
    To(bool),
    /// The other way.
    Toggle,
}

/// What time does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Run. At the end it does nothing.
    Play,
    /// Stand still.
    Pause,
    /// Run if it stands still, else stand still. At the end: play again from the start.
    Toggle,
    /// Pause, and publish the next messages. The answer comes after the last of them. Where there are fewer, those are
    /// published; at the end it does nothing.
    Step {
        /// How many; 0 only pauses.
        count: u32,
        /// Only messages of this topic count; those of other topics before them are published too. A topic that is
        /// not offered: it only pauses.
        topic: Option<String>,
    },
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// A client, by the protocol; the state that answers it carries this id to every client.
    Client {
        /// Which one.
        client: ClientId,
        /// Chosen by the client.
        request_id: String,
    },
    /// The program itself, or who embeds it.
    Program,
}

/// What is asked of playback. The parts that are given are carried out in the order of the fields.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaybackRequest {
    /// Who asks.
    pub by: Asker,
    /// Play another part of the timeline.
    pub range: Option<RangeChange>,
    /// Continue elsewhere; at the end this plays again, unless the command is to pause.
    pub seek: Option<Seek>,
    /// Change the rate.
    pub rate: Option<RateChange>,
    /// Start again at the end, or not.
    pub looping: Option<LoopChange>,
    /// Play, pause or step.
    pub command: Option<Command>,
}

impl PlaybackRequest {
    /// A request of the program that asks for nothing yet.
    pub fn new() -> Self {
        Self { by: Asker::Program, range: None, seek: None, rate: None, looping: None, command: None }
    }

    /// Makes time run, given what playback is doing: at the end from the start again.
    pub fn play_or_restart(now: &Snapshot) -> Self {
        let played = now.part.or(now.range);
        match (now.activity, played) {
            (Activity::Ended, _) => Command::Toggle.into(),
            (Activity::Paused, Some(played)) if now.position == Some(played.end) => {
                Self { seek: Some(Seek::To(played.start)), ..Command::Play.into() }
            }
            _ => Command::Play.into(),
        }
    }
}

impl PlaybackRequest {
    /// What a client asks for by the protocol.
    pub(crate) fn of_client(client: ClientId, request: PlaybackControlRequest) -> Self {
        let PlaybackControlRequest { command, speed, seek, request_id } = request;
        Self {
            by: Asker::Client { client, request_id },
            range: None,
            seek: seek.map(Seek::To),
            rate: Some(RateChange::To(Rate::Times(speed.into()))),
            looping: None,
            command: Some(match command {
                PlaybackCommand::Play => Command::Play,
                PlaybackCommand::Pause => Command::Pause,
            }),
        }
    }
}

impl Default for PlaybackRequest {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Command> for PlaybackRequest {
    fn from(command: Command) -> Self {
        Self { command: Some(command), ..Self::new() }
    }
}

impl From<Seek> for PlaybackRequest {
    fn from(seek: Seek) -> Self {
        Self { seek: Some(seek), ..Self::new() }
    }
}

impl From<RateChange> for PlaybackRequest {
    fn from(rate: RateChange) -> Self {
        Self { rate: Some(rate), ..Self::new() }
    }
}

impl From<RangeChange> for PlaybackRequest {
    fn from(range: RangeChange) -> Self {
        Self { range: Some(range), ..Self::new() }
    }
}

impl From<LoopChange> for PlaybackRequest {
    fn from(looping: LoopChange) -> Self {
        Self { looping: Some(looping), ..Self::new() }
    }
}

/// Plays, and can be controlled: a [`PlayerHandle`](crate::playback::PlayerHandle), or what an embedder has, for example
/// a simulation that can be paused. Recordings of an own kind need no other player: they implement
/// [`Recording`](crate::source::Recording).
pub trait Playback: Send + Sync {
    /// Carries a request out, soon; returns at once. The answer is the state after it, which every client is sent as
    /// well. Where nothing can be done (a stream can't be sought) the state says what is.
    fn request(&self, request: PlaybackRequest, answer: Responder<PlaybackState>);

    /// Answers what it is doing, once the requests before this are carried out; returns at once. Who has no more to tell than
    /// the states that it publishes needs no method of its own: those are told then.
    fn look(&self, answer: Responder<Snapshot>) {
        drop(answer);
    }
}

impl Hub {
    /// Registers who plays: clients that join from now on know that playback can be controlled, and the range.
    pub fn provide_playback(
        &self,
        playback: Arc<dyn Playback>,
        range: TimeRange,
    ) -> Result<(), AlreadyProvided> {
        self.provide(
            "playbackControl",
            playback,
            |slots| &mut slots.playback,
            |state| (state.range, state.time) = (Some(range), Some(range.start)),
        )
    }

    /// Who plays, if somebody does whom clients may control.
    pub(crate) fn playback(&self) -> Option<Arc<dyn Playback>> {
        lock(&self.0.state).slots.playback.as_ref().cloned()
    }

    /// What playback is doing, by the state that it has published last; None where nothing can be controlled.
    pub(crate) fn playback_as_published(&self) -> Option<Snapshot> {
        let state = lock(&self.0.state);
        let range = state.range?;
        let published = state.playback.as_ref();
        Some(Snapshot {
            activity: match published.map(|published| published.status) {
                None => Activity::Waiting,
                Some(PlaybackStatus::Playing | PlaybackStatus::Buffering) => Activity::Playing,
                Some(PlaybackStatus::Paused) => Activity::Paused,
                Some(PlaybackStatus::Ended) => Activity::Ended,
            },
            position: published.map(|published| published.current_time).or(state.time),
            range: Some(range),
            speed: Some(published.map_or(1.0, |published| published.speed.into())),
            ..Snapshot::default()
        })
    }

    /// Nobody plays any more: requests are refused, and clients that join from now on don't know of playback.
    pub(crate) fn withdraw_playback(&self) {
        let mut state = lock(&self.0.state);
        let gone = state.slots.playback.empty();
        (state.range, state.playback) = (None, None);
        drop(state);
        drop(gone);
    }
}
