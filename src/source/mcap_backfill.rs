//! The last message of each channel before a time, found by index.

use std::collections::{BTreeMap, BTreeSet};

use mcap::records::{Record, op};

use super::SourceError;
use super::mcap_chunk::{Decoder, Selection};
use super::mcap_contents::{Contents, Piece, RECORD_HEADER, parse, to_usize};
use crate::model::{Batch, ChannelId, Entry};
use crate::time::Timestamp;

/// Decoded for one backfill at the most, in bytes, newest pieces first; channels whose last message lies deeper are
/// left without one.
const BACKFILL_BYTES: usize = 256 << 20;

/// The newest message found so far of one channel: time, offset of its piece, the piece's index.
type Best = (u64, u64, usize);

/// `by_end`: indexes of all pieces, latest end first. See [`super::Source::backfill`].
pub(super) fn backfill(
    decoder: &Decoder,
    contents: &Contents,
    by_end: &[u32],
    selection: &Selection,
    before: Timestamp,
    channels: &[ChannelId],
) -> Result<Batch, SourceError> {
    let mut search = Search {
        decoder,
        contents,
        selection,
        before: before.0,
        missing: channels.iter().copied().collect(),
        best: BTreeMap::new(),
        found: BTreeMap::new(),
        budget: BACKFILL_BYTES,
    };
    for &index in by_end {
        let index = index as usize;
        let piece = &contents.pieces[index];
        if piece.start >= before.0 {
            continue;
        }
        let latest_possible = piece.end.min(before.0 - 1);
        search.settle(latest_possible);
        if search.missing.is_empty() || search.budget == 0 {
            break;
        }
        search.look_into(index, piece)?;
    }
    search.collect()
}

struct Search<'a> {
    decoder: &'a Decoder,
    contents: &'a Contents,
    selection: &'a Selection,
    before: u64,
    /// Channels for which a newer message than the best so far may still turn up.
    missing: BTreeSet<ChannelId>,
    best: BTreeMap<ChannelId, Best>,
    /// Messages of pieces that had to be decoded.
    found: BTreeMap<ChannelId, (Best, Entry, Vec<u8>)>,
    budget: usize,
}

impl Search<'_> {
    /// Channels whose best is newer than anything to come are done.
    fn settle(&mut self, latest_possible: u64) {
        let best = &self.best;
        self.missing.retain(|channel| best.get(channel).is_none_or(|best| best.0 <= latest_possible));
    }

    fn look_into(&mut self, index: usize, piece: &Piece) -> Result<(), SourceError> {
        let presence = self.contents.presence_of(piece);
        let wanted = |id: u16| self.selection.channel(id).filter(|channel| self.missing.contains(channel));
        if !presence.is_empty() && !presence.iter().any(|presence| wanted(presence.channel).is_some()) {
            return Ok(());
        }
        if !piece.indexed || self.selection.order == super::Order::Publish {
            return self.decode(index, piece, &self.missing.clone());
        }
        for presence in presence {
            let Some(channel) = wanted(presence.channel) else { continue };
            match self.last_in_index(presence.index_offset, presence.channel) {
                Some(Some(time)) => {
                    let candidate = (time, piece.offset, index);
                    let best = self.best.entry(channel).or_insert(candidate);
                    *best = (*best).max(candidate);
                }
                Some(None) => {}
                // a message index that can't be read: the chunk itself knows
                None => return self.decode(index, piece, &self.missing.clone()),
            }
        }
        Ok(())
    }

    /// The last time before the target in a message index; None if it can't be read.
    fn last_in_index(&self, offset: u64, channel: u16) -> Option<Option<u64>> {
        let (opcode, length) = self.decoder.file.record_at(offset).ok()??;
        let body = self.decoder.file.read_vec(offset + RECORD_HEADER, length).ok()?;
        match (opcode, parse(opcode, &body)?) {
            (op::MESSAGE_INDEX, Record::MessageIndex(index)) if index.channel_id == channel => Some(
                index.records.iter().map(|entry| entry.log_time).filter(|time| *time < self.before).max(),
            ),
            _ => None,
        }
    }

    /// Takes the last message of each of `channels` from a piece.
    fn decode(
        &mut self,
        index: usize,
        piece: &Piece,
        channels: &BTreeSet<ChannelId>,
    ) -> Result<(), SourceError> {
        self.budget = self.budget.saturating_sub(to_usize(piece.size).max(1));
        let decoded = match self.decoder.decode(piece, self.selection) {
            Ok(decoded) => decoded,
            Err(SourceError::Damaged { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut open = channels.clone();
        for entry in decoded.entries.iter().rev().filter(|entry| entry.log_time.0 < self.before) {
            if !open.remove(&entry.channel) {
                continue;
            }
            let candidate = (entry.log_time.0, piece.offset, index);
            let start = entry.offset as usize;
            let newer = self.found.get(&entry.channel).is_none_or(|(best, _, _)| *best < candidate);
            if newer {
                let payload = decoded.buffer[start..start + entry.length as usize].to_vec();
                self.found.insert(entry.channel, (candidate, *entry, payload));
                let best = self.best.entry(entry.channel).or_insert(candidate);
                *best = (*best).max(candidate);
            }
            if open.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Decodes the pieces that hold the best messages known only by index, and puts all together.
    fn collect(mut self) -> Result<Batch, SourceError> {
        let mut pieces: BTreeMap<(u64, u64, usize), BTreeSet<ChannelId>> = BTreeMap::new();
        for (channel, best) in &self.best {
            if self.found.get(channel).is_none_or(|(found, _, _)| found < best) {
                let piece = &self.contents.pieces[best.2];
                pieces.entry((piece.end, piece.offset, best.2)).or_default().insert(*channel);
            }
        }
        self.budget = BACKFILL_BYTES;
        for ((_, _, index), channels) in pieces.into_iter().rev() {
            if self.budget == 0 {
                break;
            }
            self.decode(index, &self.contents.pieces[index], &channels)?;
        }
        let mut found: Vec<_> = self.found.into_values().collect();
        found.sort_by_key(|((time, offset, _), entry, _)| (*time, *offset, entry.offset));
        let mut batch = Batch::default();
        for (_, entry, payload) in &found {
            batch.push_copy(entry, payload);
        }
        Ok(batch)
    }
}
