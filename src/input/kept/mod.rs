//! What a pipe gives before anybody subscribes: kept, so that `cat log.jsonl | …` is not over before there is a viewer.
//!
//! It is sent as it comes all the same, and freed with the first subscription. If the pipe ends before that, what was
//! kept is a recording. Bound: [`LIMIT`] bytes, the newest; and what counts of latched channels (see [`LatchStore`]).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::hub::queue::Feed;
use crate::hub::restart::RestartWatch;
use crate::hub::subscriptions::ChannelSet;
use crate::hub::{DemandChange, Hub, LatchStore, lock};
use crate::model::{Batch, Channel, ChannelId, Entry};
use crate::registry::Registry;
use crate::source::{Extent, Gathered, MemoryRecording, RecordingOptions, SourceError, Stop, Stream};
use crate::time::{TimeSpec, Timestamp};

/// Bytes that are kept.
const LIMIT: usize = 64 << 20;

/// Channels that have ended whose messages are kept; of topics that change all the time older ones are left out.
const MAX_ENDED: usize = 1000;

/// What a batch takes beside its payloads and entries.
const BATCH: usize = 256;

/// What spans less than this is no recording worth playing.
const SHORTEST: Duration = Duration::from_secs(1);

/// How a pipe has ended.
#[derive(Debug)]
pub enum EndOfPipe {
    /// Somebody has subscribed to it.
    Watched,
    /// Nobody has, and there was no message.
    Nothing,
    /// Nobody has: what is left of it.
    Unwatched {
        /// What was kept.
        recording: Box<MemoryRecording>,
        /// Whether that is played, or only its last messages are sent.
        extent: Extent,
        /// Messages that were not kept.
        left_out: u64,
    },
}

/// A stream of which the newest part is kept until somebody subscribes.
pub struct Keeping {
    stream: Box<dyn Stream>,
    hub: Hub,
    kept: Arc<Mutex<Option<Kept>>>,
    on_end: Option<Box<dyn FnOnce(EndOfPipe) + Send>>,
}

impl Keeping {
    /// Keeps what a stream gives that is published in this hub; its channels are claimed from `registry`. `on_end` is called
    /// once, when it has ended without an error and was not stopped.
    pub fn new(
        stream: Box<dyn Stream>,
        hub: &Hub,
        registry: &Registry,
        on_end: impl FnOnce(EndOfPipe) + Send + 'static,
    ) -> Self {
        let kept = Kept { registry: registry.clone(), ..Kept::default() };
        let kept = Arc::new(Mutex::new(Some(kept)));
        let of_demand = Arc::downgrade(&kept);
        hub.on_demand(move |change| {
            if matches!(change, DemandChange::Subscribed { .. })
                && let Some(kept) = of_demand.upgrade()
            {
                let freed = lock(&kept).take();
                drop(freed);
            }
        });
        Self { stream, hub: hub.clone(), kept, on_end: Some(Box::new(on_end)) }
    }

    fn end(&self) -> EndOfPipe {
        let Some(kept) = lock(&self.kept).take() else { return EndOfPipe::Watched };
        kept.end(self.stream.name())
    }
}

impl Stream for Keeping {
    fn name(&self) -> &str {
        self.stream.name()
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        let next = self.stream.next();
        match &next {
            Ok(Some(batch)) => {
                if let Some(kept) = lock(&self.kept).as_mut() {
                    kept.push(batch, &self.hub, Instant::now());
                }
            }
            Ok(None) if !self.stream.stop().is_stopped() => {
                if let Some(on_end) = self.on_end.take() {
                    on_end(self.end());
                }
            }
            Ok(None) | Err(_) => {}
        }
        next
    }

    fn stop(&self) -> &Stop {
        self.stream.stop()
    }
}

#[derive(Debug, Default)]
struct Kept {
    channels: BTreeMap<ChannelId, Arc<Channel>>,
    batches: VecDeque<Batch>,
    bytes: usize,
    /// Messages that are in no batch any more, and what counts of them of latched channels.
    evicted: u64,
    latched: LatchStore,
    watch: RestartWatch,
    /// Channels that have ended, of which batches may have messages.
    ended: Vec<Arc<Channel>>,
    registry: Registry,
    /// Of the last message that came with a time.
    last: Option<Timestamp>,
}

impl Kept {
    fn push(&mut self, batch: &Batch, hub: &Hub, now: Instant) {
        for retired in &batch.retired {
            self.ended.extend(self.channels.remove(retired));
            self.latched.remove_channel(*retired);
        }
        let too_many = self.ended.len().saturating_sub(MAX_ENDED);
        self.ended.drain(..too_many);
        for channel in &batch.announcements {
            if self.channels.insert(channel.id, channel.clone()).is_none() && hub.latches(channel) {
                self.latched.add_channel(channel);
            }
        }
        let mut batch = Batch { retired: Vec::new(), announcements: Vec::new(), ..batch.clone() };
        self.date(&mut batch);
        let mut from = 0;
        while let Some(restart) = self.watch.first_restart(&batch.entries[from..], now) {
            // what was before belongs to another run
            from += restart;
            self.watch.restart(now);
            self.evicted += self.batches.drain(..).map(|batch| batch.entries.len() as u64).sum::<u64>();
            self.latched.clear_all();
            self.bytes = 0;
        }
        self.evicted += batch.entries.drain(..from).len() as u64;
        if batch.entries.is_empty() {
            return;
        }
        self.bytes += batch.footprint() + BATCH;
        self.batches.push_back(batch);
        while self.bytes > LIMIT && self.batches.len() > 1 {
            self.evict();
        }
    }

    /// Messages that came without a time get that of the message before; those before the first that has one get its time.
    /// So a pipe is the recording that a file with the same lines is.
    fn date(&mut self, batch: &mut Batch) {
        for index in 0..batch.entries.len() {
            let time = batch.entries[index].log_time;
            match self.last {
                Some(last) if batch.arrival == Some(time) => set_time(&mut batch.entries[index], last),
                None if batch.arrival == Some(time) => {}
                None => {
                    let before = self.batches.iter_mut().flat_map(|batch| &mut batch.entries);
                    before.chain(&mut batch.entries[..index]).for_each(|entry| set_time(entry, time));
                    // it has seen other times
                    self.watch = RestartWatch::default();
                    self.last = Some(time);
                }
                Some(_) => self.last = Some(time),
            }
        }
    }

    fn evict(&mut self) {
        let Some(oldest) = self.batches.pop_front() else { return };
        self.bytes -= oldest.footprint() + BATCH;
        self.evicted += oldest.entries.len() as u64;
        let mut channels = ChannelSet::default();
        oldest.entries.iter().for_each(|entry| channels.insert(entry.channel));
        self.latched.keep(&oldest, 0..oldest.entries.len(), &channels, Feed::Live);
    }

    fn end(self, name: &str) -> EndOfPipe {
        let Self { channels, batches, latched, evicted, ended, registry, .. } = self;
        if batches.is_empty() {
            return EndOfPipe::Nothing;
        }
        let mut gathered = Gathered::default();
        let retired = ended.iter().map(|channel| channel.id).collect();
        let announcements = channels.into_values().chain(ended).collect();
        gathered.push(Batch { announcements, ..Batch::default() });
        gathered.push(Batch { retired, ..Batch::default() });
        for batch in batches {
            gathered.push(batch);
        }
        gathered.keep_ended(&registry);
        let range = gathered.range();
        let mut left_out = evicted;
        for (batch, _) in latched.messages() {
            // those that were not to be sent were not counted
            left_out = left_out.saturating_sub(batch.entries.len() as u64);
            gathered.push((*batch).clone());
        }
        let spans = range.is_some_and(|range| range.duration() >= SHORTEST);
        let extent = if spans { Extent::All } else { Extent::LastMessages };
        // older latched messages are what was before the start
        let start = range.map(|range| TimeSpec::At(range.start));
        let options = RecordingOptions { start, ..RecordingOptions::default() };
        match MemoryRecording::new(name.to_owned(), gathered, extent, &options) {
            Ok(recording) => EndOfPipe::Unwatched { recording: Box::new(recording), extent, left_out },
            Err(error) => {
                tracing::error!("{error}");
                EndOfPipe::Nothing
            }
        }
    }
}

/// Makes up the time of a message that came without one.
fn set_time(entry: &mut Entry, time: Timestamp) {
    // unless it was said
    if entry.publish_time == entry.log_time {
        entry.publish_time = time;
    }
    entry.log_time = time;
}

#[cfg(test)]
mod tests;
