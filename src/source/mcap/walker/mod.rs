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

use self::beginning::{Beginning, beginning_in, is_beginning};
pub(super) use self::sums::Sums;
use self::window::{WINDOW, Window};
use super::chunk::Unpacker;
use super::records::{MAGIC, RECORD_HEADER, to_usize};
use crate::source::sniff::{FOREIGN_HEAD, foreign};

mod beginning;
mod record;
mod sums;
mod window;

/// Magic, and opcode and length of the header record after it: what a recording begins with.
const BEGINNING: usize = 17;

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
    pub(super) extras: Extras,
}

/// What is shown of attachments, metadata and headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extras {
    /// Nothing: they are skipped.
    Skipped,
    /// Headers and metadata come as records; attachments are skipped with all before their data in the window.
    Listed,
    /// All of them come as records.
    Whole,
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
            extras: Extras::Skipped,
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

    /// Sums up what passes from now on; what is skipped is read for it.
    pub(super) fn sum_up(&mut self) {
        self.window.sums = Some(Sums::default());
    }

    /// The checksums, if they are wanted.
    pub(super) fn sums(&mut self) -> Option<&mut Sums> {
        self.window.sums.as_mut()
    }

    /// What is in memory of the record that the last step found, from its opcode on.
    pub(super) fn head(&self) -> &[u8] {
        self.window.unread()
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
        if let Some(sums) = &mut self.window.sums {
            sums.begin();
        }
        Some(WalkStep::Opening { offset })
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
