//! The few forms of the protobuf wire.

/// Appends a number in groups of seven bits.
pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// Appends the key of a field.
pub(super) fn key(out: &mut Vec<u8>, number: u32, wire_type: u32) {
    varint(out, u64::from(number << 3 | wire_type));
}

/// Makes room for the length of what follows; [`close`] fills it in.
pub(super) fn open(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

/// Puts the length before what was appended since [`open`].
pub(super) fn close(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    // one byte is there already: short contents, which are most, are not moved
    match u8::try_from(length) {
        Ok(byte @ ..0x80) => out[start - 1] = byte,
        _ => {
            let mut text = Vec::new();
            varint(&mut text, length as u64);
            out.splice(start - 1..start, text);
        }
    }
}

/// Small numbers of either sign to small numbers.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}
