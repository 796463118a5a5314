//! Plays recordings through the real program and prints how punctual it is.
//!
//! `cargo bench --bench playback` measures pacing on the recording in `testdata/`, at 0.1x too if
//! `FOXGLOVE_BRIDGE_BENCH_SLOW` is set; with the path of another recording in `FOXGLOVE_BRIDGE_BENCH` it measures
//! pacing at 1x and 100x there (as far as the machine can follow) and seeks as well. CPU time is the server's. Figures
//! are printed, nothing is asserted: they depend on what else the machine does.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops where it can't measure"
)]
#![allow(missing_docs, reason = "a program")]

use std::net::TcpStream;
use std::process::Stdio;
use std::time::Instant;

use tungstenite::{Message, WebSocket};

mod bridge;

use bridge::{Bridge, Frames, quantile};

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Arrival of each message against when it was due, counted from the median.
fn pacing(file: &str, rate: &str) {
    let bridge = Bridge::serve(&[file, "--rate", rate, "--at-end", "exit"], Stdio::null());
    let mut client = Frames::of(bridge.connect());
    let mut arrivals: Vec<(u64, Instant, usize)> = Vec::new();
    while let Some(message) = client.next_message() {
        arrivals.push((u64_at(message, 5), Instant::now(), message.len()));
    }
    let factor: f64 = rate.parse().unwrap();
    let (first, begin, _) = arrivals[0];
    let after_due = |(time, at, _): &(u64, Instant, usize)| {
        (at.duration_since(begin).as_secs_f64() - (time - first) as f64 / 1e9 / factor) * 1e3
    };
    let mut lateness: Vec<f64> = arrivals.iter().map(after_due).collect();
    let mut sorted = lateness.clone();
    sorted.sort_by(f64::total_cmp);
    // when playback began is not known to the client: the usual message is the one that is on time
    let usual = quantile(&sorted, 0.5);
    lateness.iter_mut().for_each(|late| *late = (*late - usual).abs());
    let mut worst: Vec<_> =
        lateness.iter().zip(&arrivals).map(|(late, (_, _, bytes))| (*late, *bytes)).collect();
    worst.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut late = lateness;
    let (last, end, _) = *arrivals.last().unwrap();
    let speed = (last - first) as f64 / 1e9 / end.duration_since(begin).as_secs_f64();
    late.sort_by(f64::total_cmp);
    println!(
        "pacing at {rate:>4}x: {} messages, mean speed {speed:.4} ({:+.3} %), |arrival - due| p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms; {:.2} CPU-s",
        arrivals.len(),
        (speed / factor - 1.0) * 100.0,
        quantile(&late, 0.5),
        quantile(&late, 0.99),
        quantile(&late, 1.0),
        bridge.usage().cpu.as_secs_f64()
    );
    let worst: Vec<_> =
        worst.iter().take(5).map(|(late, bytes)| format!("{late:.2} ms ({bytes} B)")).collect();
    println!("  latest: {}", worst.join(", "));
}

/// From a seek request to the first message of the new position.
fn seeks(file: &str) {
    const SEEKS: u64 = 200;
    let bridge = Bridge::serve(&[file, "--rate", "1"], Stdio::null());
    println!("start to listening: {:.1} ms", bridge.started.as_secs_f64() * 1e3);
    let mut socket = bridge.connect();
    let (mut start, mut latencies) = (None, Vec::new());
    let mut at = 0u64;
    while latencies.len() < usize::try_from(SEEKS).unwrap() {
        // the first message tells where the recording begins
        let from = *start.get_or_insert_with(|| next_message(&mut socket));
        at = (at + 7_919) % 19_000;
        let target = from + at * 1_000_000;
        let mut request = vec![3u8, 0];
        request.extend(1f32.to_le_bytes());
        request.push(1);
        request.extend(target.to_le_bytes());
        request.extend(1u32.to_le_bytes());
        request.push(b's');
        let asked = Instant::now();
        socket.send(Message::binary(request)).unwrap();
        loop {
            match socket.read().unwrap() {
                Message::Binary(bytes) if bytes[0] == 5 && bytes[14] == 1 => break,
                _ => {}
            }
        }
        next_message(&mut socket);
        latencies.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    latencies.sort_by(f64::total_cmp);
    println!(
        "seek to first message: p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
        quantile(&latencies, 0.5),
        quantile(&latencies, 0.99),
        quantile(&latencies, 1.0)
    );
}

/// The log time of the next message, the state before a target included.
fn next_message(socket: &mut WebSocket<TcpStream>) -> u64 {
    loop {
        match socket.read().unwrap() {
            Message::Binary(bytes) if bytes[0] == 1 => return u64_at(&bytes, 5),
            _ => {}
        }
    }
}

fn main() {
    let drive = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/drive.mcap");
    for rate in ["0.1", "1", "10", "100"] {
        if rate == "0.1" && std::env::var_os("FOXGLOVE_BRIDGE_BENCH_SLOW").is_none() {
            continue;
        }
        pacing(drive, rate);
    }
    if let Ok(file) = std::env::var("FOXGLOVE_BRIDGE_BENCH") {
        pacing(&file, "1");
        pacing(&file, "100");
        seeks(&file);
    }
}
