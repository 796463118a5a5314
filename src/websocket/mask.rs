//! Masking (RFC 6455 section 5.3).

/// The key of one frame.
pub type Mask = [u8; 4];

/// Where a [`FrameWriter`](super::FrameWriter) takes the keys of its frames from: [`Unmasked`] for a server; for a
/// client a closure that returns a new one for each frame, which nobody can predict (section 10.3).
pub trait Masking {
    /// The key of the next frame; None: it is not masked.
    fn next_key(&mut self) -> Option<Mask>;
}

/// A server's frames are not masked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unmasked;

impl Masking for Unmasked {
    fn next_key(&mut self) -> Option<Mask> {
        None
    }
}

impl<F: FnMut() -> Mask> Masking for F {
    fn next_key(&mut self) -> Option<Mask> {
        Some(self())
    }
}

/// Masks payload that begins `offset` bytes after the head, or removes the mask.
pub(super) fn apply(bytes: &mut [u8], mut mask: Mask, offset: usize) {
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
