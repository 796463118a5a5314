//! All that a server can say.

use bytes::Bytes;

use super::asset::{FETCH_ASSET_RESPONSE, FetchAssetResponse};
use super::binary;
use super::channel::AdvertisedChannel;
use super::data::{self, MessageData, SERVER_MESSAGE_DATA, SERVER_TIME};
use super::graph::ConnectionGraphUpdate;
use super::parameter::ParameterValues;
use super::playback::{PLAYBACK_STATE, PlaybackState};
use super::schema_table::AdvertiseTable;
use super::server_info::ServerInfo;
use super::service::{SERVICE_CALL_RESPONSE, Service, ServiceCallFailure, ServiceCallResponse, ServiceId};
use super::status::Status;
use super::text;
use super::wire::{DecodeError, Frame};
use crate::model::ChannelId;
use crate::time::Timestamp;

/// A message from a server to a client.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerMessage {
    /// What the server is and can do; the first message.
    ServerInfo(ServerInfo),
    /// Something for the user.
    Status(Status),
    /// Takes back statuses by their ids; never empty.
    RemoveStatus(Vec<String>),
    /// New channels.
    Advertise(Vec<AdvertisedChannel>),
    /// New channels, with their schemas in a table (`foxglove.sdk.v1.1`).
    AdvertiseTable(AdvertiseTable),
    /// Channels that are gone.
    Unadvertise(Vec<ChannelId>),
    /// Values of parameters.
    ParameterValues(ParameterValues),
    /// New services.
    AdvertiseServices(Vec<Service>),
    /// Services that are gone.
    UnadvertiseServices(Vec<ServiceId>),
    /// What changed in the connection graph.
    ConnectionGraphUpdate(ConnectionGraphUpdate),
    /// A call failed.
    ServiceCallFailure(ServiceCallFailure),
    /// A message on a channel.
    MessageData(MessageData),
    /// The server's time.
    Time(Timestamp),
    /// A call worked.
    ServiceCallResponse(ServiceCallResponse),
    /// A file, or why there is none.
    FetchAssetResponse(FetchAssetResponse),
    /// What playback is doing.
    PlaybackState(PlaybackState),
}

impl ServerMessage {
    /// Decodes a text frame. An `advertise` without a schema id and without schemas means the same in all subprotocols;
    /// it is decoded as [`ServerMessage::Advertise`].
    pub fn decode_text(text: &str) -> Result<Self, DecodeError> {
        let (op, mut fields) = text::open(text)?;
        let ids = text::list(text::u32);
        let message = match op.as_str() {
            "serverInfo" => ServerInfo::decode(&mut fields).map(Self::ServerInfo),
            "status" => Status::decode(&mut fields).map(Self::Status),
            "removeStatus" => fields.required("statusIds", text::list(text::string)).map(Self::RemoveStatus),
            "advertise" if AdvertiseTable::is_meant(&fields) => {
                AdvertiseTable::decode(&mut fields).map(Self::AdvertiseTable)
            }
            "advertise" => {
                fields.required("channels", text::list(AdvertisedChannel::decode)).map(Self::Advertise)
            }
            "unadvertise" => fields
                .required("channelIds", ids)
                .map(|ids| Self::Unadvertise(ids.into_iter().map(ChannelId).collect())),
            "parameterValues" => ParameterValues::decode(&mut fields).map(Self::ParameterValues),
            "advertiseServices" => {
                fields.required("services", text::list(Service::decode)).map(Self::AdvertiseServices)
            }
            "unadvertiseServices" => fields
                .required("serviceIds", ids)
                .map(|ids| Self::UnadvertiseServices(ids.into_iter().map(ServiceId).collect())),
            "connectionGraphUpdate" => {
                ConnectionGraphUpdate::decode(&mut fields).map(Self::ConnectionGraphUpdate)
            }
            "serviceCallFailure" => ServiceCallFailure::decode(&mut fields).map(Self::ServiceCallFailure),
            _ => return Err(text::unknown_op(&op)),
        };
        message.map_err(|error| error.in_op(&op))
    }

    /// Decodes a binary frame.
    pub fn decode_binary(frame: Bytes) -> Result<Self, DecodeError> {
        let (opcode, reader) = binary::open(frame)?;
        match opcode {
            SERVER_MESSAGE_DATA => MessageData::decode(reader).map(Self::MessageData),
            SERVER_TIME => data::decode_time(reader).map(Self::Time),
            SERVICE_CALL_RESPONSE => ServiceCallResponse::decode(reader).map(Self::ServiceCallResponse),
            FETCH_ASSET_RESPONSE => FetchAssetResponse::decode(reader).map(Self::FetchAssetResponse),
            PLAYBACK_STATE => PlaybackState::decode(reader).map(Self::PlaybackState),
            _ => Err(DecodeError::UnknownOpcode { opcode }),
        }
    }

    /// Encodes the message.
    pub fn encode(&self) -> Frame {
        Frame::Text(match self {
            Self::MessageData(data) => return Frame::Binary(data.encode()),
            Self::Time(time) => return Frame::Binary(data::time_frame(*time).to_vec()),
            Self::ServiceCallResponse(response) => return Frame::Binary(response.encode()),
            Self::FetchAssetResponse(response) => return Frame::Binary(response.encode()),
            Self::PlaybackState(state) => return Frame::Binary(state.encode()),
            Self::ServerInfo(info) => text::encode("serverInfo", info),
            Self::Status(status) => text::encode("status", status),
            Self::RemoveStatus(ids) => text::encode_field("removeStatus", "statusIds", ids),
            Self::Advertise(channels) => text::encode_field("advertise", "channels", channels),
            Self::AdvertiseTable(table) => text::encode("advertise", table),
            Self::Unadvertise(ids) => {
                let ids: Vec<u32> = ids.iter().map(|id| id.0).collect();
                text::encode_field("unadvertise", "channelIds", &ids)
            }
            Self::ParameterValues(values) => text::encode("parameterValues", values),
            Self::AdvertiseServices(services) => {
                text::encode_field("advertiseServices", "services", services)
            }
            Self::UnadvertiseServices(ids) => text::encode_field("unadvertiseServices", "serviceIds", ids),
            Self::ConnectionGraphUpdate(update) => text::encode("connectionGraphUpdate", update),
            Self::ServiceCallFailure(failure) => text::encode("serviceCallFailure", failure),
        })
    }
}
