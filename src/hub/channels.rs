//! What the server offers: channels as they are advertised, encoded once for all clients.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::advertise::{Advertise, Advertised, Form};
use super::outbox::Encoded;
use crate::model::{Channel, ChannelId};
use crate::protocol::{AdvertisedChannel, NotAdvertisable, ServerMessage};

/// The channels of the server.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    known: BTreeMap<ChannelId, Arc<Channel>>,
    advertised: Advertised,
    by_topic: HashMap<String, ChannelId>,
    /// By slot. A channel that was retired can't come back.
    newest: Vec<Option<Newest>>,
}

/// The newest channel in a slot.
#[derive(Debug, Clone, Copy)]
struct Newest {
    id: ChannelId,
    is_retired: bool,
}

/// Channels that were added.
#[derive(Debug, Default)]
pub(crate) struct Added {
    /// Those that were not known before.
    pub(crate) new: Vec<Arc<Channel>>,
    /// For clients that are connected, if there is anything to advertise.
    pub(super) advertise: Option<Advertise>,
    /// What is not offered.
    pub(crate) refused: Vec<NotOffered>,
}

/// Why a channel is not offered as it was announced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotOffered {
    /// Viewers can't take it. It is known all the same, and recorded.
    #[error(transparent)]
    NotAdvertisable(#[from] NotAdvertisable),
    /// Another channel has its id. Its messages can't be told from those of that one.
    #[error(
        "channel '{topic}' is not offered: its id {id} is that of channel '{known}'; claim all channels of a server \
         from one registry"
    )]
    IdTaken {
        /// The topic that was announced.
        topic: String,
        /// The id of both.
        id: ChannelId,
        /// The topic of the channel that has the id.
        known: String,
    },
}

impl NotOffered {
    /// If another channel is known under the id of this one: a registry never gives an id to two.
    fn id_taken(channel: &Channel, known: &Channel) -> Option<Self> {
        let is_same = channel.topic == known.topic
            && channel.message_encoding == known.message_encoding
            && channel.schema == known.schema;
        (!is_same).then(|| Self::IdTaken {
            topic: channel.topic.clone(),
            id: channel.id,
            known: known.topic.clone(),
        })
    }
}

impl Channels {
    /// The channels whose topics or slots these would take: they are to be removed before. One in the same slot was
    /// released by an input that is yet to retire it.
    pub(crate) fn replaced_by(&self, channels: &[Arc<Channel>]) -> Vec<ChannelId> {
        let fresh = channels.iter().filter(|channel| !self.is_old(channel.id));
        fresh
            .flat_map(|channel| {
                let on_topic = self.by_topic.get(&channel.topic).copied();
                let in_slot = self.newest(channel.id).filter(|newest| !newest.is_retired);
                on_topic.into_iter().chain(in_slot.map(|newest| newest.id))
            })
            .collect()
    }

    /// Whether a channel is known, or was and has been retired.
    fn is_old(&self, id: ChannelId) -> bool {
        self.newest(id).is_some_and(|newest| newest.id.generation() >= id.generation())
    }

    fn newest(&self, id: ChannelId) -> Option<Newest> {
        self.newest.get(id.slot()).copied().flatten()
    }

    fn note(&mut self, newest: Newest) {
        let slot = newest.id.slot();
        if slot >= self.newest.len() {
            self.newest.resize(slot + 1, None);
        }
        self.newest[slot] = Some(newest);
    }

    /// Whether a channel is known now.
    pub(crate) fn is_known(&self, id: ChannelId) -> bool {
        self.newest(id).is_some_and(|newest| newest.id == id && !newest.is_retired)
    }

    /// The first of these channels whose id another one has.
    pub(crate) fn taken(&self, channels: &[Arc<Channel>]) -> Option<NotOffered> {
        channels.iter().find_map(|channel| NotOffered::id_taken(channel, self.known.get(&channel.id)?))
    }

    /// Adds channels. One that is known, or that was retired before, is passed over: who announces it has not noticed yet.
    /// Another channel under an id that is known is refused.
    pub(crate) fn add(&mut self, channels: &[Arc<Channel>]) -> Added {
        let (mut added, mut advertised) = (Added::default(), Vec::new());
        for channel in channels {
            if self.is_old(channel.id) {
                added.refused.extend(self.taken(std::slice::from_ref(channel)));
                continue;
            }
            self.note(Newest { id: channel.id, is_retired: false });
            self.known.insert(channel.id, channel.clone());
            self.by_topic.insert(channel.topic.clone(), channel.id);
            added.new.push(channel.clone());
            match AdvertisedChannel::from_channel(channel) {
                Ok(channel) => advertised.push(channel),
                Err(reason) => added.refused.push(reason.into()),
            }
        }
        if !advertised.is_empty() {
            added.advertise = Some(self.advertised.add(advertised));
        }
        added
    }

    /// Removes channels. Returns those that were known, and the `unadvertise`, if any of them was advertised.
    pub(crate) fn remove(&mut self, channels: &[ChannelId]) -> (Vec<ChannelId>, Option<Encoded>) {
        let (mut removed, mut gone) = (Vec::new(), Vec::new());
        for &id in channels {
            // also if who made it has not announced it yet; another channel may be in its slot already
            if self.newest(id).is_none_or(|newest| newest.id.generation() <= id.generation()) {
                self.note(Newest { id, is_retired: true });
            }
            let Some(channel) = self.known.remove(&id) else { continue };
            removed.push(id);
            if self.by_topic.get(&channel.topic) == Some(&id) {
                self.by_topic.remove(&channel.topic);
            }
            if self.advertised.remove(id) {
                gone.push(id);
            }
        }
        (removed, (!gone.is_empty()).then(|| ServerMessage::Unadvertise(gone).encode().into()))
    }

    /// All channels, in order of their ids.
    pub(crate) fn known(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.known.values()
    }

    /// The channel on a topic.
    pub(crate) fn on_topic(&self, topic: &str) -> Option<&Arc<Channel>> {
        self.known.get(self.by_topic.get(topic)?)
    }

    /// The channel, if it is advertised.
    pub(crate) fn advertised(&self, id: ChannelId) -> Option<&Arc<Channel>> {
        self.known.get(&id).filter(|channel| self.advertised.contains(channel.id))
    }

    /// `advertise` with every channel.
    pub(super) fn encoded(&self, form: Form) -> Encoded {
        self.advertised.whole(form, &self.known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Schema;

    fn channel(slot: u32, generation: u32, topic: &str) -> Arc<Channel> {
        Arc::new(Channel {
            id: ChannelId::new(slot, generation).unwrap(),
            topic: topic.into(),
            message_encoding: "json".into(),
            schema: None,
            metadata: BTreeMap::new(),
            latched: false,
        })
    }

    #[test]
    fn a_channel_is_added_once_and_does_not_come_back_after_its_end() {
        let mut channels = Channels::default();
        let old = channel(1, 0, "/a");
        assert_eq!(channels.add(std::slice::from_ref(&old)).new.len(), 1);
        assert!(channels.add(std::slice::from_ref(&old)).new.is_empty());
        let (removed, unadvertise) = channels.remove(&[old.id, ChannelId(77)]);
        assert_eq!(removed, [old.id]);
        assert!(unadvertise.is_some() && channels.advertised(old.id).is_none());
        assert!(channels.add(std::slice::from_ref(&old)).new.is_empty());
        let next = channel(1, 1, "/a");
        assert_eq!(channels.add(std::slice::from_ref(&next)).new, std::slice::from_ref(&next));
        assert!(channels.add(&[old]).new.is_empty());
        assert_eq!(channels.known().collect::<Vec<_>>(), [&next]);
    }

    #[test]
    fn another_channel_under_a_known_id_is_refused() {
        let mut channels = Channels::default();
        let counter = channel(1, 0, "/counter");
        channels.add(std::slice::from_ref(&counter));
        let others = [
            channel(1, 0, "/square"),
            Arc::new(Channel { message_encoding: "cbor".into(), ..(*counter).clone() }),
            Arc::new(Channel {
                schema: Some(Arc::new(Schema { name: "A".into(), encoding: String::new(), data: "".into() })),
                ..(*counter).clone()
            }),
        ];
        for other in others {
            let added = channels.add(std::slice::from_ref(&other));
            let (topic, known) = (other.topic.clone(), "/counter".to_owned());
            assert_eq!(added.refused, [NotOffered::IdTaken { topic, id: counter.id, known }]);
            assert!(added.new.is_empty() && added.advertise.is_none());
        }
        // what the registry learned of it meanwhile makes no other channel
        let completed = Arc::new(Channel { latched: true, ..(*counter).clone() });
        assert!(channels.add(&[completed]).refused.is_empty());
        assert_eq!(channels.known().collect::<Vec<_>>(), [&counter]);
        channels.remove(&[counter.id]);
        assert!(channels.add(&[channel(1, 0, "/square")]).refused.is_empty(), "a late announcement");
    }

    #[test]
    fn a_channel_on_a_taken_topic_replaces_the_one_before() {
        let mut channels = Channels::default();
        let (old, new) = (channel(1, 0, "/a"), channel(2, 0, "/a"));
        channels.add(std::slice::from_ref(&old));
        assert!(channels.replaced_by(std::slice::from_ref(&old)).is_empty());
        assert_eq!(channels.replaced_by(std::slice::from_ref(&new)), [old.id]);
        channels.remove(&[old.id]);
        channels.add(&[new]);
        assert!(channels.replaced_by(&[old]).is_empty(), "a late announcement replaces nothing");
    }

    #[test]
    fn a_channel_that_ends_before_it_is_announced_never_begins() {
        let mut channels = Channels::default();
        let early = channel(3, 0, "/a");
        assert_eq!(channels.remove(&[early.id]), (Vec::new(), None));
        assert!(channels.add(&[early]).new.is_empty());
    }

    #[test]
    fn the_late_end_of_a_channel_does_not_end_the_next_one_in_its_slot() {
        let mut channels = Channels::default();
        let (old, next) = (channel(1, 0, "/a"), channel(1, 1, "/b"));
        channels.add(std::slice::from_ref(&old));
        channels.add(std::slice::from_ref(&next));
        assert_eq!(channels.remove(&[old.id]).0, [old.id]);
        assert!(channels.is_known(next.id) && !channels.is_known(old.id));
    }

    #[test]
    fn what_viewers_cannot_take_is_known_but_not_advertised() {
        let mut channels = Channels::default();
        let odd = Arc::new(Channel { message_encoding: String::new(), ..(*channel(1, 0, "/odd")).clone() });
        let added = channels.add(std::slice::from_ref(&odd));
        assert!(added.advertise.is_none() && added.refused.len() == 1 && added.new.len() == 1);
        assert!(channels.advertised(odd.id).is_none());
        assert_eq!(channels.remove(&[odd.id]), (vec![odd.id], None));
    }
}
