//! Plays a source: publishes each message when it is due.
//!
//! One thread with one inbox: requests, what the reader has read, and queues that have become emptier arrive there,
//! and the wait for them ends when the next message is due. (A thread, since the timers of the async runtime tick in
//! milliseconds.) Where it can't keep up — clients that must be waited for, a slow disk — the clock is slowed, so
//! that messages keep their distances.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::inbox::Event;
use super::{PlaybackOptions, Rate, StartOn};
use crate::hub::restart::RestartWatch;
use crate::hub::stats::{Activity, Snapshot};
use crate::hub::{ClientId, Hub, Publisher};
use crate::model::{Batch, ChannelId};
use crate::protocol::Status;
use crate::source::reader::{Reader, ReaderEvent};
use crate::source::{ErrorKind, SourceError};
use crate::time::{TimeRange, Timestamp};

/// Batches asked of the reader ahead of need.
const CREDITS: usize = 3;

/// Viewers subscribe topic by topic: after the first subscription playback waits this long for the others, and after
/// new channels of a stream for subscriptions to them.
pub(super) const SUBSCRIBE_GRACE: Duration = Duration::from_millis(50);

/// What has been read and is to be published.
pub(super) struct Ready {
    pub(super) batch: Arc<Batch>,
    /// When its channels were announced; before that none of it is published.
    pub(super) announced: Option<Instant>,
}

pub(super) struct Worker {
    pub(super) inbox: Receiver<Event>,
    pub(super) reader: Reader,
    pub(super) hub: Hub,
    pub(super) publisher: Publisher,
    pub(super) options: PlaybackOptions,
    pub(super) range: TimeRange,
    pub(super) is_empty: bool,
    /// None for a recording. A stream can't be sought; its range is what has been published so far.
    pub(super) stream: Option<RestartWatch>,
    /// There may be a state to send before the first message.
    pub(super) has_past: bool,
    pub(super) snapshot: Arc<Mutex<Snapshot>>,
    pub(super) clock: Clock,
    pub(super) activity: Activity,
    pub(super) looping: bool,
    /// Counts seeks.
    pub(super) epoch: u64,
    /// Batches asked for and not yet received.
    pub(super) asked: usize,
    pub(super) ready: VecDeque<Ready>,
    /// Next message of the first batch in `ready`.
    pub(super) cursor: usize,
    pub(super) read_all: bool,
    /// The state before a seek's target has not been read yet: time stands still.
    pub(super) seeking: bool,
    pub(super) start_at: Option<Instant>,
    /// After a seek while paused: messages of exactly the position are shown.
    pub(super) show_position: bool,
    pub(super) step: bool,
    pub(super) lap_started: Instant,
    pub(super) last_publish: Option<Instant>,
    pub(super) next_tick: Instant,
    pub(super) blocked_since: Option<Instant>,
    pub(super) long_wait_told: bool,
    /// Why a stream ended before its time.
    pub(super) failure: Option<SourceError>,
    /// Everything has been played, and that is to be told.
    pub(super) finished: Option<Result<(), SourceError>>,
}

impl Worker {
    pub(super) fn run(mut self, on_finished: impl FnOnce(Result<(), SourceError>)) {
        let mut on_finished = Some(on_finished);
        self.ask_ahead();
        loop {
            let deadline = self.advance(Instant::now());
            self.tell_snapshot(Instant::now());
            if let Some(outcome) = self.finished.take()
                && let Some(on_finished) = on_finished.take()
            {
                on_finished(outcome);
            }
            let event = match deadline {
                Some(deadline) => {
                    let wait = deadline.saturating_duration_since(Instant::now());
                    self.inbox.recv_timeout(wait)
                }
                None => self.inbox.recv().map_err(|_closed| RecvTimeoutError::Disconnected),
            };
            let mut next = match event {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            while let Some(event) = next {
                if matches!(event, Event::Stop) {
                    return;
                }
                self.on_event(event, Instant::now());
                next = self.inbox.try_recv().ok();
            }
        }
    }

    fn on_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Request(request) => self.on_request(request, now),
            Event::Control(request) => self.on_control(&request, now),
            Event::Reader(event) => self.on_reader(event, now),
            Event::Subscribed(client, without_state) => self.on_subscribed(client, without_state, now),
            Event::Room | Event::Stop => {}
        }
    }

    fn on_reader(&mut self, event: ReaderEvent, now: Instant) {
        match event {
            ReaderEvent::Batch { epoch, batch } if epoch == self.epoch => {
                self.asked = self.asked.saturating_sub(1);
                if let (true, Some(first)) = (self.is_empty, batch.entries.first()) {
                    self.is_empty = false;
                    self.start_anew(first.log_time, now);
                }
                self.ready.push_back(Ready { batch, announced: None });
                self.announce(now);
            }
            ReaderEvent::End { epoch } if epoch == self.epoch => {
                self.asked = self.asked.saturating_sub(1);
                self.read_all = true;
            }
            ReaderEvent::Failed { epoch, error } if epoch == self.epoch => {
                self.asked = self.asked.saturating_sub(1);
                if self.stream.is_some() && error.kind() == ErrorKind::Fatal {
                    self.read_all = true;
                    self.failure = Some(error);
                    return;
                }
                tracing::error!("{error}; the rest is played");
                let text = "a damaged part of the recording is left out; the server's log says where";
                self.publisher.notice(&Status::warning(text.to_owned()));
                self.ask_ahead();
            }
            ReaderEvent::State { epoch, token, batch } if epoch == self.epoch => {
                self.publisher.backfill(batch, token.map(ClientId::from_token), now);
                if token.is_none() && self.seeking {
                    self.seeking = false;
                    if self.activity == Activity::Playing {
                        self.clock.play(now);
                    }
                }
            }
            // of before a seek
            _ => {}
        }
    }

    fn on_subscribed(&mut self, client: ClientId, without_state: Vec<ChannelId>, now: Instant) {
        match self.activity {
            Activity::Waiting => {
                let StartOn::Clients(wanted) = self.options.start_on else { return };
                if self.hub.subscribers() >= wanted {
                    // a certain number of clients is waited for in order to start them all at once
                    let grace = if wanted == 1 { SUBSCRIBE_GRACE } else { Duration::ZERO };
                    self.start_at.get_or_insert(now + grace);
                }
            }
            Activity::Paused | Activity::Ended if !self.seeking && !without_state.is_empty() => {
                let before = self.next_message().unwrap_or(if self.read_all {
                    Timestamp::MAX
                } else {
                    self.range.start
                });
                self.reader.backfill(before, self.epoch, without_state, client.token());
            }
            Activity::Playing | Activity::Paused | Activity::Ended => {}
        }
    }

    /// Where playback is: never beyond a message that is still to be published, nor outside of the range.
    pub(super) fn position(&self, now: Instant) -> Timestamp {
        let position = self.clock.position(now);
        let limit = self.next_message().filter(|_| self.clock.is_running()).unwrap_or(Timestamp::MAX);
        self.range.clamp(position.min(limit))
    }

    fn next_message(&self) -> Option<Timestamp> {
        let mut cursor = self.cursor;
        for ready in &self.ready {
            if let Some(entry) = ready.batch.entries.get(cursor) {
                return Some(entry.log_time);
            }
            cursor = 0;
        }
        None
    }

    pub(super) fn ask_ahead(&mut self) {
        while !self.read_all && self.asked + self.ready.len() < CREDITS {
            self.asked += 1;
            self.reader.next(self.epoch);
        }
    }

    fn tell_snapshot(&self, now: Instant) {
        let mut snapshot = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        snapshot.activity = self.activity;
        snapshot.position = (!self.is_empty).then(|| self.position(now));
        // that of a stream is not known before its end
        snapshot.range = (!self.is_empty && self.stream.is_none()).then_some(self.range);
        snapshot.speed = Some(match self.clock.rate() {
            Rate::Times(rate) => rate,
            Rate::Max => f64::INFINITY,
        });
        snapshot.looping = self.looping;
    }
}
