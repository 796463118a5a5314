//! The capability `playbackControl`: who provides it, and what every client is told of it.

use crate::model::ChannelId;
use crate::protocol::PlaybackControlRequest;

use super::ClientId;

/// Plays; given to the hub so that sessions reach it.
///
/// Every call returns at once: the answer to a request is the playback state that the provider publishes with the
/// request's id.
pub(crate) trait PlaybackProvider: Send + Sync {
    /// A client asks for a seek, a speed, play or pause.
    fn control(&self, client: ClientId, request: PlaybackControlRequest);

    /// A client has subscribed; the hub had no message to give it for these channels.
    fn subscribed(&self, client: ClientId, without_state: Vec<ChannelId>);

    /// A queue that [`super::Hub::has_room`] or [`super::Hub::is_drained`] found too full has become emptier.
    fn room(&self);
}
