//! Where what is served goes besides the clients: into a file.
//!
//! A [`Recorder`] takes everything that is published in the hub and writes it on a thread of its own, so that delivery
//! never waits for the disk; only playback that waits for slow clients waits for the recorder too. What it has queued
//! is bounded by [`QUEUE_LIMIT`]; beyond it messages are left out, counted and logged.
//!
//! If writing fails the recorder tells so once and serving goes on without it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use crate::hub::{Hub, Next, Published, Tap};
use crate::time::{TimeRange, Timestamp};

mod black_box;
mod mcap_file;
mod mcap_kept;
mod mcap_writer;
mod output;

pub use black_box::{BlackBox, BlackBoxError, BlackBoxOptions, Keep};
use mcap_file::{Contents, McapFile};
use mcap_kept::Kept;
pub use mcap_writer::{McapWriter, Split, WriterOptions};

/// Data queued for the file, in bytes, and one batch: at 50 MB/s the disk may stall for a second.
pub const QUEUE_LIMIT: usize = 64 << 20;

/// Messages that were left out are logged at most this often.
const LOSS_INTERVAL: Duration = Duration::from_secs(10);

/// How long [`Recorder::finish`], or dropping a recorder, waits for the rest to be written: container runtimes kill ten
/// seconds after they asked a program to stop, and the clients have had one of them.
pub const FINISH_LIMIT: Duration = Duration::from_secs(8);

/// What in a file's name stands for the time of the start.
const TIME: &str = "{time}";

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
    /// Nobody can find it any more.
    #[error("{}: was removed while it was written; what was recorded is lost", .0.display())]
    Removed(PathBuf),
    /// The disk did not take the rest in time.
    #[error("{}: the end was not written within {} s", .0.display(), FINISH_LIMIT.as_secs())]
    Stuck(PathBuf),
}

/// What was recorded in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The files that are there, oldest first.
    pub parts: Vec<Part>,
    /// Messages in them; what is repeated at the beginning of a file counts in each.
    pub messages: u64,
    /// Their size.
    pub bytes: u64,
    /// Messages that are not in them because the disk was too slow. A [`McapWriter`] loses none.
    pub lost: u64,
}

impl Recorded {
    fn of(parts: Vec<Part>) -> Self {
        let messages = parts.iter().map(|part| part.messages).sum();
        let bytes = parts.iter().map(|part| part.bytes).sum();
        Self { parts, messages, bytes, lost: 0 }
    }
}

/// A file of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The file.
    pub path: PathBuf,
    /// Messages in it.
    pub messages: u64,
    /// Its size.
    pub bytes: u64,
    /// From the lowest to the highest log time in it; None without a message.
    pub range: Option<TimeRange>,
}

/// Records what is served on a thread of its own, until [`Recorder::finish`] or until it is dropped.
///
/// ```
/// use foxglove_bridge::hub::{Hub, HubOptions};
/// use foxglove_bridge::sink::Recorder;
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("run.mcap");
/// let hub = Hub::new("robot", HubOptions::default());
/// let imu = hub.channel("/imu").json()?;
/// let recorder = Recorder::start(&path, &hub, &[])?;
/// for n in 0..200 {
///     imu.log(&n);
/// }
/// let recorded = recorder.finish()?;
/// assert_eq!((recorded.messages, recorded.lost), (200, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "recording ends when it is dropped"]
pub struct Recorder {
    path: PathBuf,
    tap: Arc<Tap>,
    /// None once it was waited for.
    outcome: Option<Receiver<Result<Contents, SinkError>>>,
}

impl Recorder {
    /// Makes the file, which must not exist, and starts to record what is published in the hub from now on. Of the
    /// recordings that are `played` it keeps profile, attachments and metadata.
    pub fn start(path: &Path, hub: &Hub, played: &[PathBuf]) -> Result<Self, SinkError> {
        let kept = Kept::of(played);
        let file = McapFile::create(path, &kept)?;
        let tap = Arc::new(hub.tap(QUEUE_LIMIT));
        let (sender, outcome) = sync_channel(1);
        let taken = Taker(tap.clone());
        std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || {
                // whoever started it may have given up waiting
                sender.send(record(&taken.0, file, &kept)).ok();
            })
            .map_err(|error| SinkError::Create { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self { path: path.to_owned(), tap, outcome: Some(outcome) })
    }

    /// Writes what is still queued and completes the file. An error has been logged when it happened.
    ///
    /// Blocks for [`FINISH_LIMIT`] at most. Dropping a recorder does the same, but does not return what was recorded.
    pub fn finish(mut self) -> Result<Recorded, SinkError> {
        let Contents { messages, bytes } = self.complete()?;
        let part = Part { path: self.path.clone(), messages, bytes, range: None };
        Ok(Recorded { lost: self.tap.lost(), ..Recorded::of(vec![part]) })
    }

    /// Ends the recording and waits for its outcome. To be called once.
    fn complete(&mut self) -> Result<Contents, SinkError> {
        self.tap.close();
        match self.outcome.take().map(|outcome| outcome.recv_timeout(FINISH_LIMIT)) {
            Some(Ok(outcome)) => outcome,
            Some(Err(RecvTimeoutError::Timeout)) => Err(SinkError::Stuck(self.path.clone())),
            None | Some(Err(RecvTimeoutError::Disconnected)) => {
                let reason = "the recorder's thread panicked".to_owned();
                Err(SinkError::Write { path: self.path.clone(), reason })
            }
        }
    }
}

impl Drop for Recorder {
    /// As [`Recorder::finish`], so that a program that returns early has a complete file.
    fn drop(&mut self) {
        if self.outcome.is_some()
            && let Err(error @ SinkError::Stuck(_)) = self.complete()
        {
            tracing::error!("{error}");
        }
    }
}

/// The path meant by one with `{time}` in it: the time in UTC, to the second, without characters that file systems
/// refuse.
pub fn path_at(path: &Path, now: Timestamp) -> PathBuf {
    let text = now.to_string();
    let second = text.split('.').next().unwrap_or_default();
    let time = second.replace(':', "-") + "Z";
    match path.to_str() {
        Some(path) => path.replace(TIME, &time).into(),
        None => path.to_owned(),
    }
}

/// The tap on the recorder's thread: whatever ends that, nothing is queued for it any more.
struct Taker(Arc<Tap>);

impl Drop for Taker {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Runs on the recorder's thread until the tap is closed or the file fails.
fn record(tap: &Tap, mut file: McapFile, kept: &Kept) -> Result<Contents, SinkError> {
    let recorded = file.keep(kept).and_then(|()| write_all(tap, &mut file)).and_then(|()| file.finish());
    match recorded {
        Ok(_) if file.is_removed() => {
            let error = SinkError::Removed(file.path().to_owned());
            tracing::error!("{error}");
            Err(error)
        }
        Ok(contents) => {
            tap.count_recorded(contents.bytes);
            Ok(contents)
        }
        Err(error) => {
            let readable = match file.abandon() {
                0 => "nothing of it can be read".to_owned(),
                1 => "the 1 message recorded before can be read".to_owned(),
                count => format!("the {count} messages recorded before can be read"),
            };
            tracing::error!("{error}; {readable}, and serving goes on");
            let text = "the server's recording failed: from here on nothing is recorded";
            tap.hub().notice(text);
            Err(error)
        }
    }
}

fn write_all(tap: &Tap, file: &mut McapFile) -> Result<(), SinkError> {
    let mut loss = Loss::default();
    loop {
        match tap.next(file.flush_at()) {
            Next::Published(Published::Channels(channels)) => {
                for channel in channels {
                    file.add_channel(&channel)?;
                }
            }
            Next::Published(Published::Messages { batch, range, .. }) => {
                for entry in &batch.entries[range] {
                    file.write(entry, batch.payload(entry))?;
                }
            }
            Next::Published(Published::Retired(_)) | Next::Deadline | Next::Woken => {}
            Next::Closed => return Ok(()),
        }
        let now = Instant::now();
        file.flush_if_due(now)?;
        tap.count_recorded(file.bytes());
        if let Some(lost) = loss.news(tap.lost(), now) {
            tracing::warn!("the disk is too slow: {lost} messages are not recorded");
        }
    }
}

/// Says when messages that were left out are logged.
#[derive(Debug, Default)]
struct Loss {
    logged: u64,
    last: Option<Instant>,
}

impl Loss {
    /// How many were lost since this was last logged, if it is time to log it.
    fn news(&mut self, lost: u64, now: Instant) -> Option<u64> {
        let new = lost - self.logged;
        if new == 0 || self.last.is_some_and(|last| now < last + LOSS_INTERVAL) {
            return None;
        }
        self.logged = lost;
        self.last = Some(now);
        Some(new)
    }
}

#[cfg(test)]
mod tests;
