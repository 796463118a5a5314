//! Files that clients fetch by URI: from folders, and what is attached to recordings. The capability `assets`.
//!
//! A folder answers for all URIs that begin with its prefix; of several the longest prefix counts. Nothing outside of the
//! folder is read, whatever a URI, a symbolic link, or somebody who changes the folder meanwhile says; no device and no
//! pipe; and nothing that is larger than allowed. An attachment is fetched by its name, or by `attachment:NAME`; of
//! several of one name the first, `NAME#2` is the second. Files are read on threads of the hub.
//!
//! ```
//! use foxglove_bridge::assets::{AssetFolder, Assets};
//! use foxglove_bridge::hub::{Hub, HubOptions};
//!
//! let hub = Hub::new("rover", HubOptions::default());
//! // package://rover/meshes/wheel.stl is ./meshes/wheel.stl
//! let folder = AssetFolder::new("package://rover", ".")?;
//! Assets::of_folders(vec![folder]).provide(&hub)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;

use bytes::Bytes;

use crate::hub::capability::assets as capability;
use crate::hub::responder::Responder;
use crate::hub::{AlreadyProvided, Hub, Workers};
use crate::printable::{SHORT, printable};
use crate::source::RecordedAttachment;

mod attached;
mod folder;
mod uri;

pub use folder::{AssetFolder, BadFolder};

/// The largest asset, if nothing else is said: the meshes of a robot have some megabytes.
pub const LARGEST_ASSET: usize = 64 << 20;

/// Bytes of a URI; paths of most systems end there.
const LONGEST_URI: usize = 4096;

/// See the module's documentation.
#[derive(Debug)]
pub struct Assets {
    /// Those with longer prefixes first.
    folders: Vec<AssetFolder>,
    attachments: Vec<RecordedAttachment>,
    largest: usize,
}

impl Assets {
    /// From these folders.
    pub fn of_folders(mut folders: Vec<AssetFolder>) -> Self {
        folders.sort_by_key(|folder| std::cmp::Reverse(folder.prefix().len()));
        Self { folders, attachments: Vec::new(), largest: LARGEST_ASSET }
    }

    /// And what is attached to recordings ([`RecordingInfo::attachments`](crate::source::RecordingInfo::attachments)). A
    /// folder whose prefix fits counts first.
    pub fn with_attachments(self, attachments: Vec<RecordedAttachment>) -> Self {
        Self { attachments, ..self }
    }

    /// Refuses what is larger, in bytes. Default: [`LARGEST_ASSET`].
    pub fn with_largest(self, largest: usize) -> Self {
        Self { largest, ..self }
    }

    /// Whether there is neither a folder nor an attachment.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.attachments.is_empty()
    }

    /// Offers them to the clients of a hub that join from now on.
    pub fn provide(self, hub: &Hub) -> Result<(), AlreadyProvided> {
        hub.provide_assets(Arc::new(Provider { assets: Arc::new(self), workers: hub.workers() }))
    }

    /// The content of an asset. May block.
    fn read(&self, uri: &str) -> Result<Bytes, String> {
        let shown = printable(uri, SHORT);
        if uri.len() > LONGEST_URI {
            return Err(format!("{shown}: the URI has {} bytes, {LONGEST_URI} are allowed", uri.len()));
        }
        let folder = self.folders.iter().find_map(|folder| Some((folder, folder.rest(uri)?)));
        let read = match folder {
            Some((folder, rest)) => folder.read(rest, self.largest),
            None => {
                attached::find(&self.attachments, uri).and_then(|found| attached::read(found, self.largest))
            }
        };
        read.map(Bytes::from).map_err(|reason| format!("{shown}: {reason}"))
    }
}

/// The way from the hub to assets.
struct Provider {
    assets: Arc<Assets>,
    workers: Workers,
}

impl capability::Assets for Provider {
    fn fetch(&self, uri: String, answer: Responder<Result<Bytes, String>>) {
        let assets = self.assets.clone();
        let read = move || {
            let read = assets.read(&uri);
            if let Err(reason) = &read {
                tracing::debug!("{reason}");
            }
            answer.respond(read);
        };
        if let Err(error) = self.workers.run(Box::new(read)) {
            tracing::warn!("an asset is not read: {error}");
        }
    }
}

/// What is larger than allowed.
fn too_large(size: u64, largest: usize) -> String {
    format!("has {size} bytes, more than the {largest} that this server gives out")
}

#[cfg(test)]
mod tests;
