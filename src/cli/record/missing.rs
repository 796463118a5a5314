//! What a recording may lack: what a server sent while there was no connection, what it left out, what could not be read.

use std::time::{Duration, Instant};

use foxglove_bridge::client::Event;
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

    /// Takes note of what happened, and logs what its user has to know. The times are those of now.
    pub(super) fn on(&mut self, event: &Event, now: Instant, at: Timestamp) {
        match event {
            Event::Disconnected { reason, retry_in: Some(_) } => self.on_lost(reason, now, at),
            Event::Connected { .. } => {
                if let Some(lost) = self.lost.take() {
                    let gap = now.duration_since(lost.since);
                    self.without_connection += gap;
                    let (from, gap) = (lost.at, duration_text(gap));
                    tracing::warn!(
                        "connected again; what was sent from {from} to {at} ({gap}) is not in the recording"
                    );
                }
            }
            Event::Status(status) => self.on_status(status, now),
            Event::Problem(problem) => {
                self.unread += 1;
                self.warn(&format!("the server sent something that can't be read: {problem}"), now);
            }
            Event::Disconnected { .. }
            | Event::NewInfo { .. }
            | Event::ChannelAdded(_)
            | Event::ChannelRemoved(_)
            | Event::ServiceAdded(_)
            | Event::ServiceRemoved(_)
            | Event::Parameters(_)
            | Event::Graph(_)
            | Event::Playback(_)
            | Event::Time(_)
            | Event::StatusRemoved(_) => {}
        }
    }

    fn on_lost(&mut self, why: &str, since: Instant, at: Timestamp) {
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

    fn on_status(&mut self, status: &Status, now: Instant) {
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
    use std::sync::Arc;

    use foxglove_bridge::client::Session;
    use foxglove_bridge::protocol::{ServerInfo, Subprotocol};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn lost() -> Event {
        Event::Disconnected { reason: "it is gone".into(), retry_in: Some(SECOND) }
    }

    fn connected() -> Event {
        let info = Arc::new(ServerInfo::default());
        Event::Connected { info, session: Session::New, subprotocol: Subprotocol::SdkV1 }
    }

    fn after(events: &[Event]) -> Missing {
        let (mut missing, start) = (Missing::new(), Instant::now());
        for (seconds, event) in events.iter().enumerate() {
            missing.on(event, start + SECOND * u32::try_from(seconds).unwrap(), Timestamp(7));
        }
        missing
    }

    #[test]
    fn attempts_that_fail_are_one_gap() {
        let missing = after(&[connected(), lost(), lost(), lost(), connected(), lost(), connected()]);
        let said = missing.summary(Instant::now()).unwrap();
        assert_eq!((missing.count(), missing.is_disconnected()), (2, false));
        assert_eq!(said, "there was no connection 2 times (4.0 s)");
    }

    #[test]
    fn a_gap_that_has_not_ended_counts() {
        let missing = after(&[connected(), lost()]);
        let since = missing.lost.as_ref().unwrap().since;
        let said = missing.summary(since + 5 * SECOND).unwrap();
        assert_eq!(said, "there was no connection once (5.0 s)");
        assert!(missing.is_disconnected());
    }

    #[test]
    fn a_server_that_leaves_messages_out_is_believed() {
        let status = |text: &str| Event::Status(Status::warning(text));
        let missing = after(&[
            connected(),
            status("Send buffer limit reached"),
            status("Connection 7: send buffer limit reached, dropping"),
            status("a panel has no topic"),
        ]);
        let said = missing.summary(Instant::now()).unwrap();
        assert_eq!(said, "the server left messages out 2 times");
    }

    #[test]
    fn what_a_server_did_not_do_counts() {
        let refused = Event::Status(Status::error("subscription 7: there are too many"));
        let nonsense = Event::Problem("opcode 9".into());
        let said = after(&[connected(), refused, nonsense]).summary(Instant::now()).unwrap();
        assert_eq!(said, "the server reported 1 error, 1 message of the server could not be read");
    }

    #[test]
    fn what_was_not_seen_may_have_told_of_what_is_missing() {
        let mut missing = after(&[connected()]);
        missing.note_unseen(0);
        assert_eq!(missing.summary(Instant::now()), None);
        missing.note_unseen(3);
        let said = missing.summary(Instant::now()).unwrap();
        assert_eq!((missing.count(), &*said), (3, "3 events of the connection went unseen"));
    }

    #[test]
    fn the_end_of_everything_is_no_gap() {
        let end = Event::Disconnected { reason: "the server has sent everything".into(), retry_in: None };
        assert_eq!(after(&[connected(), end]).summary(Instant::now()), None);
    }
}
