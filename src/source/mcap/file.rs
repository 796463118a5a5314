//! One file of a timeline: what is known of it while it is closed, and what it takes to read it.
//!
//! A closed file costs its path, the times of its first and last message and the channels that occur in it, however
//! large it is. Only where the index took reading the whole file through it is kept.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::chunk::{Decoder, Pool, Selection};
use super::contents::{Contents, Index, Piece, RandomFile};
use super::index;
use super::summary::Found;
use crate::model::ChannelId;
use crate::source::SourceError;
use crate::time::TimeRange;

/// A file that is open: it can be decoded.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) decoder: Decoder,
    pub(super) index: Arc<Index>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct McapFile {
    path: PathBuf,
    size: u64,
    pub(super) selection: Arc<Selection>,
    /// Times of the first and last message of chosen channels, as pieces tell; None if there are none.
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

impl McapFile {
    /// Closes a file that was found to hold this. `before`: the file before it in the timeline; what both have in
    /// common is shared.
    pub(super) fn closed(path: PathBuf, found: Found, selection: Selection, before: Option<&Self>) -> Self {
        let Found { decoder, contents, scanned } = found;
        let occurring = occurring(&contents, &selection);
        let same_selection = before.map(|before| &before.selection).filter(|before| ***before == selection);
        let same_occurring = before
            .and_then(|before| before.occurring.as_ref())
            .filter(|before| Some(&before[..]) == occurring.as_deref());
        Self {
            path,
            size: decoder.file.size,
            span: span(&contents.index, &selection),
            occurring: same_occurring.cloned().or_else(|| occurring.map(Arc::from)),
            selection: same_selection.cloned().unwrap_or_else(|| Arc::new(selection)),
            kept: if scanned { Kept::Index(Arc::new(contents.index)) } else { Kept::Nothing },
        }
    }

    /// Keeps a file open, for as long as there is a timeline.
    pub(super) fn kept_open(path: PathBuf, found: Found, selection: Selection) -> Self {
        let Found { decoder, contents, .. } = found;
        Self {
            path,
            size: decoder.file.size,
            span: span(&contents.index, &selection),
            occurring: occurring(&contents, &selection).map(Arc::from),
            selection: Arc::new(selection),
            kept: Kept::Open(Arc::new(OpenFile { decoder, index: Arc::new(contents.index) })),
        }
    }

    /// Opens it; with `descriptor` the operating system's file stays open as well, else it is opened for each read.
    pub(super) fn open(&self, pool: &Arc<Pool>, descriptor: bool) -> Result<Arc<OpenFile>, SourceError> {
        if let Kept::Open(file) = &self.kept {
            return Ok(file.clone());
        }
        let file = RandomFile::open(&self.path)?;
        let changed = |file: &RandomFile| {
            Err(file
                .unusable("the file has changed since playback began; start again to play it as it is now"))
        };
        if file.size != self.size {
            return changed(&file);
        }
        let index = match &self.kept {
            Kept::Index(index) => index.clone(),
            Kept::Nothing | Kept::Open(_) => match index::read_again(&file) {
                Ok(index) => Arc::new(index),
                Err(_reason) => return changed(&file),
            },
        };
        let file = if descriptor { file } else { file.without_descriptor(&self.path) };
        Ok(Arc::new(OpenFile { decoder: Decoder::new(file, pool.clone()), index }))
    }

    /// Whether there can be messages of one of these channels.
    pub(super) fn may_hold(&self, channels: &BTreeSet<ChannelId>) -> bool {
        self.occurring
            .as_ref()
            .is_none_or(|occurring| occurring.iter().any(|channel| channels.contains(channel)))
    }
}

/// Whether a piece can have messages of chosen channels.
pub(super) fn has_chosen(index: &Index, selection: &Selection, piece: &Piece) -> bool {
    let presence = index.presence_of(piece);
    presence.is_empty() || presence.iter().any(|presence| selection.channel(presence.channel).is_some())
}

/// The first piece, from one on, that can have messages of chosen channels in a range.
pub(super) fn next_wanted(
    index: &Index,
    selection: &Selection,
    range: TimeRange,
    from: usize,
) -> Option<usize> {
    let pieces = index.pieces.get(from..)?.iter().take_while(|piece| piece.start <= range.end.0);
    let wanted = |piece: &Piece| piece.end >= range.start.0 && has_chosen(index, selection, piece);
    (from..).zip(pieces).find(|(_, piece)| wanted(piece)).map(|(number, _)| number)
}

/// From the first to the last time of pieces with chosen channels.
fn span(index: &Index, selection: &Selection) -> Option<(u64, u64)> {
    let chosen = || index.pieces.iter().filter(|piece| has_chosen(index, selection, piece));
    chosen().map(|piece| piece.start).min().zip(chosen().map(|piece| piece.end).max())
}

fn occurring(contents: &Contents, selection: &Selection) -> Option<Vec<ChannelId>> {
    let index = &contents.index;
    let mut of_file: BTreeSet<u16> = match &contents.counts {
        Some(counts) => counts.iter().filter(|(_, count)| **count > 0).map(|(channel, _)| *channel).collect(),
        None if index.pieces.iter().any(|piece| index.presence_of(piece).is_empty()) => return None,
        None => BTreeSet::new(),
    };
    // what pieces say counts as well, in case the recorder miscounted
    of_file.extend(index.presence.iter().map(|presence| presence.channel));
    let mut channels: Vec<_> = of_file.into_iter().filter_map(|channel| selection.channel(channel)).collect();
    channels.sort_unstable();
    channels.dedup();
    Some(channels)
}
