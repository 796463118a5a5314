//! `publish`: JSON lines from stdin, published as a client of a server that takes them.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::anyhow;
use bytes::Bytes;
use foxglove_bridge::client::{Client, ClientTopic, Ended, Publication, RequestError};
use foxglove_bridge::internals::counted;
use foxglove_bridge::model::{Batch, Channel, ChannelId};
use foxglove_bridge::payload::{JsonAs, Types};
use foxglove_bridge::protocol::Capability;
use foxglove_bridge::registry::Registry;
use foxglove_bridge::source::json_lines::JsonLines;
use foxglove_bridge::source::live::LiveChannels;
use foxglove_bridge::source::{ErrorKind, Incoming, Stop, Stream};
use tokio::sync::mpsc;

use super::Failure;
use super::args::PublishArgs;
use super::config::{self, ServeOptions};
use super::remote::{answered, once};
use super::serve::{hints, stdin};

/// Batches that are read ahead; each has the lines of one read at most.
const AHEAD: usize = 4;

pub(crate) fn run(args: &PublishArgs) -> Result<(), Failure> {
    let options = config::build(args.settings()).map_err(|error| Failure::Input(error.into()))?.options;
    once(&args.url, &args.server, async |client| publish(client, options).await)
}

async fn publish(client: Client, mut options: ServeOptions) -> Result<(), Failure> {
    let info = client.server_info().await.ok_or_else(|| lost(&RequestError::NotConnected))?;
    if !info.capabilities.contains(&Capability::ClientPublish) {
        return Err(Failure::Runtime(anyhow!("the server takes no messages from clients")));
    }
    let takes = |encoding: &str| info.supported_encodings.iter().any(|it| it == encoding);
    if !takes("protobuf") && (takes("json") || info.supported_encodings.is_empty()) {
        options.types.json_as = JsonAs::Json;
    }
    let mut lines = open(&options).map_err(Failure::Input)?;
    let counts = lines.counts();
    let (sender, mut batches) = mpsc::channel(AHEAD);
    std::thread::spawn(move || {
        loop {
            let next = lines.next();
            let is_end = matches!(next, Ok(None));
            if sender.blocking_send(next).is_err() || is_end {
                return;
            }
        }
    });
    let mut publications = BTreeMap::new();
    while let Some(next) = batches.recv().await {
        match next {
            Ok(Some(batch)) => publish_batch(&client, &batch, &mut publications).await?,
            Ok(None) => break,
            Err(error) if error.kind() == ErrorKind::Fatal => {
                return Err(Failure::Input(hints::with_way_out(error)));
            }
            Err(error) => tracing::warn!("{error}"),
        }
    }
    client.close().await;
    drop(publications);
    match client.ended().await {
        Ended::Closed => {}
        // what had been handed over by then may not have been sent
        ended => {
            return Err(Failure::Runtime(anyhow!("publishing: {ended}; not everything may have been sent")));
        }
    }
    match counts.bad.load(Ordering::Relaxed) {
        0 => Ok(()),
        bad => {
            tracing::warn!("{} can't be used; the rest was sent", counted(bad, "line"));
            Err(Failure::Damaged)
        }
    }
}

fn open(options: &ServeOptions) -> anyhow::Result<JsonLines<impl Read + Send + use<>>> {
    let types = Types::load(&options.types).map_err(|error| hints::of_types(&error))?;
    let (topics, lines) = (options.recording.topics.clone(), Arc::new(options.json_lines.clone()));
    let channels = LiveChannels::new(topics, Arc::new(types), &lines.schemas, Registry::default())?;
    let stop = Stop::new()?;
    let incoming = Incoming::new(stdin::raw()?, &stop);
    let lines = JsonLines::new(stdin::NAME.to_owned(), incoming, &stop, lines, channels);
    Ok(lines.with_hints(hints::with_flags))
}

async fn publish_batch(
    client: &Client,
    batch: &Batch,
    publications: &mut BTreeMap<ChannelId, Publication>,
) -> Result<(), Failure> {
    for id in &batch.retired {
        publications.remove(id);
    }
    for channel in &batch.announcements {
        let advertised = client.advertise(&topic(channel)).await;
        let publication = answered(&format!("publishing on {}", channel.topic), advertised)?;
        publications.insert(channel.id, publication);
    }
    for entry in &batch.entries {
        if let Some(publication) = publications.get(&entry.channel) {
            let payload = Bytes::copy_from_slice(batch.payload(entry));
            publication.publish(payload).await.map_err(|error| lost(&error))?;
        }
    }
    Ok(())
}

fn topic(channel: &Channel) -> ClientTopic {
    ClientTopic {
        topic: channel.topic.clone(),
        message_encoding: channel.message_encoding.clone(),
        schema: channel.schema.clone(),
    }
}

fn lost(error: &RequestError) -> Failure {
    Failure::Runtime(anyhow!("publishing: {error}"))
}
