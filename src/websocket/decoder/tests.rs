use proptest::prelude::*;

use super::*;
use crate::websocket::deflate::Deflater;
use crate::websocket::negotiation::negotiate;

const MAX_MESSAGE: usize = 16 << 20;
const MASK: [u8; 4] = [0x12, 0xF4, 0x56, 0x01];
const FIN: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = FIN | 8;
const PING: u8 = FIN | 9;
const PONG: u8 = FIN | 10;

/// The head of a masked frame of any declared length.
fn head(first: u8, length: usize) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..=125 => head.push(0x80 | u8::try_from(length).unwrap()),
        126..=65_535 => {
            head.push(0x80 | 126);
            head.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend((length as u64).to_be_bytes());
        }
    }
    head.extend(MASK);
    head
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let masked = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    head(first, payload.len()).into_iter().chain(masked).collect()
}

/// Feeds bytes in pieces of the given sizes; the rest, if any, in one.
fn decode_cut(bytes: &[u8], deflate: bool, cuts: &[usize]) -> Result<Vec<Event>, (Vec<Event>, Violation)> {
    let agreement = deflate.then(|| negotiate(["permessage-deflate"]).unwrap());
    let mut decoder = Decoder::new(Role::Server, MAX_MESSAGE, agreement);
    let mut events = Vec::new();
    let mut rest = bytes;
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        let (mut piece, later) = rest.split_at(cut.min(rest.len()));
        rest = later;
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(violation) => return Err((events, violation)),
            }
        }
        assert!(piece.is_empty());
    }
    Ok(events)
}

fn decode(bytes: &[u8]) -> Result<Vec<Event>, Violation> {
    decode_cut(bytes, false, &[]).map_err(|(_, violation)| violation)
}

/// The close code that bytes lead to.
fn refused(bytes: &[u8]) -> Option<u16> {
    decode(bytes).err().map(|violation| violation.code)
}

fn text(text: &str) -> Event {
    Event::Text(text.to_owned())
}

fn binary(bytes: &[u8]) -> Event {
    Event::Binary(Bytes::copy_from_slice(bytes))
}

/// A message compressed alone.
fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut deflater = Deflater::new(6, 8, 15);
    deflater.deflate(payload, &mut out);
    deflater.finish(&mut out);
    out
}

#[test]
fn the_examples_of_the_specification_are_read() {
    // RFC 6455 section 5.7, RFC 7692 section 7.2.3
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decode(&hello), Ok(vec![text("Hello")]));
    for deflated in [
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ] {
        let bytes = frame(FIN | COMPRESSED | TEXT, deflated);
        assert_eq!(decode_cut(&bytes, true, &[]), Ok(vec![text("Hello")]), "{deflated:x?}");
    }
    // the second one refers to the first, which only context takeover allows
    let first = frame(FIN | COMPRESSED | TEXT, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    let second = frame(FIN | COMPRESSED | TEXT, &[0xf2, 0x00, 0x11, 0x00, 0x00]);
    let (events, violation) = decode_cut(&[first, second].concat(), true, &[]).unwrap_err();
    assert_eq!((events, violation.code), (vec![text("Hello")], 1007));
}

#[test]
fn control_frames_come_between_fragments() {
    let bytes = [
        frame(TEXT, "gr\u{fc}".as_bytes().split_at(3).0),
        frame(PING, b"there?"),
        frame(CONTINUATION, "gr\u{fc}".as_bytes().split_at(3).1),
        frame(PONG, b""),
        frame(FIN | CONTINUATION, "\u{df}e".as_bytes()),
        frame(FIN | BINARY, b""),
    ];
    let events =
        [Event::Ping(Bytes::from_static(b"there?")), Event::Pong, text("gr\u{fc}\u{df}e"), binary(b"")];
    assert_eq!(decode(&bytes.concat()), Ok(events.to_vec()));
}

#[test]
fn lengths_of_all_forms_are_read() {
    for length in [0, 125, 126, 65_535, 65_536, 200_000, MAX_MESSAGE] {
        let payload = vec![0xA5; length];
        assert_eq!(decode(&frame(FIN | BINARY, &payload)), Ok(vec![binary(&payload)]), "{length}");
    }
}

#[test]
fn what_is_against_the_protocol_is_closed_with_1002() {
    let mut unmasked = frame(FIN | TEXT, b"hi");
    unmasked[1] &= 0x7F;
    let long = |form: u8, length: &[u8]| [&[FIN | BINARY, 0x80 | form], length, &MASK].concat();
    let whole_then = |second: Vec<u8>| [frame(TEXT, b"a"), second].concat();
    let wrong = [
        ("not masked", unmasked),
        ("second reserved bit", frame(FIN | 0x20 | TEXT, b"")),
        ("third reserved bit", frame(FIN | 0x10 | TEXT, b"")),
        ("compressed, not negotiated", frame(FIN | COMPRESSED | TEXT, &deflated(b"hi"))),
        ("compressed ping", frame(PING | COMPRESSED, b"")),
        ("compressed continuation", whole_then(frame(FIN | COMPRESSED | CONTINUATION, b""))),
        ("reserved data opcode", frame(FIN | 3, b"")),
        ("another one", frame(FIN | 7, b"")),
        ("reserved control opcode", frame(FIN | 11, b"")),
        ("another one", frame(FIN | 15, b"")),
        ("fragmented ping", frame(9, b"")),
        ("fragmented close", frame(8, &[])),
        ("long ping", frame(PING, &[0; 126])),
        ("close with half a code", frame(CLOSE, &[3])),
        ("length of 125 in the medium form", long(126, &[0, 125])),
        ("length of 65535 in the long form", long(127, &[0, 0, 0, 0, 0, 0, 0xFF, 0xFF])),
        ("length with its highest bit", long(127, &[0x80, 0, 0, 0, 0, 0, 0, 1])),
        ("continuation of nothing", frame(FIN | CONTINUATION, b"")),
        ("continuation after the end", [frame(FIN | TEXT, b""), frame(CONTINUATION, b"")].concat()),
        ("text within text", whole_then(frame(FIN | TEXT, b""))),
        ("binary within text", whole_then(frame(BINARY, b""))),
    ];
    for (what, bytes) in wrong {
        assert_eq!(refused(&bytes), Some(1002), "{what}");
    }
    for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        assert_eq!(refused(&frame(CLOSE, &code.to_be_bytes())), Some(1002), "{code}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_closed_with_1007() {
    for bytes in [&b"\xFF"[..], b"\xED\xA0\x80", b"\xC0\x80", b"\xF4\x90\x80\x80", b"ok\xE2\x82"] {
        assert_eq!(refused(&frame(FIN | TEXT, bytes)), Some(1007), "{bytes:x?}");
        assert_eq!(refused(&frame(CLOSE, &[&[3, 0xE8], bytes].concat())), Some(1007), "{bytes:x?}");
    }
    assert_eq!(decode(&frame(FIN | BINARY, b"\xFF")), Ok(vec![binary(b"\xFF")]));
}

#[test]
fn a_close_frame_is_the_last() {
    for (payload, code) in [(&b""[..], None), (b"\x03\xE8bye", Some(1000)), (b"\x0F\xA0", Some(4000))] {
        let bytes = [frame(CLOSE, payload), frame(FIN | TEXT, b"late"), vec![0xFF; 40]].concat();
        assert_eq!(decode(&bytes), Ok(vec![Event::Close(code)]));
    }
}

#[test]
fn a_message_that_is_too_long_is_closed_with_1009_before_it_has_arrived() {
    assert_eq!(refused(&head(FIN | BINARY, MAX_MESSAGE + 1)), Some(1009));
    assert_eq!(refused(&head(FIN | BINARY, usize::MAX >> 1)), Some(1009));
    let mut parts = frame(BINARY, &vec![0; MAX_MESSAGE - 10]);
    parts.extend(frame(CONTINUATION, &[0; 10]));
    assert_eq!(decode(&parts), Ok(vec![]));
    parts.extend(head(FIN | CONTINUATION, 1));
    assert_eq!(refused(&parts), Some(1009));
}

#[test]
fn a_compressed_message_is_bounded_by_its_inflated_size() {
    let fits = frame(FIN | COMPRESSED | BINARY, &deflated(&vec![0; MAX_MESSAGE]));
    assert!(fits.len() < 20_000);
    assert_eq!(decode_cut(&fits, true, &[]), Ok(vec![binary(&vec![0; MAX_MESSAGE])]));
    let bomb = frame(FIN | COMPRESSED | BINARY, &deflated(&vec![0; MAX_MESSAGE + 1]));
    assert_eq!(decode_cut(&bomb, true, &[]).unwrap_err().1.code, 1009);
    // blocks that say nothing: no memory, but no end either
    let nothing = frame(COMPRESSED | BINARY, &[0, 0, 0, 0xFF, 0xFF].repeat(MAX_MESSAGE / 10));
    let more = frame(CONTINUATION, &[0, 0, 0, 0xFF, 0xFF].repeat(MAX_MESSAGE / 10));
    assert_eq!(decode_cut(&[nothing, more.clone(), more].concat(), true, &[]).unwrap_err().1.code, 1009);
}

#[test]
fn of_a_text_that_is_too_long_nothing_is_kept_and_the_connection_goes_on() {
    let mut fragments = frame(TEXT, &[b'x'; 700]);
    fragments.extend(frame(CONTINUATION, &[b'x'; 700]));
    fragments.extend(frame(FIN | CONTINUATION, &[b'x'; 700]));
    let whole = frame(FIN | TEXT, &[b'x'; 1001]);
    let compressed = frame(FIN | COMPRESSED | TEXT, &deflated(&[b'x'; 1_000_000]));
    let fits = frame(FIN | TEXT, &[b'y'; 1000]);
    let other = frame(FIN | BINARY, &[7; 5000]);
    let bytes = [fragments, whole, compressed, fits, other].concat();
    for cut in [1, 13, 999, usize::MAX] {
        let agreement = negotiate(["permessage-deflate"]);
        let mut decoder = Decoder::new(Role::Server, MAX_MESSAGE, agreement).with_max_text(1000);
        let mut events = Vec::new();
        for mut piece in bytes.chunks(cut.min(bytes.len())) {
            while let Some(event) = decoder.decode(&mut piece).unwrap() {
                events.push(event);
            }
            let kept = decoder.message.as_ref().filter(|message| message.is_text);
            assert!(kept.is_none_or(|message| message.data.capacity() <= 2048));
        }
        let long = [2100, 1001, 1_000_000].map(Event::LongText);
        assert_eq!(events, [&long[..], &[text(&"y".repeat(1000)), binary(&[7; 5000])]].concat());
    }
}

#[test]
fn of_some_binary_messages_only_heads_are_kept() {
    let payload = |first: u8, length: usize| [&[first], vec![5; length - 1].as_slice()].concat();
    let (data, other) = (payload(1, 3000), payload(2, 3000));
    let bytes = [
        frame(FIN | BINARY, &data),
        frame(FIN | BINARY, &other),
        frame(BINARY, &data[..7]),
        frame(FIN | CONTINUATION, &data[7..]),
        frame(FIN | COMPRESSED | BINARY, &deflated(&data)),
        frame(FIN | BINARY, &payload(1, 13)),
        frame(FIN | BINARY, b""),
        frame(FIN | TEXT, &payload(1, 3000)),
    ];
    let bytes = bytes.concat();
    let head = Event::Head { head: Bytes::from(payload(1, 13)), length: 3000 };
    let expected = [
        head.clone(),
        binary(&other),
        head.clone(),
        head,
        binary(&payload(1, 13)),
        binary(b""),
        text(&String::from_utf8(payload(1, 3000)).unwrap()),
    ];
    for cut in [1, 2, 5, 100, bytes.len()] {
        let agreement = negotiate(["permessage-deflate"]);
        let mut decoder = Decoder::new(Role::Server, MAX_MESSAGE, agreement).with_heads(1, 13);
        let mut events = Vec::new();
        for mut piece in bytes.chunks(cut) {
            while let Some(event) = decoder.decode(&mut piece).unwrap() {
                events.push(event);
            }
        }
        assert_eq!(events, expected, "cut at {cut}");
    }
}

#[test]
fn of_a_message_of_which_the_head_is_kept_no_more_may_come_than_of_another() {
    let mut decoder = Decoder::new(Role::Server, 1000, None).with_heads(1, 13);
    let bytes = [frame(BINARY, &[1; 900]), frame(FIN | CONTINUATION, &[1; 200])].concat();
    assert_eq!(decoder.decode(&mut &bytes[..]).unwrap_err().code, 1009);
}

#[test]
fn a_text_that_is_too_long_may_still_not_be_longer_than_a_message() {
    let agreement = negotiate(["permessage-deflate"]);
    let mut decoder = Decoder::new(Role::Server, MAX_MESSAGE, agreement).with_max_text(1000);
    let bomb = frame(FIN | COMPRESSED | TEXT, &deflated(&vec![b'x'; MAX_MESSAGE + 1]));
    assert_eq!(decoder.decode(&mut &bomb[..]).unwrap_err().code, 1009);
}

#[test]
fn unfinished_messages_of_all_connections_have_one_budget() {
    let budget = Budget::new(1_000_000);
    let decoder = || Decoder::new(Role::Server, MAX_MESSAGE, None).with_budget(&budget);
    let begun = frame(BINARY, &[0; 600_000]);
    let (mut one, mut other, mut small) = (decoder(), decoder(), decoder());
    assert_eq!(one.decode(&mut &begun[..]), Ok(None));
    assert_eq!(other.decode(&mut &begun[..]).unwrap_err().code, 1013);
    assert_eq!(small.decode(&mut &frame(FIN | BINARY, &[1; 60_000])[..]), Ok(Some(binary(&[1; 60_000]))));
    drop(other);
    let end = frame(FIN | CONTINUATION, &[0; 1]);
    assert!(matches!(one.decode(&mut &end[..]), Ok(Some(Event::Binary(_)))));
    let mut third = decoder();
    assert_eq!(third.decode(&mut &begun[..]), Ok(None), "what has ended is given back");
}

#[test]
fn damaged_compressed_data_is_closed_with_1007() {
    let whole = deflated(b"a message that is long enough to be cut, and cut, and cut");
    for length in 1..whole.len() {
        let bytes = frame(FIN | COMPRESSED | TEXT, &whole[..length]);
        assert_eq!(decode_cut(&bytes, true, &[]).unwrap_err().1.code, 1007, "{length} of {}", whole.len());
    }
    assert_eq!(decode_cut(&frame(FIN | COMPRESSED | TEXT, b""), true, &[]), Ok(vec![text("")]));
    assert_eq!(decode_cut(&frame(FIN | COMPRESSED | TEXT, &[0]), true, &[]), Ok(vec![text("")]));
    let invalid = frame(FIN | COMPRESSED | TEXT, &[0xFF; 9]);
    assert_eq!(decode_cut(&invalid, true, &[]).unwrap_err().1.code, 1007);
}

#[test]
fn memory_is_taken_for_what_has_arrived_only() {
    let mut buffer = Vec::new();
    append(&mut buffer, &[0; 100], Some(MASK), 0, MAX_MESSAGE);
    assert!(buffer.capacity() < 1000);
    for _ in 0..10 {
        let offset = buffer.len();
        append(&mut buffer, &[0; 100], Some(MASK), offset, 1100);
    }
    assert!(buffer.capacity() <= 1100);
}

/// A message as it may be sent: in fragments, compressed or not, with pings between.
#[derive(Debug, Clone)]
struct Sent {
    is_text: bool,
    compressed: bool,
    payload: String,
    fragments: usize,
    pings: bool,
}

impl Sent {
    fn frames(&self) -> Vec<u8> {
        let opcode = if self.is_text { TEXT } else { BINARY };
        let (first, payload) = if self.compressed {
            (opcode | COMPRESSED, deflated(self.payload.as_bytes()))
        } else {
            (opcode, self.payload.clone().into_bytes())
        };
        let size = payload.len().div_ceil(self.fragments).max(1);
        let mut pieces: Vec<&[u8]> = payload.chunks(size).collect();
        pieces.resize(self.fragments.max(pieces.len()), &[]);
        let mut out = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            let opcode = if index == 0 { first } else { CONTINUATION };
            let fin = if index + 1 == pieces.len() { FIN } else { 0 };
            out.extend(frame(fin | opcode, piece));
            if self.pings {
                out.extend(frame(PING, &[7]));
            }
        }
        out
    }

    fn event(&self) -> Event {
        if self.is_text { text(&self.payload) } else { binary(self.payload.as_bytes()) }
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    (any::<bool>(), any::<bool>(), "(.{0,40}|[a-c]{0,2000})", 1usize..5, any::<bool>()).prop_map(
        |(is_text, compressed, payload, fragments, pings)| Sent {
            is_text,
            compressed,
            payload,
            fragments,
            pings,
        },
    )
}

proptest! {
    #[test]
    fn messages_arrive_wherever_the_bytes_are_cut(
        messages in prop::collection::vec(sent(), 0..6),
        cuts in prop::collection::vec(prop_oneof![1usize..4, 1usize..300], 0..200),
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(Sent::frames).collect();
        let events = decode_cut(&bytes, true, &cuts).unwrap();
        let data: Vec<_> = events.into_iter().filter(|event| !matches!(event, Event::Ping(_))).collect();
        prop_assert_eq!(data, messages.iter().map(Sent::event).collect::<Vec<_>>());
    }

    #[test]
    fn where_bytes_are_cut_does_not_matter_whatever_they_are(
        heads in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..200)), 1..6),
        noise in prop::collection::vec(any::<u8>(), 0..30),
        deflate in any::<bool>(),
        cuts in prop::collection::vec(1usize..9, 0..300),
    ) {
        // frames with any first byte are right often enough to get somewhere
        let mut bytes: Vec<u8> = heads.iter().flat_map(|(first, payload)| frame(*first, payload)).collect();
        bytes.extend(noise);
        prop_assert_eq!(decode_cut(&bytes, deflate, &cuts), decode_cut(&bytes, deflate, &[]));
    }
}
