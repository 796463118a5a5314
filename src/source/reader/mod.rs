//! Runs a recording or a stream on a thread of its own, for whoever plays it.
//!
//! Bound: a batch is read for each credit ([`Reader::next`]), so results never pile up. Commands are looked at before
//! any work: of several seeks only the last is done, and what was asked for before a seek is not.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::{Playable, SourceError, Stop};
use crate::model::{Batch, ChannelId};
use crate::time::Timestamp;

/// What a reader has done. `epoch` is that of the last seek, as its caller counts them.
#[derive(Debug)]
pub(crate) enum ReaderEvent {
    /// The next messages.
    Batch {
        /// Of the seek that they follow.
        epoch: u64,
        /// At least one message or announcement.
        batch: Arc<Batch>,
    },
    /// There are no more messages.
    End {
        /// Of the seek that it follows.
        epoch: u64,
    },
    /// A part could not be read: the next credit goes on after it. Of a stream, if the error is fatal, this is the end.
    Failed {
        /// Of the seek that it follows.
        epoch: u64,
        /// What is wrong.
        error: SourceError,
    },
    /// The state before a time, asked for by a seek or by [`Reader::backfill`].
    State {
        /// Of the seek that asked for it, or that it follows.
        epoch: u64,
        /// None for a seek, else as given to [`Reader::backfill`].
        token: Option<u64>,
        /// What counts of each channel, see [`Recording::backfill`](crate::source::Recording::backfill).
        batch: Batch,
    },
}

enum Command {
    Next { epoch: u64 },
    Seek { to: Timestamp, epoch: u64, channels: Vec<ChannelId> },
    Backfill { before: Timestamp, epoch: u64, channels: Vec<ChannelId>, token: u64 },
}

/// Handle to a source that runs on its own thread; when this is dropped a stream is stopped, and the thread ends.
pub(crate) struct Reader {
    commands: Option<Sender<Command>>,
    thread: Option<JoinHandle<()>>,
    /// Of a stream.
    stop: Option<Stop>,
}

impl Reader {
    /// Starts the thread; `sink` is called on it with every result.
    pub(crate) fn spawn(
        source: Playable,
        sink: impl FnMut(ReaderEvent) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (commands, inbox) = channel();
        let stop = match &source {
            Playable::Recording(_) => None,
            Playable::Stream(stream) => Some(stream.stop().clone()),
        };
        let thread = std::thread::Builder::new()
            .name("reader".into())
            .spawn(move || Worker { source, inbox, epoch: 0, sink }.run())?;
        Ok(Self { commands: Some(commands), thread: Some(thread), stop })
    }

    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands
            && commands.send(command).is_err()
        {
            tracing::error!("the reader has stopped");
        }
    }

    /// One credit: the next batch, the end or a failure will be reported.
    pub(crate) fn next(&self, epoch: u64) {
        self.send(Command::Next { epoch });
    }

    /// Continues elsewhere; reports the last message of each of `channels` before `to`. Credits given before are void.
    pub(crate) fn seek(&self, to: Timestamp, epoch: u64, channels: Vec<ChannelId>) {
        self.send(Command::Seek { to, epoch, channels });
    }

    /// Asks for the state of channels before a time, without moving.
    pub(crate) fn backfill(&self, before: Timestamp, epoch: u64, channels: Vec<ChannelId>, token: u64) {
        self.send(Command::Backfill { before, epoch, channels, token });
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(stop) = &self.stop {
            stop.stop();
            if !Stop::ENDS_READS {
                return;
            }
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the reader's thread panicked");
        }
    }
}

struct Worker<F> {
    source: Playable,
    inbox: Receiver<Command>,
    epoch: u64,
    sink: F,
}

impl<F: FnMut(ReaderEvent)> Worker<F> {
    fn run(mut self) {
        while let Ok(first) = self.inbox.recv() {
            let mut commands = vec![first];
            commands.extend(self.inbox.try_iter());
            let last_seek = commands.iter().rposition(|command| matches!(command, Command::Seek { .. }));
            for command in commands.drain(last_seek.unwrap_or(0)..) {
                self.on_command(command);
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Next { epoch } if epoch == self.epoch => {
                let next = match &mut self.source {
                    Playable::Recording(recording) => recording.next(),
                    Playable::Stream(stream) => stream.next(),
                };
                (self.sink)(match next {
                    Ok(Some(batch)) => ReaderEvent::Batch { epoch, batch: Arc::new(batch) },
                    Ok(None) => ReaderEvent::End { epoch },
                    Err(error) => ReaderEvent::Failed { epoch, error },
                });
            }
            Command::Seek { to, epoch, channels } => {
                self.epoch = epoch;
                if let Playable::Recording(recording) = &mut self.source {
                    recording.seek(to);
                }
                self.backfill(to, None, &channels);
            }
            Command::Backfill { before, epoch, channels, token } if epoch == self.epoch => {
                self.backfill(before, Some(token), &channels);
            }
            Command::Next { .. } | Command::Backfill { .. } => {}
        }
    }

    fn backfill(&mut self, before: Timestamp, token: Option<u64>, channels: &[ChannelId]) {
        let epoch = self.epoch;
        let found = match &mut self.source {
            Playable::Recording(recording) => recording.backfill(before, channels),
            // what a stream has given is gone
            Playable::Stream(_) => Ok(Batch::default()),
        };
        let batch = found.unwrap_or_else(|error| {
            (self.sink)(ReaderEvent::Failed { epoch, error });
            Batch::default()
        });
        (self.sink)(ReaderEvent::State { epoch, token, batch });
    }
}

#[cfg(test)]
mod tests;
