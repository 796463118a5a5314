//! Parameters and new sessions: viewers that know no playback states are told of the capability once.

use std::time::Instant;

use bytes::Bytes;

use crate::hub::testing::{Sent, Viewer, channel, hub, messages};
use crate::hub::{Direction, Hub, SlowClient};
use crate::protocol::{Parameter, ParameterValues, PlaybackState, PlaybackStatus, ServerMessage};
use crate::time::{TimeRange, Timestamp};

const START: Timestamp = Timestamp(1_000_000_000);

fn state() -> PlaybackState {
    PlaybackState {
        status: PlaybackStatus::Playing,
        current_time: START,
        speed: 1.0,
        did_seek: true,
        request_id: None,
    }
}

fn hub_with_parameter() -> Hub {
    let hub = hub(SlowClient::Drop);
    hub.parameters().unwrap().declare(Parameter::new("x", 1)).unwrap();
    hub
}

/// Which of the two capabilities the only `serverInfo` declares.
fn declared(sent: &[Sent]) -> Vec<String> {
    let infos = sent.iter().filter_map(|sent| if let Sent::Session(info) = sent { Some(info) } else { None });
    let [info] = &infos.collect::<Vec<_>>()[..] else { panic!("{sent:?}") };
    let names = info.capabilities.iter().map(ToString::to_string);
    names.filter(|name| name.starts_with("parameters")).collect()
}

fn x(value: i64) -> Sent {
    let parameters = vec![Parameter::new("x", value)];
    Sent::Other(ServerMessage::ParameterValues(ParameterValues { parameters, id: None }))
}

#[test]
fn a_lap_does_not_declare_parameters_once_more_and_sends_what_is_followed() {
    let hub = hub_with_parameter();
    let publisher = hub.publisher();
    let mut viewer = Viewer::join(&hub);
    assert_eq!(declared(&viewer.news()), ["parameters", "parametersSubscribe"]);
    viewer.client.follow_parameters(vec!["x".to_owned()]).unwrap();
    let jumps = [
        &|| publisher.lap(state(), SlowClient::Drop, Instant::now()),
        &|| publisher.seek(state(), START, Direction::Back),
        &|| publisher.restart(START, SlowClient::Drop, Instant::now()),
    ] as [&dyn Fn(); 3];
    for jump in jumps {
        jump();
        let sent = viewer.news();
        assert_eq!(declared(&sent), ["parametersSubscribe"]);
        let session = sent.iter().position(|sent| matches!(sent, Sent::Session(_)));
        let values = sent.iter().position(|sent| *sent == x(1));
        assert!(session < values, "viewers forget what comes before: {sent:?}");
    }
    publisher.seek(state(), START, Direction::Forward);
    assert!(!viewer.news().contains(&x(1)), "no session, nothing forgotten");
}

#[test]
fn a_change_while_a_session_waits_comes_after_it() {
    let hub = hub_with_parameter();
    let mut viewer = Viewer::join(&hub);
    viewer.client.follow_parameters(Vec::new()).unwrap();
    viewer.news();
    hub.publisher().lap(state(), SlowClient::Drop, Instant::now());
    hub.parameters().unwrap().set("x", 2).unwrap();
    let sent = viewer.news();
    let session = sent.iter().position(|sent| matches!(sent, Sent::Session(_)));
    assert!(session < sent.iter().position(|sent| *sent == x(2)), "{sent:?}");
    assert_eq!(sent.iter().rfind(|sent| matches!(sent, Sent::Other(_))), Some(&x(2)));
}

#[test]
fn who_knows_playback_states_is_told_all_in_each_session() {
    let hub = hub_with_parameter();
    let mut viewer = Viewer::join_sdk(&hub);
    viewer.news();
    hub.publisher().restart(START, SlowClient::Drop, Instant::now());
    assert_eq!(declared(&viewer.news()), ["parameters", "parametersSubscribe"]);
}

#[test]
fn parameters_that_come_later_are_declared_by_the_next_session() {
    let hub = hub(SlowClient::Drop);
    let mut viewer = Viewer::join(&hub);
    assert!(declared(&viewer.news()).is_empty());
    hub.parameters().unwrap().declare(Parameter::new("x", 1)).unwrap();
    for expected in [&["parameters", "parametersSubscribe"][..], &["parametersSubscribe"]] {
        hub.publisher().lap(state(), SlowClient::Drop, Instant::now());
        assert_eq!(declared(&viewer.news()), expected);
    }
}

#[test]
fn a_session_that_is_not_sent_declares_nothing() {
    let hub = hub_with_parameter();
    let mut viewer = Viewer::join(&hub);
    // of joining nothing is taken before the seek
    hub.publisher().seek(state(), START, Direction::Back);
    assert_eq!(declared(&viewer.news()), ["parameters", "parametersSubscribe"]);
    viewer.client.follow_parameters(Vec::new()).unwrap();
    for _ in 0..100 {
        hub.publisher().seek(state(), START, Direction::Back);
    }
    let sent = viewer.news();
    assert_eq!(declared(&sent), ["parametersSubscribe"]);
    assert_eq!(sent.iter().filter(|sent| **sent == x(1)).count(), 1, "{sent:?}");
}

/// Whether the only session among these comes before the values.
fn begins_with_values(sent: &[Sent]) -> bool {
    declared(sent);
    let session = sent.iter().position(|sent| matches!(sent, Sent::Session(_)));
    let values = sent.iter().position(|sent| *sent == x(1));
    values.is_some() && session < values
}

#[test]
fn a_seek_back_of_an_own_playback_sends_what_is_followed_after_the_session() {
    let hub = hub_with_parameter();
    let at = |seconds: u64| Timestamp(seconds * 1_000_000_000);
    hub.on_playback_control(TimeRange { start: at(10), end: at(20) }, |_request, _answer| {}).unwrap();
    let mut viewer = Viewer::join(&hub);
    viewer.client.follow_parameters(vec!["x".to_owned()]).unwrap();
    viewer.news();
    hub.publisher().playback_changed(PlaybackState { current_time: at(5), ..state() });
    let sent = viewer.news();
    assert!(begins_with_values(&sent), "{sent:?}");
}

#[test]
fn an_input_that_begins_after_clients_sends_what_is_followed_after_the_session() {
    let hub = hub_with_parameter();
    let imu = channel(hub.registry(), "/imu");
    hub.publisher().announce(std::slice::from_ref(&imu));
    let (publishing, mut viewer) = (Viewer::join(&hub), Viewer::join(&hub));
    viewer.client.follow_parameters(vec!["x".to_owned()]).unwrap();
    let client = publishing.client.id();
    hub.publish_of_client(client, imu.id, Bytes::new(), Timestamp::now(), Instant::now()).unwrap();
    viewer.news();
    hub.publisher().publish_live(messages(&[(imu.id, 1)], 1), Instant::now());
    let sent = viewer.news();
    assert!(begins_with_values(&sent), "{sent:?}");
}

#[test]
fn who_keeps_its_session_is_not_sent_what_it_knows() {
    let hub = hub_with_parameter();
    let mut viewer = Viewer::offering(&hub, "foxglove.sdk.v1");
    viewer.client.follow_parameters(Vec::new()).unwrap();
    viewer.news();
    hub.publisher().seek(state(), START, Direction::Back);
    hub.publisher().lap(state(), SlowClient::Drop, Instant::now());
    let sent = viewer.news();
    assert!(!sent.contains(&x(1)), "{sent:?}");
}
