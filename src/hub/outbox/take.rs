//! What a client's task is handed.

use std::sync::Arc;
use std::time::Instant;

use super::session::Turn;
use super::{Closing, Control, ControlKind, Item, Ordered, Outbox, Purges};
use crate::hub::subscriptions::Subscriptions;

/// How far the client's task is with what it took before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has messages in hand: it takes control frames only.
    InHand,
    /// All is encoded.
    Encoded,
    /// All is written.
    Written,
}

/// What the client's task does next.
#[derive(Debug)]
pub struct Taken {
    /// To be sent first.
    pub control: Vec<Control>,
    /// To be sent then.
    pub item: Option<Item<Ordered>>,
    /// There is more, which is not to be taken before this: the client's task comes again then.
    pub silent_until: Option<Instant>,
    /// What was purged so far: tells whether a part that was taken before is still to be sent.
    pub purges: Purges,
    /// Which messages of `item` the client wants.
    pub subscriptions: Arc<Subscriptions>,
    /// Set once there is nothing left to send before it.
    pub closing: Option<Closing>,
}

impl Outbox {
    /// Takes what is to be sent next.
    pub fn take(&mut self, progress: Progress, now: Instant) -> Taken {
        let (mut item, mut silent_until) = (None, None);
        if progress != Progress::InHand {
            match self.turn(progress, now) {
                Turn::Now => item = self.data.take(),
                Turn::Later(until) => {
                    self.data.finish();
                    silent_until = until;
                }
            }
        }
        match &item {
            Some(Item::Other(Ordered::Control(control))) => {
                self.ordered -= 1;
                self.control_bytes -= control.frame.weight();
            }
            Some(Item::Other(Ordered::Session(session))) => {
                self.ordered -= 1;
                self.control_bytes -= session.bytes();
                self.on_session(now);
            }
            Some(Item::Other(Ordered::Time(_)) | Item::Messages(_)) | None => {}
        }
        let control: Vec<Control> = self.control.drain(..).collect();
        if control.iter().any(|control| control.kind == ControlKind::Session) {
            self.silence.has_joined = true;
            self.silence.declared();
        }
        self.control_bytes -= control.iter().map(|control| control.frame.weight()).sum::<usize>();
        if self.data.is_empty() {
            self.collapse_at = self.limit;
        }
        let immediately = self.closing.as_ref().is_some_and(|closing| !closing.drain);
        let closing = (immediately || self.data.is_drained()).then(|| self.closing.clone()).flatten();
        if self.data.is_drained() && self.subscriptions.has_ended() {
            let number = self.next_number();
            Arc::make_mut(&mut self.subscriptions).forget_ended(number);
        }
        let subscriptions = self.subscriptions.clone();
        Taken { control, item, silent_until, purges: self.purges, subscriptions, closing }
    }
}
