//! Keeps two parameters that viewers read, set and follow: `parameters [PORT]`.
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::thread;
use std::time::Duration;

use foxglove_bridge::hub::capability::parameters::ParameterSpec;
use foxglove_bridge::hub::{Hub, HubOptions};
use foxglove_bridge::server::Server;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(8765), |port| port.parse())?;
    let hub = Hub::new("robot", HubOptions::default());
    let parameters = hub.parameters()?;
    // a value of another type, and one out of range, is refused
    parameters.declare(ParameterSpec::float64("speed", 1.5).range(0.0..=3.0))?;
    parameters.declare(ParameterSpec::new("name", "rover"))?;
    parameters.on_change(|change| println!("{} is {:?}", change.parameter.name, change.parameter.value));
    let position = hub.channel("/position").json()?;
    let server = Server::start(("127.0.0.1", port), &hub)?;
    println!("ws://{}", server.address());

    let mut x = 0.0;
    loop {
        let speed = parameters.get("speed").and_then(|speed| speed.value?.as_f64()).unwrap_or_default();
        x += 0.02 * speed;
        position.log(&json!({ "x": x }));
        thread::sleep(Duration::from_millis(20));
    }
}
