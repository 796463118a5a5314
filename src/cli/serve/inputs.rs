//! What is served: recordings, or live input. Opened as far as that can be done before anybody connects.

use std::fs::File;
use std::io::{Cursor, IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use foxglove_bridge::config::ServeOptions;
use foxglove_bridge::logging::LogOutput;
use foxglove_bridge::payload::Types;
use foxglove_bridge::source::json_lines::{JsonLines, JsonLinesOptions};
use foxglove_bridge::source::listen::{Incoming, Listener, SocketFile};
use foxglove_bridge::source::live::LiveChannels;
use foxglove_bridge::source::{
    self, Follow, FollowOptions, Kind, McapStream, Order, RangeMiss, Source, SourceError, TopicRules, sniff,
};

use super::startup;
use crate::cli::progress::ScanBar;

/// What is served.
pub(super) enum Inputs {
    Recordings(Box<dyn Source>),
    Live(Box<LiveInputs>),
}

/// Input that comes in while it is served.
pub(super) struct LiveInputs {
    /// For people, as the user named them.
    names: Vec<String>,
    pub(super) streams: Vec<Box<dyn Source>>,
    pub(super) stdin: Option<Stdin>,
    pub(super) listeners: Vec<Listener>,
    pub(super) lines: Lines,
    /// Removed when dropped.
    pub(super) socket_files: Vec<SocketFile>,
}

/// Makes sources of JSON lines; their channels are shared.
#[derive(Clone)]
pub(super) struct Lines {
    options: Arc<JsonLinesOptions>,
    channels: Arc<LiveChannels>,
}

impl Lines {
    pub(super) fn of(&self, name: String, incoming: Incoming) -> Box<dyn Source> {
        Box::new(JsonLines::new(name, incoming, self.options.clone(), self.channels.clone()))
    }
}

impl Inputs {
    /// Opens what `options.sources` names.
    pub(super) fn open(options: &ServeOptions, log: &LogOutput) -> anyhow::Result<Self> {
        let (live, files): (Vec<&String>, Vec<&String>) =
            options.sources.iter().partition(|spec| *spec == "-" || Listener::is_meant(spec));
        if live.is_empty() && !options.live.follow {
            let name = match options.sources.as_slice() {
                [source] => source.clone(),
                sources => format!("{} recordings", sources.len()),
            };
            let mut scan = ScanBar::new(&name, log);
            let source =
                source::open(&options.sources, &options.recording, &mut |progress| scan.update(progress))
                    .map_err(with_way_out)?;
            return Ok(Self::Recordings(source));
        }
        refuse_for_live(options)?;
        if let (Some(live), Some(file)) = (live.first(), files.first()) {
            bail!("{file} and {live}: recordings and live input don't mix; serve each on a port of its own");
        }
        if options.live.follow {
            let [file] = files.as_slice() else { bail!("--follow takes one .mcap file that still grows") };
            return Ok(Self::Live(Box::new(LiveInputs::follow(file, options, log)?)));
        }
        Ok(Self::Live(Box::new(LiveInputs::listen(&live, options)?)))
    }

    /// For people: what is served.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Recordings(source) => source.info().name.clone(),
            Self::Live(live) => live.names.join(", "),
        }
    }

    /// The same with what is known of it.
    pub(super) fn contents(&self) -> String {
        match self {
            Self::Recordings(source) => startup::recording(source.info()),
            Self::Live(live) => format!("{} (live)", live.names.join(", ")),
        }
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

impl LiveInputs {
    fn new(options: &ServeOptions) -> anyhow::Result<Self> {
        let types = Arc::new(Types::load(&options.types)?);
        let topics = options.recording.topics.clone();
        let lines = &options.json_lines;
        let channels = LiveChannels::new(topics, types, &lines.schemas)?;
        Ok(Self {
            names: Vec::new(),
            streams: Vec::new(),
            stdin: None,
            listeners: Vec::new(),
            lines: Lines { options: Arc::new(lines.clone()), channels },
            socket_files: Vec::new(),
        })
    }

    fn follow(file: &str, options: &ServeOptions, log: &LogOutput) -> anyhow::Result<Self> {
        let mut scan = ScanBar::new(file, log);
        let follow = FollowOptions {
            from_start: options.live.from_start,
            topics: options.recording.topics.clone(),
            ..FollowOptions::default()
        };
        let follow = Follow::open(Path::new(file), follow, &mut |progress| scan.update(progress))?;
        let names = vec![follow.info().name.clone()];
        Ok(Self { names, streams: vec![Box::new(follow)], ..Self::new(options)? })
    }

    fn listen(specs: &[&String], options: &ServeOptions) -> anyhow::Result<Self> {
        let mut inputs = Self::new(options)?;
        for spec in specs {
            if *spec == "-" {
                if inputs.stdin.is_some() {
                    bail!("there is one stdin; name - once");
                }
                inputs.names.push(Stdin::NAME.into());
                inputs.stdin =
                    Some(Stdin { lines: inputs.lines.clone(), topics: options.recording.topics.clone() });
            } else {
                let (listener, file) = Listener::bind(spec)?;
                inputs.names.push(listener.name().to_owned());
                inputs.listeners.push(listener);
                inputs.socket_files.extend(file);
            }
        }
        Ok(inputs)
    }
}

/// What is piped in.
pub(super) struct Stdin {
    lines: Lines,
    topics: TopicRules,
}

impl Stdin {
    /// What it is called in messages.
    pub(super) const NAME: &str = "stdin";

    /// Waits for the first bytes, and makes of them what they seem to be.
    pub(super) fn open(self) -> Result<(Kind, Box<dyn Source>), SourceError> {
        let io = |error| SourceError::Io { name: Self::NAME.into(), error };
        let unusable = |reason: String| SourceError::Unusable { name: Self::NAME.into(), reason };
        if std::io::stdin().is_terminal() {
            tracing::info!("reading JSON lines from the terminal; Ctrl-D ends them");
        }
        let mut stdin = stdin().map_err(io)?;
        let mut first = vec![0; 64 << 10];
        let length = stdin.read(&mut first).map_err(io)?;
        first.truncate(length);
        let kind = sniff(&first);
        let beginning = String::from_utf8_lossy(&first[..length.min(12)]).into_owned();
        let incoming: Incoming = Box::new(Cursor::new(first).chain(stdin));
        match kind {
            Kind::Mcap => Ok((kind, Box::new(McapStream::new(Self::NAME.into(), incoming, self.topics)))),
            Kind::Gzip => Err(unusable("is compressed; decompress it first: gunzip -c … |".into())),
            Kind::Zstd => Err(unusable("is compressed; decompress it first: zstd -dc … |".into())),
            Kind::Unknown if !self.lines.options.raw => Err(unusable(format!(
                "begins with {beginning:?}, which is neither MCAP nor JSON lines (an object on each line); \
                 see --raw for other JSON"
            ))),
            Kind::JsonLines | Kind::Unknown => {
                Ok((Kind::JsonLines, self.lines.of(Self::NAME.into(), incoming)))
            }
        }
    }
}

/// Stdin without the buffer of the standard library, which would copy everything once more.
#[cfg(unix)]
fn stdin() -> std::io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(std::io::stdin().as_fd().try_clone_to_owned()?))
}

#[cfg(not(unix))]
fn stdin() -> std::io::Result<std::io::Stdin> {
    Ok(std::io::stdin())
}
