//! Gives channels their ids, and makes their topics unique.
//!
//! Viewers take one channel a topic. Channels of one topic with equal encoding and schema become one; otherwise the
//! later ones are renamed: `/topic#2`, `/topic#3`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

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

/// The channels of one server: ids count from 1 in the order in which channels are added.
#[derive(Debug, Default)]
pub struct Catalog {
    channels: Vec<Channel>,
    /// By topic as recorded: its channels.
    by_topic: HashMap<String, Vec<usize>>,
    /// Topics as offered.
    names: HashSet<String>,
    warnings: Vec<String>,
}

impl Catalog {
    /// The id for a channel: that of an equal one on the same topic, else a new one.
    pub fn add(&mut self, raw: RawChannel) -> ChannelId {
        let same_topic = self.by_topic.entry(raw.topic.clone()).or_default();
        for &index in same_topic.iter() {
            let channel = &mut self.channels[index];
            if channel.message_encoding == raw.message_encoding && channel.schema == raw.schema {
                for (key, value) in raw.metadata {
                    channel.metadata.entry(key).or_insert(value);
                }
                return channel.id;
            }
        }
        let others = same_topic.len();
        same_topic.push(self.channels.len());
        let id = ChannelId(u32::try_from(self.channels.len() + 1).unwrap_or(u32::MAX));
        let mut topic = raw.topic;
        if others > 0 || self.names.contains(&topic) {
            let name = self.free_name(&topic, others.max(1) + 1);
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
            metadata: raw.metadata,
        };
        self.channels.push(channel);
        id
    }

    fn free_name(&self, topic: &str, first: usize) -> String {
        let taken = |name: &String| self.names.contains(name);
        (first..).map(|n| format!("{topic}#{n}")).find(|name| !taken(name)).unwrap_or_default()
    }

    /// What has been warned of since the last call.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Channels and warnings, once all are added.
    pub fn finish(self) -> (Vec<Arc<Channel>>, Vec<String>) {
        (self.channels.into_iter().map(Arc::new).collect(), self.warnings)
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
