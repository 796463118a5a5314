//! Both forms of `advertise` say the same, whenever a client joins and whatever comes and goes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;

use crate::hub::order::Direction;
use crate::hub::testing::{Viewer, frames, hub, messages};
use crate::hub::{Hub, SlowClient};
use crate::model::{Channel, ChannelId, Schema};
use crate::protocol::{PlaybackState, PlaybackStatus, SchemaTable, ServerMessage};
use crate::registry::{ChannelSpec, Registry};
use crate::time::Timestamp;

/// Clients that get sessions at a seek back and those that don't, in both forms.
const OFFERS: [&str; 4] = [
    "foxglove.websocket.v1",
    "foxglove.websocket.v1, foxglove.sdk.v1.1",
    "foxglove.sdk.v1",
    "foxglove.sdk.v1.1",
];

const TOPICS: [&str; 4] = ["/a", "/b", "/c", "/d"];

#[derive(Debug, Clone)]
enum Step {
    /// A channel takes the place of the one on its topic.
    Announce {
        topic: usize,
        schema: usize,
    },
    Retire {
        topic: usize,
    },
    SeekBack,
    /// Live time goes back.
    Restart,
    Join {
        offer: usize,
    },
    Read {
        client: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..TOPICS.len(), 0..SCHEMAS.len()).prop_map(|(topic, schema)| Step::Announce { topic, schema }),
        2 => (0..TOPICS.len()).prop_map(|topic| Step::Retire { topic }),
        1 => Just(Step::SeekBack),
        1 => Just(Step::Restart),
        2 => (0..OFFERS.len()).prop_map(|offer| Step::Join { offer }),
        4 => (0..8usize).prop_map(|client| Step::Read { client }),
    ]
}

/// Message encoding, and the schema: name, encoding and data.
type Described = (&'static str, Option<(&'static str, &'static str, &'static [u8])>);

const SCHEMAS: [Described; 6] = [
    ("json", None),
    ("cdr", None),
    ("cdr", Some(("A", "ros2msg", b"int8 x"))),
    ("cdr", Some(("A", "ros2msg", b"int8 y"))),
    ("protobuf", Some(("P", "protobuf", &[0x0a, 0xff]))),
    ("json", Some(("Pose", "jsonschema", b"{}"))),
];

fn spec(topic: &str, (message_encoding, schema): Described) -> ChannelSpec {
    ChannelSpec {
        message_encoding: message_encoding.into(),
        schema: schema.map(|(name, encoding, data)| {
            Arc::new(Schema { name: name.into(), encoding: encoding.into(), data: Bytes::from_static(data) })
        }),
        ..ChannelSpec::json(topic)
    }
}

/// A client that knows what it was sent.
struct Client {
    viewer: Viewer,
    begun: bool,
    table: SchemaTable,
    channels: BTreeMap<ChannelId, Channel>,
}

impl Client {
    fn join(hub: &Hub, offer: &str) -> Self {
        let (viewer, table) = (Viewer::offering(hub, offer), SchemaTable::default());
        Self { viewer, begun: false, table, channels: BTreeMap::new() }
    }

    fn read(&mut self) -> Result<(), TestCaseError> {
        for message in frames(&self.viewer.client) {
            let advertised = match message {
                ServerMessage::ServerInfo(_) => {
                    self.begun = true;
                    self.table.clear();
                    Vec::new()
                }
                ServerMessage::Advertise(channels) => channels,
                ServerMessage::AdvertiseTable(advertise) => {
                    let channels = self.table.read(advertise);
                    channels.map_err(|unknown| TestCaseError::fail(unknown.to_string()))?
                }
                ServerMessage::Unadvertise(ids) => {
                    self.channels.retain(|id, _| !ids.contains(id));
                    Vec::new()
                }
                _ => Vec::new(),
            };
            prop_assert!(self.begun, "the first message is serverInfo");
            let channels = advertised.iter().map(|channel| (channel.id, channel.to_channel().unwrap()));
            self.channels.extend(channels);
        }
        Ok(())
    }
}

fn state(time: Timestamp) -> PlaybackState {
    let status = PlaybackStatus::Playing;
    PlaybackState { status, current_time: time, speed: 1.0, did_seek: true, request_id: None }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_client_knows_the_channels_that_are_offered(steps in prop::collection::vec(step(), 1..60)) {
        let hub = hub(SlowClient::Wait);
        let (publisher, registry) = (hub.publisher(), Registry::default());
        let mut offered: BTreeMap<usize, Arc<Channel>> = BTreeMap::new();
        let mut clients: Vec<Client> = OFFERS.iter().map(|offer| Client::join(&hub, offer)).collect();
        let (mut now, mut seconds) = (Instant::now(), 1_000_000);
        for step in steps {
            now += Duration::from_secs(10);
            match step {
                Step::Announce { topic, schema } => {
                    if let Some(old) = offered.remove(&topic) {
                        // announcing the new one retires it
                        assert!(registry.release(old.id));
                    }
                    let channel = registry.claim(spec(TOPICS[topic], SCHEMAS[schema])).unwrap().channel;
                    publisher.announce(std::slice::from_ref(&channel));
                    offered.insert(topic, channel);
                }
                Step::Retire { topic } => {
                    if let Some(old) = offered.remove(&topic) {
                        assert!(registry.release(old.id));
                        publisher.retire(&[old.id]);
                    }
                }
                Step::SeekBack => publisher.seek(state(Timestamp(5)), Timestamp(5), Direction::Back),
                Step::Restart => {
                    let Some(channel) = offered.values().next() else { continue };
                    for time in [seconds, seconds - 100] {
                        publisher.publish_live(messages(&[(channel.id, time)], 10), now);
                    }
                    seconds -= 1000;
                }
                Step::Join { offer } => clients.push(Client::join(&hub, OFFERS[offer])),
                Step::Read { client } => {
                    let index = client % clients.len();
                    clients[index].read()?;
                }
            }
        }
        let expected: BTreeMap<ChannelId, Channel> =
            offered.values().map(|channel| (channel.id, (**channel).clone())).collect();
        for client in &mut clients {
            client.read()?;
            prop_assert_eq!(&client.channels, &expected);
        }
    }
}
