//! Recordings in MCAP files, one or several, as one timeline.
//!
//! Messages come in the order (time, number of the file, offset of their segment in the file, position in the segment): by
//! log time; equal times in the order in which the files are named, then as they lie in the file, also where chunks
//! overlap. Memory is bounded whatever the files' size: segments are decoded a little ahead ([`super::ahead`]), and
//! of segments that overlap in time only so many stay decoded ([`super::merge`]). Of several files those are open that
//! the timeline runs through, and a few more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::ahead::Ahead;
use super::backfill::{Sought, backfill};
use super::file::{OpenFile, RecordingFile};
use super::files::{Files, open_files};
use super::merge::Merge;
use super::overview::FilesOverview;
use crate::model::{Batch, Channel, ChannelId};
use crate::payload::transforms::Transforms;
use crate::registry::Registry;
use crate::source::mcap::damage::DamageLog;
use crate::source::mcap::pool::ChunkPool;
use crate::source::paths::Named;
use crate::source::{Overview, Recording, RecordingInfo, RecordingOptions, ScanProgress, SourceError};
use crate::time::{TimeRange, Timestamp};
use requests::{Playing, descriptor};

mod requests;
mod segments;

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
