//! The file that tells scripts where the server listens (`--ready-file`).

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Writes the URL, and a new line: the file is there whole or not at all. One that holds something else than an URL of
/// an earlier run is not replaced.
pub(super) fn write(path: &Path, url: &str) -> anyhow::Result<()> {
    let context = || format!("--ready-file {}", path.display());
    if !is_ours(path) {
        bail!("{}: there is a file that no foxglove-bridge wrote; name another", context());
    }
    let new = beside(path);
    let written = std::fs::File::create(&new)
        .and_then(|mut file| file.write_all(format!("{url}\n").as_bytes()))
        .and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        // what is left of it is of no use
        std::fs::remove_file(&new).ok();
    }
    written.with_context(context)
}

/// Removes the file: nobody listens there any more.
pub(super) fn remove(path: &Path) {
    if is_ours(path)
        && let Err(error) = std::fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::debug!("--ready-file {}: {error}", path.display());
    }
}

/// Whether there is no file, or one that holds an URL of ours.
fn is_ours(path: &Path) -> bool {
    match std::fs::symlink_metadata(path) {
        Err(_) => true,
        Ok(metadata) if metadata.is_file() && metadata.len() < 1000 => {
            std::fs::read(path).is_ok_and(|text| text.is_empty() || text.starts_with(b"ws://"))
        }
        Ok(_) => false,
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_the_url_and_nothing_else_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready");
        write(&path, "ws://localhost:1").unwrap();
        write(&path, "ws://localhost:2").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "ws://localhost:2\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        remove(&path);
        assert!(!path.exists());
        std::fs::write(&path, "precious").unwrap();
        assert!(write(&path, "ws://localhost:3").unwrap_err().to_string().contains("name another"));
        remove(&path);
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        assert!(write(&folder.path().join("none/ready"), "ws://").is_err());
    }
}
