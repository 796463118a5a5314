//! The thread that keeps: it takes what is published, and hands what is asked for to threads that write.

use std::ops::Range;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::block::Block;
use super::ring::Ring;
use super::saving::{Job, Piece};
use super::{BlackBoxOptions, Keep, SAVES};
use crate::hub::capability::save::{Held, Save, Saved};
use crate::hub::queue::Feed;
use crate::hub::responder::Responder;
use crate::hub::{Next, Published, Tap, Wake, lock};
use crate::model::{Batch, Channel, ChannelId};

/// While messages come they are taken in one go now and then, until none has come for this long.
const STEADY: Duration = Duration::from_secs(1);

/// Messages that have no room are logged at most this often.
const LOSS_INTERVAL: Duration = Duration::from_secs(10);

/// What the thread that keeps and those who ask it have in common.
pub(super) struct Shared {
    pub(super) options: BlackBoxOptions,
    /// What the names of files begin with.
    pub(super) name: String,
    pub(super) ring: Mutex<Ring>,
    inbox: Mutex<Inbox>,
    /// Something is in the inbox, or a file is complete.
    changed: Condvar,
    wake: Wake,
}

#[derive(Default)]
struct Inbox {
    requests: Vec<Request>,
    /// Files that were asked for and are not complete.
    saving: usize,
    is_ending: bool,
}

/// A file that is asked for.
struct Request {
    at: Instant,
    answer: Responder<Result<Saved, String>>,
    place: Place,
}

/// One of the files that may be written at the same time.
pub(super) struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.0.inbox).saving -= 1;
        self.0.changed.notify_all();
    }
}

/// Asks the thread that keeps.
pub(super) struct Asker(pub(super) Arc<Shared>);

impl Save for Asker {
    fn save(&self, answer: Responder<Result<Saved, String>>) {
        let mut inbox = lock(&self.0.inbox);
        let refused = match inbox.saving {
            _ if inbox.is_ending => "nothing is kept any more: the program ends".to_owned(),
            SAVES => format!("{SAVES} files are being saved already; ask again when one of them is complete"),
            _ => {
                inbox.saving += 1;
                let place = Place(self.0.clone());
                inbox.requests.push(Request { at: Instant::now(), answer, place });
                drop(inbox);
                self.0.wake.wake();
                self.0.changed.notify_all();
                return;
            }
        };
        drop(inbox);
        tracing::warn!("nothing is saved: {refused}");
        answer.respond(Err(refused));
    }

    fn held(&self) -> Held {
        let mut ring = lock(&self.0.ring);
        ring.evict(Instant::now());
        let held = ring.held();
        drop(ring);
        Held { saving: lock(&self.0.inbox).saving, ..held }
    }
}

impl Shared {
    pub(super) fn new(options: BlackBoxOptions, name: String, wake: Wake) -> Self {
        let ring = Ring::new(options.window, options.bytes, Instant::now());
        Self { options, name, ring: Mutex::new(ring), inbox: Mutex::default(), changed: Condvar::new(), wake }
    }

    /// Takes no more requests, and has the files completed with what is there.
    pub(super) fn end(&self) {
        lock(&self.inbox).is_ending = true;
        self.wake.wake();
        self.changed.notify_all();
    }

    /// Waits until all files are complete, but no longer than this; how many are not.
    pub(super) fn all_saved(&self, limit: Duration) -> usize {
        let inbox = lock(&self.inbox);
        let waited = self.changed.wait_timeout_while(inbox, limit, |inbox| inbox.saving > 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.saving
    }
}

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
    lost: u64,
    lost_logged: Option<Instant>,
}

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>, tap: Tap, latched: Vec<(Arc<Batch>, Feed)>) -> Self {
        let (requests, following) = (Vec::new(), Vec::new());
        Self { shared, tap, latched, requests, following, lost: 0, lost_logged: None }
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
                    if !self.wait_for_requests() {
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

    fn lose(&mut self, lost: u64) {
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
                "{lost} messages are not kept: they are larger than all that may be kept, or a file is written too slowly"
            );
            self.lost_logged = Some(now);
        }
    }

    fn look_into_inbox(&mut self) {
        let mut inbox = lock(&self.shared.inbox);
        self.requests.append(&mut inbox.requests);
        let is_ending = inbox.is_ending;
        drop(inbox);
        if is_ending {
            self.tap.close();
        } else {
            self.tap.hub().flush_logged();
        }
    }

    /// Waits for requests where nothing is published any more. False at the end.
    fn wait_for_requests(&mut self) -> bool {
        let inbox = lock(&self.shared.inbox);
        let waits = |inbox: &mut Inbox| inbox.requests.is_empty() && !inbox.is_ending;
        let waited = self.shared.changed.wait_while(inbox, waits);
        let mut inbox = waited.unwrap_or_else(PoisonError::into_inner);
        self.requests.append(&mut inbox.requests);
        let goes_on = !(self.requests.is_empty() && inbox.is_ending);
        drop(inbox);
        self.tap.close();
        goes_on
    }

    /// Begins the files that are asked for.
    fn carry_out(&mut self) {
        for request in std::mem::take(&mut self.requests) {
            let mut ring = lock(&self.shared.ring);
            ring.evict(request.at);
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
