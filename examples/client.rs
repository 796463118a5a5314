//! Records the topics of a server that match a pattern, and prints them as JSON: `client URL PATTERN FILE [COUNT]`.
#![allow(clippy::print_stdout, reason = "an example")]

use std::collections::HashSet;
use std::path::Path;

use foxglove_bridge::client::{Client, ClientOptions, Reconnect};
use foxglove_bridge::model::Entry;
use foxglove_bridge::pattern::TopicPattern;
use foxglove_bridge::payload::{Decoders, JsonOptions};
use foxglove_bridge::sink::{McapWriter, WriterOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, pattern, file, count @ ..] = arguments.as_slice() else {
        return Err("URL PATTERN FILE".into());
    };
    let count = count.first().map_or(Ok(usize::MAX), |count| count.parse())?;
    // the ids of channels hold for one connection
    let options = ClientOptions { reconnect: Reconnect::Never, ..ClientOptions::default() };
    let client = Client::connect_with(url, options).await?;
    let mut messages = client.subscribe(pattern.parse::<TopicPattern>()?);
    let mut writer = McapWriter::create(Path::new(file), WriterOptions::default())?;
    let (mut decoders, mut known) = (Decoders::default(), HashSet::new());
    for _ in 0..count {
        let Some(message) = messages.next().await else { break };
        let channel = &message.channel;
        if known.insert(channel.id) {
            writer.add_channel(channel)?;
        }
        writer.write(&Entry::at(channel.id, message.log_time), &message.payload)?;
        let mut json = Vec::new();
        decoders.of(channel)?.to_json(&message.payload, &JsonOptions::default(), &mut json)?;
        println!("{} {} {}", message.log_time, channel.topic, String::from_utf8_lossy(&json));
    }
    client.close().await;
    println!("{} messages in {file}", writer.finish()?.messages);
    Ok(())
}
