//! `demo json`: messages as JSON, both ways. What a program does that has numbers to show.

use std::time::Duration;

use foxglove_bridge::hub::Hub;
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
    // what viewers publish comes back
    hub.on_publish(["json"], move |_client, channel, payload| {
        match serde_json::from_slice::<Value>(&payload) {
            Ok(message) => echo.log(&message),
            Err(error) => tracing::warn!("a message of a viewer on {} is no JSON: {error}", channel.topic),
        }
    })?;
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
