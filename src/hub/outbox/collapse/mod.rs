//! What is kept of a backlog that has grown over the client's budget.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::{Feed, Item, Ordered, Outbox, Part};
use crate::hub::subscriptions::Counts;
use crate::model::{Batch, ChannelId, Entry};
use crate::payload::latest::Latest;

/// A channel that takes no more than this part of the budget is kept whole when the backlog is collapsed …
const KEPT_WHOLE_SHARE: usize = 256;

/// … as long as all such channels take no more than this part of it.
const KEPT_WHOLE_TOTAL_SHARE: usize = 4;

/// Bytes of transforms that are decoded in one collapse, the newest first; latched ones, and those that an earlier
/// collapse has kept, don't count. Whoever publishes waits for it.
const DECODED: usize = 4 << 20;

/// The messages of a channel that count: how many newer ones are queued.
type LastOfOne = Latest<Reverse<u64>, ()>;

type LastOfEach = BTreeMap<ChannelId, LastOfOne>;

impl Outbox {
    /// Copies what is wanted out of its chunks and, if that is more than half the budget, drops of each channel that takes
    /// much all but the newest message, and what [`Counts`] besides. Returns the number of messages dropped.
    pub(super) fn collapse(&mut self) -> u64 {
        let mut backlog: BTreeMap<ChannelId, Load> = BTreeMap::new();
        self.for_each_wanted(|_, part, entry| {
            let counts = || self.subscriptions.counts(entry.channel, part.number);
            let load = backlog.entry(entry.channel).or_insert_with(|| Load::new(counts()));
            load.bytes += entry.length as usize + size_of::<Entry>();
            load.messages += 1;
        });
        let total: usize = backlog.values().map(|load| load.bytes).sum();
        if total <= self.limit / 2 {
            backlog.values_mut().for_each(|load| load.whole = true);
        } else {
            let mut smallest: Vec<&mut Load> = backlog.values_mut().collect();
            smallest.sort_by_key(|load| load.bytes);
            let mut kept = 0;
            for load in smallest {
                kept += load.bytes;
                load.whole = load.bytes <= self.limit / KEPT_WHOLE_SHARE
                    && kept <= self.limit / KEPT_WHOLE_TOTAL_SHARE;
            }
        }
        let last = self.last_of_each(&backlog);
        self.keep(backlog, &last)
    }

    /// The messages that count of channels of which more than the newest does.
    fn last_of_each(&self, backlog: &BTreeMap<ChannelId, Load>) -> LastOfEach {
        let several = backlog.iter().filter(|(_, load)| !load.whole && load.counts != Counts::default());
        let mut last: BTreeMap<ChannelId, (u64, LastOfOne)> =
            several.map(|(channel, _)| (*channel, (0, Latest::default()))).collect();
        if last.is_empty() {
            return LastOfEach::new();
        }
        let mut decoded = 0;
        for item in self.data.iter().rev() {
            let Item::Messages(part) = item else { continue };
            let is_kept = part.number < self.collapsed_until;
            for entry in part.batch.entries[part.range.clone()].iter().rev() {
                let Some((newer, latest)) = last.get_mut(&entry.channel) else { continue };
                if self.subscriptions.wanted(entry.channel, part.number).is_none() {
                    continue;
                }
                let position = Reverse(*newer);
                *newer += 1;
                let Counts { transforms, is_latched } = self.subscriptions.counts(entry.channel, part.number);
                if !is_latched && !is_kept {
                    if decoded >= DECODED {
                        continue;
                    }
                    decoded += entry.length as usize;
                }
                let origin = if is_latched { entry.origin } else { 0 };
                latest.offer_payload(position, transforms, origin, part.batch.payload(entry), || ());
            }
        }
        last.into_iter().map(|(channel, (_, latest))| (channel, latest)).collect()
    }

    fn keep(&mut self, mut backlog: BTreeMap<ChannelId, Load>, last: &LastOfEach) -> u64 {
        let mut copied = Vec::new();
        let mut kept: Vec<Kept> = Vec::new();
        let mut lost: BTreeMap<ChannelId, u64> = BTreeMap::new();
        self.for_each_wanted(|item, part, entry| {
            let Some(load) = backlog.get_mut(&entry.channel) else { return };
            load.messages -= 1;
            let counts = load.whole
                || load.messages == 0
                || last.get(&entry.channel).is_some_and(|last| last.contains(&Reverse(load.messages)));
            if !counts {
                *lost.entry(entry.channel).or_default() += 1;
                return;
            }
            // a payload that is most of its buffer keeps it: copying would free nothing
            let shared = entry.length as usize * 2 > part.batch.buffers[entry.buffer as usize].len();
            let offset = u32::try_from(copied.len()).ok().filter(|_| !shared);
            let (entry, own) = match offset {
                Some(offset) => {
                    copied.extend_from_slice(part.batch.payload(entry));
                    (Entry { buffer: 0, offset, ..*entry }, None)
                }
                None => (*entry, Some(part.batch.payload_bytes(entry))),
            };
            kept.push(Kept { item, entry, own });
        });
        self.rebuild(kept, &Bytes::from(copied));
        self.collapse_at = self.limit.max(2 * self.data.weight());
        self.collapsed_until = self.next_number();
        self.count_dropped(lost)
    }

    /// Puts what is kept in the place of the backlog. Messages between two control frames become one part, with the number
    /// of the last one, which is after the subscriptions that apply to them and before the end of those.
    fn rebuild(&mut self, kept: Vec<Kept>, copied: &Bytes) {
        let mut kept = kept.into_iter().peekable();
        let mut open: Option<Rebuilt> = None;
        let mut last_time = None;
        for (index, item) in self.data.drain().into_iter().enumerate() {
            match item {
                Item::Messages(part) => {
                    if open.as_ref().is_some_and(|open| (open.timed, open.feed) != (part.timed, part.feed)) {
                        self.close_part(open.take());
                    }
                    let open = open.get_or_insert_with(|| Rebuilt::new(&part, copied));
                    open.number = part.number;
                    while let Some(Kept { entry, own, .. }) = kept.next_if(|kept| kept.item == index) {
                        open.push(entry, own);
                    }
                    last_time = None;
                }
                Item::Other(Ordered::Time(time)) => last_time = Some(time),
                Item::Other(other @ (Ordered::Control(_) | Ordered::Session(_))) => {
                    self.close_part(open.take());
                    self.data.push_other(other);
                }
            }
        }
        self.close_part(open);
        if let (true, Some(time)) = (self.data.is_empty(), last_time) {
            self.data.push_other(Ordered::Time(time));
        }
        self.data.seal();
    }

    fn close_part(&mut self, rebuilt: Option<Rebuilt>) {
        let Some(Rebuilt { batch, timed, feed, number, queued, bytes }) = rebuilt else { return };
        if !batch.entries.is_empty() {
            let range = 0..batch.entries.len();
            let pinned = bytes + range.len() * size_of::<Entry>();
            self.data.enqueue(Part {
                batch: Arc::new(batch),
                range,
                timed,
                feed,
                number,
                queued,
                bytes,
                pinned,
            });
        }
    }

    /// Visits every queued message that the client wants, oldest first, with the index of its item.
    pub(super) fn for_each_wanted(&self, mut visit: impl FnMut(usize, &Part, &Entry)) {
        for (index, item) in self.data.iter().enumerate() {
            let Item::Messages(part) = item else { continue };
            for entry in &part.batch.entries[part.range.clone()] {
                if self.subscriptions.wanted(entry.channel, part.number).is_some() {
                    visit(index, part, entry);
                }
            }
        }
    }
}

/// A message that is kept.
struct Kept {
    /// Index of the item it was in.
    item: usize,
    entry: Entry,
    /// Its payload, if that is not copied.
    own: Option<Bytes>,
}

/// A part in the making.
struct Rebuilt {
    batch: Batch,
    timed: bool,
    feed: Feed,
    number: u64,
    queued: Instant,
    bytes: usize,
}

impl Rebuilt {
    fn new(part: &Part, copied: &Bytes) -> Self {
        let batch = Batch { buffers: vec![copied.clone()], ..Batch::default() };
        let Part { timed, feed, number, queued, .. } = *part;
        Self { batch, timed, feed, number, queued, bytes: 0 }
    }

    fn push(&mut self, entry: Entry, own: Option<Bytes>) {
        self.bytes += entry.length as usize;
        match own {
            Some(payload) => {
                let buffer = u32::try_from(self.batch.buffers.len()).unwrap_or(u32::MAX);
                self.batch.buffers.push(payload);
                self.batch.entries.push(Entry { buffer, offset: 0, ..entry });
            }
            None => self.batch.entries.push(entry),
        }
    }
}

/// What one channel takes of a backlog.
#[derive(Debug)]
struct Load {
    bytes: usize,
    messages: u64,
    whole: bool,
    counts: Counts,
}

impl Load {
    fn new(counts: Counts) -> Self {
        Self { bytes: 0, messages: 0, whole: false, counts }
    }
}

#[cfg(test)]
mod tests;
