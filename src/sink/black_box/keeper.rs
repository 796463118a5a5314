//! The thread that keeps: it takes what is published, and hands what is asked for to threads that write.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use super::Keep;
use super::block::Block;
use super::saving::{Job, Piece};
use super::shared::{GoesOn, Request, Shared};
use crate::hub::queue::Feed;
use crate::hub::{Next, Published, Tap, lock};
use crate::model::{Batch, Channel, ChannelId};

/// While messages come they are taken in one go now and then, until none has come for this long.
const STEADY: Duration = Duration::from_secs(1);

/// Messages that have no room are logged at most this often.
const LOSS_INTERVAL: Duration = Duration::from_secs(10);

/// A file that gets what follows.
struct Following {
    until: Instant,
    /// The number of the next block that it gets.
    next: u64,
    pieces: Sender<Piece>,
}

impl Following {
    /// Who writes may have given up; what it is given then is dropped.
    fn give(&self, piece: Piece) {
        self.pieces.send(piece).ok();
    }
}

/// See the module's documentation.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    tap: Tap,
    /// What counted of latched channels before anything was taken.
    latched: Vec<(Arc<Batch>, Feed)>,
    requests: Vec<Request>,
    following: Vec<Following>,
    /// Lost by the tap, so far.
    lost_before: u64,
    /// Lost since that was logged last.
    lost: u64,
    lost_logged: Option<Instant>,
}

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>, tap: Tap, latched: Vec<(Arc<Batch>, Feed)>) -> Self {
        let (requests, following) = (Vec::new(), Vec::new());
        Self { shared, tap, latched, requests, following, lost_before: 0, lost: 0, lost_logged: None }
    }

    /// Runs until it is told to end.
    pub(super) fn run(mut self) {
        let mut steady = None;
        loop {
            let ends = self.following.iter().map(|file| file.until).chain(steady).min();
            // what was published before a request is taken before it is carried out
            let deadline = if self.requests.is_empty() { ends } else { Some(Instant::now()) };
            match self.tap.next(deadline) {
                Next::Published(Published::Channels(channels)) => self.announce(&channels),
                Next::Published(Published::Retired(channels)) => self.retire(&channels),
                Next::Published(Published::Messages { batch, range, feed, published }) => {
                    if self.keeps(feed) {
                        self.end_files(|file| file.until <= published);
                        self.keep(&batch, range, published);
                        steady = Some(Instant::now() + STEADY);
                    }
                }
                Next::Woken => self.look_into_inbox(),
                Next::Deadline => {
                    self.carry_out();
                    let now = Instant::now();
                    self.end_files(|file| file.until <= now);
                    steady = steady.filter(|steady| *steady > now);
                }
                Next::Closed => {
                    // nothing follows
                    self.carry_out();
                    self.end_files(|_| true);
                    if self.shared.wait_for_requests(&mut self.requests) == GoesOn::No {
                        return;
                    }
                }
            }
        }
    }

    fn keeps(&self, feed: Feed) -> bool {
        feed == Feed::Live || self.shared.options.keep == Keep::All
    }

    fn announce(&mut self, channels: &[Arc<Channel>]) {
        let mut ring = lock(&self.shared.ring);
        for channel in channels {
            ring.add_channel(channel, self.tap.hub().latches(channel));
            for file in &self.following {
                file.give(Piece::Channel(channel.clone()));
            }
        }
        // those of before are the first that are announced
        for (batch, feed) in std::mem::take(&mut self.latched) {
            if self.keeps(feed) {
                batch.entries.iter().for_each(|entry| ring.latch(entry, batch.payload(entry)));
            }
        }
    }

    fn retire(&self, channels: &[ChannelId]) {
        let mut ring = lock(&self.shared.ring);
        channels.iter().for_each(|channel| ring.retire(*channel));
    }

    fn keep(&mut self, batch: &Batch, range: Range<usize>, published: Instant) {
        let mut ring = lock(&self.shared.ring);
        ring.evict(published);
        let mut lost = 0;
        let mut count = |has_room: bool| lost += u64::from(!has_room);
        let mut unsent = batch.unsent_in(&range).iter().peekable();
        for index in range {
            while let Some((_, entry)) = unsent.next_if(|(before, _)| *before <= index) {
                count(ring.push_unsent(entry, batch.payload(entry), published));
            }
            let entry = &batch.entries[index];
            count(ring.push(entry, batch.payload(entry), published));
        }
        for (_, entry) in unsent {
            count(ring.push_unsent(entry, batch.payload(entry), published));
        }
        let completed = ring.completed();
        drop(ring);
        self.pass_on(completed);
        self.lose(lost);
    }

    fn pass_on(&mut self, completed: Vec<(u64, Arc<Block>)>) {
        for (number, block) in completed {
            for file in self.following.iter_mut().filter(|file| file.next <= number) {
                file.next = number + 1;
                file.give(Piece::Messages(block.clone(), 0));
            }
        }
    }

    /// Tells of messages that had no room, here or on the way.
    fn lose(&mut self, here: u64) {
        let before = self.tap.lost();
        let lost = here + before - std::mem::replace(&mut self.lost_before, before);
        if lost == 0 {
            return;
        }
        for file in &self.following {
            file.give(Piece::Lost(lost));
        }
        self.lost += lost;
        let now = Instant::now();
        if self.lost_logged.is_none_or(|logged| now >= logged + LOSS_INTERVAL) {
            let lost = std::mem::take(&mut self.lost);
            tracing::warn!(
                "{lost} messages are not kept: they are larger than all that may be kept, a file is written too slowly, or \
                 the computer is too slow"
            );
            self.lost_logged = Some(now);
        }
    }

    fn look_into_inbox(&mut self) {
        match self.shared.take_requests(&mut self.requests) {
            GoesOn::Yes => self.tap.hub().flush_logged(),
            GoesOn::No => self.tap.close(),
        }
    }

    /// Begins the files that are asked for.
    fn carry_out(&mut self) {
        for request in std::mem::take(&mut self.requests) {
            let mut ring = lock(&self.shared.ring);
            let snapshot = ring.snapshot();
            ring.follow(true);
            let completed = ring.completed();
            drop(ring);
            self.pass_on(completed);
            let (pieces, receiver) = channel();
            let file =
                Following { until: request.at + self.shared.options.after, next: snapshot.next, pieces };
            for channel in snapshot.channels {
                file.give(Piece::Channel(channel));
            }
            for batch in snapshot.latched {
                file.give(Piece::Latched(batch));
            }
            for (block, at) in snapshot.blocks {
                file.give(Piece::Messages(block, at));
            }
            let Request { answer, place, .. } = request;
            Job { shared: self.shared.clone(), pieces: receiver, answer, place }.start();
            self.following.push(file);
        }
    }

    /// Completes the files of which this is true: nothing more follows.
    fn end_files(&mut self, is_over: impl Fn(&Following) -> bool) {
        if !self.following.iter().any(&is_over) {
            return;
        }
        let mut ring = lock(&self.shared.ring);
        ring.complete();
        let completed = ring.completed();
        ring.follow(!self.following.iter().all(&is_over));
        drop(ring);
        self.pass_on(completed);
        // who writes takes the end of the pieces for that of the file
        self.following.retain(|file| !is_over(file));
    }
}
