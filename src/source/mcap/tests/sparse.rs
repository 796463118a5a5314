//! Very large recordings: a sparse file whose chunk index is real and whose chunks are holes.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use super::made::{MAGIC, Made};
use crate::registry::Registry;
use crate::source::RecordingOptions;

const CHANNELS: u16 = 25;

/// Messages of each channel in a chunk: 1, 2, ….
fn messages(channel: u16) -> u64 {
    u64::from(channel)
}

/// Bytes of a chunk with its message indexes.
const CHUNK: u64 = 1 << 20;

/// Time of a chunk, ns.
const TIME: u64 = 100_000_000;

/// Writes a recording with so many chunks, one after the other in time.
fn write(path: &Path, chunks: u64) {
    let start = Made::recording();
    let mut file = File::create(path).unwrap();
    file.write_all(&start.0).unwrap();
    let start = start.0.len() as u64;
    let index_length: u64 = (1..=CHANNELS).map(|channel| 15 + 16 * messages(channel)).sum();
    let mut summary = Made::default();
    for channel in 1..=CHANNELS {
        summary = summary.channel(channel, 0, &format!("/{channel}"));
    }
    for number in 0..chunks {
        let offset = start + number * CHUNK;
        let length = CHUNK - index_length;
        let mut body = Vec::new();
        for value in [number * TIME, number * TIME + TIME - 1, offset, length] {
            body.extend(value.to_le_bytes());
        }
        body.extend((10 * u32::from(CHANNELS)).to_le_bytes());
        let mut index = offset + length;
        for channel in 1..=CHANNELS {
            body.extend(channel.to_le_bytes());
            body.extend(index.to_le_bytes());
            index += 15 + 16 * messages(channel);
        }
        body.extend(index_length.to_le_bytes());
        // no compression
        body.extend(0u32.to_le_bytes());
        for size in [length, length] {
            body.extend(size.to_le_bytes());
        }
        summary = summary.record(0x08, &body);
    }
    let mut statistics = Vec::new();
    statistics.extend((chunks * (1..=CHANNELS).map(messages).sum::<u64>()).to_le_bytes());
    statistics.extend(0u16.to_le_bytes());
    statistics.extend(u32::from(CHANNELS).to_le_bytes());
    statistics.extend([0; 8]);
    statistics.extend(u32::try_from(chunks).unwrap().to_le_bytes());
    statistics.extend([0; 8]);
    statistics.extend((chunks * TIME - 1).to_le_bytes());
    statistics.extend((10 * u32::from(CHANNELS)).to_le_bytes());
    for channel in 1..=CHANNELS {
        statistics.extend(channel.to_le_bytes());
        statistics.extend((chunks * messages(channel)).to_le_bytes());
    }
    summary = summary.record(0x0B, &statistics);
    file.seek(SeekFrom::Start(start + chunks * CHUNK)).unwrap();
    file.write_all(&Made::default().record(0x0F, &[0; 4]).0).unwrap();
    let summary_start = file.stream_position().unwrap();
    let footer = [&summary_start.to_le_bytes()[..], &[0; 12]].concat();
    file.write_all(&summary.record(0x02, &footer).0).unwrap();
    file.write_all(MAGIC).unwrap();
}

/// Counts a recording of so many GiB. Its chunks are holes: what is right comes from the index. Prints the times, which depend
/// on the computer.
fn count(gib: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.mcap");
    let chunks = gib << 10;
    write(&path, chunks);
    assert!(path.metadata().unwrap().len() > gib << 30);
    let begun = Instant::now();
    let recording =
        crate::source::open(&[&path], &RecordingOptions::default(), &Registry::default(), &mut |_| {})
            .unwrap();
    let overview = recording.overview().unwrap();
    let opened = begun.elapsed();
    let timeline = overview.timeline(300);
    println!("{gib} GiB: opened in {opened:?}, timeline in {:?}", begun.elapsed() - opened);
    assert!(timeline.gaps.is_empty() && timeline.damaged.is_empty() && timeline.topics.len() == 25);
    for (channel, topic) in (1..).zip(&timeline.topics) {
        let each = (chunks * messages(channel)) as f32 / 300.0;
        assert!(
            !topic.estimated && topic.counts.iter().all(|count| (count / each - 1.0).abs() < 0.02),
            "{topic:?}"
        );
    }
}

#[test]
fn the_timeline_of_2_gib_comes_from_the_index_alone() {
    count(2);
}

#[test]
fn the_timeline_of_100_gib_comes_from_the_index_alone() {
    count(100);
}
