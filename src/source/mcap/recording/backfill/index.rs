//! Message indexes: when a channel has messages in a chunk.

use mcap::records::op;

use crate::source::bytes::RangeRead;
use crate::source::mcap::records::{record_at, to_usize};

/// Bytes of a message index that are read at first; most are not longer.
const INDEX_READ: u64 = 4096;

/// The last time before another in the message index at an offset; None if it can't be read.
pub(super) fn last_time_before(
    file: &dyn RangeRead,
    offset: u64,
    channel: u16,
    before: u64,
) -> Option<Option<u64>> {
    let (opcode, body) = record_at(file, offset, INDEX_READ).ok()??;
    (opcode == op::MESSAGE_INDEX).then(|| last_before(&body, channel, before))?
}

/// The last time before another in the body of a message index record; None if that is not what it is.
fn last_before(body: &[u8], channel: u16, before: u64) -> Option<Option<u64>> {
    let (id, rest) = body.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let entries = rest.get(..to_usize(u64::from(u32::from_le_bytes(*length))))?;
    let (entries, []) = entries.as_chunks::<16>() else { return None };
    let time = |entry: &[u8; 16]| entry.first_chunk().map_or(u64::MAX, |time| u64::from_le_bytes(*time));
    (u16::from_le_bytes(*id) == channel).then(|| entries.iter().map(time).filter(|time| *time < before).max())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(channel: u16, times: &[u64]) -> Vec<u8> {
        let entries: Vec<u8> = times.iter().flat_map(|time| [time.to_le_bytes(), [7; 8]].concat()).collect();
        let length = u32::try_from(entries.len()).unwrap();
        [&channel.to_le_bytes()[..], &length.to_le_bytes(), &entries].concat()
    }

    #[test]
    fn the_last_time_before_another_is_found_in_any_order() {
        let body = index(3, &[5, 9, 2, 7]);
        assert_eq!(last_before(&body, 3, 8), Some(Some(7)));
        assert_eq!(last_before(&body, 3, u64::MAX), Some(Some(9)));
        assert_eq!(last_before(&body, 3, 2), Some(None));
        assert_eq!(last_before(&index(3, &[]), 3, 8), Some(None));
    }

    #[test]
    fn what_is_no_index_of_the_channel_is_not_believed() {
        let body = index(3, &[5, 9]);
        assert_eq!(last_before(&body, 4, 8), None);
        for length in 0..body.len() {
            assert_eq!(last_before(&body[..length], 3, 8), None, "{length}");
        }
        let mut odd = body.clone();
        odd[2] = 31;
        assert_eq!(last_before(&odd, 3, 8), None);
    }
}
