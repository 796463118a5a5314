//! A folder of assets: reads what is below it, and nothing else.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{too_large, uri};

/// Why a folder can't have assets.
#[derive(Debug, thiserror::Error)]
pub enum BadFolder {
    /// There is no prefix.
    #[error("'{0}' names no prefix and folder; write package://rover=/opt/rover")]
    Form(String),
    /// The folder can't be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is no folder.
    #[error("{}: is not a folder", .0.display())]
    NoFolder(PathBuf),
}

/// A folder, and with what the URIs of the files below it begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetFolder {
    prefix: String,
    path: PathBuf,
}

impl AssetFolder {
    /// `package://rover` and the folder of that package, for example. The folder must be there; what is in it may change.
    pub fn new(prefix: impl Into<String>, path: impl Into<PathBuf>) -> Result<Self, BadFolder> {
        let (prefix, path) = (prefix.into(), path.into());
        if prefix.is_empty() {
            return Err(BadFolder::Form(format!("={}", path.display())));
        }
        let folder = Self { prefix, path };
        folder.check()?;
        Ok(folder)
    }

    /// Whether the folder is there.
    pub fn check(&self) -> Result<(), BadFolder> {
        let path = || self.path.clone();
        match self.path.metadata() {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => Err(BadFolder::NoFolder(path())),
            Err(error) => Err(BadFolder::Io { path: path(), error }),
        }
    }

    /// What URIs begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What of a URI leads from the folder to a file; None if this is not the folder for it.
    pub(super) fn rest<'a>(&self, uri: &'a str) -> Option<&'a str> {
        uri::after(&self.prefix, uri)
    }

    /// The content of a file. The error is for the client, and names nothing that the client has not named.
    pub(super) fn read(&self, rest: &str, largest: usize) -> Result<Vec<u8>, String> {
        let names = uri::names(rest)?;
        let file = self.open(&names).map_err(|refused| refused.to_string())?;
        let size = file.metadata().map_err(reading)?.len();
        if size > largest as u64 {
            return Err(too_large(size, largest));
        }
        let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        // it may grow meanwhile
        file.take(largest as u64 + 1).read_to_end(&mut content).map_err(reading)?;
        if content.len() > largest {
            return Err(too_large(content.len() as u64, largest));
        }
        Ok(content)
    }

    /// Opens a regular file below the folder. Symbolic links are followed as long as they lead there.
    fn open(&self, names: &[String]) -> Result<File, Refused> {
        let root = self.path.canonicalize()?;
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
}

impl FromStr for AssetFolder {
    type Err = BadFolder;

    /// `PREFIX=FOLDER`. Whether the folder is there is not looked at: see [`AssetFolder::check`].
    fn from_str(text: &str) -> Result<Self, BadFolder> {
        match text.split_once('=') {
            Some((prefix, path)) if !prefix.is_empty() && !path.is_empty() => {
                Ok(Self { prefix: prefix.to_owned(), path: path.into() })
            }
            _ => Err(BadFolder::Form(text.to_owned())),
        }
    }
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
enum Refused {
    #[error("leads out of its folder")]
    Outside,
    #[error("is not a regular file")]
    NoFile,
    #[error("{}", reading_ref(.0))]
    Io(#[from] io::Error),
}

fn reading(error: io::Error) -> String {
    reading_ref(&error)
}

/// What the system says, in the words of a client.
fn reading_ref(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        kind => format!("can't be read: {kind}"),
    }
}
