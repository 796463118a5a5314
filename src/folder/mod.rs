//! Files below a folder, and nothing else: what is given out of a folder leads nowhere beyond it.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

pub(crate) mod names;

/// Opens a regular file below a folder. Symbolic links are followed as long as they lead there. `names`: see
/// [`names::names`].
pub(crate) fn open(folder: &Path, names: &[String]) -> Result<File, Refused> {
    let root = folder.canonicalize()?;
    let path = names.iter().fold(root.clone(), |path, name| path.join(name)).canonicalize()?;
    // without links and without `..`
    let below = path.strip_prefix(&root).map_err(|_outside| Refused::Outside)?;
    // opening a device or a pipe may have effects
    if !path.symlink_metadata()?.is_file() {
        return Err(Refused::NoFile);
    }
    let file = open_below(&root, below)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(Refused::NoFile) }
}

/// Opens a path below a folder, name by name, none of them a link: one that was put there since it was looked at leads
/// nowhere.
#[cfg(unix)]
fn open_below(root: &Path, below: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, openat};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = File::open(root)?;
    let mut names = below.iter().peekable();
    while let Some(name) = names.next() {
        let is_last = names.peek().is_none();
        // a pipe or a device that took the file's place must not be waited for
        let kind = if is_last { OFlags::NONBLOCK | OFlags::NOCTTY } else { OFlags::DIRECTORY };
        at = openat(&at, name, flags | kind, Mode::empty())?.into();
    }
    Ok(at)
}

#[cfg(not(unix))]
fn open_below(root: &Path, below: &Path) -> io::Result<File> {
    File::open(root.join(below))
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("leads out of its folder")]
    Outside,
    #[error("is not a regular file")]
    NoFile,
    #[error("{}", reading(.0))]
    Io(#[from] io::Error),
}

/// What the system says, in the words of a client.
pub(crate) fn reading(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        kind => format!("can't be read: {kind}"),
    }
}
