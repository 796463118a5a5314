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
mod tests {
    use super::*;
    use crate::websocket::Role;

    const CUT: usize = 64 << 10;

    /// A server's frame.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first, 127];
        frame.extend((payload.len() as u64).to_be_bytes());
        frame.extend(payload);
        frame
    }

    fn payload(seed: u8, length: usize) -> Vec<u8> {
        (0..251).cycle().take(length).map(|byte: u8| byte ^ seed).collect()
    }

    /// Reads as from a connection that has `CUT` bytes at a time; the messages, and bytes that were read without a copy.
    fn read(decoder: &mut Decoder, mut sent: &[u8]) -> (Vec<Event>, usize) {
        let (mut events, mut direct) = (Vec::new(), 0);
        while !sent.is_empty() {
            if let Some(mut space) = decoder.space() {
                let (now, later) = sent.split_at(CUT.min(sent.len()).min(space.chunk_mut().len()));
                space.put_slice(now);
                sent = later;
                direct += now.len();
                events.extend(decoder.filled(now.len()).unwrap());
                continue;
            }
            let (mut now, later) = sent.split_at(CUT.min(sent.len()));
            sent = later;
            while let Some(event) = decoder.decode(&mut now).unwrap() {
                events.push(event);
            }
            assert!(now.is_empty());
        }
        (events, direct)
    }

    #[test]
    fn large_messages_are_whole_however_they_are_read() {
        let (one, other) = (payload(1, 300_000), payload(2, 6_000_000));
        let (first, second) = one.split_at(100_000);
        let ping = [0x89, 2, 7, 8];
        let sent = [
            &frame(2, first)[..],
            &ping,
            &frame(0x80, second),
            &frame(0x82, &other),
            &frame(0x81, &[b'x'; 200_000]),
        ];
        let mut decoder = Decoder::new(Role::Client, 16 << 20, None);
        let (events, direct) = read(&mut decoder, &sent.concat());
        let text = "x".repeat(200_000);
        let expected = [
            Event::Ping(vec![7, 8].into()),
            Event::Binary(one.into()),
            Event::Binary(other.into()),
            Event::Text(text),
        ];
        assert!(events == expected);
        assert!(direct > 6_000_000, "{direct}");
    }

    #[test]
    fn what_is_not_kept_is_not_read_so() {
        let heads = || Decoder::new(Role::Client, 16 << 20, None).with_heads(1, 13);
        let (events, direct) = read(&mut heads(), &frame(0x82, &[1; 300_000]));
        assert!(matches!(&events[..], [Event::Head { length: 300_000, .. }]));
        assert_eq!(direct, 0);
        let (events, direct) = read(&mut heads(), &frame(0x82, &[2; 300_000]));
        assert!(events == [Event::Binary(vec![2; 300_000].into())]);
        assert!(direct > 100_000);
    }

    #[test]
    fn memory_is_taken_for_little_more_than_has_arrived() {
        let mut decoder = Decoder::new(Role::Client, 1 << 30, None);
        let sent = frame(0x82, &payload(3, 50 << 20));
        let (events, _) = read(&mut decoder, &sent[..1 << 20]);
        assert_eq!(events, []);
        assert_eq!(decoder.message.as_ref().map(|message| message.data.capacity()), Some(AT_ONCE));
        let (events, _) = read(&mut decoder, &sent[1 << 20..]);
        assert!(matches!(&events[..], [Event::Binary(bytes)] if bytes.len() == 50 << 20));
    }
}
