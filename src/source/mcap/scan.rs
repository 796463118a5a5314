//! Reads a recording through once and finds what its summary should have said.
//!
//! Chunks are decompressed for their channels and times; messages outside of chunks are grouped into runs. Where the
//! framing of records breaks (the file ends, a length can't be), everything before counts. A chunk whose frame is
//! whole but whose content is damaged is left out.

use std::collections::BTreeMap;
use std::path::Path;

use mcap::records::op;

use super::chunk::{Decoder, message, walk};
use super::contents::{Contents, MAGIC, Piece, Presence, RECORD_HEADER, parse, record_header, to_usize};
use super::index::{LARGE_CHUNK, on_stray};
use crate::source::{Order, ScanProgress, SourceError};

/// Messages outside of chunks are played in runs of about this many bytes.
const RUN: u64 = 1 << 20;

/// Bytes read at once.
const WINDOW: u64 = 1 << 20;

/// How the reading of the file ended.
enum Finish {
    /// With a footer.
    Whole,
    /// At a record that can't be, or does not fit.
    Broken { at: u64, why: String },
}

/// Scans the file. `reason`: why its summary is not used, for the warning; None if that needs no warning.
pub(super) fn scan(
    decoder: &Decoder,
    order: Order,
    reason: Option<String>,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<Contents, SourceError> {
    let mut scan = Scan {
        decoder,
        order,
        contents: Contents::default(),
        counts: BTreeMap::new(),
        window: Vec::new(),
        window_at: 0,
        run: None,
        lost_chunks: Vec::new(),
    };
    let finish = scan.run(progress)?;
    scan.conclude(finish, reason)
}

struct Scan<'a> {
    decoder: &'a Decoder,
    order: Order,
    contents: Contents,
    counts: BTreeMap<u16, u64>,
    window: Vec<u8>,
    window_at: u64,
    run: Option<Run>,
    lost_chunks: Vec<String>,
}

/// A run of records outside of chunks that has messages.
struct Run {
    offset: u64,
    end: u64,
    times: (u64, u64),
    channels: BTreeMap<u16, u64>,
}

impl Scan<'_> {
    fn run(&mut self, progress: &mut dyn FnMut(ScanProgress)) -> Result<Finish, SourceError> {
        let size = self.decoder.file.size;
        let mut at = 8;
        let mut told = 0;
        loop {
            if at - told >= 8 * WINDOW {
                told = at;
                progress(ScanProgress { done: at, total: size });
            }
            let broken = |why: &str| Finish::Broken { at, why: why.to_owned() };
            if at == size {
                return Ok(broken("ends without a footer"));
            }
            let Some((opcode, length)) = self.bytes(at, RECORD_HEADER)?.and_then(record_header) else {
                return Ok(broken("ends inside a record"));
            };
            if opcode == 0 {
                return Ok(broken("has no record"));
            }
            let end = at.saturating_add(RECORD_HEADER).saturating_add(length);
            if opcode == op::FOOTER {
                let magic = self.bytes(end, 8)?.is_some_and(|bytes| bytes == MAGIC);
                return Ok(match magic {
                    true if end + 8 == size => Finish::Whole,
                    true => Finish::Broken { at: end + 8, why: "has more behind its end".into() },
                    false => broken("ends inside its footer"),
                });
            }
            if end > size {
                return Ok(broken("ends inside a record"));
            }
            at = match opcode {
                op::MESSAGE => {
                    if self.on_message(at, end)?.is_none() {
                        return Ok(broken("has a message that is too short"));
                    }
                    end
                }
                op::CHUNK => self.on_chunk(at, end)?,
                op::HEADER | op::ATTACHMENT | op::METADATA => {
                    self.end_run();
                    on_stray(&mut self.contents, &self.decoder.file, opcode, at, length);
                    end
                }
                op::SCHEMA | op::CHANNEL => {
                    if let Some(record) =
                        self.bytes(at, end - at)?.and_then(|bytes| parse(opcode, &bytes[9..]))
                    {
                        // the borrow of the window ends here
                        let record = record.into_owned();
                        self.contents.on_definition(record);
                    }
                    end
                }
                _ => end,
            };
        }
    }

    /// Bytes of the file, through a window; None if they don't lie within it.
    fn bytes(&mut self, at: u64, length: u64) -> Result<Option<&[u8]>, SourceError> {
        let file = &self.decoder.file;
        if at.saturating_add(length) > file.size {
            return Ok(None);
        }
        let window_end = self.window_at + self.window.len() as u64;
        if at < self.window_at || at + length > window_end {
            let take = length.max(WINDOW).min(file.size - at);
            self.window = file
                .read_vec(at, take)
                .map_err(|error| SourceError::Io { name: file.name.clone(), error })?;
            self.window_at = at;
        }
        let start = to_usize(at - self.window_at);
        Ok(self.window.get(start..start + to_usize(length)))
    }

    fn on_message(&mut self, at: u64, end: u64) -> Result<Option<()>, SourceError> {
        const HEADER: u64 = 22;
        let order = self.order;
        let Some(header) = self.bytes(at + RECORD_HEADER, HEADER.min(end - at - RECORD_HEADER))? else {
            return Ok(None);
        };
        let Some((channel, entry)) = message(header, 0, order) else { return Ok(None) };
        let time = entry.log_time.0;
        if self.run.as_ref().is_some_and(|run| end - run.offset > RUN) {
            self.end_run();
        }
        let run = self.run.get_or_insert_with(|| Run {
            offset: at,
            end,
            times: (u64::MAX, 0),
            channels: BTreeMap::new(),
        });
        run.end = end;
        run.times = (run.times.0.min(time), run.times.1.max(time));
        *run.channels.entry(channel).or_default() += 1;
        Ok(Some(()))
    }

    fn end_run(&mut self) {
        if let Some(run) = self.run.take() {
            let length = run.end - run.offset;
            self.piece(run.offset, length, false, run.times, length, run.channels);
        }
    }

    /// Returns where to go on.
    fn on_chunk(&mut self, at: u64, end: u64) -> Result<u64, SourceError> {
        self.end_run();
        let length = end - at;
        // fields before the records: times, sizes, CRC, compression
        let head = self.bytes(at, length.min(4096))?.and_then(chunk_head);
        let Some(head) = head else {
            self.lost_chunks.push(format!("the chunk at byte {at} can't be read"));
            return Ok(end);
        };
        self.contents.count_chunk(&head.compression, head.compressed, head.uncompressed);
        if head.compression.is_empty() && head.uncompressed > LARGE_CHUNK {
            // its records lie in the file as if there were no chunk
            return Ok(at + RECORD_HEADER + head.length);
        }
        let probe = Piece {
            offset: at,
            length,
            is_chunk: true,
            start: 0,
            end: 0,
            size: head.uncompressed,
            presence: (0, 0),
            indexed: false,
        };
        let mut channels = BTreeMap::new();
        let mut times = (u64::MAX, 0);
        let mut definitions = Vec::new();
        let order = self.order;
        let outcome = self.decoder.plain(&probe).and_then(|plain| {
            walk(&plain, |opcode, offset, body| {
                match opcode {
                    op::MESSAGE => {
                        let (channel, entry) = message(body, offset, order)?;
                        let time = entry.log_time.0;
                        times = (times.0.min(time), times.1.max(time));
                        *channels.entry(channel).or_default() += 1;
                    }
                    op::SCHEMA | op::CHANNEL => definitions.push(parse(opcode, body)?.into_owned()),
                    _ => {}
                }
                Some(())
            })
            .map_err(|inner| {
                self.decoder.file.damaged(at, format!("the chunk's record at its byte {inner} is damaged"))
            })
        });
        match outcome {
            Ok(()) => {
                for definition in definitions {
                    self.contents.on_definition(definition);
                }
                self.piece(at, length, true, times, head.uncompressed, channels);
            }
            Err(SourceError::Damaged { offset, reason, .. }) => {
                self.lost_chunks.push(format!("the chunk at byte {offset} is left out ({reason})"));
            }
            Err(error) => return Err(error),
        }
        Ok(end)
    }

    fn piece(
        &mut self,
        offset: u64,
        length: u64,
        is_chunk: bool,
        times: (u64, u64),
        size: u64,
        channels: BTreeMap<u16, u64>,
    ) {
        if channels.is_empty() {
            return;
        }
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let first = number(self.contents.index.presence.len());
        for (channel, count) in channels {
            *self.counts.entry(channel).or_default() += count;
            self.contents.index.presence.push(Presence { channel, index_offset: 0 });
        }
        let last = number(self.contents.index.presence.len());
        self.contents.index.pieces.push(Piece {
            offset,
            length,
            is_chunk,
            start: times.0,
            end: times.1,
            size,
            presence: (first, last),
            indexed: false,
        });
    }

    fn conclude(mut self, finish: Finish, reason: Option<String>) -> Result<Contents, SourceError> {
        self.end_run();
        let file = &self.decoder.file;
        let messages: u64 = self.counts.values().sum();
        let mut faults = std::mem::take(&mut self.lost_chunks);
        if let Finish::Broken { at, why } = &finish {
            faults.insert(0, format!("the file {why} at byte {at} of {}", file.size));
        }
        let complete = faults.is_empty();
        if !complete && messages == 0 {
            return Err(file.unusable(format!("{}; there is no message to recover", faults.join("; "))));
        }
        let name =
            Path::new(&file.name).file_name().map_or_else(|| file.name.clone(), |n| n.display().to_string());
        const TOLD: usize = 3;
        if !complete {
            let more = faults.len().saturating_sub(TOLD);
            let mut told = faults[..faults.len().min(TOLD)].join("; ");
            if more > 0 {
                told += &format!("; and {more} more");
            }
            let warning = format!("{name} is damaged: {told}; recovered {messages} messages");
            self.contents.warnings.push(warning);
        } else if let Some(reason) = reason {
            let warning = format!("{name} was read through once, since {reason}; it has {messages} messages");
            self.contents.warnings.push(warning);
        }
        self.contents.complete = complete;
        self.contents.message_count = Some(messages);
        self.contents.counts = Some(self.counts);
        self.contents.range = None;
        self.contents.finish();
        Ok(self.contents)
    }
}

/// What stands before the records of a chunk.
pub(super) struct ChunkHead {
    pub(super) compression: String,
    compressed: u64,
    pub(super) uncompressed: u64,
    /// Bytes from the body's beginning to its records.
    pub(super) length: u64,
}

/// Reads the fields of a chunk record before its data; `bytes` begins with opcode and length.
pub(super) fn chunk_head(bytes: &[u8]) -> Option<ChunkHead> {
    let body = bytes.get(9..)?;
    let uncompressed = u64::from_le_bytes(*body.get(16..)?.first_chunk()?);
    let name = to_usize(u64::from(u32::from_le_bytes(*body.get(28..)?.first_chunk()?)));
    let compression = body.get(32..)?.get(..name)?;
    let compressed = u64::from_le_bytes(*body.get(32 + name..)?.first_chunk()?);
    Some(ChunkHead {
        compression: String::from_utf8_lossy(compression).into_owned(),
        compressed,
        uncompressed,
        length: 32 + name as u64 + 8,
    })
}

/// Refuses what is not an MCAP file, naming what it is instead.
pub(super) fn check_magic(decoder: &Decoder) -> Result<(), SourceError> {
    let file = &decoder.file;
    let length = file.size.min(16);
    let start =
        file.read_vec(0, length).map_err(|error| SourceError::Io { name: file.name.clone(), error })?;
    let reason = match start.as_slice() {
        [] => "the file is empty; give the path of an .mcap file that was recorded",
        bytes if bytes.starts_with(MAGIC) => return Ok(()),
        bytes => foreign(bytes).unwrap_or("is not an MCAP file; give the path of an .mcap file"),
    };
    Err(file.unusable(reason))
}

/// What the first bytes (16 are enough) of something else say about it.
pub(super) fn foreign(start: &[u8]) -> Option<&'static str> {
    Some(match start {
        bytes if bytes.starts_with(&MAGIC[..5]) => {
            "is an MCAP file of another version of the format; record or convert it as version 0"
        }
        bytes if bytes.starts_with(b"#ROSBAG V2.0") => {
            "is a ROS 1 bag, not an MCAP file; convert it with 'mcap convert in.bag out.mcap'"
        }
        bytes if bytes.starts_with(b"SQLite format 3") => {
            "is an SQLite file (a ROS 2 .db3 bag?), not an MCAP file; convert it with 'mcap convert in.db3 out.mcap'"
        }
        [0x28, 0xB5, 0x2F, 0xFD, ..] => "is compressed with zstd; decompress it first with 'zstd -d'",
        [0x1F, 0x8B, ..] => "is compressed with gzip; decompress it first with 'gunzip'",
        [0x04, 0x22, 0x4D, 0x18, ..] => "is compressed with lz4; decompress it first with 'lz4 -d'",
        _ => return None,
    })
}
