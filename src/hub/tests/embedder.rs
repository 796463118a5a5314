//! An embedder's own code may use the hub wherever the hub calls it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::hub::capability::assets::Assets;
use crate::hub::capability::publish::ClientPublish;
use crate::hub::responder::Responder;
use crate::hub::testing::{Sent, Viewer, channel, hub, messages};
use crate::hub::{ClientId, Hub, SlowClient};
use crate::model::Batch;
use crate::protocol::{ClientChannel, ClientChannelId, ServerMessage};
use crate::registry::Registry;

/// Uses the hub whenever it is called, and when it is dropped.
struct Curious(Hub);

impl Curious {
    fn look(&self) {
        self.0.snapshot();
    }
}

impl Drop for Curious {
    fn drop(&mut self) {
        self.look();
    }
}

impl ClientPublish for Curious {
    fn encodings(&self) -> Vec<String> {
        self.look();
        vec!["cdr".to_owned()]
    }

    fn advertise(&self, _client: ClientId, _channel: &ClientChannel) -> Result<(), String> {
        Ok(())
    }

    fn unadvertise(&self, _client: ClientId, _channel: ClientChannelId) {}

    fn message(&self, _client: ClientId, _channel: ClientChannelId, _payload: Bytes) {}
}

impl Assets for Curious {
    fn fetch(&self, _uri: String, _answer: Responder<Result<Bytes, String>>) {}
}

#[test]
fn channels_of_two_registries_are_not_mixed_silently() {
    let hub = hub(SlowClient::Drop);
    let (first, second) = (Registry::default(), Registry::default());
    let (counter, square) = (channel(&first, "/counter"), channel(&second, "/square"));
    let publisher = hub.publisher();
    publisher.announce(std::slice::from_ref(&counter));
    let mut viewer = Viewer::join(&hub);
    viewer.news();
    let said = |sent: &[Sent]| {
        let [Sent::Status(status)] = sent else { panic!("{sent:?}") };
        assert!(status.message.starts_with("channel '/square' is not offered: its id 1"), "{status:?}");
        assert!(status.message.contains("'/counter'") && status.message.contains("one registry"));
    };
    publisher.announce(std::slice::from_ref(&square));
    said(&viewer.news());
    publisher.publish_live(Batch { announcements: vec![square], ..Batch::default() }, Instant::now());
    said(&viewer.news());
    // who joins later is shown it too, and is offered what there is
    let sent = Viewer::join(&hub).news();
    assert!(sent.contains(&Sent::Advertised(vec![counter.id.0])), "{sent:?}");
    assert_eq!(sent.iter().filter(|sent| matches!(sent, Sent::Status(_))).count(), 1);
}

#[tokio::test]
async fn a_publisher_that_is_to_lose_nothing_waits_until_a_client_has_read() {
    let hub = hub(SlowClient::Wait);
    let topic = channel(&Registry::default(), "/a");
    let publisher = hub.publisher();
    publisher.announce(std::slice::from_ref(&topic));
    let mut viewer = Viewer::join(&hub);
    viewer.subscribe(topic.id);
    // twice what a queue holds
    publisher.publish_live(messages(&[(topic.id, 1)], 1 << 17), Instant::now());
    let waits = tokio::spawn(async move { publisher.room().await });
    tokio::task::yield_now().await;
    assert!(!waits.is_finished());
    assert_eq!(viewer.messages(), [(topic.id.0, 1)]);
    waits.await.unwrap();
}

#[test]
fn encodings_are_asked_for_without_the_lock() {
    let hub = hub(SlowClient::Drop);
    hub.provide_publish(Arc::new(Curious(hub.clone()))).unwrap();
    let sent = Viewer::join(&hub).news();
    let Sent::Session(info) = &sent[0] else { panic!("{sent:?}") };
    assert_eq!(info.supported_encodings, ["cdr"]);
}

#[test]
fn a_provider_that_comes_too_late_is_dropped_without_the_lock() {
    let hub = hub(SlowClient::Drop);
    for is_first in [true, false] {
        assert_eq!(hub.provide_publish(Arc::new(Curious(hub.clone()))).is_ok(), is_first);
        assert_eq!(hub.provide_assets(Arc::new(Curious(hub.clone()))).is_ok(), is_first);
    }
}

#[test]
fn the_graph_is_changed_without_the_lock() {
    let hub = hub(SlowClient::Drop);
    let graph = hub.provide_graph().unwrap();
    let mut viewer = Viewer::join(&hub);
    viewer.client.follow_graph().unwrap();
    viewer.news();
    graph.update(|graph| {
        hub.snapshot();
        graph.published.insert("/a".to_owned(), ["node".to_owned()].into());
    });
    let sent = viewer.news();
    let [Sent::Other(ServerMessage::ConnectionGraphUpdate(update))] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(update.published_topics[0].name, "/a");
    // whoever begins to follow it later gets the whole
    let mut late = Viewer::join(&hub);
    late.client.follow_graph().unwrap();
    let sent = late.news();
    let Some(Sent::Other(ServerMessage::ConnectionGraphUpdate(update))) = sent.last() else {
        panic!("{sent:?}")
    };
    assert_eq!(update.published_topics.len(), 1);
}

#[test]
fn two_hubs_of_a_program_have_their_own_sessions_and_ids() {
    let (one, other) = (hub(SlowClient::Drop), hub(SlowClient::Drop));
    let session = |hub: &Hub| match Viewer::join(hub).news().swap_remove(0) {
        Sent::Session(info) => info.session_id,
        sent => panic!("{sent:?}"),
    };
    assert_ne!(session(&one), session(&other));
    assert_eq!(session(&one), session(&one), "nothing has begun anew");
    assert_eq!(channel(one.registry(), "/a").id, channel(other.registry(), "/b").id);
}
