//! Payloads of other programs, made-up ones, and damaged ones.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::{ChannelId, Schema};

/// PyPI `foxglove-sdk` 0.30.3.
const FOXGLOVE_ONE: &str = "\
    0a0808a08bd9ca0610051209626173655f6c696e6b1a056c69646172221b09000000000000f03f110000000000000040\
    19000000000000e0bf2a0921000000000000f03f";

/// PyPI `foxglove-sdk` 0.30.3.
const FOXGLOVE_MANY: &str = "\
    0a430a0808a08bd9ca06100512046f646f6d1a09626173655f6c696e6b221b09000000000000f03f1100000000000000\
    4019000000000000e0bf2a0921000000000000f03f0a480a0808a08bd9ca0610051209626173655f6c696e6b1a096b61\
    6d6572615fc3a4221b09000000000000f03f11000000000000004019000000000000e0bf2a0921000000000000f03f0a\
    320a0808a08bd9ca061005221b09000000000000f03f11000000000000004019000000000000e0bf2a09210000000000\
    00f03f";

/// A car of 2017, of the recording in `testdata`.
const REAL_CAR: &str = "\
    0100000000000000cce0d158f08cf90609000000626173655f6c696e6b050000007261646172ae47e17a14ae0e400000\
    0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000f03f";

/// A robot of 2012, with the older type.
const OUTDOOR_ROBOT: &str = "\
    010000000000000048e1164f731a6b180a0000002f74696c745f626173650a0000002f74696c745f6178697300000000\
    000000000000000000000000295c8fc2f528cc3f0000000000000000b5671d0b71f3d53f000000000000000003554ac2\
    150fee3f";

/// The crate `rosbags-rs` 0.3.4.
const ROSBAGS_RS: &str = "\
    0001000001000000fd6e44680053ac000b000000746573745f6672616d6500000c0000006368696c645f6672616d6500\
    00000000000000000000f03f000000000000004000000000000008400000000000000000000000000000000000000000\
    00000000000000000000f03f";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn names(transforms: Transforms, payload: &[u8]) -> Vec<String> {
    transforms.child_frames(payload).into_iter().map(Cow::into_owned).collect()
}

#[test]
fn payloads_of_other_programs_are_read() {
    let read = |transforms, hex| names(transforms, &bytes(hex));
    assert_eq!(read(Transforms::Protobuf(Count::One), FOXGLOVE_ONE), ["lidar"]);
    assert_eq!(read(Transforms::Protobuf(Count::Many), FOXGLOVE_MANY), ["", "base_link", "kamera_ä"]);
    assert_eq!(read(Transforms::Ros1, REAL_CAR), ["radar"]);
    assert_eq!(read(Transforms::Ros1, OUTDOOR_ROBOT), ["/tilt_axis"]);
    assert_eq!(read(Transforms::Cdr, ROSBAGS_RS), ["child_frame"]);
}

#[test]
fn what_a_channel_has_is_known_by_encoding_and_schema() {
    let of = |encoding: &str, schema: Option<&str>| {
        Transforms::of(&Channel {
            id: ChannelId(1),
            topic: "/tf".into(),
            message_encoding: encoding.into(),
            schema: schema.map(|name| {
                Schema { name: name.into(), encoding: String::new(), data: Default::default() }.into()
            }),
            metadata: Default::default(),
            latched: false,
        })
    };
    assert_eq!(of("ros1", Some("tf2_msgs/TFMessage")), Some(Transforms::Ros1));
    assert_eq!(of("ros1", Some("tf/tfMessage")), Some(Transforms::Ros1));
    assert_eq!(of("cdr", Some("tf2_msgs/msg/TFMessage")), Some(Transforms::Cdr));
    assert_eq!(of("protobuf", Some("foxglove.FrameTransform")), Some(Transforms::Protobuf(Count::One)));
    assert_eq!(of("json", Some("foxglove.FrameTransforms")), Some(Transforms::Json(Count::Many)));
    assert_eq!(of("cdr", Some("tf2_msgs/TFMessage")), None);
    assert_eq!(of("ros1", Some("foxglove.FrameTransform")), None);
    assert_eq!(of("protobuf", Some("foxglove.Grid")), None);
    assert_eq!(of("json", None), None);
}

#[test]
fn what_is_not_a_message_of_its_type_has_no_frames() {
    let car = bytes(REAL_CAR);
    let cdr = bytes(ROSBAGS_RS);
    for length in 0..car.len() {
        assert!(names(Transforms::Ros1, &car[..length]).is_empty(), "{length}");
    }
    assert!(names(Transforms::Ros1, &[&car[..], &[0]].concat()).is_empty(), "more than a message");
    for length in 0..cdr.len() {
        assert!(names(Transforms::Cdr, &cdr[..length]).is_empty(), "{length}");
    }
    // parameter lists, and a string without its NUL
    for (at, byte) in [(1, 3), (30, b'x')] {
        let mut cdr = cdr.clone();
        cdr[at] = byte;
        assert!(names(Transforms::Cdr, &cdr).is_empty(), "{at}");
    }
    for json in ["", "{}", "[]", r#"{"transforms":{}}"#, r#"{"transforms":[{"childFrameId":"a"}]}"#] {
        assert!(names(Transforms::Json(Count::Many), json.as_bytes()).is_empty(), "{json}");
    }
    // a group, and a value that is longer than the rest
    assert!(names(Transforms::Protobuf(Count::One), &[0x0b]).is_empty());
    assert!(names(Transforms::Protobuf(Count::One), &[0x1a, 2, b'a']).is_empty());
}

#[test]
fn claimed_lengths_cost_nothing() {
    let most = u32::MAX.to_le_bytes();
    assert!(names(Transforms::Ros1, &most).is_empty());
    assert!(names(Transforms::Cdr, &[&[0, 1, 0, 0][..], &most, &[0; 8], &most].concat()).is_empty());
    let varint = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert!(names(Transforms::Protobuf(Count::Many), &[&[0x0a][..], &varint].concat()).is_empty());
    assert!(names(Transforms::Protobuf(Count::Many), &[&[0x0a][..], &[0xff; 20]].concat()).is_empty());
}

#[test]
fn too_many_frames_are_none() {
    let many = |count: usize| {
        let child: Vec<String> = (0..count).map(|number| format!("{number}")).collect();
        encode(Transforms::Json(Count::Many), &child, true)
    };
    assert_eq!(names(Transforms::Json(Count::Many), &many(MAX_FRAMES)).len(), MAX_FRAMES);
    assert!(names(Transforms::Json(Count::Many), &many(MAX_FRAMES + 1)).is_empty());
}

/// A payload that places these frames.
fn encode(transforms: Transforms, children: &[String], is_little_endian: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let length = |text: &str, more: usize| u32::try_from(text.len() + more).unwrap();
    let count = u32::try_from(children.len()).unwrap();
    match transforms {
        Transforms::Ros1 => {
            out.extend(count.to_le_bytes());
            for child in children {
                out.extend([7; 12]);
                for text in ["parent", child] {
                    out.extend(length(text, 0).to_le_bytes());
                    out.extend(text.as_bytes());
                }
                out.extend([1; 56]);
            }
        }
        Transforms::Cdr => {
            let number = |n: u32| if is_little_endian { n.to_le_bytes() } else { n.to_be_bytes() };
            let pad = |out: &mut Vec<u8>, to: usize| out.resize(out.len().next_multiple_of(to), 0xee);
            // the header is added at the end, as it does not count for the alignment
            out.extend(number(count));
            for child in children {
                pad(&mut out, 4);
                out.extend([7; 8]);
                for text in ["parent", child] {
                    pad(&mut out, 4);
                    out.extend(number(length(text, 1)));
                    out.extend(text.as_bytes());
                    out.push(0);
                }
                pad(&mut out, 8);
                out.extend([1; 56]);
            }
            out.splice(..0, [0, u8::from(is_little_endian), 0, 0]);
        }
        Transforms::Protobuf(count) => {
            for child in children {
                let mut one = vec![0x0a, 2, 8, 9, 0x12, 1, b'p', 0x1a, u8::try_from(child.len()).unwrap()];
                one.extend(child.as_bytes());
                one.extend([0x22, 9, 0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x28, 0x96, 0x01, 0x35, 1, 2, 3, 4]);
                if count == Count::Many {
                    out.extend([0x0a, u8::try_from(one.len()).unwrap()]);
                }
                out.extend(one);
            }
        }
        Transforms::Json(count) => {
            let one = |child: &String| {
                serde_json::json!({
                    "timestamp": {"sec": 1, "nsec": 2}, "parent_frame_id": "p", "child_frame_id": child,
                    "translation": {"x": 1.0, "y": 0, "z": 0}, "rotation": {"x": 0, "y": 0, "z": 0, "w": 1},
                })
            };
            let json = match count {
                Count::One => children.iter().map(one).next_back().unwrap(),
                Count::Many => {
                    serde_json::json!({"transforms": children.iter().map(one).collect::<Vec<_>>()})
                }
            };
            out = json.to_string().into_bytes();
        }
    }
    out
}

fn any_form() -> impl Strategy<Value = Transforms> {
    prop_oneof![
        Just(Transforms::Ros1),
        Just(Transforms::Cdr),
        Just(Transforms::Protobuf(Count::One)),
        Just(Transforms::Protobuf(Count::Many)),
        Just(Transforms::Json(Count::One)),
        Just(Transforms::Json(Count::Many)),
    ]
}

proptest! {
    #[test]
    fn child_frames_are_found_in_every_form(
        transforms in any_form(), children in vec(any::<String>(), 1..6), is_little_endian in any::<bool>(),
    ) {
        let children: Vec<String> = children.into_iter().map(|name| name.chars().take(20).collect()).collect();
        let is_one = matches!(transforms, Transforms::Protobuf(Count::One) | Transforms::Json(Count::One));
        let children = if is_one { &children[..1] } else { &children[..] };
        let payload = encode(transforms, children, is_little_endian);
        let wanted: Frames<'_> = children.iter().map(|name| Cow::Borrowed(name.as_str())).collect();
        prop_assert_eq!(transforms.child_frames(&payload), wanted);
    }

    #[test]
    fn any_bytes_are_taken(transforms in any_form(), payload in vec(any::<u8>(), 0..300)) {
        transforms.child_frames(&payload);
    }

    #[test]
    fn damaged_payloads_are_taken(
        transforms in any_form(), read_as in any_form(), is_little_endian in any::<bool>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..5), cut in any::<prop::sample::Index>(),
    ) {
        let children = ["base_link".to_owned(), "laser".to_owned(), String::new()];
        let mut payload = encode(transforms, &children, is_little_endian);
        for (at, byte) in changes {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        payload.truncate(cut.index(payload.len() + 1));
        prop_assert!(read_as.child_frames(&payload).len() <= payload.len() + 1);
    }
}
