//! `ros2idl` and `omgidl`: modules, structs, enums, typedefs, constants, sequences, arrays and strings of OMG IDL 4.2.
//!
//! Unions, maps, bit sets and the like are an error where a message uses them. `char` is a number, as in ROS.

use std::collections::HashMap;

use super::build::{Body, DEEPEST, Definition, Member, Members, Named, build};
use super::layout::{Layout, Scalar};
use super::lexer::{Token, tokens};
use crate::payload::decode::error::DefinitionError;
use crate::printable::{SHORT, printable};

type Result<T> = std::result::Result<T, DefinitionError>;

pub(super) fn layout(name: &str, text: &str) -> Result<Layout> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, scope: Vec::new(), definitions: Vec::new(), constants: HashMap::new() };
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

/// What annotations say that matters here.
#[derive(Default)]
struct Annotations {
    unsupported: Option<&'static str>,
    is_appendable: bool,
    value: Option<i64>,
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

    fn define(&mut self, name: &str, line: usize, body: Body) {
        self.definitions.push(Definition { name: self.full_name(name), line, body });
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
                    return Err(DefinitionError::at(line, format!("more than {DEEPEST} modules within each other")));
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
                    self.define(name, line, Body::Alias(kind));
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
        self.define(name, line, Body::Unsupported(what));
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

    fn annotations(&mut self) -> Result<Annotations> {
        let mut found = Annotations::default();
        while self.takes('@') {
            let name = self.name()?;
            let start = self.at;
            if self.takes('(') {
                let mut open = 1;
                while open > 0 {
                    match self.peek() {
                        Some(Token::Sign('(')) => open += 1,
                        Some(Token::Sign(')')) => open -= 1,
                        Some(_) => {}
                        None => return self.error("')'"),
                    }
                    self.at += 1;
                }
            }
            let within = &self.tokens[start..self.at];
            let says = |word: &str| {
                within.iter().any(|(token, _)| matches!(token, Token::Name(name) if name.eq_ignore_ascii_case(word)))
            };
            let says_false = says("FALSE");
            match name {
                "optional" if !says_false => found.unsupported = Some("an optional member"),
                "mutable" => found.unsupported = Some("a mutable type"),
                "bit_bound" => found.unsupported = Some("an enum with @bit_bound"),
                "extensibility" if says("MUTABLE") => found.unsupported = Some("a mutable type"),
                "extensibility" if says("APPENDABLE") => found.is_appendable = true,
                "appendable" => found.is_appendable = true,
                "value" => {
                    let number = within.iter().find_map(|(token, _)| match token {
                        Token::Number(number) => integer(number),
                        _ => None,
                    });
                    let is_negative = within.iter().any(|(token, _)| *token == Token::Sign('-'));
                    found.value = number.map(|number| if is_negative { -number } else { number });
                }
                _ => {}
            }
        }
        Ok(found)
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
                let name = self.name()?.trim_start_matches('_').to_owned();
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
            None => Body::Struct(Members { members, has_filler: false, is_appendable: annotations.is_appendable }),
        };
        self.define(name, line, body);
        Ok(())
    }

    fn enumeration(&mut self, annotations: &Annotations, line: usize) -> Result<()> {
        let name = self.name()?;
        self.expect('{')?;
        let (mut values, mut next) = (Vec::new(), 0i64);
        while !self.takes('}') {
            let annotations = self.annotations()?;
            let value = annotations.value.unwrap_or(next);
            let name = self.name()?;
            self.constants.insert(self.full_name(name), value);
            values.push((value, name.to_owned()));
            next = value.saturating_add(1);
            if !self.takes(',') && self.peek() != Some(&Token::Sign('}')) {
                return self.error("',' or '}'");
            }
        }
        let body = annotations.unsupported.map_or(Body::Enum(values), Body::Unsupported);
        self.define(name, line, body);
        Ok(())
    }

    /// A type; `depth` counts those around it.
    fn kind(&mut self, depth: usize) -> Result<Named> {
        let line = self.line();
        if depth > DEEPEST {
            return Err(DefinitionError::at(line, format!("more than {DEEPEST} types within each other")));
        }
        let scalar = |scalar| Ok(Named::Scalar(scalar));
        match self.name()? {
            "boolean" => scalar(Scalar::Bool),
            "octet" | "uint8" | "char" => scalar(Scalar::Uint8),
            "int8" => scalar(Scalar::Int8),
            "short" | "int16" => scalar(Scalar::Int16),
            "uint16" => scalar(Scalar::Uint16),
            "int32" => scalar(Scalar::Int32),
            "uint32" => scalar(Scalar::Uint32),
            "int64" => scalar(Scalar::Int64),
            "uint64" => scalar(Scalar::Uint64),
            "float" => scalar(Scalar::Float32),
            "double" => scalar(Scalar::Float64),
            "long" if self.takes_name("double") => Ok(Named::Unsupported("long double")),
            "long" if self.takes_name("long") => scalar(Scalar::Int64),
            "long" => scalar(Scalar::Int32),
            "unsigned" => match self.name()? {
                "short" => scalar(Scalar::Uint16),
                "long" if self.takes_name("long") => scalar(Scalar::Uint64),
                "long" => scalar(Scalar::Uint32),
                _ => {
                    self.at -= 1;
                    self.error("short or long")
                }
            },
            "string" => {
                self.bound()?;
                Ok(Named::String)
            }
            "wstring" => {
                self.bound()?;
                Ok(Named::Unsupported("wstring, which each middleware writes in its own way"))
            }
            "wchar" => Ok(Named::Unsupported("wchar, which each middleware writes in its own way")),
            "any" => Ok(Named::Unsupported("any")),
            what @ ("map" | "fixed") => {
                self.in_brackets()?;
                Ok(Named::Unsupported(if what == "map" { "a map" } else { "a fixed-point number" }))
            }
            "sequence" => {
                self.expect('<')?;
                self.annotations()?;
                let element = self.kind(depth + 1)?;
                if self.takes(',') {
                    self.number()?;
                }
                self.expect('>')?;
                Ok(Named::Sequence(Box::new(element)))
            }
            name => Ok(Named::Other(name.to_owned())),
        }
    }

    /// `<9>` or nothing.
    fn bound(&mut self) -> Result<()> {
        if self.takes('<') {
            self.number()?;
            self.expect('>')?;
        }
        Ok(())
    }

    /// `<…>`, whatever is in it.
    fn in_brackets(&mut self) -> Result<()> {
        self.expect('<')?;
        let mut open = 1;
        while open > 0 {
            match self.peek() {
                Some(Token::Sign('<')) => open += 1,
                Some(Token::Sign('>')) => open -= 1,
                Some(_) => {}
                None => return self.error("'>'"),
            }
            self.at += 1;
        }
        Ok(())
    }

    /// The lengths after a name: `[3][4]` is three arrays of four.
    fn arrays(&mut self, kind: Named) -> Result<Named> {
        let mut lengths = Vec::new();
        while self.takes('[') {
            if lengths.len() >= DEEPEST {
                return self.error("an end of the lengths");
            }
            let number = self.number()?;
            let Ok(length) = usize::try_from(number) else { return self.error("a length before this") };
            lengths.push(length);
            self.expect(']')?;
        }
        Ok(lengths.into_iter().rev().fold(kind, |kind, length| Named::Array(Box::new(kind), length)))
    }

    /// An integer, or the constant of a name.
    fn number(&mut self) -> Result<i64> {
        let is_negative = self.takes('-');
        let value = match self.peek() {
            Some(Token::Number(text)) => integer(text),
            Some(Token::Name(name)) => {
                scoped(|name| self.constants.get(name).copied(), name, &self.full_name(""))
            }
            _ => None,
        };
        let Some(value) = value else { return self.error("a whole number") };
        self.at += 1;
        Ok(if is_negative { -value } else { value })
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
