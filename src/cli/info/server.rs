//! What a server offers.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use foxglove_bridge::client::{Client, Event, TIMEOUT};
use foxglove_bridge::model::Channel;
use foxglove_bridge::protocol::{PlaybackState, ServerInfo, Service, Subprotocol};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::parts;
use crate::cli::args::InfoArgs;
use crate::cli::remote::once;
use crate::cli::table::{Align, row_of, section, table};
use crate::cli::{Failure, print};

/// Channels and services come with the connection: once nothing new has come for so long they are taken to be all.
const QUIET: Duration = Duration::from_millis(300);

/// What a server is, and what it has advertised.
#[derive(Default)]
struct Offer {
    info: ServerInfo,
    subprotocol: Option<Subprotocol>,
    channels: Vec<Arc<Channel>>,
    services: Vec<Arc<Service>>,
    playback: Option<PlaybackState>,
}

pub(super) fn show(url: &str, args: &InfoArgs) -> Result<(), Failure> {
    once(url, &args.server, async |client| {
        let offer = gather(&client, args.server.timeout.unwrap_or(TIMEOUT)).await?;
        let mut known = HashSet::new();
        let schemas = offer.channels.iter().filter_map(|channel| channel.schema.clone());
        let schemas: Vec<_> = schemas.filter(|schema| args.schemas && known.insert(schema.clone())).collect();
        let text = if args.json {
            let mut object = offer.json(url);
            if args.schemas {
                object["schemas"] = parts::schemas_json(&schemas);
            }
            format!("{object:#}\n")
        } else {
            offer.text(url) + &parts::schemas_text(&schemas)
        };
        print(&text).map(drop)
    })
}

/// `longest`: some servers are never quiet.
async fn gather(client: &Client, longest: Duration) -> Result<Offer, Failure> {
    let mut events = client.events();
    let mut offer = Offer::default();
    let end = Instant::now() + longest;
    let mut quiet_at = Instant::now() + QUIET;
    while let Ok(Some(event)) = timeout_at(quiet_at.min(end), events.next()).await {
        match event {
            Event::Time(_) | Event::Status(_) | Event::Parameters(_) => continue,
            Event::Connected { info, subprotocol, .. } => {
                (offer.info, offer.subprotocol) = ((*info).clone(), Some(subprotocol));
            }
            Event::Playback(state) => offer.playback = Some(state),
            Event::Disconnected { reason, .. } => {
                return Err(Failure::Runtime(anyhow!("the connection ended too soon: {reason}")));
            }
            _ => {}
        }
        quiet_at = Instant::now() + QUIET;
    }
    offer.channels = client.channels().await;
    offer.services = client.services().await;
    offer.channels.sort_by(|a, b| a.topic.cmp(&b.topic));
    offer.services.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(offer)
}

impl Offer {
    fn text(&self, url: &str) -> String {
        let names = |names: Vec<String>| if names.is_empty() { "-".to_owned() } else { names.join(", ") };
        let capabilities = names(self.info.capabilities.iter().map(ToString::to_string).collect());
        let mut rows = vec![
            row_of(["server:", url]),
            row_of(["name:", &self.info.name]),
            row_of(["subprotocol:", self.subprotocol.map_or("-", Subprotocol::as_str)]),
            row_of(["capabilities:", &capabilities]),
        ];
        if !self.info.supported_encodings.is_empty() {
            rows.push(row_of(["encodings:", &self.info.supported_encodings.join(", ")]));
        }
        if let Some(session) = &self.info.session_id {
            rows.push(row_of(["session:", session]));
        }
        for (key, value) in &self.info.metadata {
            rows.push(row_of([&format!("{key}:"), value]));
        }
        if let (Some(start), Some(end)) = (self.info.data_start_time, self.info.data_end_time) {
            rows.push(row_of(["data:", &format!("{start} to {end}")]));
        }
        if let Some(state) = &self.playback {
            rows.push(row_of(["playback:", &crate::cli::control::text(state)]));
        }
        let mut text = table(&rows, &[]);
        let mut channels = vec![row_of(["id", "topic", "schema", "encoding"])];
        for channel in &self.channels {
            let schema = channel.schema.as_ref().map_or("-", |schema| schema.name.as_str());
            channels.push(row_of([
                &channel.id.to_string(),
                &channel.topic,
                schema,
                &channel.message_encoding,
            ]));
        }
        text.push_str(&section(&channels, &[Align::Right]));
        if !self.services.is_empty() {
            let mut services = vec![row_of(["service", "type"])];
            services
                .extend(self.services.iter().map(|service| row_of([&service.name, &service.service_type])));
            text.push_str(&section(&services, &[]));
        }
        text
    }

    fn json(&self, url: &str) -> Value {
        let channel = |channel: &Channel| {
            json!({
                "id": channel.id.0,
                "topic": channel.topic,
                "encoding": channel.message_encoding,
                "schema": channel.schema.as_ref().map(|schema| &schema.name),
                "schema_encoding": channel.schema.as_ref().map(|schema| &schema.encoding),
                "metadata": channel.metadata,
            })
        };
        let service = |service: &Service| json!({ "name": service.name, "type": service.service_type });
        json!({
            "url": url,
            "name": self.info.name,
            "subprotocol": self.subprotocol.map(Subprotocol::as_str),
            "capabilities": self.info.capabilities.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "supported_encodings": self.info.supported_encodings,
            "session_id": self.info.session_id,
            "metadata": self.info.metadata,
            "data_start_time": self.info.data_start_time.map(|time| time.to_string()),
            "data_end_time": self.info.data_end_time.map(|time| time.to_string()),
            "channels": self.channels.iter().map(|it| channel(it)).collect::<Vec<_>>(),
            "services": self.services.iter().map(|it| service(it)).collect::<Vec<_>>(),
        })
    }
}
