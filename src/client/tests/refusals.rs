//! Servers that do not answer, refuse, or do not keep to the protocol.

use super::*;

fn quick() -> ClientOptions {
    let within = Duration::from_millis(300);
    ClientOptions { connect_timeout: within, request_timeout: within, ..ClientOptions::default() }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let fake = Fake::start().await;
    let error = soon(Client::connect_with(&fake.url(), quick())).await.unwrap_err();
    assert_eq!(error.to_string(), "no connection within 0.3 s");
    let silent = async {
        let peer = fake.accept().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        peer
    };
    // the one that was given up waits in the queue of the listener
    drop(fake.0.accept().await.unwrap());
    let url = fake.url();
    let (client, _peer) = tokio::join!(Client::connect_with(&url, quick()), silent);
    assert_eq!(client.unwrap_err().to_string(), "no serverInfo within 0.3 s");
}

#[tokio::test]
async fn a_request_that_is_not_answered_runs_out_of_time() {
    let fake = Fake::start().await;
    let url = fake.url();
    let (client, mut peer) = tokio::join!(Client::connect_with(&url, quick()), fake.serve());
    let client = client.unwrap();
    let error = client.get_parameters(["/p"]).await.unwrap_err();
    assert_eq!(error, RequestError::TimedOut(Duration::from_millis(300)));
    // the answer that comes too late is none to the next request
    let ClientMessage::GetParameters(late) = peer.message().await else { panic!() };
    let client = client.with_timeout(SOON);
    let asking = client.get_parameters(["/q"]);
    let answering = async {
        let ClientMessage::GetParameters(request) = peer.message().await else { panic!() };
        for (id, value) in [(late.id, 1), (request.id, 2)] {
            let values =
                crate::protocol::ParameterValues { parameters: vec![Parameter::new("/q", value)], id };
            peer.say(&ServerMessage::ParameterValues(values)).await;
        }
    };
    let (asked, ()) = tokio::join!(asking, answering);
    assert_eq!(asked.unwrap(), [Parameter::new("/q", 2)]);
}

#[tokio::test]
async fn a_refusal_is_shown_with_its_text() {
    let fake = Fake::start().await;
    let refusing = async {
        let (mut tcp, _) = fake.0.accept().await.unwrap();
        read_request(&mut tcp).await;
        tcp.write_all(b"HTTP/1.1 401 Unauthorized\r\n\r\nthe token is missing\n").await.unwrap();
    };
    let url = fake.url();
    let (client, ()) = tokio::join!(Client::connect(&url), refusing);
    assert_eq!(client.unwrap_err().to_string(), "the server refuses: HTTP 401: the token is missing");
}

#[tokio::test]
async fn what_is_no_server_of_the_protocol_is_said() {
    let closed = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let error = Client::connect(&format!("ws://{closed}")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    let error = Client::connect("localhost:8765").await.unwrap_err();
    assert!(matches!(error, ConnectError::Url(_)), "{error}");
    let options = ClientOptions { token: Some("a\r\nb".to_owned()), ..ClientOptions::default() };
    let error = Client::connect_with("ws://localhost:1", options).await.unwrap_err();
    assert!(matches!(error, ConnectError::Options(_)), "{error}");
    for answer in ["", "SSH-2.0-OpenSSH_9.9\r\n\r\n", "HTTP/1.1 101 x"] {
        let fake = Fake::start().await;
        let answering = async {
            let (mut tcp, _) = fake.0.accept().await.unwrap();
            read_request(&mut tcp).await;
            tcp.write_all(answer.as_bytes()).await.unwrap();
        };
        let url = fake.url();
        let (client, ()) = tokio::join!(Client::connect(&url), answering);
        assert!(matches!(client, Err(ConnectError::NotWebSocket(_))), "{answer}");
    }
}

#[tokio::test]
async fn nonsense_is_told_and_the_connection_goes_on() {
    let fake = Fake::start().await;
    let (client, mut peer) = fake.client().await;
    let mut events = client.events();
    client.server_info().await;
    let long = format!("\"{}\"", "x".repeat(33 << 20));
    for (text, part) in [
        ("no json", "malformed JSON"),
        (r#"{"op":"dance"}"#, "unknown op 'dance'"),
        (r#"{"op":"advertise","channels":7}"#, "advertise: channels: expected an array"),
        (r#"{"op":"unadvertise","channelIds":[5]}"#, "channel 5 is unadvertised"),
        (long.as_str(), "is longer than this client takes"),
    ] {
        peer.text(text).await;
        let problem = event(&mut events, |event| match event {
            Event::Problem(text) => Some(text),
            _ => None,
        });
        let problem = problem.await;
        assert!(problem.contains(part), "{problem}");
    }
    for frame in [&[][..], &[77, 1, 2], &[1, 2, 3], &[4, 0, 0, 0, 0, 9, 0, 0, 0, 0]] {
        peer.frames(|writer| writer.binary(Bytes::copy_from_slice(frame))).await;
        event(&mut events, |event| matches!(event, Event::Problem(_)).then_some(())).await;
    }
    let mut messages = client.subscribe("/a");
    peer.text(&advertise(1, "/a")).await;
    let (id, _) = peer.subscription().await;
    peer.data(id, 1, "still here").await;
    assert_eq!(soon(messages.next()).await.unwrap().payload, "still here");
}

#[tokio::test]
async fn broken_frames_end_the_connection_with_a_reason() {
    for (bytes, code, part) in [
        (&[0x83, 0][..], 1002, "reserved opcode"),
        (&[0xC1, 0], 1002, "compression was not negotiated"),
        (&[0x81, 1, 0xFF], 1007, "UTF-8"),
        (&[0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0], 1009, "too large"),
    ] {
        let fake = Fake::start().await;
        let (client, mut peer) = fake.client().await;
        let mut events = client.events();
        peer.tcp.write_all(bytes).await.unwrap();
        let reason = event(&mut events, |event| match event {
            Event::Disconnected { reason, .. } => Some(reason),
            _ => None,
        });
        let reason = reason.await;
        assert!(reason.contains(part), "{reason}");
        assert_eq!(peer.next().await, Some(Received::Close(Some(code))));
    }
}

#[tokio::test]
async fn a_client_is_ready_with_server_info_whatever_comes_before_it() {
    let fake = Fake::start().await;
    let url = fake.url();
    let late = async {
        let mut peer = fake.accept().await;
        peer.text("nonsense").await;
        peer.text(&advertise(1, "/a")).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        peer.text(INFO).await;
        peer
    };
    let (client, _peer) = soon(async { tokio::join!(Client::connect(&url), late) }).await;
    let client = client.unwrap();
    assert_eq!(client.server_info().await.unwrap().name, "fake");
    assert_eq!(client.channels().await[0].topic, "/a");
}
