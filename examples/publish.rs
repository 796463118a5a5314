//! Publishes JSON with a schema, a built-in schema that viewers draw, and a latched topic: `publish [PORT]`.
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::thread;
use std::time::Duration;

use foxglove_bridge::hub::{Hub, HubOptions};
use foxglove_bridge::server::Server;
use foxglove_bridge::time::Timestamp;
use serde::Serialize;
use serde_json::json;

#[derive(Serialize)]
struct Battery {
    volts: f64,
    charging: bool,
}

const BATTERY: &str = r#"{
    "type": "object",
    "properties": { "volts": { "type": "number" }, "charging": { "type": "boolean" } }
}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(8765), |port| port.parse())?;
    let hub = Hub::new("robot", HubOptions::default());
    let battery = hub.channel("/battery").json_schema("Battery", BATTERY)?;
    let log = hub.channel("/log").builtin("foxglove.Log")?;
    let plan = hub.channel("/plan").latched().json()?;
    let server = Server::start(("127.0.0.1", port), &hub)?;
    println!("ws://{}", server.address());

    // who subscribes later gets it, too
    plan.log(&json!({ "goal": [3.0, 4.0] }));
    for n in 0u32.. {
        let time = Timestamp::now();
        battery.log_at(time, &Battery { volts: 12.0 - f64::from(n % 100) / 100.0, charging: false });
        if n % 10 == 0 {
            log.log_at(
                time,
                &json!({ "timestamp": stamp(time), "level": "INFO", "message": format!("step {n}") }),
            );
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn stamp(time: Timestamp) -> serde_json::Value {
    json!({ "sec": time.0 / 1_000_000_000, "nsec": time.0 % 1_000_000_000 })
}
