//! A machine, the stage that it acts on, and the clock.
//!
//! Checked at every step: playback is never beyond the next message nor outside of what is played.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::super::Machine;
use super::brief;
use super::script::{Script, Sent, Source};
use crate::hub::ClientId;
use crate::hub::capability::playback::PlaybackRequest;
use crate::hub::responder::{NoAnswer, Responder};
use crate::model::{Channel, ChannelId};
use crate::playback::PlaybackOptions;
use crate::protocol::{PlaybackState, PlaybackStatus};
use crate::source::{RecordingInfo, SourceKind};
use crate::time::{TimeRange, Timestamp};

/// What becomes of a request.
pub(super) struct Answer(Receiver<Result<PlaybackState, NoAnswer>>);

impl Answer {
    /// The answers so far: one at most.
    pub(super) fn all(&self) -> Vec<Result<PlaybackState, NoAnswer>> {
        self.0.try_iter().collect()
    }

    /// The answer, which has to be there.
    pub(super) fn now(&self) -> (PlaybackStatus, u64, bool, String) {
        let all = self.all();
        assert_eq!(all.len(), 1, "{all:?}");
        brief(all[0].as_ref().unwrap())
    }
}

pub(super) struct Simulation {
    pub(super) machine: Machine,
    pub(super) stage: Script,
    start: Instant,
    pub(super) now: Instant,
}

impl Simulation {
    pub(super) fn of(messages: Vec<(Timestamp, u32)>, options: PlaybackOptions) -> Self {
        let range = messages.first().zip(messages.last());
        let range = range.map(|(first, last)| TimeRange { start: first.0, end: last.0 });
        Self::new(Source::Recording(messages), range, false, options)
    }

    /// A recording that is played from `start`.
    pub(super) fn within(
        messages: Vec<(Timestamp, u32)>,
        start: Timestamp,
        options: PlaybackOptions,
    ) -> Self {
        let range = messages.last().map(|last| TimeRange { start, end: last.0 });
        Self::new(Source::Recording(messages), range, true, options)
    }

    pub(super) fn of_stream(options: PlaybackOptions) -> Self {
        Self::new(Source::Stream(VecDeque::new()), None, false, options)
    }

    fn new(source: Source, range: Option<TimeRange>, has_past: bool, options: PlaybackOptions) -> Self {
        let seekable = matches!(source, Source::Recording(_));
        let channels =
            if seekable { vec![channel_named(1, "/odd"), channel_named(2, "/even")] } else { Vec::new() };
        let info = RecordingInfo { range, channels, ..RecordingInfo::default() };
        let kind = if seekable { SourceKind::Recording } else { SourceKind::Stream };
        let start = range.map_or(Timestamp::MIN, |range| range.start);
        let mut stage = Script::new(source, start, options.shift);
        let now = Instant::now();
        let machine = Machine::new(kind, &info, options, has_past, &mut stage, now);
        Self { machine, stage, start: now, now }
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        let mut rounds = 0;
        loop {
            self.settle();
            let deadline = self.machine.advance(&mut self.stage, self.now);
            rounds += 1;
            assert!(rounds < 100, "it does not stop doing things at one time");
            if self.settle() {
                continue;
            }
            let wake_up = deadline.filter(|deadline| *deadline <= until);
            if wake_up.is_some_and(|at| at > self.now) {
                rounds = 0;
            }
            self.set_now(wake_up.unwrap_or(until).max(self.now));
            if wake_up.is_none() {
                self.machine.advance(&mut self.stage, self.now);
                self.settle();
                self.check();
                return;
            }
        }
    }

    /// To the moment at which the last message has been published, and nothing else has happened.
    pub(super) fn set_to_last_message(&mut self) {
        while self.stage.next().is_some() {
            self.set_now(self.now + Duration::from_micros(100));
            let due = self.machine.next_to_play(&mut self.stage, self.now);
            if due.is_some_and(|(time, _)| self.machine.timeline.clock.due(time) <= Some(self.now)) {
                self.machine.publish_next(1, &mut self.stage, self.now);
            }
        }
    }

    fn set_now(&mut self, now: Instant) {
        self.now = now;
        self.stage.since_start = now - self.start;
    }

    /// Lets the reader answer. Returns whether it did.
    fn settle(&mut self) -> bool {
        let mut any = false;
        while let Some(event) = self.stage.answer() {
            self.machine.on_read(event, &mut self.stage, self.now);
            any = true;
        }
        self.check();
        any
    }

    fn check(&self) {
        let position = self.machine.position(self.now);
        if !self.machine.timeline.is_empty() {
            let played = self.machine.timeline.played();
            assert!(played.contains(position), "{position} is outside of {played:?}");
        }
        if let Some(next) = self.stage.next()
            && !self.machine.timeline.is_past_part(next)
        {
            assert!(position <= next, "{position} is beyond the next message, {next}");
        }
    }

    pub(super) fn ask(&mut self, request: impl Into<PlaybackRequest>) -> Answer {
        let (sender, answers) = channel_of_answers();
        self.machine.on_request(request.into(), sender, &mut self.stage, self.now);
        self.check();
        Answer(answers)
    }

    pub(super) fn subscribe(&mut self, client: u64, channels: &[u32]) {
        let channels = channels.iter().map(|channel| ChannelId(*channel)).collect();
        self.machine.on_subscribed(ClientId::from_token(client), channels, &mut self.stage, self.now);
    }

    pub(super) fn position(&self) -> Timestamp {
        self.machine.position(self.now)
    }

    /// What was sent since the last call, without ticks.
    pub(super) fn take(&mut self) -> Vec<Sent> {
        let sent = std::mem::take(&mut self.stage.sent).into_iter().map(|(_, sent)| sent);
        sent.filter(|sent| !matches!(sent, Sent::Tick(_))).collect()
    }

    /// The messages of that: when they were sent, in ms since the start, and their time, in ms.
    pub(super) fn take_messages(&mut self) -> Vec<(u128, u64)> {
        let sent = std::mem::take(&mut self.stage.sent).into_iter();
        sent.filter_map(|(at, sent)| match sent {
            Sent::Message(time, _) => Some((at.as_millis(), time.0 / 1_000_000)),
            _ => None,
        })
        .collect()
    }

    /// The times of the messages of that, in ms.
    pub(super) fn take_times(&mut self) -> Vec<u64> {
        self.take_messages().into_iter().map(|(_, time)| time).collect()
    }

    /// The states of that.
    pub(super) fn take_states(&mut self) -> Vec<(PlaybackStatus, u64, bool, String)> {
        let sent = std::mem::take(&mut self.stage.sent).into_iter();
        sent.filter_map(|(_, sent)| match sent {
            Sent::Seek(state, ..) | Sent::Lap(state) | Sent::State(state) => Some(brief(&state)),
            _ => None,
        })
        .collect()
    }
}

fn channel_of_answers() -> (Responder<PlaybackState>, Receiver<Result<PlaybackState, NoAnswer>>) {
    let (sender, answers) = channel();
    // a test need not look at an answer
    (Responder::new(move |answer| drop(sender.send(answer))), answers)
}

pub(super) fn channel_named(id: u32, topic: &str) -> Arc<Channel> {
    Arc::new(Channel {
        id: ChannelId(id),
        topic: topic.into(),
        message_encoding: "json".into(),
        schema: None,
        metadata: Default::default(),
        latched: false,
    })
}
