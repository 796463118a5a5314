//! Segments as a scan finds them, and the index that becomes of them.

use std::collections::BTreeMap;

use super::Survey;
use super::ids::{FileChannel, FilePart, by_id};
use super::index::{Presence, Segment};

/// A segment, before it is known which of its channels are defined.
pub(super) struct FoundSegment {
    offset: u64,
    length: u64,
    is_chunk: bool,
    size: u64,
    part: u32,
    /// By part and id.
    messages: BTreeMap<(u32, u16), Tally>,
}

/// Messages of one channel in a segment.
struct Tally {
    count: u64,
    first: u64,
    last: u64,
}

impl FoundSegment {
    /// Records outside of chunks, none yet.
    pub(super) fn run(offset: u64, part: u32) -> Self {
        Self { offset, length: 0, is_chunk: false, size: 0, part, messages: BTreeMap::new() }
    }

    /// A chunk of this length in the file and size in memory.
    pub(super) fn chunk(offset: u64, length: u64, size: u64, part: u32) -> Self {
        Self { offset, length, is_chunk: true, size, part, messages: BTreeMap::new() }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The part of the file in which it begins.
    pub(super) fn part(&self) -> u32 {
        self.part
    }

    /// Records up to here belong to the run.
    pub(super) fn extend_to(&mut self, end: u64) {
        self.length = end - self.offset;
        self.size = self.length;
    }

    pub(super) fn add(&mut self, part: u32, channel: u16, time: u64) {
        let none = Tally { count: 0, first: u64::MAX, last: 0 };
        let tally = self.messages.entry((part, channel)).or_insert(none);
        tally.count += 1;
        tally.first = tally.first.min(time);
        tally.last = tally.last.max(time);
    }
}

/// Puts the segments into the survey's index, now that all definitions are known; the number of messages that no
/// definition explains.
pub(super) fn index(
    survey: &mut Survey,
    mut parts: Vec<FilePart>,
    channels: Vec<FileChannel>,
    found: Vec<FoundSegment>,
) -> u64 {
    let mut undefined = 0;
    let mut counts = vec![0; channels.len()];
    for found in found {
        let first = survey.index.presence.len();
        let (mut start, mut end) = (u64::MAX, 0);
        for ((part, channel), tally) in found.messages {
            let defined = parts.get(part as usize).and_then(|part| part.channels.get(&channel));
            let Some(number) = defined else {
                undefined += tally.count;
                continue;
            };
            counts[*number] += tally.count;
            survey.index.presence.push(Presence { channel, index_offset: 0 });
            start = start.min(tally.first);
            end = end.max(tally.last);
        }
        let last = survey.index.presence.len();
        if last == first {
            continue;
        }
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        survey.index.segments.push(Segment {
            offset: found.offset,
            length: found.length,
            is_chunk: found.is_chunk,
            start,
            end,
            part: found.part,
            size: found.size,
            presence: (number(first), number(last)),
            indexed: false,
        });
    }
    survey.channels = by_id(channels, &mut parts, &mut counts);
    survey.parts = parts;
    survey.message_count = Some(counts.iter().sum());
    survey.counts = Some(counts);
    undefined
}
