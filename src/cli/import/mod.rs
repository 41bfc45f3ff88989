//! `arkki import`: empties an old system into the archive. First a dry run that judges every row; then the same rows, published at a chosen rate;
//! it may be stopped or killed and goes on where it was; at the end every row is named as archived or refused.

mod check;
mod journal;
mod publish;
mod report;

use std::path::{Path, PathBuf};

use clap::Args;

use super::codes::language;
use super::report::{Report, writable};
use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::app;
use crate::codes::source::Files;
use crate::config::checked::{Config, ConfigFault};
use crate::crypto;
use crate::domain::language::Language;
use crate::import::compose::Composer;
use crate::import::plan::Plan;
use crate::import::row::{FIELDS, Row, RowFault};
use crate::import::table::Mapping;
use crate::import::terms::Terms;
use crate::pipeline::examine::Examiner;
use crate::ports::clock::{Clock as _, Entropy as _};
use journal::{Head, Journal};

/// The largest manifest, in octets: a million rows of names and paths.
const MANIFEST_OCTETS: u64 = 512 * 1024 * 1024;

const HELP: &str = r#"Without --publish nothing is sent: every row becomes the document it would be and gets the gateway's own verdict. With --publish the rows
that passed are sent and their answers awaited; MANIFEST.journal remembers each, so the same command goes on after a stop. docs/import.md explains
the mapping file, which looks like this:

  [organisation]
  controller = "1.2.246.10.99999992.10.0"
  name = "Testilän hyvinvointialue (TESTI)"
  ids = "1.2.246.10.99999992.95.2026.7"
  [columns]
  client = "Henkilötunnus"
  [codes.task]
  "LASU" = "10"

Exit codes: 0 every row passes (or is archived), 1 a row is refused, 2 a file, the broker or the journal could not be reached or rows are left."#;

/// What `import` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Import {
    /// The table of metadata, a CSV file with a heading.
    manifest: PathBuf,
    /// The folder that the manifest's files lie in.
    #[arg(long, value_name = "DIR")]
    files: PathBuf,
    /// Which column is which field, and whose documents they are.
    #[arg(long, value_name = "TOML")]
    mapping: PathBuf,
    /// Send what passed; without it nothing leaves.
    #[arg(long)]
    publish: bool,
    /// With --publish: go on though rows are refused, and leave these out.
    #[arg(long)]
    leave_refused: bool,
    /// Import only clients of the permanent sample (born on the 8th, 18th or 28th); other rows are left out and counted.
    #[arg(long)]
    only_sample: bool,
    /// Messages a second, at most.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Where each row's fate is written, as CSV.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// What the import remembers between runs. Default: MANIFEST.journal
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// A PEM file of trust anchors, beside the configuration's; may be repeated.
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// The inbound queue; the first of the configuration when left out.
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Where the answers go; it is declared if it is missing. Default arkki.reply.USER.import
    #[arg(long, value_name = "QUEUE")]
    reply: Option<String>,
    /// Seconds to wait for an answer after the last one that came.
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    timeout: u64,
    /// Language of the sentences: fi, sv or en.
    #[arg(long, default_value = "en", value_parser = language)]
    language: Language,
}

/// Everything an import is made with.
struct Work {
    mapping: Mapping,
    terms: Terms,
    examiner: Examiner,
    plan: Plan,
    /// Rows that the table itself refuses, by line.
    faulty: Vec<(u64, String, Vec<RowFault>)>,
    /// Rows of clients outside the sample, left out because it was asked for.
    outside: usize,
    head: Head,
    /// Language of the sentences.
    language: Language,
}

impl Work {
    fn composer(&self) -> Composer<'_> {
        Composer { terms: &self.terms, mapping: &self.mapping, import: self.head.import, created: &self.head.created }
    }

    /// Rows that the import answers for: archived or refused.
    fn rows(&self) -> usize {
        self.plan.documents.len() + self.faulty.len()
    }
}

/// Imports.
#[must_use]
pub fn run(command: &Import, config: &Config, json: bool) -> Report {
    match try_run(command, config, json) {
        Ok(report) | Err(report) => report,
    }
}

fn try_run(command: &Import, config: &Config, json: bool) -> Result<Report, Report> {
    writable("--report", command.report.as_deref())?;
    let folder = command.files.canonicalize().map_err(|e| Report::blind(format!("--files {}: {e}", command.files.display())))?;
    let journal_path = command.journal.clone().unwrap_or_else(|| beside(&command.manifest, ".journal"));
    let mut work = prepare(command, config)?;
    if !command.publish {
        let checked = check::check(&work, &folder, json);
        return report::dry_run(command, &work, &checked);
    }
    let mut journal = Journal::open(&journal_path, &work.head).map_err(|e| Report::blind(format!("{}: {e}", journal_path.display())))?;
    work.head = journal.head().clone();
    if journal.checked().is_none() {
        let checked = check::check(&work, &folder, json);
        if work.rows() > checked.passed(&work) && !command.leave_refused {
            // Nothing was sent: the next run begins anew, with the manifest that was mended.
            journal.forget();
            return report::dry_run(command, &work, &checked).map(|r| r.with_line("nothing was sent: mend these rows, or say --leave-refused"));
        }
        journal.note_checked(&checked).map_err(|e| Report::blind(format!("{}: {e}", journal_path.display())))?;
    }
    let runtime = super::runtime()?;
    let ended = runtime.block_on(publish::publish(command, config, &work, &folder, &mut journal, json)).map_err(Report::blind);
    report::reconcile(command, &work, &journal, ended)
}

/// Reads mapping and manifest and plans what they become.
fn prepare(command: &Import, config: &Config) -> Result<Work, Report> {
    let blind = |path: &Path, e: &dyn std::fmt::Display| Report::blind(format!("{}: {e}", path.display()));
    let mapping_text = crate::config::checked::read_text(&command.mapping).map_err(Report::blind)?;
    let mapping = Mapping::parse(&mapping_text).map_err(|e| blind(&command.mapping, &e))?;
    let manifest = read_bounded(&command.manifest, MANIFEST_OCTETS).map_err(|e| blind(&command.manifest, &e))?;
    let records = mapping.read(&manifest).map_err(|e| blind(&command.manifest, &e))?;
    let files: Files = app::rule_files(config.rules_folder.as_deref()).map_err(Report::blind)?;
    let examiner = examiner(command, config).map_err(Report::blind)?;
    let terms = Terms::load(&files, &examiner.rule_set().systems).map_err(Report::blind)?;
    let (mut rows, mut faulty, mut outside) = (Vec::new(), Vec::new(), 0);
    for record in &records {
        match Row::read(record, &mapping, &terms) {
            Ok(row) if command.only_sample && !row.is_sample(&terms) => outside += 1,
            Ok(row) => rows.push(row),
            Err(faults) => faulty.push((record.line, record.get("file").unwrap_or_default().to_owned(), faults)),
        }
    }
    let entropy = SystemEntropy::open().map_err(Report::blind)?.sixteen();
    let [a, b, c, d, ..] = entropy;
    let head = Head {
        manifest: crypto::sha256(&manifest).to_hex(),
        mapping: crypto::sha256(mapping_text.as_bytes()).to_hex(),
        only_sample: command.only_sample,
        // An arc of its own for each import, so that two never make the same id; at least five digits, to be told from a running number.
        import: (u32::from_be_bytes([a, b, c, d]) / 2).max(10_000),
        created: SystemClock.now().to_hl7(),
    };
    let plan = Plan::of(rows, &terms);
    Ok(Work { mapping, terms, examiner, plan, faulty, outside, head, language: command.language })
}

/// The gateway's verdict, without its archive; any site key gives the same.
fn examiner(command: &Import, config: &Config) -> Result<Examiner, ConfigFault> {
    let trust = config.trust.iter().chain(&command.trust).cloned().collect();
    app::examiner_with(&Config { trust, ..config.clone() }, vec![0; 32])
}

/// A file below a folder, read whole; never one outside it, whatever links and `..` say.
fn read_below(folder: &Path, name: &str, most: u64) -> Result<Vec<u8>, &'static str> {
    let path = folder.join(name).canonicalize().map_err(|_| "import-no-file")?;
    if !path.starts_with(folder) {
        return Err("import-outside");
    }
    match read_bounded(&path, most) {
        Ok(octets) if octets.is_empty() => Err("import-no-octets"),
        Ok(octets) => Ok(octets),
        Err(e) if e.kind() == std::io::ErrorKind::FileTooLarge => Err("import-too-large"),
        Err(_) => Err("import-no-file"),
    }
}

fn read_bounded(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut octets = Vec::new();
    std::fs::File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut octets)?;
    if octets.len() as u64 > most {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, format!("more than {most} octets")));
    }
    Ok(octets)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The field's name as the manifest's owner knows it.
fn field_name(field: &'static str) -> &'static str {
    FIELDS.iter().find(|f| f.name == field).map_or("the row", |f| f.name)
}

/// A row's fault as a sentence.
fn sentence(work: &Work, fault: &RowFault) -> String {
    let word = work.examiner.catalogue().word(fault.why, work.language);
    let more = if fault.more.is_empty() { String::new() } else { format!(" ({})", fault.more) };
    format!("{}: {word}{more}", field_name(fault.field))
}
