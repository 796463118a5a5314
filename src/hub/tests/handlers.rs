//! Providers that are functions: in order, bounded, answered once.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::hub::testing::{Sent, Viewer, hub};
use crate::hub::{Hub, SlowClient, lock};
use crate::protocol::{
    AssetRequestId, CallId, Capability, ClientChannel, ClientChannelId, ClientMessageData, FetchAsset,
    GetParameters, Parameter, PlaybackCommand, PlaybackControlRequest, PlaybackState, PlaybackStatus,
    ServerMessage, ServiceCallRequest, SetParameters,
};
use crate::time::{TimeRange, Timestamp};

/// Reads until one answer has come.
async fn answer(viewer: &mut Viewer) -> ServerMessage {
    viewer.until(|sent| matches!(sent, Sent::Other(_))).await;
    let news = viewer.news();
    news.into_iter()
        .find_map(|sent| if let Sent::Other(answer) = sent { Some(answer) } else { None })
        .unwrap()
}

fn capabilities(hub: &Hub) -> Vec<Capability> {
    match Viewer::join(hub).news().swap_remove(0) {
        Sent::Session(info) => info.capabilities,
        sent => panic!("{sent:?}"),
    }
}

#[tokio::test]
async fn a_service_is_declared_described_and_answered() {
    let hub = hub(SlowClient::Drop);
    assert_eq!(capabilities(&hub), [Capability::Time]);
    let double = hub
        .service("/math/double")
        .json(|request: Value| request["x"].as_f64().map(|x| json!({ "y": 2.0 * x })).ok_or("x is missing"));
    let double = double.unwrap();
    assert!(hub.service("/math/double").json(|_: Value| Ok::<_, String>(1)).is_err());
    assert_eq!(capabilities(&hub), [Capability::Time, Capability::Services]);
    let mut viewer = Viewer::join(&hub);
    let ServerMessage::AdvertiseServices(services) = answer(&mut viewer).await else { panic!() };
    assert_eq!(
        (services[0].name.as_str(), services[0].service_type.as_str()),
        ("/math/double", "math/double")
    );
    let request = services[0].request.clone().unwrap();
    assert_eq!(
        (request.schema_name.as_str(), request.schema.as_str()),
        ("math/doubleRequest", r#"{"type":"object"}"#)
    );
    let mut call = async |encoding: &str, payload: &'static str| {
        viewer.client.call_service(ServiceCallRequest {
            service_id: double.id(),
            call_id: CallId(7),
            encoding: encoding.to_owned(),
            payload: payload.into(),
        });
        match answer(&mut viewer).await {
            ServerMessage::ServiceCallResponse(response) => {
                String::from_utf8(response.payload.to_vec()).unwrap()
            }
            ServerMessage::ServiceCallFailure(failure) => failure.message,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(call("json", r#"{"x":2}"#).await, r#"{"y":4.0}"#);
    assert_eq!(call("json", "{}").await, "x is missing");
    assert!(call("json", "{").await.starts_with("the request can't be read: "));
    assert_eq!(call("cdr", "").await, "the encoding of requests is json, not cdr");
}

#[tokio::test]
async fn assets_are_fetched_by_a_function_and_one_that_panics_is_answered() {
    let hub = hub(SlowClient::Drop);
    hub.serve_assets(|uri| match uri.as_str() {
        "package://a" => Ok("content"),
        "package://b" => panic!("a handler with a fault"),
        _ => Err(format!("there is no {uri}")),
    })
    .unwrap();
    assert!(hub.serve_assets(|_| Ok("")).is_err());
    let mut viewer = Viewer::join(&hub);
    for (uri, result) in [
        ("package://a", Ok(Bytes::from("content"))),
        ("package://b", Err("the request was dropped without an answer".to_owned())),
        ("package://c", Err("there is no package://c".to_owned())),
    ] {
        viewer.client.fetch_asset(FetchAsset { uri: uri.to_owned(), request_id: AssetRequestId(1) });
        let ServerMessage::FetchAssetResponse(response) = answer(&mut viewer).await else { panic!() };
        assert_eq!(response.result, result);
    }
}

fn client_channel(id: u32, encoding: &str) -> ClientChannel {
    ClientChannel {
        id: ClientChannelId(id),
        topic: format!("/{id}"),
        encoding: encoding.to_owned(),
        schema_name: String::new(),
        schema_encoding: None,
        schema: None,
    }
}

fn publish(viewer: &Viewer, id: u32, payload: Bytes) {
    viewer.client.publish(ClientMessageData { channel_id: ClientChannelId(id), payload }).unwrap();
}

#[test]
fn what_a_client_publishes_arrives_in_order_also_what_it_published_before_it_left() {
    let hub = hub(SlowClient::Drop);
    let (sender, heard) = channel();
    hub.on_publish(["json", "cbor"], move |client, channel, payload| {
        sender.send((client, channel.topic.clone(), payload)).unwrap();
    })
    .unwrap();
    let mut viewer = Viewer::join(&hub);
    viewer
        .client
        .advertise(&[client_channel(1, "json"), client_channel(2, "cbor"), client_channel(3, "ros1")])
        .unwrap();
    let news = viewer.news();
    let refused = news
        .iter()
        .find_map(|sent| if let Sent::Status(status) = sent { Some(&status.message) } else { None });
    assert_eq!(
        refused.unwrap(),
        "advertise: channel 3 (/3): the encoding 'ros1' is not taken, only json, cbor"
    );
    for n in 0..2000 {
        publish(&viewer, 1 + n % 2, n.to_string().into());
    }
    let id = viewer.client.id();
    drop(viewer);
    for n in 0..2000 {
        let expected = (id, format!("/{}", 1 + n % 2), Bytes::from(n.to_string()));
        assert_eq!(heard.recv_timeout(Duration::from_secs(10)), Ok(expected));
    }
}

/// So many come, and no more.
fn assert_passed<T>(heard: &Receiver<T>, count: usize) {
    for number in 0..count {
        assert!(heard.recv_timeout(Duration::from_secs(30)).is_ok(), "{number} of {count}");
    }
    assert!(heard.recv_timeout(Duration::from_millis(300)).is_err(), "more than {count}");
}

#[test]
fn what_waits_for_a_slow_handler_is_bounded_and_the_client_is_sent_one_status() {
    let hub = hub(SlowClient::Drop);
    let (release, gate) = channel::<()>();
    let (sender, heard) = channel();
    let gate = Mutex::new(gate);
    hub.on_publish(["json"], move |_, _, payload| {
        if payload.is_empty() {
            lock(&gate).recv().unwrap();
        }
        sender.send(payload.len()).unwrap();
    })
    .unwrap();
    let mut viewer = Viewer::join(&hub);
    viewer.client.advertise(&[client_channel(1, "json")]).unwrap();
    viewer.news();
    publish(&viewer, 1, Bytes::new());
    let payload = Bytes::from(vec![b' '; 1 << 20]);
    (0..10).for_each(|_| publish(&viewer, 1, payload.clone()));
    release.send(()).unwrap();
    assert_eq!(heard.recv_timeout(Duration::from_secs(10)), Ok(0));
    assert_passed(&heard, 4);
    let statuses = viewer.news().into_iter().filter(|sent| matches!(sent, Sent::Status(_)));
    assert_eq!(statuses.count(), 1);
    publish(&viewer, 1, payload);
    assert!(heard.recv_timeout(Duration::from_secs(10)).is_ok(), "nothing passes any more");
}

#[test]
fn what_a_client_publishes_on_a_channel_that_it_advertises_again_comes_after_what_waits() {
    let hub = hub(SlowClient::Drop);
    let (release, gate) = channel::<()>();
    let (sender, heard) = channel();
    let gate = Mutex::new(gate);
    hub.on_publish(["json"], move |_, _, payload| {
        if payload == "first" {
            lock(&gate).recv().unwrap_or(());
        }
        sender.send(payload).unwrap();
    })
    .unwrap();
    let viewer = Viewer::join(&hub);
    let payload = Bytes::from(vec![b' '; 1 << 20]);
    viewer.client.advertise(&[client_channel(1, "json")]).unwrap();
    publish(&viewer, 1, "first".into());
    for _ in 0..10 {
        // what waits counts on, whatever becomes of the channel
        publish(&viewer, 1, payload.clone());
        viewer.client.unadvertise(&[ClientChannelId(1)]).unwrap();
        viewer.client.advertise(&[client_channel(1, "json")]).unwrap();
    }
    assert!(heard.recv_timeout(Duration::from_millis(300)).is_err(), "it overtook the first one");
    drop(release);
    assert_eq!(heard.recv_timeout(Duration::from_secs(10)), Ok("first".into()));
    assert_passed(&heard, 4);
}

#[test]
fn what_clients_that_have_left_published_is_bounded_while_the_handler_is_busy() {
    let hub = hub(SlowClient::Drop);
    let (release, gate) = channel::<()>();
    let (sender, heard) = channel();
    let gate = Mutex::new(gate);
    hub.on_publish(["json"], move |client, _, _| {
        lock(&gate).recv().unwrap_or(());
        sender.send(client).unwrap();
    })
    .unwrap();
    let come_and_go = || {
        let mut viewer = Viewer::join(&hub);
        viewer.news();
        viewer.client.advertise(&[client_channel(1, "json")]).unwrap();
        let is_taken = viewer.news().is_empty();
        if is_taken {
            publish(&viewer, 1, Bytes::new());
        }
        is_taken
    };
    let taken = (0..100).filter(|_| come_and_go()).count();
    assert_eq!(taken, 16);
    drop(release);
    assert_passed(&heard, taken);
    assert!(come_and_go());
}

#[test]
fn values_that_wait_to_be_set_are_bounded_in_bytes() {
    let hub = hub(SlowClient::Drop);
    let (release, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let set = move |parameters, _client| {
        lock(&gate).recv().unwrap_or(());
        parameters
    };
    hub.serve_parameters(|_names| Vec::new(), set).unwrap();
    let mut viewer = Viewer::join(&hub);
    viewer.news();
    let parameters = vec![Parameter::new("text", "x".repeat(1 << 20))];
    for _ in 0..20 {
        viewer.client.set_parameters(SetParameters { parameters: parameters.clone(), id: None }).unwrap();
    }
    let refused = viewer.news().into_iter().filter(|sent| matches!(sent, Sent::Status(_))).count();
    assert!((15..=16).contains(&refused), "{refused}");
    drop(release);
}

#[tokio::test]
async fn parameters_are_kept_by_functions_and_who_follows_them_is_sent_what_holds() {
    let hub = hub(SlowClient::Drop);
    let speed = Arc::new(Mutex::new(1));
    let (read, written) = (speed.clone(), speed);
    let is = |speed: i64| vec![Parameter::new("speed", speed)];
    hub.serve_parameters(
        move |_| is(*lock(&read)),
        move |parameters, _| {
            let mut speed = lock(&written);
            let wanted = parameters[0].value.as_ref().and_then(|value| value.as_f64());
            *speed = if wanted == Some(2.0) { 2 } else { *speed };
            is(*speed)
        },
    )
    .unwrap();
    let (mut viewer, mut follower) = (Viewer::join(&hub), Viewer::join(&hub));
    follower.client.follow_parameters(vec!["speed".to_owned()]).unwrap();
    let speeds = |answer| match answer {
        ServerMessage::ParameterValues(values) => (values.id, values.parameters),
        other => panic!("{other:?}"),
    };
    let id = Some("1".to_owned());
    viewer.client.get_parameters(GetParameters { parameter_names: Vec::new(), id: id.clone() }).unwrap();
    assert_eq!(speeds(answer(&mut viewer).await), (id.clone(), is(1)));
    for (asked, holds) in [(2, 2), (9, 2)] {
        let parameters = is(asked);
        viewer.client.set_parameters(SetParameters { parameters, id: id.clone() }).unwrap();
        assert_eq!(speeds(answer(&mut viewer).await), (id.clone(), is(holds)));
        assert_eq!(speeds(answer(&mut follower).await), (None, is(holds)));
    }
}

#[tokio::test]
async fn a_seek_of_an_own_playback_is_no_restart_and_keeps_its_place_among_messages() {
    let hub = hub(SlowClient::Drop);
    let at = |seconds: u64| Timestamp(seconds * 1_000_000_000);
    let pendulum = hub.channel("/pendulum").json::<u64>().unwrap();
    let logged = pendulum.clone();
    hub.on_playback_control(TimeRange { start: at(0), end: at(100) }, move |request, answer| {
        let (status, speed) = (PlaybackStatus::Playing, 1.0);
        answer.respond(PlaybackState {
            status,
            speed,
            current_time: at(5),
            did_seek: true,
            request_id: None,
        });
        assert!(request.seek.is_some());
        logged.log_at(at(5), &5);
    })
    .unwrap();
    let mut viewer = Viewer::join_sdk(&hub);
    let id = pendulum.channel().id;
    viewer.subscribe(id);
    viewer.news();
    pendulum.log_at(at(49), &49);
    pendulum.log_at(at(50), &50);
    let request_id = "seek".to_owned();
    let (command, seek) = (PlaybackCommand::Play, Some(at(5)));
    viewer.client.control(PlaybackControlRequest { command, speed: 1.0, seek, request_id }).unwrap();
    viewer.until(|sent| *sent == Sent::Message(id.0, 5)).await;
    let news: Vec<_> = viewer
        .news()
        .into_iter()
        .filter(|sent| matches!(sent, Sent::Message(..) | Sent::State(_) | Sent::Session(_)))
        .collect();
    let Sent::State(state) = &news[2] else { panic!("{news:?}") };
    assert!(state.did_seek && state.request_id.as_deref() == Some("seek"));
    let message = |second| Sent::Message(id.0, second);
    assert_eq!((&news[..2], &news[3..]), (&[message(49), message(50)][..], &[message(5)][..]));
}
