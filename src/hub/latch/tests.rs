use std::collections::BTreeMap;

use super::*;
use crate::model::{Fate, Schema};
use crate::time::Timestamp;

fn channel(latched: bool) -> Channel {
    Channel {
        id: ChannelId(1),
        topic: "/map".into(),
        message_encoding: "cdr".into(),
        schema: None,
        metadata: BTreeMap::new(),
        latched,
    }
}

/// A store with two latched channels: 1 of transforms as JSON, 2 of anything.
fn store() -> LatchStore {
    let schema =
        Schema { name: "foxglove.FrameTransforms".into(), encoding: "jsonschema".into(), data: "{}".into() };
    let mut store = LatchStore::default();
    store.add_channel(&Channel {
        message_encoding: "json".into(),
        schema: Some(Arc::new(schema)),
        ..channel(true)
    });
    store.add_channel(&Channel { id: ChannelId(2), ..channel(true) });
    store
}

/// A message that places frames.
fn placing(frames: &[&str]) -> String {
    let transforms: Vec<_> =
        frames.iter().map(|frame| serde_json::json!({"child_frame_id": frame})).collect();
    serde_json::json!({"transforms": transforms}).to_string()
}

/// Publishes messages in one batch: channel, origin, payload.
fn publish(store: &mut LatchStore, messages: &[(u32, u32, &str)]) {
    let mut batch = Batch::default();
    let mut channels = ChannelSet::default();
    for &(channel, origin, payload) in messages {
        let channel = ChannelId(channel);
        let entry = Entry { origin, ..Entry::at(channel, Timestamp(0)) };
        batch.push_copy(&entry, payload.as_bytes());
        channels.insert(channel);
    }
    store.keep(&batch, 0..messages.len(), &channels, Feed::Playback);
}

/// The payloads that are kept of a channel.
fn kept(store: &LatchStore, channel: u32) -> Vec<String> {
    let Some((batch, _)) = store.messages_of(ChannelId(channel)) else { return Vec::new() };
    let text = |entry| String::from_utf8(batch.payload(entry).to_vec()).unwrap();
    batch.entries.iter().map(text).collect()
}

#[test]
fn what_the_source_says_counts_unless_latching_is_off() {
    assert!(is_latched(&channel(true), &Latch::Auto));
    assert!(!is_latched(&channel(false), &Latch::Auto));
    assert!(!is_latched(&channel(true), &Latch::Off));
}

#[test]
fn patterns_latch_what_the_source_did_not() {
    let latch = Latch::Topics(vec!["/ma*".parse().unwrap()]);
    assert!(is_latched(&channel(false), &latch));
    assert!(!is_latched(&channel(false), &Latch::Topics(vec!["/tf".parse().unwrap()])));
    assert!(is_latched(&channel(true), &Latch::Topics(vec!["/tf".parse().unwrap()])));
}

#[test]
fn of_transforms_the_last_of_each_child_frame_is_kept_whoever_sent_it() {
    let (ab, c, a) = (&placing(&["a", "b"])[..], &placing(&["c"])[..], &placing(&["a"])[..]);
    let mut store = store();
    // in one batch, and in several
    publish(&mut store, &[(1, 0, c), (1, 0, ab), (1, 1, c)]);
    assert_eq!(kept(&store, 1), [ab, c]);
    publish(&mut store, &[(1, 0, a)]);
    assert_eq!(kept(&store, 1), [ab, c, a], "b is still placed by the first message");
    publish(&mut store, &[(1, 2, ab)]);
    assert_eq!(kept(&store, 1), [c, ab]);
    store.clear();
    assert!(kept(&store, 1).is_empty());
    publish(&mut store, &[(1, 0, a)]);
    assert_eq!(kept(&store, 1), [a]);
}

#[test]
fn transforms_that_cannot_be_read_count_as_other_messages() {
    let a = &placing(&["a"])[..];
    let mut store = store();
    publish(&mut store, &[(1, 0, "{"), (1, 1, "["), (1, 0, a), (1, 0, "}")]);
    assert_eq!(kept(&store, 1), ["[", a, "}"]);
}

#[test]
fn of_other_channels_the_last_message_of_each_origin_is_kept() {
    let mut store = store();
    publish(&mut store, &[(2, 7, "first"), (2, 7, "map of 7"), (2, 8, "early")]);
    publish(&mut store, &[(2, 8, "map of 8"), (3, 8, "not latched")]);
    assert_eq!(kept(&store, 2), ["map of 7", "map of 8"]);
    assert!(kept(&store, 3).is_empty());
    assert_eq!(store.messages().len(), 1, "a batch for each channel with messages");
    store.remove_channel(ChannelId(2));
    assert!(kept(&store, 2).is_empty());
    publish(&mut store, &[(2, 7, "gone")]);
    assert!(store.messages().is_empty());
}

#[test]
fn what_is_not_sent_counts_in_its_place() {
    let messages = ["sent 1", "unsent 2", "sent 3", "unsent 4", "unsent 5"];
    let mut batch = Batch::default();
    for (origin, payload) in [7, 8, 7, 7, 8].into_iter().zip(messages) {
        batch.push_copy(&Entry { origin, ..Entry::at(ChannelId(2), Timestamp(0)) }, payload.as_bytes());
    }
    let sent = |batch: &Batch, entry: &Entry| batch.payload(entry).starts_with(b"sent");
    let all = batch.clone();
    batch.sift(|entry, _| if sent(&all, entry) { Fate::Sent } else { Fate::Unsent });
    let mut channels = ChannelSet::default();
    channels.insert(ChannelId(2));
    let mut store = store();
    store.keep(&batch, 0..1, &channels, Feed::Live);
    assert_eq!(kept(&store, 2), ["sent 1", "unsent 2"]);
    store.keep(&batch, 1..2, &channels, Feed::Live);
    assert_eq!(kept(&store, 2), ["unsent 4", "unsent 5"]);
    // also where nothing is sent
    batch.sift(|_, _| Fate::Unsent);
    let mut other = self::store();
    other.keep(&batch, 0..0, &ChannelSet::default(), Feed::Live);
    assert_eq!(kept(&other, 2), ["unsent 4", "unsent 5"]);
}

#[test]
fn what_is_latched_has_a_bound() {
    let large = "x".repeat(MAX_BYTES / 4);
    let mut store = store();
    for origin in 0..9 {
        publish(&mut store, &[(2, origin, &large)]);
    }
    assert_eq!(kept(&store, 2).len(), 4);
    assert!(store.topics[&ChannelId(2)].has_warned);
    let (batch, _) = store.messages_of(ChannelId(2)).unwrap();
    assert_eq!(batch.entries.iter().map(|entry| entry.origin).collect::<Vec<_>>(), [5, 6, 7, 8]);
}
