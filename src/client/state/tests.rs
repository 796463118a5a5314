//! The state alone: messages and requests in, outputs out.

use std::sync::Mutex;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::model::{ChannelId, SubscriptionId};
use crate::pattern::{TopicFilter, TopicPattern};
use crate::protocol::{
    AdvertiseTable, AdvertisedChannel, AssetRequestId, CallId, ClientChannel, ClientChannelId,
    FetchAssetResponse, Frame, MessageData, Parameter, ParameterValues, PlaybackCommand, PlaybackStatus,
    SchemaEntry, SchemaId, ServerMessage, ServiceCallFailure, ServiceCallResponse, Status, TabledChannel,
};
use crate::time::Timestamp;

fn advertised(id: u32, topic: &str) -> AdvertisedChannel {
    AdvertisedChannel {
        id: ChannelId(id),
        topic: topic.to_owned(),
        encoding: "json".to_owned(),
        schema_name: String::new(),
        schema_encoding: None,
        schema: String::new(),
        metadata: BTreeMap::new(),
    }
}

fn info(session: &str, capabilities: &[Capability]) -> ServerMessage {
    ServerMessage::ServerInfo(ServerInfo {
        name: "test".to_owned(),
        capabilities: capabilities.to_vec(),
        session_id: Some(session.to_owned()),
        ..ServerInfo::default()
    })
}

fn data(subscription: u32, payload: &'static str) -> ServerMessage {
    ServerMessage::MessageData(MessageData {
        subscription_id: SubscriptionId(subscription),
        log_time: Timestamp(1),
        payload: Bytes::from_static(payload.as_bytes()),
    })
}

/// The state with a clock of the test's own.
struct Client {
    state: State,
    start: Instant,
    now: Instant,
}

impl Client {
    fn new() -> Self {
        let start = Instant::now();
        Self { state: State::new(), start, now: start }
    }

    /// One that has a connection of a session, to a server with these capabilities.
    fn connected(capabilities: &[Capability]) -> Self {
        let mut client = Self::new();
        client.state.on_connected(Subprotocol::SdkV1);
        client.hear(info("s", capabilities));
        client
    }

    fn reconnect(&mut self, session: &str, capabilities: &[Capability]) -> Vec<Output> {
        self.state.on_disconnected();
        self.outputs();
        self.state.on_connected(Subprotocol::SdkV1);
        self.hear(info(session, capabilities))
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.state.next_output()).collect()
    }

    fn hear(&mut self, message: ServerMessage) -> Vec<Output> {
        self.state.on_message(message, 100, self.now);
        self.outputs()
    }

    fn subscribe(&mut self, taker: u64, topics: impl Into<Topics>) -> Vec<Output> {
        self.state.subscribe(TakerId(taker), topics.into());
        self.outputs()
    }

    /// Asks, and keeps what is answered.
    fn ask<T: Send + 'static>(&mut self, request: impl FnOnce(Reply<T>) -> Request) -> Asked<T> {
        let answers = Arc::new(Mutex::new(Vec::new()));
        let kept = answers.clone();
        let after = Duration::from_secs(10);
        let deadline = Deadline { at: self.now + after, after };
        let reply = Box::new(move |answer| kept.lock().unwrap().push(answer));
        self.state.request(request(reply), deadline, self.now);
        Asked { answers, sent: self.outputs() }
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.state.on_time(self.now);
    }
}

struct Asked<T> {
    answers: Arc<Mutex<Vec<Result<T, RequestError>>>>,
    sent: Vec<Output>,
}

impl<T> Asked<T> {
    fn take(&self) -> Vec<Result<T, RequestError>> {
        std::mem::take(&mut *self.answers.lock().unwrap())
    }
}

fn sent(outputs: &[Output]) -> Vec<&ClientMessage> {
    outputs
        .iter()
        .filter_map(|output| if let Output::Send(message) = output { Some(message) } else { None })
        .collect()
}

fn events(outputs: &[Output]) -> Vec<&Event> {
    outputs
        .iter()
        .filter_map(|output| if let Output::Tell(event, _) = output { Some(event) } else { None })
        .collect()
}

fn problem(outputs: &[Output]) -> &str {
    match events(outputs).as_slice() {
        [Event::Problem(text)] => text,
        other => panic!("{other:?}"),
    }
}

fn subscription(id: u32, channel: u32) -> ClientMessage {
    ClientMessage::Subscribe(vec![Subscription { id: SubscriptionId(id), channel_id: ChannelId(channel) }])
}

#[test]
fn channels_are_subscribed_to_now_and_when_they_come() {
    let mut client = Client::connected(&[]);
    client.hear(ServerMessage::Advertise(vec![advertised(1, "/a"), advertised(2, "/b")]));
    assert_eq!(sent(&client.subscribe(1, "/a")), [&subscription(0, 1)]);
    assert_eq!(sent(&client.subscribe(2, "/late")), [] as [&ClientMessage; 0]);
    let outputs = client.hear(ServerMessage::Advertise(vec![advertised(3, "/late"), advertised(4, "/x")]));
    assert_eq!(sent(&outputs), [&subscription(1, 3)]);
    assert_eq!(events(&outputs).len(), 2);
}

#[test]
fn a_pattern_and_an_id_choose_channels() {
    let mut client = Client::connected(&[]);
    client.hear(ServerMessage::Advertise(vec![advertised(1, "/cam/left"), advertised(2, "/imu")]));
    let pattern: TopicPattern = "/cam/*".parse().unwrap();
    assert_eq!(sent(&client.subscribe(1, pattern)), [&subscription(0, 1)]);
    assert_eq!(sent(&client.subscribe(2, ChannelId(2))), [&subscription(1, 2)]);
    let late = client.hear(ServerMessage::Advertise(vec![advertised(7, "/cam/right")]));
    assert_eq!(sent(&late), [&subscription(2, 7)]);
}

#[test]
fn two_who_want_a_channel_share_a_subscription_until_the_last_is_gone() {
    let mut client = Client::connected(&[]);
    client.hear(ServerMessage::Advertise(vec![advertised(1, "/a")]));
    client.subscribe(1, "/a");
    assert_eq!(client.subscribe(2, Topics::All), []);
    let [Output::Deliver { takers, message, .. }] = &client.hear(data(0, "{}"))[..] else { panic!() };
    assert_eq!((&takers[..], message.channel.topic.as_str()), (&[TakerId(1), TakerId(2)][..], "/a"));
    client.state.unsubscribe(TakerId(1));
    assert_eq!(client.outputs(), []);
    client.state.unsubscribe(TakerId(2));
    assert_eq!(sent(&client.outputs()), [&ClientMessage::Unsubscribe(vec![SubscriptionId(0)])]);
    assert_eq!(client.hear(data(0, "{}")), [], "what was under way is no problem");
    assert!(problem(&client.hear(data(9, "{}"))).contains("subscription 9"));
}

#[test]
fn a_channel_that_ends_ends_its_subscription_and_its_topic_may_come_back() {
    let mut client = Client::connected(&[]);
    client.subscribe(1, "/a");
    client.hear(ServerMessage::Advertise(vec![advertised(1, "/a")]));
    let outputs = client.hear(ServerMessage::Unadvertise(vec![ChannelId(1)]));
    assert!(sent(&outputs).is_empty() && matches!(events(&outputs)[..], [Event::ChannelRemoved(_)]));
    let outputs = client.hear(ServerMessage::Advertise(vec![advertised(8, "/a")]));
    assert_eq!(sent(&outputs), [&subscription(1, 8)]);
    assert!(problem(&client.hear(ServerMessage::Unadvertise(vec![ChannelId(1)]))).contains("channel 1"));
}

#[test]
fn one_id_for_two_channels_is_a_problem_and_the_first_stays() {
    let mut client = Client::connected(&[]);
    client.hear(ServerMessage::Advertise(vec![advertised(1, "/a")]));
    assert_eq!(client.hear(ServerMessage::Advertise(vec![advertised(1, "/a")])), []);
    let outputs = client.hear(ServerMessage::Advertise(vec![advertised(1, "/b")]));
    assert!(problem(&outputs).contains("channel id 1 is advertised again, for '/b'"));
    assert_eq!(client.state.channels().map(|channel| channel.topic.as_str()).collect::<Vec<_>>(), ["/a"]);
}

#[test]
fn after_a_reconnect_topics_are_subscribed_to_under_their_new_ids() {
    let mut client = Client::connected(&[]);
    client.subscribe(1, ChannelId(1));
    client.subscribe(2, "/b");
    client.hear(ServerMessage::Advertise(vec![advertised(1, "/a"), advertised(2, "/b")]));
    let outputs = client.reconnect("s", &[]);
    assert!(matches!(events(&outputs)[..], [Event::Connected { session: Session::Same, .. }]));
    // the same session: ids are still good
    let outputs = client.hear(ServerMessage::Advertise(vec![advertised(1, "/a"), advertised(2, "/b")]));
    assert_eq!(sent(&outputs).len(), 1);
    let outputs = client.reconnect("another", &[]);
    assert!(matches!(events(&outputs)[..], [Event::Connected { session: Session::New, .. }]));
    let outputs = client.hear(ServerMessage::Advertise(vec![advertised(1, "/b"), advertised(2, "/a")]));
    let [ClientMessage::Subscribe(subscriptions)] = sent(&outputs)[..] else { panic!("{outputs:?}") };
    let channels: Vec<u32> = subscriptions.iter().map(|subscription| subscription.channel_id.0).collect();
    assert_eq!(channels, [1, 2]);
    let [Output::Deliver { takers, .. }] = &client.hear(data(subscriptions[1].id.0, "{}"))[..] else {
        panic!()
    };
    assert_eq!(takers[..], [TakerId(1)], "the id meant /a");
}

#[test]
fn capabilities_that_a_later_server_info_leaves_out_stay() {
    let mut client = Client::connected(&[Capability::Parameters]);
    let outputs = client.hear(info("t", &[Capability::Services]));
    assert!(matches!(events(&outputs)[..], [Event::NewInfo { session: Session::New, .. }]));
    assert_eq!(client.state.info().unwrap().capabilities, [Capability::Parameters, Capability::Services]);
    let asked = client.ask(|reply| Request::GetParameters(vec![], reply));
    assert_eq!((asked.sent.len(), asked.take().len()), (1, 0));
    client.reconnect("t", &[]);
    assert_eq!(client.state.info().unwrap().capabilities, []);
}

fn tabled(id: u32, topic: &str, schema: u64) -> TabledChannel {
    TabledChannel {
        id: ChannelId(id),
        topic: topic.to_owned(),
        encoding: "json".to_owned(),
        schema_id: Some(SchemaId(schema)),
        metadata: BTreeMap::new(),
    }
}

fn table(schemas: &[(u64, &str)], channels: Vec<TabledChannel>) -> ServerMessage {
    let entry = |(id, name): &(u64, &str)| SchemaEntry {
        id: SchemaId(*id),
        name: (*name).to_owned(),
        encoding: "jsonschema".to_owned(),
        data: "{}".to_owned(),
    };
    ServerMessage::AdvertiseTable(AdvertiseTable { schemas: schemas.iter().map(entry).collect(), channels })
}

#[test]
fn schemas_of_a_table_are_shared_and_server_info_empties_it() {
    let mut client = Client::connected(&[]);
    client.hear(table(&[(1, "Pose")], vec![tabled(1, "/a", 1), tabled(2, "/b", 1)]));
    client.hear(table(&[], vec![tabled(3, "/c", 1)]));
    let schemas: Vec<_> = client.state.channels().map(|channel| channel.schema.clone().unwrap()).collect();
    assert_eq!(schemas[0].name, "Pose");
    assert!(schemas.iter().all(|schema| Arc::ptr_eq(schema, &schemas[0])) && schemas.len() == 3);
    client.hear(info("t", &[]));
    let outputs = client.hear(table(&[], vec![tabled(4, "/d", 1)]));
    assert!(problem(&outputs).contains("'/d': it refers to schema 1, which was not sent"));
}

#[test]
fn equal_schemas_of_channels_are_kept_once() {
    let mut client = Client::connected(&[]);
    let with_schema = |id, topic| AdvertisedChannel {
        schema_name: "T".to_owned(),
        schema: r#"{"type":"object"}"#.to_owned(),
        ..advertised(id, topic)
    };
    client.hear(ServerMessage::Advertise(vec![with_schema(1, "/a"), with_schema(2, "/b")]));
    let schemas: Vec<_> = client.state.channels().map(|channel| channel.schema.clone().unwrap()).collect();
    assert!(Arc::ptr_eq(&schemas[0], &schemas[1]));
}

#[test]
fn a_server_that_advertises_without_end_is_left() {
    let mut client = Client::connected(&[]);
    let large = "x".repeat(1 << 20);
    let mut failed = None;
    for id in 0..400 {
        let channel = AdvertisedChannel {
            schema: format!("{id}{large}"),
            schema_name: "T".into(),
            ..advertised(id, "/a")
        };
        let outputs = client.hear(ServerMessage::Advertise(vec![channel]));
        if outputs.iter().any(|output| matches!(output, Output::Fail(_))) {
            failed = Some(id);
            break;
        }
    }
    assert!(failed.is_some_and(|id| id > 200), "{failed:?}");
}

#[test]
fn channels_that_come_and_go_take_no_memory() {
    let mut client = Client::connected(&[]);
    let large = "x".repeat(1 << 20);
    for id in 0..600 {
        let channel = AdvertisedChannel {
            schema: format!("{id}{large}"),
            schema_name: "T".into(),
            ..advertised(id, "/a")
        };
        let outputs = client.hear(ServerMessage::Advertise(vec![channel]));
        assert!(!outputs.iter().any(|output| matches!(output, Output::Fail(_))), "{id}");
        drop(outputs);
        client.hear(ServerMessage::Unadvertise(vec![ChannelId(id)]));
    }
}

#[test]
fn channels_of_a_session_after_the_other_count_until_they_go() {
    let mut client = Client::connected(&[]);
    let large = "x".repeat(1 << 20);
    let mut failed = None;
    for id in 0..400 {
        client.hear(info(&id.to_string(), &[]));
        let schema = SchemaEntry {
            id: SchemaId(1),
            name: "T".into(),
            encoding: "jsonschema".into(),
            data: format!("{id}{large}"),
        };
        let channel = TabledChannel {
            id: ChannelId(id),
            topic: "/a".into(),
            encoding: "json".into(),
            schema_id: Some(SchemaId(1)),
            metadata: BTreeMap::new(),
        };
        let table = AdvertiseTable { schemas: vec![schema], channels: vec![channel] };
        let outputs = client.hear(ServerMessage::AdvertiseTable(table));
        if outputs.iter().any(|output| matches!(output, Output::Fail(_))) {
            failed = Some(id);
            break;
        }
    }
    assert!(failed.is_some_and(|id| id > 200), "{failed:?}");
}

#[test]
fn channels_that_are_refused_take_no_memory() {
    let mut client = Client::connected(&[]);
    let large = "x".repeat(1 << 20);
    for number in 0..300 {
        let channel = AdvertisedChannel {
            schema: format!("{number}{large}"),
            schema_name: "T".into(),
            ..advertised(1, "/a")
        };
        let outputs = client.hear(ServerMessage::Advertise(vec![channel]));
        assert!(!outputs.iter().any(|output| matches!(output, Output::Fail(_))), "{number}");
    }
}

#[test]
fn requests_get_their_answers_and_no_others() {
    let mut client = Client::connected(&[Capability::Parameters, Capability::Assets]);
    let parameters = client.ask(|reply| Request::GetParameters(vec!["/a".into()], reply));
    let [ClientMessage::GetParameters(request)] = sent(&parameters.sent)[..] else { panic!() };
    let id = request.id.clone();
    let asset = client.ask(|reply| Request::FetchAsset("package://x".into(), reply));
    let [ClientMessage::FetchAsset(request)] = sent(&asset.sent)[..] else { panic!() };
    // of the same number, but of another kind
    let other = FetchAssetResponse { request_id: AssetRequestId(0), result: Ok(Bytes::new()) };
    client.hear(ServerMessage::FetchAssetResponse(other));
    let answer = FetchAssetResponse { request_id: request.request_id, result: Err("gone".into()) };
    client.hear(ServerMessage::FetchAssetResponse(answer.clone()));
    client.hear(ServerMessage::FetchAssetResponse(answer));
    assert_eq!(asset.take(), [Err(RequestError::Failed("gone".into()))]);
    let values = ParameterValues { parameters: vec![Parameter::new("/a", 1)], id };
    assert_eq!(client.hear(ServerMessage::ParameterValues(values.clone())), []);
    assert_eq!(parameters.take(), [Ok(values.parameters.clone())]);
    let outputs = client.hear(ServerMessage::ParameterValues(values));
    assert!(matches!(events(&outputs)[..], [Event::Parameters(_)]), "nobody waits for it any more");
}

#[test]
fn a_request_that_nobody_answers_runs_out_of_time() {
    let mut client = Client::connected(&[Capability::Parameters]);
    let asked = client.ask(|reply| Request::GetParameters(vec![], reply));
    assert_eq!(client.state.next_deadline(), Some(client.start + Duration::from_secs(10)));
    client.wait(9_999);
    assert_eq!(asked.take(), []);
    client.wait(1);
    assert_eq!(asked.take(), [Err(RequestError::TimedOut(Duration::from_secs(10)))]);
    assert_eq!(client.state.next_deadline(), None);
}

#[test]
fn the_end_of_the_connection_answers_all_requests() {
    let mut client = Client::connected(&[Capability::Services, Capability::Parameters]);
    let parked = client.ask(|reply| Request::Call("/late".into(), None, Bytes::new(), reply));
    let open = client.ask(|reply| Request::GetParameters(vec![], reply));
    client.state.on_disconnected();
    assert_eq!(parked.take(), [Err(RequestError::Disconnected)]);
    assert_eq!(open.take(), [Err(RequestError::Disconnected)]);
    let asked = client.ask(|reply| Request::GetParameters(vec![], reply));
    assert_eq!(asked.take(), [Err(RequestError::NotConnected)]);
}

fn service(id: u32, name: &str) -> Service {
    Service {
        id: ServiceId(id),
        name: name.to_owned(),
        service_type: "T".to_owned(),
        request: None,
        request_schema: Some(String::new()),
        response: None,
        response_schema: Some(String::new()),
    }
}

#[test]
fn a_call_waits_for_services_that_come_with_the_connection() {
    let mut client = Client::connected(&[Capability::Services]);
    let asked = client.ask(|reply| Request::Call("/set".into(), None, Bytes::from_static(b"{}"), reply));
    assert_eq!(asked.sent, []);
    let outputs = client.hear(ServerMessage::AdvertiseServices(vec![service(4, "/set")]));
    let [ClientMessage::ServiceCallRequest(call)] = sent(&outputs)[..] else { panic!("{outputs:?}") };
    assert_eq!((call.service_id, call.encoding.as_str()), (ServiceId(4), "json"));
    let answer = ServiceCallResponse {
        service_id: ServiceId(4),
        call_id: call.call_id,
        encoding: "json".into(),
        payload: Bytes::from_static(b"[]"),
    };
    client.hear(ServerMessage::ServiceCallResponse(ServiceCallResponse {
        service_id: ServiceId(5),
        ..answer.clone()
    }));
    assert_eq!(asked.take(), [], "another service");
    client.hear(ServerMessage::ServiceCallResponse(answer));
    assert_eq!(asked.take().len(), 1);
    client.wait(1_000);
    let asked = client.ask(|reply| Request::Call("/none".into(), None, Bytes::new(), reply));
    assert_eq!(asked.take(), [Err(RequestError::NoSuchService("/none".into()))]);
}

#[test]
fn a_service_that_does_not_come_is_none_after_a_second() {
    let mut client = Client::connected(&[Capability::Services]);
    let asked = client.ask(|reply| Request::Call("/none".into(), None, Bytes::new(), reply));
    assert_eq!(client.state.next_deadline(), Some(client.start + SETTLING));
    client.wait(1_000);
    assert_eq!(asked.take(), [Err(RequestError::NoSuchService("/none".into()))]);
}

fn playing(status: PlaybackStatus, speed: f32, request_id: Option<String>) -> ServerMessage {
    let current_time = Timestamp(5);
    ServerMessage::PlaybackState(PlaybackState { status, current_time, speed, did_seek: false, request_id })
}

#[test]
fn a_change_of_playback_keeps_what_is_not_changed() {
    let mut client = Client::connected(&[Capability::PlaybackControl]);
    let seek = PlaybackChange { seek: Some(Timestamp(9)), ..PlaybackChange::default() };
    let asked = client.ask(|reply| Request::Playback(seek, reply));
    assert_eq!(asked.sent, [], "the state comes first");
    let outputs = client.hear(playing(PlaybackStatus::Paused, 2.0, None));
    let [ClientMessage::PlaybackControlRequest(request)] = sent(&outputs)[..] else { panic!("{outputs:?}") };
    assert_eq!(
        (request.command, request.speed, request.seek),
        (PlaybackCommand::Pause, 2.0, Some(Timestamp(9)))
    );
    let id = Some(request.request_id.clone());
    client.hear(playing(PlaybackStatus::Paused, 2.0, id));
    assert_eq!(asked.take().len(), 1);
}

#[test]
fn a_server_that_tells_no_state_is_taken_to_be_playing() {
    let mut client = Client::connected(&[Capability::PlaybackControl]);
    let seek = PlaybackChange { seek: Some(Timestamp(9)), ..PlaybackChange::default() };
    client.ask(|reply| Request::Playback(seek, reply));
    let state = client.ask(Request::PlaybackState);
    client.wait(1_000);
    let outputs = client.outputs();
    let [ClientMessage::PlaybackControlRequest(request)] = sent(&outputs)[..] else { panic!("{outputs:?}") };
    assert_eq!((request.command, request.speed), (PlaybackCommand::Play, 1.0));
    assert_eq!(state.take(), [Ok(None)]);
}

#[test]
fn what_was_asked_for_until_further_notice_is_asked_for_on_each_connection() {
    let mut client = Client::new();
    let channel = ClientChannel {
        id: ClientChannelId(1),
        topic: "/cmd".into(),
        encoding: "json".into(),
        schema_name: String::new(),
        schema_encoding: None,
        schema: None,
    };
    client.state.change(Change::Advertise(channel.clone())).unwrap();
    client.state.change(Change::Follow(Followed::Named(vec!["/p".into()]))).unwrap();
    client.state.change(Change::FollowGraph).unwrap();
    assert_eq!(client.outputs(), []);
    let all = [Capability::ClientPublish, Capability::ParametersSubscribe, Capability::ConnectionGraph];
    let expected = [
        ClientMessage::Advertise(vec![channel]),
        ClientMessage::SubscribeParameterUpdates(vec!["/p".into()]),
        ClientMessage::SubscribeConnectionGraph,
    ];
    for session in ["a", "b"] {
        let outputs = client.reconnect(session, &all);
        assert_eq!(sent(&outputs), expected.iter().collect::<Vec<_>>());
        assert_eq!(
            sent(&client.hear(info(session, &all))),
            [] as [&ClientMessage; 0],
            "once on a connection"
        );
    }
    client.state.change(Change::UnfollowGraph).unwrap();
    client.state.change(Change::Unadvertise(ClientChannelId(1))).unwrap();
    assert_eq!(sent(&client.outputs()).len(), 2);
    assert_eq!(sent(&client.reconnect("c", &all)).len(), 1);
}

#[test]
fn what_a_server_does_not_offer_is_refused_at_once() {
    let mut client = Client::connected(&[]);
    let unsupported = |capability| Err(RequestError::Unsupported(capability));
    assert_eq!(client.state.change(Change::FollowGraph), unsupported(Capability::ConnectionGraph));
    let asked = client.ask(|reply| Request::GetParameters(vec![], reply));
    assert_eq!(asked.take(), [Err(RequestError::Unsupported(Capability::Parameters))]);
    assert_eq!(sent(&client.reconnect("t", &[Capability::ConnectionGraph])), [] as [&ClientMessage; 0]);
}

/// What can happen to a client.
#[derive(Debug, Clone)]
enum Step {
    Subscribe(u64, u8),
    Unsubscribe(u64),
    Hear(ServerMessage),
    Bytes(Vec<u8>, bool),
    Ask(u8),
    Follow(bool),
    Wait(u16),
    Reconnect(bool),
}

fn topics(choice: u8) -> Topics {
    match choice % 5 {
        0 => Topics::All,
        1 => Topics::Channel(ChannelId(u32::from(choice) % 5)),
        2 => Topics::Matching("/[ab]".parse().unwrap()),
        3 => Topics::Filtered(TopicFilter { include: Vec::new(), exclude: vec!["/[ab]".parse().unwrap()] }),
        _ => Topics::Topic(format!("/{}", char::from(b'a' + choice % 5))),
    }
}

/// Messages of a server that keeps to no rule; ids and topics are few, so that they meet.
fn message() -> impl Strategy<Value = ServerMessage> {
    let id = 0u32..6;
    let channel = (id.clone(), "/[a-d]").prop_map(|(id, topic)| advertised(id, &topic));
    prop_oneof![
        proptest::collection::vec(channel, 0..4).prop_map(ServerMessage::Advertise),
        proptest::collection::vec((id.clone(), "/[a-d]", 0u64..3), 0..3).prop_map(|channels| {
            let channels =
                channels.into_iter().map(|(id, topic, schema)| tabled(id, &topic, schema)).collect();
            table(&[(1, "T"), (2, "U")], channels)
        }),
        proptest::collection::vec(id.clone().prop_map(ChannelId), 0..3).prop_map(ServerMessage::Unadvertise),
        (0u32..40).prop_map(|id| data(id, "{}")),
        proptest::sample::select(vec!["s", "t"]).prop_map(|session| info(session, &ALL)),
        (id.clone(), "/[a-d]")
            .prop_map(|(id, name)| ServerMessage::AdvertiseServices(vec![service(id, &name)])),
        id.clone().prop_map(|id| ServerMessage::UnadvertiseServices(vec![ServiceId(id)])),
        (0u32..40).prop_map(|id| {
            let id = Some(format!("{REQUEST_ID}{id}"));
            ServerMessage::ParameterValues(ParameterValues { parameters: vec![], id })
        }),
        (id.clone(), 0u32..40).prop_map(|(service, call)| {
            let (service_id, call_id) = (ServiceId(service), CallId(call));
            ServerMessage::ServiceCallFailure(ServiceCallFailure {
                service_id,
                call_id,
                message: String::new(),
            })
        }),
        (0u32..40).prop_map(|id| {
            let request_id = AssetRequestId(id);
            ServerMessage::FetchAssetResponse(FetchAssetResponse { request_id, result: Ok(Bytes::new()) })
        }),
        (0u32..40).prop_map(|id| playing(PlaybackStatus::Ended, 1.0, Some(format!("{REQUEST_ID}{id}")))),
        Just(ServerMessage::Status(Status::info("hello"))),
        Just(ServerMessage::Time(Timestamp(1))),
    ]
}

const ALL: [Capability; 7] = [
    Capability::ClientPublish,
    Capability::Parameters,
    Capability::ParametersSubscribe,
    Capability::Services,
    Capability::ConnectionGraph,
    Capability::Assets,
    Capability::PlaybackControl,
];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0u64..4, any::<u8>()).prop_map(|(taker, choice)| Step::Subscribe(taker, choice)),
        1 => (0u64..4).prop_map(Step::Unsubscribe),
        4 => message().prop_map(Step::Hear),
        1 => (message(), any::<u16>(), any::<u8>()).prop_map(|(message, at, value)| {
            let (mut bytes, is_text) = match message.encode() {
                Frame::Text(text) => (text.into_bytes(), true),
                Frame::Binary(bytes) => (bytes, false),
            };
            if !bytes.is_empty() {
                let at = usize::from(at) % bytes.len();
                bytes[at] = value;
            }
            Step::Bytes(bytes, is_text)
        }),
        2 => (0u8..5).prop_map(Step::Ask),
        1 => any::<bool>().prop_map(Step::Follow),
        1 => (0u16..4000).prop_map(Step::Wait),
        1 => any::<bool>().prop_map(Step::Reconnect),
    ]
}

/// What a server that keeps to the protocol would know of the client.
#[derive(Default)]
struct Mirror {
    channels: BTreeSet<ChannelId>,
    subscribed: BTreeMap<SubscriptionId, ChannelId>,
    ids: BTreeSet<SubscriptionId>,
}

impl Mirror {
    fn check(&mut self, outputs: &[Output]) -> Result<(), TestCaseError> {
        for output in outputs {
            match output {
                Output::Tell(Event::ChannelAdded(channel), _) => {
                    prop_assert!(self.channels.insert(channel.id));
                }
                Output::Tell(Event::ChannelRemoved(channel), _) => {
                    prop_assert!(self.channels.remove(&channel.id));
                    self.subscribed.retain(|_, id| *id != channel.id);
                }
                Output::Send(ClientMessage::Subscribe(subscriptions)) => {
                    for Subscription { id, channel_id } in subscriptions {
                        prop_assert!(self.ids.insert(*id), "an id comes once");
                        prop_assert!(!self.subscribed.values().any(|other| other == channel_id));
                        self.subscribed.insert(*id, *channel_id);
                    }
                }
                Output::Send(ClientMessage::Unsubscribe(ids)) => {
                    for id in ids {
                        prop_assert!(self.subscribed.remove(id).is_some(), "it was subscribed");
                    }
                }
                Output::Deliver { takers, .. } => prop_assert!(!takers.is_empty()),
                Output::Send(_) | Output::Tell(..) | Output::Fail(_) => {}
            }
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_client_keeps_to_the_protocol_and_answers_once(
        steps in proptest::collection::vec(step(), 0..60)
    ) {
        let mut client = Client::new();
        let mut mirror = Mirror::default();
        let mut asked = Vec::new();
        let mut takers = BTreeSet::new();
        for step in steps {
            let mut outputs = Vec::new();
            match step {
                Step::Subscribe(taker, choice) => {
                    if takers.insert(taker) {
                        outputs = client.subscribe(taker, topics(choice));
                    }
                }
                Step::Unsubscribe(taker) => {
                    takers.remove(&taker);
                    client.state.unsubscribe(TakerId(taker));
                }
                Step::Hear(message) => outputs = client.hear(message),
                Step::Bytes(bytes, is_text) => {
                    let decoded = if is_text {
                        ServerMessage::decode_text(&String::from_utf8_lossy(&bytes))
                    } else {
                        ServerMessage::decode_binary(bytes.into())
                    };
                    match decoded {
                        Ok(message) => outputs = client.hear(message),
                        Err(error) => client.state.on_nonsense(&error),
                    }
                }
                Step::Ask(kind) => {
                    let answers = match kind {
                        0 => count(client.ask(|reply| Request::GetParameters(vec![], reply)), &mut outputs),
                        1 => count(client.ask(|reply| Request::FetchAsset("x".into(), reply)), &mut outputs),
                        2 => count(
                            client.ask(|reply| Request::Call("/a".into(), None, Bytes::new(), reply)),
                            &mut outputs,
                        ),
                        3 => {
                            let change = PlaybackChange::default();
                            count(client.ask(|reply| Request::Playback(change, reply)), &mut outputs)
                        }
                        _ => count(client.ask(Request::PlaybackState), &mut outputs),
                    };
                    asked.push(answers);
                }
                Step::Follow(on) => {
                    let change = if on { Change::FollowGraph } else { Change::UnfollowGraph };
                    // whether it is offered is not the question here
                    drop(client.state.change(change));
                }
                Step::Wait(millis) => client.wait(u64::from(millis)),
                Step::Reconnect(with_info) => {
                    client.state.on_disconnected();
                    outputs = client.outputs();
                    mirror.check(&outputs)?;
                    outputs.clear();
                    (mirror.channels, mirror.subscribed) = Default::default();
                    client.state.on_connected(Subprotocol::SdkV1_1);
                    if with_info {
                        outputs = client.hear(info("s", &ALL));
                    }
                }
            }
            mirror.check(&outputs)?;
            mirror.check(&client.outputs())?;
            prop_assert!(asked.iter().all(|count| count() <= 1));
        }
        for taker in takers {
            client.state.unsubscribe(TakerId(taker));
        }
        mirror.check(&client.outputs())?;
        prop_assert!(mirror.subscribed.is_empty(), "nobody wants anything");
        client.state.on_disconnected();
        prop_assert!(asked.iter().all(|count| count() == 1));
    }
}

/// How many answers have come, whatever they are.
fn count<T: Send + 'static>(asked: Asked<T>, outputs: &mut Vec<Output>) -> Box<dyn Fn() -> usize> {
    outputs.extend(asked.sent);
    let answers = asked.answers;
    Box::new(move || answers.lock().unwrap().len())
}
