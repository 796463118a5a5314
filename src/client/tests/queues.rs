//! Messages that come faster than they are taken.

use super::*;

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
