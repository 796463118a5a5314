//! The crate as another program embeds it: servers on threads of their own, a recorder, the program of the README.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use foxglove_bridge::hub::handles::RawChannel;
use foxglove_bridge::hub::{Hub, HubOptions, SlowClient};
use foxglove_bridge::server::{BindError, Server, StartError};
use foxglove_bridge::sink::Recorder;
use foxglove_bridge::time::Timestamp;
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

/// A viewer that subscribes to all channels that are advertised first.
struct Viewer {
    socket: WebSocket<TcpStream>,
    session: String,
    topics: Vec<String>,
}

impl Viewer {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut request = format!("ws://{address}").into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "foxglove.websocket.v1".parse().unwrap());
        let (mut socket, _) = tungstenite::client(request, stream).unwrap();
        let info = text(&mut socket);
        let channels = text(&mut socket)["channels"].as_array().unwrap().clone();
        let subscriptions: Vec<_> = channels
            .iter()
            .map(|channel| json!({ "id": channel["id"], "channelId": channel["id"] }))
            .collect();
        let subscribe = json!({ "op": "subscribe", "subscriptions": subscriptions });
        socket.send(Message::text(subscribe.to_string())).unwrap();
        let topics = channels.iter().map(|channel| channel["topic"].as_str().unwrap().to_owned()).collect();
        Self { socket, session: info["sessionId"].as_str().unwrap().to_owned(), topics }
    }

    /// The next message: its log time and its payload; None once the server has closed the connection.
    fn next(&mut self) -> Option<(u64, Vec<u8>)> {
        loop {
            match self.socket.read() {
                Ok(Message::Binary(frame)) if frame[0] == 1 => {
                    return Some((
                        u64::from_le_bytes(frame[5..13].try_into().unwrap()),
                        frame[13..].to_vec(),
                    ));
                }
                Ok(Message::Close(_)) => return None,
                Ok(_) => {}
                Err(tungstenite::Error::ConnectionClosed) => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn text(socket: &mut WebSocket<TcpStream>) -> Value {
    loop {
        if let Message::Text(text) = socket.read().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

fn hub(name: &str) -> Hub {
    Hub::new(name, HubOptions { on_slow_client: SlowClient::Wait, ..HubOptions::default() })
}

fn wait_for_subscription(channel: &RawChannel) {
    while !channel.is_subscribed() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn servers_of_one_program_have_nothing_in_common() {
    let (one, other) = (hub("one"), hub("other"));
    let a = one.channel("/a").raw("cbor", None).unwrap();
    let b = other.channel("/b").raw("cbor", None).unwrap();
    let first = Server::start("127.0.0.1:0", &one).unwrap();
    let second = Server::start_with("127.0.0.1:0", &other, |server| server.with_compression(true)).unwrap();
    let (mut of_first, mut of_second) = (Viewer::connect(first.address()), Viewer::connect(second.address()));
    assert_eq!(
        (of_first.topics.clone(), of_second.topics.clone()),
        (vec!["/a".to_owned()], vec!["/b".to_owned()])
    );
    assert_ne!(of_first.session, of_second.session);
    wait_for_subscription(&a);
    wait_for_subscription(&b);
    a.log(b"of a");
    assert_eq!(of_first.next().unwrap().1, b"of a");
    first.stop();
    assert_eq!(of_first.next(), None);
    b.log(b"of b");
    assert_eq!(of_second.next().unwrap().1, b"of b");

    // a hub is served again, as it is
    let again = Server::start("127.0.0.1:0", &one).unwrap();
    let mut viewer = Viewer::connect(again.address());
    assert_eq!(viewer.session, of_first.session);
    wait_for_subscription(&a);
    a.log(b"again");
    // who subscribes in the first two seconds of a channel gets all of it
    while viewer.next().unwrap().1 != b"again" {}
    drop(again);
    assert_eq!(viewer.next(), None);
}

#[test]
fn a_server_that_finishes_delivers_what_was_logged() {
    const MESSAGES: u64 = 50_000;
    let hub = hub("robot");
    let counter = hub.channel("/counter").raw("cbor", None).unwrap();
    let server = Server::start("127.0.0.1:0", &hub).unwrap();
    let mut viewer = Viewer::connect(server.address());
    wait_for_subscription(&counter);
    let reading = std::thread::spawn(move || {
        std::iter::from_fn(|| viewer.next()).map(|(time, _)| time).collect::<Vec<_>>()
    });
    for n in 0..MESSAGES {
        counter.log_wait(Timestamp(n), &[0; 100]).unwrap();
    }
    server.finish();
    assert!(reading.join().unwrap().into_iter().eq(0..MESSAGES));
}

#[test]
fn a_server_that_finishes_closes_with_a_reason_that_fits_live_data() {
    // often: it ends while the client is just joining
    for _ in 0..50 {
        closes_with_a_reason();
    }
}

fn closes_with_a_reason() {
    let server = Server::start("127.0.0.1:0", &hub("robot")).unwrap();
    let viewer = TcpStream::connect(server.address()).unwrap();
    viewer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut request = format!("ws://{}", server.address()).into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "foxglove.websocket.v1".parse().unwrap());
    let (mut socket, _) = tungstenite::client(request, viewer).unwrap();
    let finishing = std::thread::spawn(move || server.finish());
    let close = loop {
        if let Message::Close(close) = socket.read().unwrap() {
            break close.unwrap();
        }
    };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1000, "everything was sent"));
    drop(socket);
    finishing.join().unwrap();
}

#[test]
fn an_address_in_use_and_one_that_is_none_are_errors() {
    let hub = hub("robot");
    let server = Server::start("localhost:0", &hub).unwrap();
    let error = Server::start(server.address(), &hub).unwrap_err();
    assert!(
        matches!(error, StartError::Bind(BindError::InUse(address)) if address == server.address()),
        "{error}"
    );
    assert!(matches!(Server::start("nowhere", &hub).unwrap_err(), StartError::Address(_)));
    let finisher = server.finisher();
    let finishing = std::thread::spawn(move || finisher.finish());
    server.wait();
    finishing.join().unwrap();
}

#[test]
fn a_recorder_and_viewers_of_one_hub_get_the_same() {
    const MESSAGES: u64 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("robot.mcap");
    let hub = hub("robot");
    let (imu, gps) =
        (hub.channel("/imu").raw("cbor", None).unwrap(), hub.channel("/gps").raw("cbor", None).unwrap());
    let recorder = Recorder::start(&path, &hub, &[]).unwrap();
    assert!(imu.is_subscribed(), "what is recorded is wanted");
    let server = Server::start("127.0.0.1:0", &hub).unwrap();
    imu.log_at(Timestamp(0), b"before the viewer");
    let mut viewer = Viewer::connect(server.address());
    while [&imu, &gps].iter().any(|channel| hub.subscriptions(channel.channel().id) == 0) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let reading = std::thread::spawn(move || std::iter::from_fn(|| viewer.next()).collect::<Vec<_>>());
    for n in 1..=MESSAGES {
        let channel = if n % 3 == 0 { &gps } else { &imu };
        channel.log_wait(Timestamp(n), &n.to_le_bytes()).unwrap();
    }
    drop((imu, gps));
    let recorded = recorder.finish().unwrap();
    assert_eq!((recorded.messages, recorded.lost), (MESSAGES + 1, 0));
    server.finish();
    let expected: Vec<_> = (1..=MESSAGES).map(|n| (n, n.to_le_bytes().to_vec())).collect();
    // the message from before it subscribed came within the first two seconds of the channel, or not
    let seen: Vec<_> = reading.join().unwrap().into_iter().filter(|(time, _)| *time > 0).collect();
    assert!(seen == expected);
    let file = std::fs::read(path).unwrap();
    let messages = mcap::MessageStream::new(&file).unwrap().map(Result::unwrap);
    let of_file: Vec<_> = messages.map(|message| (message.log_time, message.data.to_vec())).collect();
    assert_eq!(of_file[0], (0, b"before the viewer".to_vec()));
    assert!(of_file[1..] == expected);
}

#[test]
fn a_recorder_that_is_dropped_completes_its_file() {
    const MESSAGES: u64 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("robot.mcap");
    let hub = hub("robot");
    let imu = hub.channel("/imu").raw("cbor", None).unwrap();
    let recorder = Recorder::start(&path, &hub, &[]).unwrap();
    for n in 0..MESSAGES {
        imu.log_wait(Timestamp(n), &[7; 500]).unwrap();
    }
    drop(recorder);
    let file = std::fs::read(path).unwrap();
    let summary = mcap::Summary::read(&file).unwrap().expect("a summary at the end");
    assert_eq!(summary.stats.map(|stats| stats.message_count), Some(MESSAGES));
}

#[test]
fn the_program_of_the_readme_is_the_example_and_short() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = std::fs::read_to_string(folder.join("examples/minimal.rs")).unwrap();
    let program = &example[example.find("use std").unwrap()..];
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(readme.contains(&format!("```rust\n{program}```")), "it is not in the README as it is");
    let lines = program.lines().filter(|line| !line.is_empty() && !line.starts_with("use "));
    assert!(lines.count() <= 15);
}

#[test]
fn the_client_of_the_guide_is_the_example() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = std::fs::read_to_string(folder.join("examples/client.rs")).unwrap();
    let guide = std::fs::read_to_string(folder.join("docs/library.md")).unwrap();
    let shown = guide.split("## A client").nth(1).unwrap().split("```rust\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    let indented: String = shown
        .lines()
        .map(|line| if line.is_empty() { "\n".into() } else { format!("    {line}\n") })
        .collect();
    assert!(shown.lines().count() > 10 && example.contains(&indented), "it is not in the guide as it is");
}

#[test]
fn the_library_alone_needs_nothing_of_the_program() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--no-default-features", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--offline", "--locked", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    let listed = String::from_utf8(tree.stdout).unwrap();
    let names: BTreeSet<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("tokio"), "{}", String::from_utf8_lossy(&tree.stderr));
    let of_the_program = ["clap", "crossterm", "if-addrs", "indicatif", "toml", "tracing-subscriber"];
    let found: Vec<_> = of_the_program.iter().filter(|name| names.contains(**name)).collect();
    assert!(found.is_empty(), "{found:?}");
}
