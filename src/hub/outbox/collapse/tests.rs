use std::collections::BTreeSet;

use super::super::tests::{CAMERA, TRANSFORM, push};
use super::super::{ControlKind, Encoded, Progress, Sessions, SlowClient};
use super::*;
use crate::model::SubscriptionId;
use crate::payload::transforms::{Count, Transforms};
use crate::time::Timestamp;

const FRAMES: Option<Transforms> = Some(Transforms::Json(Count::One));
const LIMIT: usize = 1 << 16;

/// A client of a camera and of `TRANSFORM`, of which this counts.
fn client(limit: usize, counts: Counts) -> Outbox {
    let mut outbox = Outbox::new(limit, Sessions::AtOnce);
    for channel in [CAMERA, TRANSFORM] {
        outbox.subscriptions_mut().insert(SubscriptionId(channel.0), channel, 0).unwrap();
    }
    outbox.subscriptions_mut().set_counts(TRANSFORM, counts);
    outbox
}

fn publish(outbox: &mut Outbox, entry: Entry, payload: &[u8]) -> u64 {
    let mut batch = Batch::default();
    batch.push_copy(&entry, payload);
    push(outbox, &Arc::new(batch), 0..1, SlowClient::Drop).unwrap()
}

/// A transform of a frame, of at least this many bytes.
fn place(outbox: &mut Outbox, time: u64, frame: &str, length: usize) -> u64 {
    let payload = format!("{{\"child_frame_id\":\"{frame}\"{}}}", " ".repeat(length));
    publish(outbox, Entry::at(TRANSFORM, Timestamp(time)), payload.as_bytes())
}

fn camera(outbox: &mut Outbox, time: u64, length: usize) -> u64 {
    publish(outbox, Entry::at(CAMERA, Timestamp(time)), &vec![0; length])
}

/// The times of the messages of `TRANSFORM` that the client is given.
fn given(outbox: &mut Outbox) -> Vec<u64> {
    let mut times = Vec::new();
    while let Some(item) = outbox.take(Progress::Written, Instant::now()).item {
        let Item::Messages(part) = item else { continue };
        let entries = part.batch.entries[part.range.clone()].iter();
        times.extend(entries.filter(|entry| entry.channel == TRANSFORM).map(|entry| entry.log_time.0));
    }
    assert!(times.is_sorted(), "{times:?}");
    times
}

fn transforms(is_latched: bool) -> Counts {
    Counts { transforms: FRAMES, is_latched }
}

#[test]
fn the_last_transform_of_each_frame_survives() {
    for is_latched in [true, false] {
        let mut outbox = client(LIMIT, transforms(is_latched));
        let (mut lost, mut last) = (0, BTreeMap::new());
        // three publishers, of which one is heard once
        lost += place(&mut outbox, 0, "once", 10);
        last.insert("once", 0);
        for time in 1..2000 {
            let frame = if time % 3 == 0 { "seldom" } else { "often" };
            lost += place(&mut outbox, time, frame, 100);
            lost += camera(&mut outbox, time, 1000);
            last.insert(frame, time);
        }
        assert!(outbox.data.weight() < 2 * LIMIT);
        let given = given(&mut outbox);
        let kept: BTreeSet<u64> = given.iter().copied().collect();
        assert!(last.values().all(|time| kept.contains(time)), "{last:?} of {given:?}");
        assert!(lost > 3000);
    }
}

#[test]
fn a_message_that_places_several_frames_stays_while_it_is_the_last_of_one() {
    let many = Counts { transforms: Some(Transforms::Json(Count::Many)), is_latched: false };
    let mut outbox = client(LIMIT, many);
    let place = |outbox: &mut Outbox, time, frames: &[&str]| {
        let list: Vec<_> = frames.iter().map(|frame| format!("{{\"child_frame_id\":\"{frame}\"}}")).collect();
        let payload = format!("{{\"transforms\":[{}]{}}}", list.join(","), " ".repeat(1000));
        publish(outbox, Entry::at(TRANSFORM, Timestamp(time)), payload.as_bytes());
    };
    place(&mut outbox, 0, &["a", "b"]);
    for time in 1..100 {
        place(&mut outbox, time, &["a"]);
    }
    let given = given(&mut outbox);
    assert_eq!((given[0], given.last()), (0, Some(&99)));
    assert!(given.len() < 99);
}

#[test]
fn the_last_message_of_each_origin_of_a_latched_channel_survives() {
    for is_latched in [true, false] {
        let mut outbox = client(LIMIT, Counts { transforms: None, is_latched });
        for time in 0..1000u64 {
            let origin = if time < 10 { 7 } else { 8 };
            let entry = Entry { origin, ..Entry::at(TRANSFORM, Timestamp(time)) };
            publish(&mut outbox, entry, &[0; 1000]);
        }
        let given = given(&mut outbox);
        assert_eq!(given.contains(&9), is_latched);
        assert_eq!(given.last(), Some(&999));
    }
}

#[test]
fn a_channel_that_ends_still_counts() {
    let mut outbox = client(LIMIT, transforms(true));
    place(&mut outbox, 0, "once", 10);
    for time in 1..50 {
        place(&mut outbox, time, "often", 1000);
    }
    outbox.retire(&[TRANSFORM]);
    outbox.push_ordered(ControlKind::Lasting, Encoded::Text(Bytes::new()));
    let lost: u64 = (0..100).map(|time| camera(&mut outbox, time, 1000)).sum();
    assert!(lost > 0);
    let given = given(&mut outbox);
    assert_eq!((given[0], given.last()), (0, Some(&49)));
}

#[test]
fn transforms_that_are_not_latched_are_decoded_within_a_bound() {
    const LENGTH: usize = 1 << 16;
    let count = u64::try_from(2 * DECODED / LENGTH).unwrap();
    for is_latched in [true, false] {
        let mut outbox = client(DECODED, transforms(is_latched));
        // one batch of it all: nothing has been kept before
        let mut batch = Batch::default();
        for time in 0..count {
            let frame = if time == 0 { "once" } else { "often" };
            let payload = format!("{{\"child_frame_id\":\"{frame}\"{}}}", " ".repeat(LENGTH));
            batch.push_copy(&Entry::at(TRANSFORM, Timestamp(time)), payload.as_bytes());
        }
        let range = 0..batch.entries.len();
        assert!(push(&mut outbox, &Arc::new(batch), range, SlowClient::Drop) > Some(0));
        let last = count - 1;
        assert_eq!(given(&mut outbox), if is_latched { vec![0, last] } else { vec![last] });
    }
}

#[test]
fn what_is_no_transform_leaves_the_newest() {
    let mut outbox = client(LIMIT, transforms(false));
    for time in 0..200 {
        let entry =
            Entry { origin: u32::try_from(time % 5).unwrap(), ..Entry::at(TRANSFORM, Timestamp(time)) };
        publish(&mut outbox, entry, &[b'x'; 1000]);
    }
    let given = given(&mut outbox);
    assert!(given.len() < 100 && given.last() == Some(&199), "{given:?}");
}
