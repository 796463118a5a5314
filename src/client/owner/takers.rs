//! Those who take messages and events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::super::event::{Arrival, Event, Message};
use super::super::inbox::{Inbox, Room};
use super::super::state::TakerId;

/// What a message that waits takes beside its payload.
pub(super) const PER_MESSAGE: usize = 100;

/// Is called with each message.
pub(in crate::client) type Meter = Box<dyn FnMut(Arrival<'_>) + Send>;

/// One who takes messages.
pub(in crate::client) enum Taker {
    Inbox(Arc<Inbox<Message>>),
    Meter(Meter),
}

#[derive(Default)]
pub(super) struct Takers {
    takers: BTreeMap<TakerId, Taker>,
    listeners: Vec<Arc<Inbox<Event>>>,
    /// The inbox that is waited for.
    full: Option<Arc<Inbox<Message>>>,
    /// Something was put into an inbox since [`Takers::wake`].
    is_new: bool,
}

impl Takers {
    pub(super) fn add(&mut self, id: TakerId, taker: Taker) {
        self.takers.insert(id, taker);
    }

    pub(super) fn remove(&mut self, id: TakerId) {
        self.takers.remove(&id);
    }

    /// Adds one who listens, and tells what there is already.
    pub(super) fn listen(&mut self, inbox: Arc<Inbox<Event>>, now: Vec<(Event, usize)>) {
        self.listeners.retain(|inbox| !inbox.is_abandoned());
        for (event, bytes) in now {
            inbox.push(event, bytes, |_, _| false);
        }
        inbox.wake();
        self.listeners.push(inbox);
    }

    /// Hands on a message of which `length` bytes of payload arrived at this time.
    pub(super) fn deliver(&mut self, ids: &[TakerId], message: Message, length: usize, at: Instant) {
        let Some((last, others)) = ids.split_last() else { return };
        for id in others {
            self.hand(id, message.clone(), length, at);
        }
        self.hand(last, message, length, at);
    }

    fn hand(&mut self, id: &TakerId, message: Message, length: usize, at: Instant) {
        match self.takers.get_mut(id) {
            Some(Taker::Inbox(inbox)) => {
                let bytes = message.payload.len() + PER_MESSAGE;
                if inbox.push(message, bytes, |_, _| false) == Room::None {
                    self.full = Some(inbox.clone());
                }
                self.is_new = true;
            }
            Some(Taker::Meter(meter)) => {
                meter(Arrival { channel: &message.channel, log_time: message.log_time, length, at });
            }
            None => {}
        }
    }

    /// Of several times in a row the last one counts.
    pub(super) fn tell(&mut self, event: Event, bytes: usize) {
        self.is_new = true;
        for inbox in &self.listeners {
            inbox.push(event.clone(), bytes, |last, new| {
                matches!((last, new), (Event::Time(_), Event::Time(_)))
            });
        }
    }

    /// Wakes those for whom something has come: once for all messages of a read.
    pub(super) fn wake(&mut self) {
        if std::mem::take(&mut self.is_new) {
            self.inboxes().for_each(Inbox::wake);
            self.listeners.iter().for_each(|inbox| inbox.wake());
        }
    }

    /// Nothing comes any more.
    pub(super) fn end(&self) {
        self.inboxes().for_each(Inbox::end);
        self.listeners.iter().for_each(|inbox| inbox.end());
    }

    fn inboxes(&self) -> impl Iterator<Item = &Inbox<Message>> {
        self.takers.values().filter_map(|taker| match taker {
            Taker::Inbox(inbox) => Some(&**inbox),
            Taker::Meter(_) => None,
        })
    }

    /// The inbox that is waited for, if it is still full.
    pub(super) fn full(&self) -> Option<&Arc<Inbox<Message>>> {
        self.full.as_ref()
    }

    /// Looks whether the inbox that was waited for has room.
    pub(super) fn look_for_room(&mut self) {
        self.full = self.full.take().filter(|inbox| inbox.is_full());
    }

    /// Nothing is waited for any more.
    pub(super) fn forget_full(&mut self) {
        self.full = None;
    }
}
