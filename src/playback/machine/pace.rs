//! Times that keep a playback from doing too much: when it last did what.

use std::time::{Duration, Instant};

/// Messages closer than this are published together: one wake-up serves many. It costs some 50 µs of CPU, with that of
/// the client's task. Below a millisecond, so that messages still arrive within one of when they are due.
const MIN_INTERVAL: Duration = Duration::from_micros(800);

/// Clients without messages are sent the time this often …
const TICK: Duration = Duration::from_millis(100);

/// … or this much later, if a message is due then: one wake-up serves both.
const TICK_SLACK: Duration = Duration::from_millis(50);

/// A lap takes at least this long, however short the recording …
const MIN_LAP: Duration = Duration::from_millis(100);

/// … and one that is a new session for some viewer begins this long after the last session: viewers rebuild their panels.
const MIN_SESSION: Duration = Duration::from_secs(2);

/// A wait for clients, or for the next message, that is longer than this is logged.
pub(super) const LONG_WAIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Pace {
    lap_started: Instant,
    /// A start, or what is a new session for viewers that know no playback states.
    session_started: Instant,
    last_publish: Option<Instant>,
    next_tick: Instant,
    /// Clients that are waited for take no more since then, or that was logged then.
    blocked_since: Option<Instant>,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            lap_started: now,
            session_started: now,
            last_publish: None,
            next_tick: now,
            blocked_since: None,
        }
    }

    /// A start, a seek or a lap.
    pub(super) fn on_begin(&mut self, now: Instant) {
        self.lap_started = now;
        self.blocked_since = None;
    }

    /// A new session for viewers that know no playback states.
    pub(super) fn on_session(&mut self, now: Instant) {
        self.session_started = now;
    }

    /// When the next lap may begin that is a new session for nobody.
    pub(super) fn next_lap(&self) -> Instant {
        self.lap_started + MIN_LAP
    }

    /// When the next lap may begin that is a new session for some viewer.
    pub(super) fn next_session(&self) -> Instant {
        self.next_lap().max(self.session_started + MIN_SESSION)
    }

    pub(super) fn on_published(&mut self, now: Instant) {
        self.last_publish = Some(now);
    }

    /// Whether clients are to be sent the time; it counts as sent.
    pub(super) fn take_tick(&mut self, now: Instant) -> bool {
        let due = now >= self.next_tick;
        if due {
            self.next_tick = now + TICK;
        }
        due
    }

    /// When to look again if the next message is due then; None: later than can be said.
    pub(super) fn wake_up(&self, due: Option<Instant>, now: Instant) -> Instant {
        let earliest = self.last_publish.map_or(now, |last| last + MIN_INTERVAL);
        let due = due.map(|due| due.max(earliest));
        due.filter(|due| *due <= self.next_tick + TICK_SLACK).unwrap_or(self.next_tick)
    }

    /// Clients take more.
    pub(super) fn on_room(&mut self) {
        self.blocked_since = None;
    }

    /// Clients take no more. Returns when that is to be logged; it was logged if that is now.
    pub(super) fn on_blocked(&mut self, now: Instant) -> Instant {
        let since = self.blocked_since.get_or_insert(now);
        let log_at = *since + LONG_WAIT;
        if now >= log_at {
            *since = now;
        }
        log_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_tick_waits_for_a_message_that_is_due_soon_after_it() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert!(pace.take_tick(start));
        assert!(!pace.take_tick(start + 99 * MS));
        assert_eq!(pace.wake_up(Some(start + 30 * MS), start), start + 30 * MS);
        assert_eq!(pace.wake_up(Some(start + 140 * MS), start), start + 140 * MS);
        assert_eq!(pace.wake_up(Some(start + 160 * MS), start), start + 100 * MS);
        assert_eq!(pace.wake_up(None, start), start + 100 * MS);
        assert!(pace.take_tick(start + 140 * MS));
    }

    #[test]
    fn messages_close_together_share_a_wake_up() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        pace.take_tick(start);
        pace.on_published(start);
        let due = start + Duration::from_micros(100);
        assert_eq!(pace.wake_up(Some(due), due), start + MIN_INTERVAL);
    }

    #[test]
    fn a_block_is_logged_every_ten_seconds() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(pace.on_blocked(start), start + LONG_WAIT);
        assert_eq!(pace.on_blocked(start + 5 * LONG_WAIT / 10), start + LONG_WAIT);
        assert_eq!(pace.on_blocked(start + LONG_WAIT), start + LONG_WAIT);
        assert_eq!(pace.on_blocked(start + LONG_WAIT), start + 2 * LONG_WAIT);
        pace.on_room();
        assert_eq!(pace.on_blocked(start + 3 * LONG_WAIT), start + 4 * LONG_WAIT);
    }
}
