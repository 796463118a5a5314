//! Clients and servers in one process: our own server, and ones that the tests make up.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::protocol::{ClientMessage, Frame, Parameter, ServerMessage};
use crate::websocket::{Decoder, Event as Received, FrameWriter, Role, handshake};

mod closing;
mod dropped;
mod ours;
mod queues;
mod reconnect;
mod refusals;
mod without_async;

const INFO: &str =
    r#"{"op":"serverInfo","name":"fake","capabilities":["parameters","services"],"sessionId":"s"}"#;

fn advertise(id: u32, topic: &str) -> String {
    format!(
        r#"{{"op":"advertise","channels":[{{"id":{id},"topic":"{topic}","encoding":"json","schemaName":"","schema":""}}]}}"#
    )
}

/// A server that does what the test says.
struct Fake(TcpListener);

impl Fake {
    async fn start() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).await.unwrap())
    }

    fn url(&self) -> String {
        format!("ws://{}", self.0.local_addr().unwrap())
    }

    /// The next client, after the handshake.
    async fn accept(&self) -> Peer {
        let (mut tcp, _) = timeout(SOON, self.0.accept()).await.expect("a client connects").unwrap();
        let request = read_request(&mut tcp).await;
        let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: foxglove.sdk.v1\r\n\r\n",
            handshake::accept_key(key.as_bytes())
        );
        tcp.write_all(answer.as_bytes()).await.unwrap();
        Peer { tcp, decoder: Decoder::new(Role::Server, 16 << 20, None), read: Vec::new() }
    }

    /// A client of this server that is ready.
    async fn client(&self) -> (Client, Peer) {
        self.client_with(ClientOptions::default()).await
    }

    async fn client_with(&self, options: ClientOptions) -> (Client, Peer) {
        let url = self.url();
        let (client, peer) = tokio::join!(Client::connect_with(&url, options), self.serve());
        (client.unwrap(), peer)
    }

    /// The next client, after `serverInfo`.
    async fn serve(&self) -> Peer {
        let mut peer = self.accept().await;
        peer.text(INFO).await;
        peer
    }
}

const SOON: Duration = Duration::from_secs(20);

async fn read_request(tcp: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        assert_ne!(tcp.read_buf(&mut bytes).await.unwrap(), 0);
    }
    String::from_utf8(bytes).unwrap()
}

/// One client, as the fake server sees it.
struct Peer {
    tcp: TcpStream,
    decoder: Decoder,
    read: Vec<u8>,
}

impl Peer {
    async fn frames(&mut self, make: impl FnOnce(&mut FrameWriter)) {
        let mut writer = FrameWriter::default();
        make(&mut writer);
        while !writer.is_empty() {
            let mut slices = [std::io::IoSlice::new(&[]); 4];
            let used = writer.slices(&mut slices);
            let written = self.tcp.write_vectored(&slices[..used]).await.unwrap();
            writer.advance(written);
        }
    }

    async fn text(&mut self, text: &str) {
        let text = Bytes::copy_from_slice(text.as_bytes());
        self.frames(|writer| writer.text(text)).await;
    }

    async fn say(&mut self, message: &ServerMessage) {
        match message.encode() {
            Frame::Text(text) => self.text(&text).await,
            Frame::Binary(bytes) => self.frames(|writer| writer.binary(bytes.into())).await,
        }
    }

    async fn data(&mut self, subscription: u32, log_time: u64, payload: impl Into<Bytes>) {
        self.say(&ServerMessage::MessageData(crate::protocol::MessageData {
            subscription_id: crate::model::SubscriptionId(subscription),
            log_time: crate::time::Timestamp(log_time),
            payload: payload.into(),
        }))
        .await;
    }

    /// The next thing that the client sends; None: it has gone.
    async fn next(&mut self) -> Option<Received> {
        loop {
            let mut input = &self.read[..];
            let decoded = self.decoder.decode(&mut input).unwrap();
            self.read = input.to_vec();
            if decoded.is_some() {
                return decoded;
            }
            let read =
                timeout(SOON, self.tcp.read_buf(&mut self.read)).await.expect("the client says something");
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    async fn message(&mut self) -> ClientMessage {
        match self.next().await {
            Some(Received::Text(text)) => ClientMessage::decode_text(&text).unwrap(),
            Some(Received::Binary(bytes)) => ClientMessage::decode_binary(bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The subscription that the client asks for next: its id and its channel.
    async fn subscription(&mut self) -> (u32, u32) {
        match self.message().await {
            ClientMessage::Subscribe(subscriptions) => (subscriptions[0].id.0, subscriptions[0].channel_id.0),
            other => panic!("{other:?}"),
        }
    }
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(SOON, work).await.expect("in time")
}

/// The next event that the test asks for.
async fn event<T>(events: &mut Events, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    loop {
        let event = soon(events.next()).await.expect("the client lives");
        if let Some(found) = wanted(event) {
            return found;
        }
    }
}
