//! New sessions in the queue of one client, and the silence before each.
//!
//! A viewer that knows no playback states takes its panels down at a new session. Lichtblick 1.28 then waits 5 s for
//! those that it takes down in the middle of a frame, so it must have drawn the last messages: it is sent the `time` of
//! what comes, then nothing for [`SILENCE`], then the session. What is published meanwhile waits in the queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Control, ControlKind, Encoded, Item, Ordered, Outbox, Progress};
use crate::hub::encoded_time;
use crate::time::Timestamp;

/// Between the last frame of a session and a new session a client is sent no data for this long: with less than 0.3 s
/// Lichtblick hangs at most laps, and more panels take longer.
pub const SILENCE: Duration = Duration::from_millis(500);

/// Sessions that begin because of seeks are at least this far apart: viewers rebuild their panels with each, and who
/// drags a slider seeks many times a second.
const SEEK_INTERVAL: Duration = Duration::from_secs(2);

/// How new sessions begin for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// After a silence.
    AfterSilence,
    /// When their turn comes: the client knows playback states.
    AtOnce,
}

/// Why a new session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A seek back.
    Seek,
    /// Whoever plays sees to it that these are seldom: a lap, or live time that goes back.
    Timeline,
}

/// A new session that waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// `serverInfo` and the frames that belong to it.
    pub frames: Arc<[Encoded]>,
    not_before: Option<Instant>,
}

impl Session {
    pub(super) fn bytes(&self) -> usize {
        self.frames.iter().map(Encoded::weight).sum()
    }

    pub(super) fn into_controls(self) -> impl Iterator<Item = Control> {
        let frames: Vec<Encoded> = self.frames.to_vec();
        frames.into_iter().map(|frame| Control { kind: ControlKind::Session, frame })
    }
}

/// Where a client is between two sessions.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// It has taken the session of joining.
    pub(super) has_joined: bool,
    /// The end of the one that has begun.
    pub(super) until: Option<Instant>,
    /// When the last new session began; the one of joining is not meant.
    last_session: Option<Instant>,
    parameters: Declared,
}

/// Whether the client knows that there are parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Declared {
    #[default]
    No,
    /// A session that declares them waits.
    Queued,
    Taken,
}

impl Silence {
    /// A session was taken.
    pub(super) fn declared(&mut self) {
        if self.parameters == Declared::Queued {
            self.parameters = Declared::Taken;
        }
    }

    /// Sessions that wait are not sent.
    pub(super) fn forget_declared(&mut self) {
        if self.parameters == Declared::Queued {
            self.parameters = Declared::No;
        }
    }
}

/// What becomes of the next item of the data.
pub(super) enum Turn {
    /// It can be taken.
    Now,
    /// It is a session whose silence ends then; None: that has not begun.
    Later(Option<Instant>),
}

impl Outbox {
    /// Has new sessions begin as they come from now on, those that wait included.
    pub fn begin_sessions_at_once(&mut self) {
        self.sessions = Sessions::AtOnce;
        self.silence.until = None;
    }

    /// Whether the capability `parameters` was declared to the client on this connection.
    pub fn knows_parameters(&self) -> bool {
        self.silence.parameters == Declared::Taken
    }

    /// The session that is queued next declares the capability `parameters`.
    pub fn declare_parameters(&mut self) {
        if self.silence.parameters == Declared::No {
            self.silence.parameters = Declared::Queued;
        }
    }

    /// Begins a new session after what is queued; `time` is that of the messages to come.
    pub fn push_session(&mut self, frames: &Arc<[Encoded]>, time: Timestamp, cause: Cause) {
        if self.sessions == Sessions::AtOnce || !self.has_session() {
            for frame in frames.iter() {
                self.push_ordered(ControlKind::Session, frame.clone());
            }
            return;
        }
        // a viewer that has not been sent this takes the new session for data that goes back in time
        self.push_time_change(time);
        let not_before = match cause {
            Cause::Seek => self.silence.last_session.map(|last| last + SEEK_INTERVAL),
            Cause::Timeline => None,
        };
        if frames.iter().all(|frame| self.admit(ControlKind::Session, frame)) {
            self.ordered += 1;
            self.data.push_other(Ordered::Session(Session { frames: frames.clone(), not_before }));
        }
    }

    /// Whether there is a session to end; a purge can forget that of joining before it is taken.
    fn has_session(&self) -> bool {
        self.silence.has_joined || self.control.iter().any(|control| control.kind == ControlKind::Session)
    }

    /// Sends the time of the messages to come, after what is queued.
    pub fn push_time_change(&mut self, time: Timestamp) {
        self.push_ordered(ControlKind::Time(time), encoded_time(time));
    }

    /// Puts a session that was waiting before a seek within it in its place again; `time` is that of the seek.
    pub(super) fn keep_session(&mut self, session: Session, time: Timestamp) {
        match self.sessions {
            Sessions::AtOnce => session.into_controls().for_each(|control| self.push_first(control)),
            Sessions::AfterSilence => {
                if self.silence.until.is_none() {
                    self.push_first(Control { kind: ControlKind::Time(time), frame: encoded_time(time) });
                }
                self.ordered += 1;
                self.data.push_other(Ordered::Session(session));
            }
        }
    }

    /// Whether the next item can be taken. A silence begins once all before the session is written.
    pub(super) fn turn(&mut self, progress: Progress, now: Instant) -> Turn {
        let Some(Item::Other(Ordered::Session(session))) = self.data.iter().next() else { return Turn::Now };
        if self.sessions == Sessions::AtOnce || self.closing.is_some() {
            return Turn::Now;
        }
        if self.silence.until.is_none() && progress == Progress::Written && self.control.is_empty() {
            self.silence.until = Some((now + SILENCE).max(session.not_before.unwrap_or(now)));
        }
        match self.silence.until {
            Some(until) if until <= now => Turn::Now,
            until => Turn::Later(until),
        }
    }

    /// A session is taken.
    pub(super) fn on_session(&mut self, now: Instant) {
        self.silence.until = None;
        self.silence.last_session = Some(now);
        self.silence.declared();
    }
}

#[cfg(test)]
mod tests;
