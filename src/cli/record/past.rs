//! Which messages of a topic have been stored: a server sends what still counts of a latched topic with each subscription.

use std::collections::VecDeque;

use foxglove_bridge::client::Message;
use foxglove_bridge::time::Timestamp;

/// The first messages of a topic that are known again, and as many of its last ones: a latched topic has a message of each
/// publisher, and some publishers have been silent since the start.
const KNOWN: usize = 512;

/// What tells a message of a topic from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print {
    log_time: Timestamp,
    length: usize,
    crc: u32,
}

impl Print {
    pub(super) fn of(message: &Message) -> Self {
        let (length, crc) = (message.payload.len(), crc32fast::hash(&message.payload));
        Self { log_time: message.log_time, length, crc }
    }
}

/// The messages of a topic that are known again. Of long topics those in the middle are not.
#[derive(Debug, Default)]
pub(super) struct Past {
    first: Vec<Print>,
    last: VecDeque<Print>,
}

impl Past {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    pub(super) fn note(&mut self, message: Print) {
        if self.first.len() < KNOWN {
            return self.first.push(message);
        }
        if self.last.len() == KNOWN {
            self.last.pop_front();
        }
        self.last.push_back(message);
    }

    pub(super) fn has(&self, message: &Print) -> bool {
        self.last.contains(message) || self.first.contains(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(number: u64) -> Print {
        Print { log_time: Timestamp(number), length: 7, crc: 7 }
    }

    #[test]
    fn the_first_and_the_last_messages_are_known_again() {
        let (mut past, known) = (Past::default(), KNOWN as u64);
        (0..10 * known).for_each(|number| past.note(print(number)));
        for number in [0, known - 1, 9 * known, 10 * known - 1] {
            assert!(past.has(&print(number)), "{number}");
        }
        for number in [known, 9 * known - 1, 10 * known] {
            assert!(!past.has(&print(number)), "{number}");
        }
    }

    #[test]
    fn another_time_or_payload_is_another_message() {
        let mut past = Past::default();
        past.note(print(1));
        assert!(past.has(&print(1)));
        for other in [print(2), Print { length: 8, ..print(1) }, Print { crc: 8, ..print(1) }] {
            assert!(!past.has(&other), "{other:?}");
        }
    }
}
