//! First and last time of each channel by the message indexes, without decompressing a chunk.
//!
//! An index is read only if its chunk can hold an earlier (or later) message than those found before. Where chunks follow
//! each other in time that is one index for each end of a channel.

use std::collections::BTreeMap;

use mcap::records::op;

use super::counts::{EMPTY_INDEX, INDEX_ENTRY};
use super::index::{Index, Presence, Segment};
use crate::source::bytes::RangeRead;
use crate::source::mcap::records::{RECORD_HEADER, read_vec, record_at, record_header, to_usize};
use crate::time::{TimeRange, Timestamp};

/// Bytes of a message index that are read at first; most are not longer.
const INDEX_READ: u64 = 4096;

/// By channel id in the file; None if there are chunks without message indexes, or one can't be read.
pub(super) fn by_channel(file: &dyn RangeRead, index: &Index) -> Option<BTreeMap<u16, TimeRange>> {
    if index.segments.iter().any(|segment| !segment.indexed) {
        return None;
    }
    let segments = || index.segments.iter();
    let first = ends(file, index, segments(), |known, segment| segment.start < known, u64::min)?;
    let by_end = index.by_end().iter().map(|number| &index.segments[*number as usize]);
    let last = ends(file, index, by_end, |known, segment| segment.end > known, u64::max)?;
    let range = |((id, start), end)| (id, TimeRange { start: Timestamp(start), end: Timestamp(end) });
    Some(first.into_iter().zip(last.into_values()).map(range).collect())
}

/// Of each channel the time that `better` chooses. `is_worth`: whether a segment can have a better one than is known.
fn ends<'a>(
    file: &dyn RangeRead,
    index: &Index,
    segments: impl Iterator<Item = &'a Segment>,
    is_worth: impl Fn(u64, &Segment) -> bool,
    better: impl Fn(u64, u64) -> u64 + Copy,
) -> Option<BTreeMap<u16, u64>> {
    let mut ends = BTreeMap::new();
    for segment in segments {
        for presence in index.presence_of(segment) {
            let known = ends.get(&presence.channel).copied();
            if known.is_some_and(|known| !is_worth(known, segment)) {
                continue;
            }
            // an index without entries is allowed
            let found = times(file, presence)?.into_iter().chain(known).reduce(better);
            ends.extend(found.map(|found| (presence.channel, found)));
        }
    }
    Some(ends)
}

/// The times of a channel's messages in a chunk; None if they can't be read.
fn times(file: &dyn RangeRead, presence: &Presence) -> Option<Vec<u64>> {
    let (opcode, body) = record_at(file, presence.index_offset, INDEX_READ).ok()??;
    if opcode == op::MESSAGE_INDEX { times_in(&body, presence.channel) } else { None }
}

/// The times in the body of a message index record of a channel; None if that is not what it is.
fn times_in(body: &[u8], channel: u16) -> Option<Vec<u64>> {
    let (id, rest) = body.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let entries = rest.get(..to_usize(u64::from(u32::from_le_bytes(*length))))?;
    let (entries, []) = entries.as_chunks::<16>() else { return None };
    let time = |entry: &[u8; 16]| entry.first_chunk().map(|time| u64::from_le_bytes(*time));
    (u16::from_le_bytes(*id) == channel).then(|| entries.iter().filter_map(time).collect())
}

/// Bytes of the message indexes of a chunk; None if that is not known.
pub(crate) fn index_bytes(index: &Index, segment: &Segment) -> Option<u64> {
    let presence = index.presence_of(segment).iter();
    let of = |presence: &Presence| EMPTY_INDEX + INDEX_ENTRY * u64::from(presence.count);
    (segment.indexed && segment.counted).then(|| presence.map(of).sum())
}

/// The times of all messages in a chunk, for each of [`Index::presence_of`], read at once; None if its indexes can't be
/// read.
pub(crate) fn in_chunk(file: &dyn RangeRead, index: &Index, segment: &Segment) -> Option<Vec<Vec<u64>>> {
    let length = index_bytes(index, segment)?;
    let presence = index.presence_of(segment);
    let start = presence.iter().map(|presence| presence.index_offset).min()?;
    let bytes = read_vec(file, start, length).ok()?;
    let times = |presence: &Presence| {
        let record = bytes.get(to_usize(presence.index_offset - start)..)?;
        let (opcode, length) = record_header(record)?;
        let body = record.get(to_usize(RECORD_HEADER)..)?.get(..to_usize(length))?;
        if opcode == op::MESSAGE_INDEX { times_in(body, presence.channel) } else { None }
    };
    presence.iter().map(times).collect()
}
