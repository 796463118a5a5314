use std::time::Instant;

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use super::*;
use crate::hub::SlowClient;
use crate::hub::outbox::Progress;
use crate::hub::queue::Item;
use crate::hub::testing::{Sent, Viewer, hub};
use crate::time::Timestamp;

#[derive(Serialize)]
struct Imu {
    ax: f64,
}

/// The payloads that a viewer is sent.
fn payloads(viewer: &Viewer) -> Vec<Bytes> {
    let mut payloads = Vec::new();
    loop {
        let taken = viewer.client.take(Progress::Written, Instant::now());
        match taken.item {
            Some(Item::Messages(part)) => {
                let wanted = part.batch.entries[part.range.clone()]
                    .iter()
                    .filter(|entry| taken.subscriptions.wanted(entry.channel, part.number).is_some());
                payloads.extend(wanted.map(|entry| part.batch.payload_bytes(entry)));
            }
            Some(Item::Other(_)) => {}
            None if taken.control.is_empty() => return payloads,
            None => {}
        }
    }
}

fn viewer<E: Encode>(hub: &Hub, channel: &ChannelHandle<E>) -> Viewer {
    let viewer = Viewer::join(hub);
    assert!(viewer.subscribe(channel.channel().id).is_empty());
    viewer
}

#[test]
fn a_message_is_what_serde_writes() {
    let hub = hub(SlowClient::Drop);
    let imu =
        hub.channel("/imu").metadata("frame", "base").json_schema("Imu", r#"{"type":"object"}"#).unwrap();
    let viewer = viewer(&hub, &imu);
    imu.log(&Imu { ax: 0.5 });
    hub.flush_logged();
    assert_eq!(payloads(&viewer), [r#"{"ax":0.5}"#]);
    let schema = imu.channel().schema.clone().unwrap();
    assert_eq!((schema.name.as_str(), schema.encoding.as_str()), ("Imu", "jsonschema"));
    assert_eq!(imu.channel().metadata["frame"], "base");
}

#[test]
fn a_channel_is_wanted_by_clients_recorders_and_late_subscribers() {
    let hub = hub(SlowClient::Drop);
    let (imu, other) =
        (hub.channel("/imu").json::<Imu>().unwrap(), hub.channel("/imu").json::<Imu>().unwrap());
    assert!(!imu.is_subscribed() && !other.is_subscribed());
    imu.age();
    imu.log_with(|| panic!("nobody wants it"));
    let viewer = viewer(&hub, &imu);
    assert!(imu.is_subscribed() && other.is_subscribed(), "they are one channel");
    drop(viewer);
    assert!(!imu.is_subscribed());
    let tap = hub.tap(1 << 20);
    assert!(imu.is_subscribed());
    drop(tap);
    assert!(!imu.is_subscribed());
    assert!(hub.channel("/floor").latched().json::<Imu>().unwrap().is_subscribed());
    assert!(hub.channel("/map").json::<Imu>().unwrap().is_subscribed(), "as the options say");
}

#[test]
fn what_is_logged_once_reaches_who_subscribes_at_once() {
    let hub = hub(SlowClient::Drop);
    let motd = hub.channel("/motd").json().unwrap();
    motd.log(&json!("hello"));
    hub.flush_logged();
    assert_eq!(payloads(&viewer(&hub, &motd)), [r#""hello""#]);
    let gone = hub.channel("/gone").json::<()>().unwrap();
    gone.close();
    gone.log_with(|| panic!("it has ended"));
}

#[test]
fn who_subscribes_late_gets_the_last_message_of_a_latched_channel() {
    let hub = hub(SlowClient::Drop);
    let plan = hub.channel("/plan").latched().json().unwrap();
    plan.log(&json!([1]));
    plan.log(&json!([2]));
    hub.flush_logged();
    assert_eq!(payloads(&viewer(&hub, &plan)), ["[2]"]);
}

#[test]
fn a_closed_channel_is_gone_for_all_clones_and_its_topic_is_free() {
    let hub = hub(SlowClient::Drop);
    let imu = hub.channel("/imu").json().unwrap();
    let mut viewer = viewer(&hub, &imu);
    let clone = imu.clone();
    clone.close();
    assert!(!imu.is_subscribed());
    imu.log(&json!(1));
    let again = hub.channel("/imu").raw("cbor", None).unwrap();
    assert_eq!(again.channel().topic, "/imu");
    let news = viewer.news();
    assert!(news.contains(&Sent::Unadvertised(vec![imu.channel().id.0])));
    assert!(!news.iter().any(|sent| matches!(sent, Sent::Message(..))));
    drop((imu, clone));
    assert!(hub.registry().channel(again.channel().id).is_some(), "another one's claim was released");
}

#[test]
fn a_channel_lives_while_another_handle_claims_it() {
    let hub = hub(SlowClient::Drop);
    let other = hub.channel("/imu").json().unwrap();
    let one = hub.channel("/imu").json::<Imu>().unwrap();
    let viewer = viewer(&hub, &one);
    drop(one);
    other.log(&json!(2));
    hub.flush_logged();
    assert_eq!(payloads(&viewer), ["2"]);
}

#[test]
fn one_client_alone_gets_what_is_logged_to_it() {
    let hub = hub(SlowClient::Drop);
    let imu = hub.channel("/imu").json().unwrap();
    let (one, other, stranger) = (viewer(&hub, &imu), viewer(&hub, &imu), Viewer::join(&hub));
    let now = Timestamp::now();
    for (n, viewer) in [&one, &stranger].into_iter().enumerate() {
        imu.log_to(viewer.client.id(), now, &json!(n)).unwrap();
    }
    imu.log_at(now, &json!("all"));
    hub.flush_logged();
    assert_eq!(payloads(&one), ["0", r#""all""#]);
    assert_eq!(payloads(&other), [r#""all""#]);
    assert!(payloads(&stranger).is_empty());
}

#[test]
fn a_built_in_schema_is_protobuf_and_its_errors_name_the_field() {
    let hub = hub(SlowClient::Drop);
    let log = hub.channel("/log").builtin("foxglove.Log").unwrap();
    let viewer = viewer(&hub, &log);
    assert_eq!(log.channel().message_encoding, "protobuf");
    log.log(&json!({ "level": "INFO", "message": "hello" }));
    hub.flush_logged();
    // level 2, message
    assert_eq!(payloads(&viewer), [&b"\x10\x02\x1a\x05hello"[..]]);
    let error = log.try_log(Timestamp::now(), &json!({ "message": 5 })).unwrap_err().to_string();
    assert!(error.starts_with("a message of /log is left out: field message of foxglove.Log"), "{error}");
    log.log(&json!({ "message": 5 }));
    hub.flush_logged();
    assert!(payloads(&viewer).is_empty());
    // a time of the standard library, as since 1970
    let stamped = json!({ "timestamp": std::time::Duration::new(7, 9) });
    log.log(&stamped);
    hub.flush_logged();
    assert_eq!(payloads(&viewer), [&b"\x0a\x04\x08\x07\x10\x09"[..]]);
    let Err(error) = hub.channel("/log").builtin::<serde_json::Value>("foxglove.Lob") else { panic!() };
    assert_eq!(error.to_string(), "there is no schema 'foxglove.Lob'; there is 'foxglove.Log'");
}

#[test]
fn protobuf_messages_come_with_their_definition() {
    use prost_reflect::prost::Message;
    use prost_reflect::prost_types::Timestamp as Stamp;
    use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};

    let hub = hub(SlowClient::Drop);
    let stamp = Stamp { seconds: 7, nanos: 0 };
    let well_known = DescriptorPool::global();
    let by_itself = hub.channel("/a").protobuf::<Stamp>().unwrap();
    let in_a_set = hub
        .channel("/b")
        .protobuf_in::<Stamp>(&well_known.encode_to_vec(), "google.protobuf.Timestamp")
        .unwrap();
    let descriptor = stamp.descriptor();
    let dynamic = hub.channel("/c").dynamic(&descriptor).unwrap();
    for channel in [by_itself.channel(), in_a_set.channel(), dynamic.channel()] {
        let schema = channel.schema.as_deref().unwrap();
        assert_eq!(
            (schema.name.as_str(), channel.message_encoding.as_str()),
            ("google.protobuf.Timestamp", "protobuf")
        );
        let pool = DescriptorPool::decode(schema.data.clone()).unwrap();
        assert!(pool.get_message_by_name(&schema.name).is_some());
    }
    let viewers = (viewer(&hub, &by_itself), viewer(&hub, &in_a_set), viewer(&hub, &dynamic));
    by_itself.log(&stamp);
    in_a_set.log(&stamp);
    let mut message = DynamicMessage::new(descriptor);
    message.set_field_by_name("seconds", Value::I64(7));
    dynamic.log(&message);
    hub.flush_logged();
    let expected = [Bytes::from(stamp.encode_to_vec())];
    assert_eq!((payloads(&viewers.0), payloads(&viewers.1)), (expected.to_vec(), expected.to_vec()));
    assert_eq!(payloads(&viewers.2), expected);
    let Err(error) =
        hub.channel("/d").protobuf_in::<Stamp>(&well_known.encode_to_vec(), "google.protobuf.Timestam")
    else {
        panic!()
    };
    assert!(error.to_string().ends_with("; there is 'google.protobuf.Timestamp'"), "{error}");
    assert!(hub.channel("/d").protobuf_in::<Stamp>(b"\xff", "a.B").is_err());
}

#[test]
fn large_payloads_are_shared_and_small_ones_gathered() {
    let hub = hub(SlowClient::Drop);
    let image = hub.channel("/image").raw("cbor", None).unwrap();
    let viewer = viewer(&hub, &image);
    let large = Bytes::from(vec![1; 20_000]);
    image.log(b"first");
    image.log_bytes(Timestamp::now(), large.clone()).unwrap();
    image.log(b"last");
    hub.flush_logged();
    let payloads = payloads(&viewer);
    assert_eq!(payloads, [&b"first"[..], &large, b"last"]);
    assert_eq!(payloads[1].as_ptr(), large.as_ptr());
}

#[test]
fn what_viewers_cannot_take_is_refused() {
    let hub = hub(SlowClient::Drop);
    let Err(error) = hub.channel("/odd").raw("", None) else { panic!() };
    assert!(error.to_string().contains("/odd"), "{error}");
    assert!(Viewer::join(&hub).news().contains(&Sent::Advertised(Vec::new())));
}

#[tokio::test]
async fn who_waits_loses_nothing_and_blocks_no_other_task() {
    const MESSAGES: u64 = 300;
    let hub = hub(SlowClient::Wait);
    let imu = hub.channel("/imu").raw("cbor", None).unwrap();
    let mut viewer = viewer(&hub, &imu);
    viewer.news();
    let id = imu.channel().id.0;
    let logging = tokio::spawn(async move {
        for n in 0..MESSAGES {
            imu.log_async(Timestamp(n * 1_000_000_000), &[0; 1000]).await.unwrap();
        }
        imu
    });
    viewer.until_message(id, MESSAGES - 1).await;
    let expected: Vec<_> = (0..MESSAGES).map(|second| (id, second)).collect();
    assert_eq!(viewer.messages(), expected);
    drop(logging.await.unwrap());
}
