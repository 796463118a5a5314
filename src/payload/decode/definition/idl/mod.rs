//! `ros2idl` and `omgidl`: modules, structs, enums, typedefs, constants, sequences, arrays and strings of OMG IDL 4.2.
//!
//! Unions, maps, bit sets and the like are an error where a message uses them. `char` is a number, as in ROS.

mod annotations;
mod lexer;
mod types;

use std::collections::HashMap;

use super::build::{Body, DEEPEST, Definition, Member, Members, Named, build};
use super::layout::Layout;
use crate::payload::decode::error::DefinitionError;
use crate::printable::{SHORT, printable};
use annotations::Annotations;
use lexer::{Token, tokens};

/// Definitions and constants that are read. Each has the names of its modules in its own.
const MOST: usize = 10_000;

type Result<T> = std::result::Result<T, DefinitionError>;

pub(super) fn layout(name: &str, text: &str) -> Result<Layout> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        scope: Vec::new(),
        definitions: Vec::new(),
        constants: HashMap::new(),
    };
    while parser.at < tokens.len() {
        parser.definition()?;
    }
    let definitions = parser.definitions;
    let mut by_name = HashMap::new();
    for (index, definition) in definitions.iter().enumerate() {
        by_name.entry(definition.name.as_str()).or_insert(index);
    }
    let wanted = name.replace('/', "::");
    let last = |name: &str| name.rsplit("::").next().unwrap_or_default().to_owned();
    // some recorders leave the modules out
    let likely = || definitions.iter().rposition(|definition| last(&definition.name) == last(&wanted));
    let Some(root) = by_name.get(wanted.as_str()).copied().or_else(likely) else {
        return Err(DefinitionError::new(format!("has no type '{}'", printable(name, SHORT))));
    };
    let find = |name: &str| by_name.get(name).copied();
    build(&definitions, root, &|name, within| scoped(find, name, &definitions[within].name))
}

/// Looks a name up in all scopes around a definition, from the innermost out.
fn scoped<T>(find: impl Fn(&str) -> Option<T>, name: &str, within: &str) -> Option<T> {
    if let Some(name) = name.strip_prefix("::") {
        return find(name);
    }
    let mut scope = within;
    while let Some((outer, _)) = scope.rsplit_once("::") {
        if let Some(found) = find(&format!("{outer}::{name}")) {
            return Some(found);
        }
        scope = outer;
    }
    find(name)
}

struct Parser<'a> {
    tokens: &'a [(Token, usize)],
    at: usize,
    /// Modules around.
    scope: Vec<String>,
    definitions: Vec<Definition>,
    constants: HashMap<String, i64>,
}

impl<'a> Parser<'a> {
    fn line(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(_, line)| *line)
    }

    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn error<T>(&self, expected: &str) -> Result<T> {
        let found = match self.peek() {
            Some(Token::Name(text) | Token::Number(text)) => format!("'{}'", printable(text, SHORT)),
            Some(Token::Sign(sign)) => format!("'{}'", printable(&sign.to_string(), SHORT)),
            Some(Token::Text) => "a text".to_owned(),
            None => "the end".to_owned(),
        };
        Err(DefinitionError::at(self.line(), format!("{expected} is expected, not {found}")))
    }

    fn name(&mut self) -> Result<&'a str> {
        match self.peek() {
            Some(Token::Name(name)) => {
                self.at += 1;
                Ok(name)
            }
            _ => self.error("a name"),
        }
    }

    fn takes(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(found);
        found
    }

    fn takes_name(&mut self, name: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(found)) if found == name);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: char) -> Result<()> {
        if self.takes(sign) { Ok(()) } else { self.error(&format!("'{sign}'")) }
    }

    fn full_name(&self, name: &str) -> String {
        self.scope.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("::")
    }

    fn define(&mut self, name: &str, line: usize, body: Body) -> Result<()> {
        self.check_number(line)?;
        self.definitions.push(Definition { name: self.full_name(name), line, body });
        Ok(())
    }

    fn check_number(&self, line: usize) -> Result<()> {
        if self.definitions.len() + self.constants.len() < MOST {
            return Ok(());
        }
        Err(DefinitionError::at(line, format!("more than {MOST} definitions")))
    }

    /// A definition with its semicolon, or the end of a module.
    fn definition(&mut self) -> Result<()> {
        if !self.scope.is_empty() && self.takes('}') {
            self.scope.pop();
            self.takes(';');
            return Ok(());
        }
        let annotations = self.annotations()?;
        let line = self.line();
        match self.name()? {
            "module" => {
                if self.scope.len() >= DEEPEST {
                    return Err(DefinitionError::at(
                        line,
                        format!("more than {DEEPEST} modules within each other"),
                    ));
                }
                let name = self.name()?.to_owned();
                self.scope.push(name);
                return self.expect('{');
            }
            "struct" => self.structure(&annotations, line)?,
            "enum" => self.enumeration(&annotations, line)?,
            "typedef" => {
                let kind = self.kind(0)?;
                loop {
                    let name = self.name()?;
                    let kind = self.arrays(kind.clone())?;
                    self.define(name, line, Body::Alias(kind))?;
                    if !self.takes(',') {
                        break;
                    }
                }
            }
            "const" => {
                self.kind(0)?;
                let name = self.name()?;
                self.expect('=')?;
                let value = self.number();
                self.check_number(line)?;
                let name = self.full_name(name);
                // others than integers are lengths of nothing
                if let (Ok(value), Some(Token::Sign(';'))) = (value, self.peek()) {
                    self.constants.insert(name, value);
                }
                while self.peek().is_some_and(|token| *token != Token::Sign(';')) {
                    self.at += 1;
                }
            }
            "union" => self.skipped(line, "a union")?,
            "bitset" => self.skipped(line, "a bitset")?,
            "bitmask" => self.skipped(line, "a bitmask")?,
            "interface" | "local" | "abstract" => self.skipped(line, "an interface")?,
            "valuetype" => self.skipped(line, "a valuetype")?,
            "exception" => self.skipped(line, "an exception")?,
            _ => {
                self.at -= 1;
                return self.error("a definition (module, struct, enum, typedef, const)");
            }
        }
        self.expect(';')
    }

    /// Passes over a definition to its semicolon.
    fn skipped(&mut self, line: usize, what: &'static str) -> Result<()> {
        let name = self.name()?;
        self.define(name, line, Body::Unsupported(what))?;
        let mut open = 0usize;
        loop {
            match self.peek() {
                Some(Token::Sign('{')) => open += 1,
                Some(Token::Sign('}')) => open = open.saturating_sub(1),
                Some(Token::Sign(';')) if open == 0 => return Ok(()),
                Some(_) => {}
                None => return self.error("';'"),
            }
            self.at += 1;
        }
    }

    fn structure(&mut self, annotations: &Annotations, line: usize) -> Result<()> {
        let name = self.name()?;
        // declared only
        if self.peek() == Some(&Token::Sign(';')) {
            return Ok(());
        }
        let is_derived = self.takes(':');
        if is_derived {
            self.name()?;
        }
        self.expect('{')?;
        let mut members = Vec::new();
        while !self.takes('}') {
            let annotations = self.annotations()?;
            let line = self.line();
            let kind = self.kind(0)?;
            loop {
                let name = self.name()?;
                let name = name.strip_prefix('_').unwrap_or(name).to_owned();
                let kind = match annotations.unsupported {
                    Some(what) => Named::Unsupported(what),
                    None => self.arrays(kind.clone())?,
                };
                if annotations.unsupported.is_some() {
                    self.arrays(Named::String)?;
                }
                members.push(Member { name, line, kind });
                if !self.takes(',') {
                    break;
                }
            }
            self.expect(';')?;
        }
        let body = match annotations.unsupported {
            Some(what) => Body::Unsupported(what),
            None if is_derived => Body::Unsupported("a struct that inherits from another"),
            None => {
                Body::Struct(Members { members, has_filler: false, is_appendable: annotations.is_appendable })
            }
        };
        self.define(name, line, body)
    }

    fn enumeration(&mut self, annotations: &Annotations, line: usize) -> Result<()> {
        let name = self.name()?;
        self.expect('{')?;
        let (mut values, mut next) = (Vec::new(), 0i64);
        while !self.takes('}') {
            let annotations = self.annotations()?;
            let value = annotations.value.unwrap_or(next);
            let name = self.name()?;
            self.check_number(line)?;
            self.constants.insert(self.full_name(name), value);
            values.push((value, name.to_owned()));
            next = value.saturating_add(1);
            if !self.takes(',') && self.peek() != Some(&Token::Sign('}')) {
                return self.error("',' or '}'");
            }
        }
        let body = annotations.unsupported.map_or(Body::Enum(values), Body::Unsupported);
        self.define(name, line, body)
    }
}

/// `12`, `0x0C` or `014`.
fn integer(text: &str) -> Option<i64> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return i64::from_str_radix(digits, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(digits) if !digits.is_empty() => i64::from_str_radix(digits, 8).ok(),
        _ => text.parse().ok(),
    }
}
