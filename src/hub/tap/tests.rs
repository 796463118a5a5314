use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::*;
use crate::hub::{HubOptions, Publisher, SlowClient};
use crate::model::{Channel, ChannelId, Entry, Fate};
use crate::time::Timestamp;

fn hub() -> (Hub, Publisher) {
    let hub = Hub::new("test", HubOptions::default());
    let publisher = hub.publisher();
    (hub, publisher)
}

fn batch() -> Arc<Batch> {
    let mut batch = Batch::default();
    let entry = Entry {
        log_time: Timestamp(1),
        publish_time: Timestamp(1),
        channel: ChannelId(1),
        sequence: 0,
        buffer: 0,
        offset: 0,
        length: 3,
        origin: 0,
    };
    batch.push_copy(&entry, b"abc");
    Arc::new(batch)
}

fn publish(publisher: &Publisher) {
    publisher.publish(&batch(), 0..1, SlowClient::Wait, Instant::now());
}

fn channel(topic: &str) -> Arc<Channel> {
    let topic = topic.to_owned();
    let (id, message_encoding, metadata) = (ChannelId(1), String::new(), BTreeMap::new());
    Arc::new(Channel { id, topic, message_encoding, schema: None, metadata, latched: false })
}

#[test]
fn a_tap_gets_channels_of_before_it_and_messages_of_after_it() {
    let (hub, publisher) = hub();
    publisher.announce(&[channel("/a")]);
    publish(&publisher);
    let tap = hub.tap(1 << 20);
    publish(&publisher);
    let Next::Published(Published::Channels(channels)) = tap.next(None) else { panic!("no channels") };
    assert_eq!(channels, [channel("/a")], "also of those that can't be advertised");
    assert!(matches!(tap.next(None), Next::Published(Published::Messages { .. })));
    assert!(matches!(tap.next(Some(Instant::now())), Next::Deadline));
    tap.close();
    publish(&publisher);
    assert!(matches!(tap.next(None), Next::Closed));
}

#[test]
fn a_backfill_is_not_for_a_tap() {
    let ((hub, publisher), now) = (hub(), Instant::now());
    let tap = hub.tap(1 << 20);
    publisher.backfill((*batch()).clone(), None, now);
    assert!(matches!(tap.next(None), Next::Published(Published::Channels(_))));
    assert!(matches!(tap.next(Some(now)), Next::Deadline));
}

#[test]
fn a_tap_is_told_of_channels_that_end_and_of_what_is_not_sent() {
    let (hub, publisher) = hub();
    publisher.announce(&[channel("/a")]);
    let tap = hub.tap(1 << 20);
    let mut unsent = Batch::default();
    unsent.push_copy(&Entry::at(ChannelId(1), Timestamp(1)), b"map");
    unsent.sift(|_, _| Fate::Unsent);
    publisher.publish_live(unsent, Instant::now());
    publisher.retire(&[ChannelId(1)]);
    assert!(matches!(tap.next(None), Next::Published(Published::Channels(_))));
    let Next::Published(Published::Messages { batch, range, feed, .. }) = tap.next(None) else {
        panic!("no messages")
    };
    assert_eq!((batch.unsent_in(&range).len(), range, feed), (1, 0..0, Feed::Live));
    let Next::Published(Published::Retired(retired)) = tap.next(None) else { panic!("no end") };
    assert_eq!(retired, [ChannelId(1)]);
}

#[test]
fn a_tap_begins_with_what_is_latched_and_is_woken_after_what_was_published() {
    let (hub, publisher) = hub();
    publisher.announce(&[Arc::new(Channel { latched: true, ..(*channel("/map")).clone() })]);
    publish(&publisher);
    let (tap, latched) = hub.tap_and_latched(1 << 20);
    let [(latched, Feed::Playback)] = latched.as_slice() else { panic!("{latched:?}") };
    assert_eq!(latched.payload(&latched.entries[0]), b"abc");
    tap.waker().wake();
    publish(&publisher);
    assert!(matches!(tap.next(None), Next::Published(Published::Channels(_))));
    assert!(matches!(tap.next(None), Next::Published(Published::Messages { .. })));
    assert!(matches!(tap.next(None), Next::Woken));
    tap.close();
    tap.waker().wake();
    assert!(matches!(tap.next(None), Next::Woken));
    assert!(matches!(tap.next(None), Next::Closed));
}

#[test]
fn a_publisher_that_waits_waits_for_a_full_tap_and_is_called_when_there_is_room() {
    let (hub, publisher) = hub();
    let calls = Arc::<AtomicUsize>::default();
    let counter = calls.clone();
    publisher.on_room(move || {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let called = || calls.load(Ordering::SeqCst);
    let tap = hub.tap(1);
    assert!(publisher.has_room(usize::MAX));
    publish(&publisher);
    assert!(!publisher.has_room(usize::MAX));
    assert!(matches!(tap.next(None), Next::Published(Published::Channels(_))));
    assert!(matches!(tap.next(None), Next::Published(Published::Messages { .. })));
    assert!(!publisher.has_room(usize::MAX), "what is in hand takes room");
    let before = called();
    assert!(matches!(tap.next(Some(Instant::now())), Next::Deadline));
    assert!(called() > before, "nobody called the publisher");
    assert!(publisher.has_room(usize::MAX));

    publish(&publisher);
    assert!(!publisher.has_room(usize::MAX));
    let before = called();
    tap.abandon();
    assert!(publisher.has_room(usize::MAX), "a tap that is gone holds nobody up");
    assert!(called() > before);
    assert!(matches!(tap.next(None), Next::Closed), "what was queued is gone");
}

#[test]
fn what_does_not_fit_is_counted_and_a_closed_tap_holds_nobody_up() {
    let (hub, publisher) = hub();
    let tap = hub.tap(1);
    publish(&publisher);
    publish(&publisher);
    assert_eq!(tap.lost(), 1);
    tap.close();
    publish(&publisher);
    assert_eq!(tap.lost(), 1);
    assert!(publisher.has_room(usize::MAX));
}

#[test]
fn a_tap_that_sleeps_is_woken_by_a_message() {
    let (hub, publisher) = hub();
    let tap = hub.tap(1 << 20);
    let taker =
        std::thread::spawn(
            move || {
                while !matches!(tap.next(None), Next::Published(Published::Messages { .. })) {}
            },
        );
    std::thread::sleep(Duration::from_millis(30));
    publish(&publisher);
    taker.join().unwrap();
}
