//! Numbers that JSON does not have, and that programs print all the same: `NaN`, `Infinity`, `-Infinity` (Python), `nan`,
//! `inf`, `-nan` (C), in any case.

use std::str::FromStr;

/// What becomes of `NaN`, `Infinity` and `-Infinity`, however they are written, where JSON is read and where it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NanPolicy {
    /// `null`. In messages that are encoded to protobuf they stay what they are: it has them.
    #[default]
    Null,
    /// A string: `"NaN"`, `"Infinity"` or `"-Infinity"`.
    String,
    /// The line is bad, or the message an error.
    Reject,
}

impl FromStr for NanPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "null" => Ok(Self::Null),
            "string" => Ok(Self::String),
            "reject" => Ok(Self::Reject),
            _ => Err(format!("'{text}' is neither null, string nor reject")),
        }
    }
}

/// As they are written, in lower case, and as strings.
const WORDS: [(&str, &str); 6] = [
    ("nan", "NaN"),
    ("-nan", "NaN"),
    ("infinity", "Infinity"),
    ("-infinity", "-Infinity"),
    ("inf", "Infinity"),
    ("-inf", "-Infinity"),
];

/// What a text means that is such a number as a whole.
pub(crate) fn word(text: &str) -> Option<&'static str> {
    WORDS.into_iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, meaning)| meaning)
}

/// A line without bare numbers of that kind: they are `null`, or strings. Also the place of the first; None if there
/// is none. Whatever else is wrong with the line stays wrong.
pub(crate) fn replaced(line: &str, as_strings: bool) -> Option<(String, usize)> {
    let bytes = line.as_bytes();
    let (mut made, mut copied, mut first) = (String::new(), 0, None);
    let (mut at, mut in_string) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'N' | b'n' | b'I' | b'i' | b'-' if !in_string => {
                if let Some((length, word)) = word_at(bytes, at) {
                    first.get_or_insert(at);
                    made.push_str(&line[copied..at]);
                    if as_strings {
                        made.extend(["\"", word, "\""]);
                    } else {
                        made.push_str("null");
                    }
                    at += length;
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    made.push_str(&line[copied..]);
    first.map(|first| (made, first))
}

/// The length and the meaning of the number that begins here.
fn word_at(bytes: &[u8], at: usize) -> Option<(usize, &'static str)> {
    let is_letter =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    let found = WORDS.into_iter().find(|(word, _)| {
        let text = bytes.get(at..at + word.len());
        text.is_some_and(|text| text.eq_ignore_ascii_case(word.as_bytes()))
            && !is_letter(bytes.get(at + word.len()))
            && !is_letter(before)
    });
    found.map(|(word, meaning)| (word.len(), meaning))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bare_words_are_replaced_and_those_in_strings_are_not() {
        let line = r#"{"NaN":NaN,"a":[Infinity,-Infinity, 1],"b":"\"NaN, Infinity"}"#;
        let (nulls, first) = replaced(line, false).unwrap();
        assert_eq!(nulls, r#"{"NaN":null,"a":[null,null, 1],"b":"\"NaN, Infinity"}"#);
        assert_eq!(first, 7);
        let (strings, _) = replaced(line, true).unwrap();
        assert_eq!(strings, r#"{"NaN":"NaN","a":["Infinity","-Infinity", 1],"b":"\"NaN, Infinity"}"#);
    }

    #[test]
    fn they_are_read_as_c_prints_them_in_any_case() {
        let line = r#"{"a":[nan,-nan,inf,-inf,INF,-Infinity,NAN],"n":null,"i":"inf"}"#;
        let (strings, _) = replaced(line, true).unwrap();
        let words = r#""NaN","NaN","Infinity","-Infinity","Infinity","-Infinity","NaN""#;
        assert_eq!(strings, format!(r#"{{"a":[{words}],"n":null,"i":"inf"}}"#));
        assert_eq!(
            (word("NAN"), word("-Inf"), word("info"), word("")),
            (Some("NaN"), Some("-Infinity"), None, None)
        );
    }

    #[test]
    fn other_faults_stay() {
        assert_eq!(replaced(r#"{"a":-1,"b":Nane,"c":NaNa,"d":xNaN}"#, false), None);
        assert_eq!(replaced(r#"{"a":"NaN"}"#, true), None);
        assert_eq!(replaced("", true), None);
        assert_eq!(replaced(r#"{"a":"é","b":NaN,"#, true).unwrap().0, r#"{"a":"é","b":"NaN","#);
    }

    proptest! {
        #[test]
        fn valid_json_is_left_alone_and_nothing_panics(line in ".*", key in ".*", number: f64) {
            drop(replaced(&line, true));
            let json = serde_json::json!({ key.as_str(): [key.as_str(), number, {"NaN": "-Infinity"}] });
            prop_assert_eq!(replaced(&json.to_string(), false), None);
        }
    }
}
