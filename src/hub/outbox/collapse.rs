//! What is kept of a backlog that has grown over the client's budget.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{Item, Outbox, Part};
use crate::model::{Batch, ChannelId, Entry};

/// A channel that takes no more than this part of the budget is kept whole when the backlog is collapsed …
const KEPT_WHOLE_SHARE: usize = 256;

/// … as long as all such channels take no more than this part of it.
const KEPT_WHOLE_TOTAL_SHARE: usize = 4;

impl Outbox {
    /// Copies what is wanted out of its chunks and, if that is more than half the budget, drops all but the newest
    /// message of each channel that takes much. Returns the number of messages dropped.
    pub(super) fn collapse(&mut self) -> u64 {
        let mut backlog: BTreeMap<ChannelId, Load> = BTreeMap::new();
        self.for_each_wanted(|_, _, entry| {
            let load = backlog.entry(entry.channel).or_default();
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
        self.keep(backlog)
    }

    fn keep(&mut self, mut backlog: BTreeMap<ChannelId, Load>) -> u64 {
        let mut copied = Vec::new();
        let mut kept: Vec<(usize, Entry, Option<Bytes>)> = Vec::new();
        let mut lost: BTreeMap<ChannelId, u64> = BTreeMap::new();
        self.for_each_wanted(|item, part, entry| {
            let Some(load) = backlog.get_mut(&entry.channel) else { return };
            load.messages -= 1;
            if !load.whole && load.messages > 0 {
                *lost.entry(entry.channel).or_default() += 1;
                return;
            }
            // a payload that is most of its buffer keeps it: copying would free nothing
            let shared = entry.length as usize * 2 > part.batch.buffers[entry.buffer as usize].len();
            let offset = u32::try_from(copied.len()).ok().filter(|_| !shared);
            match offset {
                Some(offset) => {
                    copied.extend_from_slice(part.batch.payload(entry));
                    kept.push((item, Entry { buffer: 0, offset, ..*entry }, None));
                }
                None => kept.push((item, *entry, Some(part.batch.payload_bytes(entry)))),
            }
        });
        let copied = Bytes::from(copied);
        let last_time = self.data.iter().rev().find_map(|item| match item {
            Item::Time(time) => Some(*time),
            Item::Messages(_) => None,
        });
        let timed: Vec<bool> =
            self.data.iter().map(|item| matches!(item, Item::Messages(part) if part.timed)).collect();
        self.data.clear();
        self.bytes = 0;
        self.pinned = 0;
        let mut kept = kept.into_iter().peekable();
        while let Some((item, _, _)) = kept.peek() {
            let item = *item;
            let mut batch = Batch { buffers: vec![copied.clone()], ..Batch::default() };
            let mut bytes = 0;
            while let Some((_, entry, own)) = kept.next_if(|(other, _, _)| timed[*other] == timed[item]) {
                bytes += entry.length as usize;
                match own {
                    Some(payload) => {
                        let buffer = u32::try_from(batch.buffers.len()).unwrap_or(u32::MAX);
                        batch.buffers.push(payload);
                        batch.entries.push(Entry { buffer, offset: 0, ..entry });
                    }
                    None => batch.entries.push(entry),
                }
            }
            let range = 0..batch.entries.len();
            let pinned = bytes + range.len() * size_of::<Entry>();
            let number = self.next_number;
            self.enqueue(Part { batch: Arc::new(batch), range, timed: timed[item], number, bytes, pinned });
        }
        if let (true, Some(time)) = (self.data.is_empty(), last_time) {
            self.data.push_back(Item::Time(time));
        }
        self.sealed = true;
        self.collapse_at = self.limit.max(2 * self.bytes.max(self.pinned));
        let mut count = 0;
        for (channel, messages) in lost {
            *self.dropped.entry(channel).or_default() += messages;
            count += messages;
        }
        count
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

/// What one channel takes of a backlog.
#[derive(Debug, Default)]
struct Load {
    bytes: usize,
    messages: u64,
    whole: bool,
}
