//! When playback starts that waits for a subscription.

use std::time::{Duration, Instant};

use crate::playback::Rate;

/// Viewers subscribe in groups, as their panels load: Lichtblick 0.3 to 0.9 s apart. Playback starts when none has come
/// for this long …
const GRACE: Duration = Duration::from_secs(1);

/// … and at the highest speed, which nobody watches, for this long, …
const GRACE_AT_MAX: Duration = Duration::from_millis(250);

/// … but at the latest this long after the first one.
const LONGEST: Duration = Duration::from_secs(5);

/// A start that is not far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) at: Instant,
    latest: Instant,
}

impl Start {
    /// At this time, whatever comes.
    pub(super) fn at(at: Instant) -> Self {
        Self { at, latest: at }
    }

    /// The first subscription has come.
    pub(super) fn soon(now: Instant) -> Self {
        Self { at: now, latest: now + LONGEST }
    }

    /// A subscription has come: more may follow.
    pub(super) fn on_subscribed(&mut self, rate: Rate, now: Instant) {
        let grace = match rate {
            Rate::Times(_) => GRACE,
            Rate::Max => GRACE_AT_MAX,
        };
        self.at = (now + grace).min(self.latest);
    }
}
