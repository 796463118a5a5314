//! Saving what was kept of live input (the black box) into a file. The program's keys and signals, the server's HTTP
//! side and a service ask for it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::hub::capability::recording::{ReadSeek, RecordedFile};
use crate::hub::responder::Responder;
use crate::hub::{AlreadyProvided, Hub, lock};
use crate::time::TimeRange;

/// What was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The new file.
    pub path: PathBuf,
    /// From the lowest to the highest log time in it, but for what latched topics had before.
    pub range: Option<TimeRange>,
    /// Messages in it.
    pub messages: u64,
    /// Its size.
    pub bytes: u64,
    /// Messages that are missing, as the disk was too slow to make room for them in memory.
    pub lost: u64,
}

/// What is kept at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// From the lowest to the highest log time that would be saved, but for what latched topics had before.
    pub range: Option<TimeRange>,
    /// Messages.
    pub messages: u64,
    /// Bytes of memory that they take.
    pub bytes: u64,
    /// Files that are being written.
    pub saving: usize,
}

/// Why nothing was saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSaved {
    /// So many files are being written already.
    #[error("{0} files are being saved already; ask again when one of them is complete")]
    Busy(usize),
    /// Nothing is kept any more.
    #[error("nothing is kept any more: the program ends")]
    Ends,
    /// The file could not be written, for this reason.
    #[error("{0}")]
    Failed(String),
}

/// Keeps what was published last.
pub trait Save: Send + Sync {
    /// Saves what is kept into a new file, on another thread; returns at once. The answer is given when the file is
    /// complete, with what went wrong otherwise.
    fn save(&self, answer: Responder<Result<Saved, NotSaved>>);

    /// What would be saved now.
    fn held(&self) -> Held;

    /// The files that it has saved and that are still there, the oldest first; a saver may forget the oldest. Each has the
    /// name that it has in its folder. May block on a disk.
    fn files(&self) -> Vec<RecordedFile>;

    /// Opens one of them, as it is now. May block on a disk.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if there is no file of this name, or it is gone; what the system says.
    fn open(&self, name: &str) -> io::Result<(RecordedFile, Box<dyn ReadSeek>)>;
}

impl Hub {
    /// Registers who keeps what was published last.
    pub fn provide_save(&self, save: Arc<dyn Save>) -> Result<(), AlreadyProvided> {
        let mut state = lock(&self.0.state);
        let refused = state.slots.save.fill(save);
        drop(state);
        refused.map_err(|_too_late| AlreadyProvided("save"))
    }

    /// Nobody keeps what was published last any more.
    pub(crate) fn end_save(&self) {
        let ended = lock(&self.0.state).slots.save.empty();
        drop(ended);
    }

    /// Who keeps what was published last, if anybody does.
    pub fn saver(&self) -> Option<Arc<dyn Save>> {
        lock(&self.0.state).slots.save.as_ref().cloned()
    }
}
