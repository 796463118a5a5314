use proptest::prelude::*;

use super::*;

/// Messages through one deflater and back, each inflated in a stream with all that came before.
fn round_trip(messages: &[Vec<u8>], window_bits: u8, level: i32, takeover: bool) {
    let mut deflater = Deflater::new(level, 5, window_bits);
    let mut inflate = Inflate::new(false, window_bits);
    for message in messages {
        let mut sent = Vec::new();
        for part in message.chunks(1000) {
            deflater.deflate(part, &mut sent);
        }
        deflater.finish(&mut sent);
        if !takeover {
            deflater.reset();
            let mut alone = Vec::new();
            let mut inflater = Inflater::default();
            inflater.inflate(&sent, &mut alone, usize::MAX).unwrap();
            inflater.finish(&mut alone, usize::MAX).unwrap();
            assert_eq!(&alone, message);
        }
        sent.extend(TAIL);
        let mut received = vec![0; message.len() + 1];
        let before = inflate.total_out();
        inflate.decompress(&sent, &mut received, InflateFlush::NoFlush).unwrap();
        received.truncate(to_usize(inflate.total_out() - before));
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
fn output_of_exactly_a_piece_is_complete() {
    // stored blocks: noise of every length around a piece
    let noise: Vec<u8> =
        (0..PIECE as u64 + 40).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[0]).collect();
    let messages: Vec<_> = (PIECE - 40..noise.len()).map(|length| noise[..length].to_vec()).collect();
    round_trip(&messages, 12, 1, true);
    round_trip(&messages, 12, 1, false);
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
        takeover in any::<bool>(),
    ) {
        round_trip(&messages, window_bits, level, takeover);
    }

    #[test]
    fn noise_is_refused_or_inflated(noise in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut inflater = Inflater::default();
        let mut out = Vec::new();
        let inflated = inflater.inflate(&noise, &mut out, 10_000);
        let finished = inflated.and_then(|()| inflater.finish(&mut out, 10_000));
        prop_assert!(out.len() <= 10_000 && (finished.is_ok() || !noise.is_empty()));
    }
}
