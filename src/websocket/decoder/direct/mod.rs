//! Large messages that are read to where they belong, which saves a copy.

use bytes::BufMut;
use bytes::buf::Limit;

use super::{Decoder, Event, Violation};

/// Where less of a frame is to come, one read may give other frames as well.
const LEAST: usize = 32 << 10;

/// Memory for this much of a message is taken at once, for more of it when that has arrived.
const AT_ONCE: usize = 4 << 20;

impl Decoder {
    /// Where the next bytes of the connection belong, if they are much of a binary message that is kept as it is sent. What
    /// is read to there is not for [`Decoder::decode`] but for [`Decoder::filled`].
    pub fn space(&mut self) -> Option<Limit<&mut Vec<u8>>> {
        let (Some(frame), Some(message)) = (&self.frame, &mut self.message) else { return None };
        let left = frame.head.length - frame.arrived;
        let is_as_sent = frame.head.mask.is_none() && !message.compressed;
        // only the first byte tells whether the rest is wanted
        let is_wanted =
            self.heads.is_none() || (!message.data.is_empty() && message.kept(self.heads).is_none());
        if left < LEAST || !is_as_sent || message.is_text || !is_wanted {
            return None;
        }
        let data = &mut message.data;
        if data.capacity() - data.len() < LEAST {
            let wanted = (2 * data.capacity()).max(AT_ONCE).min(data.len() + left);
            data.reserve_exact(wanted - data.len());
        }
        Some(data.limit(left))
    }

    /// So many bytes were read into [`Decoder::space`]; an event if they end a message.
    pub fn filled(&mut self, bytes: usize) -> Result<Option<Event>, Violation> {
        let decoded = self.arrived(bytes);
        self.closed |= decoded.is_err();
        decoded
    }
}

#[cfg(test)]
mod tests;
