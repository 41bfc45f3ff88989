//! JSON as notices need it: objects in the one octet form of RFC 8785 (JCS), so that a signature over it can be checked by anybody. Numbers are never used.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// An object of members that are there.
#[must_use]
pub fn object<'m>(members: impl IntoIterator<Item = (&'m str, Value)>) -> Value {
    Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A string, or nothing.
#[must_use]
pub fn text(text: impl Into<String>) -> Value {
    Value::String(text.into())
}

/// A list, or nothing where it is empty: FHIR knows no empty lists.
#[must_use]
pub fn list(items: Vec<Value>) -> Value {
    if items.is_empty() { Value::Null } else { Value::Array(items) }
}

/// The octets of RFC 8785: no white space, names sorted by their UTF-16 units, the shortest escapes. `None` with a number in it that is no whole one of at
/// most 53 bits: RFC 8785 writes those as ECMAScript does, and nothing of ours needs them.
#[must_use]
pub fn canonical(value: &Value) -> Option<Vec<u8>> {
    let mut out = String::with_capacity(4096);
    write(&mut out, value)?;
    Some(out.into_bytes())
}

fn write(out: &mut String, value: &Value) -> Option<()> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => {
            let whole = number.as_i64().filter(|n| n.unsigned_abs() < 1 << 53)?;
            write!(out, "{whole}").ok()?;
        }
        Value::String(text) => string(out, text)?,
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(out, item)?;
            }
            out.push(']');
        }
        Value::Object(members) => members_of(out, members)?,
    }
    Some(())
}

fn members_of(out: &mut String, members: &Map<String, Value>) -> Option<()> {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    sorted.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push('{');
    for (at, (name, value)) in sorted.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        string(out, name)?;
        out.push(':');
        write(out, value)?;
    }
    out.push('}');
    Some(())
}

fn string(out: &mut String, text: &str) -> Option<()> {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\u{0}'..='\u{1f}' => write!(out, "\\u{:04x}", u32::from(c)).ok()?,
            c => out.push(c),
        }
    }
    out.push('"');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Option<String> {
        serde_json::from_str::<Value>(text).ok().and_then(|value| canonical(&value)).and_then(|octets| String::from_utf8(octets).ok())
    }

    #[test]
    fn names_are_sorted_by_utf_16_and_escapes_are_the_shortest() {
        // RFC 8785 §3.2.3's own example of names: the emoji, whose first unit is D83D, comes before U+FB33.
        let names = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
        assert_eq!(written(names).as_deref(), Some("{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}"));
        assert_eq!(written(r#"{"a": "\u0001\u000f\t\"\\\/é<>&"}"#).as_deref(), Some("{\"a\":\"\\u0001\\u000f\\t\\\"\\\\/é<>&\"}"));
        assert_eq!(written(r#"[ true , false,null, -1, [], {} ]"#).as_deref(), Some("[true,false,null,-1,[],{}]"));
        assert_eq!(written("1.5"), None, "what we never write is not guessed at");
    }
}
