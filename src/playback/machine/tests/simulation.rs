//! A machine, the stage that it acts on, and the clock.
//!
//! The stage checks what must hold at every moment: messages of a recording come one after the other from where the
//! last seek went, none of a batch that was read before it; at most [`CREDITS`] batches are asked for; playback is
//! never beyond the next message nor outside of what is played; times that are sent never go back with a shift.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::super::Machine;
use super::super::read_ahead::CREDITS;
use super::brief;
use crate::hub::capability::playback::PlaybackRequest;
use crate::hub::responder::{NoAnswer, Responder};
use crate::hub::{ClientId, SlowClient};
use crate::model::{Batch, Channel, ChannelId, Entry};
use crate::playback::stage::{Direction, Stage};
use crate::playback::{PlaybackOptions, TimeShift};
use crate::protocol::{PlaybackState, PlaybackStatus, Status};
use crate::source::reader::ReaderEvent;
use crate::source::{SourceError, SourceInfo};
use crate::time::{TimeRange, Timestamp};

/// The wall's clock when a simulation begins.
pub(super) const WALL: Timestamp = Timestamp(1_800_000_000_000_000_000);

/// Messages in a batch.
const BATCH: usize = 3;

/// What a machine did.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sent {
    /// Time and channel, as sent.
    Message(Timestamp, u32),
    /// The same, and for whom.
    Backfill(Option<u64>, Vec<(Timestamp, u32)>),
    Seek(PlaybackState, Timestamp, Direction),
    Lap(PlaybackState),
    State(PlaybackState),
    Restart(Timestamp),
    Retired(Vec<u32>),
    Announced(Vec<u32>),
    Tick(Timestamp),
    Notice(String),
    Finished(Result<(), String>),
}

enum Asked {
    Next,
    Seek { to: Timestamp, channels: Vec<ChannelId> },
    Backfill { before: Timestamp, channels: Vec<ChannelId>, client: ClientId },
}

/// Where the messages come from.
pub(super) enum Source {
    Recording(Vec<(Timestamp, u32)>),
    /// Handed in by the test; None is the end.
    Stream(VecDeque<Option<Batch>>),
}

pub(super) struct Script {
    source: Source,
    /// Next message of a recording that the reader reads.
    read: usize,
    /// The one that is published next.
    next: usize,
    epoch: u64,
    asked: VecDeque<(u64, Asked)>,
    shift: TimeShift,
    newest_sent: Timestamp,
    /// What was sent, with the time since the start.
    pub(super) sent: Vec<(Duration, Sent)>,
    /// The reader's attempts fail.
    pub(super) broken: bool,
    /// How often it was asked for a batch while it was broken.
    pub(super) failures: usize,
    /// The reader's next attempt fails with this.
    pub(super) fail_once: Option<SourceError>,
    /// The reader does not answer.
    pub(super) stuck: bool,
    pub(super) room: bool,
    pub(super) policy: SlowClient,
    pub(super) policies: Vec<SlowClient>,
    pub(super) subscribers: usize,
    since_start: Duration,
    /// The wall's clock is ahead by this.
    pub(super) wall_offset: i64,
}

impl Script {
    fn log(&mut self, sent: Sent) {
        self.sent.push((self.since_start, sent));
    }

    fn check_time(&mut self, time: Timestamp) {
        if self.shift == TimeShift::Now {
            assert!(time >= self.newest_sent, "{time} is sent after {}", self.newest_sent);
            self.newest_sent = time;
        }
    }

    fn index(&self, time: Timestamp) -> usize {
        match &self.source {
            Source::Recording(messages) => messages.partition_point(|message| message.0 < time),
            Source::Stream(_) => 0,
        }
    }

    /// What the reader says to what it was asked.
    fn answer(&mut self) -> Option<ReaderEvent> {
        if self.stuck {
            return None;
        }
        if let (Source::Stream(batches), None) = (&self.source, &self.fail_once)
            && batches.is_empty()
        {
            return None;
        }
        let (epoch, asked) = self.asked.pop_front()?;
        Some(match asked {
            Asked::Next if self.fail_once.is_some() => {
                ReaderEvent::Failed { epoch, error: self.fail_once.take()? }
            }
            Asked::Next if self.broken => {
                self.failures += 1;
                let error =
                    SourceError::Io { name: "test".into(), error: std::io::Error::other("is broken") };
                ReaderEvent::Failed { epoch, error }
            }
            Asked::Next => match self.batch(epoch) {
                Some(batch) => ReaderEvent::Batch { epoch, batch: Arc::new(batch) },
                None => ReaderEvent::End { epoch },
            },
            Asked::Seek { to, channels } => {
                self.read = self.index(to);
                ReaderEvent::State { epoch, token: None, batch: self.state(to, &channels) }
            }
            Asked::Backfill { before, channels, client } => ReaderEvent::State {
                epoch,
                token: Some(client.token()),
                batch: self.state(before, &channels),
            },
        })
    }

    fn batch(&mut self, epoch: u64) -> Option<Batch> {
        match &mut self.source {
            Source::Stream(batches) => batches.pop_front()?,
            Source::Recording(messages) => {
                let from = self.read;
                self.read = messages.len().min(from + BATCH);
                (from < self.read).then(|| made_batch(&messages[from..self.read], from, epoch))
            }
        }
    }

    fn state(&self, before: Timestamp, channels: &[ChannelId]) -> Batch {
        let Source::Recording(messages) = &self.source else { return Batch::default() };
        let last = |channel: &ChannelId| {
            messages.iter().rfind(|message| message.0 < before && message.1 == channel.0).copied()
        };
        let mut found: Vec<_> = channels.iter().filter_map(last).collect();
        found.sort();
        made_batch(&found, 0, self.epoch)
    }
}

/// The sequence number tells the epoch and the index of a message.
pub(super) fn made_batch(messages: &[(Timestamp, u32)], from: usize, epoch: u64) -> Batch {
    let mut batch = Batch::default();
    for (index, &(time, channel)) in messages.iter().enumerate() {
        let sequence = u32::try_from(epoch * 1000 + (from + index) as u64).unwrap();
        let channel = ChannelId(channel);
        let entry =
            Entry { log_time: time, publish_time: time, channel, sequence, buffer: 0, offset: 0, length: 1 };
        batch.push_copy(&entry, b"x");
    }
    batch
}

fn entries(batch: &Batch) -> Vec<(Timestamp, u32)> {
    batch.entries.iter().map(|entry| (entry.log_time, entry.channel.0)).collect()
}

impl Stage for Script {
    fn announce(&mut self, channels: &[Arc<Channel>]) {
        self.log(Sent::Announced(channels.iter().map(|channel| channel.id.0).collect()));
    }

    fn retire(&mut self, channels: &[ChannelId]) {
        self.log(Sent::Retired(channels.iter().map(|channel| channel.0).collect()));
    }

    fn publish(&mut self, batch: &Arc<Batch>, range: Range<usize>, policy: SlowClient, _now: Instant) {
        assert!(!range.is_empty());
        for entry in &batch.entries[range] {
            if let Source::Recording(_) = self.source {
                assert_eq!(
                    u64::from(entry.sequence),
                    self.epoch * 1000 + self.next as u64,
                    "epoch and index"
                );
                self.next += 1;
            }
            self.check_time(entry.log_time);
            self.log(Sent::Message(entry.log_time, entry.channel.0));
            self.policies.push(policy);
        }
    }

    fn backfill(&mut self, batch: Batch, to: Option<ClientId>, _now: Instant) {
        batch.entries.iter().for_each(|entry| self.check_time(entry.log_time));
        self.log(Sent::Backfill(to.map(ClientId::token), entries(&batch)));
    }

    fn seek(&mut self, state: PlaybackState, time: Timestamp, direction: Direction, _now: Instant) {
        self.check_time(time);
        self.log(Sent::Seek(state, time, direction));
    }

    fn lap(&mut self, state: PlaybackState, _now: Instant) {
        assert_eq!(self.shift, TimeShift::Off, "times go on");
        self.log(Sent::Lap(state));
    }

    fn restart(&mut self, time: Timestamp, _now: Instant) {
        assert_eq!(self.shift, TimeShift::Off, "times go on");
        self.log(Sent::Restart(time));
    }

    fn changed(&mut self, state: PlaybackState) {
        self.log(Sent::State(state));
    }

    fn tick(&mut self, time: Timestamp) {
        self.check_time(time);
        self.log(Sent::Tick(time));
    }

    fn notice(&mut self, status: &Status) {
        self.log(Sent::Notice(status.message.clone()));
    }

    fn has_room(&mut self, _lead: usize) -> bool {
        self.room
    }

    fn subscribers(&self) -> usize {
        self.subscribers
    }

    fn wanted_channels(&self) -> Vec<ChannelId> {
        vec![ChannelId(1), ChannelId(2)]
    }

    fn on_slow_client(&self) -> SlowClient {
        self.policy
    }

    fn wall_clock(&self) -> Timestamp {
        let now = WALL.saturating_add(self.since_start);
        Timestamp(now.0.saturating_add_signed(self.wall_offset))
    }

    fn read_next(&mut self, epoch: u64) {
        self.asked.push_back((epoch, Asked::Next));
        let asked =
            self.asked.iter().filter(|(of, asked)| *of == epoch && matches!(asked, Asked::Next)).count();
        assert!(asked <= CREDITS, "{asked} batches are asked for");
    }

    fn read_seek(&mut self, to: Timestamp, epoch: u64, channels: Vec<ChannelId>) {
        assert_eq!(epoch, self.epoch + 1);
        self.epoch = epoch;
        self.next = self.index(to);
        self.asked.push_back((epoch, Asked::Seek { to, channels }));
    }

    fn read_backfill(&mut self, before: Timestamp, epoch: u64, channels: Vec<ChannelId>, client: ClientId) {
        self.asked.push_back((epoch, Asked::Backfill { before, channels, client }));
    }

    fn finished(&mut self, outcome: Result<(), SourceError>) {
        self.log(Sent::Finished(outcome.map_err(|error| error.to_string())));
    }
}

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
        let range = messages
            .first()
            .zip(messages.last())
            .map(|(first, last)| TimeRange { start: first.0, end: last.0 });
        Self::new(Source::Recording(messages), range, options)
    }

    pub(super) fn of_stream(options: PlaybackOptions) -> Self {
        Self::new(Source::Stream(VecDeque::new()), None, options)
    }

    fn new(source: Source, range: Option<TimeRange>, options: PlaybackOptions) -> Self {
        let seekable = matches!(source, Source::Recording(_));
        let channels =
            if seekable { vec![channel_named(1, "/odd"), channel_named(2, "/even")] } else { Vec::new() };
        let info = SourceInfo { range, channels, seekable, ..SourceInfo::default() };
        let mut stage = Script {
            source,
            read: 0,
            next: 0,
            epoch: 0,
            asked: VecDeque::new(),
            shift: options.shift,
            newest_sent: Timestamp::MIN,
            sent: Vec::new(),
            broken: false,
            failures: 0,
            fail_once: None,
            stuck: false,
            room: true,
            policy: SlowClient::Drop,
            policies: Vec::new(),
            subscribers: 0,
            since_start: Duration::ZERO,
            wall_offset: 0,
        };
        let now = Instant::now();
        let machine = Machine::new(&info, options, false, &mut stage, now);
        Self { machine, stage, start: now, now }
    }

    /// The reader of a stream reads this next; None: the end.
    pub(super) fn feed(&mut self, batch: Option<Batch>) {
        let Source::Stream(batches) = &mut self.stage.source else { panic!("a recording is not fed") };
        batches.push_back(batch);
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        let mut idle = 0;
        loop {
            self.settle();
            let deadline = self.machine.advance(&mut self.stage, self.now);
            if self.settle() {
                continue;
            }
            let wake_up = deadline.filter(|deadline| *deadline <= until);
            idle = if wake_up.is_some_and(|at| at <= self.now) { idle + 1 } else { 0 };
            assert!(idle < 10, "it wants to be advanced again and again at one time");
            self.set_now(wake_up.unwrap_or(until).max(self.now));
            if wake_up.is_none() {
                self.machine.advance(&mut self.stage, self.now);
                self.settle();
                self.check();
                return;
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
        if let Source::Recording(messages) = &self.stage.source
            && let Some(next) = messages.get(self.stage.next)
            && !self.machine.timeline.is_past_part(next.0)
        {
            assert!(position <= next.0, "{position} is beyond the next message, {}", next.0);
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

impl Simulation {
    /// To the moment at which the last message has been published, and nothing else has happened.
    pub(super) fn set_to_last_message(&mut self) {
        let Source::Recording(messages) = &self.stage.source else { panic!("a stream has no last message") };
        let count = messages.len();
        while self.stage.next < count {
            self.set_now(self.now + Duration::from_micros(100));
            let due = self.machine.next_to_play(&mut self.stage, self.now);
            if due.is_some_and(|(time, _)| self.machine.timeline.clock.due(time) <= Some(self.now)) {
                self.machine.publish_next(1, &mut self.stage, self.now);
            }
        }
    }
}
