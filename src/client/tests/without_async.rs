//! The client for programs without async, with our own server.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Instant;

use super::ours::{Robot, serve};
use super::*;
use crate::hub::{Hub, HubOptions};
use crate::model::{Batch, Entry};
use crate::registry::{ChannelSpec, Registry};
use crate::time::Timestamp;

/// A server whose clients can do everything that a program without async may ask for, and its latched message.
fn serve_without_async(runtime: &tokio::runtime::Runtime) -> (String, Arc<Robot>, Hub) {
    let hub = Hub::new("robot", HubOptions::default());
    let robot = Arc::new(Robot::default());
    hub.provide_parameters(robot.clone()).unwrap();
    hub.provide_publish(robot.clone()).unwrap();
    let registry = Registry::default();
    let spec = ChannelSpec { latched: true, ..ChannelSpec::json("/battery") };
    let channel = registry.claim(spec).unwrap().channel;
    let publisher = hub.publisher();
    publisher.announce(std::slice::from_ref(&channel));
    let mut batch = Batch::default();
    batch.push_copy(&Entry::at(channel.id, Timestamp(7)), b"{}");
    publisher.publish_live(batch, Instant::now());
    let (url, _serving) = runtime.block_on(serve(hub.clone()));
    (url, robot, hub)
}

#[test]
fn programs_without_async_wait_for_each_answer() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (url, _robot, _hub) = serve_without_async(&runtime);
    let client = blocking::Client::connect(&url).unwrap();
    let mut messages = client.subscribe("/battery");
    let message = messages.next().unwrap();
    assert_eq!((message.log_time, &message.payload[..]), (Timestamp(7), &b"{}"[..]));
    let soon = Duration::from_millis(50);
    assert_eq!((messages.try_next(), messages.dropped()), (None, 0));
    assert_eq!(messages.recv_timeout(soon), Err(RecvTimeoutError::Timeout));
    assert_eq!(client.set_parameters(vec![Parameter::new("/a", 1)]).unwrap().len(), 1);
    let mut events = client.events();
    assert!(matches!(events.recv_timeout(SOON), Ok(Event::Connected { .. })));
    client.close();
    assert_eq!(client.ended(), Ended::Closed);
    assert_eq!(messages.recv_timeout(soon), Err(RecvTimeoutError::Disconnected));
    assert!(client.events().next().is_none());
}

#[test]
fn what_a_program_without_async_has_published_is_sent_though_it_ends() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (url, robot, _hub) = serve_without_async(&runtime);
    for number in 0..20 {
        let client = blocking::Client::connect(&url).unwrap();
        let publication = client.advertise(&ClientTopic::json("/cmd")).unwrap();
        publication.publish(number.to_string()).unwrap();
    }
    let until = Instant::now() + SOON;
    while robot.published.lock().unwrap().iter().filter(|text| *text != "/cmd" && *text != "gone").count()
        < 20
    {
        assert!(Instant::now() < until, "{:?}", robot.published.lock().unwrap());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_client_without_async_can_be_dropped_within_a_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (url, _robot, hub) = serve_without_async(&runtime);
    let client = blocking::Client::connect(&url).unwrap();
    assert_eq!(hub.snapshot().clients.len(), 1);
    runtime.block_on(async move { drop(client) });
    let until = Instant::now() + SOON;
    while !hub.snapshot().clients.is_empty() {
        assert!(Instant::now() < until, "the connection stays");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The functions of a type's `impl` blocks, private ones left out if `only` says what all others begin with.
fn functions(source: &str, kind: &str, only: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut within = false;
    for line in source.lines() {
        let ends_so = |ending: &str| line.ends_with(&format!("{ending}{kind} {{"));
        match line {
            _ if line.starts_with("impl") => within = ends_so("impl ") || ends_so(" for "),
            "}" => within = false,
            _ => {}
        }
        let name = line.strip_prefix("    ").and_then(|line| line.strip_prefix(only));
        let name =
            name.map(|line| line.trim_start_matches("async ")).and_then(|line| line.strip_prefix("fn "));
        if let Some(name) = name.filter(|_| within) {
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            names.insert(name[..end].to_owned());
        }
    }
    names
}

#[test]
fn each_method_has_its_twin_without_async() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/client");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let blocking = ["pub ", ""].map(|only| (only, read(&folder.join("blocking.rs"))));
    for kind in ["Client", "Messages", "Events", "Measuring", "Publication"] {
        let mut wanted = BTreeSet::new();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("blocking.rs") {
                wanted.extend(functions(&read(&path), kind, "pub "));
            }
        }
        assert!(kind == "Measuring" || !wanted.is_empty(), "{kind} is not found");
        let there: BTreeSet<_> =
            blocking.iter().flat_map(|(only, source)| functions(source, kind, only)).collect();
        let missing: Vec<_> = wanted.difference(&there).collect();
        assert!(missing.is_empty(), "{kind} lacks {missing:?}");
    }
}
