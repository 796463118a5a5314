//! What is piped in: JSON lines or MCAP, as its first bytes show.

#[cfg(unix)]
use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Read};

use foxglove_bridge::model::Batch;
use foxglove_bridge::registry::Registry;
use foxglove_bridge::source::json_lines::{JsonLines, PATIENCE};
use foxglove_bridge::source::{
    Incoming, Kind, McapStream, SourceError, Stop, Stream, TopicRules, other_format, sniff,
};

use super::lines::{Lines, Pace};
use super::talk::Talk;
use crate::cli::config::ServeOptions;

/// What it is called in messages.
pub(in crate::cli) const NAME: &str = "stdin";

/// What is said of a pipe from which nothing comes.
const SILENT: &str = "nothing has come so far; many programs collect their output when it goes to a pipe: stdbuf -oL \
                      PROGRAM, python3 -u, jq --unbuffered and grep --line-buffered don't";

/// Stdin before its first byte.
pub(in crate::cli) struct Stdin {
    pub(super) lines: Lines,
    /// How lines are played.
    pub(super) pace: Pace,
    pub(super) topics: TopicRules,
    pub(super) registry: Registry,
    pub(super) stop: Stop,
    pub(super) takes: Takes,
}

/// What is taken of stdin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Lines or MCAP.
    All,
    /// Lines, and of them commands alone.
    Commands,
}

/// Stdin once it is known what it is.
pub(super) struct Piped {
    pub(super) kind: Kind,
    pub(super) stream: Box<dyn Stream>,
    /// What its channels are claimed from.
    pub(super) registry: Registry,
}

/// The same for who carries out no commands.
pub(in crate::cli) enum Sniffed {
    Lines(Box<JsonLines<Incoming>>),
    Mcap(Box<McapStream<Incoming>>),
}

impl Stdin {
    /// Stdin that is not served: lines or MCAP, as they come.
    pub(in crate::cli) fn alone(options: &ServeOptions, stop: &Stop) -> anyhow::Result<Self> {
        let registry = Registry::default();
        Ok(Self {
            lines: Lines::new(options, &registry)?,
            pace: Pace::AsTheyCome,
            topics: options.recording.topics.clone(),
            registry,
            stop: stop.clone(),
            takes: Takes::All,
        })
    }

    /// Waits for the first bytes, and makes of them what they seem to be. None if it was stopped before.
    pub(super) fn open(self, talk: &Talk) -> Result<Option<Piped>, SourceError> {
        let (takes, registry) = (self.takes, self.registry.clone());
        let (kind, stream): (_, Box<dyn Stream>) = match self.sniff()? {
            None => return Ok(None),
            Some(Sniffed::Mcap(_)) if takes == Takes::Commands => {
                return Err(unusable(
                    "is MCAP, and beside a recording only commands are taken; --shift now plays the recording as if it \
                     were recorded now, beside live input",
                ));
            }
            Some(Sniffed::Mcap(stream)) => (Kind::Mcap, stream),
            Some(Sniffed::Lines(lines)) => (Kind::JsonLines, talk.with_stdin(*lines)),
        };
        Ok(Some(Piped { kind, stream, registry }))
    }

    /// The same for who carries out no commands.
    pub(in crate::cli) fn sniff(self) -> Result<Option<Sniffed>, SourceError> {
        let io = |error| SourceError::Io { name: NAME.into(), error };
        if std::io::stdin().is_terminal() {
            tracing::info!("reading JSON lines from the terminal; Ctrl-D ends them");
        }
        let impatient = Incoming::impatient(raw().map_err(io)?, &self.stop, PATIENCE);
        let Some((first, impatient)) = first_bytes(impatient).map_err(io)? else { return Ok(None) };
        let kind = sniff(&first);
        if let (Kind::JsonLines | Kind::Unknown, Some(reason)) = (kind, other_format(&first)) {
            return Err(unusable(reason));
        }
        let incoming = match kind {
            // what comes, or does not, is told after a while
            Kind::JsonLines | Kind::Unknown => impatient,
            Kind::Mcap | Kind::Gzip | Kind::Zstd => Incoming::new(raw().map_err(io)?, &self.stop),
        };
        let incoming = incoming.after(first);
        match kind {
            Kind::Mcap => {
                let stream = McapStream::new(NAME.into(), incoming, &self.stop, self.topics, self.registry);
                Ok(Some(Sniffed::Mcap(Box::new(stream))))
            }
            Kind::Gzip => Err(unusable("is compressed; decompress it first: gunzip -c … |")),
            Kind::Zstd => Err(unusable("is compressed; decompress it first: zstd -dc … |")),
            Kind::JsonLines | Kind::Unknown => {
                let lines = self.lines.of(NAME.into(), incoming, self.pace);
                Ok(Some(Sniffed::Lines(Box::new(lines))))
            }
        }
    }
}

fn unusable(reason: &str) -> SourceError {
    SourceError::Unusable { name: NAME.into(), reason: reason.into() }
}

/// What comes first, and what it came from. None if that was stopped before.
fn first_bytes(mut incoming: Incoming) -> std::io::Result<Option<(Vec<u8>, Incoming)>> {
    let mut first = vec![0; 64 << 10];
    let mut is_told = std::io::stdin().is_terminal();
    loop {
        match incoming.read(&mut first) {
            Err(_) if incoming.stop().is_stopped() => return Ok(None),
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::info!("{NAME}: {SILENT}");
                }
            }
            length => {
                first.truncate(length?);
                return Ok(Some((first, incoming)));
            }
        }
    }
}

/// Stdin beside other inputs: a stream that finds out what it is when it is first read.
pub(super) struct Unknown {
    stop: Stop,
    stdin: Option<(Stdin, Talk)>,
    stream: Option<Box<dyn Stream>>,
}

impl Unknown {
    pub(super) fn new(stdin: Stdin, talk: &Talk) -> Self {
        Self { stop: stdin.stop.clone(), stdin: Some((stdin, talk.clone())), stream: None }
    }
}

impl Stream for Unknown {
    fn name(&self) -> &str {
        NAME
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        if let Some((stdin, talk)) = self.stdin.take() {
            self.stream = stdin.open(&talk)?.map(|piped| piped.stream);
        }
        self.stream.as_mut().map_or(Ok(None), |stream| stream.next())
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }
}

/// Stdin without the buffer of the standard library, which would copy everything once more.
#[cfg(unix)]
pub(in crate::cli) fn raw() -> std::io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(std::io::stdin().as_fd().try_clone_to_owned()?))
}

#[cfg(not(unix))]
pub(in crate::cli) fn raw() -> std::io::Result<std::io::Stdin> {
    Ok(std::io::stdin())
}
