use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::{Duration, Instant};

use crate::hub::capability::playback::{Playback, PlaybackRequest};
use crate::hub::outbox::{Ordered, Progress};
use crate::hub::queue::Item;
use crate::hub::responder::Responder;
use crate::hub::testing::{Sent, Viewer, channel, hub, messages};
use crate::hub::{DemandChange, Direction, SlowClient};
use crate::model::{Batch, Channel, SubscriptionId};
use crate::protocol::{PlaybackCommand, PlaybackControlRequest, PlaybackState, PlaybackStatus};
use crate::registry::Registry;
use crate::time::Timestamp;

/// Does nothing.
struct Plays;

impl Playback for Plays {
    fn request(&self, _request: PlaybackRequest, _answer: Responder<PlaybackState>) {}
}

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn state(seconds: u64, did_seek: bool) -> PlaybackState {
    PlaybackState {
        status: PlaybackStatus::Playing,
        current_time: Timestamp(seconds * 1_000_000_000),
        speed: 1.0,
        did_seek,
        request_id: None,
    }
}

pub(super) fn sessions(sent: &[Sent]) -> usize {
    sent.iter().filter(|sent| matches!(sent, Sent::Session(_))).count()
}

/// Two inputs that have sent times around 100 s, and two viewers of both.
fn two_writers(policy: SlowClient) -> (crate::hub::Publisher, [Arc<Channel>; 2], [Viewer; 2], Instant) {
    let (hub, registry, now) = (hub(policy), Registry::default(), Instant::now());
    let publisher = hub.publisher();
    let channels = [channel(&registry, "/a"), channel(&registry, "/b")];
    for channel in &channels {
        publisher.announce(std::slice::from_ref(channel));
    }
    let mut viewers = [Viewer::join(&hub), Viewer::join(&hub)];
    for viewer in &mut viewers {
        channels.iter().for_each(|channel| assert_eq!(viewer.subscribe(channel.id), []));
    }
    for channel in &channels {
        publisher.publish_live(messages(&[(channel.id, 100), (channel.id, 101)], 10), now);
    }
    (publisher, channels, viewers, now)
}

#[test]
fn two_writers_that_go_back_while_a_viewer_does_not_read_make_one_new_session() {
    let (publisher, [a, b], [mut healthy, mut stalled], now) = two_writers(SlowClient::Drop);
    healthy.news();
    publisher.publish_live(messages(&[(a.id, 1)], 10), now + 2 * SECOND);
    publisher.publish_live(messages(&[(b.id, 1)], 10), now + 2 * SECOND);
    let sent = healthy.news();
    assert_eq!(sessions(&sent), 1, "{sent:?}");
    assert_eq!(sent[0], Sent::Time(1), "in the old session");
    let rest = [Sent::Time(1), Sent::Message(a.id.0, 1), Sent::Message(b.id.0, 1)];
    assert_eq!(sent[3..], rest, "{sent:?}");
    // whoever has not read for two seconds gets the restart, and nothing from before it
    let sent = stalled.news();
    assert_eq!(sessions(&sent), 1, "{sent:?}");
    assert_eq!(sent[sent.len() - 2..], [Sent::Message(a.id.0, 1), Sent::Message(b.id.0, 1)]);
    assert!(!sent.contains(&Sent::Message(a.id.0, 101)), "{sent:?}");
}

#[test]
fn with_wait_a_viewer_that_is_behind_loses_nothing_by_a_restart() {
    let (publisher, [a, b], [mut viewer, _other], now) = two_writers(SlowClient::Wait);
    publisher.publish_live(messages(&[(a.id, 1)], 10), now + 60 * SECOND);
    let sent: Vec<_> = viewer.news().into_iter().skip(2).collect();
    let before =
        [(a.id, 100), (a.id, 101), (b.id, 100), (b.id, 101)].map(|(id, time)| Sent::Message(id.0, time));
    assert_eq!(sent[..4], before, "{sent:?}");
    assert_eq!(sessions(&sent[4..]), 1);
    assert_eq!(sent.last(), Some(&Sent::Message(a.id.0, 1)));
}

#[test]
fn a_lap_comes_after_the_messages_before_it_and_is_a_seek_for_who_knows_playback() {
    let (hub, registry, now) = (hub(SlowClient::Drop), Registry::default(), Instant::now());
    let publisher = hub.publisher();
    let channel = channel(&registry, "/a");
    publisher.announce(std::slice::from_ref(&channel));
    let (mut old, mut sdk) = (Viewer::join(&hub), Viewer::join_sdk(&hub));
    for viewer in [&mut old, &mut sdk] {
        viewer.subscribe(channel.id);
        viewer.news();
    }
    let last = Arc::new(messages(&[(channel.id, 9)], 10));
    let first = Arc::new(messages(&[(channel.id, 1)], 10));
    publisher.publish(&last, 0..1, SlowClient::Drop, now);
    publisher.lap(state(1, true), SlowClient::Drop, now);
    publisher.publish(&first, 0..1, SlowClient::Drop, now);
    let message = |time| Sent::Message(channel.id.0, time);
    let sent = old.news();
    let begins = [&message(9), &Sent::Time(1)];
    assert_eq!(sent[..2].iter().collect::<Vec<_>>(), begins, "{sent:?}");
    assert!(matches!(&sent[2..], [Sent::Session(_), Sent::Advertised(_), Sent::Time(1), _]), "{sent:?}");
    assert_eq!(sent[5], message(1));
    assert_eq!(sdk.news(), [message(9), Sent::State(state(1, true)), Sent::Time(1), message(1)]);
}

#[test]
fn a_lap_is_felt_by_no_client_but_the_one_that_is_behind() {
    let (hub, registry, now) = (hub(SlowClient::Drop), Registry::default(), Instant::now());
    let publisher = hub.publisher();
    let channel = channel(&registry, "/a");
    publisher.announce(std::slice::from_ref(&channel));
    let (mut healthy, mut stalled) = (Viewer::join(&hub), Viewer::join(&hub));
    healthy.subscribe(channel.id);
    stalled.subscribe(channel.id);
    for lap in 0..20u32 {
        let now = now + lap * SECOND;
        publisher.publish(
            &Arc::new(messages(&[(channel.id, 1), (channel.id, 2)], 10)),
            0..2,
            SlowClient::Drop,
            now,
        );
        publisher.lap(state(1, true), SlowClient::Drop, now);
        let sent = healthy.news();
        let got: Vec<_> = sent.iter().filter(|sent| matches!(sent, Sent::Message(..))).collect();
        assert_eq!(got.len(), 2, "lap {lap}: {sent:?}");
        assert_eq!(sessions(&sent), if lap == 0 { 2 } else { 1 });
    }
    let sent = stalled.news();
    assert!(sessions(&sent) <= 3, "{} sessions are queued for a client that does not read", sessions(&sent));
}

#[test]
fn a_seek_leaves_nothing_from_before_and_keeps_what_is_said_of_channels() {
    let (hub, registry, now) = (hub(SlowClient::Drop), Registry::default(), Instant::now());
    let publisher = hub.publisher();
    let (gone, stays) = (channel(&registry, "/gone"), channel(&registry, "/stays"));
    publisher.announce(&[gone.clone(), stays.clone()]);
    let mut viewer = Viewer::join(&hub);
    viewer.subscribe(gone.id);
    viewer.subscribe(stays.id);
    viewer.news();
    let batch = Arc::new(messages(&[(gone.id, 5), (stays.id, 5)], 10));
    publisher.publish(&batch, 0..2, SlowClient::Drop, now);
    publisher.retire(&[gone.id]);
    publisher.lap(state(1, true), SlowClient::Drop, now);
    publisher.seek(state(3, true), Timestamp(3_000_000_000), Direction::Back);
    publisher.publish(&Arc::new(messages(&[(stays.id, 3)], 10)), 0..1, SlowClient::Drop, now);
    let sent = viewer.news();
    assert_eq!(sent[0], Sent::Unadvertised(vec![gone.id.0]));
    assert_eq!(sent[1], Sent::Time(3), "in the old session");
    assert!(matches!(sent[2], Sent::Session(_)) && sessions(&sent) == 1, "{sent:?}");
    assert_eq!(sent[3..], [Sent::Advertised(vec![stays.id.0]), Sent::Time(3), Sent::Message(stays.id.0, 3)]);
}

#[test]
fn a_pause_is_answered_after_the_messages_before_it() {
    let (hub, registry, now) = (hub(SlowClient::Drop), Registry::default(), Instant::now());
    let range = crate::time::TimeRange { start: Timestamp(0), end: Timestamp(9_000_000_000) };
    hub.provide_playback(Arc::new(Plays), range).unwrap();
    let publisher = hub.publisher();
    let channel = channel(&registry, "/a");
    publisher.announce(std::slice::from_ref(&channel));
    let mut viewer = Viewer::join_sdk(&hub);
    viewer.subscribe(channel.id);
    viewer.news();
    publisher.publish(&Arc::new(messages(&[(channel.id, 5)], 10)), 0..1, SlowClient::Drop, now);
    let answer =
        PlaybackState { request_id: Some("p".into()), status: PlaybackStatus::Paused, ..state(5, false) };
    publisher.playback_changed(answer.clone());
    assert_eq!(viewer.news(), [Sent::Message(channel.id.0, 5), Sent::State(answer)]);
}

#[test]
fn a_topic_that_changes_keeps_its_last_messages_and_takes_subscriptions_anew() {
    let (hub, registry, now) = (hub(SlowClient::Drop), Registry::default(), Instant::now());
    let publisher = hub.publisher();
    let mut viewer = Viewer::join(&hub);
    viewer.news();
    let mut old = channel(&registry, "/a");
    publisher.publish_live(Batch { announcements: vec![old.clone()], ..Batch::default() }, now);
    viewer.news();
    for round in 0..100u64 {
        assert_eq!(viewer.subscribe(old.id), []);
        // the one with which it was announced
        let first = round.checked_sub(1).map(|before| Sent::Message(old.id.0, before));
        assert_eq!(viewer.news(), first.into_iter().collect::<Vec<_>>());
        assert!(registry.release(old.id));
        let new = channel(&registry, "/a");
        let batch = messages(&[(old.id, round)], 10);
        publisher.publish_live(batch, now);
        let batch = Batch {
            retired: vec![old.id],
            announcements: vec![new.clone()],
            ..messages(&[(new.id, round)], 10)
        };
        publisher.publish_live(batch, now);
        // a late batch of another input that has not noticed yet
        publisher.publish_live(
            Batch { announcements: vec![old.clone()], ..messages(&[(old.id, round)], 10) },
            now,
        );
        let expected = [
            Sent::Message(old.id.0, round),
            Sent::Unadvertised(vec![old.id.0]),
            Sent::Advertised(vec![new.id.0]),
        ];
        assert_eq!(viewer.news(), expected);
        old = new;
    }
}

#[test]
fn a_channel_on_the_topic_of_another_takes_its_place_without_being_told_to() {
    let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
    let publisher = hub.publisher();
    let old = channel(&registry, "/a");
    publisher.announce(std::slice::from_ref(&old));
    let mut viewer = Viewer::join(&hub);
    viewer.news();
    assert!(registry.release(old.id));
    let new = channel(&registry, "/a");
    publisher.announce(std::slice::from_ref(&new));
    assert_eq!(viewer.news(), [Sent::Unadvertised(vec![old.id.0]), Sent::Advertised(vec![new.id.0])]);
    assert_eq!(viewer.subscribe(old.id).len(), 1, "it is gone");
}

#[test]
fn a_full_queue_asks_a_waiting_publisher_to_come_again() {
    let (hub, registry, now) = (hub(SlowClient::Wait), Registry::default(), Instant::now());
    let publisher = hub.publisher();
    let channel = channel(&registry, "/a");
    publisher.announce(std::slice::from_ref(&channel));
    let mut viewer = Viewer::join(&hub);
    viewer.subscribe(channel.id);
    let mut sent = 0;
    while publisher.has_room(usize::MAX) {
        publisher.publish(&Arc::new(messages(&[(channel.id, sent)], 1000)), 0..1, SlowClient::Wait, now);
        sent += 1;
    }
    let waiting = publisher.clone();
    let waits = std::thread::spawn(move || waiting.wait_for_room(&|| false));
    assert_eq!(viewer.messages().len() as u64, sent);
    waits.join().unwrap();
    assert!(publisher.has_room(usize::MAX));
}

#[test]
fn a_late_viewer_and_a_new_session_get_the_last_message_of_each_origin() {
    let (hub, registry, now) = (hub(SlowClient::Drop), Registry::default(), Instant::now());
    let publisher = hub.publisher();
    let map = channel(&registry, "/map");
    let other = channel(&registry, "/a");
    publisher.announce(&[map.clone(), other.clone()]);
    let mut batch = messages(&[(map.id, 1), (map.id, 2), (other.id, 3), (map.id, 4), (map.id, 5)], 10);
    for (entry, origin) in batch.entries.iter_mut().zip([7, 8, 9, 7, 7]) {
        entry.origin = origin;
    }
    let kept = [(map.id.0, 2), (map.id.0, 5)];
    publisher.publish(&Arc::new(batch), 0..5, SlowClient::Drop, now);
    let mut viewer = Viewer::join(&hub);
    viewer.subscribe(map.id);
    assert_eq!(viewer.messages(), kept);
    publisher.restart(Timestamp(0), SlowClient::Drop, now);
    assert_eq!(viewer.messages(), kept);
    // after a seek the backfill is what is latched
    let mut batch = messages(&[(map.id, 3), (map.id, 4)], 10);
    batch.entries[1].origin = 1;
    publisher.seek(state(5, true), Timestamp(5_000_000_000), Direction::Back);
    publisher.backfill(batch, None, now);
    let mut late = Viewer::join(&hub);
    late.subscribe(map.id);
    assert_eq!(late.messages(), [(map.id.0, 3), (map.id.0, 4)]);
}

#[test]
fn a_backfill_for_one_client_comes_before_what_is_newer_or_not_at_all() {
    let (hub, registry, now) = (hub(SlowClient::Drop), Registry::default(), Instant::now());
    let publisher = hub.publisher();
    let [a, b] = ["/a", "/b"].map(|topic| channel(&registry, topic));
    publisher.announce(&[a.clone(), b.clone()]);
    let (mut early, mut late) = (Viewer::join(&hub), Viewer::join(&hub));
    early.subscribe(a.id);
    late.subscribe(a.id);
    late.subscribe(b.id);
    early.news();
    late.news();
    let publish = |batch: Batch| {
        let range = 0..batch.entries.len();
        publisher.publish(&Arc::new(batch), range, SlowClient::Drop, now);
    };
    // a message of `/a` overtakes the reader
    publish(messages(&[(a.id, 5)], 10));
    let to = late.client.id();
    publisher.backfill(messages(&[(a.id, 4), (b.id, 3)], 10), Some(to), now);
    publish(messages(&[(b.id, 6)], 10));
    assert_eq!(late.messages(), [(a.id.0, 5), (b.id.0, 3), (b.id.0, 6)]);
    // whatever comes then is old
    publisher.backfill(messages(&[(a.id, 4), (b.id, 3)], 10), Some(to), now);
    assert_eq!(late.messages(), []);
    // the state before a seek is for everybody, and answers subscriptions as well
    late.client.unsubscribe(&[SubscriptionId(b.id.0)]);
    late.subscribe(b.id);
    publisher.backfill(messages(&[(a.id, 1), (b.id, 2)], 10), None, now);
    publisher.backfill(messages(&[(b.id, 2)], 10), Some(to), now);
    assert_eq!(late.messages(), [(a.id.0, 1), (b.id.0, 2)]);
    assert_eq!(early.messages(), [(a.id.0, 5), (a.id.0, 1)]);
    publisher.backfill(messages(&[(b.id, 2)], 10), Some(early.client.id()), now);
    assert_eq!(early.messages(), [], "it does not want it");
}

#[test]
fn a_client_that_asks_for_a_seek_in_a_silence_is_answered_at_once() {
    let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
    let range = crate::time::TimeRange { start: Timestamp(0), end: Timestamp(9_000_000_000) };
    hub.provide_playback(Arc::new(Plays), range).unwrap();
    let publisher = hub.publisher();
    publisher.announce(&[channel(&registry, "/a")]);
    let mut viewer = Viewer::join(&hub);
    viewer.news();
    assert!(publisher.laps_are_sessions());
    publisher.seek(state(3, true), Timestamp(3_000_000_000), Direction::Back);
    let now = Instant::now();
    let taken = |viewer: &Viewer| viewer.client.take(Progress::Written, now);
    assert_eq!(taken(&viewer).control.len(), 1, "the time");
    assert!(taken(&viewer).silent_until.is_some());
    let request = PlaybackControlRequest {
        command: PlaybackCommand::Pause,
        speed: 1.0,
        seek: None,
        request_id: "p".into(),
    };
    viewer.client.control(request).unwrap();
    assert!(!publisher.laps_are_sessions());
    assert!(matches!(taken(&viewer).item, Some(Item::Other(Ordered::Session(_)))));
}

#[test]
fn a_channel_in_the_slot_of_one_that_is_yet_to_be_retired_takes_its_place() {
    let (hub, registry, now) = (hub(SlowClient::Drop), Registry::default(), Instant::now());
    let publisher = hub.publisher();
    let old = channel(&registry, "/a");
    publisher.announce(std::slice::from_ref(&old));
    let mut viewer = Viewer::join(&hub);
    viewer.subscribe(old.id);
    publisher.publish_live(messages(&[(old.id, 1)], 5), now);
    // one input releases many channels before it can retire them, and another takes the slot
    assert!(registry.release(old.id));
    let next = loop {
        let other = channel(&registry, "/map");
        if other.id.slot() == old.id.slot() {
            break other;
        }
        assert!(registry.release(other.id));
    };
    publisher.announce(std::slice::from_ref(&next));
    viewer.subscribe(next.id);
    publisher.publish_live(messages(&[(next.id, 2)], 5), now);
    publisher.retire(&[old.id]);
    assert_eq!((hub.subscriptions(old.id), hub.subscriptions(next.id)), (0, 1));
    assert_eq!(viewer.messages(), [(old.id.0, 1), (next.id.0, 2)]);
    let mut late = Viewer::join(&hub);
    late.subscribe(next.id);
    assert_eq!(late.messages(), [(next.id.0, 2)], "it is latched");
}

#[test]
fn whoever_counts_what_clients_want_is_told_of_channels_that_end() {
    let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
    let publisher = hub.publisher();
    let a = channel(&registry, "/a");
    publisher.announce(std::slice::from_ref(&a));
    let counted = Arc::new(AtomicIsize::new(0));
    let count = counted.clone();
    hub.on_demand(move |change| {
        let (DemandChange::Subscribed { channels, .. } | DemandChange::Unsubscribed { channels, .. }) =
            change
        else {
            return;
        };
        let more = isize::try_from(channels.len()).unwrap();
        let is_new = matches!(change, DemandChange::Subscribed { .. });
        count.fetch_add(if is_new { more } else { -more }, Ordering::Relaxed);
    });
    let viewers = [Viewer::join(&hub), Viewer::join(&hub), Viewer::join(&hub)];
    viewers[1..].iter().for_each(|viewer| drop(viewer.subscribe(a.id)));
    assert_eq!((counted.load(Ordering::Relaxed), hub.subscriptions(a.id)), (2, 2));
    publisher.retire(&[a.id]);
    assert_eq!((counted.load(Ordering::Relaxed), hub.subscriptions(a.id)), (0, 0));
    drop(viewers);
    assert_eq!(counted.load(Ordering::Relaxed), 0);
}

#[test]
fn a_seek_of_a_recording_leaves_what_live_input_beside_it_has_latched() {
    let (hub, registry, now) = (hub(SlowClient::Drop), Registry::default(), Instant::now());
    let publisher = hub.publisher();
    let live = channel(&registry, "/map");
    publisher.announce(std::slice::from_ref(&live));
    publisher.publish_live(messages(&[(live.id, 7)], 5), now);
    publisher.seek(state(3, true), Timestamp(3_000_000_000), Direction::Forward);
    let mut late = Viewer::join(&hub);
    late.subscribe(live.id);
    assert_eq!(late.messages(), [(live.id.0, 7)]);
}

#[test]
fn who_subscribes_within_a_moment_gets_the_first_messages_of_live_input_once_and_in_order() {
    let (hub, registry, now) = (hub(SlowClient::Drop), Registry::default(), Instant::now());
    let publisher = hub.publisher();
    let [mut early, mut late] = [Viewer::join(&hub), Viewer::join(&hub)];
    let topic = channel(&registry, "/a");
    let first = messages(&[(topic.id, 1), (topic.id, 2)], 10);
    publisher.publish_live(Batch { announcements: vec![topic.clone()], ..first }, now);
    early.subscribe(topic.id);
    publisher.publish_live(messages(&[(topic.id, 3)], 10), now);
    assert_eq!(early.messages(), [1, 2, 3].map(|time| (topic.id.0, time)));
    late.subscribe(topic.id);
    assert_eq!(late.messages(), [1, 2, 3].map(|time| (topic.id.0, time)));
    // a second subscription is for what comes
    early.client.unsubscribe(&[SubscriptionId(topic.id.0)]);
    publisher.publish_live(messages(&[(topic.id, 4)], 10), now);
    early.subscribe(topic.id);
    publisher.publish_live(messages(&[(topic.id, 5)], 10), now);
    assert_eq!(early.messages(), [(topic.id.0, 5)]);
    assert_eq!(late.messages(), [4, 5].map(|time| (topic.id.0, time)));
    // what time has left behind is nobody's first message
    publisher.restart(Timestamp(0), SlowClient::Drop, now);
    let mut last = Viewer::join(&hub);
    last.subscribe(topic.id);
    assert_eq!(last.messages(), []);
}

#[test]
fn of_a_latched_channel_who_subscribes_gets_what_counts_and_not_its_first_messages_too() {
    let (hub, registry, now) = (hub(SlowClient::Drop), Registry::default(), Instant::now());
    let map = channel(&registry, "/map");
    let first = messages(&[(map.id, 1), (map.id, 2)], 10);
    hub.publisher().publish_live(Batch { announcements: vec![map.clone()], ..first }, now);
    let mut viewer = Viewer::join(&hub);
    viewer.subscribe(map.id);
    assert_eq!(viewer.messages(), [(map.id.0, 2)]);
}

#[test]
fn what_a_pipe_has_given_is_not_sent_twice_if_it_is_played_then() {
    let (hub, registry, now) = (hub(SlowClient::Drop), Registry::default(), Instant::now());
    let (topic, publisher) = (channel(&registry, "/a"), hub.publisher());
    let first = messages(&[(topic.id, 1)], 10);
    publisher.publish_live(Batch { announcements: vec![topic.clone()], ..first }, now);
    publisher.replay(Timestamp(0), now);
    let mut viewer = Viewer::join(&hub);
    viewer.subscribe(topic.id);
    assert_eq!(viewer.messages(), []);
}
