//! The black box: what was published last is kept in memory, and saved into a file when somebody asks for it.
//!
//! A thread takes what is published from a tap and copies it into a [`ring`] of blocks. A file is written by a thread of
//! its own from the blocks, which it shares with the ring, so that neither publishing nor keeping waits for the disk.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use super::{FINISH_LIMIT, QUEUE_LIMIT};
use crate::hub::capability::save::{Held, NotSaved, Save, Saved};
use crate::hub::capability::services::{NameTaken, ServiceHandle};
use crate::hub::responder::{NoAnswer, Responder};
use crate::hub::{AlreadyProvided, Hub};

mod block;
mod keeper;
mod ring;
mod saving;
mod service;
mod shared;

use keeper::Keeper;
use shared::{Asker, Shared};

/// Files that may be written at the same time.
pub(crate) const SAVES: usize = 4;

/// The longest part of a hub's name that is used in names of files, in bytes.
const LONGEST_NAME: usize = 64;

/// Whose messages are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// Those of live input, of clients and of the program itself. What a [`Player`](crate::playback::Player) plays of a
    /// recording is there already.
    #[default]
    Live,
    /// All, also those that a player plays.
    All,
}

/// What is kept, and where it is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlackBoxOptions {
    /// What was published within this time before the newest message is kept, by the time of its publishing: when nothing
    /// comes any more, what is kept stays. None: [`BlackBoxOptions::bytes`] alone says how much. Default: 60 s.
    pub window: Option<Duration>,
    /// The memory that is taken, in bytes. The oldest messages go before there is more. While files are written a
    /// sixteenth may come to it, and 9 MiB for each file; what latched topics had before the window does not count. Default: 500 MB.
    pub bytes: usize,
    /// Whose messages are kept. Default: [`Keep::Live`].
    pub keep: Keep,
    /// The folder for files. Default: the working directory.
    pub folder: PathBuf,
    /// How much of what follows a request is saved with it. Default: nothing.
    pub after: Duration,
}

impl Default for BlackBoxOptions {
    fn default() -> Self {
        Self {
            window: Some(Duration::from_secs(60)),
            bytes: 500_000_000,
            keep: Keep::Live,
            folder: PathBuf::from("."),
            after: Duration::ZERO,
        }
    }
}

/// Why nothing is kept.
#[derive(Debug, thiserror::Error)]
pub enum BlackBoxError {
    /// No file can be made in the folder.
    #[error("{}: no file can be made there: {reason}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// The hub has one.
    #[error(transparent)]
    AlreadyProvided(#[from] AlreadyProvided),
    /// The hub has a service of this name.
    #[error(transparent)]
    Service(#[from] NameTaken),
    /// The system has no thread for it.
    #[error("no thread could be started: {0}")]
    Thread(io::Error),
}

/// Keeps what was published last, until it is dropped. The files that are being written then are completed with what is
/// there; that is waited for [`FINISH_LIMIT`] at most.
///
/// A file has all messages of the window in the order of publishing, and schemas and index as a recording. Before them is what
/// still counted of latched topics, with the log time at which the kept part begins; the publish time stays. It is named
/// by the hub and the time, `robot-2026-11-26T08-10-00Z.mcap`; until it is complete and on the disk `.part` follows that.
///
/// Viewers save by the service `/recording/save`, other parts of the program by [`Hub::saver`].
///
/// ```
/// use std::time::Duration;
///
/// use foxglove_bridge::hub::{Hub, HubOptions};
/// use foxglove_bridge::sink::{BlackBox, BlackBoxOptions};
///
/// # let temporary = tempfile::tempdir()?;
/// # let folder = temporary.path().to_owned();
/// let hub = Hub::new("robot", HubOptions::default());
/// let window = Some(Duration::from_secs(30));
/// let black_box = BlackBox::start(&hub, BlackBoxOptions { window, folder, ..BlackBoxOptions::default() })?;
/// let imu = hub.channel("/imu").json()?;
/// for n in 0..200 {
///     imu.log(&n);
/// }
/// let saved = black_box.save()?;
/// assert_eq!((saved.messages, saved.lost), (200, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is kept any more once it is dropped"]
pub struct BlackBox {
    hub: Hub,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Goes with it.
    _service: ServiceHandle,
}

impl BlackBox {
    /// Keeps what is published in the hub from now on, after a look whether files can be made in the folder.
    pub fn start(hub: &Hub, options: BlackBoxOptions) -> Result<Self, BlackBoxError> {
        let folder = &options.folder;
        saving::check(folder).map_err(|reason| BlackBoxError::Folder { folder: folder.clone(), reason })?;
        let (tap, latched) = hub.tap_and_latched(QUEUE_LIMIT);
        let shared = Arc::new(Shared::new(options, file_name(hub.name()), tap.waker()));
        hub.provide_save(Arc::new(Asker(shared.clone())))?;
        let service =
            service::offer(hub, Arc::new(Asker(shared.clone()))).inspect_err(|_taken| hub.end_save())?;
        let keeper = Keeper::new(shared.clone(), tap, latched);
        let thread = std::thread::Builder::new().name("black box".into()).spawn(|| keeper.run());
        let thread = thread.inspect_err(|_error| hub.end_save()).map_err(BlackBoxError::Thread)?;
        Ok(Self { hub: hub.clone(), shared, thread: Some(thread), _service: service })
    }

    /// Saves what is kept into a new file, and blocks until that is complete. An error has been logged.
    pub fn save(&self) -> Result<Saved, NotSaved> {
        let (sender, saved) = sync_channel(1);
        Asker(self.shared.clone()).save(Responder::new(move |answer: Result<_, NoAnswer>| {
            sender.send(answer.unwrap_or_else(|none| Err(NotSaved::Failed(none.to_string())))).ok();
        }));
        saved.recv().unwrap_or_else(|_gone| Err(NotSaved::Failed(NoAnswer.to_string())))
    }

    /// What would be saved now.
    pub fn held(&self) -> Held {
        Asker(self.shared.clone()).held()
    }
}

impl Drop for BlackBox {
    fn drop(&mut self) {
        self.hub.end_save();
        self.shared.end();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the black box panicked");
        }
        match self.shared.all_saved(FINISH_LIMIT) {
            0 => {}
            left => tracing::error!(
                "{left} files are not complete: they were not written within {} s",
                FINISH_LIMIT.as_secs()
            ),
        }
    }
}

/// What names of files begin with, for a hub of this name: nothing in it leads to another folder or troubles a shell.
fn file_name(name: &str) -> String {
    let name = name.strip_suffix(".mcap").unwrap_or(name);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let words = name.split(|c| !is_plain(c)).filter(|word| !word.is_empty());
    let mut plain = words.collect::<Vec<_>>().join("_");
    plain.truncate(LONGEST_NAME);
    match plain.trim_start_matches(['.', '-']) {
        "" => "saved".to_owned(),
        plain => plain.to_owned(),
    }
}
#[cfg(test)]
mod tests;
