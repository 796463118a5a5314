//! The last message of each channel before a time, found by index.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use mcap::records::op;

use super::file::{OpenFile, RecordingFile};
use crate::model::{Batch, ChannelId, Entry};
use crate::source::mcap::records::{record_at, to_usize};
use crate::source::{Order, SourceError};
use crate::time::Timestamp;

/// Decoded for one backfill at most, in bytes, newest segments first; channels whose last message lies deeper are
/// left without one.
const BACKFILL_BYTES: usize = 256 << 20;

/// Bytes of a message index that are read at first; most are not longer.
const INDEX_READ: u64 = 4096;

/// The newest message found so far of one channel: time, number of its file, offset of its segment, the segment's number.
type Best = (u64, u32, u64, u32);

/// Opens the file of a number, beside so many others that the search has open.
type Opener<'a> = dyn Fn(u32, usize) -> Result<Arc<OpenFile>, SourceError> + 'a;

/// See [`crate::source::Recording::backfill`]. Goes back from segment to segment, those that end last first, and opens a file only if
/// it can hold what is still missing.
pub(super) fn backfill(
    files: &[RecordingFile],
    open: &Opener<'_>,
    before: Timestamp,
    channels: &[ChannelId],
) -> Result<Batch, SourceError> {
    let search = Search {
        files,
        open,
        opened: BTreeMap::new(),
        before: before.0,
        missing: channels.iter().copied().collect(),
        best: BTreeMap::new(),
        found: BTreeMap::new(),
        budget: BACKFILL_BYTES,
    };
    search.run()
}

/// A file that is being searched.
struct Searched {
    file: Arc<OpenFile>,
    /// Segments that the target cuts, the next one last.
    cut: Vec<u32>,
    /// The next of its other segments, in the order of their ends.
    next: usize,
}

impl Searched {
    /// The next segment and the latest time that it can have.
    fn peek(&self, before: u64) -> Option<(u32, u64)> {
        if let Some(cut) = self.cut.last() {
            return Some((*cut, before - 1));
        }
        let next = self.file.index.by_end().get(self.next)?;
        Some((*next, self.file.index.segments[*next as usize].end))
    }

    fn advance(&mut self) {
        if self.cut.pop().is_none() {
            self.next += 1;
        }
    }
}

struct Search<'a> {
    files: &'a [RecordingFile],
    open: &'a Opener<'a>,
    opened: BTreeMap<u32, Searched>,
    before: u64,
    /// Channels for which a newer message than the best so far may still be found.
    missing: BTreeSet<ChannelId>,
    best: BTreeMap<ChannelId, Best>,
    /// Messages of segments that had to be decoded.
    found: BTreeMap<ChannelId, (Best, Entry, Vec<u8>)>,
    budget: usize,
}

impl Search<'_> {
    fn run(mut self) -> Result<Batch, SourceError> {
        // the latest time that each file still can have
        let mut ends: BinaryHeap<(u64, u32)> = (0u32..)
            .zip(self.files)
            .filter_map(|(number, file)| Some((file.span?, number)))
            .filter(|((start, _), _)| *start < self.before)
            .map(|((_, end), number)| (end, number))
            .collect();
        while let Some((end, number)) = ends.pop() {
            self.settle(end.min(self.before - 1));
            if self.missing.is_empty() || self.budget == 0 {
                break;
            }
            let next = match self.opened.get_mut(&number) {
                Some(opened) => {
                    let (file, segment) = (opened.file.clone(), opened.peek(self.before));
                    opened.advance();
                    let next = opened.peek(self.before).map(|(_, end)| end);
                    if let Some((segment, _)) = segment {
                        self.look_into(&file, number, segment)?;
                    }
                    next
                }
                None => self.begin(number).map(|last| last.min(end)),
            };
            match next {
                Some(next) => ends.push((next, number)),
                None => self.close(number),
            }
        }
        self.collect()
    }

    /// Opens a file; the end of its last segment, if there is something to look for.
    fn begin(&mut self, number: u32) -> Option<u64> {
        if !self.files[number as usize].may_hold(&self.missing) {
            return None;
        }
        match (self.open)(number, self.opened.len()) {
            Ok(file) => {
                let (cut, next) = file.index.backward_from(self.before);
                let opened = Searched { file, cut, next };
                let end = opened.peek(self.before)?.1;
                self.opened.insert(number, opened);
                Some(end)
            }
            Err(error) => {
                tracing::warn!("{error}; its messages are missing in what came before the position");
                None
            }
        }
    }

    /// Closes a file that is searched through, unless a message is to be taken from it.
    fn close(&mut self, number: u32) {
        if !self.best.values().any(|best| best.1 == number) {
            self.opened.remove(&number);
        }
    }

    /// Channels whose best is newer than anything to come are done.
    fn settle(&mut self, latest_possible: u64) {
        let best = &self.best;
        self.missing.retain(|channel| best.get(channel).is_none_or(|best| best.0 <= latest_possible));
    }

    fn look_into(&mut self, file: &OpenFile, number: u32, index: u32) -> Result<(), SourceError> {
        let segment = &file.index.segments[index as usize];
        if segment.start >= self.before {
            return Ok(());
        }
        let selection = &self.files[number as usize].selection;
        let presence = file.index.presence_of(segment);
        let parts = segment.parts(selection);
        let wanted = |id: u16| {
            parts.iter().filter_map(|part| part.channel(id)).find(|channel| self.missing.contains(channel))
        };
        let wanted: Vec<_> =
            presence.iter().filter_map(|presence| Some((presence, wanted(presence.channel)?))).collect();
        if !presence.is_empty() && wanted.is_empty() {
            return Ok(());
        }
        let place = (number, index);
        if !segment.indexed || selection.order == Order::Publish {
            return self.decode(file, place, &self.missing.clone());
        }
        for (presence, channel) in wanted {
            match self.last_in_index(file, presence.index_offset, presence.channel) {
                Some(Some(time)) => {
                    let candidate = (time, number, segment.offset, index);
                    let best = self.best.entry(channel).or_insert(candidate);
                    *best = (*best).max(candidate);
                }
                Some(None) => {}
                // a message index that can't be read: the chunk itself knows
                None => return self.decode(file, place, &self.missing.clone()),
            }
        }
        Ok(())
    }

    /// The last time before the target in a message index; None if it can't be read.
    fn last_in_index(&self, file: &OpenFile, offset: u64, channel: u16) -> Option<Option<u64>> {
        let (opcode, body) = record_at(&*file.reader.file, offset, INDEX_READ).ok()??;
        (opcode == op::MESSAGE_INDEX).then(|| last_before(&body, channel, self.before))?
    }

    /// Takes the last message of each of `channels` from a segment.
    fn decode(
        &mut self,
        file: &OpenFile,
        (number, index): (u32, u32),
        channels: &BTreeSet<ChannelId>,
    ) -> Result<(), SourceError> {
        let segment = &file.index.segments[index as usize];
        self.budget = self.budget.saturating_sub(to_usize(segment.size).max(1));
        let selection = &self.files[number as usize].selection;
        let (buffer, last) = match file.reader.last_before(segment, selection, self.before, channels) {
            Ok(found) => found,
            Err(SourceError::Damaged { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in last {
            let candidate = (entry.log_time.0, number, segment.offset, index);
            if self.found.get(&entry.channel).is_none_or(|(best, _, _)| *best < candidate) {
                let start = entry.offset as usize;
                let payload = buffer[start..start + entry.length as usize].to_vec();
                self.found.insert(entry.channel, (candidate, entry, payload));
                let best = self.best.entry(entry.channel).or_insert(candidate);
                *best = (*best).max(candidate);
            }
        }
        Ok(())
    }

    /// Decodes the segments that hold the best messages known only by index, and puts all together.
    fn collect(mut self) -> Result<Batch, SourceError> {
        // by end, file and offset, so that the budget goes to the newest
        let mut segments: BTreeMap<(u64, u32, u64, u32), BTreeSet<ChannelId>> = BTreeMap::new();
        for (channel, best) in &self.best {
            let (_, number, offset, index) = *best;
            if self.found.get(channel).is_none_or(|(found, _, _)| found < best)
                && let Some(Searched { file, .. }) = self.opened.get(&number)
            {
                let end = file.index.segments[index as usize].end;
                segments.entry((end, number, offset, index)).or_default().insert(*channel);
            }
        }
        self.budget = BACKFILL_BYTES;
        for ((_, number, _, index), channels) in segments.into_iter().rev() {
            if self.budget == 0 {
                break;
            }
            if let Some(file) = self.opened.get(&number).map(|opened| opened.file.clone()) {
                self.decode(&file, (number, index), &channels)?;
            }
        }
        let mut found: Vec<_> = self.found.into_values().collect();
        found.sort_by_key(|((time, file, offset, _), entry, _)| (*time, *file, *offset, entry.offset));
        let mut batch = Batch::default();
        for (_, entry, payload) in &found {
            batch.push_copy(entry, payload);
        }
        Ok(batch)
    }
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
