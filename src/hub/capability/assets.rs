//! The capability `assets`: files that clients fetch by URI, for example the meshes of a robot.
//!
//! ```
//! use std::path::PathBuf;
//! use std::sync::Arc;
//!
//! use bytes::Bytes;
//! use foxglove_bridge::hub::capability::assets::Assets;
//! use foxglove_bridge::hub::responder::Responder;
//! use foxglove_bridge::hub::{Hub, HubOptions};
//!
//! /// `package://rover/…`, from one folder.
//! struct Meshes(PathBuf);
//!
//! impl Assets for Meshes {
//!     fn fetch(&self, uri: String, answer: Responder<Result<Bytes, String>>) {
//!         // who asks must not reach files beside the folder
//!         let name = uri.strip_prefix("package://rover/").filter(|name| !name.contains(".."));
//!         let Some(file) = name.map(|name| self.0.join(name.trim_start_matches('/'))) else {
//!             return answer.respond(Err(format!("there is no {uri}")));
//!         };
//!         std::thread::spawn(move || {
//!             answer.respond(std::fs::read(file).map(Bytes::from).map_err(|error| error.to_string()));
//!         });
//!     }
//! }
//!
//! let hub = Hub::new("robot", HubOptions::default());
//! hub.provide_assets(Arc::new(Meshes("/opt/rover".into())))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
