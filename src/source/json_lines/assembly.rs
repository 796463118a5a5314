//! A batch as its messages are found in a piece of the stream.

use bytes::Bytes;

use crate::model::{Batch, Entry};
use crate::time::Timestamp;

/// Messages found so far, whose payloads lie in the piece itself, or were made from it.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    batch: Batch,
    made: Vec<u8>,
    /// Bytes of payload that lie in the piece.
    shared: usize,
}

/// Entries refer to these two until the batch is finished.
const PIECE: u32 = 0;
const MADE: u32 = 1;

/// How many times larger than its payloads a piece may be that is kept in memory for them.
const KEPT: usize = 4;

impl Assembly {
    /// What is no message: channels that end or appear before the next one, and when messages arrived.
    pub(super) fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// Where payloads are made.
    pub(super) fn made(&mut self) -> &mut Vec<u8> {
        &mut self.made
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batch.entries.is_empty() && self.batch.announcements.is_empty() && self.batch.retired.is_empty()
    }

    /// Puts all messages so far at this time.
    pub(super) fn set_times(&mut self, time: Timestamp) {
        for entry in &mut self.batch.entries {
            (entry.log_time, entry.publish_time) = (time, time);
        }
    }

    /// Adds a message whose payload lies in the piece.
    pub(super) fn push_shared(&mut self, entry: Entry) {
        self.shared += entry.length as usize;
        self.batch.entries.push(Entry { buffer: PIECE, ..entry });
    }

    /// Adds a message whose payload is what was made since `start`.
    ///
    /// The caller sees to it that less than 2 GiB are made, so that all fits into 32 bits.
    pub(super) fn push_made(&mut self, start: usize, entry: Entry) {
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let (offset, length) = (number(start), number(self.made.len() - start));
        self.batch.entries.push(Entry { buffer: MADE, offset, length, ..entry });
    }

    /// The batch, with only those buffers that it needs.
    pub(super) fn finish(mut self, piece: &Bytes) -> Batch {
        let keeps_piece = self.shared * KEPT >= piece.len() && self.shared > 0;
        for entry in self.batch.entries.iter_mut().filter(|entry| entry.buffer == PIECE && !keeps_piece) {
            let start = entry.offset as usize;
            entry.offset = u32::try_from(self.made.len()).unwrap_or(u32::MAX);
            entry.buffer = MADE;
            self.made.extend_from_slice(&piece[start..start + entry.length as usize]);
        }
        // also for messages that are made of nothing
        let has_made = self.batch.entries.iter().any(|entry| entry.buffer == MADE);
        if keeps_piece {
            self.batch.buffers.push(piece.clone());
        } else {
            self.batch.entries.iter_mut().for_each(|entry| entry.buffer = 0);
        }
        if has_made {
            self.made.shrink_to_fit();
            self.batch.buffers.push(self.made.into());
        }
        self.batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChannelId;

    #[test]
    fn a_message_that_is_made_of_nothing_has_a_payload() {
        let entry = Entry { length: 4, ..Entry::at(ChannelId(1), Timestamp(1)) };
        for shared in [true, false] {
            let mut assembly = Assembly::default();
            if shared {
                assembly.push_shared(entry);
            }
            assembly.push_made(0, entry);
            let batch = assembly.finish(&Bytes::from_static(b"{\"\":1}"));
            let payloads: Vec<_> = batch.entries.iter().map(|entry| batch.payload(entry)).collect();
            assert_eq!(payloads, if shared { vec![&b"{\"\":"[..], b""] } else { vec![&b""[..]] });
        }
        assert!(Assembly::default().finish(&Bytes::new()).buffers.is_empty());
    }
}
