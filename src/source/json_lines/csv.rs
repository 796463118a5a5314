//! Comma separated values (RFC 4180), one row a line: the first names the fields, each other is a JSON object.
//!
//! The separator is the one of `,`, `;` and tab that the first line has most of. A field with line breaks is not read,
//! as rows are lines.

use std::borrow::Cow;

use super::line::{BadLine, Kind};
use crate::printable::counted;

const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// The names of the fields, as JSON strings.
#[derive(Debug)]
pub(super) struct Header {
    names: Vec<String>,
    separator: char,
    /// Whether all names are numbers: a table without names.
    pub(super) is_numbers: bool,
}

impl Header {
    /// Reads the first line.
    pub(super) fn read(line: &str) -> Result<Self, BadLine> {
        let count = |separator: char| line.matches(separator).count();
        // the first of those that are equally frequent
        let separator = SEPARATORS.into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(',');
        let names = fields(line, separator)?;
        if names.iter().any(|name| name.trim().is_empty()) {
            return Err(BadLine::new(
                Kind::Syntax,
                1,
                "the first line names the fields, and one has no name",
            ));
        }
        let is_numbers = names.iter().all(|name| !json(name.trim()).starts_with('"'));
        let names = names.iter().map(|name| serde_json::Value::from(name.trim()).to_string()).collect();
        Ok(Self { names, separator, is_numbers })
    }

    /// Another line as an object: numbers as numbers, also NaN and Infinity, which JSON does not have; nothing as null,
    /// and all else as strings.
    pub(super) fn object(&self, line: &str) -> Result<String, BadLine> {
        let values = fields(line, self.separator)?;
        if values.len() != self.names.len() {
            let has = counted(values.len() as u64, "value");
            let names = counted(self.names.len() as u64, "field");
            let reason = format!("the line has {has}, and the first line names {names}");
            return Err(BadLine::new(Kind::Syntax, 1, reason));
        }
        let mut object = String::with_capacity(line.len() * 2);
        for (name, value) in self.names.iter().zip(&values) {
            object.push(if object.is_empty() { '{' } else { ',' });
            object.extend([name, ":", &*json(value.trim())]);
        }
        object.push('}');
        Ok(object)
    }
}

fn json(value: &str) -> Cow<'_, str> {
    let number = value.strip_prefix('+').unwrap_or(value);
    match value {
        "" => "null".into(),
        _ if super::nan::word(number).is_some() => number.into(),
        _ if serde_json::from_str::<serde_json::Number>(number).is_ok() => number.into(),
        // `.5` and `5.` and `007` are numbers to those who write them
        _ => match value.parse::<f64>() {
            Ok(value) if value.is_finite() && has_digits_only(number) => value.to_string().into(),
            _ => serde_json::Value::from(value).to_string().into(),
        },
    }
}

fn has_digits_only(number: &str) -> bool {
    // a leading zero marks an identifier, a postcode
    let zero = number.strip_prefix('-').unwrap_or(number).starts_with('0') && !number.contains('.');
    !zero && number.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
}

/// The values of a line, without the quotes around them.
fn fields(line: &str, separator: char) -> Result<Vec<Cow<'_, str>>, BadLine> {
    let (mut fields, mut rest) = (Vec::new(), line);
    loop {
        let (field, after) = match rest.trim_start_matches(' ').strip_prefix('"') {
            Some(quoted) => {
                let end = end_of_quoted(quoted).ok_or_else(|| {
                    BadLine::new(Kind::Syntax, line.len() - quoted.len(), "a quote is not closed")
                })?;
                let (field, after) = (&quoted[..end], quoted[end + 1..].trim_start_matches(' '));
                if !(after.is_empty() || after.starts_with(separator)) {
                    let column = line.len() - after.len() + 1;
                    return Err(BadLine::new(
                        Kind::Syntax,
                        column,
                        "there is something after a closing quote",
                    ));
                }
                (if field.contains('"') { field.replace("\"\"", "\"").into() } else { field.into() }, after)
            }
            None => {
                let end = rest.find(separator).unwrap_or(rest.len());
                (rest[..end].into(), &rest[end..])
            }
        };
        fields.push(field);
        match after.strip_prefix(separator) {
            Some(more) => rest = more,
            None => return Ok(fields),
        }
    }
}

/// Where the quote is that closes; two are one within the value.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let quote = from + text[from..].find('"')?;
        if !text[quote + 1..].starts_with('"') {
            return Some(quote);
        }
        from = quote + 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn objects(text: &str) -> Vec<Result<String, String>> {
        let (first, rest) = text.split_once('\n').unwrap();
        let header = Header::read(first).unwrap();
        rest.lines().map(|line| header.object(line).map_err(|bad| bad.reason)).collect()
    }

    #[test]
    fn numbers_are_numbers_and_all_else_is_text() {
        let rows = objects("t,\"the \"\"x\"\"\", y\n1.50,-2,a b\n+3,.5,\"1,2\"\n,NaN,-inf\n007,1e5,true");
        let expected = [
            r#"{"t":1.50,"the \"x\"":-2,"y":"a b"}"#,
            r#"{"t":3,"the \"x\"":0.5,"y":"1,2"}"#,
            r#"{"t":null,"the \"x\"":NaN,"y":-inf}"#,
            r#"{"t":"007","the \"x\"":1e5,"y":"true"}"#,
        ];
        assert_eq!(rows, expected.map(|row| Ok(row.to_owned())));
    }

    #[test]
    fn a_first_line_of_numbers_names_nothing() {
        let is_numbers = |line| Header::read(line).unwrap().is_numbers;
        assert!(is_numbers("21.5,40") && is_numbers("-1;.5") && is_numbers("7"));
        assert!(!is_numbers("t,1") && !is_numbers("2024-01-02,3") && !is_numbers("007,1"));
    }

    #[test]
    fn semicolons_and_tabs_separate_too() {
        assert_eq!(objects("a;b\n1,5;2"), [Ok(r#"{"a":"1,5","b":2}"#.to_owned())]);
        assert_eq!(objects("a\tb\n\t2"), [Ok(r#"{"a":null,"b":2}"#.to_owned())]);
        assert_eq!(objects("a\n7"), [Ok(r#"{"a":7}"#.to_owned())]);
    }

    #[test]
    fn rows_that_do_not_fit_are_refused() {
        let faults: Vec<_> =
            objects("a,b\n1\n1,2,3\n\"1,2\n\"1\"x,2").into_iter().map(Result::unwrap_err).collect();
        assert!(faults[0].contains("1 value,") && faults[0].contains("2 fields"), "{faults:?}");
        assert!(faults[1].contains("3 values") && faults[2].contains("not closed"), "{faults:?}");
        assert!(faults[3].contains("after a closing quote"), "{faults:?}");
        assert!(Header::read("a,,b").is_err());
    }

    proptest! {
        #[test]
        fn any_row_is_json_or_refused(first in "[a-z\",;\t ]{1,20}", row in "\\PC{0,30}") {
            if let Ok(header) = Header::read(&first) && let Ok(object) = header.object(&row) {
                let object = super::super::nan::replaced(&object, false).map_or(object, |(object, _)| object);
                let value: serde_json::Value = serde_json::from_str(&object).unwrap();
                prop_assert!(value.is_object());
            }
        }
    }
}
