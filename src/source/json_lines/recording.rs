//! Files of JSON lines as a recording: read through once when it is opened, and played from memory.
//!
//! Bound: [`LARGEST`] bytes of payloads and of their table; a file with more is refused.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{JsonLines, JsonLinesOptions};
use crate::source::live::LiveChannels;
use crate::source::paths::file_name;
use crate::source::sniff::FOREIGN_HEAD;
use crate::source::{
    Extent, Gathered, Hints, MemoryRecording, Recording, RecordingOptions, ScanProgress, SourceError, Stop,
    Stream, other_format,
};
use crate::time::Timestamp;

/// Bytes of a recording in memory.
const LARGEST: usize = 1 << 30;

/// Progress is reported each time that this many bytes were read.
pub(super) const PROGRESS: u64 = 8 << 20;

/// Extensions of files of JSON lines, whatever their first bytes are.
const EXTENSIONS: [&str; 3] = ["jsonl", "ndjson", "jsonlines"];

/// The time of lines that have none, until that of others is known.
pub(super) const UNKNOWN: Timestamp = Timestamp::MAX;

/// Whether a file is one of JSON lines: by its name, or by its first byte that is not blank.
pub fn is_file_of_lines(path: &Path) -> bool {
    // a pipe would lose what is looked at; a file that is followed may not be there yet
    if !path.is_file() && path.exists() {
        return false;
    }
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    if extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str())) {
        return true;
    }
    let mut first = Vec::new();
    let read = File::open(path).and_then(|file| file.take(256).read_to_end(&mut first));
    let text = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&first).trim_ascii_start();
    read.is_ok() && text.starts_with(b"{")
}

/// Opens files of JSON lines as one recording; see the module's documentation. `recording` says what of it is played;
/// topics are chosen by the rules of `channels`. `progress` is called now and then.
pub fn open_recording(
    paths: &[PathBuf],
    options: &Arc<JsonLinesOptions>,
    channels: &Arc<LiveChannels>,
    hints: Hints,
    recording: &RecordingOptions,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<Box<dyn Recording>, SourceError> {
    let mut gathered = Gathered::default();
    let total = paths.iter().map(|path| path.metadata().map_or(0, |file| file.len())).sum();
    let read = Arc::new(AtomicU64::new(0));
    let mut reported = 0;
    // none is closed before all are read, so that channels of one don't end with the next
    let mut inputs = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        let io = |error| SourceError::Io { name: name.clone(), error };
        let file = open_text(path)?;
        let stop = Stop::new().map_err(io)?;
        let file = Counted { read: file, count: read.clone() };
        let mut lines = JsonLines::new(name.clone(), file, &stop, options.clone(), channels.clone())
            .with_hints(hints)
            .with_clock(|| UNKNOWN)
            .paced();
        while let Some(batch) = lines.next()? {
            gathered.push(batch);
            let done = read.load(Ordering::Relaxed);
            if done >= reported + PROGRESS {
                reported = done;
                progress(ScanProgress { done: done.min(total), total });
            }
            if gathered.footprint() > LARGEST {
                let reason = format!(
                    "has more than {} MiB of messages, the most that is kept in memory; read it as a stream, or make \
                     an MCAP file of it",
                    LARGEST >> 20
                );
                return Err(SourceError::Unusable { name, reason });
            }
        }
        inputs.push(lines.into_lines());
    }
    drop(inputs);
    gathered.keep_ended(channels.registry());
    let start = gathered.first_before(UNKNOWN);
    let start = start.or(paths.first().map(|path| modified(path))).unwrap_or(Timestamp::MIN);
    gathered.set_times(|time| if time == UNKNOWN { start } else { time });
    let name = match paths {
        [path] => file_name(path),
        [first, rest @ ..] => format!("{} and {} more", file_name(first), rest.len()),
        [] => String::new(),
    };
    Ok(Box::new(MemoryRecording::new(name, gathered, Extent::All, recording)?))
}

/// Opens a file of lines. What is known as another format is refused.
pub(super) fn open_text(path: &Path) -> Result<File, SourceError> {
    let name = || path.display().to_string();
    let mut first = Vec::new();
    let opened = File::open(path).and_then(|mut file| {
        file.by_ref().take(FOREIGN_HEAD as u64).read_to_end(&mut first)?;
        file.rewind()?;
        Ok(file)
    });
    let file = opened.map_err(|error| SourceError::Io { name: name(), error })?;
    match other_format(&first) {
        Some(reason) => Err(SourceError::Unusable { name: name(), reason: reason.to_owned() }),
        None => Ok(file),
    }
}

/// When a file was written last: about then is what it says, if it says no times.
pub(super) fn modified(path: &Path) -> Timestamp {
    path.metadata().and_then(|file| file.modified()).map_or(Timestamp::MIN, Timestamp::from)
}

/// Counts the bytes that are read of something.
pub(super) struct Counted<R> {
    pub(super) read: R,
    pub(super) count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.read.read(into)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
