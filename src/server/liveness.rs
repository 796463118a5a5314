//! Whether a client is still there.
//!
//! It is as long as something is heard from it or it takes bytes, however few. A write of our own ping does not
//! count: the system takes pings for a client that has vanished as well.

use std::ops::Range;
use std::time::{Duration, Instant};

/// A ping goes out at least this often …
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// … and so many times before a client that does not answer is closed …
const PINGS: u32 = 5;

/// … but not more often than this.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// A busy computer is not later than this.
const STOPPED: Duration = Duration::from_secs(1);

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Send a ping, and say so by [`Liveness::pinged`].
    Ping,
    /// Close the connection: no sign of life for this long.
    Close(Duration),
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Liveness {
    /// None: clients are never closed.
    timeout: Option<Duration>,
    interval: Duration,
    /// The last sign of life.
    alive: Instant,
    /// Bytes received by then.
    received: u64,
    next_ping: Instant,
    /// Which of the bytes that wait to be written are a ping.
    ping: Option<Range<usize>>,
}

impl Liveness {
    /// At the beginning of a connection; a timeout of zero is none.
    pub(super) fn new(timeout: Duration, now: Instant) -> Self {
        let timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
        let interval = timeout.map_or(PING_INTERVAL, |timeout| (timeout / PINGS).min(PING_INTERVAL));
        let interval = interval.max(SHORTEST_INTERVAL);
        Self { timeout, interval, alive: now, received: 0, next_ping: now + interval, ping: None }
    }

    /// So many bytes have been received since the connection began.
    pub(super) fn received(&mut self, total: u64, now: Instant) {
        if self.received != total {
            self.received = total;
            self.alive = now;
        }
    }

    /// A ping waits to be written: these of the bytes that do.
    pub(super) fn pinged(&mut self, waiting: Range<usize>) {
        self.ping = Some(waiting);
    }

    /// The socket took so many of the bytes that waited.
    pub(super) fn written(&mut self, bytes: usize, now: Instant) {
        let of_ping = self.ping.take().map_or(0, |ping| {
            let rest = ping.start.saturating_sub(bytes)..ping.end.saturating_sub(bytes);
            let written = ping.len() - rest.len();
            self.ping = Some(rest).filter(|rest| !rest.is_empty());
            written
        });
        if bytes > of_ping {
            self.alive = now;
        }
    }

    /// When to ask what is due.
    pub(super) fn next(&self) -> Instant {
        self.deadline().map_or(self.next_ping, |deadline| deadline.min(self.next_ping))
    }

    /// The timeout, if there is one.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    fn deadline(&self) -> Option<Instant> {
        self.timeout.and_then(|timeout| self.alive.checked_add(timeout))
    }

    /// What is due at [`Liveness::next`]. While a ping waits to be written there is no second one.
    ///
    /// Who asks much later did not run meanwhile (the program was stopped by Ctrl-Z): that is no silence of the client.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        let late = now.saturating_duration_since(self.next());
        if late > self.interval.max(STOPPED) {
            self.alive += late;
        }
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            return Due::Close(self.silent(now));
        }
        if now < self.next_ping {
            return Due::Nothing;
        }
        self.next_ping = now + self.interval;
        if self.ping.is_some() { Due::Nothing } else { Due::Ping }
    }

    /// For how long the client has taken nothing, if the system gave it up at `now`: the whole timeout. That the system
    /// took bytes meanwhile says nothing of the client.
    pub(super) fn given_up(&self, now: Instant) -> Duration {
        self.silent(now).max(self.timeout.unwrap_or_default())
    }

    /// How long ago the last sign of life was.
    pub(super) fn silent(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.alive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(75);

    /// A connection on a clock of its own.
    struct Connection {
        liveness: Liveness,
        start: Instant,
        now: Instant,
        waiting: usize,
        received: u64,
        pings: u32,
    }

    /// What the client does.
    struct Client {
        /// It answers pings that reached it.
        answers: bool,
        /// Bytes that it takes at once, and how often.
        takes: usize,
        every: Duration,
    }

    impl Connection {
        fn new(timeout: Duration, waiting: usize) -> Self {
            let now = Instant::now();
            let liveness = Liveness::new(timeout, now);
            Self { liveness, start: now, now, waiting, received: 0, pings: 0 }
        }

        /// When it is closed, in seconds; None: not within an hour.
        fn closed_after(&mut self, client: &Client) -> Option<u64> {
            let mut takes_at = self.now + client.every;
            while self.now < self.start + Duration::from_secs(3600) {
                self.now = self.liveness.next().min(takes_at);
                if takes_at <= self.now {
                    takes_at += client.every;
                    let taken = self.waiting.min(client.takes);
                    let had_ping = self.liveness.ping.is_some();
                    if taken > 0 {
                        self.waiting -= taken;
                        self.liveness.written(taken, self.now);
                    }
                    if client.answers && had_ping && self.liveness.ping.is_none() {
                        self.received += 2;
                        self.liveness.received(self.received, self.now);
                    }
                }
                match self.liveness.due(self.now) {
                    Due::Nothing => {}
                    Due::Ping => {
                        self.pings += 1;
                        self.liveness.pinged(self.waiting..self.waiting + 2);
                        self.waiting += 2;
                    }
                    Due::Close(silent) => {
                        assert!(silent >= self.liveness.timeout.unwrap());
                        return Some((self.now - self.start).as_secs());
                    }
                }
            }
            None
        }
    }

    fn client(answers: bool, takes: usize, every_ms: u64) -> Client {
        Client { answers, takes, every: Duration::from_millis(every_ms) }
    }

    #[test]
    fn an_idle_client_that_answers_stays() {
        let mut connection = Connection::new(TIMEOUT, 0);
        assert_eq!(connection.closed_after(&client(true, 1000, 100)), None);
        assert!((239..=240).contains(&connection.pings), "{}", connection.pings);
    }

    #[test]
    fn an_idle_client_that_is_silent_is_closed_although_the_system_takes_pings() {
        let mut connection = Connection::new(TIMEOUT, 0);
        assert_eq!(connection.closed_after(&client(false, 1000, 100)), Some(75));
        assert_eq!(connection.pings, 4);
    }

    #[test]
    fn a_busy_client_that_stalls_is_closed_and_gets_one_ping() {
        let mut connection = Connection::new(TIMEOUT, 100_000);
        assert_eq!(connection.closed_after(&client(true, 0, 1000)), Some(75));
        assert_eq!(connection.pings, 1);
    }

    #[test]
    fn a_busy_client_that_is_very_slow_stays_until_it_has_everything() {
        let mut connection = Connection::new(TIMEOUT, 1000);
        // one byte a minute
        assert_eq!(connection.closed_after(&client(false, 1, 60_000)), None);
        let mut connection = Connection::new(TIMEOUT, 10);
        assert_eq!(connection.closed_after(&client(false, 1, 60_000)), Some(675));
    }

    #[test]
    fn of_a_write_only_what_is_no_ping_counts() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut liveness = Liveness::new(TIMEOUT, start);
        liveness.pinged(10..12);
        liveness.written(10, at(1));
        assert_eq!(liveness.silent(at(1)), Duration::ZERO);
        liveness.written(1, at(2));
        liveness.written(1, at(3));
        assert_eq!((liveness.silent(at(3)), &liveness.ping), (Duration::from_secs(2), &None));
        liveness.pinged(0..2);
        liveness.written(3, at(4));
        assert_eq!(liveness.silent(at(4)), Duration::ZERO);
    }

    #[test]
    fn bytes_that_arrive_are_a_sign_of_life_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut liveness = Liveness::new(TIMEOUT, start);
        liveness.received(5, at(10));
        liveness.received(5, at(20));
        for seconds in [15, 30, 45, 60, 75] {
            assert_eq!(liveness.due(at(seconds)), Due::Ping);
        }
        assert_eq!(liveness.due(at(84)), Due::Nothing);
        assert_eq!(liveness.due(at(85)), Due::Close(TIMEOUT));
    }

    #[test]
    fn a_client_that_the_system_gave_up_was_silent_for_the_timeout() {
        let start = Instant::now();
        let mut liveness = Liveness::new(TIMEOUT, start);
        liveness.written(10, start + Duration::from_secs(100));
        assert_eq!(liveness.given_up(start + Duration::from_secs(101)), TIMEOUT);
        assert_eq!(liveness.given_up(start + Duration::from_secs(180)), Duration::from_secs(80));
    }

    #[test]
    fn pings_go_out_more_often_where_the_timeout_is_short() {
        let mut connection = Connection::new(Duration::from_secs(2), 0);
        assert_eq!(connection.closed_after(&client(true, 1000, 100)), None);
        let mut connection = Connection::new(Duration::from_secs(2), 0);
        assert_eq!(connection.closed_after(&client(false, 1000, 100)), Some(2));
        assert_eq!(connection.pings, 4);
    }

    #[test]
    fn without_a_timeout_nobody_is_closed_and_pings_go_out() {
        let mut connection = Connection::new(Duration::ZERO, 0);
        assert_eq!(connection.closed_after(&client(false, 1000, 100)), None);
        assert!((239..=240).contains(&connection.pings), "{}", connection.pings);
        assert_eq!(Connection::new(Duration::MAX, 9).closed_after(&client(false, 0, 100)), None);
    }

    #[test]
    fn time_in_which_the_program_was_stopped_is_no_silence() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut liveness = Liveness::new(TIMEOUT, start);
        assert_eq!(liveness.due(at(15)), Due::Ping);
        assert_eq!(liveness.due(at(3600)), Due::Ping);
        let mut now = liveness.next();
        let closed = loop {
            match liveness.due(now) {
                Due::Close(silent) => break silent,
                Due::Nothing | Due::Ping => now = liveness.next(),
            }
        };
        assert_eq!((closed, now), (TIMEOUT, at(3600 + 75 - 30)), "30 s of its silence were before that");
    }
}
