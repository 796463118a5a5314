//! An MCAP file that is still being written.
//!
//! Messages come as the recorder writes them, at the latest [`POLL`] after they are in the file. The end of the
//! recording is no end here: more may be appended, or another file may take its place. A file that is not there yet is
//! waited for. A file that was replaced, or became shorter, is told ([`SourceError::Changed`]) and read from its
//! beginning.
//!
//! What is incomplete at the end of the file is waited for, be it cut off, or zeros as in files that are given their
//! size before their content. A chunk at the very end that can't be read gets [`SUSPECT_POLLS`] to become whole.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::mcap_contents::{MAGIC, open_regular};
use super::mcap_frames::Input;
use super::mcap_linear::{Linear, Work};
use super::mcap_scan::foreign;
use super::{ScanProgress, Source, SourceError, SourceInfo, TopicRules};
use crate::model::Batch;

/// How often a file that has nothing new is looked at: well below what a viewer notices, and three system calls.
const POLL: Duration = Duration::from_millis(50);

/// Polls for which a damaged chunk at the end counts as not finished: five seconds.
const SUSPECT_POLLS: u32 = 100;

/// Progress is told each time that this many bytes were read.
const PROGRESS: u64 = 8 << 20;

/// Faults of the part before the start that are told one by one.
const TOLD: usize = 3;

/// How a growing file is followed.
#[derive(Debug, Clone, Default)]
pub struct FollowOptions {
    /// Whether what is in the file already is played too; otherwise only its channels are read.
    pub from_start: bool,
    /// Topics to play, and their names.
    pub topics: TopicRules,
    /// Once true, [`Source::next`] says that this is the end, at the latest after one poll.
    pub stop: Arc<AtomicBool>,
}

/// How the time until the next look passes.
pub(super) type Wait = Box<dyn FnMut(Duration) + Send>;

/// See the module's documentation.
pub struct Follow {
    path: PathBuf,
    /// The path, as the user named it.
    name: String,
    info: SourceInfo,
    stop: Arc<AtomicBool>,
    linear: Linear,
    /// None while there is none.
    file: Option<Growing>,
    wait: Wait,
    suspect_polls: u32,
    /// Whether the same trouble has been told.
    told: bool,
}

impl Follow {
    /// Opens the file, or waits for it in [`Source::next`] if it does not exist yet (but its folder does). What it
    /// holds already is read through for its channels; `progress` is called now and then meanwhile.
    pub fn open(
        path: &Path,
        options: FollowOptions,
        progress: &mut dyn FnMut(ScanProgress),
    ) -> Result<Self, SourceError> {
        Self::open_with(path, options, progress, Box::new(std::thread::sleep))
    }

    pub(super) fn open_with(
        path: &Path,
        options: FollowOptions,
        progress: &mut dyn FnMut(ScanProgress),
        wait: Wait,
    ) -> Result<Self, SourceError> {
        let name = path.display().to_string();
        let mut file = if path.exists() { Some(Growing::open(path)?) } else { None };
        match &mut file {
            Some(file) => file.check_beginning(&name)?,
            None => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                if folder.is_some_and(|folder| !folder.is_dir()) {
                    let reason = "there is no such folder; check the path".to_owned();
                    return Err(SourceError::Unusable { name, reason });
                }
                tracing::info!("{name}: there is no such file yet; waiting for it");
            }
        }
        let old = file.as_ref().filter(|_| !options.from_start).map_or(0, |file| file.size_at_open);
        let mut follow = Self {
            info: SourceInfo {
                name: path.file_name().map_or_else(String::new, |name| name.display().to_string()),
                ..SourceInfo::default()
            },
            linear: Linear::new(name.clone(), options.topics).growing(old),
            path: path.to_owned(),
            name,
            stop: options.stop,
            file,
            wait,
            suspect_polls: 0,
            told: false,
        };
        if old > 0 {
            follow.read_old(old, progress)?;
        }
        Ok(follow)
    }

    /// Reads what is in the file already, for its channels.
    fn read_old(&mut self, size: u64, progress: &mut dyn FnMut(ScanProgress)) -> Result<(), SourceError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut errors = Vec::new();
        let mut told = 0;
        file.limit = size;
        while !self.stop.load(Ordering::Relaxed) {
            let done = self.linear.offset();
            if done >= told + PROGRESS {
                told = done;
                progress(ScanProgress { done: done.min(size), total: size });
            }
            match self.linear.work() {
                Work::Ready => errors.extend(self.linear.take_ready().and_then(Result::err)),
                Work::Suspect { end } if file.is_end(end) => {
                    self.linear.read_again();
                    break;
                }
                Work::Suspect { .. } => self.linear.give_up(),
                Work::Zeros => break,
                Work::More => {
                    let filled = !self.linear.is_broken()
                        && self
                            .linear
                            .fill(file)
                            .map_err(|error| SourceError::Io { name: self.name.clone(), error })?;
                    if !filled {
                        break;
                    }
                }
            }
        }
        file.limit = u64::MAX;
        let (channels, last_errors) = self.linear.end_of_old();
        errors.extend(last_errors);
        self.info.channels = channels;
        self.info.warnings = self.linear.take_warnings();
        let more = errors.len().saturating_sub(TOLD);
        self.info.warnings.extend(errors.iter().take(TOLD).map(ToString::to_string));
        if more > 0 {
            self.info.warnings.push(format!("{}: and {more} more damaged parts", self.name));
        }
        Ok(())
    }

    /// Does what can be done now; false if that is nothing.
    fn advance(&mut self) -> Result<bool, SourceError> {
        let Some(file) = &mut self.file else { return Ok(self.open_file()) };
        match self.linear.work() {
            Work::Ready => {
                self.suspect_polls = 0;
                return Ok(true);
            }
            Work::Suspect { end } => {
                if self.suspect_polls >= SUSPECT_POLLS || !file.is_end(end) {
                    self.suspect_polls = 0;
                    self.linear.give_up();
                    return Ok(true);
                }
                self.suspect_polls += 1;
                self.linear.read_again();
            }
            Work::More if !self.linear.is_broken() => match self.linear.fill(file) {
                Ok(true) => {
                    self.told = false;
                    return Ok(true);
                }
                Ok(false) => {}
                Err(_) if self.told => {}
                Err(error) => {
                    self.told = true;
                    return Err(SourceError::Io { name: self.name.clone(), error });
                }
            },
            Work::More | Work::Zeros => {}
        }
        Ok(self.look_for_another())
    }

    fn open_file(&mut self) -> bool {
        match self.path.exists().then(|| Growing::open(&self.path)) {
            Some(Ok(file)) => {
                tracing::info!("{}: the file is there", self.name);
                self.file = Some(file);
                self.told = false;
                return true;
            }
            Some(Err(error)) if !self.told => {
                self.told = true;
                tracing::warn!("{error}; waiting for it to change");
            }
            _ => {}
        }
        false
    }

    /// Whether the file is another one than it was: then it is read from its beginning.
    fn look_for_another(&mut self) -> bool {
        let Some(file) = &self.file else { return false };
        let what = if file.file.metadata().is_ok_and(|now| now.len() < self.linear.read_offset()) {
            "the file became shorter"
        } else if self.path.metadata().is_ok_and(|now| identity(&now) != file.identity) {
            self.file = None;
            "the file was replaced by another"
        } else {
            return false;
        };
        self.suspect_polls = 0;
        self.linear.restart();
        let reason = format!("{what}; it is read from its beginning");
        self.linear.fail(SourceError::Changed { name: self.name.clone(), reason });
        true
    }
}

impl Source for Follow {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        while !self.stop.load(Ordering::Relaxed) {
            let worked = self.advance()?;
            for warning in self.linear.take_warnings() {
                tracing::warn!("{}: {warning}", self.name);
            }
            if let Some(ready) = self.linear.take_ready() {
                return ready.map(Some);
            }
            if !worked {
                (self.wait)(POLL);
            }
        }
        Ok(None)
    }
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follow").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What makes a file another one, whatever it is called; it stays that while the file is open.
#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
type Identity = Option<std::time::SystemTime>;

#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> Identity {
    metadata.created().ok()
}

/// The file itself.
struct Growing {
    file: File,
    identity: Identity,
    size_at_open: u64,
    /// Nothing is read from here on.
    limit: u64,
}

impl Growing {
    fn open(path: &Path) -> Result<Self, SourceError> {
        let (file, metadata) = open_regular(path)?;
        Ok(Self { file, identity: identity(&metadata), size_at_open: metadata.len(), limit: u64::MAX })
    }

    /// Refuses a file that begins as something else.
    fn check_beginning(&mut self, name: &str) -> Result<(), SourceError> {
        let mut start = [0; 16];
        let read =
            self.read(0, &mut start).map_err(|error| SourceError::Io { name: name.to_owned(), error })?;
        let start = &start[..read];
        let compared = read.min(MAGIC.len());
        if start[..compared] == MAGIC[..compared] || start[0] == 0 {
            return Ok(());
        }
        let reason =
            foreign(start).unwrap_or("is not an MCAP file; give the path of an .mcap file").to_owned();
        Err(SourceError::Unusable { name: name.to_owned(), reason })
    }

    /// Whether there is nothing at an offset, or a zero, as at the end of what was written.
    fn is_end(&mut self, offset: u64) -> bool {
        let mut byte = [0];
        let limit = std::mem::replace(&mut self.limit, u64::MAX);
        let read = self.read(offset, &mut byte);
        self.limit = limit;
        read.is_ok_and(|read| read == 0 || byte == [0])
    }
}

impl Input for Growing {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        let part = buffer.len().min(room);
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read(&mut buffer[..part])
    }

    fn skip(&mut self, offset: u64, length: u64, _scratch: &mut [u8]) -> io::Result<u64> {
        let end = self.file.metadata()?.len().min(self.limit);
        Ok(length.min(end.saturating_sub(offset)))
    }
}
