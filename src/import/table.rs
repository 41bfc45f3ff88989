//! The manifest as a table: a CSV text and a mapping that says which of its columns is which field, what its codes mean, and whose documents they are.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::Deserialize;

use super::row::FIELDS;
use crate::domain::document::Date;
use crate::domain::oid::Oid;
use crate::domain::time::iso_date;

/// Rows of one manifest: what fits into memory many times over; an older system with more is emptied in parts.
pub const ROWS: usize = 1_000_000;
/// Octets of one value: names and paths are short; a longer one is a broken quotation mark that swallowed rows.
const VALUE_OCTETS: usize = 4_096;

/// Why a manifest or its mapping cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFault(pub String);

impl fmt::Display for TableFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One record: the value of each field that its row gives, already translated into our codes.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// The line it begins on; the heading stands on line 1.
    pub line: u64,
    values: BTreeMap<&'static str, String>,
}

impl Record {
    /// A field's value; `None` when the column is missing or empty and there is no default.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&str> {
        self.values.get(field).map(String::as_str)
    }
}

/// Whose documents they are, and how the manifest's columns and codes are to be read.
#[derive(Debug)]
pub struct Mapping {
    /// The controller's unit.
    pub controller: Oid,
    /// Its name.
    pub controller_name: String,
    /// The OID under which this import's ids are made.
    pub ids: Oid,
    /// Documents of this day or later are not old (R7); `None` when every date will do.
    pub real_time_since: Option<Date>,
    /// Since when the controller used the service tasks of 2016 (R38); before it the original task is asked for.
    pub tasks_2016_since: Option<Date>,
    /// What the software that makes the documents is called: the old system, for whoever reads them.
    pub software: [String; 3],
    delimiter: u8,
    latin_1: bool,
    columns: BTreeMap<String, String>,
    defaults: BTreeMap<String, String>,
    codes: BTreeMap<String, BTreeMap<String, String>>,
}

impl Mapping {
    /// Reads a mapping file's text.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line where TOML knows it.
    pub fn parse(text: &str) -> Result<Self, TableFault> {
        let raw: RawMapping = toml::from_str(text).map_err(|e| TableFault(e.to_string()))?;
        let fault = |what: String| Err(TableFault(what));
        for name in raw.columns.keys().chain(raw.defaults.keys()).chain(raw.codes.keys()) {
            if !FIELDS.iter().any(|field| field.name == name) {
                let known: Vec<&str> = FIELDS.iter().map(|f| f.name).collect();
                return fault(format!("{name:?} is no field; there are {}", known.join(", ")));
            }
        }
        let day = |text: Option<&String>, what: &str| match text {
            None => Ok(None),
            Some(text) => iso_date(text).map(Some).ok_or_else(|| TableFault(format!("[organisation] {what} = {text:?}: write a date as 2024-09-01"))),
        };
        let oid = |text: &str, what: &str| Oid::parse(text).map_err(|_| TableFault(format!("[organisation] {what} = {text:?} is not an OID")));
        let latin_1 = match raw.table.encoding.as_str() {
            "utf-8" => false,
            "iso-8859-1" => true,
            other => return fault(format!("[table] encoding = {other:?}: say \"utf-8\" or \"iso-8859-1\"")),
        };
        let [delimiter] = raw.table.delimiter.as_bytes() else { return fault("[table] delimiter is one ASCII character".to_owned()) };
        if raw.organisation.name.trim().is_empty() {
            return fault("[organisation] name is empty".to_owned());
        }
        Ok(Self {
            controller: oid(&raw.organisation.controller, "controller")?,
            controller_name: raw.organisation.name,
            ids: oid(&raw.organisation.ids, "ids")?,
            real_time_since: day(raw.organisation.real_time_since.as_ref(), "real_time_since")?,
            tasks_2016_since: day(raw.organisation.tasks_2016_since.as_ref(), "tasks_2016_since")?,
            software: [raw.software.moderator, raw.software.product, raw.software.version],
            delimiter: *delimiter,
            latin_1,
            columns: raw.columns,
            defaults: raw.defaults,
            codes: raw.codes,
        })
    }

    /// The manifest's records in their order.
    ///
    /// # Errors
    /// What makes the table unreadable: its encoding, its form, a column that the mapping names and the heading lacks, or too many rows.
    pub fn read(&self, manifest: &[u8]) -> Result<Vec<Record>, TableFault> {
        let text = self.text(manifest)?;
        let mut reader =
            csv::ReaderBuilder::new().delimiter(self.delimiter).has_headers(true).flexible(false).trim(csv::Trim::All).from_reader(text.as_bytes());
        let heading = reader.headers().map_err(|e| TableFault(form(&e)))?.clone();
        let places = self.places(&heading)?;
        let mut records = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|e| TableFault(form(&e)))?;
            if records.len() >= ROWS {
                return Err(TableFault(format!("more than {ROWS} rows: split the manifest")));
            }
            let line = row.position().map_or(0, csv::Position::line);
            if row.iter().any(|value| value.len() > VALUE_OCTETS) {
                return Err(TableFault(format!("line {line}: a value of more than {VALUE_OCTETS} octets; is a quotation mark missing?")));
            }
            let mut record = Record { line, values: BTreeMap::new() };
            for (field, place) in &places {
                let value = place.and_then(|at| row.get(at)).filter(|v| !v.is_empty());
                let value = value.map(|v| self.codes.get(*field).and_then(|table| table.get(v)).map_or(v, String::as_str));
                if let Some(value) = value.or_else(|| self.defaults.get(*field).map(String::as_str)) {
                    record.values.insert(field, value.to_owned());
                }
            }
            records.push(record);
        }
        Ok(records)
    }

    fn text(&self, manifest: &[u8]) -> Result<String, TableFault> {
        if self.latin_1 {
            return Ok(manifest.iter().map(|octet| char::from(*octet)).collect());
        }
        let text = std::str::from_utf8(manifest).map_err(|e| {
            TableFault(format!("not UTF-8 at octet {}: write encoding = \"iso-8859-1\" under [table] if the old system wrote that", e.valid_up_to()))
        })?;
        Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text).to_owned())
    }

    /// Each field with its column: the one that the mapping names, else the one called like the field.
    fn places(&self, heading: &csv::StringRecord) -> Result<Vec<(&'static str, Option<usize>)>, TableFault> {
        let mut seen = HashSet::new();
        if let Some(twice) = heading.iter().find(|name| !seen.insert(*name)) {
            return Err(TableFault(format!("the heading has the column {twice:?} twice")));
        }
        let mut places = Vec::with_capacity(FIELDS.len());
        for field in FIELDS {
            let at = |name: &str| heading.iter().position(|column| column == name);
            let place = match self.columns.get(field.name) {
                Some(column) => Some(at(column).ok_or_else(|| TableFault(format!("[columns] {} = {column:?}: the heading has no such column", field.name)))?),
                None => at(field.name),
            };
            if field.is_needed && place.is_none() && !self.defaults.contains_key(field.name) {
                return Err(TableFault(format!("no column for `{}`: name it under [columns], or give it a value under [defaults]", field.name)));
            }
            places.push((field.name, place));
        }
        Ok(places)
    }
}

/// A CSV fault without the values of the row.
fn form(error: &csv::Error) -> String {
    let line = error.position().map_or_else(String::new, |p| format!("line {}: ", p.line()));
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => format!("{line}{len} values where the heading has {expected_len} columns"),
        csv::ErrorKind::Utf8 { .. } => format!("{line}not UTF-8"),
        _ => format!("{line}not a table of comma-separated values"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMapping {
    organisation: RawOrganisation,
    #[serde(default)]
    software: RawSoftware,
    #[serde(default)]
    table: RawTable,
    #[serde(default)]
    columns: BTreeMap<String, String>,
    #[serde(default)]
    defaults: BTreeMap<String, String>,
    #[serde(default)]
    codes: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOrganisation {
    controller: String,
    name: String,
    ids: String,
    real_time_since: Option<String>,
    tasks_2016_since: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSoftware {
    moderator: String,
    product: String,
    version: String,
}

impl Default for RawSoftware {
    fn default() -> Self {
        Self { moderator: "Arkki".to_owned(), product: "arkki import".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawTable {
    delimiter: String,
    encoding: String,
}

impl Default for RawTable {
    fn default() -> Self {
        Self { delimiter: ";".to_owned(), encoding: "utf-8".to_owned() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MAPPING: &str = r#"
[organisation]
controller = "1.2.246.10.99999992.10.0"
name = "Testilä"
ids = "1.2.246.10.99999992.95.2026.9"
[columns]
client = "hetu"
[defaults]
language = "sv"
given = "Testi"
family = "Testinen"
[codes.task]
"LS" = "10"
"#;

    fn read(manifest: &[u8]) -> Result<Vec<Record>, TableFault> {
        Mapping::parse(MAPPING).unwrap().read(manifest)
    }

    #[test]
    fn columns_defaults_and_codes() {
        let records =
            read("\u{FEFF}file;hetu;authored;type;task;other\na.pdf; 080885-902M ;1997-05-14;11;LS;x\nb.pdf;080885-902M;1997-05-14;11;24;\n".as_bytes())
                .unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!((records[0].line, records[0].get("client"), records[0].get("task")), (2, Some("080885-902M"), Some("10")));
        assert_eq!((records[1].get("task"), records[1].get("language"), records[1].get("sex")), (Some("24"), Some("sv"), None));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (manifest, why) in [
            (&b"file;authored;type;task\n"[..], "no such column"),
            (b"file;hetu;type;task\n", "no column for `authored`"),
            (b"file;hetu;authored;type;task;task\n", "twice"),
            (b"file;hetu;authored;type;task\na;b\n", "line 2: 2 values where the heading has 5"),
            (b"file;hetu;authored;type;task\n\xe4;b;c;d;e\n", "iso-8859-1"),
        ] {
            let fault = read(manifest).unwrap_err();
            assert!(fault.0.contains(why), "{fault}");
        }
        let long = format!("file;hetu;authored;type;task\n{};b;c;d;e\n", "x".repeat(VALUE_OCTETS + 1));
        assert!(read(long.as_bytes()).unwrap_err().0.contains("quotation mark"));
        for (from, to, why) in [
            ("controller = \"1.2", "controller = \"x.2", "not an OID"),
            ("client = \"hetu\"", "klient = \"hetu\"", "is no field"),
            ("name = \"Testilä\"", "name = \" \"", "name is empty"),
            ("[columns]", "real_time_since = \"1.9.2024\"\n[columns]", "write a date as"),
            ("[columns]", "[table]\ndelimiter = \"||\"\n[columns]", "one ASCII character"),
            ("[columns]", "[table]\nencoding = \"ebcdic\"\n[columns]", "iso-8859-1"),
        ] {
            assert!(MAPPING.contains(from));
            let fault = Mapping::parse(&MAPPING.replacen(from, to, 1)).unwrap_err();
            assert!(fault.0.contains(why), "{fault}");
        }
        let latin = MAPPING.replace("[columns]", "[table]\nencoding = \"iso-8859-1\"\n[columns]");
        let records = Mapping::parse(&latin).unwrap().read(b"file;hetu;authored;type;task\n\xe4;b;c;d;e\n").unwrap();
        assert_eq!(records[0].get("file"), Some("ä"));
    }
}
