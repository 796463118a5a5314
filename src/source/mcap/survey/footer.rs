//! Finds the summary section by the footer at the end of a file.

use mcap::records::op;

use super::Unused;
use crate::source::bytes::RangeRead;
use crate::source::mcap::fields::FooterRecord;
use crate::source::mcap::records::{MAGIC, MAX_IN_MEMORY, RECORD_HEADER, read_vec, record_header};

/// Footer record and the magic after it, bytes.
const TAIL: u64 = RECORD_HEADER + 20 + 8;

/// Where the summary section begins, and its bytes up to the end of the file; or why it is not to be used.
pub(super) fn find_section(file: &dyn RangeRead) -> Result<(u64, Vec<u8>), Unused> {
    let io = |error: std::io::Error| error.to_string();
    if file.size() < 8 + TAIL {
        return Err("it has no summary".into());
    }
    let tail = read_vec(file, file.size() - TAIL, TAIL).map_err(io)?;
    if !tail.ends_with(MAGIC) {
        return Err("it does not end as a recording does".into());
    }
    let footer = match (record_header(&tail), FooterRecord::decode(&tail[9..29])) {
        (Some((op::FOOTER, 20)), Some(footer)) => footer,
        // a footer with fields from a later version of the format is longer
        _ => find_padded_footer(file).ok_or("it has no footer")?,
    };
    if footer.summary_start == 0 {
        return Err("it has no summary".into());
    }
    if footer.summary_start < 8 || footer.summary_start > file.size() - TAIL {
        return Err(Unused::damaged("its footer points outside of the file"));
    }
    let length = file.size() - footer.summary_start;
    if length > MAX_IN_MEMORY {
        return Err("its summary is larger than 1 GiB".into());
    }
    let section = read_vec(file, footer.summary_start, length).map_err(io)?;
    check_crc(&section, &footer)?;
    Ok((footer.summary_start, section))
}

/// The conformance suite has recordings in which every record is longer than known fields, the footer too.
fn find_padded_footer(file: &dyn RangeRead) -> Option<FooterRecord> {
    const SEARCHED: u64 = 256;
    let length = file.size().min(SEARCHED);
    let bytes = read_vec(file, file.size() - length, length).ok()?;
    let end = bytes.len() - 8;
    (0..end.checked_sub(29)?).rev().find_map(|at| match record_header(&bytes[at..])? {
        (op::FOOTER, length) if at as u64 + RECORD_HEADER + length == end as u64 => {
            FooterRecord::decode(&bytes[at + 9..end])
        }
        _ => None,
    })
}

/// Checks the summary's CRC, if it has one: it covers everything up to itself in the footer.
fn check_crc(section: &[u8], footer: &FooterRecord) -> Result<(), Unused> {
    let covered = section.len() - 8 - 4;
    if footer.summary_crc == 0 || crc32fast::hash(&section[..covered]) == footer.summary_crc {
        return Ok(());
    }
    // in a footer with unknown fields at its end the CRC lies before them
    let crc = footer.summary_crc.to_le_bytes();
    let found = section[..covered].windows(4).rposition(|window| window == crc);
    match found {
        Some(at) if crc32fast::hash(&section[..at]) == footer.summary_crc => Ok(()),
        _ => Err(Unused::damaged("its summary is damaged (CRC)")),
    }
}
