use std::time::{Duration, Instant};

use super::keeper::{INTERVAL, PATIENCE};
use super::look::MAX_IDS;
use super::*;
use crate::hub::SlowClient;
use crate::hub::capability::services::{Service, ServiceCall, ServiceSpec};
use crate::hub::responder::Responder;
use crate::hub::testing::{Sent, Viewer, channel, hub};
use crate::protocol::{ConnectionGraphUpdate, ServerMessage, ServiceMessage};
use crate::registry::Registry;

fn updates(viewer: &mut Viewer) -> Vec<ConnectionGraphUpdate> {
    let update = |sent| match sent {
        Sent::Other(ServerMessage::ConnectionGraphUpdate(update)) => Some(update),
        _ => None,
    };
    viewer.news().into_iter().filter_map(update).collect()
}

/// Waits for updates, and takes all that came until nothing more did for a while.
fn wait_for_updates(viewer: &mut Viewer) -> Vec<ConnectionGraphUpdate> {
    let start = Instant::now();
    let mut all = Vec::new();
    while all.is_empty() && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(INTERVAL / 4);
        all = updates(viewer);
    }
    std::thread::sleep(3 * INTERVAL);
    all.extend(updates(viewer));
    all
}

fn published(update: &ConnectionGraphUpdate) -> Vec<(&str, Vec<&str>)> {
    let topics = update.published_topics.iter();
    topics
        .map(|topic| (topic.name.as_str(), topic.publisher_ids.iter().map(String::as_str).collect()))
        .collect()
}

struct Nothing;

impl Service for Nothing {
    fn call(&self, _call: ServiceCall, answer: Responder<Result<bytes::Bytes, String>>) {
        drop(answer);
    }
}

fn service(name: &str) -> ServiceSpec {
    let message = ServiceMessage {
        encoding: "json".into(),
        schema_name: "X".into(),
        schema_encoding: Some("jsonschema".into()),
        schema: "{}".into(),
    };
    ServiceSpec { name: name.into(), service_type: "X".into(), request: message.clone(), response: message }
}

#[test]
fn who_follows_gets_the_whole_and_then_what_changes() {
    let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
    hub.provide_connections().unwrap();
    let services = hub.provide_services().unwrap();
    let [a, b] = [channel(&registry, "/a"), channel(&registry, "/b")];
    hub.publisher().announce(&[a.clone(), b.clone()]);
    let node = hub.publisher_node("drive.mcap");
    node.publishes(&[a.clone(), b.clone()]);
    let set = services.add(service("/set"), Arc::new(Nothing)).unwrap();
    let (mut viewer, other) = (Viewer::join(&hub), Viewer::join(&hub));
    other.subscribe(a.id);
    viewer.client.follow_graph().unwrap();
    let all = updates(&mut viewer);
    let [whole] = &all[..] else { panic!("{all:?}") };
    assert_eq!(published(whole), [("/a", vec!["drive.mcap"]), ("/b", vec!["drive.mcap"])]);
    assert_eq!(whole.subscribed_topics.len(), 1);
    assert_eq!(whole.subscribed_topics[0].subscriber_ids, ["client 1"]);
    assert_eq!(whole.advertised_services[0].provider_ids, ["test"]);

    // a client that publishes is one of those who do
    let by_client = hub.client_node(other.client.id());
    by_client.publishes(std::slice::from_ref(&b));
    let all = wait_for_updates(&mut viewer);
    let [update] = &all[..] else { panic!("{all:?}") };
    assert_eq!(published(update), [("/b", vec!["client 1", "drive.mcap"])]);
    assert!(update.subscribed_topics.is_empty() && update.advertised_services.is_empty());

    drop((by_client, other, set));
    node.stops(&[a.id]);
    let all = wait_for_updates(&mut viewer);
    let gone: Vec<_> = all.iter().flat_map(|update| &update.removed_topics).collect();
    assert_eq!(gone, ["/a"]);
    assert_eq!(all.iter().flat_map(|update| &update.removed_services).collect::<Vec<_>>(), ["/set"]);
    hub.publisher().retire(&[b.id]);
    assert_eq!(wait_for_updates(&mut viewer)[0].removed_topics, ["/b"]);
}

#[test]
fn hundreds_of_subscriptions_are_few_updates() {
    let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
    hub.provide_connections().unwrap();
    let mut viewer = Viewer::join(&hub);
    viewer.client.follow_graph().unwrap();
    let channels: Vec<_> = (0..600).map(|n| channel(&registry, &format!("/{n}"))).collect();
    hub.publisher().announce(&channels);
    updates(&mut viewer);
    channels.iter().for_each(|channel| drop(viewer.subscribe(channel.id)));
    let all = wait_for_updates(&mut viewer);
    assert!(all.len() <= 3, "{} updates", all.len());
    assert_eq!(all.iter().map(|update| update.subscribed_topics.len()).sum::<usize>(), 600);
}

#[test]
fn who_follows_no_more_is_sent_nothing_and_the_thread_ends() {
    let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
    hub.provide_connections().unwrap();
    let keeper = hub.0.connections.get().unwrap().clone();
    let topic = channel(&registry, "/a");
    hub.publisher().announce(std::slice::from_ref(&topic));
    let mut viewer = Viewer::join(&hub);
    for _ in 0..3 {
        viewer.client.follow_graph().unwrap();
        viewer.client.unfollow_graph().unwrap();
    }
    updates(&mut viewer);
    viewer.subscribe(topic.id);
    for _ in 0..600 {
        if !*lock(&keeper.is_attended) {
            break;
        }
        std::thread::sleep(INTERVAL / 2);
    }
    assert!(!*lock(&keeper.is_attended));
    assert!(updates(&mut viewer).is_empty());
    // and there is one again for who begins
    viewer.client.follow_graph().unwrap();
    assert_eq!(updates(&mut viewer)[0].subscribed_topics.len(), 1);
    drop(Viewer::join(&hub));
    viewer.client.unsubscribe(&[crate::model::SubscriptionId(topic.id.0)]);
    assert_eq!(wait_for_updates(&mut viewer)[0].removed_topics, ["/a"]);
    let weak = hub.downgrade();
    drop((viewer, keeper, hub));
    let begin = Instant::now();
    while weak.upgrade().is_some() {
        assert!(begin.elapsed() < 30 * PATIENCE, "the thread keeps the hub");
        std::thread::sleep(INTERVAL);
    }
}

#[test]
fn of_very_many_nodes_some_are_shown() {
    let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
    hub.provide_connections().unwrap();
    let topic = channel(&registry, "/a");
    hub.publisher().announce(std::slice::from_ref(&topic));
    let nodes: Vec<_> = (0..2 * MAX_IDS).map(|n| hub.publisher_node(&format!("node {n}"))).collect();
    nodes.iter().for_each(|node| node.publishes(std::slice::from_ref(&topic)));
    let mut viewer = Viewer::join(&hub);
    viewer.client.follow_graph().unwrap();
    assert_eq!(updates(&mut viewer)[0].published_topics[0].publisher_ids.len(), MAX_IDS);
}
