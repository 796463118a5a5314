//! WebSocket frames to messages (RFC 6455 section 5, and RFC 7692 for compressed ones).
//!
//! Bytes come in as they were read, cut anywhere; what breaks a rule ends the connection with the close code that
//! belongs to it. A message, compressed or not, has a largest size, and memory is taken only for what has arrived, or a
//! little ahead of that where a large message is read to its place ([`direct`]). Of text that is longer than the other end
//! may send nothing is kept, and the connection goes on.

use bytes::Bytes;

use self::budget::Charge;
use self::head::{Head, MAX_CONTROL, MAX_HEAD, Opcode, TOO_LARGE, invalid, protocol};
use self::small::{Small, is_small};
use super::Role;
use super::deflate::{Context, InflateError, Inflater};
use super::mask::{self, Mask};
use super::negotiation::Agreement;

mod budget;
mod direct;
mod head;
mod small;

pub use budget::Budget;
pub use head::Violation;

/// What the other end sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A text message.
    Text(String),
    /// A text message of so many bytes, which is more than the other end may send; see [`Decoder::with_max_text`].
    LongText(usize),
    /// A binary message.
    Binary(Bytes),
    /// A binary message of which no more than its first bytes were kept; see [`Decoder::with_heads`].
    Head {
        /// Its first bytes.
        head: Bytes,
        /// Bytes of the whole message.
        length: usize,
    },
    /// To be answered by a pong with the same payload.
    Ping(Bytes),
    /// The answer to a ping, or a sign of life that nobody asked for.
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

/// Which binary messages are not kept whole.
#[derive(Debug, Clone, Copy)]
struct Heads {
    /// The byte that they begin with.
    first: u8,
    kept: usize,
}

/// A data message whose last fragment has not arrived in full.
#[derive(Debug)]
struct Message {
    is_text: bool,
    compressed: bool,
    /// Bytes that arrived for it: bounds the work that a compressed message makes, as its size bounds the memory.
    arrived: usize,
    data: Vec<u8>,
    /// Bytes that are not kept: of a text that is too long, or beyond the head of a message.
    discarded: usize,
}

impl Message {
    /// Bytes that may still be in it.
    fn room(&self, max_message: usize) -> usize {
        max_message.saturating_sub(self.discarded)
    }

    /// Keeps nothing of a text that is too long, and no more of a binary message than is wanted.
    fn discard(&mut self, max_text: usize, heads: Option<Heads>) {
        if self.is_text && (self.discarded > 0 || self.data.len() > max_text) {
            self.discarded += self.data.len();
            self.data = Vec::new();
        }
        if let Some(kept) = self.kept(heads)
            && self.data.len() > kept
        {
            self.discarded += self.data.len() - kept;
            self.data.truncate(kept);
        }
    }

    /// How many bytes are kept, once that is known to be fewer than all.
    fn kept(&self, heads: Option<Heads>) -> Option<usize> {
        let heads = heads.filter(|heads| !self.is_text && self.data.first() == Some(&heads.first));
        heads.map(|heads| heads.kept)
    }

    /// Takes payload that begins `offset` bytes after the head of a frame with `left` bytes.
    fn append(
        &mut self,
        payload: &[u8],
        mask: Option<Mask>,
        offset: usize,
        left: usize,
        heads: Option<Heads>,
    ) {
        let whole = payload.len();
        let mut payload = payload;
        // only the first byte tells whether the rest is wanted
        if let Some(heads) = heads.filter(|_| !self.is_text) {
            let wanted = heads.kept.saturating_sub(self.data.len());
            let (now, later) = payload.split_at(wanted.min(whole));
            let expected = self.data.len() + now.len();
            append(&mut self.data, now, mask, offset, expected);
            if self.kept(Some(heads)).is_some() {
                self.discarded += later.len();
                return;
            }
            payload = later;
        }
        let taken = whole - payload.len();
        let expected = self.data.len() + left - taken;
        append(&mut self.data, payload, mask, offset + taken, expected);
    }
}

/// The reading side of one end of a connection.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    max_message: usize,
    max_text: usize,
    heads: Option<Heads>,
    /// What the message that has not arrived in full takes of a budget.
    charge: Option<Charge>,
    head: [u8; MAX_HEAD],
    head_length: usize,
    frame: Option<Frame>,
    message: Option<Message>,
    small: Small,
    control: Vec<u8>,
    /// How the other end compresses, if that was agreed on.
    compression: Option<Context>,
    inflater: Option<Inflater>,
    closed: bool,
}

impl Decoder {
    /// For an end in this role: messages have at most `max_message` bytes (inflated, and as they arrive), and may be
    /// compressed as was agreed on.
    pub fn new(role: Role, max_message: usize, agreement: Option<Agreement>) -> Self {
        Self {
            role,
            max_message,
            max_text: max_message,
            heads: None,
            charge: None,
            head: [0; MAX_HEAD],
            head_length: 0,
            frame: None,
            message: None,
            small: Small::default(),
            control: Vec::new(),
            compression: agreement.map(|agreement| match role {
                Role::Server => agreement.context(Role::Client),
                Role::Client => agreement.context(Role::Server),
            }),
            inflater: None,
            closed: false,
        }
    }

    /// Text messages have at most so many bytes, inflated; of a longer one only [`Event::LongText`] comes.
    #[must_use]
    pub fn with_max_text(self, max_text: usize) -> Self {
        Self { max_text, ..self }
    }

    /// Of binary messages that begin with this byte only so many bytes are kept, at least one: for who counts messages.
    #[must_use]
    pub fn with_heads(self, first: u8, kept: usize) -> Self {
        Self { heads: Some(Heads { first, kept: kept.max(1) }), ..self }
    }

    /// What has arrived of a message counts against a budget that is shared with other connections. Beyond it the
    /// connection is closed with code 1013 (try again later).
    #[must_use]
    pub fn with_budget(self, budget: &Budget) -> Self {
        Self { charge: Some(Charge::new(budget)), ..self }
    }

    /// Takes bytes from the front of `input` up to the end of the next event; None: they are all taken. After a close
    /// frame or an error nothing more comes.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Violation> {
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
            let needed = match Head::decode(&self.head[..self.head_length], self.role, self.max_message)? {
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
            return if message.arrived + head.length > self.max_message { Err(TOO_LARGE) } else { Ok(()) };
        }
        if self.message.is_some() {
            return Err(protocol("a message begins before the one before it has ended"));
        }
        if head.compressed && self.compression.is_none() {
            return Err(protocol("compression was not negotiated"));
        }
        let is_text = head.opcode == Opcode::Text;
        self.message = Some(Message {
            is_text,
            compressed: head.compressed,
            arrived: 0,
            data: Vec::new(),
            discarded: 0,
        });
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
        if is_small(head) && frame.arrived == 0 && now.len() == head.length && self.heads.is_none() {
            (self.frame, self.message) = (None, None);
            return Ok(Some(Event::Binary(self.small.copy(now))));
        }
        match (&mut self.message, is_control) {
            (_, true) => append(&mut self.control, now, head.mask, frame.arrived, MAX_CONTROL),
            (Some(message), false) if message.compressed => {
                let context = self.compression.unwrap_or(Context::Alone);
                let inflater = self.inflater.get_or_insert_with(|| Inflater::new(context));
                let room = message.room(self.max_message);
                inflate(inflater, &mut message.data, now, head.mask, frame.arrived, room)?;
            }
            (Some(message), false) => message.append(now, head.mask, frame.arrived, left, self.heads),
            (None, false) => {}
        }
        if let (Some(message), false) = (&mut self.message, is_control) {
            message.discard(self.max_text, self.heads);
        }
        self.arrived(now.len())
    }

    /// Payload of the frame has been taken; an event if the frame is complete and ends something.
    fn arrived(&mut self, bytes: usize) -> Result<Option<Event>, Violation> {
        let Some(frame) = &mut self.frame else { return Ok(None) };
        let head = frame.head;
        let is_control = head.opcode.is_control();
        frame.arrived += bytes;
        let is_complete = frame.arrived == head.length;
        if let (Some(message), false) = (&mut self.message, is_control) {
            message.arrived += bytes;
            if let Some(charge) = &mut self.charge {
                charge.set(message.data.capacity())?;
            }
        }
        if !is_complete {
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
        if let (true, Some(inflater)) = (message.compressed, &mut self.inflater) {
            let room = message.room(self.max_message);
            inflater.finish(&mut message.data, room).map_err(from_inflate)?;
            if self.compression == Some(Context::Alone) {
                self.inflater = None;
            }
        }
        if let Some(charge) = &mut self.charge {
            charge.release();
        }
        Ok(Some(match (message.is_text, message.discarded) {
            (true, 0) => {
                Event::Text(String::from_utf8(message.data).map_err(|_error| invalid("text is not UTF-8"))?)
            }
            (true, discarded) => Event::LongText(discarded),
            (false, 0) => Event::Binary(message.data.into()),
            (false, discarded) => {
                let length = message.data.len() + discarded;
                Event::Head { head: message.data.into(), length }
            }
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
        InflateError::TooLarge => TOO_LARGE,
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

/// Inflates payload that begins `offset` bytes after the head; what is masked in pieces, unmasked on the stack.
fn inflate(
    inflater: &mut Inflater,
    output: &mut Vec<u8>,
    payload: &[u8],
    mask: Option<Mask>,
    mut offset: usize,
    limit: usize,
) -> Result<(), Violation> {
    let Some(mask) = mask else {
        return inflater.inflate(payload, output, limit).map_err(from_inflate);
    };
    let mut space = [0; 1024];
    for chunk in payload.chunks(space.len()) {
        let piece = &mut space[..chunk.len()];
        piece.copy_from_slice(chunk);
        mask::apply(piece, mask, offset);
        inflater.inflate(piece, output, limit).map_err(from_inflate)?;
        offset += chunk.len();
    }
    Ok(())
}

/// Appends payload that begins `offset` bytes after the head. The buffer grows with what arrives, up to `expected`.
fn append(buffer: &mut Vec<u8>, payload: &[u8], mask: Option<Mask>, offset: usize, expected: usize) {
    let start = buffer.len();
    if buffer.capacity() - start < payload.len() {
        let wanted = (start + payload.len()).max(2 * buffer.capacity()).min(expected);
        buffer.reserve_exact(wanted - start);
    }
    buffer.extend_from_slice(payload);
    if let Some(mask) = mask {
        mask::apply(&mut buffer[start..], mask, offset);
    }
}

#[cfg(test)]
mod tests;
