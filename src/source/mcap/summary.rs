//! What an MCAP file holds, found out by the quickest way that can be trusted.

use std::path::Path;
use std::sync::Arc;

use super::chunk::{Decoder, Pool};
use super::contents::{Contents, RandomFile};
use super::{index, scan};
use crate::source::summary::{ChannelSummary, ChunkSummary, RecordingSummary};
use crate::source::{Order, ScanProgress, SourceError};

/// What was found, and how.
pub(super) struct Found {
    pub(super) decoder: Decoder,
    pub(super) contents: Contents,
    /// The file had to be read through.
    pub(super) scanned: bool,
}

/// Finds out what a file holds: by its summary if that will do, else by reading it through.
pub(super) fn contents(
    file: RandomFile,
    pool: &Arc<Pool>,
    order: Order,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<Found, SourceError> {
    let decoder = Decoder::new(file, pool.clone());
    scan::check_magic(&decoder)?;
    let reason = match index::read(&decoder.file) {
        Ok(contents) if order == Order::Log => return Ok(Found { decoder, contents, scanned: false }),
        // publish times are not in any index
        Ok(_) => None,
        Err(reason) => Some(reason),
    };
    let contents = scan::scan(&decoder, order, reason, progress)?;
    Ok(Found { decoder, contents, scanned: true })
}

/// See [`crate::source::recording_summary`].
pub(in crate::source) fn summary(
    path: &Path,
    order: Order,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<RecordingSummary, SourceError> {
    let Found { decoder, mut contents, .. } =
        contents(RandomFile::open(path)?, &Arc::default(), order, progress)?;
    if contents.counts.is_none() && contents.range.is_some() {
        contents = scan::scan(&decoder, order, None, progress)?;
    }
    let counts = contents.counts.unwrap_or_default();
    let channels = contents.channels.values().map(|channel| {
        let schema = contents.schemas.get(&channel.schema_id);
        ChannelSummary {
            id: channel.id,
            topic: channel.topic.clone(),
            message_encoding: channel.message_encoding.clone(),
            schema_name: schema.map(|schema| schema.name.clone()),
            schema_encoding: schema.map(|schema| schema.encoding.clone()),
            message_count: counts.get(&channel.id).copied().unwrap_or(0),
            metadata: channel.metadata.clone(),
        }
    });
    let chunks = contents.chunks.iter().map(|(compression, totals)| ChunkSummary {
        compression: compression.clone(),
        count: totals.count,
        compressed_bytes: totals.compressed,
        uncompressed_bytes: totals.uncompressed,
    });
    Ok(RecordingSummary {
        library: contents.library,
        profile: contents.profile,
        size_bytes: decoder.file.size,
        complete: contents.complete,
        range: contents.range,
        message_count: counts.values().sum(),
        channels: channels.collect(),
        chunks: chunks.collect(),
        attachments: contents.attachments,
        metadata: contents.metadata,
        warnings: contents.warnings,
    })
}
