//! Cuts bytes that come one after the other into MCAP records: of streams, of files that grow, and of files that have
//! to be read through.
//!
//! This is the one place that says what damage costs. A record that is whole but can't be used costs itself alone. Where
//! there is no record, nothing up to the next recording can be read. What is cut off at the end is lost. Recordings may
//! follow each other, also where one broke off: a record that can't be used may have been cut off there, and reading goes
//! on with the recording that begins within it.
//!
//! Only a window of the bytes is in memory. What is not needed there (attachments, indexes, what is not known) is
//! skipped, however large.

use std::collections::HashSet;
use std::io;
use std::ops::Range;

use bytes::Bytes;
use mcap::records::op;

use self::window::{WINDOW, Window};
use super::chunk::Unpacker;
use super::fields::chunk_head;
use super::records::{
    LARGE_CHUNK, MAGIC, MAX_DEFINITIONS, MAX_IN_MEMORY, RECORD_HEADER, record_header, to_usize,
};
use crate::source::sniff::{FOREIGN_HEAD, foreign};

mod window;

/// Length and size of a chunk of which more is going to be written.
const UNFINISHED: u64 = u64::MAX;

/// Bytes of a chunk that hold its compression and sizes.
const CHUNK_HEAD: u64 = 4096;

/// Magic, and opcode and length of the header record after it: what a recording begins with.
const BEGINNING: usize = 17;

/// No header is longer.
const MAX_HEADER: u64 = 1 << 20;

/// No record is longer: a length beyond it is no length.
const MAX_LENGTH: u64 = 1 << 50;

/// Bytes of a message record up to the end of its channel's id.
const MESSAGE_ID_END: u64 = RECORD_HEADER + 2;

const NO_RECORD: &str = "there is no record here; nothing up to the next recording can be read";

const NOT_MCAP: &str = "is not an MCAP recording: it begins with other bytes";

const AFTER_END: &str = "what follows the recording's end is not another recording";

/// Where the bytes come from.
pub(super) trait ForwardRead {
    /// Reads what is there at `offset`, which follows what was read last unless the window is read again. 0: there is
    /// nothing more.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Skips up to `length` bytes at `offset`; returns how many. `scratch` may be used to read them.
    fn skip(&mut self, offset: u64, length: u64, scratch: &mut [u8]) -> io::Result<u64>;
}

/// What the window begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WalkStep {
    /// Less than a record: [`Walker::fill`] is next.
    More,
    /// What is going to be overwritten: zeros, or a chunk without a length. Only if [`Walker::is_growing`].
    Unwritten,
    /// A recording begins with its magic at `offset`; ids of channels and schemas have no meaning from before.
    Opening { offset: u64 },
    /// A record that has to be looked at, then passed with [`Walker::pass`].
    Record { opcode: u8, offset: u64, body: Range<usize> },
    /// A record that is not needed in memory, or the head of a chunk whose records come one by one. It is skipped.
    Skipped { opcode: u8, offset: u64, length: u64 },
    /// A record that is too large. It is skipped.
    TooLarge { offset: u64, reason: &'static str },
    /// Something that can't be read, and nothing after it can, up to the next recording.
    Broken { offset: u64, reason: &'static str },
    /// Something else than MCAP from the first byte on.
    Foreign { reason: &'static str },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before the magic of the first recording.
    Opening,
    Data,
    /// From the end of the data to the footer: indexes, and definitions again, with those of channels without messages.
    Summary,
    /// Before the magic at the end.
    Closing,
    /// After it: another recording may follow.
    Between,
    /// Where there is no record, on the way to the next recording.
    Lost,
    /// After the beginning of something else.
    Foreign,
}

/// See the module's documentation.
pub(super) struct Walker {
    window: Window,
    /// Bytes the window must hold for the next step.
    need: usize,
    phase: Phase,
    /// Bytes left of a record that can't be used, in which perhaps another recording begins.
    undecided: usize,
    /// Records that end up to here are old: of them only definitions count, and messages under some ids.
    pub(super) old_until: u64,
    /// The ids of old messages that count.
    pub(super) old_ids: HashSet<u16>,
    /// Whether the file is being written: what is not a record yet is not damage.
    pub(super) is_growing: bool,
    /// Where the last chunk without a length has its first record.
    pub(super) fixed_from: u64,
}

impl Walker {
    pub(super) fn new(unpacker: &Unpacker) -> Self {
        Self {
            window: Window::new(unpacker),
            need: MAGIC.len(),
            phase: Phase::Opening,
            undecided: 0,
            old_until: 0,
            old_ids: HashSet::new(),
            is_growing: false,
            fixed_from: 0,
        }
    }

    /// Where the window begins in the stream.
    pub(super) fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// Where the next byte will be read.
    pub(super) fn read_offset(&self) -> u64 {
        self.window.read_offset()
    }

    pub(super) fn window(&self) -> &[u8] {
        self.window.bytes()
    }

    /// Why the bytes can't end here; None where they can: also between two records, where a recorder was stopped.
    pub(super) fn unfinished(&self) -> Option<&'static str> {
        let is_passed = self.undecided > 0 && self.window.unread().len() == self.undecided;
        let pending = self.window.is_pending() && !is_passed;
        match self.phase {
            Phase::Opening if !pending => Some("there is nothing in it; an MCAP recording was expected"),
            Phase::Opening => Some(foreign(self.window.unread()).unwrap_or(NOT_MCAP)),
            Phase::Data | Phase::Summary if pending => Some("it ends within a record"),
            Phase::Closing => Some("it ends within the recording's footer"),
            Phase::Between if pending => Some(AFTER_END),
            Phase::Data | Phase::Summary | Phase::Between | Phase::Lost | Phase::Foreign => None,
        }
    }

    /// Whether the last recording is complete.
    pub(super) fn is_complete(&self) -> bool {
        self.phase == Phase::Between && !self.window.is_pending()
    }

    /// Whether nothing of a recording has come yet.
    pub(super) fn is_opening(&self) -> bool {
        self.phase == Phase::Opening
    }

    /// Whether definitions are repeats.
    pub(super) fn is_summary(&self) -> bool {
        self.phase == Phase::Summary
    }

    /// Whether nothing more can come: it is something else than MCAP.
    pub(super) fn is_foreign(&self) -> bool {
        self.phase == Phase::Foreign
    }

    /// Looks at what comes next; call until it says [`WalkStep::More`].
    pub(super) fn step(&mut self) -> WalkStep {
        loop {
            if !self.window.skip_read() {
                return WalkStep::More;
            }
            let step = match self.phase {
                Phase::Foreign => return WalkStep::More,
                Phase::Lost => self.find_recording(),
                Phase::Data | Phase::Summary if self.undecided > 0 => self.decide(self.undecided),
                Phase::Opening | Phase::Closing | Phase::Between => self.magic(),
                Phase::Data | Phase::Summary => self.record(),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    fn more(&mut self, need: usize) -> Option<WalkStep> {
        self.need = need;
        Some(WalkStep::More)
    }

    fn broken(&mut self, reason: &'static str) -> Option<WalkStep> {
        let offset = self.offset();
        self.phase = Phase::Lost;
        Some(WalkStep::Broken { offset, reason })
    }

    /// None: a recording begins here.
    fn find_recording(&mut self) -> Option<WalkStep> {
        let bytes = self.window.unread();
        let found = beginning_in(bytes);
        let (Beginning::At(passed) | Beginning::PerhapsAt(passed)) = found else {
            self.window.pass_to(self.window.position() + bytes.len());
            return self.more(BEGINNING);
        };
        self.window.pass_to(self.window.position() + passed);
        if matches!(found, Beginning::PerhapsAt(_)) {
            return self.more(BEGINNING);
        }
        self.phase = Phase::Between;
        None
    }

    /// Whether a recording begins in the last bytes of a record that can't be used; None: now that is known.
    fn decide(&mut self, rest: usize) -> Option<WalkStep> {
        let begins = is_beginning(self.window.unread());
        if begins.is_none() {
            return self.more(BEGINNING);
        }
        self.undecided = 0;
        if begins == Some(true) {
            self.phase = Phase::Between;
        } else {
            self.window.pass_to(self.window.position() + rest);
        }
        None
    }

    /// To be read again when there is something else.
    fn unwritten(&mut self) -> Option<WalkStep> {
        self.read_again();
        Some(WalkStep::Unwritten)
    }

    fn magic(&mut self) -> Option<WalkStep> {
        let bytes = self.window.unread();
        let compared = bytes.len().min(MAGIC.len());
        if bytes[..compared] != MAGIC[..compared] {
            if bytes[0] == 0 && self.is_growing {
                return self.unwritten();
            }
            return match self.phase {
                // nothing else begins as MCAP does
                Phase::Opening
                    if bytes.len() < FOREIGN_HEAD
                        && compared == MAGIC.len()
                        && !bytes.starts_with(&MAGIC[..5]) =>
                {
                    self.more(FOREIGN_HEAD)
                }
                Phase::Opening if compared < MAGIC.len() => self.more(MAGIC.len()),
                Phase::Opening => {
                    let reason = foreign(bytes).unwrap_or(NOT_MCAP);
                    self.phase = Phase::Foreign;
                    Some(WalkStep::Foreign { reason })
                }
                Phase::Closing => self.broken("the recording's footer is damaged"),
                _ => self.broken(AFTER_END),
            };
        }
        if compared < MAGIC.len() {
            return self.more(MAGIC.len());
        }
        let offset = self.offset();
        self.window.pass_to(self.window.position() + MAGIC.len());
        if self.phase == Phase::Closing {
            self.phase = Phase::Between;
            return None;
        }
        self.phase = Phase::Data;
        Some(WalkStep::Opening { offset })
    }

    /// None: what comes next has to be looked at again.
    fn record(&mut self) -> Option<WalkStep> {
        let bytes = self.window.unread();
        if bytes.first() == Some(&0) {
            return if self.is_growing { self.unwritten() } else { self.broken(NO_RECORD) };
        }
        let Some((opcode, length)) = record_header(bytes) else { return self.more(to_usize(RECORD_HEADER)) };
        // a recording that was begun where another one broke off
        if bytes.starts_with(MAGIC) {
            self.phase = Phase::Between;
            return None;
        }
        if length > MAX_LENGTH && length != UNFINISHED {
            return self.broken(NO_RECORD);
        }
        let whole = RECORD_HEADER.saturating_add(length);
        let old = self.offset().saturating_add(whole) <= self.old_until;
        if self.phase == Phase::Data {
            match opcode {
                op::MESSAGE if old => return self.old_message(whole),
                op::CHUNK if self.is_growing && length == UNFINISHED => return self.unfinished_chunk(),
                op::CHUNK if length == UNFINISHED => {
                    return self.broken("the recorder was stopped before it completed this chunk");
                }
                op::CHUNK if old || length > LARGE_CHUNK => return self.chunk(whole, old),
                op::SCHEMA | op::CHANNEL | op::MESSAGE | op::CHUNK => return self.whole(opcode, whole),
                op::DATA_END => self.phase = Phase::Summary,
                _ => {}
            }
        } else if matches!(opcode, op::SCHEMA | op::CHANNEL) {
            return self.whole(opcode, whole);
        }
        if opcode == op::FOOTER {
            self.phase = Phase::Closing;
        }
        self.skip_record(opcode, whole)
    }

    /// Only what counts has to be in memory.
    fn old_message(&mut self, whole: u64) -> Option<WalkStep> {
        let body = &self.window.unread()[to_usize(RECORD_HEADER)..];
        match body.first_chunk() {
            Some(id) if self.old_ids.contains(&u16::from_le_bytes(*id)) => self.whole(op::MESSAGE, whole),
            None if whole >= MESSAGE_ID_END => self.more(to_usize(MESSAGE_ID_END)),
            _ => self.skip_record(op::MESSAGE, whole),
        }
    }

    fn skip_record(&mut self, opcode: u8, length: u64) -> Option<WalkStep> {
        self.window.skip(length);
        Some(WalkStep::Skipped { opcode, offset: self.offset(), length })
    }

    fn whole(&mut self, opcode: u8, whole: u64) -> Option<WalkStep> {
        let offset = self.offset();
        let (limit, reason) = match opcode {
            op::SCHEMA | op::CHANNEL => (MAX_DEFINITIONS as u64, "the definition is larger than 256 MiB"),
            _ => (MAX_IN_MEMORY, "the record is larger than 1 GiB"),
        };
        if whole > limit {
            self.window.skip(whole);
            return Some(WalkStep::TooLarge { offset, reason });
        }
        let whole = to_usize(whole);
        if self.window.unread().len() < whole {
            return self.more(whole);
        }
        let start = self.window.position();
        let body = start + to_usize(RECORD_HEADER)..start + whole;
        Some(WalkStep::Record { opcode, offset, body })
    }

    /// A chunk whose records need not, or should not, be in memory together: if it is not compressed they lie in the
    /// stream as if there were no chunk.
    fn chunk(&mut self, whole: u64, old: bool) -> Option<WalkStep> {
        let enough = to_usize(whole.min(CHUNK_HEAD));
        match chunk_head(self.window.unread()) {
            None if self.window.unread().len() < enough => self.more(enough),
            Some(head) if head.compression.is_empty() && (old || head.uncompressed > LARGE_CHUNK) => {
                self.skip_record(op::CHUNK, RECORD_HEADER + head.length)
            }
            _ => self.whole(op::CHUNK, whole),
        }
    }

    /// Some recorders write a chunk's sizes when it is complete. If it is not compressed its records are there before.
    fn unfinished_chunk(&mut self) -> Option<WalkStep> {
        match chunk_head(self.window.unread()) {
            Some(head) if head.compression.is_empty() && head.uncompressed == UNFINISHED => {
                self.fixed_from = self.offset() + RECORD_HEADER + head.length;
                self.skip_record(op::CHUNK, RECORD_HEADER + head.length)
            }
            _ => self.unwritten(),
        }
    }

    /// Passes the record that the last step found.
    pub(super) fn pass(&mut self, body: &Range<usize>) {
        self.window.pass_to(body.end);
    }

    /// Passes a record that can't be used. If it was cut off where another recording begins, that comes next.
    pub(super) fn pass_unusable(&mut self, body: &Range<usize>) {
        match beginning_in(&self.window.bytes()[body.clone()]) {
            Beginning::At(cut) => {
                self.window.pass_to(body.start + cut);
                self.phase = Phase::Between;
            }
            Beginning::PerhapsAt(cut) => {
                self.window.pass_to(body.start + cut);
                self.undecided = body.len() - cut;
            }
            Beginning::Nowhere => self.window.pass_to(body.end),
        }
    }

    /// Forgets what of the window was not passed, to read it again.
    pub(super) fn read_again(&mut self) {
        self.window.read_again();
    }

    /// Forgets the beginning of a record if it may be overwritten before the rest comes.
    pub(super) fn forget_beginning(&mut self) {
        let unread = self.window.unread();
        let ends_in_zeros = unread.last() == Some(&0) && unread.len() <= WINDOW;
        if ends_in_zeros || unread.len() < to_usize(RECORD_HEADER) {
            self.read_again();
        }
    }

    /// Goes on with another stream.
    pub(super) fn restart(&mut self) {
        self.window.restart();
        (self.old_until, self.need, self.fixed_from, self.undecided) = (0, MAGIC.len(), 0, 0);
        self.phase = Phase::Opening;
    }

    /// A passed part of the window as a share; where it is most of the window, only the bytes after it are copied.
    pub(super) fn share(&mut self, part: Range<usize>, unpacker: &Unpacker) -> Bytes {
        self.window.share(part, unpacker)
    }

    /// Reads once, or skips; false if there was nothing.
    pub(super) fn fill(&mut self, input: &mut impl ForwardRead, unpacker: &Unpacker) -> io::Result<bool> {
        self.window.fill(self.need, input, unpacker)
    }
}

/// What some bytes say about the beginning of a recording in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// It is here.
    At(usize),
    /// The bytes end before it is clear.
    PerhapsAt(usize),
    Nowhere,
}

/// Looks for a recording that begins in `bytes`.
fn beginning_in(bytes: &[u8]) -> Beginning {
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|byte| *byte == MAGIC[0]) {
        at += next;
        match is_beginning(&bytes[at..]) {
            Some(true) => return Beginning::At(at),
            Some(false) => at += 1,
            None => return Beginning::PerhapsAt(at),
        }
    }
    Beginning::Nowhere
}

/// Whether a recording begins here; None if there are not enough bytes to know.
fn is_beginning(bytes: &[u8]) -> Option<bool> {
    let fits = MAGIC.iter().chain(&[op::HEADER]).zip(bytes).all(|(wanted, byte)| wanted == byte);
    match bytes.get(MAGIC.len()..).and_then(record_header) {
        _ if !fits => Some(false),
        Some((_, length)) => Some(length <= MAX_HEADER),
        None => None,
    }
}
