//! Providers that panic: requests are answered, and the connection goes on.

use std::sync::Arc;

use bytes::Bytes;

use crate::hub::capability::assets::Assets;
use crate::hub::capability::parameters::Parameters;
use crate::hub::capability::publish::ClientPublish;
use crate::hub::capability::services::{Service, ServiceCall, ServiceSpec};
use crate::hub::responder::Responder;
use crate::hub::testing::{Sent, Viewer, channel, hub};
use crate::hub::{ClientId, HubEvent, SlowClient};
use crate::protocol::{
    AssetRequestId, CallId, ClientChannel, ClientChannelId, ClientMessageData, FetchAsset, GetParameters,
    Parameter, ServerMessage, ServiceCallRequest, ServiceMessage, SetParameters,
};

/// Provides everything, and panics whatever it is asked.
struct Faulty;

impl Service for Faulty {
    fn call(&self, _call: ServiceCall, _answer: Responder<Result<Bytes, String>>) {
        panic!("a service with a fault");
    }
}

impl Assets for Faulty {
    fn fetch(&self, _uri: String, _answer: Responder<Result<Bytes, String>>) {
        panic!("assets with a fault");
    }
}

impl Parameters for Faulty {
    fn get(&self, _names: Vec<String>, _answer: Responder<Vec<Parameter>>) {
        panic!("parameters with a fault");
    }

    fn set(&self, _parameters: Vec<Parameter>, _by: ClientId, _answer: Responder<Vec<Parameter>>) {
        panic!("parameters with a fault");
    }
}

impl ClientPublish for Faulty {
    fn encodings(&self) -> Vec<String> {
        vec!["json".into()]
    }

    fn advertise(&self, _client: ClientId, channel: &ClientChannel) -> Result<(), String> {
        assert!(channel.topic != "/refused", "a channel with a fault");
        Ok(())
    }

    fn unadvertise(&self, _client: ClientId, _channel: ClientChannelId) {
        panic!("an end with a fault");
    }

    fn message(&self, _client: ClientId, _channel: ClientChannelId, _payload: Bytes) {
        panic!("a message with a fault");
    }
}

#[test]
fn a_provider_that_panics_answers_each_request_once_and_the_client_stays() {
    let hub = hub(SlowClient::Drop);
    hub.provide_assets(Arc::new(Faulty)).unwrap();
    hub.provide_parameters(Arc::new(Faulty)).unwrap();
    hub.provide_publish(Arc::new(Faulty)).unwrap();
    let services = hub.provide_services().unwrap();
    let message = ServiceMessage {
        encoding: "json".into(),
        schema_name: "Any".into(),
        schema_encoding: Some("jsonschema".into()),
        schema: "{}".into(),
    };
    let spec = ServiceSpec {
        name: "/s".into(),
        service_type: "Any".into(),
        request: message.clone(),
        response: message,
    };
    let service = services.add(spec, Arc::new(Faulty)).unwrap();
    let mut viewer = Viewer::join(&hub);
    viewer.news();

    viewer.client.call_service(ServiceCallRequest {
        service_id: service.id(),
        call_id: CallId(1),
        encoding: "json".into(),
        payload: Bytes::new(),
    });
    assert!(matches!(&viewer.news()[..], [Sent::Other(ServerMessage::ServiceCallFailure(_))]));
    viewer.client.fetch_asset(FetchAsset { uri: "package://a".into(), request_id: AssetRequestId(1) });
    let [Sent::Other(ServerMessage::FetchAssetResponse(response))] = &viewer.news()[..] else {
        panic!("one answer")
    };
    assert!(response.result.is_err());
    viewer.client.get_parameters(GetParameters { parameter_names: Vec::new(), id: None }).unwrap();
    assert!(matches!(&viewer.news()[..], [Sent::Status(_)]));
    viewer.client.set_parameters(SetParameters { parameters: Vec::new(), id: None }).unwrap();
    assert!(matches!(&viewer.news()[..], [Sent::Status(_)]));

    let channel = |id: u32, topic: &str| ClientChannel {
        id: ClientChannelId(id),
        topic: topic.into(),
        encoding: "json".into(),
        schema_name: String::new(),
        schema: None,
        schema_encoding: None,
    };
    viewer.client.advertise(&[channel(1, "/refused"), channel(2, "/t"), channel(3, "/u")]).unwrap();
    assert!(matches!(&viewer.news()[..], [Sent::Status(_)]));
    let data = ClientMessageData { channel_id: ClientChannelId(2), payload: Bytes::new() };
    viewer.client.publish(data).unwrap();
    viewer.client.unadvertise(&[ClientChannelId(2)]).unwrap();
    assert_eq!(viewer.news(), []);
}

#[test]
fn an_observer_that_panics_costs_no_client_and_no_other_observer() {
    let hub = hub(SlowClient::Drop);
    let (sender, left) = std::sync::mpsc::channel();
    hub.observe(|_event| panic!("an observer with a fault"));
    hub.on_demand(|_change| panic!("a listener with a fault"));
    hub.observe(move |event| {
        if let HubEvent::Left { client, .. } = event {
            sender.send(*client).unwrap();
        }
    });
    let imu = channel(hub.registry(), "/imu");
    hub.publisher().announce(std::slice::from_ref(&imu));
    let viewer = Viewer::join(&hub);
    viewer.subscribe(imu.id);
    let id = viewer.client.id();
    drop(viewer);
    assert_eq!(left.try_recv(), Ok(id));
    assert_eq!(hub.subscriptions(imu.id), 0);
}
