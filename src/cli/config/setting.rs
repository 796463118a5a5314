//! A key and its value as text, and where it was set.

use std::fmt;
use std::path::PathBuf;

use super::keys::Key;

/// Where a setting was made, from the weakest to the strongest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// A line of a TOML file, counted from 1.
    File {
        /// The file as the user named it.
        path: PathBuf,
        /// Line of the value.
        line: usize,
    },
    /// An environment variable.
    Environment,
    /// A flag or argument of the command line.
    Flag,
}

impl Origin {
    pub(super) fn strength(&self) -> u8 {
        match self {
            Self::File { .. } => 0,
            Self::Environment => 1,
            Self::Flag => 2,
        }
    }
}

/// A key and what it is set to, still as text.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// Which option.
    pub(crate) key: &'static Key,
    /// One value, or for lists any number.
    pub(crate) values: Vec<String>,
    /// Where from; decides which setting wins.
    pub(crate) origin: Origin,
}

impl fmt::Display for Setting {
    /// The setting as the user wrote it, for error messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File { path, line } => write!(f, "{}:{line}: {}", path.display(), self.key.name),
            Origin::Environment => f.write_str(&self.key.variable()),
            Origin::Flag if self.key.name == "source" => f.write_str("SOURCE"),
            Origin::Flag => write!(f, "--{}", self.key.name),
        }
    }
}
