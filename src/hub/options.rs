//! How the hub serves clients.

use std::time::Duration;

use crate::pattern::TopicPattern;

/// What happens when a client takes data more slowly than it is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SlowClient {
    /// Its backlog is collapsed to the newest message of each channel.
    #[default]
    Drop,
    /// Playback waits for it.
    Wait,
}

/// Of which channels messages are kept for late subscribers: the last one of each origin, and of transforms the last one
/// of each child frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Latch {
    /// Those that were latched when recorded: ROS 2 transient local durability, ROS 1 `latching`.
    #[default]
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

/// What one client may have at once. What is more is refused with an answer that names the limit; `0` refuses all.
///
/// ```
/// use foxglove_bridge::hub::{ClientLimits, HubOptions};
///
/// let limits = ClientLimits { subscriptions: 100, ..ClientLimits::default() };
/// let options = HubOptions { limits, ..HubOptions::default() };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientLimits {
    /// Subscriptions to channels. Default: 100,000.
    pub subscriptions: usize,
    /// Requests that providers, the player included, have not answered yet: more than any viewer has, and few enough that a
    /// client that floods a slow provider costs little. Default: 1,000.
    pub requests: usize,
    /// Channels on which it publishes. Default: 1,000.
    pub channels: usize,
    /// Parameters that it follows by name. Default: 10,000.
    pub parameters: usize,
    /// Bytes of the id of a playback control request, which is repeated to every client. Default: 1 KiB.
    pub request_id: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            subscriptions: 100_000,
            requests: 1000,
            channels: 1000,
            parameters: 10_000,
            request_id: 1 << 10,
        }
    }
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
    /// What each client may have at once.
    pub limits: ClientLimits,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            client_buffer: 16 << 20,
            on_slow_client: SlowClient::Drop,
            latch: Latch::Auto,
            time_resolution: Duration::from_millis(1),
            access: Access::Full,
            limits: ClientLimits::default(),
        }
    }
}
