//! What a tap still has to take: all that is published, to whichever clients.
//!
//! Pure. One push for each part of a batch, as for clients. Bound, in bytes that stay in memory because of it: the
//! limit, and one batch. Beyond it messages are turned away and counted; whoever can wait asks
//! [`Backlog::has_room`] first.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::model::{Batch, Channel};

/// Something that was published.
#[derive(Debug, Clone)]
pub(crate) enum Published {
    /// Channels, before their first message.
    Channels(Vec<Arc<Channel>>),
    /// A part of a batch.
    Messages {
        batch: Arc<Batch>,
        /// Which of its messages.
        range: Range<usize>,
    },
}

/// The queue of one tap. See the module's documentation.
#[derive(Debug)]
pub(crate) struct Backlog {
    limit: usize,
    items: VecDeque<Item>,
    /// Bytes that the items keep in memory, with those of the item in hand.
    pinned: usize,
    in_hand: usize,
    lost: u64,
    closed: bool,
}

#[derive(Debug)]
struct Item {
    published: Published,
    pinned: usize,
}

impl Backlog {
    /// An empty queue with a limit in bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, items: VecDeque::new(), pinned: 0, in_hand: 0, lost: 0, closed: false }
    }

    /// Queues channels; they are the hub's own and cost nothing.
    pub(crate) fn push_channels(&mut self, channels: &[Arc<Channel>]) {
        if !self.closed {
            self.items.push_back(Item { published: Published::Channels(channels.to_vec()), pinned: 0 });
        }
    }

    /// Queues a part of a batch, or counts its messages as lost if there is no room.
    pub(crate) fn push(&mut self, batch: &Arc<Batch>, range: Range<usize>) {
        if self.closed || range.is_empty() {
            return;
        }
        if !self.has_room() {
            self.lost += range.len() as u64;
            return;
        }
        let mut pinned = batch.footprint();
        if let Some(Item { published: Published::Messages { batch: last, range: part }, .. }) =
            self.items.back_mut()
        {
            if Arc::ptr_eq(last, batch) && part.end == range.start {
                part.end = range.end;
                return;
            }
            pinned -= batch.shared_with(last);
        }
        self.pinned += pinned;
        let published = Published::Messages { batch: batch.clone(), range };
        self.items.push_back(Item { published, pinned });
    }

    /// Takes the oldest; what was taken before is done with.
    pub(crate) fn take(&mut self) -> Option<Published> {
        self.pinned -= self.in_hand;
        let item = self.items.pop_front();
        self.in_hand = item.as_ref().map_or(0, |item| item.pinned);
        item.map(|item| item.published)
    }

    /// Whether the next messages are taken in.
    pub(crate) fn has_room(&self) -> bool {
        self.closed || self.pinned < self.limit
    }

    /// Bytes that stay in memory because of this queue.
    pub(crate) fn pinned(&self) -> usize {
        self.pinned
    }

    /// Messages that were turned away, so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Nothing more is taken in; what is queued can still be taken.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// Forgets what is queued.
    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.pinned = self.in_hand;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{ChannelId, Entry};
    use crate::time::Timestamp;

    fn batch(messages: u32, buffer: Bytes) -> Arc<Batch> {
        let entry = |number| Entry {
            log_time: Timestamp(number),
            publish_time: Timestamp(number),
            channel: ChannelId(1),
            sequence: 0,
            buffer: 0,
            offset: 0,
            length: 1,
        };
        let entries = (0..u64::from(messages)).map(entry).collect();
        Arc::new(Batch { buffers: vec![buffer], entries, ..Batch::default() })
    }

    fn parts(backlog: &mut Backlog) -> Vec<(Arc<Batch>, Range<usize>)> {
        std::iter::from_fn(|| backlog.take())
            .filter_map(|published| match published {
                Published::Messages { batch, range } => Some((batch, range)),
                Published::Channels(_) => None,
            })
            .collect()
    }

    #[test]
    fn parts_that_follow_each_other_are_one_and_pin_their_batch_once() {
        let (mut backlog, batch) = (Backlog::new(1 << 20), batch(10, vec![0; 1000].into()));
        backlog.push(&batch, 0..3);
        backlog.push(&batch, 3..3);
        backlog.push(&batch, 3..7);
        assert_eq!(backlog.pinned(), batch.footprint());
        let got = parts(&mut backlog);
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].1, 0..7);
        assert_eq!(backlog.pinned(), 0);
    }

    #[test]
    fn batches_over_one_buffer_pin_it_once() {
        let (mut backlog, buffer) = (Backlog::new(1 << 20), Bytes::from(vec![0; 1000]));
        let (one, other) = (batch(1, buffer.clone()), batch(1, buffer));
        backlog.push(&one, 0..1);
        backlog.push(&other, 0..1);
        assert_eq!(backlog.pinned(), 1000 + 2 * size_of::<Entry>());
    }

    #[test]
    fn what_is_in_hand_takes_room_until_the_next_is_taken() {
        let (mut backlog, batch) = (Backlog::new(500), batch(2, vec![0; 1000].into()));
        backlog.push(&batch, 0..1);
        assert!(!backlog.has_room());
        backlog.push(&batch, 1..2);
        assert_eq!(backlog.lost(), 1, "a full queue does not grow");
        assert!(backlog.take().is_some());
        assert!(!backlog.has_room());
        assert!(backlog.take().is_none());
        assert!(backlog.has_room());
    }

    #[test]
    fn a_closed_queue_takes_nothing_in_and_holds_nobody_up() {
        let (mut backlog, batch) = (Backlog::new(1), batch(2, vec![0; 10].into()));
        backlog.push(&batch, 0..1);
        backlog.close();
        backlog.push(&batch, 1..2);
        backlog.push_channels(&[]);
        assert!(backlog.has_room());
        assert_eq!((parts(&mut backlog).len(), backlog.lost()), (1, 0));
    }

    proptest! {
        #[test]
        fn every_message_is_taken_in_order_or_counted_and_memory_is_bounded(
            steps in prop::collection::vec((0usize..40, prop::bool::weighted(0.3)), 1..200),
            limit in 1usize..20_000,
        ) {
            const MESSAGES: usize = 100;
            let mut backlog = Backlog::new(limit);
            let (mut current, mut at) = (batch(100, vec![0; 3000].into()), 0);
            let one = current.footprint();
            let (mut pushed, mut taken, mut last) = (0, 0, None);
            let mut count = |published: Published, last: &mut Option<(*const Batch, usize)>| {
                if let Published::Messages { batch, range } = published {
                    let place = (Arc::as_ptr(&batch), range.start);
                    assert!(last.is_none_or(|(other, end)| other != place.0 || end <= place.1));
                    *last = Some((place.0, range.end));
                    taken += range.len();
                }
            };
            // kept alive, so that no two batches share an address
            let mut all = vec![current.clone()];
            for (length, take) in steps {
                let end = (at + length).min(MESSAGES);
                backlog.push(&current, at..end);
                pushed += end - at;
                at = end;
                if at == MESSAGES {
                    (current, at) = (batch(100, vec![0; 3000].into()), 0);
                    all.push(current.clone());
                }
                prop_assert!(backlog.pinned() < limit + one);
                if take && let Some(published) = backlog.take() {
                    count(published, &mut last);
                }
            }
            while let Some(published) = backlog.take() {
                count(published, &mut last);
            }
            prop_assert_eq!(pushed as u64, taken as u64 + backlog.lost());
            prop_assert_eq!(backlog.pinned(), 0);
        }
    }
}
