//! What tests look at.

use foxglove_bridge::source::summary::{
    AttachmentSummary, ChannelSummary, ChunkPlace, ChunkSummary, MetadataSummary, RecordingSummary,
};
use foxglove_bridge::time::{TimeRange, Timestamp};

/// A small recording with something of everything.
pub(super) fn summary() -> RecordingSummary {
    let start = Timestamp(1_767_261_600_000_000_000);
    let after = |millis: u64| Timestamp(start.nanos() + millis * 1_000_000);
    let texts = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    RecordingSummary {
        library: "recorder 1.0".to_owned(),
        profile: "ros2".to_owned(),
        size_bytes: 14_046_889,
        complete: true,
        range: Some(TimeRange { start, end: after(20_000) }),
        longest_gap: Some(TimeRange { start: after(3_000), end: after(5_500) }),
        message_count: 1003,
        channels: vec![
            ChannelSummary {
                id: 1,
                topic: "/tf".to_owned(),
                message_encoding: "protobuf".to_owned(),
                schema_name: Some("foxglove.FrameTransforms".to_owned()),
                schema_encoding: Some("protobuf".to_owned()),
                message_count: 1002,
                payload_bytes: Some(20_040),
                range: Some(TimeRange { start, end: after(20_000) }),
                longest_gap: Some(TimeRange { start: after(2_000), end: after(6_000) }),
                ..ChannelSummary::default()
            },
            ChannelSummary {
                id: 12,
                topic: "/map".to_owned(),
                message_encoding: "json".to_owned(),
                message_count: 1,
                range: Some(TimeRange { start: after(2500), end: after(2500) }),
                latched: true,
                metadata: texts(&[("latching", "true")]),
                ..ChannelSummary::default()
            },
        ],
        chunks: vec![ChunkSummary {
            compression: "zstd".to_owned(),
            count: 23,
            compressed_bytes: 14_000_000,
            uncompressed_bytes: 28_000_000,
        }],
        chunk_index: vec![
            ChunkPlace {
                offset: 42,
                length_bytes: 1000,
                uncompressed_bytes: 2000,
                range: TimeRange { start, end: after(10_000) },
                message_count: Some(600),
            },
            ChunkPlace {
                offset: 1100,
                length_bytes: 13_000_000,
                uncompressed_bytes: 28_000_000,
                range: TimeRange { start: after(9_900), end: after(20_000) },
                message_count: None,
            },
        ],
        attachments: vec![AttachmentSummary {
            name: "rover.urdf".to_owned(),
            media_type: "application/xml".to_owned(),
            size_bytes: 143,
            log_time: start,
            create_time: Timestamp(start.nanos() - 1_000_000_000),
            offset: 14_000_900,
            crc: None,
        }],
        metadata: vec![MetadataSummary {
            name: "drive".to_owned(),
            offset: 14_001_200,
            values: texts(&[("robot", "rover"), ("site", "48.1,11.5")]),
        }],
        ..RecordingSummary::default()
    }
}
