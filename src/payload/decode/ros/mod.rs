//! Messages of ROS and DDS to JSON: values one after the other, without names, as a [`Layout`] says.

mod walk;
mod wire;

use super::definition::Layout;
use super::error::{DecodeError, Result};
use super::out::Out;
use walk::Walker;
use wire::{Cdr1, Cdr2, Ros1, Wire};

/// How values lie on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// ROS 1: little-endian, without padding.
    Ros1,
    /// CDR, of the version and byte order that the payload says.
    Cdr,
}

/// Bytes that say the representation, before the message itself.
const HEADER: usize = 4;

/// Writes a payload; returns how many bytes are left over.
pub(super) fn write(encoding: Encoding, layout: &Layout, payload: &[u8], out: &mut Out<'_>) -> Result<usize> {
    match encoding {
        Encoding::Ros1 => walk::<Ros1>(layout, payload, 0, out),
        Encoding::Cdr => {
            let left = cdr(layout, payload, out)?;
            // the length of a payload is a multiple of four on the way
            Ok(if left < HEADER { 0 } else { left })
        }
    }
}

/// By the representation identifier, <https://www.omg.org/spec/DDSI-RTPS/2.5> table 10.2.
fn cdr(layout: &Layout, payload: &[u8], out: &mut Out<'_>) -> Result<usize> {
    let Some(header) = payload.first_chunk::<HEADER>() else {
        return Err(DecodeError::beyond("the CDR header of 4 bytes", 0, payload.len()));
    };
    match [header[0], header[1]] {
        [0, 0] => walk::<Cdr1<true>>(layout, payload, HEADER, out),
        [0, 1] => walk::<Cdr1<false>>(layout, payload, HEADER, out),
        [0, 6] => walk::<Cdr2<true>>(layout, payload, HEADER, out),
        [0, 7] => walk::<Cdr2<false>>(layout, payload, HEADER, out),
        [0, 2 | 3] => {
            Err(DecodeError::unsupported(0, "CDR with parameter lists (mutable types) is not supported"))
        }
        [0, 8 | 9] => Err(DecodeError::unsupported(0, "delimited CDR 2 (appendable types) is not supported")),
        [0, 10 | 11] => {
            Err(DecodeError::unsupported(0, "CDR 2 with member headers (mutable types) is not supported"))
        }
        // ros2 bag record --compression-mode message
        [0x28, 0xB5] => {
            Err(DecodeError::unsupported(0, "the payload is compressed with zstd, message by message"))
        }
        _ => Err(DecodeError::new(0, format!("begins with {header:02x?}, which is no CDR header"))),
    }
}

fn walk<W: Wire>(layout: &Layout, payload: &[u8], start: usize, out: &mut Out<'_>) -> Result<usize> {
    let mut walker = Walker::<W>::new(layout, payload, start, out);
    walker.root()?;
    Ok(walker.left())
}
