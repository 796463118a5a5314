//! What one client says, and what it is answered. One method for each operation; the one place that turns errors
//! into a status.

use std::time::Instant;

use bytes::Bytes;

use crate::hub::Client;
use crate::model::SubscriptionId;
use crate::protocol::{
    Capability, ClientMessage, DecodeError, FetchAssetResponse, PlaybackControlRequest, ServerMessage,
    ServiceCallFailure, Status, Subscription,
};

/// The protocol with one client.
pub(super) struct Session {
    client: Client,
}

impl Session {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn on_text(&self, text: &str) {
        self.on_decoded(ClientMessage::decode_text(text));
    }

    pub(super) fn on_binary(&self, bytes: Bytes) {
        self.on_decoded(ClientMessage::decode_binary(bytes));
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
        let missing = message.required_capability();
        match message {
            ClientMessage::Subscribe(subscriptions) => self.on_subscribe(&subscriptions),
            ClientMessage::Unsubscribe(ids) => self.on_unsubscribe(&ids),
            ClientMessage::PlaybackControlRequest(request) => self.on_playback_control(request),
            ClientMessage::FetchAsset(fetch) => {
                self.client.send(&ServerMessage::FetchAssetResponse(FetchAssetResponse {
                    request_id: fetch.request_id,
                    result: Err("this server has no assets".into()),
                }));
            }
            ClientMessage::ServiceCallRequest(call) => {
                self.client.send(&ServerMessage::ServiceCallFailure(ServiceCallFailure {
                    service_id: call.service_id,
                    call_id: call.call_id,
                    message: "this server has no services".into(),
                }));
            }
            ClientMessage::Advertise(_)
            | ClientMessage::Unadvertise(_)
            | ClientMessage::MessageData(_)
            | ClientMessage::GetParameters(_)
            | ClientMessage::SetParameters(_)
            | ClientMessage::SubscribeParameterUpdates(_)
            | ClientMessage::UnsubscribeParameterUpdates(_)
            | ClientMessage::SubscribeConnectionGraph
            | ClientMessage::UnsubscribeConnectionGraph => {
                if let Some(capability) = missing {
                    self.not_supported(&capability);
                }
            }
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

    fn on_playback_control(&self, request: PlaybackControlRequest) {
        if !(request.speed.is_finite() && request.speed > 0.0) {
            self.status(Status::error(format!(
                "playback control request {:?}: speed {} is not a positive number",
                request.request_id, request.speed
            )));
        } else if self.client.control(request).is_none() {
            self.not_supported(&Capability::PlaybackControl);
        }
    }

    fn not_supported(&self, capability: &Capability) {
        self.status(Status::error(format!("this server does not have the capability {capability}")));
    }

    fn status(&self, status: Status) {
        self.client.send(&ServerMessage::Status(status));
    }
}
