//! Numbers that nobody can predict: keys that mask frames, nonces, and chance.

use crate::websocket::{Mask, Masking};

/// Bytes that are asked of the system at a time.
const AHEAD: usize = 256;

/// Unpredictable bytes, had from the system in advance: a call for each frame would cost more than the frame.
pub(super) struct Random {
    ready: [u8; AHEAD],
    used: usize,
}

impl Random {
    pub(super) fn new() -> Self {
        Self { ready: [0; AHEAD], used: AHEAD }
    }

    /// The next bytes; N is at most 256.
    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        if self.used + N > AHEAD {
            // without a source of chance the masks are known, which harms proxies alone (RFC 6455 section 10.3)
            if let Err(error) = getrandom::fill(&mut self.ready) {
                tracing::warn!("this system gives no random numbers: {error}");
            }
            self.used = 0;
        }
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.ready[self.used..self.used + N]);
        self.used += N;
        bytes
    }
}

/// Each frame gets its own key (RFC 6455 section 5.3).
impl Masking for Random {
    fn next_key(&mut self) -> Option<Mask> {
        Some(self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_do_not_repeat() {
        let mut random = Random::new();
        let drawn: std::collections::BTreeSet<[u8; 16]> = (0..100).map(|_| random.bytes()).collect();
        assert_eq!(drawn.len(), 100);
    }
}
