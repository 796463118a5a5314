//! FlatBuffers, and the reflection schemas they are read by; both are written here, byte by byte.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// A buffer in the making: what is referred to is appended after what refers to it.
#[derive(Default)]
struct Builder(Vec<u8>);

/// A field of a table.
#[derive(Clone)]
enum Part {
    Absent,
    Bytes(Vec<u8>),
    Text(&'static str),
    Table(Vec<Part>),
    Tables(Vec<Vec<Part>>),
    Texts(Vec<&'static str>),
    /// Elements of a vector, and how many they are.
    Vector(Vec<u8>, u32),
}

fn number<const SIZE: usize>(bytes: [u8; SIZE]) -> Part {
    Part::Bytes(bytes.to_vec())
}

impl Builder {
    fn of(root: &[Part]) -> Vec<u8> {
        let mut builder = Self(vec![0; 4]);
        let root = builder.table(root);
        builder.refer(0, root);
        builder.0
    }

    fn refer(&mut self, at: usize, to: usize) {
        self.0[at..at + 4].copy_from_slice(&u32::try_from(to - at).unwrap().to_le_bytes());
    }

    fn table(&mut self, parts: &[Part]) -> usize {
        let list = self.0.len();
        let size = u16::try_from(4 + 2 * parts.len()).unwrap();
        let mut offsets = Vec::new();
        let mut inline = vec![0; 4];
        for part in parts {
            let offset = u16::try_from(inline.len()).unwrap();
            match part {
                Part::Absent => offsets.push(0),
                Part::Bytes(bytes) => {
                    offsets.push(offset);
                    inline.extend(bytes);
                }
                _ => {
                    offsets.push(offset);
                    inline.extend([0; 4]);
                }
            }
        }
        self.0.extend(size.to_le_bytes());
        self.0.extend(u16::try_from(inline.len()).unwrap().to_le_bytes());
        self.0.extend(offsets.iter().flat_map(|offset| offset.to_le_bytes()));
        let table = self.0.len();
        inline[..4].copy_from_slice(&i32::try_from(table - list).unwrap().to_le_bytes());
        self.0.extend(inline);
        for (part, offset) in parts.iter().zip(offsets) {
            let to = match part {
                Part::Absent | Part::Bytes(_) => continue,
                Part::Text(text) => self.text(text),
                Part::Table(parts) => self.table(parts),
                Part::Tables(tables) => {
                    self.several(tables.len(), |builder, index| builder.table(&tables[index]))
                }
                Part::Texts(texts) => self.several(texts.len(), |builder, index| builder.text(texts[index])),
                Part::Vector(bytes, length) => self.bytes(*length, bytes),
            };
            self.refer(table + usize::from(offset), to);
        }
        table
    }

    fn text(&mut self, text: &str) -> usize {
        let to = self.bytes(u32::try_from(text.len()).unwrap(), text.as_bytes());
        self.0.push(0);
        to
    }

    fn bytes(&mut self, length: u32, bytes: &[u8]) -> usize {
        let to = self.0.len();
        self.0.extend(length.to_le_bytes());
        self.0.extend(bytes);
        to
    }

    fn several(&mut self, count: usize, mut each: impl FnMut(&mut Self, usize) -> usize) -> usize {
        let to = self.bytes(u32::try_from(count).unwrap(), &vec![0; 4 * count]);
        for index in 0..count {
            let element = each(self, index);
            self.refer(to + 4 + 4 * index, element);
        }
        to
    }
}

const UNION_TYPE: i8 = 1;
const BOOL: i8 = 2;
const UBYTE: i8 = 4;
const SHORT_INT: i8 = 5;
const INT: i8 = 7;
const ULONG: i8 = 10;
const FLOAT: i8 = 11;
const DOUBLE: i8 = 12;
const STRING: i8 = 13;
const VECTOR: i8 = 14;
const OBJECT: i8 = 15;
const UNION: i8 = 16;
const ARRAY: i8 = 17;

/// A type: what it is, what it is of, which object or enum, how many.
fn kind(base: i8, element: i8, index: i32, length: u16) -> Part {
    Part::Table(vec![
        number([base.cast_unsigned()]),
        number([element.cast_unsigned()]),
        number(index.to_le_bytes()),
        number(length.to_le_bytes()),
    ])
}

/// A field: its index and offset; the default only where there is one.
fn field(name: &'static str, id: u16, offset: u16, kind: Part, default: i64) -> Vec<Part> {
    let default = if default == 0 { Part::Absent } else { number(default.to_le_bytes()) };
    vec![Part::Text(name), kind, number(id.to_le_bytes()), number(offset.to_le_bytes()), default]
}

fn in_table(name: &'static str, id: u16, kind: Part) -> Vec<Part> {
    field(name, id, 4 + 2 * id, kind, 0)
}

fn object(name: &'static str, fields: Vec<Vec<Part>>, size_of_struct: Option<i32>) -> Vec<Part> {
    let is_struct = number([u8::from(size_of_struct.is_some())]);
    let size = size_of_struct.map_or(Part::Absent, |size| number(size.to_le_bytes()));
    vec![Part::Text(name), Part::Tables(fields), is_struct, number(4i32.to_le_bytes()), size]
}

fn value(name: &'static str, number_: i64, kind: Part) -> Vec<Part> {
    vec![Part::Text(name), number(number_.to_le_bytes()), Part::Absent, kind]
}

/// Objects: 0 Message, 1 Inner, 2 the struct Point. Enums: 0 Color, 1 the union.
fn reflection() -> Vec<u8> {
    let scalar = |base| kind(base, 0, -1, 0);
    let mut optional = in_table("maybe", 12, scalar(INT));
    optional.extend([const { Part::Absent }; 6]);
    optional.push(number([1]));
    let message = vec![
        // sorted by name, as the compiler does it
        field("big", 1, 6, scalar(ULONG), -1),
        in_table("bytes", 5, kind(VECTOR, UBYTE, -1, 0)),
        field("color", 0, 4, kind(UBYTE, 0, 0, 0), 2),
        in_table("colors", 6, kind(VECTOR, UBYTE, 0, 0)),
        in_table("inner", 3, kind(OBJECT, 0, 1, 0)),
        in_table("inners", 7, kind(VECTOR, OBJECT, 1, 0)),
        optional,
        in_table("name", 2, scalar(STRING)),
        in_table("names", 8, kind(VECTOR, STRING, -1, 0)),
        in_table("point", 4, kind(OBJECT, 0, 2, 0)),
        in_table("points", 9, kind(VECTOR, OBJECT, 2, 0)),
        in_table("choice", 11, kind(UNION, 0, 1, 0)),
        in_table("choice_type", 10, kind(UNION_TYPE, 0, 1, 0)),
        in_table("ratio", 13, scalar(DOUBLE)),
        in_table("yes", 14, scalar(BOOL)),
    ];
    let inner = vec![in_table("x", 0, scalar(FLOAT)), in_table("self", 1, kind(OBJECT, 0, 1, 0))];
    let point = vec![
        field("x", 0, 0, scalar(INT), 0),
        field("y", 1, 4, scalar(SHORT_INT), 0),
        field("z", 2, 6, kind(ARRAY, UBYTE, -1, 2), 0),
    ];
    let objects = vec![
        object("a.Message", message, None),
        object("a.Inner", inner, None),
        object("a.Point", point, Some(8)),
    ];
    let colors = vec![
        Part::Text("a.Color"),
        Part::Tables(vec![value("RED", 0, Part::Absent), value("BLUE", 2, Part::Absent)]),
    ];
    let union = vec![
        Part::Text("a.Choice"),
        Part::Tables(vec![
            value("NONE", 0, kind(0, 0, -1, 0)),
            value("Inner", 1, kind(OBJECT, 0, 1, 0)),
            value("Text", 2, kind(STRING, 0, -1, 0)),
            value("Point", 3, kind(OBJECT, 0, 2, 0)),
        ]),
    ];
    let root = Part::Table(object("a.Message", Vec::new(), None));
    Builder::of(&[Part::Tables(objects), Part::Tables(vec![colors, union]), Part::Absent, Part::Absent, root])
}

fn decoder() -> Decoder {
    Decoder::new("flatbuffer", Some(&schema("a.Message", "flatbuffer", reflection()))).unwrap()
}

const POINT: [u8; 8] = [1, 0, 0, 0, 0xFE, 0xFF, 3, 4];

fn message(choice: u8, chosen: Part) -> Vec<u8> {
    let inner = || vec![number(1.5f32.to_le_bytes())];
    Builder::of(&[
        number([7]),
        number(u64::MAX.to_le_bytes()),
        Part::Text("é"),
        Part::Table(vec![Part::Absent, Part::Table(inner())]),
        number(POINT),
        Part::Vector(vec![1, 2, 3], 3),
        Part::Vector(vec![0, 1, 2], 3),
        Part::Tables(vec![inner(), Vec::new()]),
        Part::Texts(vec!["", "b"]),
        Part::Vector([POINT, POINT].concat(), 2),
        number([choice]),
        chosen,
        number(5i32.to_le_bytes()),
        number(f64::NAN.to_le_bytes()),
        number([1]),
    ])
}

#[test]
fn fields_come_in_the_order_of_the_definition() {
    let point = r#"{"x":1,"y":-2,"z":"AwQ="}"#;
    let expected = format!(
        r#"{{"color":7,"big":18446744073709551615,"name":"é","inner":{{"x":0.0,"self":{{"x":1.5}}}},"point":{point},"bytes":"AQID","colors":["RED",1,"BLUE"],"inners":[{{"x":1.5}},{{"x":0.0}}],"names":["","b"],"points":[{point},{point}],"choice_type":"Inner","choice":{{"x":2.5}},"maybe":5,"ratio":null,"yes":true}}"#
    );
    let chosen = Part::Table(vec![number(2.5f32.to_le_bytes())]);
    assert_eq!(text(&decoder(), &message(1, chosen)), expected);
}

#[test]
fn unions_are_what_the_field_before_says() {
    let text_of = |choice, chosen| text(&decoder(), &message(choice, chosen));
    assert!(text_of(2, Part::Text("chosen")).contains(r#""choice_type":"Text","choice":"chosen""#));
    // a struct lies outside of the table here, as everything in a union
    let found = text_of(3, Part::Vector(POINT[4..].to_vec(), 1));
    assert!(found.contains(r#""choice":{"x":1,"y":-2,"z":"AwQ="}"#), "{found}");
    assert_eq!(
        error(&decoder(), &message(9, Part::Text("x"))).split(": ").last(),
        Some("a union has no type 9")
    );
}

#[test]
fn absent_fields_are_their_default_or_left_out() {
    let expected =
        r#"{"color":"BLUE","big":18446744073709551615,"choice_type":"NONE","ratio":0.0,"yes":false}"#;
    assert_eq!(text(&decoder(), &Builder::of(&[])), expected);
}

#[test]
fn what_lies_outside_of_the_payload_is_an_error() {
    let whole = message(2, Part::Text("chosen"));
    for length in 0..whole.len() {
        let mut out = Vec::new();
        if let Err(error) = decoder().to_json(&whole[..length], &JsonOptions::default(), &mut out) {
            assert!(error.offset <= whole.len(), "{error}");
        }
    }
    assert_eq!(error(&decoder(), b"\x08\0\0"), "a number of 4 bytes at offset 0, 3 are left");
    assert_eq!(error(&decoder(), b"\x08\0\0\0"), "a reference of 8 bytes at offset 0, 4 are left");
    // a table that is within itself without end
    let mut circle = Builder::of(&[
        Part::Absent,
        Part::Absent,
        Part::Absent,
        Part::Table(vec![Part::Absent, Part::Table(Vec::new())]),
    ]);
    let place = circle.len() - 4;
    assert!(text(&decoder(), &circle).contains(r#""inner":{"x":0.0,"self":{"x":0.0}}"#), "{place}");
    let long = Builder::of(&[Part::Absent, Part::Absent, Part::Text("x")]);
    circle = long.clone();
    let at = circle.len() - 6;
    circle[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(
        error(&decoder(), &circle),
        format!("name: a string of 4294967295 bytes at offset {at}, 2 are left")
    );
}

#[test]
fn tables_that_refer_to_themselves_end() {
    // a list of fields with one, at 4; a table at 10 whose field refers to... a later copy of itself, 100 times
    let mut chain = vec![Part::Absent];
    for _ in 0..100 {
        chain = vec![Part::Absent, Part::Table(chain)];
    }
    let payload = Builder::of(&[Part::Absent, Part::Absent, Part::Absent, Part::Table(chain)]);
    assert!(error(&decoder(), &payload).ends_with("more than 64 tables within each other"));
}

#[test]
fn a_schema_that_is_none_is_named() {
    let refused = |name: &str, data: Vec<u8>| {
        Decoder::new("flatbuffer", Some(&schema(name, "flatbuffer", data))).unwrap_err().to_string()
    };
    assert!(
        refused("a.Message", b"table".to_vec())
            .starts_with("the definition: is no reflection schema (.bfbs): a reference")
    );
    assert_eq!(refused("a.Other", Builder::of(&[])), "the definition: has no table 'a.Other'");
    let of = |kind| Builder::of(&[Part::Tables(vec![object("a.B", vec![in_table("x", 0, kind)], None)])]);
    assert_eq!(refused("a.B", of(kind(OBJECT, 0, 5, 0))), "the definition: the type of 'x' is not in it");
    assert_eq!(refused("a.B", of(kind(ARRAY, UBYTE, -1, 2))), "the definition: 'x' can't be where it is");
    assert!(refused("a.B", of(kind(18, 0, -1, 0))).ends_with("x: the type 18, which is not supported"));
    // the type of messages is the schema's root, if their name is another
    assert!(Decoder::new("flatbuffer", Some(&schema("Message", "flatbuffer", reflection()))).is_ok());
}

proptest! {
    #[test]
    fn damage_is_an_error_or_json(
        changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..8), in_schema: bool, short: bool
    ) {
        let (mut definition, mut payload) = (reflection(), message(1, Part::Table(Vec::new())));
        for (at, byte) in changes {
            let bytes = if in_schema { &mut definition } else { &mut payload };
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(decoder) = Decoder::new("flatbuffer", Some(&schema("a.Message", "flatbuffer", definition))) {
            let length = if short { Length::Short } else { Length::Whole };
            let mut out = Vec::new();
            let options = JsonOptions { length, ..JsonOptions::default() };
            match decoder.to_json(&payload, &options, &mut out) {
                Ok(_) => drop(serde_json::from_slice::<Value>(&out).unwrap()),
                Err(_) => prop_assert!(out.is_empty()),
            }
        }
    }
}
