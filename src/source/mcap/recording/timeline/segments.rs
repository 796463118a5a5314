//! Segments that were asked for are merged into batches.

use std::sync::Arc;

use super::{Timeline, sought};
use crate::model::DamagedPart;
use crate::source::SourceError;
use crate::source::mcap::recording::ahead::{Job, Ready};
use crate::source::mcap::recording::batch::BatchBuilder;
use crate::source::mcap::recording::files::select;
use crate::source::mcap::recording::merge::{Extended, Place, Position};
use crate::source::mcap::recording::segments::Decoded;
use crate::source::mcap::records::to_usize;
use crate::source::mcap::survey::{Segment, read_through};
use crate::time::{TimeRange, Timestamp};

impl Timeline {
    /// Begins the next segment.
    fn begin_next(&mut self) -> Result<(), SourceError> {
        self.request_ahead();
        self.request_now();
        let taken = self.ahead.take();
        if let Some((Some(place), _)) = &taken
            && let Some(playing) = self.playing.get_mut(&place.file)
        {
            playing.started = true;
        }
        // without a place it is a file that does not open
        let Some((Some(place), decoded)) = taken else {
            return taken.map_or(Ok(()), |(_, failed)| failed.map(drop));
        };
        let decoded = match decoded {
            Ok(Ready::Decoded(decoded)) => Ok(decoded),
            Ok(Ready::Larger { size }) => {
                self.merge.make_room(to_usize(size));
                self.decode(place)
            }
            Err(error) => Err(error),
        };
        let decoded = match decoded {
            Ok(decoded) if decoded.redefines => {
                drop(decoded);
                self.redefine(place.file).and_then(|()| self.decode(place))
            }
            decoded => decoded,
        };
        let mut decoded = decoded.inspect_err(|error| {
            self.note_damage(place, error);
            self.release(place.file);
        })?;
        if decoded.undefined > 0 && !self.undefined_warned {
            self.undefined_warned = true;
            let name = self.playing.get(&place.file).map_or("", |playing| playing.file.reader.file.name());
            tracing::warn!("{name}: messages of channels that the file does not define are left out");
        }
        let next = decoded.first_at(self.from);
        if !self.merge.push(place, decoded, next) {
            self.release(place.file);
        }
        // once it is known how much memory this one takes
        self.request_ahead();
        Ok(())
    }

    /// Tells others of a segment that can't be read.
    fn note_damage(&self, place: Place, error: &SourceError) {
        if let SourceError::Damaged { .. } = error
            && let Some(playing) = self.playing.get(&place.file)
        {
            let Segment { start, end, .. } = playing.file.index.segments[place.segment as usize];
            let range = TimeRange { start: Timestamp(start), end: Timestamp(end.max(start)) };
            self.overview.damaged(DamagedPart { range, text: error.to_string() });
        }
    }

    /// Decodes a segment of an open file, here and now.
    fn decode(&self, place: Place) -> Result<Decoded, SourceError> {
        let Some(playing) = self.playing.get(&place.file) else { return Ok(Decoded::default()) };
        let segment = &playing.file.index.segments[place.segment as usize];
        let selection = &self.files[place.file as usize].selection;
        playing.file.decode(segment, selection, self.range)
    }

    /// A chunk gives an id of its file another meaning than the summary does, which may give it none: only reading the file
    /// through tells what ids mean where.
    fn redefine(&mut self, number: u32) -> Result<(), SourceError> {
        let Some(playing) = self.playing.get_mut(&number) else { return Ok(()) };
        let file = &*playing.file.reader.file;
        let name = file.name();
        tracing::warn!(
            "{name}: its summary does not tell all that channel ids mean; the file is read through"
        );
        let survey = read_through(file, &self.pool, self.options.order, None, &mut |_| {})?;
        let (selection, channels) = select(&survey, &self.options, &self.registry);
        let (redefined, file) = self.files[number as usize].redefined(&playing.file, selection);
        playing.file = file.clone();
        let selection = redefined.selection.clone();
        let redefined = Arc::new(redefined);
        self.overview.redefined(number, redefined.clone());
        self.files[number as usize] = redefined;
        self.ahead.request_again(number, |place| {
            let segment = file.index.segments.get(place.segment as usize)?.clone();
            Some(Job { file: file.clone(), segment, selection: selection.clone() })
        });
        for channel in channels {
            if !self.info.channels.iter().any(|known| known.id == channel.id) {
                self.info.channels.push(channel.clone());
                self.sought.insert(channel.id, sought(&channel));
                self.found.push(channel);
            }
        }
        Ok(())
    }

    /// Appends what comes next of the segments that have begun; false if there is nothing.
    fn extend(&mut self, batch: &mut BatchBuilder, planned: Option<Position>) -> Result<bool, SourceError> {
        if let Some(place) = self.merge.parked() {
            let size = self.playing.get(&place.file).map_or(0, |playing| {
                playing.file.reader.size(&playing.file.index.segments[place.segment as usize])
            });
            self.merge.make_room(to_usize(size));
            let decoded = self.decode(place);
            let (decoded, error) =
                decoded.map_or_else(|error| (None, Some(error)), |decoded| (Some(decoded), None));
            if !self.merge.resume(decoded) {
                self.release(place.file);
                return error.map_or(Ok(true), Err);
            }
        }
        match self.merge.extend(batch, planned) {
            Extended::Nothing => Ok(false),
            Extended::Some => Ok(true),
            Extended::Finished(place) => {
                self.release(place.file);
                Ok(true)
            }
        }
    }

    /// Fills a batch with what comes next, as far as that is ready.
    pub(super) fn fill(&mut self, batch: &mut BatchBuilder) -> Result<(), SourceError> {
        while !batch.is_full() {
            let head = self.merge.head();
            let planned = self.next_planned();
            if planned.is_some_and(|planned| head.is_none_or(|head| planned < head)) {
                // what is ready does not wait for another chunk, unless that must come first
                if head.is_none() && !batch.is_empty() {
                    break;
                }
                self.begin_next()?;
            } else if !self.extend(batch, planned)? {
                break;
            }
        }
        Ok(())
    }
}
