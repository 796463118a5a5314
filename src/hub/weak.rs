//! A hub that is not kept alive: for providers that a hub owns and that use it.

use std::fmt;
use std::sync::{Arc, Weak};

use super::{Hub, Shared};

/// Leads to a hub as long as somebody else keeps it.
#[derive(Clone)]
pub(crate) struct WeakHub(Weak<Shared>);

impl fmt::Debug for WeakHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakHub")
    }
}

impl WeakHub {
    /// The hub, if it is still there.
    pub(crate) fn upgrade(&self) -> Option<Hub> {
        self.0.upgrade().map(Hub)
    }
}

impl Hub {
    /// A handle that does not keep the hub alive.
    pub(crate) fn downgrade(&self) -> WeakHub {
        WeakHub(Arc::downgrade(&self.0))
    }
}
