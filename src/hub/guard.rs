//! Calls of code that is not the hub's own: what panics is logged, and the rest goes on.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls a provider; None if it panics. Its responder has answered then, as it was dropped.
pub(super) fn call<T>(capability: &str, provider: impl FnOnce() -> T) -> Option<T> {
    guarded(format_args!("the provider of {capability}"), provider)
}

/// Runs what may panic; None if it does.
pub(super) fn guarded<T>(who: impl fmt::Display, run: impl FnOnce() -> T) -> Option<T> {
    // what it leaves half changed is its own
    catch_unwind(AssertUnwindSafe(run)).inspect_err(|_panic| tracing::error!("{who} panicked")).ok()
}
