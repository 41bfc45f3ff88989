//! One pass over a PDF file's structure: every object is looked at once, the octets inside streams are stepped over, object streams are unpacked within
//! a bound. Objects that a cross-reference table names inside another object's octets are looked at too, so that nothing that a reader would find stays unseen.

use std::collections::{BTreeSet, HashMap};

use super::lexer::{Broken, Lexer, Value, is_white};
use super::unpack::{Unpacked, unpack};
use crate::codes::body::PdfRules;

/// How many octets all object streams and tables of one file may unpack to: real documents of the largest size taken stay under 5 MiB.
const UNPACKED_OCTETS: usize = 16 * 1024 * 1024;
/// The most objects taken from one object stream; writers put 100 to 200 into one.
const PACKED_OBJECTS: usize = 100_000;
/// The most embedded files that are looked at; more is no document.
const EMBEDDED: usize = 1_000;
/// Work on objects that only a table names may read the file this many times over: they should not be there at all.
const HIDDEN_PASSES: usize = 4;

/// Why a file cannot be followed, as the word `reason-…` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Syntax,
    TooMuch,
    Table,
    Filter,
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Syntax => Self::Syntax,
            Broken::TooMuch => Self::TooMuch,
        }
    }
}

/// A file that was looked through.
pub(super) struct File<'a> {
    data: &'a [u8],
    rules: &'a PdfRules,
    objects: HashMap<u32, Spot>,
    /// Where objects begin, ascending.
    starts: Vec<usize>,
    /// Where tables say that objects begin.
    named: Vec<usize>,
    tables: Vec<Table>,
    start_table: Option<usize>,
    unpacked: Vec<Vec<u8>>,
    left: usize,
    pub(super) seen: Seen,
    pub(super) fault: Option<Fault>,
}

/// What was met on the way.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// An encryption dictionary.
    pub(super) encrypted: bool,
    /// Forbidden actions, annotations and keys, by the rules' own words.
    pub(super) active: BTreeSet<String>,
    /// A file specification with an embedded file in it.
    pub(super) embeds: bool,
    /// The name of an embedded file ends like a program's.
    pub(super) program_name: bool,
    /// The embedded files' streams, by number.
    pub(super) files: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Spot {
    At(usize),
    Packed(usize, usize),
}

#[derive(Debug)]
struct Table {
    at: usize,
    root: Option<u32>,
    before: [Option<usize>; 2],
}

/// A stream: its dictionary and its octets as they are stored.
pub(super) struct Stream<'a> {
    pub(super) dict: Value<'a>,
    pub(super) octets: &'a [u8],
}

impl<'a> File<'a> {
    /// Looks the whole file through.
    pub(super) fn look(data: &'a [u8], rules: &'a PdfRules) -> Self {
        let mut file = Self {
            data,
            rules,
            objects: HashMap::new(),
            starts: Vec::new(),
            named: Vec::new(),
            tables: Vec::new(),
            start_table: None,
            unpacked: Vec::new(),
            left: UNPACKED_OCTETS,
            seen: Seen::default(),
            fault: None,
        };
        file.scan();
        file.follow_tables();
        file.hidden();
        file
    }

    /// The catalogue's dictionary.
    pub(super) fn catalogue(&self) -> Option<Value<'_>> {
        let first = self.tables.iter().find(|table| Some(table.at) == self.start_table).and_then(|table| table.root);
        let root = first.or_else(|| self.tables.iter().rev().find_map(|table| table.root))?;
        match self.objects.get(&root)? {
            Spot::At(at) => self.object_at(*at).map(|(value, _)| value),
            Spot::Packed(buffer, at) => Lexer::new(self.unpacked.get(*buffer)?, *at).value().ok(),
        }
    }

    /// A stream by its number: never one inside an object stream, where none may be.
    pub(super) fn stream(&self, number: u32) -> Option<Stream<'a>> {
        let Some(Spot::At(at)) = self.objects.get(&number) else { return None };
        let (dict, mut lexer) = self.object_at(*at)?;
        lexer.take(b"stream").then(|| self.stream_octets(&dict, &mut lexer)).flatten().map(|octets| Stream { octets, dict })
    }

    fn object_at(&self, at: usize) -> Option<(Value<'a>, Lexer<'a>)> {
        let mut lexer = Lexer::new(self.data, at);
        lexer.object_head()?;
        let value = lexer.value().ok()?;
        Some((value, lexer))
    }

    fn broken(&mut self, fault: impl Into<Fault>) {
        self.fault.get_or_insert(fault.into());
    }

    fn scan(&mut self) {
        let mut lexer = Lexer::new(self.data, 0);
        loop {
            lexer.skip();
            if lexer.at_end() {
                return;
            }
            let start = lexer.at;
            if let Some(number) = lexer.object_head() {
                self.starts.push(start);
                self.objects.insert(number, Spot::At(start));
                if let Err(fault) = self.object(start, &mut lexer) {
                    self.broken(fault);
                }
                continue;
            }
            match lexer.word() {
                b"xref" => self.table(start, &mut lexer),
                b"startxref" => self.start_table = lexer.number(),
                b"" => lexer.at += 1,
                _ => {}
            }
        }
    }

    /// What follows an object's head.
    fn object(&mut self, start: usize, lexer: &mut Lexer<'a>) -> Result<(), Fault> {
        let value = lexer.value()?;
        self.seen.inspect(&value, self.rules);
        if lexer.take(b"stream") {
            let octets = self.stream_octets(&value, lexer).ok_or(Fault::Syntax)?;
            match value.get(b"Type").and_then(Value::name) {
                Some(b"ObjStm") => self.packed(&value, octets)?,
                Some(b"XRef") => self.packed_table(start, &value, octets)?,
                _ => {}
            }
        }
        lexer.take(b"endobj");
        Ok(())
    }

    /// The octets of a stream whose keyword was just read, as long as its dictionary says when `endstream` stands there, else up to the next `endstream`.
    fn stream_octets(&self, dict: &Value<'_>, lexer: &mut Lexer<'a>) -> Option<&'a [u8]> {
        if self.data.get(lexer.at) == Some(&b'\r') {
            lexer.at += 1;
        }
        if self.data.get(lexer.at) == Some(&b'\n') {
            lexer.at += 1;
        }
        let start = lexer.at;
        if let Some(length) = dict.get(b"Length").and_then(Value::count) {
            let end = start.checked_add(length)?;
            let mut after = Lexer::new(self.data, end);
            let rest = self.data.get(end..).unwrap_or_default();
            after.at += rest.iter().take(2).take_while(|octet| is_white(**octet)).count();
            if after.word() == b"endstream" {
                lexer.at = after.at;
                return self.data.get(start..end);
            }
        }
        let length = find(self.data.get(start..)?, b"endstream")?;
        lexer.at = start + length + b"endstream".len();
        self.data.get(start..start + length)
    }

    fn table(&mut self, start: usize, lexer: &mut Lexer<'a>) {
        while let Some(_first) = lexer.number() {
            let Some(count) = lexer.number() else { return self.broken(Fault::Table) };
            for _ in 0..count {
                let entry = lexer.number().filter(|_| lexer.number().is_some());
                lexer.skip();
                match (entry, lexer.word()) {
                    (Some(at), b"n") => self.named.push(at),
                    (Some(_), b"f") => {}
                    _ => return self.broken(Fault::Table),
                }
            }
        }
        if !lexer.take(b"trailer") {
            return self.broken(Fault::Table);
        }
        match lexer.value() {
            Ok(trailer) => {
                self.seen.inspect(&trailer, self.rules);
                self.trailer(start, &trailer);
            }
            Err(fault) => self.broken(fault),
        }
    }

    fn trailer(&mut self, at: usize, dict: &Value<'_>) {
        self.seen.encrypted |= dict.get(b"Encrypt").is_some_and(|v| *v != Value::Null);
        let root = if let Some(Value::Ref(number)) = dict.get(b"Root") { Some(*number) } else { None };
        let count = |key: &[u8]| dict.get(key).and_then(Value::count);
        self.tables.push(Table { at, root, before: [count(b"Prev"), count(b"XRefStm")] });
    }

    /// A table in a stream: its entries name objects by offset (1) or by object stream (2); the stream's dictionary is the trailer.
    fn packed_table(&mut self, start: usize, dict: &Value<'_>, octets: &[u8]) -> Result<(), Fault> {
        self.trailer(start, dict);
        let rows = self.unpacked(dict, octets)?;
        let mut widths = [0_usize; 3];
        for (width, value) in widths.iter_mut().zip(dict.get(b"W").ok_or(Fault::Table)?.each()) {
            *width = value.count().filter(|w| *w <= 8).ok_or(Fault::Table)?;
        }
        let [kind, at, _] = widths;
        let row = widths.iter().sum::<usize>();
        if row == 0 {
            return Err(Fault::Table);
        }
        let number = |octets: &[u8]| octets.iter().fold(0_u64, |sum, b| sum << 8 | u64::from(*b));
        for row in rows.chunks_exact(row) {
            let is_named = kind == 0 || row.get(..kind).map(number) == Some(1);
            if let (true, Some(place)) = (is_named, row.get(kind..kind + at)) {
                self.named.push(usize::try_from(number(place)).unwrap_or(usize::MAX));
            }
        }
        Ok(())
    }

    /// An object stream: pairs of number and offset, then the objects.
    fn packed(&mut self, dict: &Value<'_>, octets: &[u8]) -> Result<(), Fault> {
        let buffer = self.unpacked(dict, octets)?;
        let count = dict.get(b"N").and_then(Value::count).filter(|n| *n <= PACKED_OBJECTS).ok_or(Fault::TooMuch)?;
        let first = dict.get(b"First").and_then(Value::count).ok_or(Fault::Syntax)?;
        let index = self.unpacked.len();
        let mut head = Lexer::new(&buffer, 0);
        let mut read = 0_usize;
        for _ in 0..count {
            let (Some(number), Some(offset)) = (head.number(), head.number()) else { return Err(Fault::Syntax) };
            let mut lexer = Lexer::new(&buffer, first.saturating_add(offset));
            let from = lexer.at;
            let value = lexer.value()?;
            read += lexer.at - from;
            if read > buffer.len().saturating_mul(2) {
                // Offsets that lead to the same octets again and again would make work out of nothing.
                return Err(Fault::TooMuch);
            }
            self.seen.inspect(&value, self.rules);
            self.objects.insert(u32::try_from(number).map_err(|_| Fault::Syntax)?, Spot::Packed(index, from));
        }
        self.unpacked.push(buffer);
        Ok(())
    }

    fn unpacked(&mut self, dict: &Value<'_>, octets: &[u8]) -> Result<Vec<u8>, Fault> {
        match unpack(dict, octets, self.left) {
            Unpacked::Whole(buffer) => {
                self.left -= buffer.len().min(self.left);
                Ok(buffer.into_owned())
            }
            Unpacked::More(_) => Err(Fault::TooMuch),
            Unpacked::Unknown => Err(Fault::Filter),
        }
    }

    /// The tables form a chain from `startxref`, and each was met where the chain says.
    fn follow_tables(&mut self) {
        let place = |at: usize| {
            let mut lexer = Lexer::new(self.data, at);
            lexer.skip();
            lexer.at
        };
        let start = self.start_table.map(place);
        let is_table = |at: usize| self.tables.iter().any(|table| table.at == at);
        let chained = self.tables.iter().flat_map(|table| table.before).flatten().all(|at| is_table(place(at)));
        if !start.is_some_and(is_table) || !chained {
            self.broken(Fault::Table);
        }
        self.start_table = start;
    }

    /// Every object that a table names is one that was met, or is looked at now.
    fn hidden(&mut self) {
        let named = std::mem::take(&mut self.named);
        let mut looked = BTreeSet::new();
        let mut work = self.data.len().saturating_mul(HIDDEN_PASSES);
        for at in named {
            if self.starts.binary_search(&at).is_ok() || looked.contains(&at) {
                continue;
            }
            let mut lexer = Lexer::new(self.data, at);
            lexer.skip();
            let start = lexer.at;
            if self.starts.binary_search(&start).is_ok() {
                continue;
            }
            if lexer.object_head().is_none() {
                return self.broken(Fault::Table);
            }
            looked.insert(at);
            if let Err(fault) = self.object(start, &mut lexer) {
                return self.broken(fault);
            }
            match work.checked_sub(lexer.at - at) {
                Some(left) => work = left,
                None => return self.broken(Fault::TooMuch),
            }
        }
    }
}

impl Seen {
    fn inspect(&mut self, value: &Value<'_>, rules: &PdfRules) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.inspect(value, rules)),
            Value::Dict(members) => {
                for (key, value) in members {
                    self.member(key, value, rules);
                    self.inspect(value, rules);
                }
                if let Some(files) = value.get(b"EF") {
                    self.embedded(value, files, rules);
                }
            }
            _ => {}
        }
    }

    fn member(&mut self, key: &[u8], value: &Value<'_>, rules: &PdfRules) {
        let found = match key {
            b"S" => value.name().and_then(|name| rules.action(name)),
            b"Subtype" => value.name().and_then(|name| rules.annotation(name)),
            key => rules.key(key),
        };
        if let Some(word) = found {
            self.active.insert(word.to_owned());
        }
    }

    fn embedded(&mut self, specification: &Value<'_>, files: &Value<'_>, rules: &PdfRules) {
        self.embeds = true;
        for key in [b"F".as_slice(), b"UF"] {
            self.program_name |= specification.get(key).is_some_and(|name| rules.is_program_name(&readable(name)));
        }
        if let Value::Dict(members) = files {
            for (_, value) in members {
                if let (Value::Ref(number), true) = (value, self.files.len() < EMBEDDED) {
                    self.files.push(*number);
                }
            }
        }
    }
}

/// The ASCII letters of a text, whatever it is written in: enough to see how a file's name ends.
fn readable(text: &Value<'_>) -> String {
    let ascii = |octets: &mut dyn Iterator<Item = u8>| octets.filter(u8::is_ascii_graphic).map(char::from).collect::<String>().to_lowercase();
    match text {
        Value::Text(octets) => ascii(&mut octets.iter().copied().filter(|b| *b != b'\\')),
        Value::Hex(digits) => {
            let digits: Vec<u8> = digits.iter().copied().filter(u8::is_ascii_hexdigit).collect();
            ascii(&mut digits.chunks(2).map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | super::lexer::hex(*digit))))
        }
        _ => String::new(),
    }
}

/// Where a word stands first.
fn find(octets: &[u8], word: &[u8]) -> Option<usize> {
    let first = *word.first()?;
    let mut from = 0;
    loop {
        let at = from + octets.get(from..)?.iter().position(|octet| *octet == first)?;
        if octets.get(at..)?.starts_with(word) {
            return Some(at);
        }
        from = at + 1;
    }
}
