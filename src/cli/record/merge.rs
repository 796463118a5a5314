//! Messages of a server into one file, over several connections and subscriptions.

use std::collections::HashMap;
use std::sync::Arc;

use foxglove_bridge::client::Message;
use foxglove_bridge::model::{Channel, ChannelId, Entry};
use foxglove_bridge::sink::SinkError;
use foxglove_bridge::source::recorded_as_latched;

use super::file::File;
use super::past::{Past, Print};

/// Messages of a later subscription that are compared with those stored: more than a topic has publishers, or transforms.
const COMPARED: usize = 512;

/// What is known of the channels of a server.
#[derive(Debug, Default)]
pub(super) struct Merge {
    /// By their ids at the server.
    subscribed: HashMap<ChannelId, Subscribed>,
    /// By their ids in the file.
    stored: HashMap<ChannelId, Past>,
    /// Messages that were sent again and not stored again.
    pub(super) repeated: u64,
}

/// A channel of which messages come.
#[derive(Debug)]
struct Subscribed {
    /// There is another one for each subscription, even where nothing but that is new.
    channel: Arc<Channel>,
    /// Its id in the file.
    id: ChannelId,
    /// Messages that are still compared.
    compared: usize,
}

impl Merge {
    /// A channel is there, from which nothing may come.
    pub(super) fn add(&mut self, channel: &Channel, file: &mut File) -> Result<ChannelId, SinkError> {
        let latched = recorded_as_latched(&channel.metadata);
        file.channel(&Channel { latched, ..channel.clone() })
    }

    /// A channel is gone. Messages of it may still wait, which is no harm.
    pub(super) fn remove(&mut self, channel: &Arc<Channel>) {
        if self.subscribed.get(&channel.id).is_some_and(|known| Arc::ptr_eq(&known.channel, channel)) {
            self.subscribed.remove(&channel.id);
        }
    }

    /// The connection is gone, and all channels with it.
    pub(super) fn disconnected(&mut self) {
        self.subscribed.clear();
    }

    /// Stores a message, unless it is one that is sent again: the first messages of a later subscription to a topic are
    /// compared with those stored, by log time and payload.
    pub(super) fn message(&mut self, message: &Message, file: &mut File) -> Result<(), SinkError> {
        let known = self.subscribed.get(&message.channel.id);
        if !known.is_some_and(|known| Arc::ptr_eq(&known.channel, &message.channel)) {
            self.subscribe(&message.channel, file)?;
        }
        let Some(subscribed) = self.subscribed.get_mut(&message.channel.id) else { return Ok(()) };
        let past = self.stored.entry(subscribed.id).or_default();
        let print = Print::of(message);
        if let Some(left) = subscribed.compared.checked_sub(1) {
            subscribed.compared = left;
            if past.has(&print) {
                self.repeated += 1;
                return Ok(());
            }
        }
        past.note(print);
        file.write(&Entry::at(subscribed.id, message.log_time), &message.payload)
    }

    fn subscribe(&mut self, channel: &Arc<Channel>, file: &mut File) -> Result<(), SinkError> {
        let id = self.add(channel, file)?;
        let compared = if self.stored.contains_key(&id) { COMPARED } else { 0 };
        self.subscribed.insert(channel.id, Subscribed { channel: channel.clone(), id, compared });
        Ok(())
    }
}
