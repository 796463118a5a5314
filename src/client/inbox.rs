//! A queue with a bound in bytes, between the task of a connection and one who takes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::options::{Overflow, Queue};

/// Bytes that are taken at once, or the one item that is larger.
const SHARE: usize = 16 << 10;

/// What waits for one who takes.
#[derive(Debug)]
pub(super) struct Inbox<T> {
    queue: Queue,
    held: Mutex<Held<T>>,
    /// Something has come, or it is the end.
    arrived: Notify,
    /// Something was taken, or nobody takes any more.
    room: Notify,
}

#[derive(Debug)]
struct Held<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    dropped: u64,
    /// Nothing comes any more.
    ended: bool,
    /// Nobody takes any more.
    abandoned: bool,
}

/// Whether more is to be put in for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Some,
    None,
}

impl<T> Held<T> {
    fn room(&self, queue: Queue) -> Room {
        let is_full = queue.overflow == Overflow::Wait && !self.abandoned && self.bytes > queue.bytes;
        if is_full { Room::None } else { Room::Some }
    }
}

impl<T> Inbox<T> {
    pub(super) fn new(queue: Queue) -> Self {
        let held = Held { items: VecDeque::new(), bytes: 0, dropped: 0, ended: false, abandoned: false };
        Self { queue, held: Mutex::new(held), arrived: Notify::new(), room: Notify::new() }
    }

    /// No panic can happen while the lock is held.
    fn held(&self) -> MutexGuard<'_, Held<T>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in that takes so many bytes. It replaces the last one that waits if `replaces` says so. Who waits for
    /// it does not notice before [`Inbox::wake`].
    pub(super) fn push(&self, item: T, bytes: usize, replaces: impl FnOnce(&T, &T) -> bool) -> Room {
        let mut held = self.held();
        if held.abandoned || held.ended {
            return Room::Some;
        }
        if let Some((last, size)) = held.items.back_mut()
            && replaces(last, &item)
        {
            let before = std::mem::replace(size, bytes);
            *last = item;
            held.bytes = held.bytes - before + bytes;
        } else {
            held.items.push_back((item, bytes));
            held.bytes += bytes;
        }
        if self.queue.overflow == Overflow::DropOldest {
            while held.bytes > self.queue.bytes && held.items.len() > 1 {
                if let Some((_, size)) = held.items.pop_front() {
                    held.bytes -= size;
                    held.dropped += 1;
                }
            }
        }
        held.room(self.queue)
    }

    /// Wakes who waits for what was put in.
    pub(super) fn wake(&self) {
        self.arrived.notify_one();
    }

    /// Whether nothing more is to be put in for now.
    pub(super) fn is_full(&self) -> bool {
        self.held().room(self.queue) == Room::None
    }

    /// Waits until it may not be full any more.
    pub(super) async fn room(&self) {
        self.room.notified().await;
    }

    /// Nothing comes any more; what waits can still be taken.
    pub(super) fn end(&self) {
        self.held().ended = true;
        self.arrived.notify_one();
    }

    /// Nobody takes any more.
    pub(super) fn abandon(&self) {
        let mut held = self.held();
        held.abandoned = true;
        held.items = VecDeque::new();
        held.bytes = 0;
        drop(held);
        self.room.notify_one();
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.held().abandoned
    }

    /// Items that were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.held().dropped
    }

    /// Takes the first of what waits: as many as [`SHARE`] says, so that not each costs a lock.
    pub(super) fn take(&self, taken: &mut VecDeque<T>) {
        let mut held = self.held();
        let was_full = held.bytes > self.queue.bytes;
        let mut bytes = 0;
        while let Some((_, size)) = held.items.front()
            && (taken.is_empty() || bytes + size <= SHARE)
        {
            bytes += size;
            taken.extend(held.items.pop_front().map(|(item, _)| item));
        }
        held.bytes -= bytes;
        let has_room = held.bytes <= self.queue.bytes;
        drop(held);
        if was_full && has_room {
            self.room.notify_one();
        }
    }

    /// Waits until something can be taken; false: nothing comes any more. For one who takes; cancel safe.
    pub(super) async fn wait(&self) -> bool {
        loop {
            {
                let held = self.held();
                if !held.items.is_empty() || held.ended {
                    return !held.items.is_empty();
                }
            }
            // one notification is kept if it comes before this
            self.arrived.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox(bytes: usize, overflow: Overflow) -> Inbox<u32> {
        Inbox::new(Queue { bytes, overflow })
    }

    fn taken(inbox: &Inbox<u32>) -> VecDeque<u32> {
        let mut taken = VecDeque::new();
        inbox.take(&mut taken);
        taken
    }

    fn never(_: &u32, _: &u32) -> bool {
        false
    }

    #[test]
    fn the_oldest_are_dropped_and_counted() {
        let inbox = inbox(10, Overflow::DropOldest);
        for item in 0..5 {
            inbox.push(item, 4, never);
        }
        assert_eq!((inbox.dropped(), inbox.is_full()), (3, false));
        assert_eq!((taken(&inbox), taken(&inbox)), ([3, 4].into(), [].into()));
    }

    #[test]
    fn one_that_is_larger_than_the_queue_fits_alone() {
        let inbox = inbox(10, Overflow::DropOldest);
        inbox.push(1, 4, never);
        inbox.push(2, 400, never);
        assert_eq!(taken(&inbox), [2]);
    }

    #[test]
    fn a_queue_that_waits_is_full_until_there_is_room() {
        let inbox = inbox(2 * SHARE, Overflow::Wait);
        for item in 0..5 {
            inbox.push(item, SHARE / 2, never);
        }
        assert!(inbox.is_full());
        assert_eq!(taken(&inbox), [0, 1]);
        assert!(!inbox.is_full());
        inbox.push(5, 10 * SHARE, never);
        inbox.abandon();
        assert!(!inbox.is_full() && taken(&inbox).is_empty());
    }

    #[test]
    fn the_last_one_is_replaced_where_it_counts_no_more() {
        let inbox = inbox(10, Overflow::Wait);
        let even = |last: &u32, new: &u32| last.is_multiple_of(2) && new.is_multiple_of(2);
        for item in [1, 2, 4, 6, 7] {
            inbox.push(item, 2, even);
        }
        assert_eq!(taken(&inbox), [1, 6, 7]);
    }

    #[tokio::test]
    async fn what_waits_at_the_end_is_still_taken() {
        let inbox = inbox(10, Overflow::Wait);
        inbox.push(1, 1, never);
        inbox.end();
        inbox.push(2, 1, never);
        assert!(inbox.wait().await);
        assert_eq!(taken(&inbox), [1]);
        assert!(!inbox.wait().await);
    }
}
