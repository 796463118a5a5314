//! Reads a file through once and finds what its summary should have said, for each of its recordings.
//!
//! The records are those that [`Walker`] finds, as for streams: what is left out of a damaged file is what is left out
//! of the same bytes from a pipe. Chunks are decompressed for their channels and times; messages outside of chunks are
//! grouped into runs.

use std::io::{self, Read};
use std::ops::Range;

use mcap::records::op;

use super::found::{Found, FoundSegment, Keep};
use super::ids::{Ids, Section};
use super::payloads::{Message, Payloads};
use super::{Method, Survey, Unused};
use crate::source::bytes::RangeRead;
use crate::source::mcap::chunk::{Unpacker, check};
use crate::source::mcap::faults::{Faults, NO_FOOTER};
use crate::source::mcap::fields::Definition;
use crate::source::mcap::records::{RECORD_HEADER, message, to_usize, walk};
use crate::source::mcap::stream::Reading;
use crate::source::mcap::walker::{Extras, ForwardRead, WalkStep, Walker};
use crate::source::{Order, ScanProgress, SourceError};

mod beside;
mod conclude;

use beside::count_chunk;

/// Messages outside of chunks are played in runs of about this many bytes.
const RUN: u64 = 1 << 20;

/// Progress is reported each time that this many bytes were read.
const PROGRESS: u64 = 8 << 20;

/// Scans the file. `unused`: why its summary is not used, for the warning; None if that needs no warning.
pub(super) fn scan(
    file: &dyn RangeRead,
    unpacker: Unpacker,
    order: Order,
    unused: Option<Unused>,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<Survey, SourceError> {
    Scan::new(file.name(), Forward(file), unpacker, order, Keep::Index).run(unused, file.size(), progress)
}

/// The same, with a look at every byte: all checksums are compared, and all messages decoded.
pub(super) fn verify(
    file: &dyn RangeRead,
    unpacker: Unpacker,
    unused: Option<Unused>,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<Survey, SourceError> {
    let mut scan = Scan::new(file.name(), Forward(file), unpacker, Order::Log, Keep::Index);
    scan.look_at_all();
    scan.run(unused, file.size(), progress)
}

/// The same of a stream.
pub(super) fn verify_stream(name: &str, read: impl Read) -> Result<Survey, SourceError> {
    let mut scan = Scan::new(name, Reading(read), Unpacker::default(), Order::Log, Keep::Totals);
    scan.look_at_all();
    scan.run(None, u64::MAX, &mut |_progress| {})
}

struct Scan<'a, R> {
    name: &'a str,
    input: R,
    order: Order,
    survey: Survey,
    ids: Ids,
    walker: Walker,
    unpacker: Unpacker,
    found: Found,
    /// If messages are decoded.
    payloads: Option<Payloads>,
    /// Records outside of chunks, while they go on.
    run: Option<FoundSegment>,
    /// What costs messages.
    faults: Faults,
    /// Checksums that don't match.
    mismatches: Faults,
}

impl<'a, R: ForwardRead> Scan<'a, R> {
    fn new(name: &'a str, input: R, unpacker: Unpacker, order: Order, keep: Keep) -> Self {
        let mut walker = Walker::new(&unpacker);
        walker.extras = Extras::Listed;
        Self {
            name,
            input,
            order,
            survey: Survey::new(Method::Scan),
            ids: Ids::new(),
            walker,
            unpacker,
            found: Found::new(keep),
            payloads: None,
            run: None,
            faults: Faults::default(),
            mismatches: Faults::default(),
        }
    }

    fn look_at_all(&mut self) {
        self.walker.sum_up();
        self.payloads = Some(Payloads::default());
    }

    fn run(
        mut self,
        unused: Option<Unused>,
        total: u64,
        progress: &mut dyn FnMut(ScanProgress),
    ) -> Result<Survey, SourceError> {
        let mut reported = 0;
        loop {
            if self.walker.offset() - reported >= PROGRESS {
                reported = self.walker.offset();
                progress(ScanProgress { done: reported.min(total), total });
            }
            let step = self.walker.step();
            if step != WalkStep::More {
                self.compare_attachment();
            }
            match step {
                // never: the file is not being written
                WalkStep::Unwritten => break,
                WalkStep::More if self.walker.is_foreign() => break,
                WalkStep::More => {
                    let filled = self.walker.fill(&mut self.input, &self.unpacker);
                    if !filled.map_err(|error| SourceError::Io { name: self.name.to_owned(), error })? {
                        self.compare_attachment();
                        self.on_end();
                        break;
                    }
                }
                WalkStep::Opening { offset } => {
                    self.end_run();
                    let part = self.ids.part();
                    self.ids.begin_recording(offset, self.found.is_in(part));
                }
                WalkStep::Record { opcode: op::MESSAGE, offset, body } => self.on_message(offset, &body),
                WalkStep::Record { opcode: op::CHUNK, offset, body } => self.on_chunk(offset, &body),
                WalkStep::Record { opcode: opcode @ (op::HEADER | op::METADATA), offset, body } => {
                    self.on_extra(opcode, offset, &body);
                }
                WalkStep::Record { opcode, offset, body } => self.on_definition(opcode, offset, &body),
                WalkStep::Skipped { opcode, offset, length } => self.on_skipped(opcode, offset, length),
                WalkStep::TooLarge { offset, reason } => {
                    self.end_run();
                    self.faults.add(offset, reason);
                }
                WalkStep::Broken { offset, reason } => self.faults.add(offset, reason),
                WalkStep::Foreign { reason } => return Err(unusable(self.name, reason)),
            }
        }
        self.end_run();
        self.ids.end_recording();
        self.conclude(unused)
    }

    fn on_end(&mut self) {
        if let Some(reason) = self.walker.unfinished() {
            self.faults.add(self.walker.offset(), reason);
        } else if !self.walker.is_complete() {
            self.faults.add(self.walker.read_offset(), NO_FOOTER);
        }
        // the last may have been cut off
        let end = self.walker.read_offset();
        self.survey.attachments.retain(|attachment| attachment.end <= end);
    }

    fn on_message(&mut self, offset: u64, body: &Range<usize>) {
        let bytes = &self.walker.window()[body.clone()];
        let message = message(bytes, 0, self.order);
        if let (Some(payloads), Some((channel, entry))) = (&mut self.payloads, &message) {
            payloads.check(&self.ids, &Message::of(*channel, entry, bytes, offset));
        }
        self.walker.pass(body);
        let end = offset + RECORD_HEADER + body.len() as u64;
        if self.run.as_ref().is_some_and(|run| end - run.offset() > RUN) || message.is_none() {
            self.end_run();
        }
        let Some((channel, entry)) = message else {
            return self.faults.add(offset, "the message is too short");
        };
        let part = self.ids.part();
        let run = self.run.get_or_insert_with(|| FoundSegment::run(offset, part));
        run.extend_to(end);
        run.add(part, channel, entry.log_time.0, entry.length);
    }

    fn end_run(&mut self) {
        self.run.take().into_iter().for_each(|run| self.found.push(run));
    }

    fn on_definition(&mut self, opcode: u8, offset: u64, body: &Range<usize>) {
        let definition = Definition::decode(opcode, &self.walker.window()[body.clone()]);
        let section = if self.walker.is_summary() { Section::Summary } else { Section::Data };
        let part = self.ids.part();
        let taken = match definition {
            Some(definition) => self.ids.on_definition(definition, (offset, 0), section),
            None => {
                self.end_run();
                self.faults.add(offset, "the definition of a channel or schema can't be read");
                return self.walker.pass_unusable(body);
            }
        };
        self.walker.pass(body);
        if self.ids.part() != part {
            self.end_run();
        }
        if let Err(reason) = taken {
            self.faults.add(offset, reason);
        }
    }

    fn on_chunk(&mut self, offset: u64, body: &Range<usize>) {
        self.end_run();
        let length = RECORD_HEADER + body.len() as u64;
        let record = &self.walker.window()[body.start - to_usize(RECORD_HEADER)..body.end];
        let size = count_chunk(&mut self.survey, record);
        if let Err(reason) = self.look_into_chunk(offset, length, size, body) {
            self.faults.add(offset, reason);
            return self.walker.pass_unusable(body);
        }
        self.walker.pass(body);
    }

    fn look_into_chunk(
        &mut self,
        offset: u64,
        length: u64,
        size: u64,
        body: &Range<usize>,
    ) -> Result<(), String> {
        let bytes = &self.walker.window()[body.clone()];
        let plain = self.unpacker.unpack(bytes)?;
        let records = plain.records(bytes);
        check(records)?;
        let part = self.ids.part();
        let mut found = FoundSegment::chunk(offset, length, size, part);
        let mut faults = Vec::new();
        // it has just been walked to its end
        walk(records, |opcode, at, body| {
            match opcode {
                op::MESSAGE => {
                    let (channel, entry) = message(body, at, self.order)?;
                    if let Some(payloads) = &mut self.payloads {
                        payloads.check(&self.ids, &Message::of(channel, &entry, body, offset));
                    }
                    found.add(self.ids.part(), channel, entry.log_time.0, entry.length);
                }
                op::SCHEMA | op::CHANNEL => {
                    let definition = Definition::decode(opcode, body)?;
                    let taken = self.ids.on_definition(definition, (offset, at), Section::Data);
                    faults.extend(taken.err());
                }
                _ => {}
            }
            Some(())
        })
        .ok();
        self.found.push(found);
        faults.into_iter().for_each(|reason| self.faults.add(offset, reason));
        Ok(())
    }
}

fn unusable(name: &str, reason: impl Into<String>) -> SourceError {
    SourceError::Unusable { name: name.to_owned(), reason: reason.into() }
}

/// A file from its beginning to its end.
struct Forward<'a>(&'a dyn RangeRead);

impl ForwardRead for Forward<'_> {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let read = buffer.len().min(to_usize(self.0.size().saturating_sub(offset)));
        self.0.read_at(&mut buffer[..read], offset)?;
        Ok(read)
    }

    fn skip(&mut self, offset: u64, length: u64, _scratch: &mut [u8]) -> io::Result<u64> {
        Ok(length.min(self.0.size().saturating_sub(offset)))
    }
}
