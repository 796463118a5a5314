//! What has been read and not yet published, and what the reader has been asked for.

use std::collections::VecDeque;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Messages,
    /// For all clients, after a seek.
    SeekState,
    ClientState,
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

#[derive(Debug)]
pub(super) struct ReadAhead {
    /// Counts seeks.
    epoch: u64,
    asked: VecDeque<Asked>,
    ready: VecDeque<Ready>,
    /// Next message of the first batch in `ready`.
    cursor: usize,
    /// No message before it is still to come.
    unread_from: Timestamp,
    read_all: bool,
    backoff: Backoff,
}

impl ReadAhead {
    pub(super) fn new(start: Timestamp) -> Self {
        Self {
            epoch: 0,
            asked: VecDeque::new(),
            ready: VecDeque::new(),
            cursor: 0,
            unread_from: start,
            read_all: false,
            backoff: Backoff::default(),
        }
    }

    /// Asks for batches as far as there are credits, one at a time while reading fails.
    pub(super) fn ask(&mut self, stage: &mut impl Stage, now: Instant) {
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
            ..Self::new(to)
        };
        stage.read_seek(to, self.epoch, stage.wanted_channels());
        self.ask(stage, now);
    }

    /// Asks for the state before the next message, for a client that has just subscribed.
    pub(super) fn ask_state(&mut self, client: ClientId, channels: Vec<ChannelId>, stage: &mut impl Stage) {
        let before = match self.next() {
            Next::At(time) => time,
            Next::Unread => self.unread_from,
            Next::End => Timestamp::MAX,
        };
        self.asked.push_back(Asked::ClientState);
        stage.read_backfill(before, self.epoch, channels, client);
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

    /// The state before a time was read.
    pub(super) fn on_state(&mut self) {
        self.asked.pop_front();
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

    /// Drops the first batch if all of it is published. Returns whether it did.
    pub(super) fn drop_published(&mut self) -> bool {
        let done = self
            .ready
            .front()
            .is_some_and(|ready| ready.announced.is_some() && self.cursor >= ready.batch.entries.len());
        if done {
            self.ready.pop_front();
            self.cursor = 0;
        }
        done
    }

    /// The first batch is published up to this message.
    pub(super) fn on_published(&mut self, upto: usize, last: Timestamp) {
        self.cursor = upto;
        self.unread_from = Timestamp(last.0.saturating_add(1));
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
