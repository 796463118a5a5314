//! What a client does, as the log says it.

use std::fmt::Display;

use crate::hub::Client;
use crate::printable::{SHORT, printable};
use crate::protocol::{ClientMessage, PlaybackCommand, PlaybackControlRequest, ServiceId, Subscription};

/// Logs what a client says.
pub(super) fn message(client: &Client, message: &ClientMessage) {
    let id = client.id();
    if let ClientMessage::MessageData(message) = message {
        let (channel, bytes) = (message.channel_id.0, message.payload.len());
        tracing::trace!("client {id} publishes {bytes} bytes on its channel {channel}");
    } else if tracing::enabled!(tracing::Level::DEBUG) {
        let topic = |subscription: &Subscription| {
            let channel = client.channel(subscription.channel_id);
            channel.map_or_else(|| "nothing that is offered".to_owned(), |channel| channel.topic.clone())
        };
        let service = |id: ServiceId| {
            client.service_name(id).unwrap_or_else(|| format!("{}, which is not offered", id.0))
        };
        tracing::debug!("client {id} {}", printable(&told(message, topic, service), 2 * SHORT));
    }
}

/// What a client does. `topic` knows what a subscription is of, `service` what a service is called.
fn told(
    message: &ClientMessage,
    topic: impl Fn(&Subscription) -> String,
    service: impl Fn(ServiceId) -> String,
) -> String {
    match message {
        ClientMessage::Subscribe(subscriptions) => {
            let of = subscriptions.iter().map(|one| format!("{} ({})", topic(one), one.id.0));
            format!("subscribes to {}", listed(of))
        }
        ClientMessage::Unsubscribe(ids) => {
            format!("ends its subscriptions: {}", listed(ids.iter().map(|id| id.0)))
        }
        ClientMessage::Advertise(channels) => {
            let of = channels.iter().map(|channel| format!("{} ({})", channel.topic, channel.id.0));
            format!("offers channels: {}", listed(of))
        }
        ClientMessage::Unadvertise(ids) => {
            format!("ends its channels: {}", listed(ids.iter().map(|id| id.0)))
        }
        ClientMessage::MessageData(message) => format!("publishes on its channel {}", message.channel_id.0),
        ClientMessage::GetParameters(request) => {
            format!("asks for parameters: {}", or_all(&request.parameter_names))
        }
        ClientMessage::SetParameters(request) => {
            format!("sets parameters: {}", listed(request.parameters.iter().map(|one| &one.name)))
        }
        ClientMessage::SubscribeParameterUpdates(names) => format!("follows parameters: {}", or_all(names)),
        ClientMessage::UnsubscribeParameterUpdates(names) => {
            format!("follows parameters no longer: {}", or_all(names))
        }
        ClientMessage::SubscribeConnectionGraph => "follows the connection graph".to_owned(),
        ClientMessage::UnsubscribeConnectionGraph => "follows the connection graph no longer".to_owned(),
        ClientMessage::FetchAsset(request) => format!("fetches {}", request.uri),
        ClientMessage::ServiceCallRequest(call) => format!("calls the service {}", service(call.service_id)),
        ClientMessage::PlaybackControlRequest(request) => playback(request),
    }
}

fn playback(request: &PlaybackControlRequest) -> String {
    let command = match request.command {
        PlaybackCommand::Play => "play",
        PlaybackCommand::Pause => "pause",
    };
    let seek = request.seek.map(|time| format!(", after a seek to {time}")).unwrap_or_default();
    format!("asks to {command} at speed {}{seek} ({})", request.speed, request.request_id)
}

fn listed(items: impl Iterator<Item = impl Display>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// No name means all.
fn or_all(names: &[String]) -> String {
    if names.is_empty() { "all".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChannelId, SubscriptionId};
    use crate::protocol::{CallId, GetParameters, ServiceCallRequest};
    use crate::time::Timestamp;

    #[test]
    fn what_a_client_does_is_told_in_words() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let subscription = Subscription { id: SubscriptionId(4), channel_id: ChannelId(1) };
        let get = GetParameters { parameter_names: names(&["a", "b"]), id: None };
        let call = ServiceCallRequest {
            service_id: ServiceId(1),
            call_id: CallId(2),
            encoding: "json".to_owned(),
            payload: bytes::Bytes::new(),
        };
        let request = PlaybackControlRequest {
            command: PlaybackCommand::Pause,
            speed: 0.5,
            seek: Some(Timestamp(1_767_261_600_000_000_000)),
            request_id: "r".to_owned(),
        };
        for (message, expected) in [
            (ClientMessage::Subscribe(vec![subscription]), "subscribes to /tf (4)"),
            (
                ClientMessage::Unsubscribe(vec![SubscriptionId(4), SubscriptionId(5)]),
                "ends its subscriptions: 4, 5",
            ),
            (ClientMessage::GetParameters(get), "asks for parameters: a, b"),
            (ClientMessage::SubscribeParameterUpdates(Vec::new()), "follows parameters: all"),
            (ClientMessage::SubscribeConnectionGraph, "follows the connection graph"),
            (ClientMessage::ServiceCallRequest(call), "calls the service /reset"),
            (
                ClientMessage::PlaybackControlRequest(request),
                "asks to pause at speed 0.5, after a seek to 2026-01-01T10:00:00.000000000Z (r)",
            ),
        ] {
            let said = told(&message, |_subscription| "/tf".to_owned(), |_service| "/reset".to_owned());
            assert_eq!(said, expected);
        }
    }
}
