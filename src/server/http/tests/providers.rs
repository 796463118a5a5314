//! What recordings and the black box give, as it is told over HTTP.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::hub::SlowClient;
use crate::hub::capability::recording::{ReadSeek, RecordedFile, Recordings, Timeline, TopicTimeline};
use crate::hub::capability::save::{Held, NotSaved, Save, Saved};
use crate::model::{Batch, ChannelId, Entry};
use crate::registry::ChannelSpec;

/// A recording of two channels; of the second one little is known.
struct Recorded;

impl Recordings for Recorded {
    fn files(&self) -> Vec<RecordedFile> {
        vec![RecordedFile { name: "drive.mcap".into(), size: 1234, modified: None }]
    }

    fn open(&self, _name: &str) -> io::Result<(RecordedFile, Box<dyn ReadSeek>)> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn timeline(&self, _within: TimeRange, bins: usize) -> Result<Timeline, String> {
        assert_eq!(bins, 1);
        let topic = |channel, estimated| TopicTimeline { channel, counts: vec![800.0], estimated };
        let topics = vec![topic(ChannelId(1), false), topic(ChannelId(2), true)];
        Ok(Timeline { topics, ..Timeline::default() })
    }

    fn latest(&self, channel: ChannelId, at: Timestamp) -> Result<Batch, String> {
        let mut batch = Batch::default();
        match channel {
            ChannelId(1) => batch.push_copy(&Entry { sequence: 7, ..Entry::at(channel, at) }, br#"{"x": 1}"#),
            ChannelId(2) => batch.push_copy(&Entry::at(channel, at), b"no JSON"),
            _ => return Err("there is no such channel".into()),
        }
        Ok(batch)
    }
}

#[tokio::test]
async fn a_recording_has_files_counts_and_last_messages() {
    let hub = hub(HubOptions::default());
    hub.provide_recordings(Arc::new(Recorded)).unwrap();
    let channels =
        ["/a", "/b", "/c"].map(|topic| hub.registry().claim(ChannelSpec::json(topic)).unwrap().channel);
    hub.publisher().announce(&channels);
    let port = Port::new(hub, "127.0.0.1", "", Http::Full);
    let json = async |path| {
        let answered = port.send("GET", path, "").await;
        serde_json::from_str::<serde_json::Value>(&answered.body).unwrap()
    };
    assert_eq!(json("/api/status").await["files"], serde_json::json!([{"name": "drive.mcap", "size": 1234}]));
    let topics = json("/api/topics").await;
    assert_eq!([0, 1, 2].map(|index| topics["topics"][index]["count"].as_u64()), [Some(800), None, None]);

    let latest = json("/api/topics/%2Fa/latest").await;
    assert_eq!((&latest["json"]["x"], &latest["sequence"]), (&1.into(), &7.into()));
    assert_eq!(latest["log_time_ns"], "5000000000", "that of the position");
    let broken = json("/api/topics/%2Fb/latest").await;
    assert_eq!(broken["base64"], "bm8gSlNPTg==");
    assert!(!broken["error"].as_str().unwrap().is_empty());
    assert!(port.send("GET", "/metrics", "").await.body.contains("foxglove_bridge_decode_errors_total 1\n"));
    assert_eq!(json("/api/topics/%2Fc/latest").await["error"], "no message yet");

    let raw = port.send("GET", "/api/topics/%2Fb/latest?raw", "").await;
    assert_eq!((raw.body.as_str(), raw.header("content-type")), ("no JSON", "application/octet-stream"));
    assert_eq!(raw.header("x-content-type-options"), "nosniff");
    assert_eq!(raw.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(port.send("GET", "/api/topics/%2Fa/latest?image", "").await.status, 415);
}

/// Saves once, then there is no room, then too many ask.
#[derive(Default)]
struct Kept(AtomicUsize);

impl Save for Kept {
    fn save(&self, answer: Responder<Result<Saved, NotSaved>>) {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => {}
            1 => return answer.respond(Err(NotSaved::Failed("no space left on device".into()))),
            _ => return answer.respond(Err(NotSaved::Busy(4))),
        }
        let range = Some(TimeRange { start: Timestamp(1), end: Timestamp(2) });
        answer.respond(Ok(Saved {
            path: PathBuf::from("/data/run.mcap"),
            range,
            messages: 3,
            bytes: 400,
            lost: 0,
        }));
    }

    fn held(&self) -> Held {
        Held { range: None, messages: 3, bytes: 100, saving: 1 }
    }

    fn files(&self) -> Vec<RecordedFile> {
        vec![RecordedFile { name: "run.mcap".into(), size: 4, modified: None }]
    }

    fn open(&self, name: &str) -> io::Result<(RecordedFile, Box<dyn ReadSeek>)> {
        let file = self.files().into_iter().find(|file| file.name == name).ok_or(io::ErrorKind::NotFound)?;
        Ok((file, Box::new(io::Cursor::new(b"mcap"))))
    }
}

#[tokio::test]
async fn what_is_kept_is_told_and_saved() {
    let hub = hub(HubOptions::default());
    hub.provide_save(Arc::new(Kept::default())).unwrap();
    let port = Port::new(hub, "127.0.0.1", "", Http::Full);
    let status = port.send("GET", "/api/status", "").await.body;
    let kept = r#""kept":{"start_ns":null,"end_ns":null,"messages":3,"bytes":100,"saving":1}"#;
    assert!(status.contains(kept), "{status}");
    let expected = r#"{"path":"/data/run.mcap","url":"/files/run.mcap","start_ns":"1","end_ns":"2","messages":3,"bytes":400,"lost":0}"#;
    assert_eq!(port.send("POST", "/api/save", "{}").await.body, format!("{expected}\n"));
    assert_eq!(port.send("GET", "/files/run.mcap", "").await.body, "mcap");
    assert_eq!(port.send("GET", "/files/other.mcap", "").await.status, 404);
    let failed = port.send("POST", "/api/save", "").await;
    assert_eq!((failed.status, failed.body.as_str()), (500, "{\"error\":\"no space left on device\"}\n"));
    let busy = port.send("POST", "/api/save", "").await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, "5"));
    assert!(busy.body.contains("4 files are being saved already; ask again"), "{}", busy.body);
    assert_eq!(port.send("POST", "/api/save", r#"{"path":"/etc/passwd"}"#).await.status, 400);
}

#[tokio::test]
async fn what_was_saved_is_listed_beside_what_is_played() {
    let hub = hub(HubOptions::default());
    let port = Port::new(hub.clone(), "127.0.0.1", "", Http::Full);
    assert_eq!(port.send("GET", "/files/", "").await.status, 404);
    hub.provide_recordings(Arc::new(Recorded)).unwrap();
    hub.provide_save(Arc::new(Kept::default())).unwrap();
    let listed = port.send("GET", "/files/", "").await.body;
    let [played, saved] =
        ["drive.mcap", "run.mcap"].map(|name| listed.find(&format!(r#""url":"/files/{name}""#)));
    assert!(played.is_some() && played < saved, "{listed}");
    assert_eq!(port.send("GET", "/files/run.mcap", "").await.body, "mcap");
}

/// A recording on a disk that takes its time until it is released, and knows how many look at it at once.
#[derive(Default)]
struct Slow {
    now: AtomicUsize,
    is_released: AtomicBool,
}

impl Slow {
    fn look(&self) {
        self.now.fetch_add(1, Ordering::SeqCst);
        let begin = Instant::now();
        while !self.is_released.load(Ordering::SeqCst) && begin.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Recordings for Slow {
    fn files(&self) -> Vec<RecordedFile> {
        Vec::new()
    }

    fn open(&self, _name: &str) -> io::Result<(RecordedFile, Box<dyn ReadSeek>)> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn timeline(&self, _within: TimeRange, _bins: usize) -> Result<Timeline, String> {
        self.look();
        Ok(Timeline::default())
    }

    fn latest(&self, _channel: ChannelId, _at: Timestamp) -> Result<Batch, String> {
        self.look();
        Ok(Batch::default())
    }
}

#[tokio::test]
async fn who_leaves_while_a_disk_is_read_does_not_make_room_for_others() {
    for (path, most) in [("/api/timeline", 2), ("/api/topics/%2Fa/latest", 4)] {
        let (hub, slow) = (hub(HubOptions::default()), Arc::new(Slow::default()));
        hub.provide_recordings(slow.clone()).unwrap();
        hub.publisher().announce(&[hub.registry().claim(ChannelSpec::json("/a")).unwrap().channel]);
        let port = Port::new(hub, "127.0.0.1", "", Http::Full);
        for _ in 0..20 {
            let asked = port.send("GET", path, "");
            assert!(tokio::time::timeout(Duration::from_millis(10), asked).await.is_err(), "it waits");
        }
        let begin = Instant::now();
        while slow.now.load(Ordering::SeqCst) < most && begin.elapsed() < Duration::from_secs(30) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(slow.now.load(Ordering::SeqCst), most, "{path}");
        slow.is_released.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn more_topics_than_are_watched_at_once_have_their_last_messages() {
    let hub = hub(HubOptions::default());
    let claim = |n: u32| hub.registry().claim(ChannelSpec::json(format!("/{n}"))).unwrap().channel;
    let channels: Vec<_> = (0..200).map(claim).collect();
    let publisher = hub.publisher();
    publisher.announce(&channels);
    let port = Arc::new(Port::new(hub.clone(), "127.0.0.1", "", Http::Full));
    let mut asking = tokio::task::JoinSet::new();
    for n in 0..channels.len() {
        let port = port.clone();
        asking.spawn(async move { port.send("GET", &format!("/api/topics/%2F{n}/latest"), "").await.status });
    }
    let publish = async {
        loop {
            let mut batch = Batch::default();
            channels.iter().for_each(|channel| batch.push_copy(&Entry::at(channel.id, Timestamp(1)), b"{}"));
            publisher.publish(&Arc::new(batch), 0..channels.len(), SlowClient::Drop, Instant::now());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = publish => {}
        answers = asking.join_all() => assert!(answers.iter().all(|status| *status == 200), "{answers:?}"),
    }
}
