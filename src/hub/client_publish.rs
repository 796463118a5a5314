//! What a client publishes: its channels, and the messages on them.

use super::requests::{Unsupported, call};
use super::{Client, lock};
use crate::protocol::{Capability, ClientChannel, ClientChannelId, ClientMessageData, Status};

const PUBLISH: &str = "what clients publish";

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
            for id in ids {
                call(PUBLISH, || publish.unadvertise(self.id, id));
            }
        }
    }
}
