//! One test for each operation of a client, good and bad.

use std::sync::mpsc::{Receiver, Sender, channel as queue};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::*;
use crate::hub::capability::assets::Assets;
use crate::hub::capability::parameters::Parameters;
use crate::hub::capability::playback::{Command, Playback, PlaybackRequest, Rate, RateChange, Seek};
use crate::hub::capability::publish::ClientPublish;
use crate::hub::capability::services::{Service, ServiceCall, ServiceSpec};
use crate::hub::responder::Responder;
use crate::hub::testing::{Sent, channel, hub, messages, read};
use crate::hub::{ClientId, ClientInfo, Hub, SlowClient};
use crate::protocol::{
    AssetRequestId, CallId, ClientChannel, ClientChannelId, ClientMessageData, FetchAsset,
    FetchAssetResponse, Frame, GetParameters, Level, Parameter, ParameterValues, PlaybackCommand,
    PlaybackState, PlaybackStatus, ServiceCallFailure, ServiceCallRequest, ServiceCallResponse, ServiceId,
    ServiceMessage, SetParameters,
};
use crate::registry::Registry;
use crate::time::{TimeRange, Timestamp};

mod limits;
mod read_only;

/// A session that begins after what every client is sent at first.
struct Client {
    session: Session,
    sent: Vec<Sent>,
}

impl Client {
    fn join(hub: &Hub) -> Self {
        let mut client = Self { session: Session::new(hub.join(ClientInfo::default())), sent: Vec::new() };
        client.news();
        client
    }

    /// Says something as it would come over the wire.
    fn say(&mut self, message: ClientMessage) -> Vec<Sent> {
        match message.encode() {
            Frame::Text(text) => self.session.on_text(&text),
            Frame::Binary(bytes) => self.session.on_binary(bytes.into()),
        }
        self.news()
    }

    fn news(&mut self) -> Vec<Sent> {
        read(self.session.client(), &mut self.sent);
        std::mem::take(&mut self.sent)
    }
}

/// The text of the one status that was sent, an error.
#[track_caller]
fn error(sent: &[Sent]) -> &str {
    let [Sent::Status(status)] = sent else { panic!("{sent:?}") };
    assert_eq!(status.level, Level::Error);
    &status.message
}

#[track_caller]
fn warning(sent: &[Sent]) -> &str {
    let [Sent::Status(status)] = sent else { panic!("{sent:?}") };
    assert_eq!(status.level, Level::Warning);
    &status.message
}

#[track_caller]
fn unsupported(message: ClientMessage, capability: &str) {
    let sent = Client::join(&hub(SlowClient::Drop)).say(message);
    let expected = format!("this server does not have the capability {capability}");
    assert_eq!(error(&sent), expected);
}

fn subscribe(id: u32, channel_id: crate::model::ChannelId) -> ClientMessage {
    ClientMessage::Subscribe(vec![Subscription { id: SubscriptionId(id), channel_id }])
}

#[test]
fn subscriptions_get_messages_and_wrong_ones_a_status() {
    let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
    let (a, b) = (channel(&registry, "/a"), channel(&registry, "/b"));
    hub.publisher().announce(&[a.clone(), b.clone()]);
    let mut client = Client::join(&hub);
    assert_eq!(client.say(subscribe(7, a.id)), []);
    assert!(error(&client.say(subscribe(8, crate::model::ChannelId(99)))).contains("there is no channel 99"));
    assert!(error(&client.say(subscribe(7, b.id))).contains("subscription 7 exists already"));
    assert!(warning(&client.say(subscribe(9, a.id))).contains("subscribed to already"));
    hub.publisher().publish_live(messages(&[(a.id, 1), (b.id, 1)], 5), Instant::now());
    assert_eq!(client.news(), [Sent::Message(7, 1)]);
    assert_eq!(client.say(ClientMessage::Unsubscribe(vec![SubscriptionId(7)])), []);
    hub.publisher().publish_live(messages(&[(a.id, 2)], 5), Instant::now());
    assert_eq!(client.news(), []);
    let unknown = client.say(ClientMessage::Unsubscribe(vec![SubscriptionId(7)]));
    assert!(warning(&unknown).contains("there is no subscription 7"));
}

#[test]
fn what_cannot_be_read_gets_a_status_that_names_the_fault() {
    let mut client = Client::join(&hub(SlowClient::Drop));
    for (text, part) in [
        ("no json", "JSON"),
        (r#"{"op":"dance"}"#, "dance"),
        (r#"{"op":"subscribe"}"#, "subscriptions"),
        (r#"{"op":"subscribe","subscriptions":[{"id":1}]}"#, "channelId"),
    ] {
        client.session.on_text(text);
        let sent = client.news();
        assert!(error(&sent).contains(part), "{text}: {sent:?}");
    }
    client.session.on_binary(Bytes::from_static(&[99, 1]));
    assert!(error(&client.news()).contains("99"));
    client.session.on_binary(Bytes::from_static(&[1, 1]));
    error(&client.news());
}

/// Records what it is asked, and answers parameters.
#[derive(Default)]
struct Store(Mutex<Vec<Parameter>>);

impl Parameters for Store {
    fn get(&self, names: Vec<String>, answer: Responder<Vec<Parameter>>) {
        let all = self.0.lock().unwrap();
        let wanted = |parameter: &&Parameter| names.is_empty() || names.contains(&parameter.name);
        answer.respond(all.iter().filter(wanted).cloned().collect());
    }

    fn set(&self, parameters: Vec<Parameter>, _by: ClientId, answer: Responder<Vec<Parameter>>) {
        let mut all = self.0.lock().unwrap();
        for parameter in &parameters {
            all.retain(|other| other.name != parameter.name);
            all.push(parameter.clone());
        }
        answer.respond(parameters);
    }
}

fn values(parameters: Vec<Parameter>, id: Option<&str>) -> Sent {
    Sent::Other(ServerMessage::ParameterValues(ParameterValues { parameters, id: id.map(str::to_owned) }))
}

#[test]
fn parameters_are_read_set_and_followed() {
    let hub = hub(SlowClient::Drop);
    let (x, y) = (Parameter::new("x", 1), Parameter::new("y", true));
    hub.provide_parameters(Arc::new(Store(Mutex::new(vec![x.clone(), y.clone()])))).unwrap();
    let mut client = Client::join(&hub);
    let get = |names: &[&str], id: Option<&str>| {
        let parameter_names = names.iter().map(|name| (*name).to_owned()).collect();
        ClientMessage::GetParameters(GetParameters { parameter_names, id: id.map(str::to_owned) })
    };
    assert_eq!(client.say(get(&[], Some("all"))), [values(vec![x.clone(), y.clone()], Some("all"))]);
    assert_eq!(client.say(get(&["y", "none"], None)), [values(vec![y.clone()], None)]);

    let x2 = Parameter::new("x", 2);
    let set = |id: Option<&str>| {
        ClientMessage::SetParameters(SetParameters {
            parameters: vec![x2.clone()],
            id: id.map(str::to_owned),
        })
    };
    assert_eq!(client.say(set(None)), [], "who gives no id wants no answer");
    assert_eq!(client.say(set(Some("s"))), [values(vec![x2.clone()], Some("s"))]);
    let unset = SetParameters { parameters: vec![Parameter::unset("z")], id: Some("u".into()) };
    assert_eq!(client.say(ClientMessage::SetParameters(unset)), [values(vec![], Some("u"))]);
    assert_eq!(client.say(get(&["z"], None)), [values(vec![], None)], "what has no value is left out");

    assert_eq!(client.say(ClientMessage::SubscribeParameterUpdates(vec!["x".into()])), []);
    hub.parameters_changed(&[x2.clone(), y.clone()]);
    assert_eq!(client.news(), [values(vec![x2.clone()], None)]);
    client.say(ClientMessage::SubscribeParameterUpdates(vec![]));
    hub.parameters_changed(&[x2.clone(), y.clone()]);
    assert_eq!(client.news(), [values(vec![x2.clone(), y.clone()], None)]);
    client.say(ClientMessage::UnsubscribeParameterUpdates(vec![]));
    hub.parameters_changed(&[x2, y]);
    assert_eq!(client.news(), []);
}

#[test]
fn parameters_of_a_server_without_any_are_refused() {
    unsupported(
        ClientMessage::GetParameters(GetParameters { parameter_names: vec![], id: None }),
        "parameters",
    );
    unsupported(ClientMessage::SetParameters(SetParameters { parameters: vec![], id: None }), "parameters");
    unsupported(ClientMessage::SubscribeParameterUpdates(vec![]), "parametersSubscribe");
    unsupported(ClientMessage::UnsubscribeParameterUpdates(vec![]), "parametersSubscribe");
}

#[test]
fn a_client_cannot_follow_names_without_end() {
    let hub = hub(SlowClient::Drop);
    hub.provide_parameters(Arc::new(Store::default())).unwrap();
    let mut client = Client::join(&hub);
    let names = |from: u32| (from..from + 6000).map(|name| name.to_string()).collect();
    assert_eq!(client.say(ClientMessage::SubscribeParameterUpdates(names(0))), []);
    assert_eq!(
        client.say(ClientMessage::SubscribeParameterUpdates(names(0))),
        [],
        "once more, as viewers do"
    );
    assert!(error(&client.say(ClientMessage::SubscribeParameterUpdates(names(6000)))).contains("too many"));
}

/// Hands over what it is asked, for the test to answer.
struct Asked<T>(Mutex<Sender<T>>);

fn asked<T>() -> (Arc<Asked<T>>, Receiver<T>) {
    let (sender, receiver) = queue();
    (Arc::new(Asked(Mutex::new(sender))), receiver)
}

impl Assets for Asked<(String, Responder<Result<Bytes, String>>)> {
    fn fetch(&self, uri: String, answer: Responder<Result<Bytes, String>>) {
        self.0.lock().unwrap().send((uri, answer)).unwrap();
    }
}

fn fetch(id: u32) -> ClientMessage {
    ClientMessage::FetchAsset(FetchAsset { uri: "package://a.stl".into(), request_id: AssetRequestId(id) })
}

fn asset(id: u32, result: Result<&'static str, &str>) -> Sent {
    Sent::Other(ServerMessage::FetchAssetResponse(FetchAssetResponse {
        request_id: AssetRequestId(id),
        result: result.map(|bytes| Bytes::from_static(bytes.as_bytes())).map_err(str::to_owned),
    }))
}

#[test]
fn an_asset_is_answered_once_whatever_the_provider_does() {
    let hub = hub(SlowClient::Drop);
    let (assets, requests) = asked();
    hub.provide_assets(assets).unwrap();
    let mut client = Client::join(&hub);
    assert_eq!(client.say(fetch(1)), []);
    assert_eq!(client.say(fetch(2)), []);
    assert_eq!(client.say(fetch(3)), []);
    let next = || requests.recv().unwrap();
    let ((uri, first), (_, second), (_, third)) = (next(), next(), next());
    assert_eq!(uri, "package://a.stl");
    second.respond(Ok(Bytes::from_static(b"solid")));
    first.respond(Err("there is no such file".into()));
    drop(third);
    let expected = [
        asset(2, Ok("solid")),
        asset(1, Err("there is no such file")),
        asset(3, Err("the request was dropped without an answer")),
    ];
    assert_eq!(client.news(), expected);
    let none = Client::join(&self::hub(SlowClient::Drop)).say(fetch(9));
    assert_eq!(none, [asset(9, Err("this server has no assets"))]);
}

#[test]
fn a_client_that_floods_a_provider_is_refused_and_can_go_on_later() {
    let hub = hub(SlowClient::Drop);
    let (assets, requests) = asked();
    hub.provide_assets(assets).unwrap();
    let mut client = Client::join(&hub);
    for id in 0..1000 {
        assert_eq!(client.say(fetch(id)), []);
    }
    let refused = client.say(fetch(1000));
    assert!(matches!(&refused[..], [Sent::Other(ServerMessage::FetchAssetResponse(r))] if r.result.is_err()));
    requests.try_iter().for_each(drop);
    assert_eq!(client.news().len(), 1000);
    assert_eq!(client.say(fetch(1001)), []);
    // nobody is there any more for this answer
    drop(client);
    drop(requests);
}

impl Service for Asked<(ServiceCall, Responder<Result<Bytes, String>>)> {
    fn call(&self, call: ServiceCall, answer: Responder<Result<Bytes, String>>) {
        self.0.lock().unwrap().send((call, answer)).unwrap();
    }
}

fn service(name: &str) -> ServiceSpec {
    let message = ServiceMessage {
        encoding: "json".into(),
        schema_name: "Any".into(),
        schema_encoding: Some("jsonschema".into()),
        schema: r#"{"type":"object"}"#.into(),
    };
    ServiceSpec { name: name.into(), service_type: "Any".into(), request: message.clone(), response: message }
}

fn call(service: ServiceId, id: u32) -> ClientMessage {
    ClientMessage::ServiceCallRequest(ServiceCallRequest {
        service_id: service,
        call_id: CallId(id),
        encoding: "json".into(),
        payload: Bytes::from_static(b"{}"),
    })
}

fn failure(service_id: ServiceId, id: u32, message: &str) -> Sent {
    let (call_id, message) = (CallId(id), message.to_owned());
    Sent::Other(ServerMessage::ServiceCallFailure(ServiceCallFailure { service_id, call_id, message }))
}

#[test]
fn a_service_is_offered_called_and_taken_back() {
    let hub = hub(SlowClient::Drop);
    let services = hub.provide_services().unwrap();
    let mut client = Client::join(&hub);
    let (provider, calls) = asked();
    let handle = services.add(service("/set"), provider.clone()).unwrap();
    assert!(services.add(service("/set"), provider).is_err(), "a name is taken once");
    let Some(Sent::Other(ServerMessage::AdvertiseServices(offered))) = client.news().pop() else {
        panic!("not offered")
    };
    assert_eq!((offered[0].id, offered[0].name.as_str()), (handle.id(), "/set"));
    for id in 1..=3 {
        assert_eq!(client.say(call(handle.id(), id)), []);
    }
    let next = || calls.recv().unwrap();
    let ((first, answer), (_, second), (_, third)) = (next(), next(), next());
    assert_eq!((first.encoding.as_str(), &first.payload[..]), ("json", &b"{}"[..]));
    answer.respond(Ok(Bytes::from_static(b"[1]")));
    second.respond(Err("the gripper is stuck".into()));
    drop(third);
    let response = Sent::Other(ServerMessage::ServiceCallResponse(ServiceCallResponse {
        service_id: handle.id(),
        call_id: CallId(1),
        encoding: "json".into(),
        payload: Bytes::from_static(b"[1]"),
    }));
    let dropped = failure(handle.id(), 3, "the request was dropped without an answer");
    assert_eq!(client.news(), [response, failure(handle.id(), 2, "the gripper is stuck"), dropped]);

    let id = handle.id();
    drop(handle);
    assert_eq!(client.news(), [Sent::Other(ServerMessage::UnadvertiseServices(vec![id]))]);
    assert_eq!(client.say(call(id, 4)), [failure(id, 4, "there is no service 1")]);
    let none = Client::join(&self::hub(SlowClient::Drop)).say(call(id, 5));
    assert_eq!(none, [failure(id, 5, "this server has no services")]);
}

/// What clients published.
#[derive(Default)]
struct Published(Mutex<Vec<String>>);

impl Published {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }
}

impl ClientPublish for Published {
    fn encodings(&self) -> Vec<String> {
        vec!["json".into()]
    }

    fn advertise(&self, _client: ClientId, channel: &ClientChannel) -> Result<(), String> {
        if channel.encoding != "json" {
            return Err(format!("{} is not taken", channel.encoding));
        }
        self.note(format!("+{}", channel.topic));
        Ok(())
    }

    fn unadvertise(&self, _client: ClientId, channel: ClientChannelId) {
        self.note(format!("-{}", channel.0));
    }

    fn message(&self, _client: ClientId, channel: ClientChannelId, payload: Bytes) {
        self.note(format!("{}:{}", channel.0, String::from_utf8_lossy(&payload)));
    }
}

fn advertise(id: u32, encoding: &str) -> ClientMessage {
    ClientMessage::Advertise(vec![ClientChannel {
        id: ClientChannelId(id),
        topic: format!("/t{id}"),
        encoding: encoding.into(),
        schema_name: String::new(),
        schema: None,
        schema_encoding: None,
    }])
}

fn data(channel: u32) -> ClientMessage {
    let channel_id = ClientChannelId(channel);
    ClientMessage::MessageData(ClientMessageData { channel_id, payload: Bytes::from_static(b"{}") })
}

#[test]
fn a_client_publishes_on_its_own_channels_which_end_with_it() {
    let hub = hub(SlowClient::Drop);
    let published = Arc::new(Published::default());
    hub.provide_publish(published.clone()).unwrap();
    let mut client = Client::join(&hub);
    assert_eq!(client.say(advertise(1, "json")), []);
    assert_eq!(client.say(advertise(2, "json")), []);
    assert!(error(&client.say(advertise(1, "json"))).contains("the id is in use"));
    assert!(error(&client.say(advertise(3, "cbor"))).contains("/t3"));
    assert_eq!(client.say(data(1)), []);
    assert!(error(&client.say(data(3))).contains("no channel 3"));
    assert_eq!(client.say(ClientMessage::Unadvertise(vec![ClientChannelId(1)])), []);
    let unknown = client.say(ClientMessage::Unadvertise(vec![ClientChannelId(1)]));
    assert!(warning(&unknown).contains("no channel 1"));
    error(&client.say(data(1)));
    drop(client);
    assert_eq!(*published.0.lock().unwrap(), ["+/t1", "+/t2", "1:{}", "-1", "-2"]);
}

#[test]
fn publishing_to_a_server_that_takes_nothing_is_refused() {
    unsupported(advertise(1, "json"), "clientPublish");
    unsupported(ClientMessage::Unadvertise(vec![ClientChannelId(1)]), "clientPublish");
    unsupported(data(1), "clientPublish");
}

#[test]
fn the_connection_graph_is_followed_whole_and_then_by_its_changes() {
    let hub = hub(SlowClient::Drop);
    let graph = hub.provide_graph().unwrap();
    let add = |topic: &str| {
        graph.update(|graph| drop(graph.published.insert(topic.to_owned(), ["node".to_owned()].into())));
    };
    add("/a");
    let mut client = Client::join(&hub);
    let topics = |sent: Vec<Sent>| -> Vec<String> {
        let [Sent::Other(ServerMessage::ConnectionGraphUpdate(update))] = &sent[..] else {
            panic!("{sent:?}")
        };
        update.published_topics.iter().map(|topic| topic.name.clone()).collect()
    };
    assert_eq!(topics(client.say(ClientMessage::SubscribeConnectionGraph)), ["/a"]);
    add("/b");
    assert_eq!(topics(client.news()), ["/b"]);
    add("/b");
    assert_eq!(client.news(), [], "nothing changed");
    assert_eq!(
        topics(client.say(ClientMessage::SubscribeConnectionGraph)),
        ["/a", "/b"],
        "again, as in a new session"
    );
    client.say(ClientMessage::UnsubscribeConnectionGraph);
    add("/c");
    assert_eq!(client.news(), []);
    unsupported(ClientMessage::SubscribeConnectionGraph, "connectionGraph");
    unsupported(ClientMessage::UnsubscribeConnectionGraph, "connectionGraph");
}

impl Playback for Asked<(PlaybackRequest, Responder<PlaybackState>)> {
    fn request(&self, request: PlaybackRequest, answer: Responder<PlaybackState>) {
        self.0.lock().unwrap().send((request, answer)).unwrap();
    }
}

#[test]
fn playback_control_reaches_the_player_and_a_speed_that_is_none_is_refused() {
    let hub = hub(SlowClient::Drop);
    let (player, requests) = asked();
    let range = TimeRange { start: Timestamp(0), end: Timestamp(9) };
    hub.provide_playback(player, range).unwrap();
    let mut client = Client::join(&hub);
    let control = |speed: f32| {
        ClientMessage::PlaybackControlRequest(PlaybackControlRequest {
            command: PlaybackCommand::Play,
            speed,
            seek: Some(Timestamp(5)),
            request_id: "r".into(),
        })
    };
    assert_eq!(client.say(control(2.0)), []);
    let (PlaybackRequest { seek, rate, command, .. }, _answer) = requests.recv().unwrap();
    assert_eq!(seek, Some(Seek::To(Timestamp(5))));
    assert_eq!(rate, Some(RateChange::To(Rate::Times(2.0))));
    assert_eq!(command, Some(Command::Play));
    for speed in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(error(&client.say(control(speed))).contains("speed"));
    }
    let state = PlaybackState {
        status: PlaybackStatus::Paused,
        current_time: Timestamp(4),
        speed: 2.0,
        did_seek: true,
        request_id: None,
    };
    hub.publisher().playback_changed(state.clone());
    client.news();
    let [Sent::Status(status), Sent::State(answer)] = &client.say(control(0.0))[..] else { panic!() };
    assert_eq!(status.level, Level::Error);
    assert_eq!(*answer, PlaybackState { did_seek: false, request_id: Some("r".into()), ..state });
    assert!(requests.try_recv().is_err());
    unsupported(control(1.0), "playbackControl");
}

#[test]
fn a_client_that_floods_the_player_is_refused_until_that_has_answered() {
    let hub = hub(SlowClient::Drop);
    let (player, requests) = asked();
    hub.provide_playback(player, TimeRange { start: Timestamp(0), end: Timestamp(9) }).unwrap();
    let mut client = Client::join(&hub);
    let pause = |id: u32| {
        ClientMessage::PlaybackControlRequest(PlaybackControlRequest {
            command: PlaybackCommand::Pause,
            speed: 1.0,
            seek: None,
            request_id: id.to_string(),
        })
    };
    for id in 0..1000 {
        assert_eq!(client.say(pause(id)), []);
    }
    assert!(error(&client.say(pause(1000))).contains("\"1000\""));
    drop(requests.recv());
    assert!(error(&client.news()).contains("\"0\""), "the player has stopped");
    assert_eq!(client.say(pause(1001)), []);
}

#[test]
fn the_id_of_a_playback_control_request_has_a_kibibyte_at_most() {
    let hub = hub(SlowClient::Drop);
    let (player, requests) = asked();
    let range = TimeRange { start: Timestamp(0), end: Timestamp(9) };
    hub.provide_playback(player, range).unwrap();
    let mut client = Client::join(&hub);
    let control = |length: usize| {
        ClientMessage::PlaybackControlRequest(PlaybackControlRequest {
            command: PlaybackCommand::Play,
            speed: 1.0,
            seek: None,
            request_id: "x".repeat(length),
        })
    };
    assert_eq!(client.say(control(1024)), []);
    let _under_way = requests.try_recv().unwrap();
    assert!(error(&client.say(control(1025))).contains("1025 bytes, 1024 are allowed"));
    assert!(requests.try_recv().is_err());
}

#[test]
fn a_text_that_is_too_long_gets_a_status_that_names_the_limit() {
    let mut client = Client::join(&hub(SlowClient::Drop));
    client.session.on_long_text(5_000_000, 1 << 20);
    let sent = client.news();
    assert!(error(&sent).contains("5000000 bytes") && error(&sent).contains("1048576"), "{sent:?}");
}

#[test]
fn what_is_declared_is_what_is_provided_and_each_has_one_provider() {
    let hub = hub(SlowClient::Drop);
    let declared = |hub: &Hub| {
        let client = hub.join(ClientInfo::default());
        let crate::hub::outbox::Encoded::Text(text) =
            client.take(crate::hub::outbox::Progress::Written, Instant::now()).control[0].frame.clone()
        else {
            panic!("not a text")
        };
        let ServerMessage::ServerInfo(info) =
            ServerMessage::decode_text(std::str::from_utf8(&text).unwrap()).unwrap()
        else {
            panic!("not serverInfo")
        };
        let capabilities: Vec<_> = info.capabilities.iter().map(ToString::to_string).collect();
        (capabilities.join(" "), info.supported_encodings)
    };
    assert_eq!(declared(&hub), ("time".to_owned(), vec![]));
    hub.provide_parameters(Arc::new(Store::default())).unwrap();
    let services = hub.provide_services().unwrap();
    assert_eq!(
        declared(&hub),
        ("time parameters parametersSubscribe services".to_owned(), vec!["json".to_owned()])
    );
    hub.provide_publish(Arc::new(Published::default())).unwrap();
    let _graph = hub.provide_graph().unwrap();
    assert_eq!(declared(&hub).1, ["json"]);
    assert!(declared(&hub).0.contains("clientPublish") && declared(&hub).0.contains("connectionGraph"));
    assert_eq!(
        hub.provide_parameters(Arc::new(Store::default())).unwrap_err().to_string(),
        "the capability parameters has a provider already"
    );
    assert!(hub.provide_services().is_err() && hub.provide_graph().is_err());
    drop(services);
}
