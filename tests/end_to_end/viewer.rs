//! A viewer: reads and writes the protocol by hand, so that it shares no code with what it tests.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Error, Message, WebSocket, client};

use super::bridge::Bridge;

pub(crate) const PLAY: u8 = 0;
pub(crate) const PAUSE: u8 = 1;

/// Long enough for a busy machine, short enough that a test which waits in vain ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// A message that arrived.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Got {
    pub(crate) topic: String,
    pub(crate) log_time: u64,
    pub(crate) payload: Vec<u8>,
}

/// A playback state that arrived.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) current_time: u64,
    pub(crate) did_seek: bool,
    request_id: String,
}

enum Heard {
    Message(Got),
    State(State),
    Text(Value),
    Pong,
    Closed(Option<u16>),
}

pub(crate) struct Viewer {
    socket: WebSocket<TcpStream>,
    /// By subscription.
    topics: BTreeMap<u32, String>,
    /// Messages that came while something else was waited for.
    early: Vec<Got>,
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

impl Viewer {
    pub(crate) fn connect(bridge: &Bridge) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", bridge.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("ws://127.0.0.1:{}", bridge.port).into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "foxglove.sdk.v1".parse().unwrap());
        let (socket, _) = client(request, stream).unwrap();
        Self { socket, topics: BTreeMap::new(), early: Vec::new() }
    }

    /// Subscribes to every channel, once there are so many.
    pub(crate) fn subscribe_all(&mut self, channels: usize) {
        while self.topics.len() < channels {
            let Heard::Text(message) = self.hear() else { continue };
            let Some(advertised) = message["channels"].as_array().filter(|_| message["op"] == "advertise")
            else {
                continue;
            };
            let mut subscriptions = Vec::new();
            for channel in advertised {
                let id = u32::try_from(self.topics.len()).unwrap();
                self.topics.insert(id, channel["topic"].as_str().unwrap().to_owned());
                subscriptions.push(json!({ "id": id, "channelId": channel["id"] }));
            }
            let subscribe = json!({ "op": "subscribe", "subscriptions": subscriptions });
            self.socket.send(Message::text(subscribe.to_string())).unwrap();
        }
        // what is published from now on arrives: frames are answered in their order
        self.socket.send(Message::Ping(Bytes::new())).unwrap();
        loop {
            match self.hear() {
                Heard::Pong => return,
                Heard::Message(message) => self.early.push(message),
                Heard::Closed(code) => panic!("closed with {code:?}"),
                Heard::State(_) | Heard::Text(_) => {}
            }
        }
    }

    /// The next message of a topic that it subscribed to.
    pub(crate) fn next_message(&mut self) -> Got {
        if !self.early.is_empty() {
            return self.early.remove(0);
        }
        loop {
            match self.hear() {
                Heard::Message(message) => return message,
                Heard::Closed(code) => panic!("closed with {code:?}"),
                Heard::State(_) | Heard::Text(_) | Heard::Pong => {}
            }
        }
    }

    /// Every message until the server closes, and its close code.
    pub(crate) fn until_closed(&mut self) -> (Vec<Got>, Option<u16>) {
        let mut messages = std::mem::take(&mut self.early);
        loop {
            match self.hear() {
                Heard::Message(message) => messages.push(message),
                Heard::Closed(code) => return (messages, code),
                Heard::State(_) | Heard::Text(_) | Heard::Pong => {}
            }
        }
    }

    /// Asks for playback control; returns the state that answers it.
    pub(crate) fn control(&mut self, request_id: &str, seek: Option<u64>, command: u8) -> State {
        let mut request = vec![3, command];
        request.extend(1f32.to_le_bytes());
        request.push(u8::from(seek.is_some()));
        request.extend(seek.unwrap_or(0).to_le_bytes());
        request.extend(u32::try_from(request_id.len()).unwrap().to_le_bytes());
        request.extend(request_id.as_bytes());
        self.socket.send(Message::binary(request)).unwrap();
        loop {
            match self.hear() {
                Heard::State(state) if state.request_id == request_id => return state,
                Heard::Message(message) => self.early.push(message),
                Heard::Closed(code) => panic!("closed with {code:?}"),
                Heard::State(_) | Heard::Text(_) | Heard::Pong => {}
            }
        }
    }

    fn hear(&mut self) -> Heard {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // the server's pings are something to read, too
            assert!(Instant::now() < deadline, "nothing came for {PATIENCE:?}");
            let message = match self.socket.read() {
                Ok(message) => message,
                Err(Error::ConnectionClosed) => return Heard::Closed(None),
                Err(error) => panic!("{error}"),
            };
            match self.decode(message) {
                Heard::Text(Value::Null) => {}
                heard => return heard,
            }
        }
    }

    /// What a frame says; null for what is of no interest.
    fn decode(&self, message: Message) -> Heard {
        match message {
            Message::Text(text) => Heard::Text(serde_json::from_str(&text).unwrap()),
            Message::Binary(bytes) if bytes[0] == 1 => Heard::Message(Got {
                topic: self.topics[&u32_at(&bytes, 1)].clone(),
                log_time: u64_at(&bytes, 5),
                payload: bytes[13..].to_vec(),
            }),
            Message::Binary(bytes) if bytes[0] == 5 => Heard::State(State {
                current_time: u64_at(&bytes, 2),
                did_seek: bytes[14] == 1,
                request_id: String::from_utf8(bytes[19..].to_vec()).unwrap(),
            }),
            Message::Pong(_) => Heard::Pong,
            Message::Close(frame) => Heard::Closed(frame.map(|frame| frame.code.into())),
            _ => Heard::Text(Value::Null),
        }
    }
}
