//! JSON to protobuf in one pass, without a tree of values between.
//!
//! The fields of each message are written in the order of the JSON, as the wire allows. Nesting is limited by the JSON
//! parser (128 levels). The place of an error is kept while parsing goes on, so that it costs nothing to name it.

use std::fmt::{self, Write as _};

use crate::numeric_time::Zone;

mod message;
mod plan;
mod scalar;
mod times;
mod wire;

pub(super) use plan::{EnumPlan, FieldPlan, Kind, MessagePlan, Plan, Shape};
pub(super) use times::{DURATIONS, TIMESTAMPS};

/// Longest reason in an error: what a reason quotes comes from the input.
const LONGEST_REASON: usize = 300;

/// JSON that is no message of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeError {
    /// Full name of the type.
    pub type_name: String,
    /// The field, for example `poses[2].position.x`; empty for the message itself.
    pub path: String,
    /// What was found there and what was expected.
    pub reason: String,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "{}: {}", self.type_name, self.reason)
        } else {
            write!(f, "field {} of {}: {}", self.path, self.type_name, self.reason)
        }
    }
}

impl std::error::Error for EncodeError {}

/// Appends the message as protobuf to `out`, which an error leaves as it was.
///
/// Returns whether all times said their offset from UTC.
pub(super) fn encode(plan: &Plan, json: &str, out: &mut Vec<u8>) -> Result<Zone, EncodeError> {
    let start = out.len();
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let mut encoder = Encoder { plan, out, path: Vec::new(), zone: Zone::Given };
    let result = encoder.root(&mut deserializer).and_then(|()| {
        encoder.path.clear();
        deserializer.end()
    });
    result.map(|()| encoder.zone).map_err(|error| {
        let path = path_text(&encoder.path);
        encoder.out.truncate(start);
        EncodeError { type_name: plan.name.clone(), path, reason: reason(&error) }
    })
}

/// Where encoding is, and what it has written.
struct Encoder<'a> {
    plan: &'a Plan,
    out: &'a mut Vec<u8>,
    /// Left as it is by an error, and hence its place.
    path: Vec<Step<'a>>,
    /// Whether a time did not say its offset from UTC.
    zone: Zone,
}

enum Step<'a> {
    Field(&'a str),
    /// A key of a map, or a name that is no field.
    Key(String),
    Index(usize),
}

fn path_text(path: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Field(name) if text.is_empty() => text.push_str(name),
            Step::Key(name) if text.is_empty() => text.push_str(shortened(name)),
            Step::Field(name) => text.extend([".", name]),
            Step::Key(name) => text.extend([".", shortened(name)]),
            // writing to a string can't fail
            Step::Index(index) => drop(write!(text, "[{index}]")),
        }
    }
    text
}

/// What the parser says, without the place: the place is given as a path.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    let said = shortened(&text[..end]);
    if error.is_data() { said.to_owned() } else { format!("{said} at column {}", error.column()) }
}

fn shortened(text: &str) -> &str {
    let fits = |(place, letter): &(usize, char)| place + letter.len_utf8() <= LONGEST_REASON;
    let end = text.char_indices().take_while(fits).last();
    &text[..end.map_or(0, |(place, letter)| place + letter.len_utf8())]
}
