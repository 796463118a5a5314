//! What every client is shown, now and when it joins: facts for good, and conditions while they hold.
//!
//! All of it has level 0: no client has made a mistake, and some viewers show a modal box for the other levels. Viewers
//! forget what they were shown when a new session begins, so that each begins with what holds then.

use super::outbox::{ControlKind, Encoded};
use super::{Hub, Publisher, lock};
use crate::protocol::{ServerMessage, Status};

/// Facts that are kept for clients that join; further ones are shown to those that are there.
const MOST_FACTS: usize = 100;

/// What clients that join are shown.
#[derive(Debug, Default)]
pub(super) struct Notices(Vec<Notice>);

#[derive(Debug)]
struct Notice {
    /// Of a condition.
    id: Option<&'static str>,
    text: String,
    frame: Encoded,
}

impl Notices {
    pub(super) fn frames(&self) -> impl Iterator<Item = &Encoded> {
        self.0.iter().map(|notice| &notice.frame)
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|notice| notice.text.as_str())
    }

    /// Keeps a fact, once.
    fn remember(&mut self, text: &str, frame: Encoded) {
        let facts = self.0.iter().filter(|notice| notice.id.is_none()).count();
        if facts < MOST_FACTS && self.frames().all(|shown| *shown != frame) {
            self.0.push(Notice { id: None, text: text.to_owned(), frame });
        }
    }

    /// Forgets a condition. Returns whether it was there.
    fn forget(&mut self, id: &'static str) -> bool {
        let before = self.0.len();
        self.0.retain(|notice| notice.id != Some(id));
        self.0.len() < before
    }
}

impl Hub {
    /// Shows every client a text, now or when it joins. The text should be constant for one cause, which the caller logs.
    pub(crate) fn notice(&self, text: &str) {
        let frame = Encoded::from(ServerMessage::Status(Status::info(text)).encode());
        let mut state = lock(&self.0.state);
        state.broadcast(ControlKind::Lasting, &frame);
        state.notices.remember(text, frame);
    }
}

impl Publisher {
    /// Shows every client a text, now or when it joins: a status of level 0. The text should be constant for one cause,
    /// which the caller logs.
    pub fn notice(&self, text: &str) {
        self.0.notice(text);
    }

    /// Shows every client a text, now or when it joins, until [`Publisher::clear`] takes it back: a status of level 0 with
    /// this id. A text that is shown under the id is replaced. The text should be constant for one id.
    pub fn condition(&self, id: &'static str, text: &str) {
        let status = Status::info(text).with_id(id);
        let frame = Encoded::from(ServerMessage::Status(status).encode());
        let mut state = lock(&self.0.0.state);
        state.notices.forget(id);
        state.broadcast(ControlKind::Lasting, &frame);
        state.notices.0.push(Notice { id: Some(id), text: text.to_owned(), frame });
    }

    /// Takes back what [`Publisher::condition`] shows under this id, if it shows something.
    pub fn clear(&self, id: &'static str) {
        let mut state = lock(&self.0.0.state);
        if state.notices.forget(id) {
            let remove = ServerMessage::RemoveStatus(vec![id.to_owned()]).encode().into();
            state.broadcast(ControlKind::Lasting, &remove);
        }
    }
}
