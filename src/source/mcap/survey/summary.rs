//! Surveys a file by its summary section: however large the file, only its last part is read.
//!
//! The summary is believed only if it can be complete; otherwise the reason is returned and the file is to be scanned.
//! The records that it does not explain are looked at one by one, from the first byte on: they may be messages outside
//! of chunks, or an earlier recording.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mcap::records::op;

use super::ids::{FileChannel, FilePart};
use super::index::{Index, Presence, Segment, checksum};
use super::{Method, Survey, Unused, counts, extras, footer};
use crate::model::Schema;
use crate::source::bytes::RangeRead;
use crate::source::mcap::fields::{ChannelRecord, ChunkIndexRecord, Definition, StatisticsRecord};
use crate::source::mcap::records::{LARGE_CHUNK, MAGIC, RECORD_HEADER, header_at, record_header, to_usize};
use crate::source::paths::file_name;
use crate::time::{TimeRange, Timestamp};

/// Records between the chunks that are looked at one by one; with more of them a scan is as fast.
const MAX_STRAY_RECORDS: usize = 4096;

/// What the summary says, or why it is not to be used.
pub(super) fn read(file: &dyn RangeRead) -> Result<Survey, Unused> {
    let mut section = read_section(file)?;
    section.walk_gaps(file)?;
    Ok(section.finish(file))
}

/// The index of a file whose summary was found usable before.
pub(crate) fn read_index(file: &dyn RangeRead) -> Result<Index, String> {
    read_section(file).map(|section| section.finish(file).index).map_err(|unused| unused.reason)
}

fn read_section(file: &dyn RangeRead) -> Result<SummarySection, Unused> {
    let (start, section) = footer::find_section(file)?;
    let mut summary = SummarySection::new(start);
    summary.read(&section)?;
    summary.check()?;
    Ok(summary)
}

struct SummarySection {
    survey: Survey,
    schemas: BTreeMap<u16, Arc<Schema>>,
    channels: BTreeMap<u16, ChannelRecord>,
    /// Where it begins, and the data of its recording ends.
    start: u64,
    statistics: Option<StatisticsRecord>,
    /// Parts of the file that chunks and their indexes explain: offset and end.
    explained: Vec<(u64, u64)>,
    chunk_count: u64,
    any_index: bool,
}

impl SummarySection {
    fn new(start: u64) -> Self {
        Self {
            survey: Survey::new(Method::Summary),
            schemas: BTreeMap::new(),
            channels: BTreeMap::new(),
            start,
            statistics: None,
            explained: Vec::new(),
            chunk_count: 0,
            any_index: false,
        }
    }

    fn read(&mut self, section: &[u8]) -> Result<(), Unused> {
        let mut at = 0;
        loop {
            let (opcode, length) =
                record_header(&section[at..]).ok_or_else(|| Unused::damaged("its summary ends too early"))?;
            let body = at + 9;
            let end = body.saturating_add(to_usize(length));
            let record = section
                .get(body..end)
                .ok_or_else(|| Unused::damaged("a record of its summary is too long"))?;
            let unreadable = || Unused::damaged("a record of its summary can't be read");
            match opcode {
                op::FOOTER if end + MAGIC.len() == section.len() => return Ok(()),
                op::FOOTER => return Err(Unused::damaged("its summary ends before the file does")),
                op::CHUNK_INDEX => self.on_chunk(ChunkIndexRecord::decode(record).ok_or_else(unreadable)?)?,
                op::STATISTICS => {
                    self.statistics = Some(StatisticsRecord::decode(record).ok_or_else(unreadable)?);
                }
                op::SCHEMA | op::CHANNEL => {
                    let definition = Definition::decode(opcode, record).ok_or_else(unreadable)?;
                    let id = match &definition {
                        Definition::Schema(schema) => schema.id,
                        Definition::Channel(channel) => channel.id,
                    };
                    self.survey.index.defined.extend(checksum(opcode, record).map(|sum| ((opcode, id), sum)));
                    self.on_definition(definition)?;
                }
                _ => {}
            }
            at = end;
        }
    }

    /// Takes what a schema or channel record says; an id that has two meanings means different things in different
    /// places, which a summary does not tell.
    fn on_definition(&mut self, definition: Definition) -> Result<(), Unused> {
        if let Some(what) = definition.replaced() {
            self.survey.replaced.get_or_insert(what);
        }
        let twice = match definition {
            Definition::Schema(record) if record.id != 0 => {
                let schema = Arc::new(record.schema);
                *self.schemas.entry(record.id).or_insert_with(|| schema.clone()) != schema
            }
            Definition::Channel(channel) => {
                let known = self.channels.entry(channel.id).or_insert_with(|| channel.clone());
                let meaning =
                    |of: &ChannelRecord| (of.topic.clone(), of.message_encoding.clone(), of.schema_id);
                meaning(known) != meaning(&channel)
            }
            Definition::Schema(_) => false,
        };
        if twice { Err("its summary gives an id twice".into()) } else { Ok(()) }
    }

    fn on_chunk(&mut self, index: ChunkIndexRecord) -> Result<(), Unused> {
        let end = index
            .offset
            .checked_add(index.length)
            .and_then(|end| end.checked_add(index.message_index_length))
            .ok_or_else(|| Unused::damaged("a chunk of its index lies outside of the file"))?;
        if index.compression.is_empty() && index.uncompressed > LARGE_CHUNK {
            return Err("it has a very large uncompressed chunk".into());
        }
        self.chunk_count += 1;
        self.explained.push((index.offset, end));
        self.survey.count_chunk(&index.compression, index.compressed, index.uncompressed);
        let number =
            |length: usize| u32::try_from(length).map_err(|_overflow| "its index is too large".to_owned());
        let first = number(self.survey.index.presence.len())?;
        let counts = counts::of_chunk(&index.message_index_offsets, index.offset + index.length..end);
        self.survey.index.presence.extend(index.message_index_offsets.iter().enumerate().map(
            |(number, (&channel, &index_offset))| Presence {
                channel,
                count: counts.as_ref().map_or(0, |counts| counts[number]),
                index_offset,
            },
        ));
        let last = number(self.survey.index.presence.len())?;
        self.any_index |= last > first;
        self.survey.index.segments.push(Segment {
            offset: index.offset,
            length: index.length,
            is_chunk: true,
            part: 0,
            start: index.start_time,
            end: index.end_time,
            size: index.uncompressed,
            presence: (first, last),
            indexed: last > first,
            counted: counts.is_some() && last > first,
        });
        Ok(())
    }

    /// Whether the summary can be all there is to know.
    fn check(&mut self) -> Result<(), Unused> {
        let Index { presence, segments, .. } = &self.survey.index;
        match &self.statistics {
            Some(statistics) if u64::from(statistics.chunk_count) != self.chunk_count => {
                return Err("its chunk index is not complete".into());
            }
            Some(statistics) if self.chunk_count == 0 && statistics.message_count > 0 => {
                return Err("it has no chunk index".into());
            }
            None if self.chunk_count == 0 => return Err("it has no chunk index".into()),
            None if !self.any_index => return Err("it has neither statistics nor message index".into()),
            _ => {}
        }
        let counted = self.statistics.iter().flat_map(|statistics| statistics.channel_message_counts.keys());
        if presence
            .iter()
            .map(|presence| &presence.channel)
            .chain(counted)
            .any(|id| !self.channels.contains_key(id))
        {
            return Err("its summary does not list every channel".into());
        }
        if self.channels.is_empty() && !segments.is_empty() {
            return Err("its summary does not list the channels".into());
        }
        self.explained.sort_unstable();
        let overlap = self.explained.windows(2).any(|pair| pair[0].1 > pair[1].0);
        if overlap || self.explained.last().is_some_and(|last| last.1 > self.start) {
            return Err(Unused::damaged("its chunk index points to the wrong places"));
        }
        // an index of chunks without messages has no times worth knowing
        if self.any_index {
            self.survey
                .index
                .segments
                .retain(|segment| segment.presence.0 < segment.presence.1 || segment.end > 0);
        }
        Ok(())
    }

    /// Looks at the records that no chunk explains: header, attachments, metadata — or messages outside of chunks, or the
    /// end of another recording.
    fn walk_gaps(&mut self, file: &dyn RangeRead) -> Result<(), Unused> {
        let mut at = 8;
        let mut explained = self.explained.iter().peekable();
        for _ in 0..MAX_STRAY_RECORDS {
            while let Some((_, end)) = explained.next_if(|(start, _)| *start <= at) {
                at = at.max(*end);
            }
            if at >= self.start {
                return Ok(());
            }
            if explained.peek().is_some_and(|(start, _)| *start == at) {
                continue;
            }
            let header = header_at(file, at).map_err(|error| error.to_string())?;
            let Some((opcode, length)) = header.filter(|(opcode, _)| *opcode != 0) else {
                return Err(Unused::damaged(format!("there is no record at byte {at}")));
            };
            match opcode {
                op::MESSAGE => return Err("it has messages outside of chunks".into()),
                op::CHUNK => return Err("its chunk index is not complete".into()),
                op::DATA_END if at.saturating_add(RECORD_HEADER).saturating_add(length) < self.start => {
                    return Err("its summary is that of the last of several recordings".into());
                }
                op::DATA_END => return Ok(()),
                op::HEADER | op::METADATA | op::ATTACHMENT => {
                    extras::read(&mut self.survey, file, opcode, at, length);
                }
                _ => {}
            }
            at = at.saturating_add(RECORD_HEADER).saturating_add(length);
            if at > explained.peek().map_or(self.start, |(start, _)| *start) {
                return Err(Unused::damaged("its chunk index does not fit its records"));
            }
        }
        Err("it has very many records outside of chunks".into())
    }

    fn finish(self, file: &dyn RangeRead) -> Survey {
        let Self { mut survey, schemas, channels, .. } = self;
        let ids = channels.keys().enumerate().map(|(number, id)| (*id, number)).collect();
        let part = FilePart { from: (0, 0), channels: ids };
        let with_schema = |channel: ChannelRecord| {
            let schema = schemas.get(&channel.schema_id).cloned();
            FileChannel::new(channel, schema)
        };
        survey.channels = channels.into_values().map(with_schema).collect();
        survey.note_unused(schemas.into_values());
        if let Some(statistics) = self.statistics {
            if statistics.message_count > 0 {
                survey.range = Some(range(&survey.index, &statistics));
            }
            let counts = statistics.channel_message_counts;
            survey.message_count = Some(statistics.message_count);
            if counts.values().try_fold(0u64, |sum, count| sum.checked_add(*count)) == survey.message_count {
                let mut by_channel = vec![0; survey.channels.len()];
                for (id, count) in &counts {
                    if let Some(number) = part.channels.get(id) {
                        by_channel[*number] = *count;
                    }
                }
                survey.index.totals = counts;
                survey.counts = Some(by_channel);
            }
        }
        survey.index.check_counts();
        survey.parts = vec![part];
        survey.complete = true;
        survey.finish(&file_name(Path::new(file.name())));
        survey
    }
}

/// From the first to the last message. Every chunk has an index entry, whose times are what is played by; those of
/// the statistics can be anything: 0 where a recorder began with that as its minimum, or not 0 where one takes a first
/// message at 0 for none.
fn range(index: &Index, statistics: &StatisticsRecord) -> TimeRange {
    // without channels, a chunk at time 0 has no messages, or has one at 0
    let is_dated = |segment: &&Segment| {
        segment.presence.0 < segment.presence.1 || segment.end > 0 || statistics.start_time == 0
    };
    let dated = || index.segments.iter().filter(is_dated);
    let start = dated().map(|segment| segment.start).min().unwrap_or(statistics.start_time);
    let end = dated().map(|segment| segment.end).max().unwrap_or(statistics.end_time).max(start);
    TimeRange { start: Timestamp(start), end: Timestamp(end) }
}
