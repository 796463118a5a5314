//! How fast the recording plays that is measured.

use std::sync::atomic::{AtomicU64, Ordering};

use foxglove_bridge::protocol::{PlaybackState, PlaybackStatus};

/// From this speed on messages come as fast as they are taken.
const MAX: f32 = 1000.0;

/// Speed and number of changes, for many threads.
#[derive(Debug)]
pub(super) struct Speed(AtomicU64);

impl Default for Speed {
    /// A server that says nothing of playback is taken to be at speed 1.
    fn default() -> Self {
        Self(AtomicU64::new(u64::from(1.0f32.to_bits()) << 32))
    }
}

impl Speed {
    /// The speed, and a number that changes with it; None if messages come as fast as they are taken.
    pub(super) fn now(&self) -> Option<(f32, u32)> {
        let both = self.0.load(Ordering::Relaxed);
        let number = u32::try_from(both & u64::from(u32::MAX)).unwrap_or(0);
        let speed = f32::from_bits(u32::try_from(both >> 32).unwrap_or(0));
        (speed > 0.0 && speed < MAX).then_some((speed, number))
    }

    /// Something about playback has changed. Called by one thread alone.
    pub(super) fn set(&self, speed: f32) {
        let number = (self.0.load(Ordering::Relaxed) + 1) & u64::from(u32::MAX);
        self.0.store(u64::from(speed.to_bits()) << 32 | number, Ordering::Relaxed);
    }

    /// Playback has another state: time between messages before and after it says nothing.
    pub(super) fn on_state(&self, state: &PlaybackState) {
        let is_playing = state.status == PlaybackStatus::Playing;
        self.set(if is_playing { state.speed } else { 0.0 });
    }
}
