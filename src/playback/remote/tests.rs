use bytes::Bytes;
use serde_json::{Value, json};

use crate::hub::capability::playback::{Playback, RateChange};
use crate::hub::responder::Responder;
use crate::hub::stats::Activity;
use crate::hub::testing::{Sent, Viewer, hub};
use crate::hub::{Hub, SlowClient};
use crate::playback::tests::recording;
use crate::playback::{PlaybackOptions, Player, Rate, Remote, StartOn};
use crate::protocol::{
    CallId, Parameter, ParameterValues, ServerMessage, Service, ServiceCallRequest, SetParameters,
};

/// A recording of the seconds 10 to 20 that is played, and a viewer.
struct Watched {
    hub: Hub,
    player: Player,
    remote: Option<Remote>,
    viewer: Viewer,
    services: Vec<Service>,
}

fn watched(options: PlaybackOptions) -> Watched {
    let hub = hub(SlowClient::Drop);
    let player = Player::start(recording(&[10, 11, 20]), hub.clone(), options, |_outcome| {}).unwrap();
    let remote = Remote::offer(&hub, &player).unwrap();
    let mut viewer = Viewer::join(&hub);
    let services = viewer.news().into_iter().find_map(|sent| match sent {
        Sent::Other(ServerMessage::AdvertiseServices(services)) => Some(services),
        _ => None,
    });
    viewer.client.follow_parameters(Vec::new()).unwrap();
    Watched { hub, player, remote, viewer, services: services.unwrap() }
}

fn paused() -> PlaybackOptions {
    PlaybackOptions { start_paused: true, ..PlaybackOptions::default() }
}

impl Watched {
    /// Sets a parameter as Lichtblick does, and returns what the answer says.
    async fn set(&mut self, parameter: Parameter) -> Vec<Parameter> {
        let id = Some("4f0a1b0c-0000-4000-8000-000000000000".to_owned());
        self.viewer.sent.clear();
        let request = SetParameters { parameters: vec![parameter], id: id.clone() };
        self.viewer.client.set_parameters(request).unwrap();
        let is_answer = |sent: &Sent| match sent {
            Sent::Other(ServerMessage::ParameterValues(ParameterValues { id: answered, .. })) => {
                *answered == id
            }
            _ => false,
        };
        self.viewer.until(is_answer).await;
        let answer = self.viewer.sent.iter().find(|sent| is_answer(sent));
        match answer {
            Some(Sent::Other(ServerMessage::ParameterValues(values))) => values.parameters.clone(),
            _ => unreachable!(),
        }
    }

    async fn call(&mut self, name: &str, request: &str) -> Value {
        let name = format!("/playback/{name}");
        let service_id = self.services.iter().find(|service| service.name == name).unwrap().id;
        let (call_id, encoding) = (CallId(7), "json".to_owned());
        let payload = Bytes::copy_from_slice(request.as_bytes());
        self.viewer.sent.clear();
        self.viewer.client.call_service(ServiceCallRequest { service_id, call_id, encoding, payload });
        let response = |sent: &Sent| match sent {
            Sent::Other(ServerMessage::ServiceCallResponse(response)) => Some(response.payload.clone()),
            _ => None,
        };
        self.viewer.until(|sent| response(sent).is_some()).await;
        serde_json::from_slice(&self.viewer.sent.iter().find_map(response).unwrap()).unwrap()
    }

    fn value(&self, name: &str) -> Value {
        serde_json::to_value(self.hub.parameters().unwrap().get(name).unwrap().value).unwrap()
    }
}

/// A whole number with the type that a viewer has seen last.
fn whole(name: &str, value: i64) -> Parameter {
    Parameter { value: Some(value.into()), ..Parameter::float64(name, 0.0).unwrap() }
}

fn float(name: &str, value: f64) -> Parameter {
    Parameter::float64(name, value).unwrap()
}

#[tokio::test]
async fn what_clients_set_is_carried_out_and_answered_with_what_holds_then() {
    let mut watched = watched(paused());
    assert_eq!(watched.set(whole("playback.rate", 7)).await, [float("playback.rate", 7.0)]);
    assert_eq!(watched.player.handle().snapshot().speed, Some(7.0));
    assert_eq!(watched.set(float("playback.position", 2.5)).await, [float("playback.position", 2.5)]);
    let on = Parameter::new("playback.loop", true);
    assert_eq!(watched.set(on.clone()).await, [on]);
    let runs = Parameter::new("playback.paused", false);
    assert_eq!(watched.set(runs.clone()).await, [runs]);
    assert!(watched.player.handle().snapshot().looping);
    // what does not fit holds as it was, and the viewer is told why
    assert_eq!(watched.set(whole("playback.rate", 5000)).await, [float("playback.rate", 7.0)]);
    let status = watched.viewer.sent.iter().find_map(|sent| match sent {
        Sent::Status(status) => Some(status.message.clone()),
        _ => None,
    });
    assert_eq!(status.unwrap(), "parameter playback.rate can't be 5000: the most that it can be is 1000");
}

#[tokio::test]
async fn what_others_change_is_shown_too() {
    let mut watched = watched(paused());
    let rate = |value| {
        let values = ParameterValues { parameters: vec![float("playback.rate", value)], id: None };
        Sent::Other(ServerMessage::ParameterValues(values))
    };
    let request = RateChange::To(Rate::Times(3.0)).into();
    watched.player.handle().request(request, Responder::ignore());
    watched.viewer.until(|sent| *sent == rate(3.0)).await;
}

#[tokio::test]
async fn the_highest_rate_is_the_end_of_the_range_which_leaves_it_as_it_is() {
    let rate = Rate::Max;
    let mut watched = watched(PlaybackOptions { rate, ..paused() });
    assert_eq!(watched.set(whole("playback.rate", 1000)).await, [float("playback.rate", 1000.0)]);
    assert_eq!(watched.player.handle().snapshot().speed, Some(f64::INFINITY));
    assert_eq!(watched.set(whole("playback.rate", 2)).await, [float("playback.rate", 2.0)]);
    assert_eq!(watched.call("set_rate", r#"{"rate":"max"}"#).await["rate"], 1000.0);
    assert_eq!(watched.player.handle().snapshot().speed, Some(f64::INFINITY));
}

#[tokio::test]
async fn at_the_end_play_begins_again() {
    let options =
        PlaybackOptions { rate: Rate::Max, start_on: StartOn::Launch, ..PlaybackOptions::default() };
    let mut watched = watched(options);
    let ended = || async {
        while watched.player.handle().snapshot().activity != Activity::Ended {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    ended().await;
    assert_eq!(watched.call("set_rate", r#"{"rate":0.01}"#).await["status"], "ended");
    let paused = |value| Parameter::new("playback.paused", value);
    assert_eq!(watched.set(paused(false)).await, [paused(false)]);
    assert_eq!(watched.call("pause", "{}").await["position"], 0.0);
    // also where time stands at the end without having come to it
    for play in ["play", "toggle"] {
        let sought = watched.call("seek", r#"{"offset":99}"#).await;
        assert_eq!((&sought["status"], &sought["position"]), (&json!("paused"), &json!(10.0)));
        assert!(sought["message"].as_str().unwrap().starts_with("the time is outside"), "{sought}");
        assert_eq!(watched.call("step", "{}").await["message"], "playback is at the end");
        assert_eq!(watched.call(play, "{}").await["status"], "playing", "{play}");
        let paused = watched.call("pause", "{}").await;
        assert!(paused["position"].as_f64().unwrap() < 10.0, "{play}: {paused}");
    }
}

#[tokio::test]
async fn services_answer_with_what_holds_after_them() {
    let mut watched = watched(paused());
    let expected = json!({
        "success": true, "message": "", "status": "paused", "time": "12.500000000",
        "position": 2.5, "rate": 1.0, "loop": false,
    });
    for seek in [
        r#"{"offset":2.5}"#,
        r#"{"time":12.5}"#,
        r#"{"time":"1970-01-01T00:00:12.5Z"}"#,
        r#"{"time":{"sec":12,"nsec":500000000}}"#,
    ] {
        assert_eq!(watched.call("seek", r#"{"by":-100}"#).await["position"], 0.0);
        assert_eq!(watched.call("seek", seek).await, expected, "{seek}");
    }
    assert_eq!(watched.call("seek", r#"{"by":-0.5}"#).await["position"], 2.0);
    assert_eq!(watched.call("seek", r#"{"offset":0}"#).await["position"], 0.0);
    assert_eq!(watched.call("step", "{}").await["position"], 1.0);
    assert_eq!(watched.call("step", r#"{"topic":"/a"}"#).await["position"], 10.0);
    watched.call("seek", r#"{"offset":0}"#).await;
    assert_eq!(watched.call("burst", r#"{"num_messages":1}"#).await["position"], 1.0);
    assert_eq!(watched.call("burst", r#"{"num_messages":0}"#).await["position"], 10.0, "all that are left");
    watched.call("seek", r#"{"offset":0}"#).await;
    assert_eq!(watched.call("set_rate", r#"{"rate":0.5}"#).await["rate"], 0.5);
    assert_eq!(watched.call("play", "{}").await["status"], "playing");
    assert_eq!(watched.call("toggle", "").await["status"], "paused");
    assert_eq!(watched.value("playback.rate"), 0.5);
}

#[tokio::test]
async fn what_can_not_be_done_is_answered_too() {
    let mut watched = watched(paused());
    for (service, request, why) in [
        ("set_rate", "{}", "the request can't be read: missing field `rate`"),
        ("set_rate", r#"{"rate":0}"#, "rate: '0' is not a rate: write a number from 0.01 to 1000, or max"),
        ("set_rate", "no", "the request can't be read: expected"),
        ("seek", "{}", "give one of time, offset (seconds from the start) and by (seconds from here)"),
        ("seek", r#"{"offset":1,"by":1}"#, "give one of time"),
        ("seek", r#"{"offset":-1}"#, "offset: "),
        ("seek", r#"{"by":1e99}"#, "by: "),
        ("seek", r#"{"time":"soon"}"#, "time: \"soon\" is not a time"),
        ("step", r#"{"topic":"/none"}"#, "topic: /none is not offered"),
        ("step", r#"{"cuont":2}"#, "the request can't be read: unknown field `cuont`"),
        ("step", r#"{"count":-1}"#, "the request can't be read: invalid value"),
        ("play", r#"{"rate":2}"#, "the request can't be read: unknown field `rate`"),
    ] {
        let response = watched.call(service, request).await;
        assert_eq!(response["success"], false, "{service} {request}");
        assert!(response["message"].as_str().unwrap().starts_with(why), "{service} {request}: {response}");
        assert_eq!((&response["status"], &response["position"]), (&json!("paused"), &json!(0.0)));
    }
    let Watched { player, mut viewer, services, remote, .. } = watched;
    drop(player);
    let call = ServiceCallRequest {
        service_id: services[0].id,
        call_id: CallId(1),
        encoding: "json".to_owned(),
        payload: Bytes::new(),
    };
    viewer.news();
    viewer.client.call_service(call);
    let sent = viewer.news();
    let [Sent::Other(ServerMessage::ServiceCallResponse(response))] = &sent[..] else { panic!("{sent:?}") };
    let response: Value = serde_json::from_slice(&response.payload).unwrap();
    assert_eq!(response["success"], false, "{response}");
    drop(remote);
}

#[tokio::test]
async fn services_are_described_as_viewers_need_it() {
    let Watched { hub, services, .. } = watched(paused());
    let names: Vec<_> =
        services.iter().map(|service| service.name.trim_start_matches("/playback/")).collect();
    assert_eq!(names, ["play", "pause", "toggle", "set_rate", "seek", "step", "burst"]);
    for service in &services {
        for message in [&service.request, &service.response] {
            let message = message.as_ref().unwrap();
            assert_eq!(message.encoding, "json");
            assert_eq!(message.schema_encoding.as_deref(), Some("jsonschema"));
            assert!(!message.schema_name.is_empty());
            let schema: Value = serde_json::from_str(&message.schema).unwrap();
            assert_eq!(schema["type"], "object");
            for property in schema["properties"].as_object().unwrap().values() {
                assert!(property["type"].is_string() && property.as_object().unwrap().len() == 1, "{schema}");
            }
        }
    }
    let sent = Viewer::join(&hub).news();
    let Sent::Session(info) = &sent[0] else { panic!("{sent:?}") };
    assert_eq!(info.supported_encodings, ["json"]);
}

#[tokio::test]
async fn all_is_taken_back_with_it() {
    let mut watched = watched(paused());
    assert_eq!(watched.hub.parameters().unwrap().all().len(), 4);
    watched.remote = None;
    assert_eq!(watched.hub.parameters().unwrap().all(), []);
    let sent = watched.viewer.news();
    let gone = sent.iter().filter(|sent| matches!(sent, Sent::Other(ServerMessage::UnadvertiseServices(_))));
    assert_eq!(gone.count(), 7);
    watched.remote = Remote::offer(&watched.hub, &watched.player).unwrap();
    assert!(matches!(Remote::offer(&watched.hub, &watched.player), Err(super::NotOffered::Parameter(_))));
}
