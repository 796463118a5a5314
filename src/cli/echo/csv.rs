//! Comma separated values (RFC 4180): the log time, and fields of messages.

use foxglove_bridge::client::Message;
use serde_json::Value;

use super::Form;
use super::decoded::{Appended, Payloads};
use super::field::Path;
use super::lines::time;

/// Columns that the first message may make.
const MOST: usize = 1000;

pub(super) struct Csv {
    /// None until the first message has said what they are.
    columns: Option<Vec<Path>>,
    has_header: bool,
    payloads: Payloads,
    json: Vec<u8>,
}

impl Csv {
    /// With these fields; without any those of the first message, objects within it taken apart, lists left out.
    pub(super) fn new(fields: Vec<Path>) -> Self {
        let columns = Some(fields).filter(|fields| !fields.is_empty());
        Self { columns, has_header: false, payloads: Payloads::default(), json: Vec::new() }
    }
}

impl Form for Csv {
    fn write(&mut self, message: &Message, out: &mut Vec<u8>) {
        self.json.clear();
        let Appended::Json = self.payloads.append(message, &mut self.json) else { return };
        let Ok(json) = std::str::from_utf8(&self.json) else { return };
        let columns = self.columns.get_or_insert_with(|| columns(json));
        let mut row = |cells: &mut dyn Iterator<Item = String>| {
            let cells: Vec<String> = cells.map(|cell| quoted(&cell)).collect();
            out.extend_from_slice(cells.join(",").as_bytes());
            out.push(b'\n');
        };
        if !std::mem::replace(&mut self.has_header, true) {
            let names = columns.iter().map(|column| column.text.clone());
            row(&mut ["log_time".to_owned(), "topic".to_owned()].into_iter().chain(names));
        }
        let cells = columns.iter().map(|column| column.find(json).map(cell).unwrap_or_default());
        row(&mut [time(message.log_time), message.channel.topic.clone()].into_iter().chain(cells));
    }
}

fn columns(json: &str) -> Vec<Path> {
    fn walk<'a>(value: &'a Value, names: &mut Vec<&'a str>, found: &mut Vec<Path>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    names.push(name);
                    walk(value, names, found);
                    names.pop();
                }
            }
            Value::Array(_) => {}
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                if !names.is_empty() && found.len() < MOST {
                    found.push(Path::of_names(names));
                }
            }
        }
    }
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str::<Value>(json) {
        walk(&value, &mut Vec::new(), &mut found);
    }
    found
}

/// A string without its quotes; null is nothing; all else is JSON.
fn cell(json: &str) -> String {
    match json {
        "null" => String::new(),
        text if text.starts_with('"') => serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()),
        other => other.to_owned(),
    }
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::tests::{message, written};
    use super::*;

    #[test]
    fn the_first_message_says_which_columns_there_are() {
        let mut csv = Csv::new(Vec::new());
        let first = message("json", None, br#"{"b":{"c":1.50},"a":"x,\"y\"","l":[1],"n":null}"#);
        let lines = written(&mut csv, &first);
        let (header, row) = lines.split_once('\n').unwrap();
        // serde_json sorts names
        assert_eq!(header, "log_time,topic,a,b.c,n");
        assert_eq!(row, "2017-03-22T02:26:20.103843113Z,/a,\"x,\"\"y\"\"\",1.50,\n");
        let other = written(&mut csv, &message("json", None, br#"{"b":{"c":2}}"#));
        assert_eq!(other, "2017-03-22T02:26:20.103843113Z,/a,,2,\n");
    }

    #[test]
    fn fields_that_are_named_are_the_columns() {
        let mut csv = Csv::new(vec!["l[0]".parse().unwrap()]);
        let lines = written(&mut csv, &message("json", None, br#"{"l":[7]}"#));
        assert_eq!(lines.lines().next(), Some("log_time,topic,l[0]"));
        assert!(lines.ends_with(",/a,7\n"));
    }
}
