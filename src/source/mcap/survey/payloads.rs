//! Whether messages fit their schemas, found out by decoding each of them.

use std::collections::HashMap;
use std::sync::Arc;

use super::FileChannel;
use super::ids::Ids;
use crate::model::Entry;
use crate::payload::{DecodeError, DecodeErrorKind, Decoder, Decoders, JsonOptions};
use crate::printable::{LONG, SHORT, printable};
use crate::source::mcap::records::MESSAGE_HEADER;
use crate::source::summary::{Misfit, PayloadCheck, Unchecked};
use crate::time::Timestamp;

/// Channels whose decoders are kept; with one more all are looked up again.
const MOST: usize = 4096;

/// Memory for the JSON of a message that is kept for the next one.
const KEPT: usize = 16 << 20;

/// A message, and where it lies.
pub(super) struct Message<'a> {
    /// The channel's id in the file.
    pub(super) channel: u16,
    pub(super) log_time: Timestamp,
    pub(super) payload: &'a [u8],
    /// Of its record in the file, or of the chunk that has it.
    pub(super) offset: u64,
}

impl<'a> Message<'a> {
    /// `body`: of its record.
    pub(super) fn of(channel: u16, entry: &Entry, body: &'a [u8], offset: u64) -> Self {
        let payload = body.get(MESSAGE_HEADER..).unwrap_or_default();
        Self { channel, log_time: entry.log_time, payload, offset }
    }
}

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Payloads {
    decoders: Decoders,
    /// By number of the channel; None: there is none for it.
    of_channel: HashMap<usize, Option<Arc<Decoder>>>,
    /// By number of the channel.
    checks: Vec<PayloadCheck>,
    /// What is decoded, for its memory.
    json: Vec<u8>,
}

impl Payloads {
    /// Decodes a message of a channel that is defined, so far.
    pub(super) fn check(&mut self, ids: &Ids, message: &Message<'_>) {
        let Some(number) = ids.parts.last().and_then(|part| part.channels.get(&message.channel)) else {
            return;
        };
        let channel = &ids.channels[*number];
        if channel.lacks_schema() {
            return;
        }
        if self.checks.len() <= *number {
            self.checks.resize_with(*number + 1, PayloadCheck::default);
        }
        let Some(decoder) = self.decoder(*number, channel) else { return };
        self.json.clear();
        let decoded = decoder.to_json(message.payload, &JsonOptions::default(), &mut self.json);
        if self.json.capacity() > KEPT {
            self.json = Vec::new();
        }
        self.checks[*number].add(message, decoded);
    }

    fn decoder(&mut self, number: usize, channel: &FileChannel) -> Option<Arc<Decoder>> {
        if let Some(known) = self.of_channel.get(&number) {
            return known.clone();
        }
        let spec = &channel.channel;
        let unchecked = match self.decoders.of_kind(&spec.message_encoding, spec.schema.as_ref()) {
            Ok(decoder) if !decoder.is_base64() => Ok(decoder),
            Ok(_any) => Err(Unchecked::Encoding),
            Err(error) => Err(Unchecked::Schema(printable(&error.to_string(), LONG).to_string())),
        };
        if self.of_channel.len() >= MOST {
            self.of_channel.clear();
        }
        let decoder = unchecked.map_err(|reason| self.checks[number].unchecked = Some(reason)).ok();
        self.of_channel.insert(number, decoder.clone());
        decoder
    }

    /// What was found of channels, in this order of their numbers.
    pub(super) fn into_checks(mut self, order: &[usize]) -> Vec<PayloadCheck> {
        self.checks.resize_with(order.len(), PayloadCheck::default);
        order.iter().map(|number| std::mem::take(&mut self.checks[*number])).collect()
    }
}

impl PayloadCheck {
    /// One more message, and the bytes that decoding it left over.
    fn add(&mut self, message: &Message<'_>, decoded: Result<usize, DecodeError>) {
        let misfit = |field: &str, offset: usize, reason: &str| Misfit {
            log_time: message.log_time,
            offset: message.offset,
            payload_offset: offset as u64,
            field: printable(field, SHORT).to_string(),
            reason: printable(reason, LONG).to_string(),
        };
        let misfit = match decoded {
            Ok(0) => None,
            Ok(left) => {
                let size = message.payload.len();
                let reason = format!("the message ends here, but the payload has {size} bytes");
                Some(misfit("", size - left, &reason))
            }
            Err(error) if error.kind == DecodeErrorKind::Unsupported => {
                let reason = || Unchecked::Form(printable(&error.to_string(), LONG).to_string());
                self.unchecked.get_or_insert_with(reason);
                return;
            }
            Err(error) => Some(misfit(&error.path, error.offset, &error.reason)),
        };
        self.checked += 1;
        if let Some(misfit) = misfit {
            self.misfits += 1;
            self.first_misfit.get_or_insert(misfit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ids::Section;
    use super::*;
    use crate::model::Schema;
    use crate::source::mcap::fields::{ChannelRecord, Definition, SchemaRecord};

    fn schema(id: u16, encoding: &str, data: &'static str) -> Definition {
        let schema = Schema { name: "pkg/msg/T".into(), encoding: encoding.into(), data: data.into() };
        Definition::Schema(SchemaRecord { id, schema, text: Default::default() })
    }

    fn channel(id: u16, schema_id: u16, message_encoding: &str) -> Definition {
        let (topic, message_encoding) = (format!("/{id}"), message_encoding.to_owned());
        Definition::Channel(ChannelRecord { id, schema_id, topic, message_encoding, ..Default::default() })
    }

    fn ids(definitions: impl IntoIterator<Item = Definition>) -> Ids {
        let mut ids = Ids::new();
        definitions
            .into_iter()
            .for_each(|definition| ids.on_definition(definition, (8, 0), Section::Data).unwrap());
        ids
    }

    /// What is found of one channel, whose messages are in chunks at 100, 200, ….
    fn checked(ids: &Ids, payloads: &[&[u8]]) -> PayloadCheck {
        let mut found = Payloads::default();
        for (number, payload) in (1..).zip(payloads) {
            let (log_time, offset) = (Timestamp(number), number * 100);
            found.check(ids, &Message { channel: 1, log_time, payload, offset });
        }
        found.into_checks(&[0]).remove(0)
    }

    #[test]
    fn messages_that_do_not_fit_are_counted_and_the_first_is_named() {
        let ids = ids([schema(1, "ros2msg", "uint8 a\nuint32[] list"), channel(1, 1, "cdr")]);
        let whole = b"\0\x01\0\0\x07\0\0\0\x01\0\0\0\x09\0\0\0";
        let found = checked(&ids, &[whole, &whole[..14], &[&whole[..], &[0; 8]].concat()]);
        assert_eq!((found.checked, found.misfits, &found.unchecked), (3, 2, &None));
        let first = found.first_misfit.unwrap();
        assert_eq!((first.log_time, first.offset, first.field.as_str()), (Timestamp(2), 200, "list"));
        assert!(first.payload_offset >= 8 && first.reason.contains("left"), "{first:?}");
        let longer = checked(&ids, &[&[&whole[..], &[0; 8]].concat()]).first_misfit.unwrap();
        assert_eq!(
            (longer.payload_offset, longer.reason.as_str()),
            (16, "the message ends here, but the payload has 24 bytes")
        );
    }

    #[test]
    fn what_can_not_be_decoded_is_not_checked_and_has_a_reason() {
        let unchecked = |definitions: [Definition; 2]| {
            let found = checked(&ids(definitions), &[b"\x28\xb5\x2f\xfd", b"{}"]);
            assert_eq!(found.first_misfit, None);
            (found.checked, found.unchecked)
        };
        assert_eq!(
            unchecked([schema(1, "x", ""), channel(1, 1, "wrong_format")]),
            (0, Some(Unchecked::Encoding))
        );
        let (_, broken) = unchecked([schema(1, "ros2msg", "uint8 a\nwstring w"), channel(1, 1, "cdr")]);
        assert!(
            matches!(&broken, Some(Unchecked::Schema(reason)) if reason.starts_with("line 2")),
            "{broken:?}"
        );
        let (_, none) = unchecked([schema(1, "ros2msg", ""), channel(1, 0, "cdr")]);
        assert!(matches!(none, Some(Unchecked::Schema(_))), "{none:?}");
        let undefined = unchecked([schema(1, "ros2msg", "uint8 a"), channel(1, 2, "cdr")]);
        assert_eq!(undefined, (0, None), "its schema may follow");
    }

    #[test]
    fn payloads_in_a_form_that_is_not_supported_are_no_misfits() {
        let ids = ids([schema(1, "ros2msg", "uint8 a"), channel(1, 1, "cdr")]);
        let found = checked(&ids, &[b"\x28\xb5\x2f\xfd", b"\0\x01\0\0\x07"]);
        assert_eq!((found.checked, found.misfits), (1, 0));
        assert!(matches!(found.unchecked, Some(Unchecked::Form(reason)) if reason.contains("zstd")));
    }
}
