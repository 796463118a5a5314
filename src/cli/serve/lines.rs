//! Sources of JSON lines: files, and streams that share their channels.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use foxglove_bridge::pattern::TopicPattern;
use foxglove_bridge::payload::Types;
use foxglove_bridge::registry::Registry;
use foxglove_bridge::source::json_lines::{
    InputCounts, JsonLines, JsonLinesOptions, LineForm, Tail, TailFrom, is_file_of_lines, open_recording,
};
use foxglove_bridge::source::live::LiveChannels;
use foxglove_bridge::source::{Incoming, Recording, ScanProgress, SourceError, Stop, Stream};

use super::hints;
use super::names::name_of;
use crate::cli::config::ServeOptions;
use crate::cli::logging::LogOutput;
use crate::cli::progress::ScanBar;

/// Makes streams of JSON lines; their channels are shared.
#[derive(Clone)]
pub(super) struct Lines {
    options: Arc<JsonLinesOptions>,
    channels: Arc<LiveChannels>,
    /// Of all inputs.
    counts: Arc<InputCounts>,
}

/// Whether a file that is named holds JSON lines, or what its user says are lines.
pub(in crate::cli) fn holds_lines(file: &OsStr, options: &JsonLinesOptions) -> bool {
    let path = Path::new(file);
    let is_mcap = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("mcap"));
    let is_said = options.form != LineForm::Keyed && path.is_file() && !is_mcap;
    is_said || is_file_of_lines(path)
}

impl Lines {
    pub(super) fn new(options: &ServeOptions, registry: &Registry) -> anyhow::Result<Self> {
        let types = Arc::new(Types::load(&options.types).map_err(|error| hints::of_types(&error))?);
        let (topics, lines) = (options.recording.topics.clone(), &options.json_lines);
        let channels =
            LiveChannels::new(topics, types, &lines.schemas, registry.clone()).context("--schema")?;
        Ok(Self { options: Arc::new(lines.clone()), channels, counts: Arc::default() })
    }

    /// What was read of all inputs so far.
    pub(super) fn counts(&self) -> &Arc<InputCounts> {
        &self.counts
    }

    /// Files of lines as a recording.
    pub(super) fn recording(
        &self,
        files: &[OsString],
        options: &ServeOptions,
        log: &LogOutput,
    ) -> anyhow::Result<Box<dyn Recording>> {
        let mut scan = ScanBar::new(&name_of(files), log);
        let paths: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let progress = &mut |progress| scan.update(progress);
        open_recording(&paths, &self.options, &self.channels, hints::with_flags, &options.recording, progress)
            .map_err(hints::with_way_out)
    }

    /// A file of lines that still grows; `latched`: topics that the user latches.
    pub(super) fn tail(
        &self,
        path: &Path,
        from: TailFrom,
        latched: &[TopicPattern],
        stop: &Stop,
        progress: &mut dyn FnMut(ScanProgress),
    ) -> Result<Box<dyn Stream>, SourceError> {
        let (name, tail) = (path.display().to_string(), Tail::open(path, from, stop)?);
        let lines = JsonLines::new(name, tail, stop, self.options.clone(), self.channels.clone());
        let mut lines = lines.with_hints(hints::with_flags).with_totals(self.counts.clone());
        lines.read_past(latched, progress);
        Ok(Box::new(lines))
    }

    /// Of which commands alone are taken.
    pub(super) fn commands_only(&self) -> Self {
        let options =
            JsonLinesOptions { form: LineForm::Commands, default_topic: None, ..(*self.options).clone() };
        Self { options: Arc::new(options), ..self.clone() }
    }

    pub(super) fn of(&self, name: String, incoming: Incoming, pace: Pace) -> JsonLines<Incoming> {
        let stop = incoming.stop().clone();
        let lines = JsonLines::new(name, incoming, &stop, self.options.clone(), self.channels.clone());
        let lines = lines.with_hints(hints::with_flags).with_totals(self.counts.clone());
        if pace == Pace::ByTime { lines.paced() } else { lines }
    }
}

/// When lines are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// As they come in.
    AsTheyCome,
    /// By their log time.
    ByTime,
}
