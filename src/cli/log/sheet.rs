//! What an export looks like: a table for programs, a JSON value, a page for people that prints well. Written line by line; nothing is kept.

use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::codes::catalogue::Catalogue;
use crate::domain::language::Language;
use crate::domain::ledger::Position;
use crate::domain::time::Moment;

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A table, RFC 4180, in UTF-8.
    Csv,
    /// One JSON value.
    Json,
    /// A page.
    Html,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// The ledger position.
    Position,
    /// When it was recorded.
    At,
    /// When it was disclosed, where that is another time.
    DisclosedAt,
    /// What was done.
    Action,
    /// Whose register.
    Controller,
    /// Which register.
    RegisterType,
    /// The client.
    Client,
    /// The document.
    Document,
    /// Its set.
    Set,
    /// Its general type.
    GeneralType,
    /// Its specific type.
    SpecificType,
    /// The service task.
    ServiceTask,
    /// The actor, or what the discloser is.
    By,
    /// Its organisation.
    ByOrganisation,
    /// Its person.
    ByPerson,
    /// What the recipient is.
    To,
    /// Its organisation.
    ToOrganisation,
    /// Its person.
    ToPerson,
    /// The purpose of use.
    Purpose,
    /// The service request.
    ServiceRequest,
    /// On what ground.
    Basis,
    /// The rule that decided.
    Rule,
    /// The section of law.
    Section,
    /// The informing.
    Informing,
    /// The permission.
    Permission,
    /// The denials evaluated.
    Denials,
    /// The notice.
    Notice,
    /// The query's id.
    Query,
    /// The message's hash.
    Message,
    /// What came of it.
    Detail,
}

/// The columns' names, in their order: stable, for programs.
const NAMES: [&str; 30] = [
    "position",
    "at",
    "disclosed_at",
    "action",
    "controller",
    "register_type",
    "client",
    "document",
    "set",
    "general_type",
    "specific_type",
    "service_task",
    "by",
    "by_organisation",
    "by_person",
    "to",
    "to_organisation",
    "to_person",
    "purpose",
    "service_request",
    "basis",
    "rule",
    "section",
    "informing",
    "permission",
    "denials",
    "notice",
    "query",
    "message_sha256",
    "detail",
];

/// One row.
#[derive(Debug, Default)]
pub(super) struct Line([Option<String>; NAMES.len()]);

impl Line {
    /// Fills a column; empty words are no words.
    pub fn put(&mut self, column: Column, value: Option<String>) {
        if let Some(cell) = self.0.get_mut(column as usize) {
            *cell = value.filter(|value| !value.is_empty());
        }
    }

    fn cell(&self, column: Column) -> &str {
        self.0.get(column as usize).and_then(Option::as_deref).unwrap_or("")
    }
}

/// What stands above the rows.
#[derive(Debug, Clone)]
pub(super) struct Head {
    /// How it is written.
    pub format: Format,
    /// Language of the words.
    pub language: Language,
    /// The controller, where one was named.
    pub controller: Option<String>,
    /// It is about one client.
    pub is_client: bool,
    /// From when.
    pub from: Moment,
    /// Until before when.
    pub before: Moment,
    /// When it was made.
    pub made: Moment,
    /// The last ledger entry that it knows.
    pub upto: Position,
}

/// An export as it is written.
pub(super) struct Sheet<'s> {
    head: &'s Head,
    catalogue: &'s Catalogue,
    out: &'s mut (dyn Write + Send),
    section: Option<&'static str>,
    rows: u64,
    in_section: u64,
}

impl<'s> Sheet<'s> {
    /// Writes what stands above the rows.
    ///
    /// # Errors
    /// As the output says.
    pub fn begin(head: &'s Head, catalogue: &'s Catalogue, out: &'s mut (dyn Write + Send)) -> io::Result<Self> {
        let mut sheet = Self { head, catalogue, out, section: None, rows: 0, in_section: 0 };
        match head.format {
            Format::Csv => {
                let names: Vec<&str> = std::iter::once("log").chain(NAMES).collect();
                write!(sheet.out, "{}\r\n", names.join(","))?;
            }
            Format::Json => {
                let about = json!({
                    "controller": head.controller,
                    "client": head.is_client,
                    "from": head.from.to_iso(),
                    "before": head.before.to_iso(),
                    "made": head.made.to_iso(),
                    "upto": head.upto.0,
                });
                write!(sheet.out, "{{\"export\":{about}")?;
            }
            Format::Html => sheet.page()?,
        }
        Ok(sheet)
    }

    /// Begins one log's rows.
    ///
    /// # Errors
    /// As the output says.
    pub fn section(&mut self, name: &'static str) -> io::Result<()> {
        self.close()?;
        self.section = Some(name);
        self.in_section = 0;
        match self.head.format {
            Format::Csv => Ok(()),
            Format::Json => write!(self.out, ",\n\"{name}\":["),
            Format::Html => self.table(name),
        }
    }

    /// Writes a row.
    ///
    /// # Errors
    /// As the output says.
    pub fn line(&mut self, line: &Line) -> io::Result<()> {
        self.rows += 1;
        self.in_section += 1;
        match self.head.format {
            Format::Csv => {
                write!(self.out, "{}", self.section.unwrap_or(""))?;
                for cell in &line.0 {
                    write!(self.out, ",{}", quoted(cell.as_deref().unwrap_or("")))?;
                }
                write!(self.out, "\r\n")
            }
            Format::Json => {
                let cells = NAMES.iter().zip(&line.0).filter_map(|(name, cell)| Some(((*name).to_owned(), Value::from(cell.as_deref()?))));
                let value = Value::Object(cells.collect::<Map<String, Value>>());
                write!(self.out, "{}\n{value}", if self.in_section > 1 { "," } else { "" })
            }
            Format::Html => self.row(line),
        }
    }

    /// Writes what stands below the rows; gives how many there were.
    ///
    /// # Errors
    /// As the output says.
    pub fn end(mut self) -> io::Result<u64> {
        self.close()?;
        match self.head.format {
            Format::Csv => {}
            Format::Json => write!(self.out, "\n,\"rows\":{}}}\n", self.rows)?,
            Format::Html => {
                let told = self.word("log-end");
                write!(self.out, "<footer>{} {}</footer>\n</body></html>\n", escaped(told), self.head.upto.0)?;
            }
        }
        self.out.flush()?;
        Ok(self.rows)
    }

    fn close(&mut self) -> io::Result<()> {
        match (self.section.take(), self.head.format) {
            (None, _) | (_, Format::Csv) => Ok(()),
            (Some(_), Format::Json) => write!(self.out, "\n]"),
            (Some(_), Format::Html) => {
                let (rows, words) = (self.in_section, self.word("log-rows"));
                write!(self.out, "</tbody></table>\n<p class=\"count\">{rows} {}</p>\n", escaped(words))
            }
        }
    }

    fn word(&self, key: &'s str) -> &'s str {
        self.catalogue.word(key, self.head.language)
    }

    fn page(&mut self) -> io::Result<()> {
        let head = self.head;
        let title = self.word(if head.is_client { "log-title-client" } else { "log-title" });
        let language = head.language.as_str();
        // `before` is the moment after the last.
        let last = Moment::from_micros(head.before.micros().saturating_sub(1)).helsinki_date();
        let first = head.from.helsinki_date();
        let day = |date: crate::domain::document::Date| format!("{:04}-{:02}-{:02}", date.year, date.month, date.day);
        let span = if head.from.micros() == 0 { format!("… – {}", day(last)) } else { format!("{} – {}", day(first), day(last)) };
        write!(
            self.out,
            "<!DOCTYPE html>\n<html lang=\"{language}\"><head><meta charset=\"utf-8\"><title>{0}</title><style>{STYLE}</style></head><body>\n<h1>{0}</h1>\n<dl>",
            escaped(title)
        )?;
        if let Some(controller) = &head.controller {
            write!(self.out, "<dt>{}</dt><dd>{}</dd>", escaped(self.word("log-col-controller")), escaped(controller))?;
        }
        let made = head.made.to_iso();
        writeln!(
            self.out,
            "<dt>{}</dt><dd>{span}</dd><dt>{}</dt><dd>{made}</dd></dl>\n<p>{}</p>",
            escaped(self.word("log-span")),
            escaped(self.word("log-made")),
            escaped(self.word("log-keep"))
        )
    }

    fn table(&mut self, name: &'static str) -> io::Result<()> {
        let given = name == "disclosure";
        let title = self.word(if given { "log-disclosure" } else { "log-access" });
        write!(self.out, "<h2>{}</h2>\n<table><thead><tr>", escaped(title))?;
        for key in columns(given) {
            write!(self.out, "<th scope=\"col\">{}</th>", escaped(self.word(key)))?;
        }
        writeln!(self.out, "</tr></thead><tbody>")
    }

    /// For people some columns stand together, so that a page is wide enough.
    fn row(&mut self, line: &Line) -> io::Result<()> {
        let given = self.section == Some("disclosure");
        let cell = |column| line.cell(column).to_owned();
        let several = |columns: &[Column]| columns.iter().map(|column| line.cell(*column)).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
        let key = format!("log-action-{}", line.cell(Column::Action));
        let action = self.catalogue.word(&key, self.head.language);
        // An action without a word of its own is shown as it is.
        let action = if action == key { line.cell(Column::Action) } else { action }.to_owned();
        let time = match line.cell(Column::DisclosedAt) {
            "" => minutes(line.cell(Column::At)),
            disclosed => format!("{}\n({})", minutes(disclosed), minutes(line.cell(Column::At))),
        };
        let document = several(&[Column::Document, Column::GeneralType, Column::SpecificType, Column::ServiceTask]);
        let by = several(&[Column::ByPerson, Column::ByOrganisation, Column::By]);
        let mut cells = vec![time, action, cell(Column::Controller), cell(Column::Client), document, by];
        if given {
            cells.push(several(&[Column::ToPerson, Column::ToOrganisation, Column::To]));
            cells.push(several(&[Column::Basis, Column::Section, Column::Rule, Column::Purpose, Column::Permission, Column::Notice]));
        } else {
            cells.push(several(&[Column::Purpose, Column::ServiceRequest]));
            cells.push(cell(Column::Detail));
        }
        cells.push(cell(Column::Position));
        write!(self.out, "<tr>")?;
        for cell in cells {
            write!(self.out, "<td>{}</td>", escaped(&cell).replace('\n', "<br>"))?;
        }
        writeln!(self.out, "</tr>")
    }
}

const fn columns(given: bool) -> [&'static str; 9] {
    let (seventh, eighth) = if given { ("log-col-to", "log-col-basis") } else { ("log-col-purpose", "log-col-detail") };
    ["log-col-at", "log-col-action", "log-col-controller", "log-col-client", "log-col-document", "log-col-by", seventh, eighth, "log-col-position"]
}

/// A moment for people: day and time to the second, in UTC as the log has it.
fn minutes(iso: &str) -> String {
    iso.get(..19).map_or_else(|| iso.to_owned(), |text| format!("{}Z", text.replace('T', " ")))
}

const STYLE: &str = "body{font:12px/1.4 sans-serif;margin:2em;color:#111}h1{font-size:1.5em}h2{font-size:1.2em;margin-top:2em}\
dl{display:grid;grid-template-columns:max-content auto;gap:.2em 1em}dt{font-weight:bold}dd{margin:0}\
table{border-collapse:collapse;width:100%}th,td{border:1px solid #999;padding:.25em .4em;text-align:left;vertical-align:top;overflow-wrap:anywhere}\
th{background:#eee}thead{display:table-header-group}tr{break-inside:avoid}.count,footer{color:#444}\
@page{size:A4 landscape;margin:12mm}@media print{body{margin:0;font-size:9px}}";

/// A value in a table for programs. One that a spreadsheet would take for a formula gets an apostrophe before it.
fn quoted(value: &str) -> String {
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let value = if value.starts_with(['=', '+', '-', '@']) { format!("'{value}") } else { value };
    if value.contains([',', '"']) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value }
}

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            c if c.is_control() => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_stays_what_it_is() {
        assert_eq!(quoted("=1+1"), "'=1+1");
        assert_eq!(quoted("a,\"b\"\r\n"), "\"a,\"\"b\"\"  \"");
        assert_eq!(quoted("1.2.3"), "1.2.3");
        assert_eq!(escaped("<b a=\"1\">&\u{1b}"), "&lt;b a=&quot;1&quot;&gt;&amp;\u{FFFD}");
        assert_eq!(minutes("2026-11-22T08:00:00.123Z"), "2026-11-22 08:00:00Z");
    }

    #[test]
    fn every_column_has_its_name() {
        assert_eq!(NAMES[Column::Position as usize], "position");
        assert_eq!(NAMES[Column::ToPerson as usize], "to_person");
        assert_eq!(NAMES[Column::Detail as usize], "detail");
    }
}
