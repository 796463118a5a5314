//! A queue of batches: what a client or a tap has not been given yet.
//!
//! Pure. An item is a part of a shared batch, or something else (`X`) that keeps its place among the messages. Two sums
//! are kept, in bytes: the payloads queued, and the buffers that stay in memory because of the queue.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use crate::model::Batch;

/// What publishes: playback, whose seeks make void what it has published before, or live input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Feed {
    /// A recording, or a stream that is played by time.
    #[default]
    Playback,
    /// What is sent as it comes.
    Live,
}

/// A part of a batch in a queue.
#[derive(Debug, Clone)]
pub struct Part {
    /// What it is a part of.
    pub batch: Arc<Batch>,
    /// Its messages, in [`Batch::entries`].
    pub range: Range<usize>,
    /// Whether `time` runs with the messages; not for a backfill.
    pub timed: bool,
    /// Who has published it.
    pub feed: Feed,
    /// Number of the item: items count up.
    pub number: u64,
    /// When its first message was queued.
    pub queued: Instant,
    /// Payload bytes, wanted or not.
    pub(super) bytes: usize,
    /// Bytes of buffers that only this part (of this queue) keeps alive.
    pub(super) pinned: usize,
}

/// What is queued.
#[derive(Debug, Clone)]
pub enum Item<X> {
    /// Messages.
    Messages(Part),
    /// Something else.
    Other(X),
}

/// The item that was taken last and is being worked on.
#[derive(Debug)]
struct InHand {
    bytes: usize,
    /// Of messages: when the first was queued, and who has published them.
    messages: Option<(Instant, Feed)>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct BatchQueue<X> {
    items: VecDeque<Item<X>>,
    bytes: usize,
    pinned: usize,
    in_hand: Option<InHand>,
    next_number: u64,
    /// The last item must not grow: something begins after it.
    sealed: bool,
}

impl<X> Default for BatchQueue<X> {
    fn default() -> Self {
        Self { items: VecDeque::new(), bytes: 0, pinned: 0, in_hand: None, next_number: 0, sealed: false }
    }
}

impl<X> BatchQueue<X> {
    /// Queues a part of a batch; one that follows the last item's messages becomes part of that item.
    pub(super) fn push(
        &mut self,
        batch: &Arc<Batch>,
        range: Range<usize>,
        bytes: usize,
        timed: bool,
        feed: Feed,
        now: Instant,
    ) {
        let mut pinned = batch.footprint();
        if let Some(Item::Messages(last)) = self.items.back_mut() {
            if Arc::ptr_eq(&last.batch, batch)
                && last.range.end == range.start
                && (last.timed, last.feed) == (timed, feed)
                && !self.sealed
            {
                last.range.end = range.end;
                last.bytes += bytes;
                self.bytes += bytes;
                return;
            }
            pinned -= batch.shared_with(&last.batch);
        }
        let number = self.next_number;
        self.enqueue(Part { batch: batch.clone(), range, timed, feed, number, queued: now, bytes, pinned });
    }

    /// Queues a part as it is; its number must not be lower than that of a part before it.
    pub(super) fn enqueue(&mut self, part: Part) {
        self.bytes += part.bytes;
        self.pinned += part.pinned;
        self.next_number = self.next_number.max(part.number + 1);
        self.sealed = false;
        self.items.push_back(Item::Messages(part));
    }

    /// Queues something else, after what is queued already.
    pub(super) fn push_other(&mut self, other: X) {
        self.items.push_back(Item::Other(other));
        self.sealed = true;
    }

    /// Takes the oldest item; what was taken before is done with.
    pub(super) fn take(&mut self) -> Option<Item<X>> {
        let item = self.items.pop_front();
        self.in_hand = item.as_ref().map(|item| match item {
            Item::Messages(part) => {
                self.bytes = self.bytes.saturating_sub(part.bytes);
                self.pinned = self.pinned.saturating_sub(part.pinned);
                InHand { bytes: part.bytes.max(part.pinned), messages: Some((part.queued, part.feed)) }
            }
            Item::Other(_) => InHand { bytes: 0, messages: None },
        });
        item
    }

    /// What was taken before is done with, and nothing else is taken.
    pub(super) fn finish(&mut self) {
        self.in_hand = None;
    }

    /// What is queued, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Item<X>> {
        self.items.iter()
    }

    /// The item that was queued last.
    pub(super) fn back_mut(&mut self) -> Option<&mut Item<X>> {
        self.items.back_mut()
    }

    /// Forgets things that are no messages.
    pub(super) fn retain_others(&mut self, mut keep: impl FnMut(&X) -> bool) {
        self.items.retain(|item| match item {
            Item::Messages(_) => true,
            Item::Other(other) => keep(other),
        });
        self.sealed = true;
    }

    /// Takes all items out. What is in hand stays in hand.
    pub(super) fn drain(&mut self) -> VecDeque<Item<X>> {
        (self.bytes, self.pinned, self.sealed) = (0, 0, true);
        std::mem::take(&mut self.items)
    }

    /// Whether nothing is queued; something may be in hand.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether everything was taken and is done with.
    pub(super) fn is_drained(&self) -> bool {
        self.items.is_empty() && self.in_hand.is_none()
    }

    /// Bytes queued or kept in memory, whichever is more.
    pub(super) fn weight(&self) -> usize {
        self.bytes.max(self.pinned)
    }

    /// Bytes queued or kept in memory, with those in hand.
    pub(super) fn held(&self) -> usize {
        self.weight() + self.in_hand.as_ref().map_or(0, |in_hand| in_hand.bytes)
    }

    /// Payload bytes queued.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Since when the oldest message waits, be it queued or in hand.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        self.messages_in_hand().map(|(since, _)| since).or_else(|| {
            self.items.iter().find_map(|item| match item {
                Item::Messages(part) => Some(part.queued),
                Item::Other(_) => None,
            })
        })
    }

    /// Whether messages of live input are in hand.
    pub(super) fn has_live_in_hand(&self) -> bool {
        self.messages_in_hand().is_some_and(|(_, feed)| feed == Feed::Live)
    }

    fn messages_in_hand(&self) -> Option<(Instant, Feed)> {
        self.in_hand.as_ref()?.messages
    }

    /// The number of the next item.
    pub(super) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Has the next messages begin an item of their own.
    pub(super) fn seal(&mut self) {
        self.sealed = true;
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
            origin: 0,
        };
        let entries = (0..u64::from(messages)).map(entry).collect();
        Arc::new(Batch { buffers: vec![buffer], entries, ..Batch::default() })
    }

    fn push(queue: &mut BatchQueue<()>, batch: &Arc<Batch>, range: Range<usize>) {
        let bytes = range.len();
        queue.push(batch, range, bytes, true, Feed::Live, Instant::now());
    }

    fn taken(queue: &mut BatchQueue<()>) -> Option<(Arc<Batch>, Range<usize>)> {
        match queue.take()? {
            Item::Messages(part) => Some((part.batch, part.range)),
            Item::Other(()) => None,
        }
    }

    #[test]
    fn parts_that_follow_each_other_are_one_and_pin_their_batch_once() {
        let (mut queue, batch) = (BatchQueue::default(), batch(10, vec![0; 1000].into()));
        push(&mut queue, &batch, 0..3);
        push(&mut queue, &batch, 3..7);
        assert_eq!(queue.held(), batch.footprint());
        assert_eq!(taken(&mut queue).unwrap().1, 0..7);
        assert_eq!(queue.held(), batch.footprint(), "what is in hand still counts");
        assert!(taken(&mut queue).is_none() && queue.is_drained());
        assert_eq!(queue.held(), 0);
    }

    #[test]
    fn batches_over_one_buffer_pin_it_once() {
        let (mut queue, buffer) = (BatchQueue::default(), Bytes::from(vec![0; 1000]));
        push(&mut queue, &batch(1, buffer.clone()), 0..1);
        push(&mut queue, &batch(1, buffer), 0..1);
        assert_eq!(queue.weight(), 1000 + 2 * size_of::<Entry>());
    }

    #[test]
    fn what_is_queued_between_messages_keeps_its_place() {
        let (mut queue, batch) = (BatchQueue::default(), batch(10, vec![0; 10].into()));
        push(&mut queue, &batch, 0..3);
        queue.push_other(());
        push(&mut queue, &batch, 3..7);
        assert_eq!(taken(&mut queue).unwrap().1, 0..3);
        assert!(matches!(queue.take(), Some(Item::Other(()))));
        assert!(!queue.is_drained());
        assert_eq!(taken(&mut queue).unwrap().1, 3..7);
    }

    #[test]
    fn the_age_of_the_oldest_message_is_known_until_it_is_done_with() {
        let (mut queue, batch) = (BatchQueue::<()>::default(), batch(2, Bytes::new()));
        let (then, now) = (Instant::now(), Instant::now());
        queue.push(&batch, 0..1, 1, true, Feed::Live, then);
        queue.push(&batch, 1..2, 1, true, Feed::Live, now);
        assert_eq!(queue.waits_since(), Some(then));
        queue.take();
        assert_eq!(queue.waits_since(), Some(then));
        queue.take();
        assert_eq!(queue.waits_since(), None);
    }

    proptest! {
        #[test]
        fn every_message_comes_out_once_in_order_and_sums_are_right(
            steps in prop::collection::vec((0u8..4, 1usize..30), 1..200),
        ) {
            const MESSAGES: usize = 100;
            let mut queue = BatchQueue::default();
            let (mut current, mut at) = (batch(100, vec![0; 3000].into()), 0);
            // kept alive, so that no two batches share an address
            let mut all = vec![current.clone()];
            let (mut pushed, mut out) = (Vec::new(), Vec::new());
            let mut number = 0;
            let mut collect = |item: Option<Item<()>>| {
                if let Some(Item::Messages(part)) = item {
                    assert!(part.number >= number);
                    number = part.number;
                    out.extend(part.range.map(|index| (Arc::as_ptr(&part.batch), index)));
                }
            };
            for (step, length) in steps {
                match step {
                    0 => collect(queue.take()),
                    1 => queue.push_other(()),
                    2 => queue.seal(),
                    _ => {
                        let end = (at + length).min(MESSAGES);
                        push(&mut queue, &current, at..end);
                        pushed.extend((at..end).map(|index| (Arc::as_ptr(&current), index)));
                        at = end;
                        if at == MESSAGES {
                            (current, at) = (batch(100, vec![0; 3000].into()), 0);
                            all.push(current.clone());
                        }
                    }
                }
            }
            while !queue.is_empty() {
                collect(queue.take());
            }
            prop_assert_eq!(pushed, out);
            queue.take();
            prop_assert_eq!((queue.held(), queue.bytes()), (0, 0));
        }
    }
}
