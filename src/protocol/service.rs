//! Services: what the server offers to be called, the calls, and their answers. A call gets exactly one.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::binary::{Reader, put_sized};
use super::text::{self, FieldError, Object};
use super::wire::DecodeError;

pub(super) const SERVICE_CALL_REQUEST: u8 = 2;
pub(super) const SERVICE_CALL_RESPONSE: u8 = 3;

/// Identifies a service; chosen by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ServiceId(pub u32);

/// Ties an answer to its call; chosen by the client, unique among its unanswered calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct CallId(pub u32);

/// How the requests or the responses of a service are encoded and described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceMessage {
    /// Message encoding, for example `json`.
    pub encoding: String,
    /// Name of the type.
    pub schema_name: String,
    /// As for channels. The specification requires it, some servers leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_encoding: Option<String>,
    /// Text; base64 of what is binary.
    pub schema: String,
}

impl ServiceMessage {
    fn decode(value: Value) -> Result<Self, FieldError> {
        let mut fields = Object::from_value(value)?;
        Ok(Self {
            encoding: fields.required("encoding", text::string)?,
            schema_name: fields.required("schemaName", text::string)?,
            schema_encoding: fields.optional("schemaEncoding", text::string)?,
            schema: fields.required("schema", text::string)?,
        })
    }
}

/// A service that the server offers.
///
/// Requests and responses are each described either by an object or, in an older style, by the text of a schema alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Chosen by the server.
    pub id: ServiceId,
    /// For example `/set_mode`.
    pub name: String,
    /// For example `std_srvs/srv/SetBool`.
    #[serde(rename = "type")]
    pub service_type: String,
    /// Describes requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<ServiceMessage>,
    /// Describes requests, in the older style.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_schema: Option<String>,
    /// Describes responses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<ServiceMessage>,
    /// Describes responses, in the older style.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_schema: Option<String>,
}

impl Service {
    pub(super) fn decode(value: Value) -> Result<Self, FieldError> {
        let mut fields = Object::from_value(value)?;
        Ok(Self {
            id: ServiceId(fields.required("id", text::u32)?),
            name: fields.required("name", text::string)?,
            service_type: fields.required("type", text::string)?,
            request: fields.optional("request", ServiceMessage::decode)?,
            request_schema: fields.optional("requestSchema", text::string)?,
            response: fields.optional("response", ServiceMessage::decode)?,
            response_schema: fields.optional("responseSchema", text::string)?,
        })
    }
}

/// A client calls a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCallRequest {
    /// The service.
    pub service_id: ServiceId,
    /// To be repeated in the answer.
    pub call_id: CallId,
    /// Message encoding of the payload.
    pub encoding: String,
    /// The request.
    pub payload: Bytes,
}

impl ServiceCallRequest {
    pub(super) fn decode(reader: Reader) -> Result<Self, DecodeError> {
        let (service_id, call_id, encoding, payload) = decode_call(reader.of("service call request"))?;
        Ok(Self { service_id, call_id, encoding, payload })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        encode_call(SERVICE_CALL_REQUEST, self.service_id, self.call_id, &self.encoding, &self.payload)
    }
}

/// The answer to a call that worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCallResponse {
    /// Of the call.
    pub service_id: ServiceId,
    /// Of the call.
    pub call_id: CallId,
    /// Message encoding of the payload: that of the request.
    pub encoding: String,
    /// The response.
    pub payload: Bytes,
}

impl ServiceCallResponse {
    pub(super) fn decode(reader: Reader) -> Result<Self, DecodeError> {
        let (service_id, call_id, encoding, payload) = decode_call(reader.of("service call response"))?;
        Ok(Self { service_id, call_id, encoding, payload })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        encode_call(SERVICE_CALL_RESPONSE, self.service_id, self.call_id, &self.encoding, &self.payload)
    }
}

fn decode_call(mut reader: Reader) -> Result<(ServiceId, CallId, String, Bytes), DecodeError> {
    let service_id = ServiceId(reader.u32("service id")?);
    let call_id = CallId(reader.u32("call id")?);
    let encoding = reader.text("encoding")?;
    Ok((service_id, call_id, encoding, reader.rest()))
}

fn encode_call(opcode: u8, service: ServiceId, call: CallId, encoding: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(13 + encoding.len() + payload.len());
    out.push(opcode);
    out.extend_from_slice(&service.0.to_le_bytes());
    out.extend_from_slice(&call.0.to_le_bytes());
    put_sized(&mut out, encoding.as_bytes());
    out.extend_from_slice(payload);
    out
}

/// The answer to a call that failed. Some viewers wait on for ever when they get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceCallFailure {
    /// Of the call.
    pub service_id: ServiceId,
    /// Of the call.
    pub call_id: CallId,
    /// Why it failed: a text for the user.
    pub message: String,
}

impl ServiceCallFailure {
    pub(super) fn decode(fields: &mut Object) -> Result<Self, FieldError> {
        Ok(Self {
            service_id: ServiceId(fields.required("serviceId", text::u32)?),
            call_id: CallId(fields.required("callId", text::u32)?),
            message: fields.required("message", text::string)?,
        })
    }
}
