//! Lines that nobody would write.

use proptest::prelude::*;

use super::*;

/// Lines of every kind, good and bad.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let good = (0u32..4, any::<u64>(), ".{0,8}").prop_map(|(topic, time, text)| {
        serde_json::json!({ "topic": format!("/{topic}"), "log_time": time, "data": { "text": text } })
            .to_string()
    });
    let fixed = prop::sample::select(vec![
        "",
        "# comment",
        "\r",
        r#"{"topic":"/log","schema":"foxglove.Log","data":{"message":"é"}}"#,
        r#"{"topic":"/0","data":{"x":NaN}}"#,
        r#"{"op":"schema","name":"S","schema":{"type":"object"}}"#,
        r#"{"op":"channel","topic":"/c","latch":true}"#,
        r#"{"topic":"/1","schema":"S","data":{}}"#,
        r#"{"topic":"/x","encoding":"x","data_base64":"QUJD"}"#,
        r#"{"topic":"/0","data":{"long":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}}"#,
    ]);
    let whole = prop_oneof![3 => good, 2 => fixed.prop_map(str::to_owned)].prop_map(String::into_bytes);
    let mutated =
        (whole, any::<prop::sample::Index>(), any::<Option<u8>>()).prop_map(|(mut line, at, byte)| {
            if let Some(byte) = byte.filter(|byte| *byte != b'\n' && !line.is_empty()) {
                let at = at.index(line.len());
                line[at] = byte;
            }
            line
        });
    prop_oneof![6 => mutated, 1 => prop::collection::vec(any::<u8>(), 0..20)]
}

proptest! {
    #[test]
    fn whatever_the_lines_are_good_ones_arrive_and_it_does_not_matter_how_the_stream_is_cut(
        lines in prop::collection::vec(any_line(), 0..20),
        sizes in prop::collection::vec(1usize..60, 1..5),
        nan in prop::sample::select(vec![NanPolicy::Null, NanPolicy::String, NanPolicy::Reject]),
    ) {
        let options = JsonLinesOptions { nan, max_line: 90, ..strict() };
        let mut text = lines.join(&b'\n');
        text.extend_from_slice(b"\n{\"topic\":\"/last\",\"data\":{}}");
        let whole = read_with(&text, &options);
        prop_assert_eq!(whole.lines, text.split(|byte| *byte == b'\n').count() as u64);
        prop_assert_eq!(whole.bad, whole.errors.len() as u64);
        prop_assert_eq!(&whole.messages.last().unwrap().channel.topic, "/last");
        prop_assert!(whole.messages.len() as u64 + whole.bad <= whole.lines);

        let cut = drain(input(Stutter { bytes: text, at: 0, sizes, reads: 0 }, &options, &channels(&options)));
        prop_assert_eq!(&cut, &whole);

        let lenient = JsonLinesOptions { strict: false, ..options };
        let mut text = b"{\"topic\":\"/first\",\"data\":{}}\n".to_vec();
        text.extend(lines.join(&b'\n'));
        let skipped = read_with(text, &lenient);
        prop_assert!(skipped.errors.is_empty());
        prop_assert_eq!(skipped.bad, whole.bad);
    }
}

#[test]
fn many_random_lines_do_no_harm() {
    // a linear congruence, for lines that are the same in every run
    let mut state = 1u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let good = r#"{"topic":"/a","log_time":1490149580.103843113,"data":{"x":[1,2,{"y":"z\n"}]}}"#;
    let mut text = Vec::new();
    for number in 0..1_000_000 {
        if number % 100 == 0 {
            text.extend_from_slice(good.as_bytes());
        } else if number % 3 == 0 {
            text.extend((0..random(40)).map(|_| b" {}[]\",:\\nulNaIty-0123e.\xc3\xa9\0"[random(27)]));
        } else {
            let mut line = good.as_bytes().to_vec();
            for _ in 0..=random(3) {
                let at = random(line.len());
                line[at] = b"{}[]\",:\\ NI-0\xff"[random(14)];
            }
            text.append(&mut line);
        }
        text.push(b'\n');
    }
    let outcome = read(&text);
    assert_eq!(outcome.lines, 1_000_000);
    assert!(outcome.messages.len() >= 10_000 && outcome.messages.len() as u64 + outcome.bad <= 1_000_000);
    assert!(outcome.bad > 500_000);
    let last =
        outcome.messages.iter().filter(|message| message.text() == r#"{"x":[1,2,{"y":"z\n"}]}"#).count();
    assert!(last >= 10_000);
}
