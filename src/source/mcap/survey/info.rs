//! A recording from the outside, for `info`.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::tally::Tally;
use super::{Method, Survey, check_magic, scan, summary as section, survey, times};
use crate::printable::counted;
use crate::source::bytes::{LocalFile, RangeRead};
use crate::source::mcap::chunk::Unpacker;
use crate::source::paths::file_name;
use crate::source::summary::{ChannelSummary, ChunkSummary, Format, RecordingSummary};
use crate::source::{Order, ScanProgress, SourceError};
use crate::time::{TimeRange, Timestamp};

/// See [`crate::source::recording_summary`].
pub(in crate::source) fn summary(
    path: &Path,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<RecordingSummary, SourceError> {
    let file = LocalFile::open(path)?;
    let pool = Arc::default();
    let mut survey = survey(&file, &pool, Order::Log, progress)?;
    if survey.counts.is_none() && survey.range.is_some() {
        survey = scan::scan(&file, Unpacker::new(pool), Order::Log, None, progress)?;
    }
    let times = match survey.method {
        Method::Summary => times::by_channel(&file, &survey.index),
        Method::Scan => None,
    };
    let time_of = |id| times.as_ref().and_then(|times| times.get(&id)).copied();
    Ok(conclude(survey, file.size(), time_of))
}

/// See [`crate::source::recording_check`].
pub(in crate::source) fn check(
    path: &Path,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<RecordingSummary, SourceError> {
    let file = LocalFile::open(path)?;
    check_magic(&file)?;
    let (said, unused) = match section::read(&file) {
        Ok(said) => (Some(said), None),
        Err(unused) => (None, Some(unused)),
    };
    let mut found = scan::verify(&file, Unpacker::default(), unused, progress)?;
    if let Some(difference) = said.and_then(|said| difference(&said, &found)) {
        found.warnings.push(format!("{}: {difference}", file_name(path)));
        found.damage.push(difference);
    }
    let mut summary = conclude(found, file.size(), |_id| None);
    summary.checked = true;
    Ok(summary)
}

/// The summary of an MCAP stream, which is read to its end.
pub(in crate::source) fn stream_summary(
    name: &str,
    read: impl Read,
) -> Result<RecordingSummary, SourceError> {
    let found = scan::verify_stream(name, read)?;
    let size = found.size;
    let mut summary = conclude(found, size, |_id| None);
    summary.checked = true;
    Ok(summary)
}

/// How what a file's summary counts differs from what is there.
fn difference(said: &Survey, found: &Survey) -> Option<String> {
    let count = |survey: &Survey| survey.message_count.unwrap_or(0);
    let whole = said.message_count.filter(|said| *said != count(found));
    if let Some(whole) = whole {
        let (said, found) = (counted(whole, "message"), count(found));
        return Some(format!("its summary counts {said}, but {found} can be read"));
    }
    let of_channels = said.counts.iter().zip(&found.counts).find(|(said, found)| said != found);
    of_channels
        .map(|_| "its summary counts other numbers of messages of some channels than can be read".into())
}

/// `time_of`: when the first and last message of a channel were logged, where that is known and not counted.
fn conclude(survey: Survey, size_bytes: u64, time_of: impl Fn(u16) -> Option<TimeRange>) -> RecordingSummary {
    let counts = survey.counts.unwrap_or_else(|| vec![0; survey.channels.len()]);
    let message_count = counts.iter().sum();
    let tallies = survey.tallies.unwrap_or_default();
    let of_channels = survey.channels.into_iter().zip(counts).enumerate();
    let channels = of_channels.map(|(number, (channel, message_count))| {
        let (id, channel) = (channel.id, channel.channel);
        let tally = tallies.get(number);
        let span = tally.and_then(Tally::span);
        let range = span.map(|(start, end)| TimeRange { start: Timestamp(start), end: Timestamp(end) });
        ChannelSummary {
            id: id.into(),
            topic: channel.topic,
            message_encoding: channel.message_encoding,
            schema_name: channel.schema.as_ref().map(|schema| schema.name.clone()),
            schema_encoding: channel.schema.as_ref().map(|schema| schema.encoding.clone()),
            message_count,
            payload_bytes: tally.map(|tally| tally.bytes),
            range: range.or_else(|| time_of(id)),
            latched: channel.latched,
            metadata: channel.metadata,
        }
    });
    let chunks = survey.chunks.into_iter().map(|(compression, totals)| ChunkSummary {
        compression,
        count: totals.count,
        compressed_bytes: totals.compressed,
        uncompressed_bytes: totals.uncompressed,
    });
    RecordingSummary {
        format: Format::Mcap,
        library: survey.library,
        profile: survey.profile,
        size_bytes,
        complete: survey.complete,
        checked: false,
        range: survey.range,
        message_count,
        channels: channels.collect(),
        chunks: chunks.collect(),
        attachments: survey.attachments.into_iter().map(|attachment| attachment.summary).collect(),
        metadata: survey.metadata,
        warnings: survey.warnings,
        damage: survey.damage,
    }
}
