//! What a recording may lack: what a server sent while there was no connection, what it left out, what could not be read.

use std::time::{Duration, Instant};

use foxglove_bridge::internals::{LogLimit, counted, printable};
use foxglove_bridge::protocol::{Level, Status};
use foxglove_bridge::time::{Timestamp, duration_text};

use crate::cli::LONGEST_ERROR;

/// What servers say to a client for which they leave messages out, ours and others.
const SLOW_CLIENT: &str = "send buffer limit reached";

/// Texts of the server that are logged in ten seconds.
const LINES: u32 = 10;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Missing {
    /// None while there is a connection.
    lost: Option<Lost>,
    gaps: u64,
    without_connection: Duration,
    /// How often the server said that it leaves messages out.
    dropped: u64,
    /// What the server did not do, such as to subscribe.
    errors: u64,
    /// What could not be read.
    unread: u64,
    /// Events that came faster than they were taken, of whatever kind.
    unseen: u64,
    limit: LogLimit,
}

/// A connection that was lost.
#[derive(Debug)]
struct Lost {
    since: Instant,
    at: Timestamp,
    /// Why, or why there is none yet.
    reason: String,
}

impl Missing {
    pub(super) fn new() -> Self {
        let limit = LogLimit::new(LINES);
        Self {
            lost: None,
            gaps: 0,
            without_connection: Duration::ZERO,
            dropped: 0,
            errors: 0,
            unread: 0,
            unseen: 0,
            limit,
        }
    }

    /// There is a connection. The times are those of now.
    pub(super) fn on_connected(&mut self, now: Instant, at: Timestamp) {
        let Some(lost) = self.lost.take() else { return };
        let gap = now.duration_since(lost.since);
        self.without_connection += gap;
        let (from, gap) = (lost.at, duration_text(gap));
        tracing::warn!("connected again; what was sent from {from} to {at} ({gap}) is not in the recording");
    }

    /// There is none any more, or an attempt to connect again has failed.
    pub(super) fn on_lost(&mut self, why: &str, since: Instant, at: Timestamp) {
        match &mut self.lost {
            None => {
                self.gaps += 1;
                tracing::warn!("{}; connecting again", printable(why, LONGEST_ERROR));
                self.lost = Some(Lost { since, at, reason: why.to_owned() });
            }
            Some(Lost { reason, .. }) if reason != why => {
                tracing::info!("no connection yet: {}", printable(why, LONGEST_ERROR));
                why.clone_into(reason);
            }
            Some(_) => {}
        }
    }

    /// The server sent something that is not of the protocol.
    pub(super) fn on_problem(&mut self, problem: &str, now: Instant) {
        self.unread += 1;
        self.warn(&format!("the server sent something that can't be read: {problem}"), now);
    }

    /// The server said something to its user.
    pub(super) fn on_status(&mut self, status: &Status, now: Instant) {
        if status.message.to_lowercase().contains(SLOW_CLIENT) {
            self.dropped += 1;
            return self.warn("the server leaves messages out, since they are taken too slowly", now);
        }
        let text = format!("the server says: {}", status.message);
        match status.level {
            Level::Info => {
                if let Some(left_out) = self.limit.admit(now) {
                    tracing::info!("{}{left_out}", printable(&text, LONGEST_ERROR));
                }
            }
            Level::Warning => self.warn(&text, now),
            Level::Error => {
                self.errors += 1;
                self.warn(&text, now);
            }
        }
    }

    fn warn(&mut self, text: &str, now: Instant) {
        if let Some(left_out) = self.limit.admit(now) {
            tracing::warn!("{}{left_out}", printable(text, LONGEST_ERROR));
        }
    }

    /// So many events were dropped so far before they were seen: each may have told of something that is missing.
    pub(super) fn note_unseen(&mut self, events: u64) {
        self.unseen = events;
    }

    /// How many things went wrong so far.
    pub(super) fn count(&self) -> u64 {
        self.gaps + self.dropped + self.errors + self.unread + self.unseen
    }

    /// Whether there is no connection at the moment.
    pub(super) fn is_disconnected(&self) -> bool {
        self.lost.is_some()
    }

    /// What the recording lacks, in the end; None if nothing is known of.
    pub(super) fn summary(&self, now: Instant) -> Option<String> {
        let still = self.lost.as_ref().map_or(Duration::ZERO, |lost| now.duration_since(lost.since));
        let without = duration_text(self.without_connection + still);
        let parts = [
            (self.gaps, format!("there was no connection {} ({without})", times(self.gaps))),
            (self.dropped, format!("the server left messages out {}", times(self.dropped))),
            (self.errors, format!("the server reported {}", counted(self.errors, "error"))),
            (self.unread, format!("{} could not be read", counted(self.unread, "message of the server"))),
            (self.unseen, format!("{} of the connection went unseen", counted(self.unseen, "event"))),
        ];
        let parts: Vec<_> = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What happens to a connection, a second apart.
    enum Happens {
        Connected,
        Lost,
        Status(Status),
        Problem,
    }

    use Happens::{Connected, Lost as Gone, Problem};

    fn after(happening: &[Happens]) -> Missing {
        let (mut missing, mut now) = (Missing::new(), Instant::now());
        for happens in happening {
            match happens {
                Connected => missing.on_connected(now, Timestamp(7)),
                Gone => missing.on_lost("it is gone", now, Timestamp(7)),
                Happens::Status(status) => missing.on_status(status, now),
                Problem => missing.on_problem("opcode 9", now),
            }
            now += SECOND;
        }
        missing
    }

    #[test]
    fn attempts_that_fail_are_one_gap() {
        let missing = after(&[Connected, Gone, Gone, Gone, Connected, Gone, Connected]);
        let said = missing.summary(Instant::now()).unwrap();
        assert_eq!((missing.count(), missing.is_disconnected()), (2, false));
        assert_eq!(said, "there was no connection 2 times (4.0 s)");
    }

    #[test]
    fn a_gap_that_has_not_ended_counts() {
        let missing = after(&[Connected, Gone]);
        let since = missing.lost.as_ref().unwrap().since;
        let said = missing.summary(since + 5 * SECOND).unwrap();
        assert_eq!(said, "there was no connection once (5.0 s)");
        assert!(missing.is_disconnected());
    }

    #[test]
    fn a_server_that_leaves_messages_out_is_believed() {
        let status = |text: &str| Happens::Status(Status::warning(text));
        let missing = after(&[
            Connected,
            status("Send buffer limit reached"),
            status("Connection 7: send buffer limit reached, dropping"),
            status("a panel has no topic"),
        ]);
        let said = missing.summary(Instant::now()).unwrap();
        assert_eq!(said, "the server left messages out 2 times");
    }

    #[test]
    fn what_a_server_did_not_do_counts() {
        let refused = Happens::Status(Status::error("subscription 7: there are too many"));
        let said = after(&[Connected, refused, Problem]).summary(Instant::now()).unwrap();
        assert_eq!(said, "the server reported 1 error, 1 message of the server could not be read");
    }

    #[test]
    fn what_was_not_seen_may_have_told_of_what_is_missing() {
        let mut missing = after(&[Connected]);
        missing.note_unseen(0);
        assert_eq!(missing.summary(Instant::now()), None);
        missing.note_unseen(3);
        let said = missing.summary(Instant::now()).unwrap();
        assert_eq!((missing.count(), &*said), (3, "3 events of the connection went unseen"));
    }
}
