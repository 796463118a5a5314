//! What counts of each channel before a time: its last message, found by index; of latched channels the last message of
//! each origin; of transforms the last message of each child frame, for which their segments are decoded.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use self::found::{Found, InSegment};
use self::index::last_time_before;
use super::file::{OpenFile, RecordingFile};
use crate::model::{Batch, ChannelId};
use crate::source::mcap::records::to_usize;
use crate::source::{Order, SourceError};
use crate::time::Timestamp;

mod found;
mod index;

pub(super) use found::Sought;

/// Decoded for one backfill at most, in bytes, newest segments first; channels whose last message lies deeper are
/// left without one.
const BACKFILL_BYTES: usize = 256 << 20;

/// Decoded at most to find what counts of latched channels that one message does not settle, newest segments first.
const LATCHED_BYTES: usize = 128 << 20;

/// Decoded at most to find transforms that are not latched, newest segments first: some of them are sent in every segment.
const RECENT_BYTES: usize = 32 << 20;

/// Files that are opened at most in which only latched channels are sought, newest first.
const LATCHED_FILES: usize = 64;

/// A message that may be the last one: its time, number of its file, offset of its segment, the segment's number.
type Candidate = (u64, u32, u64, u32);

/// The newest candidate so far of those that compete.
struct Best {
    candidate: Candidate,
    /// Whether its segment has been decoded.
    is_found: bool,
}

/// Opens the file of a number, beside so many others that the search has open; None if that can't be done.
type Opener<'a> = dyn Fn(u32, usize) -> Option<Arc<OpenFile>> + 'a;

/// See [`crate::source::Source::backfill`]. Goes back from segment to segment, those that end last first, and opens a file only if
/// it can hold what is still missing.
pub(super) fn backfill(
    files: &[Arc<RecordingFile>],
    open: &Opener<'_>,
    before: Timestamp,
    sought: BTreeMap<ChannelId, Sought>,
) -> Result<Batch, SourceError> {
    let search = Search {
        files,
        open,
        opened: BTreeMap::new(),
        before: before.0,
        missing: sought.keys().copied().collect(),
        best: BTreeMap::new(),
        found: Found::new(sought, before.0),
        budget: BACKFILL_BYTES,
        latched_budget: LATCHED_BYTES,
        recent_budget: RECENT_BYTES,
        latched_files: LATCHED_FILES,
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
    files: &'a [Arc<RecordingFile>],
    open: &'a Opener<'a>,
    opened: BTreeMap<u32, Searched>,
    before: u64,
    /// Channels of which something may still be found that counts.
    missing: BTreeSet<ChannelId>,
    /// By channel and [`Sought::origin`].
    best: BTreeMap<(ChannelId, u32), Best>,
    found: Found,
    budget: usize,
    latched_budget: usize,
    recent_budget: usize,
    latched_files: usize,
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
        let file = &self.files[number as usize];
        if !file.may_hold(&self.missing) {
            return None;
        }
        let is_latched = |channel: &ChannelId| self.found.sought(*channel).is_latched;
        let others = self.missing.iter().copied().filter(|channel| !is_latched(channel)).collect();
        if !file.may_hold(&others) {
            self.latched_files = self.latched_files.checked_sub(1)?;
        }
        let file = (self.open)(number, self.opened.len())?;
        let (cut, next) = file.index.backward_from(self.before);
        let opened = Searched { file, cut, next };
        let end = opened.peek(self.before)?.1;
        self.opened.insert(number, opened);
        Some(end)
    }

    /// Closes a file that is searched through, unless a message is to be taken from it.
    fn close(&mut self, number: u32) {
        if !self.best.values().any(|best| best.candidate.1 == number && !best.is_found) {
            self.opened.remove(&number);
        }
    }

    /// Channels of which nothing to come counts are done.
    fn settle(&mut self, latest_possible: u64) {
        let Self { best, found, recent_budget, latched_budget, .. } = self;
        self.missing.retain(|channel| {
            let goes_on = match found.sought(*channel) {
                Sought { is_latched: true, .. } => *latched_budget > 0,
                Sought { transforms: Some(_), .. } => found.is_recent(latest_possible) && *recent_budget > 0,
                Sought { .. } => false,
            };
            let all = best.range((*channel, 0)..=(*channel, u32::MAX));
            let newest = all.map(|(_, best)| best.candidate.0).max();
            goes_on || newest.is_none_or(|newest| newest <= latest_possible)
        });
    }

    fn look_into(&mut self, file: &OpenFile, number: u32, index: u32) -> Result<(), SourceError> {
        let segment = &file.index.segments[index as usize];
        if segment.start >= self.before {
            return Ok(());
        }
        let selection = &self.files[number as usize].selection;
        let presence = file.index.presence_of(segment);
        let parts = segment.parts(selection);
        let latest_possible = segment.end.min(self.before - 1);
        // a newer message of the same origin settles a latched channel that has no transforms
        let is_settled = |channel: ChannelId, id: u16| {
            let Sought { transforms, is_latched } = self.found.sought(channel);
            let best = self.best.get(&(channel, file.reader.origin(id)));
            is_latched && transforms.is_none() && best.is_some_and(|best| best.candidate.0 > latest_possible)
        };
        let wanted = |id: u16| {
            let mut channels = parts.iter().filter_map(|part| part.channel(id));
            channels.find(|channel| self.missing.contains(channel) && !is_settled(*channel, id))
        };
        let wanted: Vec<_> =
            presence.iter().filter_map(|presence| Some((presence, wanted(presence.channel)?))).collect();
        if !presence.is_empty() && wanted.is_empty() {
            return Ok(());
        }
        let place = (number, index);
        let may_be_here: BTreeSet<ChannelId> = match presence {
            [] => self.missing.clone(),
            _ => wanted.iter().map(|(_, channel)| *channel).collect(),
        };
        if presence.is_empty() || !segment.indexed || selection.order == Order::Publish {
            let bytes = self.decode(file, place, &may_be_here)?;
            self.charge(bytes, &may_be_here);
            return Ok(());
        }
        let takes_decoding = |channel: &&ChannelId| self.takes_decoding(**channel, latest_possible);
        let not_by_index: BTreeSet<_> = may_be_here.iter().filter(takes_decoding).copied().collect();
        if !not_by_index.is_empty() {
            let bytes = self.decode(file, place, &may_be_here)?;
            self.charge(bytes, &not_by_index);
            return Ok(());
        }
        for (presence, channel) in wanted {
            match last_time_before(&*file.reader.file, presence.index_offset, presence.channel, self.before) {
                Some(Some(time)) => {
                    let origin = self.found.sought(channel).origin(file.reader.origin(presence.channel));
                    let candidate = (time, number, segment.offset, index);
                    self.compete((channel, origin), Best { candidate, is_found: false });
                }
                Some(None) => {}
                // a message index that can't be read: the chunk itself knows
                None => {
                    let bytes = self.decode(file, place, &may_be_here)?;
                    self.charge(bytes, &may_be_here);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether an index does not tell what counts of a channel in a segment that ends then.
    fn takes_decoding(&self, channel: ChannelId, latest_possible: u64) -> bool {
        match self.found.sought(channel) {
            Sought { transforms: None, .. } => false,
            Sought { is_latched: true, .. } => true,
            Sought { .. } => self.found.is_recent(latest_possible) && self.recent_budget > 0,
        }
    }

    fn compete(&mut self, key: (ChannelId, u32), other: Best) {
        let rank = |best: &Best| (best.candidate, best.is_found);
        match self.best.get_mut(&key) {
            Some(best) if rank(best) >= rank(&other) => {}
            Some(best) => *best = other,
            None => drop(self.best.insert(key, other)),
        }
    }

    /// Charges the decoding of a segment to the budget of the channels that it was needed for.
    fn charge(&mut self, bytes: usize, needed_for: &BTreeSet<ChannelId>) {
        let sought = || needed_for.iter().map(|channel| self.found.sought(*channel));
        let budget = if sought().any(|sought| !sought.is_latched && sought.transforms.is_none()) {
            &mut self.budget
        } else if sought().any(|sought| sought.is_latched) {
            &mut self.latched_budget
        } else {
            &mut self.recent_budget
        };
        let budget = if *budget > 0 { budget } else { &mut self.budget };
        *budget = budget.saturating_sub(bytes);
    }

    /// Takes what may count of `channels` from a segment; the bytes that were decoded, whatever its index says.
    fn decode(
        &mut self,
        file: &OpenFile,
        (number, index): (u32, u32),
        channels: &BTreeSet<ChannelId>,
    ) -> Result<usize, SourceError> {
        let segment = &file.index.segments[index as usize];
        let selection = &self.files[number as usize].selection;
        let mut here = InSegment::default();
        let read = file.reader.before(segment, selection, self.before, |entry| {
            if channels.contains(&entry.channel) {
                here.push(self.found.sought(entry.channel), entry);
            }
        });
        let buffer = match read {
            Ok(buffer) => buffer,
            Err(SourceError::Damaged { .. } | SourceError::LeftOut { .. }) => {
                return Ok(to_usize(file.reader.size(segment)).max(1));
            }
            Err(error) => return Err(error),
        };
        for entry in here.into_entries() {
            let candidate = (entry.log_time.0, number, segment.offset, index);
            let origin = self.found.sought(entry.channel).origin(entry.origin);
            self.compete((entry.channel, origin), Best { candidate, is_found: true });
            self.found.offer(number, segment.offset, entry, &buffer);
        }
        Ok(buffer.len().max(1))
    }

    /// Decodes the segments that hold the best messages known only by index, and puts all together.
    fn collect(mut self) -> Result<Batch, SourceError> {
        // by end, file and offset, so that the budget goes to the newest
        let mut segments: BTreeMap<(u64, u32, u64, u32), BTreeSet<ChannelId>> = BTreeMap::new();
        for ((channel, _), best) in self.best.iter().filter(|(_, best)| !best.is_found) {
            let (_, number, offset, index) = best.candidate;
            if let Some(Searched { file, .. }) = self.opened.get(&number) {
                let end = file.index.segments[index as usize].end;
                segments.entry((end, number, offset, index)).or_default().insert(*channel);
            }
        }
        let mut budget = BACKFILL_BYTES;
        for ((_, number, _, index), channels) in segments.into_iter().rev() {
            if budget == 0 {
                break;
            }
            if let Some(file) = self.opened.get(&number).map(|opened| opened.file.clone()) {
                budget = budget.saturating_sub(self.decode(&file, (number, index), &channels)?);
            }
        }
        Ok(self.found.into_batch())
    }
}
