use proptest::prelude::*;

use super::*;

/// Messages through one deflater and back.
fn round_trip(messages: &[Vec<u8>], window_bits: u8, level: i32, context: Context) {
    let mut deflater = Deflater::new(level, 5, window_bits);
    let mut inflater = Inflater::new(context);
    for message in messages {
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        for part in message.chunks(1000) {
            deflater.deflate(part, &mut sent);
        }
        deflater.finish(&mut sent);
        if context == Context::Alone {
            deflater.reset();
            inflater = Inflater::new(context);
        }
        for part in sent.chunks(999) {
            inflater.inflate(part, &mut received, usize::MAX).unwrap();
        }
        inflater.finish(&mut received, usize::MAX).unwrap();
        assert_eq!(&received, message);
    }
}

#[test]
fn a_deflated_message_does_not_end_with_its_tail() {
    let mut deflater = Deflater::new(1, 5, 12);
    for message in [&b""[..], b"a", b"", b"", &[b'a'; 100_000]] {
        let mut out = Vec::new();
        deflater.deflate(message, &mut out);
        deflater.finish(&mut out);
        assert!(!out.is_empty() && !out.ends_with(&TAIL), "{out:x?}");
    }
}

#[test]
fn a_message_may_refer_to_those_before_it_only_with_takeover() {
    // RFC 7692 section 7.2.3.2
    let first = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let second = [0xf2, 0x00, 0x11, 0x00, 0x00];
    let mut takeover = Inflater::new(Context::Takeover);
    for sent in [&first[..], &second, &second, &first] {
        let mut out = Vec::new();
        takeover.inflate(sent, &mut out, 5).unwrap();
        takeover.finish(&mut out, 5).unwrap();
        assert_eq!(out, b"Hello");
    }
    let mut alone = Inflater::new(Context::Alone);
    assert_eq!(alone.inflate(&second, &mut Vec::new(), 5), Err(InflateError::Invalid));
}

#[test]
fn a_cut_within_a_block_is_found_with_takeover_too() {
    let mut sent = Vec::new();
    let mut deflater = Deflater::new(6, 8, 15);
    deflater.deflate(b"a message that is long enough to be cut, and cut, and cut", &mut sent);
    deflater.finish(&mut sent);
    for length in 1..sent.len() {
        let mut inflater = Inflater::new(Context::Takeover);
        let mut out = Vec::new();
        let inflated = inflater.inflate(&sent[..length], &mut out, 1000);
        let finished = inflated.and_then(|()| inflater.finish(&mut out, 1000));
        assert_eq!(finished, Err(InflateError::Invalid), "{length} of {}", sent.len());
    }
}

#[test]
fn output_of_exactly_a_piece_is_complete() {
    // stored blocks: noise of every length around a piece
    let noise: Vec<u8> =
        (0..PIECE as u64 + 40).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[0]).collect();
    let messages: Vec<_> = (PIECE - 40..noise.len()).map(|length| noise[..length].to_vec()).collect();
    round_trip(&messages, 12, 1, Context::Takeover);
    round_trip(&messages, 12, 1, Context::Alone);
}

proptest! {
    #[test]
    fn whatever_is_deflated_comes_back(
        messages in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                prop::collection::vec(0u8..3, 0..20_000),
                ("[a-d]{1,9}", 1usize..2000).prop_map(|(word, times)| word.repeat(times).into_bytes()),
            ],
            1..6,
        ),
        window_bits in 9u8..=15,
        level in 1i32..=9,
        context in prop_oneof![Just(Context::Alone), Just(Context::Takeover)],
    ) {
        round_trip(&messages, window_bits, level, context);
    }

    #[test]
    fn noise_is_refused_or_inflated(
        noise in prop::collection::vec(any::<u8>(), 0..2000),
        context in prop_oneof![Just(Context::Alone), Just(Context::Takeover)],
    ) {
        let mut inflater = Inflater::new(context);
        let mut out = Vec::new();
        let inflated = inflater.inflate(&noise, &mut out, 10_000);
        let finished = inflated.and_then(|()| inflater.finish(&mut out, 10_000));
        prop_assert!(out.len() <= 10_000 && (finished.is_ok() || !noise.is_empty()));
    }
}
