//! Opens the files of a timeline once and finds what they have together: channels, range, counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::chunk::{Pool, Selection};
use super::contents::{Contents, RandomFile};
use super::file::{McapFile, has_chosen};
use super::summary::{Found, contents};
use crate::model::ChannelId;
use crate::registry::{ChannelSpec, Registry};
use crate::source::paths::{Named, file_name};
use crate::source::{RecordingInfo, RecordingOptions, ScanProgress, SourceError};
use crate::time::{TimeRange, Timestamp};

/// Warnings that are told one by one; of hundreds of files each can have some.
const MAX_WARNINGS: usize = 20;

/// The files of a timeline, closed, and what is known of them together.
pub(super) struct Overview {
    pub(super) files: Vec<McapFile>,
    pub(super) info: RecordingInfo,
    /// What is played; all of time for recordings without messages.
    pub(super) range: TimeRange,
}

/// Opens the files. One that has nothing to play is left out with a warning as long as there are others.
pub(super) fn overview(
    named: Named,
    pool: &Arc<Pool>,
    options: &RecordingOptions,
    registry: &Registry,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<Overview, SourceError> {
    let alone = named.files.len() == 1;
    let sizes: Vec<u64> =
        named.files.iter().map(|file| file.path.metadata().map_or(0, |data| data.len())).collect();
    let mut joint = Joint { options, alone, warnings: named.warnings, ..Joint::new(options, registry) };
    let mut first_error = None;
    let mut done = 0;
    for (file, size) in named.files.iter().zip(&sizes) {
        let opened = match RandomFile::open(&file.path) {
            // a name that leads nowhere is a mistake to put right
            Err(error) if !file.in_folder => return Err(error),
            opened => opened,
        };
        let mut scanned = |scan: ScanProgress| {
            progress(ScanProgress { done: done + scan.done, total: sizes.iter().sum() });
        };
        match opened.and_then(|file| contents(file, pool, options.order, &mut scanned)) {
            Ok(found) => joint.add(&file.path, found),
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
    files: Vec<McapFile>,
    registry: &'a Registry,
    /// All that the files have together.
    claimed: BTreeSet<ChannelId>,
    /// From the first to the last message of all channels.
    whole: Option<TimeRange>,
    /// From the first to the last message of chosen channels.
    chosen: Option<TimeRange>,
    message_count: Option<u64>,
    topics: BTreeSet<String>,
    any_chosen: bool,
    warnings: Vec<String>,
}

impl<'a> Joint<'a> {
    fn new(options: &'a RecordingOptions, registry: &'a Registry) -> Self {
        Self {
            options,
            alone: false,
            files: Vec::new(),
            registry,
            claimed: BTreeSet::new(),
            whole: None,
            chosen: None,
            message_count: Some(0),
            topics: BTreeSet::new(),
            any_chosen: false,
            warnings: Vec::new(),
        }
    }

    fn add(&mut self, path: &Path, found: Found) {
        let contents = &found.contents;
        let mut channels = BTreeMap::new();
        let mut left_out = BTreeSet::new();
        let mut problems = Vec::new();
        for &id in contents.channels.keys() {
            let Some((raw, problem)) = contents.raw_channel(id) else { continue };
            if let Some(topic) = self.options.topics.offered(&raw.topic) {
                problems.extend(problem);
                let topic = topic.into_owned();
                match self.registry.claim(ChannelSpec { topic, ..raw }) {
                    Ok(claim) => {
                        problems.extend(claim.warning());
                        self.claimed.insert(claim.channel.id);
                        channels.insert(id, claim.channel.id);
                    }
                    Err(error) => problems.push(error.to_string()),
                }
            } else {
                self.topics.insert(raw.topic);
                left_out.insert(id);
            }
        }
        self.any_chosen |= !channels.is_empty() || contents.channels.is_empty();
        let name = file_name(path);
        let named = |problem: String| if self.alone { problem } else { format!("{name}: {problem}") };
        self.warnings.extend(contents.warnings.iter().cloned());
        self.warnings.extend(problems.into_iter().map(named));

        let highest = channels.keys().next_back().map_or(0, |id| usize::from(*id) + 1);
        let mut table = vec![None; highest];
        for (id, channel) in channels {
            table[usize::from(id)] = Some(channel);
        }
        let selection = Selection { channels: table, left_out, order: self.options.order };
        self.whole = union(self.whole, contents.range);
        self.chosen = union(self.chosen, chosen_range(contents, &selection));
        self.message_count =
            self.message_count.zip(message_count(contents, &selection)).map(|(all, more)| all + more);
        let path = path.to_owned();
        let file = if self.alone {
            McapFile::kept_open(path, found, selection)
        } else {
            McapFile::closed(path, found, selection, self.files.last())
        };
        self.files.push(file);
    }

    fn finish(mut self, label: &str, name: String) -> Result<Overview, SourceError> {
        let unusable = |reason: String| SourceError::Unusable { name: label.to_owned(), reason };
        if !self.any_chosen && !self.topics.is_empty() {
            let some: Vec<_> = self.topics.iter().take(8).map(String::as_str).collect();
            return Err(unusable(format!(
                "no topic is chosen by --topic and --exclude; the recording has {} topics: {}{}",
                self.topics.len(),
                some.join(", "),
                if self.topics.len() > some.len() { ", …" } else { "" }
            )));
        }
        let range = match self.whole {
            Some(whole) => Some(played_range(whole, self.options).map_err(unusable)?),
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
            self.warnings.push(format!("there are {more} more warnings; 'info' tells those of a file"));
        }
        // as they are once the last file has completed them
        let channels = self.claimed.iter().filter_map(|id| self.registry.channel(*id)).collect();
        let info = RecordingInfo {
            name,
            range: chosen,
            message_count: self.message_count.filter(|_| whole),
            channels,
            warnings: self.warnings,
        };
        Ok(Overview { files: self.files, info, range: range.unwrap_or(TimeRange::ALL) })
    }
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
fn played_range(whole: TimeRange, options: &RecordingOptions) -> Result<TimeRange, String> {
    let start = options.start.map_or(whole.start, |spec| spec.resolve(whole.start));
    let mut end = options.end.map_or(whole.end, |spec| spec.resolve(whole.start));
    if let Some(duration) = options.duration {
        end = end.min(start.saturating_add(duration));
    }
    if start > whole.end {
        return Err(format!("--start {start} is after the last message ({})", whole.end));
    }
    if end < whole.start {
        return Err(format!("--end {end} is before the first message ({})", whole.start));
    }
    if end < start {
        return Err(format!("the end ({end}) is before the start ({start})"));
    }
    Ok(TimeRange { start: start.max(whole.start), end: end.min(whole.end) })
}

/// The range as far as pieces with chosen channels reach.
fn chosen_range(contents: &Contents, selection: &Selection) -> Option<TimeRange> {
    if selection.left_out.is_empty() {
        return contents.range;
    }
    let chosen =
        || contents.index.pieces.iter().filter(|piece| has_chosen(&contents.index, selection, piece));
    let start = Timestamp(chosen().map(|piece| piece.start).min()?);
    let end = Timestamp(chosen().map(|piece| piece.end).max()?);
    Some(TimeRange { start, end })
}

fn message_count(contents: &Contents, selection: &Selection) -> Option<u64> {
    if selection.left_out.is_empty() {
        return contents.message_count;
    }
    let counts = contents.counts.as_ref()?;
    Some(counts.iter().filter(|(id, _)| selection.channel(**id).is_some()).map(|(_, count)| count).sum())
}
