use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::*;
use crate::hub::responder::Responder;
use crate::hub::testing::{Sent, Viewer, messages};
use crate::hub::{Direction, HubOptions, Latch, SlowClient, Tap};
use crate::hub::{Next, capability::playback::Playback, capability::playback::PlaybackRequest};
use crate::model::{ChannelId, Schema};
use crate::protocol::{ClientMessageData, PlaybackState, PlaybackStatus};
use crate::registry::ChannelSpec;
use crate::time::TimeRange;

const S: u64 = 1_000_000_000;

/// A server that takes what clients publish; what they publish is told to `seen`: topic, time in seconds, payload.
struct Server {
    hub: Hub,
    registry: Registry,
    seen: Receiver<(String, u64, Bytes)>,
}

impl Server {
    fn new() -> Self {
        Self::with(HubOptions { time_resolution: Duration::ZERO, ..HubOptions::default() })
    }

    fn with(options: HubOptions) -> Self {
        let hub = Hub::new("test", options);
        let registry = hub.registry().clone();
        let (sender, seen) = channel();
        let sender = Mutex::new(sender);
        let observer: Observer = Arc::new(move |from: &FromClient<'_>| {
            let told = (from.channel.topic.clone(), from.time.0 / S, from.payload.clone());
            // a test may have seen enough
            lock(&sender).send(told).ok();
        });
        Published::provide(&hub, Some(observer)).unwrap();
        Self { hub, registry, seen }
    }

    /// A channel of the server's own.
    fn offer(&self, topic: &str, encoding: &str, schema: Option<Schema>) -> Arc<Channel> {
        let schema = schema.map(Arc::new);
        let spec = ChannelSpec { message_encoding: encoding.into(), schema, ..ChannelSpec::json(topic) };
        let channel = self.registry.claim(spec).unwrap().channel;
        self.hub.publisher().announce(std::slice::from_ref(&channel));
        channel
    }

    fn live(&self, channel: ChannelId, seconds: u64) {
        self.hub.publisher().publish_live(messages(&[(channel, seconds)], 10), Instant::now());
    }

    fn channel(&self, id: u32) -> Arc<Channel> {
        self.registry.channel(ChannelId(id)).unwrap()
    }
}

fn schema(name: &str, encoding: &str, data: &'static str) -> Schema {
    Schema { name: name.into(), encoding: encoding.into(), data: Bytes::from_static(data.as_bytes()) }
}

fn client_channel(id: u32, topic: &str) -> ClientChannel {
    ClientChannel {
        id: ClientChannelId(id),
        topic: topic.into(),
        encoding: "json".into(),
        schema_name: String::new(),
        schema_encoding: None,
        schema: None,
    }
}

fn typed(id: u32, topic: &str, encoding: &str, schema_name: &str) -> ClientChannel {
    ClientChannel { encoding: encoding.into(), schema_name: schema_name.into(), ..client_channel(id, topic) }
}

impl Viewer {
    fn advertise(&self, channel: ClientChannel) {
        self.client.advertise(&[channel]).unwrap();
    }

    fn unadvertise(&self, id: u32) {
        self.client.unadvertise(&[ClientChannelId(id)]).unwrap();
    }

    fn publish(&self, id: u32) {
        let payload = Bytes::from_static(b"{}");
        self.client.publish(ClientMessageData { channel_id: ClientChannelId(id), payload }).unwrap();
    }

    /// The channels that were advertised and taken back, and the status, since this was last asked.
    fn offers(&mut self) -> (Vec<u32>, Vec<u32>, Vec<String>) {
        let (mut added, mut gone, mut said) = (Vec::new(), Vec::new(), Vec::new());
        for sent in self.news() {
            match sent {
                Sent::Advertised(ids) => added.extend(ids),
                Sent::Unadvertised(ids) => gone.extend(ids),
                Sent::Status(status) => said.push(status.message),
                _ => {}
            }
        }
        (added, gone, said)
    }

    /// The channels that are taken back next.
    fn taken_back(&mut self) -> Vec<u32> {
        let begin = Instant::now();
        loop {
            let gone = self.offers().1;
            if !gone.is_empty() {
                return gone;
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "nothing is taken back");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn recorded(tap: &Tap) -> Vec<(u32, u64)> {
    let mut all = Vec::new();
    while let Next::Published(published) = tap.next(Some(Instant::now())) {
        if let crate::hub::Published::Messages { batch, range, .. } = published {
            all.extend(batch.entries[range].iter().map(|entry| (entry.channel.0, entry.log_time.0 / S)));
        }
    }
    all
}

#[test]
fn what_a_client_publishes_reaches_all_others_a_recorder_and_the_program() {
    let server = Server::new();
    let tap = server.hub.tap(1 << 20);
    let (mut own, mut other) = (Viewer::join(&server.hub), Viewer::join(&server.hub));
    own.advertise(client_channel(7, "/cmd"));
    let [(ids, ..), (theirs, ..)] = [own.offers(), other.offers()];
    assert_eq!((ids.len(), &theirs), (1, &ids), "offered to the publisher as well");
    let id = ids[0];
    assert_eq!(own.subscribe(ChannelId(id)), []);
    assert_eq!(other.subscribe(ChannelId(id)), []);
    own.publish(7);
    let now = Timestamp::now().0 / S;
    let got = other.messages();
    assert!(got.len() == 1 && got[0].0 == id && got[0].1.abs_diff(now) <= 1, "{got:?}");
    assert_eq!(own.messages(), [], "not its own");
    assert_eq!(recorded(&tap), got);
    let (topic, time, payload) = server.seen.try_recv().unwrap();
    assert_eq!((topic.as_str(), time, &payload[..]), ("/cmd", got[0].1, &b"{}"[..]));
}

#[test]
fn a_message_reaches_who_subscribes_after_it_in_time_but_not_its_publisher() {
    let server = Server::new();
    let (mut own, mut other) = (Viewer::join(&server.hub), Viewer::join(&server.hub));
    own.advertise(client_channel(7, "/cmd"));
    own.publish(7);
    let (ids, ..) = other.offers();
    other.subscribe(ChannelId(ids[0]));
    own.subscribe(ChannelId(ids[0]));
    own.publish(7);
    assert_eq!((other.messages().len(), own.messages().len()), (2, 0));
}

#[test]
fn the_same_topic_encoding_and_schema_is_the_channel_of_the_server() {
    let server = Server::new();
    let pose = schema("Pose", "", r#"{"type":"object"}"#);
    let [plain, posed] = [server.offer("/a", "json", None), server.offer("/b", "json", Some(pose))];
    let mut viewer = Viewer::join(&server.hub);
    viewer.offers();
    viewer.advertise(client_channel(1, "/a"));
    viewer.advertise(typed(2, "/b", "json", "Pose"));
    let own = ClientChannel { schema: Some(r#"{"type":"object"}"#.into()), ..typed(3, "/b", "json", "Pose") };
    viewer.advertise(own);
    assert_eq!(viewer.offers(), (vec![], vec![], vec![]));
    let mut other = Viewer::join(&server.hub);
    other.subscribe(plain.id);
    other.subscribe(posed.id);
    (1..=3).for_each(|id| viewer.publish(id));
    let channels: Vec<u32> = other.messages().iter().map(|(channel, _)| *channel).collect();
    assert_eq!(channels, [plain.id.0, posed.id.0, posed.id.0]);
    assert!(!server.registry.release(plain.id), "claimed by the client as well");
}

#[test]
fn another_form_is_offered_beside_it_which_its_publisher_is_shown() {
    let server = Server::new();
    server.offer("/cmd", "ros1", Some(schema("geometry_msgs/Twist", "ros1msg", "float64 x")));
    let (mut own, mut other) = (Viewer::join(&server.hub), Viewer::join(&server.hub));
    own.offers();
    other.offers();
    own.advertise(typed(1, "/cmd", "json", "geometry_msgs/Twist"));
    let (ids, _, said) = own.offers();
    let beside = server.channel(ids[0]);
    assert_eq!(
        (beside.topic.as_str(), &beside.schema),
        ("/cmd#2", &None),
        "ROS definitions are none of JSON"
    );
    assert!(said.len() == 1 && said[0].ends_with("offered as /cmd#2"), "{said:?}");
    assert_eq!(other.offers().2, [""; 0]);
    // by the name under which it is offered it is the same
    other.advertise(client_channel(9, "/cmd#2"));
    assert_eq!(own.offers(), (vec![], vec![], vec![]));
}

#[test]
fn a_schema_that_the_server_knows_need_not_be_sent() {
    let server = Server::new();
    let twist = schema("geometry_msgs/Twist", "ros1msg", "float64 x");
    server.offer("/other", "ros1", Some(twist.clone()));
    let mut viewer = Viewer::join(&server.hub);
    viewer.offers();
    for (id, encoding, name) in [
        (1, "ros1", "geometry_msgs/Twist"),
        (2, "json", "foxglove.Log"),
        (3, "protobuf", "foxglove.Grid"),
        (4, "json", "std_msgs/Unknown"),
        (5, "cdr", "foxglove.PointCloud"),
        // known, but as JSON
        (6, "protobuf", "foxglove.Log"),
    ] {
        viewer.advertise(typed(id, &format!("/{id}"), encoding, name));
    }
    let channels: Vec<_> = viewer.offers().0.into_iter().map(|id| server.channel(id)).collect();
    let schemas: Vec<_> = channels
        .iter()
        .map(|channel| channel.schema.as_ref().map(|schema| (schema.name.as_str(), schema.encoding.as_str())))
        .collect();
    let (log, grid) = (Some(("foxglove.Log", "jsonschema")), Some(("foxglove.Grid", "protobuf")));
    let expected = [Some(("geometry_msgs/Twist", "ros1msg")), log, grid, None, None, None];
    assert_eq!(schemas, expected);
    assert_eq!(channels[0].schema.as_deref(), Some(&twist));
}

#[test]
fn what_can_not_be_offered_is_refused_with_its_reason() {
    let server = Server::new();
    let mut viewer = Viewer::join(&server.hub);
    viewer.offers();
    let base64 = ClientChannel { schema: Some("!".into()), ..typed(4, "/a", "protobuf", "X") };
    for (channel, reason) in [
        (client_channel(1, ""), "the topic is empty"),
        (client_channel(2, &"t".repeat(1025)), "the topic has 1025 bytes"),
        (typed(3, "/a", "cbor", ""), "the encoding 'cbor' is not taken; there are: json, protobuf"),
        (base64, "protobuf"),
        (typed(5, "/a", "json", &"n".repeat(1025)), "the name of the schema has 1025 bytes"),
    ] {
        viewer.advertise(channel.clone());
        let (ids, _, said) = viewer.offers();
        assert!(ids.is_empty() && said.len() == 1 && said[0].contains(reason), "{reason}: {said:?}");
        viewer.publish(channel.id.0);
        let Some(Sent::Status(status)) = viewer.news().pop() else { panic!("{reason}: no status") };
        assert_eq!(status.level, crate::protocol::Level::Error);
    }
}

#[test]
fn channels_of_all_clients_have_a_bound() {
    let server = Server::new();
    let viewers: Vec<_> = (0..11).map(|_| Viewer::join(&server.hub)).collect();
    let mut refused = 0;
    for viewer in viewers {
        let channels: Vec<_> = (0..1000).map(|id| client_channel(id, "/a")).collect();
        viewer.client.advertise(&channels).unwrap();
        let mut viewer = viewer;
        refused += viewer.offers().2.len();
        std::mem::forget(viewer);
    }
    assert_eq!(refused, 1000);
}

#[test]
fn a_channel_that_is_taken_back_stays_a_moment_and_comes_back_under_its_id() {
    let server = Server::new();
    let (mut own, mut other) = (Viewer::join(&server.hub), Viewer::join(&server.hub));
    own.advertise(client_channel(1, "/cmd"));
    let (ids, ..) = other.offers();
    other.subscribe(ChannelId(ids[0]));
    own.unadvertise(1);
    own.advertise(client_channel(2, "/cmd"));
    own.publish(2);
    std::thread::sleep(UNADVERTISED + Duration::from_millis(300));
    own.publish(2);
    assert_eq!(other.messages().len(), 2, "nothing was taken back");
    own.unadvertise(2);
    assert_eq!(other.taken_back(), ids);
    assert!(server.registry.channel(ChannelId(ids[0])).is_none());
    own.offers();
    own.advertise(client_channel(3, "/cmd"));
    assert_ne!(own.offers().0, ids);
}

#[test]
fn the_channels_of_a_client_that_leaves_stay_for_it_to_come_back() {
    let server = Server::new();
    let mut other = Viewer::join(&server.hub);
    let own = Viewer::join(&server.hub);
    own.advertise(client_channel(1, "/cmd"));
    let (ids, ..) = other.offers();
    drop(own);
    std::thread::sleep(Duration::from_secs(3));
    let own = Viewer::join(&server.hub);
    own.advertise(client_channel(1, "/cmd"));
    std::thread::sleep(LEFT - Duration::from_secs(3) + Duration::from_millis(300));
    assert_eq!(other.offers(), (vec![], vec![], vec![]));
    drop(own);
    assert_eq!(other.taken_back(), ids);
}

#[test]
fn many_channels_that_are_taken_back_at_once_have_a_bound() {
    let server = Server::new();
    let viewer = Viewer::join(&server.hub);
    for id in 0..3000 {
        viewer.advertise(client_channel(id, &format!("/{id}")));
        viewer.unadvertise(id);
    }
    let known = server.hub.snapshot().topics.len();
    assert!((900..=1000).contains(&known), "{known}");
}

/// Plays nothing, and is asked nothing.
struct Plays;

impl Playback for Plays {
    fn request(&self, _request: PlaybackRequest, answer: Responder<PlaybackState>) {
        drop(answer);
    }
}

fn state(seconds: u64) -> PlaybackState {
    PlaybackState {
        status: PlaybackStatus::Playing,
        current_time: Timestamp(seconds * S),
        speed: 1.0,
        did_seek: false,
        request_id: None,
    }
}

/// Every `time`, session and message that a viewer was sent, in short.
fn shown(viewer: &mut Viewer) -> Vec<String> {
    let told = |sent| match sent {
        Sent::Time(time) => Some(format!("time {time}")),
        Sent::Message(_, time) => Some(format!("message {time}")),
        Sent::Session(_) => Some("session".to_owned()),
        _ => None,
    };
    viewer.news().into_iter().filter_map(told).collect()
}

#[test]
fn beside_a_recording_messages_have_its_time_wherever_it_stands() {
    let server = Server::new();
    let range = TimeRange { start: Timestamp(100 * S), end: Timestamp(200 * S) };
    server.hub.provide_playback(Arc::new(Plays), range).unwrap();
    let played = server.offer("/played", "json", None);
    let publisher = server.hub.publisher();
    let (own, mut other) = (Viewer::join(&server.hub), Viewer::join(&server.hub));
    own.advertise(client_channel(1, "/cmd"));
    let id = other.offers().0.pop().unwrap();
    other.subscribe(played.id);
    other.subscribe(ChannelId(id));
    let mut time_of = |expected: u64| {
        own.publish(1);
        assert_eq!(server.seen.try_recv().unwrap().1, expected);
        let shown = shown(&mut other);
        let last = shown.iter().rev().find(|one| one.starts_with("time")).cloned();
        assert_eq!(shown.last().unwrap(), &format!("message {expected}"));
        last
    };
    assert_eq!(time_of(100), None, "before it starts");
    let play = |seconds| {
        let batch = Arc::new(messages(&[(played.id, seconds)], 10));
        publisher.publish(&batch, 0..1, SlowClient::Drop, Instant::now());
    };
    play(150);
    assert_eq!(time_of(150), None);
    publisher.tick(Timestamp(155 * S));
    time_of(155);
    publisher.seek(state(120), Timestamp(120 * S), Direction::Back);
    assert_eq!(time_of(120), Some("time 120".into()));
    publisher.lap(state(100), SlowClient::Drop, Instant::now());
    assert_eq!(time_of(100), Some("time 100".into()));
}

#[test]
fn beside_a_simulation_messages_have_its_time_and_nothing_restarts() {
    let server = Server::new();
    let simulated = server.offer("/clock", "json", None);
    let (own, mut other) = (Viewer::join(&server.hub), Viewer::join(&server.hub));
    own.advertise(client_channel(1, "/cmd"));
    let id = other.offers().0.pop().unwrap();
    other.subscribe(simulated.id);
    other.subscribe(ChannelId(id));
    for seconds in [10, 11, 12] {
        server.live(simulated.id, seconds);
        own.publish(1);
    }
    let shown = shown(&mut other);
    let expected = ["message 10", "message 10", "message 11", "message 11", "message 12", "message 12"];
    assert_eq!(shown, expected);
}

#[test]
fn an_input_that_begins_after_clients_with_an_earlier_time_begins_a_session() {
    let server = Server::new();
    let simulated = server.offer("/clock", "json", None);
    let (own, mut other) = (Viewer::join_sdk(&server.hub), Viewer::join_sdk(&server.hub));
    own.advertise(client_channel(1, "/cmd"));
    let id = other.offers().0.pop().unwrap();
    other.subscribe(simulated.id);
    other.subscribe(ChannelId(id));
    own.publish(1);
    assert_eq!(shown(&mut other).len(), 1);
    server.live(simulated.id, 10);
    assert_eq!(shown(&mut other), ["session", "time 10", "message 10"]);
    own.publish(1);
    server.live(simulated.id, 11);
    assert_eq!(shown(&mut other), ["message 10", "message 11"]);
    // one with the times of now does not
    let server = Server::new();
    let (own, now) = (Viewer::join_sdk(&server.hub), server.offer("/now", "json", None));
    own.advertise(client_channel(1, "/cmd"));
    own.publish(1);
    let mut other = Viewer::join_sdk(&server.hub);
    other.offers();
    other.subscribe(now.id);
    server.live(now.id, Timestamp::now().0 / S);
    assert_eq!(shown(&mut other).len(), 1);
}

#[test]
fn with_wait_a_message_that_has_no_room_is_left_out_and_nothing_else_is_lost() {
    let options = HubOptions {
        client_buffer: 1000,
        on_slow_client: SlowClient::Wait,
        latch: Latch::Off,
        ..HubOptions::default()
    };
    let server = Server::with(options);
    let input = server.offer("/input", "json", None);
    let (own, mut slow) = (Viewer::join(&server.hub), Viewer::join(&server.hub));
    own.advertise(client_channel(1, "/cmd"));
    let id = slow.offers().0.pop().unwrap();
    slow.subscribe(input.id);
    slow.subscribe(ChannelId(id));
    own.publish(1);
    let many: Vec<_> = (0..20).map(|second| (input.id, second)).collect();
    server.hub.publisher().publish_live(messages(&many, 100), Instant::now());
    own.publish(1);
    assert_eq!(slow.messages().len(), 21);
    assert_eq!(server.hub.snapshot().messages_dropped, 1);
    own.publish(1);
    assert_eq!(slow.messages().len(), 1);
}

#[test]
fn a_hub_is_freed_with_what_takes_what_clients_publish() {
    let server = Server::new();
    let weak = server.hub.downgrade();
    drop(Viewer::join(&server.hub));
    drop(server);
    assert!(weak.upgrade().is_none());
}

#[test]
fn json_comes_first_among_the_encodings() {
    let server = Server::new();
    let mut viewer = Viewer::join(&server.hub);
    let Sent::Session(info) = viewer.news().swap_remove(0) else { panic!("no session") };
    assert_eq!(info.supported_encodings, ENCODINGS);
}
