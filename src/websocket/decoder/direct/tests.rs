use proptest::prelude::*;

use super::*;
use crate::websocket::Role;
use crate::websocket::deflate::Deflater;
use crate::websocket::negotiation::negotiate;

const CUT: usize = 64 << 10;

/// A server's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(u8::try_from(length).unwrap()),
        length @ 126..=65_535 => {
            frame.push(126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

fn payload(seed: u8, length: usize) -> Vec<u8> {
    (0..251).cycle().take(length).map(|byte: u8| byte ^ seed).collect()
}

/// Reads as from a connection that has `CUT` bytes at a time; the messages, and bytes that were read without a copy.
fn read(decoder: &mut Decoder, mut sent: &[u8]) -> (Vec<Event>, usize) {
    let (mut events, mut direct) = (Vec::new(), 0);
    while !sent.is_empty() {
        if let Some(mut space) = decoder.space() {
            let (now, later) = sent.split_at(CUT.min(sent.len()).min(space.chunk_mut().len()));
            space.put_slice(now);
            sent = later;
            direct += now.len();
            events.extend(decoder.filled(now.len()).unwrap());
            continue;
        }
        let (mut now, later) = sent.split_at(CUT.min(sent.len()));
        sent = later;
        while let Some(event) = decoder.decode(&mut now).unwrap() {
            events.push(event);
        }
        assert!(now.is_empty());
    }
    (events, direct)
}

#[test]
fn large_messages_are_whole_however_they_are_read() {
    let (one, other) = (payload(1, 300_000), payload(2, 6_000_000));
    let (first, second) = one.split_at(100_000);
    let ping = [0x89, 2, 7, 8];
    let sent = [
        &frame(2, first)[..],
        &ping,
        &frame(0x80, second),
        &frame(0x82, &other),
        &frame(0x81, &[b'x'; 200_000]),
    ];
    let mut decoder = Decoder::new(Role::Client, 16 << 20, None);
    let (events, direct) = read(&mut decoder, &sent.concat());
    let text = "x".repeat(200_000);
    let expected = [
        Event::Ping(vec![7, 8].into()),
        Event::Binary(one.into()),
        Event::Binary(other.into()),
        Event::Text(text),
    ];
    assert!(events == expected);
    assert!(direct > 6_000_000, "{direct}");
}

#[test]
fn what_is_not_kept_is_not_read_so() {
    let heads = || Decoder::new(Role::Client, 16 << 20, None).with_heads(1, 13);
    let (events, direct) = read(&mut heads(), &frame(0x82, &[1; 300_000]));
    assert!(matches!(&events[..], [Event::Head { length: 300_000, .. }]));
    assert_eq!(direct, 0);
    let (events, direct) = read(&mut heads(), &frame(0x82, &[2; 300_000]));
    assert!(events == [Event::Binary(vec![2; 300_000].into())]);
    assert!(direct > 100_000);
}

#[test]
fn memory_is_taken_for_little_more_than_has_arrived() {
    let mut decoder = Decoder::new(Role::Client, 1 << 30, None);
    let sent = frame(0x82, &payload(3, 50 << 20));
    let (events, _) = read(&mut decoder, &sent[..1 << 20]);
    assert_eq!(events, []);
    assert_eq!(decoder.message.as_ref().map(|message| message.data.capacity()), Some(AT_ONCE));
    let (events, _) = read(&mut decoder, &sent[1 << 20..]);
    assert!(matches!(&events[..], [Event::Binary(bytes)] if bytes.len() == 50 << 20));
}

/// The largest message of those that are made up.
const MOST: usize = 300_000;

/// Longer text is not kept.
const MOST_TEXT: usize = 150_000;

/// What a server sends: whole messages in fragments, with control frames between them, and what is wrong.
fn sent() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![
        prop::sample::select(vec![0, 1, 125, 126, 1023, 1024, 1025, LEAST - 1, LEAST, LEAST + 1, 65_536]),
        0..2000_usize,
        LEAST..100_000,
    ];
    let fragments = prop::collection::vec((size, any::<bool>()), 1..4);
    // the opcode, whether it is compressed, and the first byte, which tells what is wanted
    let message =
        (1..=2_u8, any::<bool>(), 0..3_u8, fragments).prop_map(|(opcode, deflate, seed, fragments)| {
            let length = fragments.iter().map(|(length, _)| length).sum();
            let mut content: Vec<u8> = (0..101).cycle().take(length).map(|byte: u8| byte ^ seed).collect();
            let mut first = opcode;
            if deflate {
                let mut out = Vec::new();
                let mut deflater = Deflater::new(1, 8, 15);
                deflater.deflate(&content, &mut out);
                deflater.finish(&mut out);
                (content, first) = (out, opcode | 0x40);
            }
            let (mut frames, mut left) = (Vec::new(), &content[..]);
            for (number, (length, is_pinged)) in fragments.iter().enumerate() {
                let is_last = number + 1 == fragments.len();
                let (now, later) =
                    if is_last { (left, &[][..]) } else { left.split_at((*length).min(left.len())) };
                left = later;
                frames.extend(frame(first | if is_last { 0x80 } else { 0 }, now));
                first = 0;
                if *is_pinged {
                    frames.extend(frame(0x89, &[7; 9]));
                }
            }
            frames
        });
    let other =
        prop_oneof![Just(frame(0x88, &[3, 232])), Just(frame(0x83, b"")), Just(frame(0x80, &[1; 40_000]))];
    let parts = prop::collection::vec(prop_oneof![30 => message, 1 => other], 1..8);
    parts.prop_map(|parts| parts.concat())
}

/// What bytes are read as in pieces of these sizes, and what is wrong with them in the end.
fn read_in(
    mut decoder: Decoder,
    mut sent: &[u8],
    pieces: &[usize],
    is_direct: bool,
) -> (Vec<Event>, Option<Violation>) {
    let (mut events, mut pieces) = (Vec::new(), pieces.iter().cycle());
    while let (false, Some(piece)) = (sent.is_empty(), pieces.next()) {
        let space = if is_direct { decoder.space() } else { None };
        let decoded = if let Some(mut space) = space {
            let (now, later) = sent.split_at(piece.min(&sent.len()).min(&space.chunk_mut().len()).to_owned());
            space.put_slice(now);
            sent = later;
            decoder.filled(now.len()).map(|event| events.extend(event))
        } else {
            let (mut now, later) = sent.split_at(*piece.min(&sent.len()));
            sent = later;
            std::iter::from_fn(|| decoder.decode(&mut now).transpose())
                .try_for_each(|event| event.map(|event| events.push(event)))
        };
        if let Err(violation) = decoded {
            return (events, Some(violation));
        }
    }
    (events, None)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_read_to_its_place_is_what_is_decoded(
        sent in sent(),
        pieces in prop::collection::vec(prop_oneof![1..200_usize, 1000..100_000_usize], 1..6),
        has_heads in any::<bool>(),
        end in any::<prop::sample::Index>(),
    ) {
        let decoder = || {
            let agreement = Some(negotiate(["permessage-deflate"]).unwrap());
            let decoder = Decoder::new(Role::Client, MOST, agreement).with_max_text(MOST_TEXT);
            if has_heads { decoder.with_heads(1, 13) } else { decoder }
        };
        // the connection may end anywhere
        let sent = if end.index(3) == 0 { &sent[..end.index(sent.len())] } else { &sent };
        let whole = read_in(decoder(), sent, &[usize::MAX], false);
        prop_assert!(read_in(decoder(), sent, &pieces, true) == whole);
        prop_assert!(read_in(decoder(), sent, &pieces, false) == whole);
    }
}
