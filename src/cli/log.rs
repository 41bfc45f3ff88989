//! `arkki log`: the access log and the disclosure log for those who have a right to them: a controller's data-protection officer, and a client who asks who
//! used its data. What is given is counted and hashed first, the giving is logged, and only then the first octet is written.

pub mod give;
mod read;
mod sheet;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use self::read::{Opener, walk};
use self::sheet::{Format, Head, Sheet};
use super::actor;
use super::codes::language;
use super::report::{Health, Report, many};
use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::adapters::store::Store;
use crate::app;
use crate::config::checked::Config;
use crate::crypto::Sha256;
use crate::domain::digest::Digest;
use crate::domain::document::Date;
use crate::domain::language::Language;
use crate::domain::ledger::Position;
use crate::domain::log::{Sealed, Span, Whose};
use crate::domain::oid::Oid;
use crate::domain::outage::Outage;
use crate::domain::person::{HETU_ROOT, names_a_person};
use crate::domain::time::{Moment, end_of_day, iso_date, real_date};
use crate::pipeline::examine::Examiner;
use crate::pipeline::given::{self, Note};
use crate::ports::archive::Archive as _;
use crate::ports::clock::Clock as _;

/// How far back a client is shown the logs without a special reason, in years (messaging.md §4.6).
const CLIENT_YEARS: u16 = 2;
/// The longest reason kept.
const REASON_OCTETS: usize = 400;

const HELP: &str = r#"The client is named by a file, by standard input (-) or by ARKKI_CLIENT, never on the command line, where others could see it.

Examples:
  arkki log export --controller 1.2.246.10.99999992.10.0 --from 2026-11-01 --to 2026-11-30 -o november.csv
  arkki log export --controller 1.2.246.10.99999992.10.0 --from 2026-11-01 --to 2026-11-30 --format html --log disclosure --language fi -o marraskuu.html
  arkki log client --client - --format html -o answer.html < id.txt
  arkki log client --client id.txt --older --reason "court order 26/1234" --format json -o all.json

Each export is itself an entry of the ledger and a row of the access log, made before the first octet is written.
Exit codes: 0 written, 1 the logs changed under the export, 2 the archive or a file could not be used."#;

/// What `log` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Log {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write out what the logs say about one controller's register, between two days.
    Export(Export),
    /// Write out what the logs say about one client: the last two years, or all with a reason.
    Client(Client),
}

/// What `log export` takes.
#[derive(Args)]
pub struct Export {
    /// The controller whose register it is about.
    #[arg(long, value_name = "OID", value_parser = oid)]
    controller: Oid,
    /// The first day, in Finnish time.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    from: Date,
    /// The last day.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    to: Date,
    #[command(flatten)]
    how: How,
}

/// What `log client` takes.
#[derive(Args)]
pub struct Client {
    /// A file with the client's id; - reads standard input. Without it ARKKI_CLIENT is read.
    #[arg(long, value_name = "FILE")]
    client: Option<PathBuf>,
    /// The root of the client's id.
    #[arg(long, value_name = "OID", default_value = HETU_ROOT)]
    root: String,
    /// In the register of this controller only.
    #[arg(long, value_name = "OID", value_parser = oid)]
    controller: Option<Oid>,
    /// Also what is older than two years; needs a special reason.
    #[arg(long, requires = "reason")]
    older: bool,
    /// The special reason, kept in the access log: no names, no ids of persons.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    how: How,
}

/// How it is written.
#[derive(Args)]
struct How {
    /// A table (csv), one JSON value (json), or a page for people that prints well (html).
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Which of the two logs.
    #[arg(long, value_enum, default_value_t = Which::Both)]
    log: Which,
    /// Where it goes: a new file, readable by its owner alone. Standard output, when not given or -.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Language of the words: fi, sv or en.
    #[arg(long, default_value = "en", value_parser = language)]
    language: Language,
}

impl How {
    /// The file it goes to; none is standard output.
    fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|file| file.as_os_str() != "-")
    }
}

/// Which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Who used what.
    Access,
    /// What was disclosed to whom.
    Disclosure,
    /// Both, the access log first.
    Both,
}

fn oid(text: &str) -> Result<Oid, String> {
    Oid::parse(text).map_err(|_| "not an OID".to_owned())
}

fn day(text: &str) -> Result<Date, String> {
    iso_date(text).ok_or_else(|| "a day as 2026-11-22 is needed".to_owned())
}

/// Exports.
#[must_use]
pub fn run(command: &Log, config: &Config, json: bool) -> Report {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    match runtime.block_on(give(command, config, json)) {
        Ok(report) => report,
        Err(why) => Report::blind(why),
    }
}

/// What is asked, read.
struct Asked {
    span: Span,
    client_sealed: Option<Sealed>,
    controller: Option<Oid>,
    reason: Option<String>,
    action: &'static str,
}

async fn give(command: &Log, config: &Config, json: bool) -> Result<Report, String> {
    let (Command::Export(Export { how, .. }) | Command::Client(Client { how, .. })) = &command.command;
    // With no file to write to, --json asks for the rows themselves as JSON.
    let format = if json && how.file().is_none() { Format::Json } else { how.format };
    let examiner = app::examiner(config).map_err(|fault| fault.to_string())?;
    let archive = super::audit::open(config).await?;
    let shown = |outage: Outage| format!("{}: {outage}", config.archive_url.shown());
    let now = SystemClock.now();
    let upto = archive.head().await.map_err(shown)?.map_or(Position(0), |(position, _)| position);
    let asked = match &command.command {
        Command::Export(export) => of_controller(export, upto)?,
        Command::Client(client) => of_client(client, &examiner, upto, now)?,
    };
    let head = Head {
        format,
        language: how.language,
        controller: asked.controller.as_ref().map(|oid| oid.as_str().to_owned()),
        is_client: matches!(asked.span.of, Whose::Client(..)),
        from: asked.span.from,
        before: asked.span.before,
        made: now,
        upto,
    };
    let mut counting = Hashing { hasher: Sha256::new(), out: std::io::sink() };
    let rows = written(&archive, &examiner, &asked, how.log, &head, &mut counting).await.map_err(|fault| fault.told(config))?;
    let sha = counting.hasher.finish();
    let mut output = open(how.file())?;
    if let Err(why) = logged(config, &examiner, &archive, &asked, how.log, (&sha, rows), now).await {
        if let Some(file) = how.file() {
            let _nothing_was_written = std::fs::remove_file(file);
        }
        return Err(why);
    }
    let mut telling = Hashing { hasher: Sha256::new(), out: &mut output };
    let again = written(&archive, &examiner, &asked, how.log, &head, &mut telling).await.map_err(|fault| fault.told(config))?;
    let same = telling.hasher.finish() == sha;
    output.flush().map_err(|e| format!("the export could not be written: {e}"))?;
    Ok(told(how.file(), again, &sha, same))
}

fn told(output: Option<&Path>, rows: u64, sha: &Digest, same: bool) -> Report {
    let health = if same { Health::Well } else { Health::Unwell };
    let Some(output) = output else {
        // The rows themselves are the output.
        return Report::new(health, String::new(), Value::Null);
    };
    let mut text = format!("{} in {}\nSHA-256 {sha}\n", many(rows, "row"), output.display());
    if !same {
        text.push_str("The logs changed under the export: arkki audit names what is not as it was made.\n");
    }
    Report::new(health, text, json!({ "rows": rows, "file": output.display().to_string(), "sha256": sha.to_hex(), "unchanged": same }))
}

fn of_controller(export: &Export, upto: Position) -> Result<Asked, String> {
    let (from, before) = (start_of(export.from), after(export.to));
    if before <= from {
        return Err("--to lies before --from".to_owned());
    }
    let span = Span { of: Whose::Controller(export.controller.clone()), from, before, upto };
    Ok(Asked { span, client_sealed: None, controller: Some(export.controller.clone()), reason: None, action: "export" })
}

fn of_client(client: &Client, examiner: &Examiner, upto: Position, now: Moment) -> Result<Asked, String> {
    let (digest, client_sealed) = match &client.client {
        Some(file) => super::query::client(file, &client.root, (examiner, client.how.language))?,
        None => {
            let id = std::env::var("ARKKI_CLIENT").map_err(|_| "whose? Say --client FILE, --client - or set ARKKI_CLIENT".to_owned())?;
            super::query::client_of(&id, &client.root, (examiner, client.how.language))?
        }
    };
    let reason = client.reason.as_deref().map(reason).transpose()?;
    Ok(about_client((digest, client_sealed), client.controller.clone(), (client.older, reason), (upto, now)))
}

/// What is asked about a client: the last years up to now, or everything.
fn about_client(
    (digest, client_sealed): (Digest, Option<Sealed>),
    controller: Option<Oid>,
    (older, reason): (bool, Option<String>),
    (upto, now): (Position, Moment),
) -> Asked {
    let today = now.helsinki_date();
    let then = Date { year: today.year.saturating_sub(CLIENT_YEARS), ..today };
    let then = real_date(i64::from(then.year), i64::from(then.month), i64::from(then.day)).unwrap_or(Date { day: 28, ..then });
    let from = if older { Moment::from_micros(0) } else { start_of(then) };
    let before = Moment::from_micros(now.micros().saturating_add(1));
    let span = Span { of: Whose::Client(digest, controller.clone()), from, before, upto };
    Asked { span, client_sealed, controller, reason, action: "export-client" }
}

/// A reason is kept in clear, so no identity code may stand in it.
fn reason(text: &str) -> Result<String, String> {
    let text: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if names_a_person(&text) {
        return Err("--reason holds an identity code: say the reason without it".to_owned());
    }
    match text.len() {
        0 => Err("--reason is empty".to_owned()),
        1..=REASON_OCTETS => Ok(text),
        _ => Err(format!("--reason: at most {REASON_OCTETS} octets")),
    }
}

/// The first moment of a day in Finnish time.
fn start_of(date: Date) -> Moment {
    // A day has 23 to 25 hours: 26 before its end is the day before.
    const BACK: i64 = 26 * 3_600_000_000;
    after(Moment::from_micros(end_of_day(date).micros().saturating_sub(BACK)).helsinki_date())
}

/// The first moment after a day.
fn after(date: Date) -> Moment {
    Moment::from_micros(end_of_day(date).micros().saturating_add(1))
}

/// Why rows could not be written.
enum Fault {
    Archive(Outage),
    Output(std::io::Error),
}

impl Fault {
    fn told(self, config: &Config) -> String {
        match self {
            Self::Archive(outage) => format!("{}: {outage}", config.archive_url.shown()),
            Self::Output(error) => format!("the export could not be written: {error}"),
        }
    }
}

/// Reads the rows and writes them; gives how many.
async fn written(archive: &Store, examiner: &Examiner, asked: &Asked, which: Which, head: &Head, out: &mut (dyn Write + Send)) -> Result<u64, Fault> {
    let mut sheet = Sheet::begin(head, &examiner.rule_set().catalogue, out).map_err(Fault::Output)?;
    let mut opener = Opener::new(examiner, archive);
    walk(archive, &asked.span, (which != Which::Disclosure, which != Which::Access), &mut opener, &mut sheet).await?;
    sheet.end().map_err(Fault::Output)
}

/// Passes on what is written, and hashes it.
struct Hashing<W> {
    hasher: Sha256,
    out: W,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.out.write_all(octets)?;
        self.hasher.update(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

type Output = Box<dyn Write + Send>;

/// A new file, for its owner alone; never over something else.
fn open(output: Option<&Path>) -> Result<Output, String> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let Some(file) = output else { return Ok(Box::new(std::io::BufWriter::new(std::io::stdout()))) };
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    opened.map(|opened| Box::new(std::io::BufWriter::new(opened)) as Output).map_err(|e| format!("{}: {e}", file.display()))
}

/// The export becomes durable before anything of it is shown: an entry with the hash of what is given, and a row of the access log.
async fn logged(
    config: &Config,
    examiner: &Examiner,
    archive: &Arc<Store>,
    asked: &Asked,
    which: Which,
    shown: (&Digest, u64),
    at: Moment,
) -> Result<(), String> {
    let entropy = SystemEntropy::open().map_err(|outage| outage.to_string())?;
    let noted = given::note(archive.as_ref(), examiner, (&entropy, at), sum(&actor::actor(), asked, which, shown)).await;
    noted.map_err(|outage| format!("{}: {outage}", config.archive_url.shown()))
}

/// An export, for the ledger and the access log.
fn sum<'a>(actor: &'a str, asked: &'a Asked, which: Which, (sha, rows): (&Digest, u64)) -> Note<'a> {
    let logs = match which {
        Which::Access => "access",
        Which::Disclosure => "disclosure",
        Which::Both => "access,disclosure",
    };
    let mut detail = format!("{logs} {} {}: {rows} rows", asked.span.from.to_iso(), asked.span.before.to_iso());
    if let Some(reason) = &asked.reason {
        detail.push_str(&format!("; {reason}"));
    }
    Note {
        actor,
        action: asked.action,
        controller: asked.controller.as_ref(),
        client: if let Whose::Client(client, _) = &asked.span.of { Some(*client) } else { None },
        client_sealed: asked.client_sealed.clone(),
        detail,
        description: format!("arkki-export-1\nsha256 {sha}\nrows {rows}\nupto {}\n", asked.span.upto.0),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_where_the_one_before_it_ends() {
        // The last Sunday of March has 23 hours, that of October 25.
        for text in ["2026-03-28", "2026-03-29", "2026-03-30", "2026-10-24", "2026-10-25", "2026-10-26", "2026-01-01"] {
            let date = iso_date(text).unwrap();
            let (start, end) = (start_of(date), after(date));
            assert_eq!(start.helsinki_date(), date, "{text}");
            assert_ne!(Moment::from_micros(start.micros() - 1).helsinki_date(), date, "{text}");
            assert!((23..=25).contains(&((end.micros() - start.micros()) / 3_600_000_000)), "{text}");
        }
    }

    #[test]
    fn a_reason_names_nobody() {
        assert_eq!(reason("  court order\n26/1234 ").unwrap(), "court order 26/1234");
        assert!(reason("of 010180-9026.").unwrap_err().contains("identity code"));
        assert!(reason(" ").is_err() && reason(&"x".repeat(401)).is_err());
    }
}
