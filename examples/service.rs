//! Answers service calls, sends assets, and takes what viewers publish: `service [PORT]`.
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::thread;
use std::time::Duration;

use foxglove_bridge::hub::{Hub, HubOptions};
use foxglove_bridge::server::Server;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Deserialize)]
struct Drive {
    meters: f64,
}

#[derive(Serialize)]
struct Driven {
    seconds: f64,
}

const DRIVE: &str = r#"{ "type": "object", "properties": { "meters": { "type": "number" } } }"#;
const DRIVEN: &str = r#"{ "type": "object", "properties": { "seconds": { "type": "number" } } }"#;

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(8765), |port| port.parse())?;
    let hub = Hub::new("robot", HubOptions::default());
    // it may block: it runs on a thread of its own
    let drive = hub.service("/drive").request_schema("Drive", DRIVE).response_schema("Driven", DRIVEN).json(
        |request: Drive| {
            if !(0.0..=10.0).contains(&request.meters) {
                return Err(format!("{} m: from 0 to 10 are allowed", request.meters));
            }
            let seconds = request.meters / 100.0;
            thread::sleep(Duration::from_secs_f64(seconds));
            Ok(Driven { seconds })
        },
    )?;
    hub.serve_assets(|uri| match uri.as_str() {
        "package://robot/model.urdf" => Ok(&b"<robot name=\"robot\"/>"[..]),
        _ => Err(format!("there is no {uri}")),
    })?;
    let heard = hub.channel("/heard").json()?;
    hub.on_publish(["json"], move |_client, channel, payload| {
        let text = String::from_utf8_lossy(&payload);
        heard.log(&json!({ "topic": channel.topic, "text": text }));
    })?;
    let server = Server::start(("127.0.0.1", port), &hub)?;
    println!("ws://{}", server.address());
    server.wait();
    drop(drive);
    Ok(())
}
