//! A file of lines that still grows: what is appended to it comes in, as from a pipe.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::source::{SourceError, Stop};

/// How often a file that has nothing new is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Where reading begins in a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailFrom {
    /// With what it holds.
    Start,
    /// With what is appended.
    End,
}

/// Reads a file on and on. One that is not there yet is waited for; one that was replaced or became shorter is read from
/// its beginning. A read ends with an error once the stop is stopped, and never before.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    stop: Stop,
    file: Option<File>,
    /// Bytes of the file that have been read.
    read: u64,
    /// A line may have been cut off by what came in its place.
    cut: bool,
}

impl Tail {
    /// Opens the file if it is there.
    pub fn open(path: &Path, from: TailFrom, stop: &Stop) -> Result<Self, SourceError> {
        let io = |error| SourceError::Io { name: path.display().to_string(), error };
        let mut tail = Self { path: path.to_owned(), stop: stop.clone(), file: None, read: 0, cut: false };
        match File::open(path) {
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
            match &mut self.file {
                Some(file) => match file.read(into)? {
                    0 => {}
                    count => {
                        self.read += count as u64;
                        return Ok(count);
                    }
                },
                None => {
                    self.file = File::open(&self.path).ok();
                    if self.file.is_some() {
                        continue;
                    }
                }
            }
            if self.is_replaced() {
                tracing::warn!(
                    "{}: the file was replaced; reading continues with the new content",
                    self.path.display()
                );
                (self.file, self.read, self.cut) = (None, 0, true);
                continue;
            }
            self.stop.wait(POLL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(tail: &mut Tail) -> String {
        let mut buffer = [0; 100];
        let count = tail.read(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    }

    #[test]
    fn what_is_appended_comes_and_a_replaced_file_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        std::fs::write(&path, "old\n").unwrap();
        let stop = Stop::new().unwrap();
        let mut tail = Tail::open(&path, TailFrom::End, &stop).unwrap();
        let append = |text: &str| {
            let mut file = File::options().append(true).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        append("new\n");
        assert_eq!(read(&mut tail), "new\n");
        let other = folder.path().join("other");
        std::fs::write(&other, "other\n").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!((read(&mut tail), read(&mut tail)), ("\n".into(), "other\n".into()));
        std::fs::write(&path, "x\n").unwrap();
        assert_eq!((read(&mut tail), read(&mut tail)), ("\n".into(), "x\n".into()));
        assert_eq!(read(&mut Tail::open(&path, TailFrom::Start, &stop).unwrap()), "x\n");
        let waiting = std::thread::spawn(move || tail.read(&mut [0]).is_err());
        stop.stop();
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn a_file_that_is_not_there_yet_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("later.jsonl");
        let mut tail = Tail::open(&path, TailFrom::End, &Stop::new().unwrap()).unwrap();
        let writing = std::thread::spawn(move || std::fs::write(path, "x\n").unwrap());
        assert_eq!(read(&mut tail), "x\n");
        writing.join().unwrap();
    }
}
