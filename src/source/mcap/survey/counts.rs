//! How many messages of each channel a chunk has, by the offsets of its message index records alone: each record takes 15
//! bytes, and 16 for each message, and ends where the next one begins.

use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes of a message index record without entries: opcode, length, channel, length of the entries.
pub(super) const EMPTY_INDEX: u64 = 15;

/// Bytes of an entry: time and offset.
pub(super) const INDEX_ENTRY: u64 = 16;

/// Messages of each of the channels, in order. `within`: where the message indexes of the chunk lie in the file. None if
/// the offsets can't be those of such records.
pub(super) fn of_chunk(offsets: &BTreeMap<u16, u64>, within: Range<u64>) -> Option<Vec<u32>> {
    let mut places: Vec<(u64, usize)> = offsets.values().copied().zip(0..).collect();
    places.sort_unstable();
    if places.first().is_some_and(|(first, _)| *first < within.start) {
        return None;
    }
    let ends = places.iter().skip(1).map(|(offset, _)| *offset).chain([within.end]);
    let mut counts = vec![0; places.len()];
    for ((offset, number), end) in places.iter().zip(ends) {
        let entries = end.checked_sub(*offset)?.checked_sub(EMPTY_INDEX)?;
        if entries % INDEX_ENTRY != 0 {
            return None;
        }
        counts[*number] = u32::try_from(entries / INDEX_ENTRY).ok()?;
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(offsets: &[(u16, u64)], within: Range<u64>) -> Option<Vec<u32>> {
        of_chunk(&offsets.iter().copied().collect(), within)
    }

    #[test]
    fn messages_are_counted_by_where_the_indexes_lie() {
        // channel 7 has its index before that of channel 3
        assert_eq!(counts(&[(3, 147), (7, 100)], 100..178), Some(vec![1, 2]));
        assert_eq!(counts(&[(1, 100), (2, 115)], 100..130), Some(vec![0, 0]));
        assert_eq!(counts(&[], 100..100), Some(vec![]));
    }

    #[test]
    fn offsets_that_can_not_be_those_of_indexes_count_nothing() {
        for (offsets, end) in [
            ([(1, 99), (2, 131)], 162),
            ([(1, 100), (2, 100)], 131),
            ([(1, 100), (2, 132)], 163),
            ([(1, 100), (2, 131)], 140),
            ([(1, 100), (2, 131)], 120),
        ] {
            assert_eq!(counts(&offsets, 100..end), None, "{offsets:?}");
        }
    }
}
