//! What is void before it is sent.

use std::collections::BTreeMap;

use super::{Control, ControlKind, Feed, Item, Ordered, Outbox, Part};
use crate::model::ChannelId;
use crate::time::Timestamp;

/// What becomes of the sessions that wait in a queue that is purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// A seek to this time: the session goes on, and one that is waited for still begins.
    Seek(Timestamp),
    /// A new session begins: one that was announced before and not sent yet is not sent any more.
    Session,
}

impl Purge {
    fn makes_obsolete(self, kind: ControlKind) -> bool {
        match kind {
            ControlKind::Time(_) | ControlKind::State => true,
            ControlKind::Session | ControlKind::Values(_) => self == Self::Session,
            ControlKind::Lasting | ControlKind::Answer | ControlKind::Sought | ControlKind::Other => false,
        }
    }
}

/// Counts what was purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purges {
    seeks: u64,
    backlogs: u64,
}

/// What becomes of a part that was taken before a purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is sent.
    Sent,
    /// It is void.
    Void,
    /// It is lost, and to be counted.
    Lost,
}

impl Purges {
    /// What becomes of a part that was taken when these were the purges; `now`: those of now.
    pub fn fate(self, now: Self, part: &Part) -> Fate {
        if self.seeks != now.seeks && part.feed == Feed::Playback {
            Fate::Void
        } else if self.backlogs != now.backlogs {
            Fate::Lost
        } else {
            Fate::Sent
        }
    }
}

impl Outbox {
    /// Forgets what playback has published, and the frames that are obsolete with it. What live input has published keeps
    /// its place, and so do the frames after it.
    pub fn purge(&mut self, purge: Purge) {
        self.purges.seeks += 1;
        self.forget(purge, |part| part.feed == Feed::Playback);
    }

    /// Forgets all messages, and the frames that are obsolete with them: the client is behind. Returns how many messages
    /// it loses by that.
    pub fn drop_backlog(&mut self, purge: Purge) -> u64 {
        self.purges.backlogs += 1;
        let mut lost: BTreeMap<ChannelId, u64> = BTreeMap::new();
        self.for_each_wanted(|_, _, entry| *lost.entry(entry.channel).or_default() += 1);
        self.forget(purge, |_| true);
        self.count_dropped(lost)
    }

    fn forget(&mut self, purge: Purge, is_void: impl Fn(&Part) -> bool) {
        if purge == Purge::Session {
            self.silence.forget_declared();
        }
        // a client that was sent nothing yet begins with the new session, which has all that lasts
        let begins = purge == Purge::Session && !self.silence.has_joined;
        let obsolete = |kind| purge.makes_obsolete(kind) || begins && kind == ControlKind::Lasting;
        self.discard_control(obsolete);
        self.ordered = 0;
        let items = self.data.drain();
        let last_session = items.iter().rposition(|item| matches!(item, Item::Other(Ordered::Session(_))));
        let mut waits = false;
        for (index, item) in items.into_iter().enumerate() {
            match (item, purge) {
                (Item::Messages(part), _) if !is_void(&part) => self.data.enqueue(part),
                (Item::Other(Ordered::Control(control)), _) if !obsolete(control.kind) => {
                    self.push_first(control);
                }
                (Item::Other(Ordered::Session(session)), Purge::Seek(time))
                    if last_session == Some(index) =>
                {
                    self.keep_session(session, time);
                    waits = true;
                }
                _ => {}
            }
        }
        if !waits {
            self.silence.until = None;
        }
        let queued = self.data.iter().map(|item| match item {
            Item::Other(Ordered::Session(session)) => session.bytes(),
            Item::Other(Ordered::Control(control)) => control.frame.weight(),
            Item::Other(Ordered::Time(_)) | Item::Messages(_) => 0,
        });
        let control = self.control.iter().map(|control| control.frame.weight());
        self.control_bytes = control.chain(queued).sum();
        if self.data.is_empty() {
            self.collapse_at = self.limit;
        }
    }

    /// Forgets playback states that answered requests, before a newer one: the client is far behind with them. One of a
    /// seek is made obsolete by another of a seek alone, since it says that time has jumped.
    pub(super) fn forget_answers(&mut self, newer: ControlKind) {
        let obsolete =
            |kind| kind == ControlKind::Answer || (kind, newer) == (ControlKind::Sought, ControlKind::Sought);
        self.forget_frames(obsolete);
    }

    /// Forgets frames, wherever they wait.
    pub(super) fn forget_frames(&mut self, obsolete: impl Fn(ControlKind) -> bool) {
        self.discard_control(&obsolete);
        let (control_bytes, ordered) = (&mut self.control_bytes, &mut self.ordered);
        self.data.retain_others(|other| match other {
            Ordered::Control(control) if obsolete(control.kind) => {
                *control_bytes -= control.frame.weight();
                *ordered -= 1;
                false
            }
            _ => true,
        });
    }

    /// Puts a frame before all data, or after the messages that are left.
    pub(super) fn push_first(&mut self, control: Control) {
        if self.data.is_empty() && !self.data.has_live_in_hand() {
            self.control.push_back(control);
        } else {
            self.ordered += 1;
            self.data.push_other(Ordered::Control(control));
        }
    }

    pub(super) fn discard_control(&mut self, obsolete: impl Fn(ControlKind) -> bool) {
        let control_bytes = &mut self.control_bytes;
        self.control.retain(|control| {
            let keep = !obsolete(control.kind);
            if !keep {
                *control_bytes -= control.frame.weight();
            }
            keep
        });
    }
}
