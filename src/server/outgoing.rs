//! From a client's queue to frames: control first, then messages with the `time` that belongs before them,
//! compressed where that was agreed on.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::compression::{Compressed, Compression};
use crate::hub::Client;
use crate::hub::outbox::{Closing, ControlKind, Encoded, Fate, Ordered, Progress, Purges};
use crate::hub::queue::{Item, Part};
use crate::hub::subscriptions::Subscriptions;
use crate::model::Entry;
use crate::protocol::{MESSAGE_DATA_HEADER, message_data_header, time_frame};
use crate::time::Timestamp;
use crate::websocket::FrameWriter;

/// Bytes encoded for a client before they are written: large enough for few system calls, small enough that a seek takes
/// effect at once. With the last message, as far as that is copied, they fit into a buffer of 128 KiB. (With one of
/// 64 KiB small messages cost a third more for a hundred clients.)
const WRITE_AHEAD: usize = 120 << 10;

/// Bytes encoded for all clients together: of very many each gets less …
const WRITE_AHEAD_OF_ALL: usize = 24 << 20;

/// … but no less than this, below which system calls cost more than what they carry.
const SMALLEST_WRITE_AHEAD: usize = 16 << 10;

/// Bytes to encode for each of so many clients before they are written.
pub(super) fn write_ahead(clients: usize) -> usize {
    (WRITE_AHEAD_OF_ALL / clients.max(1)).clamp(SMALLEST_WRITE_AHEAD, WRITE_AHEAD)
}

/// What [`Outgoing::fill`] did.
#[derive(Debug)]
pub(super) enum Filled {
    /// Encoded all that is queued, or as much as there is room for.
    Enough,
    /// Encoded all that may be sent before this time, when there is more.
    Silent(Instant),
    /// Stopped within what is to be compressed, so that other tasks run.
    Yield,
    /// Encoded all that is sent before the connection is closed.
    Close(Closing),
}

/// Turns queue items into frames, with the `time` that belongs before them.
pub(super) struct Outgoing {
    in_hand: Option<Part>,
    purges: Purges,
    last_time: Option<Timestamp>,
    resolution: u64,
    compression: Option<Compression>,
    /// Bytes to encode before they are written.
    ahead: usize,
}

impl Outgoing {
    pub(super) fn new(resolution: Duration, compression: Option<Compression>) -> Self {
        let resolution = u64::try_from(resolution.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self {
            in_hand: None,
            purges: Purges::default(),
            last_time: None,
            resolution,
            compression,
            ahead: WRITE_AHEAD,
        }
    }

    /// Encodes what is queued, up to `ahead` bytes, once half of what was encoded before is written.
    pub(super) fn fill(&mut self, client: &Client, writer: &mut FrameWriter, ahead: usize) -> Filled {
        self.ahead = ahead;
        if let Some(compression) = &mut self.compression {
            compression.resume();
        }
        if writer.len() > ahead / 2 {
            return Filled::Enough;
        }
        while writer.len() < ahead {
            if self.compression.as_ref().is_some_and(Compression::must_yield) {
                return Filled::Yield;
            }
            let progress = match (&self.in_hand, writer.is_empty()) {
                (Some(_), _) => Progress::InHand,
                (None, false) => Progress::Encoded,
                (None, true) => Progress::Written,
            };
            let taken = client.take(progress, Instant::now());
            self.on_purges(taken.purges, client);
            let quiet = taken.control.is_empty() && taken.item.is_none();
            for control in taken.control {
                self.control(control.kind, control.frame, writer);
            }
            if let Some(closing) = taken.closing {
                return Filled::Close(closing);
            }
            match taken.item {
                Some(Item::Messages(part)) => self.in_hand = Some(part),
                Some(Item::Other(Ordered::Time(time))) => self.time(time, writer),
                Some(Item::Other(Ordered::Control(control))) => {
                    self.control(control.kind, control.frame, writer)
                }
                Some(Item::Other(Ordered::Session(session))) => {
                    for frame in session.frames.iter() {
                        self.control(ControlKind::Session, frame.clone(), writer);
                    }
                }
                None if quiet && self.in_hand.is_none() => {
                    return taken.silent_until.map_or(Filled::Enough, Filled::Silent);
                }
                None => {}
            }
            let (messages, bytes) = self.messages(&taken.subscriptions, client, writer);
            if messages > 0 {
                client.count(messages, bytes);
            }
        }
        Filled::Enough
    }

    /// Payload bytes of the part in hand that are not encoded yet, those of channels included that the client does
    /// not want.
    pub(super) fn in_hand_bytes(&self) -> usize {
        let entries = self.in_hand.iter().flat_map(|part| &part.batch.entries[part.range.clone()]);
        entries.map(|entry| entry.length as usize).sum()
    }

    /// Whether messages may be compressed, which takes a while.
    pub(super) fn compresses(&self) -> bool {
        self.compression.is_some()
    }

    /// Frees memory that was not needed lately.
    pub(super) fn shrink(&mut self) {
        if let Some(compression) = &mut self.compression {
            compression.shrink();
        }
    }

    /// Drops what is left of a part that was taken before a purge.
    fn on_purges(&mut self, purges: Purges, client: &Client) {
        let before = std::mem::replace(&mut self.purges, purges);
        let Some(part) = self.in_hand.take_if(|part| before.fate(purges, part) != Fate::Sent) else { return };
        self.abandon();
        if before.fate(purges, &part) == Fate::Lost {
            client.count_lost(&part);
        }
    }

    /// Drops the message that is being compressed.
    fn abandon(&mut self) {
        if let Some(compression) = &mut self.compression {
            compression.abandon();
        }
    }

    fn control(&mut self, kind: ControlKind, frame: Encoded, writer: &mut FrameWriter) {
        if let ControlKind::Time(time) = kind {
            self.last_time = Some(time);
        }
        match frame {
            Encoded::Text(text) => {
                match self.compression.as_mut().and_then(|compression| compression.text(&text)) {
                    Some(compressed) => writer.compressed_text(compressed),
                    None => writer.text(text),
                }
            }
            Encoded::Binary(bytes) | Encoded::Large(bytes) => writer.binary(bytes),
        }
    }

    /// A `time` that belongs to no message, if it is later than the last one.
    fn time(&mut self, time: Timestamp, writer: &mut FrameWriter) {
        if self.last_time.is_none_or(|last| last < time) {
            self.last_time = Some(time);
            writer.binary(time_frame(time).to_vec().into());
        }
    }

    /// Encodes messages of the part in hand until it is done, or enough is encoded or compressed. Returns how many,
    /// and their bytes.
    fn messages(
        &mut self,
        subscriptions: &Subscriptions,
        client: &Client,
        writer: &mut FrameWriter,
    ) -> (u64, u64) {
        let Some(mut part) = self.in_hand.take() else { return (0, 0) };
        let start = part.range.start;
        let counts = if self.compression.is_none() {
            self.plain(&mut part, subscriptions, writer)
        } else {
            self.compressed(&mut part, subscriptions, client, writer)
        };
        if tracing::enabled!(tracing::Level::TRACE) {
            for entry in &part.batch.entries[start..part.range.start] {
                if let (Some(_), Some(channel)) =
                    (subscriptions.wanted(entry.channel, part.number), client.channel(entry.channel))
                {
                    let (id, length, time) = (client.id(), entry.length, entry.log_time);
                    tracing::trace!("client {id}: {length} bytes of {} at {time}", channel.topic);
                }
            }
        }
        if !part.range.is_empty() {
            self.in_hand = Some(part);
        }
        counts
    }

    fn plain(
        &mut self,
        part: &mut Part,
        subscriptions: &Subscriptions,
        writer: &mut FrameWriter,
    ) -> (u64, u64) {
        let (mut messages, mut bytes) = (0, 0);
        while part.range.start < part.range.end && writer.len() < self.ahead {
            let entry = &part.batch.entries[part.range.start];
            part.range.start += 1;
            let Some(subscription) = subscriptions.wanted(entry.channel, part.number) else { continue };
            if part.timed {
                self.time_of(entry.log_time, writer);
            }
            let header = message_data_header(subscription, entry.log_time);
            writer.message(&header, part.batch.payload(entry), || part.batch.payload_bytes(entry));
            messages += 1;
            bytes += u64::from(entry.length);
        }
        (messages, bytes)
    }

    fn compressed(
        &mut self,
        part: &mut Part,
        subscriptions: &Subscriptions,
        client: &Client,
        writer: &mut FrameWriter,
    ) -> (u64, u64) {
        let (mut messages, mut bytes) = (0, 0);
        while part.range.start < part.range.end && writer.len() < self.ahead {
            let entry = part.batch.entries[part.range.start];
            let is_busy = self.compression.as_ref().is_some_and(Compression::is_busy);
            let Some(subscription) = subscriptions.wanted(entry.channel, part.number) else {
                self.abandon();
                part.range.start += 1;
                continue;
            };
            let is_done = if is_busy {
                self.proceed(writer)
            } else {
                if part.timed {
                    self.time_of(entry.log_time, writer);
                }
                let header = message_data_header(subscription, entry.log_time);
                self.begin(part, &entry, &header, client, writer)
            };
            if !is_done {
                break;
            }
            part.range.start += 1;
            messages += 1;
            bytes += u64::from(entry.length);
            if self.compression.as_ref().is_some_and(Compression::must_yield) {
                break;
            }
        }
        (messages, bytes)
    }

    /// The `time` that belongs before a message.
    fn time_of(&mut self, log_time: Timestamp, writer: &mut FrameWriter) {
        let bucket = |time: Timestamp| time.0 / self.resolution;
        if self.last_time.is_none_or(|last| last < log_time && bucket(last) != bucket(log_time)) {
            self.last_time = Some(log_time);
            writer.message(&time_frame(log_time), &[], Bytes::new);
        }
    }

    /// Encodes a message; false if it is not compressed to its end.
    fn begin(
        &mut self,
        part: &Part,
        entry: &Entry,
        header: &[u8; MESSAGE_DATA_HEADER],
        client: &Client,
        writer: &mut FrameWriter,
    ) -> bool {
        let payload = part.batch.payload(entry);
        let share = || part.batch.payload_bytes(entry);
        let length = header.len() + payload.len();
        let compression = self.compression.as_mut().and_then(|compression| {
            let wants = compression.wants(entry.channel, length, || client.channel(entry.channel));
            wants.then_some(compression)
        });
        let Some(compression) = compression else {
            writer.message(header, payload, share);
            return true;
        };
        match compression.message(entry.channel, header, payload, share) {
            Compressed::Unfinished => return false,
            Compressed::Smaller(smaller) => writer.compressed_binary(smaller),
            Compressed::Plain | Compressed::PlainLarge(..) => writer.message(header, payload, share),
        }
        true
    }

    /// Goes on with a message that is being compressed; false if that is not its end.
    fn proceed(&mut self, writer: &mut FrameWriter) -> bool {
        let Some(compression) = &mut self.compression else { return true };
        match compression.proceed() {
            Compressed::Smaller(smaller) => writer.compressed_binary(smaller),
            Compressed::PlainLarge(header, payload) => {
                let copy = payload.clone();
                writer.message(&header, &payload, || copy);
            }
            Compressed::Unfinished | Compressed::Plain => return false,
        }
        true
    }
}
