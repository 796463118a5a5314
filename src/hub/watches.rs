//! Topics that somebody looks at without a connection: what is published on them counts as wanted for a while, and the
//! last message is kept. Pure but for the hub's part.
//!
//! Bound: [`MOST`] channels, each with the buffer in which its last message lies.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::subscriptions::ChannelSet;
use super::{DemandChange, Hub, State, lock};
use crate::model::{Batch, ChannelId, Entry};

/// How long a channel is watched after it was asked for.
const WATCHED_FOR: Duration = Duration::from_secs(10);

/// Channels that are watched at once; of more the one that was asked for longest ago is left.
const MOST: usize = 64;

/// Channels that are watched.
#[derive(Debug, Default)]
pub(super) struct Watches {
    slots: ChannelSet,
    channels: BTreeMap<ChannelId, Watched>,
}

#[derive(Debug)]
struct Watched {
    until: Instant,
    last: Option<Message>,
}

/// A message by itself.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Its times; where its payload lies is of no use.
    pub(crate) entry: Entry,
    pub(crate) payload: Bytes,
}

impl Message {
    /// The last message of a batch.
    pub(crate) fn last_of(batch: &Batch) -> Option<Self> {
        let entry = batch.entries.last()?;
        Some(Self { entry: *entry, payload: batch.payload_bytes(entry) })
    }
}

impl Watches {
    /// Keeps the last message of each channel that is watched.
    pub(super) fn keep(&mut self, batch: &Batch, range: Range<usize>, channels: &ChannelSet) {
        if !self.slots.intersects(channels) {
            return;
        }
        for entry in &batch.entries[range] {
            if self.slots.contains(entry.channel)
                && let Some(watched) = self.channels.get_mut(&entry.channel)
            {
                watched.last = Some(Message { entry: *entry, payload: batch.payload_bytes(entry) });
            }
        }
    }

    /// Watches a channel from now on. Returns what is watched no more, and whether this channel is new.
    fn watch(&mut self, channel: ChannelId, now: Instant) -> (Option<ChannelId>, bool) {
        let until = now + WATCHED_FOR;
        if let Some(watched) = self.channels.get_mut(&channel) {
            watched.until = until;
            return (None, false);
        }
        let oldest = self.channels.iter().min_by_key(|(_, watched)| watched.until).map(|(id, _)| *id);
        let gone = oldest.filter(|_| self.channels.len() >= MOST);
        if let Some(gone) = gone {
            self.remove(gone);
        }
        self.slots.insert(channel);
        self.channels.insert(channel, Watched { until, last: None });
        (gone, true)
    }

    /// Ends the watch of a channel, if there is one.
    pub(super) fn remove(&mut self, channel: ChannelId) -> bool {
        let was_watched = self.channels.remove(&channel).is_some();
        if was_watched {
            self.slots.remove(channel);
        }
        was_watched
    }

    /// What was kept is of another part of the timeline.
    pub(super) fn forget_messages(&mut self) {
        self.channels.values_mut().for_each(|watched| watched.last = None);
    }

    /// Ends the watches that are over. Returns which these are.
    fn expire(&mut self, now: Instant) -> Vec<ChannelId> {
        let over = self.channels.iter().filter(|(_, watched)| watched.until <= now).map(|(id, _)| *id);
        let over: Vec<_> = over.collect();
        for channel in &over {
            self.remove(*channel);
        }
        over
    }
}

impl Hub {
    /// Watches a channel for [`WATCHED_FOR`]: it counts as wanted, and its last message is kept. Returns the last message
    /// that is known. Who watches calls [`Hub::end_watches`] after that time.
    pub(crate) fn watch(&self, channel: ChannelId, now: Instant) -> Option<Message> {
        let mut state = lock(&self.0.state);
        let (gone, is_new) = state.watches.watch(channel, now);
        if let Some(gone) = gone {
            self.0.demand.change(&DemandChange::Unwatched { channels: &[gone] });
        }
        if is_new {
            self.0.demand.change(&DemandChange::Watched { channels: &[channel] });
        }
        let watched = state.watches.channels.get(&channel).and_then(|watched| watched.last.clone());
        watched.or_else(|| state.last_latched(channel))
    }

    /// Ends the watches that are over. Returns when the next one is.
    pub(crate) fn end_watches(&self, now: Instant) -> Option<Instant> {
        let mut state = lock(&self.0.state);
        let over = state.watches.expire(now);
        if !over.is_empty() {
            self.0.demand.change(&DemandChange::Unwatched { channels: &over });
        }
        state.watches.channels.values().map(|watched| watched.until).min()
    }
}

impl State {
    fn last_latched(&self, channel: ChannelId) -> Option<Message> {
        let (batch, _feed) = self.latch.messages_of(channel)?;
        Message::last_of(&batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn batch(channel: u32, payload: &[u8]) -> Batch {
        let mut batch = Batch::default();
        batch.push_copy(&Entry::at(ChannelId(channel), Timestamp(1)), payload);
        batch
    }

    fn channels(batch: &Batch) -> ChannelSet {
        let mut channels = ChannelSet::default();
        batch.entries.iter().for_each(|entry| channels.insert(entry.channel));
        channels
    }

    fn last(watches: &Watches, channel: u32) -> Option<&[u8]> {
        watches.channels.get(&ChannelId(channel))?.last.as_ref().map(|message| &*message.payload)
    }

    #[test]
    fn the_last_message_is_kept_while_a_channel_is_watched() {
        let (mut watches, now) = (Watches::default(), Instant::now());
        assert_eq!(watches.watch(ChannelId(1), now), (None, true));
        for batch in [batch(1, b"a"), batch(2, b"b"), batch(1, b"c")] {
            watches.keep(&batch, 0..1, &channels(&batch));
        }
        assert_eq!((last(&watches, 1), last(&watches, 2)), (Some(&b"c"[..]), None));
        let later = now + WATCHED_FOR / 2;
        assert_eq!(watches.watch(ChannelId(1), later), (None, false));
        assert_eq!(watches.expire(now + WATCHED_FOR), []);
        assert_eq!(watches.expire(later + WATCHED_FOR), [ChannelId(1)]);
        assert!(!watches.slots.contains(ChannelId(1)));
    }

    #[test]
    fn of_too_many_the_one_asked_for_longest_ago_is_left() {
        let (mut watches, now) = (Watches::default(), Instant::now());
        let most = u32::try_from(MOST).unwrap();
        for channel in 0..most {
            watches.watch(ChannelId(channel), now + Duration::from_millis(u64::from(channel)));
        }
        watches.watch(ChannelId(0), now + Duration::from_secs(1));
        let (gone, is_new) = watches.watch(ChannelId(most), now + Duration::from_secs(2));
        assert_eq!((gone, is_new, watches.channels.len()), (Some(ChannelId(1)), true, MOST));
    }
}
