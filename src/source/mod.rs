//! Where channels and messages come from.
//!
//! A [`Recording`] can be sought, a [`Stream`] is read once. Both are synchronous and run on a thread of their own
//! (`reader`, `input/`); nothing in them is async.
//!
//! # A new recording in four steps
//!
//! 1. Write one file or folder here with a type that implements [`Recording`].
//! 2. Claim every channel from the [`Registry`] when it is opened, so that ids and topics are unique in a server.
//! 3. Add an arm to [`open`].
//! 4. Add a row to the table of sources in the README, and its errors to the tests.
//!
//! # A new stream in four steps
//!
//! 1. Write one file or folder here with a type that implements [`Stream`]. Whatever it waits for, it waits for its
//!    [`Stop`] as well; of descriptors [`Incoming`] does.
//! 2. Claim channels as they turn up, and put them into [`Batch::announcements`] of the next batch, which may have no
//!    messages; that of a file which exists already is its first. Release a channel that ends; if it was the last claim,
//!    put it into [`Batch::retired`].
//! 3. Give it a constructor of its own; `cli/serve/inputs.rs` chooses among them.
//! 4. Add a row to the table of sources in the README, and its errors to the tests.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Batch, Channel, ChannelId};
use crate::registry::Registry;
use crate::time::{TimeRange, TimeSpec, Timestamp};

mod backoff;
mod bytes;
mod density;
mod error;
mod hint;
mod incoming;
pub mod json_lines;
mod latched;
pub mod live;
pub mod mcap;
mod memory;
mod overview;
mod past;
mod paths;
mod qos;
pub(crate) mod reader;
mod sniff;
mod stop;
pub mod summary;
#[cfg(test)]
pub(crate) mod testing;
pub mod throttle;
pub mod topics;

pub use self::mcap::{AttachmentCrc, Attachments, Follow, FollowOptions, McapStream, RecordedAttachment};
pub(crate) use backoff::Backoff;
pub use error::{ErrorKind, RangeMiss, SourceError};
pub use hint::{Hint, Hints};
pub use incoming::Incoming;
pub use latched::recorded_as_latched;
pub use memory::{Extent, Gathered, MemoryRecording};
pub use overview::Overview;
pub use qos::{QosProfile, offered_qos};
pub use sniff::{Kind, foreign, other_format, sniff};
pub use stop::Stop;
#[cfg(unix)]
pub(crate) use stop::writable_within;
pub use summary::{RecordingSummary, ScanProgress};
pub use topics::{Remap, RuleKind, TopicRules, UnmatchedRule};

/// Which of a message's times makes the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// When it was recorded.
    #[default]
    Log,
    /// When it was published.
    Publish,
}

/// What of a recording is played, and on which timeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordingOptions {
    /// Topics to play, and their names.
    pub topics: TopicRules,
    /// Where to start; the first message if None.
    pub start: Option<TimeSpec>,
    /// Last time to play (messages of exactly this time included); the last message if None.
    pub end: Option<TimeSpec>,
    /// How much to play from the start; the earlier of this and `end` counts.
    pub duration: Option<Duration>,
    /// The timeline.
    pub order: Order,
}

/// What is known of a recording before its first message.
#[derive(Debug, Clone, Default)]
pub struct RecordingInfo {
    /// For people: the name of the file or folder; of several, the first one's and how many more.
    pub name: String,
    /// First and last time that will be played; None where there is no message. Exact for whole recordings; with a
    /// topic filter it can begin earlier and end later than the first and last chosen message.
    pub range: Option<TimeRange>,
    /// Messages that will be played, where it is known.
    pub message_count: Option<u64>,
    /// Whether it begins before what will be played, so that there may be messages to show at the start.
    pub has_past: bool,
    /// From its first to its last message, whatever is played of it; None where there is no message.
    pub whole: Option<TimeRange>,
    /// Its channels.
    pub channels: Vec<Arc<Channel>>,
    /// All its topics, by the names that it has for them, chosen or not; in order. Empty where only the chosen ones are
    /// known.
    pub topics: Vec<String>,
    /// What is attached to it.
    pub attachments: Vec<RecordedAttachment>,
    /// What the user should know: damage, renamed topics, a missing index. One sentence each.
    pub warnings: Vec<String>,
}

/// Channels and messages in time order, from any time on.
pub trait Recording: Send {
    /// What is known before the first message.
    fn info(&self) -> &RecordingInfo;

    /// The next messages, in time order; None at the end ([`Recording::seek`] may make it go on).
    ///
    /// After an error it may be asked again: it goes on after the part that can't be read. Such a part is an error once;
    /// when it comes up again, after a seek, it is passed over.
    fn next(&mut self) -> Result<Option<Batch>, SourceError>;

    /// Continues with the first message at or after `to`.
    fn seek(&mut self, to: Timestamp);

    /// What strictly before `before` still counts of each of the channels, in time order, copied. That is its last message;
    /// of a latched channel the last message of each origin (see [`Entry::origin`](crate::model::Entry::origin)); of a
    /// channel of transforms the last message of each child frame.
    fn backfill(&mut self, before: Timestamp, channels: &[ChannelId]) -> Result<Batch, SourceError>;

    /// What can be asked of it from other threads while it plays; None if nothing can.
    fn overview(&self) -> Option<Arc<dyn Overview>> {
        None
    }

    /// Which of its channels are latched where it is played. Before it is said, those that were latched when recorded.
    fn latch(&mut self, channels: &[ChannelId]);
}

/// Channels and messages as they arrive, read once.
pub trait Stream: Send {
    /// What people know it by: `stdin`, `127.0.0.1:51234`, a path.
    fn name(&self) -> &str;

    /// Waits for what comes next: messages in the order in which they arrive, whatever their times, or channels that
    /// begin or end. None at the end, and soon after [`Stream::stop`] was stopped.
    ///
    /// After an error that is not [fatal](ErrorKind::Fatal) it may be asked again.
    fn next(&mut self) -> Result<Option<Batch>, SourceError>;

    /// What ends it from another thread, whatever it waits for.
    fn stop(&self) -> &Stop;
}

/// What a player plays by time: all of a recording, or a stream as it arrives.
pub enum Playable {
    /// Can be sought.
    Recording(Box<dyn Recording>),
    /// Is played once.
    Stream(Box<dyn Stream>),
}

/// The two kinds of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A [`Recording`].
    Recording,
    /// A [`Stream`].
    Stream,
}

impl Playable {
    /// Which of the two it is.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Recording(_) => SourceKind::Recording,
            Self::Stream(_) => SourceKind::Stream,
        }
    }
}

/// Opens what the user named: MCAP files, and folders of them. Several recordings become one timeline, with channels
/// claimed from `registry`.
///
/// `progress` is called now and then while files without a usable index are read through once.
pub fn open(
    specs: &[impl AsRef<Path>],
    options: &RecordingOptions,
    registry: &Registry,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<Box<dyn Recording>, SourceError> {
    let specs: Vec<&Path> = specs.iter().map(AsRef::as_ref).collect();
    let is_stream = |spec: &str| spec == "-" || spec.contains("://");
    if let Some(stream) = specs.iter().filter_map(|spec| spec.to_str()).find(|spec| is_stream(spec)) {
        let reason = "this is not a recording; give the path of an .mcap file";
        return Err(SourceError::Unusable { name: stream.to_owned(), reason: reason.to_owned() });
    }
    let named = paths::named(&specs)?;
    if named.files.is_empty() {
        let reason = "no recording is named; name an .mcap file or a folder of them".into();
        return Err(SourceError::Unusable { name: "source".into(), reason });
    }
    Ok(Box::new(self::mcap::Timeline::open(named, options, registry, progress)?))
}

/// The files that [`open`] opens for what the user named, folders looked into.
pub fn recording_files(specs: &[impl AsRef<Path>]) -> Result<Vec<PathBuf>, SourceError> {
    Ok(paths::named(specs)?.files.into_iter().map(|file| file.path).collect())
}

/// Looks at a recording without playing it. `progress` as for [`open`]; counts of every channel are exact, which
/// takes reading the file through where the recorder did not count.
pub fn recording_summary(
    path: &Path,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<RecordingSummary, SourceError> {
    self::mcap::summary(path, progress)
}

/// The same, with every byte read, every checksum compared and every message decoded; [`RecordingSummary::damage`] and
/// [`summary::PayloadCheck`] say what is wrong.
pub fn recording_check(
    path: &Path,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<RecordingSummary, SourceError> {
    self::mcap::check(path, progress)
}

/// The same of a stream, MCAP or JSON lines as its first bytes tell, that is read to its end; only counts are kept. `name`:
/// for people; `how`: lines are read.
pub fn stream_summary(
    name: &str,
    mut read: impl Read + Send,
    how: &json_lines::LinesRead,
) -> Result<RecordingSummary, SourceError> {
    let mut first = Vec::new();
    let head = read.by_ref().take(sniff::FOREIGN_HEAD as u64).read_to_end(&mut first);
    head.map_err(|error| SourceError::Io { name: name.to_owned(), error })?;
    if first.is_empty() {
        return Err(SourceError::Unusable { name: name.to_owned(), reason: "is empty".to_owned() });
    }
    let is_object = first.trim_ascii_start().starts_with(b"{");
    match (sniff(&first), foreign(&first)) {
        (Kind::Mcap, _) => self::mcap::stream_summary(name, io::Cursor::new(first).chain(read)),
        (_, Some(reason)) if !is_object => {
            Err(SourceError::Unusable { name: name.to_owned(), reason: reason.to_owned() })
        }
        _ => json_lines::summary(name, io::Cursor::new(first).chain(read), how, &mut |_read| {}),
    }
}

/// Recordings that a folder stands for, as [`open`] plays them, and warnings of those that are left out.
pub fn recordings_in(folder: &Path) -> Result<(Vec<PathBuf>, Vec<String>), SourceError> {
    let named = paths::named(&[folder])?;
    Ok((named.files.into_iter().map(|file| file.path).collect(), named.warnings))
}
