//! JSON Schemas within the limits of viewers: one plain `type` a property, no references, no unions; `oneOf` only with
//! numeric `const`, for enums.
//!
//! A property that would need more, such as one of any JSON, is left out of the schema and stays in the messages. A
//! type within itself becomes a plain object.

use serde_json::{Map, Value, json};

use super::encode::{FieldPlan, Kind, Plan, Shape};

/// Properties in one schema, beyond which messages become plain objects: types that refer to each other can unfold to
/// any size. The largest built-in schema has about 150.
const MAX_PROPERTIES: usize = 10_000;

/// The JSON Schema of messages in the form that viewers read.
pub(super) fn derive(plan: &Plan) -> String {
    let mut writer = Writer { plan, within: Vec::new(), properties: 0 };
    let mut schema = match &plan.root {
        Kind::Message(index) => writer.message(*index),
        Kind::Timestamp => time("time"),
        Kind::Duration => time("duration"),
        // not an object, which viewers require at the root, or one of any content
        _ => json!({"type": "object"}),
    };
    if let Value::Object(schema) = &mut schema {
        schema.insert("title".to_owned(), Value::String(plan.name.clone()));
    }
    schema.to_string()
}

struct Writer<'a> {
    plan: &'a Plan,
    /// Messages around this place.
    within: Vec<usize>,
    properties: usize,
}

impl Writer<'_> {
    fn message(&mut self, index: usize) -> Value {
        let message = &self.plan.messages[index];
        if self.within.contains(&index) || self.properties > MAX_PROPERTIES {
            return json!({"type": "object", "title": message.name});
        }
        self.within.push(index);
        let mut properties = Map::new();
        for field in &message.fields {
            self.properties += 1;
            if let Some(property) = self.field(field) {
                properties.insert(field.name.clone(), property);
            }
        }
        self.within.pop();
        json!({"type": "object", "title": message.name, "properties": properties})
    }

    fn field(&mut self, field: &FieldPlan) -> Option<Value> {
        let value = self.value(&field.kind);
        match field.shape {
            Shape::One => value,
            Shape::Packed | Shape::Repeated => value.map(|items| json!({"type": "array", "items": items})),
            Shape::Map(_) => Some(json!({"type": "object"})),
        }
    }

    fn value(&mut self, kind: &Kind) -> Option<Value> {
        Some(match kind {
            Kind::Double | Kind::Float => json!({"type": "number"}),
            Kind::Int32 | Kind::Int64 | Kind::Sint32 => json!({"type": "integer"}),
            Kind::Sint64 | Kind::Sfixed32 | Kind::Sfixed64 => json!({"type": "integer"}),
            Kind::Uint32 | Kind::Uint64 => json!({"type": "integer", "minimum": 0}),
            Kind::Fixed32 | Kind::Fixed64 => json!({"type": "integer", "minimum": 0}),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::String => json!({"type": "string"}),
            Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
            Kind::Enum(index) => {
                let values = self.plan.enums[*index].values.iter();
                let values: Vec<_> =
                    values.map(|(name, number)| json!({"title": name, "const": number})).collect();
                json!({"oneOf": values})
            }
            Kind::Message(index) => self.message(*index),
            Kind::Timestamp => time("time"),
            Kind::Duration => time("duration"),
            Kind::WellKnown(kind) => match kind.name() {
                "DoubleValue" | "FloatValue" => json!({"type": "number"}),
                "Int64Value" | "Int32Value" => json!({"type": "integer"}),
                "UInt64Value" | "UInt32Value" => json!({"type": "integer", "minimum": 0}),
                "BoolValue" => json!({"type": "boolean"}),
                "StringValue" | "FieldMask" => json!({"type": "string"}),
                "BytesValue" => json!({"type": "string", "contentEncoding": "base64"}),
                "Struct" | "Any" | "Empty" => json!({"type": "object"}),
                _ => return None,
            },
            Kind::Group => return None,
        })
    }
}

/// The form by which viewers recognise times.
fn time(title: &str) -> Value {
    json!({
        "type": "object",
        "title": title,
        "properties": {
            "sec": {"type": "integer"},
            "nsec": {"type": "integer"},
        },
    })
}
