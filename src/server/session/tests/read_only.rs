//! A hub that is read-only: what acts is neither declared nor done, what looks goes on.

use super::*;
use crate::hub::testing::Viewer;
use crate::hub::{Access, HubOptions};

fn read_only() -> Hub {
    Hub::new("test", HubOptions { access: Access::ReadOnly, ..HubOptions::default() })
}

fn control() -> ClientMessage {
    ClientMessage::PlaybackControlRequest(PlaybackControlRequest {
        command: PlaybackCommand::Play,
        speed: 1.0,
        seek: None,
        request_id: "r".into(),
    })
}

#[test]
fn what_acts_is_not_declared() {
    let hub = read_only();
    let (player, _requests) = asked::<(PlaybackRequest, Responder<PlaybackState>)>();
    hub.provide_playback(player, TimeRange { start: Timestamp(0), end: Timestamp(9) }).unwrap();
    hub.provide_parameters(Arc::new(Store::default())).unwrap();
    hub.provide_publish(Arc::new(Published::default())).unwrap();
    let (assets, _fetches) = asked::<(String, Responder<Result<Bytes, String>>)>();
    hub.provide_assets(assets).unwrap();
    let _graph = hub.provide_graph().unwrap();
    let services = hub.provide_services().unwrap();
    let (provider, _calls) = asked::<(ServiceCall, Responder<Result<Bytes, String>>)>();
    let mut early = Viewer::join_sdk(&hub);
    early.news();
    let handle = services.add(service("/set"), provider).unwrap();
    hub.publisher().playback_changed(PlaybackState {
        status: PlaybackStatus::Paused,
        current_time: Timestamp(4),
        speed: 1.0,
        did_seek: false,
        request_id: None,
    });
    let sent = Viewer::join_sdk(&hub).news();
    let [Sent::Session(info), Sent::Advertised(_), Sent::Time(_)] = &sent[..] else { panic!("{sent:?}") };
    let capabilities: Vec<&str> = info.capabilities.iter().map(|capability| capability.as_str()).collect();
    assert_eq!(capabilities, ["time", "parameters", "parametersSubscribe", "connectionGraph", "assets"]);
    assert!(info.supported_encodings.is_empty() && info.data_start_time.is_none());
    drop(handle);
    assert!(early.news().iter().all(|sent| matches!(sent, Sent::Time(_))), "no service, no playback state");
}

#[test]
fn a_seek_back_is_a_new_session_for_every_client() {
    let hub = read_only();
    let mut viewer = Viewer::join_sdk(&hub);
    viewer.news();
    let state = PlaybackState {
        status: PlaybackStatus::Playing,
        current_time: Timestamp(4),
        speed: 1.0,
        did_seek: true,
        request_id: None,
    };
    hub.publisher().seek(state, Timestamp(4), crate::hub::Direction::Back);
    assert!(viewer.news().iter().any(|sent| matches!(sent, Sent::Session(_))));
}

#[test]
fn what_acts_is_refused_once_each_and_reaches_no_provider() {
    let hub = read_only();
    let (player, requests) = asked::<(PlaybackRequest, Responder<PlaybackState>)>();
    hub.provide_playback(player, TimeRange { start: Timestamp(0), end: Timestamp(9) }).unwrap();
    let published = Arc::new(Published::default());
    hub.provide_publish(published.clone()).unwrap();
    let services = hub.provide_services().unwrap();
    let (provider, calls) = asked::<(ServiceCall, Responder<Result<Bytes, String>>)>();
    let handle = services.add(service("/set"), provider).unwrap();
    let mut client = Client::join(&hub);

    let id = handle.id();
    assert_eq!(client.say(call(id, 7)), [failure(id, 7, "this server is read-only")]);
    let playback = "playback control request \"r\": this server is read-only";
    assert_eq!(error(&client.say(control())), playback);
    assert_eq!(
        error(&client.say(advertise(1, "json"))),
        "advertise: channel 1 (/t1): this server is read-only"
    );
    assert_eq!(error(&client.say(data(1))), "message on channel 1: this server is read-only");
    let unadvertised = client.say(ClientMessage::Unadvertise(vec![ClientChannelId(1)]));
    assert_eq!(error(&unadvertised), "unadvertise: channel 1: this server is read-only");

    assert!(requests.try_recv().is_err() && calls.try_recv().is_err());
    drop(client);
    assert!(published.0.lock().unwrap().is_empty());
}

#[test]
fn parameters_are_read_and_followed_and_keep_their_values() {
    let hub = read_only();
    let (x, y) = (Parameter::new("x", 1), Parameter::new("y", true));
    hub.provide_parameters(Arc::new(Store(Mutex::new(vec![x.clone(), y.clone()])))).unwrap();
    let mut client = Client::join(&hub);
    let set = |parameters: Vec<Parameter>, id: Option<&str>| {
        ClientMessage::SetParameters(SetParameters { parameters, id: id.map(str::to_owned) })
    };
    for id in [Some("s"), None] {
        let sent = client.say(set(vec![Parameter::new("x", 2)], id));
        let [status, holds] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!(error(std::slice::from_ref(status)), "setParameters: this server is read-only");
        assert_eq!(*holds, values(vec![x.clone()], id));
    }
    let none = client.say(set(Vec::new(), Some("s")));
    assert_eq!(none[1], values(Vec::new(), Some("s")), "no names are not all");
    let get = GetParameters { parameter_names: Vec::new(), id: None };
    assert_eq!(client.say(ClientMessage::GetParameters(get)), [values(vec![x.clone(), y], None)]);
    assert_eq!(client.say(ClientMessage::SubscribeParameterUpdates(vec!["x".into()])), []);
    hub.parameters_changed(std::slice::from_ref(&x));
    assert_eq!(client.news(), [values(vec![x], None)]);
}
