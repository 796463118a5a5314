//! A file of lines that still grows: what is appended to it comes in, as from a pipe.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::buffer::Piece;
use super::recording::modified;
use super::{JsonLines, Line};
use crate::pattern::TopicPattern;
use crate::source::past::{Past, Reading};
use crate::source::{ScanProgress, SourceError, Stop};

/// How often a file that has nothing new is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Bytes before the place where reading goes on that are compared: a file that was cut off may be longer again by the time
/// that it is looked at.
const COMPARED: usize = 256;

/// Where reading begins in a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailFrom {
    /// With what it holds.
    Start,
    /// With what is appended; what it holds can be read apart by [`JsonLines::read_past`].
    End,
}

/// Reads a file on and on. One that is not there yet is waited for; one that was replaced, became shorter or was rewritten
/// is read from its beginning. A read ends with an error once the stop is stopped, and never before.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    stop: Stop,
    file: Option<File>,
    /// Bytes of the file that have been read.
    read: u64,
    /// The last of them.
    last: Vec<u8>,
    /// While what lies before is read apart: a read there is one that would block.
    past_until: Option<u64>,
    /// A line may have been cut off by what came in its place.
    cut: bool,
    /// That there is something else in its place was logged.
    is_refused: bool,
}

impl Tail {
    /// Opens the file if it is there.
    pub fn open(path: &Path, from: TailFrom, stop: &Stop) -> Result<Self, SourceError> {
        let io = |error| SourceError::Io { name: path.display().to_string(), error };
        let mut tail = Self {
            path: path.to_owned(),
            stop: stop.clone(),
            file: None,
            read: 0,
            last: Vec::new(),
            past_until: None,
            cut: false,
            is_refused: false,
        };
        match open_file(path) {
            Ok(mut file) => {
                if from == TailFrom::End {
                    tail.read = file.seek(SeekFrom::End(0)).map_err(io)?;
                }
                tail.file = Some(file);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::info!("{}: there is no such file yet; waiting for it", path.display());
            }
            Err(error) => return Err(io(error)),
        }
        Ok(tail)
    }

    /// Whether the path leads to another file by now, or the file is shorter than what was read of it.
    fn is_replaced(&self) -> bool {
        let Some(file) = &self.file else { return false };
        let (Ok(open), Ok(named)) = (file.metadata(), self.path.metadata()) else { return false };
        open.len() < self.read || is_other(&open, &named)
    }

    /// Reads what comes next, 0 at the end; None if the file was rewritten.
    fn read_on(&mut self, into: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(file) = &mut self.file else { return Ok(Some(0)) };
        file.seek(SeekFrom::Start(self.read))?;
        let count = file.read(into)?;
        if count == 0 {
            return Ok(Some(0));
        }
        let mut before = vec![0; self.last.len()];
        file.seek(SeekFrom::Start(self.read - before.len() as u64))?;
        if file.read_exact(&mut before).is_err() || before != self.last {
            return Ok(None);
        }
        self.read += count as u64;
        self.last.extend_from_slice(&into[count.saturating_sub(COMPARED)..count]);
        self.last.drain(..self.last.len().saturating_sub(COMPARED));
        Ok(Some(count))
    }

    /// Opens the file if it is there.
    fn look_for_file(&mut self) -> bool {
        match open_file(&self.path) {
            Ok(file) => {
                (self.file, self.is_refused) = (Some(file), false);
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.is_refused = false,
            Err(error) => {
                if !std::mem::replace(&mut self.is_refused, true) {
                    tracing::warn!("{}: {error}; waiting for it to change", self.path.display());
                }
            }
        }
        false
    }

    fn restart(&mut self) {
        tracing::warn!(
            "{}: the file was replaced; reading continues with the new content",
            self.path.display()
        );
        (self.file, self.read, self.cut) = (None, 0, true);
        self.last.clear();
    }
}

/// Opens a file. A pipe would wait for its writer, whatever stops.
fn open_file(path: &Path) -> io::Result<File> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    File::open(path)
}

impl JsonLines<Tail> {
    /// Reads what the file holds already, of which nothing is sent: its channels and schemas are known then, and what of
    /// latched channels was sent last counts for late subscribers ([`Batch::unsent`](crate::model::Batch::unsent)); `latched`
    /// are topics that are latched beside those that say so. For a file that is read from its [end](TailFrom::End), and
    /// before anything else. A line that can't be used is skipped, also if lines are read strictly.
    pub fn read_past(&mut self, latched: &[TopicPattern], progress: &mut dyn FnMut(ScanProgress)) {
        let end = self.stream.read;
        if end == 0 {
            return;
        }
        (self.stream.read, self.stream.past_until) = (0, Some(end));
        let written = modified(&self.stream.path);
        let (mut past, mut reading) = (Past::new(latched), Reading::of(&self.name, end, progress));
        loop {
            match self.buffer.next(&mut self.stream) {
                Ok(Piece::Lines(lines)) => {
                    for line in self.lines.read(&lines, written).into_iter().flatten() {
                        match line {
                            Line::Batch(batch) => past.push(&batch),
                            Line::Command { .. } => self.lines.skip_command(),
                        }
                    }
                }
                Ok(Piece::TooLong) => drop(self.lines.skip_too_long()),
                Ok(Piece::NoRoom) => drop(self.lines.skip_without_room()),
                // what is wrong with it shows when reading goes on
                Ok(Piece::End) | Err(_) => break,
            }
            reading.at(self.stream.read);
        }
        self.stream.past_until = None;
        self.ready.extend(past.into_batch().map(|batch| Ok(Line::Batch(batch))));
    }
}

#[cfg(unix)]
fn is_other(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) != (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_other(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    one.created().ok() != other.created().ok()
}

impl Read for Tail {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.stop.is_stopped() {
                return Err(io::Error::other("stopped"));
            }
            if std::mem::take(&mut self.cut) && !into.is_empty() {
                into[0] = b'\n';
                return Ok(1);
            }
            let room = self.past_until.map_or(u64::MAX, |end| end.saturating_sub(self.read));
            let room = usize::try_from(room).unwrap_or(usize::MAX).min(into.len());
            let into = &mut into[..room];
            if self.file.is_none() && self.look_for_file() {
                continue;
            }
            match self.read_on(into)? {
                Some(0) if self.past_until.is_some() => return Err(io::ErrorKind::WouldBlock.into()),
                Some(0) => {}
                Some(count) => return Ok(count),
                None => {
                    self.restart();
                    continue;
                }
            }
            if self.is_replaced() {
                // what was written just before that
                if let Some(count @ 1..) = self.read_on(into)? {
                    return Ok(count);
                }
                self.restart();
                continue;
            }
            self.stop.wait(POLL);
        }
    }
}

#[cfg(test)]
mod tests;
