//! The newest event of each kind, for all listeners. Pure.

use std::collections::VecDeque;

use bytes::Bytes;
use serde::Serialize;

/// Warnings that a listener can still be sent.
const WARNINGS: usize = 100;

/// What an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Status,
    Playback,
    Topics,
    Clients,
    Warning,
}

impl Kind {
    /// Kinds of which only the newest event counts.
    const STATES: usize = 4;

    fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Playback => "playback",
            Self::Topics => "topics",
            Self::Clients => "clients",
            Self::Warning => "warning",
        }
    }
}

/// An event as it is sent.
pub(super) fn event(kind: Kind, data: &impl Serialize) -> Vec<u8> {
    let mut event = format!("event: {}\ndata: ", kind.name()).into_bytes();
    if let Err(error) = serde_json::to_writer(&mut event, data) {
        // our own types have only names and numbers
        tracing::error!("an event is not sent: {error}");
        return Vec::new();
    }
    event.extend_from_slice(b"\n\n");
    event
}

/// Events, each with its number.
#[derive(Debug, Default)]
pub(super) struct Board {
    newest: u64,
    states: [Option<(u64, Bytes)>; Kind::STATES],
    warnings: VecDeque<(u64, Bytes)>,
}

impl Board {
    /// The number of the newest event.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Puts an event in the place of the one of its kind; a warning behind the others. False if it says the same as that.
    pub(super) fn post(&mut self, kind: Kind, event: Vec<u8>) -> bool {
        let event = Bytes::from(event);
        let number = self.newest + 1;
        if kind == Kind::Warning {
            self.warnings.push_back((number, event));
            if self.warnings.len() > WARNINGS {
                self.warnings.pop_front();
            }
        } else {
            let place = &mut self.states[kind as usize];
            if place.as_ref().is_some_and(|(_, before)| *before == event) {
                return false;
            }
            *place = Some((number, event));
        }
        self.newest = number;
        true
    }

    /// The events after a number, in the order of their numbers.
    pub(super) fn since(&self, seen: u64) -> Bytes {
        let all = self.states.iter().flatten().chain(&self.warnings);
        let mut newer: Vec<_> = all.filter(|(number, _)| *number > seen).collect();
        newer.sort_by_key(|(number, _)| *number);
        match newer[..] {
            [(_, only)] => only.clone(),
            _ => newer.iter().flat_map(|(_, event)| event.iter().copied()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_sent_the_newest_of_each_kind_and_every_warning() {
        let mut board = Board::default();
        assert_eq!(board.since(0), Bytes::new());
        assert!(board.post(Kind::Status, b"s1 ".to_vec()));
        assert!(board.post(Kind::Playback, b"p1 ".to_vec()));
        assert!(board.post(Kind::Warning, b"w1 ".to_vec()));
        assert!(!board.post(Kind::Status, b"s1 ".to_vec()), "nothing new");
        assert_eq!((board.newest(), board.since(0)), (3, Bytes::from("s1 p1 w1 ")));
        board.post(Kind::Playback, b"p2 ".to_vec());
        board.post(Kind::Warning, b"w1 ".to_vec());
        assert_eq!(board.since(3), "p2 w1 ");
        assert_eq!(board.since(0), "s1 w1 p2 w1 ");
        assert_eq!(board.since(5), Bytes::new());
    }

    #[test]
    fn old_warnings_are_left_out() {
        let mut board = Board::default();
        for _ in 0..2 * WARNINGS {
            board.post(Kind::Warning, b"w".to_vec());
        }
        assert_eq!(board.since(0).len(), WARNINGS);
    }

    #[test]
    fn an_event_is_one_line_of_json() {
        let text = event(Kind::Warning, &serde_json::json!({"text": "a\nb"}));
        assert_eq!(text, b"event: warning\ndata: {\"text\":\"a\\nb\"}\n\n");
    }
}
