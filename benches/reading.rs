//! Reads recordings without playing them and prints how fast that is.
//!
//! `cargo bench --bench reading -- FILE...` opens the files as one timeline, reads it through and seeks in it. Figures
//! are printed, nothing is asserted: they depend on what else the machine does. CPU time is the process's.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops where it can't measure"
)]
#![allow(missing_docs, reason = "a program")]

mod cpu;

use std::time::{Duration, Instant};

use cpu::cpu;
use foxglove_bridge::model::ChannelId;
use foxglove_bridge::registry::Registry;
use foxglove_bridge::source::{Recording, RecordingOptions, open};
use foxglove_bridge::time::Timestamp;

const SEEKS: u64 = 300;

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn read_through(source: &mut dyn Recording) {
    let (begin, cpu_before) = (Instant::now(), cpu());
    let (mut batches, mut messages, mut bytes) = (0u64, 0u64, 0u64);
    while let Some(batch) = source.next().unwrap() {
        batches += 1;
        messages += batch.entries.len() as u64;
        bytes += batch.entries.iter().map(|entry| u64::from(entry.length)).sum::<u64>();
    }
    let (wall, cpu) = (begin.elapsed().as_secs_f64(), (cpu() - cpu_before).as_secs_f64());
    println!(
        "read through: {messages} messages in {batches} batches, {:.2} GB; {:.2} GB/s, {:.2} M messages/s, {:.3} CPU-s",
        bytes as f64 / 1e9,
        bytes as f64 / 1e9 / wall,
        messages as f64 / 1e6 / wall,
        cpu
    );
}

fn seeks(source: &mut dyn Recording) {
    let info = source.info().clone();
    let Some(range) = info.range else { return };
    let channels: Vec<ChannelId> = info.channels.iter().map(|channel| channel.id).collect();
    let (mut states, mut firsts) = (Vec::new(), Vec::new());
    let cpu_before = cpu();
    let nanos = u64::try_from(range.duration().as_nanos()).unwrap().max(1);
    for number in 0..SEEKS {
        // steps of the golden ratio: all over the recording, never twice the same
        let part = u64::try_from(
            u128::from(nanos) * u128::from(number * 618_033_989 % 1_000_000_007) / 1_000_000_007,
        );
        let to = Timestamp(range.start.0 + part.unwrap());
        let begin = Instant::now();
        source.seek(to);
        source.backfill(to, &channels).unwrap();
        states.push(begin.elapsed());
        source.next().unwrap();
        firsts.push(begin.elapsed());
    }
    for (what, mut times) in [("the state", states), ("the first message", firsts)] {
        times.sort_unstable();
        let at = |part: usize| milliseconds(times[(times.len() - 1) * part / 100]);
        println!("seek to {what}: p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms", at(50), at(99), at(100));
    }
    println!("a seek costs {:.2} ms of CPU", milliseconds(cpu() - cpu_before) / SEEKS as f64);
}

fn main() {
    let mut files: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if files.is_empty() {
        files.push(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/drive.mcap").into());
    }
    let begin = Instant::now();
    let mut source = open(&files, &RecordingOptions::default(), &Registry::default(), &mut |_| {}).unwrap();
    println!("opened in {:.2} ms", milliseconds(begin.elapsed()));
    read_through(source.as_mut());
    source.seek(Timestamp::MIN);
    read_through(source.as_mut());
    seeks(source.as_mut());
}
