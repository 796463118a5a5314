//! The nouns everybody shares: channels, schemas, messages and the batches they travel in.
//!
//! A [`Batch`] is made once by a source and shared by every client: its messages are offsets into a few
//! large buffers (decompressed chunks), so that a payload is not copied between the file and the socket.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::time::Timestamp;

mod extra;
#[cfg(test)]
mod tests;
mod timeline;

pub use extra::{Attachment, Extra, Metadata};
pub use timeline::{DamagedPart, Timeline, TopicTimeline};

/// Identifies a channel on the wire and within one server. An id is never given to another channel: clients cache
/// decoders by it.
///
/// The lower [`ChannelId::SLOT_BITS`] bits are its slot, by which tables are indexed. When a channel ends, its slot is
/// used again with the next generation in the upper bits, so that tables stay small however often channels change. A
/// table that compares the whole id can't confuse a channel with an earlier one in the same slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub u32);

impl ChannelId {
    /// Bits of the slot: about a million channels at once, and 4096 channels in each slot one after the other.
    pub const SLOT_BITS: u32 = 20;

    /// The id of a channel in a slot; None beyond the last slot or generation.
    pub fn new(slot: u32, generation: u32) -> Option<Self> {
        let fits = slot >> Self::SLOT_BITS == 0 && generation >> (u32::BITS - Self::SLOT_BITS) == 0;
        fits.then_some(Self(generation << Self::SLOT_BITS | slot))
    }

    /// The index of the channel in tables.
    pub fn slot(self) -> usize {
        (self.0 & ((1 << Self::SLOT_BITS) - 1)) as usize
    }

    /// How many channels had this slot before.
    pub fn generation(self) -> u32 {
        self.0 >> Self::SLOT_BITS
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies a subscription; chosen by the client, unique within its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u32);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How the messages of a channel are described.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Schema {
    /// Name of the type, for example `foxglove.Log` or `sensor_msgs/msg/Imu`.
    pub name: String,
    /// What `data` is written in: `protobuf`, `jsonschema`, `ros1msg`, `ros2msg`, `ros2idl`, `omgidl`,
    /// `flatbuffer` or a name of the user's own. Empty where the source did not say.
    pub encoding: String,
    /// The definition itself, as the source has it: text, or a binary descriptor.
    pub data: Bytes,
}

/// A stream of messages of one type under one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Given by the [registry](crate::registry); unique among all channels of one server.
    pub id: ChannelId,
    /// Unique among all channels of one server as well: viewers take one channel a topic.
    pub topic: String,
    /// `json`, `protobuf`, `flatbuffer`, `ros1`, `cdr`, or whatever the source has.
    pub message_encoding: String,
    /// None for a channel without a schema.
    pub schema: Option<Arc<Schema>>,
    /// What the recorder noted about the channel, for example `offered_qos_profiles`.
    pub metadata: BTreeMap<String, String>,
    /// Whether the source says that late subscribers are to get what was sent last: ROS 2 transient local durability,
    /// ROS 1 `latching`, `"latch": true` of a JSON line.
    pub latched: bool,
}

/// One message within a [`Batch`]: where its payload lies, and what is known about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Time on the timeline that is played, ns. The log time, or the publish time if the user chose that order.
    pub log_time: Timestamp,
    /// When the message was published, as recorded.
    pub publish_time: Timestamp,
    /// Channel of the message.
    pub channel: ChannelId,
    /// Sequence number, as recorded; 0 where there is none.
    pub sequence: u32,
    /// Index of the buffer in [`Batch::buffers`].
    pub buffer: u32,
    /// First byte of the payload in the buffer.
    pub offset: u32,
    /// Bytes of payload.
    pub length: u32,
    /// Tells publishers of one channel apart, where the source does: of a latched channel the last message of each is kept.
    /// In a recording the number of the file and the id of the channel in it, in a stream of MCAP that id, in JSON lines
    /// the writer.
    pub origin: u32,
}

impl Entry {
    /// A message of a channel, logged and published at a time; where its payload lies is set by [`Batch::push_copy`].
    pub fn at(channel: ChannelId, time: Timestamp) -> Self {
        Self {
            log_time: time,
            publish_time: time,
            channel,
            sequence: 0,
            buffer: 0,
            offset: 0,
            length: 0,
            origin: 0,
        }
    }
}

// it lies where padding would be
const _: () = assert!(size_of::<Entry>() == 40);

/// Messages in the order in which they are to be sent, over shared buffers.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Channels that end before this batch; their ids are not used again.
    pub retired: Vec<ChannelId>,
    /// Channels that appear with this batch, to be announced before its first message.
    pub announcements: Vec<Arc<Channel>>,
    /// What the payloads lie in, usually one decompressed chunk.
    pub buffers: Vec<Bytes>,
    /// The messages; log times never decrease in those of a recording.
    pub entries: Vec<Entry>,
    /// Messages that nobody is sent who has subscribed already: of latched channels they count for late subscribers, as if
    /// each had come before the message of this index (or after the last one). In order.
    pub unsent: Vec<(usize, Entry)>,
    /// The log time of messages that came without one: when they arrived.
    pub arrival: Option<Timestamp>,
}

/// What becomes of a message in [`Batch::sift`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is sent.
    Sent,
    /// It only counts for late subscribers.
    Unsent,
    /// It is left out.
    Dropped,
}

impl Batch {
    /// The payload of a message of this batch.
    pub fn payload(&self, entry: &Entry) -> &[u8] {
        let start = entry.offset as usize;
        &self.buffers[entry.buffer as usize][start..start + entry.length as usize]
    }

    /// The payload of a message of this batch as a share of its buffer (no copy).
    pub fn payload_bytes(&self, entry: &Entry) -> Bytes {
        let start = entry.offset as usize;
        self.buffers[entry.buffer as usize].slice(start..start + entry.length as usize)
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.unsent.is_empty()
            && self.announcements.is_empty()
            && self.retired.is_empty()
    }

    /// The messages that are not sent and lie within a part of those that are; what lies between two parts belongs to the
    /// earlier one, as it may be long until the later one is due.
    pub(crate) fn unsent_in(&self, range: &Range<usize>) -> &[(usize, Entry)] {
        let is_first = range.start == 0;
        let start = self.unsent.partition_point(|(before, _)| *before <= range.start && !is_first);
        let end = self.unsent.partition_point(|(before, _)| *before <= range.end);
        &self.unsent[start..end.max(start)]
    }

    /// Decides of each message that is sent, in order and given its payload, what becomes of it.
    pub fn sift(&mut self, mut fate: impl FnMut(&Entry, &[u8]) -> Fate) {
        let mut unsent_before = std::mem::take(&mut self.unsent).into_iter().peekable();
        let (mut sent, mut unsent) = (Vec::with_capacity(self.entries.len()), Vec::new());
        for (index, entry) in self.entries.iter().enumerate() {
            while let Some((_, entry)) = unsent_before.next_if(|(before, _)| *before <= index) {
                unsent.push((sent.len(), entry));
            }
            match fate(entry, self.payload(entry)) {
                Fate::Sent => sent.push(*entry),
                Fate::Unsent => unsent.push((sent.len(), *entry)),
                Fate::Dropped => {}
            }
        }
        unsent.extend(unsent_before.map(|(_, entry)| (sent.len(), entry)));
        (self.entries, self.unsent) = (sent, unsent);
    }

    /// Bytes that stay in memory as long as this batch does: its buffers, whole, and its entries.
    pub fn footprint(&self) -> usize {
        let entries =
            self.entries.len() * size_of::<Entry>() + self.unsent.len() * size_of::<(usize, Entry)>();
        self.buffers.iter().map(Bytes::len).sum::<usize>() + entries
    }

    /// Bytes of buffers that another batch keeps in memory as well.
    pub(crate) fn shared_with(&self, other: &Self) -> usize {
        /// Beyond it the comparison would cost more than it is worth; chunks that overlap in time are few.
        const MOST: usize = 64;
        if self.buffers.len().max(other.buffers.len()) > MOST {
            return 0;
        }
        let has = |buffer: &&Bytes| other.buffers.iter().any(|own| own.as_ptr() == buffer.as_ptr());
        self.buffers.iter().filter(has).map(Bytes::len).sum()
    }

    /// Appends a message with a copy of its payload, so that the payload's own buffer can be freed.
    ///
    /// Each copy goes into a buffer of its own, which is an allocation a message. For many messages put the payloads into
    /// one buffer, one after the other:
    ///
    /// ```
    /// use foxglove_bridge::model::{Batch, ChannelId, Entry};
    /// use foxglove_bridge::time::Timestamp;
    ///
    /// # let (channel, samples) = (ChannelId(1), [0.5, 0.25]);
    /// let (mut buffer, mut entries) = (Vec::new(), Vec::new());
    /// for sample in samples {
    ///     let offset = buffer.len();
    ///     buffer.extend_from_slice(format!(r#"{{"volts":{sample}}}"#).as_bytes());
    ///     let length = buffer.len() - offset;
    ///     let (offset, length) = (u32::try_from(offset)?, u32::try_from(length)?);
    ///     entries.push(Entry { offset, length, ..Entry::at(channel, Timestamp::now()) });
    /// }
    /// let batch = Batch { buffers: vec![buffer.into()], entries, ..Batch::default() };
    /// assert_eq!(batch.payload(&batch.entries[1]), br#"{"volts":0.25}"#);
    /// # Ok::<(), std::num::TryFromIntError>(())
    /// ```
    pub fn push_copy(&mut self, entry: &Entry, payload: &[u8]) {
        let buffer = u32::try_from(self.buffers.len()).unwrap_or(u32::MAX);
        self.buffers.push(Bytes::copy_from_slice(payload));
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.entries.push(Entry { buffer, offset: 0, length, ..*entry });
    }
}
