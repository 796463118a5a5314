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

/// One sentence for an id that is given again within a recording; for the first, which stands for all.
pub(super) fn reused_warning(id: u16, old: &str, new: &str) -> String {
    format!(
        "channel id {id} stands for {old} at first and for {new} later; such topics are told apart by their places"
    )
}

/// What an id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum IdMeaning {
    #[default]
    Undefined,
    /// A channel that was not chosen.
    LeftOut,
    /// A channel that is played, with its id on the timeline.
    Played(ChannelId),
}

/// Ids in a part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartIds {
    from: Offset,
    table: Table,
}

/// Recorders count ids from 0 or 1; where one does not, a table by id would be large for every part.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Table {
    /// By id; ids beyond the end are undefined.
    Dense(Vec<IdMeaning>),
    /// In the order of ids.
    Sparse(Vec<(u16, IdMeaning)>),
}

impl PartIds {
    /// A part that begins at `from`. `defined`: the ids that have a meaning, in order.
    pub(super) fn new(from: Offset, defined: Vec<(u16, IdMeaning)>) -> Self {
        let highest = defined.last().map_or(0, |(id, _)| usize::from(*id));
        if highest > 4 * defined.len() + 16 {
            return Self { from, table: Table::Sparse(defined) };
        }
        let mut dense = vec![IdMeaning::Undefined; highest + 1];
        for (id, meaning) in defined {
            dense[usize::from(id)] = meaning;
        }
        Self { from, table: Table::Dense(dense) }
    }

    /// Where it begins.
    pub(super) fn from(&self) -> Offset {
        self.from
    }

    pub(super) fn meaning(&self, id: u16) -> IdMeaning {
        match &self.table {
            Table::Dense(by_id) => by_id.get(usize::from(id)).copied().unwrap_or_default(),
            Table::Sparse(defined) => match defined.binary_search_by_key(&id, |(id, _)| *id) {
                Ok(place) => defined[place].1,
                Err(_) => IdMeaning::Undefined,
            },
        }
    }

    fn leaves_out(&self) -> bool {
        match &self.table {
            Table::Dense(by_id) => by_id.contains(&IdMeaning::LeftOut),
            Table::Sparse(defined) => defined.iter().any(|(_, meaning)| *meaning == IdMeaning::LeftOut),
        }
    }

    /// The channel of an id, if it is played.
    pub(super) fn channel(&self, id: u16) -> Option<ChannelId> {
        match self.meaning(id) {
            IdMeaning::Played(channel) => Some(channel),
            IdMeaning::LeftOut | IdMeaning::Undefined => None,
        }
    }
}

/// Which messages of a file are played, and under which ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    /// In the order of the file; at least one.
    pub(super) parts: Vec<PartIds>,
    pub(super) order: Order,
}

impl Selection {
    /// The parts that a segment lies in, which begins at `offset` in the part `first`: more than one if ids change
    /// their meaning within a chunk.
    pub(super) fn parts(&self, first: u32, offset: u64) -> &[PartIds] {
        let parts = self.parts.get(first as usize..).unwrap_or_default();
        let more = parts.iter().skip(1).take_while(|part| part.from.0 == offset && part.from.1 > 0).count();
        &parts[..parts.len().min(1 + more)]
    }

    /// Whether there are channels that are not chosen.
    pub(super) fn leaves_out(&self) -> bool {
        self.parts.iter().any(PartIds::leaves_out)
    }
}

/// The meaning of ids, record by record of a segment.
pub(super) struct Meanings<'a> {
    part: &'a PartIds,
    later: &'a [PartIds],
    /// Where the next part begins within the segment.
    until: usize,
}

static NOTHING: PartIds = PartIds { from: (0, 0), table: Table::Dense(Vec::new()) };

impl<'a> Meanings<'a> {
    /// `parts`: those of the segment, see [`Selection::parts`].
    pub(super) fn of(parts: &'a [PartIds]) -> Self {
        let (part, later) = parts.split_first().unwrap_or((&NOTHING, &[]));
        Self { part, later, until: later.first().map_or(usize::MAX, |next| next.from.1) }
    }

    /// The ids for a record at this offset; offsets must not become smaller.
    pub(super) fn at(&mut self, offset: usize) -> &'a PartIds {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_mean_the_same_in_both_kinds_of_tables() {
        for ids in [vec![], vec![0], vec![1, 2, 3, 9], vec![7, 40_000], vec![65_535]] {
            let meaning = |id: u16| match id % 3 {
                0 => IdMeaning::LeftOut,
                _ => IdMeaning::Played(ChannelId(u32::from(id))),
            };
            let part = PartIds::new((0, 0), ids.iter().map(|id| (*id, meaning(*id))).collect());
            for id in 0..=u16::MAX {
                let wanted = if ids.contains(&id) { meaning(id) } else { IdMeaning::Undefined };
                assert_eq!(part.meaning(id), wanted);
            }
            assert_eq!(part.leaves_out(), ids.iter().any(|id| id % 3 == 0));
        }
    }

    #[test]
    fn meanings_change_within_a_chunk_where_a_part_begins() {
        let part = |from, channel| PartIds::new(from, vec![(1, IdMeaning::Played(ChannelId(channel)))]);
        let parts = vec![part((0, 0), 1), part((50, 10), 2), part((50, 30), 3), part((90, 0), 4)];
        let selection = Selection { parts, order: Order::Log };
        let mut meanings = Meanings::of(selection.parts(0, 50));
        for (offset, channel) in [(9, 1), (10, 2), (29, 2), (30, 3), (1000, 3)] {
            assert_eq!(meanings.at(offset).channel(1), Some(ChannelId(channel)), "{offset}");
        }
        assert_eq!(selection.parts(0, 20).len(), 1);
        assert_eq!(selection.parts(3, 90).len(), 1);
        assert!(selection.parts(4, 100).is_empty());
        assert_eq!(Meanings::of(&[]).at(5).channel(1), None);
    }
}
