//! Streams whose first lines, or all, can't be used.

use super::*;
use crate::source::Hint;

#[test]
fn half_a_line_and_messages_of_a_boot_are_skipped_at_the_beginning() {
    let outcome =
        read("n\":1}}\nets Jun  8 2016 00:22:57\n\u{1b}[0;32mI (27) boot\n{\"topic\":\"/a\",\"data\":{}}\n");
    assert_eq!((outcome.messages.len(), outcome.bad), (1, 3));
    assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
}

#[test]
fn a_stream_of_which_nothing_can_be_used_is_an_error_at_its_end() {
    let outcome = read("\u{1b}[31mboot\nhello\n");
    let expected = "stdin: nothing can be used of 2 lines; the first is \"\\u{1b}[31mboot\": line 1, column 1: the line \
                    is not a JSON object, {\"topic\":…,\"data\":{…}}";
    assert_eq!(outcome.errors, [expected]);
    assert!(outcome.announced.is_empty());
    for empty in ["", "\n# a comment\n"] {
        assert!(read(empty).errors.is_empty(), "nothing came, so nothing is wrong");
    }
    assert!(read("{\"op\":\"channel\",\"topic\":\"/a\"}\nx").errors.is_empty(), "a channel was of use");
}

#[test]
fn the_way_out_is_named_as_the_program_knows_it() {
    let options = JsonLinesOptions::default();
    let mut source = input("{\"ax\":1}\n".as_bytes(), &options, &channels(&options))
        .with_hints(|hint| if hint == Hint::WholeLines { "--whole" } else { "?" });
    let error = source.next().unwrap_err().to_string();
    assert!(error.ends_with("line 1, column 1: there is no topic; --whole"), "{error}");
}

#[test]
fn what_others_wrote_never_reaches_an_error_raw() {
    for line in [
        "{\"topic\":\"/a\\nERROR forged\",\"data\":[1]}",
        "{\"topic\":\"/a\",\"schema\":\"x\\u001b[2J\",\"data\":{}}",
        "{\"op\":\"\\n\\u001b\"}",
        "{\"topic\":\"/a\",\"schema\":\"foxglove.Log\",\"data\":{\"level\":\"\\nx\"}}",
        "{\"topic\":\"/a\",\"log_time\":\"\\u001b\\n\",\"data\":{}}",
    ] {
        for error in read_with(line, &strict()).errors.iter().chain(&read(line).errors) {
            assert!(!error.chars().any(char::is_control), "{error:?}");
        }
    }
}

#[test]
fn data_that_is_no_object_names_its_topic_and_leaves_no_channel_behind() {
    let outcome = read_with("{\"topic\":\"/list\",\"data\":[1]}\n{\"topic\":\"/n\",\"data\":5}", &strict());
    assert!(outcome.announced.is_empty());
    assert!(outcome.errors[0].contains("the message on /list is an array"), "{:?}", outcome.errors);
    assert!(outcome.errors[1].contains("the message on /n is a number"), "{:?}", outcome.errors);
    let typed = "{\"topic\":\"/log\",\"schema\":\"foxglove.Log\",\"data\":{\"levle\":1}}";
    assert!(read_with(typed, &strict()).announced.is_empty(), "nor do messages that are not of their type");
}
