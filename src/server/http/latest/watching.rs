//! Ends watches of topics when their time is over. A task does it, while there are any.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::time::sleep_until;

use crate::hub::{Hub, Message, lock};
use crate::model::ChannelId;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Watching {
    has_task: Arc<Mutex<bool>>,
}

impl Watching {
    /// Watches a channel for a while. Returns the last message that is known.
    pub(super) fn watch(&self, hub: &Hub, channel: ChannelId) -> Option<Message> {
        let mut has_task = lock(&self.has_task);
        let message = hub.watch(channel, Instant::now());
        if !std::mem::replace(&mut *has_task, true) {
            tokio::spawn(end_in_time(hub.clone(), self.has_task.clone()));
        }
        message
    }
}

async fn end_in_time(hub: Hub, has_task: Arc<Mutex<bool>>) {
    loop {
        let next = {
            let mut has_task = lock(&has_task);
            let next = hub.end_watches(Instant::now());
            *has_task = next.is_some();
            next
        };
        let Some(next) = next else { return };
        sleep_until(next.into()).await;
    }
}
