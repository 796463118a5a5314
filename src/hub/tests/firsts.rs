//! First messages of live channels, whatever viewers do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::hub::testing::{Viewer, channel, hub, messages};
use crate::hub::{SlowClient, firsts::GRACE};
use crate::model::{Batch, ChannelId, SubscriptionId};
use crate::protocol::Subscription;
use crate::registry::Registry;
use crate::time::Timestamp;

const TOPICS: [&str; 3] = ["/a", "/b", "/map"];

/// What a viewer does next, or what happens.
#[derive(Debug, Clone)]
enum Step {
    Publish(usize),
    Subscribe(usize, usize),
    Unsubscribe(usize, usize),
    Read(usize),
    Passes(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..TOPICS.len()).prop_map(Step::Publish),
        2 => (0..3usize, 0..TOPICS.len()).prop_map(|(viewer, topic)| Step::Subscribe(viewer, topic)),
        1 => (0..3usize, 0..TOPICS.len()).prop_map(|(viewer, topic)| Step::Unsubscribe(viewer, topic)),
        1 => (0..3usize).prop_map(Step::Read),
        1 => (0..1500u64).prop_map(Step::Passes),
        1 => Just(Step::Restart),
    ]
}

/// What a viewer must have been sent of a topic: the numbers of messages, in order.
#[derive(Default)]
struct Expected {
    is_subscribed: bool,
    /// It has subscribed within the time in which first messages are given.
    has_had: bool,
    numbers: Vec<u64>,
}

proptest! {
    #[test]
    fn nothing_comes_twice_or_out_of_order_and_nothing_is_missing(steps in prop::collection::vec(step(), 1..120)) {
        let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
        let publisher = hub.publisher();
        let channels = TOPICS.map(|topic| channel(&registry, topic));
        let ids: [ChannelId; 3] = [0, 1, 2].map(|topic: usize| channels[topic].id);
        let mut viewers = [0; 3].map(|_| Viewer::join(&hub));
        let mut expected: BTreeMap<(usize, usize), Expected> = BTreeMap::new();
        let mut got: BTreeMap<(usize, usize), Vec<u64>> = BTreeMap::new();
        let start = Instant::now();
        let (mut passed, mut number) = (Duration::ZERO, 0);
        // of each topic: when it was announced, and what is given to who subscribes
        let mut begun = [None; 3];
        let mut kept: [Vec<u64>; 3] = Default::default();
        let mut read = |viewers: &mut [Viewer; 3], viewer: usize| {
            for (channel, number) in viewers[viewer].messages() {
                let topic = ids.iter().position(|id| id.0 == channel).unwrap();
                got.entry((viewer, topic)).or_default().push(number);
            }
        };
        for step in steps {
            let now = start + passed;
            match step {
                Step::Publish(topic) => {
                    number += 1;
                    let is_new = begun[topic].is_none();
                    begun[topic].get_or_insert(passed);
                    let announcements = if is_new { vec![channels[topic].clone()] } else { Vec::new() };
                    let batch = Batch { announcements, ..messages(&[(ids[topic], number)], 10) };
                    publisher.publish_live(batch, now);
                    if TOPICS[topic] == "/map" {
                        kept[topic] = vec![number];
                    } else {
                        kept[topic].push(number);
                    }
                    for viewer in 0..3 {
                        let expected = expected.entry((viewer, topic)).or_default();
                        if expected.is_subscribed {
                            expected.numbers.push(number);
                        }
                    }
                }
                Step::Subscribe(viewer, topic) => {
                    let id = SubscriptionId(ids[topic].0);
                    let subscription = Subscription { id, channel_id: ids[topic] };
                    let refused = viewers[viewer].client.subscribe(&[subscription], now);
                    let expected = expected.entry((viewer, topic)).or_default();
                    let Some(announced) = begun[topic].filter(|_| !expected.is_subscribed) else {
                        prop_assert!(!refused.is_empty());
                        continue;
                    };
                    expected.is_subscribed = true;
                    let is_latched = TOPICS[topic] == "/map";
                    // the real clock goes on a little as well
                    let in_time = passed.saturating_sub(announced) < GRACE;
                    if is_latched || (in_time && !expected.has_had) {
                        expected.numbers.extend(&kept[topic]);
                    }
                    expected.has_had |= in_time;
                }
                Step::Unsubscribe(viewer, topic) => {
                    let expected = expected.entry((viewer, topic)).or_default();
                    // what is queued is not wanted any more: it is read before
                    read(&mut viewers, viewer);
                    let refused = viewers[viewer].client.unsubscribe(&[SubscriptionId(ids[topic].0)]);
                    prop_assert_eq!(refused.is_empty(), expected.is_subscribed);
                    expected.is_subscribed = false;
                }
                Step::Read(viewer) => read(&mut viewers, viewer),
                Step::Passes(millis) => passed += Duration::from_millis(millis),
                Step::Restart => {
                    publisher.restart(Timestamp(0), SlowClient::Wait, now);
                    // latched messages count in the next session, too
                    for viewer in 0..3 {
                        let expected = expected.entry((viewer, 2)).or_default();
                        if expected.is_subscribed {
                            expected.numbers.extend(&kept[2]);
                        }
                    }
                    kept[0].clear();
                    kept[1].clear();
                }
            }
        }
        (0..3).for_each(|viewer| read(&mut viewers, viewer));
        for (key, Expected { numbers, .. }) in expected {
            let got = got.remove(&key).unwrap_or_default();
            prop_assert_eq!(&got, &numbers, "of viewer {} and topic {}", key.0, TOPICS[key.1]);
            if TOPICS[key.1] != "/map" {
                prop_assert!(got.is_sorted_by(|one, next| one < next));
            }
        }
    }
}
