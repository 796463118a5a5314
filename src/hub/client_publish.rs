//! What a client publishes: its channels, and the messages on them.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::guard::call;
use super::order::By;
use super::outbox::{ControlKind, Slice};
use super::requests::Unsupported;
use super::{Client, ClientId, Hub, Member, Shared, SlowClient, lock};
use crate::model::{Batch, ChannelId, Entry, Schema};
use crate::protocol::{Capability, ClientChannel, ClientChannelId, ClientMessageData, ServerMessage, Status};
use crate::time::Timestamp;

const PUBLISH: &str = "what clients publish";

/// [`Entry::origin`] of what clients publish. All clients are one publisher: a viewer that connects again is another client,
/// and what it latched before must not count beside what it publishes now.
const CLIENTS: u32 = u32::MAX;

impl Client {
    /// Begins to publish on channels; what is refused gets a status.
    pub(crate) fn advertise(&self, channels: &[ClientChannel]) -> Result<(), Unsupported> {
        let publish = self.provider(Capability::ClientPublish, |slots| slots.publish.as_ref())?;
        let limit = self.limits().channels;
        for channel in channels {
            let (id, topic) = (channel.id.0, &channel.topic);
            if self.refuses(format_args!("advertise: channel {id} ({topic})")) {
                continue;
            }
            let mut publishes = lock(&self.publishes);
            let refused = if publishes.contains(&channel.id) {
                Err("the id is in use".to_owned())
            } else if publishes.len() >= limit {
                Err(format!("a client may publish on {limit} channels at once"))
            } else {
                let advertised = call(PUBLISH, || publish.advertise(self.id, channel));
                advertised.unwrap_or_else(|| Err("the server has a fault".to_owned()))
            };
            match refused {
                Ok(()) => drop(publishes.insert(channel.id)),
                Err(reason) => {
                    drop(publishes);
                    self.status(Status::error(format!("advertise: channel {id} ({topic}): {reason}")));
                }
            }
        }
        Ok(())
    }

    /// Ends channels that the client publishes on.
    pub(crate) fn unadvertise(&self, ids: &[ClientChannelId]) -> Result<(), Unsupported> {
        let publish = self.provider(Capability::ClientPublish, |slots| slots.publish.as_ref())?;
        for id in ids {
            if self.refuses(format_args!("unadvertise: channel {}", id.0)) {
                continue;
            }
            if lock(&self.publishes).remove(id) {
                call(PUBLISH, || publish.unadvertise(self.id, *id));
            } else {
                self.status(Status::warning(format!("unadvertise: this client has no channel {}", id.0)));
            }
        }
        Ok(())
    }

    /// Takes a message that the client publishes.
    pub(crate) fn publish(&self, message: ClientMessageData) -> Result<(), Unsupported> {
        let publish = self.provider(Capability::ClientPublish, |slots| slots.publish.as_ref())?;
        let ClientMessageData { channel_id, payload } = message;
        if self.refuses(format_args!("message on channel {}", channel_id.0)) {
            return Ok(());
        }
        if lock(&self.publishes).contains(&channel_id) {
            call(PUBLISH, || publish.message(self.id, channel_id, payload));
        } else {
            self.status(Status::error(format!("message: this client has no channel {}", channel_id.0)));
        }
        Ok(())
    }

    /// The client leaves: its channels end.
    pub(super) fn end_publishing(&self) {
        let ids = std::mem::take(&mut *lock(&self.publishes));
        if let Ok(publish) = self.provider(Capability::ClientPublish, |slots| slots.publish.as_ref()) {
            let ids: Vec<ClientChannelId> = ids.into_iter().collect();
            if !ids.is_empty() {
                call(PUBLISH, || publish.left(self.id, &ids));
            }
        }
    }
}

/// What a hub knows under the name of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    /// Messages of the encoding have this schema.
    As(Arc<Schema>),
    /// Messages of another encoding have one of that name.
    Otherwise,
    /// No channel has one of that name.
    Not,
}

impl Hub {
    /// Publishes a message of a client to all others, and to taps. Returns its log time; None if the channel is not known.
    ///
    /// `wall`: the time of this computer's clock; which time the message gets is said in `client_time.rs`.
    pub(crate) fn publish_of_client(
        &self,
        client: ClientId,
        channel: ChannelId,
        payload: Bytes,
        wall: Timestamp,
        now: Instant,
    ) -> Option<Timestamp> {
        let length = u32::try_from(payload.len()).ok()?;
        let mut state = lock(&self.0.state);
        if !state.channels.is_known(channel) {
            return None;
        }
        let time = state.time_for_client(wall, now);
        let entry = Entry { length, origin: CLIENTS, ..Entry::at(channel, time) };
        let batch = Arc::new(Batch { buffers: vec![payload], entries: vec![entry], ..Batch::default() });
        let policy = match state.playback_policy {
            SlowClient::Wait => SlowClient::Wait,
            SlowClient::Drop => self.on_slow_client(),
        };
        let woken = state.publish(&self.0, &batch, 0..1, By::Client(client), policy, now);
        drop(state);
        woken.send();
        Some(time)
    }

    /// The schema by which channels of an encoding are known under this name: that of `topic`, or else of any.
    pub(crate) fn schema_named(&self, name: &str, encoding: &str, topic: &str) -> Known {
        let state = lock(&self.0.state);
        let mut known = Known::Not;
        for channel in state.channels.known() {
            let Some(schema) = channel.schema.as_ref().filter(|schema| schema.name == name) else { continue };
            match known {
                _ if channel.message_encoding == encoding && channel.topic == topic => {
                    return Known::As(schema.clone());
                }
                Known::As(_) => {}
                Known::Not | Known::Otherwise if channel.message_encoding == encoding => {
                    known = Known::As(schema.clone());
                }
                Known::Not | Known::Otherwise => known = Known::Otherwise,
            }
        }
        known
    }

    /// Sends a status to one client, if it is still there.
    pub(crate) fn status_to(&self, client: ClientId, status: Status) {
        let frame = ServerMessage::Status(status).encode().into();
        if let Some(member) = lock(&self.0.state).members.get(&client) {
            member.queue.control(ControlKind::Other, frame);
        }
    }
}

impl Member {
    /// Whether a message of another client is queued. Where nothing may be dropped, who publishes waits for room; a client
    /// can't be made to wait, so that its message is left out and counted.
    pub(super) fn takes_from_client(&self, policy: SlowClient, shared: &Shared, slice: &Slice<'_>) -> bool {
        if policy == SlowClient::Drop {
            return true;
        }
        let outbox = lock(&self.queue.outbox);
        let has_room = outbox.has_room(usize::MAX);
        if !has_room && outbox.subscriptions().channels().intersects(slice.channels) {
            shared.count_dropped(slice.range.len() as u64);
        }
        has_room
    }
}
