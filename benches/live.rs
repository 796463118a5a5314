//! Pipes JSON lines through the real program and prints how soon they arrive, and how many can.
//!
//! `cargo bench --bench live` measures, with one client on loopback:
//!
//! - latency: 10,000 lines a second for twenty seconds, each written by itself at its time; from before the write to
//!   the pipe until the client has the message in hand;
//! - ingest: lines of 100 B and of 1 kB, as fast as the pipe takes them, while the client is waited for and nothing
//!   is dropped. CPU and memory are the server's; writer and client share the machine with it.
//!
//! Figures are printed, nothing is asserted: they depend on what else the machine does.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops where it can't measure"
)]
#![allow(missing_docs, reason = "a program")]

use std::io::Write;
use std::process::{ChildStdin, Stdio};
use std::thread;
use std::time::{Duration, Instant};

mod bridge;

use bridge::{Bridge, Frames, MESSAGE_HEADER, quantile};

const TOPICS: usize = 5;

/// A server that reads from us, a client of it with subscriptions to all topics, and our end of the pipe.
fn live(options: &[&str]) -> (Bridge, ChildStdin, Frames) {
    let arguments = [&["-"], options].concat();
    let mut bridge = Bridge::serve(&arguments, Stdio::piped());
    let mut stdin = bridge.stdin();
    // channels appear with their first message
    let first: String =
        (0..TOPICS).map(|topic| format!("{{\"topic\":\"/{topic}\",\"data\":{{}}}}\n")).collect();
    stdin.write_all(first.as_bytes()).unwrap();
    let client = Frames::of(bridge.connect());
    (bridge, stdin, client)
}

fn latency() {
    const INTERVAL: Duration = Duration::from_micros(100);
    const LINES: u32 = 200_000;
    /// Where the time of writing stands in a payload.
    const WRITTEN: std::ops::Range<usize> = 12..32;
    let (bridge, mut stdin, mut client) = live(&[]);
    let epoch = Instant::now();
    let reader = thread::spawn(move || {
        let mut latencies = Vec::new();
        while latencies.len() < LINES as usize {
            let message = client.next_message().unwrap();
            let arrived = epoch.elapsed();
            let digits = std::str::from_utf8(&message[MESSAGE_HEADER..][WRITTEN]).unwrap();
            let written = Duration::from_nanos(digits.parse().unwrap());
            latencies.push((arrived - written).as_secs_f64() * 1e3);
        }
        latencies
    });
    let before = bridge.usage();
    let begin = Instant::now();
    for number in 0..LINES {
        let due = begin + INTERVAL * number;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let topic = number as usize % TOPICS;
        let line = format!(
            "{{\"topic\":\"/{topic}\",\"data\":{{\"written\":\"{:020}\",\"ax\":0.125,\"ay\":-9.81}}}}\n",
            epoch.elapsed().as_nanos()
        );
        stdin.write_all(line.as_bytes()).unwrap();
    }
    let took = begin.elapsed().as_secs_f64();
    let mut latencies = reader.join().unwrap();
    latencies.sort_by(f64::total_cmp);
    println!(
        "latency at {:.0} lines/s: p50 {:.3} ms, p99 {:.3} ms, p99.9 {:.3} ms, max {:.3} ms; {:.2} CPU-s in {took:.1} s",
        f64::from(LINES) / took,
        quantile(&latencies, 0.5),
        quantile(&latencies, 0.99),
        quantile(&latencies, 0.999),
        quantile(&latencies, 1.0),
        (bridge.usage().cpu - before.cpu).as_secs_f64()
    );
}

/// Whole lines of this length, about 1 MB of them.
fn block(length: usize) -> (Vec<u8>, u64) {
    let (mut text, mut lines) = (Vec::new(), 0);
    while text.len() < 1_000_000 {
        let begin = text.len();
        let head = format!("{{\"topic\":\"/{}\",\"data\":{{\"n\":{lines},\"v\":[0.5", lines % 5);
        text.extend_from_slice(head.as_bytes());
        for number in 0u64.. {
            let next = format!(",{:.6}", (lines + number) as f64 * 0.731);
            if text.len() - begin + next.len() + "]}}\n".len() > length {
                break;
            }
            text.extend_from_slice(next.as_bytes());
        }
        let padding = length - (text.len() - begin) - "]}}\n".len();
        text.extend(std::iter::repeat_n(b' ', padding));
        text.extend_from_slice(b"]}}\n");
        lines += 1;
    }
    (text, lines)
}

fn ingest(length: usize, megabytes: u64) {
    let (bridge, mut stdin, mut client) = live(&["--on-slow-client", "wait"]);
    let (block, lines) = block(length);
    let total = lines * megabytes;
    let before = bridge.usage();
    let begin = Instant::now();
    let writer = thread::spawn(move || {
        for _ in 0..megabytes {
            stdin.write_all(&block).unwrap();
        }
        // the server goes on when its stdin ends
        begin.elapsed().as_secs_f64()
    });
    for _ in 0..total {
        client.next_message().unwrap();
    }
    let took = begin.elapsed().as_secs_f64();
    let written = writer.join().unwrap();
    let usage = bridge.usage();
    let cpu = (usage.cpu - before.cpu).as_secs_f64();
    let bytes = (total * length as u64) as f64;
    println!(
        "ingest of {length:>4} B lines: {:.2} M lines/s, {:.0} MB/s ({:.1} s, written in {written:.1}); {:.2} CPU-s per M lines, {:.2} per GB; peak {:.0} MB",
        total as f64 / took / 1e6,
        bytes / took / 1e6,
        took,
        cpu / total as f64 * 1e6,
        cpu / bytes * 1e9,
        usage.peak as f64 / 1e6
    );
}

fn main() {
    latency();
    for _ in 0..3 {
        ingest(100, 500);
        ingest(1_000, 1_500);
    }
}
