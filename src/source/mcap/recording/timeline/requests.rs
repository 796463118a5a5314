//! What comes next is asked for ahead of need: segments of open files, and files to open.

use std::sync::Arc;

use super::Timeline;
use crate::source::mcap::recording::ahead::Job;
use crate::source::mcap::recording::file::{Descriptor, OpenFile, next_wanted};
use crate::source::mcap::recording::merge::{Place, Position};
use crate::source::mcap::records::to_usize;
use crate::time::TimeRange;

/// Files that are opened before the timeline comes to them, so that it does not wait at their borders.
const FILES_AHEAD: usize = 2;

/// File descriptors that are kept: of more files that overlap in time the others are opened for each read. Systems
/// allow a process 256 (macOS) or 1024 (Linux), and clients need some.
const MAX_DESCRIPTORS: usize = 64;

/// An open file that the timeline runs through, or soon will.
pub(super) struct Playing {
    pub(super) file: Arc<OpenFile>,
    /// The next segment to ask for.
    pub(super) next: Option<usize>,
    /// Segments asked for or being played.
    pub(super) in_use: usize,
    pub(super) started: bool,
}

/// What has not been asked for yet: the next segment of an open file, or a file to open.
enum Unrequested {
    Segment(u32),
    File,
}

/// For a file beside so many others that are open.
pub(super) fn descriptor(others: usize) -> Descriptor {
    if others < MAX_DESCRIPTORS { Descriptor::Kept } else { Descriptor::ForEachRead }
}

impl Timeline {
    /// Where the first message of a closed file stands, at the earliest.
    fn file_key(&self, number: u32) -> Position {
        (self.files[number as usize].span.map_or(0, |span| span.0), number, 0)
    }

    fn next_unrequested(&self) -> Option<(Position, Unrequested)> {
        let segment = |(number, playing): (&u32, &Playing)| {
            let segment = &playing.file.index.segments[playing.next?];
            Some(((segment.start, *number, segment.offset), Unrequested::Segment(*number)))
        };
        let file = self.waiting.front().map(|number| (self.file_key(*number), Unrequested::File));
        self.playing.iter().filter_map(segment).chain(file).min_by_key(|(key, _)| *key)
    }

    /// Where the next message stands that is not being merged yet, at the earliest.
    pub(super) fn next_planned(&self) -> Option<Position> {
        self.ahead.next_key().or_else(|| self.next_unrequested().map(|(key, _)| key))
    }

    pub(super) fn request_ahead(&mut self) {
        while let Some((key, next)) = self.next_unrequested() {
            if !self.ahead.has_room(self.size_of(&next), self.merge.bytes()) {
                return;
            }
            match next {
                Unrequested::Segment(number) => self.request(key, number),
                Unrequested::File => {
                    let ahead = self.playing.values().filter(|playing| !playing.started).count();
                    if ahead >= FILES_AHEAD && self.ahead.next_key().is_some() {
                        return;
                    }
                    self.open_file(key);
                }
            }
        }
    }

    /// Asks for what comes next, whatever its size: it is needed now.
    pub(super) fn request_now(&mut self) {
        while self.ahead.next_key().is_none()
            && let Some((key, next)) = self.next_unrequested()
        {
            self.merge.make_room(to_usize(self.size_of(&next)));
            match next {
                Unrequested::Segment(number) => self.request(key, number),
                Unrequested::File => self.open_file(key),
            }
        }
    }

    /// Bytes in memory of what has not been asked for, as the index says.
    fn size_of(&self, next: &Unrequested) -> u64 {
        let Unrequested::Segment(number) = next else { return 0 };
        let playing = self.playing.get(number);
        let next = playing.and_then(|playing| playing.file.index.segments.get(playing.next?));
        next.map_or(0, |segment| segment.size)
    }

    /// What is to be played from where the last seek went.
    pub(super) fn range_from(&self) -> TimeRange {
        TimeRange { start: self.from.max(self.range.start), end: self.range.end }
    }

    fn request(&mut self, key: Position, number: u32) {
        let range = self.range_from();
        let selection = &self.files[number as usize].selection;
        let Some(playing) = self.playing.get_mut(&number) else { return };
        let Some(next) = playing.next else { return };
        playing.in_use += 1;
        playing.next = next_wanted(&playing.file.index, selection, range, next + 1);
        let segment = playing.file.index.segments[next].clone();
        let place =
            Place { file: number, segment: u32::try_from(next).unwrap_or(u32::MAX), offset: segment.offset };
        let selection = selection.clone();
        self.ahead.request(key, place, Job { file: playing.file.clone(), segment, selection });
    }

    /// Opens the file whose turn is next; if that fails the error comes where its messages would.
    fn open_file(&mut self, key: Position) {
        let Some(number) = self.waiting.pop_front() else { return };
        let file = &self.files[number as usize];
        let open = match self.before_seek.remove(&number) {
            Some(open) => Ok(open),
            None => file.open(number, &self.pool, descriptor(self.playing.len())),
        };
        match open {
            Ok(open) => {
                let range = self.range_from();
                let first = open.index.first_reaching(range.start.0);
                let next = next_wanted(&open.index, &file.selection, range, first);
                if next.is_some() {
                    self.playing.insert(number, Playing { file: open, next, in_use: 0, started: false });
                }
            }
            Err(error) => self.ahead.fail(key, error),
        }
    }

    /// A segment is done with; a file of which it was the last is closed.
    pub(super) fn release(&mut self, number: u32) {
        let Some(playing) = self.playing.get_mut(&number) else { return };
        playing.in_use = playing.in_use.saturating_sub(1);
        if playing.in_use == 0 && playing.next.is_none() {
            self.playing.remove(&number);
        }
    }
}
