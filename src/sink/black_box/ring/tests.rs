use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;

fn channel(id: u32) -> Arc<Channel> {
    Arc::new(Channel {
        id: ChannelId(id),
        topic: format!("/{id}"),
        message_encoding: "json".into(),
        schema: None,
        metadata: BTreeMap::new(),
        latched: false,
    })
}

/// A ring with the channel 1, and the channel 2, which is latched.
fn ring(window: Option<Duration>, limit: usize) -> (Ring, Instant) {
    let began = Instant::now();
    let mut ring = Ring::new(window, limit, began);
    ring.add_channel(&channel(1), false);
    ring.add_channel(&channel(2), true);
    (ring, began)
}

fn message(channel: u32, sequence: u32) -> Entry {
    Entry { sequence, ..Entry::at(ChannelId(channel), Timestamp(u64::from(sequence))) }
}

const SECOND: Duration = Duration::from_secs(1);

/// The sequences of what would be saved: of latched topics before the first message, and of the messages.
fn saved(ring: &mut Ring) -> (Vec<u32>, Vec<u32>) {
    let snapshot = ring.snapshot();
    let latched = snapshot.latched.iter().flat_map(|batch| batch.entries.iter().map(|entry| entry.sequence));
    let blocks = snapshot.blocks.iter();
    let messages =
        blocks.flat_map(|(block, at)| block.messages_from(*at).map(|stored| stored.entry.sequence));
    (latched.collect(), messages.collect())
}

fn sequences(block: &Block) -> Vec<u32> {
    block.messages_from(0).map(|stored| stored.entry.sequence).collect()
}

#[test]
fn what_was_published_before_the_window_goes_and_what_is_latched_of_it_stays() {
    let (mut ring, began) = ring(Some(10 * SECOND), 1 << 20);
    for second in 0..=20 {
        let channel = if second % 6 == 0 { 2 } else { 1 };
        let at = began + SECOND * second;
        ring.evict(at);
        assert!(ring.push(&message(channel, second), b"payload", at));
    }
    assert_eq!(saved(&mut ring), (vec![6], (10..=20).collect()));
    let held = ring.held();
    assert_eq!(held.messages, 11);
    assert_eq!(held.range, Some(TimeRange { start: Timestamp(10), end: Timestamp(20) }));
    ring.evict(began + 40 * SECOND);
    assert_eq!(saved(&mut ring), (vec![18], vec![]));
    assert_eq!((ring.held(), ring.memory.bytes()), (Held::default(), 0));
}

#[test]
fn the_window_goes_by_the_time_of_publishing_whatever_log_times_say() {
    let (mut ring, began) = ring(Some(10 * SECOND), 1 << 20);
    for second in 0..20 {
        let log_time = Timestamp(if second % 2 == 0 { u64::MAX } else { 0 });
        let entry = Entry { log_time, ..message(1, second) };
        assert!(ring.push(&entry, b"", began + SECOND * second));
    }
    ring.evict(began + 20 * SECOND);
    assert_eq!(saved(&mut ring).1, (10..20).collect::<Vec<_>>());
    // a thread that was slow to publish changes nothing
    assert!(ring.push(&message(1, 20), b"", began));
    ring.evict(began + 29 * SECOND);
    assert_eq!(saved(&mut ring).1, [19, 20]);
}

#[test]
fn a_channel_that_has_ended_is_kept_as_long_as_its_messages() {
    let (mut ring, began) = ring(Some(10 * SECOND), 1 << 20);
    assert!(ring.push(&message(2, 0), b"map", began));
    assert!(ring.push(&message(1, 1), b"", began + 5 * SECOND));
    ring.retire(ChannelId(2));
    let channels = |ring: &mut Ring| ring.snapshot().channels.len();
    assert_eq!((channels(&mut ring), saved(&mut ring)), (2, (vec![], vec![0, 1])));
    ring.evict(began + 11 * SECOND);
    assert_eq!(saved(&mut ring), (vec![], vec![1]), "what is latched of it is not kept");
    ring.evict(began + 16 * SECOND);
    assert_eq!(channels(&mut ring), 1);
    ring.retire(ChannelId(1));
    assert_eq!(channels(&mut ring), 0);
}

#[test]
fn who_follows_gets_every_message_once_also_what_the_ring_lets_go() {
    let (mut ring, began) = ring(Some(SECOND), 1 << 20);
    assert!(ring.push(&message(1, 0), b"", began));
    let snapshot = ring.snapshot();
    ring.follow(true);
    let mut followed = Vec::new();
    let mut next = snapshot.next;
    for second in 1..50 {
        let at = began + SECOND * second;
        ring.evict(at);
        assert!(ring.push(&message(1, second), b"", at));
        if second % 20 == 0 {
            // another file begins
            drop(ring.snapshot());
        }
        for (number, block) in ring.completed() {
            assert!(number >= next, "a block comes once");
            next = number + 1;
            followed.extend(sequences(&block));
        }
    }
    ring.complete();
    ring.completed().iter().for_each(|(_, block)| followed.extend(sequences(block)));
    assert_eq!(sequences(&snapshot.blocks[0].0), [0]);
    assert_eq!(followed, (1..50).collect::<Vec<_>>());
    ring.follow(false);
    ring.complete();
    assert!(ring.completed().is_empty());
}

#[test]
fn what_a_file_still_needs_counts_for_the_bound_and_a_slow_one_costs_the_oldest() {
    const LIMIT: usize = 64 << 10;
    let (mut ring, began) = ring(None, LIMIT);
    let payload = [0; 1000];
    let fill = |ring: &mut Ring, from: u32, count: u32| {
        (from..from + count).filter(|sequence| ring.push(&message(1, *sequence), &payload, began)).count()
    };
    assert_eq!(fill(&mut ring, 0, 100), 100);
    let mut snapshot = ring.snapshot();
    let most = LIMIT + LIMIT / SLACK;
    // a file that is written as fast as messages come costs nothing: as many are let go as without it
    let before = ring.held().messages;
    for sequence in 100..150 {
        assert_eq!(fill(&mut ring, sequence, 1), 1);
        snapshot.blocks.remove(0);
        assert!(ring.memory.bytes() <= most);
    }
    assert!(ring.held().messages + 4 >= before, "{} of {before}", ring.held().messages);
    drop(snapshot);
    // one that is not written at all leaves room for the newest messages alone
    let snapshot = ring.snapshot();
    assert_eq!(fill(&mut ring, 150, 1000), 1000);
    assert!(ring.held().messages < 10 && ring.memory.bytes() <= most, "{}", ring.held().messages);
    // and for none, if it is to get those as well
    ring.follow(true);
    assert!(fill(&mut ring, 0, 100) < 10 && ring.memory.bytes() <= most);
    ring.follow(false);
    drop((snapshot, ring.completed()));
    assert_eq!(fill(&mut ring, 1150, 100), 100);
    assert!(ring.memory.bytes() <= LIMIT);
}

#[test]
fn a_message_larger_than_the_bound_is_refused_and_costs_no_other() {
    let (mut ring, began) = ring(None, 10_000);
    assert!(ring.push(&message(1, 0), b"small", began));
    assert!(!ring.push(&message(1, 1), &[0; 10_000], began));
    assert!(ring.push(&message(1, 2), &[0; 5000], began));
    assert_eq!(saved(&mut ring).1, [0, 2]);
}

/// What happens to a ring.
#[derive(Debug, Clone)]
enum Step {
    /// A message of a channel and with a payload of this length, after so many ms.
    Push(u32, usize, u64),
    Save,
    /// So many blocks of the oldest file are written.
    Write(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let payload = prop_oneof![8 => 0usize..300, 1 => 0usize..8000];
    let push =
        (1u32..=2, payload, 0u64..400).prop_map(|(channel, length, ms)| Step::Push(channel, length, ms));
    let step = prop_oneof![20 => push, 1 => Just(Step::Save), 2 => (1usize..5).prop_map(Step::Write)];
    prop::collection::vec(step, 1..300)
}

proptest! {
    /// The bound in bytes holds after every step; what would be saved is the end of what was pushed, in order, none of it
    /// older than the window and all of it unless memory is short, with the last latched message before that.
    #[test]
    fn bounds_order_and_what_is_latched_hold(steps in steps(), window in prop::option::of(1u64..60), limit in 5_000usize..200_000) {
        let window = window.map(|seconds| SECOND * u32::try_from(seconds).unwrap());
        let (mut ring, began) = ring(window, limit);
        let (mut now, mut sequence) = (began, 0);
        let mut pushed: Vec<(u32, u32, Instant)> = Vec::new();
        let mut files: VecDeque<VecDeque<(Arc<Block>, usize)>> = VecDeque::new();
        let mut is_short = false;
        for step in steps {
            match step {
                Step::Push(channel, length, ms) => {
                    now += Duration::from_millis(ms);
                    ring.evict(now);
                    let blocks = (ring.first, ring.messages);
                    if ring.push(&message(channel, sequence), &vec![0; length], now) {
                        pushed.push((channel, sequence, now));
                    } else {
                        prop_assert!(length + HEADER > limit || !files.is_empty());
                    }
                    is_short |= blocks.0 != ring.first && ring.messages <= blocks.1;
                    sequence += 1;
                }
                Step::Save if files.len() < 4 => files.push_back(ring.snapshot().blocks.into()),
                Step::Save => {}
                Step::Write(blocks) => {
                    for _ in 0..blocks {
                        files.front_mut().and_then(VecDeque::pop_front);
                    }
                    files.retain(|file| !file.is_empty());
                }
            }
            prop_assert!(ring.memory.bytes() <= limit + limit / SLACK, "{} of {limit}", ring.memory.bytes());
            let (latched, kept) = saved(&mut ring);
            prop_assert_eq!(kept.len() as u64, ring.held().messages);
            let end = &pushed[pushed.len() - kept.len()..];
            prop_assert!(end.iter().map(|(_, sequence, _)| sequence).eq(&kept));
            let before = &pushed[..pushed.len() - kept.len()];
            let last = before.iter().rev().find(|(channel, ..)| *channel == 2).map(|(_, sequence, _)| *sequence);
            prop_assert_eq!(latched, Vec::from_iter(last));
            if let Some(oldest) = window.and_then(|window| now.checked_sub(window)) {
                prop_assert!(end.iter().all(|(.., at)| *at >= oldest));
                prop_assert!(is_short || before.iter().all(|(.., at)| *at < oldest));
            }
        }
    }
}
