//! One client's task: reads what it says, writes what its queue holds.

use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::frames::FrameWriter;
use super::reading::{Incoming, MAX_REPLIES, MessageReader, Replies, take_replies, waiting_replies};
use super::session::Session;
use crate::hub::outbox::{Closing, ControlKind, Encoded, Item, Part};
use crate::hub::subscriptions::Subscriptions;
use crate::protocol::{message_data_header, time_frame};
use crate::time::Timestamp;

/// Bytes encoded before they are written: large enough for few system calls, small enough that a jump takes effect
/// at once.
const WRITE_AHEAD: usize = 256 << 10;

/// A ping goes out this often.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// A client that has read a ping and says nothing for this long is gone. (One that reads nothing is only slow.)
const DEAD_AFTER: Duration = Duration::from_secs(45);

/// The close handshake may take this long …
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// … and this long where what is queued before it must arrive.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The client closed the connection.
    ClientLeft,
    /// The connection broke.
    Lost,
    /// The client did not answer pings.
    Unresponsive,
    /// We closed; `drain`: what was queued before is to arrive.
    Closed { code: u16, reason: String, drain: bool },
}

/// Serves one client over the halves of its connection until it ends.
pub(super) async fn run<R, W>(read: R, write: W, already_read: Vec<u8>, session: Session) -> (End, Session)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (reader, replies) = MessageReader::new(read, already_read).await;
    let outgoing = Outgoing::new(session.client().time_resolution());
    let mut socket = Socket { reader, write, replies, writer: FrameWriter::default(), outgoing, session };
    let end = socket.serve().await;
    if let End::Closed { code, reason, drain } = &end {
        socket.close(*code, reason, *drain).await;
    }
    (end, socket.session)
}

struct Socket<R, W> {
    reader: MessageReader<R>,
    write: W,
    replies: Replies,
    writer: FrameWriter,
    outgoing: Outgoing,
    session: Session,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Socket<R, W> {
    async fn serve(&mut self) -> End {
        let mut pings = interval(PING_INTERVAL);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        let mut liveness = Liveness::default();
        loop {
            if let Some(Closing { code, reason, drain }) = self.fill() {
                return End::Closed { code, reason: reason.to_owned(), drain };
            }
            if self.writer.is_empty() {
                liveness.all_written();
            }
            let room_for_replies = waiting_replies(&self.replies) < MAX_REPLIES;
            tokio::select! {
                incoming = self.reader.next(), if room_for_replies => match incoming {
                    Incoming::Message(message) => {
                        liveness.heard();
                        match message {
                            Message::Text(text) => self.session.on_text(&text),
                            Message::Binary(bytes) => self.session.on_binary(bytes),
                            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
                        }
                    }
                    Incoming::Closed => {
                        self.writer.raw(&take_replies(&self.replies));
                        self.finish_writing(CLOSE_TIMEOUT).await;
                        return End::ClientLeft;
                    }
                    Incoming::Lost => return End::Lost,
                    Incoming::Violation(code, reason) => return End::Closed { code, reason, drain: false },
                },
                written = self.writer.write_to(&mut self.write), if !self.writer.is_empty() => {
                    if written.is_err() {
                        return End::Lost;
                    }
                }
                () = self.session.client().wake(), if self.writer.is_empty() => {}
                _ = pings.tick() => {
                    if liveness.is_dead() {
                        return End::Unresponsive;
                    }
                    self.writer.ping();
                    liveness.pinged();
                }
            }
        }
    }

    /// Encodes what is queued, up to [`WRITE_AHEAD`]. Returns how the connection is to be closed, if it is.
    fn fill(&mut self) -> Option<Closing> {
        if self.writer.len() < WRITE_AHEAD {
            self.writer.raw(&take_replies(&self.replies));
        }
        while self.writer.len() < WRITE_AHEAD {
            let taken = self.session.client().take(self.outgoing.in_hand.is_none(), Instant::now());
            self.outgoing.on_purges(taken.purges);
            let quiet = taken.control.is_empty() && taken.item.is_none();
            for control in taken.control {
                self.outgoing.control(control.kind, control.frame, &mut self.writer);
            }
            if taken.closing.is_some() {
                return taken.closing;
            }
            match taken.item {
                Some(Item::Messages(part)) => self.outgoing.in_hand = Some(part),
                Some(Item::Time(time)) => self.outgoing.time(time, &mut self.writer),
                None if quiet && self.outgoing.in_hand.is_none() => break,
                None => {}
            }
            let (messages, bytes) = self.outgoing.messages(&taken.subscriptions, &mut self.writer);
            if messages > 0 {
                self.session.client().count(messages, bytes);
            }
        }
        None
    }

    async fn close(&mut self, code: u16, reason: &str, drain: bool) {
        self.writer.close(code, reason);
        let patience = if drain { DRAIN_TIMEOUT } else { CLOSE_TIMEOUT };
        if self.finish_writing(patience).await {
            // wait for the client's side of the close, so that the system does not reset what it has not read yet
            let answered = async {
                while !matches!(
                    self.reader.next().await,
                    Incoming::Closed | Incoming::Lost | Incoming::Violation(..)
                ) {}
            };
            if timeout(CLOSE_TIMEOUT, answered).await.is_err() {
                tracing::debug!("client {} did not answer the close", self.session.client().id());
            }
        }
    }

    /// Writes what has been encoded; false if that fails or takes too long.
    async fn finish_writing(&mut self, patience: Duration) -> bool {
        let finish = async {
            while !self.writer.is_empty() {
                self.writer.write_to(&mut self.write).await?;
            }
            self.write.flush().await
        };
        matches!(timeout(patience, finish).await, Ok(Ok(())))
    }
}

/// Whether a client is still there, by what it answered to pings that reached it.
#[derive(Debug)]
struct Liveness {
    heard: Instant,
    /// A ping is encoded but may still wait for the socket.
    ping_waits: bool,
    /// A ping has been written.
    ping_written: Option<Instant>,
}

impl Default for Liveness {
    fn default() -> Self {
        Self { heard: Instant::now(), ping_waits: false, ping_written: None }
    }
}

impl Liveness {
    fn heard(&mut self) {
        self.heard = Instant::now();
        self.ping_written = None;
    }

    fn pinged(&mut self) {
        self.ping_waits = true;
    }

    fn all_written(&mut self) {
        if std::mem::take(&mut self.ping_waits) {
            self.ping_written.get_or_insert_with(Instant::now);
        }
    }

    fn is_dead(&self) -> bool {
        self.ping_written.is_some_and(|written| written.elapsed() >= DEAD_AFTER)
            && self.heard.elapsed() >= DEAD_AFTER
    }
}

/// Turns queue items into frames, with the `time` that belongs before them.
struct Outgoing {
    in_hand: Option<Part>,
    purges: u64,
    last_time: Option<Timestamp>,
    resolution: u64,
}

impl Outgoing {
    fn new(resolution: Duration) -> Self {
        let resolution = u64::try_from(resolution.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self { in_hand: None, purges: 0, last_time: None, resolution }
    }

    /// Drops the rest of a part from before a jump.
    fn on_purges(&mut self, purges: u64) {
        if self.purges != purges {
            self.purges = purges;
            self.in_hand = None;
        }
    }

    fn control(&mut self, kind: ControlKind, frame: Encoded, writer: &mut FrameWriter) {
        if let ControlKind::Time(time) = kind {
            self.last_time = Some(time);
        }
        match frame {
            Encoded::Text(text) => writer.text(text),
            Encoded::Binary(bytes) => writer.binary(bytes),
        }
    }

    /// A `time` that belongs to no message; never one that goes back.
    fn time(&mut self, time: Timestamp, writer: &mut FrameWriter) {
        if self.last_time.is_none_or(|last| last < time) {
            self.last_time = Some(time);
            writer.binary(time_frame(time).to_vec().into());
        }
    }

    /// Encodes messages of the part in hand until it is done or enough is encoded. Returns how many, and their bytes.
    fn messages(&mut self, subscriptions: &Subscriptions, writer: &mut FrameWriter) -> (u64, u64) {
        let Some(part) = &mut self.in_hand else { return (0, 0) };
        let (mut messages, mut bytes) = (0, 0);
        while part.range.start < part.range.end && writer.len() < WRITE_AHEAD {
            let entry = &part.batch.entries[part.range.start];
            part.range.start += 1;
            let Some(subscription) = subscriptions.wanted(entry.channel, part.number) else { continue };
            if part.timed {
                let bucket = |time: Timestamp| time.0 / self.resolution;
                let new = self
                    .last_time
                    .is_none_or(|last| last < entry.log_time && bucket(last) != bucket(entry.log_time));
                if new {
                    self.last_time = Some(entry.log_time);
                    let time = time_frame(entry.log_time);
                    writer.message(&time, &[], bytes::Bytes::new);
                }
            }
            let header = message_data_header(subscription, entry.log_time);
            writer.message(&header, part.batch.payload(entry), || part.batch.payload_bytes(entry));
            messages += 1;
            bytes += u64::from(entry.length);
        }
        if part.range.is_empty() {
            self.in_hand = None;
        }
        (messages, bytes)
    }
}
