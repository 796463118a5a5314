use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::viewer::{Sent, Viewer, hub};
use crate::hub::stats::Activity;
use crate::hub::{Hub, SlowClient};
use crate::input::{Live, OnEof};
use crate::model::{Batch, Channel, ChannelId, Entry, SubscriptionId};
use crate::source::{SourceError, Stop, Stream};
use crate::time::Timestamp;

/// A stream that yields what the test hands in.
struct Fed {
    stop: Stop,
    batches: Receiver<Result<Batch, SourceError>>,
}

impl Stream for Fed {
    fn name(&self) -> &str {
        "fed"
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        while !self.stop.is_stopped() {
            match self.batches.recv_timeout(Duration::from_millis(5)) {
                Ok(next) => return next.map(Some),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(None)
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }
}

fn fed() -> (Sender<Result<Batch, SourceError>>, Box<dyn Stream>) {
    let (sender, batches) = channel();
    (sender, Box::new(Fed { stop: Stop::new().unwrap(), batches }))
}

fn announced(id: u32, topic: &str) -> Batch {
    let channel = Channel {
        id: ChannelId(id),
        topic: topic.into(),
        message_encoding: "json".into(),
        schema: None,
        metadata: BTreeMap::new(),
        latched: false,
    };
    Batch { announcements: vec![Arc::new(channel)], ..Batch::default() }
}

/// Messages of (channel, second), with the second as payload.
fn messages(messages: &[(u32, u64)]) -> Batch {
    let mut batch = Batch::default();
    for &(channel, second) in messages {
        let time = Timestamp(second * 1_000_000_000);
        let entry = Entry {
            log_time: time,
            publish_time: time,
            channel: ChannelId(channel),
            sequence: 0,
            buffer: 0,
            offset: 0,
            length: 8,
        };
        batch.push_copy(&entry, &second.to_le_bytes());
    }
    batch
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
    let hub = hub(SlowClient::Drop);
    let ((first, a), (second, b)) = (fed(), fed());
    let (live, mut outcomes) = start(vec![a, b], &hub, OnEof::Exit);
    let mut viewer = Viewer::join(&hub);
    first.send(Ok(announced(1, "/a"))).unwrap();
    second.send(Ok(announced(2, "/b"))).unwrap();
    viewer.until(Sent::Advertised(vec![1])).await;
    viewer.until(Sent::Advertised(vec![2])).await;
    viewer.subscribe(1);
    viewer.subscribe(2);
    first.send(Ok(messages(&[(1, 10), (1, 11)]))).unwrap();
    viewer.until(Sent::Message(1, 11)).await;
    let damage = SourceError::Damaged { name: "a".into(), offset: 7, reason: "is torn".into() };
    first.send(Err(damage)).unwrap();
    second.send(Ok(messages(&[(2, 12)]))).unwrap();
    viewer.until(Sent::Message(2, 12)).await;
    first.send(Ok(messages(&[(1, 13)]))).unwrap();
    viewer.until(Sent::Message(1, 13)).await;
    assert_eq!(live.snapshot().messages_received, 4);
    assert_eq!(live.snapshot().position, Some(Timestamp(13_000_000_000)));
    drop(first);
    assert!(outcomes.try_recv().is_err(), "one input goes on");
    drop(second);
    assert!(outcomes.recv().await.unwrap().is_ok());
    assert_eq!(live.snapshot().activity, Activity::Ended);
}

#[tokio::test]
async fn an_input_that_must_be_mended_ends_it_all() {
    let hub = hub(SlowClient::Drop);
    let ((first, a), (_second, b)) = (fed(), fed());
    let (_live, mut outcomes) = start(vec![a, b], &hub, OnEof::Keep);
    first.send(Err(SourceError::Unusable { name: "stdin".into(), reason: "is nonsense".into() })).unwrap();
    assert!(outcomes.recv().await.unwrap().is_err());
}

#[tokio::test]
async fn a_restart_is_a_new_session_with_the_latched_messages() {
    let hub = hub(SlowClient::Drop);
    let (input, stream) = fed();
    let (_live, _outcomes) = start(vec![stream], &hub, OnEof::Keep);
    let mut viewer = Viewer::join(&hub);
    let channels = [announced(1, "/map"), announced(2, "/imu")].map(|batch| batch.announcements).concat();
    input.send(Ok(Batch { announcements: channels, ..Batch::default() })).unwrap();
    viewer.until(Sent::Advertised(vec![1, 2])).await;
    viewer.subscribe(1);
    viewer.subscribe(2);
    viewer.sent.clear();
    input.send(Ok(messages(&[(1, 90), (2, 100), (2, 101)]))).unwrap();
    viewer.until(Sent::Message(2, 101)).await;
    input.send(Ok(messages(&[(2, 102), (2, 1), (2, 2)]))).unwrap();
    viewer.until(Sent::Message(2, 2)).await;
    use Sent::{Advertised, Message, Session};
    let expected = [
        Message(1, 90),
        Message(2, 100),
        Message(2, 101),
        Message(2, 102),
        Session,
        Advertised(vec![1, 2]),
        Message(1, 90),
        Message(2, 1),
        Message(2, 2),
    ];
    assert_eq!(viewer.sent, expected);
}

#[tokio::test]
async fn a_channel_is_taken_back_after_its_last_message() {
    let hub = hub(SlowClient::Wait);
    let (input, stream) = fed();
    let (_live, _outcomes) = start(vec![stream], &hub, OnEof::Keep);
    let mut viewer = Viewer::join(&hub);
    input.send(Ok(announced(1, "/a"))).unwrap();
    viewer.until(Sent::Advertised(vec![1])).await;
    viewer.subscribe(1);
    viewer.sent.clear();
    input.send(Ok(messages(&[(1, 5)]))).unwrap();
    let changed = Batch { retired: vec![ChannelId(1)], ..announced(2, "/a") };
    input.send(Ok(changed)).unwrap();
    viewer.until(Sent::Advertised(vec![2])).await;
    assert_eq!(viewer.sent, [Sent::Message(1, 5), Sent::Unadvertised(vec![1]), Sent::Advertised(vec![2])]);
    let ended = viewer.client.unsubscribe(&[SubscriptionId(1)]);
    assert_eq!(ended, [], "the client ends what has ended already");
}

#[tokio::test]
async fn an_input_waits_for_a_client_that_must_not_lose_anything() {
    let hub = hub(SlowClient::Wait);
    let (input, stream) = fed();
    let (live, _outcomes) = start(vec![stream], &hub, OnEof::Keep);
    let mut viewer = Viewer::join(&hub);
    input.send(Ok(announced(1, "/a"))).unwrap();
    viewer.until(Sent::Advertised(vec![1])).await;
    viewer.subscribe(1);
    viewer.sent.clear();
    let seconds: Vec<u64> = (10..2000).collect();
    for &second in &seconds {
        input.send(Ok(messages(&[(1, second)]))).unwrap();
    }
    // each message pins a buffer and an entry, so the queue of 64 KiB is full long before the end
    while hub.has_room(usize::MAX) {
        std::thread::yield_now();
    }
    assert!(live.snapshot().messages_received < 1900);
    viewer.until(Sent::Message(1, 1999)).await;
    assert_eq!(viewer.sent, seconds.iter().map(|second| Sent::Message(1, *second)).collect::<Vec<_>>());
}

#[tokio::test]
async fn two_inputs_that_go_back_at_once_make_one_restart() {
    const ROUNDS: u32 = 20;
    for _ in 0..ROUNDS {
        let hub = hub(SlowClient::Drop);
        let ((first, a), (second, b)) = (fed(), fed());
        let (live, _outcomes) = start(vec![a, b], &hub, OnEof::Keep);
        let mut viewer = Viewer::join(&hub);
        first.send(Ok(announced(1, "/a"))).unwrap();
        second.send(Ok(announced(2, "/b"))).unwrap();
        viewer.until(Sent::Advertised(vec![1])).await;
        viewer.until(Sent::Advertised(vec![2])).await;
        viewer.subscribe(1);
        viewer.subscribe(2);
        first.send(Ok(messages(&[(1, 100)]))).unwrap();
        second.send(Ok(messages(&[(2, 100)]))).unwrap();
        viewer.until(Sent::Message(1, 100)).await;
        viewer.until(Sent::Message(2, 100)).await;
        viewer.sent.clear();
        first.send(Ok(messages(&[(1, 1), (1, 2)]))).unwrap();
        second.send(Ok(messages(&[(2, 1), (2, 2)]))).unwrap();
        viewer.until(Sent::Message(1, 2)).await;
        viewer.until(Sent::Message(2, 2)).await;
        let sessions = viewer.sent.iter().filter(|sent| **sent == Sent::Session).count();
        assert_eq!(sessions, 1, "{:?}", viewer.sent);
        assert_eq!(live.snapshot().messages_received, 6);
    }
}

#[tokio::test]
async fn an_input_that_can_not_be_read_now_is_asked_again_after_pauses() {
    struct Away {
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
                return Ok(Some(announced(1, "/a")));
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
    let hub = hub(SlowClient::Drop);
    let asked = Arc::<AtomicUsize>::default();
    let away = Box::new(Away { stop: Stop::new().unwrap(), asked: asked.clone(), fails: 4 });
    let ((other, stream), begin) = (fed(), Instant::now());
    let (live, mut outcomes) = start(vec![away, stream], &hub, OnEof::Exit);
    let mut viewer = Viewer::join(&hub);
    viewer.until(Sent::Advertised(vec![1])).await;
    assert!(begin.elapsed() >= Duration::from_millis(10 + 20 + 40 + 80), "no pause between the attempts");
    other.send(Ok(announced(2, "/b"))).unwrap();
    viewer.until(Sent::Advertised(vec![2])).await;
    assert!(outcomes.try_recv().is_err(), "nothing has ended");
    let before = asked.load(Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(100));
    assert!(asked.load(Ordering::Relaxed) - before <= 4, "pauses grow again");
    // in the middle of a pause
    drop(live);
}
