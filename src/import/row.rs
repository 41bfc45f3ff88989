//! One row of the manifest, checked as far as a table can be: what the document's own rules judge, they judge on the document that is made of it.

use super::table::{Mapping, Record};
use super::terms::Terms;
use crate::domain::document::Date;
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::person::{HETU_ROOT, Hetu};
use crate::domain::time::{iso_date, real_date};

/// A field that a manifest may give.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in a mapping, and in a heading that needs none.
    pub name: &'static str,
    /// Whether every row must have a value.
    pub is_needed: bool,
    /// What it is, for people.
    pub what: &'static str,
}

const fn needed(name: &'static str, what: &'static str) -> Field {
    Field { name, is_needed: true, what }
}

const fn optional(name: &'static str, what: &'static str) -> Field {
    Field { name, is_needed: false, what }
}

/// Every field, in the order of the documentation.
pub const FIELDS: [Field; 17] = [
    needed("file", "the PDF/A or XHTML file, below the folder of --files"),
    needed("client", "the client's identity code, or a temporary id with `temporary_root` beside it"),
    optional("temporary_root", "the OID under which the organisation gave the temporary id"),
    needed("family", "the client's family name"),
    needed("given", "the client's given names, the calling name first"),
    optional("birth", "the birth date; the identity code's when left out"),
    optional("sex", "1 for a man, 2 for a woman"),
    needed("authored", "the day on which the document was drawn up"),
    needed("type", "the general document type, a code of 1.2.246.537.6.1506"),
    needed("task", "the service task of 2016, a code of 1.2.246.537.6.1221.201601"),
    optional("original", "the original service task, a code of the classification of 1989 or 2011"),
    optional("edition", "1989 or 2011: the classification of `original`"),
    optional("language", "fi or sv; fi when left out"),
    optional("case", "what keeps documents of one case together in the old system"),
    optional("case_name", "what the case is called"),
    optional("opened", "the day on which the case was opened; the first document's when left out"),
    optional("closed", "the day on which it was closed; the last document's when left out"),
];

/// What is wrong with a row. It never carries a value that may be personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The field; empty for the row as a whole.
    pub field: &'static str,
    /// The key of a sentence in `codes/words.toml`.
    pub why: &'static str,
    /// What the sentence is followed by: an allowed value, another row's line.
    pub more: String,
}

impl RowFault {
    /// A fault of a field.
    #[must_use]
    pub fn of(field: &'static str, why: &'static str) -> Self {
        Self { field, why, more: String::new() }
    }

    /// The same, with words behind it.
    #[must_use]
    pub fn with(self, more: impl Into<String>) -> Self {
        Self { more: more.into(), ..self }
    }
}

/// The client of an old document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The root of the id: the identity code's, or the organisation's own.
    pub root: String,
    /// The identity code or the temporary id.
    pub extension: String,
    /// Family name.
    pub family: String,
    /// Given names.
    pub given: Vec<String>,
    /// Birth date.
    pub born: Date,
    /// A man (`true`) or a woman, where the manifest says so.
    pub male: Option<bool>,
}

/// A row that can become a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its line in the manifest.
    pub line: u64,
    /// Its file, as the manifest names it.
    pub file: String,
    /// The client.
    pub client: Client,
    /// When the document was drawn up.
    pub authored: Date,
    /// General document type.
    pub general_type: String,
    /// Service task of 2016.
    pub task: String,
    /// Edition and code of the original service task.
    pub original: Option<(String, String)>,
    /// The document's language.
    pub language: Language,
    /// What keeps a case's documents together; documents without it hang together by their task.
    pub case: String,
    /// What the case is called.
    pub case_name: Option<String>,
    /// When the case was opened.
    pub opened: Option<Date>,
    /// When it was closed.
    pub closed: Option<Date>,
}

impl Row {
    /// Reads a record.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(record: &Record, mapping: &Mapping, terms: &Terms) -> Result<Self, Vec<RowFault>> {
        let mut faults: Vec<RowFault> =
            FIELDS.iter().filter(|f| f.is_needed && record.get(f.name).is_none()).map(|f| RowFault::of(f.name, "import-empty")).collect();
        for field in FIELDS {
            if record.get(field.name).is_some_and(|value| value.chars().any(char::is_control)) {
                faults.push(RowFault::of(field.name, "import-control"));
            }
        }
        let text = |field: &str| record.get(field).unwrap_or_default().to_owned();
        let client = client(record, &mut faults);
        let mut day = |field: &'static str| match record.get(field).map(date) {
            Some(None) => {
                faults.push(RowFault::of(field, "import-date"));
                None
            }
            other => other.flatten(),
        };
        let (authored, opened, closed) = (day("authored"), day("opened"), day("closed"));
        if let (Some(opened), Some(closed)) = (opened, closed)
            && closed < opened
        {
            faults.push(RowFault::of("closed", "import-closed-first"));
        }
        if let (Some(authored), Some(since)) = (authored, mapping.real_time_since)
            && authored >= since
        {
            faults.push(RowFault::of("authored", "import-not-old").with(iso(since)));
        }
        for (field, list) in [("type", "type"), ("task", "task")] {
            if record.get(field).is_some_and(|code| list == "task" && terms.is_unknown(list, code)) {
                faults.push(RowFault::of(field, "import-code"));
            }
        }
        let original = original(record, authored, mapping, &mut faults);
        let language = match record.get("language").map(str::to_ascii_lowercase).as_deref() {
            None | Some("fi") => Language::Fi,
            Some("sv") => Language::Sv,
            Some(_) => {
                faults.push(RowFault::of("language", "import-code").with("fi, sv"));
                Language::Fi
            }
        };
        match (client, authored) {
            (Some(client), Some(authored)) if faults.is_empty() => Ok(Self {
                line: record.line,
                file: text("file"),
                client,
                authored,
                general_type: text("type"),
                task: text("task"),
                original,
                language,
                case: text("case"),
                case_name: record.get("case_name").map(str::to_owned),
                opened,
                closed,
            }),
            _ => Err(faults),
        }
    }

    /// Whether the client belongs to the permanent sample (R10): by birth date.
    #[must_use]
    pub fn is_sample(&self, terms: &Terms) -> bool {
        terms.is_sample_day(self.client.born.day)
    }
}

fn client(record: &Record, faults: &mut Vec<RowFault>) -> Option<Client> {
    let extension = record.get("client")?;
    let before = faults.len();
    let birth = match record.get("birth").map(date) {
        Some(None) => {
            faults.push(RowFault::of("birth", "import-date"));
            None
        }
        other => other.flatten(),
    };
    let (root, born) = match record.get("temporary_root") {
        Some(root) => {
            if Oid::parse(root).is_err() {
                faults.push(RowFault::of("temporary_root", "import-oid"));
            }
            if birth.is_none() && record.get("birth").is_none() {
                faults.push(RowFault::of("birth", "import-birth"));
            }
            (root.to_owned(), birth)
        }
        None => match Hetu::parse(extension) {
            Err(fault) => {
                faults.push(RowFault::of("client", fault.word()));
                (String::new(), None)
            }
            Ok(hetu) => {
                if birth.is_some_and(|b| b != hetu.born) {
                    faults.push(RowFault::of("birth", "import-birth-differs"));
                }
                (HETU_ROOT.to_owned(), Some(hetu.born))
            }
        },
    };
    let male = match record.get("sex") {
        None => None,
        Some("1") => Some(true),
        Some("2") => Some(false),
        Some(_) => {
            faults.push(RowFault::of("sex", "import-code").with("1, 2"));
            None
        }
    };
    let given: Vec<String> = record.get("given").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let family = record.get("family").unwrap_or_default().to_owned();
    let born = born.filter(|_| faults.len() == before)?;
    Some(Client { root, extension: extension.to_owned(), family, given, born, male })
}

/// The original service task with its edition; asked for where the controller did not yet use the tasks of 2016 (R38). The rest (R37, R39) the document's rules judge.
fn original(record: &Record, authored: Option<Date>, mapping: &Mapping, faults: &mut Vec<RowFault>) -> Option<(String, String)> {
    match (record.get("original"), record.get("edition")) {
        (Some(code), Some(edition)) if matches!(edition, "1989" | "2011") => Some((edition.to_owned(), code.to_owned())),
        (Some(_), _) => {
            faults.push(RowFault::of("edition", "import-code").with("1989, 2011"));
            None
        }
        (None, _) => {
            if let (Some(authored), Some(since)) = (authored, mapping.tasks_2016_since)
                && authored < since
            {
                faults.push(RowFault::of("original", "import-original").with(iso(since)));
            }
            None
        }
    }
}

/// A day as tables write it: `1997-05-14`, `14.5.1997` or `19970514`.
#[must_use]
pub fn date(text: &str) -> Option<Date> {
    if let Some(date) = iso_date(text) {
        return Some(date);
    }
    let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<i64>().ok()).flatten();
    let parts: Vec<&str> = text.split('.').collect();
    match parts.as_slice() {
        [day, month, year] if year.len() == 4 && day.len() <= 2 && month.len() <= 2 => real_date(number(year)?, number(month)?, number(day)?),
        [all] if all.len() == 8 => real_date(number(all.get(..4)?)?, number(all.get(4..6)?)?, number(all.get(6..)?)?),
        _ => None,
    }
}

/// `1997-05-14`.
#[must_use]
pub fn iso(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

/// `19970514`.
#[must_use]
pub fn hl7(date: Date) -> String {
    format!("{:04}{:02}{:02}", date.year, date.month, date.day)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::rule_set::RuleSet;
    use crate::codes::source::embedded;

    const HEADING: &str = "file;client;temporary_root;family;given;birth;sex;authored;type;task;original;edition;language;opened;closed";
    const MAPPING: &str = r#"
[organisation]
controller = "1.2.246.10.99999992.10.0"
name = "Testilä"
ids = "1.2.246.10.99999992.95.2026.9"
real_time_since = "2024-09-01"
tasks_2016_since = "2016-06-01"
"#;

    fn rows(lines: &[&str]) -> Vec<Result<Row, Vec<RowFault>>> {
        let files = embedded();
        let rules = RuleSet::load(&files).unwrap();
        let terms = Terms::load(&files, &rules.systems).unwrap();
        let mapping = Mapping::parse(MAPPING).unwrap();
        let manifest = format!("{HEADING}\n{}\n", lines.join("\n"));
        mapping.read(manifest.as_bytes()).unwrap().iter().map(|record| Row::read(record, &mapping, &terms)).collect()
    }

    #[test]
    fn a_good_row_is_read() {
        let rows = rows(&[
            "a.pdf;080885-902M;;Testinen;Testi Koe;;1;14.5.1997;11;25;10;1989;SV;;",
            "b.pdf;010111A998W;1.2.246.10.99999992.22.2020;T;T;2011-01-01;;20200102;11;24;;;;;",
        ]);
        let first = rows[0].as_ref().unwrap();
        assert_eq!((hl7(first.authored), iso(first.client.born), first.language), ("19970514".to_owned(), "1985-08-08".to_owned(), Language::Sv));
        assert_eq!((first.client.given.len(), first.client.male, first.original.clone()), (2, Some(true), Some(("1989".to_owned(), "10".to_owned()))));
        assert_eq!(rows[1].as_ref().unwrap().client.root, "1.2.246.10.99999992.22.2020", "a temporary id is not checksummed");
    }

    #[test]
    fn each_fault_is_named_and_all_of_them_at_once() {
        let faults = |line: &str| rows(&[line]).remove(0).unwrap_err().into_iter().map(|f| (f.field, f.why)).collect::<Vec<_>>();
        for (line, expected) in [
            ("a.pdf;080885-902N;;T;T;;;1997-05-14;11;25;10;1989;;;", ("client", "hetu-check")),
            ("a.pdf;080885-902M;;T;T;1985-08-09;;1997-05-14;11;25;10;1989;;;", ("birth", "import-birth-differs")),
            ("a.pdf;x;1.2.246;T;T;;;1997-05-14;11;25;10;1989;;;", ("birth", "import-birth")),
            ("a.pdf;x;1.2..246;T;T;2000-01-01;;1997-05-14;11;25;10;1989;;;", ("temporary_root", "import-oid")),
            ("a.pdf;080885-902M;;T;T;;3;1997-05-14;11;25;10;1989;;;", ("sex", "import-code")),
            ("a.pdf;080885-902M;;T;T;;;31.2.1997;11;25;10;1989;;;", ("authored", "import-date")),
            ("a.pdf;080885-902M;;T;T;;;2024-09-01;11;25;;;;;", ("authored", "import-not-old")),
            ("a.pdf;080885-902M;;T;T;;;2016-05-31;11;25;;;;;", ("original", "import-original")),
            ("a.pdf;080885-902M;;T;T;;;1997-05-14;11;77;10;1989;;;", ("task", "import-code")),
            ("a.pdf;080885-902M;;T;T;;;1997-05-14;11;25;10;1990;;;", ("edition", "import-code")),
            ("a.pdf;080885-902M;;T;T;;;1997-05-14;11;25;10;1989;en;;", ("language", "import-code")),
            ("a.pdf;080885-902M;;T;T;;;1997-05-14;11;25;10;1989;;1999-01-01;1998-01-01", ("closed", "import-closed-first")),
            (";080885-902M;;T;T;;;1997-05-14;11;25;10;1989;;;", ("file", "import-empty")),
            ("a\u{7}.pdf;080885-902M;;T;T;;;1997-05-14;11;25;10;1989;;;", ("file", "import-control")),
        ] {
            assert_eq!(faults(line), [expected], "{line}");
        }
        assert_eq!(faults("a.pdf;080885-902N;;;T;;;1997-05-14;11;25;10;1990;;;").len(), 3);
    }
}
