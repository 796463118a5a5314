//! A file of lines that still grows: what is appended to it comes in, as from a pipe.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::JsonLines;
use super::buffer::Piece;
use super::recording::modified;
use crate::pattern::TopicPattern;
use crate::source::past::{Past, Reading};
use crate::source::{ScanProgress, SourceError, Stop};

/// How often a file that has nothing new is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Where reading begins in a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailFrom {
    /// With what it holds.
    Start,
    /// With what is appended; what it holds can be read apart by [`JsonLines::read_past`].
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
    /// While what lies before is read apart: a read there is one that would block.
    past_until: Option<u64>,
    /// A line may have been cut off by what came in its place.
    cut: bool,
}

impl Tail {
    /// Opens the file if it is there.
    pub fn open(path: &Path, from: TailFrom, stop: &Stop) -> Result<Self, SourceError> {
        let io = |error| SourceError::Io { name: path.display().to_string(), error };
        let (path_buf, stop) = (path.to_owned(), stop.clone());
        let mut tail = Self { path: path_buf, stop, file: None, read: 0, past_until: None, cut: false };
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

impl JsonLines<Tail> {
    /// Reads what the file holds already, of which nothing is sent: its channels and schemas are known then, and what of
    /// latched channels was sent last counts for late subscribers ([`Batch::unsent`](crate::model::Batch::unsent)); `latched`
    /// are topics that are latched beside those that say so. For a file that is read from its [end](TailFrom::End), and
    /// before anything else. A line that can't be used is skipped, also if lines are read strictly.
    pub fn read_past(&mut self, latched: &[TopicPattern], progress: &mut dyn FnMut(ScanProgress)) {
        let end = self.stream.read;
        let back = self.stream.file.as_mut().filter(|_| end > 0).map(|file| file.seek(SeekFrom::Start(0)));
        if back.is_none_or(|sought| sought.is_err()) {
            return;
        }
        (self.stream.read, self.stream.past_until) = (0, Some(end));
        let written = modified(&self.stream.path);
        let (mut past, mut reading) = (Past::new(latched), Reading::of(&self.name, end, progress));
        loop {
            match self.buffer.next(&mut self.stream) {
                Ok(Piece::Lines(lines)) => {
                    self.lines
                        .read(&lines, written)
                        .into_iter()
                        .flatten()
                        .for_each(|batch| past.push(&batch));
                }
                Ok(Piece::TooLong) => drop(self.lines.skip_too_long()),
                Ok(Piece::NoRoom) => drop(self.lines.skip_without_room()),
                // what is wrong with it shows when reading goes on
                Ok(Piece::End) | Err(_) => break,
            }
            reading.at(self.stream.read);
        }
        self.stream.past_until = None;
        self.ready.extend(past.into_batch().map(Ok));
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
            match &mut self.file {
                Some(file) => match file.read(into)? {
                    0 if self.past_until.is_some() => return Err(io::ErrorKind::WouldBlock.into()),
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
    use std::sync::Arc;

    use super::*;
    use crate::model::{Batch, Entry};
    use crate::payload::{TypeOptions, Types};
    use crate::registry::Registry;
    use crate::source::json_lines::JsonLinesOptions;
    use crate::source::live::LiveChannels;
    use crate::source::{Stream, TopicRules};

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
    fn what_a_file_holds_is_known_and_not_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let old = [
            r#"{"op":"schema","name":"Pose","encoding":"jsonschema","schema":{"type":"object"}}"#,
            r#"{"op":"channel","topic":"/map","latch":true}"#,
            r#"{"topic":"/map","log_time":1,"data":{"cells":1}}"#,
            r#"{"topic":"/pose","schema":"Pose","log_time":2,"data":{"x":1}}"#,
            "not a line",
            r#"{"topic":"/map","log_time":3,"data":{"cells":2}}"#,
            r#"{"topic":"/pose","sch"#,
        ];
        std::fs::write(&path, old.join("\n")).unwrap();
        let stop = Stop::new().unwrap();
        let open = |from, latched: &[TopicPattern]| {
            let options = JsonLinesOptions { strict: true, ..JsonLinesOptions::default() };
            let types = Arc::new(Types::load(&TypeOptions::default()).unwrap());
            let channels = LiveChannels::new(TopicRules::default(), types, &[], Registry::default()).unwrap();
            let tail = Tail::open(&path, from, &stop).unwrap();
            let mut lines = JsonLines::new("log".into(), tail, &stop, Arc::new(options), channels);
            lines.read_past(latched, &mut |_| {});
            lines
        };
        let mut following = open(TailFrom::End, &[]);
        let mut with_pose = open(TailFrom::End, &["/pose".parse().unwrap()]);
        let texts = |batch: &Batch, entries: Vec<Entry>| -> Vec<String> {
            entries.iter().map(|entry| String::from_utf8(batch.payload(entry).to_vec()).unwrap()).collect()
        };
        let unsent = |batch: &Batch| texts(batch, batch.unsent.iter().map(|(_, entry)| *entry).collect());
        let first = following.next().unwrap().unwrap();
        let topics: Vec<_> = first.announcements.iter().map(|channel| channel.topic.as_str()).collect();
        assert_eq!((topics, first.entries.len()), (vec!["/map", "/pose"], 0));
        assert_eq!(unsent(&first), [r#"{"cells":2}"#]);
        assert_eq!(unsent(&with_pose.next().unwrap().unwrap()), [r#"{"x":1}"#, r#"{"cells":2}"#]);
        // the line that had begun is a new one
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"ema\":\"Pose\",\"log_time\":4,\"data\":{\"x\":2}}\n").unwrap();
        let next = following.next().unwrap().unwrap();
        assert!(next.announcements.is_empty() && next.unsent.is_empty());
        assert_eq!(texts(&next, next.entries.clone()), [r#"{"x":2}"#]);
        // all of it is sent to who asks for it
        let batch = open(TailFrom::Start, &[]).next().unwrap().unwrap();
        assert_eq!((batch.entries.len(), batch.unsent.len()), (2, 0));
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
