//! The first messages of live channels, for clients that subscribe as soon as a channel is advertised.
//!
//! A live topic that nobody announced is advertised with its first message, and no client can have subscribed to it. So
//! what live input publishes on a channel within [`GRACE`] of its announcement is kept, and a client that subscribes
//! within that time is sent it once, before newer messages. A latched channel needs none of it: its late subscribers get
//! what still counts. Pure. Bounds: [`MAX_MESSAGES`] and [`MAX_BYTES`] for a channel, [`MAX_TOTAL`] for all; what is due
//! to be forgotten goes with the next announcement, message or subscription.
//!
//! The newest batches are held whole ([`batches`]). A message is copied only when its batch has to go and it is still
//! kept: of many messages in a second hardly any are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::batches::{Batches, Number};
use super::ClientId;
use super::subscriptions::ChannelSet;
use crate::model::{Batch, ChannelId, Entry};

mod batches;

/// Viewers subscribe within milliseconds, over a slow network or while they load within a second or two.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// Messages of one channel: some hundred a second, as long as they are kept.
const MAX_MESSAGES: usize = 1000;

/// Bytes of one channel, or the one message that is larger.
const MAX_BYTES: usize = 1 << 20;

/// Bytes of all channels; beyond it the oldest channel loses its messages.
const MAX_TOTAL: usize = 32 << 20;

/// What a message takes beside its payload.
const MESSAGE: usize = size_of::<First>();

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Firsts {
    slots: ChannelSet,
    channels: BTreeMap<ChannelId, Beginning>,
    /// In the order of their announcement.
    ends: VecDeque<(Instant, ChannelId)>,
    bytes: usize,
    batches: Batches,
}

#[derive(Debug, Default)]
struct Beginning {
    messages: VecDeque<First>,
    /// How many of them, the oldest ones, have payloads of their own.
    own: usize,
    bytes: usize,
    /// Clients that have had their share.
    given: BTreeSet<ClientId>,
}

#[derive(Debug)]
struct First {
    entry: Entry,
    payload: Payload,
    /// The client that has published it.
    from: Option<ClientId>,
}

/// Where the payload of a message is.
#[derive(Debug)]
enum Payload {
    /// In a batch that is held.
    In(Number),
    Own(Bytes),
}

impl Firsts {
    /// A channel is announced.
    pub(super) fn begin(&mut self, channel: ChannelId, now: Instant) {
        self.expire(now);
        self.end(channel);
        self.slots.insert(channel);
        self.channels.insert(channel, Beginning::default());
        self.ends.push_back((now + GRACE, channel));
    }

    /// A channel has ended.
    pub(super) fn end(&mut self, channel: ChannelId) {
        if let Some(beginning) = self.channels.remove(&channel) {
            self.slots.remove(channel);
            self.bytes -= beginning.bytes;
        }
        if self.channels.is_empty() {
            self.batches.clear();
        }
    }

    /// Forgets all messages: they belong to a time that is over, or are published once more.
    pub(super) fn clear(&mut self) {
        for beginning in self.channels.values_mut() {
            beginning.clear();
        }
        self.bytes = 0;
        self.batches.clear();
    }

    /// Keeps what live input or the client `from` has published; `channels` are those of the part.
    pub(super) fn keep(
        &mut self,
        batch: &Arc<Batch>,
        range: Range<usize>,
        channels: &ChannelSet,
        from: Option<ClientId>,
        now: Instant,
    ) {
        if self.channels.is_empty() {
            return;
        }
        self.expire(now);
        if !self.slots.intersects(channels) {
            return;
        }
        let number = self.batches.hold(batch);
        for entry in &batch.entries[range] {
            let Some(beginning) = self.channels.get_mut(&entry.channel) else { continue };
            let before = beginning.bytes;
            beginning.push(First { entry: *entry, payload: Payload::In(number), from });
            self.bytes = self.bytes - before + beginning.bytes;
            self.evict();
        }
        while let Some((number, batch)) = self.batches.surplus() {
            self.channels.values_mut().for_each(|beginning| beginning.own(number, &batch));
        }
    }

    /// What a client that subscribes to a channel is to be sent first; None if that is nothing.
    pub(super) fn take(&mut self, channel: ChannelId, client: ClientId, now: Instant) -> Option<Batch> {
        if self.channels.is_empty() {
            return None;
        }
        self.expire(now);
        let beginning = self.channels.get_mut(&channel)?;
        if !beginning.given.insert(client) {
            // what came before it ended its subscription it has been sent
            return None;
        }
        let mut batch = Batch::default();
        let messages = beginning.messages.iter().filter(|first| first.from != Some(client));
        let batches = &self.batches;
        let messages = messages.filter_map(|First { entry, payload, .. }| match payload {
            Payload::In(number) => batches.payload(*number, entry).map(|payload| (entry, payload)),
            Payload::Own(payload) => Some((entry, payload.clone())),
        });
        for (buffer, (entry, payload)) in (0..).zip(messages) {
            batch.entries.push(Entry { buffer, offset: 0, ..*entry });
            batch.buffers.push(payload);
        }
        (!batch.entries.is_empty()).then_some(batch)
    }

    fn expire(&mut self, now: Instant) {
        while let Some((_, channel)) = self.ends.front().copied().filter(|(end, _)| *end <= now) {
            self.ends.pop_front();
            self.end(channel);
        }
    }

    fn evict(&mut self) {
        while self.bytes > MAX_TOTAL {
            let oldest = self.ends.iter().find_map(|(_, channel)| {
                let beginning = self.channels.get(channel)?;
                (beginning.bytes > 0).then_some(*channel)
            });
            let Some(beginning) = oldest.and_then(|oldest| self.channels.get_mut(&oldest)) else { return };
            self.bytes -= beginning.bytes;
            beginning.clear();
        }
    }
}

/// The payload of a message without the rest of its buffer; one that is most of its buffer keeps it.
fn own(batch: &Batch, entry: &Entry) -> Bytes {
    if entry.length as usize * 2 > batch.buffers[entry.buffer as usize].len() {
        batch.payload_bytes(entry)
    } else {
        Bytes::copy_from_slice(batch.payload(entry))
    }
}

impl Beginning {
    /// Adds a message; the oldest go if there are too many.
    fn push(&mut self, first: First) {
        self.bytes += first.bytes();
        self.messages.push_back(first);
        while self.messages.len() > MAX_MESSAGES || (self.bytes > MAX_BYTES && self.messages.len() > 1) {
            let Some(oldest) = self.messages.pop_front() else { return };
            self.bytes -= oldest.bytes();
            self.own = self.own.saturating_sub(1);
        }
    }

    /// A batch is held no longer: what is kept of it gets payloads of its own. It is the oldest of those held.
    fn own(&mut self, number: Number, batch: &Batch) {
        for first in self.messages.range_mut(self.own..) {
            if !matches!(first.payload, Payload::In(own) if own == number) {
                break;
            }
            first.payload = Payload::Own(own(batch, &first.entry));
            self.own += 1;
        }
    }

    /// Forgets its messages.
    fn clear(&mut self) {
        (self.messages, self.own, self.bytes) = (VecDeque::new(), 0, 0);
    }
}

impl First {
    fn bytes(&self) -> usize {
        self.entry.length as usize + MESSAGE
    }
}

#[cfg(test)]
mod tests;
