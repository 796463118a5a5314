//! Records one after the other to batches: what a stream and a growing file have in common.
//!
//! A chunk makes one batch, sorted by log time, or several if it is very large: each million of its messages is sorted. The
//! messages outside of chunks that are readable without waiting make a batch, too. Batches come in the order of the records.
//! A message before the end of its channel is in an earlier batch. Of the stream only the definitions are kept.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use bytes::Bytes;
use mcap::records::op;

use super::definitions::Definitions;
use crate::model::{Batch, Extra};
use crate::pattern::TopicPattern;
use crate::registry::Registry;
use crate::source::mcap::chunk::Unpacker;
use crate::source::mcap::faults::{Faults, NO_FOOTER, NOTHING_TO_RECOVER};
use crate::source::mcap::records::RECORD_HEADER;
use crate::source::mcap::walker::{Extras, ForwardRead, WalkStep, Walker};
use crate::source::{SourceError, TopicRules};

mod chunk;
mod records;

use chunk::OpenChunk;

const SEVERAL: &str = "several recordings come one after the other; all of them play";

/// What [`Linear::work`] came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// There are batches or errors to take.
    Ready,
    /// More bytes are needed.
    More,
    /// There is what is going to be overwritten.
    Unwritten,
    /// The chunk that ends at this offset can't be read, or not yet: [`Linear::give_up`] or [`Linear::read_again`].
    Suspect { end: u64 },
}

/// A chunk that can't be read, or not yet.
struct Suspect {
    offset: u64,
    body: Range<usize>,
    reason: String,
}

/// See the module's documentation.
pub(super) struct Linear {
    name: String,
    walker: Walker,
    unpacker: Unpacker,
    definitions: Definitions,
    /// In the making.
    batch: Batch,
    /// Where its messages lie in the window, if they are outside of chunks.
    loose: Range<usize>,
    ready: VecDeque<Result<Batch, SourceError>>,
    suspect: Option<Suspect>,
    /// A chunk of which messages are still to come.
    chunk: Option<OpenChunk>,
    /// Recordings that began, one after the other.
    recordings: u64,
    /// Messages of channels that were not defined.
    pub(super) undefined: u64,
    /// Whether there was a message of a channel that is defined.
    has_message: bool,
    /// Topics whose old messages count, beside those that say so.
    latched: Vec<TopicPattern>,
    /// What was found beside messages, if it is wanted.
    extras: Vec<Extra>,
    /// Until there is a message: why there is none.
    faults: Faults,
    warnings: Vec<String>,
}

impl Linear {
    pub(super) fn new(name: String, rules: TopicRules, registry: Registry) -> Self {
        let unpacker = Unpacker::default();
        Self {
            name,
            walker: Walker::new(&unpacker),
            unpacker,
            definitions: Definitions::new(rules, registry),
            batch: Batch::default(),
            loose: 0..0,
            ready: VecDeque::new(),
            suspect: None,
            chunk: None,
            recordings: 0,
            undefined: 0,
            has_message: false,
            latched: Vec::new(),
            extras: Vec::new(),
            faults: Faults::default(),
            warnings: Vec::new(),
        }
    }

    /// For files that are being written: what is not a record yet is waited for. Of records up to `until` only
    /// definitions count, and messages of channels that are latched, also those that match `latched`.
    pub(super) fn growing(mut self, until: u64, latched: Vec<TopicPattern>) -> Self {
        self.walker.is_growing = true;
        self.walker.old_until = until;
        self.latched = latched;
        self
    }

    /// Profiles, attachments and metadata are wanted too.
    pub(super) fn with_extras(&mut self) {
        self.walker.extras = Extras::Whole;
    }

    /// What was found beside messages since this was last asked.
    pub(super) fn take_extras(&mut self) -> Vec<Extra> {
        std::mem::take(&mut self.extras)
    }

    pub(super) fn has_extras(&self) -> bool {
        !self.extras.is_empty()
    }

    /// From here on everything counts.
    pub(super) fn end_of_old(&mut self) {
        self.walker.old_until = 0;
    }

    pub(super) fn take_ready(&mut self) -> Option<Result<Batch, SourceError>> {
        self.ready.pop_front()
    }

    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(self.definitions.take_warnings());
        warnings
    }

    /// Where the first record begins that has not been worked on.
    pub(super) fn offset(&self) -> u64 {
        self.walker.offset()
    }

    /// Where the sizes of the last chunk end, if they are going to be overwritten.
    pub(super) fn fixed_from(&self) -> u64 {
        self.walker.fixed_from
    }

    /// Where the next byte will be read.
    pub(super) fn read_offset(&self) -> u64 {
        self.walker.read_offset()
    }

    /// Whether nothing more of this stream can be read.
    pub(super) fn is_foreign(&self) -> bool {
        self.walker.is_foreign()
    }

    /// Reads once; false if there was nothing. Only when [`Linear::work`] asks for it.
    pub(super) fn fill(&mut self, input: &mut impl ForwardRead) -> io::Result<bool> {
        self.walker.fill(input, &self.unpacker)
    }

    /// Works on what has been read until something is ready.
    pub(super) fn work(&mut self) -> Work {
        loop {
            if !(self.ready.is_empty() && self.extras.is_empty()) {
                return Work::Ready;
            }
            if let Some(chunk) = self.chunk.take() {
                self.work_on_chunk(chunk);
                continue;
            }
            match self.walker.step() {
                step @ (WalkStep::More | WalkStep::Unwritten) => {
                    self.flush_loose();
                    if self.ready.is_empty() {
                        return if step == WalkStep::More { Work::More } else { Work::Unwritten };
                    }
                }
                WalkStep::Opening { .. } => {
                    self.flush_loose();
                    self.definitions.begin_recording();
                    self.walker.old_ids.clear();
                    self.recordings += 1;
                    if self.recordings == 2 {
                        self.warnings.push(SEVERAL.to_owned());
                    }
                }
                WalkStep::Skipped { .. } => {}
                WalkStep::Record { opcode: op::MESSAGE, offset, body } => self.on_message(offset, body),
                // sharing what came before moves the window
                WalkStep::Record {
                    opcode: op::CHUNK | op::HEADER | op::ATTACHMENT | op::METADATA, ..
                } if !self.batch.entries.is_empty() => {
                    self.flush_loose();
                }
                WalkStep::Record { opcode: op::CHUNK, offset, body } => {
                    if let Err(reason) = self.on_chunk(offset, &body) {
                        let end = offset + RECORD_HEADER + body.len() as u64;
                        self.suspect = Some(Suspect { offset, body, reason });
                        return Work::Suspect { end };
                    }
                }
                WalkStep::Record { opcode: op::HEADER, body, .. } => self.on_header(&body),
                WalkStep::Record { opcode: opcode @ (op::ATTACHMENT | op::METADATA), offset, body } => {
                    self.on_extra(opcode, offset, &body);
                }
                WalkStep::Record { opcode, offset, body } => self.on_definition(opcode, offset, &body),
                WalkStep::TooLarge { offset, reason } | WalkStep::Broken { offset, reason } => {
                    self.lose(offset, reason);
                }
                WalkStep::Foreign { reason } => self.fail(self.unusable(reason)),
            }
        }
    }

    /// Leaves the suspect chunk out, with an error.
    pub(super) fn give_up(&mut self) {
        if let Some(Suspect { offset, body, reason }) = self.suspect.take() {
            self.walker.pass_unusable(&body);
            self.lose(offset, reason);
        }
    }

    /// Reads the suspect chunk again.
    pub(super) fn read_again(&mut self) {
        self.suspect = None;
        self.walker.read_again();
    }

    /// There are no more bytes for now.
    pub(super) fn pause(&mut self) {
        self.walker.forget_beginning();
    }

    /// There will be no more bytes.
    pub(super) fn end(&mut self) {
        let unfinished = self.walker.unfinished();
        if let (true, Some(reason)) = (self.walker.is_opening(), unfinished) {
            return self.fail(self.unusable(reason));
        }
        match unfinished {
            Some(reason) if self.has_message => self.lose(self.walker.offset(), reason),
            Some(reason) => self.faults.add(self.walker.offset(), reason),
            None if self.walker.is_complete() || self.walker.is_foreign() => {}
            None => self.faults.add(self.walker.read_offset(), NO_FOOTER),
        }
        if !(self.has_message || self.faults.is_empty()) {
            self.fail(self.unusable(&format!("{}; {NOTHING_TO_RECOVER}", self.faults)));
        } else if let Some(topics) = self.definitions.all_left_out() {
            self.fail(SourceError::NoTopic { name: self.name.clone(), topics });
        }
    }

    /// Goes on with another file.
    pub(super) fn restart(&mut self) {
        self.suspect = None;
        self.chunk = None;
        self.walker.restart();
        self.definitions.begin_recording();
        self.recordings = 0;
    }

    /// Puts an error in its place among the batches.
    pub(super) fn fail(&mut self, error: SourceError) {
        self.flush_loose();
        self.ready.push_back(Err(error));
    }

    /// What is at this offset can't be used.
    fn lose(&mut self, offset: u64, reason: impl Into<String>) {
        let reason = reason.into();
        if !self.has_message {
            self.faults.add(offset, &reason);
        }
        self.fail(SourceError::Damaged { name: self.name.clone(), offset, reason });
    }

    fn unusable(&self, reason: &str) -> SourceError {
        SourceError::Unusable { name: self.name.clone(), reason: reason.to_owned() }
    }

    /// Finishes the batch of messages outside of chunks.
    fn flush_loose(&mut self) {
        let mut buffer = Bytes::new();
        if !self.batch.entries.is_empty() {
            buffer = self.walker.share(self.loose.clone(), &self.unpacker);
        }
        self.flush(buffer);
    }

    fn flush(&mut self, buffer: Bytes) {
        let mut batch = self.take_batch();
        if !batch.entries.is_empty() {
            batch.buffers.push(buffer);
        }
        if !batch.is_empty() {
            self.ready.push_back(Ok(batch));
        }
    }

    /// What was collected, in order.
    fn take_batch(&mut self) -> Batch {
        let mut batch = std::mem::take(&mut self.batch);
        if !batch.entries.is_sorted_by_key(|entry| entry.log_time) {
            batch.entries.sort_by_key(|entry| entry.log_time);
        }
        batch
    }
}
