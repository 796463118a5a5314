//! Messages as a scan finds them, and the index that becomes of them.

use std::collections::BTreeMap;

use super::Survey;
use super::ids::{FileChannel, FilePart, by_id};
use super::index::{Presence, Segment};
use super::payloads::Payloads;
use super::tally::Tally;

/// A segment, before it is known which of its channels are defined.
pub(super) struct FoundSegment {
    offset: u64,
    length: u64,
    is_chunk: bool,
    size: u64,
    part: u32,
    /// By part and id.
    messages: BTreeMap<(u32, u16), Tally>,
    /// The same of all together.
    all: Tally,
}

impl FoundSegment {
    /// Records outside of chunks, none yet.
    pub(super) fn run(offset: u64, part: u32) -> Self {
        Self {
            offset,
            length: 0,
            is_chunk: false,
            size: 0,
            part,
            messages: BTreeMap::new(),
            all: Tally::NONE,
        }
    }

    /// A chunk of this length in the file and size in memory.
    pub(super) fn chunk(offset: u64, length: u64, size: u64, part: u32) -> Self {
        Self { offset, length, is_chunk: true, size, part, messages: BTreeMap::new(), all: Tally::NONE }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Records up to here belong to the run.
    pub(super) fn extend_to(&mut self, end: u64) {
        self.length = end - self.offset;
        self.size = self.length;
    }

    pub(super) fn add(&mut self, part: u32, channel: u16, time: u64, length: u32) {
        let message = Tally::message(length.into(), time);
        self.all.add(message);
        self.messages.entry((part, channel)).or_insert(Tally::NONE).add(message);
    }
}

/// What a scan keeps of the messages that it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Where they are, to play them.
    Index,
    /// How many there are: of a stream, which can't be read again.
    Totals,
}

/// All that was found.
pub(super) struct Found {
    keep: Keep,
    segments: Vec<FoundSegment>,
    /// By part and id.
    totals: BTreeMap<(u32, u16), Tally>,
    all: Tally,
}

impl Found {
    pub(super) fn new(keep: Keep) -> Self {
        Self { keep, segments: Vec::new(), totals: BTreeMap::new(), all: Tally::NONE }
    }

    pub(super) fn push(&mut self, segment: FoundSegment) {
        self.all.add(segment.all);
        for (key, tally) in &segment.messages {
            self.totals.entry(*key).or_insert(Tally::NONE).add(*tally);
        }
        if self.keep == Keep::Index {
            self.segments.push(segment);
        }
    }

    /// Whether a part of the file has messages.
    pub(super) fn is_in(&self, part: u32) -> bool {
        self.totals.range((part, 0)..=(part, u16::MAX)).next().is_some()
    }

    /// Puts it into the survey, now that all definitions are known; the number of messages that no definition explains.
    pub(super) fn into_survey(
        self,
        survey: &mut Survey,
        mut parts: Vec<FilePart>,
        channels: Vec<FileChannel>,
        payloads: Option<Payloads>,
    ) -> u64 {
        let defined = |parts: &[FilePart], (part, channel): (u32, u16)| {
            parts.get(part as usize).and_then(|part| part.channels.get(&channel)).copied()
        };
        survey.gap = self.all.gap();
        let mut undefined = 0;
        let mut tallies = vec![Tally::NONE; channels.len()];
        for (key, tally) in self.totals {
            match defined(&parts, key) {
                Some(number) => tallies[number].add(tally),
                None => undefined += tally.count,
            }
        }
        for found in self.segments {
            let first = survey.index.presence.len();
            let mut all = Tally::NONE;
            for (key, tally) in found.messages {
                if defined(&parts, key).is_some() {
                    survey.index.presence.push(Presence {
                        channel: key.1,
                        count: u32::try_from(tally.count).unwrap_or(u32::MAX),
                        index_offset: 0,
                    });
                    all.add(tally);
                }
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
                start: all.first,
                end: all.last,
                part: found.part,
                size: found.size,
                presence: (number(first), number(last)),
                indexed: false,
                counted: true,
            });
        }
        let order;
        (survey.channels, order) = by_id(channels, &mut parts);
        let tallies: Vec<Tally> = order.iter().map(|number| tallies[*number]).collect();
        survey.payloads = payloads.map(|payloads| payloads.into_checks(&order));
        survey.parts = parts;
        survey.message_count = Some(tallies.iter().map(|tally| tally.count).sum());
        survey.counts = Some(tallies.iter().map(|tally| tally.count).collect());
        survey.tallies = Some(tallies);
        undefined
    }
}
