//! Where a recording begins, among other bytes.

use mcap::records::op;

use crate::source::mcap::records::{MAGIC, record_header};

/// No header is longer.
const MAX_HEADER: u64 = 1 << 20;

/// What some bytes say about the beginning of a recording in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// It is here.
    At(usize),
    /// The bytes end before it is clear.
    PerhapsAt(usize),
    Nowhere,
}

/// Looks for a recording that begins in `bytes`.
pub(super) fn beginning_in(bytes: &[u8]) -> Beginning {
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|byte| *byte == MAGIC[0]) {
        at += next;
        match is_beginning(&bytes[at..]) {
            Some(true) => return Beginning::At(at),
            Some(false) => at += 1,
            None => return Beginning::PerhapsAt(at),
        }
    }
    Beginning::Nowhere
}

/// Whether a recording begins here; None if there are not enough bytes to know.
pub(super) fn is_beginning(bytes: &[u8]) -> Option<bool> {
    let fits = MAGIC.iter().chain(&[op::HEADER]).zip(bytes).all(|(wanted, byte)| wanted == byte);
    match bytes.get(MAGIC.len()..).and_then(record_header) {
        _ if !fits => Some(false),
        Some((_, length)) => Some(length <= MAX_HEADER),
        None => None,
    }
}
