//! A recording from the outside, for `info`.

use std::path::Path;
use std::sync::Arc;

use super::{scan, survey};
use crate::source::bytes::{LocalFile, RangeRead};
use crate::source::mcap::chunk::Unpacker;
use crate::source::summary::{ChannelSummary, ChunkSummary, RecordingSummary};
use crate::source::{Order, ScanProgress, SourceError};

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
    let counts = survey.counts.unwrap_or_else(|| vec![0; survey.channels.len()]);
    let message_count = counts.iter().sum();
    let channels = survey.channels.into_iter().zip(counts).map(|(channel, message_count)| {
        let (id, channel) = (channel.id, channel.channel);
        ChannelSummary {
            id,
            topic: channel.topic,
            message_encoding: channel.message_encoding,
            schema_name: channel.schema.as_ref().map(|schema| schema.name.clone()),
            schema_encoding: channel.schema.as_ref().map(|schema| schema.encoding.clone()),
            message_count,
            metadata: channel.metadata,
        }
    });
    let chunks = survey.chunks.into_iter().map(|(compression, totals)| ChunkSummary {
        compression,
        count: totals.count,
        compressed_bytes: totals.compressed,
        uncompressed_bytes: totals.uncompressed,
    });
    Ok(RecordingSummary {
        library: survey.library,
        profile: survey.profile,
        size_bytes: file.size(),
        complete: survey.complete,
        range: survey.range,
        message_count,
        channels: channels.collect(),
        chunks: chunks.collect(),
        attachments: survey.attachments,
        metadata: survey.metadata,
        warnings: survey.warnings,
    })
}
