//! Where what is served goes besides the clients: into a file. [`McapWriter`] writes files without a hub.
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
use crate::model::Channel;
use crate::time::Timestamp;

mod black_box;
mod error;
mod mcap_kept;
mod mcap_writer;
mod recorded;

pub use black_box::{BlackBox, BlackBoxError, BlackBoxOptions, Keep};
pub use error::SinkError;
use mcap_writer::Syncing;
pub use mcap_writer::{McapWriter, OnDisk, Split, WriterOptions};
pub use recorded::{Part, Recorded};

/// Data queued for the file, in bytes, and one batch: at 50 MB/s the disk may stall for a second.
pub const QUEUE_LIMIT: usize = 64 << 20;

/// Messages that were left out are logged at most this often.
const LOSS_INTERVAL: Duration = Duration::from_secs(10);

/// How long [`Recorder::finish`], or dropping a recorder, waits for the rest to be written: container runtimes kill ten
/// seconds after they asked a program to stop, and the clients have had one of them.
pub const FINISH_LIMIT: Duration = Duration::from_secs(8);

/// What in a file's name stands for the time of the start.
const TIME: &str = "{time}";

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
    outcome: Option<Receiver<Result<Complete, SinkError>>>,
}

/// What the recorder's thread has written, and the disk may not have yet.
struct Complete {
    recorded: Recorded,
    syncing: Option<Syncing>,
}

impl Recorder {
    /// Makes the file, which must not exist, and starts to record what is published in the hub from now on. Of the
    /// recordings that are `played` it keeps profile, attachments and metadata.
    pub fn start(path: &Path, hub: &Hub, played: &[PathBuf]) -> Result<Self, SinkError> {
        Self::with_options(path, hub, WriterOptions { keep: played.to_owned(), ..WriterOptions::default() })
    }

    /// The same with options, for example for a recording of several files; see [`McapWriter::create`] for their names. What
    /// the hub latches is repeated at the beginning of each, with the log time at which that begins.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use foxglove_bridge::hub::{Hub, HubOptions};
    /// use foxglove_bridge::sink::{Recorder, Split, WriterOptions};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("run.mcap");
    /// let hub = Hub::new("robot", HubOptions::default());
    /// // a file for each minute; what is older than an hour is removed
    /// let split = Split {
    ///     duration: Some(Duration::from_secs(60)),
    ///     max_files: 60.try_into().ok(),
    ///     ..Split::default()
    /// };
    /// let options = WriterOptions { split, ..WriterOptions::default() };
    /// let recorder = Recorder::with_options(&path, &hub, options)?;
    /// assert!(recorder.path().ends_with("run-0001.mcap"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_options(path: &Path, hub: &Hub, options: WriterOptions) -> Result<Self, SinkError> {
        let writer = McapWriter::create(path, options)?;
        let path = writer.path().to_owned();
        let tap = Arc::new(hub.tap(QUEUE_LIMIT));
        let (sender, outcome) = sync_channel(1);
        let taken = Taker(tap.clone());
        std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || {
                // whoever started it may have given up waiting
                sender.send(record(&taken.0, writer)).ok();
            })
            .map_err(|error| SinkError::Create { path: path.clone(), reason: error.to_string() })?;
        Ok(Self { path, tap, outcome: Some(outcome) })
    }

    /// The first file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what is still queued, completes the last file, and waits until the disk has all of them. An error has been
    /// logged when it happened.
    ///
    /// Blocks for [`FINISH_LIMIT`] at most. Dropping a recorder does the same, but does not return what was recorded.
    pub fn finish(mut self) -> Result<Recorded, SinkError> {
        let recorded = self.complete()?;
        Ok(Recorded { lost: self.tap.lost(), ..recorded })
    }

    /// Ends the recording and waits for its outcome. To be called once.
    fn complete(&mut self) -> Result<Recorded, SinkError> {
        let deadline = Instant::now() + FINISH_LIMIT;
        self.tap.close();
        match self.outcome.take().map(|outcome| outcome.recv_timeout(FINISH_LIMIT)) {
            Some(Ok(outcome)) => {
                let Complete { recorded, syncing } = outcome?;
                let on_disk = syncing.map_or(Ok(OnDisk::Yes), |syncing| syncing.wait(deadline))?;
                Ok(Recorded { on_disk, ..recorded })
            }
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

/// Runs on the recorder's thread until the tap is closed or a file fails.
fn record(tap: &Tap, mut writer: McapWriter) -> Result<Complete, SinkError> {
    let recorded = write_all(tap, &mut writer).and_then(|()| writer.complete(FINISH_LIMIT));
    match recorded {
        Ok(recorded) => {
            tap.count_recorded(writer.bytes());
            Ok(Complete { recorded, syncing: writer.into_syncing() })
        }
        Err(error @ SinkError::Removed(_)) => {
            tracing::error!("{error}");
            Err(error)
        }
        Err(error) => {
            let readable = match writer.abandon() {
                0 => "it has no message and is removed".to_owned(),
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

fn write_all(tap: &Tap, writer: &mut McapWriter) -> Result<(), SinkError> {
    let mut loss = Loss::default();
    loop {
        match tap.next(writer.flush_at()) {
            Next::Published(Published::Channels(channels)) => {
                for channel in channels {
                    let latched = tap.hub().latches(&channel);
                    writer.add_channel(&Channel { latched, ..(*channel).clone() })?;
                }
            }
            Next::Published(Published::Messages { batch, range, .. }) => {
                for entry in &batch.entries[range] {
                    writer.write(entry, batch.payload(entry))?;
                }
            }
            Next::Published(Published::Retired(_)) | Next::Deadline | Next::Woken => {}
            Next::Closed => return Ok(()),
        }
        let now = Instant::now();
        writer.flush_if_due(now)?;
        tap.count_recorded(writer.bytes());
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
