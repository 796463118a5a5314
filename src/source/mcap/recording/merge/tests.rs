//! Against a plain sort of all messages.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::model::{Batch, ChannelId, Entry};
use crate::time::Timestamp;

/// A segment of messages at these times; each carries its place: file, segment, number.
fn segment(place: Place, times: &[u64]) -> Decoded {
    let mut buffer = Vec::new();
    let mut entries = Vec::new();
    for (number, &time) in (0u32..).zip(times) {
        let payload = [place.file, place.segment, number].map(u32::to_le_bytes).concat();
        entries.push(Entry {
            log_time: Timestamp(time),
            publish_time: Timestamp(time),
            channel: ChannelId(1),
            sequence: number,
            buffer: 0,
            offset: u32::try_from(buffer.len()).unwrap(),
            length: 12,
            origin: 0,
        });
        buffer.extend(payload);
    }
    Decoded::new(Bytes::from(buffer), entries)
}

fn seen(batch: &Batch) -> Vec<(u64, [u32; 3])> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    let one = |entry: &Entry| {
        let payload = batch.payload(entry);
        (entry.log_time.0, [0, 4, 8].map(|at| number(&payload[at..at + 4])))
    };
    batch.entries.iter().map(one).collect()
}

/// Plays segments given in the order (first time, file, offset), each added when its turn comes.
fn merged(segments: &[(Place, Vec<u64>)], mut on_push: impl FnMut(&mut Merge)) -> Vec<(u64, [u32; 3])> {
    let mut merge = Merge::default();
    let mut coming = segments.iter().peekable();
    let mut all = Vec::new();
    loop {
        let mut batch = merge.batch();
        while !batch.is_full() {
            let planned = coming.peek().map(|(place, times)| place.key(times[0]));
            let head = merge.head();
            if planned.is_some_and(|planned| head.is_none_or(|head| planned < head)) {
                let (place, times) = coming.next().unwrap();
                assert!(merge.push(*place, segment(*place, times), 0));
                on_push(&mut merge);
                continue;
            }
            if let Some(place) = merge.parked() {
                let times = &segments.iter().find(|(other, _)| *other == place).unwrap().1;
                assert!(merge.resume(Some(segment(place, times))));
            }
            if merge.extend(&mut batch, planned) == Extended::Nothing {
                break;
            }
        }
        match batch.finish() {
            Some(batch) => all.extend(seen(&batch)),
            None => return all,
        }
    }
}

/// A few files of a few segments with times that often are equal.
fn files() -> impl Strategy<Value = Vec<Vec<Vec<u64>>>> {
    let segment = prop::collection::vec(0u64..12, 1..8).prop_map(|mut times| {
        times.sort_unstable();
        times
    });
    prop::collection::vec(prop::collection::vec(segment, 1..5), 1..6)
}

fn in_order(files: Vec<Vec<Vec<u64>>>) -> Vec<(Place, Vec<u64>)> {
    let mut segments = Vec::new();
    for (file, of_file) in (0..).zip(files) {
        for (number, times) in (0..).zip(of_file) {
            segments.push((Place { file, segment: number, offset: u64::from(number) * 100 }, times));
        }
    }
    segments.sort_by_key(|(place, times)| place.key(times[0]));
    segments
}

fn sorted(segments: &[(Place, Vec<u64>)]) -> Vec<(u64, [u32; 3])> {
    let mut all = Vec::new();
    for (place, times) in segments {
        all.extend((0..).zip(times).map(|(number, time)| (*time, [place.file, place.segment, number])));
    }
    all.sort();
    all
}

proptest! {
    #[test]
    fn messages_come_by_time_then_file_then_place(files in files()) {
        let segments = in_order(files);
        prop_assert_eq!(merged(&segments, |_| {}), sorted(&segments));
    }

    #[test]
    fn parked_pieces_lose_nothing(files in files(), parked in prop::collection::vec(any::<bool>(), 30)) {
        let segments = in_order(files);
        let mut parked = parked.into_iter().cycle();
        let got = merged(&segments, |merge| {
            if parked.next() == Some(true) {
                // as if there were too much
                merge.decoded_bytes += OPEN_BYTES;
                merge.park();
                merge.decoded_bytes -= OPEN_BYTES;
            }
        });
        prop_assert_eq!(got, sorted(&segments));
    }
}

#[test]
fn the_batch_of_a_piece_alone_is_its_buffer() {
    let place = Place { file: 0, segment: 0, offset: 0 };
    let mut decoded = segment(place, &[1, 2, 3]);
    let mut merge = Merge::default();
    merge.push(place, decoded.clone(), 1);
    let mut batch = merge.batch();
    assert_eq!(merge.extend(&mut batch, None), Extended::Finished(place));
    let batch = batch.finish().unwrap();
    assert_eq!(batch.buffers.len(), 1);
    assert_eq!(batch.buffers[0].as_ptr(), decoded.buffer.as_ptr());
    assert_eq!(batch.entries, decoded.from(1));
}
