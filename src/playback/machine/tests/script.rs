//! The stage of a simulation: a reader, clients and a wall clock that do what a test says, and what was done to them.
//!
//! It checks what must hold at every moment: messages of a recording come one after the other from where the last seek
//! went, none of a batch that was read before it; at most [`CREDITS`] batches are asked for, and the last messages for one
//! subscription; none of these has been overtaken by a later one; times that are sent never go back with a shift.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::read_ahead::CREDITS;
use crate::hub::Direction;
use crate::hub::{ClientId, SlowClient};
use crate::model::{Batch, Channel, ChannelId, Entry};
use crate::playback::TimeShift;
use crate::playback::stage::Stage;
use crate::protocol::PlaybackState;
use crate::source::SourceError;
use crate::source::reader::ReaderEvent;
use crate::time::Timestamp;

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
    /// A condition, by its id.
    Shown(&'static str),
    Cleared(&'static str),
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
    /// The one that was so when the last messages for a subscription were asked for.
    asked_at: usize,
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
    /// The next state before a time can't be read in full.
    pub(super) fail_state: bool,
    /// The reader does not answer.
    pub(super) stuck: bool,
    pub(super) room: bool,
    pub(super) policy: SlowClient,
    pub(super) policies: Vec<SlowClient>,
    pub(super) subscribers: usize,
    /// A client is connected that knows no playback states.
    pub(super) laps_are_sessions: bool,
    /// By id: what clients are shown for as long as it holds.
    pub(super) conditions: BTreeMap<&'static str, String>,
    pub(super) since_start: Duration,
    /// The wall's clock is ahead by this.
    pub(super) wall_offset: i64,
    /// How late messages were published at most.
    pub(super) latest: Duration,
}

impl Script {
    /// `start`: where a recording is played from.
    pub(super) fn new(source: Source, start: Timestamp, shift: TimeShift) -> Self {
        let mut script = Self {
            source,
            read: 0,
            next: 0,
            asked_at: 0,
            epoch: 0,
            asked: VecDeque::new(),
            shift,
            newest_sent: Timestamp::MIN,
            sent: Vec::new(),
            broken: false,
            failures: 0,
            fail_once: None,
            fail_state: false,
            stuck: false,
            room: true,
            policy: SlowClient::Drop,
            policies: Vec::new(),
            subscribers: 0,
            laps_are_sessions: false,
            conditions: BTreeMap::new(),
            since_start: Duration::ZERO,
            wall_offset: 0,
            latest: Duration::ZERO,
        };
        script.read = script.index(start);
        script.next = script.read;
        script
    }

    /// The message of a recording that is to be published next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        match &self.source {
            Source::Recording(messages) => messages.get(self.next).map(|message| message.0),
            Source::Stream(_) => None,
        }
    }

    /// The reader of a stream reads this next; None: the end.
    pub(super) fn feed(&mut self, batch: Option<Batch>) {
        let Source::Stream(batches) = &mut self.source else { panic!("a recording is not fed") };
        batches.push_back(batch);
    }

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
    pub(super) fn answer(&mut self) -> Option<ReaderEvent> {
        if self.stuck {
            return None;
        }
        if let (Source::Stream(batches), None) = (&self.source, &self.fail_once)
            && batches.is_empty()
        {
            return None;
        }
        let is_state = self.asked.front().is_some_and(|(_, asked)| !matches!(asked, Asked::Next));
        if is_state && std::mem::take(&mut self.fail_state) {
            let error = SourceError::Io { name: "test".into(), error: std::io::Error::other("is broken") };
            return Some(ReaderEvent::Failed { epoch: self.epoch, error });
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
        let entry = Entry {
            log_time: time,
            publish_time: time,
            channel,
            sequence,
            buffer: 0,
            offset: 0,
            length: 1,
            origin: 0,
        };
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

    fn late(&mut self, late: Duration) {
        self.latest = self.latest.max(late);
    }

    fn backfill(&mut self, batch: Batch, to: Option<ClientId>, _now: Instant) {
        batch.entries.iter().for_each(|entry| self.check_time(entry.log_time));
        if let (Source::Recording(messages), Some(_)) = (&self.source, to) {
            let since = &messages[self.asked_at..self.next];
            let is_newer = |entry: &Entry| since.iter().any(|message| message.1 == entry.channel.0);
            assert!(!batch.entries.iter().any(is_newer), "{batch:?} comes after {since:?}");
        }
        self.log(Sent::Backfill(to.map(ClientId::token), entries(&batch)));
    }

    fn seek(&mut self, state: PlaybackState, time: Timestamp, direction: Direction) {
        self.check_time(time);
        self.log(Sent::Seek(state, time, direction));
    }

    fn lap(&mut self, state: PlaybackState, _policy: SlowClient, _now: Instant) {
        assert_eq!(self.shift, TimeShift::Off, "times go on");
        self.log(Sent::Lap(state));
    }

    fn restart(&mut self, time: Timestamp, _policy: SlowClient, _now: Instant) {
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

    fn notice(&mut self, text: &str) {
        self.log(Sent::Notice(text.to_owned()));
    }

    fn condition(&mut self, id: &'static str, text: &str) {
        assert_eq!(self.conditions.insert(id, text.to_owned()), None, "{id} is shown already");
        self.log(Sent::Shown(id));
    }

    fn clear(&mut self, id: &'static str) {
        assert!(self.conditions.remove(id).is_some(), "{id} is not shown");
        self.log(Sent::Cleared(id));
    }

    fn has_room(&mut self, _lead: usize) -> bool {
        self.room
    }

    fn laps_are_sessions(&self) -> bool {
        self.laps_are_sessions
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
        let of_now = |(of, asked): &(u64, Asked)| *of == epoch && matches!(asked, Asked::Backfill { .. });
        assert!(!self.asked.iter().any(of_now), "one at a time");
        self.asked_at = self.next;
        self.asked.push_back((epoch, Asked::Backfill { before, channels, client }));
    }

    fn finished(&mut self, outcome: Result<(), SourceError>) {
        self.log(Sent::Finished(outcome.map_err(|error| error.to_string())));
    }
}
