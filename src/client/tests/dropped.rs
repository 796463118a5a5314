//! Calls that are dropped before they are answered, as by `select!` and time-outs.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::*;
use crate::protocol::{Capability, ParameterValues};

/// Polls a call once, which hands over what it asks for, and drops it.
async fn drop_after_one_poll<T>(call: impl Future<Output = T>) {
    let mut call = pin!(call);
    let polled = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
    assert!(polled.is_pending(), "it was not dropped in the middle");
}

/// A client of a server that takes what it publishes.
async fn publisher(fake: &Fake) -> (Client, Peer) {
    let (client, mut peer) = fake.client().await;
    let mut events = client.events();
    peer.text(&INFO.replace("parameters", "clientPublish")).await;
    event(&mut events, |event| matches!(event, Event::NewInfo { .. }).then_some(())).await;
    (client, peer)
}

#[tokio::test]
async fn a_request_that_is_dropped_takes_no_answer_of_another() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        drop_after_one_poll(client.get_parameters(["/dropped"])).await;
        let ClientMessage::GetParameters(request) = peer.message().await else { panic!() };
        ids.push(request.id);
    }
    let answering = async {
        let ClientMessage::GetParameters(request) = peer.message().await else { panic!() };
        for (number, id) in (0..).zip(ids.into_iter().chain([request.id])) {
            let parameters = vec![Parameter::new("/q", number)];
            peer.say(&ServerMessage::ParameterValues(ParameterValues { parameters, id })).await;
        }
    };
    let (asked, ()) = soon(async { tokio::join!(client.get_parameters(["/q"]), answering) }).await;
    assert_eq!(asked, Ok(vec![Parameter::new("/q", 3)]));
}

#[tokio::test]
async fn requests_that_are_dropped_are_bounded_until_they_are_answered() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client().await;
    for _ in 0..100 {
        drop_after_one_poll(client.get_parameters([" ".repeat(1 << 20)])).await;
    }
    let taking = async {
        let mut ids = Vec::new();
        loop {
            let ClientMessage::GetParameters(request) = peer.message().await else { panic!() };
            ids.push(request.id);
            if request.parameter_names == ["/end"] {
                break;
            }
        }
        for id in &ids {
            let values = ParameterValues { parameters: Vec::new(), id: id.clone() };
            peer.say(&ServerMessage::ParameterValues(values)).await;
        }
        ids.len()
    };
    let (asked, taken) = soon(async { tokio::join!(client.get_parameters(["/end"]), taking) }).await;
    assert_eq!(asked, Ok(Vec::new()));
    assert!((10..17).contains(&taken), "{taken} requests of 1 MiB waited");
    // the answers have made room
    drop_after_one_poll(client.get_parameters([" ".repeat(12 << 20)])).await;
    let ClientMessage::GetParameters(large) = peer.message().await else { panic!() };
    assert_eq!(large.parameter_names[0].len(), 12 << 20);
}

#[tokio::test]
async fn a_channel_whose_advertising_is_dropped_is_taken_back() {
    let fake = Fake::start().await;
    let (client, mut peer) = publisher(&fake).await;
    drop_after_one_poll(client.advertise(&ClientTopic::json("/a"))).await;
    let ClientMessage::Advertise(channels) = peer.message().await else { panic!() };
    assert_eq!(peer.message().await, ClientMessage::Unadvertise(vec![channels[0].id]));
}

#[tokio::test]
async fn what_can_be_looked_at_is_seen_after_a_look_that_is_dropped() {
    let fake = Fake::start().await;
    let (client, _peer) = fake.client().await;
    drop_after_one_poll(client.channels()).await;
    drop_after_one_poll(client.server_info()).await;
    assert_eq!(soon(client.server_info()).await.unwrap().name, "fake");
}

#[tokio::test]
async fn waiting_for_messages_and_events_again_and_again_loses_none() {
    let all: Vec<u64> = (0..300).collect();
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client().await;
    let (mut messages, mut events) = (client.subscribe("/a"), client.events());
    peer.text(&advertise(1, "/a")).await;
    let (id, _) = peer.subscription().await;
    let sending = async {
        for time in all.iter().copied() {
            peer.data(id, time, "x").await;
            peer.text(&format!(r#"{{"op":"status","level":0,"message":"{time}"}}"#)).await;
            if time % 7 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    let taking = async {
        let (mut times, mut statuses) = (Vec::new(), Vec::new());
        while times.len() < all.len() || statuses.len() < all.len() {
            // each round drops at least one of the three
            tokio::select! {
                message = messages.next() => times.push(message.unwrap().log_time.nanos()),
                event = events.next() => if let Some(Event::Status(status)) = event {
                    statuses.push(status.message.parse().unwrap());
                },
                () = tokio::time::sleep(Duration::from_micros(100)) => {}
            }
        }
        (times, statuses)
    };
    let (_, (times, statuses)) = soon(async { tokio::join!(sending, taking) }).await;
    assert_eq!((&times, &statuses), (&all, &all));
}

#[tokio::test]
async fn a_connection_attempt_that_is_dropped_leaves_no_connection() {
    let fake = Fake::start().await;
    let url = fake.url();
    let connecting = timeout(Duration::from_millis(200), Client::connect(&url));
    let (connected, mut peer) = tokio::join!(connecting, fake.accept());
    assert!(connected.is_err(), "the server has not said what it is");
    while peer.next().await.is_some() {}
}

#[tokio::test]
async fn a_close_that_is_dropped_closes() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client().await;
    drop_after_one_poll(client.close()).await;
    assert!(matches!(peer.next().await, Some(Received::Close(_))));
    peer.frames(|writer| writer.close_answer(Some(1000))).await;
    assert_eq!(soon(client.ended()).await, Ended::Closed);
}

#[tokio::test]
async fn what_is_published_and_dropped_while_it_waits_leaves_room_for_others() {
    let fake = Fake::start().await;
    let (client, mut peer) = publisher(&fake).await;
    let publication = client.advertise(&ClientTopic::json("/a")).await.unwrap();
    // the server takes nothing: this one finds no room in the end
    while timeout(Duration::from_millis(100), publication.publish(vec![b' '; 4 << 20])).await.is_ok() {}
    let taking = async {
        while let Some(event) = peer.next().await {
            if matches!(event, Received::Binary(payload) if payload.ends_with(b"last")) {
                return;
            }
        }
    };
    let publishing = async { publication.publish("last").await };
    let (published, ()) = soon(async { tokio::join!(publishing, taking) }).await;
    assert_eq!(published, Ok(()));
    let offered = client.server_info().await.unwrap();
    assert!(offered.capabilities.contains(&Capability::ClientPublish));
}
