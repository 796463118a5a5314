//! What a server sends.

use std::time::Instant;

use anyhow::anyhow;
use foxglove_bridge::client::{Client, Ended, Event, Events, Message, Messages, Overflow, Queue, Topics};
use foxglove_bridge::pattern::TopicFilter;
use foxglove_bridge::time::Timestamp;
use tokio::task::JoinHandle;

use super::bar::State;
use super::file::File;
use super::merge::Merge;
use super::missing::Missing;
use super::{Came, Source, Trouble};
use crate::cli::{Failure, unmatched};

/// What was received and waits to be written; then the server is held back.
const QUEUE: Queue = Queue { bytes: 32 << 20, overflow: Overflow::Wait };

/// Bytes that are written before signals and the time are looked at again …
const AT_ONCE: usize = 1 << 20;

/// … of messages that count for as much as this beside their payloads.
const PER_MESSAGE: usize = 1 << 10;

pub(super) struct Server {
    client: Client,
    /// None after the last one.
    events: Option<Events>,
    messages: Messages,
    merge: Merge,
    missing: Missing,
    filter: TopicFilter,
    /// Warns of topics that are not there.
    unmatched: JoinHandle<()>,
}

impl Server {
    /// Subscribes to the topics that a filter allows, also to those that come later.
    pub(super) fn subscribe(client: Client, filter: TopicFilter) -> Self {
        Self {
            unmatched: unmatched::watch(&client, filter.include.clone(), None),
            events: Some(client.events()),
            messages: client.subscribe_with(Topics::from(filter.clone()), QUEUE),
            client,
            merge: Merge::default(),
            missing: Missing::new(),
            filter,
        }
    }

    fn on_event(&mut self, event: &Event, file: &mut File) -> Result<(), Trouble> {
        self.missing.note_unseen(self.events.as_ref().map_or(0, Events::dropped));
        let (now, at) = (Instant::now(), Timestamp::now());
        match event {
            Event::ChannelAdded(channel) if self.filter.allows(&channel.topic) => {
                self.merge.add(channel, file)?;
            }
            Event::ChannelRemoved(channel) => self.merge.remove(channel),
            Event::Connected { .. } => self.missing.on_connected(now, at),
            Event::Disconnected { reason, retry_in } => {
                self.merge.disconnected();
                // the end of everything is no gap
                if retry_in.is_some() {
                    self.missing.on_lost(reason, now, at);
                }
            }
            Event::Status(status) => self.missing.on_status(status, now),
            Event::Problem(problem) => self.missing.on_problem(problem, now),
            Event::ChannelAdded(_)
            | Event::NewInfo { .. }
            | Event::ServiceAdded(_)
            | Event::ServiceRemoved(_)
            | Event::Parameters(_)
            | Event::Graph(_)
            | Event::Playback(_)
            | Event::Time(_)
            | Event::StatusRemoved(_) => {}
        }
        Ok(())
    }

    /// Writes a message, and others that wait, until so many bytes are written.
    fn write(&mut self, first: Message, most: usize, file: &mut File) -> Result<(), Trouble> {
        let mut next = Some(first);
        let mut written = 0;
        while let Some(message) = next.take() {
            self.merge.message(&message, file)?;
            written += message.payload.len() + PER_MESSAGE;
            if written < most {
                next = self.messages.try_next();
            }
        }
        Ok(())
    }
}

impl Source for Server {
    async fn next(&mut self, file: &mut File) -> Result<Came, Trouble> {
        let events = &mut self.events;
        let event = async {
            match events {
                Some(events) => events.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = event => match event {
                Some(event) => self.on_event(&event, file)?,
                None => self.events = None,
            },
            message = self.messages.next() => match message {
                Some(message) => self.write(message, AT_ONCE, file)?,
                None => return match self.client.ended().await {
                    Ended::Finished => Ok(Came::End),
                    ended => Err(Trouble::Source(Failure::Runtime(anyhow!("{ended}")))),
                },
            },
        }
        Ok(Came::Some)
    }

    async fn stop(&mut self, file: &mut File) -> Result<(), Trouble> {
        self.client.close().await;
        if let Some(message) = self.messages.try_next() {
            self.write(message, usize::MAX, file)?;
        }
        while let Some(event) = self.events.as_mut().and_then(Events::try_next) {
            self.on_event(&event, file)?;
        }
        // it has ended, or does now; it does not panic
        (&mut self.unmatched).await.ok();
        if self.merge.repeated > 0 {
            tracing::debug!("{} messages that were sent again are stored once", self.merge.repeated);
        }
        Ok(())
    }

    fn state(&self) -> State {
        State { connected: !self.missing.is_disconnected(), missing: self.missing.count() }
    }

    fn missing(&self) -> Option<String> {
        self.missing.summary(Instant::now())
    }
}
