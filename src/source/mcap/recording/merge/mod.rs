//! Merges decoded segments into batches, in the order of the timeline: by time, then by file, then by place in the file.
//!
//! Pure: which segments there are and when each is needed is for the caller to know. Bound: of segments that overlap in
//! time only `OPEN_BYTES` stay decoded; the others are parked, and to be decoded again when their turn comes.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::batch::BufferSlot;

pub use super::batch::BatchBuilder;
pub use super::segments::Decoded;

/// Decoded segments that overlap in time, in bytes; beyond it those needed last are decoded again when their turn comes.
const OPEN_BYTES: usize = 256 << 20;

/// A place in the order of messages: time, number of the file, offset of the segment in it.
pub type Position = (u64, u32, u64);

/// Which segment of which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Number of the file on the timeline.
    pub file: u32,
    /// Number of the segment in its file.
    pub segment: u32,
    /// First byte of the segment in its file.
    pub offset: u64,
}

impl Place {
    /// The place of a message of this segment with this time.
    pub fn key(&self, time: u64) -> Position {
        (time, self.file, self.offset)
    }
}

/// A segment whose messages are being played.
struct OpenSegment {
    place: Place,
    /// Where its next message stands.
    head: Position,
    next: usize,
    /// None while parked. On the heap: segments move when their order changes.
    decoded: Option<Box<Decoded>>,
    bytes: usize,
    slot: BufferSlot,
}

impl Ord for OpenSegment {
    /// The first one is the greatest, as the heap wants it.
    fn cmp(&self, other: &Self) -> Ordering {
        Reverse(self.head).cmp(&Reverse(other.head))
    }
}

impl PartialOrd for OpenSegment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for OpenSegment {
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head
    }
}

impl Eq for OpenSegment {}

/// What an [`Merge::extend`] did.
#[derive(Debug, PartialEq, Eq)]
pub enum Extended {
    /// There was nothing.
    Nothing,
    /// Messages were appended, and their segment has more.
    Some,
    /// The last messages of this segment were appended.
    Finished(Place),
}

/// See the module's documentation.
#[derive(Default)]
pub struct Merge {
    open: BinaryHeap<OpenSegment>,
    decoded_bytes: usize,
    batches: u64,
}

impl Merge {
    /// Forgets all segments.
    pub fn clear(&mut self) {
        self.open.clear();
        self.decoded_bytes = 0;
    }

    /// A batch to fill.
    pub fn batch(&mut self) -> BatchBuilder {
        self.batches += 1;
        BatchBuilder::new(self.batches)
    }

    /// Adds a segment, from its message number `next` on; false if there is none.
    pub fn push(&mut self, place: Place, mut decoded: Decoded, next: usize) -> bool {
        let Some(entry) = decoded.from(next).first() else { return false };
        let head = place.key(entry.log_time.0);
        let bytes = decoded.bytes();
        self.decoded_bytes += bytes;
        self.open.push(OpenSegment {
            place,
            head,
            next,
            decoded: Some(Box::new(decoded)),
            bytes,
            slot: BufferSlot::default(),
        });
        self.park();
        true
    }

    /// Where the next message stands.
    pub fn head(&self) -> Option<Position> {
        self.open.peek().map(|open| open.head)
    }

    /// The segment with the next message, if it has to be decoded again before [`Merge::extend`].
    pub fn parked(&self) -> Option<Place> {
        self.open.peek().filter(|open| open.decoded.is_none()).map(|open| open.place)
    }

    /// Gives the segment that is [`Merge::parked`] its messages again, or drops it. False if it is gone then.
    pub fn resume(&mut self, decoded: Option<Decoded>) -> bool {
        let Some(mut open) = self.open.pop() else { return false };
        // the file may have changed meanwhile
        let Some(mut decoded) = decoded else { return false };
        if decoded.from(open.next).is_empty() {
            return false;
        }
        open.bytes = decoded.bytes();
        self.decoded_bytes += open.bytes;
        open.decoded = Some(Box::new(decoded));
        open.slot = BufferSlot::default();
        self.open.push(open);
        self.park();
        true
    }

    /// Appends what comes next, as far as nothing of `planned` and later has to come before it.
    pub fn extend(&mut self, batch: &mut BatchBuilder, planned: Option<Position>) -> Extended {
        let Some(mut open) = self.open.pop() else { return Extended::Nothing };
        let Some(decoded) = &mut open.decoded else {
            self.open.push(open);
            return Extended::Nothing;
        };
        let limit = self.open.peek().map(|open| open.head).into_iter().chain(planned).min();
        open.next += batch.append(&mut open.slot, decoded, open.next, |time| {
            limit.is_none_or(|limit| open.place.key(time) < limit)
        });
        match decoded.from(open.next).first() {
            Some(entry) => {
                open.head = open.place.key(entry.log_time.0);
                self.open.push(open);
                Extended::Some
            }
            None => {
                self.decoded_bytes -= open.bytes;
                Extended::Finished(open.place)
            }
        }
    }

    /// Bytes of segments that are decoded.
    pub(super) fn bytes(&self) -> usize {
        self.decoded_bytes
    }

    /// Makes room for a segment of this size that is needed now.
    pub(super) fn make_room(&mut self, bytes: usize) {
        self.park_within(OPEN_BYTES.saturating_sub(bytes), 0);
    }

    /// Keeps the decoded segments within [`OPEN_BYTES`].
    fn park(&mut self) {
        self.park_within(OPEN_BYTES, 1);
    }

    /// Parks segments, those needed last first and not the first `kept`, until so many bytes are left at most.
    fn park_within(&mut self, limit: usize, kept: usize) {
        if self.decoded_bytes <= limit {
            return;
        }
        let mut open = std::mem::take(&mut self.open).into_vec();
        open.sort_unstable_by_key(|open| open.head);
        for later in open.iter_mut().skip(kept).rev().filter(|open| open.decoded.is_some()) {
            if self.decoded_bytes <= limit {
                break;
            }
            later.decoded = None;
            self.decoded_bytes -= later.bytes;
        }
        self.open = open.into();
    }
}

#[cfg(test)]
mod tests;
