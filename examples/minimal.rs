//! The program of the README: `minimal [ADDRESS]`.
#![allow(clippy::print_stdout, reason = "an example")]

use std::{thread, time::Duration};

use foxglove_bridge::hub::{Hub, HubOptions};
use foxglove_bridge::server::Server;

#[derive(serde::Serialize)]
struct Imu {
    ax: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::new("robot", HubOptions::default());
    let imu = hub.channel("/imu").json()?;
    let server = Server::start(std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:8765"), &hub)?;
    println!("ws://{}", server.address());
    for n in 0.. {
        imu.log(&Imu { ax: f64::from(n).sin() });
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
