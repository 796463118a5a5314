//! What is served: recordings and live input. Opened as far as that can be done before anybody connects.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use crate::cli::config::ServeOptions;
use crate::cli::logging::LogOutput;
use anyhow::{Context, anyhow, bail};
use foxglove_bridge::input::listen::Listener;
use foxglove_bridge::payload::Types;
use foxglove_bridge::playback::TimeShift;
use foxglove_bridge::registry::Registry;
use foxglove_bridge::source::json_lines::{JsonLines, JsonLinesOptions};
use foxglove_bridge::source::live::LiveChannels;
use foxglove_bridge::source::{
    self, Follow, FollowOptions, Incoming, Order, RangeMiss, Recording, SourceError, Stop, Stream,
};

use super::stdin::{self, Stdin};
use super::{idle, startup};
use crate::cli::progress::ScanBar;

/// What is served, under ids of one registry.
pub(super) struct Inputs {
    /// Played by time.
    pub(super) recording: Option<Box<dyn Recording>>,
    /// Sent as it comes in.
    pub(super) live: Option<LiveInputs>,
    /// Ends everything that reads live input.
    pub(super) stop: Stop,
}

/// Input that comes in while it is served.
pub(super) struct LiveInputs {
    /// For people, as the user named them.
    names: Vec<String>,
    pub(super) streams: Vec<Box<dyn Stream>>,
    pub(super) stdin: Option<Stdin>,
    pub(super) listeners: Vec<Listener>,
    pub(super) lines: Lines,
}

/// Makes streams of JSON lines; their channels are shared.
#[derive(Clone)]
pub(super) struct Lines {
    options: Arc<JsonLinesOptions>,
    channels: Arc<LiveChannels>,
}

impl Lines {
    pub(super) fn of(&self, name: String, incoming: Incoming) -> Box<dyn Stream> {
        let stop = incoming.stop().clone();
        Box::new(JsonLines::new(name, incoming, &stop, self.options.clone(), self.channels.clone()))
    }

    /// Whether any line is a message as a whole.
    pub(super) fn are_raw(&self) -> bool {
        self.options.raw
    }
}

impl Inputs {
    /// Opens what `options.sources` names.
    pub(super) fn open(options: &ServeOptions, log: &LogOutput) -> anyhow::Result<Self> {
        let is_live = |spec: &OsString| spec == "-" || spec.to_str().is_some_and(Listener::is_meant);
        let files: Vec<OsString> = options.sources.iter().filter(|spec| !is_live(spec)).cloned().collect();
        if options.live.follow && files.is_empty() {
            bail!("--follow is for .mcap files that still grow; name one, or leave it out");
        }
        let recordings = if options.live.follow { &[] } else { files.as_slice() };
        let live = options.sources.iter().find(|spec| options.live.follow || is_live(spec));
        if live.is_some() && recordings.is_empty() {
            refuse_for_live(options)?;
        }
        if let (Some(live), Some(file), TimeShift::Off) = (live, recordings.first(), options.playback.shift) {
            bail!(
                "{} and {}: the time of a recording and that of live input don't fit together; --shift now \
                 plays the recording as if it were recorded now, or serve each on a port of its own",
                file.display(),
                live.display(),
            );
        }
        let (registry, stop) = (Registry::default(), Stop::new()?);
        let recording = match recordings {
            [] => None,
            recordings => Some(open_recordings(recordings, options, &registry, log)?),
        };
        if let (Some(recording), None) = (&recording, live) {
            for warning in idle::warnings(recording.info(), options) {
                tracing::warn!("{warning}");
            }
        }
        let live = match live {
            None => None,
            Some(_) => Some(LiveInputs::open(options, &registry, &stop, log)?),
        };
        Ok(Self { recording, live, stop })
    }

    /// For people: what is served.
    pub(super) fn name(&self) -> String {
        let recording = self.recording.as_ref().map(|recording| recording.info().name.clone());
        let live = self.live.iter().flat_map(|live| live.names.iter().cloned());
        recording.into_iter().chain(live).collect::<Vec<_>>().join(", ")
    }

    /// The same with what is known of it.
    pub(super) fn contents(&self) -> String {
        let recording = self.recording.as_ref().map(|recording| startup::recording(recording.info()));
        let live = self.live.as_ref().map(|live| format!("{} (live)", live.names.join(", ")));
        recording.into_iter().chain(live).collect::<Vec<_>>().join(", ")
    }
}

/// Adds which options to change.
fn with_way_out(error: SourceError) -> anyhow::Error {
    let way_out = match &error {
        SourceError::NoTopic { .. } => "change --topic or --exclude",
        SourceError::OutOfRange { miss: RangeMiss::StartsAfter { .. }, .. } => "change --start",
        SourceError::OutOfRange { miss: RangeMiss::EndsBefore { .. }, .. } => {
            "change --end or --playback-duration"
        }
        SourceError::OutOfRange { miss: RangeMiss::Reversed { .. }, .. } => "change --start or --end",
        _ => return error.into(),
    };
    anyhow!("{error}; {way_out}")
}

/// Options that need a recording.
fn refuse_for_live(options: &ServeOptions) -> anyhow::Result<()> {
    let recording = &options.recording;
    let given = [
        ("--start", recording.start.is_some()),
        ("--end", recording.end.is_some()),
        ("--playback-duration", recording.duration.is_some()),
        ("--order publish", recording.order == Order::Publish),
        ("--loop", options.playback.looping),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((option, _)) => bail!("{option} is for recordings; live input is served once, as it comes"),
        None => Ok(()),
    }
}

fn open_recordings(
    files: &[OsString],
    options: &ServeOptions,
    registry: &Registry,
    log: &LogOutput,
) -> anyhow::Result<Box<dyn Recording>> {
    let name = match files {
        [file] => file.display().to_string(),
        files => format!("{} recordings", files.len()),
    };
    let mut scan = ScanBar::new(&name, log);
    source::open(files, &options.recording, registry, &mut |progress| scan.update(progress))
        .map_err(with_way_out)
}

impl LiveInputs {
    fn open(
        options: &ServeOptions,
        registry: &Registry,
        stop: &Stop,
        log: &LogOutput,
    ) -> anyhow::Result<Self> {
        let types = Arc::new(Types::load(&options.types)?);
        let topics = &options.recording.topics;
        let lines = &options.json_lines;
        let channels =
            LiveChannels::new(topics.clone(), types, &lines.schemas, registry.clone()).context("--schema")?;
        let mut inputs = Self {
            names: Vec::new(),
            streams: Vec::new(),
            stdin: None,
            listeners: Vec::new(),
            lines: Lines { options: Arc::new(lines.clone()), channels },
        };
        for spec in &options.sources {
            if spec == "-" {
                if inputs.stdin.is_some() {
                    bail!("there is one stdin; name - once");
                }
                inputs.names.push(stdin::NAME.into());
                inputs.stdin = Some(Stdin {
                    lines: inputs.lines.clone(),
                    topics: topics.clone(),
                    registry: registry.clone(),
                    stop: stop.clone(),
                });
            } else if let Some(spec) = spec.to_str().filter(|spec| Listener::is_meant(spec)) {
                let listener = Listener::bind(spec)?;
                inputs.names.push(listener.name().to_owned());
                inputs.listeners.push(listener);
            } else if options.live.follow {
                let path = Path::new(spec);
                let mut scan = ScanBar::new(&path.display().to_string(), log);
                let follow = FollowOptions { from_start: options.live.from_start, topics: topics.clone() };
                let follow =
                    Follow::open(path, follow, registry, stop, &mut |progress| scan.update(progress))?;
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                inputs.names.push(name.unwrap_or_default());
                inputs.streams.push(Box::new(follow));
            }
        }
        Ok(inputs)
    }
}
