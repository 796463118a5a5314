//! Plays a recording or a stream: decides what is published when.
//!
//! Pure: `now` is an argument, and what it wants done goes to a [`Stage`]. Whoever runs it hands in requests, what the
//! reader has read and who has subscribed, calls [`Machine::advance`] after each, and again at the time that it returns.
//!
//! Where it can't keep up — clients that must be waited for, a slow disk — the clock is slowed, so that messages keep
//! their distances. It waits for clients only where nothing may be dropped: with [`SlowClient::Wait`] and at
//! [`Rate::Max`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::pace::Pace;
use self::read_ahead::ReadAhead;
use self::start::Start;
use self::step::Step;
use self::timeline::Timeline;
pub(super) use self::wait::LONG_WAIT_ID;
use self::wait::Wait;
use super::shift::Shift;
use super::stage::Stage;
use super::{AtEnd, PlaybackOptions, Rate, StartOn, TimeShift};
use crate::hub::restart::RestartWatch;
use crate::hub::stats::{Activity, Snapshot};
use crate::hub::{ClientId, SlowClient};
use crate::log_limit::LogLimit;
use crate::model::{Channel, ChannelId};
use crate::source::{RecordingInfo, SourceError, SourceKind};
use crate::time::Timestamp;

mod advance;
mod pace;
mod read_ahead;
mod reading;
mod requests;
mod start;
mod step;
#[cfg(test)]
mod tests;
mod timeline;
mod wait;

/// The messages after new channels of a stream wait this long for subscriptions to them.
const SUBSCRIBE_GRACE: Duration = Duration::from_millis(50);

/// Lines about pauses of the recording in ten seconds.
const LOGGED_PAUSES: u32 = 10;

/// What is played.
#[derive(Debug)]
enum Material {
    /// A recording: it can be sought and repeated.
    Recorded,
    /// A stream: it is read once, its range is what has been published so far, and its time may go back.
    Streamed { watch: RestartWatch },
}

/// What time does.
#[derive(Debug)]
enum Phase {
    /// It has not started yet.
    Waiting {
        /// When it does; None: nobody has subscribed.
        start: Option<Start>,
        /// There is a state to send before the first message.
        backfill: bool,
    },
    Playing,
    Paused {
        /// After a seek: messages of exactly the position are published.
        shows_position: bool,
        step: Option<Step>,
    },
    Ended,
}

/// One playback.
#[derive(Debug)]
pub(super) struct Machine {
    start_on: StartOn,
    at_end: AtEnd,
    material: Material,
    phase: Phase,
    timeline: Timeline,
    ahead: ReadAhead,
    pace: Pace,
    wait: Wait,
    /// Of lines about pauses of the recording, which clients can cause as often as they like.
    log_limit: LogLimit,
    looping: bool,
    /// Time stands until then: a lap has begun that is a new session for clients, with a silence before it.
    silent_until: Option<Instant>,
    shift: Option<Shift>,
    /// The longest pause that is waited for.
    skip_gaps: Option<Duration>,
    channels: BTreeMap<ChannelId, Arc<Channel>>,
    /// Why a stream ended before its time.
    failure: Option<SourceError>,
}

impl Machine {
    /// A playback that stands at its start.
    pub(super) fn new(
        kind: SourceKind,
        info: &RecordingInfo,
        options: PlaybackOptions,
        stage: &mut impl Stage,
        now: Instant,
    ) -> Self {
        let timeline = Timeline::new(info.range, options.rate);
        let start = timeline.reached();
        let phase = if options.start_paused {
            Phase::Paused { shows_position: false, step: None }
        } else {
            // nobody can subscribe to nothing
            let start = (kind == SourceKind::Recording && info.channels.is_empty()).then(|| Start::at(now));
            Phase::Waiting { start, backfill: info.has_past }
        };
        let material = match kind {
            SourceKind::Recording => Material::Recorded,
            SourceKind::Stream => Material::Streamed { watch: RestartWatch::of_paced() },
        };
        let shift = match options.shift {
            TimeShift::Off => None,
            TimeShift::Now => Some(Shift::new(start, stage.wall_clock(), options.rate)),
        };
        let mut machine = Self {
            start_on: options.start_on,
            at_end: options.at_end,
            material,
            phase,
            timeline,
            ahead: ReadAhead::default(),
            pace: Pace::new(now),
            wait: Wait::default(),
            log_limit: LogLimit::new(LOGGED_PAUSES),
            looping: options.looping,
            silent_until: None,
            shift,
            skip_gaps: options.skip_gaps,
            channels: info.channels.iter().map(|channel| (channel.id, channel.clone())).collect(),
            failure: None,
        };
        if !machine.timeline.is_empty() {
            // clients that join before time starts are sent where it stands
            stage.changed(machine.state(now, None));
            if machine.shift.is_some() {
                machine.tick(stage, now);
            }
        }
        machine
    }

    /// A client has subscribed; there was no message to give it for the channels `without_state`.
    pub(super) fn on_subscribed(
        &mut self,
        client: ClientId,
        without_state: Vec<ChannelId>,
        stage: &mut impl Stage,
        now: Instant,
    ) {
        let is_recording = self.is_recording();
        match (&mut self.phase, self.start_on) {
            (Phase::Waiting { start, .. }, StartOn::Clients(wanted)) if stage.subscribers() >= wanted => {
                if wanted == 1 {
                    let rate = self.timeline.clock.rate();
                    start.get_or_insert_with(|| Start::soon(now)).on_subscribed(rate, now);
                } else {
                    // a certain number of clients is waited for in order to start them all at once
                    start.get_or_insert_with(|| Start::at(now));
                }
            }
            (Phase::Waiting { .. }, _) => {}
            (Phase::Playing | Phase::Paused { .. } | Phase::Ended, _) => {
                if is_recording {
                    self.ahead.ask_state(client, without_state);
                }
            }
        }
    }

    /// What it is doing; figures of clients are left out.
    pub(super) fn snapshot(&self, now: Instant) -> Snapshot {
        let is_empty = self.timeline.is_empty();
        Snapshot {
            activity: self.activity(),
            position: (!is_empty).then(|| self.position(now)),
            // that of a stream is not known before its end
            range: self.timeline.whole().filter(|_| self.is_recording()),
            part: self.timeline.part().filter(|_| self.is_recording()),
            speed: Some(match self.timeline.clock.rate() {
                Rate::Times(rate) => rate,
                Rate::Max => f64::INFINITY,
            }),
            looping: self.looping,
            ..Snapshot::default()
        }
    }

    fn activity(&self) -> Activity {
        match self.phase {
            Phase::Waiting { .. } => Activity::Waiting,
            Phase::Playing => Activity::Playing,
            Phase::Paused { .. } => Activity::Paused,
            Phase::Ended => Activity::Ended,
        }
    }

    fn is_recording(&self) -> bool {
        matches!(self.material, Material::Recorded)
    }

    fn position(&self, now: Instant) -> Timestamp {
        self.timeline.position(now, self.ahead.next())
    }

    /// Announces the channels of what has been read.
    fn announce(&mut self, stage: &mut impl Stage, now: Instant) {
        while let Some(batch) = self.ahead.next_to_announce(now) {
            if !batch.retired.is_empty() {
                stage.retire(&batch.retired);
                batch.retired.iter().for_each(|channel| drop(self.channels.remove(channel)));
            }
            if !batch.announcements.is_empty() {
                stage.announce(&batch.announcements);
                self.channels.extend(batch.announcements.iter().map(|channel| (channel.id, channel.clone())));
            }
        }
    }

    /// Time runs from here.
    fn run(&mut self, stage: &mut impl Stage, now: Instant) {
        self.silent_until = None;
        self.timeline.clock.play(now);
        self.set_shift(stage, now);
    }

    /// The clock goes on elsewhere without a seek.
    fn set_clock(&mut self, time: Timestamp, stage: &mut impl Stage, now: Instant) {
        self.timeline.clock.seek(time, now);
        self.set_shift(stage, now);
    }

    /// What is due now is sent as of now.
    fn set_shift(&mut self, stage: &mut impl Stage, now: Instant) {
        if let Some(shift) = &mut self.shift {
            let clock = &self.timeline.clock;
            shift.set(clock.position(now), stage.wall_clock(), clock.rate());
        }
    }

    /// The time of a moment of the recording, as clients are sent it.
    fn sent_time(&mut self, time: Timestamp, stage: &impl Stage) -> Timestamp {
        match &mut self.shift {
            Some(shift) => shift.time(time, stage.wall_clock()),
            None => time,
        }
    }

    /// Clients without messages are sent the time.
    fn tick(&mut self, stage: &mut impl Stage, now: Instant) {
        let time = self.sent_time(self.position(now), stage);
        stage.tick(time);
    }

    fn policy(&self, stage: &impl Stage) -> SlowClient {
        match self.timeline.clock.rate() {
            Rate::Max => SlowClient::Wait,
            Rate::Times(_) => stage.on_slow_client(),
        }
    }
}
