//! What can be wrong with settings.

use std::path::PathBuf;

/// Why settings make no options.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A value that its key does not take.
    #[error("{setting}: {reason}")]
    Value {
        /// Where it is, for example `--rate` or `bridge.toml:3: rate`.
        setting: String,
        /// What is wrong with it, and what can be written.
        reason: String,
    },
    /// A key that does not exist.
    #[error("{}:{line}: unknown key '{key}'; {hint}", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// Line of the key, from 1.
        line: usize,
        /// The key as written.
        key: String,
        /// The likeliest key, or all.
        hint: String,
    },
    /// Not TOML.
    #[error("{}:{line}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line where reading stopped, from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// The file can't be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing to play.
    #[error("no source given; name a recording (foxglove-bridge serve drive.mcap), or - for stdin")]
    NoSource,
    /// An option that means nothing alone.
    #[error("{setting} needs --{needed} as well: {why}")]
    Missing {
        /// What is set, for example `--csv` or `bridge.toml:3: csv`.
        setting: String,
        /// The key that is not.
        needed: &'static str,
        /// What it is for.
        why: &'static str,
    },
    /// A flag that means nothing for what is served.
    #[error("{setting}: {why}")]
    DoesNotFit {
        /// The flag.
        setting: String,
        /// Why, and the way out.
        why: String,
    },
    /// A source that looks like an address, of a kind that is not known.
    #[error("{source_name}: {way_out}")]
    Address {
        /// As named.
        source_name: String,
        /// What to do instead.
        way_out: String,
    },
    /// A source that is neither a file nor a folder.
    #[error(
        "{path} is {what}, not a recording; what it gives can be read from stdin: foxglove-bridge serve - < {path}"
    )]
    NotAFile {
        /// As named.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// Playback would end before it starts.
    #[error("--end {end} lies before --start {start}; swap them, or leave one out")]
    EndBeforeStart {
        /// As given.
        start: String,
        /// As given.
        end: String,
    },
}
