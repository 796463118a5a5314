//! The command `demo`: servers that need no data of the user's, to see the program work and to copy from.
//!
//! They use the library as any program does that embeds it, and nothing else: `foxglove_bridge::…`. Each is one file or
//! folder with a function `start`, which makes channels, services and parameters in a hub and returns what keeps them going.
#![allow(clippy::cast_possible_truncation, reason = "pixels, bytes and samples: the nearest one is meant")]

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use foxglove_bridge::hub::Hub;

mod drive;
mod image;
mod jpeg;
mod json;
mod messages;
mod params;
mod playback;
mod protobuf;
mod services;
mod sysmon;

/// What a demo needs while it runs: it ends when this is dropped.
pub(crate) type Running = Box<dyn Send>;

/// One of the demos.
#[derive(Debug)]
pub(crate) struct Demo {
    /// As it is named on the command line.
    pub(crate) name: &'static str,
    /// One line, for people.
    pub(crate) about: &'static str,
    /// Makes it run in a hub.
    pub(crate) start: fn(&Hub) -> anyhow::Result<Running>,
}

/// All of them.
pub(crate) const DEMOS: [Demo; 8] = [
    Demo {
        name: "drive",
        about: "a robot delivers mail: 3D, lidar, camera, map, GPS, plots, log, parameters, services; drive it yourself",
        start: drive::start,
    },
    Demo {
        name: "sysmon",
        about: "this computer: CPUs, memory, disks, network, processes",
        start: sysmon::start,
    },
    Demo { name: "json", about: "messages as JSON, with and without a schema", start: json::start },
    Demo {
        name: "protobuf",
        about: "a scene in 3D, as the protobuf messages that viewers draw",
        start: protobuf::start,
    },
    Demo {
        name: "image",
        about: "moving pictures, compressed and raw, with calibration and annotations",
        start: image::start,
    },
    Demo { name: "params", about: "parameters of every type, with bounds and choices", start: params::start },
    Demo {
        name: "services",
        about: "procedures to call: fast, slow and failing ones",
        start: services::start,
    },
    Demo {
        name: "playback",
        about: "a pendulum to pause, seek and speed up from the viewer",
        start: playback::start,
    },
];

/// The demo of this name.
pub(crate) fn find(name: &str) -> Option<&'static Demo> {
    DEMOS.iter().find(|demo| demo.name == name)
}

/// Calls a function again and again, on a thread of its own, until it is dropped.
#[derive(Debug)]
struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// `tick` is called once each `period`, at once for the first time.
    fn start(period: Duration, mut tick: impl FnMut() + Send + 'static) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let run = move || {
            let mut due = Instant::now();
            loop {
                tick();
                due += period;
                let now = Instant::now();
                if now > due + 10 * period {
                    // the computer slept: what was missed is not made up for
                    due = now;
                }
                if stopped.recv_timeout(due.saturating_duration_since(now)) != Err(RecvTimeoutError::Timeout)
                {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("demo".into()).spawn(run)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // a panic has been reported
            thread.join().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use foxglove_bridge::hub::HubOptions;

    use super::*;

    #[test]
    fn every_demo_starts_and_ends() {
        for demo in &DEMOS {
            let hub = Hub::new(demo.name, HubOptions::default());
            let running = (demo.start)(&hub).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            drop(running);
            assert!(find(demo.name).is_some_and(|found| found.about == demo.about));
        }
        assert!(find("nosuch").is_none());
    }

    #[test]
    fn a_ticker_keeps_its_period_and_ends_at_once() {
        let (count, counted) = channel();
        let begin = Instant::now();
        let ticker = Ticker::start(Duration::from_millis(10), move || count.send(()).unwrap()).unwrap();
        (0..6).for_each(|_| counted.recv().unwrap());
        assert!(begin.elapsed() >= Duration::from_millis(50));
        drop(ticker);
        // the sender is gone with the thread
        assert!(counted.iter().count() < 100);
        let slow = Ticker::start(Duration::from_secs(3600), || {}).unwrap();
        let begin = Instant::now();
        drop(slow);
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
}
