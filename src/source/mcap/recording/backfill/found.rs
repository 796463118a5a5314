//! What a backfill has found, and what of it counts.

use std::collections::{BTreeMap, VecDeque};

use crate::model::{Batch, ChannelId, Entry};
use crate::payload::latest::{LastOf, Latest};
use crate::payload::transforms::Transforms;
use crate::source::mcap::records::to_usize;

/// How long before the target transforms still count that are not latched, ns. Whoever sends them does so several times
/// per second.
pub(super) const RECENT: u64 = 10_000_000_000;

/// Messages of transforms that are looked at in one segment, the last ones in the file.
const MAX_TRANSFORMS: usize = 100_000;

/// What counts of a channel.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::source::mcap::recording) struct Sought {
    /// If its messages are transforms: the last message of each child frame counts, not of the channel.
    pub(in crate::source::mcap::recording) transforms: Option<Transforms>,
    /// The last message of each origin counts, and transforms of any age.
    pub(in crate::source::mcap::recording) is_latched: bool,
}

impl Sought {
    /// What messages of one origin compete for, together with the channel.
    pub(super) fn origin(self, origin: u32) -> u32 {
        if self.is_latched { origin } else { 0 }
    }
}

/// Where a message lies: its time, number of its file, offsets of its segment and within that.
type MessagePlace = (u64, u32, u64, u32);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Found {
    sought: BTreeMap<ChannelId, Sought>,
    /// Transforms that are not latched count from here on.
    recent_from: u64,
    latest: BTreeMap<ChannelId, Latest<MessagePlace, (Entry, Vec<u8>)>>,
}

impl Found {
    pub(super) fn new(sought: BTreeMap<ChannelId, Sought>, before: u64) -> Self {
        Self { sought, recent_from: before.saturating_sub(RECENT), latest: BTreeMap::new() }
    }

    pub(super) fn sought(&self, channel: ChannelId) -> Sought {
        self.sought.get(&channel).copied().unwrap_or_default()
    }

    /// Whether transforms of a channel that is not latched count at a time.
    pub(super) fn is_recent(&self, time: u64) -> bool {
        time >= self.recent_from
    }

    /// Takes a message from a segment of a file.
    pub(super) fn offer(&mut self, file: u32, segment: u64, entry: Entry, buffer: &[u8]) {
        let sought = self.sought(entry.channel);
        let payload = &buffer[entry.offset as usize..][..to_usize(u64::from(entry.length))];
        let frames = sought.transforms.map(|transforms| transforms.child_frames(payload)).unwrap_or_default();
        let origin = sought.origin(entry.origin);
        let last_of = if frames.is_empty() { LastOf::Origin(origin) } else { LastOf::Frames(&frames) };
        let place = (entry.log_time.0, file, segment, entry.offset);
        let latest = self.latest.entry(entry.channel).or_default();
        latest.offer(place, last_of, payload.len(), || (entry, payload.to_vec()));
    }

    /// What counts, in the order of the timeline.
    pub(super) fn into_batch(self) -> Batch {
        let mut found = Vec::new();
        for (channel, latest) in self.latest {
            let Sought { transforms, is_latched } = self.sought.get(&channel).copied().unwrap_or_default();
            let any_age = is_latched || transforms.is_none();
            let newest = latest.messages().last().map(|(place, _)| place);
            let counts =
                |place: &MessagePlace| any_age || place.0 >= self.recent_from || Some(*place) == newest;
            found.extend(latest.into_messages().filter(|(place, _)| counts(place)));
        }
        found.sort_unstable_by_key(|(place, _)| *place);
        let mut batch = Batch::default();
        for (_, (entry, payload)) in &found {
            batch.push_copy(entry, payload);
        }
        batch
    }
}

/// The messages of one segment that may count: of its transforms all, of other channels the last one of each origin.
#[derive(Debug, Default)]
pub(super) struct InSegment {
    last: BTreeMap<(ChannelId, u32), Entry>,
    transforms: VecDeque<Entry>,
}

impl InSegment {
    /// Takes the next message.
    pub(super) fn push(&mut self, sought: Sought, entry: Entry) {
        if sought.transforms.is_some() {
            if self.transforms.len() >= MAX_TRANSFORMS {
                self.transforms.pop_front();
            }
            return self.transforms.push_back(entry);
        }
        let last = self.last.entry((entry.channel, sought.origin(entry.origin))).or_insert(entry);
        // of equal times the later one is the last
        if last.log_time <= entry.log_time {
            *last = entry;
        }
    }

    /// The messages, those of transforms from the last to the first in the file.
    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.last.into_values().chain(self.transforms.into_iter().rev())
    }
}
