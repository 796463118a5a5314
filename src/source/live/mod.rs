//! The channels of lines: one for each topic at a time, shared by all inputs of lines of one server.
//!
//! A topic whose encoding, schema, metadata or latch changes gets another channel under a new id. Each input announces a
//! channel with the first batch in which *it* uses the id, so that it does not matter whose batch arrives first; the
//! input that makes a change retires the old id, unless inputs of another kind have the same channel. Announcements and
//! messages that arrive after the end of their channel are left out by the hub.
//!
//! What an input that is still there uses is not taken away from it: another input that gives the topic another form
//! gets a channel beside it, `/topic#2`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{SourceError, TopicRules};
use crate::model::{Channel, ChannelId, Schema};
use crate::payload::{MessageType, Types};
use crate::printable::{LONG, printable};
use crate::registry::{ChannelSpec, Registry};
use crate::time::Timestamp;

mod form;
mod json_schema;
mod refusal;
mod schema_for;
mod schemas;
mod state;
mod warnings;
mod writers;

pub(super) use refusal::{Refusal, Refused};
pub use schema_for::SchemaFor;
#[cfg(test)]
mod tests;

use form::form;
use schemas::Schemas;
use state::{CHANGES_AT_ONCE, Declared, InputId, State, Topic, Used, one_change_less};
use writers::{Writer, Writers};

/// Topics live at once. Viewers get slow long before; beyond, a writer most likely puts data into names.
const MAX_CHANNELS: usize = 10_000;

/// Channels beside each other on one topic: of so many writers most are wrong.
const MAX_BESIDE: usize = 16;

/// Bytes of the name of a topic, a schema or an encoding: with the bound above all names together stay small.
const MAX_NAME: usize = 1024;

/// Characters of a name that are shown.
const SHOWN_NAME: usize = 100;

/// Bytes of a channel's metadata; a QoS profile takes a few hundred.
const MAX_METADATA: usize = 4096;

/// What a payload is given as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// JSON text.
    Json,
    /// The bytes of the payload.
    Bytes,
    /// There is none: the channel is only declared.
    Nothing,
}

/// What a line says about the channel of its message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Topic, as the line has it.
    pub(super) topic: &'a str,
    /// Name of the schema.
    pub(super) schema: Option<&'a str>,
    /// Message encoding.
    pub(super) encoding: Option<&'a str>,
    /// Its payload.
    pub(super) given: Given,
}

/// A channel in use, and what stays when the topic gets another one.
#[derive(Debug)]
pub(super) struct LiveChannel {
    pub(super) channel: Arc<Channel>,
    pub(super) topic: Arc<TopicNotes>,
}

/// What is known of a topic beyond the life of its channels.
#[derive(Debug, Default)]
pub(super) struct TopicNotes {
    sequence: AtomicU32,
    warned: AtomicBool,
}

impl TopicNotes {
    /// The sequence number of a message that has none: they count from 1, as 0 means unknown.
    pub(super) fn next_sequence(&self) -> u32 {
        self.sequence.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// Whether the user is yet to be warned about numbers that are none.
    pub(super) fn warn_once(&self) -> bool {
        !self.warned.swap(true, Ordering::Relaxed)
    }
}

/// The channel for a message, and what becomes of its payload.
#[derive(Debug, Clone)]
pub(super) struct Resolved {
    pub(super) live: Arc<LiveChannel>,
    /// What turns JSON into the payload; None if it is passed on as it is.
    pub(super) encoder: Option<Arc<MessageType>>,
    /// The channel that this one takes the place of, if it does so just now.
    pub(super) retired: Option<ChannelId>,
    /// State of the table that this was read from; see [`LiveChannels::generation`].
    pub(super) generation: u64,
}

/// The live channels of one server.
#[derive(Debug)]
pub struct LiveChannels {
    registry: Registry,
    rules: TopicRules,
    /// Counts changes after which what was resolved before may no longer hold.
    generation: AtomicU64,
    writers: Writers,
    inputs: AtomicU64,
    /// Bytes of the lines of all inputs that have no end yet.
    unfinished: Arc<AtomicUsize>,
    state: Mutex<State>,
}

/// One input among those that share the channels; what it uses is free for others once it is dropped.
#[derive(Debug)]
pub(super) struct Input {
    channels: Arc<LiveChannels>,
    id: InputId,
    writer: Writer,
}

/// What a line can say of a channel that its messages don't say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Traits {
    pub(super) metadata: BTreeMap<String, String>,
    /// Late subscribers get the last message.
    pub(super) latched: bool,
}

impl LiveChannels {
    /// No channels yet; they are claimed from `registry`. `rules` choose and rename topics, `types` are those that messages are encoded to, `schemas` are for
    /// topics whose lines name none; an error names the one that does not exist.
    pub fn new(
        rules: TopicRules,
        types: Arc<Types>,
        schemas: &[SchemaFor],
        registry: Registry,
    ) -> Result<Arc<Self>, SourceError> {
        let state = State {
            schemas: Schemas::new(types, schemas)?,
            declared: HashMap::new(),
            present: BTreeSet::new(),
            live: HashMap::new(),
            count: 0,
            warnings: warnings::Warnings::default(),
        };
        let (generation, inputs, unfinished, writers) = Default::default();
        Ok(Arc::new(Self {
            registry,
            rules,
            generation,
            inputs,
            unfinished,
            writers,
            state: Mutex::new(state),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // every change is made at once, at the end of a call
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the channels are claimed from.
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What all inputs count the bytes of their unfinished lines in.
    pub(super) fn unfinished(&self) -> &Arc<AtomicUsize> {
        &self.unfinished
    }

    /// One more input.
    pub(super) fn input(self: &Arc<Self>) -> Input {
        let id = InputId(self.inputs.fetch_add(1, Ordering::Relaxed));
        self.lock().present.insert(id);
        Input { channels: self.clone(), id, writer: self.writers.join() }
    }

    fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    fn offered<'a>(&'a self, topic: &'a str) -> Result<Option<Cow<'a, str>>, String> {
        check_name(topic)?;
        Ok(self.rules.offered(topic))
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.channels.lock().leave(self.id);
    }
}

impl Input {
    /// The number that tells its messages from those of others on one channel, for
    /// [`Entry::origin`](crate::model::Entry::origin).
    pub(super) fn origin(&self) -> u32 {
        self.writer.number()
    }

    /// Counts the changes of channels and schemas: what was resolved under another number has to be resolved again.
    pub(super) fn generation(&self) -> u64 {
        self.channels.generation.load(Ordering::Acquire)
    }

    /// The channel for a message, new if need be; None if the user leaves out the topic. `now` bounds the pace at which a
    /// topic changes. A channel is not made before `fits` has taken the message as one of it, given what encodes it.
    pub(super) fn resolve(
        &self,
        wanted: Wanted<'_>,
        now: Timestamp,
        fits: impl FnOnce(Option<&MessageType>) -> Result<(), Refusal>,
    ) -> Result<Option<Resolved>, Refusal> {
        let Some(offered) = self.channels.offered(wanted.topic)? else { return Ok(None) };
        let mut state = self.channels.lock();
        let declared = state.declared(self.id, wanted.topic);
        self.bring_about(&mut state, &offered, wanted, declared, now, fits).map(Some)
    }

    /// Declares a channel, and makes it; None if the user leaves out the topic.
    pub(super) fn declare_channel(
        &self,
        wanted: Wanted<'_>,
        traits: Traits,
        now: Timestamp,
    ) -> Result<Option<Resolved>, Refusal> {
        let Some(offered) = self.channels.offered(wanted.topic)? else { return Ok(None) };
        if traits.metadata.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > MAX_METADATA {
            return Err(format!("the metadata has more than {MAX_METADATA} bytes").into());
        }
        let declaration = Declared {
            schema: wanted.schema.map(str::to_owned),
            encoding: wanted.encoding.map(str::to_owned),
            traits,
        };
        let mut state = self.channels.lock();
        if state.declared.len() >= MAX_CHANNELS && !state.declared.contains_key(wanted.topic) {
            return Err(too_many().into());
        }
        let resolved =
            self.bring_about(&mut state, &offered, wanted, declaration.clone(), now, |_encoder| Ok(()))?;
        if state.declare(self.id, wanted.topic, declaration) {
            self.channels.changed();
        }
        // read again: the declaration itself counts as a change
        Ok(Some(Resolved { generation: self.generation(), ..resolved }))
    }

    /// Declares a schema that lines can name from now on.
    pub(super) fn declare_schema(&self, schema: Schema) -> Result<(), String> {
        for name in [&schema.name, &schema.encoding] {
            check_name(name)?;
        }
        let mut state = self.channels.lock();
        let State { schemas, warnings, .. } = &mut *state;
        if schemas.declare(schema, warnings)? {
            self.channels.changed();
        }
        Ok(())
    }

    fn bring_about(
        &self,
        state: &mut State,
        offered: &str,
        wanted: Wanted<'_>,
        declared: Declared,
        now: Timestamp,
        fits: impl FnOnce(Option<&MessageType>) -> Result<(), Refusal>,
    ) -> Result<Resolved, Refusal> {
        let schema = wanted.schema.or(declared.schema.as_deref());
        let meaning = state.schemas.meaning(wanted.topic, schema)?;
        let encoding = wanted.encoding.or(declared.encoding.as_deref());
        let form = form(&meaning, encoding.filter(|encoding| !encoding.is_empty()), wanted.given)?;
        let spec = ChannelSpec {
            topic: offered.to_owned(),
            message_encoding: form.encoding.into_owned(),
            schema: form.schema,
            metadata: declared.traits.metadata,
            latched: declared.traits.latched,
        };
        let resolved =
            |live, encoder, retired| Resolved { live, encoder, retired, generation: self.generation() };
        let mut topic = state.live.get_mut(offered);
        if let Some(topic) = &mut topic
            && let Some(same) = topic.channels.iter_mut().find(|channel| channel.spec == spec)
        {
            same.by.insert(self.id);
            let live = same.live.clone();
            let left = topic.leave(self.id, live.channel.id);
            let retired = left.and_then(|left| self.release(&left, &mut state.count));
            return Ok(resolved(live, form.encoder, retired));
        }
        fits(form.encoder.as_deref())?;
        let free = topic.as_ref().and_then(|topic| topic.free_for(self.id));
        let changes = match &topic {
            Some(topic) if free.is_none() && topic.channels.len() >= MAX_BESIDE => {
                return Err(format!("{MAX_BESIDE} writers give the topic as many different forms").into());
            }
            Some(topic) => one_change_less(topic.changes, offered, now)?,
            None => (CHANGES_AT_ONCE, now),
        };
        if free.is_none() && state.count >= MAX_CHANNELS {
            return Err(too_many().into());
        }
        let topic = state.live.entry(offered.to_owned()).or_insert_with(|| Topic {
            notes: Arc::default(),
            channels: Vec::new(),
            changes,
        });
        topic.changes = changes;
        // before the claim, so that the topic is free for the new channel
        let replaced = free.map(|free| topic.channels.remove(free));
        let retired = replaced.as_ref().and_then(|replaced| self.release(replaced, &mut state.count));
        for channel in &mut topic.channels {
            channel.by.remove(&self.id);
        }
        let claim = self.channels.registry.claim(spec.clone()).map_err(|error| error.to_string())?;
        if let Some(warning) = claim.warning() {
            state.warnings.warn(printable(&warning, LONG));
        }
        if replaced.is_some() {
            let topic = printable(offered, SHOWN_NAME);
            let changed = "its schema, encoding or metadata has changed, so the topic is offered again";
            state.warnings.warn(format_args!("{topic}: {changed}"));
        }
        let live = Arc::new(LiveChannel { channel: claim.channel, topic: topic.notes.clone() });
        topic.channels.push(Used { live: live.clone(), spec, by: BTreeSet::from([self.id]) });
        state.count += 1;
        Ok(resolved(live, form.encoder, retired))
    }

    /// Gives back a channel that nobody here uses any more; its id, if nobody else has it either.
    fn release(&self, channel: &Used, count: &mut usize) -> Option<ChannelId> {
        *count -= 1;
        self.channels.changed();
        let id = channel.live.channel.id;
        self.channels.registry.release(id).then_some(id)
    }
}

fn too_many() -> String {
    format!(
        "there are {MAX_CHANNELS} topics already, the most there can be; names are for what does not vary"
    )
}

fn check_name(name: &str) -> Result<(), String> {
    if name.len() <= MAX_NAME {
        return Ok(());
    }
    Err(format!("a name of {} bytes is too long: it may have {MAX_NAME}", name.len()))
}
