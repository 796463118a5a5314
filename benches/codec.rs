//! Encodes and decodes messages of the protocol and their WebSocket frames, and prints what each costs, on one core.
//!
//! `cargo bench --bench codec` measures what is done for every message, for every client that joins (1,200 channels), and
//! for what a client asks. Bytes are those of the frame. Figures are printed, nothing is asserted: they depend on what
//! else the machine does; each is the best of several runs.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops where it can't measure"
)]
#![allow(missing_docs, reason = "a program")]

use std::hint::black_box;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use foxglove_bridge::internals::websocket::deflate::{Context, Deflater, Inflater};
use foxglove_bridge::internals::websocket::{Decoder, FrameWriter, Masking, Role};
use foxglove_bridge::internals::{message_data_header, time_frame};
use foxglove_bridge::model::{Channel, ChannelId, Schema, SubscriptionId};
use foxglove_bridge::protocol::{
    AdvertisedChannel, Capability, ClientMessage, Frame, MessageData, PlaybackCommand,
    PlaybackControlRequest, PlaybackState, PlaybackStatus, ServerInfo, ServerMessage, Status, Subscription,
};
use foxglove_bridge::time::Timestamp;

const CHANNELS: u32 = 1_200;

/// Times an operation on frames of this many bytes.
fn measure<T>(name: &str, bytes: usize, mut operation: impl FnMut() -> T) {
    const RUN: Duration = Duration::from_millis(60);
    const RUNS: usize = 7;
    let mut run = |count: u32| {
        let begin = Instant::now();
        for _ in 0..count {
            black_box(operation());
        }
        begin.elapsed()
    };
    let mut count = 1;
    while run(count) < RUN / 2 {
        count *= 2;
    }
    let nanos = (0..RUNS).map(|_| run(count).as_secs_f64() * 1e9 / f64::from(count)).fold(f64::MAX, f64::min);
    println!("{name:<44} {bytes:>8} B {nanos:>12.1} ns {:>9.0} MB/s", bytes as f64 / nanos * 1e3);
}

fn decode_server(frame: &Frame) -> ServerMessage {
    match frame {
        Frame::Text(text) => ServerMessage::decode_text(text).unwrap(),
        Frame::Binary(bytes) => ServerMessage::decode_binary(Bytes::copy_from_slice(bytes)).unwrap(),
    }
}

fn server(name: &str, message: &ServerMessage) {
    let frame = message.encode();
    measure(&format!("encode {name}"), frame.len(), || black_box(message).encode());
    measure(&format!("decode {name}"), frame.len(), || decode_server(black_box(&frame)));
}

fn client(name: &str, message: &ClientMessage) {
    let frame = message.encode();
    measure(&format!("encode {name}"), frame.len(), || black_box(message).encode());
    measure(&format!("decode {name}"), frame.len(), || match black_box(&frame) {
        Frame::Text(text) => ClientMessage::decode_text(text).unwrap(),
        Frame::Binary(bytes) => ClientMessage::decode_binary(Bytes::copy_from_slice(bytes)).unwrap(),
    });
}

fn each_message() {
    let (subscription, time) = (SubscriptionId(7), Timestamp(1_490_149_580_103_843_113));
    measure("message data header", 13, || message_data_header(black_box(subscription), black_box(time)));
    measure("time", 9, || time_frame(black_box(time)));
    let payload = Bytes::from(vec![7; 100]);
    let message =
        ServerMessage::MessageData(MessageData { subscription_id: subscription, log_time: time, payload });
    if let Frame::Binary(frame) = message.encode() {
        let frame = Bytes::from(frame);
        measure("encode message data, payload copied", frame.len(), || black_box(&message).encode());
        measure("decode message data, payload shared", frame.len(), || {
            ServerMessage::decode_binary(black_box(&frame).clone()).unwrap()
        });
    }
}

/// Channels of a large robot: a few types, many topics.
fn channels() -> Vec<Channel> {
    let text = "# The state of one joint\nstd_msgs/Header header\nfloat64[] position\n".repeat(12);
    let schemas: Vec<_> = ["sensor_msgs/msg/JointState", "foxglove.SceneUpdate"]
        .iter()
        .zip(["ros2msg", "protobuf"])
        .map(|(name, encoding)| {
            let data = Bytes::from(text.clone());
            Arc::new(Schema { name: (*name).into(), encoding: encoding.into(), data })
        })
        .collect();
    let channel = |number: u32| {
        let (encoding, schema) = [("cdr", &schemas[0]), ("protobuf", &schemas[1])][number as usize % 2];
        Channel {
            id: ChannelId(number),
            topic: format!("/robot/arm_{}/joint_{number}/state", number % 12),
            message_encoding: encoding.into(),
            schema: Some(schema.clone()),
            metadata: [("offered_qos_profiles".to_owned(), "- history: 1\n  depth: 10\n".to_owned())].into(),
            latched: false,
        }
    };
    (1..=CHANNELS).map(channel).collect()
}

fn each_client() {
    let channels = channels();
    let advertised = || -> Vec<AdvertisedChannel> {
        channels.iter().map(|channel| AdvertisedChannel::from_channel(channel).unwrap()).collect()
    };
    let message = ServerMessage::Advertise(advertised());
    measure("channels to advertise, 1,200", message.encode().len(), advertised);
    server("advertise, 1,200 channels", &message);
    let ids = (1..=CHANNELS).map(ChannelId).collect();
    server("unadvertise, 1,200 channels", &ServerMessage::Unadvertise(ids));
    let subscription = |id| Subscription { id: SubscriptionId(id), channel_id: ChannelId(id) };
    client(
        "subscribe, 1,200 channels",
        &ClientMessage::Subscribe((1..=CHANNELS).map(subscription).collect()),
    );
    client("subscribe, 1 channel", &ClientMessage::Subscribe(vec![subscription(1)]));
    let ids = (1..=CHANNELS).map(SubscriptionId).collect();
    client("unsubscribe, 1,200 channels", &ClientMessage::Unsubscribe(ids));
    server(
        "server info",
        &ServerMessage::ServerInfo(ServerInfo {
            name: "drive.mcap".into(),
            capabilities: vec![Capability::Time, Capability::PlaybackControl],
            supported_encodings: Vec::new(),
            metadata: [("a".to_owned(), "b".to_owned())].into(),
            session_id: Some("12345-0".into()),
            data_start_time: Some(Timestamp(1)),
            data_end_time: Some(Timestamp(2)),
        }),
    );
    server(
        "status",
        &ServerMessage::Status(Status::warning("Send buffer limit reached").with_id("slow-client")),
    );
}

fn playback() {
    let request = PlaybackControlRequest {
        command: PlaybackCommand::Play,
        speed: 1.0,
        seek: Some(Timestamp(1_490_149_580_103_843_113)),
        request_id: "0f8fad5b-d9cb-469f-a165-70867728950e".into(),
    };
    client("playback control", &ClientMessage::PlaybackControlRequest(request));
    let state = PlaybackState {
        status: PlaybackStatus::Playing,
        current_time: Timestamp(1_490_149_580_103_843_113),
        speed: 1.0,
        did_seek: true,
        request_id: Some("0f8fad5b-d9cb-469f-a165-70867728950e".into()),
    };
    server("playback state", &ServerMessage::PlaybackState(state));
}

/// Messages to WebSocket frames and back, with and without compression.
fn frames() {
    const WRITE: usize = 120 << 10;
    for length in [100, 1_000, 100_000] {
        let text = r#"{"x": 0.25, "y": 1.5, "frame": "base_link"}, "#;
        let payload = Bytes::from(text.bytes().cycle().take(length).collect::<Vec<_>>());
        let mut writer = FrameWriter::default();
        measure("frame a message", length, || {
            writer.message(&[1; 13], black_box(&payload), || payload.clone());
            if writer.len() >= WRITE {
                writer.advance(writer.len());
            }
        });
        for (name, role) in [("a server's", Role::Client), ("a client's, masked", Role::Server)] {
            let frame = match role {
                Role::Client => framed(FrameWriter::default(), &payload),
                Role::Server => framed(FrameWriter::new(|| [1, 2, 3, 4]), &payload),
            };
            let mut decoder = Decoder::new(role, 1 << 20, None);
            measure(&format!("read a frame, {name}"), length, || decoder.decode(&mut black_box(&frame[..])));
        }
        let mut deflater = Deflater::new(1, 6, 13);
        let mut compressed = Vec::new();
        measure("deflate a message", length, || {
            compressed.clear();
            deflater.deflate(black_box(&payload), &mut compressed);
            deflater.finish(&mut compressed);
        });
        let mut inflated = Vec::new();
        let mut inflater = Inflater::new(Context::Takeover);
        let mut alone = Vec::new();
        deflater.reset();
        deflater.deflate(&payload, &mut alone);
        deflater.finish(&mut alone);
        measure("inflate a message", length, || {
            inflated.clear();
            inflater.inflate(black_box(&alone), &mut inflated, 1 << 20).unwrap();
            inflater.finish(&mut inflated, 1 << 20).unwrap();
        });
    }
}

fn framed<M: Masking>(mut writer: FrameWriter<M>, payload: &Bytes) -> Vec<u8> {
    writer.binary(payload.clone());
    let mut slices = [IoSlice::new(&[]); 2];
    let used = writer.slices(&mut slices);
    slices[..used].iter().flat_map(|slice| slice.to_vec()).collect()
}

fn main() {
    each_message();
    frames();
    each_client();
    playback();
}
