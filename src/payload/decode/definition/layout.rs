//! What lies where in a message: types with all names resolved.

/// A message and all types its fields have; structs and enums are referred to by index.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// Index of the message itself.
    pub(crate) root: usize,
    pub(crate) structs: Vec<Struct>,
    pub(crate) enums: Vec<Enum>,
}

#[derive(Debug)]
pub(crate) struct Struct {
    pub(crate) fields: Vec<Field>,
    /// Whether it has a byte that no field is for: ROS 2 has no empty messages.
    pub(crate) has_filler: bool,
    /// Its name if the definition says that later versions may add members: CDR 2 writes its length then.
    pub(crate) appendable: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// `"name":`, as it is written.
    pub(crate) key: Vec<u8>,
    pub(crate) kind: Type,
}

/// Names by value, sorted.
#[derive(Debug)]
pub(crate) struct Enum(Vec<(i64, String)>);

impl Enum {
    /// Of several names for a value the first one counts.
    pub(crate) fn new(mut names: Vec<(i64, String)>) -> Self {
        names.sort_by_key(|(value, _)| *value);
        names.dedup_by_key(|(value, _)| *value);
        Self(names)
    }

    pub(crate) fn name(&self, value: i64) -> Option<&str> {
        let place = self.0.binary_search_by_key(&value, |(value, _)| *value).ok()?;
        Some(&self.0[place].1)
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Type {
    Scalar(Scalar),
    String,
    Struct(usize),
    Enum(usize),
    /// A fixed number of elements.
    Array(Box<Element>, usize),
    /// A number of elements that the payload says.
    Sequence(Box<Element>),
}

#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub(crate) kind: Type,
    /// Bytes that each takes at least.
    pub(crate) min_size: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Bool,
    Int8,
    Uint8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Uint64,
    Float32,
    Float64,
}

impl Scalar {
    pub(super) fn size(self) -> usize {
        match self {
            Self::Bool | Self::Int8 | Self::Uint8 => 1,
            Self::Int16 | Self::Uint16 => 2,
            Self::Int32 | Self::Uint32 | Self::Float32 => 4,
            Self::Int64 | Self::Uint64 | Self::Float64 => 8,
        }
    }
}
