//! Which channels are subscribed to.

use crate::model::{Channel, ChannelId};
use crate::pattern::{TopicFilter, TopicPattern};

/// Chooses channels, those that are there and those that come later.
///
/// ```
/// use foxglove_bridge::client::Topics;
/// use foxglove_bridge::pattern::TopicPattern;
///
/// let one = Topics::from("/imu");
/// let cameras = Topics::from("/camera/**".parse::<TopicPattern>()?);
/// let both = Topics::Any(vec![one, cameras]);
/// # Ok::<(), foxglove_bridge::pattern::PatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Topics {
    /// Every channel.
    All,
    /// The channel of this id. In a later session of the server the id means another channel: from then on the topic is
    /// subscribed to that the channel had.
    Channel(ChannelId),
    /// The channels of exactly this topic.
    Topic(String),
    /// The channels whose topics match.
    Matching(TopicPattern),
    /// The channels whose topics take part.
    Filtered(TopicFilter),
    /// What any of these chooses.
    Any(Vec<Topics>),
}

impl Topics {
    pub(super) fn choose(&self, channel: &Channel) -> bool {
        match self {
            Self::All => true,
            Self::Channel(id) => channel.id == *id,
            Self::Topic(topic) => channel.topic == *topic,
            Self::Matching(pattern) => pattern.matches(&channel.topic),
            Self::Filtered(filter) => filter.allows(&channel.topic),
            Self::Any(topics) => topics.iter().any(|topics| topics.choose(channel)),
        }
    }

    /// A new session begins: ids become the topics that their channels had; one whose channel never came chooses nothing.
    pub(super) fn forget_ids(&mut self, topic_of: &impl Fn(ChannelId) -> Option<String>) {
        match self {
            Self::Channel(id) => *self = topic_of(*id).map_or(Self::Any(Vec::new()), Self::Topic),
            Self::Any(topics) => topics.iter_mut().for_each(|topics| topics.forget_ids(topic_of)),
            Self::All | Self::Topic(_) | Self::Matching(_) | Self::Filtered(_) => {}
        }
    }

    /// Whether it names a channel by this id.
    pub(super) fn names(&self, id: ChannelId) -> bool {
        match self {
            Self::Channel(own) => *own == id,
            Self::Any(topics) => topics.iter().any(|topics| topics.names(id)),
            Self::All | Self::Topic(_) | Self::Matching(_) | Self::Filtered(_) => false,
        }
    }
}

impl From<&str> for Topics {
    fn from(topic: &str) -> Self {
        Self::Topic(topic.to_owned())
    }
}

impl From<String> for Topics {
    fn from(topic: String) -> Self {
        Self::Topic(topic)
    }
}

impl From<ChannelId> for Topics {
    fn from(id: ChannelId) -> Self {
        Self::Channel(id)
    }
}

impl From<TopicFilter> for Topics {
    fn from(filter: TopicFilter) -> Self {
        Self::Filtered(filter)
    }
}

impl From<TopicPattern> for Topics {
    fn from(pattern: TopicPattern) -> Self {
        Self::Matching(pattern)
    }
}
