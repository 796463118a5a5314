//! Frames that are no messages: encoded once, shared among clients.

use bytes::Bytes;

use crate::protocol::Frame;
use crate::time::Timestamp;

/// An encoded message, shared among clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoded {
    /// A text frame, in UTF-8.
    Text(Bytes),
    /// A binary frame.
    Binary(Bytes),
    /// A binary frame that may be large, and whose bytes are bounded by who queues it.
    Large(Bytes),
}

impl Encoded {
    /// Bytes that it takes of the bound of a queue.
    pub(super) fn weight(&self) -> usize {
        /// What a small frame takes beside its content.
        const OVERHEAD: usize = 128;
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => OVERHEAD + bytes.len(),
            Self::Large(_) => OVERHEAD,
        }
    }
}

impl From<Frame> for Encoded {
    fn from(frame: Frame) -> Self {
        match frame {
            Frame::Text(text) => Self::Text(text.into_bytes().into()),
            Frame::Binary(bytes) => Self::Binary(bytes.into()),
        }
    }
}

/// What a control frame is about: tells which ones a newer one makes obsolete, and which keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlKind {
    /// `serverInfo` and the `advertise` that follows it.
    Session,
    /// What lasts until it is taken back, and ends with a session: channels, services, and what everybody is shown.
    Lasting,
    /// Values of parameters, which end with a session and are repeated after it. The number stands for the names: newer
    /// values have the same.
    Values(u64),
    /// A `time` at a start or after a seek.
    Time(Timestamp),
    /// A playback state that nobody asked for.
    State,
    /// A playback state that answers a request: it goes to every client, whoever has asked.
    Answer,
    /// The same of a seek.
    Sought,
    /// Anything else: answers and status.
    Other,
}

/// A frame that is no message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// What it is about.
    pub kind: ControlKind,
    /// What is sent.
    pub frame: Encoded,
}

/// Why and how the server closes a client's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// WebSocket close code (RFC 6455 section 7.4).
    pub code: u16,
    /// For people; in the close frame.
    pub reason: &'static str,
    /// Send what is queued first.
    pub drain: bool,
}
