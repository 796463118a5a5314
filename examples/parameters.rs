//! Keeps two parameters that viewers read, set and follow: `parameters [PORT]`.
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use foxglove_bridge::hub::{Hub, HubOptions};
use foxglove_bridge::protocol::{Parameter, ParameterValue};
use foxglove_bridge::server::Server;
use serde_json::json;

struct Gains {
    speed: f64,
    name: String,
}

impl Gains {
    fn parameters(&self) -> Vec<Parameter> {
        let speed = Parameter::float64("speed", self.speed);
        speed.into_iter().chain([Parameter::new("name", self.name.as_str())]).collect()
    }

    /// A value of another type, and one out of range, is not taken.
    fn set(&mut self, parameter: &Parameter) {
        match (parameter.name.as_str(), &parameter.value) {
            ("speed", Some(value)) => {
                if let Some(speed) = value.as_f64().filter(|speed| (0.0..=3.0).contains(speed)) {
                    self.speed = speed;
                }
            }
            ("name", Some(ParameterValue::String(name))) => self.name.clone_from(name),
            _ => {}
        }
    }
}

fn lock(gains: &Mutex<Gains>) -> MutexGuard<'_, Gains> {
    gains.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(8765), |port| port.parse())?;
    let hub = Hub::new("robot", HubOptions::default());
    let gains = Arc::new(Mutex::new(Gains { speed: 1.5, name: "rover".to_owned() }));
    let (read, written) = (gains.clone(), gains.clone());
    hub.serve_parameters(
        move |names| {
            let mut all = lock(&read).parameters();
            all.retain(|parameter| names.is_empty() || names.contains(&parameter.name));
            all
        },
        move |parameters, _client| {
            let mut gains = lock(&written);
            parameters.iter().for_each(|parameter| gains.set(parameter));
            let mut holds = gains.parameters();
            holds.retain(|holds| parameters.iter().any(|parameter| parameter.name == holds.name));
            holds
        },
    )?;
    let position = hub.channel("/position").json()?;
    let server = Server::start(("127.0.0.1", port), &hub)?;
    println!("ws://{}", server.address());

    let mut x = 0.0;
    loop {
        x += 0.02 * lock(&gains).speed;
        position.log(&json!({ "x": x }));
        thread::sleep(Duration::from_millis(20));
    }
}
