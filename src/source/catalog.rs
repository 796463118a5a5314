//! Gives channels their ids, and makes their topics unique.
//!
//! Viewers take one channel a topic. Channels of one topic with equal encoding and schema become one; otherwise the
//! later ones are renamed: `/topic#2`, `/topic#3`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::recorded_as_latched;
use crate::model::{Channel, ChannelId, Schema};

/// A channel as the source has it, before it gets an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawChannel {
    /// Topic as recorded.
    pub topic: String,
    /// Message encoding as recorded.
    pub message_encoding: String,
    /// Schema, if it has one.
    pub schema: Option<Arc<Schema>>,
    /// What the recorder noted.
    pub metadata: BTreeMap<String, String>,
}

/// The channels of one server: ids count from 1 in the order in which channels are added, and are not given again.
#[derive(Debug, Default)]
pub struct Catalog {
    channels: BTreeMap<ChannelId, Arc<Channel>>,
    last_id: u32,
    /// By topic as recorded: its channels.
    by_topic: HashMap<String, Vec<ChannelId>>,
    /// Topics as offered.
    names: HashSet<String>,
    warnings: Vec<String>,
}

impl Catalog {
    /// The id for a channel: that of an equal one on the same topic, else a new one.
    pub fn add(&mut self, raw: RawChannel) -> ChannelId {
        if let Some(id) = self.find(&raw).map(|known| known.id) {
            let known = self.channels.get_mut(&id);
            if let Some(channel) =
                known.filter(|channel| raw.metadata.keys().any(|key| !channel.metadata.contains_key(key)))
            {
                let channel = Arc::make_mut(channel);
                channel.latched |= recorded_as_latched(&raw.metadata);
                for (key, value) in raw.metadata {
                    channel.metadata.entry(key).or_insert(value);
                }
            }
            return id;
        }
        self.last_id = self.last_id.saturating_add(1);
        let id = ChannelId(self.last_id);
        let mut topic = raw.topic;
        self.by_topic.entry(topic.clone()).or_default().push(id);
        if self.names.contains(&topic) {
            let name = self.free_name(&topic);
            self.warnings.push(format!(
                "several channels with different encodings or schemas are called {topic}; one of them is offered as {name}"
            ));
            topic = name;
        }
        self.names.insert(topic.clone());
        let channel = Channel {
            id,
            topic,
            message_encoding: raw.message_encoding,
            schema: raw.schema,
            latched: recorded_as_latched(&raw.metadata),
            metadata: raw.metadata,
        };
        self.channels.insert(id, Arc::new(channel));
        id
    }

    /// The channel on the same topic with equal encoding and schema.
    pub fn find(&self, raw: &RawChannel) -> Option<&Arc<Channel>> {
        self.on_topic(&raw.topic)
            .iter()
            .filter_map(|id| self.channels.get(id))
            .find(|channel| channel.message_encoding == raw.message_encoding && channel.schema == raw.schema)
    }

    /// All channels that were added on a topic.
    pub fn on_topic(&self, topic: &str) -> Vec<ChannelId> {
        self.by_topic.get(topic).cloned().unwrap_or_default()
    }

    /// Takes a channel back; its name is free again, its id is not.
    pub fn retire(&mut self, id: ChannelId) {
        if let Some(channel) = self.channels.remove(&id) {
            self.names.remove(&channel.topic);
        }
        self.by_topic.retain(|_, channels| {
            channels.retain(|other| *other != id);
            !channels.is_empty()
        });
    }

    /// The channels as they are offered now.
    pub fn channels(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.channels.values()
    }

    /// What the user should know of the channels added since this was last asked.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn free_name(&self, topic: &str) -> String {
        (2..).map(|n| format!("{topic}#{n}")).find(|name| !self.names.contains(name)).unwrap_or_default()
    }

    /// Channels and warnings, once all are added.
    pub fn finish(self) -> (Vec<Arc<Channel>>, Vec<String>) {
        (self.channels.into_values().collect(), self.warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(topic: &str, encoding: &str, schema: Option<&str>) -> RawChannel {
        RawChannel {
            topic: topic.into(),
            message_encoding: encoding.into(),
            schema: schema.map(|name| {
                Arc::new(Schema { name: name.into(), encoding: "jsonschema".into(), data: "{}".into() })
            }),
            metadata: BTreeMap::new(),
        }
    }

    #[test]
    fn equal_channels_become_one_and_others_are_renamed() {
        let mut catalog = Catalog::default();
        assert_eq!(catalog.add(raw("/a", "json", Some("X"))), ChannelId(1));
        assert_eq!(catalog.add(raw("/a", "json", Some("X"))), ChannelId(1));
        assert_eq!(catalog.add(raw("/a", "json", Some("Y"))), ChannelId(2));
        assert_eq!(catalog.add(raw("/a", "cbor", None)), ChannelId(3));
        assert_eq!(catalog.add(raw("/b", "json", Some("X"))), ChannelId(4));
        let (channels, warnings) = catalog.finish();
        let topics: Vec<_> = channels.iter().map(|channel| channel.topic.as_str()).collect();
        assert_eq!(topics, ["/a", "/a#2", "/a#3", "/b"]);
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].contains("/a#2"));
    }

    #[test]
    fn a_new_name_does_not_collide_with_a_real_topic() {
        let mut catalog = Catalog::default();
        catalog.add(raw("/a#2", "json", None));
        catalog.add(raw("/a", "json", None));
        catalog.add(raw("/a", "cbor", None));
        let (channels, _) = catalog.finish();
        assert_eq!(channels[2].topic, "/a#3");
    }

    #[test]
    fn a_real_topic_does_not_collide_with_a_new_name() {
        let mut catalog = Catalog::default();
        catalog.add(raw("/a", "json", None));
        catalog.add(raw("/a", "cbor", None));
        catalog.add(raw("/a#2", "json", None));
        assert_eq!(catalog.take_warnings().len(), 2);
        let (channels, warnings) = catalog.finish();
        let topics: Vec<_> = channels.iter().map(|channel| channel.topic.as_str()).collect();
        assert_eq!(topics, ["/a", "/a#2", "/a#2#2"]);
        assert!(warnings.is_empty());
    }

    #[test]
    fn the_name_of_a_retired_channel_is_free_but_its_id_is_not() {
        let mut catalog = Catalog::default();
        let old = catalog.add(raw("/a", "json", Some("X")));
        catalog.add(raw("/b", "json", None));
        assert_eq!(catalog.on_topic("/a"), [old]);
        catalog.retire(old);
        assert_eq!(catalog.find(&raw("/a", "json", Some("X"))), None);
        assert_eq!(catalog.add(raw("/a", "json", Some("Y"))), ChannelId(3));
        assert!(catalog.take_warnings().is_empty());
        let topics: Vec<_> = catalog.channels().map(|channel| channel.topic.as_str()).collect();
        assert_eq!(topics, ["/b", "/a"]);
    }

    #[test]
    fn a_latched_twin_makes_the_merged_channel_latched() {
        let mut catalog = Catalog::default();
        catalog.add(raw("/a", "ros1", None));
        let mut latched = raw("/a", "ros1", None);
        latched.metadata.insert("latching".into(), "1".into());
        catalog.add(latched);
        let (channels, _) = catalog.finish();
        assert_eq!(channels.len(), 1);
        assert_eq!(channels[0].metadata["latching"], "1");
    }
}
