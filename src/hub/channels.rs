//! What the server offers: channels as they are advertised, encoded once for all clients.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::outbox::Encoded;
use crate::model::{Channel, ChannelId};
use crate::protocol::{AdvertisedChannel, NotAdvertisable, ServerMessage};

/// The channels of the server by id.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    known: BTreeMap<ChannelId, Arc<Channel>>,
    advertised: BTreeMap<ChannelId, AdvertisedChannel>,
    encoded: Option<Encoded>,
    /// Channels that were taken back: whoever announces them once more has not noticed yet.
    /// By slot, the last one.
    retired: BTreeMap<usize, ChannelId>,
}

impl Channels {
    /// Adds channels. Returns the `advertise` for clients that are connected, if there is anything to tell them,
    /// and what can't be advertised.
    pub(crate) fn add(&mut self, channels: &[Arc<Channel>]) -> (Option<Encoded>, Vec<NotAdvertisable>) {
        let (mut new, mut refused) = (Vec::new(), Vec::new());
        for channel in channels {
            let is_retired = self.retired.get(&channel.id.slot()).is_some_and(|last| *last >= channel.id);
            if is_retired || self.known.insert(channel.id, channel.clone()).is_some() {
                continue;
            }
            match AdvertisedChannel::from_channel(channel) {
                Ok(advertised) => {
                    self.advertised.insert(channel.id, advertised.clone());
                    new.push(advertised);
                }
                Err(reason) => refused.push(reason),
            }
        }
        if new.is_empty() {
            return (None, refused);
        }
        self.encoded = None;
        (Some(ServerMessage::Advertise(new).encode().into()), refused)
    }

    /// Takes channels back. Returns the `unadvertise`, if any of them was advertised.
    pub(crate) fn remove(&mut self, channels: &[ChannelId]) -> Option<Encoded> {
        let gone: Vec<ChannelId> =
            channels.iter().copied().filter(|id| self.advertised.remove(id).is_some()).collect();
        for &id in channels {
            self.known.remove(&id);
            self.retired.insert(id.slot(), id);
        }
        self.encoded = None;
        (!gone.is_empty()).then(|| ServerMessage::Unadvertise(gone).encode().into())
    }

    /// All channels, in order of their ids.
    pub(crate) fn known(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.known.values()
    }

    /// The channel, if it is advertised.
    pub(crate) fn advertised(&self, id: ChannelId) -> Option<&Arc<Channel>> {
        self.advertised.get(&id).and(self.known.get(&id))
    }

    /// `advertise` with every channel.
    pub(crate) fn encoded(&mut self) -> Encoded {
        let Self { advertised, encoded, .. } = self;
        encoded
            .get_or_insert_with(|| {
                ServerMessage::Advertise(advertised.values().cloned().collect()).encode().into()
            })
            .clone()
    }
}
