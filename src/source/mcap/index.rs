//! Opens a recording by its summary: however large the file, only its last part is read.
//!
//! The summary is believed only if it can be complete; otherwise the reason is returned and the file is to be scanned.

use mcap::records::{ChunkIndex, Footer, Record, Statistics, op};

use super::contents::{
    Contents, Index, MAGIC, MAX_IN_MEMORY, Piece, Presence, RECORD_HEADER, RandomFile, parse, record_header,
    to_usize,
};
use crate::source::summary::{AttachmentSummary, MetadataSummary};
use crate::time::{TimeRange, Timestamp};

/// Footer record and the magic behind it, bytes.
const TAIL: u64 = RECORD_HEADER + 20 + 8;

/// Records between the chunks that are looked at one by one; with more of them a scan is as fast.
const MAX_STRAY_RECORDS: usize = 4096;

/// An uncompressed chunk larger than this is read in parts, which needs a scan; its records lie in the file plainly.
pub(super) const LARGE_CHUNK: u64 = 256 << 20;

/// What the summary says, or why it is not to be used.
pub(super) fn read(file: &RandomFile) -> Result<Contents, String> {
    let (mut builder, summary_start) = read_summary(file)?;
    builder.walk_gaps(file, summary_start)?;
    Ok(builder.finish())
}

/// The index of a file whose summary was found usable before.
pub(super) fn read_again(file: &RandomFile) -> Result<Index, String> {
    read_summary(file).map(|(builder, _)| builder.finish().index)
}

fn read_summary(file: &RandomFile) -> Result<(Builder, u64), String> {
    let io = |error: std::io::Error| error.to_string();
    if file.size < 8 + TAIL {
        return Err("it has no summary".into());
    }
    let tail = file.read_vec(file.size - TAIL, TAIL).map_err(io)?;
    if !tail.ends_with(MAGIC) {
        return Err("it does not end as a recording does".into());
    }
    let footer = match (record_header(&tail), parse(op::FOOTER, &tail[9..29])) {
        (Some((op::FOOTER, 20)), Some(Record::Footer(footer))) => footer,
        // a footer with fields from a later version of the format is longer
        _ => find_padded_footer(file).ok_or("it has no footer")?,
    };
    if footer.summary_start == 0 {
        return Err("it has no summary".into());
    }
    if footer.summary_start < 8 || footer.summary_start > file.size - TAIL {
        return Err("its footer points outside of the file".into());
    }
    let length = file.size - footer.summary_start;
    if length > MAX_IN_MEMORY {
        return Err("its summary is larger than 1 GiB".into());
    }
    let section = file.read_vec(footer.summary_start, length).map_err(io)?;
    check_crc(&section, &footer)?;
    let mut builder = Builder::default();
    builder.read_section(&section)?;
    builder.check(footer.summary_start)?;
    Ok((builder, footer.summary_start))
}

/// The conformance suite has recordings in which every record is longer than known fields, the footer too.
fn find_padded_footer(file: &RandomFile) -> Option<Footer> {
    const SEARCHED: u64 = 256;
    let length = file.size.min(SEARCHED);
    let bytes = file.read_vec(file.size - length, length).ok()?;
    let end = bytes.len() - 8;
    (0..end.checked_sub(29)?).rev().find_map(|at| match record_header(&bytes[at..])? {
        (op::FOOTER, length) if at as u64 + RECORD_HEADER + length == end as u64 => {
            match parse(op::FOOTER, &bytes[at + 9..end])? {
                Record::Footer(footer) => Some(footer),
                _ => None,
            }
        }
        _ => None,
    })
}

/// Checks the summary's CRC, if it has one: it covers everything up to itself in the footer.
fn check_crc(section: &[u8], footer: &Footer) -> Result<(), String> {
    let covered = section.len() - 8 - 4;
    if footer.summary_crc == 0 || crc32fast::hash(&section[..covered]) == footer.summary_crc {
        return Ok(());
    }
    // in a footer with unknown fields at its end the CRC lies before them
    let crc = footer.summary_crc.to_le_bytes();
    let found = section[..covered].windows(4).rposition(|window| window == crc);
    match found {
        Some(at) if crc32fast::hash(&section[..at]) == footer.summary_crc => Ok(()),
        _ => Err("its summary is damaged (CRC)".into()),
    }
}

#[derive(Default)]
struct Builder {
    contents: Contents,
    statistics: Option<Statistics>,
    /// Parts of the file that chunks and their indexes explain: offset and end.
    explained: Vec<(u64, u64)>,
    chunk_count: u64,
    any_index: bool,
}

impl Builder {
    fn read_section(&mut self, section: &[u8]) -> Result<(), String> {
        let mut at = 0;
        loop {
            let (opcode, length) = record_header(&section[at..]).ok_or("its summary ends too early")?;
            let body = at + 9;
            let end = body.saturating_add(to_usize(length));
            let record = section.get(body..end).ok_or("a record of its summary is too long")?;
            let known = matches!(opcode, op::SCHEMA | op::CHANNEL | op::CHUNK_INDEX | op::STATISTICS);
            match opcode {
                op::FOOTER if end + MAGIC.len() == section.len() => return Ok(()),
                op::FOOTER => return Err("its summary ends before the file does".into()),
                _ if known => match parse(opcode, record).ok_or("a record of its summary can't be read")? {
                    Record::ChunkIndex(index) => self.on_chunk(index)?,
                    Record::Statistics(statistics) => self.statistics = Some(statistics),
                    definition => self.contents.on_definition(definition),
                },
                _ => {}
            }
            at = end;
        }
    }

    fn on_chunk(&mut self, index: ChunkIndex) -> Result<(), String> {
        let end = index
            .chunk_start_offset
            .checked_add(index.chunk_length)
            .and_then(|end| end.checked_add(index.message_index_length))
            .ok_or("a chunk of its index lies outside of the file")?;
        if index.compression.is_empty() && index.uncompressed_size > LARGE_CHUNK {
            return Err("it has a very large uncompressed chunk".into());
        }
        self.chunk_count += 1;
        self.explained.push((index.chunk_start_offset, end));
        self.contents.count_chunk(&index.compression, index.compressed_size, index.uncompressed_size);
        let number =
            |length: usize| u32::try_from(length).map_err(|_overflow| "its index is too large".to_owned());
        let first = number(self.contents.index.presence.len())?;
        self.contents.index.presence.extend(
            index
                .message_index_offsets
                .iter()
                .map(|(&channel, &index_offset)| Presence { channel, index_offset }),
        );
        let last = number(self.contents.index.presence.len())?;
        self.any_index |= last > first;
        self.contents.index.pieces.push(Piece {
            offset: index.chunk_start_offset,
            length: index.chunk_length,
            is_chunk: true,
            start: index.message_start_time,
            end: index.message_end_time,
            size: index.uncompressed_size,
            presence: (first, last),
            indexed: last > first,
        });
        Ok(())
    }

    /// Whether the summary can be all there is to know.
    fn check(&mut self, data_end: u64) -> Result<(), String> {
        let Contents { channels, index: Index { presence, pieces, .. }, .. } = &self.contents;
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
            .any(|id| !channels.contains_key(id))
        {
            return Err("its summary does not list every channel".into());
        }
        if channels.is_empty() && !pieces.is_empty() {
            return Err("its summary does not list the channels".into());
        }
        self.explained.sort_unstable();
        let overlap = self.explained.windows(2).any(|pair| pair[0].1 > pair[1].0);
        if overlap || self.explained.last().is_some_and(|last| last.1 > data_end) {
            return Err("its chunk index points to the wrong places".into());
        }
        // an index of chunks without messages has no times worth knowing
        if self.any_index {
            self.contents.index.pieces.retain(|piece| piece.presence.0 < piece.presence.1 || piece.end > 0);
        }
        Ok(())
    }

    /// Looks at the records that no chunk explains: header, attachments, metadata — or messages outside of chunks.
    fn walk_gaps(&mut self, file: &RandomFile, data_end: u64) -> Result<(), String> {
        let mut at = 8;
        let mut explained = self.explained.iter().peekable();
        for _ in 0..MAX_STRAY_RECORDS {
            while let Some((_, end)) = explained.next_if(|(start, _)| *start <= at) {
                at = at.max(*end);
            }
            if at >= data_end {
                return Ok(());
            }
            if explained.peek().is_some_and(|(start, _)| *start == at) {
                continue;
            }
            let header = file.record_at(at).map_err(|error| error.to_string())?;
            let Some((opcode, length)) = header.filter(|(opcode, _)| *opcode != 0) else {
                return Err(format!("there is no record at byte {at}"));
            };
            match opcode {
                op::MESSAGE => return Err("it has messages outside of chunks".into()),
                op::CHUNK => return Err("its chunk index is not complete".into()),
                op::DATA_END => return Ok(()),
                op::HEADER | op::METADATA | op::ATTACHMENT => {
                    on_stray(&mut self.contents, file, opcode, at, length);
                }
                _ => {}
            }
            at = at.saturating_add(RECORD_HEADER).saturating_add(length);
        }
        Err("it has very many records outside of chunks".into())
    }

    fn finish(self) -> Contents {
        let mut contents = self.contents;
        if let Some(statistics) = self.statistics {
            if statistics.message_count > 0 {
                // recorders have been seen that take a first message at time 0 for none
                let told = contents.index.pieces.iter().filter(|piece| piece.presence.0 < piece.presence.1);
                let start = told.clone().map(|piece| piece.start).min().unwrap_or(u64::MAX);
                let end = told.map(|piece| piece.end).max().unwrap_or(0);
                let start = start.min(statistics.message_start_time);
                let end = end.max(statistics.message_end_time).max(start);
                contents.range = Some(TimeRange { start: Timestamp(start), end: Timestamp(end) });
            }
            let counts = statistics.channel_message_counts;
            contents.message_count = Some(statistics.message_count);
            if counts.values().sum::<u64>() == statistics.message_count {
                contents.counts = Some(counts);
            }
        }
        contents.complete = true;
        contents.finish();
        contents
    }
}

/// Takes note of a header, an attachment or metadata at `at`; what can't be read of them is left out.
pub(super) fn on_stray(contents: &mut Contents, file: &RandomFile, opcode: u8, at: u64, length: u64) {
    /// Enough for the fields before an attachment's data.
    const ATTACHMENT: u64 = 1 << 20;
    /// rosbag2 keeps a description of every topic in its metadata, which can be megabytes.
    const OTHER: u64 = 64 << 20;
    let read = if opcode == op::ATTACHMENT { ATTACHMENT } else { OTHER };
    let Ok(body) = file.read_vec(at + RECORD_HEADER, length.min(read)) else { return };
    if opcode == op::ATTACHMENT {
        contents.attachments.extend(attachment(&body));
        return;
    }
    match parse(opcode, &body) {
        Some(Record::Metadata(metadata)) => {
            contents.metadata.push(MetadataSummary { name: metadata.name, values: metadata.metadata });
        }
        Some(Record::Header(header)) => contents.on_definition(Record::Header(header)),
        _ => {}
    }
}

/// The fields before an attachment's data, which is not needed here and can be large.
fn attachment(body: &[u8]) -> Option<AttachmentSummary> {
    fn u64_at(bytes: &mut &[u8]) -> Option<u64> {
        let (head, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(u64::from_le_bytes(*head))
    }
    fn string(bytes: &mut &[u8]) -> Option<String> {
        let (head, rest) = bytes.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(to_usize(u64::from(u32::from_le_bytes(*head))))?;
        *bytes = rest;
        Some(String::from_utf8_lossy(text).into_owned())
    }
    let bytes = &mut &*body;
    let log_time = Timestamp(u64_at(bytes)?);
    let _create_time = u64_at(bytes)?;
    let name = string(bytes)?;
    let media_type = string(bytes)?;
    Some(AttachmentSummary { name, media_type, log_time, size_bytes: u64_at(bytes)? })
}
