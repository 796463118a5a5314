use proptest::prelude::*;

use super::*;
use crate::hub::testing::messages;

const A: ChannelId = ChannelId(1);
const B: ChannelId = ChannelId(2);
const VIEWER: ClientId = ClientId(7);

struct Script {
    firsts: Firsts,
    start: Instant,
}

impl Script {
    fn new() -> Self {
        Self { firsts: Firsts::default(), start: Instant::now() }
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    fn publish(&mut self, list: &[(ChannelId, u64)], length: usize, from: Option<ClientId>, millis: u64) {
        let batch = Arc::new(messages(list, length));
        let mut channels = ChannelSet::default();
        list.iter().for_each(|(channel, _)| channels.insert(*channel));
        self.firsts.keep(&batch, 0..list.len(), &channels, from, self.at(millis));
    }

    /// The times of what a client is sent first, in seconds.
    fn take(&mut self, channel: ChannelId, client: ClientId, millis: u64) -> Vec<u64> {
        let batch = self.firsts.take(channel, client, self.at(millis)).unwrap_or_default();
        batch.entries.iter().map(|entry| entry.log_time.0 / 1_000_000_000).collect()
    }
}

#[test]
fn who_subscribes_in_time_gets_the_first_messages_once() {
    let mut script = Script::new();
    script.firsts.begin(A, script.start);
    script.publish(&[(A, 1), (B, 2), (A, 3)], 10, None, 0);
    assert_eq!(script.take(A, VIEWER, 100), [1, 3]);
    assert_eq!(script.take(B, VIEWER, 100), [0u64; 0], "that was not announced just now");
    script.publish(&[(A, 4)], 10, None, 200);
    assert_eq!(script.take(A, VIEWER, 300), [0u64; 0], "a second subscription");
    assert_eq!(script.take(A, ClientId(8), 1999), [1, 3, 4]);
    assert_eq!(script.take(A, ClientId(9), 2000), [0u64; 0], "too late");
    assert!(script.firsts.channels.is_empty() && script.firsts.bytes == 0);
}

#[test]
fn nobody_gets_its_own_messages() {
    let mut script = Script::new();
    script.firsts.begin(A, script.start);
    script.publish(&[(A, 1)], 10, Some(VIEWER), 0);
    script.publish(&[(A, 2)], 10, None, 0);
    assert_eq!(script.take(A, VIEWER, 10), [2]);
    assert_eq!(script.take(A, ClientId(8), 10), [1, 2]);
}

#[test]
fn what_is_kept_has_bounds_and_the_newest_stays() {
    let mut script = Script::new();
    script.firsts.begin(A, script.start);
    let many: Vec<_> = (0..3000).map(|n| (A, n)).collect();
    script.publish(&many, 10, None, 0);
    assert_eq!(script.take(A, VIEWER, 0), (2000..3000).collect::<Vec<_>>());
    let large: Vec<_> = (0..10).map(|n| (A, n)).collect();
    script.publish(&large, 400 << 10, None, 0);
    assert_eq!(script.take(A, ClientId(8), 0), [8, 9]);
    script.publish(&[(A, 10)], 5 << 20, None, 0);
    assert_eq!(script.take(A, ClientId(9), 0), [10], "one that is larger");
}

#[test]
fn a_message_outlives_its_batch_if_it_is_kept() {
    let mut script = Script::new();
    script.firsts.begin(A, script.start);
    script.firsts.begin(B, script.start);
    script.publish(&[(A, 1)], 10, None, 0);
    // some 8 MB on the other channel
    for n in 0..20 {
        script.publish(&[(B, n)], 400_000, None, 0);
    }
    script.firsts.batches.check();
    assert_eq!(script.firsts.channels[&A].own, 1, "its batch has gone");
    let batch = script.firsts.take(A, VIEWER, script.start).unwrap();
    assert_eq!(batch.payload(&batch.entries[0]), [b' '; 10]);
    let batch = script.firsts.take(B, VIEWER, script.start).unwrap();
    assert_eq!(batch.entries.len(), 2);
    assert_eq!(batch.payload(&batch.entries[1]).len(), 400_000);
    script.firsts.end(A);
    script.firsts.end(B);
    assert!(script.firsts.batches.is_empty(), "there is nothing to keep");
}

#[test]
fn of_very_many_channels_the_oldest_lose_their_messages() {
    let mut script = Script::new();
    for n in 1..=100 {
        script.firsts.begin(ChannelId(n), script.start);
        script.publish(&[(ChannelId(n), 1)], 1_000_000, None, 0);
    }
    assert!(script.firsts.bytes <= MAX_TOTAL);
    assert_eq!(script.take(ChannelId(1), VIEWER, 0), [0u64; 0]);
    assert_eq!(script.take(ChannelId(100), VIEWER, 0), [1]);
}

#[test]
fn nothing_is_left_of_a_channel_that_has_ended_or_of_another_time() {
    let mut script = Script::new();
    script.firsts.begin(A, script.start);
    script.firsts.begin(B, script.start);
    script.publish(&[(A, 1), (B, 1)], 10, None, 0);
    script.firsts.end(A);
    script.firsts.clear();
    script.publish(&[(A, 2), (B, 2)], 10, None, 0);
    assert_eq!(script.take(A, VIEWER, 0), [0u64; 0]);
    assert_eq!(script.take(B, VIEWER, 0), [2]);
}

proptest! {
    #[test]
    fn sums_are_right_whatever_happens(
        steps in prop::collection::vec((0u8..6, 1u32..4, prop_oneof![0usize..3000, Just(1_500_000)], 0u64..900), 1..60),
    ) {
        let (mut script, mut millis) = (Script::new(), 0);
        for (step, channel, length, passed) in steps {
            millis += passed;
            let channel = ChannelId(channel);
            match step {
                0 => script.firsts.begin(channel, script.at(millis)),
                1 => script.firsts.end(channel),
                2 => script.firsts.clear(),
                3 => drop(script.take(channel, VIEWER, millis)),
                _ => script.publish(&[(channel, millis)], length, None, millis),
            }
            let firsts = &script.firsts;
            let sum = |beginning: &Beginning| beginning.messages.iter().map(First::bytes).sum::<usize>();
            prop_assert!(firsts.channels.values().all(|beginning| beginning.bytes == sum(beginning)));
            prop_assert_eq!(firsts.bytes, firsts.channels.values().map(sum).sum::<usize>());
            firsts.batches.check();
            for beginning in firsts.channels.values() {
                let is_own = |first: &First| matches!(first.payload, Payload::Own(_));
                prop_assert_eq!(beginning.own, beginning.messages.iter().filter(|first| is_own(first)).count());
                prop_assert!(beginning.messages.iter().take(beginning.own).all(is_own));
                let is_there = |first: &First| match &first.payload {
                    Payload::Own(payload) => payload.len() == first.entry.length as usize,
                    Payload::In(number) => firsts.batches.payload(*number, &first.entry).is_some(),
                };
                prop_assert!(beginning.messages.iter().all(is_there));
            }
        }
    }
}
