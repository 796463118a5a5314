//! Messages one after the other in one buffer, so that the memory that they take is known to the byte, and no buffer of
//! who published them is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::model::{ChannelId, Entry};
use crate::time::{TimeRange, Timestamp};

/// Bytes before the payload of a message.
pub(super) const HEADER: usize = 40;

/// Bit of the arrival that marks messages of latched channels; the others count nanoseconds for 290 years.
const LATCHED: u64 = 1 << 63;

/// Counts the bytes of all blocks that are in memory, whoever keeps them.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<AtomicUsize>);

impl Memory {
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A message in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored<'a> {
    /// When it was published, in ns since the ring was made.
    pub(super) arrived: u64,
    /// Whether its channel is latched.
    pub(super) is_latched: bool,
    /// All but where the payload lies.
    pub(super) entry: Entry,
    pub(super) payload: &'a [u8],
}

impl Stored<'_> {
    /// Bytes in a block.
    fn size(&self) -> usize {
        HEADER + self.payload.len()
    }
}

/// See the module's documentation. Its capacity is that of its making: it never grows.
#[derive(Debug)]
pub(super) struct Block {
    bytes: Vec<u8>,
    charged: usize,
    memory: Memory,
    messages: u64,
    latched: u64,
    range: Option<TimeRange>,
}

impl Block {
    pub(super) fn new(capacity: usize, memory: &Memory) -> Self {
        let bytes = Vec::with_capacity(capacity);
        let mut block =
            Self { bytes, charged: 0, memory: memory.clone(), messages: 0, latched: 0, range: None };
        block.charge();
        block
    }

    /// Counts the memory that it takes now instead of what it took before.
    fn charge(&mut self) {
        self.memory.0.fetch_add(self.bytes.capacity(), Ordering::Relaxed);
        self.memory.0.fetch_sub(self.charged, Ordering::Relaxed);
        self.charged = self.bytes.capacity();
    }

    /// Appends a message, if there is room for it.
    pub(super) fn push(&mut self, message: &Stored<'_>) -> bool {
        if self.bytes.capacity() - self.bytes.len() < message.size() {
            return false;
        }
        let Stored { arrived, is_latched, entry, payload } = message;
        let arrived = if *is_latched { arrived | LATCHED } else { *arrived };
        for field in [arrived, entry.log_time.nanos(), entry.publish_time.nanos()] {
            self.bytes.extend_from_slice(&field.to_le_bytes());
        }
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        for field in [entry.channel.0, entry.sequence, entry.origin, length] {
            self.bytes.extend_from_slice(&field.to_le_bytes());
        }
        self.bytes.extend_from_slice(payload);
        self.messages += 1;
        self.latched += u64::from(*is_latched);
        let at = TimeRange { start: entry.log_time, end: entry.log_time };
        self.range = joined(self.range, Some(at));
        true
    }

    /// Gives back the room that is left, if that is worth a copy.
    pub(super) fn close(&mut self) {
        if self.bytes.capacity() - self.bytes.len() > self.bytes.capacity() / 8 {
            self.bytes.shrink_to_fit();
            self.charge();
        }
    }

    /// The message at a place, and the place of the next one; None at the end.
    pub(super) fn message(&self, at: usize) -> Option<(Stored<'_>, usize)> {
        let mut rest = self.bytes.get(at..)?;
        let arrived = u64::from_le_bytes(take(&mut rest)?);
        let log_time = Timestamp(u64::from_le_bytes(take(&mut rest)?));
        let publish_time = Timestamp(u64::from_le_bytes(take(&mut rest)?));
        let channel = ChannelId(u32::from_le_bytes(take(&mut rest)?));
        let sequence = u32::from_le_bytes(take(&mut rest)?);
        let origin = u32::from_le_bytes(take(&mut rest)?);
        let length = u32::from_le_bytes(take(&mut rest)?);
        let payload = rest.get(..length as usize)?;
        let entry = Entry { log_time, publish_time, channel, sequence, buffer: 0, offset: 0, length, origin };
        let (is_latched, arrived) = (arrived & LATCHED != 0, arrived & !LATCHED);
        let stored = Stored { arrived, is_latched, entry, payload };
        Some((stored, at + stored.size()))
    }

    /// The messages from a place on.
    pub(super) fn messages_from(&self, mut at: usize) -> impl Iterator<Item = Stored<'_>> {
        std::iter::from_fn(move || {
            let (stored, next) = self.message(at)?;
            at = next;
            Some(stored)
        })
    }

    /// How many messages are in it.
    pub(super) fn count(&self) -> u64 {
        self.messages
    }

    /// Whether some of them are of latched channels.
    pub(super) fn has_latched(&self) -> bool {
        self.latched > 0
    }

    /// From the lowest to the highest log time.
    pub(super) fn range(&self) -> Option<TimeRange> {
        self.range
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.charged, Ordering::Relaxed);
    }
}

/// The range that covers both.
pub(super) fn joined(one: Option<TimeRange>, other: Option<TimeRange>) -> Option<TimeRange> {
    match (one, other) {
        (Some(one), Some(other)) => {
            Some(TimeRange { start: one.start.min(other.start), end: one.end.max(other.end) })
        }
        (one, other) => one.or(other),
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (field, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_gives_back_what_was_stored_and_counts_its_memory_once() {
        let memory = Memory::default();
        let entry = Entry {
            log_time: Timestamp(7),
            publish_time: Timestamp(u64::MAX),
            sequence: 3,
            origin: u32::MAX,
            length: 3,
            ..Entry::at(ChannelId(9), Timestamp(0))
        };
        let first = Stored { arrived: 5, is_latched: true, entry, payload: b"abc" };
        let second = Stored {
            arrived: 6,
            is_latched: false,
            entry: Entry { length: 0, log_time: Timestamp(2), ..entry },
            payload: b"",
        };
        let mut block = Block::new(1000, &memory);
        assert_eq!(memory.bytes(), 1000);
        assert!(block.push(&first) && block.push(&second));
        assert_eq!(block.messages_from(0).collect::<Vec<_>>(), [first, second]);
        assert_eq!(block.messages_from(HEADER + 3).collect::<Vec<_>>(), [second]);
        assert_eq!(block.range(), Some(TimeRange { start: Timestamp(2), end: Timestamp(7) }));
        let large = Stored { payload: &[0; 1000], ..first };
        assert!(!block.push(&large), "it never grows");
        block.close();
        assert_eq!(memory.bytes(), 2 * HEADER + 3);
        assert_eq!(block.messages_from(0).count(), 2);
        let (one, other) = (Arc::new(block), Block::new(10, &memory));
        drop((one.clone(), other));
        assert_eq!(memory.bytes(), 2 * HEADER + 3);
        drop(one);
        assert_eq!(memory.bytes(), 0);
    }
}
