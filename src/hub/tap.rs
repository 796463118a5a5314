//! A tap: somebody within the program who takes all that is published, whether clients want it or not.
//!
//! It waits on a thread of its own, as a client's task does on the runtime. Putting something in never blocks.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::queue::{BatchQueue, Feed, Item, Part};
use super::{Hub, lock};
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

/// What keeps its place among the messages of a queue.
#[derive(Debug)]
enum Change {
    Announced(Vec<Arc<Channel>>),
    Retired(Vec<ChannelId>),
}

/// What a tap has to do next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Something was published.
    Published(Published),
    /// The deadline has passed.
    Deadline,
    /// [`Wake::wake`] was called, and everything that was published before has been taken.
    Woken,
    /// The tap was closed, and everything has been taken.
    Closed,
}

/// Takes what is published. Closes when dropped.
pub(crate) struct Tap {
    queue: Arc<TapQueue>,
    hub: Hub,
}

/// The side of a [`Tap`] on which the hub puts things in.
#[derive(Debug)]
pub(super) struct TapQueue {
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
    pub(super) fn push_channels(&self, channels: &[Arc<Channel>]) {
        self.push_change(Change::Announced(channels.to_vec()));
    }

    pub(super) fn push_retired(&self, channels: &[ChannelId]) {
        self.push_change(Change::Retired(channels.to_vec()));
    }

    fn push_change(&self, change: Change) {
        let mut waiting = lock(&self.waiting);
        if !waiting.closed {
            waiting.queue.push_other(change);
        }
    }

    pub(super) fn push(
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

    pub(super) fn has_room(&self) -> bool {
        lock(&self.waiting).has_room()
    }
}

impl Hub {
    /// A tap that starts with the channels known so far. `limit`: data queued for it, in bytes, and one batch;
    /// playback that waits for slow clients waits for it too, otherwise it loses what goes beyond.
    pub(crate) fn tap(&self, limit: usize) -> Tap {
        self.tap_and_latched(limit).0
    }

    /// The same with what still counts, at its beginning, of latched channels, and who has published that.
    pub(crate) fn tap_and_latched(&self, limit: usize) -> (Tap, Vec<(Arc<Batch>, Feed)>) {
        let queue = BatchQueue::default();
        let waiting = Waiting { limit, queue, lost: 0, closed: false, woken: false, idle: false };
        let waiting = Mutex::new(waiting);
        let queue = Arc::new(TapQueue { waiting, filled: Condvar::new() });
        self.flush_logged();
        let mut state = lock(&self.0.state);
        let known: Vec<_> = state.channels.known().cloned().collect();
        queue.push_channels(&known);
        state.taps.push(queue.clone());
        self.0.demand.set_taps(state.taps.len());
        let latched = state.latch.messages();
        drop(state);
        (Tap { queue, hub: self.clone() }, latched)
    }
}

impl Hub {
    /// Ends all taps: what is published from now on is nothing new.
    pub(crate) fn end_taps(&self) {
        self.flush_logged();
        let mut state = lock(&self.0.state);
        let taps = std::mem::take(&mut state.taps);
        self.0.demand.set_taps(0);
        drop(state);
        for tap in taps {
            lock(&tap.waiting).closed = true;
            tap.filled.notify_one();
        }
        self.emptier();
    }
}

/// Wakes the thread that waits in [`Tap::next`]. Does not keep the hub alive.
#[derive(Debug, Clone)]
pub(crate) struct Wake(Arc<TapQueue>);

impl Wake {
    /// Has [`Tap::next`] return [`Next::Woken`], also of a tap that is closed.
    pub(crate) fn wake(&self) {
        lock(&self.0.waiting).woken = true;
        self.0.filled.notify_one();
    }
}

impl Tap {
    /// What wakes its thread.
    pub(crate) fn waker(&self) -> Wake {
        Wake(self.queue.clone())
    }

    /// What is next; blocks until there is something, or the deadline has passed. What was returned before is done with.
    pub(crate) fn next(&self, deadline: Option<Instant>) -> Next {
        let taken = lock(&self.queue.waiting).take();
        // also where nothing is left: what was in hand took room until now
        self.hub.emptier();
        if let Some(published) = taken {
            return Next::Published(published);
        }
        let mut waiting = lock(&self.queue.waiting);
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
            let filled = &self.queue.filled;
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

    /// Nothing more is put in, and what is there is of no use any more.
    pub(crate) fn abandon(&self) {
        self.close();
        drop(lock(&self.queue.waiting).queue.drain());
    }

    /// Messages that were lost because they were not taken fast enough, so far.
    pub(crate) fn lost(&self) -> u64 {
        lock(&self.queue.waiting).lost
    }

    /// Nothing more is put in; what is there can still be taken.
    pub(crate) fn close(&self) {
        self.hub.flush_logged();
        let mut state = lock(&self.hub.0.state);
        state.taps.retain(|tap| !Arc::ptr_eq(tap, &self.queue));
        self.hub.0.demand.set_taps(state.taps.len());
        drop(state);
        lock(&self.queue.waiting).closed = true;
        self.queue.filled.notify_one();
        self.hub.emptier();
    }

    /// Tells the snapshot how many bytes have been recorded.
    pub(crate) fn count_recorded(&self, bytes: u64) {
        self.hub.0.counters.recorded.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::hub::{HubOptions, Publisher, SlowClient};
    use crate::model::{Entry, Fate};
    use crate::time::Timestamp;

    fn hub() -> (Hub, Publisher) {
        let hub = Hub::new("test", HubOptions::default());
        let publisher = hub.publisher();
        (hub, publisher)
    }

    fn batch() -> Arc<Batch> {
        let mut batch = Batch::default();
        let entry = Entry {
            log_time: Timestamp(1),
            publish_time: Timestamp(1),
            channel: ChannelId(1),
            sequence: 0,
            buffer: 0,
            offset: 0,
            length: 3,
            origin: 0,
        };
        batch.push_copy(&entry, b"abc");
        Arc::new(batch)
    }

    fn publish(publisher: &Publisher) {
        publisher.publish(&batch(), 0..1, SlowClient::Wait, Instant::now());
    }

    fn channel(topic: &str) -> Arc<Channel> {
        let topic = topic.to_owned();
        let (id, message_encoding, metadata) = (ChannelId(1), String::new(), BTreeMap::new());
        Arc::new(Channel { id, topic, message_encoding, schema: None, metadata, latched: false })
    }

    #[test]
    fn a_tap_gets_channels_of_before_it_and_messages_of_after_it() {
        let (hub, publisher) = hub();
        publisher.announce(&[channel("/a")]);
        publish(&publisher);
        let tap = hub.tap(1 << 20);
        publish(&publisher);
        let Next::Published(Published::Channels(channels)) = tap.next(None) else { panic!("no channels") };
        assert_eq!(channels, [channel("/a")], "also of those that can't be advertised");
        assert!(matches!(tap.next(None), Next::Published(Published::Messages { .. })));
        assert!(matches!(tap.next(Some(Instant::now())), Next::Deadline));
        tap.close();
        publish(&publisher);
        assert!(matches!(tap.next(None), Next::Closed));
    }

    #[test]
    fn a_backfill_is_not_for_a_tap() {
        let ((hub, publisher), now) = (hub(), Instant::now());
        let tap = hub.tap(1 << 20);
        publisher.backfill((*batch()).clone(), None, now);
        assert!(matches!(tap.next(None), Next::Published(Published::Channels(_))));
        assert!(matches!(tap.next(Some(now)), Next::Deadline));
    }

    #[test]
    fn a_tap_is_told_of_channels_that_end_and_of_what_is_not_sent() {
        let (hub, publisher) = hub();
        publisher.announce(&[channel("/a")]);
        let tap = hub.tap(1 << 20);
        let mut unsent = Batch::default();
        unsent.push_copy(&Entry::at(ChannelId(1), Timestamp(1)), b"map");
        unsent.sift(|_, _| Fate::Unsent);
        publisher.publish_live(unsent, Instant::now());
        publisher.retire(&[ChannelId(1)]);
        assert!(matches!(tap.next(None), Next::Published(Published::Channels(_))));
        let Next::Published(Published::Messages { batch, range, feed, .. }) = tap.next(None) else {
            panic!("no messages")
        };
        assert_eq!((batch.unsent_in(&range).len(), range, feed), (1, 0..0, Feed::Live));
        let Next::Published(Published::Retired(retired)) = tap.next(None) else { panic!("no end") };
        assert_eq!(retired, [ChannelId(1)]);
    }

    #[test]
    fn a_tap_begins_with_what_is_latched_and_is_woken_after_what_was_published() {
        let (hub, publisher) = hub();
        publisher.announce(&[Arc::new(Channel { latched: true, ..(*channel("/map")).clone() })]);
        publish(&publisher);
        let (tap, latched) = hub.tap_and_latched(1 << 20);
        let [(latched, Feed::Playback)] = latched.as_slice() else { panic!("{latched:?}") };
        assert_eq!(latched.payload(&latched.entries[0]), b"abc");
        tap.waker().wake();
        publish(&publisher);
        assert!(matches!(tap.next(None), Next::Published(Published::Channels(_))));
        assert!(matches!(tap.next(None), Next::Published(Published::Messages { .. })));
        assert!(matches!(tap.next(None), Next::Woken));
        tap.close();
        tap.waker().wake();
        assert!(matches!(tap.next(None), Next::Woken));
        assert!(matches!(tap.next(None), Next::Closed));
    }

    #[test]
    fn a_publisher_that_waits_waits_for_a_full_tap_and_is_called_when_there_is_room() {
        let (hub, publisher) = hub();
        let calls = Arc::<AtomicUsize>::default();
        let counter = calls.clone();
        publisher.on_room(move || {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let called = || calls.load(Ordering::SeqCst);
        let tap = hub.tap(1);
        assert!(publisher.has_room(usize::MAX));
        publish(&publisher);
        assert!(!publisher.has_room(usize::MAX));
        assert!(matches!(tap.next(None), Next::Published(Published::Channels(_))));
        assert!(matches!(tap.next(None), Next::Published(Published::Messages { .. })));
        assert!(!publisher.has_room(usize::MAX), "what is in hand takes room");
        let before = called();
        assert!(matches!(tap.next(Some(Instant::now())), Next::Deadline));
        assert!(called() > before, "nobody called the publisher");
        assert!(publisher.has_room(usize::MAX));

        publish(&publisher);
        assert!(!publisher.has_room(usize::MAX));
        let before = called();
        tap.abandon();
        assert!(publisher.has_room(usize::MAX), "a tap that is gone holds nobody up");
        assert!(called() > before);
        assert!(matches!(tap.next(None), Next::Closed), "what was queued is gone");
    }

    #[test]
    fn what_does_not_fit_is_counted_and_a_closed_tap_holds_nobody_up() {
        let (hub, publisher) = hub();
        let tap = hub.tap(1);
        publish(&publisher);
        publish(&publisher);
        assert_eq!(tap.lost(), 1);
        tap.close();
        publish(&publisher);
        assert_eq!(tap.lost(), 1);
        assert!(publisher.has_room(usize::MAX));
    }

    #[test]
    fn a_tap_that_sleeps_is_woken_by_a_message() {
        let (hub, publisher) = hub();
        let tap = hub.tap(1 << 20);
        let taker = std::thread::spawn(move || {
            while !matches!(tap.next(None), Next::Published(Published::Messages { .. })) {}
        });
        std::thread::sleep(Duration::from_millis(30));
        publish(&publisher);
        taker.join().unwrap();
    }
}
