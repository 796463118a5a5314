//! A recording in an MCAP file.
//!
//! Messages come in the order (time, offset of their piece in the file, position in the piece): by log time, equal
//! times as they lie in the file, also where chunks overlap. Memory is bounded whatever the file's size: pieces are
//! decoded a little ahead ([`super::mcap_ahead`]), and of pieces that overlap in time only [`OPEN_BYTES`] stay decoded.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use super::catalog::{Catalog, RawChannel};
use super::mcap_ahead::Ahead;
use super::mcap_backfill::backfill;
use super::mcap_batch::Builder;
use super::mcap_chunk::{Decoded, Decoder, Selection};
use super::mcap_contents::{Contents, Piece, RandomFile, to_usize};
use super::summary::{ChannelSummary, ChunkSummary, RecordingSummary};
use super::{Order, RecordingOptions, ScanProgress, Source, SourceError, SourceInfo, mcap_index, mcap_scan};
use crate::model::{Batch, ChannelId};
use crate::time::{TimeRange, Timestamp};

/// Decoded pieces that overlap in time, in bytes; beyond it those needed last are decoded again when their turn comes.
const OPEN_BYTES: usize = 256 << 20;

/// A place in the order of messages.
type Key = (u64, u64);

/// A piece whose messages are being played.
struct Open {
    index: usize,
    offset: u64,
    /// None while parked.
    decoded: Option<Decoded>,
    next: usize,
    head: Key,
    bytes: usize,
}

/// See the module's documentation.
pub(super) struct McapFile {
    decoder: Arc<Decoder>,
    contents: Contents,
    selection: Arc<Selection>,
    /// Like `selection`, but all of time: the state before a start counts.
    backfill_selection: Selection,
    by_end: Vec<u32>,
    info: SourceInfo,
    ahead: Ahead,
    from: Timestamp,
    /// Pieces to play, as indexes, in order.
    plan: VecDeque<u32>,
    /// How many of them, from the front, have been asked for.
    requested: usize,
    open: Vec<Open>,
    /// What went wrong behind the last batch; told before the next one.
    failed: Option<SourceError>,
    unknown_told: bool,
}

/// Finds out what a file holds: by its summary if that will do, else by reading it through.
pub(super) fn contents(
    path: &Path,
    order: Order,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<(Decoder, Contents), SourceError> {
    let decoder = Decoder::new(RandomFile::open(path)?);
    mcap_scan::check_magic(&decoder)?;
    let found = match mcap_index::read(&decoder.file) {
        Ok(contents) if order == Order::Log => contents,
        // publish times are not in any index
        Ok(_) => mcap_scan::scan(&decoder, order, None, progress)?,
        Err(reason) => mcap_scan::scan(&decoder, order, Some(reason), progress)?,
    };
    Ok((decoder, found))
}

/// See [`super::recording_summary`].
pub(super) fn summary(
    path: &Path,
    order: Order,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<RecordingSummary, SourceError> {
    let (decoder, mut contents) = contents(path, order, progress)?;
    if contents.counts.is_none() && contents.range.is_some() {
        contents = mcap_scan::scan(&decoder, order, None, progress)?;
    }
    let counts = contents.counts.unwrap_or_default();
    let channels = contents.channels.values().map(|channel| {
        let schema = contents.schemas.get(&channel.schema_id);
        ChannelSummary {
            id: channel.id,
            topic: channel.topic.clone(),
            message_encoding: channel.message_encoding.clone(),
            schema_name: schema.map(|schema| schema.name.clone()),
            schema_encoding: schema.map(|schema| schema.encoding.clone()),
            message_count: counts.get(&channel.id).copied().unwrap_or(0),
            metadata: channel.metadata.clone(),
        }
    });
    let chunks = contents.chunks.iter().map(|(compression, totals)| ChunkSummary {
        compression: compression.clone(),
        count: totals.count,
        compressed_bytes: totals.compressed,
        uncompressed_bytes: totals.uncompressed,
    });
    Ok(RecordingSummary {
        library: contents.library,
        profile: contents.profile,
        size_bytes: decoder.file.size,
        complete: contents.complete,
        range: contents.range,
        message_count: counts.values().sum(),
        channels: channels.collect(),
        chunks: chunks.collect(),
        attachments: contents.attachments,
        metadata: contents.metadata,
        warnings: contents.warnings,
    })
}

impl McapFile {
    pub(super) fn open(
        path: &Path,
        options: &RecordingOptions,
        progress: &mut dyn FnMut(ScanProgress),
    ) -> Result<Self, SourceError> {
        let (decoder, contents) = contents(path, options.order, progress)?;
        let mut catalog = Catalog::default();
        let mut warnings = contents.warnings.clone();
        let highest = contents.channels.keys().next_back().map_or(0, |id| usize::from(*id) + 1);
        let mut channels = vec![None; highest];
        let mut left_out = BTreeSet::new();
        for &id in contents.channels.keys() {
            let Some((raw, problem)) = contents.raw_channel(id) else { continue };
            if let Some(topic) = options.topics.offered(&raw.topic) {
                warnings.extend(problem);
                let topic = topic.into_owned();
                channels[usize::from(id)] = Some(catalog.add(RawChannel { topic, ..raw }));
            } else {
                left_out.insert(id);
            }
        }
        if !contents.channels.is_empty() && left_out.len() == contents.channels.len() {
            let topics: BTreeSet<_> =
                contents.channels.values().map(|channel| channel.topic.as_str()).collect();
            let some: Vec<_> = topics.iter().take(8).copied().collect();
            return Err(decoder.file.unusable(format!(
                "no topic is chosen by --topic and --exclude; the recording has {} topics: {}{}",
                topics.len(),
                some.join(", "),
                if topics.len() > some.len() { ", …" } else { "" }
            )));
        }
        let range = played_range(&decoder.file, &contents, options)?;
        let (offered, renamed) = catalog.finish();
        warnings.extend(renamed);
        let selection =
            Selection { channels, left_out, range: range.unwrap_or(TimeRange::ALL), order: options.order };
        let whole = options.start.is_none() && options.end.is_none() && options.duration.is_none();
        let info = SourceInfo {
            name: path.file_name().map_or_else(String::new, |name| name.display().to_string()),
            range: range.and_then(|range| narrowed(&contents, &selection, range)),
            message_count: message_count(&contents, &selection).filter(|_| whole),
            channels: offered,
            seekable: true,
            warnings,
        };
        let mut by_end: Vec<u32> = (0..u32::try_from(contents.pieces.len()).unwrap_or(u32::MAX)).collect();
        by_end.sort_by_key(|index| std::cmp::Reverse(contents.pieces[*index as usize].end));
        let backfill_selection = Selection { range: TimeRange::ALL, ..selection.clone() };
        let (decoder, selection) = (Arc::new(decoder), Arc::new(selection));
        let ahead = Ahead::start(&decoder, &selection)
            .map_err(|error| SourceError::Io { name: decoder.file.name.clone(), error })?;
        let mut file = Self {
            decoder,
            contents,
            selection,
            backfill_selection,
            by_end,
            info,
            ahead,
            from: Timestamp::MIN,
            plan: VecDeque::new(),
            requested: 0,
            open: Vec::new(),
            failed: None,
            unknown_told: false,
        };
        file.seek(Timestamp::MIN);
        Ok(file)
    }

    fn request_ahead(&mut self) {
        while self.ahead.has_room() {
            let Some(&index) = self.plan.get(self.requested) else { return };
            let index = index as usize;
            self.ahead.request(index, &self.contents.pieces[index]);
            self.requested += 1;
        }
    }

    /// Opens the next piece of the plan.
    fn open_next(&mut self) -> Result<(), SourceError> {
        self.request_ahead();
        let taken = self.ahead.take();
        self.plan.pop_front();
        self.requested = self.requested.saturating_sub(1);
        self.request_ahead();
        let Some((index, decoded)) = taken else { return Ok(()) };
        let decoded = decoded?;
        if decoded.unknown > 0 && !self.unknown_told {
            self.unknown_told = true;
            tracing::warn!(
                "{}: messages of channels that the file does not define are left out",
                self.info.name
            );
        }
        let next = decoded.entries.partition_point(|entry| entry.log_time < self.from);
        let Some(entry) = decoded.entries.get(next) else { return Ok(()) };
        let offset = self.contents.pieces[index].offset;
        let head = (entry.log_time.0, offset);
        let bytes = decoded.buffer.len();
        self.open.push(Open { index, offset, decoded: Some(decoded), next, head, bytes });
        self.park();
        Ok(())
    }

    /// Keeps the decoded pieces within [`OPEN_BYTES`].
    fn park(&mut self) {
        loop {
            let decoded = self.open.iter_mut().filter(|open| open.decoded.is_some());
            let total: usize = decoded.map(|open| open.bytes).sum();
            if total <= OPEN_BYTES {
                return;
            }
            let first = self.open.iter().map(|open| open.head).min();
            let last = self
                .open
                .iter_mut()
                .filter(|open| open.decoded.is_some() && Some(open.head) != first)
                .max_by_key(|open| open.head);
            match last {
                Some(open) => open.decoded = None,
                None => return,
            }
        }
    }

    fn next_planned(&self) -> Option<Key> {
        self.plan.front().map(|index| {
            let piece = &self.contents.pieces[*index as usize];
            (piece.start, piece.offset)
        })
    }

    /// Appends what comes next of the open pieces; false if there is nothing.
    fn extend(&mut self, batch: &mut Builder) -> Result<bool, SourceError> {
        let Some(first) = (0..self.open.len()).min_by_key(|index| self.open[*index].head) else {
            return Ok(false);
        };
        let limit = (0..self.open.len())
            .filter(|index| *index != first)
            .map(|index| self.open[index].head)
            .chain(self.next_planned())
            .min();
        if self.open[first].decoded.is_none() {
            let index = self.open[first].index;
            match self.decoder.decode(&self.contents.pieces[index], &self.selection) {
                Ok(decoded) => self.open[first].decoded = Some(decoded),
                Err(error) => {
                    self.open.swap_remove(first);
                    return Err(error);
                }
            }
            self.park();
        }
        let open = &mut self.open[first];
        let Some(decoded) = &open.decoded else { return Ok(false) };
        open.next += batch.append(open.index, decoded, open.next, |time| {
            limit.is_none_or(|limit| (time, open.offset) < limit)
        });
        match decoded.entries.get(open.next) {
            Some(entry) => open.head = (entry.log_time.0, open.offset),
            None => {
                self.open.swap_remove(first);
            }
        }
        Ok(true)
    }

    /// Fills a batch with what comes next, as far as that is ready.
    fn fill(&mut self, batch: &mut Builder) -> Result<(), SourceError> {
        while !batch.is_full() {
            let head = self.open.iter().map(|open| open.head).min();
            let due = self.next_planned().is_some_and(|planned| head.is_none_or(|head| planned < head));
            if due {
                // what is ready does not wait for another chunk, unless that must come first
                if head.is_none() && !batch.is_empty() {
                    break;
                }
                self.open_next()?;
            } else if !self.extend(batch)? {
                break;
            }
        }
        Ok(())
    }
}

impl Source for McapFile {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut batch = Builder::default();
        match self.fill(&mut batch) {
            Err(error) if batch.is_empty() => return Err(error),
            // what was read before the damage is played first
            Err(error) => self.failed = Some(error),
            Ok(()) => {}
        }
        Ok(batch.finish())
    }

    fn seek(&mut self, to: Timestamp) {
        self.from = to;
        self.failed = None;
        self.ahead.clear();
        self.open.clear();
        self.requested = 0;
        let range = self.selection.range;
        let wanted = |piece: &Piece| {
            piece.end >= to.0.max(range.start.0)
                && piece.start <= range.end.0
                && has_chosen(&self.contents, &self.selection, piece)
        };
        self.plan =
            (0u32..).zip(&self.contents.pieces).filter(|(_, piece)| wanted(piece)).map(|(i, _)| i).collect();
        self.request_ahead();
    }

    fn backfill(&mut self, before: Timestamp, channels: &[ChannelId]) -> Result<Batch, SourceError> {
        if channels.is_empty() {
            return Ok(Batch::default());
        }
        backfill(&self.decoder, &self.contents, &self.by_end, &self.backfill_selection, before, channels)
    }
}

fn has_chosen(contents: &Contents, selection: &Selection, piece: &Piece) -> bool {
    let presence = contents.presence_of(piece);
    presence.is_empty() || presence.iter().any(|presence| selection.channel(presence.channel).is_some())
}

/// The part of the timeline that the options choose; None for a recording without messages.
fn played_range(
    file: &RandomFile,
    contents: &Contents,
    options: &RecordingOptions,
) -> Result<Option<TimeRange>, SourceError> {
    let Some(whole) = contents.range else { return Ok(None) };
    let start = options.start.map_or(whole.start, |spec| spec.resolve(whole.start));
    let mut end = options.end.map_or(whole.end, |spec| spec.resolve(whole.start));
    if let Some(duration) = options.duration {
        end = end.min(start.saturating_add(duration));
    }
    if start > whole.end {
        return Err(file.unusable(format!("--start {start} is after the last message ({})", whole.end)));
    }
    if end < whole.start {
        return Err(file.unusable(format!("--end {end} is before the first message ({})", whole.start)));
    }
    if end < start {
        return Err(file.unusable(format!("the end ({end}) is before the start ({start})")));
    }
    Ok(Some(TimeRange { start: start.max(whole.start), end: end.min(whole.end) }))
}

/// The range as far as pieces with chosen channels reach.
fn narrowed(contents: &Contents, selection: &Selection, range: TimeRange) -> Option<TimeRange> {
    if selection.left_out.is_empty() {
        return Some(range);
    }
    let chosen = || contents.pieces.iter().filter(|piece| has_chosen(contents, selection, piece));
    let start = Timestamp(chosen().map(|piece| piece.start).min()?);
    let end = Timestamp(chosen().map(|piece| piece.end).max()?);
    let start = range.start.max(start);
    Some(TimeRange { start, end: range.end.min(end).max(start) })
}

fn message_count(contents: &Contents, selection: &Selection) -> Option<u64> {
    if selection.left_out.is_empty() {
        return contents.message_count;
    }
    let counts = contents.counts.as_ref()?;
    Some(counts.iter().filter(|(id, _)| selection.channel(**id).is_some()).map(|(_, count)| count).sum())
}

impl std::fmt::Debug for McapFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = to_usize(self.decoder.file.size);
        f.debug_struct("McapFile").field("name", &self.info.name).field("size", &size).finish_non_exhaustive()
    }
}
