//! What the summary of a file says, against what is there.

use std::collections::BTreeMap;

use super::{Index, Segment, Survey};
use crate::printable::counted;
use crate::source::mcap::faults::Faults;
use crate::time::Timestamp;

/// How what a file's summary counts differs from what is there.
pub(super) fn counts(said: &Survey, found: &Survey) -> Option<String> {
    let count = |survey: &Survey| survey.message_count.unwrap_or(0);
    let whole = said.message_count.filter(|said| *said != count(found));
    if let Some(whole) = whole {
        let (said, found) = (counted(whole, "message"), count(found));
        return Some(format!("its summary counts {said}, but {found} can be read"));
    }
    let of_channels = said.counts.iter().zip(&found.counts).find(|(said, found)| said != found);
    of_channels
        .map(|_| "its summary counts other numbers of messages of some channels than can be read".into())
}

/// Chunks of which the chunk index, or where their message indexes lie, says something else than is there: a seek by them
/// ends in the wrong place.
pub(super) fn chunks(said: &Index, found: &Index) -> Faults {
    let there: BTreeMap<u64, &Segment> = found
        .segments
        .iter()
        .filter(|segment| segment.is_chunk)
        .map(|segment| (segment.offset, segment))
        .collect();
    let messages = |index: &Index, segment: &Segment| -> u64 {
        index.presence_of(segment).iter().map(|presence| u64::from(presence.count)).sum()
    };
    let mut faults = Faults::default();
    // what is not there was damaged, and is told of otherwise
    let both = said.segments.iter().filter_map(|segment| Some((segment, *there.get(&segment.offset)?)));
    for (segment, is) in both {
        if (segment.start, segment.end) != (is.start, is.end) {
            let [from, to, start, end] = [segment.start, segment.end, is.start, is.end].map(Timestamp);
            let reason = format!(
                "the chunk index says that its messages are from {from} to {to}, but they are from {start} to {end}"
            );
            faults.add(segment.offset, reason);
        }
        let (indexed, count) = (messages(said, segment), messages(found, is));
        if segment.indexed && segment.counted && indexed != count {
            let indexed = counted(indexed, "message");
            faults.add(
                segment.offset,
                format!("its message indexes have room for {indexed}, but it has {count}"),
            );
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::index::Presence;
    use super::*;

    fn index(chunks: &[(u64, u64, u64, u32)]) -> Index {
        let mut index = Index::default();
        for (number, (offset, start, end, count)) in (0..).zip(chunks) {
            index.presence.push(Presence { channel: 1, count: *count, index_offset: offset + 50 });
            index.segments.push(Segment {
                offset: *offset,
                length: 40,
                is_chunk: true,
                start: *start,
                end: *end,
                part: 0,
                size: 40,
                presence: (number, number + 1),
                indexed: true,
                counted: true,
            });
        }
        index
    }

    #[test]
    fn chunks_are_held_to_what_is_said_of_them() {
        let said = index(&[(8, 10, 19, 3), (100, 20, 29, 3), (200, 30, 39, 3), (300, 40, 49, 3)]);
        let same = index(&[(8, 10, 19, 3), (200, 30, 39, 3)]);
        assert!(chunks(&said, &same).is_empty(), "one that can't be read is another fault");
        let found = index(&[(8, 10, 19, 4), (100, 21, 29, 3), (300, 40, 50, 2)]);
        let places: Vec<_> = chunks(&said, &found).places().iter().map(|(offset, _)| *offset).collect();
        assert_eq!(places, [8, 100, 300, 300]);
    }
}
