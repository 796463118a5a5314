//! WebSocket frames of a client, to messages (RFC 6455 section 5, and RFC 7692 for compressed ones). Pure.
//!
//! Bytes come in as they were read, cut anywhere; what breaks a rule ends the connection with the close code that
//! belongs to it. A message, compressed or not, takes [`MAX_MESSAGE`] bytes at the most, and memory is taken only
//! for what has arrived.

use bytes::Bytes;

use super::head::{
    Head, MAX_CONTROL, MAX_HEAD, MAX_MESSAGE, Mask, Opcode, TOO_LONG, Violation, invalid, protocol,
};
use crate::server::deflate::{InflateError, Inflater};

/// What a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) enum Event {
    Text(String),
    Binary(Bytes),
    /// To be answered by a pong with the same payload.
    Ping(Bytes),
    Pong,
    /// With the code of the close frame, if it has one. Nothing follows.
    Close(Option<u16>),
}

/// A frame whose payload has not arrived in full.
#[derive(Debug)]
struct Frame {
    head: Head,
    /// Bytes of payload that have arrived.
    arrived: usize,
}

/// A data message whose last fragment has not arrived in full.
#[derive(Debug)]
struct Message {
    is_text: bool,
    compressed: bool,
    /// Bytes that arrived for it: bounds the work that a compressed message makes, as its size bounds the memory.
    arrived: usize,
    data: Vec<u8>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::server) struct Decoder {
    head: [u8; MAX_HEAD],
    head_length: usize,
    frame: Option<Frame>,
    message: Option<Message>,
    control: Vec<u8>,
    /// Whether compression was negotiated.
    deflate: bool,
    inflater: Option<Inflater>,
    closed: bool,
}

impl Decoder {
    /// `deflate`: clients may send compressed messages, each of them on its own (`client_no_context_takeover`).
    pub(in crate::server) fn new(deflate: bool) -> Self {
        Self {
            head: [0; MAX_HEAD],
            head_length: 0,
            frame: None,
            message: None,
            control: Vec::new(),
            deflate,
            inflater: None,
            closed: false,
        }
    }

    /// Takes bytes from the front of `input` up to the end of the next event; None: they are all taken. After a close
    /// frame or an error nothing more comes.
    pub(in crate::server) fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Violation> {
        if self.closed {
            *input = &[];
            return Ok(None);
        }
        let decoded = self.next(input);
        self.closed = matches!(decoded, Err(_) | Ok(Some(Event::Close(_))));
        decoded
    }

    fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Violation> {
        loop {
            if self.frame.is_none() && !self.begin_frame(input)? {
                return Ok(None);
            }
            let event = self.continue_frame(input)?;
            if event.is_some() || self.frame.is_some() {
                return Ok(event);
            }
        }
    }

    /// Takes the head of a frame; false if it is not complete yet.
    fn begin_frame(&mut self, input: &mut &[u8]) -> Result<bool, Violation> {
        loop {
            let needed = match Head::decode(&self.head[..self.head_length])? {
                Ok(head) => {
                    self.head_length = 0;
                    self.begin_message(head)?;
                    self.frame = Some(Frame { head, arrived: 0 });
                    return Ok(true);
                }
                Err(needed) => needed,
            };
            let taken = input.len().min(needed - self.head_length);
            if taken == 0 {
                return Ok(false);
            }
            let (now, later) = input.split_at(taken);
            self.head[self.head_length..self.head_length + taken].copy_from_slice(now);
            self.head_length += taken;
            *input = later;
        }
    }

    /// Checks that a frame may come here, and in which message it is.
    fn begin_message(&mut self, head: Head) -> Result<(), Violation> {
        if head.opcode.is_control() || head.opcode == Opcode::Continuation {
            if head.compressed {
                return Err(protocol("only the first frame of a message says that it is compressed"));
            }
            if head.opcode.is_control() {
                return Ok(());
            }
            let message = self.message.as_ref().ok_or(protocol("a continuation without a beginning"))?;
            return if message.arrived + head.length > MAX_MESSAGE { Err(TOO_LONG) } else { Ok(()) };
        }
        if self.message.is_some() {
            return Err(protocol("a message begins before the one before it has ended"));
        }
        if head.compressed && !self.deflate {
            return Err(protocol("compression was not negotiated"));
        }
        let is_text = head.opcode == Opcode::Text;
        self.message = Some(Message { is_text, compressed: head.compressed, arrived: 0, data: Vec::new() });
        Ok(())
    }

    /// Takes payload; an event if a frame is complete that ends something.
    fn continue_frame(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Violation> {
        let Some(frame) = &mut self.frame else { return Ok(None) };
        let head = frame.head;
        let left = head.length - frame.arrived;
        let (now, later) = input.split_at(input.len().min(left));
        *input = later;
        let is_control = head.opcode.is_control();
        match (&mut self.message, is_control) {
            (_, true) => append_unmasked(&mut self.control, now, head.mask, frame.arrived, MAX_CONTROL),
            (Some(message), false) if message.compressed => {
                message.arrived += now.len();
                let inflater = self.inflater.get_or_insert_with(Inflater::default);
                // in pieces, unmasked on the stack
                let mut piece = [0; 1024];
                for (index, chunk) in now.chunks(piece.len()).enumerate() {
                    let begin = frame.arrived + index * piece.len();
                    let piece = &mut piece[..chunk.len()];
                    piece.copy_from_slice(chunk);
                    unmask(piece, head.mask, begin);
                    inflater.inflate(piece, &mut message.data, MAX_MESSAGE).map_err(from_inflate)?;
                }
            }
            (Some(message), false) => {
                message.arrived += now.len();
                let expected = message.data.len() + left;
                append_unmasked(&mut message.data, now, head.mask, frame.arrived, expected);
            }
            (None, false) => {}
        }
        frame.arrived += now.len();
        if frame.arrived < head.length {
            return Ok(None);
        }
        self.frame = None;
        if is_control {
            return self.end_control(head.opcode).map(Some);
        }
        if head.fin { self.end_message() } else { Ok(None) }
    }

    fn end_message(&mut self) -> Result<Option<Event>, Violation> {
        let Some(mut message) = self.message.take() else { return Ok(None) };
        if let (true, Some(inflater)) = (message.compressed, self.inflater.take()) {
            inflater.finish(&mut message.data, MAX_MESSAGE).map_err(from_inflate)?;
        }
        Ok(Some(if message.is_text {
            Event::Text(String::from_utf8(message.data).map_err(|_error| invalid("text is not UTF-8"))?)
        } else {
            Event::Binary(message.data.into())
        }))
    }

    fn end_control(&mut self, opcode: Opcode) -> Result<Event, Violation> {
        let payload = std::mem::take(&mut self.control);
        match opcode {
            Opcode::Ping => Ok(Event::Ping(payload.into())),
            Opcode::Close => close_code(&payload).map(Event::Close),
            Opcode::Pong | Opcode::Continuation | Opcode::Text | Opcode::Binary => Ok(Event::Pong),
        }
    }
}

fn from_inflate(error: InflateError) -> Violation {
    match error {
        InflateError::TooLong => TOO_LONG,
        InflateError::Invalid => invalid("compressed data is damaged"),
    }
}

/// The code of a close frame (sections 5.5.1 and 7.4).
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    match payload {
        [] => Ok(None),
        [_] => Err(protocol("a close frame with half a code")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(protocol("a close code that must not be sent"));
            }
            match std::str::from_utf8(reason) {
                Ok(_) => Ok(Some(code)),
                Err(_) => Err(invalid("the reason of a close is not UTF-8")),
            }
        }
    }
}

/// Appends payload that begins `offset` bytes after the head. The buffer grows with what arrives, up to `expected`.
pub(super) fn append_unmasked(
    buffer: &mut Vec<u8>,
    masked: &[u8],
    mask: Mask,
    offset: usize,
    expected: usize,
) {
    let start = buffer.len();
    if buffer.capacity() - start < masked.len() {
        let wanted = (start + masked.len()).max(2 * buffer.capacity()).min(expected);
        buffer.reserve_exact(wanted - start);
    }
    buffer.extend_from_slice(masked);
    unmask(&mut buffer[start..], mask, offset);
}

fn unmask(bytes: &mut [u8], mut mask: Mask, offset: usize) {
    mask.rotate_left(offset % 4);
    let word = u32::from_ne_bytes(mask);
    let mut words = bytes.chunks_exact_mut(4);
    for chunk in &mut words {
        if let Ok(array) = <[u8; 4]>::try_from(&*chunk) {
            chunk.copy_from_slice(&(u32::from_ne_bytes(array) ^ word).to_ne_bytes());
        }
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask) {
        *byte ^= mask;
    }
}
