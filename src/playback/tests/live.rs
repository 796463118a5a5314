use super::{Sent, Viewer, announced, fed, hub, messages};
use crate::hub::stats::Activity;
use crate::hub::{Hub, SlowClient};
use crate::model::{Batch, ChannelId, SubscriptionId};
use crate::playback::{Live, OnEof};
use crate::source::{Source, SourceError};
use crate::time::Timestamp;

fn start(
    streams: Vec<Box<dyn Source>>,
    hub: &Hub,
    on_eof: OnEof,
) -> (Live, tokio::sync::mpsc::UnboundedReceiver<Result<(), SourceError>>) {
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    let on_finished = move |outcome| tell.send(outcome).unwrap();
    (Live::start(streams, None, hub.clone(), on_eof, on_finished).unwrap(), told)
}

#[tokio::test]
async fn inputs_go_out_as_they_come_in_and_damage_in_one_stops_none() {
    let hub = hub(SlowClient::Drop);
    let ((first, a), (second, b)) = (fed(), fed());
    let (live, mut told) = start(vec![a, b], &hub, OnEof::Exit);
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
    assert!(told.try_recv().is_err(), "one input goes on");
    drop(second);
    assert!(told.recv().await.unwrap().is_ok());
    assert_eq!(live.snapshot().activity, Activity::Ended);
}

#[tokio::test]
async fn an_input_that_must_be_mended_ends_it_all() {
    let hub = hub(SlowClient::Drop);
    let ((first, a), (_second, b)) = (fed(), fed());
    let (_live, mut told) = start(vec![a, b], &hub, OnEof::Keep);
    first.send(Err(SourceError::Unusable { name: "stdin".into(), reason: "is nonsense".into() })).unwrap();
    assert!(told.recv().await.unwrap().is_err());
}

#[tokio::test]
async fn time_that_begins_anew_is_a_new_session_with_the_latched_messages() {
    let hub = hub(SlowClient::Drop);
    let (input, stream) = fed();
    let (_live, _told) = start(vec![stream], &hub, OnEof::Keep);
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
    let (_live, _told) = start(vec![stream], &hub, OnEof::Keep);
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
    let (live, _told) = start(vec![stream], &hub, OnEof::Keep);
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
    while hub.publisher().has_room(usize::MAX) {
        std::thread::yield_now();
    }
    assert!(live.snapshot().messages_received < 1900);
    viewer.until(Sent::Message(1, 1999)).await;
    assert_eq!(viewer.sent, seconds.iter().map(|second| Sent::Message(1, *second)).collect::<Vec<_>>());
}
