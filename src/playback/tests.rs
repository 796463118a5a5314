//! Players on their threads, with streams that yield what a test hands in.

use std::sync::mpsc::Sender;

use crate::hub::capability::playback::{Command, Playback, PlaybackRequest, Seek};
use crate::hub::responder::Responder;
use crate::hub::testing::{Sent, Viewer, hub};
use crate::hub::{Hub, SlowClient, testing};
use crate::model::{Batch, ChannelId, Fate};
use crate::playback::{AtEnd, PlaybackOptions, Player, Rate, StartOn};
use crate::protocol::{
    Capability, PlaybackCommand, PlaybackControlRequest, PlaybackState, PlaybackStatus, ServerMessage,
};
use crate::source::testing::{fed, json_channel};
use crate::source::{Extent, Gathered, MemoryRecording, Playable, RecordingOptions, SourceError, Stream};
use crate::time::Timestamp;

fn announced(id: u32, topic: &str) -> Batch {
    Batch { announcements: vec![json_channel(id, topic)], ..Batch::default() }
}

/// Messages of (channel, second).
fn messages(list: &[(u32, u64)]) -> Batch {
    let list: Vec<_> = list.iter().map(|&(channel, second)| (ChannelId(channel), second)).collect();
    testing::messages(&list, 8)
}

type Told = tokio::sync::mpsc::UnboundedReceiver<Result<(), SourceError>>;

fn play(stream: Box<dyn Stream>, hub: &Hub, rate: Rate) -> (Player, Told) {
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    let options = PlaybackOptions { rate, at_end: AtEnd::Exit, ..PlaybackOptions::default() };
    let on_finished = move |outcome| tell.send(outcome).unwrap();
    (Player::start(Playable::Stream(stream), hub.clone(), options, on_finished).unwrap(), told)
}

async fn ask(player: &Player, request: impl Into<PlaybackRequest>) -> PlaybackState {
    let (sender, mut answers) = tokio::sync::mpsc::unbounded_channel();
    player.handle().request(request.into(), Responder::new(move |answer| sender.send(answer).unwrap()));
    answers.recv().await.unwrap().unwrap()
}

/// A viewer that watches `/a`, channel 1, of a stream that is played.
struct Watched {
    input: Sender<Result<Batch, SourceError>>,
    player: Player,
    told: Told,
    viewer: Viewer,
}

async fn watched(rate: Rate) -> Watched {
    let hub = hub(SlowClient::Drop);
    let (input, stream) = fed();
    let (player, told) = play(stream, &hub, rate);
    let mut viewer = Viewer::join(&hub);
    input.send(Ok(announced(1, "/a"))).unwrap();
    viewer.until(|sent| *sent == Sent::Advertised(vec![1])).await;
    assert_eq!(viewer.subscribe(ChannelId(1)), []);
    viewer.sent.clear();
    Watched { input, player, told, viewer }
}

#[tokio::test]
async fn a_stream_is_played_once_a_viewer_has_subscribed() {
    let hub = hub(SlowClient::Drop);
    let (input, stream) = fed();
    let (player, mut told) = play(stream, &hub, Rate::Times(1000.0));
    let mut viewer = Viewer::join(&hub);
    input.send(Ok(announced(1, "/a"))).unwrap();
    input.send(Ok(messages(&[(1, 10), (1, 20), (1, 30)]))).unwrap();
    drop(input);
    viewer.until(|sent| *sent == Sent::Advertised(vec![1])).await;
    assert_eq!(player.handle().snapshot().range, None);
    assert_eq!(viewer.subscribe(ChannelId(1)), []);
    viewer.until_message(1, 30).await;
    assert!(told.recv().await.unwrap().is_ok());
    assert_eq!(player.handle().snapshot().position, Some(Timestamp(30_000_000_000)));
    assert_eq!(viewer.messages(), [(1, 10), (1, 20), (1, 30)]);
}

#[tokio::test]
async fn nobody_misses_the_first_messages_of_a_late_topic() {
    let Watched { input, player: _player, mut viewer, .. } = watched(Rate::Max).await;
    input.send(Ok(messages(&[(1, 10)]))).unwrap();
    viewer.until_message(1, 10).await;
    let late = Batch { announcements: announced(2, "/b").announcements, ..messages(&[(2, 11), (1, 12)]) };
    input.send(Ok(late)).unwrap();
    viewer.until(|sent| *sent == Sent::Advertised(vec![2])).await;
    assert_eq!(viewer.subscribe(ChannelId(2)), []);
    viewer.until_message(1, 12).await;
    assert!(viewer.sent.contains(&Sent::Message(2, 11)), "{:?}", viewer.sent);
}

#[tokio::test]
async fn a_time_that_goes_back_does_not_wait_for_the_old_time() {
    let Watched { input, player: _player, mut viewer, .. } = watched(Rate::Times(1000.0)).await;
    input.send(Ok(messages(&[(1, 5000), (1, 5001), (1, 1), (1, 2)]))).unwrap();
    viewer.until_message(1, 2).await;
    let sent: Vec<_> = viewer.sent.iter().filter(|sent| !matches!(sent, Sent::Time(_))).collect();
    let message = |time| Sent::Message(1, time);
    assert_eq!(sent[..2], [&message(5000), &message(5001)]);
    assert!(matches!(sent[2..4], [Sent::Session(_), Sent::Advertised(_)]), "{sent:?}");
    assert_eq!(sent[4..], [&message(1), &message(2)]);
}

#[tokio::test]
async fn a_stream_that_breaks_is_played_up_to_there_and_reported() {
    let Watched { input, player: _player, mut told, mut viewer } = watched(Rate::Max).await;
    input.send(Ok(messages(&[(1, 10)]))).unwrap();
    let damage = SourceError::Damaged { name: "stdin".into(), offset: 7, reason: "is torn".into() };
    input.send(Err(damage)).unwrap();
    input.send(Ok(messages(&[(1, 11)]))).unwrap();
    input.send(Err(SourceError::Unusable { name: "stdin".into(), reason: "is nonsense".into() })).unwrap();
    viewer.until_message(1, 11).await;
    assert!(told.recv().await.unwrap().is_err());
    assert_eq!(viewer.messages(), [(1, 10), (1, 11)]);
}

#[tokio::test]
async fn a_stream_can_be_paused_but_not_sought() {
    let Watched { input, player, mut viewer, .. } = watched(Rate::Max).await;
    input.send(Ok(messages(&[(1, 10)]))).unwrap();
    viewer.until_message(1, 10).await;
    let paused = ask(&player, Command::Toggle).await;
    assert_eq!((paused.status, paused.current_time), (PlaybackStatus::Paused, Timestamp(10_000_000_000)));
    assert!(!ask(&player, Seek::By(-5_000_000_000)).await.did_seek);
    input.send(Ok(messages(&[(1, 11)]))).unwrap();
    assert_eq!(ask(&player, Command::Toggle).await.status, PlaybackStatus::Playing);
    viewer.until_message(1, 11).await;
    let changed = Batch { retired: vec![ChannelId(1)], ..announced(2, "/a") };
    input.send(Ok(changed)).unwrap();
    viewer.until(|sent| *sent == Sent::Unadvertised(vec![1])).await;
    viewer.until(|sent| *sent == Sent::Advertised(vec![2])).await;
}

#[tokio::test]
async fn a_stream_that_ends_without_a_channel_waits_for_nobody() {
    for outcome in [None, Some("broken")] {
        let hub = hub(SlowClient::Drop);
        let (input, stream) = fed();
        let (_player, mut told) = play(stream, &hub, Rate::Times(1.0));
        if let Some(reason) = outcome {
            let error = SourceError::Unusable { name: "fed".into(), reason: reason.into() };
            input.send(Err(error)).unwrap();
        }
        drop(input);
        assert_eq!(told.recv().await.unwrap().is_err(), outcome.is_some());
    }
}

#[tokio::test]
async fn a_stream_that_fails_before_its_first_message_is_told_at_once() {
    for (start_paused, start_on) in
        [(true, StartOn::Clients(1)), (false, StartOn::Clients(2)), (true, StartOn::Launch)]
    {
        let (input, stream) = fed();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let options = PlaybackOptions { start_paused, start_on, ..PlaybackOptions::default() };
        let on_finished = move |outcome| tell.send(outcome).unwrap();
        let _player =
            Player::start(Playable::Stream(stream), hub(SlowClient::Drop), options, on_finished).unwrap();
        input.send(Ok(announced(1, "/a"))).unwrap();
        input.send(Err(SourceError::Unusable { name: "fed".into(), reason: "is broken".into() })).unwrap();
        let outcome: Result<(), SourceError> = told.recv().await.unwrap();
        assert_eq!(outcome.unwrap_err().to_string(), "fed: is broken");
    }
}

#[tokio::test]
async fn what_is_not_sent_is_latched_once_it_is_its_turn() {
    let hub = hub(SlowClient::Drop);
    let (input, stream) = fed();
    let (_player, _told) = play(stream, &hub, Rate::Max);
    let mut viewer = Viewer::join(&hub);
    let announcements =
        ["/a", "/map"].into_iter().zip(1..).flat_map(|(topic, id)| announced(id, topic).announcements);
    input.send(Ok(Batch { announcements: announcements.collect(), ..Batch::default() })).unwrap();
    viewer.until(|sent| *sent == Sent::Advertised(vec![1, 2])).await;
    viewer.subscribe(ChannelId(1));
    viewer.subscribe(ChannelId(2));
    let mut unsent = messages(&[(2, 11)]);
    unsent.sift(|_, _| Fate::Unsent);
    for batch in [messages(&[(2, 10)]), unsent, messages(&[(1, 12)])] {
        input.send(Ok(batch)).unwrap();
    }
    viewer.until_message(1, 12).await;
    assert!(!viewer.sent.contains(&Sent::Message(2, 11)), "{:?}", viewer.sent);
    let mut late = Viewer::join(&hub);
    late.subscribe(ChannelId(2));
    late.until_message(2, 11).await;
    assert!(!late.sent.contains(&Sent::Message(2, 10)), "{:?}", late.sent);
}

#[tokio::test]
async fn a_gap_of_years_in_a_stream_is_not_waited_for() {
    let Watched { input, player: _player, mut viewer, .. } = watched(Rate::Times(1.0)).await;
    input.send(Ok(messages(&[(1, 10), (1, 1_700_000_000)]))).unwrap();
    viewer.until_message(1, 1_700_000_000).await;
}

#[tokio::test]
async fn a_short_stream_that_begins_again_is_a_restart() {
    let Watched { input, player: _player, mut viewer, .. } = watched(Rate::Times(10.0)).await;
    let mut lap = messages(&[(1, 10), (1, 10)]);
    lap.entries[1].log_time = Timestamp(10_500_000_000);
    for _ in 0..2 {
        input.send(Ok(lap.clone())).unwrap();
    }
    viewer.until(|sent| matches!(sent, Sent::Session(_))).await;
}

/// A recording of `/a`, channel 1, with these messages, in seconds.
pub(in crate::playback) fn recording(seconds: &[u64]) -> Playable {
    let mut gathered = Gathered::default();
    gathered.push(announced(1, "/a"));
    gathered.push(messages(&seconds.iter().map(|second| (1, *second)).collect::<Vec<_>>()));
    let options = RecordingOptions::default();
    let recording = MemoryRecording::new("test".into(), gathered, Extent::All, &options).unwrap();
    Playable::Recording(Box::new(recording))
}

#[test]
fn a_recording_with_the_ids_of_another_registry_is_not_played() {
    let hub = hub(SlowClient::Drop);
    hub.publisher().announce(&announced(1, "/counter").announcements);
    let play = || Player::start(recording(&[10]), hub.clone(), PlaybackOptions::default(), |_outcome| {});
    let error = play().map(drop).unwrap_err();
    assert!(error.to_string().starts_with("channel '/a' is not offered: its id 1"), "{error}");
    assert!(Viewer::join(&hub).news().contains(&Sent::Advertised(vec![1])));
    // it left its place in the hub
    hub.publisher().retire(&[ChannelId(1)]);
    drop(play().unwrap());
}

#[tokio::test]
async fn a_player_that_is_dropped_leaves_its_place_to_another() {
    let hub = hub(SlowClient::Drop);
    let options = PlaybackOptions { start_on: StartOn::Launch, ..PlaybackOptions::default() };
    let play = || Player::start(recording(&[10, 1000]), hub.clone(), options, |_outcome| {}).unwrap();
    let is_offered = || {
        let joined = Viewer::join_sdk(&hub).news();
        let has_state = joined.iter().any(|sent| matches!(sent, Sent::State(_)));
        let Sent::Session(info) = &joined[0] else { panic!("{joined:?}") };
        let is_declared = info.capabilities.contains(&Capability::PlaybackControl);
        assert_eq!([has_state, info.data_start_time.is_some()], [is_declared; 2]);
        is_declared
    };
    let mut viewer = Viewer::join_sdk(&hub);
    let request = || PlaybackControlRequest {
        command: PlaybackCommand::Pause,
        speed: 1.0,
        seek: None,
        request_id: "p".into(),
    };
    let is_shown = |sent: &Sent| matches!(sent, Sent::Status(status) if status.id.is_some());
    for _ in 0..2 {
        let player = play();
        assert!(is_offered());
        viewer.until(is_shown).await;
        drop(player);
        let is_cleared = |sent: &Sent| matches!(sent, Sent::Other(ServerMessage::RemoveStatus(_)));
        assert!(viewer.news().iter().any(is_cleared), "it waits no longer");
        assert!(!is_offered());
        assert!(viewer.client.control(request()).is_err());
    }
}
