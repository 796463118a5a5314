//! `info`: what is in a recording, for people or as JSON.

use crate::cli::logging::LogOutput;
use foxglove_bridge::source::recording_summary;
use foxglove_bridge::source::summary::RecordingSummary;

use super::args::InfoArgs;
use super::progress::ScanBar;
use super::{Failure, print};

mod json;
mod text;

/// Prints what is in the file.
pub(crate) fn run(args: &InfoArgs, progress: bool, log: &LogOutput) -> Result<(), Failure> {
    let name = args.file.display().to_string();
    let mut bar = progress.then(|| ScanBar::new(&name, log));
    let summary = recording_summary(&args.file, &mut |done| {
        if let Some(bar) = &mut bar {
            bar.update(done);
        }
    });
    drop(bar);
    let summary = summary.map_err(|error| Failure::Input(error.into()))?;
    print(&if args.json { json::render(&name, &summary) } else { text::render(&name, &summary) })
}

/// Of a shorter recording, in seconds, a rate says nothing.
const SHORTEST: f64 = 0.01;

/// Messages a second of a channel, on average over the recording; None where that says nothing.
fn rate(summary: &RecordingSummary, messages: u64) -> Option<f64> {
    let seconds = summary.range?.duration().as_secs_f64();
    (messages > 1 && seconds >= SHORTEST).then(|| messages as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use foxglove_bridge::source::summary::{
        AttachmentSummary, ChannelSummary, ChunkSummary, MetadataSummary,
    };
    use foxglove_bridge::time::{TimeRange, Timestamp};

    use super::*;

    /// A small recording with something of everything.
    pub(super) fn summary() -> RecordingSummary {
        let start = Timestamp(1_767_261_600_000_000_000);
        let texts = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        RecordingSummary {
            library: "recorder 1.0".to_owned(),
            profile: "ros2".to_owned(),
            size_bytes: 14_046_889,
            complete: true,
            range: Some(TimeRange { start, end: Timestamp(start.nanos() + 20_000_000_000) }),
            message_count: 1003,
            channels: vec![
                ChannelSummary {
                    id: 1,
                    topic: "/tf".to_owned(),
                    message_encoding: "protobuf".to_owned(),
                    schema_name: Some("foxglove.FrameTransforms".to_owned()),
                    schema_encoding: Some("protobuf".to_owned()),
                    message_count: 1002,
                    ..ChannelSummary::default()
                },
                ChannelSummary {
                    id: 12,
                    topic: "/map".to_owned(),
                    message_encoding: "json".to_owned(),
                    message_count: 1,
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
            attachments: vec![AttachmentSummary {
                name: "rover.urdf".to_owned(),
                media_type: "application/xml".to_owned(),
                size_bytes: 143,
                log_time: start,
            }],
            metadata: vec![MetadataSummary {
                name: "drive".to_owned(),
                values: texts(&[("robot", "rover"), ("site", "48.1,11.5")]),
            }],
            ..RecordingSummary::default()
        }
    }

    #[test]
    fn a_rate_needs_two_messages_and_time_between_them() {
        assert_eq!(rate(&summary(), 1000), Some(50.0));
        assert_eq!(rate(&summary(), 1), None);
        let start = Timestamp(5);
        let range = Some(TimeRange { start, end: Timestamp(start.nanos() + 6) });
        assert_eq!(rate(&RecordingSummary { range, ..summary() }, 5), None, "in a few ns");
        assert_eq!(rate(&RecordingSummary { range: None, ..summary() }, 5), None);
    }
}
