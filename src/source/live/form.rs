//! What a channel of lines is made of: encoding, schema, and what encodes its payloads.

use std::borrow::Cow;
use std::sync::Arc;

use super::schemas::{self, Meaning};
use super::{Given, check_name};
use crate::model::Schema;
use crate::payload::MessageType;

/// What a channel is made of, but for its id.
pub(super) struct Form<'a> {
    pub(super) encoding: Cow<'a, str>,
    pub(super) schema: Option<Arc<Schema>>,
    pub(super) encoder: Option<Arc<MessageType>>,
}

/// The form of a channel for messages of this meaning.
pub(super) fn form<'a>(
    meaning: &Meaning,
    encoding: Option<&'a str>,
    given: Given,
) -> Result<Form<'a>, String> {
    if let Some(encoding) = encoding {
        check_name(encoding)?;
    }
    let no_json = |encoding: &str| {
        format!("data is JSON, but the message encoding is {encoding}: give the payload as data_base64")
    };
    let (usual, schema) = match meaning {
        Meaning::Schemaless => (Some("json"), None),
        Meaning::Declared(schema) => (schemas::usual_encoding(&schema.encoding), Some(schema)),
        Meaning::Type(message) => {
            let own = message.message_encoding();
            // the type says how JSON is written; naming it as json, or as what it becomes, changes nothing
            let fits = encoding
                .is_none_or(|encoding| encoding == own || (encoding == "json" && given != Given::Bytes));
            if !fits {
                let (name, encoding) = (&message.schema().name, encoding.unwrap_or_default());
                return Err(format!(
                    "messages of {name} are sent as {own}, not as {encoding}; leave out encoding"
                ));
            }
            let encoder = (given != Given::Bytes).then(|| message.clone());
            return Ok(Form { encoding: own.into(), schema: Some(message.schema().clone()), encoder });
        }
    };
    let encoding: Cow<'a, str> = match (encoding, usual) {
        (Some(encoding), _) => encoding.into(),
        (None, Some(_)) if given == Given::Bytes && schema.is_none() => {
            return Err("data_base64 needs the encoding of the payload, and most often a schema".to_owned());
        }
        (None, Some(usual)) => usual.into(),
        (None, None) => {
            let encoding = schema.map(|schema| schema.encoding.as_str()).unwrap_or_default();
            return Err(format!(
                "a schema in {encoding} does not say what the message encoding is: give encoding"
            ));
        }
    };
    if given == Given::Json && encoding != "json" {
        return Err(no_json(&encoding));
    }
    Ok(Form { encoding, schema: schema.cloned(), encoder: None })
}
