//! Messages that come faster than they are taken.

use super::*;
use crate::protocol::FetchAssetResponse;

const SMALL: usize = 10_000;

async fn with_messages(overflow: Overflow) -> (Client, Messages, Peer, u32) {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client().await;
    let messages = client.subscribe_with("/a", Queue { bytes: SMALL, overflow });
    peer.text(&advertise(1, "/a")).await;
    let (id, _) = peer.subscription().await;
    (client, messages, peer, id)
}

#[tokio::test]
async fn while_a_queue_waits_pings_and_requests_are_answered_and_nothing_is_lost() {
    let (client, mut messages, mut peer, id) = with_messages(Overflow::Wait).await;
    for time in 0..100 {
        peer.data(id, time, vec![0; 1000]).await;
    }
    peer.frames(FrameWriter::ping).await;
    assert_eq!(peer.next().await, Some(Received::Pong));
    let asking = client.get_parameters(["/p"]);
    let answering = async {
        let ClientMessage::GetParameters(request) = peer.message().await else { panic!() };
        let parameters = vec![Parameter::new("/p", 1)];
        let values = crate::protocol::ParameterValues { parameters, id: request.id };
        peer.say(&ServerMessage::ParameterValues(values)).await;
    };
    let (asked, ()) = soon(async { tokio::join!(asking, answering) }).await;
    assert_eq!(asked.unwrap().len(), 1);
    for time in 0..100 {
        assert_eq!(soon(messages.next()).await.unwrap().log_time.nanos(), time);
    }
}

#[tokio::test]
async fn a_full_queue_holds_the_server_back() {
    let (_client, mut messages, mut peer, id) = with_messages(Overflow::Wait).await;
    let mut sent = 0u64;
    let payload = Bytes::from(vec![0; 100_000]);
    let filling = async {
        loop {
            peer.data(id, sent, payload.clone()).await;
            sent += 1;
        }
    };
    assert!(timeout(Duration::from_secs(2), filling).await.is_err(), "the connection takes no more");
    // some MB in the buffers of the system, 1 MiB held
    assert!((10..1000).contains(&sent), "{sent}");
    for time in 0..sent {
        assert_eq!(soon(messages.next()).await.unwrap().log_time.nanos(), time);
    }
}

#[tokio::test]
async fn the_oldest_messages_are_dropped_and_counted() {
    let (client, mut messages, mut peer, id) = with_messages(Overflow::DropOldest).await;
    for time in 0..100 {
        peer.data(id, time, vec![0; 1000]).await;
    }
    peer.frames(|writer| writer.close(1000, "")).await;
    soon(client.ended()).await;
    let mut times = Vec::new();
    while let Some(message) = messages.next().await {
        times.push(message.log_time.nanos());
    }
    assert_eq!(times.last(), Some(&99));
    assert_eq!((times.len() as u64 + messages.dropped(), times.len()), (100, SMALL / 1100));
}

#[tokio::test]
async fn one_who_takes_nothing_and_leaves_lets_the_others_go_on() {
    let (client, idle, mut peer, id) = with_messages(Overflow::Wait).await;
    let mut other = client.subscribe("/a");
    client.server_info().await;
    for time in 0..50 {
        peer.data(id, time, vec![0; 1000]).await;
    }
    assert_eq!(soon(other.next()).await.unwrap().log_time.nanos(), 0);
    drop(idle);
    for time in 1..50 {
        assert_eq!(soon(other.next()).await.unwrap().log_time.nanos(), time);
    }
}

#[tokio::test]
async fn messages_are_measured_without_their_payloads() {
    let fake = Fake::start().await;
    let options = ClientOptions { payloads: Payloads::Skipped, ..ClientOptions::default() };
    let (client, mut peer) = fake.client_with(options).await;
    let (sender, mut measured) = tokio::sync::mpsc::unbounded_channel();
    let measuring = client.measure("/a", move |arrival| {
        sender.send((arrival.channel.topic.clone(), arrival.log_time.nanos(), arrival.length)).unwrap();
    });
    peer.text(&INFO.replace("parameters", "assets")).await;
    peer.text(&advertise(1, "/a")).await;
    let (id, _) = peer.subscription().await;
    for (time, length) in [(1, 0), (2, 1), (3, 100_000)] {
        peer.data(id, time, vec![7; length]).await;
        assert_eq!(soon(measured.recv()).await, Some(("/a".to_owned(), time, length)));
    }
    // answers come whole
    let fetching = client.fetch_asset("package://a");
    let answering = async {
        let ClientMessage::FetchAsset(request) = peer.message().await else { panic!() };
        let (request_id, result) = (request.request_id, Ok(Bytes::from(vec![1; 5000])));
        peer.say(&ServerMessage::FetchAssetResponse(FetchAssetResponse { request_id, result })).await;
    };
    let (asset, ()) = soon(async { tokio::join!(fetching, answering) }).await;
    assert_eq!(asset.unwrap().len(), 5000);
    drop(measuring);
    assert!(matches!(peer.message().await, ClientMessage::Unsubscribe(ids) if ids[0].0 == id));
    assert!(soon(measured.recv()).await.is_none(), "the function is dropped");
}
