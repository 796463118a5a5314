//! Comma separated values (RFC 4180): the log time, and fields of messages.

use foxglove_bridge::client::Message;
use foxglove_bridge::payload::JsonOptions;

use super::decoded::Payloads;
use super::field::Path;
use super::lines::time;
use super::members::members;
use super::{Form, Written};

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
    pub(super) fn new(fields: Vec<Path>, options: JsonOptions) -> Self {
        let columns = Some(fields).filter(|fields| !fields.is_empty());
        Self { columns, has_header: false, payloads: Payloads::new(options), json: Vec::new() }
    }
}

impl Form for Csv {
    fn write(&mut self, message: &Message, out: &mut Vec<u8>) -> Written {
        let Some(json) = self.payloads.json(message, &mut self.json) else { return Written::Undecoded };
        let columns = self.columns.get_or_insert_with(|| columns(json));
        let found: Vec<Option<&str>> = columns.iter().map(|column| column.find(json)).collect();
        if !found.is_empty() && found.iter().all(Option::is_none) {
            return Written::WithoutFields;
        }
        let mut row = |cells: &mut dyn Iterator<Item = String>| {
            let cells: Vec<String> = cells.map(|cell| quoted(&cell)).collect();
            out.extend_from_slice(cells.join(",").as_bytes());
            out.push(b'\n');
        };
        if !std::mem::replace(&mut self.has_header, true) {
            let names = columns.iter().map(|column| column.text.clone());
            row(&mut ["log_time".to_owned(), "topic".to_owned()].into_iter().chain(names));
        }
        let cells = found.into_iter().map(|found| found.map(cell).unwrap_or_default());
        row(&mut [time(message.log_time), message.channel.topic.clone()].into_iter().chain(cells));
        Written::Lines
    }

    fn has_instead(&self) -> Option<String> {
        let columns = self.columns.as_ref()?;
        columns.first()?.has_instead(std::str::from_utf8(&self.json).ok()?)
    }
}

/// In the order in which they stand in the message.
fn columns(json: &str) -> Vec<Path> {
    fn walk(json: &str, names: &mut Vec<String>, found: &mut Vec<Path>) {
        match json.as_bytes().first() {
            Some(b'{') => {
                for (name, value) in members(json).unwrap_or_default() {
                    names.push(name);
                    walk(value.get(), names, found);
                    names.pop();
                }
            }
            Some(b'[') => {}
            _ if !names.is_empty() && found.len() < MOST => found.push(Path::of_names(names)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(json, &mut Vec::new(), &mut found);
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
        let mut csv = Csv::new(Vec::new(), JsonOptions::default());
        let first = message("json", None, br#"{"b":{"c":1.50},"a":"x,\"y\"","l":[1],"n":null}"#);
        let lines = written(&mut csv, &first);
        let (header, row) = lines.split_once('\n').unwrap();
        assert_eq!(header, "log_time,topic,b.c,a,n");
        assert_eq!(row, "2017-03-22T02:26:20.103843113Z,/a,1.50,\"x,\"\"y\"\"\",\n");
        let other = written(&mut csv, &message("json", None, br#"{"b":{"c":2}}"#));
        assert_eq!(other, "2017-03-22T02:26:20.103843113Z,/a,2,,\n");
    }

    #[test]
    fn messages_without_any_column_make_no_row() {
        let mut csv = Csv::new(Vec::new(), JsonOptions::default());
        let mut out = Vec::new();
        let mut write = |payload| csv.write(&message("json", None, payload), &mut out);
        assert_eq!(write(b"{\"x\":1}"), Written::Lines);
        assert_eq!(write(b"{\"y\":1}"), Written::WithoutFields);
        assert_eq!(write(b"{"), Written::Undecoded);
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), 2);
        // nothing to tell from others, and still a row
        let mut empty = Csv::new(Vec::new(), JsonOptions::default());
        assert_eq!(written(&mut empty, &message("json", None, b"{}")).lines().count(), 2);
    }

    #[test]
    fn fields_that_are_named_are_the_columns() {
        let mut csv = Csv::new(vec!["l[0]".parse().unwrap()], JsonOptions::default());
        let lines = written(&mut csv, &message("json", None, br#"{"l":[7]}"#));
        assert_eq!(lines.lines().next(), Some("log_time,topic,l[0]"));
        assert!(lines.ends_with(",/a,7\n"));
    }
}
