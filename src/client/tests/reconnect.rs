//! Connections that end.

use super::*;

#[tokio::test]
async fn topics_are_subscribed_to_again_when_the_server_comes_back() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client().await;
    let mut messages = client.subscribe("/a");
    let mut events = client.events();
    peer.text(&advertise(1, "/a")).await;
    let (first, channel) = peer.subscription().await;
    assert_eq!(channel, 1);
    peer.data(first, 5, "one").await;
    assert_eq!(soon(messages.next()).await.unwrap().payload, "one");
    drop(peer);
    let retry = event(&mut events, |event| match event {
        Event::Disconnected { retry_in, .. } => retry_in,
        _ => None,
    });
    assert!((250..=500).contains(&retry.await.as_millis()));
    let request = client.get_parameters(["/p"]).await;
    assert_eq!(request, Err(RequestError::NotConnected));

    let mut peer = fake.serve().await;
    let session = event(&mut events, |event| match event {
        Event::Connected { session, .. } => Some(session),
        _ => None,
    });
    assert_eq!(session.await, Session::Same);
    peer.text(&advertise(9, "/a")).await;
    let (second, channel) = peer.subscription().await;
    assert!(channel == 9 && second != first);
    peer.data(second, 6, "two").await;
    assert_eq!(soon(messages.next()).await.unwrap().payload, "two");
}

#[tokio::test]
async fn requests_are_answered_when_the_connection_ends() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client().await;
    let asked = tokio::spawn(async move { client.get_parameters(["/p"]).await });
    assert!(matches!(peer.message().await, ClientMessage::GetParameters(_)));
    drop(peer);
    assert_eq!(soon(asked).await.unwrap(), Err(RequestError::Disconnected));
}

#[tokio::test]
async fn a_server_that_has_sent_everything_ends_the_client() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client().await;
    let mut messages = client.subscribe("/a");
    peer.text(&advertise(1, "/a")).await;
    let (id, _) = peer.subscription().await;
    peer.data(id, 5, "last").await;
    peer.frames(|writer| writer.close(1000, "")).await;
    assert_eq!(soon(messages.next()).await.unwrap().payload, "last");
    assert!(soon(messages.next()).await.is_none());
    assert_eq!(client.ended().await, Ended::Finished);
    assert_eq!(peer.next().await, Some(Received::Close(Some(1000))));
    assert_eq!(client.get_parameters(["/p"]).await, Err(RequestError::Closed));
    assert!(client.subscribe("/b").next().await.is_none());
    assert!(client.server_info().await.is_none());
}

#[tokio::test]
async fn without_reconnecting_a_loss_ends_the_client() {
    let fake = Fake::start().await;
    let options = ClientOptions { reconnect: Reconnect::Never, ..ClientOptions::default() };
    let (url, accept) = (fake.url(), fake.serve());
    let (client, peer) = tokio::join!(Client::connect_with(&url, options), accept);
    drop(peer);
    assert!(matches!(soon(client.unwrap().ended()).await, Ended::Lost(_)));
}

#[tokio::test]
async fn the_last_handle_closes_the_connection() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client().await;
    let messages = client.subscribe("/a");
    drop(client);
    peer.text(&advertise(1, "/a")).await;
    peer.subscription().await;
    drop(messages);
    let mut last = peer.next().await;
    while !matches!(last, Some(Received::Close(_)) | None) {
        last = peer.next().await;
    }
    assert_eq!(last, Some(Received::Close(Some(1000))));
}

#[tokio::test]
async fn what_was_published_is_sent_before_the_close() {
    let fake = Fake::start().await;
    let url = fake.url();
    let accept = async {
        let mut peer = fake.accept().await;
        peer.text(&INFO.replace("services", "clientPublish")).await;
        peer
    };
    let (client, mut peer) = tokio::join!(Client::connect(&url), accept);
    let client = client.unwrap();
    let publication = client.advertise(&ClientTopic::json("/cmd")).await.unwrap();
    let publishing = async {
        for _ in 0..400 {
            publication.publish(vec![b'1'; 100_000]).await.unwrap();
        }
        client.close().await;
    };
    let counting = async {
        assert!(matches!(peer.message().await, ClientMessage::Advertise(_)));
        let mut count = 0;
        while let Some(Received::Binary(_)) = peer.next().await {
            count += 1;
        }
        peer.frames(|writer| writer.close(1000, "")).await;
        count
    };
    let ((), count) = soon(async { tokio::join!(publishing, counting) }).await;
    assert_eq!(count, 400);
    assert_eq!(client.ended().await, Ended::Closed);
    assert_eq!(publication.publish("x").await, Err(RequestError::NotConnected));
}
