//! One file: written under another name, which it loses when it is whole and on the disk.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::block::{Block, joined};
use super::shared::{Place, Shared};
use crate::hub::capability::save::{NotSaved, Saved};
use crate::hub::responder::Responder;
use crate::model::{Batch, Channel, ChannelId, Entry};
use crate::printable::{bytes, counted};
use crate::sink::{McapWriter, SinkError, WriterOptions, path_at};
use crate::time::{TimeRange, Timestamp};

/// What the name of a file that is not complete ends with.
const PART: &str = "mcap.part";

/// Names with the same time that are tried.
const NAMES: u32 = 1000;

/// A part of what is written, in order.
pub(super) enum Piece {
    /// A channel, before its first message.
    Channel(Arc<Channel>),
    /// What counted of a latched channel before the first message.
    Latched(Arc<Batch>),
    /// Messages of a block, from a place on.
    Messages(Arc<Block>, usize),
    /// Messages that had no room in memory.
    Lost(u64),
}

/// A file that is asked for.
pub(super) struct Job {
    pub(super) shared: Arc<Shared>,
    pub(super) pieces: Receiver<Piece>,
    pub(super) answer: Responder<Result<Saved, NotSaved>>,
    pub(super) place: Place,
}

impl Job {
    /// Writes on a thread of its own.
    pub(super) fn start(self) {
        let run = move || {
            lower_priority();
            let Self { shared, pieces, answer, place } = self;
            let saved = save(&shared.options.folder, &shared.name, &pieces);
            match &saved {
                Ok(saved) => {
                    log(saved);
                    shared.remember(saved.path.clone());
                }
                Err(error) => tracing::error!("not saved: {error}"),
            }
            drop(pieces);
            answer.respond(saved.map_err(NotSaved::Failed));
            drop(place);
        };
        // without a thread the responder tells that nobody answers
        if let Err(error) = std::thread::Builder::new().name("save".into()).spawn(run) {
            tracing::error!("not saved: {error}");
        }
    }
}

fn log(saved: &Saved) {
    let (path, messages) = (saved.path.display(), counted(saved.messages, "message"));
    tracing::info!("saved {messages}, {}, in {path}", bytes(saved.bytes));
    if saved.lost > 0 {
        let lost = counted(saved.lost, "message");
        tracing::warn!("{lost} not in {path}: there was no room in memory while it was written");
    }
}

fn save(folder: &Path, name: &str, pieces: &Receiver<Piece>) -> Result<Saved, String> {
    let time = path_at(Path::new("{time}"), Timestamp::now());
    let (path, part, writer) = create(folder, &format!("{name}-{}", time.display()))?;
    let written = write(writer, pieces).map_err(|error| error.to_string()).and_then(|saved| {
        sync(&part).map(|()| saved).map_err(|error| format!("{}: can't be written: {error}", part.display()))
    });
    let saved = written.inspect_err(|_why| {
        // gone already, if its folder was removed
        fs::remove_file(&part).ok();
    })?;
    // what is whole is left under the other name, if need be
    name_whole(&part, &path, folder)
        .map_err(|error| format!("{}: can't get its name: {error}", part.display()))?;
    Ok(Saved { path, ..saved })
}

/// The names that are tried, one after the other.
fn names(folder: &Path, stem: &str) -> impl Iterator<Item = PathBuf> {
    let numbered = (2..NAMES).map(move |number| format!("{stem}-{number}.mcap"));
    std::iter::once(format!("{stem}.mcap")).chain(numbered).map(|name| folder.join(name))
}

/// Makes the file under the name that it has until it is complete. While it is there no other program of ours takes its
/// final name.
fn create(folder: &Path, stem: &str) -> Result<(PathBuf, PathBuf, McapWriter), String> {
    for path in names(folder, stem).filter(|path| !path.exists()) {
        let part = path.with_extension(PART);
        // one thread keeps up with most disks, and leaves the processors to what is served
        let options = WriterOptions { threads: NonZero::new(1), ..WriterOptions::default() };
        match McapWriter::create(&part, options) {
            Ok(writer) => return Ok((path, part, writer)),
            Err(SinkError::Exists(_)) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(format!("{}: too many files are named {stem}", folder.display()))
}

/// Writes until the pieces end.
fn write(mut writer: McapWriter, pieces: &Receiver<Piece>) -> Result<Saved, SinkError> {
    let mut contents = Contents::default();
    let written = pieces.iter().try_for_each(|piece| contents.write(piece, &mut writer));
    // without a message it is as old as it is
    if let Err(error) = written.and_then(|()| contents.write_latched(None, &mut writer)) {
        writer.abandon();
        return Err(error);
    }
    // a slow disk may take its time
    let recorded = writer.complete(Duration::MAX)?;
    let Contents { range, lost, .. } = contents;
    Ok(Saved { path: PathBuf::new(), range, messages: recorded.messages, bytes: recorded.bytes, lost })
}

/// What is in a file so far.
#[derive(Default)]
struct Contents {
    channels: BTreeMap<ChannelId, Announced>,
    /// What counted of latched channels before the first message, until that is written.
    latched: Vec<Arc<Batch>>,
    range: Option<TimeRange>,
    lost: u64,
}

struct Announced {
    channel: Arc<Channel>,
    is_written: bool,
}

impl Contents {
    fn write(&mut self, piece: Piece, writer: &mut McapWriter) -> Result<(), SinkError> {
        match piece {
            Piece::Channel(channel) => {
                self.channels.entry(channel.id).or_insert(Announced { channel, is_written: false });
            }
            Piece::Latched(batch) => self.latched.push(batch),
            Piece::Messages(block, at) => {
                if !self.latched.is_empty()
                    && let Some(lowest) = block.messages_from(at).map(|stored| stored.entry.log_time).min()
                {
                    self.write_latched(Some(lowest), writer)?;
                }
                for stored in block.messages_from(at) {
                    self.write_message(&stored.entry, stored.payload, writer)?;
                    let at = stored.entry.log_time;
                    self.range = joined(self.range, Some(TimeRange { start: at, end: at }));
                }
            }
            Piece::Lost(lost) => self.lost += lost,
        }
        Ok(())
    }

    /// Writes what is latched, before the first message and with the lowest log time of those that are written first: a file
    /// of a minute would else span the hours in which nothing was kept. The publish time stays.
    fn write_latched(&mut self, first: Option<Timestamp>, writer: &mut McapWriter) -> Result<(), SinkError> {
        for batch in std::mem::take(&mut self.latched) {
            for entry in &batch.entries {
                let log_time = first.unwrap_or(entry.log_time);
                self.write_message(&Entry { log_time, ..*entry }, batch.payload(entry), writer)?;
            }
        }
        Ok(())
    }

    /// A channel is written with its first message.
    fn write_message(
        &mut self,
        entry: &Entry,
        payload: &[u8],
        writer: &mut McapWriter,
    ) -> Result<(), SinkError> {
        if let Some(announced) = self.channels.get_mut(&entry.channel).filter(|channel| !channel.is_written) {
            announced.is_written = true;
            writer.add_channel(&announced.channel)?;
        }
        writer.write(entry, payload)
    }
}

/// Waits until the disk has all of a file.
fn sync(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.sync_all()
}

/// Gives a file that is on the disk its final name, so that after a power cut it is there as a whole or not at all.
fn name_whole(part: &Path, path: &Path, folder: &Path) -> io::Result<()> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(part, path)?;
    sync_folder(folder)
}

/// Some file systems can't, and have done it.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

/// There a folder can't be opened as a file.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// What is served goes before what is saved. Threads that this one starts inherit it.
#[cfg(target_os = "linux")]
fn lower_priority() {
    const NICE: i32 = 10;
    // of this thread, as Linux has it
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!("the priority of saving can't be lowered: {error}");
    }
}

/// Elsewhere it would be that of the program.
#[cfg(not(target_os = "linux"))]
fn lower_priority() {}

/// Tries whether files can be made in a folder.
pub(super) fn check(folder: &Path) -> io::Result<()> {
    let probe = folder.join(format!(".foxglove-bridge-{}-{}", std::process::id(), Timestamp::now().nanos()));
    File::create_new(&probe)?;
    fs::remove_file(&probe)
}
