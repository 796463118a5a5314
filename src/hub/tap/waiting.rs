//! What was published and waits for its tap.

use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::hub::lock;
use crate::hub::queue::{BatchQueue, Feed, Item, Part};
use crate::model::{Batch, Channel, ChannelId};

/// While messages come in a steady flow they are taken in one go after this time: a wake-up for each part of a batch,
/// up to 2000 a second, would cost more than what is done with them.
const GATHER: Duration = Duration::from_millis(20);

/// A backlog of this many bytes is worth waking up for at once.
const WORTH_WAKING: usize = 4 << 20;

/// Something that was published.
#[derive(Debug, Clone)]
pub(crate) enum Published {
    /// Channels, before their first message.
    Channels(Vec<Arc<Channel>>),
    /// Channels that have ended, after their last message.
    Retired(Vec<ChannelId>),
    /// A part of a batch, and what lies in it that is not sent.
    Messages {
        batch: Arc<Batch>,
        /// Which of its messages; none where all that it has is not sent.
        range: Range<usize>,
        /// Who has published it.
        feed: Feed,
        /// When its first message was published.
        published: Instant,
    },
}

/// What a tap has to do next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Something was published.
    Published(Published),
    /// The deadline has passed.
    Deadline,
    /// [`Wake::wake`](super::Wake::wake) was called, and everything that was published before has been taken.
    Woken,
    /// The tap was closed, and everything has been taken.
    Closed,
}

/// What keeps its place among the messages of a queue.
#[derive(Debug)]
enum Change {
    Announced(Vec<Arc<Channel>>),
    Retired(Vec<ChannelId>),
}

/// The side of a [`Tap`](super::Tap) on which the hub puts things in.
#[derive(Debug)]
pub(in crate::hub) struct TapQueue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

/// Bound, in bytes that stay in memory because of the queue: `limit`, and one batch. Beyond it messages are turned away
/// and counted; whoever can wait asks [`TapQueue::has_room`] first.
#[derive(Debug)]
struct Waiting {
    limit: usize,
    queue: BatchQueue<Change>,
    lost: u64,
    closed: bool,
    woken: bool,
    /// The tap has nothing else to do: anything is worth waking up for.
    idle: bool,
}

impl Waiting {
    fn has_room(&self) -> bool {
        self.closed || self.queue.held() < self.limit
    }

    fn take(&mut self) -> Option<Published> {
        Some(match self.queue.take()? {
            Item::Messages(Part { batch, range, feed, queued, .. }) => {
                Published::Messages { batch, range, feed, published: queued }
            }
            Item::Other(Change::Announced(channels)) => Published::Channels(channels),
            Item::Other(Change::Retired(channels)) => Published::Retired(channels),
        })
    }
}

impl TapQueue {
    /// `limit`: bytes, and one batch.
    pub(super) fn new(limit: usize) -> Self {
        let queue = BatchQueue::default();
        let waiting = Waiting { limit, queue, lost: 0, closed: false, woken: false, idle: false };
        Self { waiting: Mutex::new(waiting), filled: Condvar::new() }
    }

    pub(in crate::hub) fn push_channels(&self, channels: &[Arc<Channel>]) {
        self.push_change(Change::Announced(channels.to_vec()));
    }

    pub(in crate::hub) fn push_retired(&self, channels: &[ChannelId]) {
        self.push_change(Change::Retired(channels.to_vec()));
    }

    fn push_change(&self, change: Change) {
        let mut waiting = lock(&self.waiting);
        if !waiting.closed {
            waiting.queue.push_other(change);
        }
    }

    pub(in crate::hub) fn push(
        &self,
        batch: &Arc<Batch>,
        range: Range<usize>,
        bytes: usize,
        feed: Feed,
        now: Instant,
    ) {
        let mut waiting = lock(&self.waiting);
        if waiting.closed || range.is_empty() && batch.unsent_in(&range).is_empty() {
            return;
        }
        if !waiting.has_room() {
            waiting.lost += range.len() as u64;
            return;
        }
        waiting.queue.push(batch, range, bytes, true, feed, now);
        let wake = std::mem::take(&mut waiting.idle) || waiting.queue.held() >= WORTH_WAKING;
        drop(waiting);
        if wake {
            self.filled.notify_one();
        }
    }

    pub(in crate::hub) fn has_room(&self) -> bool {
        lock(&self.waiting).has_room()
    }

    pub(super) fn take(&self) -> Option<Published> {
        lock(&self.waiting).take()
    }

    /// What is next; blocks until there is something, or the deadline has passed.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Next {
        let mut waiting = lock(&self.waiting);
        loop {
            if let Some(published) = waiting.take() {
                return Next::Published(published);
            }
            if std::mem::take(&mut waiting.woken) {
                return Next::Woken;
            }
            if waiting.closed {
                return Next::Closed;
            }
            let filled = &self.filled;
            waiting.idle = deadline.is_none();
            waiting = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Next::Deadline,
                Some(left) => {
                    let woken = filled.wait_timeout(waiting, left.min(GATHER));
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => filled.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Has [`TapQueue::wait`] return [`Next::Woken`].
    pub(super) fn wake(&self) {
        lock(&self.waiting).woken = true;
        self.filled.notify_one();
    }

    /// Nothing more is put in; what is there can still be taken.
    pub(super) fn close(&self) {
        lock(&self.waiting).closed = true;
        self.filled.notify_one();
    }

    /// Drops what is there.
    pub(super) fn clear(&self) {
        drop(lock(&self.waiting).queue.drain());
    }

    /// Messages that were turned away.
    pub(super) fn lost(&self) -> u64 {
        lock(&self.waiting).lost
    }
}
