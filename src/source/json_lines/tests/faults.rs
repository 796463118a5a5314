//! Lines that can't be used.

use super::*;

/// What is wrong with a line, as strict reading reports it.
#[track_caller]
fn fault(line: &str) -> String {
    let outcome = read_with(line, &strict());
    assert_eq!((outcome.errors.len(), outcome.messages.len(), outcome.bad), (1, 0, 1), "{line}: {outcome:?}");
    outcome.errors[0].clone()
}

#[test]
fn bad_lines_are_skipped_and_counted_and_good_ones_go_on() {
    let outcome = read(
        b"{\"topic\":\"/a\",\"data\":{\"n\":1}}\nnonsense\n{\"topic\":\"/a\",\"data\":{\"n\":2}}\n\
          {\"topic\":\"/a\",\"data\":{\"s\":\"\xff\"}}\n{\"data\":{}}\n{\"topic\":\"/a\",\"data\":{\"n\":3}}\n{",
    );
    assert_eq!(outcome.texts(), ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"]);
    assert_eq!((outcome.lines, outcome.bad, outcome.errors.len()), (7, 4, 0));
}

#[test]
fn strict_reading_stops_at_the_line_behind_the_messages_before_it() {
    let text = "{\"topic\":\"/a\",\"data\":{\"n\":1}}\n\n  {\"topic\":\"/a\",\"data\":{\"n\":}}\n{\"topic\":\"/a\",\"data\":{\"n\":2}}\n";
    let options = strict();
    let mut source = input(text.as_bytes(), &options, &channels(&options));
    assert_eq!(source.next().unwrap().unwrap().entries.len(), 1);
    let error = source.next().unwrap_err();
    assert!(matches!(&error, SourceError::Line { line: 3, column: 29, .. }), "{error:?}");
    assert_eq!(error.to_string(), "stdin: line 3, column 29: expected value");
    assert_eq!(source.next().unwrap().unwrap().entries.len(), 1, "it can be asked to go on");
    assert!(source.next().unwrap().is_none());
}

#[test]
fn faults_are_told_with_the_way_out() {
    for (line, part) in [
        (r#"{"data":{}}"#, "column 1: there is no topic; default_topic"),
        (r#"{"topic":7,"data":{}}"#, "column 10: topic 7 is not a string"),
        (r#"{"topic":"/a"}"#, "neither data nor data_base64"),
        (r#"{"topic":"/a","data":null}"#, "neither data nor data_base64"),
        (r#"{"topic":"/a","data":{},"data_base64":""}"#, "one of them"),
        (r#"{"topic":"/a","data":[1]}"#, "column 22: the message on /a is an array"),
        (r#"{"topic":"/a","data":"x"}"#, "column 22: the message on /a is a string"),
        (r#"{"ax":1}"#, "column 1: there is no topic; with default_topic whole lines are messages on it"),
        (r#"{"topic":"/a","data":{},"sequence":-1}"#, "column 36: sequence -1 is not"),
        (r#"{"topic":"/a","data":{},"log_time":-1}"#, "column 36: log_time -1 lies before 1970"),
        (r#"{"topic":"/a","data":{},"publish_time":"x"}"#, "publish_time \"x\" is not a time"),
        (r#"{"topic":"/a","data":{},"schema":"foxglove.log"}"#, "did you mean 'foxglove.Log'?"),
        (r#"{"topic":"/a","data_base64":"QUJD"}"#, "needs the encoding"),
        (
            r#"{"topic":"/a","encoding":"x","data_base64":"Q*"}"#,
            "not base64 (letters, digits, + and /): character 2 is '*'",
        ),
        (r#"{"topic":"/a","schema":"foxglove.Log","data":{"levle":1}}"#, "levle"),
        (r#"{"op":"dance","topic":"/a"}"#, "column 7: op 'dance' is unknown"),
        (r#"{"op":"schema","name":"","schema":{}}"#, "needs a name"),
        (r#"{"op":"schema","name":"A"}"#, "neither schema nor schema_base64"),
        (r#"{"op":"schema","name":"A","schema":[]}"#, "neither an object nor a string"),
        (r#"{"op":"schema","name":"A","encoding":"protobuf","schema":"x"}"#, "give it as schema_base64"),
        (r#"{"op":"schema","name":"A","encoding":"protobuf","schema_base64":"x"}"#, "not base64"),
        (r#"{"op":"schema","name":"A","schema":"{"}"#, "not JSON"),
        (r#"{"op":"channel","topic":"/a","latch":1}"#, "latch is neither"),
        (r#"{"op":"channel","topic":"/a","metadata":[]}"#, "metadata is not an object"),
        (r#"{"op":"channel","topic":"/a","schema":"Nope"}"#, "no schema 'Nope'"),
        ("[1]", "column 1: the line is a JSON array"),
        ("a,b", "not a JSON object, {\"topic\":…,\"data\":{…}}; the form Csv"),
        ("{}{}", "one JSON object"),
        ("{\"topic\":\"/a\",", "jq -c"),
        ("\u{1f}", "not a JSON object"),
        ("  nonsense", "column 3: the line is not a JSON object"),
    ] {
        let error = fault(line);
        assert!(error.starts_with("stdin: line 1, column ") && error.contains(part), "{line}: {error}");
    }
    let error = &read_with(b"{\"topic\":\"\xc3\x28\"}", &strict()).errors[0];
    assert_eq!(error, "stdin: line 1, column 11: the line is not UTF-8 from here on");
}

#[test]
fn a_line_that_is_too_long_is_bad_at_any_length() {
    for length in [60, 100, 300_000, 2_000_000] {
        let long = format!("{{\"topic\":\"/a\",\"data\":{{\"x\":\"{}\"}}}}", "y".repeat(length));
        let text =
            format!("{{\"topic\":\"/a\",\"data\":{{}}}}\n{long}\n{{\"topic\":\"/a\",\"data\":{{}}}}\n");
        let options = JsonLinesOptions { max_line: 64, ..strict() };
        let outcome = read_with(&text, &options);
        assert_eq!((outcome.messages.len(), outcome.lines, outcome.bad), (2, 3, 1), "{length}");
        assert!(outcome.errors[0].contains("line 2, column 1: the line is longer than 64 bytes; max_line"));
        assert_eq!(read(&text).messages.len(), 3, "{length}");
    }
}
