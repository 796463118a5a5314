//! Writers on sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use super::{is_sent, subscribed, until};
use crate::hub::testing::{Sent, Viewer, hub};
use crate::hub::{Hub, SlowClient};
use crate::input::listen::Listener;
use crate::input::{Back, Commands, Live, OnEof, Writers};
use crate::model::ChannelId;
use crate::payload::{TypeOptions, Types};
use crate::registry::Registry;
use crate::source::json_lines::{JsonLines, JsonLinesOptions};
use crate::source::live::LiveChannels;
use crate::source::{Stop, TopicRules};

const LIMIT: usize = 3;

fn commands(hub: &Hub) -> Commands {
    let services = hub.provide_services().unwrap();
    Commands::new(services, hub.parameters().unwrap(), Duration::from_secs(10))
}

/// Lines from sockets, where a bad line ends a connection.
fn serve(listeners: Vec<Listener>, hub: &Hub) -> Live {
    let options = Arc::new(JsonLinesOptions { strict: true, ..JsonLinesOptions::default() });
    let types = Arc::new(Types::load(&TypeOptions::default()).unwrap());
    let channels = LiveChannels::new(TopicRules::default(), types, &[], Registry::default()).unwrap();
    let stop = Stop::new().unwrap();
    let of_writers = stop.clone();
    let commands = commands(hub);
    let writers = Writers {
        listeners,
        limit: LIMIT,
        open: Arc::new(move |name, incoming, back| {
            let lines = JsonLines::new(name, incoming, &of_writers, options.clone(), channels.clone());
            Box::new(commands.carry_out(lines, back, Back::Writer))
        }),
    };
    Live::start(Vec::new(), Some(writers), hub, &stop, OnEof::Keep, |_| {}).unwrap()
}

fn connect(name: &str) -> TcpStream {
    TcpStream::connect(name.strip_prefix("tcp-listen://").unwrap()).unwrap()
}

/// Whether the other side closes, instead of reading.
fn is_closed(writer: &mut TcpStream) -> bool {
    // what was not read there resets the connection
    matches!(writer.read(&mut [0]), Ok(0) | Err(_))
}

#[tokio::test]
async fn a_writer_stays_when_another_breaks_and_one_too_many_is_turned_away() {
    let listener = Listener::bind("tcp-listen://127.0.0.1:0").unwrap();
    let name = listener.name().to_owned();
    let hub = hub(SlowClient::Drop);
    let _live = serve(vec![listener], &hub);
    let mut viewer = Viewer::join(&hub);
    let (mut good, mut bad, mut half) = (connect(&name), connect(&name), connect(&name));
    good.write_all(b"{\"op\":\"channel\",\"topic\":\"/a\"}\n").unwrap();
    subscribed(&mut viewer, &[ChannelId(1)]).await;
    half.write_all(b"{\"topic\":\"/a\",\"log_").unwrap();
    bad.write_all(b"{\"topic\":\"/b\",\"data\":{}}\n").unwrap();
    until(&mut viewer, &Sent::Advertised(vec![2])).await;
    half.write_all(b"time\":7,\"data\":{}}\n").unwrap();
    until(&mut viewer, &Sent::Message(1, 7)).await;
    assert!(is_closed(&mut connect(&name)), "a fourth writer");
    bad.write_all(b"{\"topic\":\n").unwrap();
    assert!(is_closed(&mut bad));
    good.write_all(b"{\"topic\":\"/a\",\"log_time\":8,\"data\":{}}\n").unwrap();
    until(&mut viewer, &Sent::Message(1, 8)).await;
    // its place is free again, though perhaps not at once
    let mut next = connect(&name);
    while !is_sent(&mut viewer, &Sent::Message(1, 9)) {
        next.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        // of a writer that is turned away nothing is read
        next.write_all(b"{\"topic\":\"/a\",\"log_time\":9,\"data\":{}}\n").ok();
        if !matches!(next.read(&mut [0]), Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
        {
            next = connect(&name);
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn once_dropped_sockets_are_free_and_no_thread_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("robot.sock");
    let mut specs = ["tcp-listen://127.0.0.1:0".to_owned(), format!("unix-listen://{}", path.display())];
    for round in 0..5 {
        let hub = hub(SlowClient::Drop);
        let listeners: Vec<_> = specs.iter().map(|spec| Listener::bind(spec).unwrap()).collect();
        specs[0] = listeners[0].name().to_owned();
        let live = serve(listeners, &hub);
        let mut viewer = Viewer::join(&hub);
        // one in the middle of a line, one that says nothing, one that has disconnected
        let mut writer = connect(&specs[0]);
        writer.write_all(b"{\"topic\":\"/a\",\"data\":{}}\n{\"topic\":").unwrap();
        let silent = std::os::unix::net::UnixStream::connect(&path).unwrap();
        drop(connect(&specs[0]));
        until(&mut viewer, &Sent::Advertised(vec![1])).await;
        let threads = live.threads_left();
        drop(live);
        assert!(threads() == 0, "round {round}: {} threads are left", threads());
        assert!(!path.exists());
        assert!(is_closed(&mut writer));
        drop(silent);
    }
}
