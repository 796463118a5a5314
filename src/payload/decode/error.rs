//! What is wrong with a definition, and with a payload.

use std::fmt;

/// A definition of messages that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionError {
    /// Line of the definition, counted from 1, where that is known.
    pub line: Option<usize>,
    /// What is wrong there.
    pub reason: String,
}

impl DefinitionError {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { line: None, reason: reason.into() }
    }

    pub(super) fn at(line: usize, reason: impl Into<String>) -> Self {
        Self { line: Some(line), reason: reason.into() }
    }
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line} of the definition: {}", self.reason),
            None => write!(f, "the definition: {}", self.reason),
        }
    }
}

impl std::error::Error for DefinitionError {}

/// A payload that is no message of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// The field, for example `poses[2].position.x`; empty for the message itself.
    pub path: String,
    /// Where in the payload, in bytes.
    pub offset: usize,
    /// What was found there.
    pub reason: String,
    /// Whether the payload is wrong, or the decoder lacks something.
    pub kind: DecodeErrorKind,
}

/// What a [`DecodeError`] says of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// It does not fit its definition.
    Malformed,
    /// It may fit, but it is in a form that is not supported, or larger or deeper than is decoded.
    Unsupported,
}

impl DecodeError {
    pub(super) fn new(offset: usize, reason: impl Into<String>) -> Box<Self> {
        let kind = DecodeErrorKind::Malformed;
        Box::new(Self { path: String::new(), offset, reason: reason.into(), kind })
    }

    /// See [`DecodeErrorKind::Unsupported`].
    pub(super) fn unsupported(offset: usize, reason: impl Into<String>) -> Box<Self> {
        Box::new(Self { kind: DecodeErrorKind::Unsupported, ..*Self::new(offset, reason) })
    }

    /// More is claimed than there is: `what` says how much.
    pub(super) fn beyond(what: impl fmt::Display, offset: usize, left: usize) -> Box<Self> {
        let verb = if left == 1 { "is" } else { "are" };
        Self::new(offset, format!("{what} at offset {offset}, {left} {verb} left"))
    }

    /// The error of a part, as one of the field that holds it. Paths are made from the end, so that they cost nothing
    /// where there is no error.
    pub(super) fn in_field(mut self: Box<Self>, name: &str) -> Box<Self> {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path.insert_str(0, dot);
        self.path.insert_str(0, name);
        self
    }

    /// The same for an element of an array.
    pub(super) fn in_element(self: Box<Self>, index: usize) -> Box<Self> {
        self.in_field(&format!("[{index}]"))
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.reason)
        } else {
            write!(f, "{}: {}", self.path, self.reason)
        }
    }
}

impl std::error::Error for DecodeError {}

pub(super) type Result<T> = std::result::Result<T, Box<DecodeError>>;
