//! What viewers can do beside watching: publish, see who is connected, fetch files.

use anyhow::Context;
use foxglove_bridge::assets::Assets;
use foxglove_bridge::hub::Hub;
use foxglove_bridge::input::{Observer, Published};
use foxglove_bridge::source::RecordedAttachment;

use crate::cli::config::AssetOptions;

/// Offers all of it in a hub; assets only if there are some. `observer`: who is shown what clients publish.
pub(super) fn offer(
    hub: &Hub,
    observer: Option<Observer>,
    options: &AssetOptions,
    attachments: &[RecordedAttachment],
) -> anyhow::Result<()> {
    Published::provide(hub, observer)?;
    hub.provide_connections()?;
    for folder in &options.folders {
        folder.check().with_context(|| format!("--assets {}", folder.prefix()))?;
    }
    let assets = Assets::of_folders(options.folders.clone())
        .with_attachments(attachments.to_vec())
        .with_largest(options.largest);
    if !assets.is_empty() {
        assets.provide(hub)?;
    }
    Ok(())
}
