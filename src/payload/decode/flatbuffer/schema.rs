//! Reads reflection schemas: FlatBuffers themselves, of the types in `reflection.fbs` of the FlatBuffers project.

use super::super::definition::Enum as Names;
use super::super::error::{DecodeError, DefinitionError};
use super::buffer::{Buffer, Table};
use crate::printable::{SHORT, printable};

/// Definitions, and bytes of their names, that are read. Offsets may point at one and the same again and again.
const MOST: usize = 16 << 20;

/// All types of a schema.
#[derive(Debug)]
pub(super) struct Definitions {
    /// Index of the type of the messages.
    pub(super) root: usize,
    pub(super) objects: Vec<Object>,
    pub(super) enums: Vec<Enum>,
}

/// A table or a struct.
#[derive(Debug)]
pub(super) struct Object {
    name: String,
    /// In the order of the definition.
    pub(super) fields: Vec<Field>,
    pub(super) is_struct: bool,
    /// Bytes of a struct.
    pub(super) size: usize,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    /// `"name":`, as it is written.
    pub(super) key: Vec<u8>,
    pub(super) kind: Kind,
    /// Place within a struct, or within the list of fields of a table.
    pub(super) offset: usize,
    pub(super) default_integer: i64,
    pub(super) default_real: f64,
    pub(super) is_optional: bool,
}

/// An enum, or what a union can be.
#[derive(Debug)]
pub(super) struct Enum {
    pub(super) names: Names,
    kinds: Vec<(i64, Kind)>,
}

impl Enum {
    /// The type that a union has if its field before says this.
    pub(super) fn union_kind(&self, value: i64) -> Option<Kind> {
        self.kinds.iter().find(|(known, _)| *known == value).map(|(_, kind)| *kind)
    }
}

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) base: Base,
    /// Of an array.
    element: Base,
    /// Index of the object or the enum.
    pub(super) index: Option<usize>,
    /// Elements of an array in a struct.
    pub(super) length: usize,
}

impl Kind {
    /// What an array is of.
    pub(super) fn element(self) -> Self {
        Self { base: self.element, ..self }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
    String,
    Vector,
    Object,
    Union,
    Array,
}

impl Base {
    /// `reflection.BaseType`; types of unions are bytes.
    fn of(number: i8) -> Option<Self> {
        Some(match number {
            1 | 4 => Self::U8,
            2 => Self::Bool,
            3 => Self::I8,
            5 => Self::I16,
            6 => Self::U16,
            7 => Self::I32,
            8 => Self::U32,
            9 => Self::I64,
            10 => Self::U64,
            11 => Self::F32,
            12 => Self::F64,
            13 => Self::String,
            14 => Self::Vector,
            15 => Self::Object,
            16 => Self::Union,
            17 => Self::Array,
            _ => return None,
        })
    }

    pub(super) fn is_scalar(self) -> bool {
        !matches!(self, Self::String | Self::Vector | Self::Object | Self::Union | Self::Array)
    }

    /// Bytes of an element of an array: of itself, or of an offset to it.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I64 | Self::U64 | Self::F64 => 8,
            _ => 4,
        }
    }
}

type Read<T> = Result<T, Box<DecodeError>>;

impl Definitions {
    /// Reads a schema whose messages have the type of this name.
    pub(super) fn read(bytes: &[u8], name: &str) -> Result<Self, DefinitionError> {
        let broken = |error: Box<DecodeError>| {
            DefinitionError::new(format!("is no reflection schema (.bfbs): {error}"))
        };
        let buffer = Buffer(bytes);
        let schema = buffer.follow(0).and_then(|at| Table::at(buffer, at)).map_err(broken)?;
        let mut reader = Reader { left: MOST };
        let definitions = reader.definitions(&schema).map_err(broken)?;
        definitions.check()?;
        let root_table =
            schema.table(4).and_then(|root| root.map(|root| root.text(0)).transpose()).map_err(broken)?;
        let found = |name: &str| {
            definitions.objects.iter().position(|object| object.name == name && !object.is_struct)
        };
        match found(name).or_else(|| found(&root_table?)) {
            Some(root) => Ok(Self { root, ..definitions }),
            None => Err(DefinitionError::new(format!("has no table '{}'", printable(name, SHORT)))),
        }
    }

    /// Refuses indices of what is not there, and structs that hold what only tables can.
    fn check(&self) -> Result<(), DefinitionError> {
        let kinds = |object: &Object| {
            let fields = object.fields.iter();
            fields.map(|field| (field.kind, object.is_struct, field.name.clone())).collect::<Vec<_>>()
        };
        let unions =
            self.enums.iter().flat_map(|of| of.kinds.iter().map(|(_, kind)| (*kind, false, String::new())));
        for (kind, in_struct, name) in self.objects.iter().flat_map(kinds).chain(unions) {
            let innermost =
                if matches!(kind.base, Base::Vector | Base::Array) { kind.element } else { kind.base };
            let known = match (innermost, kind.index) {
                (Base::Object, index) => index.is_some_and(|index| index < self.objects.len()),
                (Base::Union, index) => index.is_some_and(|index| index < self.enums.len()),
                (_, index) => index.is_none_or(|index| index < self.enums.len()),
            };
            if !known {
                return Err(DefinitionError::new(format!(
                    "the type of '{}' is not in it",
                    printable(&name, SHORT)
                )));
            }
            let is_inline = innermost.is_scalar()
                || (innermost == Base::Object
                    && kind.index.is_some_and(|index| self.objects[index].is_struct));
            if in_struct && (!is_inline || kind.base == Base::Vector)
                || !in_struct && kind.base == Base::Array
            {
                return Err(DefinitionError::new(format!(
                    "'{}' can't be where it is",
                    printable(&name, SHORT)
                )));
            }
        }
        Ok(())
    }
}

struct Reader {
    /// Of [`MOST`], what may still come.
    left: usize,
}

impl Reader {
    /// The name of a definition.
    fn name(&mut self, of: &Table<'_>) -> Read<String> {
        let name = of.text(0)?;
        let left = self.left.checked_sub(1 + name.len());
        self.left = left.ok_or_else(|| DecodeError::new(0, "too many definitions"))?;
        Ok(name)
    }

    fn definitions(&mut self, schema: &Table<'_>) -> Read<Definitions> {
        let objects = schema.tables(0)?.iter().map(|object| self.object(object)).collect::<Read<_>>()?;
        let enums = schema.tables(1)?.iter().map(|values| self.values(values)).collect::<Read<_>>()?;
        Ok(Definitions { root: 0, objects, enums })
    }

    fn object(&mut self, object: &Table<'_>) -> Read<Object> {
        let name = self.name(object)?;
        let mut fields = Vec::new();
        for field in object.tables(1)? {
            // the list is sorted by name
            fields.push((field.number::<u16>(2, 0)?, self.field(&field)?));
        }
        fields.sort_by_key(|(id, _)| *id);
        Ok(Object {
            name,
            fields: fields.into_iter().map(|(_, field)| field).collect(),
            is_struct: object.number::<u8>(2, 0)? != 0,
            size: usize::try_from(object.number::<i32>(4, 0)?).unwrap_or(0),
        })
    }

    fn field(&mut self, field: &Table<'_>) -> Read<Field> {
        let name = self.name(field)?;
        let kind =
            field.table(1)?.map(|kind| kind_of(&kind)).transpose().map_err(|error| error.in_field(&name))?;
        let kind = kind.ok_or_else(|| DecodeError::new(0, "a field without a type").in_field(&name))?;
        Ok(Field {
            key: format!("{}:", serde_json::Value::from(name.as_str())).into_bytes(),
            name,
            kind,
            offset: usize::from(field.number::<u16>(3, 0)?),
            default_integer: field.number(4, 0)?,
            default_real: field.number(5, 0.0)?,
            is_optional: field.number::<u8>(11, 0)? != 0,
        })
    }

    fn values(&mut self, of: &Table<'_>) -> Read<Enum> {
        self.name(of)?;
        let (mut names, mut kinds) = (Vec::new(), Vec::new());
        for value in of.tables(1)? {
            let number = value.number::<i64>(1, 0)?;
            names.push((number, self.name(&value)?));
            // a union can be nothing, which has no type
            if let Some(kind) = value.table(3)?.and_then(|kind| kind_of(&kind).ok()) {
                kinds.push((number, kind));
            }
        }
        Ok(Enum { names: Names::new(names), kinds })
    }
}

fn kind_of(kind: &Table<'_>) -> Read<Kind> {
    let base = |number: i8| {
        let what = || DecodeError::new(0, format!("the type {number}, which is not supported"));
        Base::of(number).ok_or_else(what)
    };
    let outer = base(kind.number(0, 0)?)?;
    let element = match outer {
        Base::Vector | Base::Array => base(kind.number(1, 0)?)?,
        other => other,
    };
    let index = usize::try_from(kind.number::<i32>(2, -1)?).ok();
    Ok(Kind { base: outer, element, index, length: usize::from(kind.number::<u16>(3, 0)?) })
}
