//! A hub that is not kept alive: for providers that a hub owns and that use it.

use std::sync::Weak;

use super::{Hub, Shared};

/// Leads to a hub as long as somebody else keeps it.
#[derive(Clone)]
pub(crate) struct WeakHub(Weak<Shared>);

impl WeakHub {
    /// The hub, if it is still there.
    pub(crate) fn upgrade(&self) -> Option<Hub> {
        self.0.upgrade().map(Hub)
    }
}

impl Hub {
    /// A handle that does not keep the hub alive.
    pub(crate) fn downgrade(&self) -> WeakHub {
        WeakHub(std::sync::Arc::downgrade(&self.0))
    }
}
