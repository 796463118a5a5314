//! `ros1msg` and `ros2msg`: a message, and after lines of `===` those that it uses, each after `MSG: package/Type`.
//!
//! <https://wiki.ros.org/msg>, <https://docs.ros.org/en/rolling/Concepts/Basic/About-Interfaces.html>. Constants and default
//! values are skipped. What rosbag2 writes for service events is the text of the service: the event is made from that.

use std::collections::HashMap;

use super::Dialect;
use super::build::{Body, Definition, Member, Members, Named, build};
use super::layout::{Layout, Scalar};
use crate::payload::decode::error::DefinitionError;
use crate::printable::{SHORT, printable};

/// Types that need no definition.
pub(super) const BASIC: [(&str, Scalar); 11] = [
    ("bool", Scalar::Bool),
    ("int8", Scalar::Int8),
    ("uint8", Scalar::Uint8),
    ("int16", Scalar::Int16),
    ("uint16", Scalar::Uint16),
    ("int32", Scalar::Int32),
    ("uint32", Scalar::Uint32),
    ("int64", Scalar::Int64),
    ("uint64", Scalar::Uint64),
    ("float32", Scalar::Float32),
    ("float64", Scalar::Float64),
];

/// What definitions may use without containing it; their own come first.
const BUILTIN: &str = "\
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
===
MSG: builtin_interfaces/Duration
int32 sec
uint32 nanosec
===
MSG: ros1/time
uint32 sec
uint32 nsec
===
MSG: ros1/duration
int32 sec
int32 nsec
===
MSG: service_msgs/ServiceEventInfo
uint8 event_type
builtin_interfaces/Time stamp
uint8[16] client_gid
int64 sequence_number
";

pub(super) fn layout(name: &str, text: &str, dialect: Dialect) -> Result<Layout, DefinitionError> {
    let mut parser = Parser { dialect, definitions: Vec::new() };
    parser.read(name, text)?;
    if let Some((service, "Event")) = name.rsplit_once('_')
        && parser.definitions.iter().any(|definition| definition.name == format!("{service}_Request"))
    {
        parser.add_event(name, service);
    }
    parser.read("", BUILTIN)?;
    let definitions = parser.definitions;
    let names = Names::of(&definitions);
    let root = names.by_name.get(&normalized(name)).copied().unwrap_or(0);
    build(&definitions, root, &|name, within| names.find(name, &definitions[within].name))
}

struct Parser {
    dialect: Dialect,
    definitions: Vec<Definition>,
}

impl Parser {
    /// Reads all messages of a text; the first one may leave its name to the schema.
    fn read(&mut self, name: &str, text: &str) -> Result<(), DefinitionError> {
        let mut open = Definition { name: name.to_owned(), line: 1, body: Body::Struct(Members::default()) };
        let mut members = Vec::new();
        let (mut after_bar, mut is_response) = (true, false);
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.len() >= 3 && text.bytes().all(|byte| byte == b'=') {
                self.end(open, std::mem::take(&mut members));
                open = Definition { name: String::new(), line, body: Body::Struct(Members::default()) };
                (after_bar, is_response) = (true, false);
            } else if let (true, Some(name)) = (after_bar, text.strip_prefix("MSG:")) {
                name.trim().clone_into(&mut open.name);
                open.line = line;
                after_bar = false;
            } else if text == "---" && is_response {
                return Err(DefinitionError::at(line, "a third part, as actions have: it is no message"));
            } else if text == "---" {
                let service = without_part(&open.name).to_owned();
                open.name = format!("{service}_Request");
                self.end(open, std::mem::take(&mut members));
                let body = Body::Struct(Members::default());
                open = Definition { name: format!("{service}_Response"), line, body };
                is_response = true;
            } else if let Some(member) = self.member(text, line)? {
                if open.name.is_empty() && after_bar && !name.is_empty() {
                    return Err(DefinitionError::at(
                        line,
                        "'MSG: package/Type' is missing after a line of ===",
                    ));
                }
                after_bar = false;
                members.push(member);
            }
        }
        self.end(open, members);
        Ok(())
    }

    fn end(&mut self, open: Definition, members: Vec<Member>) {
        let has_filler = members.is_empty() && self.dialect == Dialect::Ros2;
        let body = Body::Struct(Members { members, has_filler, is_appendable: false });
        self.definitions.push(Definition { body, ..open });
    }

    /// The message that is published when a service is called and when it answers.
    fn add_event(&mut self, name: &str, service: &str) {
        let other = |name: String| Named::Other(name);
        let list = |part: &str| Named::Sequence(Box::new(other(format!("{service}_{part}"))));
        let fields = [
            ("info", other("service_msgs/ServiceEventInfo".to_owned())),
            ("request", list("Request")),
            ("response", list("Response")),
        ];
        let members = fields.map(|(name, kind)| Member { name: name.to_owned(), line: 1, kind }).into();
        self.end(
            Definition { name: name.to_owned(), line: 1, body: Body::Struct(Members::default()) },
            members,
        );
    }

    /// A field; None for a constant, a comment and nothing.
    fn member(&self, text: &str, line: usize) -> Result<Option<Member>, DefinitionError> {
        if text.is_empty() || text.starts_with('#') {
            return Ok(None);
        }
        let error = |reason: String| DefinitionError::at(line, reason);
        let (kind, rest) = text.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((text, ""));
        let rest = rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let after = after.trim_start();
        if name.is_empty() {
            return Err(error(format!("a type and a name are expected, not '{}'", printable(text, SHORT))));
        }
        if after.starts_with('=') {
            return Ok(None);
        }
        let is_end = after.is_empty() || after.starts_with('#');
        if !is_end && (self.dialect == Dialect::Ros1 || rest[end..].starts_with(after)) {
            return Err(error(format!("'{}' after the name {name}", printable(after, SHORT))));
        }
        Ok(Some(Member { name: name.to_owned(), line, kind: self.kind(kind).map_err(error)? }))
    }

    /// `type`, `type[]`, `type[9]`, `type[<=9]`, and with bounds also `string<=9`.
    fn kind(&self, text: &str) -> Result<Named, String> {
        let Some((element, size)) = text.strip_suffix(']').and_then(|text| text.rsplit_once('[')) else {
            return self.element(text);
        };
        let element = Box::new(self.element(element)?);
        if size.is_empty() {
            return Ok(Named::Sequence(element));
        }
        let number = size.strip_prefix("<=").unwrap_or(size);
        match number.parse() {
            Ok(_) if number != size => Ok(Named::Sequence(element)),
            Ok(length) => Ok(Named::Array(element, length)),
            Err(_) => Err(format!("'{}' is no length of an array", printable(size, SHORT))),
        }
    }

    fn element(&self, text: &str) -> Result<Named, String> {
        let (name, bound) = text.split_once("<=").unwrap_or((text, "0"));
        if bound.parse::<u64>().is_err()
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'/')
        {
            return Err(format!("'{}' is no type", printable(text, SHORT)));
        }
        if let Some((_, scalar)) = BASIC.iter().find(|(basic, _)| *basic == name) {
            return Ok(Named::Scalar(*scalar));
        }
        Ok(match (name, self.dialect) {
            ("string", _) => Named::String,
            // https://wiki.ros.org/msg#Field_Types: deprecated aliases, each the other way round than in C
            ("byte", Dialect::Ros1) => Named::Scalar(Scalar::Int8),
            ("byte", Dialect::Ros2) | ("char", _) => Named::Scalar(Scalar::Uint8),
            ("wstring", _) => Named::Unsupported("wstring, which each middleware writes in its own way"),
            ("time" | "duration", Dialect::Ros1) => Named::Other(format!("ros1/{name}")),
            ("time", Dialect::Ros2) => Named::Other("builtin_interfaces/Time".to_owned()),
            ("duration", Dialect::Ros2) => Named::Other("builtin_interfaces/Duration".to_owned()),
            _ => Named::Other(name.to_owned()),
        })
    }
}

/// The service that a message is a part of.
fn without_part(name: &str) -> &str {
    let parts = ["_Event", "_Request", "_Response"];
    parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name)
}

/// `package/Type` of a name that may have `msg`, `srv` or `action` between.
fn normalized(name: &str) -> String {
    match (name.split_once('/'), name.rsplit_once('/')) {
        (Some((package, _)), Some((_, last))) => format!("{package}/{last}"),
        _ => name.to_owned(),
    }
}

struct Names {
    by_name: HashMap<String, usize>,
    /// Without the package; None for those that several packages have.
    by_last: HashMap<String, Option<usize>>,
}

impl Names {
    fn of(definitions: &[Definition]) -> Self {
        let mut names = Self { by_name: HashMap::new(), by_last: HashMap::new() };
        for (index, definition) in definitions.iter().enumerate() {
            let name = normalized(&definition.name);
            let last = name.rsplit('/').next().unwrap_or_default().to_owned();
            // the first one counts, so that the text wins over what is built in
            if names.by_name.contains_key(&name) {
                continue;
            }
            names.by_name.insert(name, index);
            names.by_last.entry(last).and_modify(|found| *found = None).or_insert(Some(index));
        }
        names
    }

    fn find(&self, name: &str, within: &str) -> Option<usize> {
        if name.contains('/') {
            return self.by_name.get(&normalized(name)).copied();
        }
        let package = within.split('/').next().unwrap_or_default();
        let here = self.by_name.get(&format!("{package}/{name}"));
        let header = || self.by_name.get("std_msgs/Header").filter(|_| name == "Header");
        here.or_else(header).copied().or_else(|| self.by_last.get(name).copied().flatten())
    }
}
