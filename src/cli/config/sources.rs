//! Which sources can be served.

use std::ffi::OsStr;

use foxglove_bridge::input::listen::Listener;

use super::{ConfigError, ServeOptions, address};

/// Whether a source is named as one that is live: stdin, or a socket.
pub(crate) fn is_live(spec: impl AsRef<OsStr>) -> bool {
    spec.as_ref() == "-" || Listener::is_meant(spec)
}

/// Refuses addresses, and sources that can only be read once, like devices and pipes: recordings are read at any place.
pub(crate) fn check_files(options: &ServeOptions) -> Result<(), ConfigError> {
    for spec in options.sources.iter().filter(|spec| !is_live(spec)) {
        if let Some(way_out) = spec.to_str().and_then(address::way_out) {
            return Err(ConfigError::Address { source_name: spec.display().to_string(), way_out });
        }
        // a file that is missing is reported by who opens it
        let what = std::fs::metadata(spec).ok().and_then(|metadata| special(metadata.file_type()));
        if let Some(what) = what {
            return Err(ConfigError::NotAFile { path: spec.display().to_string(), what });
        }
    }
    Ok(())
}

#[cfg(unix)]
fn special(kind: std::fs::FileType) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt;
    let kinds = [
        (kind.is_fifo(), "a pipe"),
        (kind.is_char_device() || kind.is_block_device(), "a device"),
        (kind.is_socket(), "a socket"),
    ];
    kinds.iter().find(|(is, _)| *is).map(|(_, what)| *what)
}

#[cfg(not(unix))]
fn special(_kind: std::fs::FileType) -> Option<&'static str> {
    None
}
