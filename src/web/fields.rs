//! The fields of a JSON object that are asked for. Everything else in it is read past and never built: an octet of JSON can become thirty of memory.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What a field holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Field {
    /// A string.
    Text(String),
    /// A number, as JSON writes it.
    Number(String),
    /// `null`.
    Null,
    /// A truth value, an array or an object: no text, and nothing of it is kept.
    Other,
}

/// The fields of these names in an object; of a name that comes twice the last. `None` where the octets are no object in JSON.
#[must_use]
pub fn read(octets: &[u8], names: &[&'static str]) -> Option<BTreeMap<&'static str, Field>> {
    let mut json = serde_json::Deserializer::from_slice(octets);
    let fields = Object(names).deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(fields)
}

struct Object<'n>(&'n [&'static str]);

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = BTreeMap<&'static str, Field>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = BTreeMap<&'static str, Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut out = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            match self.0.iter().find(|known| **known == name) {
                Some(known) => {
                    out.insert(*known, map.next_value()?);
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(out)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Kind)
    }
}

struct Kind;

impl<'de> Visitor<'de> for Kind {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Field, E> {
        Ok(Field::Text(text.to_owned()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Field, E> {
        Ok(Field::Number(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Field, E> {
        Ok(Field::Number(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Field, E> {
        // As written: 1.0 stays another level than 1.
        Ok(Field::Number(format!("{number:?}")))
    }

    fn visit_unit<E: Error>(self) -> Result<Field, E> {
        Ok(Field::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Field, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_asked_for_are_read_and_others_are_read_past() {
        let nested =
            format!(r#"{{"a":"x\u00e4","b":7,"c":1.0,"d":-1,"e":null,"f":[1,{{}}],"g":{{"a":2}},"h":true,"deep":{}{}}}"#, "[".repeat(9_999), "]".repeat(9_999));
        let Some(fields) = read(nested.as_bytes(), &["a", "b", "c", "d", "e", "f", "g", "h", "i"]) else { panic!("an object") };
        let text = |word: &str| Field::Text(word.to_owned());
        let number = |word: &str| Field::Number(word.to_owned());
        let want = [
            ("a", text("xä")),
            ("b", number("7")),
            ("c", number("1.0")),
            ("d", number("-1")),
            ("e", Field::Null),
            ("f", Field::Other),
            ("g", Field::Other),
            ("h", Field::Other),
        ];
        assert_eq!(fields, BTreeMap::from(want));
        assert_eq!(read(br#"{"a":"1","a":"2"}"#, &["a"]), Some(BTreeMap::from([("a", text("2"))])));
        for none in ["", "{", "[]", "null", "\"a\"", "{\"a\":1} x", "{\"a\":\"\\ud800\"}", "{\"b\":[1,}"] {
            assert_eq!(read(none.as_bytes(), &["a"]), None, "{none}");
        }
    }
}
