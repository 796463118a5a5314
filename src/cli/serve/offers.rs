//! What viewers can do beside watching: publish, see who is connected, fetch files.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use foxglove_bridge::assets::Assets;
use foxglove_bridge::hub::Hub;
use foxglove_bridge::input::{Observer, Published};
use foxglove_bridge::server::{Metric, MetricKind, Server};
use foxglove_bridge::source::RecordedAttachment;
use foxglove_bridge::source::json_lines::InputCounts;

use crate::cli::config::{AssetOptions, WebOptions};

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

/// Counts lines of live input in the server's metrics.
pub(super) fn count_lines(server: Server, counts: &Arc<InputCounts>) -> Server {
    let metric = |name, help, figure: fn(&InputCounts) -> &AtomicU64| {
        let counts = counts.clone();
        let read = move || figure(&counts).load(Ordering::Relaxed) as f64;
        Metric::new(name, MetricKind::Counter, help, read)
    };
    server
        .with_metric(metric("foxglove_bridge_input_lines_total", "Lines that came in", |counts| {
            &counts.lines
        }))
        .with_metric(metric(
            "foxglove_bridge_input_bad_lines_total",
            "Lines that could not be used",
            |counts| &counts.bad,
        ))
}

/// Offers folders over HTTP; an error if one is not there.
pub(super) fn folders(mut server: Server, options: &WebOptions) -> anyhow::Result<Server> {
    if let Some(layouts) = &options.layouts {
        check(layouts, "--layouts")?;
        server = server.with_layouts(layouts);
    }
    if let Some(viewer) = &options.viewer {
        check(viewer, "--ui")?;
        server = server.with_viewer(viewer);
    }
    Ok(server)
}

fn check(folder: &Path, option: &str) -> anyhow::Result<()> {
    let named = || format!("{option} {}", folder.display());
    if !folder.metadata().with_context(named)?.is_dir() {
        bail!("{}: it is not a folder", named());
    }
    Ok(())
}
