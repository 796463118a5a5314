//! What all handles of a client share: the way to the task that owns the connection.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::error::{Ended, RequestError};
use super::options::OUTGOING;
use super::owner::{Command, Shown};
use super::state::{State, TakerId};
use crate::protocol::{Capability, ClientChannelId, ClientMessageData, ServerInfo};

/// What a request or a message takes beside its bytes while it waits to be sent.
const PER_REQUEST: usize = 256;

/// The task ends when the last of those that hold it is dropped.
pub(super) struct Link {
    commands: mpsc::UnboundedSender<Command>,
    shown: Arc<Shown>,
    ended: watch::Receiver<Option<Ended>>,
    /// Bytes that may wait to be sent.
    outgoing: Arc<Semaphore>,
    next_taker: AtomicU64,
    next_channel: AtomicU32,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("ended", &*self.ended.borrow()).finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(
        commands: mpsc::UnboundedSender<Command>,
        shown: Arc<Shown>,
        ended: watch::Receiver<Option<Ended>>,
    ) -> Self {
        Self {
            commands,
            shown,
            ended,
            outgoing: Arc::new(Semaphore::new(OUTGOING)),
            next_taker: AtomicU64::new(0),
            next_channel: AtomicU32::new(1),
        }
    }

    pub(super) fn next_taker(&self) -> TakerId {
        TakerId(self.next_taker.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn next_channel(&self) -> ClientChannelId {
        ClientChannelId(self.next_channel.fetch_add(1, Ordering::Relaxed))
    }

    /// Waits until the client has ended for good, without keeping the connection open.
    pub(super) fn end(&self) -> impl Future<Output = Ended> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            match ended.wait_for(Option::is_some).await {
                Ok(ended) => ended.clone().unwrap_or(Ended::Closed),
                Err(_) => Ended::Closed,
            }
        }
    }

    /// Has the task send what waits, and waits until it has closed the connection.
    pub(super) async fn close(&self) {
        self.shown.is_closing.store(true, Ordering::Relaxed);
        let (done, closed) = oneshot::channel();
        self.command(Command::Close(done));
        // either way it is closed: the other end goes with the task
        closed.await.unwrap_or_default();
    }

    /// Hands a command to the task; false: there is none any more.
    pub(super) fn command(&self, command: Command) -> bool {
        self.commands.send(command).is_ok()
    }

    /// Room for what is to be sent; waits for it.
    pub(super) async fn permit(&self, bytes: usize) -> Result<OwnedSemaphorePermit, RequestError> {
        let needed = bytes.saturating_add(PER_REQUEST);
        let needed = u32::try_from(needed).ok().filter(|_| needed <= OUTGOING);
        let needed = needed.ok_or(RequestError::TooLarge(bytes))?;
        self.outgoing.clone().acquire_many_owned(needed).await.map_err(|_closed| RequestError::Closed)
    }

    /// What the server is; None without a connection.
    pub(super) async fn server_info(&self) -> Option<Arc<ServerInfo>> {
        self.look(|state| state.info().cloned()).await.flatten()
    }

    pub(super) async fn publish(&self, id: ClientChannelId, payload: Bytes) -> Result<(), RequestError> {
        let permit = self.permit(payload.len()).await?;
        if !self.shown.can_publish.load(Ordering::Relaxed) {
            return Err(match self.server_info().await {
                Some(_) => RequestError::Unsupported(Capability::ClientPublish),
                None => RequestError::NotConnected,
            });
        }
        let data = ClientMessageData { channel_id: id, payload };
        if self.command(Command::Publish(data, permit)) { Ok(()) } else { Err(RequestError::Closed) }
    }

    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, seen) = oneshot::channel();
        // nobody may wait for it any more
        self.command(Command::Look(Box::new(move |state| drop(sender.send(look(state))))));
        seen.await.ok()
    }
}
