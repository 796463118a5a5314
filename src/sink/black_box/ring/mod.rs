//! What was published last, within bounds of time and memory. Pure: times are arguments.
//!
//! Messages are copied into [`Block`]s, which are shared with the files that are being written. What leaves the ring and is
//! latched stays, as far as it still counts. A block that is only kept for a file counts for the bound as well: memory is
//! free again when it has been written.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::block::{Block, HEADER, Memory, Stored, joined};
use crate::hub::LatchStore;
use crate::hub::capability::save::Held;
use crate::model::{Batch, Channel, ChannelId, Entry};
use crate::time::TimeRange;

/// The largest block, but for those of one larger message.
const LARGEST_BLOCK: usize = 1 << 20;

/// The bound has room for this many blocks at least, so that little is lost when the oldest one goes.
const BLOCKS: usize = 64;

/// This part of the bound may be taken beyond it while files are written.
const SLACK: usize = 16;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Ring {
    /// None: the bound in bytes alone.
    window: Option<Duration>,
    limit: usize,
    began: Instant,
    memory: Memory,
    /// Oldest first. Messages are added to the last one, unless that is closed.
    blocks: VecDeque<Arc<Block>>,
    is_closed: bool,
    /// The number of the first block: they count up.
    first: u64,
    /// What of the first block is out of the window, in bytes and in messages.
    skipped: (usize, u64),
    messages: u64,
    last_arrival: u64,
    /// Those that are known, and those that have ended but may have messages here.
    channels: BTreeMap<ChannelId, Arc<Channel>>,
    /// Channels that have ended, with the number of the last block in which they can occur.
    retired: VecDeque<(u64, ChannelId)>,
    /// What of the messages that were let go still counts.
    latched: LatchStore,
    /// Blocks that were closed, for who follows.
    completed: Vec<(u64, Arc<Block>)>,
    is_followed: bool,
}

/// What is in the ring at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) channels: Vec<Arc<Channel>>,
    /// What counted of latched channels before the first message.
    pub(super) latched: Vec<Arc<Batch>>,
    /// Blocks, each with the place of its first message.
    pub(super) blocks: Vec<(Arc<Block>, usize)>,
    /// The number of the block that follows.
    pub(super) next: u64,
}

impl Ring {
    pub(super) fn new(window: Option<Duration>, limit: usize, now: Instant) -> Self {
        Self {
            window,
            limit,
            began: now,
            memory: Memory::default(),
            blocks: VecDeque::new(),
            is_closed: false,
            first: 0,
            skipped: (0, 0),
            messages: 0,
            last_arrival: 0,
            channels: BTreeMap::new(),
            retired: VecDeque::new(),
            latched: LatchStore::default(),
            completed: Vec::new(),
            is_followed: false,
        }
    }

    /// Adds a channel, before its first message.
    pub(super) fn add_channel(&mut self, channel: &Arc<Channel>, is_latched: bool) {
        self.channels.insert(channel.id, channel.clone());
        if is_latched {
            self.latched.add_channel(channel);
        }
    }

    /// A channel has ended. Its messages stay while they are in the window; what was latched of it does not.
    pub(super) fn retire(&mut self, channel: ChannelId) {
        self.latched.remove_channel(channel);
        self.retired.push_back((self.next_number().saturating_sub(1), channel));
        self.forget_channels();
    }

    /// Whether what counts of a channel stays when it leaves the ring.
    fn is_latched(&self, channel: ChannelId) -> bool {
        self.latched.contains(channel)
    }

    /// Keeps a message of a latched channel from before the first one in the ring.
    pub(super) fn latch(&mut self, entry: &Entry, payload: &[u8]) {
        self.latched.keep_one(entry, payload);
    }

    /// Adds a message, and lets go what has no room beside it. False if there is no room for it.
    pub(super) fn push(&mut self, entry: &Entry, payload: &[u8], published: Instant) -> bool {
        let arrived = self.since_began(published).max(self.last_arrival);
        self.last_arrival = arrived;
        let message = Stored { arrived, is_latched: self.is_latched(entry.channel), entry: *entry, payload };
        let added = self.push_last(&message) || self.add_block(payload.len()) && self.push_last(&message);
        self.messages += u64::from(added);
        added
    }

    /// The same for a message that only counts if its channel is latched, for who subscribes late or opens the file.
    pub(super) fn push_unsent(&mut self, entry: &Entry, payload: &[u8], published: Instant) -> bool {
        !self.is_latched(entry.channel) || self.push(entry, payload, published)
    }

    fn push_last(&mut self, message: &Stored<'_>) -> bool {
        let last = self.blocks.back_mut().filter(|_| !self.is_closed).and_then(Arc::get_mut);
        last.is_some_and(|last| last.push(message))
    }

    /// Begins a block with room for a payload of this length.
    fn add_block(&mut self, payload: usize) -> bool {
        self.close();
        let capacity = (HEADER + payload).max((self.limit / BLOCKS).min(LARGEST_BLOCK));
        if !self.make_room(capacity) {
            return false;
        }
        self.blocks.push_back(Arc::new(Block::new(capacity, &self.memory)));
        self.is_closed = false;
        true
    }

    /// Lets the oldest blocks go until a new one has room.
    fn make_room(&mut self, capacity: usize) -> bool {
        if capacity > self.limit {
            return false;
        }
        let most = self.limit + self.limit / SLACK;
        loop {
            let bytes = self.memory.bytes() + capacity;
            if bytes <= self.limit {
                return true;
            }
            match self.blocks.front() {
                // a file needs it still: to let it go would free nothing now
                Some(first) if Arc::strong_count(first) > 1 && bytes <= most => return true,
                Some(_) => self.pop_block(),
                None => return bytes <= most,
            }
        }
    }

    /// Nothing more is added to the last block.
    fn close(&mut self) {
        let Some(last) = self.blocks.back_mut().filter(|_| !self.is_closed) else { return };
        if let Some(last) = Arc::get_mut(last) {
            last.close();
        }
        let last = last.clone();
        self.is_closed = true;
        if self.is_followed {
            self.completed.push((self.next_number() - 1, last));
        }
    }

    fn next_number(&self) -> u64 {
        self.first + self.blocks.len() as u64
    }

    fn pop_block(&mut self) {
        if self.blocks.len() == 1 {
            self.close();
        }
        let Some(block) = self.blocks.pop_front() else { return };
        let (at, gone) = std::mem::take(&mut self.skipped);
        if block.has_latched() {
            for Stored { entry, payload, .. } in block.messages_from(at).filter(|stored| stored.is_latched) {
                self.latched.keep_one(&entry, payload);
            }
        }
        self.messages -= block.count() - gone;
        self.first += 1;
        self.forget_channels();
    }

    /// Forgets channels that have ended and have no messages here.
    fn forget_channels(&mut self) {
        let is_empty = self.blocks.is_empty();
        while let Some((last, channel)) = self.retired.front()
            && (is_empty || *last < self.first)
        {
            self.channels.remove(channel);
            self.retired.pop_front();
        }
    }

    /// Lets go what was published before the window, which ends with the newest message.
    pub(super) fn evict(&mut self, newest: Instant) {
        let Some(oldest) = self.window.and_then(|window| newest.checked_sub(window)) else { return };
        let oldest = self.since_began(oldest);
        while let Some(first) = self.blocks.front() {
            let (at, gone) = self.skipped;
            match first.message(at) {
                None => self.pop_block(),
                Some((stored, _)) if stored.arrived >= oldest => return,
                Some((Stored { is_latched, entry, payload, .. }, next)) => {
                    if is_latched {
                        self.latched.keep_one(&entry, payload);
                    }
                    self.skipped = (next, gone + 1);
                    self.messages -= 1;
                }
            }
        }
    }

    fn since_began(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX >> 1)
    }

    /// What is in the ring.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        self.close();
        let starts = std::iter::once(self.skipped.0).chain(std::iter::repeat(0));
        Snapshot {
            channels: self.channels.values().cloned().collect(),
            latched: self.latched.messages().into_iter().map(|(batch, _)| batch).collect(),
            blocks: self.blocks.iter().cloned().zip(starts).collect(),
            next: self.next_number(),
        }
    }

    /// Whether blocks that are completed are kept for [`Ring::completed`].
    pub(super) fn follow(&mut self, is_followed: bool) {
        self.is_followed = is_followed;
    }

    /// Completes the last block.
    pub(super) fn complete(&mut self) {
        self.close();
    }

    /// Takes the blocks that were completed since this was called last, with their numbers.
    pub(super) fn completed(&mut self) -> Vec<(u64, Arc<Block>)> {
        std::mem::take(&mut self.completed)
    }

    /// How much is in it.
    pub(super) fn held(&self) -> Held {
        let mut blocks = self.blocks.iter();
        let first = blocks.next().and_then(|first| self.range_of_first(first));
        let range = blocks.fold(first, |range, block| joined(range, block.range()));
        Held { range, messages: self.messages, bytes: self.memory.bytes() as u64, saving: 0 }
    }

    fn range_of_first(&self, first: &Block) -> Option<TimeRange> {
        if self.skipped.0 == 0 {
            return first.range();
        }
        let times = first.messages_from(self.skipped.0).map(|stored| stored.entry.log_time);
        times.fold(None, |range, at| joined(range, Some(TimeRange { start: at, end: at })))
    }
}

#[cfg(test)]
mod tests;
