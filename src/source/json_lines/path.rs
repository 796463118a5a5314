//! Fields of an object, by paths of keys: `header.stamp`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::printable::printable;

/// Fields of a line that are named where one is missing.
const NAMED: usize = 12;

/// Characters of such a name that are shown.
const NAME: usize = 40;

/// Follows a path of keys, `header.stamp`, into an object. A key may have points itself.
pub(super) fn value_at<'a>(object: &'a str, path: &str) -> Option<&'a RawValue> {
    let mut deserializer = serde_json::Deserializer::from_str(object);
    let (whole, nested) = deserializer.deserialize_map(PathVisitor(path)).ok()?;
    let (_, rest) = path.split_once('.').unwrap_or_default();
    whole.or_else(|| {
        nested.filter(|value| value.get().starts_with('{')).and_then(|value| value_at(value.get(), rest))
    })
}

/// Finds the values of two keys: the path as it is, and its first part.
struct PathVisitor<'p>(&'p str);

impl<'de> Visitor<'de> for PathVisitor<'_> {
    type Value = (Option<&'de RawValue>, Option<&'de RawValue>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let first = self.0.split_once('.').map(|(first, _)| first);
        let (mut whole, mut nested) = (None, None);
        while let Some(Name(key)) = map.next_key()? {
            if key == self.0 {
                whole = Some(map.next_value()?);
            } else if Some(&*key) == first {
                nested = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok((whole, nested))
    }
}

/// What is said of a line that has no field at `path`: which it has.
pub(super) fn missing(object: &str, path: &str) -> String {
    let has = match serde_json::Deserializer::from_str(object).deserialize_map(NamesVisitor) {
        Ok(names) if names.is_empty() => "the line has none".to_owned(),
        Ok(names) => {
            let shown: Vec<String> =
                names.iter().take(NAMED).map(|name| printable(name, NAME).to_string()).collect();
            let more = if names.len() > NAMED { ", …" } else { "" };
            format!("the line has {}{more}", shown.join(", "))
        }
        Err(_not_an_object) => "the line is no object".to_owned(),
    };
    format!("there is no field {} with the time; {has}", printable(path, NAME))
}

/// The first keys of an object, in their order: one more than are named.
struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Vec<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        while let Some((Name(name), IgnoredAny)) = map.next_entry()? {
            if names.len() <= NAMED {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: Option<&RawValue>) -> &str {
        value.map_or("-", RawValue::get)
    }

    #[test]
    fn paths_lead_into_objects() {
        let object = r#"{"header":{"stamp":{"sec":1},"a.b":2},"header.frame":3,"x":[0]}"#;
        assert_eq!(text(value_at(object, "header.stamp")), "{\"sec\":1}");
        assert_eq!(text(value_at(object, "header.stamp.sec")), "1");
        assert_eq!(text(value_at(object, "header.a.b")), "2");
        assert_eq!(text(value_at(object, "header.frame")), "3");
        for missing in ["header.x", "x.0", "y", "", "header.stamp.sec.z"] {
            assert_eq!(text(value_at(object, missing)), "-", "{missing}");
        }
    }

    #[test]
    fn what_a_line_has_instead_is_named() {
        let of = |object: &str| missing(object, "tim");
        assert_eq!(
            of(r#"{"time":1,"x":{"y":2}}"#),
            "there is no field tim with the time; the line has time, x"
        );
        assert!(of("{}").ends_with("; the line has none"));
        assert!(of("[1]").ends_with("; the line is no object"));
        let many: Vec<String> = (0..20).map(|number| format!("\"f{number}\":{number}")).collect();
        assert!(of(&format!("{{{}}}", many.join(","))).ends_with(", f10, f11, …"));
    }
}
