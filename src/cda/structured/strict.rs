//! Strict JSON: one object in UTF-8, no name twice in one object, numbers that a machine can hold, bounded in depth and in values.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The most values in one document: the largest real ones have some thousands, each costs about 100 octets.
const VALUES: usize = 500_000;

/// Where JSON stops being JSON. The parser's own words are left out: they quote values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JsonFault {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Reads the octets as one JSON object.
pub(crate) fn read(octets: &[u8]) -> Result<Value, JsonFault> {
    if octets.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        return Err(JsonFault { line: 1, column: 1 });
    }
    let left = Cell::new(VALUES);
    let mut parser = serde_json::Deserializer::from_slice(octets);
    let value = Strict { left: &left }.deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    value.map_err(|error| JsonFault { line: error.line(), column: error.column() })
}

#[derive(Clone, Copy)]
struct Strict<'c> {
    left: &'c Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?;
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self)?;
            if out.insert(name, value).is_some() {
                return Err(A::Error::custom("a name twice"));
            }
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_one_strict_object_is_refused_with_its_place() {
        for text in [
            "",
            "[]",
            "\"a\"",
            "{",
            "{}x",
            "{\"a\": 1, \"a\": 2}",
            "{\"a\": {\"b\": 1, \"b\": 1}}",
            "{\"a\": 1e400}",
            "{\"a\": 01}",
            "{\"a\": NaN}",
            "{\"a\": .5}",
            "{'a': 1}",
            "{\"a\": 1,}",
            "{\"a\": \"\\ud800\"}",
            "{\"a\": \"\u{1}\"}",
            "\u{feff}{}",
            "{\"a\": +1}",
        ] {
            let fault = read(text.as_bytes()).err();
            assert!(fault.is_some_and(|f| f.line <= 1), "{text}: {fault:?}");
        }
        assert_eq!(read("{\n \"a\": 1,\n \"a\": 2}".as_bytes()).err().map(|f| f.line), Some(3));
        assert!(read(&[b"{\"a\": \"".as_slice(), &[0xff], b"\"}"].concat()).is_err(), "not UTF-8");
        assert!(read(b" {\"a\": [1, -2, 3.5, null, true, \"\\u00e4\"]} ").is_ok());
    }

    #[test]
    fn depth_and_number_of_values_are_bounded() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(deep.as_bytes()).is_err());
        let wide = format!("{{\"a\": [{}0]}}", "0,".repeat(VALUES));
        assert!(read(wide.as_bytes()).is_err());
        let long = format!("{{\"a\": {}}}", "9".repeat(1_000_000));
        assert!(read(long.as_bytes()).is_err(), "a number that no machine holds");
    }
}
