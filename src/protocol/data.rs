//! Messages on channels, in both directions, and the server's time: all binary, all on the hot path.
//!
//! [`message_data_header`] and [`time_frame`] encode without allocating, for writers that put the payload after
//! the header themselves.

use bytes::Bytes;

use super::binary::Reader;
use super::channel::ClientChannelId;
use super::wire::DecodeError;
use crate::model::SubscriptionId;
use crate::time::Timestamp;

pub(crate) const SERVER_MESSAGE_DATA: u8 = 1;
pub(super) const SERVER_TIME: u8 = 2;
pub(super) const CLIENT_MESSAGE_DATA: u8 = 1;

/// Bytes before the payload in a message to a client: opcode, subscription id, log time.
pub(crate) const MESSAGE_DATA_HEADER: usize = 13;

/// What stands before the payload in a message to a client.
pub fn message_data_header(subscription: SubscriptionId, log_time: Timestamp) -> [u8; MESSAGE_DATA_HEADER] {
    let mut header = [0; MESSAGE_DATA_HEADER];
    header[0] = SERVER_MESSAGE_DATA;
    header[1..5].copy_from_slice(&subscription.0.to_le_bytes());
    header[5..].copy_from_slice(&log_time.0.to_le_bytes());
    header
}

/// The whole frame that tells clients the server's time.
pub fn time_frame(time: Timestamp) -> [u8; 9] {
    let mut frame = [0; 9];
    frame[0] = SERVER_TIME;
    frame[1..].copy_from_slice(&time.0.to_le_bytes());
    frame
}

/// A message on a channel that the client subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageData {
    /// The client's own id for its subscription.
    pub subscription_id: SubscriptionId,
    /// Of the same time source as [`ServerMessage::Time`](super::ServerMessage::Time).
    pub log_time: Timestamp,
    /// In the channel's message encoding.
    pub payload: Bytes,
}

impl MessageData {
    pub(super) fn decode(reader: Reader) -> Result<Self, DecodeError> {
        let mut reader = reader.of("message data");
        Ok(Self {
            subscription_id: SubscriptionId(reader.u32("subscription id")?),
            log_time: Timestamp(reader.u64("log time")?),
            payload: reader.rest(),
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        [&message_data_header(self.subscription_id, self.log_time), self.payload.as_ref()].concat()
    }
}

pub(super) fn decode_time(reader: Reader) -> Result<Timestamp, DecodeError> {
    reader.of("time").u64("time").map(Timestamp)
}

/// A message that the client publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientMessageData {
    /// A channel that the client advertised before.
    pub channel_id: ClientChannelId,
    /// In the channel's message encoding.
    pub payload: Bytes,
}

impl ClientMessageData {
    pub(super) fn decode(reader: Reader) -> Result<Self, DecodeError> {
        let mut reader = reader.of("client message data");
        Ok(Self { channel_id: ClientChannelId(reader.u32("channel id")?), payload: reader.rest() })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        [&[CLIENT_MESSAGE_DATA], self.channel_id.0.to_le_bytes().as_slice(), self.payload.as_ref()].concat()
    }
}
