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

use super::definitions::{Change, Definitions};
use crate::model::{Batch, Entry};
use crate::pattern::TopicPattern;
use crate::registry::Registry;
use crate::source::mcap::channels::IdMeaning;
use crate::source::mcap::chunk::{Plain, Unpacker, check};
use crate::source::mcap::damage::{Faults, NO_FOOTER, NOTHING_TO_RECOVER};
use crate::source::mcap::fields::Definition;
use crate::source::mcap::records::{COPIED_FROM, RECORD_HEADER, inner_record, message};
use crate::source::mcap::walker::{ForwardRead, WalkStep, Walker};
use crate::source::past::is_latched;
use crate::source::{Order, SourceError, TopicRules};

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

/// Messages of a chunk that are sorted together at most.
const CHUNK_MESSAGES: usize = if cfg!(test) { 64 } else { 1 << 20 };

/// Bytes of payload in one batch at most, of a chunk whose messages are copied.
const COPIED: usize = 4 << 20;

/// A chunk that is being worked on.
struct OpenChunk {
    /// Where it begins in the stream.
    offset: u64,
    records: Bytes,
    /// Where its next record is.
    at: usize,
    /// Whether it is old, see [`Walker::old_until`].
    old: bool,
    /// Messages in order, whose payloads lie in `records`, and the first that has not been taken.
    sorted: Batch,
    next: usize,
}

impl OpenChunk {
    fn new(offset: u64, records: Bytes, old: bool) -> Self {
        Self { offset, records, at: 0, old, sorted: Batch::default(), next: 0 }
    }

    fn has_sorted(&self) -> bool {
        !self.sorted.entries.is_empty()
    }

    /// The next of the sorted messages; all, unless the chunk is too large to be kept for them.
    fn take_sorted(&mut self) -> Option<Batch> {
        let first = self.sorted.entries.get(self.next)?;
        if self.records.len() <= COPIED_FROM {
            self.sorted.buffers.push(self.records.clone());
            return Some(std::mem::take(&mut self.sorted));
        }
        let (mut entries, mut copied) = (Vec::new(), Vec::with_capacity(COPIED.max(first.length as usize)));
        for entry in &self.sorted.entries[self.next..] {
            let (start, length) = (entry.offset as usize, entry.length as usize);
            if !entries.is_empty() && copied.len() + length > COPIED {
                break;
            }
            entries.push(Entry { offset: u32::try_from(copied.len()).unwrap_or(u32::MAX), ..*entry });
            copied.extend_from_slice(&self.records[start..start + length]);
        }
        self.next += entries.len();
        let retired = std::mem::take(&mut self.sorted.retired);
        let announcements = std::mem::take(&mut self.sorted.announcements);
        if self.next == self.sorted.entries.len() {
            (self.sorted, self.next) = (Batch::default(), 0);
        }
        Some(Batch { retired, announcements, entries, buffers: vec![copied.into()], ..Batch::default() })
    }
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
            if !self.ready.is_empty() {
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
                WalkStep::Record { opcode: op::CHUNK, .. } if !self.batch.entries.is_empty() => {
                    self.flush_loose();
                }
                WalkStep::Record { opcode: op::CHUNK, offset, body } => {
                    if let Err(reason) = self.on_chunk(offset, &body) {
                        let end = offset + RECORD_HEADER + body.len() as u64;
                        self.suspect = Some(Suspect { offset, body, reason });
                        return Work::Suspect { end };
                    }
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

    fn on_message(&mut self, offset: u64, body: Range<usize>) {
        if self.batch.entries.is_empty() {
            self.loose.start = body.start;
        }
        let place = body.start - self.loose.start;
        match message(&self.walker.window()[body.clone()], place, Order::Log) {
            Some((channel, entry)) => {
                self.push(channel, entry);
                self.loose.end = body.end;
            }
            None => self.lose(offset, "the message is too short"),
        }
        self.walker.pass(&body);
    }

    fn push(&mut self, channel: u16, entry: Entry) {
        let meaning = self.definitions.meaning(channel);
        self.has_message |= meaning != IdMeaning::Undefined;
        match meaning {
            IdMeaning::Played(channel) => self.batch.entries.push(Entry { channel, ..entry }),
            IdMeaning::LeftOut => {}
            IdMeaning::Undefined => {
                self.undefined += 1;
                if self.undefined == 1 {
                    self.warnings.push("messages of channels that are not defined are left out".to_owned());
                }
            }
        }
    }

    fn on_definition(&mut self, opcode: u8, offset: u64, body: &Range<usize>) {
        let definition = Definition::decode(opcode, &self.walker.window()[body.clone()]);
        let change = match definition {
            Some(definition) if self.walker.is_summary() => self.definitions.on_repeat(definition),
            Some(definition) => self.define(definition),
            None => {
                self.walker.pass_unusable(body);
                return self.lose(offset, "the definition of a channel or schema can't be read");
            }
        };
        self.walker.pass(body);
        match change {
            Ok(change) => {
                if self.ends_batch(&change) {
                    self.flush_loose();
                }
                self.apply(change);
            }
            Err(reason) => self.lose(offset, reason),
        }
    }

    fn define(&mut self, definition: Definition) -> Result<Change, String> {
        let id = match &definition {
            Definition::Channel(channel) if self.walker.old_until > 0 => Some(channel.id),
            Definition::Channel(_) | Definition::Schema(_) => None,
        };
        let change = self.definitions.on_definition(definition)?;
        if let Some(id) = id {
            let channel = self.definitions.channel(id);
            if channel.is_some_and(|channel| is_latched(&channel, &self.latched)) {
                self.walker.old_ids.insert(id);
            } else {
                self.walker.old_ids.remove(&id);
            }
        }
        Ok(change)
    }

    /// Whether what was collected so far has to go out before a change.
    fn ends_batch(&self, change: &Change) -> bool {
        let is_empty = self.batch.entries.is_empty() && self.batch.announcements.is_empty();
        !(is_empty || change.retired.is_empty())
    }

    fn apply(&mut self, change: Change) {
        self.batch.retired.extend(change.retired);
        self.batch.announcements.extend(change.announced);
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

    /// Finishes the messages of a chunk so far.
    fn flush_chunk(&mut self, chunk: &mut OpenChunk) {
        if self.batch.entries.is_empty() {
            self.flush(Bytes::new());
        } else {
            chunk.sorted = self.take_batch();
        }
    }

    /// Nothing of a chunk is taken before all of it is found to be readable.
    fn on_chunk(&mut self, offset: u64, body: &Range<usize>) -> Result<(), String> {
        let bytes = &self.walker.window()[body.clone()];
        let plain = self.unpacker.unpack(bytes)?;
        check(plain.records(bytes))?;
        self.walker.pass(body);
        let old = offset + RECORD_HEADER + body.len() as u64 <= self.walker.old_until;
        let records = match plain {
            Plain::Own(plain) => plain,
            Plain::Within(range) => {
                self.walker.share(body.start + range.start..body.start + range.end, &self.unpacker)
            }
        };
        self.chunk = Some(OpenChunk::new(offset, records, old));
        Ok(())
    }

    /// Makes the next batch of a chunk's messages, up to a definition that ends channels.
    fn work_on_chunk(&mut self, mut chunk: OpenChunk) {
        let records = chunk.records.clone();
        // all of it was found to be readable
        while !chunk.has_sorted()
            && let Some((opcode, body)) = inner_record(&records, chunk.at)
        {
            chunk.at = body.end;
            match opcode {
                op::MESSAGE => self.on_chunk_message(&chunk, body),
                op::SCHEMA | op::CHANNEL => self.on_chunk_definition(&mut chunk, opcode, &records[body]),
                _ => {}
            }
            if self.batch.entries.len() >= CHUNK_MESSAGES {
                self.flush_chunk(&mut chunk);
            }
        }
        if !chunk.has_sorted() {
            self.flush_chunk(&mut chunk);
        }
        self.ready.extend(chunk.take_sorted().map(Ok));
        if chunk.has_sorted() || chunk.at < records.len() {
            self.chunk = Some(chunk);
        }
    }

    fn on_chunk_message(&mut self, chunk: &OpenChunk, body: Range<usize>) {
        let read = message(&chunk.records[body.clone()], body.start, Order::Log);
        if let Some((channel, entry)) = read
            && (!chunk.old || self.walker.old_ids.contains(&channel))
        {
            self.push(channel, entry);
        }
    }

    fn on_chunk_definition(&mut self, chunk: &mut OpenChunk, opcode: u8, body: &[u8]) {
        let Some(definition) = Definition::decode(opcode, body) else { return };
        match self.define(definition) {
            Ok(change) => {
                if self.ends_batch(&change) {
                    self.flush_chunk(chunk);
                }
                self.apply(change);
            }
            Err(reason) => {
                self.flush_chunk(chunk);
                self.ready.extend(chunk.take_sorted().map(Ok));
                self.lose(chunk.offset, reason);
            }
        }
    }
}
