//! Our own server and its client.

use std::sync::Mutex;
use std::time::Instant;

use super::*;
use crate::hub::capability::assets::Assets;
use crate::hub::capability::parameters::Parameters;
use crate::hub::capability::playback::{Asker, Playback, PlaybackRequest};
use crate::hub::capability::publish::ClientPublish;
use crate::hub::capability::services::{Service, ServiceCall, ServiceSpec};
use crate::hub::responder::Responder;
use crate::hub::{ClientId, Hub, HubOptions, Publisher};
use crate::model::{Batch, Entry};
use crate::pattern::TopicPattern;
use crate::protocol::{
    Capability, ClientChannel, ClientChannelId, PlaybackCommand, PlaybackState, PlaybackStatus,
    ServiceMessage, Subprotocol,
};
use crate::registry::{ChannelSpec, Registry};
use crate::server::Server;
use crate::time::{TimeRange, Timestamp};

/// Answers everything, and notes what clients publish.
#[derive(Default)]
pub(super) struct Robot {
    parameters: Mutex<Vec<Parameter>>,
    pub(super) published: Mutex<Vec<String>>,
}

impl Parameters for Robot {
    fn get(&self, names: Vec<String>, answer: Responder<Vec<Parameter>>) {
        let all = self.parameters.lock().unwrap();
        let wanted = |parameter: &&Parameter| names.is_empty() || names.contains(&parameter.name);
        answer.respond(all.iter().filter(wanted).cloned().collect());
    }

    fn set(&self, parameters: Vec<Parameter>, _by: ClientId, answer: Responder<Vec<Parameter>>) {
        self.parameters.lock().unwrap().clone_from(&parameters);
        answer.respond(parameters);
    }
}

impl Service for Robot {
    fn call(&self, call: ServiceCall, answer: Responder<Result<Bytes, String>>) {
        answer.respond(if call.payload == "bad" { Err("no".to_owned()) } else { Ok(call.payload) });
    }
}

impl Assets for Robot {
    fn fetch(&self, uri: String, answer: Responder<Result<Bytes, String>>) {
        answer.respond(if uri == "package://arm.stl" {
            Ok("solid".into())
        } else {
            Err(format!("no {uri}"))
        });
    }
}

impl ClientPublish for Robot {
    fn encodings(&self) -> Vec<String> {
        vec!["json".to_owned()]
    }

    fn advertise(&self, _client: ClientId, channel: &ClientChannel) -> Result<(), String> {
        self.published.lock().unwrap().push(channel.topic.clone());
        Ok(())
    }

    fn unadvertise(&self, _client: ClientId, _channel: ClientChannelId) {
        self.published.lock().unwrap().push("gone".to_owned());
    }

    fn message(&self, _client: ClientId, _channel: ClientChannelId, payload: Bytes) {
        self.published.lock().unwrap().push(String::from_utf8_lossy(&payload).into_owned());
    }
}

/// Stays where it is, and tells everybody.
struct Standing(Publisher);

impl Playback for Standing {
    fn request(&self, request: PlaybackRequest, answer: Responder<PlaybackState>) {
        let request_id = match request.by {
            Asker::Client { request_id, .. } => Some(request_id),
            Asker::Program => None,
        };
        let state = PlaybackState {
            status: PlaybackStatus::Paused,
            current_time: Timestamp(9),
            speed: 2.0,
            did_seek: true,
            request_id,
        };
        self.0.playback_changed(state.clone());
        answer.respond(state);
    }
}

pub(super) async fn serve(hub: Hub) -> (String, tokio::task::JoinHandle<()>) {
    let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap().with_compression(true);
    let url = format!("ws://{}", server.address());
    (url, tokio::spawn(server.run(hub, std::future::pending())))
}

#[tokio::test]
async fn messages_of_our_server_arrive_compressed_and_by_a_table_of_schemas() {
    let hub = Hub::new("robot", HubOptions::default());
    let registry = Registry::default();
    let schema = crate::model::Schema { name: "T".into(), encoding: "jsonschema".into(), data: "{}".into() };
    let spec = ChannelSpec { schema: Some(Arc::new(schema.clone())), ..ChannelSpec::json("/cam/left") };
    let channel = registry.claim(spec).unwrap().channel;
    let publisher = hub.publisher();
    publisher.announce(std::slice::from_ref(&channel));
    let (url, serving) = serve(hub.clone()).await;
    let client = Client::connect(&url).await.unwrap();
    let mut events = client.events();
    let subprotocol = event(&mut events, |event| match event {
        Event::Connected { subprotocol, .. } => Some(subprotocol),
        _ => None,
    });
    assert_eq!(subprotocol.await, Subprotocol::SdkV1_1);
    let mut messages = client.subscribe("/cam/*".parse::<TopicPattern>().unwrap());
    while hub.subscriptions(channel.id) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let payload = format!(r#"{{"x":"{}"}}"#, "a".repeat(5000));
    for time in 1..4 {
        let mut batch = Batch::default();
        batch.push_copy(&Entry::at(channel.id, Timestamp(time)), payload.as_bytes());
        publisher.publish_live(batch, Instant::now());
        let message = soon(messages.next()).await.unwrap();
        assert_eq!((message.log_time, &message.payload[..]), (Timestamp(time), payload.as_bytes()));
        assert_eq!(message.channel.schema.as_deref(), Some(&schema));
    }
    serving.abort();
}

#[tokio::test]
async fn everything_that_can_be_asked_of_our_server_is_answered() {
    let hub = Hub::new("robot", HubOptions::default());
    let robot = Arc::new(Robot::default());
    hub.provide_parameters(robot.clone()).unwrap();
    hub.provide_assets(robot.clone()).unwrap();
    hub.provide_publish(robot.clone()).unwrap();
    let graph = hub.provide_graph().unwrap();
    let range = TimeRange { start: Timestamp(0), end: Timestamp(10) };
    hub.provide_playback(Arc::new(Standing(hub.publisher())), range).unwrap();
    let services = hub.provide_services().unwrap();
    let json = |name: &str| ServiceMessage {
        encoding: "json".into(),
        schema_name: name.into(),
        schema_encoding: None,
        schema: String::new(),
    };
    let (name, service_type) = ("/echo".to_owned(), "Echo".to_owned());
    let spec = ServiceSpec { name, service_type, request: json("Q"), response: json("A") };
    let _echo = services.add(spec, robot.clone()).unwrap();
    let (url, serving) = serve(hub.clone()).await;
    let client = Client::connect(&url).await.unwrap();
    let mut events = client.events();

    let parameter = Parameter::new("/gain", 3);
    assert_eq!(client.set_parameters(vec![parameter.clone()]).await, Ok(vec![parameter.clone()]));
    assert_eq!(client.get_parameters(["/gain"]).await, Ok(vec![parameter.clone()]));
    client.follow_parameters(["/gain"]).await.unwrap();
    client.get_parameters(["/gain"]).await.unwrap();
    hub.parameters_changed(std::slice::from_ref(&parameter));
    let changed = event(&mut events, |event| match event {
        Event::Parameters(parameters) => Some(parameters),
        _ => None,
    });
    assert_eq!(changed.await, [parameter]);

    let response = client.call("/echo", r#"{"a":1}"#).await.unwrap();
    assert_eq!((response.encoding.as_str(), &response.payload[..]), ("json", &br#"{"a":1}"#[..]));
    assert_eq!(client.call("/echo", "bad").await, Err(RequestError::Failed("no".into())));
    let called = client.call("/none", "").await;
    assert_eq!(called, Err(RequestError::NoSuchService("/none".into())));

    assert_eq!(client.fetch_asset("package://arm.stl").await, Ok("solid".into()));
    assert_eq!(client.fetch_asset("x").await, Err(RequestError::Failed("no x".into())));

    let pause = PlaybackChange { command: Some(PlaybackCommand::Pause), ..PlaybackChange::default() };
    let state = client.control_playback(pause).await.unwrap();
    assert_eq!((state.status, state.speed, state.did_seek), (PlaybackStatus::Paused, 2.0, true));

    client.follow_graph().await.unwrap();
    graph.update(|graph| {
        graph.published.insert("/imu".to_owned(), std::iter::once("driver".to_owned()).collect());
    });
    event(&mut events, |event| match event {
        Event::Graph(update) => update.published_topics.iter().find(|topic| topic.name == "/imu").map(drop),
        _ => None,
    })
    .await;

    let publication = client.advertise(&ClientTopic::json("/cmd")).await.unwrap();
    publication.publish(r#"{"go":1}"#).await.unwrap();
    drop(publication);
    client.close().await;
    assert_eq!(*robot.published.lock().unwrap(), ["/cmd", r#"{"go":1}"#, "gone"]);
    assert_eq!(client.ended().await, Ended::Closed);
    serving.abort();
}

#[tokio::test]
async fn what_our_server_does_not_offer_is_an_error() {
    let (url, serving) = serve(Hub::new("robot", HubOptions::default())).await;
    let client = Client::connect(&url).await.unwrap();
    let unsupported = |capability| RequestError::Unsupported(capability);
    assert_eq!(client.fetch_asset("x").await.unwrap_err(), unsupported(Capability::Assets));
    assert_eq!(client.follow_graph().await.unwrap_err(), unsupported(Capability::ConnectionGraph));
    let error = client.advertise(&ClientTopic::json("/cmd")).await.unwrap_err();
    assert_eq!(error, unsupported(Capability::ClientPublish));
    serving.abort();
}
