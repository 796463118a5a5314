//! An MCAP recording, or several one after the other, from a pipe or a socket.
//!
//! It is read once, as it comes, and may be endless: of what was read only the definitions of channels and schemas are
//! kept. Everything else is as in [`super::linear`].

use std::io::{self, Read};
use std::time::Instant;

use super::linear::{Linear, Work};
use crate::model::{Batch, Extra};
use crate::registry::Registry;
use crate::source::mcap::damage::DamageLog;
use crate::source::mcap::records::to_usize;
use crate::source::mcap::walker::ForwardRead;
use crate::source::{SourceError, Stop, Stream, TopicRules};

/// See the module's documentation.
pub struct McapStream<R> {
    name: String,
    stop: Stop,
    linear: Linear,
    damage: DamageLog,
    /// None after the end.
    input: Option<Reading<R>>,
}

impl<R: Read + Send> McapStream<R> {
    /// `name`: for people. `read` begins with the recording's first byte: who has looked at some puts them back
    /// ([`Read::chain`]). It is not buffered here twice, so it need not be. A read that fails once `stop` is stopped is the
    /// end.
    pub fn new(name: String, read: R, stop: &Stop, rules: TopicRules, registry: Registry) -> Self {
        Self {
            linear: Linear::new(name.clone(), rules, registry),
            name,
            damage: DamageLog::default(),
            stop: stop.clone(),
            input: Some(Reading(read)),
        }
    }

    /// Has the profile, attachments of at most 256 MiB and metadata of at most 64 MiB kept for [`McapStream::take_extras`];
    /// larger ones are damage. Else all are passed over.
    #[must_use]
    pub fn with_extras(mut self) -> Self {
        self.linear.with_extras();
        self
    }

    /// What came beside messages with the last batch. To be asked after each, which may have nothing but that.
    pub fn take_extras(&mut self) -> Vec<Extra> {
        self.linear.take_extras()
    }

    /// Messages left out so far, since their channels were not defined.
    #[cfg(test)]
    pub(in crate::source::mcap) fn undefined(&self) -> u64 {
        self.linear.undefined
    }
}

impl<R: Read + Send> Stream for McapStream<R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        while !self.stop.is_stopped() {
            let work = self.linear.work();
            for warning in self.linear.take_warnings() {
                tracing::warn!("{}: {warning}", self.name);
            }
            match self.linear.take_ready() {
                Some(Ok(batch)) => return Ok(Some(batch)),
                Some(Err(error)) => match self.damage.on(error, Instant::now()) {
                    Some(error) => return Err(error),
                    None => continue,
                },
                None if self.linear.has_extras() => return Ok(Some(Batch::default())),
                None => {}
            }
            let Some(input) = &mut self.input else { return self.damage.at_end().map_or(Ok(None), Err) };
            match work {
                Work::Suspect { .. } => self.linear.give_up(),
                Work::Ready => {}
                Work::More | Work::Unwritten if self.linear.is_foreign() => self.input = None,
                Work::More | Work::Unwritten => match self.linear.fill(input) {
                    Ok(true) => {}
                    Ok(false) => {
                        self.linear.end();
                        self.input = None;
                    }
                    Err(_) if self.stop.is_stopped() => {}
                    Err(error) => {
                        self.input = None;
                        return Err(SourceError::Io { name: self.name.clone(), error });
                    }
                },
            }
        }
        Ok(None)
    }
}

impl<R> std::fmt::Debug for McapStream<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("McapStream").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Something that is read from the beginning to the end.
pub(in crate::source::mcap) struct Reading<R>(pub(in crate::source::mcap) R);

impl<R: Read> ForwardRead for Reading<R> {
    fn read(&mut self, _offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }

    fn skip(&mut self, offset: u64, length: u64, scratch: &mut [u8]) -> io::Result<u64> {
        let part = to_usize(length).min(scratch.len());
        self.read(offset, &mut scratch[..part]).map(|read| read as u64)
    }
}
