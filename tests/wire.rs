//! Frames that other programs wrote: what they mean to us, and that we write the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use foxglove_bridge::model::{ChannelId, SubscriptionId};
use foxglove_bridge::protocol::*;
use foxglove_bridge::time::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sender {
    Client,
    Server,
}

#[derive(Debug, Clone)]
struct Golden {
    /// Writer and name, for messages of failed assertions.
    label: String,
    name: String,
    sender: Sender,
    frame: Frame,
    /// Whether only the JSON values are equal, because the writers disagree on the order of keys.
    as_json: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Message {
    Client(ClientMessage),
    Server(ServerMessage),
}

impl Message {
    fn decode(sender: Sender, frame: &Frame) -> Result<Self, DecodeError> {
        match (sender, frame) {
            (Sender::Client, Frame::Text(text)) => ClientMessage::decode_text(text).map(Self::Client),
            (Sender::Server, Frame::Text(text)) => ServerMessage::decode_text(text).map(Self::Server),
            (Sender::Client, Frame::Binary(bytes)) => {
                ClientMessage::decode_binary(Bytes::copy_from_slice(bytes)).map(Self::Client)
            }
            (Sender::Server, Frame::Binary(bytes)) => {
                ServerMessage::decode_binary(Bytes::copy_from_slice(bytes)).map(Self::Server)
            }
        }
    }

    fn encode(&self) -> Frame {
        match self {
            Self::Client(message) => message.encode(),
            Self::Server(message) => message.encode(),
        }
    }
}

impl Golden {
    fn parse(writer: &str, frame: &Value) -> Self {
        let field = |name: &str| frame[name].as_str().unwrap_or_else(|| panic!("{name} in {frame}"));
        let data = field("data");
        let name = field("name").to_owned();
        let as_json = match frame.get("text_equality").and_then(Value::as_str) {
            None => false,
            Some("json") => {
                assert!(!field("reason").is_empty(), "{name}");
                true
            }
            Some(other) => panic!("text_equality {other}"),
        };
        Self {
            label: format!("{writer}: {name}"),
            name,
            sender: match field("direction") {
                "client" => Sender::Client,
                "server" => Sender::Server,
                other => panic!("direction {other}"),
            },
            frame: match field("kind") {
                "text" => Frame::Text(data.to_owned()),
                "binary" => Frame::Binary(unhex(data)),
                other => panic!("kind {other}"),
            },
            as_json,
        }
    }

    fn decode(&self) -> Message {
        Message::decode(self.sender, &self.frame).unwrap_or_else(|error| panic!("{}: {error}", self.label))
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .map(|digit| digit.expect("hex"))
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The frames of one file, or of all files.
fn golden(file: Option<&str>) -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/wire");
    let entries = fs::read_dir(folder).expect("testdata/wire is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a folder that can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.retain(|path| file.is_none_or(|file| path.file_stem().is_some_and(|stem| stem == file)));
    paths.sort();
    let frames = paths.iter().flat_map(|path| {
        let text = fs::read_to_string(path).expect("a file that can be read");
        let file: Value = serde_json::from_str(&text).expect("JSON");
        let writer = file["writer"].as_str().expect("a writer").to_owned();
        let frames = file["frames"].as_array().expect("frames").clone();
        frames.into_iter().map(move |frame| Golden::parse(&writer, &frame))
    });
    frames.collect()
}

const NPM: &str = "npm-ws-protocol-0.8.0";
const SDK_PYTHON: &str = "foxglove-sdk-python-0.30.3";
const SDK_RUST: &str = "foxglove-sdk-rust-0.30.3";

fn client_message(file: &str, name: &str) -> ClientMessage {
    match message(file, Sender::Client, name) {
        Message::Client(message) => message,
        Message::Server(message) => panic!("{message:?}"),
    }
}

fn server_message(file: &str, name: &str) -> ServerMessage {
    match message(file, Sender::Server, name) {
        Message::Server(message) => message,
        Message::Client(message) => panic!("{message:?}"),
    }
}

fn message(file: &str, sender: Sender, name: &str) -> Message {
    let frames = golden(Some(file));
    let frame = frames.iter().find(|frame| frame.sender == sender && frame.name == name);
    frame.unwrap_or_else(|| panic!("no {name} in {file}")).decode()
}

#[test]
fn every_golden_frame_is_written_as_its_writer_wrote_it() {
    let frames = golden(None);
    assert!(frames.len() > 80, "{} frames", frames.len());
    for golden in frames {
        let again = golden.decode().encode();
        match (&golden.frame, &again) {
            (Frame::Text(theirs), Frame::Text(ours)) if golden.as_json => {
                assert_ne!(theirs, ours, "{}: equal byte for byte, so it should not say json", golden.label);
                let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
                assert_eq!(value(theirs), value(ours), "{}", golden.label);
            }
            _ => assert_eq!(golden.frame, again, "{}", golden.label),
        }
    }
}

#[test]
fn there_is_a_golden_frame_of_every_kind_of_message() {
    let mut kinds = BTreeSet::new();
    for golden in golden(None) {
        let debug = match golden.decode() {
            Message::Client(message) => format!("{message:?}"),
            Message::Server(message) => format!("{message:?}"),
        };
        let kind: String = debug.chars().take_while(char::is_ascii_alphanumeric).collect();
        kinds.insert((golden.sender, kind));
    }
    let count = |sender| kinds.iter().filter(|(by, _)| *by == sender).count();
    assert_eq!((count(Sender::Client), count(Sender::Server)), (14, 16), "{kinds:?}");
}

#[test]
fn a_cut_binary_frame_names_the_field_and_its_offset() {
    for golden in golden(None) {
        let Frame::Binary(bytes) = &golden.frame else { continue };
        for end in 0..bytes.len() {
            let cut = Frame::Binary(bytes[..end].to_vec());
            match Message::decode(golden.sender, &cut) {
                Err(DecodeError::Empty) => assert_eq!(end, 0, "{}", golden.label),
                Err(DecodeError::Bytes { field, offset, problem, .. }) => {
                    assert!(!field.is_empty() && problem.contains("are left"), "{}: {problem}", golden.label);
                    assert!((1..=end).contains(&offset), "{}: byte {offset} of {end}", golden.label);
                }
                Err(other) => panic!("{}: {other}", golden.label),
                // what is cut is a payload without a length of its own: a shorter message
                Ok(shorter) => assert_eq!(shorter.encode(), cut, "{}", golden.label),
            }
        }
    }
}

#[test]
fn only_payloads_can_be_cut_unnoticed() {
    let shortest = |file, sender, name: &str| {
        let frames = golden(Some(file));
        let found = frames.iter().find(|frame| frame.sender == sender && frame.name == name).unwrap();
        let Frame::Binary(bytes) = &found.frame else { panic!("{name} is text") };
        let cut = |end: &usize| Message::decode(sender, &Frame::Binary(bytes[..*end].to_vec())).is_ok();
        (0..=bytes.len()).find(cut).unwrap()
    };
    assert_eq!(shortest(NPM, Sender::Client, "message_data"), 5);
    assert_eq!(shortest(NPM, Sender::Client, "service_call_request"), 13 + "json".len());
    assert_eq!(shortest(NPM, Sender::Server, "message_data"), 13);
    assert_eq!(shortest(NPM, Sender::Server, "time"), 9);
    assert_eq!(shortest(NPM, Sender::Server, "service_call_response"), 13 + "json".len());
    assert_eq!(shortest(NPM, Sender::Server, "fetch_asset_response"), 10);
    assert_eq!(shortest(NPM, Sender::Server, "fetch_asset_response_error"), 10 + "not found: µ".len());
    assert_eq!(shortest(SDK_PYTHON, Sender::Server, "playback_state_answer"), 19 + "req-4".len());
    assert_eq!(shortest(SDK_RUST, Sender::Client, "playback_control_seek"), 19 + "req-3".len());
}

#[test]
fn what_clients_ask_for_is_understood() {
    let subscription = Subscription { id: SubscriptionId(1), channel_id: ChannelId(u32::MAX) };
    assert_eq!(
        client_message(NPM, "subscribe_largest_channel_id"),
        ClientMessage::Subscribe(vec![subscription])
    );
    let channel = ClientChannel {
        id: ClientChannelId(2),
        topic: "/cmd \"µ\"".to_owned(),
        encoding: "ros1".to_owned(),
        schema_name: "std_msgs/String".to_owned(),
        schema_encoding: Some("ros1msg".to_owned()),
        schema: Some("string data\n".to_owned()),
    };
    assert_eq!(client_message(NPM, "advertise_with_schema"), ClientMessage::Advertise(vec![channel]));
    let ClientMessage::Advertise(channels) = client_message(SDK_RUST, "advertise") else { panic!() };
    assert_eq!(channels[0].schema, None);
    assert_eq!(channels[1].schema_data().unwrap().as_deref(), Some([0x0a, 0x00].as_slice()));
    let data =
        ClientMessageData { channel_id: ClientChannelId(1), payload: Bytes::from_static(br#"{"v":1}"#) };
    assert_eq!(client_message(NPM, "message_data"), ClientMessage::MessageData(data));
    let call = ServiceCallRequest {
        service_id: ServiceId(3),
        call_id: CallId(1),
        encoding: "json".to_owned(),
        payload: Bytes::from_static(br#"{"on":true}"#),
    };
    assert_eq!(client_message(SDK_RUST, "service_call_request"), ClientMessage::ServiceCallRequest(call));
    let asset =
        FetchAsset { uri: "package://robot/arm.stl".to_owned(), request_id: AssetRequestId(u32::MAX) };
    assert_eq!(client_message(NPM, "fetch_asset"), ClientMessage::FetchAsset(asset));
}

#[test]
fn playback_requests_of_the_sdk_are_understood() {
    let request = |name| match client_message(SDK_RUST, name) {
        ClientMessage::PlaybackControlRequest(request) => request,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        request("playback_control_seek"),
        PlaybackControlRequest {
            command: PlaybackCommand::Play,
            speed: 2.5,
            seek: Some(Timestamp(1_490_149_580_103_843_113)),
            request_id: "req-3".to_owned(),
        }
    );
    let pause = request("playback_control_pause");
    assert_eq!((pause.command, pause.speed, pause.seek), (PlaybackCommand::Pause, 0.25, None));
    // a seek to zero is a seek
    assert_eq!(request("playback_control_without_id").seek, Some(Timestamp(0)));
}

#[test]
fn parameters_are_understood_at_any_depth_and_of_any_type() {
    let ClientMessage::SetParameters(set) = client_message(NPM, "set_parameters") else { panic!() };
    assert_eq!(set.id.as_deref(), Some("req-2"));
    let named = |name: &str| set.parameters.iter().find(|parameter| parameter.name == name).unwrap();
    assert_eq!(named("/int"), &Parameter::new("/int", 7));
    let integral = named("/integral_float");
    assert_eq!(integral.parameter_type, Some(ParameterType::Float64));
    assert_eq!(integral.value.as_ref().and_then(ParameterValue::as_f64), Some(7.0));
    assert_eq!(named("/float"), &Parameter::float64("/float", 0.1).unwrap());
    assert_eq!(named("/floats").parameter_type, Some(ParameterType::Float64Array));
    assert_eq!(named("/bytes").to_bytes(), Some(vec![0x00, 0xff, 0x10]));
    assert_eq!(named("/text"), &Parameter::new("/text", "a\nb"));
    assert_eq!(named("/flag"), &Parameter::new("/flag", true));
    assert_eq!(named("/removed"), &Parameter::unset("/removed"));
    let Some(ParameterValue::Object(nested)) = &named("/nested").value else { panic!() };
    let Some(ParameterValue::Array(items)) = nested.get("a") else { panic!() };
    assert_eq!(items[1..3], [ParameterValue::from("x"), ParameterValue::from(false)]);

    let ServerMessage::ParameterValues(values) = server_message(SDK_PYTHON, "parameter_values") else {
        panic!()
    };
    assert_eq!(values.id.as_deref(), Some("req-1"));
    assert!(values.parameters.contains(&Parameter::float64("/integral_float", 7.0).unwrap()));
    assert!(values.parameters.contains(&Parameter::byte_array("/bytes", &[0x00, 0xff, 0x10])));
}

#[test]
fn what_servers_announce_is_understood() {
    let ServerMessage::ServerInfo(info) = server_message(SDK_PYTHON, "server_info") else { panic!() };
    assert_eq!(info.data_start_time, Some(Timestamp(1_490_149_580_103_843_113)));
    assert_eq!(info.data_end_time, Some(Timestamp(1_490_149_600_000_000_001)));
    assert!(info.capabilities.contains(&Capability::PlaybackControl));
    assert_eq!(info.supported_encodings, ["json"]);
    let ServerMessage::ServerInfo(info) = server_message(NPM, "server_info") else { panic!() };
    assert_eq!(info.capabilities.last(), Some(&Capability::Other("someday".to_owned())));
    assert_eq!(info.metadata["ROS_DISTRO"], "humble");
    assert_eq!(info.session_id.as_deref(), Some("session-1"));

    let ServerMessage::Advertise(channels) = server_message(SDK_PYTHON, "advertise") else { panic!() };
    let protobuf = channels.iter().find(|channel| channel.topic == "/p").unwrap().to_channel().unwrap();
    assert_eq!(protobuf.schema.as_ref().unwrap().data.as_ref(), [0x0a, 0x00]);
    assert_eq!(protobuf.metadata["latching"], "true");
    let ServerMessage::Advertise(channels) = server_message(NPM, "advertise_channel_without_schema_encoding")
    else {
        panic!()
    };
    // without a schema encoding it is that of the message encoding
    assert_eq!(channels[0].schema_encoding, None);
    assert_eq!(channels[0].to_channel().unwrap().schema.unwrap().data.as_ref(), [0x0a, 0x00]);

    let mut table = SchemaTable::default();
    let mut tabled = |name| match server_message(SDK_PYTHON, name) {
        ServerMessage::AdvertiseTable(advertise) => table.read(advertise).unwrap(),
        other => panic!("{other:?}"),
    };
    let ServerMessage::Advertise(inline) = server_message(SDK_PYTHON, "advertise") else { panic!() };
    let all = tabled("advertise_table");
    for channel in &inline {
        assert!(all.contains(channel), "both forms say the same of {}", channel.topic);
    }
    assert_eq!(tabled("advertise_table_known_schema")[0].schema, r#"{"type":"object"}"#);
    assert_eq!(tabled("advertise_table_new_schema")[0].schema, "{}");

    let ServerMessage::AdvertiseServices(services) = server_message(NPM, "advertise_services_old_style")
    else {
        panic!()
    };
    assert_eq!((services[0].id, services[0].service_type.as_str()), (ServiceId(2), "Old"));
    assert_eq!((&services[0].request, services[0].request_schema.as_deref()), (&None, Some("bool on")));
    let ServerMessage::AdvertiseServices(services) = server_message(SDK_PYTHON, "advertise_services") else {
        panic!()
    };
    assert_eq!(services[0].request.as_ref().unwrap().schema_encoding.as_deref(), Some("jsonschema"));
}

#[test]
fn what_servers_send_is_understood() {
    let data = MessageData {
        subscription_id: SubscriptionId(12),
        log_time: Timestamp(1_490_149_580_103_843_113),
        payload: Bytes::from_static(br#"{"x":1}"#),
    };
    assert_eq!(server_message(NPM, "message_data"), ServerMessage::MessageData(data));
    assert_eq!(server_message(NPM, "time"), ServerMessage::Time(Timestamp(1_490_149_580_103_843_113)));
    assert_eq!(
        server_message(NPM, "status_with_id"),
        ServerMessage::Status(Status::warning("slow").with_id("s-1"))
    );
    assert_eq!(
        server_message(NPM, "fetch_asset_response"),
        ServerMessage::FetchAssetResponse(FetchAssetResponse {
            request_id: AssetRequestId(5),
            result: Ok(Bytes::from_static(&[0, 1, 254, 255])),
        })
    );
    assert_eq!(
        server_message(NPM, "fetch_asset_response_error"),
        ServerMessage::FetchAssetResponse(FetchAssetResponse {
            request_id: AssetRequestId(6),
            result: Err("not found: µ".to_owned()),
        })
    );
    let ServerMessage::ConnectionGraphUpdate(graph) = server_message(SDK_PYTHON, "connection_graph_update")
    else {
        panic!()
    };
    assert_eq!(graph.subscribed_topics[0].subscriber_ids, ["base"]);
    let state = |status, speed, did_seek, request_id: Option<&str>| {
        let current_time = Timestamp(1_490_149_580_103_843_113);
        let request_id = request_id.map(str::to_owned);
        ServerMessage::PlaybackState(PlaybackState { status, current_time, speed, did_seek, request_id })
    };
    for (name, expected) in [
        ("playback_state_playing", state(PlaybackStatus::Playing, 1.0, false, None)),
        ("playback_state_paused_after_seek", state(PlaybackStatus::Paused, 0.5, true, Some("req-3"))),
        ("playback_state_buffering", state(PlaybackStatus::Buffering, 2.5, false, None)),
        ("playback_state_ended", state(PlaybackStatus::Ended, 1.0, false, None)),
        ("playback_state_answer", state(PlaybackStatus::Playing, 2.0, true, Some("req-4"))),
    ] {
        assert_eq!(server_message(SDK_PYTHON, name), expected, "{name}");
    }
}

proptest! {
    #[test]
    fn damaged_golden_frames_never_panic(
        golden in prop::sample::select(golden(None)),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = match golden.frame {
            Frame::Text(text) => text.into_bytes(),
            Frame::Binary(bytes) => bytes,
        };
        for (index, byte) in damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for frame in [Frame::Text(text), Frame::Binary(bytes)] {
            for sender in [Sender::Client, Sender::Server] {
                if let Ok(message) = Message::decode(sender, &frame) {
                    // whatever was understood can be written, and means the same again
                    let again = Message::decode(sender, &message.encode());
                    prop_assert_eq!(again.as_ref(), Ok(&message));
                }
            }
        }
    }
}
