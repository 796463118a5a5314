//! What the tests share.

use std::collections::BTreeMap;
use std::sync::Arc;

use foxglove_bridge::model::{Channel, ChannelId};

pub(super) fn channel(topic: &str) -> Arc<Channel> {
    Arc::new(Channel {
        id: ChannelId(1),
        topic: topic.to_owned(),
        message_encoding: "json".to_owned(),
        schema: None,
        metadata: BTreeMap::new(),
        latched: false,
    })
}
