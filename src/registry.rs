//! The channels of one server: unique ids, unique topics.
//!
//! Every input of a server claims its channels here, so that recordings, streams, sockets and an embedder's own messages
//! can be served together. A hub has one ([`Hub::registry`](crate::hub::Hub::registry)): what another one gives has the same ids,
//! and the hub refuses other channels under them. Viewers take one channel for each topic. Channels of one topic with equal encoding and schema are
//! one channel; others on the same topic are renamed: `/topic#2`, `/topic#3`.
//!
//! A channel lives as long as somebody claims it. Then its topic and its slot are free for others; its id is not used
//! again (see [`ChannelId`]).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Channel, ChannelId, Schema};

/// Slots that stay free at least: an input that has released a channel is yet to retire it in the hub, and until then
/// nothing else may be in its slot.
const KEPT_FREE: usize = 16;

/// A channel as an input has it, before it gets an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSpec {
    /// Topic, for example `/imu`; another name is offered if it is taken by a channel with another encoding or schema.
    pub topic: String,
    /// Message encoding, for example `json` or `cdr`.
    pub message_encoding: String,
    /// Schema, if it has one.
    pub schema: Option<Arc<Schema>>,
    /// What the recorder noted about the channel.
    pub metadata: BTreeMap<String, String>,
    /// Whether late subscribers get the last message.
    pub latched: bool,
}

impl ChannelSpec {
    /// A channel of JSON messages without a schema.
    pub fn json(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            message_encoding: "json".to_owned(),
            schema: None,
            metadata: BTreeMap::new(),
            latched: false,
        }
    }
}

/// A channel that was claimed.
#[derive(Debug, Clone)]
#[must_use = "the channel is claimed until it is released"]
pub struct Claim {
    /// The channel under its id, and under the topic by which it is offered.
    pub channel: Arc<Channel>,
    /// Whether nobody else claims it.
    pub is_new: bool,
    /// The topic that was asked for, where the channel has another one because that is taken.
    pub renamed_from: Option<String>,
}

impl Claim {
    /// One sentence for the user, where a new channel had to be renamed.
    pub fn warning(&self) -> Option<String> {
        let (topic, name) = (self.renamed_from.as_ref().filter(|_| self.is_new)?, &self.channel.topic);
        Some(format!(
            "several channels with different encodings or schemas are called {topic}; one of them is offered as {name}"
        ))
    }
}

/// There are as many channels as there can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no more channel ids: there are {} channels already; restart the server", 1u32 << ChannelId::SLOT_BITS)]
pub struct NoMoreIds;

/// The channels of one server. Clones share them.
///
/// ```
/// use foxglove_bridge::registry::{ChannelSpec, Registry};
///
/// let registry = Registry::default();
/// let counter = registry.claim(ChannelSpec::json("/counter"))?.channel;
/// let square = registry.claim(ChannelSpec::json("/square"))?.channel;
/// assert_ne!(counter.id, square.id);
/// // the same once more is the same channel
/// let claim = registry.claim(ChannelSpec::json("/square"))?;
/// assert_eq!((claim.channel.id, claim.is_new), (square.id, false));
/// // of another form it is offered beside it
/// let cbor = ChannelSpec { message_encoding: "cbor".to_owned(), ..ChannelSpec::json("/square") };
/// assert_eq!(registry.claim(cbor)?.channel.topic, "/square#2");
/// # Ok::<(), foxglove_bridge::registry::NoMoreIds>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    channels: BTreeMap<ChannelId, Claimed>,
    /// By topic as asked for: the channels that were asked for under it.
    asked_for: HashMap<String, Vec<ChannelId>>,
    /// By topic as offered.
    offered: HashMap<String, ChannelId>,
    /// Slots that were given so far, counted from 1.
    last_slot: u32,
    /// Ids for slots that are free again. The one that has been free for the longest is used first.
    free: VecDeque<ChannelId>,
}

#[derive(Debug)]
struct Claimed {
    channel: Arc<Channel>,
    asked_for: String,
    claims: usize,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Table> {
        // every change is made at once, at the end of a call
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims a channel: the one with the same topic, encoding and schema, or else a new one.
    ///
    /// Of an existing channel the metadata is completed, and it is latched if one of its claimants says so; that
    /// reaches clients if it was not announced before.
    pub fn claim(&self, spec: ChannelSpec) -> Result<Claim, NoMoreIds> {
        self.lock().claim(spec)
    }

    /// Claims the channel that is offered on a topic once more, if there is one that `fits`.
    pub(crate) fn claim_offered(
        &self,
        topic: &str,
        fits: impl FnOnce(&Channel) -> bool,
    ) -> Option<Arc<Channel>> {
        let mut table = self.lock();
        let id = table.offered.get(topic).copied()?;
        let claimed = table.channels.get_mut(&id).filter(|claimed| fits(&claimed.channel))?;
        claimed.claims += 1;
        Some(claimed.channel.clone())
    }

    /// Gives a claim back. True if it was the last one: then the channel has to be retired in the hub
    /// ([`Publisher::retire`](crate::hub::Publisher::retire), [`Batch::retired`](crate::model::Batch::retired)).
    #[must_use = "a channel without claims has to be retired in the hub"]
    pub fn release(&self, id: ChannelId) -> bool {
        self.lock().release(id)
    }

    /// A channel that is claimed, as it is known now.
    pub fn channel(&self, id: ChannelId) -> Option<Arc<Channel>> {
        self.lock().channels.get(&id).map(|claimed| claimed.channel.clone())
    }
}

impl Table {
    fn claim(&mut self, spec: ChannelSpec) -> Result<Claim, NoMoreIds> {
        let ChannelSpec { topic, message_encoding, schema, metadata, latched } = spec;
        let same = self.asked_for.get(&topic).into_iter().flatten().copied().find(|id| {
            let channel = self.channels.get(id).map(|claimed| &claimed.channel);
            channel.is_some_and(|c| c.message_encoding == message_encoding && c.schema == schema)
        });
        if let Some(claimed) = same.and_then(|id| self.channels.get_mut(&id)) {
            claimed.claims += 1;
            let known = &claimed.channel;
            if (latched && !known.latched) || metadata.keys().any(|key| !known.metadata.contains_key(key)) {
                let channel = Arc::make_mut(&mut claimed.channel);
                channel.latched |= latched;
                for (key, value) in metadata {
                    channel.metadata.entry(key).or_insert(value);
                }
            }
            let channel = claimed.channel.clone();
            let renamed_from = (channel.topic != topic).then_some(topic);
            return Ok(Claim { channel, is_new: false, renamed_from });
        }
        let id = self.next_id().ok_or(NoMoreIds)?;
        let name = self.free_name(&topic);
        let channel =
            Arc::new(Channel { id, topic: name.clone(), message_encoding, schema, metadata, latched });
        let renamed_from = (name != topic).then(|| topic.clone());
        self.offered.insert(name, id);
        self.asked_for.entry(topic.clone()).or_default().push(id);
        self.channels.insert(id, Claimed { channel: channel.clone(), asked_for: topic, claims: 1 });
        Ok(Claim { channel, is_new: true, renamed_from })
    }

    fn release(&mut self, id: ChannelId) -> bool {
        let Some(claimed) = self.channels.get_mut(&id) else { return false };
        claimed.claims -= 1;
        if claimed.claims > 0 {
            return false;
        }
        if let Some(Claimed { channel, asked_for, .. }) = self.channels.remove(&id) {
            self.offered.remove(&channel.topic);
            if let Some(ids) = self.asked_for.get_mut(&asked_for) {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    self.asked_for.remove(&asked_for);
                }
            }
        }
        // a slot whose generations are used up is given up
        self.free
            .extend(u32::try_from(id.slot()).ok().and_then(|slot| ChannelId::new(slot, id.generation() + 1)));
        true
    }

    fn next_id(&mut self) -> Option<ChannelId> {
        if self.free.len() <= KEPT_FREE
            && let Some(id) = ChannelId::new(self.last_slot + 1, 0)
        {
            self.last_slot += 1;
            return Some(id);
        }
        self.free.pop_front()
    }

    fn free_name(&self, topic: &str) -> String {
        if !self.offered.contains_key(topic) {
            return topic.to_owned();
        }
        (2..)
            .map(|n| format!("{topic}#{n}"))
            .find(|name| !self.offered.contains_key(name))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn spec(topic: &str, encoding: &str, schema: Option<&str>) -> ChannelSpec {
        ChannelSpec {
            topic: topic.into(),
            message_encoding: encoding.into(),
            schema: schema.map(|name| {
                Arc::new(Schema { name: name.into(), encoding: "jsonschema".into(), data: "{}".into() })
            }),
            metadata: BTreeMap::new(),
            latched: false,
        }
    }

    fn claim(registry: &Registry, topic: &str, encoding: &str, schema: Option<&str>) -> (u32, String) {
        let channel = registry.claim(spec(topic, encoding, schema)).unwrap().channel;
        (channel.id.0, channel.topic.clone())
    }

    #[test]
    fn equal_channels_are_one_and_others_are_renamed() {
        let registry = Registry::default();
        assert_eq!(claim(&registry, "/a", "json", Some("X")), (1, "/a".into()));
        assert_eq!(claim(&registry, "/a", "json", Some("X")), (1, "/a".into()));
        assert_eq!(claim(&registry, "/a", "json", Some("Y")), (2, "/a#2".into()));
        let renamed = registry.claim(spec("/a", "cbor", None)).unwrap();
        assert!(renamed.is_new && renamed.warning().unwrap().contains("/a#3"));
        assert_eq!(claim(&registry, "/b", "json", Some("X")), (4, "/b".into()));
        let renamed = registry.claim(spec("/a", "cbor", None)).unwrap();
        assert_eq!((renamed.channel.id.0, renamed.is_new, renamed.warning()), (3, false, None));
        assert_eq!(renamed.renamed_from.as_deref(), Some("/a"));
    }

    #[test]
    fn names_that_are_made_and_real_topics_do_not_collide() {
        let registry = Registry::default();
        claim(&registry, "/a#2", "json", None);
        claim(&registry, "/a", "json", None);
        assert_eq!(claim(&registry, "/a", "cbor", None).1, "/a#3");
        claim(&registry, "/b", "json", None);
        claim(&registry, "/b", "cbor", None);
        assert_eq!(claim(&registry, "/b#2", "json", None).1, "/b#2#2");
    }

    #[test]
    fn a_channel_lives_until_the_last_claim_is_released() {
        let registry = Registry::default();
        let (id, _) = claim(&registry, "/a", "json", Some("X"));
        claim(&registry, "/a", "json", Some("X"));
        assert!(!registry.release(ChannelId(id)));
        assert!(registry.channel(ChannelId(id)).is_some());
        assert!(registry.release(ChannelId(id)));
        assert!(registry.channel(ChannelId(id)).is_none());
        assert!(!registry.release(ChannelId(id)), "there is nothing left to release");
        let (next, topic) = claim(&registry, "/a", "json", Some("Y"));
        assert_eq!((next, topic.as_str()), (2, "/a"), "the topic is free at once, the slot is not");
    }

    #[test]
    fn a_slot_is_used_again_under_another_id_after_some_others() {
        let registry = Registry::default();
        let mut ids = Vec::new();
        while ids.len() <= KEPT_FREE + 1 {
            let (id, _) = claim(&registry, "/a", "json", None);
            assert!(registry.release(ChannelId(id)));
            ids.push(id);
        }
        let last = ChannelId(ids[KEPT_FREE + 1]);
        assert_eq!((last.slot(), last.generation()), (1, 1));
        assert!(ids[..=KEPT_FREE].iter().all(|id| ChannelId(*id).generation() == 0));
    }

    #[test]
    fn a_latched_twin_makes_the_channel_latched_and_completes_its_metadata() {
        let registry = Registry::default();
        claim(&registry, "/a", "ros1", None);
        let mut latched = ChannelSpec { latched: true, ..spec("/a", "ros1", None) };
        latched.metadata.insert("latching".into(), "1".into());
        let channel = registry.claim(latched).unwrap().channel;
        assert!(channel.latched);
        assert_eq!(channel.metadata["latching"], "1");
    }

    #[test]
    fn a_topic_that_changes_for_a_day_keeps_tables_small_and_never_repeats_an_id() {
        let registry = Registry::default();
        let (mut ids, mut slots) = (BTreeSet::new(), BTreeSet::new());
        for _second in 0..86_400 {
            let (id, topic) = claim(&registry, "/a", "json", None);
            assert_eq!(topic, "/a");
            assert!(ids.insert(id));
            slots.insert(ChannelId(id).slot());
            assert!(registry.release(ChannelId(id)));
        }
        assert!(slots.len() <= 22 + KEPT_FREE, "{} slots", slots.len());
    }

    proptest! {
        #[test]
        fn ids_and_topics_are_unique_whatever_comes_and_goes(
            steps in prop::collection::vec((0usize..4, 0usize..3, any::<bool>()), 1..80),
        ) {
            let registry = Registry::default();
            let mut held: Vec<(ChannelId, ChannelSpec)> = Vec::new();
            let mut ever: BTreeMap<ChannelId, (String, String)> = BTreeMap::new();
            for (topic, encoding, add) in steps {
                if add {
                    let wanted = spec(["/a", "/a#2", "/b", "/c"][topic], ["json", "cdr", "ros1"][encoding], None);
                    let Claim { channel, .. } = registry.claim(wanted.clone()).unwrap();
                    let form = (channel.topic.clone(), channel.message_encoding.clone());
                    // an id stands for one channel for ever
                    prop_assert_eq!(ever.entry(channel.id).or_insert_with(|| form.clone()), &form);
                    held.push((channel.id, wanted));
                } else if !held.is_empty() {
                    let (id, _) = held.swap_remove(topic * 7 % held.len());
                    prop_assert_eq!(registry.release(id), held.iter().all(|(other, _)| *other != id));
                }
                let live: BTreeSet<ChannelId> = held.iter().map(|(id, _)| *id).collect();
                let channels: Vec<_> = live.iter().map(|id| registry.channel(*id).unwrap()).collect();
                let topics: BTreeSet<&str> = channels.iter().map(|channel| channel.topic.as_str()).collect();
                let slots: BTreeSet<usize> = live.iter().map(|id| id.slot()).collect();
                prop_assert_eq!((topics.len(), slots.len()), (live.len(), live.len()));
                for (id, wanted) in &held {
                    prop_assert_eq!(&registry.channel(*id).unwrap().message_encoding, &wanted.message_encoding);
                }
            }
        }
    }
}
