//! The WebSocket protocol (RFC 6455) with permessage-deflate (RFC 7692), for both ends. Pure: bytes in, bytes out.
//!
//! - [`handshake`]: what proves that both ends mean a WebSocket;
//! - [`negotiation`]: whether messages are compressed;
//! - [`FrameWriter`]: messages to frames; [`Decoder`]: bytes, cut anywhere, to messages;
//! - [`deflate`]: the streams of compressed messages. Which messages are worth it is for the caller to say.

mod decoder;
pub mod deflate;
pub mod handshake;
mod mask;
pub mod negotiation;
mod writer;

pub use decoder::{Budget, Decoder, Event, Violation};
pub use mask::{Mask, Masking, Unmasked};
pub use writer::FrameWriter;

/// Which end of a connection. A client masks its frames, a server does not (RFC 6455 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The end that accepted the connection.
    Server,
    /// The end that opened it.
    Client,
}

#[cfg(test)]
mod tests;
