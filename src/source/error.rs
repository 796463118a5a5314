//! Why a source can't be opened or read, and whether reading goes on.

use std::io;

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

impl SourceError {
    /// Whether reading goes on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Damaged { .. } | Self::LeftOut { .. } | Self::Changed { .. } => ErrorKind::Skipped,
            Self::Unavailable { .. } => ErrorKind::RetryAfterPause,
            Self::Unusable { .. } | Self::Line { .. } | Self::Io { .. } => ErrorKind::Fatal,
        }
    }

    /// The same of a part: what is fatal for a file is not for the timeline of several.
    pub(super) fn of_a_part(self) -> Self {
        match self {
            Self::Unusable { name, reason } => Self::LeftOut { name, reason },
            Self::Io { name, error } => Self::LeftOut { name, reason: error.to_string() },
            other => other,
        }
    }
}
