//! What a client's program takes: messages, and events.

use std::sync::Arc;

use super::event::{Event, Message};
use super::handle::Client;
use super::inbox::Inbox;
use super::owner::Command;
use super::state::TakerId;

/// The messages of channels that were subscribed to, in the order in which they came. Dropped, it ends the subscription.
#[derive(Debug)]
pub struct Messages {
    pub(super) taker: TakerId,
    pub(super) inbox: Arc<Inbox<Message>>,
    pub(super) client: Client,
}

impl Messages {
    /// The next message; None once the client has ended ([`Client::ended`] says why) and all have been taken. Cancel safe.
    pub async fn next(&mut self) -> Option<Message> {
        self.inbox.next().await
    }

    /// The next message if one waits.
    pub fn try_next(&mut self) -> Option<Message> {
        self.inbox.try_next()
    }

    /// How many messages were dropped so far, with [`Overflow::DropOldest`](super::Overflow::DropOldest).
    pub fn dropped(&self) -> u64 {
        self.inbox.dropped()
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.inbox.abandon();
        self.client.command(Command::Unsubscribe(self.taker));
    }
}

/// What happens beside messages. At most 4 MiB of it wait; beyond that the oldest are dropped, and counted.
#[derive(Debug)]
pub struct Events {
    pub(super) inbox: Arc<Inbox<Event>>,
    /// The connection lasts as long as somebody listens.
    pub(super) _client: Client,
}

impl Events {
    /// The next event; None once the client has ended and all have been taken. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.inbox.next().await
    }

    /// The next event if one waits.
    pub fn try_next(&mut self) -> Option<Event> {
        self.inbox.try_next()
    }

    /// How many events were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.inbox.dropped()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.inbox.abandon();
    }
}
