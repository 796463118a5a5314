//! How the hub serves clients.

use std::time::Duration;

use crate::pattern::TopicPattern;

/// What happens when a client takes data more slowly than it is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowClient {
    /// Its backlog is collapsed to the newest message of each channel.
    Drop,
    /// Playback waits for it.
    Wait,
}

/// Of which channels messages are kept for late subscribers: the last one of each origin, and of transforms the last one
/// of each child frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Latch {
    /// Those that were latched when recorded: ROS 2 transient local durability, ROS 1 `latching`.
    Auto,
    /// None.
    Off,
    /// Those of these topics, and those of [`Latch::Auto`].
    Topics(Vec<TopicPattern>),
}

/// What clients may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// All that the hub has providers for.
    #[default]
    Full,
    /// Look: subscribe, read parameters, fetch assets, follow the connection graph. Control of playback, services and
    /// publishing are not declared, and refused if a client tries; parameters keep their values.
    ReadOnly,
}

/// How the hub serves clients. `HubOptions::default()` has what the options of the program have.
#[derive(Debug, Clone, PartialEq)]
pub struct HubOptions {
    /// Data queued for one client, in bytes. Default: 16 MiB.
    pub client_buffer: usize,
    /// What to do when a client's queue is full. Default: [`SlowClient::Drop`].
    pub on_slow_client: SlowClient,
    /// Which channels are latched. Default: [`Latch::Auto`].
    pub latch: Latch,
    /// A `time` goes out before the first message of each new interval of this length; zero: of each new time. Default:
    /// 1 ms.
    pub time_resolution: Duration,
    /// What clients may do. Default: [`Access::Full`].
    pub access: Access,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            client_buffer: 16 << 20,
            on_slow_client: SlowClient::Drop,
            latch: Latch::Auto,
            time_resolution: Duration::from_millis(1),
            access: Access::Full,
        }
    }
}
