//! `demo json`: messages as JSON, both ways. What a program does that has numbers to show.

use std::time::Duration;

use bytes::Bytes;
use foxglove_bridge::hub::capability::publish::ClientPublish;
use foxglove_bridge::hub::handles::JsonChannel;
use foxglove_bridge::hub::{ClientId, Hub};
use foxglove_bridge::protocol::{ClientChannel, ClientChannelId};
use serde::Serialize;
use serde_json::Value;

use super::{Running, Ticker};

#[derive(Serialize)]
struct Example {
    msg: String,
    count: u64,
}

/// With a schema viewers know the fields before the first message.
const SCHEMA: &str = r#"{"type":"object","properties":{"msg":{"type":"string"},"count":{"type":"number"}}}"#;

#[derive(Serialize)]
struct Wave {
    sine: f64,
    cosine: f64,
}

pub(super) fn start(hub: &Hub) -> anyhow::Result<Running> {
    let example = hub.channel("example_msg").json_schema("ExampleMsg", SCHEMA)?;
    // without one they see them as they come
    let wave = hub.channel("/wave").json()?;
    let echo = hub.channel("/echo").json()?;
    hub.provide_publish(std::sync::Arc::new(Echo(echo)))?;
    let mut count = 0u64;
    let ticker = Ticker::start(Duration::from_millis(50), move || {
        let (sine, cosine) = (count as f64 / 20.0).sin_cos();
        wave.log(&Wave { sine, cosine });
        if count.is_multiple_of(4) {
            example.log(&Example { msg: "Hello!".to_owned(), count: count / 4 });
        }
        count += 1;
    })?;
    Ok(Box::new(ticker))
}

/// What viewers publish, on any topic, comes back on `/echo`.
struct Echo(JsonChannel<Value>);

impl ClientPublish for Echo {
    fn encodings(&self) -> Vec<String> {
        vec!["json".to_owned()]
    }

    fn advertise(&self, _client: ClientId, channel: &ClientChannel) -> Result<(), String> {
        if channel.encoding == "json" { Ok(()) } else { Err("only JSON is taken".to_owned()) }
    }

    fn unadvertise(&self, _client: ClientId, _channel: ClientChannelId) {}

    fn message(&self, _client: ClientId, _channel: ClientChannelId, payload: Bytes) {
        match serde_json::from_slice(&payload) {
            Ok(message) => self.0.log(&message),
            Err(error) => tracing::warn!("a message of a viewer is no JSON: {error}"),
        }
    }
}
