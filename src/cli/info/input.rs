//! What `info` looks at: files, the recordings in folders, stdin.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use foxglove_bridge::internals::printable;
use foxglove_bridge::source::json_lines::{self, LinesRead};
use foxglove_bridge::source::summary::{RecordingSummary, ScanProgress};
use foxglove_bridge::source::{
    Incoming, SourceError, Stop, recording_check, recording_summary, recordings_in, stream_summary,
};

use crate::cli::LONGEST_ERROR;
use crate::cli::serve::lines::holds_lines;
use crate::cli::serve::stdin;

/// What stands for stdin.
pub(super) const STDIN: &str = "-";

/// How much is read of a file that has a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Summary,
    All,
}

/// See the module's documentation.
pub(super) enum Input {
    Stdin,
    File(PathBuf),
    /// A folder without a recording in it.
    Unreadable {
        name: String,
        error: SourceError,
    },
}

/// The inputs that a name stands for. A folder stands for the recordings that `serve` would play.
pub(super) fn named(file: &Path) -> Result<Vec<Input>, SourceError> {
    if file == Path::new(STDIN) {
        return Ok(vec![Input::Stdin]);
    }
    if !file.is_dir() {
        return Ok(vec![Input::File(file.to_owned())]);
    }
    let (files, warnings) = recordings_in(file)?;
    for warning in warnings {
        tracing::warn!("{}", printable(&warning, LONGEST_ERROR));
    }
    Ok(files.into_iter().map(Input::File).collect())
}

impl Input {
    /// For people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Stdin => stdin::NAME.to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Unreadable { name, .. } => name.clone(),
        }
    }

    /// What is in it.
    pub(super) fn summary(
        self,
        depth: Depth,
        how: &LinesRead,
        progress: &mut dyn FnMut(ScanProgress),
    ) -> Result<RecordingSummary, SourceError> {
        match self {
            Self::Stdin => read_stdin(how),
            Self::Unreadable { error, .. } => Err(error),
            Self::File(path) if holds_lines(path.as_os_str(), &how.options) => {
                json_lines::file_summary(&path, how, progress)
            }
            Self::File(path) => match depth {
                Depth::Summary => recording_summary(&path, progress),
                Depth::All => recording_check(&path, progress),
            },
        }
    }
}

fn read_stdin(how: &LinesRead) -> Result<RecordingSummary, SourceError> {
    let io = |error| SourceError::Io { name: stdin::NAME.to_owned(), error };
    if std::io::stdin().is_terminal() {
        tracing::info!("reading JSON lines from the terminal; Ctrl-D ends them");
    }
    // it may be non-blocking, as another program left it
    let stop = Stop::new().map_err(io)?;
    stream_summary(stdin::NAME, Incoming::new(stdin::raw().map_err(io)?, &stop), how)
}
