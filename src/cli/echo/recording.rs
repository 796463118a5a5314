//! Messages of a recording, as fast as stdout takes them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use foxglove_bridge::client::Message;
use foxglove_bridge::internals::printable;
use foxglove_bridge::model::{Channel, ChannelId};
use foxglove_bridge::pattern::{TopicFilter, TopicPattern};
use foxglove_bridge::payload::{TypeOptions, Types};
use foxglove_bridge::registry::Registry;
use foxglove_bridge::source::json_lines::{JsonLinesOptions, is_file_of_lines, open_recording};
use foxglove_bridge::source::live::LiveChannels;
use foxglove_bridge::source::{
    self, ErrorKind, RangeMiss, Recording, RecordingOptions, SourceError, TopicRules,
};

use super::{Printer, Wanted};
use crate::cli::args::EchoArgs;
use crate::cli::serve::hints;
use crate::cli::unmatched::{self, Where};
use crate::cli::{Failure, LONGEST_ERROR};

pub(super) fn print(
    args: &EchoArgs,
    topics: Vec<TopicPattern>,
    printer: &mut Printer,
) -> Result<(), Failure> {
    let filter = TopicFilter { include: topics.clone(), exclude: Vec::new() };
    let rules = TopicRules { filter, ..TopicRules::default() };
    let options =
        RecordingOptions { topics: rules, start: args.start, end: args.end, ..RecordingOptions::default() };
    let registry = Registry::default();
    let mut recording = open(&args.source, &options, &registry).map_err(Failure::Input)?;
    let mut channels: HashMap<ChannelId, Arc<Channel>> = HashMap::new();
    for warning in &recording.info().warnings {
        tracing::warn!("{}", printable(warning, LONGEST_ERROR));
    }
    let known = &recording.info().topics;
    if !known.is_empty() {
        unmatched::warn(&topics, known, Where::Recording);
    }
    let mut is_damaged = has_known_damage(&*recording, args);
    loop {
        let batch = match recording.next() {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(error) if error.kind() == ErrorKind::Skipped => {
                is_damaged = true;
                tracing::warn!("{}", printable(&error.to_string(), LONGEST_ERROR));
                continue;
            }
            Err(error) => return Err(Failure::Runtime(hints::of_recording(error))),
        };
        for entry in &batch.entries {
            let known = channels.get(&entry.channel).cloned().or_else(|| registry.channel(entry.channel));
            let Some(channel) = known else { continue };
            channels.entry(entry.channel).or_insert_with(|| channel.clone());
            let message = Message { channel, log_time: entry.log_time, payload: batch.payload_bytes(entry) };
            if printer.message(&message)? == Wanted::Nothing {
                return Ok(());
            }
        }
    }
    printer.flush()?;
    if is_damaged { Err(Failure::Damaged) } else { printer.end() }
}

/// Whether it was found to be damaged when it was opened, in the part that is printed.
fn has_known_damage(recording: &dyn Recording, args: &EchoArgs) -> bool {
    let Some((overview, whole)) = recording.overview().zip(recording.info().whole) else { return false };
    let start = args.start.map_or(whole.start, |time| time.resolve(whole.start));
    let end = args.end.map_or(whole.end, |time| time.resolve(whole.start));
    overview.timeline(1).damaged.iter().any(|part| part.range.start <= end && part.range.end >= start)
}

/// Adds what to change, by the arguments of `echo`.
fn with_way_out(error: SourceError) -> anyhow::Error {
    match error {
        SourceError::NoTopic { .. } => anyhow!("{error}; name one of them, or none for all"),
        SourceError::OutOfRange { miss: RangeMiss::EndsBefore { .. }, .. } => {
            anyhow!("{error}; change --end")
        }
        error => hints::of_recording(error),
    }
}

/// An MCAP file, a folder of them, or a file of JSON lines.
fn open(path: &str, options: &RecordingOptions, registry: &Registry) -> anyhow::Result<Box<dyn Recording>> {
    let path = PathBuf::from(path);
    if !is_file_of_lines(&path) {
        return source::open(&[path], options, registry, &mut |_progress| {}).map_err(with_way_out);
    }
    let lines = Arc::new(JsonLinesOptions::default());
    let types = Arc::new(Types::load(&TypeOptions::default())?);
    let channels = LiveChannels::new(options.topics.clone(), types, &lines.schemas, registry.clone())?;
    open_recording(&[path], &lines, &channels, hints::with_flags, options, &mut |_progress| {})
        .map_err(hints::with_way_out)
}
