//! Where channels and messages come from.
//!
//! A [`Source`] is synchronous and runs on a thread of its own ([`reader`]); nothing in it is async.
//!
//! # A new source in four steps
//!
//! 1. Write one file in this folder with a type that implements [`Source`].
//! 2. Give every channel an id through [`catalog::Catalog`], so that topics stay unique and ids stable. A recording
//!    adds them all at the start. A stream adds them as they turn up and puts them into [`Batch::announcements`] of the
//!    next batch, which may have no messages; one that ends goes into [`Batch::retired`], and nothing is added on its
//!    topic before it is retired in the catalog.
//! 3. Add an arm to [`open`]. What is not named by one argument alone has a constructor of its own:
//!    [`McapStream::new`], [`Follow::open`]; `cli/serve/inputs.rs` chooses among them.
//! 4. Add a row to the table of sources in the README, and its errors to the tests.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Batch, Channel, ChannelId};
use crate::time::{TimeRange, TimeSpec, Timestamp};

mod bytes;
pub mod catalog;
pub mod json_lines;
mod latched;
pub mod listen;
pub mod live;
pub mod mcap;
mod paths;
pub mod reader;
mod sniff;
pub mod summary;
pub mod throttle;
pub mod topics;

pub use self::mcap::{Follow, FollowOptions, McapStream};
pub use latched::recorded_as_latched;
pub use sniff::{Kind, sniff};
pub use summary::{RecordingSummary, ScanProgress};
pub use topics::{Remap, TopicRules};

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

/// What is known of a source before its first message.
#[derive(Debug, Clone, Default)]
pub struct SourceInfo {
    /// For people: the name of the file or folder; of several, the first one's and how many more.
    pub name: String,
    /// First and last time that will be played; None where there is no message. Exact for whole recordings; with a
    /// topic filter it can begin earlier and end later than the first and last chosen message.
    pub range: Option<TimeRange>,
    /// Messages that will be played, where it is known.
    pub message_count: Option<u64>,
    /// Channels known at the start.
    pub channels: Vec<Arc<Channel>>,
    /// Whether it can be asked to continue elsewhere; if not it is a stream, which is read once.
    pub seekable: bool,
    /// What the user should know: damage, renamed topics, a missing index. One sentence each.
    pub warnings: Vec<String>,
}

/// Channels and messages, in the order in which they are to be played.
pub trait Source: Send {
    /// What is known before the first message.
    fn info(&self) -> &SourceInfo;

    /// The next messages; None at the end (a later [`Source::seek`] may make it go on). Those of a recording are in
    /// time order; a stream's are in the order in which they arrive, whatever their times, and it waits here for what
    /// comes next: messages, or channels to announce.
    ///
    /// After an error the source may be asked again: it goes on behind the damage.
    fn next(&mut self) -> Result<Option<Batch>, SourceError>;

    /// Continues with the first message at or after `to`. A stream goes on where it is.
    fn seek(&mut self, _to: Timestamp) {}

    /// What strictly before `before` still counts of each of the channels, in time order, copied. That is its last message;
    /// of a latched channel the last message of each origin (see [`Entry::origin`](crate::model::Entry::origin)); of a
    /// channel of transforms the last message of each child frame. A stream has none: what it has sent is gone.
    fn backfill(&mut self, _before: Timestamp, _channels: &[ChannelId]) -> Result<Batch, SourceError> {
        Ok(Batch::default())
    }

    /// Which of its channels are latched where it is played. Before it is told, those that were latched when recorded.
    fn latch(&mut self, _channels: &[ChannelId]) {}
}

/// Why a source can't be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It can't be used at all, or not with these options: the user has to change something.
    #[error("{name}: {reason}")]
    Unusable {
        /// The source as the user named it.
        name: String,
        /// What is wrong, and the way out.
        reason: String,
    },
    /// No topic is chosen of those that it has.
    #[error("{name}: no topic is chosen; the recording has {} topics: {}", .topics.len(), topics::listed(.topics))]
    NoTopic {
        /// The source as the user named it.
        name: String,
        /// Its topics, in order.
        topics: Vec<String>,
    },
    /// Nothing of it lies in the range that was asked for.
    #[error("{name}: {miss}")]
    OutOfRange {
        /// The source as the user named it.
        name: String,
        /// Which end of the range is wrong.
        miss: RangeMiss,
    },
    /// A part of it can't be read; the rest can.
    #[error("{name}: byte {offset}: {reason}")]
    Damaged {
        /// The source as the user named it.
        name: String,
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A line of a stream that is read strictly.
    #[error("{name}: line {line}, column {column}: {reason}")]
    Line {
        /// The stream as the user knows it.
        name: String,
        /// Which line, from 1.
        line: u64,
        /// Which of its bytes, from 1.
        column: usize,
        /// What is wrong there, and the way out.
        reason: String,
    },
    /// It is not what it was; what follows is something else.
    #[error("{name}: {reason}")]
    Changed {
        /// The source as the user named it.
        name: String,
        /// What happened, and what is done.
        reason: String,
    },
    /// The system refuses.
    #[error("{name}: {error}")]
    Io {
        /// The source as the user named it.
        name: String,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
}

/// Why a range of time has nothing of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeMiss {
    /// It begins too late.
    #[error("the start {start} is after the last message ({last})")]
    StartsAfter {
        /// Where the range begins.
        start: Timestamp,
        /// Time of the last message.
        last: Timestamp,
    },
    /// It ends too early.
    #[error("the end {end} is before the first message ({first})")]
    EndsBefore {
        /// Where the range ends.
        end: Timestamp,
        /// Time of the first message.
        first: Timestamp,
    },
    /// It ends before it begins.
    #[error("the end ({end}) is before the start ({start})")]
    Reversed {
        /// Where the range begins.
        start: Timestamp,
        /// Where the range ends.
        end: Timestamp,
    },
}

/// Opens what the user named: MCAP files, and folders of them. Several recordings become one timeline.
///
/// `progress` is called now and then while files without a usable index are read through once.
pub fn open(
    specs: &[String],
    options: &RecordingOptions,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<Box<dyn Source>, SourceError> {
    if let Some(stream) = specs.iter().find(|spec| *spec == "-" || spec.contains("://")) {
        let reason = match (specs.len(), stream.as_str()) {
            (2.., _) => "live data can't be served together with anything else; serve it alone",
            (_, "-") => "reading from stdin is not supported; give the path of an .mcap file",
            _ => "URLs are not supported; give the path of an .mcap file",
        };
        return Err(SourceError::Unusable { name: stream.clone(), reason: reason.to_owned() });
    }
    let named = paths::named(specs)?;
    if named.files.is_empty() {
        let reason = "no recording is named; name an .mcap file or a folder of them".into();
        return Err(SourceError::Unusable { name: "source".into(), reason });
    }
    Ok(Box::new(self::mcap::Timeline::open(named, options, progress)?))
}

/// Looks at a recording without playing it. `progress` as for [`open`]; counts of every channel are exact, which
/// takes reading the file through where the recorder did not count.
pub fn recording_summary(
    path: &Path,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<RecordingSummary, SourceError> {
    self::mcap::summary(path, progress)
}
