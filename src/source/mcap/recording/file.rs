//! One file of a timeline: what is known of it while it is closed, and what it takes to read it.
//!
//! A closed file costs its path, the times of its first and last message and the channels that occur in it, however
//! large it is. Only where the index took reading the whole file through it is kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::last::LastSegment;
use super::segments::{Decoded, SegmentReader};
use crate::model::ChannelId;
use crate::source::SourceError;
use crate::source::bytes::{LocalFile, RangeRead};
use crate::source::mcap::channels::Selection;
use crate::source::mcap::pool::ChunkPool;
use crate::source::mcap::records::unusable;
use crate::source::mcap::survey::{Index, Method, Segment, Survey, read_index};
use crate::time::TimeRange;

/// A file that is open: it can be decoded.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) reader: Arc<SegmentReader>,
    pub(super) index: Arc<Index>,
}

impl OpenFile {
    /// The messages of a segment that are chosen and lie in the range.
    pub(super) fn decode(
        &self,
        segment: &Segment,
        selection: &Arc<Selection>,
        range: TimeRange,
    ) -> Result<Decoded, SourceError> {
        self.reader.decode(&self.index, segment, selection, range)
    }
}

/// Whether an open file has a file descriptor of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Descriptor {
    Kept,
    /// It is opened for each read.
    ForEachRead,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct RecordingFile {
    path: PathBuf,
    size: u64,
    pub(super) selection: Arc<Selection>,
    /// Times of the first and last message of chosen channels, as segments say; None if there are none.
    pub(super) span: Option<(u64, u64)>,
    /// The chosen channels that have messages, in order; None if that is not known.
    occurring: Option<Arc<[ChannelId]>>,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Nothing,
    Index(Arc<Index>),
    Open(Arc<OpenFile>),
}

impl RecordingFile {
    /// Closes a file that was surveyed. `before`: the file before it in the timeline; what both have in common is
    /// shared.
    pub(super) fn closed(
        path: PathBuf,
        file: &LocalFile,
        survey: Survey,
        selection: Selection,
        before: Option<&Self>,
    ) -> Self {
        let occurring = occurring(&survey, &selection);
        let same_selection = before.map(|before| &before.selection).filter(|before| ***before == selection);
        let same_occurring = before
            .and_then(|before| before.occurring.as_ref())
            .filter(|before| Some(&before[..]) == occurring.as_deref());
        Self {
            path,
            size: file.size(),
            span: span(&survey.index, &selection),
            occurring: same_occurring.cloned().or_else(|| occurring.map(Arc::from)),
            selection: same_selection.cloned().unwrap_or_else(|| Arc::new(selection)),
            kept: match survey.method {
                Method::Scan => Kept::Index(Arc::new(survey.index)),
                Method::Summary => Kept::Nothing,
            },
        }
    }

    /// Keeps the only file of a timeline open, for as long as there is that.
    pub(super) fn kept_open(
        path: PathBuf,
        file: LocalFile,
        survey: Survey,
        selection: Selection,
        pool: &Arc<ChunkPool>,
    ) -> Self {
        Self {
            path,
            size: file.size(),
            span: span(&survey.index, &selection),
            occurring: occurring(&survey, &selection).map(Arc::from),
            selection: Arc::new(selection),
            kept: Kept::Open(Arc::new(OpenFile {
                reader: Arc::new(SegmentReader::new(Box::new(file), 0, pool.clone())),
                index: Arc::new(survey.index),
            })),
        }
    }

    /// Opens it under its number on the timeline; an error if it is no longer the file that was surveyed.
    pub(super) fn open(
        &self,
        number: u32,
        pool: &Arc<ChunkPool>,
        descriptor: Descriptor,
    ) -> Result<Arc<OpenFile>, SourceError> {
        if let Kept::Open(file) = &self.kept {
            return Ok(file.clone());
        }
        let (file, index) = self.reopen()?;
        let file = match descriptor {
            Descriptor::Kept => file,
            Descriptor::ForEachRead => file.without_descriptor(&self.path),
        };
        let reader = Arc::new(SegmentReader::new(Box::new(file), number, pool.clone()));
        Ok(Arc::new(OpenFile { reader, index }))
    }

    /// The same with a descriptor of its own, whether it is open or not: for who does not play it. `last`: where its last
    /// segment is kept.
    pub(super) fn open_beside(
        &self,
        number: u32,
        pool: &Arc<ChunkPool>,
        last: Arc<LastSegment>,
    ) -> Result<Arc<OpenFile>, SourceError> {
        let (file, index) = self.reopen()?;
        let reader = SegmentReader::new(Box::new(file), number, pool.clone()).keeping(last);
        Ok(Arc::new(OpenFile { reader: Arc::new(reader), index }))
    }

    fn reopen(&self) -> Result<(LocalFile, Arc<Index>), SourceError> {
        let file = LocalFile::open(&self.path)?;
        let changed = |file: &LocalFile| {
            let reason = "the file has changed since playback began; start again to play it as it is now";
            Err(unusable(file, reason))
        };
        if file.size() != self.size {
            return changed(&file);
        }
        let index = match &self.kept {
            Kept::Index(index) => index.clone(),
            Kept::Open(open) => open.index.clone(),
            Kept::Nothing => match read_index(&file) {
                Ok(index) => Arc::new(index),
                Err(_reason) => return changed(&file),
            },
        };
        Ok((file, index))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes what ids really mean, which the file's summary did not say; the file with it.
    pub(super) fn redefined(&self, open: &OpenFile, selection: Selection) -> (Self, Arc<OpenFile>) {
        let index = Arc::new(open.index.in_parts(&selection.parts));
        let open = Arc::new(OpenFile { reader: open.reader.clone(), index: index.clone() });
        let redefined = Self {
            path: self.path.clone(),
            size: self.size,
            selection: Arc::new(selection),
            span: self.span,
            occurring: None,
            kept: match self.kept {
                Kept::Open(_) => Kept::Open(open.clone()),
                Kept::Nothing | Kept::Index(_) => Kept::Index(index),
            },
        };
        (redefined, open)
    }

    /// Whether there can be messages of one of these channels.
    pub(super) fn may_hold(&self, channels: &BTreeSet<ChannelId>) -> bool {
        self.occurring
            .as_ref()
            .is_none_or(|occurring| occurring.iter().any(|channel| channels.contains(channel)))
    }
}

/// Whether a segment can have messages of chosen channels.
pub(super) fn has_chosen(index: &Index, selection: &Selection, segment: &Segment) -> bool {
    let presence = index.presence_of(segment);
    let parts = segment.parts(selection);
    let is_chosen = |id: u16| parts.iter().any(|part| part.channel(id).is_some());
    presence.is_empty() || presence.iter().any(|presence| is_chosen(presence.channel))
}

/// The first segment, from one on, that can have messages of chosen channels in a range.
pub(super) fn next_wanted(
    index: &Index,
    selection: &Selection,
    range: TimeRange,
    from: usize,
) -> Option<usize> {
    let segments = index.segments.get(from..)?.iter().take_while(|segment| segment.start <= range.end.0);
    let wanted = |segment: &Segment| segment.end >= range.start.0 && has_chosen(index, selection, segment);
    (from..).zip(segments).find(|(_, segment)| wanted(segment)).map(|(number, _)| number)
}

/// From the first to the last time of segments with chosen channels.
fn span(index: &Index, selection: &Selection) -> Option<(u64, u64)> {
    let chosen = || index.segments.iter().filter(|segment| has_chosen(index, selection, segment));
    chosen().map(|segment| segment.start).min().zip(chosen().map(|segment| segment.end).max())
}

/// The chosen channels that have messages, in order; None if that is not known.
fn occurring(survey: &Survey, selection: &Selection) -> Option<Vec<ChannelId>> {
    let index = &survey.index;
    let mut channels = BTreeSet::new();
    match &survey.counts {
        Some(counts) => {
            for (part, meanings) in survey.parts.iter().zip(&selection.parts) {
                let counted = part.channels.iter().filter(|(_, number)| counts[**number] > 0);
                channels.extend(counted.filter_map(|(id, _)| meanings.channel(*id)));
            }
        }
        None if index.segments.iter().any(|segment| index.presence_of(segment).is_empty()) => return None,
        None => {}
    }
    // what segments say counts as well, in case the recorder miscounted
    for segment in &index.segments {
        let parts = segment.parts(selection);
        let presence = index.presence_of(segment).iter();
        channels.extend(
            presence.flat_map(|presence| parts.iter().filter_map(|part| part.channel(presence.channel))),
        );
    }
    Some(channels.into_iter().collect())
}
