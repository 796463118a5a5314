//! Events of viewers without sockets, printed into a pipe.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, PipeReader};

use serde_json::{Value, json};

use super::*;
use crate::hub::SlowClient;
use crate::hub::testing::{Viewer, channel, hub};
use crate::model::SubscriptionId;
use crate::payload::{TypeOptions, Types};
use crate::registry::Registry;
use crate::source::json_lines::{JsonLines, JsonLinesOptions};
use crate::source::live::LiveChannels;
use crate::source::{Stop, Stream, TopicRules};

fn events(hub: &Hub) -> (PipeReader, Events) {
    let (reader, writer) = std::io::pipe().unwrap();
    (reader, Events::of(hub, Printer::new("stdout", writer)))
}

/// All that was printed.
fn printed(reader: PipeReader, events: &Events) -> Vec<Value> {
    events.printer.close();
    let lines = BufReader::new(reader).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

#[test]
fn each_subscription_has_one_end_whatever_ends_it() {
    let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
    let (reader, events) = events(&hub);
    let (a, b, c) = (channel(&registry, "/a"), channel(&registry, "/b"), channel(&registry, "/c"));
    let publisher = hub.publisher();
    publisher.announce(&[a.clone(), b.clone(), c.clone()]);
    let (one, other) = (Viewer::join(&hub), Viewer::join_sdk(&hub));
    assert_eq!((one.subscribe(a.id), one.subscribe(b.id), one.subscribe(c.id)), Default::default());
    assert_eq!(other.subscribe(b.id), []);
    // a second time is refused, and no event
    assert_eq!(one.subscribe(a.id).len(), 1);
    assert_eq!(one.client.unsubscribe(&[SubscriptionId(a.id.0)]), []);
    publisher.retire(&[b.id]);
    one.client.leaves("it closed the connection".into());
    drop(one);
    drop(other);
    let connect = |client: u64, subprotocol: &str| json!({"op": "connect", "client": client, "agent": "", "subprotocol": subprotocol});
    let subscription =
        |op: &str, topic: &str, client: u64| json!({"op": op, "topic": topic, "client": client});
    let disconnect = |client: u64, reason: &str| json!({"op": "disconnect", "client": client, "reason": reason, "messages": 0, "bytes": 0, "dropped": 0});
    let expected = [
        connect(0, "foxglove.websocket.v1"),
        connect(1, "foxglove.sdk.v1"),
        subscription("subscribe", "/a", 0),
        subscription("subscribe", "/b", 0),
        subscription("subscribe", "/c", 0),
        subscription("subscribe", "/b", 1),
        subscription("unsubscribe", "/a", 0),
        subscription("unsubscribe", "/b", 0),
        subscription("unsubscribe", "/b", 1),
        subscription("unsubscribe", "/c", 0),
        disconnect(0, "it closed the connection"),
        disconnect(1, ""),
    ];
    assert_eq!(printed(reader, &events), expected);
}

#[test]
fn playback_is_told_when_it_changes_and_not_with_every_answer() {
    let hub = hub(SlowClient::Drop);
    let (reader, events) = events(&hub);
    let state = |status, second: u64, speed, did_seek| PlaybackState {
        status,
        current_time: Timestamp(second * 1_000_000_000),
        speed,
        did_seek,
        request_id: Some("a request".into()),
    };
    let publisher = hub.publisher();
    publisher.playback_changed(state(PlaybackStatus::Playing, 1, 1.0, false));
    publisher.playback_changed(state(PlaybackStatus::Playing, 2, 1.0, false));
    publisher.playback_changed(state(PlaybackStatus::Playing, 3, 0.5, false));
    publisher.playback_changed(state(PlaybackStatus::Playing, 1, 0.5, true));
    publisher.playback_changed(state(PlaybackStatus::Ended, 9, 0.5, false));
    let time = |second| format!("1970-01-01T00:00:0{second}.000000000Z");
    let expected = [
        json!({"op": "playback", "status": "playing", "time": time(1), "speed": 1.0}),
        json!({"op": "playback", "status": "playing", "time": time(3), "speed": 0.5}),
        json!({"op": "playback", "status": "playing", "time": time(1), "speed": 0.5, "did_seek": true}),
        json!({"op": "playback", "status": "ended", "time": time(9), "speed": 0.5}),
    ];
    assert_eq!(printed(reader, &events), expected);
}

/// What a client publishes on: a name and a definition, if there is one.
fn published(topic: &str, encoding: &str, schema: Option<(&str, &str, &'static str)>) -> Channel {
    let schema = schema.map(|(name, encoding, data)| {
        Arc::new(Schema { name: name.into(), encoding: encoding.into(), data: data.into() })
    });
    Channel {
        id: ChannelId(1),
        topic: topic.into(),
        message_encoding: encoding.into(),
        schema,
        metadata: BTreeMap::new(),
        latched: false,
    }
}

#[test]
fn messages_of_clients_are_lines_that_are_read_again() {
    let hub = hub(SlowClient::Drop);
    let (reader, writer) = std::io::pipe().unwrap();
    let events = Events::of(&hub, Printer::new("stdout", writer));
    let (client, time) = (ClientId::from_token(3), Timestamp(1_767_323_045_123_456_789));
    let object = "{\"type\":\"object\"}";
    let sent: [(Channel, &'static [u8]); 6] = [
        (published("/cmd", "json", None), b"{ \"v\":\n1.50}"),
        (published("/pose", "json", Some(("geometry_msgs/Pose", "jsonschema", ""))), b"{\"x\":1}"),
        (published("/own", "json", Some(("Own", "jsonschema", object))), b"{}"),
        (published("/own", "json", Some(("Own", "jsonschema", object))), b"{\"n\":2}"),
        (published("/ros", "cdr", Some(("std_msgs/msg/Bool", "ros2msg", "bool data"))), b"\0\x01\0\0\x01"),
        (published("/raw", "protobuf", None), b"\xff\0"),
    ];
    for (channel, payload) in &sent {
        events.message(client, channel, time, &Bytes::from_static(payload));
    }
    events.listening("ws://localhost:8765");
    events.printer.close();
    let lines: Vec<String> = BufReader::new(reader).lines().map(Result::unwrap).collect();
    assert_eq!(
        lines[0],
        r#"{"topic":"/cmd","log_time":"2026-01-02T03:04:05.123456789Z","data":{ "v": 1.50},"client":3}"#
    );
    assert_eq!(lines.iter().filter(|line| line.contains(r#""op":"schema""#)).count(), 2, "{lines:#?}");
    let ros = lines.iter().find(|line| line.contains(r#""topic":"/ros""#)).unwrap();
    assert!(ros.contains(r#""data_base64":"AAEAAAE=","decoded":{"data":true}"#), "{ros}");
    let raw = lines.iter().find(|line| line.contains(r#""topic":"/raw""#)).unwrap();
    assert!(!raw.contains("decoded"), "there is no definition: {raw}");
    // read again, strictly
    let types = Arc::new(Types::load(&TypeOptions::default()).unwrap());
    let channels = LiveChannels::new(TopicRules::default(), types, &[], Registry::default()).unwrap();
    let options = Arc::new(JsonLinesOptions { strict: true, ..JsonLinesOptions::default() });
    let text = lines.join("\n");
    let mut again = JsonLines::new("again".into(), text.as_bytes(), &Stop::new().unwrap(), options, channels);
    let (mut topics, mut messages) = (BTreeMap::new(), Vec::new());
    while let Some(batch) = again.next().unwrap() {
        for channel in &batch.announcements {
            let schema = channel.schema.as_ref().map_or("", |schema| &schema.name).to_owned();
            topics.insert(channel.id, (channel.topic.clone(), channel.message_encoding.clone(), schema));
        }
        let read = batch.entries.iter().map(|entry| {
            assert_eq!(entry.log_time, time);
            (topics[&entry.channel].clone(), batch.payload(entry).to_vec())
        });
        messages.extend(read.collect::<Vec<_>>());
    }
    let told = |topic: &str, encoding: &str, schema: &str, payload: &[u8]| {
        ((topic.to_owned(), encoding.to_owned(), schema.to_owned()), payload.to_vec())
    };
    let expected = [
        told("/cmd", "json", "", b"{ \"v\": 1.50}"),
        told("/pose", "json", "", b"{\"x\":1}"),
        told("/own", "json", "Own", b"{}"),
        told("/own", "json", "Own", b"{\"n\":2}"),
        told("/ros", "cdr", "std_msgs/msg/Bool", b"\0\x01\0\0\x01"),
        told("/raw", "protobuf", "", b"\xff\0"),
    ];
    assert_eq!(messages, expected);
}

#[test]
fn events_that_nobody_reads_hold_nobody() {
    let hub = hub(SlowClient::Drop);
    let (reader, events) = events(&hub);
    for _ in 0..20_000 {
        drop(Viewer::join(&hub));
    }
    drop((reader, events));
}
