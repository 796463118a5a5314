//! Why something is not recorded.

use std::path::PathBuf;

use super::{FINISH_LIMIT, TIME};

/// Why something is not recorded.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Recording into a file that is there would destroy what is in it.
    #[error(
        "{}: exists already and is not overwritten; choose another name, or one with {TIME} in it",
        .0.display()
    )]
    Exists(PathBuf),
    /// The file can't be made.
    #[error("{}: can't be created: {reason}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file can't be written any more.
    #[error("{}: recording failed: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says, or the limit of the format that was reached.
        reason: String,
    },
    /// Whoever read the stream has closed it; for a pipe that is an end like any other.
    #[error("{}: is not read any more", .0.display())]
    Closed(PathBuf),
    /// Nobody can find it any more.
    #[error("{}: was removed while it was written; what was recorded is lost", .0.display())]
    Removed(PathBuf),
    /// The disk did not take the rest in time.
    #[error("{}: the end was not written within {} s", .0.display(), FINISH_LIMIT.as_secs())]
    Stuck(PathBuf),
}
