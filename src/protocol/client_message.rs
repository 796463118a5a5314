//! All that a client can say.

use bytes::Bytes;

use super::asset::FetchAsset;
use super::binary;
use super::channel::{ClientChannel, ClientChannelId, Subscription};
use super::data::{CLIENT_MESSAGE_DATA, ClientMessageData};
use super::parameter::{GetParameters, SetParameters};
use super::playback::{PLAYBACK_CONTROL_REQUEST, PlaybackControlRequest};
use super::server_info::Capability;
use super::service::{SERVICE_CALL_REQUEST, ServiceCallRequest};
use super::text;
use super::wire::{DecodeError, Frame};
use crate::model::SubscriptionId;

/// A message from a client to a server.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientMessage {
    /// Asks for the messages of channels.
    Subscribe(Vec<Subscription>),
    /// Asks for no more of them.
    Unsubscribe(Vec<SubscriptionId>),
    /// Tells of channels on which the client is going to publish.
    Advertise(Vec<ClientChannel>),
    /// Tells that it no longer will.
    Unadvertise(Vec<ClientChannelId>),
    /// Publishes a message.
    MessageData(ClientMessageData),
    /// Asks for values of parameters.
    GetParameters(GetParameters),
    /// Sets parameters.
    SetParameters(SetParameters),
    /// Asks for the named parameters whenever they change; an empty list means all.
    SubscribeParameterUpdates(Vec<String>),
    /// Ends that; an empty list means all.
    UnsubscribeParameterUpdates(Vec<String>),
    /// Asks for the connection graph and its changes.
    SubscribeConnectionGraph,
    /// Asks for no more of them.
    UnsubscribeConnectionGraph,
    /// Asks for a file.
    FetchAsset(FetchAsset),
    /// Calls a service.
    ServiceCallRequest(ServiceCallRequest),
    /// Asks for playback to go on differently.
    PlaybackControlRequest(PlaybackControlRequest),
}

impl ClientMessage {
    /// Decodes a text frame.
    pub fn decode_text(text: &str) -> Result<Self, DecodeError> {
        let (op, mut fields) = text::open(text)?;
        let ids = text::list(text::u32);
        let names = text::list(text::string);
        let message = match op.as_str() {
            "subscribe" => {
                fields.required("subscriptions", text::list(Subscription::decode)).map(Self::Subscribe)
            }
            "unsubscribe" => fields
                .required("subscriptionIds", ids)
                .map(|ids| Self::Unsubscribe(ids.into_iter().map(SubscriptionId).collect())),
            "advertise" => {
                fields.required("channels", text::list(ClientChannel::decode)).map(Self::Advertise)
            }
            "unadvertise" => fields
                .required("channelIds", ids)
                .map(|ids| Self::Unadvertise(ids.into_iter().map(ClientChannelId).collect())),
            "getParameters" => GetParameters::decode(&mut fields).map(Self::GetParameters),
            "setParameters" => SetParameters::decode(&mut fields).map(Self::SetParameters),
            "subscribeParameterUpdates" => {
                fields.required("parameterNames", names).map(Self::SubscribeParameterUpdates)
            }
            "unsubscribeParameterUpdates" => {
                fields.required("parameterNames", names).map(Self::UnsubscribeParameterUpdates)
            }
            "subscribeConnectionGraph" => Ok(Self::SubscribeConnectionGraph),
            "unsubscribeConnectionGraph" => Ok(Self::UnsubscribeConnectionGraph),
            "fetchAsset" => FetchAsset::decode(&mut fields).map(Self::FetchAsset),
            _ => return Err(text::unknown_op(&op)),
        };
        message.map_err(|error| error.in_op(&op))
    }

    /// Decodes a binary frame.
    pub fn decode_binary(frame: Bytes) -> Result<Self, DecodeError> {
        let (opcode, reader) = binary::open(frame)?;
        match opcode {
            CLIENT_MESSAGE_DATA => ClientMessageData::decode(reader).map(Self::MessageData),
            SERVICE_CALL_REQUEST => ServiceCallRequest::decode(reader).map(Self::ServiceCallRequest),
            PLAYBACK_CONTROL_REQUEST => {
                PlaybackControlRequest::decode(reader).map(Self::PlaybackControlRequest)
            }
            _ => Err(DecodeError::UnknownOpcode { opcode }),
        }
    }

    /// Encodes the message.
    pub fn encode(&self) -> Frame {
        Frame::Text(match self {
            Self::MessageData(data) => return Frame::Binary(data.encode()),
            Self::ServiceCallRequest(call) => return Frame::Binary(call.encode()),
            Self::PlaybackControlRequest(request) => return Frame::Binary(request.encode()),
            Self::Subscribe(subscriptions) => text::encode_field("subscribe", "subscriptions", subscriptions),
            Self::Unsubscribe(ids) => {
                let ids: Vec<u32> = ids.iter().map(|id| id.0).collect();
                text::encode_field("unsubscribe", "subscriptionIds", &ids)
            }
            Self::Advertise(channels) => text::encode_field("advertise", "channels", channels),
            Self::Unadvertise(ids) => text::encode_field("unadvertise", "channelIds", ids),
            Self::GetParameters(request) => text::encode("getParameters", request),
            Self::SetParameters(request) => text::encode("setParameters", request),
            Self::SubscribeParameterUpdates(names) => {
                text::encode_field("subscribeParameterUpdates", "parameterNames", names)
            }
            Self::UnsubscribeParameterUpdates(names) => {
                text::encode_field("unsubscribeParameterUpdates", "parameterNames", names)
            }
            Self::SubscribeConnectionGraph => text::encode_op("subscribeConnectionGraph"),
            Self::UnsubscribeConnectionGraph => text::encode_op("unsubscribeConnectionGraph"),
            Self::FetchAsset(request) => text::encode("fetchAsset", request),
        })
    }

    /// What a server must have declared for this message; None for what every server does.
    pub fn required_capability(&self) -> Option<Capability> {
        match self {
            Self::Subscribe(_) | Self::Unsubscribe(_) => None,
            Self::Advertise(_) | Self::Unadvertise(_) | Self::MessageData(_) => {
                Some(Capability::ClientPublish)
            }
            Self::GetParameters(_) | Self::SetParameters(_) => Some(Capability::Parameters),
            Self::SubscribeParameterUpdates(_) | Self::UnsubscribeParameterUpdates(_) => {
                Some(Capability::ParametersSubscribe)
            }
            Self::SubscribeConnectionGraph | Self::UnsubscribeConnectionGraph => {
                Some(Capability::ConnectionGraph)
            }
            Self::FetchAsset(_) => Some(Capability::Assets),
            Self::ServiceCallRequest(_) => Some(Capability::Services),
            Self::PlaybackControlRequest(_) => Some(Capability::PlaybackControl),
        }
    }

    /// The `op` of a text message, or the name of a binary one: for logs and status texts.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Subscribe(_) => "subscribe",
            Self::Unsubscribe(_) => "unsubscribe",
            Self::Advertise(_) => "advertise",
            Self::Unadvertise(_) => "unadvertise",
            Self::MessageData(_) => "client message data",
            Self::GetParameters(_) => "getParameters",
            Self::SetParameters(_) => "setParameters",
            Self::SubscribeParameterUpdates(_) => "subscribeParameterUpdates",
            Self::UnsubscribeParameterUpdates(_) => "unsubscribeParameterUpdates",
            Self::SubscribeConnectionGraph => "subscribeConnectionGraph",
            Self::UnsubscribeConnectionGraph => "unsubscribeConnectionGraph",
            Self::FetchAsset(_) => "fetchAsset",
            Self::ServiceCallRequest(_) => "service call request",
            Self::PlaybackControlRequest(_) => "playback control request",
        }
    }
}
