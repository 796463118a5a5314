//! What one client still has to be sent.
//!
//! Pure. Answers and status go before data. Data is a queue of shared batches, not of messages: one push for each client
//! and batch; the client's own task picks out what it subscribed to. Control frames that belong at a place among the
//! messages (a lap, a restart, a retired channel, a playback state) wait in the queue for their turn. Before a new session
//! there is a silence (see [`SILENCE`]). Bounds, in bytes:
//!
//! - **control**: a client that lets 16 MiB pile up, beside one list of channels, is disconnected (see
//!   [`Outbox::overflowed`]);
//! - **data**: over the client's budget the backlog is collapsed ([`Outbox::push`] with [`SlowClient::Drop`]): channels
//!   that take little of it are kept whole, of the others the newest message stays, of transforms that of each child frame,
//!   of latched channels that of each origin, so that a camera can't evict a transform, and no backlog is ever staler than
//!   it must be. With [`SlowClient::Wait`] nothing is dropped, and
//!   whoever publishes asks [`Outbox::has_room`] first.
//!
//! What is kept of a backlog is copied out of its chunks, so that a slow client does not keep them in memory.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::SlowClient;
use super::queue::{BatchQueue, Feed, Item, Part};
use super::subscriptions::{ChannelSet, Subscriptions};
use crate::model::{Batch, ChannelId};
use crate::time::Timestamp;

mod collapse;
mod control;
mod losses;
mod purge;
mod session;
mod take;

pub use control::{Closing, Control, ControlKind, Encoded};
pub use purge::{Fate, Purge, Purges};
use session::Silence;
pub use session::{Cause, SILENCE, Session, Sessions};
pub use take::{Progress, Taken};

/// Control frames queued for one client, in bytes: a client this far behind with control alone does not read at all.
/// The largest list of channels does not count: it is as large as it is.
const CONTROL_LIMIT: usize = 16 << 20;

/// Control frames queued for one client, in bytes, beyond which only the newest playback state that answers a request is
/// kept, and the newest values of parameters: one client that asks, or sets, very often must not cost the others their
/// connection.
const ANSWERS_LIMIT: usize = 1 << 20;

/// A client whose oldest message waits this long is behind: at a lap or a restart its backlog is of no use any more.
const BEHIND_AFTER: Duration = Duration::from_secs(1);

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
    /// Whether `time` runs with the messages; not for a backfill.
    pub timed: bool,
    /// Who publishes it.
    pub feed: Feed,
}

/// What is queued among messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordered {
    /// Time went on without a message.
    Time(Timestamp),
    /// A frame that must not overtake the messages before it.
    Control(Control),
    /// A new session, after the silence before it.
    Session(Session),
}

/// The queue of one client. See the module's documentation.
#[derive(Debug)]
pub struct Outbox {
    limit: usize,
    control: VecDeque<Control>,
    control_bytes: usize,
    /// Bytes of the largest list of channels.
    largest_list: usize,
    overflowed: bool,
    data: BatchQueue<Ordered>,
    /// Control frames among the data.
    ordered: usize,
    /// Backlog at which it is collapsed next.
    collapse_at: usize,
    /// Items before this one are what the last collapse has kept.
    collapsed_until: u64,
    purges: Purges,
    subscriptions: Arc<Subscriptions>,
    /// Subscribed channels of which nothing has been queued yet, and for which a backfill was asked.
    awaited: ChannelSet,
    sessions: Sessions,
    silence: Silence,
    closing: Option<Closing>,
    dropped: BTreeMap<ChannelId, u64>,
    dropped_elsewhere: u64,
    slow_since: Option<Instant>,
}

impl Outbox {
    /// An empty queue with a budget for data in bytes.
    pub fn new(limit: usize, sessions: Sessions) -> Self {
        Self {
            limit,
            control: VecDeque::new(),
            control_bytes: 0,
            largest_list: 0,
            overflowed: false,
            data: BatchQueue::default(),
            ordered: 0,
            collapse_at: limit,
            collapsed_until: 0,
            purges: Purges::default(),
            subscriptions: Arc::default(),
            awaited: ChannelSet::default(),
            sessions,
            silence: Silence::default(),
            closing: None,
            dropped: BTreeMap::new(),
            dropped_elsewhere: 0,
            slow_since: None,
        }
    }

    /// What the client wants.
    pub fn subscriptions(&self) -> &Arc<Subscriptions> {
        &self.subscriptions
    }

    /// For changes; messages queued so far do not belong to subscriptions made with [`Outbox::next_number`].
    pub fn subscriptions_mut(&mut self) -> &mut Subscriptions {
        self.data.seal();
        Arc::make_mut(&mut self.subscriptions)
    }

    /// A backfill is asked for a channel that was subscribed to just now.
    pub fn await_backfill(&mut self, channel: ChannelId) {
        self.awaited.insert(channel);
    }

    /// Whether a backfill of a channel is still of use: nothing of it has been queued since it was subscribed to.
    pub fn awaits_backfill(&self, channel: ChannelId) -> bool {
        self.awaited.contains(channel)
    }

    /// The number of the next item.
    pub fn next_number(&self) -> u64 {
        self.data.next_number()
    }

    /// Queues a frame that goes before data; one that ends with a session not before others and sessions that wait among
    /// the data.
    pub fn push_control(&mut self, kind: ControlKind, frame: Encoded) {
        if matches!(kind, ControlKind::Values(_)) && self.control_bytes > ANSWERS_LIMIT + self.largest_list {
            self.forget_frames(|queued| queued == kind);
        }
        if matches!(kind, ControlKind::Lasting | ControlKind::Values(_)) && self.ordered > 0 {
            return self.push_ordered(kind, frame);
        }
        if self.admit(kind, &frame) {
            self.control.push_back(Control { kind, frame });
        }
    }

    /// Queues a frame after the messages that are queued already. A playback state that nobody asked for takes the place
    /// of one that is directly before it.
    pub fn push_ordered(&mut self, kind: ControlKind, frame: Encoded) {
        let is_answer = matches!(kind, ControlKind::Answer | ControlKind::Sought);
        if is_answer && self.control_bytes > ANSWERS_LIMIT + self.largest_list {
            self.forget_answers(kind);
        }
        if !self.admit(kind, &frame) {
            return;
        }
        let control = Control { kind, frame };
        if self.data.is_drained() {
            if kind == ControlKind::State {
                self.discard_control(|kind| kind == ControlKind::State);
            }
            self.control.push_back(control);
            return;
        }
        match self.data.back_mut() {
            Some(Item::Other(Ordered::Control(last))) if kind == ControlKind::State && last.kind == kind => {
                self.control_bytes -= last.frame.weight();
                *last = control;
            }
            _ => {
                self.ordered += 1;
                self.data.push_other(Ordered::Control(control));
            }
        }
    }

    fn admit(&mut self, kind: ControlKind, frame: &Encoded) -> bool {
        if matches!(kind, ControlKind::Session | ControlKind::Lasting) {
            self.largest_list = self.largest_list.max(frame.weight());
        }
        if self.control_bytes > CONTROL_LIMIT + self.largest_list {
            self.overflowed = true;
            return false;
        }
        self.control_bytes += frame.weight();
        true
    }

    /// Whether control frames piled up beyond any use; the client is to be disconnected.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Queues what a client wants of a slice. Returns how many messages the backlog lost by it; None if it wants none.
    pub fn push(&mut self, slice: &Slice<'_>, policy: SlowClient, now: Instant) -> Option<u64> {
        if !self.wants(slice) {
            return None;
        }
        self.awaited.remove_all(slice.channels);
        self.data.push(slice.batch, slice.range.clone(), slice.bytes, slice.timed, slice.feed, now);
        if policy == SlowClient::Wait || self.data.weight() <= self.collapse_at {
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

    /// Ends the subscriptions to channels that are retired, and returns which there were: what is queued of them is
    /// still sent.
    pub fn retire(&mut self, channels: &[ChannelId]) -> Vec<ChannelId> {
        channels.iter().for_each(|channel| self.awaited.remove(*channel));
        if !channels.iter().any(|channel| self.subscriptions.channels().contains(*channel)) {
            return Vec::new();
        }
        let until = self.next_number();
        let subscriptions = self.subscriptions_mut();
        channels.iter().copied().filter(|channel| subscriptions.retire(*channel, until)).collect()
    }

    /// Sends the time that went on, if nothing else is about to be sent.
    pub fn push_time(&mut self, time: Timestamp) -> bool {
        let idle = self.data.is_drained();
        if idle {
            self.data.push_other(Ordered::Time(time));
        }
        idle
    }

    /// Whether the client is so far behind that its backlog is of no use at a lap or a restart.
    pub fn is_behind(&self, now: Instant) -> bool {
        let since = self.data.waits_since().max(self.silence.until);
        since.is_some_and(|since| now.saturating_duration_since(since) >= BEHIND_AFTER)
    }

    /// Whether another batch may be published to this client without going far over its budget, or over `lead` bytes.
    pub fn has_room(&self, lead: usize) -> bool {
        self.data.held() < self.limit.min(lead)
    }

    /// Whether everything has been handed to the client's task, and that is done with it.
    pub fn is_drained(&self) -> bool {
        self.data.is_drained()
    }

    /// Bytes of payload and control frames that wait to be taken.
    pub fn queued_bytes(&self) -> usize {
        self.data.bytes() + self.control_bytes
    }

    /// Closes the connection, after what is queued if `closing` says so.
    pub fn close(&mut self, closing: Closing) {
        self.closing = Some(closing);
    }
}

#[cfg(test)]
mod tests;
