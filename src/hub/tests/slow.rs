//! What a client is sent that takes less than is published.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::hub::SlowClient;
use crate::hub::testing::{Sent, Viewer, channel, hub, messages};
use crate::model::{Batch, Channel, Entry, Schema};
use crate::registry::{ChannelSpec, Registry};
use crate::time::Timestamp;

/// A channel of transforms as JSON.
fn transforms(registry: &Registry, topic: &str) -> Arc<Channel> {
    let schema =
        Schema { name: "foxglove.FrameTransform".into(), encoding: "jsonschema".into(), data: "{}".into() };
    registry
        .claim(ChannelSpec { schema: Some(Arc::new(schema)), ..ChannelSpec::json(topic) })
        .unwrap()
        .channel
}

#[test]
fn a_slow_client_gets_the_last_transform_of_each_frame_and_the_last_message_of_each_latched_origin() {
    let (hub, registry, now) = (hub(SlowClient::Drop), Registry::default(), Instant::now());
    let publisher = hub.publisher();
    let (tf, map) = (transforms(&registry, "/tf"), channel(&registry, "/map"));
    publisher.announce(&[tf.clone(), map.clone()]);
    let mut viewer = Viewer::join(&hub);
    viewer.subscribe(tf.id);
    viewer.subscribe(map.id);
    viewer.news();
    for second in 0..500 {
        // the first ten seconds are of another publisher than the rest
        let (frame, origin) = if second < 10 { ("arm", 1) } else { ("base", 2) };
        let payload = format!("{{\"child_frame_id\":\"{frame}\"}}{}", " ".repeat(1000));
        let mut batch = Batch::default();
        for channel in [&tf, &map] {
            let entry = Entry { origin, ..Entry::at(channel.id, Timestamp(second * 1_000_000_000)) };
            batch.push_copy(&entry, payload.as_bytes());
        }
        publisher.publish(&Arc::new(batch), 0..2, SlowClient::Drop, now);
    }
    let sent = viewer.news();
    for channel in [&tf, &map] {
        for second in [9, 499] {
            assert!(sent.contains(&Sent::Message(channel.id.0, second)), "{} {second}", channel.topic);
        }
    }
    assert!(hub.snapshot().messages_dropped > 500);
}

#[test]
fn what_clients_publish_drops_nothing_of_what_is_played_without_a_loss() {
    let hub = hub(SlowClient::Drop);
    let imu = channel(hub.registry(), "/imu");
    hub.publisher().announce(std::slice::from_ref(&imu));
    let (publishing, mut viewer) = (Viewer::join(&hub), Viewer::join(&hub));
    viewer.subscribe(imu.id);
    viewer.news();
    let played: Vec<_> = (0..20).map(|second| (imu.id, second)).collect();
    let batch = Arc::new(messages(&played, 5000));
    hub.publisher().publish(&batch, 0..played.len(), SlowClient::Wait, Instant::now());
    let publish = |wall| {
        let client = publishing.client.id();
        hub.publish_of_client(client, imu.id, Bytes::new(), wall, Instant::now()).unwrap();
    };
    publish(Timestamp::now());
    let expected: Vec<_> = (0..20).map(|second| (imu.id.0, second)).collect();
    assert_eq!(viewer.messages(), expected);
    publish(Timestamp::now());
    assert_eq!(viewer.messages(), [(imu.id.0, 19)], "there is room again");
}
