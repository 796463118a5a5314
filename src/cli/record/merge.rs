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
    /// By their ids in the file, which are counted from 0.
    stored: Vec<Past>,
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
        let latched = recorded_as_latched(&channel.metadata) || is_static_transforms(&channel.topic);
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
        let past = &mut self.stored[subscribed.id.0 as usize];
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
        if self.stored.len() <= id.0 as usize {
            self.stored.resize_with(id.0 as usize + 1, Past::default);
        }
        let compared = if self.stored[id.0 as usize].is_empty() { 0 } else { COMPARED };
        self.subscribed.insert(channel.id, Subscribed { channel: channel.clone(), id, compared });
        Ok(())
    }
}

/// Whether a topic has the transforms that never change, which ROS latches: most servers send no metadata that say so.
fn is_static_transforms(topic: &str) -> bool {
    topic.rsplit('/').next() == Some("tf_static")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use bytes::Bytes;
    use foxglove_bridge::model::Schema;
    use foxglove_bridge::sink::{Split, WriterOptions};
    use foxglove_bridge::source::{RecordingOptions, open};
    use foxglove_bridge::time::Timestamp;

    use super::*;

    /// Messages that a server sends, each with its channel, log time and payload; what is in the file then, by log time.
    fn stored(sent: &[(&Arc<Channel>, u64, &'static str)]) -> Vec<(String, u64, String)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mcap");
        let mut file = File::create(&path, WriterOptions::default(), None).unwrap();
        let mut merge = Merge::default();
        for (channel, time, payload) in sent {
            let payload = Bytes::from_static(payload.as_bytes());
            let message = Message { channel: (*channel).clone(), log_time: Timestamp(*time), payload };
            merge.message(&message, &mut file).unwrap();
        }
        assert_eq!(file.messages + merge.repeated, sent.len() as u64);
        file.finish().unwrap();
        read(&path)
    }

    fn read(path: &Path) -> Vec<(String, u64, String)> {
        let mut recording =
            open(&[path], &RecordingOptions::default(), &Default::default(), &mut |_progress| {}).unwrap();
        let topics: BTreeMap<_, _> =
            recording.info().channels.iter().map(|channel| (channel.id, channel.topic.clone())).collect();
        let mut messages = Vec::new();
        while let Some(batch) = recording.next().unwrap() {
            messages.extend(batch.entries.iter().map(|entry| {
                let payload = String::from_utf8(batch.payload(entry).to_vec()).unwrap();
                (topics[&entry.channel].clone(), entry.log_time.nanos(), payload)
            }));
        }
        messages
    }

    /// What a new subscription gives.
    fn subscribed(id: u32, topic: &str) -> Arc<Channel> {
        Arc::new(Channel {
            id: ChannelId(id),
            topic: topic.to_owned(),
            message_encoding: "json".to_owned(),
            schema: None,
            metadata: BTreeMap::new(),
            latched: false,
        })
    }

    #[test]
    fn the_next_file_begins_with_the_last_transform_of_each_child_frame() {
        let schema = Schema {
            name: "foxglove.FrameTransform".into(),
            encoding: "jsonschema".into(),
            data: Bytes::new(),
        };
        let of = |topic| {
            Arc::new(Channel { schema: Some(Arc::new(schema.clone())), ..(*subscribed(1, topic)).clone() })
        };
        for (topic, repeated) in [("/robot/tf_static", &["lidar", "base"][..]), ("/tf", &[])] {
            let folder = tempfile::tempdir().unwrap();
            let split = Split { duration: Some(std::time::Duration::from_nanos(50)), ..Split::default() };
            let options = WriterOptions { split, ..WriterOptions::default() };
            let mut file = File::create(&folder.path().join("a.mcap"), options, None).unwrap();
            let (mut merge, channel) = (Merge::default(), of(topic));
            for (time, frame) in [(1, "base"), (2, "lidar"), (3, "base"), (100, "camera")] {
                let payload = Bytes::from(format!("{{\"child_frame_id\":\"{frame}\"}}"));
                let message = Message { channel: channel.clone(), log_time: Timestamp(time), payload };
                merge.message(&message, &mut file).unwrap();
            }
            file.finish().unwrap();
            let stored = read(&folder.path().join("a-0002.mcap"));
            let frames: Vec<_> =
                stored.iter().map(|(_, _, payload)| payload.split('"').nth(3).unwrap()).collect();
            assert_eq!(frames, [repeated, &["camera"]].concat(), "{topic}");
        }
    }

    fn times(stored: &[(String, u64, String)]) -> Vec<u64> {
        stored.iter().map(|(_, time, _)| *time).collect()
    }

    #[test]
    fn what_is_sent_again_with_another_subscription_is_stored_once() {
        let (one, other) = (subscribed(1, "/map"), subscribed(9, "/map"));
        let all = stored(&[(&one, 1, "a"), (&one, 2, "b"), (&other, 2, "b"), (&other, 3, "c")]);
        assert_eq!(times(&all), [1, 2, 3]);
        assert!(all.iter().all(|(topic, _, _)| topic == "/map"), "one channel: {all:?}");
    }

    #[test]
    fn of_several_publishers_what_is_new_is_stored_and_nothing_else() {
        // under the same id, as after a reconnect to the same session
        let (one, other) = (subscribed(1, "/tf_static"), subscribed(1, "/tf_static"));
        let first = [(&one, 1, "a"), (&one, 2, "b"), (&one, 3, "c"), (&one, 9, "d")];
        let again = [(&other, 1, "a"), (&other, 5, "new"), (&other, 3, "c"), (&other, 9, "d")];
        assert_eq!(times(&stored(&[first, again].concat())), [1, 2, 3, 5, 9]);
    }

    #[test]
    fn what_is_older_and_new_or_of_one_time_and_another_payload_is_stored() {
        let (one, other) = (subscribed(1, "/a"), subscribed(2, "/a"));
        let all = stored(&[(&one, 5, "a"), (&other, 4, "a"), (&other, 5, "b")]);
        assert_eq!(times(&all), [4, 5, 5]);
    }

    #[test]
    fn a_lap_is_stored_as_it_is_sent() {
        let one = subscribed(1, "/a");
        assert_eq!(
            times(&stored(&[(&one, 1, "a"), (&one, 2, "a"), (&one, 1, "a"), (&one, 2, "a")])),
            [1, 1, 2, 2]
        );
    }

    #[test]
    fn only_the_first_messages_of_a_subscription_are_compared() {
        let (one, other) = (subscribed(1, "/a"), subscribed(2, "/a"));
        let mut sent = vec![(&one, 1, "a")];
        sent.extend((2..).map(|time| (&other, time, "a")).take(COMPARED));
        sent.push((&other, 1, "a"));
        assert_eq!(stored(&sent).len(), COMPARED + 2);
    }

    #[test]
    fn topics_are_told_apart() {
        let (one, other) = (subscribed(1, "/a"), subscribed(2, "/b"));
        let (again, other_again) = (subscribed(2, "/a"), subscribed(1, "/b"));
        let sent = [(&one, 1, "a"), (&other, 1, "a"), (&again, 1, "a"), (&other_again, 2, "a")];
        let topics: Vec<_> = stored(&sent).into_iter().map(|(topic, time, _)| (topic, time)).collect();
        assert_eq!(topics, [("/a".to_owned(), 1), ("/b".to_owned(), 1), ("/b".to_owned(), 2)]);
    }
}
