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
use super::{AtEnd, PlaybackOptions, Rate, StartOn};
use crate::hub::stats::{Activity, Snapshot};
use crate::hub::{ClientId, Hub, SlowClient};
use crate::model::{Batch, ChannelId};
use crate::protocol::Status;
use crate::source::reader::{Reader, ReaderEvent};
use crate::time::{TimeRange, Timestamp};

/// Batches asked of the reader ahead of need.
const CREDITS: usize = 3;

/// At the highest speed, bytes published that the slowest client has not taken: enough to keep all of them busy. What
/// is ahead of that client is in memory once, however many there are.
const LEAD: usize = 4 << 20;

/// Messages closer than this are published together: one wake-up serves many.
const MIN_INTERVAL: Duration = Duration::from_micros(500);

/// Lateness that is made up for; beyond it the clock is set back.
const MAX_LAG: Duration = Duration::from_millis(100);

/// Viewers subscribe topic by topic: after the first subscription playback waits this long for the others.
const SUBSCRIBE_GRACE: Duration = Duration::from_millis(50);

/// Clients without messages are told the time this often.
const TICK: Duration = Duration::from_millis(100);

/// A lap takes at least this long, however short the recording: viewers rebuild their panels with each.
const MIN_LAP: Duration = Duration::from_millis(100);

/// How long the end of a lap waits for slow clients that are not waited for otherwise.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// A wait for clients, or for the next message, that is longer than this is logged.
const LONG_WAIT: Duration = Duration::from_secs(10);

pub(super) struct Worker {
    pub(super) inbox: Receiver<Event>,
    pub(super) reader: Reader,
    pub(super) hub: Hub,
    pub(super) options: PlaybackOptions,
    pub(super) range: TimeRange,
    pub(super) is_empty: bool,
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
    pub(super) ready: VecDeque<Arc<Batch>>,
    /// How many of them, from the front, have had their channels announced.
    pub(super) announced: usize,
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
    pub(super) drain_since: Option<Instant>,
    pub(super) long_wait_told: bool,
    pub(super) finished: bool,
}

impl Worker {
    pub(super) fn run(mut self, on_finished: impl FnOnce()) {
        let mut on_finished = Some(on_finished);
        self.ask_ahead();
        loop {
            let deadline = self.advance(Instant::now());
            self.tell_snapshot(Instant::now());
            if self.finished
                && let Some(on_finished) = on_finished.take()
            {
                on_finished();
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
                self.ready.push_back(batch);
                self.announce(now);
            }
            ReaderEvent::End { epoch } if epoch == self.epoch => {
                self.asked = self.asked.saturating_sub(1);
                self.read_all = true;
            }
            ReaderEvent::Failed { epoch, error } if epoch == self.epoch => {
                self.asked = self.asked.saturating_sub(1);
                tracing::error!("{error}; the rest is played");
                let text = "a damaged part of the recording is left out; the server's log says where";
                self.hub.notice(&Status::warning(text.to_owned()));
                self.ask_ahead();
            }
            ReaderEvent::State { epoch, token, batch } if epoch == self.epoch => {
                self.hub.publish_state(batch, token.map(ClientId::from_token), now);
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
        for batch in &self.ready {
            if let Some(entry) = batch.entries.get(cursor) {
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
        snapshot.range = (!self.is_empty).then_some(self.range);
        snapshot.speed = match self.clock.rate() {
            Rate::Times(rate) => rate,
            Rate::Max => f64::INFINITY,
        };
        snapshot.looping = self.looping;
    }

    /// Publishes what is due. Returns when to come again; None: on the next event.
    fn advance(&mut self, now: Instant) -> Option<Instant> {
        match self.activity {
            Activity::Waiting => {
                if self.options.start_on == StartOn::Launch {
                    self.start_at.get_or_insert(now);
                }
                if self.start_at? > now {
                    return self.start_at;
                }
                self.begin(now);
                self.advance(now)
            }
            Activity::Playing if self.seeking => None,
            Activity::Playing => self.advance_playing(now),
            Activity::Paused => {
                self.advance_paused(now);
                None
            }
            Activity::Ended => None,
        }
    }

    fn advance_paused(&mut self, now: Instant) {
        while !self.seeking && (self.step || self.show_position) {
            let Some(time) = self.next_in_first_batch(now) else {
                self.step &= !self.read_all;
                return;
            };
            if self.step {
                self.step = false;
                self.clock.seek(time, now);
                self.publish(self.cursor + 1, now);
                self.hub.playback_changed(self.state(now, None));
            } else if time <= self.clock.position(now) {
                self.publish(self.cursor + 1, now);
            } else {
                self.show_position = false;
            }
        }
    }

    fn advance_playing(&mut self, now: Instant) -> Option<Instant> {
        loop {
            let Some(time) = self.next_in_first_batch(now) else {
                if self.read_all && self.ready.is_empty() {
                    return self.end_of_data(now);
                }
                return self.drain_deadline();
            };
            let due = match self.clock.due(time) {
                Some(due) if due <= now => due,
                later => return Some(self.wait_for(time, later, now)),
            };
            self.long_wait_told = false;
            let lead = if self.clock.rate() == Rate::Max { LEAD } else { usize::MAX };
            if self.policy() == SlowClient::Wait && !self.hub.has_room(lead) {
                let since = self.blocked_since.get_or_insert(now);
                if now - *since >= LONG_WAIT {
                    tracing::info!("playback waits for a client that does not read");
                    *since = now;
                }
                return Some(*since + LONG_WAIT);
            }
            self.blocked_since = None;
            if now - due > MAX_LAG && self.clock.rate() != Rate::Max {
                self.clock.seek(time, now);
            }
            let entries = &self.ready.front()?.entries;
            let upto = if self.clock.rate() == Rate::Max {
                entries.len()
            } else {
                let position = self.clock.position(now);
                let due = entries[self.cursor..].partition_point(|entry| entry.log_time <= position);
                self.cursor + due.max(1)
            };
            self.publish(upto, now);
            self.last_publish = Some(now);
        }
    }

    /// When to come again if the next message is not due yet.
    fn wait_for(&mut self, time: Timestamp, due: Option<Instant>, now: Instant) -> Instant {
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            self.hub.tick(self.position(now));
        }
        let wait = due.map(|due| due - now);
        if !self.long_wait_told && wait.is_none_or(|wait| wait > LONG_WAIT) {
            self.long_wait_told = true;
            let wait =
                wait.map_or_else(|| "for ever".to_owned(), |wait| format!("{:.0} s", wait.as_secs_f64()));
            tracing::info!(
                "the next message is at {time}: at this speed that takes {wait}; seek to skip the pause"
            );
        }
        let earliest = self.last_publish.map_or(now, |last| last + MIN_INTERVAL);
        due.map_or(self.next_tick, |due| due.max(earliest).min(self.next_tick.max(now)))
    }

    /// Ends, or begins the next lap, once clients have been handed all that was published: what is announced then
    /// does not overtake the last messages.
    fn end_of_data(&mut self, now: Instant) -> Option<Instant> {
        if !self.is_drained(now) {
            return self.drain_deadline();
        }
        if self.looping && !self.is_empty {
            let earliest = self.lap_started + MIN_LAP;
            if now < earliest {
                return Some(earliest);
            }
            self.seek(self.range.start, true, None, now);
            return None;
        }
        let end = self.range.end;
        self.clock.pause(now);
        self.clock.seek(end, now);
        self.activity = Activity::Ended;
        self.hub.tick(end);
        self.hub.playback_changed(self.state(now, None));
        self.finished = self.options.at_end == AtEnd::Exit;
        None
    }

    /// Announces the channels of what has been read. Those that take the place of others wait until all that was
    /// published before has been handed out.
    fn announce(&mut self, now: Instant) {
        while let Some(batch) = self.ready.get(self.announced).cloned() {
            if !batch.retired.is_empty() {
                if self.announced > 0 || !self.is_drained(now) {
                    return;
                }
                self.drain_since = None;
                self.hub.retire(&batch.retired);
            }
            self.hub.advertise(&batch.announcements);
            self.announced += 1;
        }
    }

    /// Whether clients have been handed all that was published, or slow ones have been waited for long enough.
    fn is_drained(&mut self, now: Instant) -> bool {
        let since = *self.drain_since.get_or_insert(now);
        self.hub.is_drained() || (self.policy() == SlowClient::Drop && now >= since + DRAIN_LIMIT)
    }

    /// When slow clients will have been waited for long enough; None if they are not waited for, or without end.
    fn drain_deadline(&self) -> Option<Instant> {
        let since = self.drain_since.filter(|_| self.policy() == SlowClient::Drop);
        since.map(|since| since + DRAIN_LIMIT)
    }

    /// The time of the next message of the first batch that has one; batches that are done with are dropped.
    fn next_in_first_batch(&mut self, now: Instant) -> Option<Timestamp> {
        self.announce(now);
        while self.announced > 0 {
            let entry = self.ready.front().and_then(|batch| batch.entries.get(self.cursor));
            if let Some(entry) = entry {
                return Some(entry.log_time);
            }
            self.ready.pop_front();
            self.announced -= 1;
            self.cursor = 0;
            self.announce(now);
            self.ask_ahead();
        }
        self.ask_ahead();
        None
    }

    /// Publishes the first batch up to a message.
    fn publish(&mut self, upto: usize, now: Instant) {
        let Some(batch) = self.ready.front() else { return };
        let upto = upto.min(batch.entries.len());
        self.hub.publish(batch, self.cursor..upto, self.policy(), now);
        if let Some(last) = batch.entries[self.cursor..upto].last() {
            self.clock.pull(last.log_time);
        }
        self.cursor = upto;
    }

    fn policy(&self) -> SlowClient {
        match self.clock.rate() {
            Rate::Max => SlowClient::Wait,
            Rate::Times(_) => self.hub.on_slow_client(),
        }
    }
}
