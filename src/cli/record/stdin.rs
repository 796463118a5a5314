//! What comes on stdin: JSON lines, or MCAP.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use anyhow::Context;
use foxglove_bridge::internals::{counted, printable};
use foxglove_bridge::model::{Batch, ChannelId, Entry, Extra};
use foxglove_bridge::source::{ErrorKind, SourceError, Stop, Stream};
use tokio::sync::mpsc;

use super::bar::State;
use super::file::File;
use super::{Came, Source, Trouble};
use crate::cli::config::ServeOptions;
use crate::cli::serve::hints;
use crate::cli::serve::stdin::{self, Sniffed};
use crate::cli::{Failure, LONGEST_ERROR};

/// Batches that are read ahead; each has what one read completes, or a chunk.
const AHEAD: usize = 4;

pub(super) struct Stdin {
    batches: mpsc::Receiver<Read>,
    stop: Stop,
    /// The ids that channels have in the file.
    ids: HashMap<ChannelId, ChannelId>,
    bad_lines: u64,
    /// Parts that could not be read.
    damaged: u64,
}

/// What was read.
struct Read {
    /// None at the end.
    batch: Result<Option<Batch>, SourceError>,
    /// Lines that could not be used so far.
    bad_lines: u64,
    /// What came beside messages.
    extras: Vec<Extra>,
    /// Dropped with the rest, which the reader may wait for.
    _taken: Option<std::sync::mpsc::Sender<()>>,
}

impl Read {
    fn of(batch: Result<Option<Batch>, SourceError>) -> Self {
        Self { batch, bad_lines: 0, extras: Vec::new(), _taken: None }
    }
}

impl Stdin {
    /// Reads from now on, on a thread.
    pub(super) fn open(options: &ServeOptions) -> anyhow::Result<Self> {
        let stop = Stop::new()?;
        let unread = stdin::Stdin::alone(options, &stop)?;
        let (sender, batches) = mpsc::channel(AHEAD);
        let reading = std::thread::Builder::new().name("stdin".into());
        reading.spawn(move || read(unread, &sender)).context("reading stdin")?;
        Ok(Self { batches, stop, ids: HashMap::new(), bad_lines: 0, damaged: 0 })
    }

    fn take(&mut self, read: Read, file: &mut File) -> Result<Came, Trouble> {
        self.bad_lines = read.bad_lines;
        if !file.is_complete() {
            for extra in read.extras {
                file.write_extra(extra)?;
            }
        }
        match read.batch {
            Ok(Some(batch)) => {
                self.write(&batch, file)?;
                Ok(Came::Some)
            }
            Ok(None) => Ok(Came::End),
            Err(error) if error.kind() == ErrorKind::Fatal => {
                Err(Trouble::Source(Failure::Input(hints::with_way_out(error))))
            }
            Err(error) => {
                self.damaged += 1;
                tracing::warn!("{}", printable(&error.to_string(), LONGEST_ERROR));
                Ok(Came::Some)
            }
        }
    }

    fn write(&mut self, batch: &Batch, file: &mut File) -> Result<(), Trouble> {
        for id in &batch.retired {
            self.ids.remove(id);
        }
        for channel in &batch.announcements {
            self.ids.insert(channel.id, file.channel(channel)?);
        }
        for entry in &batch.entries {
            if let Some(&channel) = self.ids.get(&entry.channel) {
                file.write(&Entry { channel, ..*entry }, batch.payload(entry))?;
            }
        }
        Ok(())
    }
}

/// Reads to the end, or until nobody takes it any more.
fn read(unread: stdin::Stdin, sender: &mpsc::Sender<Read>) {
    let mut sniffed = match unread.sniff() {
        Ok(Some(Sniffed::Mcap(stream))) => Sniffed::Mcap(Box::new(stream.with_extras())),
        Ok(Some(lines)) => lines,
        Ok(None) => return,
        Err(error) => return drop(sender.blocking_send(Read::of(Err(error)))),
    };
    loop {
        let (mut read, extras) = match &mut sniffed {
            Sniffed::Lines(lines) => {
                let batch = lines.next();
                let bad_lines = lines.counts().bad.load(Ordering::Relaxed);
                (Read { bad_lines, ..Read::of(batch) }, Vec::new())
            }
            Sniffed::Mcap(stream) => (Read::of(stream.next()), stream.take_extras()),
        };
        // attachments are large: one at a time
        let taken = (!extras.is_empty()).then(std::sync::mpsc::channel::<()>);
        read.extras = extras;
        let is_end = matches!(read.batch, Ok(None));
        let (guard, waiting) = taken.unzip();
        read._taken = guard;
        if sender.blocking_send(read).is_err() || is_end {
            return;
        }
        if let Some(waiting) = waiting {
            // an error: it was taken
            waiting.recv().unwrap_or_default();
        }
    }
}

impl Source for Stdin {
    async fn next(&mut self, file: &mut File) -> Result<Came, Trouble> {
        match self.batches.recv().await {
            Some(read) => self.take(read, file),
            None => Ok(Came::End),
        }
    }

    async fn stop(&mut self, file: &mut File) -> Result<(), Trouble> {
        self.stop.stop();
        while !file.is_complete() && self.next(file).await? == Came::Some {}
        Ok(())
    }

    fn state(&self) -> State {
        State { connected: true, missing: self.bad_lines + self.damaged }
    }

    fn missing(&self) -> Option<String> {
        let parts = [
            (self.bad_lines, format!("{} can't be used", counted(self.bad_lines, "line"))),
            (self.damaged, format!("{} can't be read", counted(self.damaged, "part"))),
        ];
        let parts: Vec<_> = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
        (!parts.is_empty()).then(|| format!("stdin: {}", parts.join(", ")))
    }
}
