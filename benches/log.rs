//! Logs messages of 100 bytes through a channel handle to clients on loopback, beside the crate `foxglove`, and prints how
//! many a second are logged and delivered, and the CPU time of the process that logs, for each message that it logs (Linux).
//!
//! ```sh
//! cargo build --release --manifest-path benches/peer/Cargo.toml --target-dir target/peer
//! cargo bench --bench log
//! ```
//!
//! Both log in a loop, on one thread of a process of their own; the clients are threads of this one, and only count. Rounds
//! of both alternate; figures are medians. *lossy* is what both do by default: we keep 16 MiB for each client and then the
//! newest message of the channel, the peer keeps 1,024 messages and drops those after them. *lossless*: we wait for room, and
//! the peer has a queue for all messages. `FOXGLOVE_BRIDGE_BENCH_ROUNDS` is how many rounds (5). Without the peer's binary ours
//! is measured alone. Figures are printed, nothing is asserted: they depend on what else the machine does.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops where it can't measure"
)]
#![allow(missing_docs, reason = "a program")]

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use foxglove_bridge::hub::{Hub, HubOptions, SlowClient};
use foxglove_bridge::server::Server;
use foxglove_bridge::time::Timestamp;

mod bridge;

use bridge::{Frames, connect_to, quantile, usage_of};

const BYTES: usize = 100;
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/peer/release/foxglove-log-peer");

/// What happens to what a client does not take in time.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Lossy,
    Lossless,
}

/// Our side, in a process of its own: as the peer's `main`.
fn log_ours(mode: &str) {
    let on_slow_client = if mode == "lossless" { SlowClient::Wait } else { SlowClient::Drop };
    let hub = Hub::new("bench", HubOptions { on_slow_client, ..HubOptions::default() });
    let channel = hub.channel("/log").raw("cbor", None).unwrap();
    let server = Server::start("127.0.0.1:0", &hub).unwrap();
    println!("{}", server.address().port());
    let payload = [b'x'; BYTES];
    for line in std::io::stdin().lines() {
        let messages: u64 = line.unwrap().parse().unwrap();
        let begin = Instant::now();
        match on_slow_client {
            SlowClient::Drop => (0..messages).for_each(|_| channel.log(black_box(&payload))),
            SlowClient::Wait => {
                (0..messages).for_each(|_| channel.log_wait(Timestamp::now(), black_box(&payload)).unwrap())
            }
        }
        println!("{}", begin.elapsed().as_secs_f64());
    }
}

/// A process that logs.
struct Contestant {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Contestant {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, stdin, stdout: BufReader::new(stdout) }
    }

    fn ours(mode: Mode) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env("FOXGLOVE_BRIDGE_BENCH_SIDE", if mode == Mode::Lossy { "lossy" } else { "lossless" });
        Self::start(command)
    }

    fn peer(mode: Mode, messages: u64) -> Self {
        let backlog = if mode == Mode::Lossy { 1024 } else { messages + 1 };
        let mut command = Command::new(PEER);
        command.args([backlog.to_string(), BYTES.to_string()]);
        Self::start(command)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// One run: messages logged a second, delivered a second to all clients together, the part that was delivered, and CPU
/// seconds a message.
fn run(mut side: Contestant, clients: usize, messages: u64) -> [f64; 4] {
    let port = side.line().parse().unwrap();
    let counts: Vec<Arc<AtomicU64>> = (0..clients).map(|_| Arc::default()).collect();
    let readers: Vec<_> = counts
        .iter()
        .map(|count| {
            let (count, mut frames) = (count.clone(), Frames::of(connect_to(port)));
            thread::spawn(move || {
                while frames.next_message().is_some() {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    if clients == 0 {
        // ours keeps what is logged in the first two seconds for who subscribes at once
        thread::sleep(Duration::from_millis(2100));
    }
    let (begin, before) = (Instant::now(), usage_of(&side.child).cpu);
    writeln!(side.stdin, "{messages}").unwrap();
    let seconds: f64 = side.line().parse().unwrap();
    let (mut delivered, mut last) = (0, begin.elapsed());
    while delivered < messages * clients as u64 && begin.elapsed() < last + Duration::from_secs(2) {
        let now: u64 = counts.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        if now > delivered {
            (delivered, last) = (now, begin.elapsed());
        }
        thread::sleep(Duration::from_millis(1));
    }
    let cpu = usage_of(&side.child).cpu - before;
    drop(side);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    let all = (messages * clients as u64).max(1);
    [
        messages as f64 / seconds,
        delivered as f64 / last.as_secs_f64(),
        delivered as f64 / all as f64,
        cpu.as_secs_f64() / messages as f64,
    ]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

fn main() {
    if let Ok(mode) = std::env::var("FOXGLOVE_BRIDGE_BENCH_SIDE") {
        return log_ours(&mode);
    }
    let rounds = std::env::var("FOXGLOVE_BRIDGE_BENCH_ROUNDS").map_or(5, |rounds| rounds.parse().unwrap());
    let has_peer = std::path::Path::new(PEER).exists();
    println!("messages of {BYTES} B, medians of {rounds} rounds");
    for (clients, messages) in [(0, 10_000_000), (1, 2_000_000), (10, 500_000), (100, 100_000)] {
        // without clients nothing is lost
        let modes = if clients == 0 { &[Mode::Lossy][..] } else { &[Mode::Lossy, Mode::Lossless] };
        for &mode in modes {
            let mut results = [Vec::new(), Vec::new()];
            for _ in 0..rounds {
                results[0].push(run(Contestant::ours(mode), clients, messages));
                if has_peer {
                    results[1].push(run(Contestant::peer(mode, messages), clients, messages));
                }
            }
            let mode = if mode == Mode::Lossy { "lossy" } else { "lossless" };
            for (side, results) in ["ours", "peer"].into_iter().zip(results) {
                let of = |index: usize| median(results.iter().map(|result| result[index]).collect());
                println!(
                    "{clients:>3} clients, {mode:<8} {side}: {:>8.3} M/s logged ({:>7.1} ns each), {:>7.3} M/s delivered ({:.1} %), {:.0} ns of CPU",
                    of(0) / 1e6,
                    1e9 / of(0),
                    of(1) / 1e6,
                    of(2) * 100.0,
                    of(3) * 1e9
                );
            }
        }
    }
}
