//! Warnings about channels of lines.

use std::fmt::Display;
use std::time::Instant;

use crate::log_limit::LogLimit;

/// In ten seconds, of all inputs.
const WARNINGS: u32 = 20;

/// Warnings about channels that are new: writers can cause them as often as they like.
#[derive(Debug)]
pub(super) struct Warnings(LogLimit);

impl Default for Warnings {
    fn default() -> Self {
        Self(LogLimit::new(WARNINGS))
    }
}

impl Warnings {
    pub(super) fn warn(&mut self, text: impl Display) {
        if let Some(left_out) = self.0.admit(Instant::now()) {
            tracing::warn!("{text}{left_out}");
        }
    }
}
