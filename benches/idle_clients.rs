//! Connects many clients to the real program, which has nothing to send to them, and prints what one costs.
//!
//! `cargo bench --bench idle_clients`; `FOXGLOVE_BRIDGE_BENCH_CLIENTS` is how many (900: both ends have to stay below
//! the usual limit of 1024 open files). Memory is that of the program itself, of the system's sockets nothing. Needs
//! Linux.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops where it can't measure"
)]
#![allow(missing_docs, reason = "a program")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A client offers compression, as browsers do.
const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
    Sec-WebSocket-Protocol: foxglove.websocket.v1\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

const SUBSCRIBE: &[u8] = br#"{"op":"subscribe","subscriptions":[{"id":1,"channelId":1}]}"#;

struct Bridge(Child, u16);

impl Bridge {
    fn serve(options: &[&str]) -> Self {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/ros1_demo_zstd.mcap");
        let mut child = Command::new(env!("CARGO_BIN_EXE_foxglove-bridge"))
            .args(["serve", file, "--port", "0", "--no-progress"])
            .args(options)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.trim().strip_prefix("WebSocket")?.rsplit(':').next()?.trim().parse().ok())
            .unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        Self(child, port)
    }

    fn connect(&self, subscribes: bool) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.1)).unwrap();
        stream.write_all(HANDSHAKE.as_bytes()).unwrap();
        let mut some = [0; 512];
        assert!(stream.read(&mut some).unwrap() > 0 && some.starts_with(b"HTTP/1.1 101"));
        if subscribes {
            let length = u8::try_from(SUBSCRIBE.len()).unwrap();
            stream.write_all(&[&[0x81, 0x80 | length, 0, 0, 0, 0], SUBSCRIBE].concat()).unwrap();
        }
        stream.set_nonblocking(true).unwrap();
        stream
    }

    /// Memory of its own, in KiB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Takes what has arrived, for some time.
fn read_all(clients: &mut [TcpStream], time: Duration) {
    let until = std::time::Instant::now() + time;
    let mut buffer = [0; 4096];
    while std::time::Instant::now() < until {
        for client in &mut *clients {
            while client.read(&mut buffer).is_ok_and(|read| read > 0) {}
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn main() {
    let count = std::env::var("FOXGLOVE_BRIDGE_BENCH_CLIENTS").map_or(900, |count| count.parse().unwrap());
    for (what, subscribes, options) in [
        ("nothing subscribed", false, &["--start-paused"][..]),
        ("paused", true, &["--start-paused"]),
        ("paused, compression agreed on", true, &["--start-paused", "--compression", "on"]),
        ("a recording was played", true, &["--start-on-clients", "1"]),
        ("a recording was played compressed", true, &["--start-on-clients", "1", "--compression", "on"]),
    ] {
        let bridge = Bridge::serve(options);
        let before = bridge.memory();
        let mut clients: Vec<TcpStream> = (0..count).map(|_| bridge.connect(subscribes)).collect();
        read_all(&mut clients, Duration::from_secs(2));
        let after = bridge.memory();
        println!("{what}: {:.1} KiB a client, of {count}", (after - before) as f64 / count as f64);
        if what.starts_with('a') {
            // memory goes back with the pings, every 15 s
            read_all(&mut clients, Duration::from_secs(45));
            println!(
                "  … 45 s later: {:.1} KiB",
                bridge.memory().saturating_sub(before) as f64 / count as f64
            );
        }
    }
}
