use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{seen, subscribed, until};
use crate::hub::stats::Activity;
use crate::hub::testing::{Sent, Viewer, channel, hub, messages};
use crate::hub::{Hub, SlowClient};
use crate::input::{Live, OnEof};
use crate::model::{Batch, Channel, Fate, SubscriptionId};
use crate::registry::{ChannelSpec, Registry};
use crate::source::testing::fed;
use crate::source::{SourceError, Stop, Stream};
use crate::time::Timestamp;

fn announcing(channels: &[&Arc<Channel>]) -> Batch {
    Batch { announcements: channels.iter().map(|channel| Arc::clone(channel)).collect(), ..Batch::default() }
}

type Outcomes = tokio::sync::mpsc::UnboundedReceiver<Result<(), SourceError>>;

fn start(streams: Vec<Box<dyn Stream>>, hub: &Hub, on_eof: OnEof) -> (Live, Outcomes) {
    let (sender, outcomes) = tokio::sync::mpsc::unbounded_channel();
    let on_finished = move |outcome| sender.send(outcome).unwrap();
    let stop = Stop::new().unwrap();
    (Live::start(streams, None, hub, &stop, on_eof, on_finished).unwrap(), outcomes)
}

#[tokio::test]
async fn inputs_go_out_as_they_come_in_and_damage_in_one_stops_none() {
    let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
    let (a, b) = (channel(&registry, "/a"), channel(&registry, "/b"));
    let ((first, one), (second, two)) = (fed(), fed());
    let (live, mut outcomes) = start(vec![one, two], &hub, OnEof::Exit);
    let mut viewer = Viewer::join(&hub);
    first.send(Ok(announcing(&[&a]))).unwrap();
    second.send(Ok(announcing(&[&b]))).unwrap();
    subscribed(&mut viewer, &[a.id, b.id]).await;
    first.send(Ok(messages(&[(a.id, 10), (a.id, 11)], 8))).unwrap();
    until(&mut viewer, &Sent::Message(1, 11)).await;
    let damage = SourceError::Damaged { name: "a".into(), offset: 7, reason: "is torn".into() };
    first.send(Err(damage)).unwrap();
    second.send(Ok(messages(&[(b.id, 12)], 8))).unwrap();
    until(&mut viewer, &Sent::Message(2, 12)).await;
    first.send(Ok(messages(&[(a.id, 13)], 8))).unwrap();
    until(&mut viewer, &Sent::Message(1, 13)).await;
    assert_eq!(live.snapshot().messages_received, 4);
    assert_eq!(live.snapshot().position, Some(Timestamp(13_000_000_000)));
    drop(first);
    assert!(outcomes.try_recv().is_err(), "one input goes on");
    drop(second);
    assert!(outcomes.recv().await.unwrap().is_ok());
    assert_eq!(live.snapshot().activity, Activity::Ended);
}

#[tokio::test]
async fn what_is_not_sent_counts_for_late_subscribers_of_latched_topics() {
    let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
    let spec = ChannelSpec { latched: true, ..ChannelSpec::json("/map") };
    let (a, map) = (channel(&registry, "/a"), registry.claim(spec).unwrap().channel);
    let (input, stream) = fed();
    let (live, _outcomes) = start(vec![stream], &hub, OnEof::Keep);
    let mut old = messages(&[(map.id, 5), (map.id, 6), (a.id, 7)], 8);
    old.sift(|_, _| Fate::Unsent);
    input.send(Ok(Batch { announcements: announcing(&[&a, &map]).announcements, ..old })).unwrap();
    let mut viewer = Viewer::join(&hub);
    subscribed(&mut viewer, &[a.id, map.id]).await;
    until(&mut viewer, &Sent::Message(map.id.0, 6)).await;
    input.send(Ok(messages(&[(a.id, 10)], 8))).unwrap();
    until(&mut viewer, &Sent::Message(a.id.0, 10)).await;
    assert_eq!(viewer.messages(), [(map.id.0, 6), (a.id.0, 10)], "nothing else was sent");
    assert_eq!(live.snapshot().messages_received, 1);
}

#[tokio::test]
async fn an_input_that_must_be_mended_ends_it_all() {
    let hub = hub(SlowClient::Drop);
    let ((first, one), (_second, two)) = (fed(), fed());
    let (_live, mut outcomes) = start(vec![one, two], &hub, OnEof::Keep);
    first.send(Err(SourceError::Unusable { name: "stdin".into(), reason: "is nonsense".into() })).unwrap();
    assert!(outcomes.recv().await.unwrap().is_err());
}

#[tokio::test]
async fn channels_of_an_input_that_has_ended_stay() {
    let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
    let a = channel(&registry, "/a");
    let ((input, stream), (_other, silent)) = (fed(), fed());
    let (live, _outcomes) = start(vec![stream, silent], &hub, OnEof::Exit);
    input.send(Ok(announcing(&[&a]))).unwrap();
    drop(input);
    // its thread ends, the other and this test have a share
    while live.threads_left()() > 2 {
        tokio::task::yield_now().await;
    }
    let mut viewer = Viewer::join(&hub);
    until(&mut viewer, &Sent::Advertised(vec![a.id.0])).await;
}

#[tokio::test]
async fn a_restart_is_a_new_session_with_the_latched_messages() {
    let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
    let (map, imu) = (channel(&registry, "/map"), channel(&registry, "/imu"));
    let (input, stream) = fed();
    let (_live, _outcomes) = start(vec![stream], &hub, OnEof::Keep);
    let mut viewer = Viewer::join(&hub);
    input.send(Ok(announcing(&[&map, &imu]))).unwrap();
    subscribed(&mut viewer, &[map.id, imu.id]).await;
    input.send(Ok(messages(&[(map.id, 90), (imu.id, 100), (imu.id, 101)], 8))).unwrap();
    until(&mut viewer, &Sent::Message(2, 101)).await;
    input.send(Ok(messages(&[(imu.id, 102), (imu.id, 1), (imu.id, 2)], 8))).unwrap();
    until(&mut viewer, &Sent::Message(2, 2)).await;
    let expected = [
        "message 1 at 90",
        "message 2 at 100",
        "message 2 at 101",
        "message 2 at 102",
        "session",
        "advertise [1, 2]",
        "message 1 at 90",
        "message 2 at 1",
        "message 2 at 2",
    ];
    assert_eq!(seen(&viewer), expected);
}

#[tokio::test]
async fn two_inputs_that_go_back_at_once_make_one_restart() {
    for _ in 0..20 {
        let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
        let (a, b) = (channel(&registry, "/a"), channel(&registry, "/b"));
        let ((first, one), (second, two)) = (fed(), fed());
        let (live, _outcomes) = start(vec![one, two], &hub, OnEof::Keep);
        let mut viewer = Viewer::join(&hub);
        first.send(Ok(announcing(&[&a]))).unwrap();
        second.send(Ok(announcing(&[&b]))).unwrap();
        subscribed(&mut viewer, &[a.id, b.id]).await;
        first.send(Ok(messages(&[(a.id, 100)], 8))).unwrap();
        second.send(Ok(messages(&[(b.id, 100)], 8))).unwrap();
        until(&mut viewer, &Sent::Message(1, 100)).await;
        until(&mut viewer, &Sent::Message(2, 100)).await;
        viewer.sent.clear();
        first.send(Ok(messages(&[(a.id, 1), (a.id, 2)], 8))).unwrap();
        second.send(Ok(messages(&[(b.id, 1), (b.id, 2)], 8))).unwrap();
        until(&mut viewer, &Sent::Message(1, 2)).await;
        until(&mut viewer, &Sent::Message(2, 2)).await;
        let seen = seen(&viewer);
        assert_eq!(seen.iter().filter(|seen| *seen == "session").count(), 1, "{seen:?}");
        assert_eq!(live.snapshot().messages_received, 6);
    }
}

#[tokio::test]
async fn a_channel_is_retired_after_its_last_message() {
    let (hub, registry) = (hub(SlowClient::Wait), Registry::default());
    let (input, stream) = fed();
    let (_live, _outcomes) = start(vec![stream], &hub, OnEof::Keep);
    let mut viewer = Viewer::join(&hub);
    let old = channel(&registry, "/a");
    input.send(Ok(announcing(&[&old]))).unwrap();
    subscribed(&mut viewer, &[old.id]).await;
    input.send(Ok(messages(&[(old.id, 5)], 8))).unwrap();
    assert!(registry.release(old.id));
    let new = channel(&registry, "/a");
    input.send(Ok(Batch { retired: vec![old.id], ..announcing(&[&new]) })).unwrap();
    until(&mut viewer, &Sent::Advertised(vec![new.id.0])).await;
    assert_eq!(seen(&viewer), ["message 1 at 5", "unadvertise [1]", "advertise [2]"]);
    let ended = viewer.client.unsubscribe(&[SubscriptionId(1)]);
    assert_eq!(ended, [], "the client ends what has ended already");
}

#[tokio::test]
async fn an_input_waits_for_a_client_that_must_not_lose_anything() {
    let (hub, registry) = (hub(SlowClient::Wait), Registry::default());
    let a = channel(&registry, "/a");
    let (input, stream) = fed();
    let (live, _outcomes) = start(vec![stream], &hub, OnEof::Keep);
    let mut viewer = Viewer::join(&hub);
    input.send(Ok(announcing(&[&a]))).unwrap();
    subscribed(&mut viewer, &[a.id]).await;
    let seconds: Vec<u64> = (10..2000).collect();
    for &second in &seconds {
        input.send(Ok(messages(&[(a.id, second)], 8))).unwrap();
    }
    // each message pins a buffer and an entry, so the queue of 64 KiB is full long before the end
    while hub.publisher().has_room(usize::MAX) {
        std::thread::yield_now();
    }
    assert!(live.snapshot().messages_received < 1900);
    until(&mut viewer, &Sent::Message(1, 1999)).await;
    let wanted: Vec<_> = seconds.iter().map(|second| format!("message 1 at {second}")).collect();
    assert_eq!(seen(&viewer), wanted);
}

#[tokio::test]
async fn an_input_that_waits_for_a_client_can_be_ended() {
    let (hub, registry) = (hub(SlowClient::Wait), Registry::default());
    let a = channel(&registry, "/a");
    let (input, stream) = fed();
    let (live, _outcomes) = start(vec![stream], &hub, OnEof::Keep);
    let mut viewer = Viewer::join(&hub);
    input.send(Ok(announcing(&[&a]))).unwrap();
    subscribed(&mut viewer, &[a.id]).await;
    for second in 10..2000 {
        input.send(Ok(messages(&[(a.id, second)], 8))).unwrap();
    }
    while hub.publisher().has_room(usize::MAX) {
        std::thread::yield_now();
    }
    drop(live);
}

#[tokio::test]
async fn an_input_that_can_not_be_read_now_is_asked_again_after_pauses() {
    struct Away {
        channel: Arc<Channel>,
        stop: Stop,
        asked: Arc<AtomicUsize>,
        fails: usize,
    }
    impl Stream for Away {
        fn name(&self) -> &str {
            "away"
        }

        fn next(&mut self) -> Result<Option<Batch>, SourceError> {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            if asked == self.fails {
                return Ok(Some(announcing(&[&self.channel])));
            }
            Err(SourceError::Unavailable {
                name: "away".into(),
                error: std::io::Error::other("the disk is away"),
            })
        }

        fn stop(&self) -> &Stop {
            &self.stop
        }
    }
    let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
    let (a, b) = (channel(&registry, "/a"), channel(&registry, "/b"));
    let asked = Arc::<AtomicUsize>::default();
    let away = Box::new(Away { channel: a, stop: Stop::new().unwrap(), asked: asked.clone(), fails: 4 });
    let ((other, stream), begin) = (fed(), Instant::now());
    let (live, mut outcomes) = start(vec![away, stream], &hub, OnEof::Exit);
    let mut viewer = Viewer::join(&hub);
    until(&mut viewer, &Sent::Advertised(vec![1])).await;
    assert!(begin.elapsed() >= Duration::from_millis(10 + 20 + 40 + 80), "no pause between the attempts");
    other.send(Ok(announcing(&[&b]))).unwrap();
    until(&mut viewer, &Sent::Advertised(vec![2])).await;
    assert!(outcomes.try_recv().is_err(), "nothing has ended");
    let (begin, before) = (Instant::now(), asked.load(Ordering::Relaxed));
    std::thread::sleep(Duration::from_millis(100));
    // so many attempts have pauses between them, each twice as long as the one before
    let attempts = u32::try_from(asked.load(Ordering::Relaxed) - before).unwrap();
    let pauses = Duration::from_millis(10) * (2u32.pow(attempts.saturating_sub(1)) - 1);
    assert!(pauses <= begin.elapsed(), "{attempts} attempts");
    // in the middle of a pause
    drop(live);
}
