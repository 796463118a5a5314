//! Recordings in MCAP files, one or several, as one timeline.
//!
//! Messages come in the order (time, number of the file, offset of their segment in the file, position in the segment): by
//! log time; equal times in the order in which the files are named, then as they lie in the file, also where chunks
//! overlap. Memory is bounded whatever the files' size: segments are decoded a little ahead ([`super::ahead`]), and
//! of segments that overlap in time only so many stay decoded ([`super::merge`]). Of several files those are open that
//! the timeline runs through, and [`FILES_AHEAD`] more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::ahead::{Ahead, Job, Ready};
use super::backfill::{Sought, backfill};
use super::batch::BatchBuilder;
use super::file::{Descriptor, OpenFile, RecordingFile, next_wanted};
use super::files::{Files, open_files, select};
use super::merge::{Extended, Merge, Place, Position};
use super::overview::FilesOverview;
use super::segments::Decoded;
use crate::model::{Batch, Channel, ChannelId, DamagedPart};
use crate::payload::transforms::Transforms;
use crate::registry::Registry;
use crate::source::mcap::damage::DamageLog;
use crate::source::mcap::pool::ChunkPool;
use crate::source::mcap::records::to_usize;
use crate::source::mcap::survey::{Segment, read_through};
use crate::source::paths::Named;
use crate::source::{Overview, Recording, RecordingInfo, RecordingOptions, ScanProgress, SourceError};
use crate::time::{TimeRange, Timestamp};

/// Files that are opened before the timeline comes to them, so that it does not wait at their borders.
const FILES_AHEAD: usize = 2;

/// File descriptors that are kept: of more files that overlap in time the others are opened for each read. Systems
/// allow a process 256 (macOS) or 1024 (Linux), and clients need some.
const MAX_DESCRIPTORS: usize = 64;

/// An open file that the timeline runs through, or soon will.
struct Playing {
    file: Arc<OpenFile>,
    /// The next segment to ask for.
    next: Option<usize>,
    /// Segments asked for or being played.
    in_use: usize,
    started: bool,
}

/// What has not been asked for yet: the next segment of an open file, or a file to open.
enum Unrequested {
    Segment(u32),
    File,
}

/// See the module's documentation.
pub(in crate::source) struct Timeline {
    files: Vec<Arc<RecordingFile>>,
    /// What others see of it.
    overview: Arc<FilesOverview>,
    info: RecordingInfo,
    range: TimeRange,
    options: RecordingOptions,
    registry: Registry,
    pool: Arc<ChunkPool>,
    ahead: Ahead,
    from: Timestamp,
    /// Files to be opened, in the order of their first messages.
    waiting: VecDeque<u32>,
    playing: BTreeMap<u32, Playing>,
    /// During a seek: files that were open before it.
    before_seek: BTreeMap<u32, Arc<OpenFile>>,
    merge: Merge,
    /// What went wrong after the last batch; returned before the next one.
    failed: Option<SourceError>,
    undefined_warned: bool,
    /// What of each channel counts in a backfill.
    sought: BTreeMap<ChannelId, Sought>,
    damage: DamageLog,
    /// Channels that were found while it played, to be announced with the next messages.
    found: Vec<Arc<Channel>>,
}

fn sought(channel: &Channel) -> Sought {
    Sought { transforms: Transforms::of(channel), is_latched: channel.latched }
}

/// For a file beside so many others that are open.
fn descriptor(others: usize) -> Descriptor {
    if others < MAX_DESCRIPTORS { Descriptor::Kept } else { Descriptor::ForEachRead }
}

impl Timeline {
    pub(in crate::source) fn open(
        named: Named,
        options: &RecordingOptions,
        registry: &Registry,
        progress: &mut dyn FnMut(ScanProgress),
    ) -> Result<Self, SourceError> {
        let pool = Arc::default();
        let Files { files, damaged, info, range } = open_files(named, &pool, options, registry, progress)?;
        let ahead =
            Ahead::start(range).map_err(|error| SourceError::Io { name: info.name.clone(), error })?;
        let sought = info.channels.iter().map(|channel| (channel.id, sought(channel))).collect();
        let mut timeline = Self {
            overview: Arc::new(FilesOverview::new(files.clone(), &info, damaged)),
            files,
            info,
            range,
            options: options.clone(),
            registry: registry.clone(),
            pool,
            ahead,
            from: Timestamp::MIN,
            waiting: VecDeque::new(),
            playing: BTreeMap::new(),
            before_seek: BTreeMap::new(),
            merge: Merge::default(),
            failed: None,
            undefined_warned: false,
            sought,
            damage: DamageLog::default(),
            found: Vec::new(),
        };
        timeline.seek(Timestamp::MIN);
        Ok(timeline)
    }

    /// Where the first message of a closed file stands, at the earliest.
    fn file_key(&self, number: u32) -> Position {
        (self.files[number as usize].span.map_or(0, |span| span.0), number, 0)
    }

    fn next_unrequested(&self) -> Option<(Position, Unrequested)> {
        let segment = |(number, playing): (&u32, &Playing)| {
            let segment = &playing.file.index.segments[playing.next?];
            Some(((segment.start, *number, segment.offset), Unrequested::Segment(*number)))
        };
        let file = self.waiting.front().map(|number| (self.file_key(*number), Unrequested::File));
        self.playing.iter().filter_map(segment).chain(file).min_by_key(|(key, _)| *key)
    }

    /// Where the next message stands that is not being merged yet, at the earliest.
    fn next_planned(&self) -> Option<Position> {
        self.ahead.next_key().or_else(|| self.next_unrequested().map(|(key, _)| key))
    }

    fn request_ahead(&mut self) {
        while let Some((key, next)) = self.next_unrequested() {
            if !self.ahead.has_room(self.size_of(&next), self.merge.bytes()) {
                return;
            }
            match next {
                Unrequested::Segment(number) => self.request(key, number),
                Unrequested::File => {
                    let ahead = self.playing.values().filter(|playing| !playing.started).count();
                    if ahead >= FILES_AHEAD && self.ahead.next_key().is_some() {
                        return;
                    }
                    self.open_file(key);
                }
            }
        }
    }

    /// Asks for what comes next, whatever its size: it is needed now.
    fn request_now(&mut self) {
        while self.ahead.next_key().is_none()
            && let Some((key, next)) = self.next_unrequested()
        {
            self.merge.make_room(to_usize(self.size_of(&next)));
            match next {
                Unrequested::Segment(number) => self.request(key, number),
                Unrequested::File => self.open_file(key),
            }
        }
    }

    /// Bytes in memory of what has not been asked for, as the index says.
    fn size_of(&self, next: &Unrequested) -> u64 {
        let Unrequested::Segment(number) = next else { return 0 };
        let playing = self.playing.get(number);
        let next = playing.and_then(|playing| playing.file.index.segments.get(playing.next?));
        next.map_or(0, |segment| segment.size)
    }

    /// What is to be played from where the last seek went.
    fn range_from(&self) -> TimeRange {
        TimeRange { start: self.from.max(self.range.start), end: self.range.end }
    }

    fn request(&mut self, key: Position, number: u32) {
        let range = self.range_from();
        let selection = &self.files[number as usize].selection;
        let Some(playing) = self.playing.get_mut(&number) else { return };
        let Some(next) = playing.next else { return };
        playing.in_use += 1;
        playing.next = next_wanted(&playing.file.index, selection, range, next + 1);
        let segment = playing.file.index.segments[next].clone();
        let place =
            Place { file: number, segment: u32::try_from(next).unwrap_or(u32::MAX), offset: segment.offset };
        let selection = selection.clone();
        self.ahead.request(key, place, Job { file: playing.file.clone(), segment, selection });
    }

    /// Opens the file whose turn is next; if that fails the error comes where its messages would.
    fn open_file(&mut self, key: Position) {
        let Some(number) = self.waiting.pop_front() else { return };
        let file = &self.files[number as usize];
        let open = match self.before_seek.remove(&number) {
            Some(open) => Ok(open),
            None => file.open(number, &self.pool, descriptor(self.playing.len())),
        };
        match open {
            Ok(open) => {
                let range = self.range_from();
                let first = open.index.first_reaching(range.start.0);
                let next = next_wanted(&open.index, &file.selection, range, first);
                if next.is_some() {
                    self.playing.insert(number, Playing { file: open, next, in_use: 0, started: false });
                }
            }
            Err(error) => self.ahead.fail(key, error),
        }
    }

    /// A segment is done with; a file of which it was the last is closed.
    fn release(&mut self, number: u32) {
        let Some(playing) = self.playing.get_mut(&number) else { return };
        playing.in_use = playing.in_use.saturating_sub(1);
        if playing.in_use == 0 && playing.next.is_none() {
            self.playing.remove(&number);
        }
    }

    /// Begins the next segment.
    fn begin_next(&mut self) -> Result<(), SourceError> {
        self.request_ahead();
        self.request_now();
        let taken = self.ahead.take();
        if let Some((Some(place), _)) = &taken
            && let Some(playing) = self.playing.get_mut(&place.file)
        {
            playing.started = true;
        }
        // without a place it is a file that does not open
        let Some((Some(place), decoded)) = taken else {
            return taken.map_or(Ok(()), |(_, failed)| failed.map(drop));
        };
        let decoded = match decoded {
            Ok(Ready::Decoded(decoded)) => Ok(decoded),
            Ok(Ready::Larger { size }) => {
                self.merge.make_room(to_usize(size));
                self.decode(place)
            }
            Err(error) => Err(error),
        };
        let decoded = match decoded {
            Ok(decoded) if decoded.redefines => {
                drop(decoded);
                self.redefine(place.file).and_then(|()| self.decode(place))
            }
            decoded => decoded,
        };
        let mut decoded = decoded.inspect_err(|error| {
            self.note_damage(place, error);
            self.release(place.file);
        })?;
        if decoded.undefined > 0 && !self.undefined_warned {
            self.undefined_warned = true;
            let name = self.playing.get(&place.file).map_or("", |playing| playing.file.reader.file.name());
            tracing::warn!("{name}: messages of channels that the file does not define are left out");
        }
        let next = decoded.first_at(self.from);
        if !self.merge.push(place, decoded, next) {
            self.release(place.file);
        }
        // once it is known how much memory this one takes
        self.request_ahead();
        Ok(())
    }

    /// Tells others of a segment that can't be read.
    fn note_damage(&self, place: Place, error: &SourceError) {
        if let SourceError::Damaged { .. } = error
            && let Some(playing) = self.playing.get(&place.file)
        {
            let Segment { start, end, .. } = playing.file.index.segments[place.segment as usize];
            let range = TimeRange { start: Timestamp(start), end: Timestamp(end.max(start)) };
            self.overview.damaged(DamagedPart { range, text: error.to_string() });
        }
    }

    /// Decodes a segment of an open file, here and now.
    fn decode(&self, place: Place) -> Result<Decoded, SourceError> {
        let Some(playing) = self.playing.get(&place.file) else { return Ok(Decoded::default()) };
        let segment = &playing.file.index.segments[place.segment as usize];
        let selection = &self.files[place.file as usize].selection;
        playing.file.decode(segment, selection, self.range)
    }

    /// A chunk gives an id of its file another meaning than the summary does, which may give it none: only reading the file
    /// through tells what ids mean where.
    fn redefine(&mut self, number: u32) -> Result<(), SourceError> {
        let Some(playing) = self.playing.get_mut(&number) else { return Ok(()) };
        let file = &*playing.file.reader.file;
        let name = file.name();
        tracing::warn!(
            "{name}: its summary does not tell all that channel ids mean; the file is read through"
        );
        let survey = read_through(file, &self.pool, self.options.order, None, &mut |_| {})?;
        let (selection, channels) = select(&survey, &self.options, &self.registry);
        let (redefined, file) = self.files[number as usize].redefined(&playing.file, selection);
        playing.file = file.clone();
        let selection = redefined.selection.clone();
        let redefined = Arc::new(redefined);
        self.overview.redefined(number, redefined.clone());
        self.files[number as usize] = redefined;
        self.ahead.request_again(number, |place| {
            let segment = file.index.segments.get(place.segment as usize)?.clone();
            Some(Job { file: file.clone(), segment, selection: selection.clone() })
        });
        for channel in channels {
            if !self.info.channels.iter().any(|known| known.id == channel.id) {
                self.info.channels.push(channel.clone());
                self.sought.insert(channel.id, sought(&channel));
                self.found.push(channel);
            }
        }
        Ok(())
    }

    /// Appends what comes next of the segments that have begun; false if there is nothing.
    fn extend(&mut self, batch: &mut BatchBuilder, planned: Option<Position>) -> Result<bool, SourceError> {
        if let Some(place) = self.merge.parked() {
            let size = self.playing.get(&place.file).map_or(0, |playing| {
                playing.file.reader.size(&playing.file.index.segments[place.segment as usize])
            });
            self.merge.make_room(to_usize(size));
            let decoded = self.decode(place);
            let (decoded, error) =
                decoded.map_or_else(|error| (None, Some(error)), |decoded| (Some(decoded), None));
            if !self.merge.resume(decoded) {
                self.release(place.file);
                return error.map_or(Ok(true), Err);
            }
        }
        match self.merge.extend(batch, planned) {
            Extended::Nothing => Ok(false),
            Extended::Some => Ok(true),
            Extended::Finished(place) => {
                self.release(place.file);
                Ok(true)
            }
        }
    }

    /// Fills a batch with what comes next, as far as that is ready.
    fn fill(&mut self, batch: &mut BatchBuilder) -> Result<(), SourceError> {
        while !batch.is_full() {
            let head = self.merge.head();
            let planned = self.next_planned();
            if planned.is_some_and(|planned| head.is_none_or(|head| planned < head)) {
                // what is ready does not wait for another chunk, unless that must come first
                if head.is_none() && !batch.is_empty() {
                    break;
                }
                self.begin_next()?;
            } else if !self.extend(batch, planned)? {
                break;
            }
        }
        Ok(())
    }
}

impl Recording for Timeline {
    fn info(&self) -> &RecordingInfo {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut batch = self.merge.batch();
        while let Err(error) = self.fill(&mut batch).map_err(SourceError::of_a_part) {
            match self.damage.on(error, Instant::now()) {
                Some(error) if batch.is_empty() => return Err(error),
                // what was read before the damage is played first
                Some(error) => {
                    self.failed = Some(error);
                    break;
                }
                None if batch.is_empty() => {}
                None => break,
            }
        }
        match batch.finish() {
            Some(batch) => Ok(Some(Batch { announcements: std::mem::take(&mut self.found), ..batch })),
            None => self.damage.at_end().map_or(Ok(None), Err),
        }
    }

    fn seek(&mut self, to: Timestamp) {
        self.from = to;
        self.failed = None;
        self.ahead.clear();
        self.merge.clear();
        let before = std::mem::take(&mut self.playing);
        self.before_seek = before.into_iter().map(|(number, playing)| (number, playing.file)).collect();
        let TimeRange { start: Timestamp(from), end: Timestamp(until) } = self.range_from();
        let mut waiting: Vec<_> = (0u32..)
            .zip(&self.files)
            .filter_map(|(number, file)| Some((file.span?, number)))
            .filter(|((start, end), _)| *end >= from && *start <= until)
            .map(|((start, _), number)| (start, number))
            .collect();
        waiting.sort_unstable();
        self.waiting = waiting.into_iter().map(|(_, number)| number).collect();
        self.request_ahead();
        self.before_seek.clear();
    }

    fn backfill(&mut self, before: Timestamp, channels: &[ChannelId]) -> Result<Batch, SourceError> {
        if channels.is_empty() {
            return Ok(Batch::default());
        }
        let open = |number: u32, others: usize| match self.playing.get(&number) {
            Some(playing) => Some(playing.file.clone()),
            None => {
                let descriptor = descriptor(self.playing.len() + others);
                let opened = self.files[number as usize].open(number, &self.pool, descriptor);
                let missing = |error: &SourceError| {
                    tracing::warn!("{error}; its messages are missing in what came before the position");
                };
                opened.inspect_err(missing).ok()
            }
        };
        let of = |channel: &ChannelId| (*channel, self.sought.get(channel).copied().unwrap_or_default());
        backfill(&self.files, &open, before, channels.iter().map(of).collect())
    }

    fn overview(&self) -> Option<Arc<dyn Overview>> {
        Some(self.overview.clone())
    }

    fn latch(&mut self, channels: &[ChannelId]) {
        for (channel, sought) in &mut self.sought {
            sought.is_latched = channels.contains(channel);
        }
    }
}

impl std::fmt::Debug for Timeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timeline").field("name", &self.info.name).finish_non_exhaustive()
    }
}
