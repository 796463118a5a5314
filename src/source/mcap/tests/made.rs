//! Recordings made record by record.

use std::io::Write;

use proptest::prelude::*;

pub(super) const MAGIC: &[u8] = b"\x89MCAP0\r\n";

/// Bytes of a recording, or of the records of a chunk.
#[derive(Debug, Default, Clone)]
pub(super) struct Made(pub(super) Vec<u8>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Lz4,
    Zstd,
}

impl Made {
    /// Magic and header.
    pub(super) fn recording() -> Self {
        Self(MAGIC.to_vec()).record(0x01, &[0; 8])
    }

    pub(super) fn record(mut self, opcode: u8, body: &[u8]) -> Self {
        self.0.push(opcode);
        self.0.extend((body.len() as u64).to_le_bytes());
        self.0.extend(body);
        self
    }

    pub(super) fn schema(self, id: u16, name: &str) -> Self {
        let mut body = id.to_le_bytes().to_vec();
        for text in [name, "jsonschema", "{}"] {
            put(&mut body, text.as_bytes());
        }
        self.record(0x03, &body)
    }

    /// A JSON channel; `schema` 0 is none.
    pub(super) fn channel(self, id: u16, schema: u16, topic: &str) -> Self {
        let mut body = [id.to_le_bytes(), schema.to_le_bytes()].concat();
        put(&mut body, topic.as_bytes());
        put(&mut body, b"json");
        body.extend([0; 4]);
        self.record(0x04, &body)
    }

    /// A JSON channel without a schema that ROS 1 latched.
    pub(super) fn latched_channel(self, id: u16, topic: &str) -> Self {
        let mut metadata = Vec::new();
        put(&mut metadata, b"latching");
        put(&mut metadata, b"1");
        let mut body = [id.to_le_bytes(), [0; 2]].concat();
        put(&mut body, topic.as_bytes());
        put(&mut body, b"json");
        put(&mut body, &metadata);
        self.record(0x04, &body)
    }

    /// A message whose payload holds its time.
    pub(super) fn message(self, channel: u16, time: u64) -> Self {
        self.message_with(channel, time, format!("{{\"time\":{time}}}").as_bytes())
    }

    pub(super) fn message_with(self, channel: u16, time: u64, payload: &[u8]) -> Self {
        let mut body = channel.to_le_bytes().to_vec();
        body.extend([0; 4]);
        body.extend(time.to_le_bytes());
        body.extend(time.to_le_bytes());
        body.extend(payload);
        self.record(0x05, &body)
    }

    pub(super) fn chunk(self, compression: Compression, records: &Self) -> Self {
        let (name, data) = match compression {
            Compression::None => ("", records.0.clone()),
            Compression::Zstd => ("zstd", zstd::bulk::compress(&records.0, 1).unwrap()),
            Compression::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(&records.0).unwrap();
                ("lz4", encoder.finish().unwrap())
            }
        };
        let mut body = vec![0; 16];
        body.extend((records.0.len() as u64).to_le_bytes());
        body.extend(crc32fast::hash(&records.0).to_le_bytes());
        put(&mut body, name.as_bytes());
        body.extend((data.len() as u64).to_le_bytes());
        body.extend(data);
        self.record(0x06, &body)
    }

    pub(super) fn attachment(self, bytes: usize) -> Self {
        self.record(0x09, &vec![7; bytes])
    }

    /// End of the data, a footer without a summary, magic.
    pub(super) fn end(self) -> Self {
        self.end_with(&Self::default())
    }

    pub(super) fn end_with(self, summary: &Self) -> Self {
        let mut ended = self.record(0x0F, &[0; 4]).then(summary).record(0x02, &[0; 20]);
        ended.0.extend(MAGIC);
        ended
    }

    pub(super) fn then(mut self, other: &Self) -> Self {
        self.0.extend(&other.0);
        self
    }

    /// One byte changed, counted from the end.
    pub(super) fn with_damage_before_end(mut self, distance: usize) -> Self {
        let at = self.0.len() - distance;
        self.0[at] ^= 0x55;
        self
    }
}

fn put(body: &mut Vec<u8>, text: &[u8]) {
    body.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    body.extend(text);
}

/// Two channels, and no messages yet.
pub(super) fn begun() -> Made {
    Made::recording().schema(1, "X").channel(1, 1, "/a").channel(2, 0, "/b")
}

/// Recordings with a bit of everything.
pub(super) fn arbitrary_recording() -> impl Strategy<Value = Made> {
    let times = proptest::collection::vec((1u16..4, 0u64..50), 1..12);
    let compression = prop_oneof![
        Just(None),
        Just(Some(Compression::None)),
        Just(Some(Compression::Lz4)),
        Just(Some(Compression::Zstd))
    ];
    let part = (compression, times, 0u8..6);
    proptest::collection::vec(part, 1..8).prop_map(|parts| {
        let mut made = begun();
        for (compression, times, extra) in parts {
            let messages =
                times.iter().fold(Made::default(), |made, (channel, time)| made.message(*channel, *time));
            made = match compression {
                Some(compression) => made.chunk(compression, &messages),
                None => made.then(&messages),
            };
            made = match extra {
                0 => made.attachment(700),
                1 => made.schema(1, "Y").channel(1, 1, "/a"),
                2 => made.end().then(&begun()),
                3 => made.channel(3, 1, "/a"),
                _ => made,
            };
        }
        made.end()
    })
}
