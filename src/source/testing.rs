//! A stream for tests: it yields what the test hands in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::{SourceError, Stop, Stream};
use crate::model::{Batch, Channel, ChannelId};

struct Fed {
    stop: Stop,
    batches: Receiver<Result<Batch, SourceError>>,
}

/// A stream, and where a test puts what it yields; it ends when that is dropped.
pub(crate) fn fed() -> (Sender<Result<Batch, SourceError>>, Box<dyn Stream>) {
    let (sender, batches) = channel();
    (sender, Box::new(Fed { stop: Stop::new().unwrap(), batches }))
}

/// A channel of JSON without a schema.
pub(crate) fn json_channel(id: u32, topic: &str) -> Arc<Channel> {
    Arc::new(Channel {
        id: ChannelId(id),
        topic: topic.into(),
        message_encoding: "json".into(),
        schema: None,
        metadata: BTreeMap::new(),
        latched: false,
    })
}

impl Stream for Fed {
    fn name(&self) -> &str {
        "fed"
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        while !self.stop.is_stopped() {
            match self.batches.recv_timeout(Duration::from_millis(5)) {
                Ok(next) => return next.map(Some),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(None)
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }
}
