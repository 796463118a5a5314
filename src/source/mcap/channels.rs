//! What the channel ids in a file mean.
//!
//! An id has one meaning in a recording, from its definition on. It has another one where it is defined again with
//! other content, and in the next of several recordings in one file. A *part* of a file is what lies between two such
//! changes.

use crate::model::ChannelId;
use crate::source::Order;

/// A place in a file: the offset of a chunk or of a record outside of chunks, and the offset of a record's body within
/// the decompressed chunk (0 outside of chunks).
pub(super) type Offset = (u64, usize);

/// What an id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Meaning {
    #[default]
    Undefined,
    /// A channel that was not chosen.
    LeftOut,
    /// A channel that is played, with its id on the timeline.
    Played(ChannelId),
}

/// Ids in a part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Part {
    /// Where it begins.
    pub(super) from: Offset,
    /// By id; ids beyond the end are undefined.
    pub(super) meanings: Vec<Meaning>,
}

impl Part {
    pub(super) fn meaning(&self, id: u16) -> Meaning {
        self.meanings.get(usize::from(id)).copied().unwrap_or_default()
    }

    /// The channel of an id, if it is played.
    pub(super) fn channel(&self, id: u16) -> Option<ChannelId> {
        match self.meaning(id) {
            Meaning::Played(channel) => Some(channel),
            Meaning::LeftOut | Meaning::Undefined => None,
        }
    }
}

/// Which messages of a file are played, and under which ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    /// In the order of the file; at least one.
    pub(super) parts: Vec<Part>,
    pub(super) order: Order,
}

impl Selection {
    /// The parts that a segment lies in, which begins at `offset` in the part `first`: more than one if ids change
    /// their meaning within a chunk.
    pub(super) fn parts(&self, first: u32, offset: u64) -> &[Part] {
        let parts = self.parts.get(first as usize..).unwrap_or_default();
        let more = parts.iter().skip(1).take_while(|part| part.from.0 == offset && part.from.1 > 0).count();
        &parts[..parts.len().min(1 + more)]
    }

    /// Whether there are channels that are not chosen.
    pub(super) fn leaves_out(&self) -> bool {
        self.parts.iter().any(|part| part.meanings.contains(&Meaning::LeftOut))
    }
}

/// The meaning of ids, record by record of a segment.
pub(super) struct Meanings<'a> {
    part: &'a Part,
    later: &'a [Part],
    /// Where the next part begins within the segment.
    until: usize,
}

static NOTHING: Part = Part { from: (0, 0), meanings: Vec::new() };

impl<'a> Meanings<'a> {
    /// `parts`: those of the segment, see [`Selection::parts`].
    pub(super) fn of(parts: &'a [Part]) -> Self {
        let (part, later) = parts.split_first().unwrap_or((&NOTHING, &[]));
        Self { part, later, until: later.first().map_or(usize::MAX, |next| next.from.1) }
    }

    /// The ids for a record at this offset; offsets must not become smaller.
    pub(super) fn at(&mut self, offset: usize) -> &'a Part {
        while offset >= self.until {
            *self = match self.later.split_first() {
                Some((part, later)) => {
                    Self { part, later, until: later.first().map_or(usize::MAX, |next| next.from.1) }
                }
                None => Self { until: usize::MAX, ..*self },
            };
        }
        self.part
    }
}
