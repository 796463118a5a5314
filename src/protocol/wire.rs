//! What both directions share: the encoded frame, and why a frame could not be decoded.

/// An encoded message, ready for the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A JSON object with a field `op`.
    Text(String),
    /// An opcode byte, then little-endian fields.
    Binary(Vec<u8>),
}

impl Frame {
    /// Bytes of the frame's payload, without what WebSocket adds.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether the payload has no bytes; no encoded message is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What was wrong with a frame, and where in it.
///
/// Printed, it is short and repeats no more than a few dozen characters of the frame: fit for a status message
/// to the peer that sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A text message that is not JSON, or nests too deep.
    #[error("malformed JSON at line {line}, column {column}: {problem}")]
    Json {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes; 0 for the end of the previous line.
        column: usize,
        /// What the JSON parser says.
        problem: String,
    },
    /// JSON, but not an object with a text field `op`.
    #[error("a text message must be a JSON object with a text field op")]
    NoOp,
    /// An operation that is not of this protocol, or not of this direction.
    #[error("unknown op '{op}'")]
    UnknownOp {
        /// The operation, clipped.
        op: String,
    },
    /// A field of a text message that is absent or does not fit.
    #[error("{op}: {field}: {problem}")]
    Field {
        /// The operation.
        op: String,
        /// The way to the field, for example `subscriptions[3].channelId`.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A binary message without an opcode.
    #[error("empty binary message")]
    Empty,
    /// A binary message with an opcode that is not of this protocol, or not of this direction.
    #[error("unknown binary opcode {opcode}")]
    UnknownOpcode {
        /// The first byte of the message.
        opcode: u8,
    },
    /// A field of a binary message that is cut off or does not fit.
    #[error("{message}: {field} at byte {offset}: {problem}")]
    Bytes {
        /// Name of the message, for example `playback control request`.
        message: &'static str,
        /// Name of the field, for example `seek time`.
        field: &'static str,
        /// Where the field (for text: its first bad byte) lies in the frame; the opcode is byte 0.
        offset: usize,
        /// What is wrong with it.
        problem: String,
    },
}
