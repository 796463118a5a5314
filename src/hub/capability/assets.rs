//! The capability `assets`: files that clients fetch by URI, for example the meshes of a robot.

use std::sync::Arc;

use bytes::Bytes;

use crate::hub::responder::Responder;
use crate::hub::{AlreadyProvided, Hub};

/// Has assets.
pub trait Assets: Send + Sync {
    /// The content of an asset, or why there is none. Returns at once; whoever reads a file does so on another thread.
    fn fetch(&self, uri: String, answer: Responder<Result<Bytes, String>>);
}

impl Hub {
    /// Registers who has assets; clients that join from now on know that there are some.
    pub fn provide_assets(&self, assets: Arc<dyn Assets>) -> Result<(), AlreadyProvided> {
        self.provide("assets", assets, |slots| &mut slots.assets, |_state| {})
    }
}
