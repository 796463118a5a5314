//! Lines that are data as a whole, and lines that are played by their times.

use super::*;

fn on_topic(form: LineForm) -> JsonLinesOptions {
    JsonLinesOptions { form, default_topic: Some("/t".into()), ..strict() }
}

#[test]
fn an_object_that_says_nothing_is_data_on_the_default_topic() {
    let text = "{\"ax\":1}\n{\"data\":{\"n\":1}}\n{\"topic\":\"/a\",\"data\":{}}\n{\"ax\":NaN,\"log_time\":7}\n{\"data\":null}";
    let outcome = read_with(text, &on_topic(LineForm::Keyed));
    assert_eq!(outcome.texts(), ["{\"ax\":1}", "{\"n\":1}", "{}", "{\"ax\":null,\"log_time\":7}"]);
    let topics: Vec<_> = outcome.messages.iter().map(|message| message.channel.topic.as_str()).collect();
    assert_eq!(topics, ["/t", "/t", "/a", "/t"]);
    assert_eq!(outcome.messages[3].log_time, 7_000_000_000);
    assert_eq!(outcome.errors.len(), 1, "{:?}", outcome.errors);
    let timed = JsonLinesOptions { time_field: Some("stamp".into()), ..on_topic(LineForm::Keyed) };
    assert_eq!(read_with("{\"stamp\":5}", &timed).messages[0].log_time, 5_000_000_000);
}

#[test]
fn rows_become_objects_with_the_names_of_the_first() {
    let csv = JsonLinesOptions { time_field: Some("t".into()), ..on_topic(LineForm::Csv) };
    let outcome = read_with("\u{feff}t,x,name\r\n1.5,2,a\r\n\r\n2.5,nan,\"b,c\"\r\n3\r\n", &csv);
    assert_eq!(outcome.texts(), [r#"{"t":1.5,"x":2,"name":"a"}"#, r#"{"t":2.5,"x":null,"name":"b,c"}"#]);
    let times: Vec<_> = outcome.messages.iter().map(|message| message.log_time).collect();
    assert_eq!(times, [1_500_000_000, 2_500_000_000]);
    assert!(outcome.errors[0].contains("line 5, column 1: the line has 1 value"), "{:?}", outcome.errors);
    let tabs = read_with("a\tb\n\t2\n1\t\n", &on_topic(LineForm::Csv));
    assert_eq!(tabs.texts(), [r#"{"a":null,"b":2}"#, r#"{"a":1,"b":null}"#]);
}

fn paced(text: &str) -> Outcome {
    let options = JsonLinesOptions::default();
    drain(input(text.as_bytes(), &options, &channels(&options)).paced())
}

fn times(outcome: &Outcome) -> Vec<u64> {
    outcome.messages.iter().map(|message| message.log_time / 1_000_000).collect()
}

fn line(time: &str, n: u32) -> String {
    format!("{{\"topic\":\"/a\",{time}\"data\":{{\"n\":{n}}}}}\n")
}

#[test]
fn a_line_without_a_time_is_of_the_time_of_the_one_before() {
    let text =
        [line("", 0), line("\"log_time\":1000.0,", 1), line("", 2), line("\"log_time\":1000.2,", 3)].concat();
    assert_eq!(times(&paced(&text)), [1_000_000, 1_000_000, 1_000_000, 1_000_200]);
    assert_eq!(times(&paced(&line("", 0))), [ARRIVAL.nanos() / 1_000_000], "of nothing, when it arrives");
}

#[test]
fn an_outlier_in_time_is_skipped_and_a_gap_is_not() {
    let at = |seconds: u64, n| line(&format!("\"log_time\":{seconds},"), n);
    let outlier = paced(&[at(1000, 0), at(1_767_323_045, 1), at(1001, 2)].concat());
    assert_eq!((times(&outlier), outlier.bad), (vec![1_000_000, 1_001_000], 1));
    let gap = paced(&[at(1000, 0), at(90_000, 1), line("", 2), at(90_001, 3)].concat());
    assert_eq!(gap.texts(), ["{\"n\":0}", "{\"n\":2}", "{\"n\":1}", "{\"n\":3}"]);
    let last = paced(&[at(1000, 0), at(90_000, 1)].concat());
    assert_eq!((times(&last), last.bad), (vec![1_000_000, 90_000_000], 0));
}
