//! The longest time without a message, of each channel and of all, by the message indexes.

use std::collections::BTreeMap;

use super::index::Index;
use super::times::{in_chunk, index_bytes};
use crate::source::bytes::RangeRead;
use crate::time::{TimeRange, Timestamp};

/// Message indexes that are read for it, in bytes: four million messages. Of larger recordings it is not known.
const MAX_INDEXES: u64 = 64 << 20;

/// The longest gap between two messages; None with fewer than two times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Gaps {
    /// By channel id in the file.
    pub(super) of_channels: BTreeMap<u16, TimeRange>,
    pub(super) of_all: Option<TimeRange>,
}

impl Gaps {
    /// None if there are chunks whose messages are not indexed, or too many messages.
    pub(super) fn by_index(file: &dyn RangeRead, index: &Index) -> Option<Self> {
        let bytes = index.segments.iter().map(|segment| index_bytes(index, segment));
        let bytes: u64 = bytes.sum::<Option<_>>()?;
        if bytes > MAX_INDEXES {
            return None;
        }
        let mut times: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
        for segment in &index.segments {
            let presence = index.presence_of(segment).iter();
            for (presence, here) in presence.zip(in_chunk(file, index, segment)?) {
                times.entry(presence.channel).or_default().extend(here);
            }
        }
        let mut of_channels = BTreeMap::new();
        let mut all = Vec::new();
        for (channel, mut times) in times {
            times.sort_unstable();
            of_channels.extend(longest(&times).map(|gap| (channel, gap)));
            all.append(&mut times);
        }
        all.sort_unstable();
        Some(Self { of_channels, of_all: longest(&all) })
    }
}

/// The first of the longest gaps between times in order.
fn longest(times: &[u64]) -> Option<TimeRange> {
    let gaps = times.windows(2).map(|pair| (pair[0], pair[1]));
    let longest = gaps.reduce(|best, gap| if gap.1 - gap.0 > best.1 - best.0 { gap } else { best })?;
    Some(TimeRange { start: Timestamp(longest.0), end: Timestamp(longest.1) })
        .filter(|gap| gap.start < gap.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_longest_gaps_is_found() {
        let gap = |start, end| Some(TimeRange { start: Timestamp(start), end: Timestamp(end) });
        assert_eq!(longest(&[1, 2, 5, 5, 8]), gap(2, 5));
        assert_eq!(longest(&[1, 9]), gap(1, 9));
        assert_eq!((longest(&[]), longest(&[7]), longest(&[7, 7])), (None, None, None));
    }
}
