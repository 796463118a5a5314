use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;

use super::*;
use crate::hub::{HubOptions, Publisher};
use crate::model::{Batch, Channel, ChannelId, Entry};
use crate::time::{TimeRange, Timestamp};

fn channel(id: u32, latched: bool) -> Arc<Channel> {
    Arc::new(Channel {
        id: ChannelId(id),
        topic: format!("/{id}"),
        message_encoding: "json".into(),
        schema: None,
        metadata: BTreeMap::new(),
        latched,
    })
}

/// A hub with a channel, and one that is latched.
fn hub() -> (Hub, Publisher) {
    let hub = Hub::new("robot", HubOptions::default());
    let publisher = hub.publisher();
    publisher.announce(&[channel(1, false), channel(2, true)]);
    (hub, publisher)
}

fn start(hub: &Hub, folder: &Path, options: BlackBoxOptions) -> BlackBox {
    BlackBox::start(hub, BlackBoxOptions { folder: folder.to_owned(), ..options }).unwrap()
}

#[test]
fn what_was_saved_can_be_read_while_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, publisher) = hub();
    let black_box = start(&hub, folder.path(), BlackBoxOptions::default());
    let saver = hub.saver().unwrap();
    assert!(saver.files().is_empty());
    publish(&publisher, 1, 7);
    let paths = [(); 2].map(|()| black_box.save().unwrap().path);
    fs::write(folder.path().join("other.mcap"), "not saved here").unwrap();
    let names = || saver.files().into_iter().map(|file| file.name).collect::<Vec<_>>();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(names(), paths.each_ref().map(|path| name(path)), "the oldest first");
    let mut content = Vec::new();
    let (file, mut read) = saver.open(&name(&paths[1])).unwrap();
    read.read_to_end(&mut content).unwrap();
    assert_eq!((file.size, content == fs::read(&paths[1]).unwrap()), (content.len() as u64, true));
    fs::remove_file(&paths[0]).unwrap();
    assert_eq!(names(), [name(&paths[1])]);
    for gone in [&*name(&paths[0]), "other.mcap", "", "../other.mcap"] {
        assert_eq!(saver.open(gone).err().unwrap().kind(), io::ErrorKind::NotFound, "{gone}");
    }
}

/// Publishes a message whose log time is its number.
fn publish(publisher: &Publisher, channel: u32, number: u64) {
    let mut batch = Batch::default();
    batch.push_copy(&Entry::at(ChannelId(channel), Timestamp(number)), number.to_string().as_bytes());
    publisher.publish_live(batch, Instant::now());
}

/// Topics and payloads of a file that is whole.
fn messages(path: &Path) -> Vec<(String, String)> {
    let file = fs::read(path).unwrap();
    assert!(mcap::Summary::read(&file).unwrap().is_some(), "no summary");
    let messages = mcap::MessageStream::new(&file).unwrap().map(Result::unwrap);
    messages
        .map(|message| (message.channel.topic.clone(), String::from_utf8(message.data.to_vec()).unwrap()))
        .collect()
}

/// Log and publish times of its messages.
fn times(path: &Path) -> Vec<(u64, u64)> {
    let file = fs::read(path).unwrap();
    let messages = mcap::MessageStream::new(&file).unwrap().map(Result::unwrap);
    messages.map(|message| (message.log_time, message.publish_time)).collect()
}

fn expected(messages: &[(u32, u64)]) -> Vec<(String, String)> {
    messages.iter().map(|(channel, number)| (format!("/{channel}"), number.to_string())).collect()
}

/// What a folder holds, by name.
fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_has_what_was_latched_before_the_window_and_all_that_was_published_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, publisher) = hub();
    // before there is a black box
    publish(&publisher, 2, 1);
    let window = Some(Duration::from_millis(1500));
    let black_box = start(&hub, folder.path(), BlackBoxOptions { window, ..BlackBoxOptions::default() });
    assert!(hub.saver().is_some());
    publish(&publisher, 1, 2);
    std::thread::sleep(Duration::from_millis(1800));
    publish(&publisher, 1, 3);
    publish(&publisher, 2, 4);
    let saved = black_box.save().unwrap();
    assert_eq!(messages(&saved.path), expected(&[(2, 1), (1, 3), (2, 4)]));
    // what is latched is logged when the window begins, and was published when it was
    assert_eq!(times(&saved.path), [(3, 1), (3, 3), (4, 4)]);
    let range = Some(TimeRange { start: Timestamp(3), end: Timestamp(4) });
    assert_eq!((saved.range, saved.messages, saved.lost), (range, 3, 0));
    assert_eq!(saved.bytes, fs::metadata(&saved.path).unwrap().len());
    assert_eq!((black_box.held().messages, black_box.held().range), (2, range));
    // one of the same second is another file
    let again = black_box.save().unwrap();
    assert_eq!((saved.path == again.path, files(folder.path()).len()), (false, 2));
    drop(black_box);
    assert!(hub.saver().is_none());
    drop(start(&hub, folder.path(), BlackBoxOptions::default()));
}

#[test]
fn what_is_latched_is_saved_alone_at_its_own_time() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, publisher) = hub();
    publish(&publisher, 2, 1);
    let black_box = start(&hub, folder.path(), BlackBoxOptions::default());
    assert_eq!(times(&black_box.save().unwrap().path), [(1, 1)]);
    // where a clock was set back, it is logged with the first message all the same
    publish(&publisher, 1, 0);
    let saved = black_box.save().unwrap();
    assert_eq!(messages(&saved.path), expected(&[(2, 1), (1, 0)]));
    assert_eq!(times(&saved.path), [(0, 1), (0, 0)]);
}

#[test]
fn what_is_latched_is_logged_before_newer_messages_of_its_topic() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, publisher) = hub();
    publish(&publisher, 2, 5);
    let black_box = start(&hub, folder.path(), BlackBoxOptions::default());
    publish(&publisher, 1, 9);
    publish(&publisher, 2, 8);
    assert_eq!(times(&black_box.save().unwrap().path), [(8, 5), (9, 9), (8, 8)]);
}

#[test]
fn when_nothing_comes_any_more_what_is_kept_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, publisher) = hub();
    let window = Some(Duration::from_millis(100));
    let black_box = start(&hub, folder.path(), BlackBoxOptions { window, ..BlackBoxOptions::default() });
    publish(&publisher, 1, 1);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(messages(&black_box.save().unwrap().path), expected(&[(1, 1)]));
    assert_eq!(black_box.held().messages, 1);
    publish(&publisher, 1, 2);
    assert_eq!(messages(&black_box.save().unwrap().path), expected(&[(1, 2)]), "the window goes on");
}

#[test]
fn what_follows_is_saved_with_it_and_the_end_completes_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, publisher) = hub();
    let black_box =
        |after| start(&hub, folder.path(), BlackBoxOptions { after, ..BlackBoxOptions::default() });
    let save = |saver: &Arc<dyn Save>| {
        let (sender, saved) = mpsc::channel();
        saver.save(Responder::new(move |saved: Result<_, NoAnswer>| sender.send(saved.unwrap()).unwrap()));
        saved
    };
    let one = black_box(Duration::from_secs(2));
    let saver = hub.saver().unwrap();
    publish(&publisher, 1, 1);
    let saved = save(&saver);
    publish(&publisher, 1, 2);
    std::thread::sleep(Duration::from_millis(200));
    publish(&publisher, 1, 3);
    // one that begins meanwhile
    let second = save(&saver);
    assert!(saved.try_recv().is_err() && one.held().saving == 2);
    let saved: Saved = saved.recv().unwrap().unwrap();
    assert_eq!(messages(&saved.path), expected(&[(1, 1), (1, 2), (1, 3)]));
    publish(&publisher, 1, 4);
    let second = second.recv().unwrap().unwrap();
    assert_eq!(messages(&second.path), expected(&[(1, 1), (1, 2), (1, 3), (1, 4)]));
    drop(one);

    let hour = black_box(Duration::from_secs(3600));
    let saver = hub.saver().unwrap();
    publish(&publisher, 1, 5);
    let saved = save(&saver);
    publish(&publisher, 1, 6);
    drop(hour);
    assert_eq!(messages(&saved.recv().unwrap().unwrap().path), expected(&[(1, 5), (1, 6)]));
    assert!(save(&saver).recv().unwrap().unwrap_err() == NotSaved::Ends);
    assert!(
        files(folder.path()).iter().all(|name| name.starts_with("robot-") && name.ends_with("Z.mcap")
            || name.ends_with("-2.mcap")
            || name.ends_with("-3.mcap")),
        "{:?}",
        files(folder.path())
    );
}

#[test]
fn files_at_the_same_time_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, publisher) = hub();
    let after = Duration::from_secs(3600);
    let black_box = start(&hub, folder.path(), BlackBoxOptions { after, ..BlackBoxOptions::default() });
    publish(&publisher, 1, 1);
    let saver = hub.saver().unwrap();
    let (sender, answers) = mpsc::channel();
    for _ in 0..=SAVES {
        let sender = sender.clone();
        saver.save(Responder::new(move |saved: Result<_, NoAnswer>| sender.send(saved.unwrap()).unwrap()));
    }
    let refused = answers.recv().unwrap().unwrap_err();
    assert_eq!(refused, NotSaved::Busy(4));
    assert_eq!(black_box.held().saving, SAVES);
    drop(black_box);
    for saved in answers.iter().take(SAVES) {
        assert_eq!(messages(&saved.unwrap().path), expected(&[(1, 1)]));
    }
    assert_eq!(files(folder.path()).len(), SAVES);
}

#[test]
fn what_a_player_plays_is_kept_if_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for (keep, kept) in [(Keep::Live, vec![(1, 7)]), (Keep::All, vec![(1, 6), (1, 7)])] {
        let (hub, publisher) = hub();
        let black_box = start(&hub, folder.path(), BlackBoxOptions { keep, ..BlackBoxOptions::default() });
        let mut played = Batch::default();
        played.push_copy(&Entry::at(ChannelId(1), Timestamp(6)), b"6");
        publisher.publish(&Arc::new(played), 0..1, hub.on_slow_client(), Instant::now());
        publish(&publisher, 1, 7);
        assert_eq!(messages(&black_box.save().unwrap().path), expected(&kept));
        // nothing more is published to taps, and what is there can be saved
        hub.end_taps();
        publish(&publisher, 1, 8);
        assert_eq!(messages(&black_box.save().unwrap().path), expected(&kept));
    }
}

#[test]
fn a_folder_without_room_for_files_is_an_error_at_the_start_and_when_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, publisher) = hub();
    let missing = folder.path().join("missing");
    let error =
        BlackBox::start(&hub, BlackBoxOptions { folder: missing.clone(), ..BlackBoxOptions::default() });
    let error = error.err().unwrap().to_string();
    assert!(error.contains("missing: no file can be made there"), "{error}");
    fs::create_dir(&missing).unwrap();
    let black_box = start(&hub, &missing, BlackBoxOptions::default());
    publish(&publisher, 1, 1);
    assert_eq!(files(&missing).len(), 0, "the probe stays");
    fs::remove_dir(&missing).unwrap();
    let error = black_box.save().unwrap_err().to_string();
    assert!(error.contains("can't be created"), "{error}");
    fs::create_dir(&missing).unwrap();
    assert_eq!(messages(&black_box.save().unwrap().path), expected(&[(1, 1)]));
    let second = BlackBox::start(&hub, BlackBoxOptions { folder: missing, ..BlackBoxOptions::default() });
    assert!(matches!(second.err(), Some(BlackBoxError::AlreadyProvided(_))));
}

#[test]
fn names_of_files_lead_nowhere_else() {
    for (name, plain) in [
        ("recording.mcap", "recording"),
        ("stdin, tcp://127.0.0.1:9000", "stdin_tcp_127.0.0.1_9000"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("-rf", "rf"),
        ("Übersicht", "bersicht"),
        ("", "saved"),
    ] {
        assert_eq!(file_name(name), plain);
    }
    assert_eq!(file_name(&"a".repeat(1000)).len(), LONGEST_NAME);
}
