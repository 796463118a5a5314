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

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

mod bridge;

use bridge::Bridge;

const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/ros1_demo_zstd.mcap");

/// A client offers compression, as browsers do.
const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
    Sec-WebSocket-Protocol: foxglove.websocket.v1\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

const SUBSCRIBE: &[u8] = br#"{"op":"subscribe","subscriptions":[{"id":1,"channelId":1}]}"#;

fn connect(bridge: &Bridge, subscribes: bool) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", bridge.port)).unwrap();
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
        let bridge = Bridge::serve(&[&[RECORDING], options].concat(), Stdio::null());
        let before = bridge.usage().own;
        let mut clients: Vec<TcpStream> = (0..count).map(|_| connect(&bridge, subscribes)).collect();
        read_all(&mut clients, Duration::from_secs(2));
        let after = bridge.usage().own;
        println!("{what}: {:.1} KiB a client, of {count}", (after - before) as f64 / 1024.0 / count as f64);
        if what.starts_with('a') {
            // memory goes back with the pings, every 15 s
            read_all(&mut clients, Duration::from_secs(45));
            println!(
                "  … 45 s later: {:.1} KiB",
                bridge.usage().own.saturating_sub(before) as f64 / 1024.0 / count as f64
            );
        }
    }
}
