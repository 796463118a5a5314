//! Records the client messages of the crate `foxglove`, which has no client to record them from a socket.
//!
//!     cargo run --target-dir ../../../../target/golden > ../../../../testdata/wire/foxglove-sdk-rust-0.30.3.json

use std::borrow::Cow;

use foxglove::ws_protocol::client::advertise::Channel;
use foxglove::ws_protocol::client::{
    Advertise, FetchAsset, GetParameters, MessageData, PlaybackCommand, PlaybackControlRequest, ServiceCallRequest,
    SetParameters, Subscribe, SubscribeConnectionGraph, SubscribeParameterUpdates, Subscription, Unadvertise,
    Unsubscribe, UnsubscribeConnectionGraph, UnsubscribeParameterUpdates,
};
use foxglove::ws_protocol::parameter::Parameter;
use foxglove::ws_protocol::schema::Schema;
use foxglove::ws_protocol::{BinaryMessage, JsonMessage};
use serde_json::{Value, json};

const FETCH_ASSET: &str = "the SDK puts requestId before uri; npm, whose clients are in use, after it, and so do we";

fn main() {
    let mut frames = Vec::new();
    let mut text = |name: &str, message: String| {
        frames.push(json!({"name": name, "direction": "client", "kind": "text", "data": message}));
    };
    text("subscribe", Subscribe::new([Subscription::new(0, 7), Subscription::new(1, 9)]).to_string());
    text("unsubscribe", Unsubscribe::new([0, 1]).to_string());
    let described = Schema::new("P", "protobuf", &[0x0a, 0x00]);
    let channels = [
        Channel::builder(1, "/cmd", "json").build().expect("json needs no schema"),
        Channel::builder(2, "/p", "protobuf").with_schema(described).build().expect("has a schema"),
    ];
    text("advertise", Advertise::new(channels).to_string());
    text("unadvertise", Unadvertise::new([1, 2]).to_string());
    text("get_parameters", GetParameters::new(["/a"]).with_id("req-1").to_string());
    text("get_parameters_all_without_id", GetParameters::new([] as [&str; 0]).to_string());
    let parameters = [
        Parameter::integer("/int", 7),
        Parameter::float64("/integral_float", 7.0),
        Parameter::float64_array("/floats", [1.0, 2.5]),
        Parameter::byte_array("/bytes", &[0x00, 0xff, 0x10]),
        Parameter::string("/text", "x"),
        Parameter::bool("/flag", true),
        Parameter::empty("/removed"),
    ];
    text("set_parameters", SetParameters::new(parameters).with_id("req-2").to_string());
    text("subscribe_parameter_updates", SubscribeParameterUpdates::new(["/a"]).to_string());
    text("unsubscribe_parameter_updates", UnsubscribeParameterUpdates::new(["/a"]).to_string());
    text("subscribe_connection_graph", SubscribeConnectionGraph {}.to_string());
    text("unsubscribe_connection_graph", UnsubscribeConnectionGraph {}.to_string());
    text("fetch_asset", FetchAsset::new(5, "package://robot/arm.stl").to_string());

    let mut binary = |name: &str, message: Vec<u8>| {
        let hex: String = message.iter().map(|byte| format!("{byte:02x}")).collect();
        frames.push(json!({"name": name, "direction": "client", "kind": "binary", "data": hex}));
    };
    binary("message_data", MessageData::new(1, br#"{"v":1}"#).to_bytes());
    let call = ServiceCallRequest {
        service_id: 3,
        call_id: 1,
        encoding: Cow::Borrowed("json"),
        payload: Cow::Borrowed(br#"{"on":true}"#),
    };
    binary("service_call_request", call.to_bytes());
    let mut control = |name: &str, command: PlaybackCommand, speed: f32, seek_time: Option<u64>, id: &str| {
        let request = PlaybackControlRequest {
            playback_command: command,
            playback_speed: speed,
            seek_time,
            request_id: id.to_owned(),
        };
        binary(name, request.to_bytes());
    };
    control("playback_control_play", PlaybackCommand::Play, 1.0, None, "req-1");
    control("playback_control_pause", PlaybackCommand::Pause, 0.25, None, "req-2");
    control("playback_control_seek", PlaybackCommand::Play, 2.5, Some(1_490_149_580_103_843_113), "req-3");
    control("playback_control_without_id", PlaybackCommand::Pause, 1.0, Some(0), "");

    for frame in &mut frames {
        if frame["name"] == "fetch_asset" {
            frame["text_equality"] = "json".into();
            frame["reason"] = FETCH_ASSET.into();
        }
    }
    let lines: Vec<String> = frames.iter().map(|frame: &Value| format!("    {frame}")).collect();
    println!("{{\n  \"writer\": \"crate foxglove 0.30.3\",\n  \"frames\": [\n{}\n  ]\n}}", lines.join(",\n"));
}
