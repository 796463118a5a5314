//! Errors as peers read them, and properties of all messages.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Number;

use super::*;
use crate::model::{ChannelId, SubscriptionId};
use crate::time::Timestamp;

fn client_error(text: &str) -> String {
    ClientMessage::decode_text(text).unwrap_err().to_string()
}

fn server_error(text: &str) -> String {
    ServerMessage::decode_text(text).unwrap_err().to_string()
}

#[test]
fn a_bad_field_is_named_with_its_operation_and_the_way_to_it() {
    let subscribe = |last: &str| {
        let good = r#"{"id":0,"channelId":0}"#;
        client_error(&format!(r#"{{"op":"subscribe","subscriptions":[{good},{good},{good},{last}]}}"#))
    };
    let wanted = "expected an integer from 0 to 4294967295";
    let path = "subscribe: subscriptions[3].channelId";
    for (written, found) in [
        ("-1", "-1"),
        ("4294967296", "4294967296"),
        ("1.5", "1.5"),
        ("1.0", "1.0"),
        (r#""7""#, "a string"),
        ("null", "null"),
        ("[]", "an array"),
    ] {
        let error = subscribe(&format!(r#"{{"id":1,"channelId":{written}}}"#));
        assert_eq!(error, format!("{path}: {wanted}, found {found}"));
    }
    assert_eq!(subscribe(r#"{"id":1}"#), format!("{path}: missing"));
    assert_eq!(subscribe("7"), "subscribe: subscriptions[3]: expected an object, found 7");
    assert_eq!(client_error(r#"{"op":"unsubscribe"}"#), "unsubscribe: subscriptionIds: missing");
    assert_eq!(
        server_error(r#"{"op":"serverInfo","name":"x","capabilities":[1]}"#),
        "serverInfo: capabilities[0]: expected a string, found 1"
    );
    assert_eq!(
        server_error(r#"{"op":"status","level":3,"message":"x"}"#),
        "status: level: expected 0, 1 or 2, found 3"
    );
}

#[test]
fn malformed_json_is_named_with_line_and_column() {
    let error = ClientMessage::decode_text("{\"op\":\n \"subscribe\",}").unwrap_err();
    let DecodeError::Json { line, column, problem } = &error else { panic!("{error:?}") };
    assert_eq!((*line, *column, problem.as_str()), (2, 14, "trailing comma"));
    assert_eq!(error.to_string(), "malformed JSON at line 2, column 14: trailing comma");
    let error = ClientMessage::decode_text("not JSON").unwrap_err();
    assert_eq!(error.to_string(), "malformed JSON at line 1, column 2: expected true, false or null");
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"op":"setParameters","parameters":[{{"name":"a","value":{value}}}]}}"#)
    };
    assert!(ClientMessage::decode_text(&nested(100)).is_ok());
    let error = ClientMessage::decode_text(&nested(100_000)).unwrap_err();
    assert!(matches!(error, DecodeError::Json { .. }), "{error}");
}

#[test]
fn a_text_without_an_operation_is_told_apart_from_an_unknown_one() {
    for text in ["{}", "[]", "7", r#"{"op":1}"#, r#""subscribe""#] {
        assert_eq!(ClientMessage::decode_text(text), Err(DecodeError::NoOp), "{text}");
        assert_eq!(ServerMessage::decode_text(text), Err(DecodeError::NoOp), "{text}");
    }
    let unknown = |op: &str| DecodeError::UnknownOp { op: op.to_owned() };
    let error = ClientMessage::decode_text(r#"{"op":"serverInfo"}"#).unwrap_err();
    assert_eq!(error, unknown("serverInfo"));
    let error = ServerMessage::decode_text(r#"{"op":"subscribe"}"#).unwrap_err();
    assert_eq!(error, unknown("subscribe"));
}

#[test]
fn an_error_repeats_little_of_what_the_peer_sent() {
    let long = "µ".repeat(1_000_000);
    for text in [
        format!(r#"{{"op":"{long}"}}"#),
        format!(
            r#"{{"op":"setParameters","parameters":[{{"name":"a","value":{{"{long}":{{"{long}":null}}}}}}]}}"#
        ),
        format!(r#"{{"op":"fetchAsset","uri":"x","requestId":"{long}"}}"#),
        format!(r#"{{"op":"setParameters","parameters":[{{"name":"a","type":"{long}"}}]}}"#),
    ] {
        let error = client_error(&text);
        assert!(error.chars().count() < 200, "{} characters", error.chars().count());
    }
}

#[test]
fn unknown_opcodes_and_empty_frames_are_told_apart() {
    for opcode in [0, 4, 5, 255] {
        let error = ClientMessage::decode_binary(Bytes::copy_from_slice(&[opcode])).unwrap_err();
        assert_eq!(error, DecodeError::UnknownOpcode { opcode });
    }
    for opcode in [0, 6, 255] {
        let error = ServerMessage::decode_binary(Bytes::copy_from_slice(&[opcode])).unwrap_err();
        assert_eq!(error, DecodeError::UnknownOpcode { opcode });
    }
    assert_eq!(ClientMessage::decode_binary(Bytes::new()), Err(DecodeError::Empty));
    assert_eq!(ServerMessage::decode_binary(Bytes::new()), Err(DecodeError::Empty));
}

fn control(command: u8, speed: f32, request_id: &[u8]) -> Bytes {
    let mut frame = vec![3, command];
    frame.extend_from_slice(&speed.to_le_bytes());
    frame.extend_from_slice(&[0; 9]);
    frame.extend_from_slice(&u32::try_from(request_id.len()).unwrap().to_le_bytes());
    frame.extend_from_slice(request_id);
    frame.into()
}

#[test]
fn a_playback_request_is_refused_with_field_and_offset() {
    let message = "playback control request";
    let error = |frame| ClientMessage::decode_binary(frame).unwrap_err().to_string();
    for (speed, printed) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let expected = format!("{message}: speed at byte 2: {printed} is not a finite number");
        assert_eq!(error(control(0, speed, b"id")), expected);
    }
    assert_eq!(
        error(control(2, 1.0, b"id")),
        format!("{message}: command at byte 1: expected 0 or 1, found 2")
    );
    assert_eq!(error(control(0, 1.0, b"ab\xff")), format!("{message}: request id at byte 21: not UTF-8"));
    let whole = control(0, 1.0, b"id");
    assert_eq!(
        error(whole.slice(..20)),
        format!("{message}: request id at byte 19: needs 2 bytes, 1 are left")
    );
    assert_eq!(error(whole.slice(..9)), format!("{message}: seek time at byte 7: needs 8 bytes, 2 are left"));
}

#[test]
fn a_length_beyond_the_frame_is_refused_without_reading_on() {
    let frame = Bytes::from_static(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 1]);
    let error = ClientMessage::decode_binary(frame).unwrap_err();
    assert_eq!(
        error.to_string(),
        "service call request: encoding at byte 13: needs 4294967295 bytes, 1 are left"
    );
}

#[test]
fn payloads_are_shares_of_the_frame() {
    let frame = Bytes::from_static(b"\x01\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00payload");
    let ServerMessage::MessageData(data) = ServerMessage::decode_binary(frame.clone()).unwrap() else {
        panic!()
    };
    assert_eq!(data.payload.as_ptr(), frame[MESSAGE_DATA_HEADER..].as_ptr());
}

#[test]
fn parameters_must_be_what_their_type_says() {
    let error = |parameter: &str| {
        client_error(&format!(r#"{{"op":"setParameters","parameters":[{{"name":"a",{parameter}}}]}}"#))
    };
    let path = "setParameters: parameters[0].value";
    assert_eq!(error(r#""type":"float64","value":"7""#), format!("{path}: a float64 must be a number"));
    assert_eq!(
        error(r#""type":"float64_array","value":[1,true]"#),
        format!("{path}[1]: an item of a float64_array must be a number")
    );
    assert!(
        error(r#""type":"byte_array","value":"?""#)
            .starts_with(&format!("{path}: a byte_array must be base64"))
    );
    assert_eq!(
        error(r#""value":{"x":[0,null]}"#),
        format!("{path}.x[1]: null is not a value of a parameter")
    );
    assert_eq!(
        error(r#""type":"int8","value":1"#),
        "setParameters: parameters[0].type: expected byte_array, float64 or float64_array"
    );
}

#[test]
fn null_stands_for_an_absent_optional_field_and_unknown_fields_are_ignored() {
    let text = r#"{"op":"getParameters","parameterNames":[],"id":null,"future":{"x":[1]}}"#;
    let expected = GetParameters { parameter_names: Vec::new(), id: None };
    assert_eq!(ClientMessage::decode_text(text), Ok(ClientMessage::GetParameters(expected)));
    let text = r#"{"op":"advertise","channels":[{"id":1,"topic":"/a","encoding":"cbor","schema":null}]}"#;
    let Ok(ServerMessage::Advertise(channels)) = ServerMessage::decode_text(text) else { panic!() };
    assert_eq!((channels[0].schema_name.as_str(), channels[0].schema.as_str()), ("", ""));
}

#[test]
fn times_beyond_what_nanoseconds_can_say_are_refused() {
    let error = |time: &str| {
        server_error(&format!(r#"{{"op":"serverInfo","name":"","capabilities":[],"dataEndTime":{time}}}"#))
    };
    assert!(error(r#"{"sec":0,"nsec":1000000000}"#).starts_with("serverInfo: dataEndTime.nsec: "));
    assert!(error(r#"{"sec":18446744074,"nsec":0}"#).starts_with("serverInfo: dataEndTime.sec: "));
    assert!(error(r#"{"sec":18446744073,"nsec":709551616}"#).starts_with("serverInfo: dataEndTime.sec: "));
}

#[test]
fn the_headers_of_the_hot_path_are_those_of_whole_messages() {
    let (id, time) = (SubscriptionId(0x0403_0201), Timestamp(0x0807_0605_0403_0201));
    let data = MessageData { subscription_id: id, log_time: time, payload: Bytes::from_static(b"xyz") };
    let whole = [message_data_header(id, time).as_slice(), b"xyz"].concat();
    assert_eq!(ServerMessage::MessageData(data).encode(), Frame::Binary(whole));
    assert_eq!(ServerMessage::Time(time).encode(), Frame::Binary(time_frame(time).to_vec()));
}

#[test]
fn every_message_but_subscribing_needs_a_capability() {
    use Capability::*;
    let text = |text: &str| ClientMessage::decode_text(text).unwrap().required_capability();
    assert_eq!(text(r#"{"op":"subscribe","subscriptions":[]}"#), None);
    assert_eq!(text(r#"{"op":"unsubscribe","subscriptionIds":[]}"#), None);
    assert_eq!(text(r#"{"op":"advertise","channels":[]}"#), Some(ClientPublish));
    assert_eq!(text(r#"{"op":"unadvertise","channelIds":[]}"#), Some(ClientPublish));
    assert_eq!(text(r#"{"op":"getParameters","parameterNames":[]}"#), Some(Parameters));
    assert_eq!(text(r#"{"op":"setParameters","parameters":[]}"#), Some(Parameters));
    assert_eq!(text(r#"{"op":"subscribeParameterUpdates","parameterNames":[]}"#), Some(ParametersSubscribe));
    assert_eq!(
        text(r#"{"op":"unsubscribeParameterUpdates","parameterNames":[]}"#),
        Some(ParametersSubscribe)
    );
    assert_eq!(text(r#"{"op":"subscribeConnectionGraph"}"#), Some(ConnectionGraph));
    assert_eq!(text(r#"{"op":"unsubscribeConnectionGraph"}"#), Some(ConnectionGraph));
    assert_eq!(text(r#"{"op":"fetchAsset","uri":"","requestId":0}"#), Some(Assets));
    let binary = |bytes: Bytes| ClientMessage::decode_binary(bytes).unwrap().required_capability();
    assert_eq!(binary(Bytes::from_static(&[1, 0, 0, 0, 0])), Some(ClientPublish));
    assert_eq!(binary(Bytes::from_static(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])), Some(Services));
    assert_eq!(binary(control(1, 1.0, b"")), Some(PlaybackControl));
}

/// Text with the characters that JSON escapes, and beyond the basic plane.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-z/_]{0,8}", 1 => any::<String>()]
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 0..4)
}

fn text_map() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map(text(), text(), 0..3)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn finite() -> impl Strategy<Value = f32> {
    prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO
}

fn value() -> impl Strategy<Value = ParameterValue> {
    let float = prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO;
    let leaf = prop_oneof![
        any::<i64>().prop_map(ParameterValue::from),
        any::<u64>().prop_map(|number| ParameterValue::Number(Number::from(number))),
        float.prop_map(|number| ParameterValue::float(number).unwrap()),
        any::<bool>().prop_map(ParameterValue::Bool),
        text().prop_map(ParameterValue::String),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(ParameterValue::Array),
            prop::collection::btree_map(text(), inner, 0..4).prop_map(ParameterValue::Object),
        ]
    })
}

fn parameter() -> impl Strategy<Value = Parameter> {
    prop_oneof![
        (text(), prop::option::of(value())).prop_map(|(name, value)| Parameter {
            name,
            parameter_type: None,
            value
        }),
        (text(), prop::num::f64::NORMAL).prop_map(|(name, value)| Parameter::float64(name, value).unwrap()),
        (text(), bytes()).prop_map(|(name, bytes)| Parameter::byte_array(name, &bytes)),
        (text(), prop::collection::vec(prop::num::f64::NORMAL, 0..4)).prop_map(|(name, items)| Parameter {
            name,
            parameter_type: Some(ParameterType::Float64Array),
            value: Some(ParameterValue::Array(
                items.into_iter().map(|item| ParameterValue::float(item).unwrap()).collect()
            )),
        }),
    ]
}

fn parameters() -> impl Strategy<Value = Vec<Parameter>> {
    prop::collection::vec(parameter(), 0..4)
}

fn client_channel() -> impl Strategy<Value = ClientChannel> {
    (any::<u32>(), text(), text(), text(), prop::option::of(text()), prop::option::of(text())).prop_map(
        |(id, topic, encoding, schema_name, schema_encoding, schema)| ClientChannel {
            id: ClientChannelId(id),
            topic,
            encoding,
            schema_name,
            schema_encoding,
            schema,
        },
    )
}

fn client_message() -> impl Strategy<Value = ClientMessage> {
    let ids = || prop::collection::vec(any::<u32>(), 0..4);
    let subscription = (any::<u32>(), any::<u32>())
        .prop_map(|(id, channel)| Subscription { id: SubscriptionId(id), channel_id: ChannelId(channel) });
    let command = prop_oneof![Just(PlaybackCommand::Play), Just(PlaybackCommand::Pause)];
    prop_oneof![
        prop::collection::vec(subscription, 0..4).prop_map(ClientMessage::Subscribe),
        ids().prop_map(|ids| ClientMessage::Unsubscribe(ids.into_iter().map(SubscriptionId).collect())),
        prop::collection::vec(client_channel(), 0..3).prop_map(ClientMessage::Advertise),
        ids().prop_map(|ids| ClientMessage::Unadvertise(ids.into_iter().map(ClientChannelId).collect())),
        (any::<u32>(), bytes()).prop_map(|(id, payload)| {
            ClientMessage::MessageData(ClientMessageData { channel_id: ClientChannelId(id), payload })
        }),
        (texts(), prop::option::of(text())).prop_map(|(parameter_names, id)| {
            ClientMessage::GetParameters(GetParameters { parameter_names, id })
        }),
        (parameters(), prop::option::of(text()))
            .prop_map(|(parameters, id)| ClientMessage::SetParameters(SetParameters { parameters, id })),
        texts().prop_map(ClientMessage::SubscribeParameterUpdates),
        texts().prop_map(ClientMessage::UnsubscribeParameterUpdates),
        Just(ClientMessage::SubscribeConnectionGraph),
        Just(ClientMessage::UnsubscribeConnectionGraph),
        (text(), any::<u32>()).prop_map(|(uri, id)| {
            ClientMessage::FetchAsset(FetchAsset { uri, request_id: AssetRequestId(id) })
        }),
        (any::<u32>(), any::<u32>(), text(), bytes()).prop_map(|(service, call, encoding, payload)| {
            ClientMessage::ServiceCallRequest(ServiceCallRequest {
                service_id: ServiceId(service),
                call_id: CallId(call),
                encoding,
                payload,
            })
        }),
        (command, finite(), prop::option::of(any::<u64>()), text()).prop_map(
            |(command, speed, seek, request_id)| {
                let seek = seek.map(Timestamp);
                let request = PlaybackControlRequest { command, speed, seek, request_id };
                ClientMessage::PlaybackControlRequest(request)
            }
        ),
    ]
}

fn server_info() -> impl Strategy<Value = ServerInfo> {
    let capability = prop_oneof![
        prop::sample::select(vec!["clientPublish", "parameters", "parametersSubscribe", "services"]),
        prop::sample::select(vec!["connectionGraph", "assets", "time", "playbackControl", "someday"]),
    ];
    let capabilities = prop::collection::vec(capability.prop_map(Capability::from_name), 0..4);
    let time = || prop::option::of(any::<u64>().prop_map(Timestamp));
    (text(), capabilities, texts(), text_map(), prop::option::of(text()), time(), time()).prop_map(
        |(name, capabilities, supported_encodings, metadata, session_id, data_start_time, data_end_time)| {
            ServerInfo {
                name,
                capabilities,
                supported_encodings,
                metadata,
                session_id,
                data_start_time,
                data_end_time,
            }
        },
    )
}

fn channel() -> impl Strategy<Value = AdvertisedChannel> {
    (any::<u32>(), text(), text(), text(), prop::option::of(text()), text(), text_map()).prop_map(
        |(id, topic, encoding, schema_name, schema_encoding, schema, metadata)| AdvertisedChannel {
            id: ChannelId(id),
            topic,
            encoding,
            schema_name,
            schema_encoding,
            schema,
            metadata,
        },
    )
}

fn table() -> impl Strategy<Value = AdvertiseTable> {
    let schema = (any::<u64>(), text(), text(), text()).prop_map(|(id, name, encoding, data)| SchemaEntry {
        id: SchemaId(id),
        name,
        encoding,
        data,
    });
    let channel = (any::<u32>(), text(), text(), prop::option::of(any::<u64>()), text_map()).prop_map(
        |(id, topic, encoding, schema_id, metadata)| TabledChannel {
            id: ChannelId(id),
            topic,
            encoding,
            schema_id: schema_id.map(SchemaId),
            metadata,
        },
    );
    (prop::collection::vec(schema, 1..3), prop::collection::vec(channel, 0..3))
        .prop_map(|(schemas, channels)| AdvertiseTable { schemas, channels })
}

fn service() -> impl Strategy<Value = Service> {
    let message = || {
        let message = (text(), text(), prop::option::of(text()), text()).prop_map(
            |(encoding, schema_name, schema_encoding, schema)| ServiceMessage {
                encoding,
                schema_name,
                schema_encoding,
                schema,
            },
        );
        (prop::option::of(message), prop::option::of(text()))
    };
    (any::<u32>(), text(), text(), message(), message()).prop_map(
        |(id, name, service_type, (request, request_schema), (response, response_schema))| Service {
            id: ServiceId(id),
            name,
            service_type,
            request,
            request_schema,
            response,
            response_schema,
        },
    )
}

fn graph() -> impl Strategy<Value = ConnectionGraphUpdate> {
    let nodes = || prop::collection::vec((text(), texts()), 0..3);
    (nodes(), nodes(), nodes(), texts(), texts()).prop_map(
        |(published, subscribed, advertised, removed_topics, removed_services)| {
            let published = published.into_iter();
            let subscribed = subscribed.into_iter();
            let advertised = advertised.into_iter();
            ConnectionGraphUpdate {
                published_topics: published
                    .map(|(name, publisher_ids)| PublishedTopic { name, publisher_ids })
                    .collect(),
                subscribed_topics: subscribed
                    .map(|(name, subscriber_ids)| SubscribedTopic { name, subscriber_ids })
                    .collect(),
                advertised_services: advertised
                    .map(|(name, provider_ids)| AdvertisedService { name, provider_ids })
                    .collect(),
                removed_topics,
                removed_services,
            }
        },
    )
}

fn playback_state() -> impl Strategy<Value = PlaybackState> {
    let status = prop_oneof![
        Just(PlaybackStatus::Playing),
        Just(PlaybackStatus::Paused),
        Just(PlaybackStatus::Buffering),
        Just(PlaybackStatus::Ended),
    ];
    (status, any::<u64>(), finite(), any::<bool>(), text()).prop_map(
        |(status, time, speed, did_seek, request_id)| PlaybackState {
            status,
            current_time: Timestamp(time),
            speed,
            did_seek,
            request_id: Some(request_id).filter(|id| !id.is_empty()),
        },
    )
}

fn server_message() -> impl Strategy<Value = ServerMessage> {
    let ids = || prop::collection::vec(any::<u32>(), 0..4);
    let level = prop_oneof![Just(Level::Info), Just(Level::Warning), Just(Level::Error)];
    prop_oneof![
        server_info().prop_map(ServerMessage::ServerInfo),
        (level, text(), prop::option::of(text()))
            .prop_map(|(level, message, id)| ServerMessage::Status(Status { level, message, id })),
        texts().prop_map(ServerMessage::RemoveStatus),
        prop::collection::vec(channel(), 0..3).prop_map(ServerMessage::Advertise),
        table().prop_map(ServerMessage::AdvertiseTable),
        ids().prop_map(|ids| ServerMessage::Unadvertise(ids.into_iter().map(ChannelId).collect())),
        (parameters(), prop::option::of(text()))
            .prop_map(|(parameters, id)| ServerMessage::ParameterValues(ParameterValues { parameters, id })),
        prop::collection::vec(service(), 0..3).prop_map(ServerMessage::AdvertiseServices),
        ids().prop_map(|ids| ServerMessage::UnadvertiseServices(ids.into_iter().map(ServiceId).collect())),
        graph().prop_map(ServerMessage::ConnectionGraphUpdate),
        (any::<u32>(), any::<u32>(), text()).prop_map(|(service, call, message)| {
            let (service_id, call_id) = (ServiceId(service), CallId(call));
            ServerMessage::ServiceCallFailure(ServiceCallFailure { service_id, call_id, message })
        }),
        (any::<u32>(), any::<u64>(), bytes()).prop_map(|(id, time, payload)| {
            let (subscription_id, log_time) = (SubscriptionId(id), Timestamp(time));
            ServerMessage::MessageData(MessageData { subscription_id, log_time, payload })
        }),
        any::<u64>().prop_map(|time| ServerMessage::Time(Timestamp(time))),
        (any::<u32>(), any::<u32>(), text(), bytes()).prop_map(|(service, call, encoding, payload)| {
            ServerMessage::ServiceCallResponse(ServiceCallResponse {
                service_id: ServiceId(service),
                call_id: CallId(call),
                encoding,
                payload,
            })
        }),
        (any::<u32>(), prop::result::maybe_err(bytes(), text())).prop_map(|(id, result)| {
            let request_id = AssetRequestId(id);
            ServerMessage::FetchAssetResponse(FetchAssetResponse { request_id, result })
        }),
        playback_state().prop_map(ServerMessage::PlaybackState),
    ]
}

proptest! {
    #[test]
    fn every_client_message_survives_the_wire(message in client_message()) {
        let again = match message.encode() {
            Frame::Text(text) => ClientMessage::decode_text(&text),
            Frame::Binary(bytes) => ClientMessage::decode_binary(bytes.into()),
        };
        prop_assert_eq!(again, Ok(message));
    }

    #[test]
    fn every_server_message_survives_the_wire(message in server_message()) {
        let again = match message.encode() {
            Frame::Text(text) => ServerMessage::decode_text(&text),
            Frame::Binary(bytes) => ServerMessage::decode_binary(bytes.into()),
        };
        prop_assert_eq!(again, Ok(message));
    }

    #[test]
    fn no_bytes_make_the_decoders_panic(opcode in 0..8u8, rest in prop::collection::vec(any::<u8>(), 0..60)) {
        let frame = Bytes::from([&[opcode], rest.as_slice()].concat());
        let client = ClientMessage::decode_binary(frame.clone());
        prop_assert!(client.is_err() || (1..=3).contains(&opcode));
        let server = ServerMessage::decode_binary(frame);
        prop_assert!(server.is_err() || (1..=5).contains(&opcode));
    }

    #[test]
    fn no_text_makes_the_decoders_panic(text in any::<String>()) {
        prop_assert!(ClientMessage::decode_text(&text).is_err());
        prop_assert!(ServerMessage::decode_text(&text).is_err());
    }

    #[test]
    fn no_offer_makes_the_handshake_panic(headers in prop::collection::vec(any::<String>(), 0..4)) {
        let offer = Offer::parse(headers.iter().map(String::as_str));
        prop_assert!(!offer.to_string().is_empty());
        prop_assert!(!offer.offers_sdk() || offer.choose().is_some());
    }
}
