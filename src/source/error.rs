//! Why a source can't be opened or read, and whether reading goes on.

use std::io;

use super::topics::listed;
use crate::printable::counted;
use crate::time::Timestamp;

/// What an error means for those who read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A part is left out; what follows can be read at once.
    Skipped,
    /// Nothing can be read now; it may go on after a pause.
    RetryAfterPause,
    /// Nothing more can be read.
    Fatal,
}

/// Why a source can't be opened or read. The text names the cause, so there is no further [`std::error::Error::source`].
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
    #[error("{name}: no topic is chosen; the recording has {}: {}", counted(.topics.len() as u64, "topic"), listed(.topics))]
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
    /// One file of several, or a part of one, can't be reached; the rest can.
    #[error("{name}: {reason}")]
    LeftOut {
        /// The file as the user named it.
        name: String,
        /// What is wrong.
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
    /// The source was replaced by another one; reading continues with the new content.
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
        error: io::Error,
    },
    /// The system refuses for now: a file on a disk that is away, a server that does not answer.
    #[error("{name}: {error}")]
    Unavailable {
        /// The source as the user named it.
        name: String,
        /// What the system says.
        error: io::Error,
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

impl SourceError {
    /// Whether reading goes on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Damaged { .. } | Self::LeftOut { .. } | Self::Changed { .. } => ErrorKind::Skipped,
            Self::Unavailable { .. } => ErrorKind::RetryAfterPause,
            Self::Unusable { .. }
            | Self::NoTopic { .. }
            | Self::OutOfRange { .. }
            | Self::Line { .. }
            | Self::Io { .. } => ErrorKind::Fatal,
        }
    }

    /// The same of a part: what is fatal for a file is not for the timeline that it is part of.
    pub(super) fn of_a_part(self) -> Self {
        match self {
            Self::Unusable { name, reason } => Self::LeftOut { name, reason },
            Self::Io { name, error } => Self::Unavailable { name, error },
            other => other,
        }
    }
}
