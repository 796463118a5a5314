//! What an MCAP file holds, however it was found out: from its summary or by reading it through once.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use mcap::records::Record;

use crate::model::Schema;
use crate::registry::ChannelSpec;
use crate::source::summary::{AttachmentSummary, MetadataSummary};
use crate::source::{SourceError, recorded_as_latched};
use crate::time::{TimeRange, Timestamp};

/// Opcode and length before every record.
pub(super) const RECORD_HEADER: u64 = 9;

/// The first and last eight bytes of every MCAP file.
pub(super) const MAGIC: &[u8; 8] = b"\x89MCAP0\r\n";

/// A decompressed chunk, a record or a summary larger than this is refused: it is held in memory whole.
pub(super) const MAX_IN_MEMORY: u64 = 1 << 30;

/// A file that is read at positions, from several threads.
#[derive(Debug)]
pub(super) struct RandomFile {
    handle: Handle,
    pub(super) name: String,
    pub(super) size: u64,
}

#[derive(Debug)]
enum Handle {
    Kept(File),
    /// Opened for each read: what is read at once is large beside that.
    ForEachRead(PathBuf),
}

impl RandomFile {
    pub(super) fn open(path: &Path) -> Result<Self, SourceError> {
        let (file, metadata) = open_regular(path)?;
        Ok(Self { handle: Handle::Kept(file), name: path.display().to_string(), size: metadata.len() })
    }

    /// Gives the file descriptor back, to open the file for each read from now on.
    pub(super) fn without_descriptor(self, path: &Path) -> Self {
        Self { handle: Handle::ForEachRead(path.to_owned()), ..self }
    }

    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match &self.handle {
            Handle::Kept(file) => read_exact_at(file, buffer, offset),
            Handle::ForEachRead(path) => read_exact_at(&File::open(path)?, buffer, offset),
        }
    }

    /// A part of the file in memory of its own.
    pub(super) fn read_vec(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        if offset.saturating_add(length) > self.size || length > MAX_IN_MEMORY {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut buffer = vec![0; to_usize(length)];
        self.read_at(&mut buffer, offset)?;
        Ok(buffer)
    }

    /// Opcode and length of the record at `offset`; None if it does not lie within the file.
    pub(super) fn record_at(&self, offset: u64) -> io::Result<Option<(u8, u64)>> {
        if offset.saturating_add(RECORD_HEADER) > self.size {
            return Ok(None);
        }
        let mut header = [0; 9];
        self.read_at(&mut header, offset)?;
        let (opcode, length) = record_header(&header).unwrap_or_default();
        Ok((length <= self.size - offset - RECORD_HEADER).then_some((opcode, length)))
    }

    /// Opcode and body of the record at `offset`; None if it does not lie within the file. `guess`: how many bytes to
    /// read at first.
    pub(super) fn record(&self, offset: u64, guess: u64) -> io::Result<Option<(u8, Vec<u8>)>> {
        let mut bytes = self.read_vec(offset, guess.min(self.size.saturating_sub(offset)))?;
        let Some((opcode, length)) = record_header(&bytes) else { return Ok(None) };
        let whole = length.saturating_add(RECORD_HEADER);
        if whole > self.size - offset {
            return Ok(None);
        }
        let read = bytes.len() as u64;
        if whole > read {
            bytes.extend(self.read_vec(offset + read, whole - read)?);
        }
        bytes.truncate(to_usize(whole));
        bytes.drain(..to_usize(RECORD_HEADER));
        Ok(Some((opcode, bytes)))
    }

    pub(super) fn damaged(&self, offset: u64, reason: impl Into<String>) -> SourceError {
        SourceError::Damaged { name: self.name.clone(), offset, reason: reason.into() }
    }

    pub(super) fn unusable(&self, reason: impl Into<String>) -> SourceError {
        SourceError::Unusable { name: self.name.clone(), reason: reason.into() }
    }
}

/// Opens a file that can be read at any place.
pub(super) fn open_regular(path: &Path) -> Result<(File, Metadata), SourceError> {
    let name = path.display().to_string();
    let unusable = |error: io::Error| SourceError::Unusable { name: name.clone(), reason: refusal(&error) };
    if path.is_dir() {
        let reason = "is a folder; give the path of one .mcap file in it".into();
        return Err(SourceError::Unusable { name, reason });
    }
    // opening a pipe would wait for its writer
    if !path.metadata().map_err(unusable)?.is_file() {
        let reason = "is not a regular file; give the path of an .mcap file".into();
        return Err(SourceError::Unusable { name, reason });
    }
    let file = File::open(path).map_err(unusable)?;
    let metadata = file.metadata().map_err(unusable)?;
    Ok((file, metadata))
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, buffer, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[read..];
        offset += read as u64;
    }
    Ok(())
}

/// Why a file does not open, and the way out.
fn refusal(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file; check the path".into(),
        io::ErrorKind::PermissionDenied => "is not yours to read; change its permissions or the user".into(),
        _ => error.to_string(),
    }
}

/// Opcode and length of the record that `bytes` begins with.
pub(super) fn record_header(bytes: &[u8]) -> Option<(u8, u64)> {
    let (opcode, rest) = bytes.split_first()?;
    Some((*opcode, u64::from_le_bytes(*rest.first_chunk()?)))
}

/// A size in memory; sizes beyond the address space fail to allocate, not to convert.
pub(super) fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Parses a record other than a message; None if its content is not what its opcode says.
pub(super) fn parse(opcode: u8, body: &[u8]) -> Option<Record<'_>> {
    // the parser of attachments expects room for the trailing CRC
    if opcode == mcap::records::op::ATTACHMENT && body.len() < 28 {
        return None;
    }
    mcap::read::parse_record(opcode, body).ok()
}

/// A part of the file that holds messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where it begins in the file; with `length` the whole chunk record, or a run of records outside of chunks.
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) is_chunk: bool,
    /// First and last time of its messages on the timeline.
    pub(super) start: u64,
    pub(super) end: u64,
    /// Bytes in memory once decoded.
    pub(super) size: u64,
    /// Which of [`Index::presence`] tell its channels; empty if they are not known.
    pub(super) presence: (u32, u32),
    /// Whether presence comes with the offsets of message index records.
    pub(super) indexed: bool,
}

/// That a channel (of the file) occurs in a piece, and where the index of its messages there lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Presence {
    pub(super) channel: u16,
    pub(super) index_offset: u64,
}

/// Sizes of the chunks with one compression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ChunkTotals {
    pub(super) count: u64,
    pub(super) compressed: u64,
    pub(super) uncompressed: u64,
}

/// Where in a file its messages are.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// In the order (start, offset).
    pub(super) pieces: Vec<Piece>,
    pub(super) presence: Vec<Presence>,
    by_end: OnceLock<Vec<u32>>,
    /// For each piece the latest end of all up to it.
    reach: OnceLock<Vec<u64>>,
}

impl Index {
    /// The channels of a piece; empty if they are not known.
    pub(super) fn presence_of(&self, piece: &Piece) -> &[Presence] {
        &self.presence[piece.presence.0 as usize..piece.presence.1 as usize]
    }

    /// The pieces, those that end last first.
    pub(super) fn by_end(&self) -> &[u32] {
        self.by_end.get_or_init(|| {
            let mut order: Vec<u32> = (0..u32::try_from(self.pieces.len()).unwrap_or(u32::MAX)).collect();
            order.sort_by_key(|index| std::cmp::Reverse(self.pieces[*index as usize].end));
            order
        })
    }

    fn reach(&self) -> &[u64] {
        self.reach.get_or_init(|| {
            let mut reach = 0;
            let latest = |piece: &Piece| {
                reach = piece.end.max(reach);
                reach
            };
            self.pieces.iter().map(latest).collect()
        })
    }

    /// The first piece that ends at a time or later; all before it end earlier.
    pub(super) fn first_reaching(&self, time: u64) -> usize {
        self.reach().partition_point(|reach| *reach < time)
    }

    /// The pieces that begin before a time and end at it or later, and where in [`Index::by_end`] those follow that end
    /// before it.
    pub(super) fn backward_from(&self, time: u64) -> (Vec<u32>, usize) {
        let begun = self.pieces.partition_point(|piece| piece.start < time);
        let reaching = self.first_reaching(time).min(begun);
        let cut = (reaching..begun).rev().filter(|index| self.pieces[*index].end >= time);
        let cut = cut.filter_map(|index| u32::try_from(index).ok()).collect();
        (cut, self.by_end().partition_point(|index| self.pieces[*index as usize].end >= time))
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) profile: String,
    pub(super) library: String,
    pub(super) schemas: BTreeMap<u16, Arc<Schema>>,
    pub(super) channels: BTreeMap<u16, mcap::records::Channel>,
    pub(super) index: Index,
    pub(super) chunks: BTreeMap<String, ChunkTotals>,
    pub(super) range: Option<TimeRange>,
    /// Messages by channel of the file, where they were counted by the recorder or by us.
    pub(super) counts: Option<BTreeMap<u16, u64>>,
    pub(super) message_count: Option<u64>,
    pub(super) attachments: Vec<AttachmentSummary>,
    pub(super) metadata: Vec<MetadataSummary>,
    pub(super) warnings: Vec<String>,
    pub(super) complete: bool,
}

impl Contents {
    /// Takes what a schema or channel record says; the first of several with one id counts.
    pub(super) fn on_definition(&mut self, record: Record<'_>) {
        match record {
            Record::Header(header) => {
                self.profile = header.profile;
                self.library = header.library;
            }
            Record::Schema { header, data } if header.id != 0 => {
                self.schemas.entry(header.id).or_insert_with(|| {
                    Arc::new(Schema {
                        name: header.name,
                        encoding: header.encoding,
                        data: Bytes::copy_from_slice(&data),
                    })
                });
            }
            Record::Channel(channel) => {
                self.channels.entry(channel.id).or_insert(channel);
            }
            _ => {}
        }
    }

    /// A channel of the file with its schema; the error is what is wrong with it.
    pub(super) fn raw_channel(&self, id: u16) -> Option<(ChannelSpec, Option<String>)> {
        let channel = self.channels.get(&id)?;
        let schema = self.schemas.get(&channel.schema_id).cloned();
        let missing = (schema.is_none() && channel.schema_id != 0)
            .then(|| format!("topic {}: its schema {} is not in the file", channel.topic, channel.schema_id));
        let raw = ChannelSpec {
            topic: channel.topic.clone(),
            message_encoding: channel.message_encoding.clone(),
            schema,
            metadata: channel.metadata.clone(),
            latched: recorded_as_latched(&channel.metadata),
        };
        Some((raw, missing))
    }

    /// Sorts the pieces, and finds the range if nothing said it.
    pub(super) fn finish(&mut self) {
        self.index.pieces.sort_by_key(|piece| (piece.start, piece.offset));
        // a chunk without messages is dated at time 0
        let empty = self.message_count == Some(0) && self.index.presence.is_empty();
        if self.range.is_none() && !empty {
            let start = self.index.pieces.iter().map(|piece| piece.start).min();
            let end = self.index.pieces.iter().map(|piece| piece.end).max();
            self.range = start
                .zip(end)
                .map(|(start, end)| TimeRange { start: Timestamp(start), end: Timestamp(end.max(start)) });
        }
    }

    pub(super) fn count_chunk(&mut self, compression: &str, compressed: u64, uncompressed: u64) {
        let totals = self.chunks.entry(compression.to_owned()).or_default();
        totals.count += 1;
        totals.compressed += compressed;
        totals.uncompressed += uncompressed;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn index(times: Vec<(u64, u64)>) -> Index {
        let piece = |(offset, (start, length)): (u64, (u64, u64))| Piece {
            offset,
            length: 1,
            is_chunk: true,
            start,
            end: start + length,
            size: 1,
            presence: (0, 0),
            indexed: false,
        };
        let pieces = (0..).zip(times).map(piece).collect();
        let mut contents = Contents { index: Index { pieces, ..Index::default() }, ..Contents::default() };
        contents.finish();
        contents.index
    }

    proptest! {
        #[test]
        fn pieces_around_a_time_are_found(times in prop::collection::vec((0u64..30, 0u64..20), 0..20), time in 0u64..60) {
            let index = index(times);
            let which = |wanted: &dyn Fn(&Piece) -> bool| -> BTreeSet<u32> {
                (0..).zip(&index.pieces).filter(|(_, piece)| wanted(piece)).map(|(number, _)| number).collect()
            };
            let first = index.first_reaching(time);
            prop_assert!(index.pieces[..first].iter().all(|piece| piece.end < time));
            prop_assert!(index.pieces.get(first).is_none_or(|piece| piece.end >= time));

            let (cut, next) = index.backward_from(time);
            prop_assert_eq!(cut.into_iter().collect::<BTreeSet<_>>(), which(&|p| p.start < time && p.end >= time));
            let before = &index.by_end()[next..];
            prop_assert_eq!(before.iter().copied().collect::<BTreeSet<_>>(), which(&|piece| piece.end < time));
            prop_assert!(before.is_sorted_by_key(|number| std::cmp::Reverse(index.pieces[*number as usize].end)));
        }
    }
}
