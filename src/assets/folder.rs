//! A folder of assets: reads what is below it, and nothing else.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{too_large, uri};
use crate::folder::{self, names, reading};

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
        let names = names::names(rest)?;
        let file = folder::open(&self.path, &names).map_err(|refused| refused.to_string())?;
        let size = file.metadata().map_err(|error| reading(&error))?.len();
        if size > largest as u64 {
            return Err(too_large(size, largest));
        }
        let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        // it may grow meanwhile
        file.take(largest as u64 + 1).read_to_end(&mut content).map_err(|error| reading(&error))?;
        if content.len() > largest {
            return Err(too_large(content.len() as u64, largest));
        }
        Ok(content)
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
