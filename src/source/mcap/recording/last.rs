//! The segment that was decoded last, for who asks for messages of it again and again.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::source::SourceError;

/// The largest segment that is kept, in bytes.
const LARGEST: usize = 32 << 20;

/// See the module's documentation. Several files can share it.
#[derive(Debug, Default)]
pub(super) struct LastSegment(Mutex<Option<(u32, u64, Bytes)>>);

impl LastSegment {
    /// The segment of a file at an offset, decoded if it is not the last.
    pub(super) fn get(
        &self,
        file: u32,
        offset: u64,
        decode: impl FnOnce() -> Result<Bytes, SourceError>,
    ) -> Result<Bytes, SourceError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, bytes)) = last.as_ref().filter(|(of, at, _)| (*of, *at) == (file, offset)) {
            return Ok(bytes.clone());
        }
        // so that there are never two
        *last = None;
        let bytes = decode()?;
        *last = (bytes.len() <= LARGEST).then(|| (file, offset, bytes.clone()));
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_segment_is_kept_unless_it_is_large() {
        let last = LastSegment::default();
        let decoded = std::cell::Cell::new(0);
        let get = |file, offset, size: usize| {
            let decode = || {
                decoded.set(decoded.get() + 1);
                Ok(Bytes::from(vec![0; size]))
            };
            assert_eq!(last.get(file, offset, decode).unwrap().len(), size);
            decoded.get()
        };
        assert_eq!([get(0, 8, 5), get(0, 8, 5), get(1, 8, 6), get(0, 8, 5)], [1, 1, 2, 3]);
        let large = LARGEST + 1;
        assert_eq!([get(0, 9, large), get(0, 9, large)], [4, 5]);
    }
}
