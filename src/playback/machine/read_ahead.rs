//! What has been read and not yet published, and what the reader has been asked for.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::hub::ClientId;
use crate::model::{Batch, ChannelId};
use crate::playback::stage::Stage;
use crate::source::{Backoff, SourceError};
use crate::time::Timestamp;

/// Batches asked of the reader ahead of need, and read ahead.
pub(super) const CREDITS: usize = 3;

/// The message that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It has been read, and has this time.
    At(Timestamp),
    /// It has not been read yet.
    Unread,
    /// There is none.
    End,
}

/// A batch that has been read.
#[derive(Debug)]
struct Ready {
    batch: Arc<Batch>,
    /// When its channels were announced; before that none of it is published.
    announced: Option<Instant>,
}

/// The reader answers in the order in which it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Messages,
    /// For all clients, after a seek.
    SeekState,
    /// For one client, of these channels; those that are published meanwhile are taken out.
    ClientState(BTreeSet<ChannelId>),
}

/// How a failure is dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// The state before a time is incomplete.
    State,
    /// As [`crate::source::ErrorKind::Skipped`].
    Skipped,
    /// It is tried again after a pause; `log`: the user is to know.
    Retried {
        /// Not set for most of many failures in a row.
        log: bool,
    },
}

#[derive(Debug, Default)]
pub(super) struct ReadAhead {
    /// Counts seeks.
    epoch: u64,
    asked: VecDeque<Asked>,
    /// Clients that have subscribed, whose channels' state is asked for one after the other.
    subscribed: VecDeque<(ClientId, BTreeSet<ChannelId>)>,
    ready: VecDeque<Ready>,
    /// Next message of the first batch in `ready`.
    cursor: usize,
    read_all: bool,
    backoff: Backoff,
}

impl ReadAhead {
    /// Asks for batches as far as there are credits, one at a time while reading fails.
    pub(super) fn ask(&mut self, stage: &mut impl Stage, now: Instant) {
        self.ask_next_state(stage);
        if self.read_all || !self.backoff.may_try(now) {
            return;
        }
        let at_once = if self.backoff.is_failing() { 1 } else { CREDITS };
        let mut asked = self.asked.iter().filter(|asked| **asked == Asked::Messages).count();
        while asked < at_once && self.ready.len() + asked < CREDITS {
            asked += 1;
            self.asked.push_back(Asked::Messages);
            stage.read_next(self.epoch);
        }
    }

    /// Forgets everything; the reader goes on at `to`, with the state before that.
    pub(super) fn seek(&mut self, to: Timestamp, stage: &mut impl Stage, now: Instant) {
        *self = Self {
            epoch: self.epoch + 1,
            asked: VecDeque::from([Asked::SeekState]),
            backoff: std::mem::take(&mut self.backoff),
            ..Self::default()
        };
        stage.read_seek(to, self.epoch, stage.wanted_channels());
        self.ask(stage, now);
    }

    /// Has the state of channels asked for, for a client that has just subscribed to them.
    pub(super) fn ask_state(&mut self, client: ClientId, channels: Vec<ChannelId>) {
        if channels.is_empty() {
            return;
        }
        match self.subscribed.iter_mut().find(|(waiting, _)| *waiting == client) {
            Some((_, waiting)) => waiting.extend(channels),
            None => self.subscribed.push_back((client, channels.into_iter().collect())),
        }
    }

    /// Asks for the state before the next message: once that is known, so that nothing is sent twice, and one request at
    /// a time, so that a client that subscribes again and again holds little up.
    fn ask_next_state(&mut self, stage: &mut impl Stage) {
        if self.subscribed.is_empty() || self.asked.iter().any(|asked| matches!(asked, Asked::ClientState(_)))
        {
            return;
        }
        let before = match self.next() {
            Next::At(time) => time,
            Next::Unread => return,
            Next::End => Timestamp::MAX,
        };
        if let Some((client, channels)) = self.subscribed.pop_front() {
            stage.read_backfill(before, self.epoch, channels.iter().copied().collect(), client);
            self.asked.push_back(Asked::ClientState(channels));
        }
    }

    /// Whether what the reader says belongs to a time before the last seek.
    pub(super) fn is_stale(&self, epoch: u64) -> bool {
        epoch != self.epoch
    }

    /// Whether the state before a seek's target has not been read yet: time stands still.
    pub(super) fn is_seeking(&self) -> bool {
        self.asked.contains(&Asked::SeekState)
    }

    /// A batch was read. Returns whether that ends failures that were logged.
    pub(super) fn on_batch(&mut self, batch: Arc<Batch>) -> bool {
        self.asked.pop_front();
        self.ready.push_back(Ready { batch, announced: None });
        self.backoff.succeeded()
    }

    /// There is no more to read.
    pub(super) fn on_end(&mut self) {
        self.asked.pop_front();
        self.read_all = true;
    }

    /// Nothing more is read: a stream is broken.
    pub(super) fn stop(&mut self) {
        self.read_all = true;
    }

    /// The state before a time was read. Where later messages have been published meanwhile, it is taken out.
    pub(super) fn on_state(&mut self, state: &mut Batch) {
        if let Some(Asked::ClientState(channels)) = self.asked.pop_front() {
            state.entries.retain(|entry| channels.contains(&entry.channel));
        }
    }

    /// Something could not be read.
    pub(super) fn on_failed(&mut self, error: &SourceError, now: Instant) -> Failed {
        if self.asked.front().is_some_and(|asked| *asked != Asked::Messages) {
            // what could be read of it follows
            return Failed::State;
        }
        self.asked.pop_front();
        let log = self.backoff.failed(error.kind(), now);
        if self.backoff.is_failing() { Failed::Retried { log } } else { Failed::Skipped }
    }

    /// When reading is tried again, if it pauses.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.backoff.until().filter(|_| !self.read_all)
    }

    /// The next batch whose channels are to be announced; it counts as announced from now on. Channels that end wait
    /// until all before them has been published.
    pub(super) fn next_to_announce(&mut self, now: Instant) -> Option<Arc<Batch>> {
        let index = self.ready.iter().position(|ready| ready.announced.is_none())?;
        let ready = self.ready.get_mut(index).filter(|ready| index == 0 || ready.batch.retired.is_empty())?;
        ready.announced = Some(now);
        Some(ready.batch.clone())
    }

    /// When the channels were announced that come with the next message, if it is the first after new ones.
    pub(super) fn announced_with_next(&self) -> Option<Instant> {
        let ready =
            self.ready.front().filter(|ready| self.cursor == 0 && !ready.batch.announcements.is_empty())?;
        ready.announced
    }

    /// The first batch, and which of its messages is next.
    pub(super) fn front(&self) -> Option<(&Arc<Batch>, usize)> {
        self.ready.front().map(|ready| (&ready.batch, self.cursor))
    }

    /// Takes the first batch away if all its messages are published.
    pub(super) fn take_published(&mut self) -> Option<Arc<Batch>> {
        let front = self.ready.front()?;
        if front.announced.is_none() || self.cursor < front.batch.entries.len() {
            return None;
        }
        self.cursor = 0;
        self.ready.pop_front().map(|ready| ready.batch)
    }

    /// The first batch is published up to this message.
    pub(super) fn on_published(&mut self, upto: usize) {
        let asked = self.asked.iter_mut().find_map(|asked| match asked {
            Asked::ClientState(channels) => Some(channels),
            Asked::Messages | Asked::SeekState => None,
        });
        if let (Some(channels), Some(front)) = (asked, self.ready.front()) {
            for entry in &front.batch.entries[self.cursor..upto] {
                channels.remove(&entry.channel);
            }
        }
        self.cursor = upto;
    }

    /// The message that comes next.
    pub(super) fn next(&self) -> Next {
        let mut cursor = self.cursor;
        for ready in &self.ready {
            if let Some(entry) = ready.batch.entries.get(cursor) {
                return Next::At(entry.log_time);
            }
            cursor = 0;
        }
        if self.read_all { Next::End } else { Next::Unread }
    }
}
