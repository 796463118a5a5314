//! Records what it serves, and ends in good order at the end of its input or a line of it: `record FILE [PORT]`.
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use foxglove_bridge::hub::{Hub, HubOptions};
use foxglove_bridge::server::Server;
use foxglove_bridge::sink::Recorder;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file: PathBuf = arguments.next().ok_or("give the file that is to be written")?.into();
    let port: u16 = arguments.next().map_or(Ok(8765), |port| port.parse())?;
    let hub = Hub::new("robot", HubOptions::default());
    let position = hub.channel("/position").json()?;
    let recorder = Recorder::start(&file, &hub, &[])?;
    let server = Server::start(("127.0.0.1", port), &hub)?;
    println!("ws://{}", server.address());

    let ended = Arc::new(AtomicBool::new(false));
    let end = ended.clone();
    // for Ctrl-C with the crate ctrlc: ctrlc::set_handler(move || end.store(true, Ordering::Relaxed))?
    thread::spawn(move || {
        std::io::stdin().read_line(&mut String::new()).ok();
        end.store(true, Ordering::Relaxed);
    });
    for n in 0.. {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        position.log(&json!({ "x": 0.02 * f64::from(n) }));
        thread::sleep(Duration::from_millis(20));
    }

    // first the file, as slow clients may take ten seconds
    let recorded = recorder.finish()?;
    println!("{} messages in {}", recorded.messages, file.display());
    server.finish();
    Ok(())
}
