//! Messages as JSON lines, decoded: `{"topic":…,"log_time":…,"data":…}`.

use foxglove_bridge::client::Message;
use foxglove_bridge::payload::{JsonOptions, TypeOptions, Types};
use foxglove_bridge::time::Timestamp;

use super::decoded::{Appended, Payloads};
use super::{Form, Written};

pub(super) struct Lines {
    payloads: Payloads,
    /// Those that `serve` knows: a line names its schema only if that can be read back.
    types: Types,
    json: Vec<u8>,
}

impl Lines {
    pub(super) fn new(options: JsonOptions) -> anyhow::Result<Self> {
        let types = Types::load(&TypeOptions::default())?;
        Ok(Self { payloads: Payloads::new(options), types, json: Vec::new() })
    }
}

impl Form for Lines {
    fn write(&mut self, message: &Message, out: &mut Vec<u8>) -> Written {
        self.json.clear();
        let appended = self.payloads.append(message, &mut self.json);
        let channel = &message.channel;
        out.extend_from_slice(b"{\"topic\":");
        text(&channel.topic, out);
        out.extend_from_slice(b",\"log_time\":");
        text(&time(message.log_time), out);
        match appended {
            Appended::Json => {
                let schema = channel.schema.as_ref().filter(|schema| {
                    channel.message_encoding == "protobuf" && self.types.find(&schema.name).is_some()
                });
                if let Some(schema) = schema {
                    out.extend_from_slice(b",\"schema\":");
                    text(&schema.name, out);
                }
                out.extend_from_slice(b",\"data\":");
            }
            Appended::Base64 => {
                out.extend_from_slice(b",\"encoding\":");
                text(&channel.message_encoding, out);
                out.extend_from_slice(b",\"data_base64\":");
            }
        }
        out.extend_from_slice(&self.json);
        out.extend_from_slice(b"}\n");
        Written::Lines
    }
}

/// Appends a string as JSON.
pub(super) fn text(text: &str, out: &mut Vec<u8>) {
    // memory takes every write
    out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

/// A time in a notation that is read back exactly: RFC 3339, and seconds before 1971.
pub(super) fn time(time: Timestamp) -> String {
    let text = time.to_string();
    text.strip_suffix(" s").map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use foxglove_bridge::model::{Channel, ChannelId, Schema};
    use foxglove_bridge::payload::{Length, NanPolicy};

    use super::*;

    pub(in crate::cli::echo) fn message(
        encoding: &str,
        schema: Option<(&str, &str, &[u8])>,
        payload: &'static [u8],
    ) -> Message {
        let schema = schema.map(|(name, encoding, data)| {
            let data = bytes::Bytes::copy_from_slice(data);
            Arc::new(Schema { name: name.to_owned(), encoding: encoding.to_owned(), data })
        });
        let channel = Channel {
            id: ChannelId(1),
            topic: "/a".to_owned(),
            message_encoding: encoding.to_owned(),
            schema,
            metadata: Default::default(),
            latched: false,
        };
        let log_time = Timestamp(1_490_149_580_103_843_113);
        Message { channel: Arc::new(channel), log_time, payload: bytes::Bytes::from_static(payload) }
    }

    pub(in crate::cli::echo) fn written(form: &mut dyn Form, message: &Message) -> String {
        let mut out = Vec::new();
        form.write(message, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn messages_are_lines_that_can_be_read_back() {
        let mut lines = Lines::new(JsonOptions::default()).unwrap();
        assert_eq!(
            written(&mut lines, &message("json", None, b"{\"x\":\n 1}")),
            "{\"topic\":\"/a\",\"log_time\":\"2017-03-22T02:26:20.103843113Z\",\"data\":{\"x\":  1}}\n"
        );
        let reading = message("cdr", Some(("pkg/msg/R", "ros2msg", b"float32 v")), b"\0\x01\0\0\0\0\xc0\x3f");
        assert!(written(&mut lines, &reading).ends_with(",\"data\":{\"v\":1.5}}\n"));
        let unknown = written(&mut lines, &message("cbor", None, &[0xff]));
        assert!(unknown.ends_with(",\"encoding\":\"cbor\",\"data_base64\":\"/w==\"}\n"), "{unknown}");
    }

    #[test]
    fn numbers_that_json_has_not_and_long_values_are_as_they_are_wanted() {
        let schema = Some(("pkg/msg/R", "ros2msg", &b"float32 v\nuint8[] b"[..]));
        let data = |options, payload| {
            let line = written(&mut Lines::new(options).unwrap(), &message("cdr", schema, payload));
            line.split_once(",\"data\":").map_or(line.clone(), |(_, data)| data.to_owned())
        };
        let payload: &[u8] = b"\0\x01\0\0\0\0\x80\x7f\x1e\0\0\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        let of = |nan, length| JsonOptions { nan, length };
        let whole = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh";
        assert_eq!(data(JsonOptions::default(), payload), format!("{{\"v\":null,\"b\":\"{whole}\"}}}}\n"));
        assert_eq!(
            data(of(NanPolicy::String, Length::Short), payload),
            "{\"v\":\"Infinity\",\"b\":\"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh… (30 bytes)\"}}\n"
        );
        let rejected = data(of(NanPolicy::Reject, Length::Whole), payload);
        assert!(
            rejected.contains(",\"encoding\":\"cdr\",\"data_base64\":\"AAEAAAAAgH8eAAAAYWFh"),
            "{rejected}"
        );
    }

    #[test]
    fn times_before_1971_are_seconds() {
        assert_eq!(time(Timestamp(1_500_000_000)), "1.500000000");
    }
}
