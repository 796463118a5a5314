//! Ten thousand requests of ten clients at once, to providers that answer late, not at all, or panic: each is answered once,
//! and nothing is left of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use foxglove_bridge::hub::capability::assets::Assets;
use foxglove_bridge::hub::capability::parameters::Parameters;
use foxglove_bridge::hub::capability::services::{Service, ServiceCall, ServiceHandle, ServiceSpec};
use foxglove_bridge::hub::responder::Responder;
use foxglove_bridge::hub::{ClientId, Hub, HubOptions};
use foxglove_bridge::protocol::{
    AssetRequestId, CallId, ClientMessage, FetchAsset, Frame, GetParameters, Parameter, ServerMessage,
    ServiceCallRequest, ServiceId, ServiceMessage,
};
use foxglove_bridge::server::Server;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

const CLIENTS: u32 = 10;
const REQUESTS: u32 = 1000;

type Answer = Box<dyn FnOnce() + Send>;

/// Does with every fifth request the same: answers at once, later, with an error or never, or panics.
struct Fickle {
    asked: Mutex<u32>,
    later: mpsc::Sender<Answer>,
}

impl Fickle {
    fn answer<T: Send + 'static>(&self, answer: Responder<T>, good: T, bad: T) {
        let mut asked = self.asked.lock().unwrap();
        *asked += 1;
        let turn = *asked % 5;
        drop(asked);
        match turn {
            0 => answer.respond(good),
            1 => self.later.send(Box::new(move || answer.respond(good))).unwrap(),
            2 => answer.respond(bad),
            3 => drop(answer),
            _ => panic!("a provider with a fault"),
        }
    }
}

impl Parameters for Fickle {
    fn get(&self, names: Vec<String>, answer: Responder<Vec<Parameter>>) {
        self.answer(answer, vec![Parameter::new(&names[0], 1)], Vec::new());
    }

    fn set(&self, _parameters: Vec<Parameter>, _by: ClientId, _answer: Responder<Vec<Parameter>>) {}
}

impl Service for Fickle {
    fn call(&self, call: ServiceCall, answer: Responder<Result<Bytes, String>>) {
        self.answer(answer, Ok(call.payload), Err("no".to_owned()));
    }
}

impl Assets for Fickle {
    fn fetch(&self, uri: String, answer: Responder<Result<Bytes, String>>) {
        self.answer(answer, Ok(uri.into()), Err("no".to_owned()));
    }
}

/// What client number `client` asks as its request number `id`.
fn request(id: u32, service_id: ServiceId) -> ClientMessage {
    match id % 3 {
        0 => ClientMessage::GetParameters(GetParameters {
            parameter_names: vec![id.to_string()],
            id: Some(id.to_string()),
        }),
        1 => ClientMessage::FetchAsset(FetchAsset {
            uri: "package://a.stl".into(),
            request_id: AssetRequestId(id),
        }),
        _ => ClientMessage::ServiceCallRequest(ServiceCallRequest {
            service_id,
            call_id: CallId(id),
            encoding: "json".into(),
            payload: Bytes::from_static(b"{}"),
        }),
    }
}

fn connect(address: SocketAddr) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut request = format!("ws://{address}").into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "foxglove.sdk.v1.1".parse().unwrap());
    tungstenite::client(request, stream).unwrap().0
}

/// Asks everything, and reads until everything is answered. With `leaves` it is gone in the middle.
fn client(address: SocketAddr, service: ServiceId, leaves: bool) {
    let mut socket = connect(address);
    let asked = if leaves { REQUESTS / 2 } else { REQUESTS };
    for id in 0..asked {
        socket
            .write(match request(id, service).encode() {
                Frame::Text(text) => Message::text(text),
                Frame::Binary(bytes) => Message::binary(bytes),
            })
            .unwrap();
    }
    socket.flush().unwrap();
    if leaves {
        return;
    }
    let mut answered = BTreeSet::new();
    // a failure of `getParameters` names no id
    let mut failed = 0;
    while u32::try_from(answered.len()).unwrap() + failed < REQUESTS {
        let message = match socket.read().unwrap() {
            Message::Text(text) => ServerMessage::decode_text(&text).unwrap(),
            Message::Binary(bytes) => ServerMessage::decode_binary(bytes).unwrap(),
            _ => continue,
        };
        let id = match message {
            ServerMessage::ParameterValues(values) => values.id.unwrap().parse().unwrap(),
            ServerMessage::FetchAssetResponse(response) => response.request_id.0,
            ServerMessage::ServiceCallResponse(response) => response.call_id.0,
            ServerMessage::ServiceCallFailure(failure) => failure.call_id.0,
            ServerMessage::Status(status) => {
                assert!(status.message.starts_with("parameters: "), "{status:?}");
                failed += 1;
                continue;
            }
            _ => continue,
        };
        assert!(answered.insert(id), "{id} is answered twice");
    }
    assert!(failed < REQUESTS / 3, "{failed} failures");
    // and nothing more comes
    socket.send(Message::Ping(Bytes::new())).unwrap();
    loop {
        match socket.read().unwrap() {
            Message::Pong(_) => return,
            Message::Text(text) => assert!(text.contains("removeStatus"), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}

#[cfg(target_os = "linux")]
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// In bytes.
#[cfg(target_os = "linux")]
fn memory() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn provide(hub: &Hub, fickle: &Arc<Fickle>) -> ServiceHandle {
    hub.provide_parameters(fickle.clone()).unwrap();
    hub.provide_assets(fickle.clone()).unwrap();
    let message = ServiceMessage {
        encoding: "json".into(),
        schema_name: "Any".into(),
        schema_encoding: Some("jsonschema".into()),
        schema: r#"{"type":"object"}"#.into(),
    };
    let spec = ServiceSpec {
        name: "/any".into(),
        service_type: "Any".into(),
        request: message.clone(),
        response: message,
    };
    hub.provide_services().unwrap().add(spec, fickle.clone()).unwrap()
}

#[test]
fn each_of_ten_thousand_requests_is_answered_once_and_nothing_is_left_of_them() {
    // the panics of the provider are meant
    std::panic::set_hook(Box::new(|_| {}));
    let hub = Hub::new("test", HubOptions::default());
    let (later, answers) = mpsc::channel::<Answer>();
    let answering = thread::spawn(move || {
        for answer in answers {
            thread::sleep(Duration::from_micros(50));
            answer();
        }
    });
    let fickle = Arc::new(Fickle { asked: Mutex::default(), later });
    let handle = provide(&hub, &fickle);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = runtime.block_on(Server::bind("127.0.0.1:0".parse().unwrap())).unwrap();
    let address = server.address();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = runtime.spawn(server.run(hub.clone(), async { drop(stopped.await) }));

    let service = handle.id();
    let round = || {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| thread::spawn(move || client(address, service, number % 4 == 3)))
            .collect();
        clients.into_iter().for_each(|client| client.join().unwrap());
        let begin = Instant::now();
        while !hub.snapshot().clients.is_empty() {
            assert!(begin.elapsed() < Duration::from_secs(60), "clients that have left are still there");
            thread::sleep(Duration::from_millis(5));
        }
    };
    round();
    #[cfg(target_os = "linux")]
    let before = (descriptors(), memory());
    for _ in 0..3 {
        round();
    }
    #[cfg(target_os = "linux")]
    {
        assert!(descriptors() <= before.0 + 2, "{} descriptors, {} before", descriptors(), before.0);
        assert!(memory() <= before.1 + (16 << 20), "{} bytes, {} before", memory(), before.1);
    }
    drop(stop);
    runtime.block_on(serving).unwrap();
    drop((runtime, handle, hub));
    assert_eq!(Arc::strong_count(&fickle), 1, "who provides is free");
    drop(fickle);
    answering.join().unwrap();
}
