//! What is served: recordings and live input. Opened as far as that can be done before anybody connects.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use crate::cli::config::{ServeOptions, is_live};
use crate::cli::logging::LogOutput;
use anyhow::bail;
use foxglove_bridge::hub::Latch;
use foxglove_bridge::input::listen::Listener;
use foxglove_bridge::internals::printable;
use foxglove_bridge::pattern::TopicPattern;
use foxglove_bridge::playback::{TimeShift, offered_files};
use foxglove_bridge::registry::Registry;
use foxglove_bridge::server::{ServedSource, SourceKind};
use foxglove_bridge::source::json_lines::{InputCounts, TailFrom};
use foxglove_bridge::source::{self, Follow, FollowOptions, RecordedAttachment, Recording, Stop, Stream};

use super::lines::{Lines, Pace, holds_lines};
use super::names::{contents_of, name_of};
use super::stdin::{self, Stdin, Takes};
use super::{hints, idle};
use crate::cli::LONGEST_ERROR;
use crate::cli::progress::ScanBar;

/// What is served.
pub(super) struct Inputs {
    /// What all of it has claimed its channels from.
    pub(super) registry: Registry,
    /// Played by time.
    pub(super) recording: Option<Box<dyn Recording>>,
    /// Sent as it comes in.
    pub(super) live: Option<LiveInputs>,
    /// Gives commands while the recording plays.
    pub(super) commands: Option<Stdin>,
    /// What was read of JSON lines, where they may come in.
    pub(super) lines: Option<Arc<InputCounts>>,
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

impl Inputs {
    /// Opens what `options.sources` names.
    pub(super) fn open(options: &ServeOptions, log: &LogOutput) -> anyhow::Result<Self> {
        let files: Vec<OsString> = options.sources.iter().filter(|spec| !is_live(spec)).cloned().collect();
        if options.live.follow && files.is_empty() {
            bail!("--follow is for files that still grow (.mcap, .jsonl); name one, or leave it out");
        }
        let recordings = if options.live.follow { &[] } else { files.as_slice() };
        let (lines_files, mcap_files): (Vec<&OsString>, Vec<&OsString>) =
            recordings.iter().partition(|file| holds_lines(file, &options.json_lines));
        if let (Some(lines), Some(mcap)) = (lines_files.first(), mcap_files.first()) {
            let (lines, mcap) = (lines.display(), mcap.display());
            bail!(
                "{lines} and {mcap}: JSON lines and MCAP files don't play as one recording; make an MCAP file of the \
                 lines (serve {lines} --rate max --start-on launch --at-end exit --record lines.mcap), or serve each on a port of its own"
            );
        }
        // beside a recording stdin gives commands alone, unless times fit
        let is_sent = |spec: &OsString| options.live.follow || is_live(spec);
        let live = options.sources.iter().filter(|spec| is_sent(spec));
        let (stdin, live): (Vec<_>, Vec<_>) = live.partition(|spec| *spec == "-");
        let gives_commands =
            live.is_empty() && !recordings.is_empty() && options.playback.shift == TimeShift::Off;
        let live = live.first().or(stdin.first().filter(|_| !gives_commands)).copied();
        let commands = stdin.first().filter(|_| gives_commands);
        if stdin.len() > 1 {
            bail!("there is one stdin; name - once");
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
        let lines = match (live.or(commands.copied()), lines_files.as_slice()) {
            (None, []) => None,
            _ => Some(Lines::new(options, &registry)?),
        };
        let recording = match (recordings, lines_files.as_slice(), &lines) {
            ([], _, _) => None,
            (recordings, [_, ..], Some(lines)) => Some(lines.recording(recordings, options, log)?),
            (recordings, _, _) => Some(open_recordings(recordings, options, &registry, log)?),
        };
        if let (Some(recording), None) = (&recording, live) {
            for warning in idle::warnings(recording.info(), options) {
                tracing::warn!("{}", printable(&warning, LONGEST_ERROR));
            }
        }
        let commands = commands.zip(lines.as_ref()).map(|(_, lines)| Stdin {
            lines: lines.commands_only(),
            pace: Pace::AsTheyCome,
            topics: options.recording.topics.clone(),
            registry: registry.clone(),
            stop: stop.clone(),
            takes: Takes::Commands,
        });
        let is_read = live.is_some() || commands.is_some();
        let counts = lines.as_ref().filter(|_| is_read).map(|lines| lines.counts().clone());
        let live = match (live, lines) {
            (Some(_), Some(lines)) => Some(LiveInputs::open(options, &registry, lines, &stop, log)?),
            _ => None,
        };
        Ok(Self { registry, recording, live, commands, lines: counts, stop })
    }

    /// What is attached to the recordings.
    pub(super) fn attachments(&self) -> &[RecordedAttachment] {
        self.recording.as_ref().map_or(&[], |recording| &recording.info().attachments)
    }

    /// The names of files that are offered over HTTP.
    pub(super) fn offered_files(&self) -> Vec<String> {
        let overview = self.recording.as_ref().and_then(|recording| recording.overview());
        overview.map(|overview| offered_files(&*overview)).unwrap_or_default()
    }

    /// For people: what is served.
    pub(super) fn name(&self) -> String {
        let recording = self.recording.as_ref().map(|recording| recording.info().name.clone());
        let live = self.live.iter().flat_map(|live| live.names.iter().cloned());
        recording.into_iter().chain(live).collect::<Vec<_>>().join(", ")
    }

    /// The same one by one.
    pub(super) fn sources(&self) -> Vec<ServedSource> {
        let of = |kind| move |name: &String| ServedSource { name: name.clone(), kind };
        let recording = self.recording.iter().map(|recording| &recording.info().name);
        let live = self.live.iter().flat_map(|live| &live.names);
        recording.map(of(SourceKind::Recording)).chain(live.map(of(SourceKind::Live))).collect()
    }

    /// The same with what is known of it.
    pub(super) fn contents(&self) -> String {
        let recording = self.recording.as_ref().map(|recording| contents_of(recording.info()));
        let live = self.live.as_ref().map(|live| format!("{} (live)", live.names.join(", ")));
        let commands = self.commands.as_ref().map(|_| format!("commands from {}", stdin::NAME));
        recording.into_iter().chain(live).chain(commands).collect::<Vec<_>>().join(", ")
    }
}

/// Topics that the user latches.
fn latched_topics(options: &ServeOptions) -> &[TopicPattern] {
    match &options.hub.latch {
        Latch::Topics(patterns) => patterns,
        Latch::Auto | Latch::Off => &[],
    }
}

fn open_recordings(
    files: &[OsString],
    options: &ServeOptions,
    registry: &Registry,
    log: &LogOutput,
) -> anyhow::Result<Box<dyn Recording>> {
    let mut scan = ScanBar::new(&name_of(files), log);
    source::open(files, &options.recording, registry, &mut |progress| scan.update(progress)).map_err(
        |error| {
            let meant = idle::meant_by(&error, &options.recording.topics);
            match hints::of_recording(error) {
                error if meant.is_empty() => error,
                error => anyhow::anyhow!("{error:#}{meant}"),
            }
        },
    )
}

impl LiveInputs {
    fn open(
        options: &ServeOptions,
        registry: &Registry,
        lines: Lines,
        stop: &Stop,
        log: &LogOutput,
    ) -> anyhow::Result<Self> {
        let topics = &options.recording.topics;
        let mut inputs =
            Self { names: Vec::new(), streams: Vec::new(), stdin: None, listeners: Vec::new(), lines };
        for spec in &options.sources {
            if spec == "-" {
                inputs.names.push(stdin::NAME.into());
                inputs.stdin = Some(Stdin {
                    lines: inputs.lines.clone(),
                    pace: Pace::AsTheyCome,
                    topics: topics.clone(),
                    registry: registry.clone(),
                    stop: stop.clone(),
                    takes: Takes::All,
                });
            } else if let Some(spec) = spec.to_str().filter(|spec| Listener::is_meant(spec)) {
                let listener = Listener::bind(spec)?;
                inputs.names.push(listener.name().to_owned());
                inputs.listeners.push(listener);
            } else if options.live.follow {
                let path = Path::new(spec);
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                inputs.names.push(name.unwrap_or_default());
                let mut scan = ScanBar::new(&path.display().to_string(), log);
                let progress = &mut |progress| scan.update(progress);
                let (from_start, latched) = (options.live.from_start, latched_topics(options));
                let stream = if holds_lines(spec, &options.json_lines) {
                    let from = if from_start { TailFrom::Start } else { TailFrom::End };
                    inputs.lines.tail(path, from, latched, stop, progress)?
                } else {
                    let follow =
                        FollowOptions { from_start, latched: latched.to_vec(), topics: topics.clone() };
                    Box::new(Follow::open(path, follow, registry, stop, progress)?)
                };
                inputs.streams.push(stream);
            }
        }
        Ok(inputs)
    }
}
