//! What one client says, and what it is answered. One method for each operation; the one place that turns errors
//! into a status.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::hub::{Client, Unsupported};
use crate::model::SubscriptionId;
use crate::protocol::{
    ClientMessage, DecodeError, PlaybackControlRequest, ServerMessage, Status, Subscription,
};

mod log;

/// The protocol with one client.
pub(super) struct Session {
    client: Arc<Client>,
}

impl Session {
    pub(super) fn new(client: Client) -> Self {
        Self { client: Arc::new(client) }
    }

    pub(super) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    pub(super) fn on_text(&self, text: &str) {
        self.on_decoded(ClientMessage::decode_text(text));
    }

    pub(super) fn on_binary(&self, bytes: Bytes) {
        self.on_decoded(ClientMessage::decode_binary(bytes));
    }

    /// A text of `length` bytes came, of which nothing was kept: more than `limit`.
    pub(super) fn on_long_text(&self, length: usize, limit: usize) {
        let text = format!(
            "a text message of {length} bytes is not carried out: this server takes {limit} bytes at most"
        );
        tracing::debug!("client {}: {text}", self.client.id());
        self.status(Status::error(text));
    }

    fn on_decoded(&self, decoded: Result<ClientMessage, DecodeError>) {
        match decoded {
            Ok(message) => self.on_message(message),
            Err(error) => {
                tracing::debug!("client {}: {error}", self.client.id());
                self.status(Status::error(error.to_string()));
            }
        }
    }

    fn on_message(&self, message: ClientMessage) {
        let client = &self.client;
        log::message(client, &message);
        let done = match message {
            ClientMessage::Subscribe(subscriptions) => {
                self.on_subscribe(&subscriptions);
                Ok(())
            }
            ClientMessage::Unsubscribe(ids) => {
                self.on_unsubscribe(&ids);
                Ok(())
            }
            ClientMessage::PlaybackControlRequest(request) => self.on_playback_control(request),
            ClientMessage::FetchAsset(request) => {
                client.fetch_asset(request);
                Ok(())
            }
            ClientMessage::ServiceCallRequest(call) => {
                client.call_service(call);
                Ok(())
            }
            ClientMessage::Advertise(channels) => client.advertise(&channels),
            ClientMessage::Unadvertise(ids) => client.unadvertise(&ids),
            ClientMessage::MessageData(message) => client.publish(message),
            ClientMessage::GetParameters(request) => client.get_parameters(request),
            ClientMessage::SetParameters(request) => client.set_parameters(request),
            ClientMessage::SubscribeParameterUpdates(names) => client.follow_parameters(names),
            ClientMessage::UnsubscribeParameterUpdates(names) => client.unfollow_parameters(&names),
            ClientMessage::SubscribeConnectionGraph => client.follow_graph(),
            ClientMessage::UnsubscribeConnectionGraph => client.unfollow_graph(),
        };
        if let Err(Unsupported(capability)) = done {
            self.status(Status::error(format!("this server does not have the capability {capability}")));
        }
    }

    fn on_subscribe(&self, subscriptions: &[Subscription]) {
        for refused in self.client.subscribe(subscriptions, Instant::now()) {
            self.status(refused);
        }
    }

    fn on_unsubscribe(&self, ids: &[SubscriptionId]) {
        for refused in self.client.unsubscribe(ids) {
            self.status(refused);
        }
    }

    fn on_playback_control(&self, request: PlaybackControlRequest) -> Result<(), Unsupported> {
        let PlaybackControlRequest { request_id, speed, .. } = &request;
        let longest = self.client.limits().request_id;
        if request_id.len() > longest {
            self.status(Status::error(format!(
                "a playback control request is not carried out: its id has {} bytes, {longest} are allowed",
                request_id.len()
            )));
            return Ok(());
        }
        if speed.is_finite() && *speed > 0.0 {
            return self.client.control(request);
        }
        self.status(Status::error(format!(
            "playback control request {request_id:?}: speed {speed} is not a positive number"
        )));
        self.client.refuse_control(request)
    }

    fn status(&self, status: Status) {
        self.client.send(&ServerMessage::Status(status));
    }
}

#[cfg(test)]
mod tests;
