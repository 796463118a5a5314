//! A client of any server of the protocol: messages, parameters, services, assets, the connection graph, playback
//! control, and publishing.
//!
//! [`Client`] is a handle on a task that owns the connection; [`blocking`] is the same for programs without async. All
//! three subprotocols are offered, and the one that the server takes is spoken.
//!
//! # Messages
//!
//! [`Client::subscribe`] takes a topic, a pattern or a channel's id ([`Topics`]), for channels that are there and those that
//! come later. [`Messages`] has a bound in bytes and a policy for what goes beyond it ([`Queue`]).
//!
//! ```
//! # use foxglove_bridge::hub::{Hub, HubOptions};
//! # use foxglove_bridge::model::{Batch, Entry};
//! # use foxglove_bridge::registry::{ChannelSpec, Registry};
//! # use foxglove_bridge::server::Server;
//! # use foxglove_bridge::time::Timestamp;
//! use foxglove_bridge::client::Client;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let hub = Hub::new("robot", HubOptions::default());
//! # let registry = Registry::default();
//! # let battery = registry.claim(ChannelSpec { latched: true, ..ChannelSpec::json("/battery") })?.channel;
//! # let publisher = hub.publisher();
//! # publisher.announce(&[battery.clone()]);
//! # let mut batch = Batch::default();
//! # batch.push_copy(&Entry::at(battery.id, Timestamp(7)), br#"{"percent":81}"#);
//! # publisher.publish_live(batch, std::time::Instant::now());
//! # let server = Server::bind(([127, 0, 0, 1], 0).into()).await?;
//! # let url = format!("ws://{}", server.address());
//! # let serving = tokio::spawn(server.run(hub, std::future::pending()));
//! let client = Client::connect(&url).await?;
//! let mut messages = client.subscribe("/battery");
//! let message = messages.next().await.ok_or("the connection has ended")?;
//! assert_eq!(message.channel.topic, "/battery");
//! assert_eq!(message.payload, r#"{"percent":81}"#);
//! # serving.abort();
//! # Ok(())
//! # }
//! ```
//!
//! # Requests
//!
//! Each is answered exactly once: by the server, by its time-out ([`ClientOptions::request_timeout`]), or by the end of the
//! connection. A capability that the server has not declared is an error at once.
//!
//! ```no_run
//! # async fn f() -> Result<(), Box<dyn std::error::Error>> {
//! use foxglove_bridge::client::{Client, PlaybackChange};
//! use foxglove_bridge::protocol::Parameter;
//!
//! let client = Client::connect("ws://localhost:8765").await?;
//! let response = client.call("/set_mode", r#"{"mode":"auto"}"#).await?;
//! println!("{}", String::from_utf8_lossy(&response.payload));
//! client.set_parameters(vec![Parameter::new("/gain", 3)]).await?;
//! let faster = PlaybackChange { speed: Some(2.0), ..PlaybackChange::default() };
//! println!("at {}", client.control_playback(faster).await?.current_time.nanos());
//! # Ok(())
//! # }
//! ```
//!
//! # When the connection ends
//!
//! The client connects again ([`Reconnect`]), after pauses that grow to a quarter of a minute, subscribes again by topic,
//! and advertises and follows again what it did before. [`Event::Connected`] says whether the session is the one from before
//! ([`Session`]). Once there is no connection any more for good, [`Messages`] and [`Events`] end, and
//! [`Client::ended`] says why.
//!
//! # Servers that do not keep to the protocol
//!
//! What can't be read or makes no sense is an [`Event::Problem`], and ignored; what breaks the rules of WebSocket ends the
//! connection. What a server can make a client hold is bounded: messages by their size
//! ([`ClientOptions::largest_message`]), texts by 32 MiB, its channels, schemas and services together by 512 MiB, what
//! waits by queues.

mod backoff;
pub mod blocking;
mod connection;
mod error;
mod event;
mod handle;
mod inbox;
mod link;
mod messages;
mod options;
mod owner;
mod publication;
mod random;
mod requests;
mod state;
mod tls;
mod topics;
mod upgrade;
mod url;

pub use error::{ConnectError, Ended, RequestError};
pub use event::{Arrival, Event, Message, Session};
pub use handle::Client;
pub use messages::{Events, Measuring, Messages};
pub use options::{ClientOptions, LARGEST_MESSAGE, Overflow, Payloads, Queue, Reconnect, TIMEOUT, Trust};
pub use publication::{ClientTopic, Publication};
pub use state::{PlaybackChange, ServiceResponse};
pub use topics::Topics;
pub use url::{Scheme, ServerUrl, UrlError};

#[cfg(test)]
mod tests;
