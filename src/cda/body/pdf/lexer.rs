//! PDF's objects as they are written (ISO 32000-1 §7.2–7.3): strict enough to follow a file's structure, bounded in depth, in values and in work.

use std::borrow::Cow;

/// The deepest nesting taken; real objects stay under ten.
const DEPTH: usize = 64;
/// The most values in one object: large number trees of tagged files have a hundred thousand.
const OBJECT_VALUES: usize = 500_000;

/// One value. Texts are kept as they are written: only names of embedded files are ever read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Int(i64),
    /// A number with a fraction, a truth value, or a keyword: nothing that is asked for here.
    Other,
    Name(Cow<'a, [u8]>),
    /// The octets between the brackets of a literal text.
    Text(&'a [u8]),
    /// The octets between the brackets of a hexadecimal text.
    Hex(&'a [u8]),
    Array(Vec<Self>),
    Dict(Vec<(Cow<'a, [u8]>, Self)>),
    Ref(u32),
}

/// Why an object cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// Not what PDF's syntax allows.
    Syntax,
    /// Deeper, or more, than is taken.
    TooMuch,
}

impl<'a> Value<'a> {
    /// A member of a dictionary, the last where one stands twice.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Self> {
        match self {
            Self::Dict(members) => members.iter().rev().find(|(name, _)| name.as_ref() == key).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(super) fn name(&self) -> Option<&[u8]> {
        if let Self::Name(name) = self { Some(name) } else { None }
    }

    pub(super) const fn int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// A whole number that counts octets or objects.
    pub(super) fn count(&self) -> Option<usize> {
        self.int().and_then(|n| usize::try_from(n).ok())
    }

    /// The values of an array, or the one value itself.
    pub(super) fn each(&self) -> &[Self] {
        if let Self::Array(values) = self { values } else { std::slice::from_ref(self) }
    }
}

/// A place in a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexer<'a> {
    data: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(data: &'a [u8], at: usize) -> Self {
        Self { data, at }
    }

    fn peek(&self) -> Option<u8> {
        self.data.get(self.at).copied()
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.data.len()
    }

    /// Over white space and comments.
    pub(super) fn skip(&mut self) {
        while let Some(octet) = self.peek() {
            if octet == b'%' {
                while !matches!(self.peek(), None | Some(b'\r' | b'\n')) {
                    self.at += 1;
                }
            } else if is_white(octet) {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    /// Octets up to the next delimiter or white space.
    pub(super) fn word(&mut self) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(is_regular) {
            self.at += 1;
        }
        self.data.get(start..self.at).unwrap_or_default()
    }

    /// Takes a keyword that stands next, white space before it skipped.
    pub(super) fn take(&mut self, keyword: &[u8]) -> bool {
        let back = self.at;
        self.skip();
        if self.word() == keyword {
            return true;
        }
        self.at = back;
        false
    }

    /// A number without sign or fraction that stands next.
    pub(super) fn number(&mut self) -> Option<usize> {
        let back = self.at;
        self.skip();
        let number = digits(self.word());
        if number.is_none() {
            self.at = back;
        }
        number
    }

    /// `12 0 obj`: the object's number.
    pub(super) fn object_head(&mut self) -> Option<u32> {
        let back = self.at;
        let head = self.number().and_then(|number| {
            self.number()?;
            self.take(b"obj").then_some(u32::try_from(number).ok()?)
        });
        if head.is_none() {
            self.at = back;
        }
        head
    }

    /// The value that stands next.
    pub(super) fn value(&mut self) -> Result<Value<'a>, Broken> {
        let mut left = OBJECT_VALUES;
        self.nested(DEPTH, &mut left)
    }

    fn nested(&mut self, depth: usize, left: &mut usize) -> Result<Value<'a>, Broken> {
        *left = left.checked_sub(1).ok_or(Broken::TooMuch)?;
        self.skip();
        match self.peek().ok_or(Broken::Syntax)? {
            b'/' => Ok(Value::Name(self.name())),
            b'(' => self.text(),
            b'[' => {
                let depth = depth.checked_sub(1).ok_or(Broken::TooMuch)?;
                self.at += 1;
                let mut values = Vec::new();
                loop {
                    self.skip();
                    if self.peek() == Some(b']') {
                        self.at += 1;
                        return Ok(Value::Array(values));
                    }
                    values.push(self.nested(depth, left)?);
                }
            }
            b'<' if self.data.get(self.at + 1) == Some(&b'<') => {
                self.at += 2;
                self.dict(depth.checked_sub(1).ok_or(Broken::TooMuch)?, left)
            }
            b'<' => {
                let start = self.at + 1;
                let length = self.data.get(start..).and_then(|rest| rest.iter().position(|b| *b == b'>')).ok_or(Broken::Syntax)?;
                self.at = start + length + 1;
                Ok(Value::Hex(self.data.get(start..start + length).unwrap_or_default()))
            }
            octet if is_regular(octet) => Ok(self.plain()),
            _ => Err(Broken::Syntax),
        }
    }

    fn dict(&mut self, depth: usize, left: &mut usize) -> Result<Value<'a>, Broken> {
        let mut members = Vec::new();
        loop {
            self.skip();
            match self.peek() {
                Some(b'/') => {
                    let name = self.name();
                    members.push((name, self.nested(depth, left)?));
                }
                Some(b'>') if self.data.get(self.at + 1) == Some(&b'>') => {
                    self.at += 2;
                    return Ok(Value::Dict(members));
                }
                _ => return Err(Broken::Syntax),
            }
        }
    }

    /// A name without its slash, `#41` read as `A`: what is hidden behind a number is the same name.
    fn name(&mut self) -> Cow<'a, [u8]> {
        self.at += 1;
        let raw = self.word();
        if !raw.contains(&b'#') {
            return Cow::Borrowed(raw);
        }
        let mut out = Vec::with_capacity(raw.len());
        let mut rest = raw;
        while let [first, tail @ ..] = rest {
            match (first, tail) {
                (b'#', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    out.push(hex(*high) << 4 | hex(*low));
                    rest = after;
                }
                _ => {
                    out.push(*first);
                    rest = tail;
                }
            }
        }
        Cow::Owned(out)
    }

    fn text(&mut self) -> Result<Value<'a>, Broken> {
        let start = self.at + 1;
        let mut open = 0_usize;
        loop {
            match self.peek().ok_or(Broken::Syntax)? {
                b'\\' => self.at += 1,
                b'(' => open += 1,
                b')' if open == 1 => {
                    self.at += 1;
                    return Ok(Value::Text(self.data.get(start..self.at - 1).unwrap_or_default()));
                }
                b')' => open -= 1,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// A number, a reference `12 0 R`, `null`, `true`, `false`.
    fn plain(&mut self) -> Value<'a> {
        let word = self.word();
        let Some(number) = digits(word) else {
            return match word {
                b"null" => Value::Null,
                [b'-' | b'+', rest @ ..] => {
                    digits(rest).and_then(|n| i64::try_from(n).ok()).map_or(Value::Other, |n| Value::Int(if word.first() == Some(&b'-') { -n } else { n }))
                }
                _ => Value::Other,
            };
        };
        let back = self.at;
        if self.number().is_some() && self.take(b"R") {
            return u32::try_from(number).map_or(Value::Null, Value::Ref);
        }
        self.at = back;
        i64::try_from(number).map_or(Value::Other, Value::Int)
    }
}

/// Up to 18 digits and nothing else.
fn digits(word: &[u8]) -> Option<usize> {
    if word.is_empty() || word.len() > 18 {
        return None;
    }
    word.iter().try_fold(0_usize, |sum, b| b.is_ascii_digit().then(|| sum * 10 + usize::from(b - b'0')))
}

pub(super) const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

pub(super) const fn is_white(octet: u8) -> bool {
    matches!(octet, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

const fn is_regular(octet: u8) -> bool {
    !is_white(octet) && !matches!(octet, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Value<'_>, Broken> {
        Lexer::new(text.as_bytes(), 0).value()
    }

    #[test]
    fn values_are_read_as_they_are_written() {
        let read = value("<< /A 1 /B [2 0 R -3 4.5 true (a(b)\\)c) <4142>] /C#44 /J#61va % note\n /N null >>").unwrap();
        assert_eq!(read.get(b"A"), Some(&Value::Int(1)));
        assert_eq!(read.get(b"CD").and_then(Value::name), Some(b"Java".as_slice()));
        assert_eq!(read.get(b"B").unwrap().each(), [Value::Ref(2), Value::Int(-3), Value::Other, Value::Other, Value::Text(b"a(b)\\)c"), Value::Hex(b"4142")]);
        assert_eq!(read.get(b"N"), Some(&Value::Null));
    }

    #[test]
    fn what_does_not_end_or_nests_too_deep_is_said() {
        for text in ["", "<< /A 1", "<< 1 2 >>", "(a", "<41", "[1 2", "]", "{", "<< /A >>"] {
            assert_eq!(value(text), Err(Broken::Syntax), "{text}");
        }
        assert_eq!(value(&"[".repeat(70)), Err(Broken::TooMuch));
        assert_eq!(value(&format!("[{}]", "1 ".repeat(OBJECT_VALUES))), Err(Broken::TooMuch));
    }

    #[test]
    fn an_objects_head_is_taken_whole_or_not_at_all() {
        let mut lexer = Lexer::new(b" 12 0 obj<<>>", 0);
        assert_eq!(lexer.object_head(), Some(12));
        let mut lexer = Lexer::new(b"12 0 object", 0);
        assert_eq!((lexer.object_head(), lexer.at), (None, 0));
    }
}
