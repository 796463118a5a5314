//! Lines of the log about who is refused: there may be many.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::hub::lock;
use crate::log_limit::LogLimit;
use crate::printable::{SHORT, printable};

/// Lines within ten seconds.
const LINES: u32 = 10;

/// What of refusals is logged; clones share it.
#[derive(Clone)]
pub(super) struct Refusals(Arc<Mutex<LogLimit>>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LogLimit::new(LINES))))
    }
}

impl Refusals {
    /// Logs that something is refused, and why.
    pub(super) fn log(&self, what: fmt::Arguments<'_>, reason: &str) {
        if let Some(left_out) = lock(&self.0).admit(Instant::now()) {
            let what = what.to_string();
            tracing::info!("{}: {}{left_out}", printable(&what, SHORT), printable(reason, 2 * SHORT));
        }
    }
}
