//! What a program can watch: clients that come and go, what they subscribe to, and playback.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::guard::guarded;
use super::{ClientId, ClientInfo, Hub, lock};
use crate::model::{Channel, ChannelId};
use crate::protocol::PlaybackState;

/// Something that happened in a hub.
#[derive(Debug, Clone, Copy)]
pub enum HubEvent<'a> {
    /// A client has connected.
    Joined {
        /// Which one.
        client: ClientId,
        /// What is known of it.
        info: &'a ClientInfo,
    },
    /// A client subscribed to channels.
    Subscribed {
        /// Which one.
        client: ClientId,
        /// Those that it had no subscription to before.
        channels: &'a [Arc<Channel>],
    },
    /// A client unsubscribed or left, or channels were retired: each channel that was subscribed to is here once.
    Unsubscribed {
        /// Which one.
        client: ClientId,
        /// Channels that it wants no longer.
        channels: &'a [ChannelId],
    },
    /// A client has left.
    Left {
        /// Which one.
        client: ClientId,
        /// Why, in words; empty where that is not known.
        reason: &'a str,
        /// Messages that were written to it.
        messages: u64,
        /// Bytes of their payloads.
        bytes: u64,
        /// Messages that it lost, since it was too slow.
        dropped: u64,
    },
    /// Playback plays, pauses, changes its speed, ends, or is somewhere else.
    Playback(&'a PlaybackState),
}

type Observer = Box<dyn Fn(&HubEvent<'_>) + Send + Sync>;

/// Who watches a hub.
#[derive(Default)]
pub(super) struct Observers(Mutex<Vec<Observer>>);

impl Observers {
    pub(super) fn tell(&self, event: &HubEvent<'_>) {
        for observer in lock(&self.0).iter() {
            guarded("an observer of the hub", || observer(event));
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observers")
    }
}

impl Hub {
    /// Calls `observer` with what happens from now on, in the order in which it happens. It is called under the hub's lock:
    /// it must return at once, and not use the hub. A panic in it is logged, and ends nothing else.
    ///
    /// ```
    /// use foxglove_bridge::hub::{Hub, HubEvent, HubOptions};
    ///
    /// let hub = Hub::new("robot", HubOptions::default());
    /// hub.observe(|event| match event {
    ///     HubEvent::Joined { client, info } => println!("client {client} is {}", info.agent),
    ///     HubEvent::Left { client, reason, .. } => println!("client {client} has left: {reason}"),
    ///     _ => {}
    /// });
    /// ```
    pub fn observe(&self, observer: impl Fn(&HubEvent<'_>) + Send + Sync + 'static) {
        lock(&self.0.observers.0).push(Box::new(observer));
    }
}
