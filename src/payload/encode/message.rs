//! Messages and their fields: lists, maps, alternatives, and what is missing, unknown or there twice.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::plan::{FieldPlan, Kind, MessagePlan, Shape};
use super::{Encoder, Step, scalar, times, wire};
use crate::numeric_time::Zone;
use crate::suggest::nearest;

impl<'a> Encoder<'a> {
    /// Writes the whole message.
    pub(super) fn root<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        match &self.plan.root {
            Kind::Message(index) => self.message(*index, deserializer),
            kind => self.contents(kind, deserializer),
        }
    }

    fn message<'de, D: Deserializer<'de>>(&mut self, index: usize, deserializer: D) -> Result<(), D::Error> {
        let message = &self.plan.messages[index];
        deserializer.deserialize_map(MessageVisitor { encoder: self, message })
    }

    /// Writes what lies between key and length of a value that has a length.
    fn contents<'de, D: Deserializer<'de>>(&mut self, kind: &Kind, deserializer: D) -> Result<(), D::Error> {
        match kind {
            Kind::Message(index) => self.message(*index, deserializer),
            Kind::Timestamp => {
                let (time, zone) = times::timestamp(deserializer)?;
                if zone == Zone::Assumed {
                    self.zone = zone;
                }
                time.write(self.out);
                Ok(())
            }
            Kind::Duration => times::duration(deserializer).map(|time| time.write(self.out)),
            Kind::WellKnown(kind) => {
                let json = <&RawValue>::deserialize(deserializer)?;
                kind.encode(json.get(), self.out).map_err(Error::custom)
            }
            _ => Err(Error::custom("a group, which has no JSON form: use a message field instead")),
        }
    }

    /// Writes a value with its key, or nothing for a default value if `skip_default`.
    fn value<'de, D: Deserializer<'de>>(
        &mut self,
        number: u32,
        kind: &'a Kind,
        skip_default: bool,
        deserializer: D,
    ) -> Result<(), D::Error> {
        let start = self.out.len();
        wire::key(self.out, number, kind.wire_type());
        let is_default = match kind {
            Kind::Message(_) | Kind::Timestamp | Kind::Duration | Kind::WellKnown(_) | Kind::Group => {
                let length = wire::open(self.out);
                self.contents(kind, deserializer)?;
                wire::close(self.out, length);
                false
            }
            kind => scalar::write(kind, self.plan, self.out, deserializer)?,
        };
        if is_default && skip_default {
            self.out.truncate(start);
        }
        Ok(())
    }
}

struct MessageVisitor<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    message: &'a MessagePlan,
}

impl<'de> Visitor<'de> for MessageVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object, of type {}", self.message.name)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { encoder, message } = self;
        let mut seen = Seen::default();
        while let Some(index) = map.next_key_seed(NameSeed { encoder, message })? {
            let field = &message.fields[index];
            encoder.path.push(Step::Field(&field.name));
            if seen.insert(index) {
                return Err(Error::custom("given twice"));
            }
            let is_set = map.next_value_seed(FieldSeed { encoder, field })?;
            if let (true, Some(oneof)) = (is_set, field.oneof)
                && seen.insert(message.fields.len() + oneof)
            {
                return Err(Error::custom("another of its alternatives is given as well (oneof)"));
            }
            encoder.path.pop();
        }
        let missing =
            message.fields.iter().enumerate().find(|(index, f)| f.required && !seen.contains(*index));
        match missing {
            Some((_, field)) => {
                Err(Error::custom(format!("field '{}' is required, but missing", field.name)))
            }
            None => Ok(()),
        }
    }
}

/// Which fields were there, and which alternatives.
#[derive(Default)]
struct Seen {
    first: u64,
    /// For the rare messages with more than 64 fields.
    rest: Vec<u64>,
}

impl Seen {
    /// Whether it was there before.
    fn insert(&mut self, index: usize) -> bool {
        let (word, bit) = (index / 64, 1 << (index % 64));
        let word = match word.checked_sub(1) {
            None => &mut self.first,
            Some(word) => {
                if self.rest.len() <= word {
                    self.rest.resize(word + 1, 0);
                }
                &mut self.rest[word]
            }
        };
        let was = *word & bit != 0;
        *word |= bit;
        was
    }

    fn contains(&self, index: usize) -> bool {
        let word = match (index / 64).checked_sub(1) {
            None => self.first,
            Some(word) => self.rest.get(word).copied().unwrap_or(0),
        };
        word & (1 << (index % 64)) != 0
    }
}

/// The name of a field to its index.
struct NameSeed<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    message: &'a MessagePlan,
}

impl<'de> DeserializeSeed<'de> for NameSeed<'_, '_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_, '_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a field of {}", self.message.name)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        if let Some(index) = self.message.by_name.get(name) {
            return Ok(*index);
        }
        self.encoder.path.push(Step::Key(name.to_owned()));
        let names = self.message.fields.iter().map(|field| field.name.as_str());
        let hint = match nearest(name, names.clone()) {
            Some(name) => format!("did you mean '{name}'?"),
            None if self.message.fields.is_empty() => "it has no fields".to_owned(),
            None => format!("it has {}", names.collect::<Vec<_>>().join(", ")),
        };
        Err(E::custom(format!("unknown field of {}; {hint}", self.message.name)))
    }
}

/// The value of a field; whether there is one, as `null` means none.
struct FieldSeed<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    field: &'a FieldPlan,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        match (&self.field.shape, &self.field.kind) {
            (Shape::One, Kind::WellKnown(kind)) if kind.takes_null() => self.visit_some(deserializer),
            _ => deserializer.deserialize_option(self),
        }
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_none<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        let Self { encoder, field } = self;
        match &field.shape {
            Shape::One => encoder.value(field.number, &field.kind, !field.presence, deserializer)?,
            Shape::Packed | Shape::Repeated => {
                deserializer.deserialize_seq(ListVisitor { encoder, field })?
            }
            Shape::Map(key) => deserializer.deserialize_map(EntriesVisitor { encoder, field, key })?,
        }
        Ok(true)
    }
}

struct ListVisitor<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    field: &'a FieldPlan,
}

impl<'de> Visitor<'de> for ListVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<(), S::Error> {
        let Self { encoder, field } = self;
        let packed = matches!(field.shape, Shape::Packed);
        let start = encoder.out.len();
        let contents = if packed {
            wire::key(encoder.out, field.number, 2);
            wire::open(encoder.out)
        } else {
            start
        };
        for index in 0.. {
            encoder.path.push(Step::Index(index));
            if list.next_element_seed(ElementSeed { encoder, field, packed })?.is_none() {
                break;
            }
            encoder.path.pop();
        }
        encoder.path.pop();
        if packed && encoder.out.len() == contents {
            encoder.out.truncate(start);
        } else if packed {
            wire::close(encoder.out, contents);
        }
        Ok(())
    }
}

struct ElementSeed<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    field: &'a FieldPlan,
    packed: bool,
}

impl<'de> DeserializeSeed<'de> for ElementSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { encoder, field, packed } = self;
        if packed {
            return scalar::write(&field.kind, encoder.plan, encoder.out, deserializer).map(drop);
        }
        encoder.value(field.number, &field.kind, false, deserializer)
    }
}

struct EntriesVisitor<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    field: &'a FieldPlan,
    key: &'a Kind,
}

impl<'de> Visitor<'de> for EntriesVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, its names the keys of a map")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { encoder, field, key } = self;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            encoder.path.push(Step::Key(name.to_string()));
            wire::key(encoder.out, field.number, 2);
            let entry = wire::open(encoder.out);
            wire::key(encoder.out, 1, key.wire_type());
            scalar::write_key(key, &name, encoder.out).map_err(Error::custom)?;
            map.next_value_seed(EntrySeed { encoder, field })?;
            wire::close(encoder.out, entry);
            encoder.path.pop();
        }
        Ok(())
    }
}

struct EntrySeed<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    field: &'a FieldPlan,
}

impl<'de> DeserializeSeed<'de> for EntrySeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.encoder.value(2, &self.field.kind, false, deserializer)
    }
}
