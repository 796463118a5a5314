//! Plays a source: publishes each message when it is due.
//!
//! One thread with one inbox: requests, what the reader has read, and queues that have become emptier arrive there,
//! and the wait for them ends when the next message is due. (A thread, since the timers of the async runtime tick in
//! milliseconds.) Where it can't keep up — clients that must be waited for, a slow disk — the clock is slowed, so
//! that messages keep their distances.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::{AtEnd, PlaybackOptions, Rate, StartOn};
use crate::hub::playback::PlaybackProvider;
use crate::hub::stats::{Activity, Snapshot};
use crate::hub::{ClientId, Hub, SlowClient};
use crate::model::{Batch, ChannelId};
use crate::protocol::{PlaybackCommand, PlaybackControlRequest, PlaybackState, PlaybackStatus, Status};
use crate::source::Source;
use crate::source::reader::{Reader, ReaderEvent};
use crate::time::{TimeRange, Timestamp};

/// Batches asked of the reader ahead of need.
const CREDITS: usize = 3;

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

/// What can be asked of a player from within the program; clients ask by [`PlaybackControlRequest`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Request {
    /// Play if it stands still, else pause. At the end: play again from the start.
    Toggle,
    /// Pause, and publish one message.
    Step,
    /// Seek by this many nanoseconds.
    SeekBy(i64),
    /// Multiply the speed.
    SpeedBy(f64),
    /// Start again at the end, or not.
    ToggleLoop,
}

enum Event {
    Request(Request),
    Control(PlaybackControlRequest),
    Reader(ReaderEvent),
    Subscribed(ClientId, Vec<ChannelId>),
    Room,
    Stop,
}

/// Asks things of a player; clones share it.
#[derive(Clone)]
pub struct PlayerHandle {
    inbox: Sender<Event>,
    snapshot: Arc<Mutex<Snapshot>>,
}

impl PlayerHandle {
    /// Asks for something; does nothing once the player has stopped.
    pub fn request(&self, request: Request) {
        self.send(Event::Request(request));
    }

    /// What playback is doing; its figures on clients are filled in by the hub.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn send(&self, event: Event) {
        // a player that has stopped needs nothing any more
        self.inbox.send(event).ok();
    }
}

impl PlaybackProvider for PlayerHandle {
    fn control(&self, request: PlaybackControlRequest) {
        self.send(Event::Control(request));
    }

    fn subscribed(&self, client: ClientId, without_state: Vec<ChannelId>) {
        self.send(Event::Subscribed(client, without_state));
    }

    fn room(&self) {
        self.send(Event::Room);
    }
}

/// A playback on its own thread; stops when dropped.
pub struct Player {
    handle: PlayerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Player {
    /// Offers the source's channels in the hub and starts to play as the options say.
    ///
    /// `has_past`: the recording begins before what is played, so the start has a state to send. `on_finished` is
    /// called after the last message if [`AtEnd::Exit`] is set.
    pub fn start(
        source: Box<dyn Source>,
        hub: Hub,
        options: PlaybackOptions,
        has_past: bool,
        on_finished: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Self> {
        let info = source.info().clone();
        hub.advertise(&info.channels);
        for warning in &info.warnings {
            hub.notice(&Status::warning(warning.clone()));
        }
        let (sender, inbox) = channel();
        let handle = PlayerHandle { inbox: sender.clone(), snapshot: Arc::default() };
        hub.set_provider(Box::new(handle.clone()), info.range);
        let reader = Reader::spawn(source, move |event| {
            sender.send(Event::Reader(event)).ok();
        })?;
        let range = info.range.unwrap_or(TimeRange { start: Timestamp::MIN, end: Timestamp::MIN });
        let now = Instant::now();
        let worker = Worker {
            inbox,
            reader,
            hub,
            options,
            range,
            is_empty: info.range.is_none(),
            has_past,
            snapshot: handle.snapshot.clone(),
            clock: Clock::new(range.start, options.rate),
            activity: if options.start_paused { Activity::Paused } else { Activity::Waiting },
            // nobody can subscribe to nothing
            start_at: info.channels.is_empty().then_some(now),
            looping: options.looping,
            epoch: 0,
            asked: 0,
            ready: VecDeque::new(),
            cursor: 0,
            read_all: false,
            seeking: false,
            show_position: false,
            step: false,
            lap_started: now,
            last_publish: None,
            next_tick: now,
            blocked_since: None,
            drain_since: None,
            long_wait_told: false,
            finished: false,
        };
        if !worker.is_empty {
            // clients that join before time starts are told that it stands
            worker.hub.playback_changed(worker.state(now, None));
        }
        let thread =
            std::thread::Builder::new().name("player".into()).spawn(move || worker.run(on_finished))?;
        Ok(Self { handle, thread: Some(thread) })
    }

    /// A handle to this player.
    pub fn handle(&self) -> PlayerHandle {
        self.handle.clone()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.handle.send(Event::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the player's thread panicked");
        }
    }
}

struct Worker {
    inbox: Receiver<Event>,
    reader: Reader,
    hub: Hub,
    options: PlaybackOptions,
    range: TimeRange,
    is_empty: bool,
    /// There may be a state to send before the first message.
    has_past: bool,
    snapshot: Arc<Mutex<Snapshot>>,
    clock: Clock,
    activity: Activity,
    looping: bool,
    /// Counts seeks.
    epoch: u64,
    /// Batches asked for and not yet received.
    asked: usize,
    ready: VecDeque<Arc<Batch>>,
    /// Next message of the first batch in `ready`.
    cursor: usize,
    read_all: bool,
    /// The state before a seek's target has not been read yet: time stands still.
    seeking: bool,
    start_at: Option<Instant>,
    /// After a seek while paused: messages of exactly the position are shown.
    show_position: bool,
    step: bool,
    lap_started: Instant,
    last_publish: Option<Instant>,
    next_tick: Instant,
    blocked_since: Option<Instant>,
    drain_since: Option<Instant>,
    long_wait_told: bool,
    finished: bool,
}

impl Worker {
    fn run(mut self, on_finished: impl FnOnce()) {
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
                self.hub.advertise(&batch.announcements);
                self.ready.push_back(batch);
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

    fn on_request(&mut self, request: Request, now: Instant) {
        match request {
            Request::Toggle if self.activity == Activity::Ended => {
                self.activity = Activity::Playing;
                self.seek(self.range.start, true, None, now);
                return;
            }
            Request::Toggle if self.activity == Activity::Playing => self.pause(now),
            Request::Toggle => self.play(now),
            Request::Step => {
                if self.activity != Activity::Ended {
                    self.pause(now);
                    self.step = true;
                }
            }
            Request::SeekBy(nanos) => {
                let position = self.position(now).0;
                let target = Timestamp(position.saturating_add_signed(nanos));
                if self.activity == Activity::Ended {
                    self.activity = Activity::Playing;
                }
                self.seek(target, false, None, now);
                return;
            }
            Request::SpeedBy(factor) => {
                let rate = match self.clock.rate() {
                    Rate::Times(rate) => (rate * factor).clamp(*Rate::RANGE.start(), *Rate::RANGE.end()),
                    Rate::Max if factor < 1.0 => 1.0,
                    Rate::Max => return,
                };
                self.clock.set_rate(Rate::Times(rate), now);
            }
            Request::ToggleLoop => {
                self.looping = !self.looping;
                return;
            }
        }
        self.hub.playback_changed(self.state(now, None));
    }

    fn on_control(&mut self, request: &PlaybackControlRequest, now: Instant) {
        let speed = f64::from(request.speed);
        // the speed that stands for `max` in a playback state comes back in every request of a viewer
        let same_max = self.clock.rate() == Rate::Max && speed >= *Rate::RANGE.end();
        if !same_max {
            let speed = speed.clamp(*Rate::RANGE.start(), *Rate::RANGE.end());
            self.clock.set_rate(Rate::Times(speed), now);
        }
        let ended = self.activity == Activity::Ended && request.seek.is_none();
        match request.command {
            _ if ended => {}
            PlaybackCommand::Play if request.seek.is_some() => self.activity = Activity::Playing,
            PlaybackCommand::Pause if request.seek.is_some() => self.activity = Activity::Paused,
            PlaybackCommand::Play => self.play(now),
            PlaybackCommand::Pause => self.pause(now),
        }
        match request.seek {
            Some(to) => self.seek(to, false, Some(&request.request_id), now),
            None => self.hub.playback_changed(self.state(now, Some(&request.request_id))),
        }
    }

    fn play(&mut self, now: Instant) {
        match self.activity {
            Activity::Waiting => self.begin(now),
            Activity::Paused => {
                self.activity = Activity::Playing;
                self.show_position = false;
                if !self.seeking {
                    self.clock.play(now);
                }
            }
            Activity::Playing | Activity::Ended => {}
        }
    }

    fn pause(&mut self, now: Instant) {
        if matches!(self.activity, Activity::Waiting | Activity::Playing) {
            // what is reported and told to newcomers is never ahead of what has been published
            let position = self.position(now);
            self.clock.pause(now);
            self.clock.seek(position, now);
            self.activity = Activity::Paused;
            self.start_at = None;
            self.hub.tick(position);
        }
    }

    /// Time starts for the first time.
    fn begin(&mut self, now: Instant) {
        self.activity = Activity::Playing;
        self.start_at = None;
        self.lap_started = now;
        if self.has_past {
            self.reposition(self.position(now));
        } else {
            self.clock.play(now);
        }
        self.hub.playback_changed(self.state(now, None));
    }

    /// Makes the reader continue elsewhere; time stands still until it has.
    fn reposition(&mut self, to: Timestamp) {
        self.epoch += 1;
        self.asked = 0;
        self.ready.clear();
        self.cursor = 0;
        self.read_all = false;
        self.seeking = true;
        self.step = false;
        self.drain_since = None;
        self.blocked_since = None;
        self.long_wait_told = false;
        self.reader.seek(to, self.epoch, self.hub.wanted_channels());
        self.ask_ahead();
    }

    /// Jumps. `lap`: to the start, however short the way back.
    fn seek(&mut self, to: Timestamp, lap: bool, request_id: Option<&str>, now: Instant) {
        let to = self.range.clamp(to);
        let back = lap || to < self.position(now);
        // the state at the target is read again for those who have subscribed by then
        self.has_past |= self.activity == Activity::Waiting;
        self.reposition(to);
        self.clock.pause(now);
        self.clock.seek(to, now);
        self.lap_started = now;
        self.show_position = true;
        let state = PlaybackState { did_seek: true, ..self.state(now, request_id) };
        self.hub.jump(state, back);
    }

    fn state(&self, now: Instant, request_id: Option<&str>) -> PlaybackState {
        let status = match self.activity {
            Activity::Playing => PlaybackStatus::Playing,
            Activity::Waiting | Activity::Paused => PlaybackStatus::Paused,
            Activity::Ended => PlaybackStatus::Ended,
        };
        let speed = match self.clock.rate() {
            Rate::Times(rate) => rate,
            Rate::Max => *Rate::RANGE.end(),
        };
        PlaybackState {
            status,
            current_time: self.position(now),
            speed: single_precision(speed),
            did_seek: false,
            request_id: request_id.filter(|id| !id.is_empty()).map(str::to_owned),
        }
    }

    /// Where playback is: never beyond a message that is still to be published, nor outside of the range.
    fn position(&self, now: Instant) -> Timestamp {
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

    fn ask_ahead(&mut self) {
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
            Activity::Ended => self.advance_ended(now),
        }
    }

    fn advance_paused(&mut self, now: Instant) {
        while !self.seeking && (self.step || self.show_position) {
            let Some(time) = self.next_in_first_batch() else {
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
            let Some(time) = self.next_in_first_batch() else {
                if self.read_all {
                    return self.end_of_data(now);
                }
                return None;
            };
            let due = match self.clock.due(time) {
                Some(due) if due <= now => due,
                later => return Some(self.wait_for(time, later, now)),
            };
            self.long_wait_told = false;
            if self.policy() == SlowClient::Wait && !self.hub.has_room() {
                let since = *self.blocked_since.get_or_insert(now);
                if now - since >= LONG_WAIT {
                    tracing::info!("playback waits for a client that does not read");
                    self.blocked_since = Some(now);
                }
                return Some(self.blocked_since.unwrap_or(since) + LONG_WAIT);
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

    fn end_of_data(&mut self, now: Instant) -> Option<Instant> {
        if !self.looping || self.is_empty {
            let end = self.range.end;
            self.clock.pause(now);
            self.clock.seek(end, now);
            self.activity = Activity::Ended;
            self.drain_since = None;
            self.hub.tick(end);
            self.hub.playback_changed(self.state(now, None));
            return self.advance_ended(now);
        }
        let since = *self.drain_since.get_or_insert(now);
        let limit = (self.policy() == SlowClient::Drop).then(|| since + DRAIN_LIMIT);
        let drained = self.hub.is_drained() || limit.is_some_and(|limit| now >= limit);
        let earliest = self.lap_started + MIN_LAP;
        if drained && now >= earliest {
            self.seek(self.range.start, true, None, now);
            return None;
        }
        if drained { Some(earliest) } else { limit }
    }

    fn advance_ended(&mut self, now: Instant) -> Option<Instant> {
        if self.options.at_end != AtEnd::Exit || self.finished {
            return None;
        }
        let since = *self.drain_since.get_or_insert(now);
        let limit = (self.policy() == SlowClient::Drop).then(|| since + DRAIN_LIMIT);
        if self.hub.is_drained() || limit.is_some_and(|limit| now >= limit) {
            self.finished = true;
            return None;
        }
        limit
    }

    /// The time of the next message of the first batch that has one; batches that are done with are dropped.
    fn next_in_first_batch(&mut self) -> Option<Timestamp> {
        while let Some(batch) = self.ready.front() {
            if let Some(entry) = batch.entries.get(self.cursor) {
                return Some(entry.log_time);
            }
            self.ready.pop_front();
            self.cursor = 0;
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

/// A speed as the wire has it.
#[allow(clippy::cast_possible_truncation, reason = "speeds are far within single precision")]
fn single_precision(speed: f64) -> f32 {
    speed as f32
}
