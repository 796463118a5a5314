//! The connection graph: who publishes, subscribes to and provides what. Updates are differences to what was sent before.

use serde::Serialize;
use serde_json::Value;

use super::text::{self, FieldError, Object};

/// A topic and all who publish it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedTopic {
    /// The topic.
    pub name: String,
    /// Free-form names of nodes.
    pub publisher_ids: Vec<String>,
}

/// A topic and all who subscribe to it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscribedTopic {
    /// The topic.
    pub name: String,
    /// Free-form names of nodes.
    pub subscriber_ids: Vec<String>,
}

/// A service and all who provide it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdvertisedService {
    /// The service.
    pub name: String,
    /// Free-form names of nodes.
    pub provider_ids: Vec<String>,
}

/// What changed in the connection graph. All five lists go over the wire, also empty: viewers need them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionGraphUpdate {
    /// New topics with publishers, and those whose publishers changed.
    pub published_topics: Vec<PublishedTopic>,
    /// New topics with subscribers, and those whose subscribers changed.
    pub subscribed_topics: Vec<SubscribedTopic>,
    /// New services, and those whose providers changed.
    pub advertised_services: Vec<AdvertisedService>,
    /// Topics that nobody publishes or subscribes to any more.
    pub removed_topics: Vec<String>,
    /// Services that nobody provides any more.
    pub removed_services: Vec<String>,
}

impl ConnectionGraphUpdate {
    pub(super) fn decode(fields: &mut Object) -> Result<Self, FieldError> {
        Ok(Self {
            published_topics: fields.required(
                "publishedTopics",
                text::list(|value| {
                    let (name, publisher_ids) = node(value, "publisherIds")?;
                    Ok(PublishedTopic { name, publisher_ids })
                }),
            )?,
            subscribed_topics: fields.required(
                "subscribedTopics",
                text::list(|value| {
                    let (name, subscriber_ids) = node(value, "subscriberIds")?;
                    Ok(SubscribedTopic { name, subscriber_ids })
                }),
            )?,
            advertised_services: fields.required(
                "advertisedServices",
                text::list(|value| {
                    let (name, provider_ids) = node(value, "providerIds")?;
                    Ok(AdvertisedService { name, provider_ids })
                }),
            )?,
            removed_topics: fields.required("removedTopics", text::list(text::string))?,
            removed_services: fields.required("removedServices", text::list(text::string))?,
        })
    }
}

fn node(value: Value, ids: &str) -> Result<(String, Vec<String>), FieldError> {
    let mut fields = Object::from_value(value)?;
    Ok((fields.required("name", text::string)?, fields.required(ids, text::list(text::string))?))
}
