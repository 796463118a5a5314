//! Calls of code that is not the hub's own: what panics is logged, and the rest goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls a provider; None if it panics. Its responder has answered then, as it was dropped.
pub(super) fn call<T>(capability: &str, provider: impl FnOnce() -> T) -> Option<T> {
    // what it leaves half changed is its own
    let called = catch_unwind(AssertUnwindSafe(provider));
    called.inspect_err(|_panic| tracing::error!("the provider of {capability} panicked")).ok()
}

/// Runs a handler that may panic.
pub(super) fn guarded(job: impl FnOnce()) {
    // what it leaves half changed is its own
    if catch_unwind(AssertUnwindSafe(job)).is_err() {
        tracing::error!("a handler panicked");
    }
}
