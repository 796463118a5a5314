//! Resolves the names in definitions, for both languages.

use super::layout::{Element, Enum, Field, Layout, Scalar, Struct, Type};
use crate::payload::decode::error::DefinitionError;
use crate::printable::{SHORT, printable};
use crate::suggest::nearest;

/// Types within each other, arrays included: more are refused, since decoding nests as deep.
pub(super) const DEEPEST: usize = 64;

/// A definition, as it is written.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    Struct(Members),
    /// Names by value.
    Enum(Vec<(i64, String)>),
    /// Another name for a type.
    Alias(Named),
    Unsupported(&'static str),
}

#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) members: Vec<Member>,
    pub(super) has_filler: bool,
    pub(super) is_appendable: bool,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) kind: Named,
}

/// A type, as a definition names it.
#[derive(Debug, Clone)]
pub(super) enum Named {
    Scalar(Scalar),
    String,
    Other(String),
    Array(Box<Self>, usize),
    Sequence(Box<Self>),
    Unsupported(&'static str),
}

/// How a language finds what a name means in the definition of an index.
pub(super) type Find<'a> = &'a dyn Fn(&str, usize) -> Option<usize>;

/// The layout of the definition with the index `root`; what it does not use is not looked at.
pub(super) fn build(
    definitions: &[Definition],
    root: usize,
    find: Find<'_>,
) -> Result<Layout, DefinitionError> {
    let known = definitions.iter().map(|_| State::New).collect();
    let mut builder = Builder { definitions, find, known, layout: Layout::default(), measures: Vec::new() };
    match builder.definition(root, 0)? {
        Type::Struct(index) => Ok(Layout { root: index, ..builder.layout }),
        _ => {
            let Definition { line, name, .. } = &definitions[root];
            Err(DefinitionError::at(*line, format!("{} is no struct", printable(name, SHORT))))
        }
    }
}

struct Builder<'a> {
    definitions: &'a [Definition],
    find: Find<'a>,
    known: Vec<State>,
    layout: Layout,
    /// Of each struct.
    measures: Vec<Measure>,
}

#[derive(Clone)]
enum State {
    New,
    /// Its members are being looked at: who comes here again is within itself.
    Open,
    Done(Type),
}

/// Bytes at least, and types within each other.
#[derive(Clone, Copy)]
struct Measure {
    min_size: usize,
    depth: usize,
}

impl Builder<'_> {
    fn definition(&mut self, index: usize, depth: usize) -> Result<Type, DefinitionError> {
        let definition = &self.definitions[index];
        let error = |reason| Err(DefinitionError::at(definition.line, reason));
        let name = || printable(&definition.name, SHORT);
        match &self.known[index] {
            State::Done(kind) => return Ok(kind.clone()),
            State::Open => return error(format!("{} contains itself, which is not supported", name())),
            State::New if depth >= DEEPEST => return error(too_deep()),
            State::New => self.known[index] = State::Open,
        }
        let kind = match &definition.body {
            Body::Struct(members) => self.structure(index, members, depth)?,
            Body::Enum(values) => {
                self.layout.enums.push(Enum::new(values.clone()));
                Type::Enum(self.layout.enums.len() - 1)
            }
            Body::Alias(named) => self.named(named, index, definition.line, depth + 1)?,
            Body::Unsupported(what) => return error(format!("{} is {what}, which is not supported", name())),
        };
        self.known[index] = State::Done(kind.clone());
        Ok(kind)
    }

    fn structure(&mut self, index: usize, members: &Members, depth: usize) -> Result<Type, DefinitionError> {
        let definition = &self.definitions[index];
        let mut fields = Vec::new();
        let mut whole = Measure { min_size: usize::from(members.has_filler), depth: 0 };
        for member in &members.members {
            let kind = self.named(&member.kind, index, member.line, depth + 1)?;
            let measure = self.measure(&kind);
            whole.min_size = whole.min_size.saturating_add(measure.min_size);
            whole.depth = whole.depth.max(measure.depth);
            let is_time = definition.name.starts_with("builtin_interfaces") && member.name == "nanosec";
            let name = if is_time { "nsec".to_owned() } else { member.name.clone() };
            let key = format!("{}:", serde_json::Value::from(name.as_str())).into_bytes();
            fields.push(Field { name, key, kind });
        }
        whole.depth += 1;
        if whole.depth > DEEPEST {
            return Err(DefinitionError::at(definition.line, too_deep()));
        }
        let appendable = members.is_appendable.then(|| definition.name.clone());
        self.layout.structs.push(Struct { fields, has_filler: members.has_filler, appendable });
        self.measures.push(whole);
        Ok(Type::Struct(self.layout.structs.len() - 1))
    }

    /// What a name in the definition of an index means.
    fn named(
        &mut self,
        named: &Named,
        within: usize,
        line: usize,
        depth: usize,
    ) -> Result<Type, DefinitionError> {
        if depth > DEEPEST {
            return Err(DefinitionError::at(line, too_deep()));
        }
        Ok(match named {
            Named::Scalar(scalar) => Type::Scalar(*scalar),
            Named::String => Type::String,
            Named::Array(element, length) => {
                Type::Array(self.element(element, within, line, depth)?, *length)
            }
            Named::Sequence(element) => Type::Sequence(self.element(element, within, line, depth)?),
            Named::Unsupported(what) => {
                return Err(DefinitionError::at(line, format!("{what}, which is not supported")));
            }
            Named::Other(name) => match (self.find)(name, within) {
                Some(index) => self.definition(index, depth)?,
                None => return Err(self.unknown(name, line)),
            },
        })
    }

    fn element(
        &mut self,
        of: &Named,
        within: usize,
        line: usize,
        depth: usize,
    ) -> Result<Box<Element>, DefinitionError> {
        let kind = self.named(of, within, line, depth + 1)?;
        let Measure { min_size, depth } = self.measure(&kind);
        if depth >= DEEPEST {
            return Err(DefinitionError::at(line, too_deep()));
        }
        Ok(Box::new(Element { kind, min_size }))
    }

    fn measure(&self, kind: &Type) -> Measure {
        match kind {
            Type::Scalar(scalar) => Measure { min_size: scalar.size(), depth: 0 },
            Type::String | Type::Enum(_) => Measure { min_size: 4, depth: 0 },
            Type::Struct(index) => self.measures[*index],
            Type::Array(element, length) => {
                let min_size = element.min_size.saturating_mul(*length);
                Measure { min_size, depth: self.measure(&element.kind).depth + 1 }
            }
            Type::Sequence(element) => Measure { min_size: 4, depth: self.measure(&element.kind).depth + 1 },
        }
    }

    fn unknown(&self, name: &str, line: usize) -> DefinitionError {
        let names = self.definitions.iter().map(|definition| definition.name.as_str());
        let hint = nearest(name, names.chain(super::rosmsg::BASIC.iter().map(|(name, _)| *name)));
        let hint =
            hint.map(|hint| format!("; did you mean '{}'?", printable(hint, SHORT))).unwrap_or_default();
        DefinitionError::at(line, format!("there is no type '{}'{hint}", printable(name, SHORT)))
    }
}

fn too_deep() -> String {
    format!("more than {DEEPEST} types within each other")
}
