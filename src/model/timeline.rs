//! When there are messages in a recording.

use super::ChannelId;
use crate::time::TimeRange;

/// How many messages a recording has in equal parts of its range.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// What is played, from the first to the last message; None for a recording without messages.
    pub range: Option<TimeRange>,
    /// One for each channel with messages, in the order of ids.
    pub topics: Vec<TopicTimeline>,
    /// Where no channel has a message for longer than a second and than a hundredth of the range, by time.
    pub gaps: Vec<TimeRange>,
    /// What can't be read, as far as it is known by now, by time.
    pub damaged: Vec<DamagedPart>,
}

/// The messages of one channel over time.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicTimeline {
    /// The channel.
    pub channel: ChannelId,
    /// Messages in each part. Fractions come from chunks that lie in several parts: their messages are taken to be spread
    /// evenly.
    pub counts: Vec<f32>,
    /// Some counts are estimated: the file does not tell how many messages each chunk has.
    pub estimated: bool,
}

/// A part of a recording that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedPart {
    /// Between the times of what can be read before and after it.
    pub range: TimeRange,
    /// What is wrong, with the file's name and the place in it.
    pub text: String,
}
