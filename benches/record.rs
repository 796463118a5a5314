//! Writes what recordings hold into new MCAP files and prints how fast that is, beside the crate `mcap` and zstd alone.
//!
//! `TMPDIR=/dev/shm cargo bench --bench record -- FILE...` takes up to half a gigabyte of each file into memory first.
//! Figures are printed, nothing is asserted: they depend on what else the machine does. CPU time is the process's.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops where it can't measure"
)]
#![allow(missing_docs, reason = "a program")]

mod cpu;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use cpu::cpu;
use foxglove_bridge::model::{Batch, Channel};
use foxglove_bridge::registry::Registry;
use foxglove_bridge::sink::{McapWriter, WriterOptions};
use foxglove_bridge::source::{RecordingOptions, open};

/// Payloads of one file.
const MOST: u64 = 512 << 20;

/// The best of so many counts.
const ROUNDS: usize = 3;

/// As in the files that are written.
const CHUNK_SIZE: usize = 1 << 20;
const LEVEL: i32 = 1;

struct Input {
    channels: Vec<Arc<Channel>>,
    batches: Vec<Batch>,
    messages: usize,
    bytes: u64,
}

fn read(path: &str) -> Input {
    let options = RecordingOptions::default();
    let mut source = open(&[path], &options, &Registry::default(), &mut |_progress| {}).unwrap();
    let mut input =
        Input { channels: source.info().channels.clone(), batches: Vec::new(), messages: 0, bytes: 0 };
    while let Some(batch) = source.next().unwrap().filter(|_| input.bytes < MOST) {
        input.messages += batch.entries.len();
        input.bytes += batch.entries.iter().map(|entry| u64::from(entry.length)).sum::<u64>();
        input.batches.push(batch);
    }
    input
}

/// Prints the best of a few rounds; `write` returns the size of what it has written.
fn measure(what: &str, input: &Input, mut write: impl FnMut() -> u64) {
    let rounds = (0..ROUNDS).map(|_| {
        let (begin, cpu_before) = (Instant::now(), cpu());
        let size = write();
        (begin.elapsed(), cpu() - cpu_before, size)
    });
    let (wall, cpu, size) = rounds.min().unwrap();
    let megabytes = input.bytes as f64 / 1e6;
    println!(
        "  {what}: {:.0} MB/s, {:.0} ns a message, {:.0} MB/s of CPU, {:.2} of the size",
        megabytes / wall.as_secs_f64(),
        wall.as_nanos() as f64 / input.messages as f64,
        megabytes / cpu.as_secs_f64(),
        size as f64 / input.bytes as f64
    );
}

fn ours(input: &Input, path: &Path, threads: usize) -> u64 {
    let options = WriterOptions { threads: NonZero::new(threads), ..WriterOptions::default() };
    let mut writer = McapWriter::create(path, options).unwrap();
    for channel in &input.channels {
        writer.add_channel(channel).unwrap();
    }
    for batch in &input.batches {
        for entry in &batch.entries {
            writer.write(entry, batch.payload(entry)).unwrap();
        }
    }
    let recorded = writer.finish().unwrap();
    assert_eq!(recorded.messages, input.messages as u64);
    std::fs::remove_file(path).unwrap();
    recorded.bytes
}

fn theirs(input: &Input, path: &Path) -> u64 {
    let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let options = mcap::WriteOptions::new()
        .compression(Some(mcap::Compression::Zstd))
        .compression_level(LEVEL.unsigned_abs())
        .compression_threads(0)
        .chunk_size(Some(CHUNK_SIZE as u64));
    let mut writer = options.create(file).unwrap();
    let mut ids = BTreeMap::new();
    for channel in &input.channels {
        let schema = channel
            .schema
            .as_ref()
            .map(|schema| writer.add_schema(&schema.name, &schema.encoding, &schema.data).unwrap());
        let (topic, encoding) = (&channel.topic, &channel.message_encoding);
        let id = writer.add_channel(schema.unwrap_or(0), topic, encoding, &channel.metadata).unwrap();
        ids.insert(channel.id, id);
    }
    for batch in &input.batches {
        for entry in &batch.entries {
            let header = mcap::records::MessageHeader {
                channel_id: ids[&entry.channel],
                sequence: entry.sequence,
                log_time: entry.log_time.nanos(),
                publish_time: entry.publish_time.nanos(),
            };
            writer.write_to_known_channel(&header, batch.payload(entry)).unwrap();
        }
    }
    writer.finish().unwrap();
    drop(writer);
    let size = std::fs::metadata(path).unwrap().len();
    std::fs::remove_file(path).unwrap();
    size
}

/// Payloads in chunks, compressed and thrown away.
fn zstd_alone(input: &Input) -> u64 {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).unwrap();
    let (mut chunk, mut out, mut size) = (Vec::new(), Vec::new(), 0);
    let mut compress = |chunk: &mut Vec<u8>| {
        out.reserve(zstd::zstd_safe::compress_bound(chunk.len()));
        size += compressor.compress_to_buffer(chunk, &mut out).unwrap() as u64;
        chunk.clear();
    };
    for batch in &input.batches {
        for entry in &batch.entries {
            chunk.extend_from_slice(batch.payload(entry));
            if chunk.len() > CHUNK_SIZE {
                compress(&mut chunk);
            }
        }
    }
    compress(&mut chunk);
    size
}

fn main() {
    let files: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("written.mcap");
    for file in files {
        let input = read(&file);
        println!("{file}: {} messages, {:.0} MB", input.messages, input.bytes as f64 / 1e6);
        for threads in [1, 2, 4] {
            measure(&format!("ours, {threads} threads"), &input, || ours(&input, &path, threads));
        }
        measure("the crate mcap", &input, || theirs(&input, &path));
        measure("zstd alone, one thread", &input, || zstd_alone(&input));
    }
}
