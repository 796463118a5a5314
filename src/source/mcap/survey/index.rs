//! Where in a file its messages are.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::model::Schema;
use crate::source::mcap::channels::{PartIds, Selection};
use crate::source::mcap::fields::{ChannelRecord, Definition, SchemaRecord};

/// A part of the file that holds messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Where it begins in the file; with `length` the whole chunk record, or a run of records outside of chunks.
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) is_chunk: bool,
    /// First and last time of its messages on the timeline.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// The part of the file in which it begins, see [`super::super::channels`].
    pub(crate) part: u32,
    /// Bytes in memory once decoded.
    pub(crate) size: u64,
    /// Which of [`Index::presence`] are its channels; empty if they are not known.
    pub(crate) presence: (u32, u32),
    /// Whether presence comes with the offsets of message index records.
    pub(crate) indexed: bool,
    /// Whether [`Presence::count`] is known of each of its channels.
    pub(crate) counted: bool,
}

impl Segment {
    /// What ids mean in it.
    pub(crate) fn parts<'a>(&self, selection: &'a Selection) -> &'a [PartIds] {
        selection.parts(self.part, self.offset)
    }
}

/// That a channel (of the file) occurs in a segment, and where the index of its messages there lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presence {
    pub(crate) channel: u16,
    /// Messages there, if the segment is [counted](Segment::counted).
    pub(crate) count: u32,
    pub(crate) index_offset: u64,
}

/// Where in a file its messages are.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// In the order (start, offset).
    pub(crate) segments: Vec<Segment>,
    pub(crate) presence: Vec<Presence>,
    by_end: OnceLock<Vec<u32>>,
    /// For each segment the latest end of all up to it.
    reach: OnceLock<Vec<u64>>,
    /// Messages of each channel id in the whole file, as statistics count them; empty where they don't, and for a file that
    /// was read through.
    pub(crate) totals: BTreeMap<u16, u64>,
    /// By opcode and id: checksums of the definitions in a summary, which chunks may contradict. Empty for a file that
    /// was read through.
    pub(super) defined: BTreeMap<(u8, u16), u32>,
}

impl Index {
    /// The channels of a segment; empty if they are not known.
    pub(crate) fn presence_of(&self, segment: &Segment) -> &[Presence] {
        &self.presence[segment.presence.0 as usize..segment.presence.1 as usize]
    }

    /// Whether it comes from a summary, which need not say all.
    pub(crate) fn is_of_summary(&self) -> bool {
        !self.defined.is_empty()
    }

    /// Whether the body of a schema or channel record gives an id another meaning than the summary does.
    pub(crate) fn redefines(&self, opcode: u8, body: &[u8]) -> bool {
        let Some(id) = body.first_chunk() else { return false };
        let known = self.defined.get(&(opcode, u16::from_le_bytes(*id)));
        known.is_some_and(|known| Some(*known) != checksum(opcode, body))
    }

    /// The same, with the parts of the file in which its segments lie; nothing contradicts it any more.
    pub(crate) fn in_parts(&self, parts: &[PartIds]) -> Self {
        let mut segments = self.segments.clone();
        for segment in &mut segments {
            let begun = parts.partition_point(|part| part.from() <= (segment.offset, 0));
            segment.part = u32::try_from(begun.saturating_sub(1)).unwrap_or(u32::MAX);
        }
        Self { segments, presence: self.presence.clone(), totals: self.totals.clone(), ..Self::default() }
    }

    /// The segments, those that end last first.
    pub(crate) fn by_end(&self) -> &[u32] {
        self.by_end.get_or_init(|| {
            let mut order: Vec<u32> = (0..u32::try_from(self.segments.len()).unwrap_or(u32::MAX)).collect();
            order.sort_by_key(|index| std::cmp::Reverse(self.segments[*index as usize].end));
            order
        })
    }

    /// Puts the segments into their order, once all are there.
    pub(super) fn sort(&mut self) {
        self.segments.sort_by_key(|segment| (segment.start, segment.offset));
    }

    /// Where every segment is counted but the statistics count other numbers, the offsets of message indexes are not what
    /// they seem to be.
    pub(super) fn check_counts(&mut self) {
        if self.totals.is_empty() || self.segments.iter().any(|segment| !segment.counted) {
            return;
        }
        let mut counted = BTreeMap::new();
        for presence in self.segments.iter().flat_map(|segment| self.presence_of(segment)) {
            *counted.entry(presence.channel).or_default() += u64::from(presence.count);
        }
        counted.retain(|_, count: &mut u64| *count > 0);
        let said = self.totals.iter().filter(|(_, count)| **count > 0);
        if !counted.iter().eq(said) {
            self.segments.iter_mut().for_each(|segment| segment.counted = false);
        }
    }

    fn reach(&self) -> &[u64] {
        self.reach.get_or_init(|| {
            let mut reach = 0;
            let latest = |segment: &Segment| {
                reach = segment.end.max(reach);
                reach
            };
            self.segments.iter().map(latest).collect()
        })
    }

    /// The first segment that ends at a time or later; all before it end earlier.
    pub(crate) fn first_reaching(&self, time: u64) -> usize {
        self.reach().partition_point(|reach| *reach < time)
    }

    /// The segments that begin before a time and end at it or later, and where in [`Index::by_end`] those follow that end
    /// before it.
    pub(crate) fn backward_from(&self, time: u64) -> (Vec<u32>, usize) {
        let begun = self.segments.partition_point(|segment| segment.start < time);
        let reaching = self.first_reaching(time).min(begun);
        let cut = (reaching..begun).rev().filter(|index| self.segments[*index].end >= time);
        let cut = cut.filter_map(|index| u32::try_from(index).ok()).collect();
        (cut, self.by_end().partition_point(|index| self.segments[*index as usize].end >= time))
    }
}

/// Of what a schema or channel record means: not of what a recorder noted, and of fields of later versions.
pub(super) fn checksum(opcode: u8, body: &[u8]) -> Option<u32> {
    Some(match Definition::decode(opcode, body)? {
        Definition::Schema(SchemaRecord { schema: Schema { name, encoding, data }, .. }) => {
            crc32fast::hash(&[name.as_bytes(), &[0], encoding.as_bytes(), &[0], &data].concat())
        }
        Definition::Channel(ChannelRecord { schema_id, topic, message_encoding, .. }) => {
            let fields = [topic.as_bytes(), &[0], message_encoding.as_bytes(), &schema_id.to_le_bytes()];
            crc32fast::hash(&fields.concat())
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn index(times: Vec<(u64, u64)>) -> Index {
        let segment = |(offset, (start, length)): (u64, (u64, u64))| Segment {
            offset,
            length: 1,
            is_chunk: true,
            part: 0,
            start,
            end: start + length,
            size: 1,
            presence: (0, 0),
            indexed: false,
            counted: false,
        };
        let segments = (0..).zip(times).map(segment).collect();
        let mut index = Index { segments, ..Index::default() };
        index.sort();
        index
    }

    #[test]
    fn statistics_that_count_otherwise_are_believed() {
        let is_counted = |count, total| {
            let mut index = index(vec![(0, 1)]);
            index.segments[0] = Segment { presence: (0, 1), counted: true, ..index.segments[0].clone() };
            index.presence.push(Presence { channel: 4, count, index_offset: 17 });
            index.totals.extend([(4, total), (5, 0)]);
            index.check_counts();
            index.segments[0].counted
        };
        assert!(is_counted(3, 3) && !is_counted(3, 4));
    }

    proptest! {
        #[test]
        fn pieces_around_a_time_are_found(times in prop::collection::vec((0u64..30, 0u64..20), 0..20), time in 0u64..60) {
            let index = index(times);
            let which = |wanted: &dyn Fn(&Segment) -> bool| -> BTreeSet<u32> {
                (0..).zip(&index.segments).filter(|(_, segment)| wanted(segment)).map(|(number, _)| number).collect()
            };
            let first = index.first_reaching(time);
            prop_assert!(index.segments[..first].iter().all(|segment| segment.end < time));
            prop_assert!(index.segments.get(first).is_none_or(|segment| segment.end >= time));

            let (cut, next) = index.backward_from(time);
            prop_assert_eq!(cut.into_iter().collect::<BTreeSet<_>>(), which(&|p| p.start < time && p.end >= time));
            let before = &index.by_end()[next..];
            prop_assert_eq!(before.iter().copied().collect::<BTreeSet<_>>(), which(&|segment| segment.end < time));
            prop_assert!(before.is_sorted_by_key(|number| std::cmp::Reverse(index.segments[*number as usize].end)));
        }
    }
}
