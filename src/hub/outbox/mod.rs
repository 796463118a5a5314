//! What one client still has to be sent.
//!
//! Pure. Control frames go before data. Data is a queue of shared batches, not of messages: one push for each client
//! and batch; the client's own task picks out what it subscribed to. Two bounds, in bytes:
//!
//! - **control**: a client that lets `CONTROL_LIMIT` pile up is disconnected (see [`Outbox::overflowed`]);
//! - **data**: over the client's budget the backlog is collapsed ([`Outbox::push`] with [`SlowClient::Drop`]): channels
//!   that take little of it are kept whole, of the others the newest message stays, so that a camera can't evict a
//!   transform, and no backlog is ever staler than it must be. With [`SlowClient::Wait`] nothing is dropped, and
//!   whoever publishes asks [`Outbox::has_room`] first.
//!
//! What is kept of a backlog is copied out of its chunks, so that a slow client does not keep them in memory.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::SlowClient;
use super::subscriptions::{ChannelSet, Subscriptions};
use crate::model::{Batch, ChannelId};
use crate::protocol::Frame;
use crate::time::Timestamp;

mod collapse;

/// Control frames queued for one client, in bytes: a client this far behind with control alone does not read at all.
/// One frame over it is let in, since the list of channels can be larger.
const CONTROL_LIMIT: usize = 16 << 20;

/// A client is no longer called slow when it has caught up and dropped nothing for this long.
const RECOVERED_AFTER: Duration = Duration::from_secs(5);

/// An encoded message, shared among clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoded {
    /// A text frame, in UTF-8.
    Text(Bytes),
    /// A binary frame.
    Binary(Bytes),
}

impl Encoded {
    fn len(&self) -> usize {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes.len(),
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

/// What a control frame is about: tells which ones a newer one makes obsolete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlKind {
    /// `serverInfo` and the `advertise` that follows it.
    Session,
    /// A `time` at a start or after a jump.
    Time(Timestamp),
    /// A playback state that nobody asked for.
    State,
    /// Anything else: answers, status, channels that come and go.
    Other,
}

/// A frame that goes before data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// What it is about.
    pub kind: ControlKind,
    /// What is sent.
    pub frame: Encoded,
}

/// A part of a batch, as it is published to all clients at once.
#[derive(Debug, Clone)]
pub struct Slice<'a> {
    /// What it is a part of.
    pub batch: &'a Arc<Batch>,
    /// Its messages, in [`Batch::entries`].
    pub range: Range<usize>,
    /// Payload bytes in `range`.
    pub bytes: usize,
    /// Channels in `range`.
    pub channels: &'a ChannelSet,
    /// Whether `time` runs with the messages; not for state from before a seek's target.
    pub timed: bool,
}

/// A part of a batch in the queue of one client.
#[derive(Debug, Clone)]
pub struct Part {
    /// What it is a part of.
    pub batch: Arc<Batch>,
    /// Its messages, in [`Batch::entries`]; those that the client wants are among them.
    pub range: Range<usize>,
    /// As in [`Slice::timed`].
    pub timed: bool,
    /// Number of the queue item, for [`Subscriptions::wanted`].
    pub number: u64,
    /// Payload bytes, wanted or not.
    bytes: usize,
    /// Bytes of buffers that only this part (of this queue) keeps alive.
    pinned: usize,
}

/// What is queued after control frames.
#[derive(Debug, Clone)]
pub enum Item {
    /// Messages, wanted ones among them.
    Messages(Part),
    /// Time went on without a message.
    Time(Timestamp),
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

/// What the client's task does next.
#[derive(Debug)]
pub struct Taken {
    /// To be sent first.
    pub control: Vec<Control>,
    /// To be sent then.
    pub item: Option<Item>,
    /// Counts purges: a part taken at a lower count is stale.
    pub purges: u64,
    /// Which messages of `item` the client wants.
    pub subscriptions: Arc<Subscriptions>,
    /// Set once there is nothing left to send before it.
    pub closing: Option<Closing>,
}

/// The queue of one client. See the module's documentation.
#[derive(Debug)]
pub struct Outbox {
    limit: usize,
    control: VecDeque<Control>,
    control_bytes: usize,
    overflowed: bool,
    data: VecDeque<Item>,
    bytes: usize,
    pinned: usize,
    /// Bytes of the part that the client's task is working on.
    in_hand: Option<usize>,
    /// Backlog at which it is collapsed next.
    collapse_at: usize,
    purges: u64,
    next_number: u64,
    /// The last item must not grow: a subscription began after it.
    sealed: bool,
    subscriptions: Arc<Subscriptions>,
    closing: Option<Closing>,
    dropped: BTreeMap<ChannelId, u64>,
    slow_since: Option<Instant>,
}

impl Outbox {
    /// An empty queue with a budget for data in bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            control: VecDeque::new(),
            control_bytes: 0,
            overflowed: false,
            data: VecDeque::new(),
            bytes: 0,
            pinned: 0,
            in_hand: None,
            collapse_at: limit,
            purges: 0,
            next_number: 0,
            sealed: false,
            subscriptions: Arc::default(),
            closing: None,
            dropped: BTreeMap::new(),
            slow_since: None,
        }
    }

    /// What the client wants.
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    /// For changes; messages queued so far do not belong to subscriptions made with [`Outbox::next_number`].
    pub fn subscriptions_mut(&mut self) -> &mut Subscriptions {
        self.sealed = true;
        Arc::make_mut(&mut self.subscriptions)
    }

    /// The number of the next item.
    pub fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Queues a frame that goes before data.
    pub fn push_control(&mut self, kind: ControlKind, frame: Encoded) {
        if kind == ControlKind::State {
            self.discard_control(|other| other == ControlKind::State);
        }
        if self.control_bytes > CONTROL_LIMIT {
            self.overflowed = true;
            return;
        }
        self.control_bytes += frame.len();
        self.control.push_back(Control { kind, frame });
    }

    /// Whether control frames piled up beyond any use; the client is to be disconnected.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    fn discard_control(&mut self, obsolete: impl Fn(ControlKind) -> bool) {
        self.control.retain(|control| !obsolete(control.kind));
        self.control_bytes = self.control.iter().map(|control| control.frame.len()).sum();
    }

    /// Queues what a client wants of a slice. Returns how many messages the backlog lost by it.
    pub fn push(&mut self, slice: &Slice<'_>, policy: SlowClient, now: Instant) -> Option<u64> {
        if !self.wants(slice) {
            return None;
        }
        self.append(slice);
        if policy == SlowClient::Wait || self.bytes.max(self.pinned) <= self.collapse_at {
            return Some(0);
        }
        let lost = self.collapse();
        if lost > 0 {
            self.slow_since = Some(now);
        }
        Some(lost)
    }

    fn wants(&self, slice: &Slice<'_>) -> bool {
        // the exact answer spares waking a client for nothing; for large slices it would cost more than that
        const EXACT_BELOW: usize = 64;
        self.subscriptions.channels().intersects(slice.channels)
            && (slice.range.len() >= EXACT_BELOW
                || slice.batch.entries[slice.range.clone()]
                    .iter()
                    .any(|entry| self.subscriptions.channels().contains(entry.channel)))
    }

    fn append(&mut self, slice: &Slice<'_>) {
        let mut pinned = slice.batch.footprint();
        if let Some(Item::Messages(last)) = self.data.back_mut() {
            if Arc::ptr_eq(&last.batch, slice.batch)
                && last.range.end == slice.range.start
                && last.timed == slice.timed
                && !self.sealed
            {
                last.range.end = slice.range.end;
                last.bytes += slice.bytes;
                self.bytes += slice.bytes;
                return;
            }
            pinned -= slice.batch.shared_with(&last.batch);
        }
        self.enqueue(Part {
            batch: slice.batch.clone(),
            range: slice.range.clone(),
            timed: slice.timed,
            number: self.next_number,
            bytes: slice.bytes,
            pinned,
        });
    }

    fn enqueue(&mut self, part: Part) {
        self.bytes += part.bytes;
        self.pinned += part.pinned;
        self.next_number += 1;
        self.sealed = false;
        self.data.push_back(Item::Messages(part));
    }

    /// Ends the subscriptions to channels that are taken back; their queued messages count as dropped. Returns how
    /// many those are.
    pub fn retire(&mut self, channels: &[ChannelId]) -> u64 {
        if !channels.iter().any(|channel| self.subscriptions.channels().contains(*channel)) {
            return 0;
        }
        let mut lost: BTreeMap<ChannelId, u64> = BTreeMap::new();
        self.for_each_wanted(|_, _, entry| {
            if channels.contains(&entry.channel) {
                *lost.entry(entry.channel).or_default() += 1;
            }
        });
        let subscriptions = self.subscriptions_mut();
        channels.iter().for_each(|channel| subscriptions.orphan(*channel));
        let mut count = 0;
        for (channel, messages) in lost {
            *self.dropped.entry(channel).or_default() += messages;
            count += messages;
        }
        count
    }

    /// Tells the client that time went on, if nothing else is about to.
    pub fn push_time(&mut self, time: Timestamp) -> bool {
        let idle = self.data.is_empty() && self.in_hand.is_none();
        if idle {
            self.data.push_back(Item::Time(time));
        }
        idle
    }

    /// Forgets all data, and the control frames that a jump makes obsolete.
    pub fn purge(&mut self, new_session: bool) {
        self.purges += 1;
        self.data.clear();
        self.bytes = 0;
        self.pinned = 0;
        self.collapse_at = self.limit;
        self.sealed = true;
        self.discard_control(|kind| match kind {
            ControlKind::Time(_) | ControlKind::State => true,
            ControlKind::Session => new_session,
            ControlKind::Other => false,
        });
    }

    /// Takes what is to be sent next. `hands_free`: the part taken before is done with.
    pub fn take(&mut self, hands_free: bool) -> Taken {
        let item = if hands_free {
            self.in_hand = None;
            self.data.pop_front()
        } else {
            None
        };
        match &item {
            Some(Item::Messages(part)) => {
                self.bytes = self.bytes.saturating_sub(part.bytes);
                self.pinned = self.pinned.saturating_sub(part.pinned);
                self.in_hand = Some(part.bytes.max(part.pinned));
            }
            Some(Item::Time(_)) => self.in_hand = Some(0),
            None => {}
        }
        if self.data.is_empty() {
            self.collapse_at = self.limit;
        }
        self.control_bytes = 0;
        let immediately = self.closing.as_ref().is_some_and(|closing| !closing.drain);
        let closing = (immediately || (item.is_none() && self.in_hand.is_none()))
            .then(|| self.closing.clone())
            .flatten();
        Taken {
            control: self.control.drain(..).collect(),
            item,
            purges: self.purges,
            subscriptions: self.subscriptions.clone(),
            closing,
        }
    }

    /// Whether another batch may be published to this client without going far over its budget, or over `lead` bytes.
    pub fn has_room(&self, lead: usize) -> bool {
        self.bytes.max(self.pinned) + self.in_hand.unwrap_or(0) < self.limit.min(lead)
    }

    /// Bytes of control frames and payloads that have not been taken.
    pub fn queued_bytes(&self) -> usize {
        self.control_bytes + self.bytes
    }

    /// Whether everything has been handed to the client's task, and that is done with it.
    pub fn is_drained(&self) -> bool {
        self.data.is_empty() && self.in_hand.is_none()
    }

    /// Closes the connection, after what is queued if `closing` says so.
    pub fn close(&mut self, closing: Closing) {
        self.closing = Some(closing);
    }

    /// True once when a client that was slow has caught up.
    pub fn recovered(&mut self, now: Instant) -> bool {
        let caught_up = self.is_drained()
            && self.slow_since.is_some_and(|since| now.saturating_duration_since(since) >= RECOVERED_AFTER);
        if caught_up {
            self.slow_since = None;
        }
        caught_up
    }

    /// Whether messages were dropped since the client last caught up.
    pub fn is_slow(&self) -> bool {
        self.slow_since.is_some()
    }

    /// Messages dropped since the connection began, by channel.
    pub fn dropped(&self) -> &BTreeMap<ChannelId, u64> {
        &self.dropped
    }
}

#[cfg(test)]
mod tests;
