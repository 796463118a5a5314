//! What an MCAP file holds, found out in the quickest way that can be trusted: by its summary section, or by reading it
//! through once.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::chunk::Unpacker;
use super::fields::{Text, replaced_warning};
use super::pool::ChunkPool;
use super::records::{MAGIC, failed, read_vec, unusable};
use crate::model::{DamagedPart, Schema};
use crate::source::bytes::RangeRead;
use crate::source::sniff::{FOREIGN_HEAD, foreign};
use crate::source::summary::{MetadataSummary, PayloadCheck};
use crate::source::{Order, ScanProgress, SourceError};
use crate::time::{TimeRange, Timestamp};

mod attachments;
mod compare;
mod counts;
mod extras;
mod footer;
mod found;
mod gaps;
mod ids;
mod index;
pub(super) mod info;
mod payloads;
mod scan;
mod summary;
mod tally;
pub(super) mod times;

pub use attachments::{AttachmentCrc, Attachments, RecordedAttachment};
use extras::FoundAttachment;
pub(super) use ids::{FileChannel, FilePart};
pub(super) use index::{Index, Segment};
pub(super) use summary::read_index;
use tally::Tally;

/// How a survey was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// By the summary section, which can be read again.
    Summary,
    /// The file was read through.
    Scan,
}

/// Why the summary of a file is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unused {
    reason: String,
    is_damage: bool,
}

impl Unused {
    /// It is damaged; of a file that is laid out in another way there is [`From`].
    fn damaged(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_damage: true }
    }
}

impl<T: Into<String>> From<T> for Unused {
    fn from(reason: T) -> Self {
        Self { reason: reason.into(), is_damage: false }
    }
}

/// Sizes of the chunks with one compression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ChunkTotals {
    pub(super) count: u64,
    pub(super) compressed: u64,
    pub(super) uncompressed: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) method: Method,
    pub(super) profile: String,
    pub(super) library: String,
    /// By id in the file; of several recordings in a file those that are alike once.
    pub(super) channels: Vec<FileChannel>,
    /// Schemas of no channel, by name.
    unused_schemas: Vec<Arc<Schema>>,
    /// Which of the channels an id stands for, part by part.
    pub(super) parts: Vec<FilePart>,
    pub(super) index: Index,
    /// By compression.
    pub(super) chunks: BTreeMap<String, ChunkTotals>,
    pub(super) range: Option<TimeRange>,
    /// Messages of each of the channels, where they were counted by the recorder or by us.
    pub(super) counts: Option<Vec<u64>>,
    /// The same with sizes and times, where the file was read through.
    tallies: Option<Vec<Tally>>,
    /// How messages of each of the channels fit its schema, if they were decoded.
    payloads: Option<Vec<PayloadCheck>>,
    /// The longest time without a message, if it was read through.
    gap: Option<TimeRange>,
    pub(super) message_count: Option<u64>,
    attachments: Vec<FoundAttachment>,
    pub(super) metadata: Vec<MetadataSummary>,
    /// One sentence each, with the file's name.
    pub(super) warnings: Vec<String>,
    /// What is damaged, place by place.
    damage: Vec<String>,
    /// The places of what can't be read (the first hundred), with what is wrong there.
    pub(super) damaged_at: Vec<(u64, String)>,
    pub(super) complete: bool,
    /// Bytes that were read, if it was read through.
    size: u64,
    /// The first thing whose text is not UTF-8.
    replaced: Option<String>,
}

impl Survey {
    fn new(method: Method) -> Self {
        Self {
            method,
            profile: String::new(),
            library: String::new(),
            channels: Vec::new(),
            unused_schemas: Vec::new(),
            parts: Vec::new(),
            index: Index::default(),
            chunks: BTreeMap::new(),
            range: None,
            counts: None,
            tallies: None,
            payloads: None,
            gap: None,
            message_count: None,
            attachments: Vec::new(),
            metadata: Vec::new(),
            warnings: Vec::new(),
            damage: Vec::new(),
            damaged_at: Vec::new(),
            complete: false,
            size: 0,
            replaced: None,
        }
    }

    fn count_chunk(&mut self, compression: &str, compressed: u64, uncompressed: u64) {
        let totals = self.chunks.entry(compression.to_owned()).or_default();
        totals.count += 1;
        totals.compressed = totals.compressed.saturating_add(compressed);
        totals.uncompressed = totals.uncompressed.saturating_add(uncompressed);
    }

    /// Takes note of those of the schemas that no channel has.
    fn note_unused(&mut self, schemas: impl IntoIterator<Item = Arc<Schema>>) {
        let used: HashSet<_> =
            self.channels.iter().filter_map(|channel| channel.channel.schema.as_ref()).collect();
        let mut unused: Vec<_> = schemas.into_iter().filter(|schema| !used.contains(schema)).collect();
        unused.sort_unstable_by(|one, other| {
            (&one.name, &one.encoding, &one.data).cmp(&(&other.name, &other.encoding, &other.data))
        });
        self.unused_schemas = unused;
    }

    fn note_text(&mut self, text: Text, what: impl FnOnce() -> String) {
        if text == Text::Replaced {
            self.replaced.get_or_insert_with(what);
        }
    }

    /// When the messages were that it could not be given, if it was read through. `name`: the file's.
    pub(super) fn damaged_parts(&self, name: &str) -> Vec<DamagedPart> {
        let mut segments: Vec<_> = self.index.segments.iter().collect();
        segments.sort_unstable_by_key(|segment| segment.offset);
        let part = |(offset, reason): &(u64, String)| {
            let next = segments.partition_point(|segment| segment.offset < *offset);
            let before = segments[..next].last().map(|segment| segment.end);
            let after = segments.get(next).map(|segment| segment.start);
            let (start, end) = (before.or(after)?, after.or(before)?);
            let range = TimeRange { start: Timestamp(start.min(end)), end: Timestamp(end.max(start)) };
            Some(DamagedPart { range, text: format!("{name}: byte {offset}: {reason}") })
        };
        self.damaged_at.iter().filter_map(part).collect()
    }

    /// Sorts the segments, and finds the range if nothing said it. `name`: the file's, for warnings.
    fn finish(&mut self, name: &str) {
        if let Some(what) = &self.replaced {
            self.warnings.push(format!("{name}: {}", replaced_warning(what)));
        }
        self.index.sort();
        // a chunk without messages is dated at time 0
        let empty = self.message_count == Some(0) && self.index.presence.is_empty();
        if self.range.is_none() && !empty {
            let spans: Vec<_> = match &self.tallies {
                Some(tallies) => tallies.iter().filter_map(Tally::span).collect(),
                None => self.index.segments.iter().map(|segment| (segment.start, segment.end)).collect(),
            };
            let start = spans.iter().map(|(start, _)| *start).min();
            let end = spans.iter().map(|(_, end)| *end).max();
            self.range = start
                .zip(end)
                .map(|(start, end)| TimeRange { start: Timestamp(start), end: Timestamp(end.max(start)) });
        }
    }
}

/// The same by reading the file through, where its summary does not say all. `reason` is for a warning, if there is to be
/// one.
pub(super) fn read_through(
    file: &dyn RangeRead,
    pool: &Arc<ChunkPool>,
    order: Order,
    reason: Option<String>,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<Survey, SourceError> {
    scan::scan(file, Unpacker::new(pool.clone()), order, reason.map(Unused::from), progress)
}

/// Finds out what a file holds: by its summary if that will do, else by reading it through. What is not an MCAP file is
/// refused, naming what it is instead.
pub(super) fn survey(
    file: &dyn RangeRead,
    pool: &Arc<ChunkPool>,
    order: Order,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<Survey, SourceError> {
    check_magic(file)?;
    let unused = match summary::read(file) {
        Ok(survey) if order == Order::Log => return Ok(survey),
        // publish times are not in any index
        Ok(_) => None,
        Err(unused) => Some(unused),
    };
    scan::scan(file, Unpacker::new(pool.clone()), order, unused, progress)
}

fn check_magic(file: &dyn RangeRead) -> Result<(), SourceError> {
    let length = file.size().min(FOREIGN_HEAD as u64);
    let start = read_vec(file, 0, length).map_err(|error| failed(file, error))?;
    let reason = match start.as_slice() {
        [] => "the file is empty; give the path of an .mcap file that was recorded",
        bytes if bytes.starts_with(MAGIC) => return Ok(()),
        bytes => foreign(bytes).unwrap_or(
            "is not an MCAP file; give the path of an .mcap file, or of a .jsonl file of JSON lines",
        ),
    };
    Err(unusable(file, reason))
}
