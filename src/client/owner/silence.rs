//! Servers that say nothing, or take nothing.

use std::time::Duration;

use tokio::time::Instant;

use super::super::connection::Connection;
use super::{Owner, UNWRITTEN};

/// A server for which so much waits takes nothing, whatever it sends: the largest request is far below it.
const UNTAKEN: usize = 64 << 20;

/// How often it is looked at whether a server takes something, while no commands are taken.
const LOOK: Duration = Duration::from_secs(1);

/// A server that has said nothing for so long is pinged.
pub(super) const PING_AFTER: Duration = Duration::from_secs(20);

/// A server that has said nothing for so long, or taken nothing of what waits, is lost.
const LOST_AFTER: Duration = Duration::from_secs(60);

impl Owner {
    /// Why the connection is given up, if it is.
    pub(super) fn lost(&self, connection: &Connection, info_until: Instant) -> Option<String> {
        let now = Instant::now();
        if connection.unwritten() >= UNTAKEN || connection.untaken_for() >= LOST_AFTER {
            return Some("the server takes nothing".to_owned());
        }
        if self.state.info().is_none() && now >= info_until {
            return Some("no serverInfo in time".to_owned());
        }
        let is_silent = now.duration_since(connection.heard()) >= LOST_AFTER;
        is_silent.then(|| format!("nothing was heard for {} s", LOST_AFTER.as_secs()))
    }

    /// When to look again, whatever happens.
    pub(super) fn wake(&self, connection: &Connection, info_until: Instant, pinged: bool) -> Instant {
        let silence = if pinged { LOST_AFTER } else { PING_AFTER };
        let mut wake = connection.heard() + silence;
        if self.state.info().is_none() {
            wake = wake.min(info_until);
        }
        if connection.unwritten() >= UNWRITTEN {
            wake = wake.min(Instant::now() + LOOK);
        }
        self.state.next_deadline().map_or(wake, |deadline| wake.min(deadline.into()))
    }
}
