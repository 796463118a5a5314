//! The real program, as benches start it, connect to it and look at what it costs.
#![allow(dead_code, reason = "no bench needs all of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket, client};

/// A server; killed when dropped.
pub(super) struct Bridge {
    child: Child,
    /// On which it listens.
    pub(super) port: u16,
    /// From its start until it listened.
    pub(super) started: Duration,
}

/// What a process has taken so far; zero where the system does not tell.
#[derive(Clone, Copy)]
pub(super) struct Usage {
    /// In user mode and in the kernel.
    pub(super) cpu: Duration,
    /// Most memory at once, in bytes, mapped files included.
    pub(super) peak: u64,
    /// Memory of its own now, in bytes.
    pub(super) own: u64,
}

impl Bridge {
    /// Runs `serve` with these arguments.
    pub(super) fn serve(arguments: &[&str], stdin: Stdio) -> Self {
        let begin = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_foxglove-bridge"))
            .args(["serve", "--port", "0", "--no-progress"])
            .args(arguments)
            .stdin(stdin)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.trim().strip_prefix("WebSocket")?.rsplit(':').next()?.trim().parse().ok())
            .unwrap();
        let started = begin.elapsed();
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port, started }
    }

    /// The other end of its stdin, if that is a pipe.
    pub(super) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Connects, and subscribes to all channels once there are any.
    pub(super) fn connect(&self) -> WebSocket<TcpStream> {
        connect_to(self.port)
    }

    /// What it has taken, also after its end.
    pub(super) fn usage(&self) -> Usage {
        usage_of(&self.child)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What a process has taken, also after its end.
pub(super) fn usage_of(process: &Child) -> Usage {
    const TICK: Duration = Duration::from_millis(10);
    let read = |file| std::fs::read_to_string(format!("/proc/{}/{file}", process.id())).unwrap_or_default();
    let (stat, status) = (read("stat"), read("status"));
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u32>().ok()).unwrap_or(0);
    let memory = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
        line.and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    Usage { cpu: TICK * (ticks(11) + ticks(12)), peak: memory("VmHWM:"), own: memory("RssAnon:") }
}

/// Connects to a server, and subscribes to all channels once there are any.
pub(super) fn connect_to(port: u16) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut request = format!("ws://127.0.0.1:{port}").into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "foxglove.sdk.v1".parse().unwrap());
    let (mut socket, _) = client(request, stream).unwrap();
    loop {
        let Message::Text(text) = socket.read().unwrap() else { continue };
        let message: serde_json::Value = serde_json::from_str(&text).unwrap();
        let channels = message["channels"].as_array().filter(|_| message["op"] == "advertise");
        let Some(channels) = channels.filter(|channels| !channels.is_empty()) else { continue };
        let subscriptions: Vec<_> = (0..)
            .zip(channels)
            .map(|(id, channel)| serde_json::json!({ "id": id, "channelId": channel["id"] }))
            .collect();
        let subscribe = serde_json::json!({ "op": "subscribe", "subscriptions": subscriptions });
        socket.send(Message::text(subscribe.to_string())).unwrap();
        return socket;
    }
}

/// Opcode of a message to a client.
const MESSAGE_DATA: u8 = 1;

/// Bytes of a message before its payload.
pub(super) const MESSAGE_HEADER: usize = 13;

/// A client that costs as little as possible: unmasked frames, taken from large reads.
pub(super) struct Frames {
    stream: TcpStream,
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Frames {
    /// Goes on with a connection, once its subscriptions are in force.
    pub(super) fn of(mut socket: WebSocket<TcpStream>) -> Self {
        socket.send(Message::Ping("subscribed".into())).unwrap();
        while !matches!(socket.read().unwrap(), Message::Pong(_)) {}
        let stream = socket.get_ref().try_clone().unwrap();
        Self { stream, buffer: vec![0; 1 << 20], begin: 0, end: 0 }
    }

    /// The next message, with its header; None at the end of the connection.
    pub(super) fn next_message(&mut self) -> Option<&[u8]> {
        const BINARY: u8 = 0x82;
        const CLOSE: u8 = 0x88;
        const PING: u8 = 0x89;
        const EMPTY_PONG: [u8; 6] = [0x8A, 0x80, 0, 0, 0, 0];
        loop {
            let (first, from, upto) = self.next_frame()?;
            match first {
                BINARY if self.buffer[from] == MESSAGE_DATA => return Some(&self.buffer[from..upto]),
                CLOSE => return None,
                PING => self.stream.write_all(&EMPTY_PONG).ok()?,
                _ => {}
            }
        }
    }

    /// First byte of the next frame, and where in the buffer its payload is.
    fn next_frame(&mut self) -> Option<(u8, usize, usize)> {
        self.need(2)?;
        let (first, short) = (self.buffer[self.begin], self.buffer[self.begin + 1]);
        let header = match short {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        self.need(header)?;
        let length = self.buffer[self.begin + 2..self.begin + header]
            .iter()
            .fold(0usize, |length, byte| length << 8 | usize::from(*byte));
        let length = if header == 2 { usize::from(short) } else { length };
        self.need(header + length)?;
        let from = self.begin + header;
        self.begin = from + length;
        Some((first, from, self.begin))
    }

    /// Reads until there are so many bytes.
    fn need(&mut self, count: usize) -> Option<()> {
        while self.end - self.begin < count {
            if self.begin + count > self.buffer.len() || self.begin == self.end {
                self.buffer.copy_within(self.begin..self.end, 0);
                self.end -= self.begin;
                self.begin = 0;
                let size = self.buffer.len().max(count);
                self.buffer.resize(size, 0);
            }
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.end += read,
            }
        }
        Some(())
    }
}

/// The smallest value that so large a part of them does not exceed; `sorted` is in order.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let rank = sorted.iter().enumerate().find(|(index, _)| (index + 1) as f64 >= sorted.len() as f64 * q);
    rank.map_or(f64::NAN, |(_, value)| *value)
}
