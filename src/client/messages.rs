//! What a client's program takes: messages, and events.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::{Event, Message};
use super::inbox::Inbox;
use super::link::Link;
use super::owner::Command;
use super::state::TakerId;

/// An inbox, and what was taken from it and not handed on.
#[derive(Debug)]
struct Taking<T> {
    inbox: Arc<Inbox<T>>,
    taken: VecDeque<T>,
}

impl<T> Taking<T> {
    fn new(inbox: Arc<Inbox<T>>) -> Self {
        Self { inbox, taken: VecDeque::new() }
    }

    fn try_next(&mut self) -> Option<T> {
        if self.taken.is_empty() {
            self.inbox.take(&mut self.taken);
        }
        self.taken.pop_front()
    }

    async fn next(&mut self) -> Option<T> {
        loop {
            if let Some(item) = self.try_next() {
                return Some(item);
            }
            if !self.inbox.wait().await {
                return None;
            }
        }
    }
}

/// The messages of channels that were subscribed to, in the order in which they came. Dropped, it ends the subscription.
#[derive(Debug)]
pub struct Messages {
    taker: TakerId,
    taking: Taking<Message>,
    link: Arc<Link>,
}

impl Messages {
    pub(super) fn new(taker: TakerId, inbox: Arc<Inbox<Message>>, link: Arc<Link>) -> Self {
        Self { taker, taking: Taking::new(inbox), link }
    }

    /// The next message; None once the client has ended ([`Client::ended`](super::Client::ended) says why) and all have been taken. Cancel safe.
    pub async fn next(&mut self) -> Option<Message> {
        self.taking.next().await
    }

    /// The next message if one waits.
    pub fn try_next(&mut self) -> Option<Message> {
        self.taking.try_next()
    }

    /// How many messages were dropped so far, with [`Overflow::DropOldest`](super::Overflow::DropOldest).
    pub fn dropped(&self) -> u64 {
        self.taking.inbox.dropped()
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.taking.inbox.abandon();
        self.link.command(Command::Unsubscribe(self.taker));
    }
}

/// See [`Client::measure`](super::Client::measure). Dropped, it ends the subscription.
#[derive(Debug)]
pub struct Measuring {
    pub(super) taker: TakerId,
    pub(super) link: Arc<Link>,
}

impl Drop for Measuring {
    fn drop(&mut self) {
        self.link.command(Command::Unsubscribe(self.taker));
    }
}

/// What happens beside messages. At most 16 MiB of it wait; beyond that the oldest are dropped, and counted.
#[derive(Debug)]
pub struct Events {
    taking: Taking<Event>,
    /// The connection lasts as long as somebody listens.
    _link: Arc<Link>,
}

impl Events {
    pub(super) fn new(inbox: Arc<Inbox<Event>>, link: Arc<Link>) -> Self {
        Self { taking: Taking::new(inbox), _link: link }
    }

    /// The next event; None once the client has ended and all have been taken. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.taking.next().await
    }

    /// The next event if one waits.
    pub fn try_next(&mut self) -> Option<Event> {
        self.taking.try_next()
    }

    /// How many events were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.taking.inbox.dropped()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.taking.inbox.abandon();
    }
}
