//! An MCAP file that is still being written.
//!
//! Messages come as the recorder writes them, at the latest [`POLL`] after they are in the file. The end of the
//! recording is no end here: more may be appended, or another file may take its place. A file that is not there yet is
//! waited for. That a file was replaced, became shorter or was rewritten is an error ([`SourceError::Changed`]), and
//! reading continues from its beginning.
//!
//! What is incomplete at the end of the file is waited for, be it cut off, a chunk whose sizes are written last, or zeros
//! as in files that are given their size before their content. Compressed chunks come when they are complete; one at the
//! very end that can't be read gets [`SUSPECT_POLLS`] to become whole.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::growing::Growing;
use super::linear::{Linear, Work};
use crate::model::Batch;
use crate::pattern::TopicPattern;
use crate::registry::Registry;
use crate::source::past::{Past, Reading};
use crate::source::{ScanProgress, SourceError, Stop, Stream, TopicRules};

/// How often a file that has nothing new is looked at: well below what a viewer notices, and three system calls.
const POLL: Duration = Duration::from_millis(50);

/// Polls for which a damaged chunk at the end counts as not finished: five seconds.
const SUSPECT_POLLS: u32 = 100;

/// Faults of the part before the start that are listed one by one.
const MAX_FAULTS: usize = 3;

/// How a growing file is followed.
#[derive(Debug, Clone, Default)]
pub struct FollowOptions {
    /// Whether what is in the file already is played too. Otherwise only its channels are read, and what of latched ones
    /// counts for late subscribers ([`Batch::unsent`]).
    pub from_start: bool,
    /// Topics that are latched, by the names under which they are offered, beside those that their recorder latched.
    pub latched: Vec<TopicPattern>,
    /// Topics to play, and their names.
    pub topics: TopicRules,
}

/// How the time until the next look passes.
pub(in crate::source::mcap) type Wait = Box<dyn FnMut(Duration) + Send>;

/// See the module's documentation.
pub struct Follow {
    path: PathBuf,
    /// The path, as the user named it.
    name: String,
    stop: Stop,
    linear: Linear,
    /// What is known of the part before the start, for the first calls of [`Stream::next`].
    known: VecDeque<Result<Batch, SourceError>>,
    /// To be logged by [`Stream::next`].
    pub(in crate::source::mcap) warnings: Vec<String>,
    /// None while there is none.
    file: Option<Growing>,
    wait: Wait,
    suspect_polls: u32,
    /// Whether the same trouble was logged or returned already.
    reported: bool,
}

impl Follow {
    /// Opens the file, or waits for it in [`Stream::next`] if it does not exist yet (but its folder does). What it
    /// holds already is read through for its channels, which the first batch announces; `progress` is called now and then
    /// meanwhile. Nothing comes any more once `stop` is stopped.
    pub fn open(
        path: &Path,
        options: FollowOptions,
        registry: &Registry,
        stop: &Stop,
        progress: &mut dyn FnMut(ScanProgress),
    ) -> Result<Self, SourceError> {
        let stopped = stop.clone();
        Self::open_with(path, options, registry, stop, progress, Box::new(move |time| stopped.wait(time)))
    }

    pub(in crate::source::mcap) fn open_with(
        path: &Path,
        options: FollowOptions,
        registry: &Registry,
        stop: &Stop,
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
            linear: Linear::new(name.clone(), options.topics, registry.clone())
                .growing(old, options.latched.clone()),
            known: VecDeque::new(),
            warnings: Vec::new(),
            path: path.to_owned(),
            name,
            stop: stop.clone(),
            file,
            wait,
            suspect_polls: 0,
            reported: false,
        };
        if old > 0 {
            follow.read_old(old, Past::new(&options.latched), progress)?;
        }
        Ok(follow)
    }

    /// Reads what is in the file already, for its channels and what of latched ones counts.
    fn read_old(
        &mut self,
        size: u64,
        mut past: Past,
        progress: &mut dyn FnMut(ScanProgress),
    ) -> Result<(), SourceError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let (mut faults, mut more) = (VecDeque::new(), 0u64);
        let mut reading = Reading::of(&self.name, size, progress);
        file.limit = size;
        while !self.stop.is_stopped() {
            reading.at(self.linear.offset());
            match self.linear.work() {
                Work::Ready => match self.linear.take_ready() {
                    Some(Ok(batch)) => past.push(&batch),
                    Some(Err(error)) if faults.len() < MAX_FAULTS => faults.push_back(Err(error)),
                    Some(Err(_)) => more += 1,
                    None => {}
                },
                Work::Suspect { end } if file.is_end(end) => {
                    self.linear.read_again();
                    break;
                }
                Work::Suspect { .. } => self.linear.give_up(),
                Work::Unwritten => break,
                Work::More => {
                    let filled = !self.linear.is_foreign()
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
        self.linear.end_of_old();
        self.known.extend(past.into_batch().map(Ok));
        self.known.append(&mut faults);
        self.warnings = self.linear.take_warnings();
        if more > 0 {
            self.warnings.push(format!("and {more} more damaged parts"));
        }
        Ok(())
    }

    /// Does what can be done now; false if that is nothing.
    fn advance(&mut self) -> Result<bool, SourceError> {
        let Some(file) = &mut self.file else { return Ok(self.open_file()) };
        let work = self.linear.work();
        file.fixed_from = self.linear.fixed_from();
        match work {
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
            Work::More if !self.linear.is_foreign() => match self.linear.fill(file) {
                Ok(true) => {
                    self.reported = false;
                    return Ok(true);
                }
                Ok(false) => self.linear.pause(),
                Err(_) if self.reported => {}
                Err(error) => {
                    self.reported = true;
                    return Err(SourceError::Unavailable { name: self.name.clone(), error });
                }
            },
            Work::More | Work::Unwritten => {}
        }
        Ok(self.look_for_another())
    }

    fn open_file(&mut self) -> bool {
        match self.path.exists().then(|| Growing::open(&self.path)) {
            Some(Ok(file)) => {
                tracing::info!("{}: the file is there", self.name);
                self.file = Some(file);
                self.reported = false;
                return true;
            }
            Some(Err(error)) if !self.reported => {
                self.reported = true;
                tracing::warn!("{error}; waiting for it to change");
            }
            _ => {}
        }
        false
    }

    /// Whether the file is another one than it was: then it is read from its beginning.
    fn look_for_another(&mut self) -> bool {
        let Some(file) = &mut self.file else { return false };
        let Some(what) = file.change(&self.path, self.linear.read_offset()) else { return false };
        if what.is_another {
            self.file = None;
        }
        self.suspect_polls = 0;
        self.linear.restart();
        let reason = format!("the file {}; reading continues from its beginning", what.happened);
        self.linear.fail(SourceError::Changed { name: self.name.clone(), reason });
        true
    }
}

impl Stream for Follow {
    fn name(&self) -> &str {
        &self.name
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        while !self.stop.is_stopped() {
            for warning in self.warnings.drain(..) {
                tracing::warn!("{}: {warning}", self.name);
            }
            if let Some(known) = self.known.pop_front() {
                return known.map(Some);
            }
            let worked = self.advance()?;
            self.warnings = self.linear.take_warnings();
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
