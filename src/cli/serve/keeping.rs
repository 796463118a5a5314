//! What is kept of live input, and who has it saved.

use std::path::absolute;

use foxglove_bridge::hub::Hub;
use foxglove_bridge::hub::responder::Responder;
use foxglove_bridge::sink::{BlackBox, BlackBoxError, BlackBoxOptions, Keep};
use foxglove_bridge::time::duration_text;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cli::config::{Kept, ServeOptions};
use crate::cli::{Failure, figures};

/// Keeps what is asked for, until `stop`; then what waits for more is saved as it is.
pub(super) fn start(
    hub: &Hub,
    options: &ServeOptions,
    keep: Keep,
    stop: &CancellationToken,
) -> Result<Option<JoinHandle<()>>, Failure> {
    let Some(Kept { window, bytes }) = options.keep else { return Ok(None) };
    // as it is told to who asks
    let folder = absolute(&options.save_dir).unwrap_or_else(|_unknown| options.save_dir.clone());
    let most = figures::bytes(bytes as u64);
    let kept = match window {
        Some(window) => format!("the last {} of live input, at most {most}", duration_text(window)),
        None => format!("the last {most} of live input"),
    };
    let into = folder.display().to_string();
    let black_box = BlackBoxOptions { window, bytes, keep, folder, after: options.save_after };
    let black_box = BlackBox::start(hub, black_box).map_err(|error| {
        let option = if matches!(error, BlackBoxError::Folder { .. }) { "--save-dir" } else { "--keep" };
        Failure::Input(anyhow::Error::from(error).context(option))
    })?;
    tracing::info!("keeping {kept}; it is saved into {into}");
    let stop = stop.clone();
    Ok(Some(tokio::spawn(async move {
        stop.cancelled().await;
        // waits for the disk
        if let Err(error) = tokio::task::spawn_blocking(move || drop(black_box)).await {
            tracing::error!("ending what is kept: {error}");
        }
    })))
}

/// Has it saved; what comes of that is logged.
pub(super) fn save(hub: &Hub) {
    match hub.saver() {
        Some(saver) => {
            tracing::info!("saving what is kept");
            saver.save(Responder::ignore());
        }
        None => tracing::info!(
            "nothing is kept that could be saved; --keep 60s keeps the last minute of live input"
        ),
    }
}
