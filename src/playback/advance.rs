//! Publishes what is due: the part of a playback's thread that looks at the clock.

use std::time::{Duration, Instant};

use super::worker::{Ready, SUBSCRIBE_GRACE, Worker};
use super::{AtEnd, Rate, StartOn};
use crate::hub::SlowClient;
use crate::hub::stats::Activity;
use crate::time::{TimeRange, Timestamp};

/// At the highest speed, bytes published that the slowest client has not taken: enough to keep all of them busy. What
/// is ahead of that client is in memory once, however many there are.
const LEAD: usize = 2 << 20;

/// Messages closer than this are published together: one wake-up serves many. It costs some 50 µs of CPU, with that of
/// the client's task. Below a millisecond, so that messages still arrive within one of when they are due.
const MIN_INTERVAL: Duration = Duration::from_micros(800);

/// Lateness that is made up for; beyond it the clock is set back.
const MAX_LAG: Duration = Duration::from_millis(100);

/// Clients without messages are told the time this often.
const TICK: Duration = Duration::from_millis(100);

/// A lap takes at least this long, however short the recording: viewers rebuild their panels with each.
const MIN_LAP: Duration = Duration::from_millis(100);

/// A wait for clients, or for the next message, that is longer than this is logged.
const LONG_WAIT: Duration = Duration::from_secs(10);

impl Worker {
    /// Publishes what is due. Returns when to come again; None: on the next event.
    pub(super) fn advance(&mut self, now: Instant) -> Option<Instant> {
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
                self.publisher.playback_changed(self.state(now, None));
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
                return None;
            };
            if let Some(upto) = self.subscribable_until().filter(|upto| now < *upto) {
                return Some(upto);
            }
            if self.begins_anew(now) {
                tracing::info!("time went back from {} to {time}: viewers start anew", self.range.end);
                self.start_anew(time, now);
                self.stream.iter_mut().for_each(|watch| watch.restart(now));
                self.publisher.restart(time, self.policy(), now);
            }
            let due = match self.clock.due(time) {
                Some(due) if due <= now => due,
                later => return Some(self.wait_for(time, later, now)),
            };
            self.long_wait_told = false;
            let lead = if self.clock.rate() == Rate::Max { LEAD } else { usize::MAX };
            if self.policy() == SlowClient::Wait && !self.publisher.has_room(lead) {
                let since = self.blocked_since.get_or_insert(now);
                if now - *since >= LONG_WAIT {
                    tracing::info!(
                        "playback waits for a client that does not read, or for the disk it is recorded to"
                    );
                    *since = now;
                }
                return Some(*since + LONG_WAIT);
            }
            self.blocked_since = None;
            if now - due > MAX_LAG && self.clock.rate() != Rate::Max {
                self.clock.seek(time, now);
            }
            let entries = &self.ready.front()?.batch.entries[self.cursor..];
            let due = if self.clock.rate() == Rate::Max {
                entries.len()
            } else {
                let position = self.clock.position(now);
                entries.iter().take_while(|entry| entry.log_time <= position).count().max(1)
            };
            let due = match &mut self.stream {
                Some(watch) => watch.first_restart(&entries[..due], now).unwrap_or(due),
                None => due,
            };
            self.publish(self.cursor + due, now);
            self.last_publish = Some(now);
        }
    }

    /// Until when the messages behind new channels of a stream wait for subscriptions.
    fn subscribable_until(&self) -> Option<Instant> {
        let ready = self.ready.front().filter(|_| self.stream.is_some() && self.cursor == 0)?;
        let announced = ready.announced.filter(|_| !ready.batch.announcements.is_empty())?;
        Some(announced + SUBSCRIBE_GRACE)
    }

    /// Whether the time of a stream begins anew with the next message.
    fn begins_anew(&mut self, now: Instant) -> bool {
        let next = self.ready.front().and_then(|ready| ready.batch.entries.get(self.cursor));
        match (&mut self.stream, next) {
            (Some(watch), Some(next)) => watch.first_restart(std::slice::from_ref(next), now).is_some(),
            _ => false,
        }
    }

    /// The time of a stream begins here.
    pub(super) fn start_anew(&mut self, time: Timestamp, now: Instant) {
        self.range = TimeRange { start: time, end: time };
        self.clock.seek(time, now);
    }

    /// When to come again if the next message is not due yet.
    fn wait_for(&mut self, time: Timestamp, due: Option<Instant>, now: Instant) -> Instant {
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            self.publisher.tick(self.position(now));
        }
        let wait = due.map(|due| due - now);
        if !self.long_wait_told && wait.is_none_or(|wait| wait > LONG_WAIT) {
            self.long_wait_told = true;
            let wait =
                wait.map_or_else(|| "for ever".to_owned(), |wait| format!("{:.0} s", wait.as_secs_f64()));
            let hint = if self.stream.is_none() { "; seek to skip the pause" } else { "" };
            tracing::info!("the next message is at {time}: at this speed that takes {wait}{hint}");
        }
        let earliest = self.last_publish.map_or(now, |last| last + MIN_INTERVAL);
        due.map_or(self.next_tick, |due| due.max(earliest).min(self.next_tick.max(now)))
    }

    /// Ends, or begins the next lap, once clients have been handed all that was published: what is announced then
    /// does not overtake the last messages.
    fn end_of_data(&mut self, now: Instant) -> Option<Instant> {
        if self.looping && !self.is_empty && self.stream.is_none() {
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
        self.publisher.tick(end);
        self.publisher.playback_changed(self.state(now, None));
        self.finished = match self.failure.take() {
            Some(error) => Some(Err(error)),
            None => (self.options.at_end == AtEnd::Exit).then_some(Ok(())),
        };
        None
    }

    /// Announces the channels of what has been read. Those that take the place of others wait until all that was
    /// published before has been handed out.
    pub(super) fn announce(&mut self, now: Instant) {
        for index in 0..self.ready.len() {
            if self.ready[index].announced.is_some() {
                continue;
            }
            let batch = self.ready[index].batch.clone();
            if !batch.retired.is_empty() {
                if index > 0 {
                    return;
                }
                self.publisher.retire(&batch.retired);
            }
            self.publisher.announce(&batch.announcements);
            self.ready[index].announced = Some(now);
        }
    }

    /// The time of the next message of the first batch that has one; batches that are done with are dropped.
    fn next_in_first_batch(&mut self, now: Instant) -> Option<Timestamp> {
        self.announce(now);
        while self.ready.front().is_some_and(|ready| ready.announced.is_some()) {
            let entry = self.ready.front().and_then(|ready| ready.batch.entries.get(self.cursor));
            if let Some(entry) = entry {
                return Some(entry.log_time);
            }
            self.ready.pop_front();
            self.cursor = 0;
            self.announce(now);
            self.ask_ahead();
        }
        self.ask_ahead();
        None
    }

    /// Publishes the first batch up to a message.
    fn publish(&mut self, upto: usize, now: Instant) {
        let Some(Ready { batch, .. }) = self.ready.front() else { return };
        let upto = upto.min(batch.entries.len());
        self.publisher.publish(batch, self.cursor..upto, self.policy(), now);
        if let Some(last) = batch.entries[self.cursor..upto].last() {
            self.clock.pull(last.log_time);
            if self.stream.is_some() {
                self.range.end = self.range.end.max(last.log_time);
            }
        }
        self.cursor = upto;
    }

    pub(super) fn policy(&self) -> SlowClient {
        match self.clock.rate() {
            Rate::Max => SlowClient::Wait,
            Rate::Times(_) => self.hub.on_slow_client(),
        }
    }
}
