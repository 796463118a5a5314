//! What can be asked of the files of a timeline while it plays. Files are opened anew: the player's are not touched.
//!
//! Bounds: one search and one count at a time; [`MOST_OPEN`] files and one segment stay for the next search.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::backfill::{Sought, backfill};
use super::file::{OpenFile, RecordingFile};
use super::last::LastSegment;
use crate::model::{Batch, ChannelId, DamagedPart, Timeline};
use crate::source::density::Density;
use crate::source::mcap::channels::Selection;
use crate::source::mcap::pool::ChunkPool;
use crate::source::mcap::survey::{Index, Segment, times};
use crate::source::{Overview, RecordingInfo, SourceError};
use crate::time::{TimeRange, Timestamp};

/// Files that stay open for the next search.
const MOST_OPEN: usize = 4;

/// Bytes of message indexes that are read for one timeline, of the longest chunks: a quarter of a million messages.
const INDEX_BYTES: u64 = 4 << 20;

/// Damaged parts that are remembered.
const MOST_DAMAGED: usize = 1000;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct FilesOverview {
    files: Mutex<Vec<Arc<RecordingFile>>>,
    /// What is played.
    range: Option<TimeRange>,
    /// How many channels there are.
    channels: usize,
    /// By start and end.
    damaged: Mutex<BTreeSet<(u64, u64, String)>>,
    pool: Arc<ChunkPool>,
    search: Mutex<Opened>,
    /// The last that was counted, of this range for so many bins.
    counted: Mutex<Option<(TimeRange, usize, Timeline)>>,
}

/// What stays open for the next search.
#[derive(Debug, Default)]
struct Opened {
    files: Vec<(u32, Arc<OpenFile>)>,
    last: Arc<LastSegment>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FilesOverview {
    pub(super) fn new(
        files: Vec<Arc<RecordingFile>>,
        info: &RecordingInfo,
        damaged: Vec<DamagedPart>,
    ) -> Self {
        let overview = Self {
            files: Mutex::new(files),
            range: info.range,
            channels: info.channels.len(),
            damaged: Mutex::default(),
            pool: Arc::default(),
            search: Mutex::default(),
            counted: Mutex::default(),
        };
        damaged.into_iter().for_each(|part| overview.damaged(part));
        overview
    }

    /// Something was found that can't be read.
    pub(super) fn damaged(&self, part: DamagedPart) {
        let mut damaged = lock(&self.damaged);
        if damaged.len() < MOST_DAMAGED {
            damaged.insert((part.range.start.0, part.range.end.0, part.text));
        }
    }

    /// It was found what the ids of a file really mean.
    pub(super) fn redefined(&self, number: u32, file: Arc<RecordingFile>) {
        lock(&self.files)[number as usize] = file;
        lock(&self.search).files.retain(|(open, _)| *open != number);
        *lock(&self.counted) = None;
    }

    fn count(&self, range: TimeRange, bins: usize) -> Timeline {
        let files = lock(&self.files).clone();
        let mut density = Density::new(range, bins, self.channels);
        let mut budget = INDEX_BYTES;
        for (number, file) in (0..).zip(&files) {
            let Some((start, end)) = file.span else { continue };
            if start > range.end.0 || end < range.start.0 {
                continue;
            }
            match file.open_beside(number, &self.pool, Arc::default()) {
                Ok(open) => add_file(&mut density, range, &open, &file.selection, &mut budget),
                Err(error) => {
                    let range = TimeRange { start: Timestamp(start), end: Timestamp(end.max(start)) };
                    self.damaged(DamagedPart { range, text: error.to_string() });
                }
            }
        }
        density.finish()
    }
}

impl Overview for FilesOverview {
    fn files(&self) -> Vec<PathBuf> {
        lock(&self.files).iter().map(|file| file.path().to_owned()).collect()
    }

    fn timeline_within(&self, within: TimeRange, bins: usize) -> Timeline {
        let Some(range) = self.range.and_then(|range| range.intersection(&within)) else {
            return Timeline::default();
        };
        let mut counted = lock(&self.counted);
        let mut timeline = match &*counted {
            Some((of, parts, timeline)) if (*of, *parts) == (range, bins) => timeline.clone(),
            _ => {
                let timeline = self.count(range, bins);
                counted.insert((range, bins, timeline)).2.clone()
            }
        };
        drop(counted);
        let damaged = lock(&self.damaged);
        let parts = damaged.iter().map(|(start, end, text)| DamagedPart {
            range: TimeRange { start: Timestamp(*start), end: Timestamp(*end) },
            text: text.clone(),
        });
        // of all that is played also what lies beside the chosen messages: some of them may have been there
        timeline.damaged.extend(parts.filter(|part| part.range.intersection(&within).is_some()));
        timeline
    }

    fn latest(&self, channel: ChannelId, at: Timestamp) -> Result<Batch, SourceError> {
        let files = lock(&self.files).clone();
        let mut opened = lock(&self.search);
        let at = self.range.map_or(at, |range| at.min(range.end));
        let before = Timestamp(at.0.saturating_add(1));
        let opened = RefCell::new(&mut *opened);
        let open =
            |number: u32, _others| opened.borrow_mut().open(number, &files[number as usize], &self.pool);
        backfill(&files, &open, before, BTreeMap::from([(channel, Sought::default())]))
    }
}

impl Opened {
    /// A file, the one that was asked for last in the first place.
    fn open(&mut self, number: u32, file: &RecordingFile, pool: &Arc<ChunkPool>) -> Option<Arc<OpenFile>> {
        let known = self.files.iter().position(|(open, _)| *open == number);
        let entry = match known {
            Some(place) => self.files.remove(place),
            None => {
                let opened = file.open_beside(number, pool, self.last.clone());
                (number, opened.inspect_err(|error| tracing::debug!("{error}")).ok()?)
            }
        };
        let open = entry.1.clone();
        self.files.insert(0, entry);
        self.files.truncate(MOST_OPEN);
        Some(open)
    }
}

/// Counts the messages of a file in a range.
fn add_file(
    density: &mut Density,
    range: TimeRange,
    open: &OpenFile,
    selection: &Selection,
    budget: &mut u64,
) {
    let index = &*open.index;
    let exact = read_times(density.resolution(), range, open, budget);
    for (number, segment) in index.segments.iter().enumerate() {
        match exact.get(&number) {
            Some(times) => add_times(density, index, segment, selection, times),
            None => add_segment(density, index, segment, selection),
        }
    }
    Estimate::of(index).add_to(density, index, selection);
}

/// The times of all messages in chunks of a range that are longer than `resolution`, as far as the budget goes: the
/// longest first.
fn read_times(
    resolution: u64,
    range: TimeRange,
    open: &OpenFile,
    budget: &mut u64,
) -> BTreeMap<usize, Vec<Vec<u64>>> {
    let index = &*open.index;
    let length = |segment: &Segment| segment.end.saturating_sub(segment.start);
    let mut long: Vec<_> = index.segments.iter().enumerate().collect();
    let is_within = |segment: &Segment| segment.start <= range.end.0 && segment.end >= range.start.0;
    long.retain(|(_, segment)| segment.indexed && length(segment) > resolution && is_within(segment));
    long.sort_by_key(|(_, segment)| std::cmp::Reverse(length(segment)));
    let mut exact = BTreeMap::new();
    for (number, segment) in long {
        let Some(left) = times::index_bytes(index, segment).and_then(|bytes| budget.checked_sub(bytes))
        else {
            continue;
        };
        *budget = left;
        exact.extend(times::in_chunk(&*open.reader.file, index, segment).map(|times| (number, times)));
    }
    exact
}

/// The channels of a segment that are chosen, each with its place in [`Index::presence_of`]. Where an id changes its meaning within it, its first messages have the first.
fn chosen<'a>(
    index: &'a Index,
    segment: &Segment,
    selection: &'a Selection,
) -> impl Iterator<Item = (usize, ChannelId)> {
    let parts = segment.parts(selection);
    let presence = index.presence_of(segment);
    (0..presence.len()).filter_map(move |number| {
        let id = presence[number].channel;
        let before = match parts {
            [_] => 0,
            _ => presence[..number].iter().filter(|before| before.channel == id).count(),
        };
        let mut meanings = parts.iter().filter_map(|part| part.channel(id));
        meanings.nth(before).map(|channel| (number, channel))
    })
}

fn add_times(
    density: &mut Density,
    index: &Index,
    segment: &Segment,
    selection: &Selection,
    times: &[Vec<u64>],
) {
    let mut all = Vec::new();
    for (number, channel) in chosen(index, segment, selection) {
        times[number].iter().for_each(|time| density.add(channel, *time));
        all.extend_from_slice(&times[number]);
    }
    all.sort_unstable();
    all.into_iter().for_each(|time| density.cover(time, time));
}

fn add_segment(density: &mut Density, index: &Index, segment: &Segment, selection: &Selection) {
    let span = (segment.start, segment.end.max(segment.start));
    let presence = index.presence_of(segment);
    let mut any = presence.is_empty();
    for (number, channel) in chosen(index, segment, selection) {
        any = true;
        if segment.counted {
            density.spread(channel, presence[number].count.into(), span);
        }
    }
    if any {
        density.cover(span.0, span.1);
    }
}

/// What segments that are not counted have of each channel: what the statistics count, less what is counted, by size.
struct Estimate {
    /// By id: messages for each byte of a segment that can have it.
    rates: BTreeMap<u16, f64>,
}

impl Estimate {
    fn of(index: &Index) -> Self {
        let uncounted = || index.segments.iter().filter(|segment| !segment.counted);
        if uncounted().next().is_none() {
            return Self { rates: BTreeMap::new() };
        }
        let mut left: BTreeMap<u16, (u64, u64)> =
            index.totals.iter().map(|(id, count)| (*id, (*count, 0))).collect();
        for segment in &index.segments {
            if segment.counted {
                for presence in index.presence_of(segment) {
                    let (count, _) = left.entry(presence.channel).or_default();
                    *count = count.saturating_sub(presence.count.into());
                }
            } else {
                for id in ids(index, segment) {
                    left.entry(id).or_default().1 += segment.size.max(1);
                }
            }
        }
        let rate =
            |(id, (count, size)): (u16, (u64, u64))| (size > 0).then(|| (id, count as f64 / size as f64));
        Self { rates: left.into_iter().filter_map(rate).collect() }
    }

    fn add_to(&self, density: &mut Density, index: &Index, selection: &Selection) {
        for segment in index.segments.iter().filter(|segment| !segment.counted) {
            let span = (segment.start, segment.end.max(segment.start));
            let parts = segment.parts(selection);
            for id in ids(index, segment) {
                let (Some(channel), Some(rate)) =
                    (parts.iter().find_map(|part| part.channel(id)), self.rates.get(&id))
                else {
                    continue;
                };
                density.spread(channel, rate * segment.size.max(1) as f64, span);
                density.estimated(channel);
            }
        }
    }
}

/// The ids that a segment can have.
fn ids(index: &Index, segment: &Segment) -> Vec<u16> {
    match index.presence_of(segment) {
        [] => index.totals.keys().copied().collect(),
        presence => presence.iter().map(|presence| presence.channel).collect(),
    }
}
