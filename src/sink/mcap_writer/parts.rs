//! The files of a recording one after the other: where a new one begins, and which are removed.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use zstd::bulk::Compressor;

use super::super::mcap_kept::Kept;
use super::super::{Part, SinkError};
use super::Split;
use super::chunk::Chunk;
use super::latched::Latched;
use super::names::Names;
use super::part_file::PartFile;
use super::sealed::Sealed;
use super::summary::Known;
use crate::model::Extra;
use crate::printable::{SHORT, printable};
use crate::time::Timestamp;

/// A file takes at most this part of the disk budget: less than that is lost of a recording when the oldest one goes.
const BUDGET_SHARE: u64 = 4;

/// See the module's documentation. Used by the thread that writes.
pub(super) struct Parts {
    names: Names,
    split: Split,
    kept: Kept,
    known: Known,
    /// None if there is one file, which needs no repetition.
    latched: Option<Latched>,
    current: PartFile,
    /// Messages of the current file without those that are repeated.
    own: u64,
    /// Whether the current file has an attachment that is nowhere else.
    has_attachment: bool,
    /// The next chunk begins a file.
    split_next: bool,
    finished: VecDeque<Finished>,
    /// Bytes of files that are removed.
    removed: u64,
    /// For whoever waits until the disk has them.
    sync: Sender<(File, PathBuf)>,
    compressor: Compressor<'static>,
}

struct Finished {
    part: Part,
    own: u64,
}

/// Has the disk take a file that is complete. A stream is with its reader already.
fn sync(waiting: &Sender<(File, PathBuf)>, file: Option<File>, part: &Part) {
    if let Some(file) = file {
        // nobody may wait for it any more
        waiting.send((file, part.path.clone())).ok();
    }
}

/// How a recording ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// The files that are there.
    pub(super) parts: Vec<Part>,
    /// Messages in them, each once.
    pub(super) readable: u64,
    /// What ended it, if that is not the one who wrote it.
    pub(super) error: Option<SinkError>,
}

/// The first file, and the names of those after it.
pub(super) struct First {
    names: Names,
    split: Split,
    kept: Kept,
    file: PartFile,
}

impl First {
    /// Makes it.
    pub(super) fn create(path: &Path, split: Split, kept: Kept) -> Result<Self, SinkError> {
        let mut names = if split.is_split() { Names::numbered(path)? } else { Names::One(path.to_owned()) };
        let file = PartFile::create(names.next(Timestamp::now()), &kept.profile)?;
        Ok(Self { names, split, kept, file })
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// A stream, which no other follows.
    pub(super) fn stream(name: &str, to: Box<dyn Write + Send>) -> Self {
        let file = PartFile::stream(name, to);
        Self { names: Names::One(name.into()), split: Split::default(), kept: Kept::default(), file }
    }
}

impl Parts {
    pub(super) fn new(first: First, sync: Sender<(File, PathBuf)>, compressor: Compressor<'static>) -> Self {
        let First { names, split, kept, file } = first;
        Self {
            names,
            split,
            kept,
            known: Known::default(),
            latched: split.is_split().then(Latched::default),
            current: file,
            own: 0,
            has_attachment: false,
            split_next: false,
            finished: VecDeque::new(),
            removed: 0,
            sync,
            compressor,
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.current.path()
    }

    /// Bytes of all files, those that were removed too.
    pub(super) fn bytes(&self) -> u64 {
        self.removed + self.in_finished() + self.current.bytes()
    }

    /// Writes what is kept of other files.
    pub(super) fn begin(&mut self) -> Result<(), SinkError> {
        for metadata in &self.kept.metadata {
            self.current.write_metadata(metadata)?;
        }
        self.kept.for_each_attachment(|attachment| self.current.write_attachment(&attachment))
    }

    /// Writes an attachment, or metadata or the profile, which each later file has as well.
    pub(super) fn write_extra(&mut self, extra: Extra) -> Result<(), SinkError> {
        match extra {
            Extra::Attachment(attachment) => {
                self.current.write_attachment(&attachment)?;
                self.has_attachment = true;
            }
            Extra::Metadata(metadata) if !self.kept.metadata.contains(&metadata) => {
                self.current.write_metadata(&metadata)?;
                self.kept.metadata.push(metadata);
            }
            Extra::Metadata(_) => {}
            Extra::Profile(profile) if profile == self.kept.profile => {}
            Extra::Profile(profile) if self.current.set_profile(&profile)? => self.kept.profile = profile,
            Extra::Profile(profile) => tracing::warn!(
                "{}: the profile stays \"{}\"; a later recording in the stream has \"{}\"",
                self.path().display(),
                printable(&self.kept.profile, SHORT),
                printable(&profile, SHORT)
            ),
        }
        Ok(())
    }

    /// The next chunk begins a file.
    pub(super) fn split(&mut self) {
        self.split_next = true;
    }

    pub(super) fn write(&mut self, chunk: &Sealed) -> Result<(), SinkError> {
        let limit = self.split.size.into_iter().chain(self.split.disk_budget.map(|all| all / BUDGET_SHARE));
        let is_full = limit.min().is_some_and(|limit| self.current.size_with(chunk, &self.known) > limit);
        if self.own > 0 && (self.split_next || is_full) {
            self.begin_next(chunk)?;
        }
        self.split_next = false;
        self.make_room(chunk);
        self.current.write_chunk(chunk)?;
        self.own += chunk.messages();
        for definition in chunk.definitions() {
            self.known.add(definition);
        }
        if let Some(latched) = &mut self.latched {
            latched.keep(chunk);
        }
        Ok(())
    }

    /// Completes the current file, and goes on in the next one, whose first chunk of its own this is. What is latched gets
    /// the lowest log time in that chunk: with its own one a file of a minute would span all that was recorded before, and
    /// with a later one it would sort after newer messages of its topic.
    fn begin_next(&mut self, chunk: &Sealed) -> Result<(), SinkError> {
        self.current.finish(&self.known)?;
        let next = loop {
            // a name that somebody has taken meanwhile is left out
            match PartFile::create(self.names.next(Timestamp::now()), &self.kept.profile) {
                Err(SinkError::Exists(_)) => {}
                made => break made?,
            }
        };
        tracing::info!("the recording goes on in {}", next.path().display());
        let own = std::mem::take(&mut self.own);
        self.has_attachment = false;
        let (part, file) = std::mem::replace(&mut self.current, next).into_part();
        sync(&self.sync, file, &part);
        // definitions can fill a chunk: no message is known then but those of the file before
        let last = part.range.map(|range| range.end.nanos());
        let begin = chunk.range.map(|(lowest, _)| lowest).or(last).unwrap_or_default();
        self.finished.push_back(Finished { part, own });
        while self.split.max_files.is_some_and(|most| self.finished.len() >= most.get()) {
            self.remove_oldest();
        }
        for metadata in &self.kept.metadata {
            self.current.write_metadata(metadata)?;
        }
        let mut first = Chunk::default();
        for records in self.known.records() {
            first.define_again(records);
        }
        for message in self.latched.iter().flat_map(Latched::messages) {
            first.push_again(message, begin);
        }
        if first.len() > 0 {
            let sealed = Sealed::of(first, &mut self.compressor, Vec::new());
            self.make_room(&sealed);
            self.current.write_chunk(&sealed)?;
        }
        Ok(())
    }

    /// Removes files until the budget has room for this chunk.
    fn make_room(&mut self, chunk: &Sealed) {
        let Some(budget) = self.split.disk_budget else { return };
        let current = self.current.size_with(chunk, &self.known);
        while self.in_finished() + current > budget && self.remove_oldest() {}
    }

    /// Bytes in files that are finished and there.
    fn in_finished(&self) -> u64 {
        self.finished.iter().map(|file| file.part.bytes).sum()
    }

    /// Removes the oldest file that is finished; whether there was one.
    fn remove_oldest(&mut self) -> bool {
        let Some(Finished { part, .. }) = self.finished.pop_front() else { return false };
        self.removed += part.bytes;
        match fs::remove_file(&part.path) {
            Ok(()) => tracing::info!("removed {}, the oldest file of the recording", part.path.display()),
            // who took it away may want to keep it
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => tracing::warn!("{}: can't be removed: {error}", part.path.display()),
        }
        true
    }

    /// Completes the last file, unless there was an error: then it is removed if it has no message of its own.
    pub(super) fn finish(mut self, error: Option<SinkError>) -> Ended {
        let error = error.or_else(|| self.current.finish(&self.known).err()).or_else(|| {
            let path = self.current.path();
            self.current.is_removed().then(|| SinkError::Removed(path.to_owned()))
        });
        if error.is_some() && self.own == 0 && !self.has_attachment {
            self.current.remove();
        } else {
            let (part, file) = self.current.into_part();
            sync(&self.sync, file, &part);
            self.finished.push_back(Finished { part, own: self.own });
        }
        let readable = self.finished.iter().map(|file| file.own).sum();
        Ended { parts: self.finished.into_iter().map(|file| file.part).collect(), readable, error }
    }
}
