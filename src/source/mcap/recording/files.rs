//! Opens the files of a timeline once and finds what they have together: channels, range, counts.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::file::{RecordingFile, has_chosen};
use crate::model::{Channel, ChannelId, DamagedPart};
use crate::pattern::{TopicFilter, TopicPattern};
use crate::registry::{ChannelSpec, Registry};
use crate::source::bytes::LocalFile;
use crate::source::mcap::channels::{IdMeaning, PartIds, Selection};
use crate::source::mcap::pool::ChunkPool;
use crate::source::mcap::survey::{FileChannel, FilePart, Method, Survey, read_through, survey};
use crate::source::paths::{Named, file_name};
use crate::source::{
    RangeMiss, RecordedAttachment, RecordingInfo, RecordingOptions, ScanProgress, SourceError, TopicRules,
};
use crate::time::{TimeRange, Timestamp};

/// Warnings that are listed one by one; of hundreds of files each can have some.
const MAX_WARNINGS: usize = 20;

/// The files of a timeline, closed, and what is known of them together.
pub(super) struct Files {
    pub(super) files: Vec<Arc<RecordingFile>>,
    /// What is known to be damaged.
    pub(super) damaged: Vec<DamagedPart>,
    pub(super) info: RecordingInfo,
    /// What is played; all of time for recordings without messages.
    pub(super) range: TimeRange,
}

/// Opens the files. One that has nothing to play is left out with a warning as long as there are others.
pub(super) fn open_files(
    named: Named,
    pool: &Arc<ChunkPool>,
    options: &RecordingOptions,
    registry: &Registry,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<Files, SourceError> {
    let alone = named.files.len() == 1;
    let sizes: Vec<u64> =
        named.files.iter().map(|file| file.path.metadata().map_or(0, |data| data.len())).collect();
    let mut joint = Joint { options, alone, warnings: named.warnings, ..Joint::new(options, registry) };
    let mut first_error = None;
    let mut done = 0;
    for (file, size) in named.files.iter().zip(&sizes) {
        let opened = match LocalFile::open(&file.path) {
            // a name that leads nowhere is a mistake to put right
            Err(error) if !file.in_folder => return Err(error),
            opened => opened,
        };
        let mut scanned = |scan: ScanProgress| {
            progress(ScanProgress { done: done + scan.done, total: sizes.iter().sum() });
        };
        let surveyed = opened.and_then(|opened| {
            let mut survey = survey(&opened, pool, options.order, &mut scanned)?;
            if let Some(reason) = may_hide(&survey, &options.topics.filter) {
                survey = read_through(&opened, pool, options.order, Some(reason), &mut scanned)?;
            }
            Ok((opened, survey))
        });
        match surveyed {
            Ok((opened, survey)) => joint.add(&file.path, opened, survey, pool),
            Err(error) if alone => return Err(error),
            Err(error) => {
                joint.warnings.push(format!("{error}; this file is left out"));
                first_error.get_or_insert(error);
            }
        }
        done += size;
    }
    if let Some(error) = first_error.filter(|_| joint.files.is_empty()) {
        return Err(error);
    }
    let label = if alone { named.files[0].path.display().to_string() } else { named.name.clone() };
    joint.finish(&label, named.name)
}

/// What the files have together, in the making.
struct Joint<'a> {
    options: &'a RecordingOptions,
    alone: bool,
    files: Vec<Arc<RecordingFile>>,
    damaged: Vec<DamagedPart>,
    registry: &'a Registry,
    /// All channels of the files.
    claimed: BTreeSet<ChannelId>,
    /// From the first to the last message of all channels.
    whole: Option<TimeRange>,
    /// From the first to the last message of chosen channels.
    chosen: Option<TimeRange>,
    message_count: Option<u64>,
    topics: BTreeSet<String>,
    any_chosen: bool,
    attachments: Vec<RecordedAttachment>,
    warnings: Vec<String>,
}

impl<'a> Joint<'a> {
    fn new(options: &'a RecordingOptions, registry: &'a Registry) -> Self {
        Self {
            options,
            alone: false,
            files: Vec::new(),
            damaged: Vec::new(),
            registry,
            claimed: BTreeSet::new(),
            whole: None,
            chosen: None,
            message_count: Some(0),
            topics: BTreeSet::new(),
            any_chosen: false,
            attachments: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn add(&mut self, path: &Path, opened: LocalFile, survey: Survey, pool: &Arc<ChunkPool>) {
        let mut problems = Vec::new();
        let meanings = claim(&survey, &self.options.topics, self.registry, &mut problems);
        self.topics.extend(survey.channels.iter().map(|channel| channel.channel.topic.clone()));
        self.claimed.extend(meanings.iter().filter_map(|meaning| match meaning {
            IdMeaning::Played(channel) => Some(*channel),
            IdMeaning::LeftOut | IdMeaning::Undefined => None,
        }));
        self.any_chosen |=
            meanings.is_empty() || meanings.iter().any(|meaning| *meaning != IdMeaning::LeftOut);
        let name = file_name(path);
        let named = |problem: String| if self.alone { problem } else { format!("{name}: {problem}") };
        self.attachments.extend(survey.attachments_in(path));
        self.warnings.extend(survey.warnings.iter().cloned());
        self.warnings.extend(problems.into_iter().map(named));

        let selection = Selection { parts: parts(&survey, &meanings), order: self.options.order };
        self.whole = union(self.whole, survey.range);
        self.chosen = union(self.chosen, chosen_range(&survey, &selection));
        self.message_count =
            self.message_count.zip(message_count(&survey, &meanings)).map(|(all, more)| all + more);
        self.damaged.extend(survey.damaged_parts(&name));
        let path = path.to_owned();
        let file = if self.alone {
            RecordingFile::kept_open(path, opened, survey, selection, pool)
        } else {
            RecordingFile::closed(path, &opened, survey, selection, self.files.last().map(|file| &**file))
        };
        self.files.push(Arc::new(file));
    }

    fn finish(mut self, label: &str, name: String) -> Result<Files, SourceError> {
        if !self.any_chosen && !self.topics.is_empty() {
            return Err(SourceError::NoTopic {
                name: label.to_owned(),
                topics: self.topics.into_iter().collect(),
            });
        }
        let out_of_range = |miss| SourceError::OutOfRange { name: label.to_owned(), miss };
        let range = match self.whole {
            Some(whole) => Some(played_range(whole, self.options).map_err(out_of_range)?),
            None => None,
        };
        let chosen = range.zip(self.chosen).map(|(range, chosen)| {
            let start = range.start.max(chosen.start);
            TimeRange { start, end: range.end.min(chosen.end).max(start) }
        });
        let RecordingOptions { start, end, duration, .. } = self.options;
        let whole = start.is_none() && end.is_none() && duration.is_none();
        if self.warnings.len() > MAX_WARNINGS {
            let more = self.warnings.len() - MAX_WARNINGS;
            self.warnings.truncate(MAX_WARNINGS);
            self.warnings.push(format!("there are {more} more warnings; open a file alone to see its own"));
        }
        // as they are once the last file has completed them
        let channels = self.claimed.iter().filter_map(|id| self.registry.channel(*id)).collect();
        let info = RecordingInfo {
            name,
            range: chosen,
            message_count: self.message_count.filter(|_| whole),
            whole: self.whole,
            topics: self.topics.into_iter().collect(),
            has_past: range.zip(self.whole).is_some_and(|(range, whole)| range.start > whole.start),
            channels,
            attachments: self.attachments,
            warnings: self.warnings,
        };
        Ok(Files { files: self.files, damaged: self.damaged, info, range: range.unwrap_or(TimeRange::ALL) })
    }
}

/// Why a topic that is asked for may be in a file though its summary does not list it: nothing there says that the messages
/// of the channels that it lists are all.
fn may_hide(survey: &Survey, filter: &TopicFilter) -> Option<String> {
    if survey.method == Method::Scan || survey.counts.is_some() {
        return None;
    }
    let is_listed = |pattern: &&TopicPattern| {
        survey.channels.iter().any(|channel| pattern.matches(&channel.channel.topic))
    };
    let missing = filter.include.iter().find(|pattern| !is_listed(pattern))?;
    Some(format!("its summary lists no topic {missing} and need not be complete"))
}

/// What each channel of a file means: chosen ones are claimed. `problems`: what the user should know.
fn claim(
    survey: &Survey,
    rules: &TopicRules,
    registry: &Registry,
    problems: &mut Vec<String>,
) -> Vec<IdMeaning> {
    let mut meaning = |channel: &FileChannel| {
        let raw = channel.channel.clone();
        let Some(topic) = rules.offered(&raw.topic).map(|topic| topic.into_owned()) else {
            return IdMeaning::LeftOut;
        };
        problems.extend(channel.problem());
        match registry.claim(ChannelSpec { topic, ..raw }) {
            Ok(claim) => {
                problems.extend(claim.warning());
                IdMeaning::Played(claim.channel.id)
            }
            Err(error) => {
                problems.push(error.to_string());
                IdMeaning::LeftOut
            }
        }
    };
    survey.channels.iter().map(&mut meaning).collect()
}

/// Which messages of a file are played, found out once more, and its channels.
pub(super) fn select(
    survey: &Survey,
    options: &RecordingOptions,
    registry: &Registry,
) -> (Selection, Vec<Arc<Channel>>) {
    let mut problems = Vec::new();
    let meanings = claim(survey, &options.topics, registry, &mut problems);
    for problem in survey.warnings.iter().chain(&problems) {
        tracing::warn!("{problem}");
    }
    let channels = meanings.iter().filter_map(|meaning| match meaning {
        IdMeaning::Played(channel) => registry.channel(*channel),
        IdMeaning::LeftOut | IdMeaning::Undefined => None,
    });
    let channels = channels.collect();
    (Selection { parts: parts(survey, &meanings), order: options.order }, channels)
}

fn union(one: Option<TimeRange>, other: Option<TimeRange>) -> Option<TimeRange> {
    match (one, other) {
        (Some(one), Some(other)) => {
            Some(TimeRange { start: one.start.min(other.start), end: one.end.max(other.end) })
        }
        (one, other) => one.or(other),
    }
}

/// The part of the timeline that the options choose, or why there is none.
pub(in crate::source) fn played_range(
    whole: TimeRange,
    options: &RecordingOptions,
) -> Result<TimeRange, RangeMiss> {
    let start = options.start.map_or(whole.start, |spec| spec.resolve(whole.start));
    let mut end = options.end.map_or(whole.end, |spec| spec.resolve(whole.start));
    if let Some(duration) = options.duration {
        end = end.min(start.saturating_add(duration));
    }
    if start > whole.end {
        return Err(RangeMiss::StartsAfter { start, last: whole.end });
    }
    if end < whole.start {
        return Err(RangeMiss::EndsBefore { end, first: whole.start });
    }
    if end < start {
        return Err(RangeMiss::Reversed { start, end });
    }
    Ok(TimeRange { start: start.max(whole.start), end: end.min(whole.end) })
}

/// What ids mean in each part of a file, by what its channels mean.
fn parts(survey: &Survey, meanings: &[IdMeaning]) -> Vec<PartIds> {
    let part = |part: &FilePart| {
        PartIds::new(part.from, part.channels.iter().map(|(id, number)| (*id, meanings[*number])).collect())
    };
    survey.parts.iter().map(part).collect()
}

/// The range as far as segments with chosen channels reach.
fn chosen_range(survey: &Survey, selection: &Selection) -> Option<TimeRange> {
    if !selection.leaves_out() {
        return survey.range;
    }
    let index = &survey.index;
    let chosen = || index.segments.iter().filter(|segment| has_chosen(index, selection, segment));
    let start = Timestamp(chosen().map(|segment| segment.start).min()?);
    let end = Timestamp(chosen().map(|segment| segment.end).max()?);
    Some(TimeRange { start, end })
}

fn message_count(survey: &Survey, meanings: &[IdMeaning]) -> Option<u64> {
    if !meanings.contains(&IdMeaning::LeftOut) {
        return survey.message_count;
    }
    let counts = survey.counts.as_ref()?.iter().zip(meanings);
    Some(counts.filter(|(_, meaning)| **meaning != IdMeaning::LeftOut).map(|(count, _)| count).sum())
}
