//! What a snapshot says of topics and clients, and topics that are watched.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::hub::testing::{Viewer, channel, hub, messages};
use crate::hub::{DemandChange, Hub, SlowClient, TopicSnapshot};
use crate::time::Timestamp;

fn topic(hub: &Hub, name: &str) -> TopicSnapshot {
    hub.snapshot().topics.into_iter().find(|topic| topic.channel.topic == name).unwrap()
}

#[test]
fn topics_have_counts_and_rates_and_keep_what_clients_that_left_have_lost() {
    let hub = hub(SlowClient::Drop);
    let (imu, camera) = (channel(hub.registry(), "/imu"), channel(hub.registry(), "/camera"));
    let publisher = hub.publisher();
    publisher.announce(&[imu.clone(), camera.clone()]);
    let viewer = Viewer::join(&hub);
    viewer.subscribe(imu.id);
    viewer.subscribe(camera.id);
    let now = Instant::now();
    assert_eq!(hub.snapshot().clients[0].slow_because, None);
    for second in 0..200 {
        let mut batch = messages(&[(camera.id, second)], 5000);
        batch.push_copy(&batch.entries[0].clone(), b"");
        batch.entries[1].channel = imu.id;
        publisher.publish(&Arc::new(batch), 0..2, SlowClient::Drop, now);
    }
    let figures = topic(&hub, "/camera");
    assert_eq!((figures.messages, figures.bytes, figures.subscribers), (200, 1_000_000, 1));
    assert_eq!((topic(&hub, "/imu").messages, topic(&hub, "/imu").bytes), (200, 0));
    assert!(figures.hertz > 100.0 && figures.bytes_per_second > 500_000.0, "{figures:?}");
    let snapshot = hub.snapshot();
    assert_eq!(snapshot.clients[0].slow_because.as_deref(), Some("/camera"));
    assert!(Timestamp::now().since(snapshot.clients[0].since) < Duration::from_secs(60));
    let lost = figures.dropped;
    assert!(lost > 100 && snapshot.messages_dropped >= lost, "{lost} of {}", snapshot.messages_dropped);
    drop(viewer);
    assert_eq!(topic(&hub, "/camera").dropped, lost);
}

#[test]
fn a_watched_topic_is_wanted_and_its_last_message_kept_for_a_while() {
    let hub = hub(SlowClient::Drop);
    let heard = Arc::<Mutex<Vec<(&str, usize)>>>::default();
    let log = heard.clone();
    hub.on_demand(move |change| {
        log.lock().unwrap().push(match change {
            DemandChange::Watched { channels } => ("watched", channels.len()),
            DemandChange::Unwatched { channels } => ("unwatched", channels.len()),
            other => panic!("{other:?}"),
        });
    });
    let lazy = hub.channel("/lazy").json::<serde_json::Value>().unwrap();
    let id = lazy.channel().id;
    assert!(!lazy.is_subscribed());
    let now = Instant::now();
    assert!(hub.watch(id, now).is_none());
    assert!(lazy.is_subscribed() && hub.subscriptions(id) == 0);
    hub.publisher().publish_live(messages(&[(id, 3), (id, 4)], 2), now);
    let last = hub.watch(id, now).unwrap();
    assert_eq!((last.entry.log_time, &*last.payload), (Timestamp(4_000_000_000), &b"  "[..]));
    let end = hub.end_watches(now).unwrap();
    assert!(lazy.is_subscribed());
    assert_eq!(hub.end_watches(end), None);
    assert!(!lazy.is_subscribed());
    assert!(hub.watch(id, end).is_none(), "what was kept is gone");
    hub.publisher().retire(&[id]);
    assert_eq!(hub.end_watches(end), None);
    let expected = [("watched", 1), ("unwatched", 1), ("watched", 1), ("unwatched", 1)];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[test]
fn a_latched_message_is_the_last_of_a_topic_that_was_not_watched() {
    let hub = hub(SlowClient::Drop);
    let map = channel(hub.registry(), "/map");
    hub.publisher().announce(std::slice::from_ref(&map));
    hub.publisher().publish_live(messages(&[(map.id, 1), (map.id, 7)], 1), Instant::now());
    let last = hub.watch(map.id, Instant::now()).unwrap();
    assert_eq!(last.entry.log_time, Timestamp(7_000_000_000));
    assert_eq!(hub.channel_on("/map"), Some(map));
    assert_eq!(hub.channel_on("/none"), None);
}
