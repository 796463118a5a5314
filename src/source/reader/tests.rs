use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::*;
use crate::source::{Recording, RecordingInfo, Stream};

/// Yields what a test has prepared, and then its end; after a seek one batch.
struct Prepared {
    info: RecordingInfo,
    next: VecDeque<Result<(), SourceError>>,
}

impl Recording for Prepared {
    fn info(&self) -> &RecordingInfo {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        self.next.pop_front().map(|next| next.map(|()| Batch::default())).transpose()
    }

    fn seek(&mut self, _to: Timestamp) {
        self.next = VecDeque::from([Ok(())]);
    }

    fn backfill(&mut self, _before: Timestamp, _channels: &[ChannelId]) -> Result<Batch, SourceError> {
        Ok(Batch::default())
    }

    fn latch(&mut self, _channels: &[ChannelId]) {}
}

fn read(source: Playable) -> (Reader, Receiver<ReaderEvent>) {
    let (sender, events) = channel();
    let sink = move |event| {
        sender.send(event).ok();
    };
    (Reader::spawn(source, sink).unwrap(), events)
}

fn prepared(next: impl IntoIterator<Item = Result<(), SourceError>>) -> Playable {
    let next = next.into_iter().collect();
    Playable::Recording(Box::new(Prepared { info: RecordingInfo::default(), next }))
}

#[test]
fn each_credit_is_answered_once_and_those_of_before_a_seek_are_void() {
    let damaged = || SourceError::Damaged { name: "a".into(), offset: 1, reason: "torn".into() };
    let (reader, events) = read(prepared([Err(damaged()), Ok(())]));
    for _ in 0..3 {
        reader.next(0);
    }
    assert!(matches!(events.recv().unwrap(), ReaderEvent::Failed { epoch: 0, .. }));
    assert!(matches!(events.recv().unwrap(), ReaderEvent::Batch { epoch: 0, .. }));
    assert!(matches!(events.recv().unwrap(), ReaderEvent::End { epoch: 0 }));
    reader.seek(Timestamp(5), 1, Vec::new());
    reader.next(0);
    reader.next(1);
    assert!(matches!(events.recv().unwrap(), ReaderEvent::State { epoch: 1, token: None, .. }));
    assert!(matches!(events.recv().unwrap(), ReaderEvent::Batch { epoch: 1, .. }));
    assert!(events.recv_timeout(Duration::from_millis(20)).is_err(), "more answers than credits");
}

#[test]
fn dropping_it_ends_a_stream_whatever_it_waits_for() {
    struct Waiting(Stop);
    impl Stream for Waiting {
        fn name(&self) -> &str {
            "waiting"
        }

        fn next(&mut self) -> Result<Option<Batch>, SourceError> {
            self.0.wait(Duration::from_secs(3600));
            Ok(None)
        }

        fn stop(&self) -> &Stop {
            &self.0
        }
    }
    let stop = Stop::new().unwrap();
    let (reader, events) = read(Playable::Stream(Box::new(Waiting(stop.clone()))));
    reader.next(0);
    std::thread::sleep(Duration::from_millis(20));
    drop(reader);
    assert!(stop.is_stopped());
    // the thread has ended, and its sink with it
    assert!(events.iter().count() <= 1);
}
