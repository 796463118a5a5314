//! Reads a file through once and finds what its summary should have said, for each of its recordings.
//!
//! The records are those that [`Walker`] finds, as for streams: what is left out of a damaged file is what is left out
//! of the same bytes from a pipe. Chunks are decompressed for their channels and times; messages outside of chunks are
//! grouped into runs.

use std::io;
use std::ops::Range;
use std::path::Path;

use mcap::records::op;

use super::found::{self, FoundSegment};
use super::ids::{Ids, Section};
use super::{Method, Survey, extras};
use crate::source::bytes::RangeRead;
use crate::source::mcap::chunk::{Unpacker, check};
use crate::source::mcap::damage::{Faults, NO_FOOTER, NOTHING_TO_RECOVER};
use crate::source::mcap::fields::Definition;
use crate::source::mcap::fields::chunk_head;
use crate::source::mcap::records::{RECORD_HEADER, failed, message, read_vec, to_usize, unusable, walk};
use crate::source::mcap::walker::{ForwardRead, WalkStep, Walker};
use crate::source::paths::file_name;
use crate::source::{Order, ScanProgress, SourceError};

/// Messages outside of chunks are played in runs of about this many bytes.
const RUN: u64 = 1 << 20;

/// Progress is reported each time that this many bytes were read.
const PROGRESS: u64 = 8 << 20;

/// Bytes of a chunk that hold its compression and sizes.
const CHUNK_HEAD: u64 = 4096;

/// Scans the file. `reason`: why its summary is not used, for the warning; None if that needs no warning.
pub(super) fn scan(
    file: &dyn RangeRead,
    unpacker: Unpacker,
    order: Order,
    reason: Option<String>,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<Survey, SourceError> {
    let scan = Scan {
        file,
        order,
        survey: Survey::new(Method::Scan),
        ids: Ids::new(),
        walker: Walker::new(&unpacker),
        unpacker,
        found: Vec::new(),
        run: None,
        faults: Faults::default(),
    };
    scan.run(reason, progress)
}

struct Scan<'a> {
    file: &'a dyn RangeRead,
    order: Order,
    survey: Survey,
    ids: Ids,
    walker: Walker,
    unpacker: Unpacker,
    found: Vec<FoundSegment>,
    /// Records outside of chunks, while they go on.
    run: Option<FoundSegment>,
    faults: Faults,
}

impl Scan<'_> {
    fn run(
        mut self,
        reason: Option<String>,
        progress: &mut dyn FnMut(ScanProgress),
    ) -> Result<Survey, SourceError> {
        let total = self.file.size();
        let mut reported = 0;
        loop {
            if self.walker.offset() - reported >= PROGRESS {
                reported = self.walker.offset();
                progress(ScanProgress { done: reported.min(total), total });
            }
            match self.walker.step() {
                // never: the file is not being written
                WalkStep::Unwritten => break,
                WalkStep::More if self.walker.is_foreign() => break,
                WalkStep::More => {
                    let filled = self.walker.fill(&mut Forward(self.file), &self.unpacker);
                    if !filled.map_err(|error| failed(self.file, error))? {
                        self.on_end();
                        break;
                    }
                }
                WalkStep::Opening { offset } => {
                    self.end_run();
                    let part = self.ids.part();
                    let has_messages = self.found.last().is_some_and(|found| found.part() == part);
                    self.ids.begin_recording(offset, has_messages);
                }
                WalkStep::Record { opcode: op::MESSAGE, offset, body } => self.on_message(offset, &body),
                WalkStep::Record { opcode: op::CHUNK, offset, body } => self.on_chunk(offset, &body),
                WalkStep::Record { opcode, offset, body } => self.on_definition(opcode, offset, &body),
                WalkStep::Skipped { opcode, offset, length } => self.on_skipped(opcode, offset, length)?,
                WalkStep::TooLarge { offset, reason } => {
                    self.end_run();
                    self.faults.add(offset, reason);
                }
                WalkStep::Broken { offset, reason } => self.faults.add(offset, reason),
                WalkStep::Foreign { reason } => return Err(unusable(self.file, reason)),
            }
        }
        self.end_run();
        self.ids.end_recording();
        self.conclude(reason)
    }

    fn on_end(&mut self) {
        if let Some(reason) = self.walker.unfinished() {
            self.faults.add(self.walker.offset(), reason);
        } else if !self.walker.is_complete() {
            self.faults.add(self.file.size(), NO_FOOTER);
        }
    }

    fn on_message(&mut self, offset: u64, body: &Range<usize>) {
        let message = message(&self.walker.window()[body.clone()], 0, self.order);
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
        run.add(part, channel, entry.log_time.0);
    }

    fn end_run(&mut self) {
        self.found.extend(self.run.take());
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

    fn on_skipped(&mut self, opcode: u8, offset: u64, length: u64) -> Result<(), SourceError> {
        let is_whole = offset.saturating_add(length) <= self.file.size();
        match opcode {
            op::HEADER | op::ATTACHMENT | op::METADATA if is_whole => {
                self.end_run();
                extras::note(&mut self.survey, self.file, opcode, offset, length - RECORD_HEADER);
            }
            // a large one, whose records come one by one
            op::CHUNK => {
                self.end_run();
                let head = read_vec(self.file, offset, CHUNK_HEAD.min(self.file.size() - offset));
                count_chunk(&mut self.survey, &head.map_err(|error| failed(self.file, error))?);
            }
            _ => {}
        }
        Ok(())
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
                    found.add(self.ids.part(), channel, entry.log_time.0);
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

    fn conclude(self, reason: Option<String>) -> Result<Survey, SourceError> {
        let Self { file, mut survey, ids, found, faults, .. } = self;
        survey.replaced = survey.replaced.or(ids.replaced);
        let reused = ids.reused;
        let undefined = found::index(&mut survey, ids.parts, ids.channels, found);
        let messages = survey.message_count.unwrap_or(0);
        survey.complete = faults.is_empty();
        if !survey.complete && messages == 0 {
            return Err(unusable(file, format!("{faults}; {NOTHING_TO_RECOVER}")));
        }
        let name = file_name(Path::new(file.name()));
        if !survey.complete {
            survey.warnings.push(format!("{name} is damaged: {faults}; recovered {messages} messages"));
        }
        if ids.recordings > 1 {
            survey.warnings.push(format!(
                "{name} holds {} recordings one after the other; all of them play, with {messages} messages",
                ids.recordings
            ));
        } else if let Some(reason) = reason.filter(|_| survey.complete) {
            survey
                .warnings
                .push(format!("{name} was read through once, since {reason}; it has {messages} messages"));
        }
        if undefined > 0 {
            survey.warnings.push(format!(
                "{name}: {undefined} messages of channels that it does not define are left out"
            ));
        }
        survey.warnings.extend(reused.map(|reused| format!("{name}: {reused}")));
        survey.finish(&name);
        Ok(survey)
    }
}

/// Counts the chunk that `bytes` begins with; its size in memory.
fn count_chunk(survey: &mut Survey, bytes: &[u8]) -> u64 {
    let Some(head) = chunk_head(bytes) else { return 0 };
    survey.count_chunk(&head.compression, head.compressed, head.uncompressed);
    head.uncompressed
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
