//! What stands between reading and the sockets, each part alone and on one core: the merge of files, the clock, and the
//! queues of clients.
//!
//! `cargo bench --bench delivery`. Figures are printed, nothing is asserted: they depend on what else the machine does;
//! the best of several runs is told.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops where it can't measure"
)]
#![allow(missing_docs, reason = "a program")]

use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use foxglove_bridge::hub::SlowClient;
use foxglove_bridge::internals::{
    ChannelSet, Clock, Decoded, Extended, Feed, Item, Merge, Outbox, Place, Progress, Sessions, Slice,
};
use foxglove_bridge::model::{Batch, ChannelId, Entry, SubscriptionId};
use foxglove_bridge::playback::Rate;
use foxglove_bridge::time::Timestamp;

const RUNS: usize = 7;

/// Messages in a batch, as the merge makes them.
const BATCH: usize = 4096;

/// Bytes of a message's payload.
const LENGTH: u32 = 100;

/// Prints the best of several runs. `run` makes ready, and returns how long so many operations took then.
fn measure(name: &str, operation: &str, mut run: impl FnMut() -> (Duration, usize)) {
    let best = (0..RUNS)
        .map(|_| {
            let (took, count) = run();
            took.as_secs_f64() * 1e9 / count as f64
        })
        .fold(f64::MAX, f64::min);
    println!("{name:<58} {best:>8.1} ns a {operation} ({:.1} M/s)", 1e3 / best);
}

fn entry(number: usize, time: u64, channels: u32) -> Entry {
    let number = u32::try_from(number).unwrap();
    Entry {
        log_time: Timestamp(time),
        publish_time: Timestamp(time),
        // as if by chance, the same each time
        channel: ChannelId(1 + number.wrapping_mul(2_654_435_761) % channels),
        sequence: number,
        buffer: 0,
        offset: number * LENGTH,
        length: LENGTH,
        origin: 0,
    }
}

/// Messages on so many channels, a microsecond apart.
fn batch(first: u64, channels: u32) -> Arc<Batch> {
    let entries = (0..BATCH).map(|number| entry(number, (first + number as u64) * 1000, channels)).collect();
    let buffers = vec![Bytes::from(vec![7; BATCH * LENGTH as usize])];
    Arc::new(Batch { buffers, entries, ..Batch::default() })
}

fn clock() {
    const COUNT: u32 = 1_000_000;
    let begin = Instant::now();
    let mut clock = Clock::new(Timestamp(1_490_149_580_000_000_000), Rate::Times(1.5));
    clock.play(begin);
    measure("clock: when a message is due", "message", || {
        let start = Instant::now();
        for number in 0..COUNT {
            black_box(black_box(&clock).due(Timestamp(1_490_149_580_000_000_000 + u64::from(number) * 1000)));
        }
        (start.elapsed(), COUNT as usize)
    });
    measure("clock: the position now", "look", || {
        let start = Instant::now();
        for number in 0..COUNT {
            black_box(black_box(&clock).position(begin + Duration::from_nanos(number.into())));
        }
        (start.elapsed(), COUNT as usize)
    });
}

/// Clients that want every `every`th of so many channels.
fn clients(count: usize, budget: usize, channels: u32, every: usize) -> Vec<Outbox> {
    let client = || {
        let mut outbox = Outbox::new(budget, Sessions::AtOnce);
        for channel in (1..=channels).step_by(every) {
            let since = outbox.next_number();
            outbox.subscriptions_mut().insert(SubscriptionId(channel), ChannelId(channel), since).unwrap();
        }
        outbox
    };
    (0..count).map(|_| client()).collect()
}

/// Publishes a part of a batch to everybody, as the hub does. Returns how many messages were dropped.
fn publish(clients: &mut [Outbox], batch: &Arc<Batch>, range: Range<usize>, now: Instant) -> u64 {
    let mut channels = ChannelSet::default();
    let mut bytes = 0;
    for entry in &batch.entries[range.clone()] {
        channels.insert(entry.channel);
        bytes += entry.length as usize;
    }
    let slice = Slice { batch, range, bytes, channels: &channels, timed: true, feed: Feed::Playback };
    clients.iter_mut().filter_map(|client| client.push(&slice, SlowClient::Drop, now)).sum()
}

/// Takes all that is queued for a client and picks out what it wants.
fn take(client: &mut Outbox) -> usize {
    let mut messages = 0;
    loop {
        let taken = client.take(Progress::Written, Instant::now());
        let Some(item) = taken.item else { return messages };
        let Item::Messages(part) = item else { continue };
        for entry in &part.batch.entries[part.range] {
            if let Some(id) = taken.subscriptions.wanted(entry.channel, part.number) {
                black_box(id);
                messages += 1;
            }
        }
    }
}

fn outbox() {
    const BUDGET: usize = 16 << 20;
    let now = Instant::now();
    for (count, slice) in [(1, 1), (1, 500), (10, 500), (100, 500)] {
        let batches: Vec<_> = (0..20).map(|number| batch(number * BATCH as u64, 20)).collect();
        let name = format!("outbox: publish {slice} messages at a time to {count} clients");
        measure(&name, "message", || {
            let mut clients = clients(count, BUDGET, 20, 1);
            let mut took = Duration::ZERO;
            for batch in &batches {
                let begin = Instant::now();
                for from in (0..BATCH).step_by(slice) {
                    publish(&mut clients, batch, from..(from + slice).min(BATCH), now);
                }
                took += begin.elapsed();
                clients.iter_mut().for_each(|client| assert_eq!(take(client), BATCH));
            }
            (took, batches.len() * BATCH)
        });
    }
    for (what, channels, every) in [
        ("all of 20 channels", 20, 1),
        ("all of 1,200 channels", 1_200, 1),
        ("one of 100 channels", 1_200, 100),
    ] {
        let batches: Vec<_> = (0..20).map(|number| batch(number * BATCH as u64, channels)).collect();
        measure(&format!("outbox: take, and pick out what is wanted: {what}"), "message", || {
            let mut clients = clients(1, BUDGET, channels, every);
            for batch in &batches {
                publish(&mut clients, batch, 0..BATCH, now);
            }
            let begin = Instant::now();
            black_box(take(&mut clients[0]));
            (begin.elapsed(), batches.len() * BATCH)
        });
    }
    for (channels, budget) in [(20, 16 << 20), (1_200, 16 << 20), (20, 1 << 20)] {
        let batches: Vec<_> = (0..200).map(|number| batch(number * BATCH as u64, channels)).collect();
        let name = format!("outbox: a client that reads nothing, {channels} channels, {} MiB", budget >> 20);
        measure(&name, "message", || {
            let mut clients = clients(1, budget, channels, 1);
            let begin = Instant::now();
            let dropped: u64 = batches.iter().map(|batch| publish(&mut clients, batch, 0..BATCH, now)).sum();
            let took = begin.elapsed();
            assert!(dropped > 0);
            (took, batches.len() * BATCH)
        });
    }
}

/// The pieces of so many files in turns, whose messages are in turns of `run` messages of one file.
fn files(count: usize, run: usize) -> Vec<Vec<(Place, Decoded)>> {
    const MESSAGES: usize = 1 << 19;
    let pieces = (MESSAGES / BATCH / count).max(1);
    let buffer = Bytes::from(vec![7; BATCH * LENGTH as usize]);
    let piece = |file: usize, piece: usize| {
        let time = |number: usize| {
            let number = piece * BATCH + number;
            ((number / run * count + file) * run + number % run) as u64
        };
        let entries = (0..BATCH).map(|number| entry(number, time(number), 20)).collect();
        let place = Place {
            file: u32::try_from(file).unwrap(),
            segment: u32::try_from(piece).unwrap(),
            offset: piece as u64 * 1000,
        };
        (place, Decoded::new(buffer.clone(), entries))
    };
    // the first one last, to be popped
    (0..count).map(|file| (0..pieces).rev().map(|number| piece(file, number)).collect()).collect()
}

fn merge() {
    for (count, run) in [(1, 1), (2, 1), (2, 100), (8, 1), (8, 100), (64, 1)] {
        let files = files(count, run);
        let name = format!("merge: {count} files, {run} messages of one in a row");
        measure(&name, "message", || {
            let mut files = files.clone();
            let total = files.iter().map(Vec::len).sum::<usize>() * BATCH;
            let (mut merge, mut merged) = (Merge::default(), 0);
            let begin = Instant::now();
            for (place, decoded) in files.iter_mut().filter_map(Vec::pop) {
                merge.push(place, decoded, 0);
            }
            loop {
                let mut batch = merge.batch();
                while !batch.is_full() {
                    match merge.extend(&mut batch, None) {
                        Extended::Nothing => break,
                        Extended::Some => {}
                        Extended::Finished(place) => {
                            if let Some((place, decoded)) = files[place.file as usize].pop() {
                                merge.push(place, decoded, 0);
                            }
                        }
                    }
                }
                let Some(batch) = batch.finish() else { break };
                merged += black_box(batch).entries.len();
            }
            assert_eq!(merged, total);
            (begin.elapsed(), total)
        });
    }
}

fn main() {
    merge();
    clock();
    outbox();
}
