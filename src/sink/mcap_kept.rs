//! What recordings have beside their messages: profile, attachments and metadata. A recording of what is played keeps
//! them. They are found by the index of a file; those of a file without one are left out.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use mcap::records::{AttachmentIndex, MetadataIndex, Record, op};

use crate::model::{Attachment, Metadata};
use crate::time::Timestamp;

/// Before and after the records of a file.
const MAGIC: &[u8] = b"\x89MCAP0\r\n";

/// Opcode and length of a record.
const HEAD: usize = 9;
const RECORD_HEADER: u64 = HEAD as u64;

/// The footer with what is around it: two places, a CRC.
const FOOTER: u64 = RECORD_HEADER + 20;

/// The largest header, index or metadata that is read; rosbag2 writes megabytes of metadata.
const LARGEST: u64 = 64 << 20;

/// The largest attachment that is kept: it is held in memory for a moment.
const LARGEST_ATTACHMENT: u64 = 256 << 20;

/// What is kept of the recordings that are played.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Of all of them, if it is one.
    pub(super) profile: String,
    /// Each once.
    pub(super) metadata: Vec<Metadata>,
    attachments: Vec<(PathBuf, AttachmentIndex)>,
}

impl Kept {
    /// Looks into the files. What can't be read is left out with a warning.
    pub(super) fn of(files: &[PathBuf]) -> Self {
        let mut kept = Self::default();
        for (number, path) in files.iter().enumerate() {
            let found = File::open(path).and_then(|mut file| Found::read(&mut file));
            let Found { profile, metadata, attachments } = found.unwrap_or_else(|error| {
                tracing::warn!(
                    "{}: attachments and metadata are not kept in the recording: {error}",
                    path.display()
                );
                Found::default()
            });
            if number == 0 {
                kept.profile = profile;
            } else if kept.profile != profile {
                kept.profile.clear();
            }
            let new = metadata.into_iter().filter(|metadata| !kept.metadata.contains(metadata));
            let new: Vec<_> = new.collect();
            kept.metadata.extend(new);
            kept.attachments.extend(attachments.into_iter().map(|index| (path.clone(), index)));
        }
        kept
    }

    /// Calls `write` with each attachment; one that can't be read is left out with a warning.
    pub(super) fn for_each_attachment<E>(
        &self,
        mut write: impl FnMut(Attachment) -> Result<(), E>,
    ) -> Result<(), E> {
        for (path, index) in &self.attachments {
            let read = File::open(path).and_then(|mut file| {
                let body = record(&mut file, index.offset, op::ATTACHMENT, LARGEST_ATTACHMENT)?;
                match parse(op::ATTACHMENT, &body)? {
                    Record::Attachment { header, data, crc } => Ok((header, data.into_owned(), crc)),
                    _ => Err(damaged()),
                }
            });
            match read {
                Ok((header, data, crc)) => write(Attachment {
                    log_time: Timestamp(header.log_time),
                    create_time: Timestamp(header.create_time),
                    name: header.name,
                    media_type: header.media_type,
                    data: data.into(),
                    crc,
                })?,
                Err(error) => tracing::warn!(
                    "{}: the attachment {} is not kept in the recording: {error}",
                    path.display(),
                    index.name
                ),
            }
        }
        Ok(())
    }
}

/// The same of one file.
#[derive(Debug, Default)]
struct Found {
    profile: String,
    metadata: Vec<Metadata>,
    attachments: Vec<AttachmentIndex>,
}

impl Found {
    fn read(file: &mut File) -> io::Result<Self> {
        let mut found = Self::default();
        let header = record(file, MAGIC.len() as u64, op::HEADER, LARGEST)?;
        if let Record::Header(header) = parse(op::HEADER, &header)? {
            found.profile = header.profile;
        }
        let end = file.seek(SeekFrom::End(0))?;
        let footer_at = end.checked_sub(FOOTER + MAGIC.len() as u64).ok_or_else(damaged)?;
        let footer = record(file, footer_at, op::FOOTER, FOOTER)?;
        let Record::Footer(footer) = parse(op::FOOTER, &footer)? else { return Err(damaged()) };
        if footer.summary_start == 0 {
            return Ok(found);
        }
        let length = footer_at.checked_sub(footer.summary_start).filter(|length| *length <= LARGEST);
        let summary = bytes(file, footer.summary_start, length.ok_or_else(damaged)?)?;
        let mut places: Vec<MetadataIndex> = Vec::new();
        let mut rest = summary.as_slice();
        while let Some((head, after)) = rest.split_first_chunk::<HEAD>() {
            let (opcode, length) = (head[0], length_of(*head));
            let length = usize::try_from(length).ok().filter(|length| *length <= after.len());
            let (body, next) = after.split_at(length.ok_or_else(damaged)?);
            match opcode {
                op::ATTACHMENT_INDEX | op::METADATA_INDEX => match parse(opcode, body)? {
                    Record::AttachmentIndex(index) => found.attachments.push(index),
                    Record::MetadataIndex(index) => places.push(index),
                    _ => {}
                },
                _ => {}
            }
            rest = next;
        }
        for place in places {
            let body = record(file, place.offset, op::METADATA, LARGEST)?;
            if let Record::Metadata(metadata) = parse(op::METADATA, &body)? {
                found.metadata.push(Metadata { name: metadata.name, values: metadata.metadata });
            }
        }
        Ok(found)
    }
}

/// The body of the record at this place, if it is of this kind and has at most `limit` bytes.
fn record(file: &mut File, at: u64, opcode: u8, limit: u64) -> io::Result<Vec<u8>> {
    let head = bytes(file, at, RECORD_HEADER)?;
    let head: [u8; HEAD] = head.try_into().map_err(|_error| damaged())?;
    let length = length_of(head);
    if head[0] != opcode {
        return Err(damaged());
    }
    if length > limit {
        return Err(io::Error::other(format!("it has more than {} MiB", limit >> 20)));
    }
    bytes(file, at + RECORD_HEADER, length)
}

fn length_of(head: [u8; HEAD]) -> u64 {
    let [_, length @ ..] = head;
    u64::from_le_bytes(length)
}

fn bytes(file: &mut File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    if file.take(length).read_to_end(&mut bytes)? as u64 == length { Ok(bytes) } else { Err(damaged()) }
}

fn parse(opcode: u8, body: &[u8]) -> io::Result<Record<'_>> {
    mcap::parse_record(opcode, body).map_err(io::Error::other)
}

fn damaged() -> io::Error {
    io::Error::other("its index is missing or damaged")
}
