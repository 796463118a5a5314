//! Messages and definitions, wherever they stand.

use std::ops::Range;

use mcap::records::op;

use super::Linear;
use crate::model::{Entry, Extra, Metadata};
use crate::source::Order;
use crate::source::mcap::channels::IdMeaning;
use crate::source::mcap::fields::{Definition, HeaderRecord, MetadataRecord, attachment};
use crate::source::mcap::records::message;
use crate::source::mcap::stream::definitions::Change;
use crate::source::past::is_latched;

impl Linear {
    pub(super) fn on_message(&mut self, offset: u64, body: Range<usize>) {
        if self.batch.entries.is_empty() {
            self.loose.start = body.start;
        }
        let place = body.start - self.loose.start;
        match message(&self.walker.window()[body.clone()], place, Order::Log) {
            Some((channel, entry)) => {
                self.push(channel, entry);
                self.loose.end = body.end;
            }
            None => self.lose(offset, "the message is too short"),
        }
        self.walker.pass(&body);
    }

    pub(super) fn push(&mut self, channel: u16, entry: Entry) {
        let meaning = self.definitions.meaning(channel);
        self.has_message |= meaning != IdMeaning::Undefined;
        match meaning {
            IdMeaning::Played(channel) => self.batch.entries.push(Entry { channel, ..entry }),
            IdMeaning::LeftOut => {}
            IdMeaning::Undefined => {
                self.undefined += 1;
                if self.undefined == 1 {
                    self.warnings.push("messages of channels that are not defined are left out".to_owned());
                }
            }
        }
    }

    pub(super) fn on_definition(&mut self, opcode: u8, offset: u64, body: &Range<usize>) {
        let definition = Definition::decode(opcode, &self.walker.window()[body.clone()]);
        let change = match definition {
            Some(definition) if self.walker.is_summary() => self.definitions.on_repeat(definition),
            Some(definition) => self.define(definition),
            None => {
                self.walker.pass_unusable(body);
                return self.lose(offset, "the definition of a channel or schema can't be read");
            }
        };
        self.walker.pass(body);
        match change {
            Ok(change) => {
                if self.ends_batch(&change) {
                    self.flush_loose();
                }
                self.apply(change);
            }
            Err(reason) => self.lose(offset, reason),
        }
    }

    /// A header that can't be read is of no matter for what follows.
    pub(super) fn on_header(&mut self, body: &Range<usize>) {
        let header = HeaderRecord::decode(&self.walker.window()[body.clone()]);
        self.walker.pass(body);
        let profile = header.map(|header| header.profile).filter(|profile| !profile.is_empty());
        self.extras.extend(profile.map(Extra::Profile));
    }

    /// An attachment or metadata.
    pub(super) fn on_extra(&mut self, opcode: u8, offset: u64, body: &Range<usize>) {
        let bytes = &self.walker.window()[body.clone()];
        let extra = match opcode {
            op::ATTACHMENT => attachment(bytes).map(Extra::Attachment),
            _ => MetadataRecord::decode(bytes)
                .map(|record| Extra::Metadata(Metadata { name: record.name, values: record.values })),
        };
        match extra {
            Some(extra) => {
                self.walker.pass(body);
                self.extras.push(extra);
            }
            None => {
                self.walker.pass_unusable(body);
                self.lose(offset, "an attachment or metadata can't be read");
            }
        }
    }

    pub(super) fn define(&mut self, definition: Definition) -> Result<Change, String> {
        let id = match &definition {
            Definition::Channel(channel) if self.walker.old_until > 0 => Some(channel.id),
            Definition::Channel(_) | Definition::Schema(_) => None,
        };
        let change = self.definitions.on_definition(definition)?;
        if let Some(id) = id {
            let channel = self.definitions.channel(id);
            if channel.is_some_and(|channel| is_latched(&channel, &self.latched)) {
                self.walker.old_ids.insert(id);
            } else {
                self.walker.old_ids.remove(&id);
            }
        }
        Ok(change)
    }

    /// Whether what was collected so far has to go out before a change.
    pub(super) fn ends_batch(&self, change: &Change) -> bool {
        let is_empty = self.batch.entries.is_empty() && self.batch.announcements.is_empty();
        !(is_empty || change.retired.is_empty())
    }

    pub(super) fn apply(&mut self, change: Change) {
        self.batch.retired.extend(change.retired);
        self.batch.announcements.extend(change.announced);
    }
}
