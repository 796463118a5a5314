//! Memory that small messages of a server share: they come by the million, and each would be allocated by itself.

use bytes::{Bytes, BytesMut};

use super::head::{Head, Opcode};

/// What a message of a few bytes holds at most as long as it is kept.
const BLOCK: usize = 4 << 10;

/// A larger message has memory of its own.
const SMALL: usize = BLOCK / 4;

/// Whether this is the head of a whole message that is small, binary, and as it was sent.
pub(super) fn is_small(head: Head) -> bool {
    let is_plain = head.opcode == Opcode::Binary && head.fin && !head.compressed && head.mask.is_none();
    is_plain && head.length <= SMALL
}

/// The block of memory for the next ones.
#[derive(Debug, Default)]
pub(super) struct Small(BytesMut);

impl Small {
    pub(super) fn copy(&mut self, payload: &[u8]) -> Bytes {
        if self.0.capacity() < payload.len() {
            self.0 = BytesMut::with_capacity(BLOCK);
        }
        self.0.extend_from_slice(payload);
        self.0.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages_lie_side_by_side_and_keep_a_block_at_most() {
        let mut small = Small::default();
        let messages: Vec<_> =
            (0..100u8).map(|seed| small.copy(&vec![seed; 10 * usize::from(seed)])).collect();
        for (seed, message) in (0..).zip(&messages) {
            assert_eq!(message, &vec![seed; 10 * usize::from(seed)]);
        }
        let ends = messages.windows(2).filter(|two| two[0].as_ptr_range().end != two[1].as_ptr_range().start);
        let bytes: usize = messages.iter().map(Bytes::len).sum();
        assert!(ends.count() <= bytes / (BLOCK - SMALL) + 1);
    }
}
