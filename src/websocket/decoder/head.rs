//! The head of a frame (RFC 6455 section 5.2), and what can be wrong with it.

use super::super::Role;
use super::super::mask::Mask;

/// The largest payload of a control frame (section 5.5).
pub(super) const MAX_CONTROL: usize = 125;

/// First byte, length byte, length of 8 bytes, mask.
pub(super) const MAX_HEAD: usize = 14;

/// What the other end did wrong, as the code and the reason to close with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Violation {
    /// Of the close frame (section 7.4.1).
    pub code: u16,
    /// For people; in the close frame.
    pub reason: &'static str,
}

pub(super) const fn protocol(reason: &'static str) -> Violation {
    Violation { code: 1002, reason }
}

pub(super) const fn invalid(reason: &'static str) -> Violation {
    Violation { code: 1007, reason }
}

pub(super) const TOO_LARGE: Violation = Violation { code: 1009, reason: "message too large" };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) fin: bool,
    pub(super) compressed: bool,
    pub(super) opcode: Opcode,
    pub(super) length: usize,
    /// None: the payload is not masked.
    pub(super) mask: Option<Mask>,
}

impl Head {
    /// The head at the beginning of `bytes`, as it comes to an end in this role; Err(n): it has at least n bytes.
    pub(super) fn decode(
        bytes: &[u8],
        role: Role,
        max_message: usize,
    ) -> Result<Result<Self, usize>, Violation> {
        let [first, second, rest @ ..] = bytes else { return Ok(Err(2)) };
        let opcode = match first & 0x0F {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return Err(protocol("reserved opcode")),
        };
        if first & 0x30 != 0 {
            return Err(protocol("reserved bit set"));
        }
        // section 5.1
        match (role, second & 0x80 != 0) {
            (Role::Server, false) => return Err(protocol("a client's frames must be masked")),
            (Role::Client, true) => return Err(protocol("a server's frames must not be masked")),
            (Role::Server, true) | (Role::Client, false) => {}
        }
        let fin = first & 0x80 != 0;
        let short = usize::from(second & 0x7F);
        if opcode.is_control() && (!fin || short > MAX_CONTROL) {
            return Err(protocol("a control frame must be whole and have at most 125 bytes"));
        }
        let (length, rest) = match (short, rest) {
            (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest),
            (126, _) => return Ok(Err(4)),
            (127, rest) => match rest.split_first_chunk::<8>() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(Err(10)),
            },
            (short, rest) => (short as u64, rest),
        };
        if (short == 126 && length < 126) || (short == 127 && length <= u64::from(u16::MAX)) {
            return Err(protocol("a length is not in its shortest form"));
        }
        if length >> 63 != 0 {
            return Err(protocol("a length has its highest bit set"));
        }
        let length = usize::try_from(length).ok().filter(|length| *length <= max_message).ok_or(TOO_LARGE)?;
        let mask = match (role, rest.split_first_chunk::<4>()) {
            (Role::Client, _) => None,
            (Role::Server, Some((mask, _))) => Some(*mask),
            (Role::Server, None) => return Ok(Err(bytes.len() - rest.len() + 4)),
        };
        Ok(Ok(Self { fin, compressed: first & 0x40 != 0, opcode, length, mask }))
    }
}
