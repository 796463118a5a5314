//! Assets: files that a viewer asks the server for, such as the meshes of a robot description.

use bytes::Bytes;
use serde::Serialize;

use super::binary::{Reader, put_sized};
use super::text::{self, FieldError, Object};
use super::wire::DecodeError;

pub(super) const FETCH_ASSET_RESPONSE: u8 = 4;

const OK: u8 = 0;
const ERROR: u8 = 1;

/// Ties a response to its request; chosen by the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct AssetRequestId(pub u32);

/// A client asks for a file. It gets exactly one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchAsset {
    /// What is asked for, for example `package://robot/meshes/arm.stl`.
    pub uri: String,
    /// To be repeated in the answer.
    pub request_id: AssetRequestId,
}

impl FetchAsset {
    pub(super) fn decode(fields: &mut Object) -> Result<Self, FieldError> {
        Ok(Self {
            uri: fields.required("uri", text::string)?,
            request_id: AssetRequestId(fields.required("requestId", text::u32)?),
        })
    }
}

/// The answer to a [`FetchAsset`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchAssetResponse {
    /// Of the request that is answered.
    pub request_id: AssetRequestId,
    /// The file, or why there is none: a text for the user.
    pub result: Result<Bytes, String>,
}

impl FetchAssetResponse {
    pub(super) fn decode(reader: Reader) -> Result<Self, DecodeError> {
        let mut reader = reader.of("fetch asset response");
        let request_id = AssetRequestId(reader.u32("request id")?);
        let status = reader.u8("status")?;
        let result = match status {
            OK => {
                // a message beside success says nothing
                reader.sized("error message")?;
                Ok(reader.rest())
            }
            ERROR => Err(reader.text("error message")?),
            _ => return Err(reader.refuse("status", 1, format!("expected 0 or 1, found {status}"))),
        };
        Ok(Self { request_id, result })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let (status, message, asset) = match &self.result {
            Ok(asset) => (OK, "", asset.as_ref()),
            Err(message) => (ERROR, message.as_str(), [].as_slice()),
        };
        let mut out = Vec::with_capacity(10 + message.len() + asset.len());
        out.push(FETCH_ASSET_RESPONSE);
        out.extend_from_slice(&self.request_id.0.to_le_bytes());
        out.push(status);
        put_sized(&mut out, message.as_bytes());
        out.extend_from_slice(asset);
        out
    }
}
