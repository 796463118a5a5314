//! Publishes protobuf messages of an own type, with its definition for viewers: `protobuf [PORT]`.
//!
//! Where `prost-build` makes the types it can write the set of descriptors as well (`file_descriptor_set_path`), and with
//! `prost-reflect-build` they know their definitions: then `hub.channel("/imu").protobuf::<Imu>()?` is enough.
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::thread;
use std::time::Duration;

use foxglove_bridge::hub::{Hub, HubOptions};
use foxglove_bridge::prost_reflect::prost::{self, Message};
use foxglove_bridge::prost_reflect::{DescriptorPool, DynamicMessage, Value};
use foxglove_bridge::server::Server;

/// As `prost-build` makes it.
#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "prost")]
struct Imu {
    #[prost(double, tag = "1")]
    ax: f64,
    #[prost(double, tag = "2")]
    az: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(8765), |port| port.parse())?;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let definitions = protox::compile(["robot.proto"], [folder])?.encode_to_vec();

    let hub = Hub::new("robot", HubOptions::default());
    let imu = hub.channel("/imu").protobuf_in::<Imu>(&definitions, "robot.Imu")?;
    // the same without a type in Rust
    let descriptor =
        DescriptorPool::decode(&definitions[..])?.get_message_by_name("robot.Imu").ok_or("no robot.Imu")?;
    let dynamic = hub.channel("/imu/dynamic").dynamic(&descriptor)?;
    let server = Server::start(("127.0.0.1", port), &hub)?;
    println!("ws://{}", server.address());

    for n in 0.. {
        let ax = f64::from(n).sin();
        imu.log(&Imu { ax, az: 9.81 });
        dynamic.log_with(|| {
            let mut message = DynamicMessage::new(descriptor.clone());
            message.set_field_by_name("ax", Value::F64(ax));
            message
        });
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
