//! What a playback does to the world, and the little that it asks of it.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::hub::{ClientId, Direction, SlowClient};
use crate::model::{Batch, Channel, ChannelId};
use crate::protocol::PlaybackState;
use crate::source::SourceError;
use crate::time::Timestamp;

/// The other side of a [`super::machine::Machine`]: clients, the reader, and the wall's clock.
pub(super) trait Stage {
    /// Offers channels; one on the topic of another takes its place.
    fn announce(&mut self, channels: &[Arc<Channel>]);
    /// Takes channels back, after the messages that were published before.
    fn retire(&mut self, channels: &[ChannelId]);
    /// Publishes a part of a batch.
    fn publish(&mut self, batch: &Arc<Batch>, range: Range<usize>, policy: SlowClient, now: Instant);
    /// What is published next was due so long ago.
    fn late(&mut self, late: Duration);
    /// Publishes the state before a time to one client, or to all.
    fn backfill(&mut self, batch: Batch, to: Option<ClientId>, now: Instant);
    /// What was published before and not sent is void; time goes on at `time`.
    fn seek(&mut self, state: PlaybackState, time: Timestamp, direction: Direction);
    /// The next lap begins, after the messages that were published before.
    fn lap(&mut self, state: PlaybackState, policy: SlowClient, now: Instant);
    /// The time of a stream went back to this, after the messages that were published before.
    fn restart(&mut self, time: Timestamp, policy: SlowClient, now: Instant);
    /// What playback is doing has changed.
    fn changed(&mut self, state: PlaybackState);
    /// Time went on without a message.
    fn tick(&mut self, time: Timestamp);
    /// Something that every client should know, from now on.
    fn notice(&mut self, text: &str);
    /// Something that every client should know until it is cleared.
    fn condition(&mut self, id: &'static str, text: &str);
    /// The condition of this id does not hold any more.
    fn clear(&mut self, id: &'static str);

    /// Whether clients that are waited for take more; if not, the machine is to be advanced when they do.
    fn has_room(&mut self, lead: usize) -> bool;
    /// Whether a lap is a new session for some client, with a silence before it.
    fn laps_are_sessions(&self) -> bool;
    /// Clients with a subscription.
    fn subscribers(&self) -> usize;
    /// Channels whose state is asked for at a seek.
    fn wanted_channels(&self) -> Vec<ChannelId>;
    /// What happens to slow clients at a finite rate.
    fn on_slow_client(&self) -> SlowClient;
    /// The time of this computer's clock, ns since 1970.
    fn wall_clock(&self) -> Timestamp;

    /// Asks for one batch.
    fn read_next(&mut self, epoch: u64);
    /// Makes the reader go on at `to`, and asks for the state of channels before that.
    fn read_seek(&mut self, to: Timestamp, epoch: u64, channels: Vec<ChannelId>);
    /// Asks for the state of channels before a time, for one client.
    fn read_backfill(&mut self, before: Timestamp, epoch: u64, channels: Vec<ChannelId>, client: ClientId);

    /// Everything has been published, or a stream can't be read any further.
    fn finished(&mut self, outcome: Result<(), SourceError>);
}
