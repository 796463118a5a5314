//! A recording from the outside, for `info`.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::gaps::Gaps;
use super::index::{Index, Segment};
use super::tally::Tally;
use super::{Method, Survey, check_magic, compare, scan, summary as section, survey, times};
use crate::source::bytes::{LocalFile, RangeRead};
use crate::source::mcap::chunk::Unpacker;
use crate::source::paths::file_name;
use crate::source::summary::{ChannelSummary, ChunkPlace, ChunkSummary, Format, RecordingSummary, distinct};
use crate::source::{Order, ScanProgress, SourceError};
use crate::time::{TimeRange, Timestamp};

/// Files that are read whole for the sizes of their channels have at most so many bytes, in the file and unpacked together.
const READ_WHOLE: u64 = 64 << 20;

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
    if survey.method == Method::Summary && is_small(&survey, file.size()) {
        read_sizes(&mut survey, &file, progress);
    }
    let (times, gaps) = match survey.tallies {
        Some(_) => Default::default(),
        None => (times::by_channel(&file, &survey.index), Gaps::by_index(&file, &survey.index)),
    };
    let (times, gaps) = (times.unwrap_or_default(), gaps.unwrap_or_default());
    survey.gap = survey.gap.or(gaps.of_all);
    let known = |id| (times.get(&id).copied(), gaps.of_channels.get(&id).copied());
    Ok(conclude(survey, file.size(), known))
}

/// Whether reading all of it takes no time that anybody notices.
fn is_small(survey: &Survey, size: u64) -> bool {
    let unpacked: u64 =
        survey.chunks.values().map(|chunks| chunks.uncompressed).fold(size, u64::saturating_add);
    unpacked <= READ_WHOLE
}

/// Reads a small file for what its summary does not say of each channel: sizes and gaps. What is damaged is not looked for:
/// where other messages are found than the summary counts, nothing is taken.
fn read_sizes(survey: &mut Survey, file: &LocalFile, progress: &mut dyn FnMut(ScanProgress)) {
    let Ok(found) = scan::scan(file, Unpacker::default(), Order::Log, None, progress) else { return };
    let ids = |survey: &Survey| survey.channels.iter().map(|channel| channel.id).collect::<Vec<_>>();
    if found.counts == survey.counts && ids(&found) == ids(survey) {
        (survey.tallies, survey.gap) = (found.tallies, found.gap);
    }
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
    if let Some(said) = said {
        let name = file_name(path);
        if let Some(difference) = compare::counts(&said, &found) {
            found.warnings.push(format!("{name}: {difference}"));
            found.damage.push(difference);
        }
        let faults = compare::chunks(&said.index, &found.index);
        if !faults.is_empty() {
            found.warnings.push(format!("{name}: its index is wrong: {faults}"));
            found.damage.extend(faults.into_list());
        }
    }
    let mut summary = conclude(found, file.size(), |_id| (None, None));
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
    let mut summary = conclude(found, size, |_id| (None, None));
    summary.checked = true;
    Ok(summary)
}

/// `known`: when the first and last message of a channel were logged, and its longest gap, where that is known and not
/// counted.
fn conclude(
    survey: Survey,
    size_bytes: u64,
    known: impl Fn(u16) -> (Option<TimeRange>, Option<TimeRange>),
) -> RecordingSummary {
    let counts = survey.counts.unwrap_or_else(|| vec![0; survey.channels.len()]);
    let message_count = counts.iter().sum();
    let tallies = survey.tallies.unwrap_or_default();
    let mut payloads = survey.payloads.unwrap_or_default().into_iter();
    let of_channels = survey.channels.iter().filter_map(|channel| channel.channel.schema.as_ref());
    let schemas = distinct(of_channels.chain(&survey.unused_schemas));
    let chunk_index = chunk_index(&survey.index);
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
            range: range.or_else(|| known(id).0),
            longest_gap: tally.map_or_else(|| known(id).1, Tally::gap),
            payloads: payloads.next().map(|check| check.of_messages(message_count)),
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
        longest_gap: survey.gap,
        message_count,
        channels: channels.collect(),
        schemas,
        chunks: chunks.collect(),
        chunk_index,
        attachments: survey.attachments.into_iter().map(|attachment| attachment.summary).collect(),
        metadata: survey.metadata,
        warnings: survey.warnings,
        damage: survey.damage,
    }
}

/// The chunks as they lie in the file.
fn chunk_index(index: &Index) -> Vec<ChunkPlace> {
    let chunks = index.segments.iter().filter(|segment| segment.is_chunk);
    let place = |segment: &Segment| ChunkPlace {
        offset: segment.offset,
        length_bytes: segment.length,
        uncompressed_bytes: segment.size,
        range: TimeRange { start: Timestamp(segment.start), end: Timestamp(segment.end) },
        message_count: segment
            .counted
            .then(|| index.presence_of(segment).iter().map(|presence| u64::from(presence.count)).sum()),
    };
    let mut places: Vec<ChunkPlace> = chunks.map(place).collect();
    places.sort_unstable_by_key(|place| place.offset);
    places
}
