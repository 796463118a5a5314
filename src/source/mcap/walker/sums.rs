//! Checksums of what passes: CRC-32 of a recording's data section, and of attachments in it.

use std::ops::Range;

use crc32fast::Hasher;

use crate::source::mcap::records::{MAGIC, to_usize};

/// Bytes of a CRC.
const CRC: u64 = 4;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(in crate::source::mcap) struct Sums {
    /// Of all bytes since the recording's magic.
    data: Hasher,
    part: Option<Part>,
}

/// Bytes with their CRC after them.
#[derive(Debug)]
struct Part {
    range: Range<u64>,
    sum: Hasher,
    stored: Vec<u8>,
}

impl Sums {
    /// A recording begins; its magic has passed.
    pub(super) fn begin(&mut self) {
        self.data = Hasher::new();
        self.data.update(MAGIC);
    }

    /// Bytes pass that lie at `offset`.
    pub(super) fn pass(&mut self, offset: u64, bytes: &[u8]) {
        self.data.update(bytes);
        let Some(part) = &mut self.part else { return };
        part.sum.update(within(offset, bytes, &part.range));
        part.stored.extend_from_slice(within(offset, bytes, &(part.range.end..part.range.end + CRC)));
    }

    /// The CRC of the data section, if it ends here.
    pub(in crate::source::mcap) fn data(&self) -> u32 {
        self.data.clone().finalize()
    }

    /// Sums up the bytes in a range, which are followed by their CRC; they have not passed yet.
    pub(in crate::source::mcap) fn watch(&mut self, range: Range<u64>) {
        self.part = Some(Part { range, sum: Hasher::new(), stored: Vec::new() });
    }

    /// What [`Sums::watch`] came to: the CRC, and that after the bytes. None if they did not pass whole.
    pub(in crate::source::mcap) fn take_watched(&mut self) -> Option<(u32, u32)> {
        let part = self.part.take()?;
        Some((part.sum.finalize(), u32::from_le_bytes(part.stored.try_into().ok()?)))
    }
}

/// The part of some bytes at `offset` that lies in a range.
fn within<'a>(offset: u64, bytes: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let place = |at: u64| to_usize(at.saturating_sub(offset)).min(bytes.len());
    &bytes[place(range.start)..place(range.end)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_summed_up_however_it_passes() {
        let data: Vec<u8> = (0..200).collect();
        let sum = crc32fast::hash(&data[20..120]);
        let mut bytes = data.clone();
        bytes[120..124].copy_from_slice(&sum.to_le_bytes());
        for length in [1, 3, 7, 50, 119, 121, 200] {
            let mut sums = Sums::default();
            sums.begin();
            sums.watch(1020..1120);
            for (number, piece) in bytes.chunks(length).enumerate() {
                sums.pass(1000 + (number * length) as u64, piece);
            }
            assert_eq!(sums.take_watched(), Some((sum, sum)), "{length}");
            assert_eq!(sums.take_watched(), None);
            assert_eq!(sums.data(), crc32fast::hash(&[&MAGIC[..], &bytes].concat()));
        }
        let mut cut = Sums::default();
        cut.watch(0..100);
        cut.pass(0, &bytes[..103]);
        assert_eq!(cut.take_watched(), None);
    }
}
