//! Random inputs against a simple model of what a viewer must see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::hub::testing::{Sent, Viewer, channel, hub, messages};
use crate::hub::{Publisher, SlowClient};
use crate::model::{Batch, Channel, ChannelId};
use crate::registry::Registry;

const INPUTS: usize = 4;
const TOPICS: [&str; 3] = ["/a", "/b", "/map"];

/// What an input does next.
#[derive(Debug, Clone)]
enum Step {
    /// Announces the channel of a topic, as the input knows it.
    Announce { input: usize, topic: usize },
    /// Publishes a message on a topic, this many seconds after the newest one.
    Publish { input: usize, topic: usize, after: u64 },
    /// Changes a topic: another channel takes its place.
    Change { input: usize, topic: usize },
    /// Time goes back.
    Back,
    /// The viewer reads.
    Read,
}

fn step() -> impl Strategy<Value = Step> {
    let (input, topic) = (0..INPUTS, 0..TOPICS.len());
    prop_oneof![
        3 => (input.clone(), topic.clone()).prop_map(|(input, topic)| Step::Announce { input, topic }),
        8 => (input.clone(), topic.clone(), 0u64..3)
            .prop_map(|(input, topic, after)| Step::Publish { input, topic, after }),
        2 => (input, topic).prop_map(|(input, topic)| Step::Change { input, topic }),
        1 => Just(Step::Back),
        3 => Just(Step::Read),
    ]
}

/// Four inputs of one server, and what a viewer must see of them.
struct Inputs {
    registry: Registry,
    publisher: Publisher,
    /// By topic: the channel that was made last.
    current: Vec<Arc<Channel>>,
    /// By input and topic: the channel as the input knows it, which may be an old one.
    known: Vec<Vec<Arc<Channel>>>,
    topics: BTreeMap<u32, &'static str>,
    offered: BTreeSet<u32>,
    retired: BTreeSet<u32>,
    time: u64,
    now: Instant,
    /// Newest time of all, and the last of each channel, in this session.
    newest: u64,
    last: BTreeMap<u32, u64>,
    sessions: usize,
    /// What the viewer subscribes to.
    subscribed: BTreeSet<u32>,
    /// Session, channel and time of each message that the viewer must get.
    expected: Vec<(usize, u32, u64)>,
}

impl Inputs {
    fn new(publisher: Publisher) -> Self {
        let registry = Registry::default();
        let current: Vec<_> = TOPICS.iter().map(|topic| channel(&registry, topic)).collect();
        Self {
            known: vec![current.clone(); INPUTS],
            topics: current.iter().zip(TOPICS).map(|(channel, topic)| (channel.id.0, topic)).collect(),
            current,
            registry,
            publisher,
            offered: BTreeSet::new(),
            retired: BTreeSet::new(),
            time: 1_000_000,
            now: Instant::now(),
            newest: 0,
            last: BTreeMap::new(),
            sessions: 1,
            subscribed: BTreeSet::new(),
            expected: Vec::new(),
        }
    }

    fn run(&mut self, step: &Step) {
        // two restarts are some seconds apart
        self.now += Duration::from_secs(10);
        match *step {
            Step::Announce { input, topic } => {
                let channel = self.known[input][topic].clone();
                if !self.retired.contains(&channel.id.0) {
                    self.offered.insert(channel.id.0);
                }
                let batch = Batch { announcements: vec![channel], ..Batch::default() };
                self.publisher.publish_live(batch, self.now);
            }
            Step::Publish { input, topic, after } => {
                let channel = self.known[input][topic].clone();
                self.time += after;
                self.publisher.publish_live(messages(&[(channel.id, self.time)], 10), self.now);
                self.expect(channel.id.0);
            }
            Step::Change { input, topic } => {
                let old = self.current[topic].clone();
                assert!(self.registry.release(old.id));
                let new = channel(&self.registry, TOPICS[topic]);
                let batch =
                    Batch { retired: vec![old.id], announcements: vec![new.clone()], ..Batch::default() };
                self.publisher.publish_live(batch, self.now);
                self.offered.remove(&old.id.0);
                self.retired.insert(old.id.0);
                self.offered.insert(new.id.0);
                self.topics.insert(new.id.0, TOPICS[topic]);
                self.current[topic] = new.clone();
                self.known[input][topic] = new;
            }
            // no time occurs twice
            Step::Back => self.time -= 10_000,
            Step::Read => {}
        }
    }

    /// A message was published at the current time.
    fn expect(&mut self, channel: u32) {
        if !self.offered.contains(&channel) {
            return;
        }
        let was_up_to_date = |last: u64| self.newest - last <= 1;
        if self.last.get(&channel).is_some_and(|last| *last > self.time + 1 && was_up_to_date(*last)) {
            self.sessions += 1;
            self.newest = 0;
            self.last.clear();
        }
        self.last.insert(channel, self.time);
        self.newest = self.newest.max(self.time);
        if self.subscribed.contains(&channel) {
            self.expected.push((self.sessions, channel, self.time));
        }
    }
}

/// What the viewer has been sent.
#[derive(Default)]
struct Seen {
    sessions: usize,
    /// By topic.
    offered: BTreeMap<&'static str, u32>,
    messages: Vec<(usize, u32, u64)>,
}

impl Seen {
    /// Reads everything, then subscribes to what is offered.
    fn read(&mut self, viewer: &mut Viewer, inputs: &mut Inputs) -> Result<(), TestCaseError> {
        for sent in viewer.news() {
            match sent {
                Sent::Session(_) => self.sessions += 1,
                Sent::Advertised(ids) => {
                    for id in ids {
                        let before = self.offered.insert(inputs.topics[&id], id);
                        prop_assert!(before.is_none_or(|before| before == id), "two channels on one topic");
                    }
                }
                Sent::Unadvertised(ids) => self.offered.retain(|_, offered| !ids.contains(offered)),
                Sent::Message(id, time) => {
                    prop_assert!(self.offered.values().any(|offered| *offered == id), "{id} is not offered");
                    self.messages.push((self.sessions, id, time));
                }
                Sent::Time(_) | Sent::State(_) | Sent::Status(_) | Sent::Other(_) => {}
            }
        }
        prop_assert_eq!(self.offered.values().copied().collect::<BTreeSet<_>>(), inputs.offered.clone());
        prop_assert_eq!(self.sessions, inputs.sessions);
        for id in self.offered.values() {
            if inputs.subscribed.insert(*id) {
                prop_assert_eq!(viewer.subscribe(ChannelId(*id)), []);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_viewer_sees_one_channel_for_each_topic_and_every_message_of_its_subscriptions_once_in_order(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let hub = hub(SlowClient::Wait);
        let mut inputs = Inputs::new(hub.publisher());
        let mut viewer = Viewer::join(&hub);
        let mut seen = Seen::default();
        for step in steps.iter().chain([&Step::Read]) {
            inputs.run(step);
            if matches!(step, Step::Read) {
                seen.read(&mut viewer, &mut inputs)?;
            }
        }
        // the last message of a latched topic comes once more with a subscription and a restart
        let latched = |id: &u32| inputs.topics[id] == "/map";
        let seen: Vec<_> = seen.messages.into_iter().filter(|(_, id, _)| !latched(id)).collect();
        let expected: Vec<_> = inputs.expected.into_iter().filter(|(_, id, _)| !latched(id)).collect();
        prop_assert_eq!(seen, expected);
    }
}
