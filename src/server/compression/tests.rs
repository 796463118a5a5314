use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::Schema;
use crate::websocket::deflate::{Context, Inflater};

const CHANNEL: ChannelId = ChannelId(3);

fn channel(schema_name: &str, message_encoding: &str) -> Channel {
    let schema = Schema { name: schema_name.into(), encoding: String::new(), data: Bytes::new() };
    Channel {
        id: CHANNEL,
        topic: "/t".into(),
        message_encoding: message_encoding.into(),
        schema: Some(Arc::new(schema)),
        metadata: BTreeMap::new(),
        latched: false,
    }
}

fn compression(server_no_context_takeover: bool) -> Compression {
    Compression::new(Agreement { server_no_context_takeover, server_max_window_bits: None })
}

fn wants(compression: &mut Compression, length: usize) -> bool {
    compression.wants(CHANNEL, length, || None)
}

/// Compresses a message to its end; None if it should be sent as it is.
fn compress(compression: &mut Compression, payload: &[u8]) -> Option<Vec<u8>> {
    let owned = |compressed: Compressed<'_>| match compressed {
        Compressed::Unfinished => None,
        Compressed::Smaller(smaller) => Some(Some(smaller.to_vec())),
        Compressed::Plain => Some(None),
        Compressed::PlainLarge(header, same) => {
            assert_eq!((header.as_slice(), &same[..]), (&b"head"[..], payload));
            Some(None)
        }
    };
    let share = || Bytes::copy_from_slice(payload);
    if let Some(done) = owned(compression.message(CHANNEL, b"head", payload, share)) {
        return done;
    }
    for _ in 0..=payload.len() / PIECE {
        assert!(compression.is_busy());
        if let Some(done) = owned(compression.proceed()) {
            assert!(!compression.is_busy());
            return done;
        }
    }
    panic!("no end");
}

/// Bytes that do not shrink.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// What a receiver that keeps its context makes of compressed messages.
fn inflate_all(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut inflater = Inflater::new(Context::Takeover);
    let inflate = |message: &Vec<u8>| {
        let mut out = Vec::new();
        inflater.inflate(message, &mut out, usize::MAX).unwrap();
        inflater.finish(&mut out, usize::MAX).unwrap();
        out
    };
    messages.iter().map(inflate).collect()
}

#[test]
fn small_messages_shrink_by_what_came_before_them() {
    let mut compression = compression(false);
    let sizes: Vec<usize> = (0..20)
        .map(|i| compress(&mut compression, format!("{{\"x\": 0.25, \"y\": 1.5, \"i\": {i}}}").as_bytes()))
        .map(|compressed| compressed.unwrap().len())
        .collect();
    assert!(sizes[1..].iter().all(|size| *size < 16), "{sizes:?}");
    assert!(wants(&mut compression, SMALLEST) && !wants(&mut compression, SMALLEST - 1));
}

#[test]
fn where_each_message_stands_alone_small_ones_are_left_alone() {
    let mut compression = compression(true);
    assert!(!wants(&mut compression, SMALLEST_ALONE - 1) && wants(&mut compression, SMALLEST_ALONE));
    assert_eq!(compression.text(&[b' '; SMALLEST_ALONE - 1]), None);
    let payload = b"the same, the same, the same, the same, the same, the same".repeat(4);
    let first = compress(&mut compression, &payload);
    assert_eq!(first, compress(&mut compression, &payload));
    let mut inflater = Inflater::new(Context::Alone);
    let mut out = Vec::new();
    inflater.inflate(&first.unwrap(), &mut out, usize::MAX).unwrap();
    inflater.finish(&mut out, usize::MAX).unwrap();
    assert_eq!(out, [&b"head"[..], &payload].concat());
}

#[test]
fn a_channel_that_gains_nothing_is_left_alone_for_a_while() {
    let mut compression = compression(false);
    let noise = noise(1000);
    for _ in 0..PATIENCE {
        assert!(wants(&mut compression, noise.len()));
        assert_eq!(compress(&mut compression, &noise), None);
    }
    for _ in 0..PAUSE {
        assert!(!wants(&mut compression, noise.len()));
    }
    assert!(wants(&mut compression, noise.len()));
    assert_eq!(compress(&mut compression, &noise), None);
    assert!(!wants(&mut compression, noise.len()), "one try is enough then");
    for _ in 1..PAUSE {
        assert!(!wants(&mut compression, noise.len()));
    }
    assert!(wants(&mut compression, 1000));
    assert!(compress(&mut compression, &[7; 1000]).is_some());
    assert!(wants(&mut compression, 1000));
}

#[test]
fn compressed_images_are_never_compressed_again() {
    for (name, encoding, never) in [
        ("sensor_msgs/msg/CompressedImage", "cdr", true),
        ("sensor_msgs/CompressedImage", "ros1", true),
        ("foxglove.CompressedVideo", "protobuf", true),
        ("point_cloud_interfaces/msg/CompressedPointCloud2", "cdr", true),
        ("foxglove.CompressedImage", "json", false),
        ("sensor_msgs/msg/Image", "cdr", false),
    ] {
        let mut compression = compression(false);
        let wants = compression.wants(CHANNEL, 5000, || Some(Arc::new(channel(name, encoding))));
        assert_eq!(wants, !never, "{name}");
    }
}

#[test]
fn a_large_message_is_compressed_in_pieces_and_given_up_early() {
    let mut compression = compression(false);
    let shrinks = b"0123456789abcdef".repeat(PIECE / 4);
    let first = compress(&mut compression, &shrinks).unwrap();
    let large = noise(4 * PIECE);
    assert_eq!(
        compression.message(CHANNEL, b"head", &large, || large.clone().into()),
        Compressed::PlainLarge(b"head".to_vec(), large.clone().into())
    );
    let second = compress(&mut compression, &shrinks).unwrap();
    let third = compress(&mut compression, b"0123456789abcdef").unwrap();
    let expected = [&shrinks[..], &shrinks, b"0123456789abcdef"].map(|payload| [b"head", payload].concat());
    assert!(inflate_all(&[first, second, third]) == expected);
}

#[test]
fn the_work_is_divided() {
    let mut compression = compression(false);
    let large = vec![0; 3 * PIECE];
    assert!(!compression.must_yield());
    let begun = compression.message(CHANNEL, b"head", &large, || large.clone().into());
    assert_eq!(begun, Compressed::Unfinished);
    assert!(compression.must_yield());
    assert_eq!(compression.text(&[b' '; 4000]), None, "the stream is taken");
    compression.resume();
    assert!(!compression.must_yield());
    compression.abandon();
    assert!(!compression.is_busy());
    let text = compression.text(&[b' '; 4000]).unwrap().to_vec();
    assert_eq!(inflate_all(&[text]), [vec![b' '; 4000]]);
}

#[test]
fn memory_goes_back_after_a_rest() {
    let mut compression = compression(false);
    compress(&mut compression, &[1; 500]).unwrap();
    compression.shrink();
    assert!(compression.deflater.is_some());
    compression.shrink();
    assert!(compression.deflater.is_none());
    let again = compress(&mut compression, &[1; 500]).unwrap();
    assert_eq!(inflate_all(&[again]), [[&b"head"[..], &[1; 500]].concat()]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_receiver_understands_any_sequence(
        messages in prop::collection::vec(
            (prop_oneof![0usize..200, 0usize..6000, Just(PIECE), Just(PIECE + 1), Just(2 * PIECE)], 0u8..4, any::<bool>()),
            1..20,
        ),
        alone in any::<bool>(),
    ) {
        let mut compression = compression(alone);
        let (mut sent, mut expected) = (Vec::new(), Vec::new());
        for (length, kind, rest) in messages {
            let payload = match kind {
                0 => noise(length),
                1 => vec![b'a'; length],
                _ => b"some text, ".iter().copied().cycle().take(length).collect(),
            };
            if wants(&mut compression, payload.len())
                && let Some(compressed) = compress(&mut compression, &payload)
            {
                prop_assert!(compressed.len() < payload.len() + 4);
                sent.push(compressed);
                expected.push([&b"head"[..], &payload].concat());
            }
            if rest {
                compression.shrink();
            }
        }
        prop_assert!(inflate_all(&sent) == expected);
    }
}
