//! The end of a connection that its own program wants, with servers that take what is sent slowly, or not at all.

use super::*;

const MESSAGE: usize = 1 << 20;

/// A client that has published so many messages, of which its server has read none yet.
async fn published(count: usize) -> (Client, Publication, Peer) {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client().await;
    let mut events = client.events();
    peer.text(&INFO.replace("parameters", "clientPublish")).await;
    event(&mut events, |event| matches!(event, Event::NewInfo { .. }).then_some(())).await;
    let publication = client.advertise(&ClientTopic::json("/a")).await.unwrap();
    for _ in 0..count {
        soon(publication.publish(vec![b' '; MESSAGE])).await.unwrap();
    }
    (client, publication, peer)
}

#[tokio::test]
async fn a_server_that_takes_nothing_does_not_hold_the_end() {
    let (client, _publication, peer) = published(20).await;
    soon(client.close()).await;
    assert!(matches!(soon(client.ended()).await, Ended::Lost(_)), "not everything was sent");
    drop(peer);
}

#[tokio::test]
async fn a_server_that_sends_without_a_pause_does_not_hold_the_end() {
    let fake = Fake::start().await;
    let (client, peer) = fake.client().await;
    let mut tcp = peer.tcp.into_std().unwrap();
    tcp.set_nonblocking(false).unwrap();
    let flood = std::thread::spawn(move || {
        // pongs that nobody has asked for
        let pongs = [0x8A, 0].repeat(1 << 20);
        while std::io::Write::write_all(&mut tcp, &pongs).is_ok() {}
    });
    let begin = std::time::Instant::now();
    soon(client.close()).await;
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    flood.join().unwrap();
}

#[tokio::test]
async fn what_is_wanted_until_further_notice_runs_out_of_time() {
    let (client, _publication, _peer) = published(12).await;
    let within = Duration::from_millis(200);
    let client = client.with_timeout(within);
    let timed_out = RequestError::TimedOut(within);
    assert_eq!(soon(client.follow_parameters(["/a"])).await, Err(timed_out.clone()));
    assert_eq!(soon(client.advertise(&ClientTopic::json("/b"))).await.unwrap_err(), timed_out);
}

#[tokio::test]
async fn what_waits_is_sent_before_the_end_however_long_it_takes() {
    let (client, _publication, mut peer) = published(12).await;
    let mut taken = 0;
    let taking = async {
        let mut space = vec![0; 256 << 10];
        loop {
            let read = peer.tcp.read(&mut space).await.unwrap();
            taken += read;
            if read == 0 || taken >= 12 * MESSAGE {
                break;
            }
            tokio::time::sleep(Duration::from_millis(u64::try_from(read >> 11).unwrap())).await;
        }
    };
    soon(async { tokio::join!(client.close(), taking) }).await;
    assert!(taken >= 12 * MESSAGE, "{taken}");
    assert_eq!(client.ended().await, Ended::Closed);
}

#[tokio::test]
async fn who_subscribes_while_the_client_ends_learns_of_it() {
    for _ in 0..40 {
        let fake = Fake::start().await;
        let (client, mut peer) = fake.client().await;
        peer.frames(|writer| writer.close(1000, "")).await;
        // the task finds the close and the commands at once
        std::thread::sleep(Duration::from_millis(2));
        let (mut messages, mut events) = (client.subscribe("/a"), client.events());
        assert_eq!(soon(messages.next()).await, None);
        while soon(events.next()).await.is_some() {}
        assert_eq!(soon(client.ended()).await, Ended::Finished);
    }
}

#[tokio::test]
async fn a_function_that_panics_ends_the_client_for_all() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client().await;
    let mut messages = client.subscribe("/a");
    let _measuring = client.measure("/b", |_| panic!("on purpose"));
    peer.text(&advertise(1, "/b")).await;
    let (id, _) = peer.subscription().await;
    peer.data(id, 1, "x").await;
    assert_eq!(soon(messages.next()).await, None);
    assert!(matches!(soon(client.ended()).await, Ended::Lost(_)));
}
