//! A long wait for the next message: it is logged, and viewers are shown it while it lasts.

use std::time::{Duration, Instant};

use super::Machine;
use super::pace::LONG_WAIT;
use crate::playback::stage::Stage;
use crate::time::{Timestamp, duration_text};

/// A wait that takes longer than this is shown: whoever watches may think that nothing comes any more.
const SHOWN: Duration = Duration::from_secs(60);

/// What viewers are shown then.
const TEXT: &str = "the next message is more than a minute away at this speed; the option --skip-gaps passes over \
                    such pauses";

/// Id of that status.
pub(in crate::playback) const LONG_WAIT_ID: &str = "long-wait";

/// The wait for one message.
#[derive(Debug, Default)]
pub(super) struct Wait {
    since: Option<Instant>,
    is_logged: bool,
    is_shown: bool,
}

impl Machine {
    /// Playback waits for a message of this time, which is due then; None: later than can be said.
    pub(super) fn on_wait(
        &mut self,
        time: Timestamp,
        due: Option<Instant>,
        stage: &mut impl Stage,
        now: Instant,
    ) {
        let since = *self.wait.since.get_or_insert(now);
        // the whole of it at the speed of now, so that it stays shown when less than that is left
        let takes_longer = |than| due.is_none_or(|due| due - since > than);
        if takes_longer(LONG_WAIT)
            && !std::mem::replace(&mut self.wait.is_logged, true)
            && let Some(left_out) = self.log_limit.admit(now)
        {
            let wait = due.map_or_else(|| "for ever".to_owned(), |due| duration_text(due - now));
            let seek = if self.is_recording() { "seek, or " } else { "" };
            tracing::info!(
                "the next message is at {time}: at this speed that takes {wait}; {seek}let --skip-gaps pass over \
                 pauses{left_out}"
            );
        }
        let shows = takes_longer(SHOWN);
        match (std::mem::replace(&mut self.wait.is_shown, shows), shows) {
            (false, true) => stage.condition(LONG_WAIT_ID, TEXT),
            (true, false) => stage.clear(LONG_WAIT_ID),
            (true, true) | (false, false) => {}
        }
    }

    /// Playback does not wait for that message any more.
    pub(super) fn end_wait(&mut self, stage: &mut impl Stage) {
        if std::mem::take(&mut self.wait).is_shown {
            stage.clear(LONG_WAIT_ID);
        }
    }
}
