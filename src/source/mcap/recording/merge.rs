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
    /// None while parked.
    decoded: Option<Decoded>,
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
    pub fn push(&mut self, place: Place, decoded: Decoded, next: usize) -> bool {
        let Some(entry) = decoded.entries.get(next) else { return false };
        let head = place.key(entry.log_time.0);
        let bytes = decoded.buffer.len();
        self.decoded_bytes += bytes;
        self.open.push(OpenSegment {
            place,
            head,
            next,
            decoded: Some(decoded),
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
        let Some(decoded) = decoded.filter(|decoded| open.next < decoded.entries.len()) else { return false };
        open.bytes = decoded.buffer.len();
        self.decoded_bytes += open.bytes;
        open.decoded = Some(decoded);
        open.slot = BufferSlot::default();
        self.open.push(open);
        self.park();
        true
    }

    /// Appends what comes next, as far as nothing of `planned` and later has to come before it.
    pub fn extend(&mut self, batch: &mut BatchBuilder, planned: Option<Position>) -> Extended {
        let Some(mut open) = self.open.pop() else { return Extended::Nothing };
        let Some(decoded) = &open.decoded else {
            self.open.push(open);
            return Extended::Nothing;
        };
        let limit = self.head().into_iter().chain(planned).min();
        open.next += batch.append(&mut open.slot, decoded, open.next, |time| {
            limit.is_none_or(|limit| open.place.key(time) < limit)
        });
        match decoded.entries.get(open.next) {
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

    /// Keeps the decoded segments within [`OPEN_BYTES`].
    fn park(&mut self) {
        if self.decoded_bytes <= OPEN_BYTES {
            return;
        }
        let mut open = std::mem::take(&mut self.open).into_vec();
        open.sort_unstable_by_key(|open| open.head);
        for later in open[1..].iter_mut().rev().filter(|open| open.decoded.is_some()) {
            if self.decoded_bytes <= OPEN_BYTES {
                break;
            }
            later.decoded = None;
            self.decoded_bytes -= later.bytes;
        }
        self.open = open.into();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Batch, ChannelId, Entry};
    use crate::time::Timestamp;

    /// A segment of messages at these times; each carries its place: file, segment, number.
    fn segment(place: Place, times: &[u64]) -> Decoded {
        let mut buffer = Vec::new();
        let mut entries = Vec::new();
        for (number, &time) in (0u32..).zip(times) {
            let payload = [place.file, place.segment, number].map(u32::to_le_bytes).concat();
            entries.push(Entry {
                log_time: Timestamp(time),
                publish_time: Timestamp(time),
                channel: ChannelId(1),
                sequence: number,
                buffer: 0,
                offset: u32::try_from(buffer.len()).unwrap(),
                length: 12,
            });
            buffer.extend(payload);
        }
        Decoded { buffer: Bytes::from(buffer), entries, undefined: 0 }
    }

    fn seen(batch: &Batch) -> Vec<(u64, [u32; 3])> {
        let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
        let one = |entry: &Entry| {
            let payload = batch.payload(entry);
            (entry.log_time.0, [0, 4, 8].map(|at| number(&payload[at..at + 4])))
        };
        batch.entries.iter().map(one).collect()
    }

    /// Plays segments given in the order (first time, file, offset), each added when its turn comes.
    fn merged(segments: &[(Place, Vec<u64>)], mut on_push: impl FnMut(&mut Merge)) -> Vec<(u64, [u32; 3])> {
        let mut merge = Merge::default();
        let mut coming = segments.iter().peekable();
        let mut all = Vec::new();
        loop {
            let mut batch = merge.batch();
            while !batch.is_full() {
                let planned = coming.peek().map(|(place, times)| place.key(times[0]));
                let head = merge.head();
                if planned.is_some_and(|planned| head.is_none_or(|head| planned < head)) {
                    let (place, times) = coming.next().unwrap();
                    assert!(merge.push(*place, segment(*place, times), 0));
                    on_push(&mut merge);
                    continue;
                }
                if let Some(place) = merge.parked() {
                    let times = &segments.iter().find(|(other, _)| *other == place).unwrap().1;
                    assert!(merge.resume(Some(segment(place, times))));
                }
                if merge.extend(&mut batch, planned) == Extended::Nothing {
                    break;
                }
            }
            match batch.finish() {
                Some(batch) => all.extend(seen(&batch)),
                None => return all,
            }
        }
    }

    /// A few files of a few segments with times that often are equal.
    fn files() -> impl Strategy<Value = Vec<Vec<Vec<u64>>>> {
        let segment = prop::collection::vec(0u64..12, 1..8).prop_map(|mut times| {
            times.sort_unstable();
            times
        });
        prop::collection::vec(prop::collection::vec(segment, 1..5), 1..6)
    }

    fn in_order(files: Vec<Vec<Vec<u64>>>) -> Vec<(Place, Vec<u64>)> {
        let mut segments = Vec::new();
        for (file, of_file) in (0..).zip(files) {
            for (number, times) in (0..).zip(of_file) {
                segments.push((Place { file, segment: number, offset: u64::from(number) * 100 }, times));
            }
        }
        segments.sort_by_key(|(place, times)| place.key(times[0]));
        segments
    }

    fn sorted(segments: &[(Place, Vec<u64>)]) -> Vec<(u64, [u32; 3])> {
        let mut all = Vec::new();
        for (place, times) in segments {
            all.extend((0..).zip(times).map(|(number, time)| (*time, [place.file, place.segment, number])));
        }
        all.sort();
        all
    }

    proptest! {
        #[test]
        fn messages_come_by_time_then_file_then_place(files in files()) {
            let segments = in_order(files);
            prop_assert_eq!(merged(&segments, |_| {}), sorted(&segments));
        }

        #[test]
        fn parked_pieces_lose_nothing(files in files(), parked in prop::collection::vec(any::<bool>(), 30)) {
            let segments = in_order(files);
            let mut parked = parked.into_iter().cycle();
            let got = merged(&segments, |merge| {
                if parked.next() == Some(true) {
                    // as if there were too much
                    merge.decoded_bytes += OPEN_BYTES;
                    merge.park();
                    merge.decoded_bytes -= OPEN_BYTES;
                }
            });
            prop_assert_eq!(got, sorted(&segments));
        }
    }

    #[test]
    fn the_batch_of_a_piece_alone_is_its_buffer() {
        let place = Place { file: 0, segment: 0, offset: 0 };
        let decoded = segment(place, &[1, 2, 3]);
        let mut merge = Merge::default();
        merge.push(place, decoded.clone(), 1);
        let mut batch = merge.batch();
        assert_eq!(merge.extend(&mut batch, None), Extended::Finished(place));
        let batch = batch.finish().unwrap();
        assert_eq!(batch.buffers.len(), 1);
        assert_eq!(batch.buffers[0].as_ptr(), decoded.buffer.as_ptr());
        assert_eq!(batch.entries, decoded.entries[1..]);
    }
}
