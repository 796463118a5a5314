use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::model::{Entry, SubscriptionId};

pub(super) const CAMERA: ChannelId = ChannelId(1);
pub(super) const TRANSFORM: ChannelId = ChannelId(2);
const STATE: ChannelId = ChannelId(3);

/// A batch in one buffer; each message's payload is its index in `times`, repeated.
pub(super) fn batch(messages: &[(ChannelId, u64, usize)]) -> Arc<Batch> {
    let mut buffer = Vec::new();
    let mut entries = Vec::new();
    for &(channel, time, length) in messages {
        entries.push(Entry {
            log_time: Timestamp(time),
            publish_time: Timestamp(time),
            channel,
            sequence: 0,
            buffer: 0,
            offset: u32::try_from(buffer.len()).unwrap(),
            length: u32::try_from(length).unwrap(),
            origin: 0,
        });
        buffer.extend(std::iter::repeat_n(u8::try_from(time % 251).unwrap(), length));
    }
    Arc::new(Batch { buffers: vec![buffer.into()], entries, ..Batch::default() })
}

pub(super) fn push(
    outbox: &mut Outbox,
    batch: &Arc<Batch>,
    range: Range<usize>,
    policy: SlowClient,
) -> Option<u64> {
    let mut channels = ChannelSet::default();
    let (bytes, _) = super::super::summarize(batch, range.clone(), &mut channels);
    let slice = Slice { batch, range, bytes, channels: &channels, timed: true, feed: Feed::Playback };
    outbox.push(&slice, policy, Instant::now())
}

fn subscribed(limit: usize, channels: &[ChannelId]) -> Outbox {
    let mut outbox = Outbox::new(limit, Sessions::AtOnce);
    for channel in channels {
        let since = outbox.next_number();
        outbox.subscriptions_mut().insert(SubscriptionId(channel.0), *channel, since).unwrap();
    }
    outbox
}

/// Takes everything, as the client's task would: (channel, time, payload).
fn drain(outbox: &mut Outbox) -> Vec<(ChannelId, u64, Vec<u8>)> {
    let mut messages = Vec::new();
    loop {
        let taken = outbox.take(Progress::Written, Instant::now());
        let Some(item) = taken.item else { return messages };
        let Item::Messages(part) = item else { continue };
        for entry in &part.batch.entries[part.range.clone()] {
            if taken.subscriptions.wanted(entry.channel, part.number).is_some() {
                messages.push((entry.channel, entry.log_time.0, part.batch.payload(entry).to_vec()));
            }
        }
    }
}

#[test]
fn slices_of_one_batch_become_one_item() {
    let mut outbox = subscribed(1 << 20, &[CAMERA]);
    let batch = batch(&[(CAMERA, 1, 10), (CAMERA, 2, 10), (CAMERA, 3, 10)]);
    for index in 0..3 {
        push(&mut outbox, &batch, index..index + 1, SlowClient::Drop);
    }
    assert_eq!(outbox.data.iter().count(), 1);
    assert_eq!(drain(&mut outbox).len(), 3);
}

#[test]
fn what_nobody_wants_is_not_queued() {
    let mut outbox = subscribed(1 << 20, &[TRANSFORM]);
    assert_eq!(push(&mut outbox, &batch(&[(CAMERA, 1, 10)]), 0..1, SlowClient::Drop), None);
    assert!(outbox.is_drained());
}

#[test]
fn a_subscription_gets_nothing_that_was_queued_before_it() {
    let mut outbox = subscribed(1 << 20, &[CAMERA]);
    let batch = batch(&[(CAMERA, 1, 1), (TRANSFORM, 1, 1), (CAMERA, 2, 1), (TRANSFORM, 2, 1)]);
    push(&mut outbox, &batch, 0..2, SlowClient::Drop);
    let since = outbox.next_number();
    outbox.subscriptions_mut().insert(SubscriptionId(9), TRANSFORM, since).unwrap();
    push(&mut outbox, &batch, 2..4, SlowClient::Drop);
    let got: Vec<_> = drain(&mut outbox).into_iter().map(|(channel, time, _)| (channel, time)).collect();
    assert_eq!(got, [(CAMERA, 1), (CAMERA, 2), (TRANSFORM, 2)]);
}

#[test]
fn a_backfill_is_of_use_until_something_newer_is_queued() {
    let mut outbox = subscribed(1 << 20, &[CAMERA, TRANSFORM]);
    outbox.await_backfill(CAMERA);
    outbox.await_backfill(TRANSFORM);
    push(&mut outbox, &batch(&[(CAMERA, 1, 1), (STATE, 1, 1)]), 0..2, SlowClient::Drop);
    assert!(!outbox.awaits_backfill(CAMERA) && outbox.awaits_backfill(TRANSFORM));
    outbox.purge(Purge::Seek(Timestamp(5)));
    assert!(outbox.awaits_backfill(TRANSFORM), "a seek may be followed by none of it");
    outbox.retire(&[TRANSFORM]);
    assert!(!outbox.awaits_backfill(TRANSFORM));
}

#[test]
fn a_camera_does_not_evict_a_transform_or_a_rare_state() {
    let limit = 1 << 20;
    let mut outbox = subscribed(limit, &[CAMERA, TRANSFORM, STATE]);
    const SECONDS: u64 = 60;
    let mut lost = 0;
    for second in 0..SECONDS {
        let mut messages = vec![(STATE, second * 1000, 20)];
        for i in 0..30 {
            messages.push((CAMERA, second * 1000 + i * 33, 100_000));
            messages.push((TRANSFORM, second * 1000 + i * 33, 500));
        }
        let batch = batch(&messages);
        lost += push(&mut outbox, &batch, 0..messages.len(), SlowClient::Drop).unwrap();
        assert!(outbox.data.weight() <= limit * 2 + batch.footprint());
    }
    let got = drain(&mut outbox);
    let times = |channel| got.iter().filter(|m| m.0 == channel).map(|m| m.1).collect::<Vec<_>>();
    assert_eq!(
        times(STATE),
        (0..SECONDS).map(|s| s * 1000).collect::<Vec<_>>(),
        "rare messages are all there"
    );
    assert_eq!(
        times(TRANSFORM).last(),
        Some(&((SECONDS - 1) * 1000 + 29 * 33)),
        "the newest transform is there"
    );
    assert_eq!(times(CAMERA).last(), Some(&((SECONDS - 1) * 1000 + 29 * 33)), "the newest image is there");
    assert_eq!(lost, SECONDS * 61 - got.len() as u64, "every drop is counted");
    assert_eq!(outbox.dropped().0.values().sum::<u64>(), lost);
}

#[test]
fn a_client_that_wants_little_of_much_loses_nothing() {
    let limit = 1 << 20;
    let mut outbox = subscribed(limit, &[STATE]);
    for second in 0..50 {
        let batch = batch(&[(CAMERA, second, 500_000), (STATE, second, 100), (CAMERA, second, 500_000)]);
        assert_eq!(push(&mut outbox, &batch, 0..3, SlowClient::Drop), Some(0));
        assert!(outbox.data.weight() <= limit + batch.footprint(), "chunks are not kept alive");
    }
    assert_eq!(drain(&mut outbox).len(), 50);
}

/// Batches of recordings that overlap in time take turns with the same few chunks.
#[test]
fn chunks_that_queued_batches_share_count_once() {
    let mut outbox = subscribed(1 << 20, &[CAMERA]);
    let chunks = [batch(&[(CAMERA, 1, 300_000)]), batch(&[(CAMERA, 2, 300_000)])];
    let buffers: Vec<_> = chunks.iter().map(|chunk| chunk.buffers[0].clone()).collect();
    for time in 0..100 {
        let entry = |buffer| Entry { buffer, length: 10, log_time: Timestamp(time), ..chunks[0].entries[0] };
        let both = Arc::new(Batch {
            buffers: buffers.clone(),
            entries: vec![entry(0), entry(1)],
            ..Batch::default()
        });
        assert_eq!(push(&mut outbox, &both, 0..2, SlowClient::Drop), Some(0));
    }
    assert!((600_000..700_000).contains(&outbox.data.weight()), "{}", outbox.data.weight());
    assert!(outbox.has_room(usize::MAX));
    assert_eq!(drain(&mut outbox).len(), 200);
}

#[test]
fn with_wait_nothing_is_dropped_and_there_is_no_room() {
    let mut outbox = subscribed(1000, &[CAMERA]);
    let mut pushed = 0;
    while outbox.has_room(usize::MAX) {
        assert_eq!(push(&mut outbox, &batch(&[(CAMERA, pushed, 100)]), 0..1, SlowClient::Wait), Some(0));
        pushed += 1;
    }
    assert!(pushed > 1 && pushed <= 10);
    assert_eq!(drain(&mut outbox).len() as u64, pushed);
    assert!(outbox.has_room(usize::MAX) && outbox.is_drained());
}

#[test]
fn the_lead_over_a_client_can_be_shorter_than_its_budget() {
    let mut outbox = subscribed(10_000, &[CAMERA]);
    assert!(outbox.has_room(500));
    push(&mut outbox, &batch(&[(CAMERA, 1, 600)]), 0..1, SlowClient::Wait);
    assert!(!outbox.has_room(500) && outbox.has_room(5000) && outbox.has_room(usize::MAX));
}

#[test]
fn a_part_in_hand_still_counts() {
    let mut outbox = subscribed(1000, &[CAMERA]);
    push(&mut outbox, &batch(&[(CAMERA, 1, 2000)]), 0..1, SlowClient::Wait);
    assert!(outbox.take(Progress::Written, Instant::now()).item.is_some());
    assert!(!outbox.has_room(usize::MAX) && !outbox.is_drained());
    assert!(outbox.take(Progress::InHand, Instant::now()).item.is_none());
    assert!(!outbox.is_drained());
    outbox.take(Progress::Written, Instant::now());
    assert!(outbox.has_room(usize::MAX) && outbox.is_drained());
}

#[test]
fn a_purge_leaves_nothing_from_before() {
    let mut outbox = subscribed(1 << 20, &[CAMERA]);
    let frame = |text: &'static str| Encoded::Text(Bytes::from_static(text.as_bytes()));
    outbox.push_control(ControlKind::Time(Timestamp(1)), frame("old time"));
    outbox.push_control(ControlKind::Other, frame("answer"));
    push(&mut outbox, &batch(&[(CAMERA, 1, 1)]), 0..1, SlowClient::Drop);
    outbox.purge(Purge::Seek(Timestamp(9)));
    outbox.push_control(ControlKind::State, frame("state"));
    let taken = outbox.take(Progress::Written, Instant::now());
    assert_eq!(
        taken.control.iter().map(|c| c.frame.clone()).collect::<Vec<_>>(),
        [frame("answer"), frame("state")]
    );
    assert!(taken.item.is_none());
}

#[test]
fn closing_waits_for_the_queue_or_does_not() {
    let mut outbox = subscribed(1 << 20, &[CAMERA]);
    let closing = |drain| Closing { code: 1000, reason: "end", drain };
    push(&mut outbox, &batch(&[(CAMERA, 1, 1)]), 0..1, SlowClient::Drop);
    outbox.close(closing(true));
    assert_eq!(outbox.take(Progress::Written, Instant::now()).closing, None);
    assert_eq!(outbox.take(Progress::InHand, Instant::now()).closing, None);
    assert_eq!(outbox.take(Progress::Written, Instant::now()).closing, Some(closing(true)));
    outbox.close(closing(false));
    push(&mut outbox, &batch(&[(CAMERA, 1, 1)]), 0..1, SlowClient::Drop);
    assert_eq!(outbox.take(Progress::Written, Instant::now()).closing, Some(closing(false)));
}

#[test]
fn control_that_nobody_reads_ends_the_session() {
    let mut outbox = Outbox::new(1000, Sessions::AtOnce);
    let frame = Encoded::Binary(Bytes::from(vec![0; 1 << 20]));
    for _ in 0..16 {
        outbox.push_control(ControlKind::Other, frame.clone());
        assert!(!outbox.overflowed());
    }
    outbox.push_control(ControlKind::Other, frame);
    assert!(outbox.overflowed());
}

#[test]
fn small_control_frames_count_with_what_they_take_in_memory() {
    let mut outbox = Outbox::new(1000, Sessions::AtOnce);
    let frame = Encoded::Binary(Bytes::from_static(&[5; 23]));
    let admitted = (0..).take_while(|_| {
        outbox.push_control(ControlKind::Other, frame.clone());
        !outbox.overflowed()
    });
    assert!(admitted.count() < 200_000);
}

#[test]
fn a_list_of_channels_is_as_large_as_it_is() {
    for kind in [ControlKind::Session, ControlKind::Lasting] {
        let mut outbox = Outbox::new(1000, Sessions::AtOnce);
        outbox.push_control(kind, Encoded::Text(Bytes::from(vec![b'x'; 40 << 20])));
        let frame = Encoded::Binary(Bytes::from(vec![0; 1 << 20]));
        for _ in 0..16 {
            outbox.push_control(ControlKind::Other, frame.clone());
            assert!(!outbox.overflowed());
        }
        outbox.push_control(ControlKind::Other, frame);
        assert!(outbox.overflowed());
    }
}

proptest! {
    /// Whatever is pushed, taken and purged: each channel's messages come in order, none twice, none from before a
    /// purge after it, the newest of each wanted channel is always among them, and memory stays within bounds.
    #[test]
    fn the_newest_of_each_channel_arrives_in_order(
        steps in proptest::collection::vec((0u8..10, 1u32..5, 1usize..400), 1..300)
    ) {
        let limit = 4000;
        let channels = [CAMERA, TRANSFORM, STATE, ChannelId(4)];
        let mut outbox = subscribed(limit, &channels);
        let mut newest: BTreeMap<ChannelId, u64> = BTreeMap::new();
        let mut got: BTreeMap<ChannelId, Vec<u64>> = BTreeMap::new();
        let (mut time, mut purged_at, mut sent, mut lost) = (0u64, 0, 0u64, 0u64);
        for (step, channel, length) in steps {
            time += 1;
            match step {
                0 => {
                    outbox.purge(Purge::Seek(Timestamp(9)));
                    purged_at = time;
                    newest.clear();
                    got.clear();
                    (sent, lost) = (0, 0);
                }
                1 | 2 => {
                    let taken = outbox.take(Progress::Written, Instant::now());
                    if let Some(Item::Messages(part)) = taken.item {
                        for entry in &part.batch.entries[part.range] {
                            prop_assert!(entry.log_time.0 > purged_at);
                            got.entry(entry.channel).or_default().push(entry.log_time.0);
                        }
                    }
                }
                _ => {
                    let batch = batch(&[(ChannelId(channel), time, length)]);
                    lost += push(&mut outbox, &batch, 0..1, SlowClient::Drop).unwrap();
                    sent += 1;
                    newest.insert(ChannelId(channel), time);
                }
            }
            prop_assert!(outbox.data.bytes() <= 2 * limit + 400);
        }
        for (channel, message, payload) in drain(&mut outbox) {
            prop_assert!(payload.iter().all(|byte| u64::from(*byte) == message % 251));
            got.entry(channel).or_default().push(message);
        }
        for (channel, times) in &got {
            prop_assert!(times.is_sorted_by(|a, b| a < b), "{channel}: {times:?}");
        }
        for (channel, time) in newest {
            prop_assert_eq!(got.get(&channel).and_then(|times| times.last()), Some(&time));
        }
        prop_assert_eq!(got.values().map(|times| times.len() as u64).sum::<u64>() + lost, sent);
    }
}

#[test]
fn answers_that_pile_up_cost_no_client_its_connection() {
    let frame = |text: &str| Encoded::Text(Bytes::from(format!("{text:1000}")));
    for with_messages in [false, true] {
        let mut outbox = subscribed(1 << 20, &[CAMERA]);
        outbox.push_control(ControlKind::Other, frame("status"));
        let messages = batch(&[(CAMERA, 1, 10)]);
        let mut sought = "sought 0".to_owned();
        for request in 0..100_000 {
            if with_messages && request % 100 == 0 {
                push(&mut outbox, &messages, 0..1, SlowClient::Drop);
            }
            if request % 1000 == 0 {
                sought = format!("sought {request}");
                outbox.purge(Purge::Seek(Timestamp(0)));
                outbox.push_ordered(ControlKind::Sought, frame(&sought));
            }
            outbox.push_ordered(ControlKind::Answer, frame(&format!("answer {request}")));
            assert!(outbox.control_bytes < 2 << 20 && !outbox.overflowed());
        }
        let mut left = Vec::new();
        loop {
            let taken = outbox.take(Progress::Written, Instant::now());
            let other = taken.item.map(|item| matches!(item, Item::Messages(_)).then_some(()).ok_or(item));
            let (stop, ordered) = (other.is_none() && taken.control.is_empty(), other.and_then(Result::err));
            left.extend(taken.control.into_iter().map(|control| control.frame));
            if let Some(Item::Other(Ordered::Control(control))) = ordered {
                left.push(control.frame);
            }
            if stop {
                break;
            }
        }
        for kept in ["status", &sought, "answer 99999"] {
            assert!(left.contains(&frame(kept)), "{kept}");
        }
        assert_eq!(outbox.control_bytes, 0);
    }
}
