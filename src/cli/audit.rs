//! `arkki audit`: every document's hashes and signatures, every ledger entry's place in the chain, every checkpoint.

use std::io::ErrorKind::{IsADirectory, NotFound};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::report::{Fault, Health, Report};
use crate::adapters::clock::SystemEntropy;
use crate::adapters::store::{self, Store};
use crate::app;
use crate::config::checked::Config;
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::outage::Outage;
use crate::pipeline::audit::{AuditFault, AuditReport, Plan, Signers, Verify, VerifyNotice, audit};
use crate::pipeline::checkpoint::line::LINE_OCTETS;
use crate::pipeline::checkpoint::verify::{Against, Judges};
use crate::pipeline::evidence::Past;
use crate::ports::archive::Archive as _;
use crate::ports::checkpoints::Checkpoints as _;

/// How often the state of a resumable audit is written: what a kill loses.
const SAVED: Duration = Duration::from_secs(2);
/// The largest state read: the most faults that are listed, with a sentence each.
const STATE_OCTETS: u64 = 8 * 1024 * 1024;

const HELP: &str = r#"It only reads; the gateway may be at work meanwhile. It needs [sign] trust and certificate_file, not the private key.
The archive's own checkpoints are verified always; with --checkpoint a file's too, which the database's owner could not change.

Exit codes: 0 no fault, 1 faults (each named with its ledger position), 2 the archive, a file, a certificate or the rules could not be read."#;

/// What `audit` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Audit {
    /// How many faults to list.
    #[arg(long, default_value_t = 50, value_name = "N")]
    most: usize,
    /// A file of checkpoints to hold the ledger against.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// A PEM file of trust anchors beside the configuration's, for signatures of days whose anchors the site trusts no more; may be repeated.
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Keep the audit's state in this file and go on from there when it is there: what was read before is not read again.
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    resume: Option<PathBuf>,
    /// Begin at this ledger position.
    #[arg(long, value_name = "POSITION")]
    from: Option<u64>,
}

/// Audits the archive, which may be at work meanwhile.
#[must_use]
pub fn run(command: &Audit, mut config: Config, json: bool) -> Report {
    if let Some(fault) = command.trust.iter().find_map(|file| app::has_certificate(file).err()) {
        return Report::wish(format!("--trust: {fault}"));
    }
    config.trust.extend(command.trust.iter().cloned());
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    match runtime.block_on(look(command, &config, json)) {
        Ok((found, checkpoints)) => report(command, &found, checkpoints),
        Err(fault) => fault.into(),
    }
}

/// Audits all of it, without a word in between: for a restore.
///
/// # Errors
/// What cannot be read.
pub(super) async fn whole(config: &Config, checkpoint: Option<PathBuf>) -> Result<(AuditReport, Seen), Fault> {
    let command = Audit { most: usize::MAX, checkpoint, trust: Vec::new(), resume: None, from: None };
    look(&command, config, true).await
}

/// What checkpoints were seen: how many, how many of them with a verified time stamp, and lines that could not be read.
pub(super) type Seen = (u64, u64, u64);

async fn look(command: &Audit, config: &Config, json: bool) -> Result<(AuditReport, Seen), Fault> {
    let examiner = app::examiner(config).map_err(|fault| fault.to_string())?;
    let signer = app::signer_certificate(config).map_err(|fault| fault.to_string())?;
    let archive = open(config).await?;
    let shown = |outage: Outage| format!("{}: {outage}", config.archive_url.shown());
    let past = Past::open(archive.as_ref(), &examiner.site().anchors, config.crl_grace).await.map_err(shown)?;
    let examiner = examiner.with_anchors(past.anchors().again());
    let name = archive.archive_name().await.map_err(shown)?;
    let so_far = begin(command, &archive, &name).await?;
    let (examiner, signer) = (Arc::new(examiner), Arc::new(signer));
    let notices: VerifyNotice = {
        let (examiner, signer) = (Arc::clone(&examiner), Arc::clone(&signer));
        Arc::new(move |notice| examiner.audit_notice(notice, &signer))
    };
    let verify: Verify = Arc::new(move |document| examiner.audit(document, &signer));
    let progress = bar(json, so_far.head.map_or(0, |(position, _)| position.0));
    let mut saved = Instant::now();
    let mut unsaved = None;
    let outcome = audit(archive.as_ref(), Plan { verify, notices: Some(notices), past: Some(&past), threads: config.threads, so_far }, &mut |report, of| {
        progress.set_length(of);
        progress.set_position(report.head.map_or(0, |(position, _)| position.0));
        if let Some(file) = command.resume.as_ref().filter(|_| saved.elapsed() >= SAVED) {
            unsaved = save(file, &name, report).err();
            saved = Instant::now();
        }
    })
    .await;
    progress.finish_and_clear();
    let mut found = outcome.map_err(shown)?;
    if let Some(file) = &command.resume {
        unsaved = save(file, &name, &found).err();
    }
    if let Some(why) = unsaved {
        return Err(why.into());
    }
    let seen = hold(config, &archive, command.checkpoint.as_deref(), &mut found).await?;
    found.faults.sort_by_key(|fault| fault.position);
    Ok((found, seen))
}

/// Opens the archive as it stands.
///
/// # Errors
/// Why it cannot be opened.
pub(super) async fn open(config: &Config) -> Result<Arc<Store>, String> {
    let entropy = SystemEntropy::open().map_err(|outage| outage.to_string())?;
    store::open_unchanged(config.archive_url.reveal(), config.instance.clone(), Arc::new(entropy))
        .await
        .map_err(|outage| format!("{}: {outage}", config.archive_url.shown()))
}

/// Holds the ledger against the archive's own checkpoints, and against a file's.
///
/// # Errors
/// What cannot be read.
pub(super) async fn hold(config: &Config, archive: &Store, file: Option<&Path>, found: &mut AuditReport) -> Result<Seen, Fault> {
    let shown = |outage: Outage| format!("{}: {outage}", config.archive_url.shown());
    let anchors = app::trust(config).map_err(|fault| fault.to_string())?;
    let anchors = Past::open(archive, &anchors, config.crl_grace).await.map_err(shown)?.anchors().again();
    let stamps = app::stamp_trust(config).map_err(|fault| fault.to_string())?;
    let serials = app::own_serials(config).map_err(|fault| fault.to_string())?;
    let judges = || Judges { anchors: &anchors, serials: &serials, stamps: stamps.as_ref() };
    let mut own = Against::new(archive, archive, judges()).await.map_err(shown)?;
    own.archives_own(archive, found).await.map_err(shown)?;
    let mut seen = (own.seen.0, own.seen.1, 0);
    let Some(file) = file else { return Ok(seen) };
    let wrong = |error: std::io::Error| format!("{}: {error}", file.display());
    let opened = std::fs::File::open(file).and_then(|opened| if opened.metadata()?.is_dir() { Err(IsADirectory.into()) } else { Ok(opened) });
    let mut reader = BufReader::new(opened.map_err(|error| Fault::Wish(wrong(error)))?);
    let mut theirs = Against::new(archive, archive, judges()).await.map_err(shown)?;
    let mut line = Vec::new();
    // Ends with the file; a line longer than any of ours is read in pieces, none of which can be read.
    loop {
        line.clear();
        let length = (&mut reader).take(LINE_OCTETS as u64 + 1).read_until(b'\n', &mut line).map_err(wrong)?;
        if length == 0 {
            break;
        }
        let text = std::str::from_utf8(&line).unwrap_or("").trim_end();
        theirs.line(text, found).await.map_err(shown)?;
    }
    theirs.compare(archive, found).await.map_err(shown)?;
    if theirs.seen.0 == 0 {
        found.fault(Position(0), "the file holds no checkpoint");
    }
    seen = (seen.0 + theirs.seen.0, seen.1 + theirs.seen.1, theirs.unreadable());
    Ok(seen)
}

fn bar(json: bool, from: u64) -> ProgressBar {
    if json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} entries  {per_sec}  {eta}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(from).with_style(style);
    bar.set_position(from);
    bar.reset_eta();
    bar
}

/// Where the audit begins: at the first entry, at the one asked for, or where the state in the file ends.
async fn begin(command: &Audit, archive: &Store, name: &str) -> Result<AuditReport, Fault> {
    if let Some(file) = &command.resume {
        return match read_state(file).map_err(Fault::Wish)? {
            None => Ok(AuditReport::default()),
            Some((of, report)) if of == name => Ok(report),
            Some(_) => Err(Fault::Wish(format!("{}: the state of an audit of another archive", file.display()))),
        };
    }
    let Some(before) = command.from.and_then(|from| from.checked_sub(1)).filter(|before| *before > 0) else { return Ok(AuditReport::default()) };
    let page = archive.ledger_page(Position(before - 1), 1).await.map_err(|outage| outage.to_string())?;
    match page.first() {
        Some(entry) => Ok(AuditReport { head: Some((entry.position, entry.hash)), ..AuditReport::default() }),
        None => Err(Fault::Wish(format!("the ledger ends before position {before}"))),
    }
}

fn read_state(file: &Path) -> Result<Option<(String, AuditReport)>, String> {
    let mut octets = Vec::new();
    match std::fs::File::open(file) {
        Ok(opened) => drop(opened.take(STATE_OCTETS).read_to_end(&mut octets).map_err(|e| format!("{}: {e}", file.display()))?),
        Err(error) if error.kind() == NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", file.display())),
    }
    let value: Value = serde_json::from_slice(&octets).unwrap_or(Value::Null);
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64);
    let read = || {
        let head = Position(number(&value, "position")?).0;
        let hash = Digest::from_hex(value.get("hash")?.as_str()?)?;
        let fault = |fault: &Value| Some(AuditFault { position: Position(number(fault, "position")?), what: fault.get("what")?.as_str()?.to_owned() });
        let report = AuditReport {
            entries: number(&value, "entries")?,
            documents: number(&value, "documents")?,
            rows: 0,
            signers: Signers {
                by_answer: number(&value, "by_answer").unwrap_or(0),
                by_list: number(&value, "by_list").unwrap_or(0),
                by_nothing: number(&value, "by_nothing").unwrap_or(0),
                not_asked: number(&value, "not_asked").unwrap_or(0),
            },
            head: (head > 0).then_some((Position(head), hash)),
            faults: value.get("faults")?.as_array()?.iter().map(fault).collect::<Option<_>>()?,
            unlisted: number(&value, "unlisted")?,
        };
        Some((value.get("archive")?.as_str()?.to_owned(), report))
    };
    read().map(Some).ok_or_else(|| format!("{}: not the state of an audit; name another file, or one that is not there yet", file.display()))
}

/// Writes the state beside and puts it in place, so that a kill leaves the one before.
fn save(file: &Path, name: &str, report: &AuditReport) -> Result<(), String> {
    let (position, hash) = report.head.unwrap_or((Position(0), Digest::ZERO));
    let state = json!({
        "archive": name,
        "position": position.0,
        "hash": hash.to_hex(),
        "entries": report.entries,
        "documents": report.documents,
        "by_answer": report.signers.by_answer,
        "by_list": report.signers.by_list,
        "by_nothing": report.signers.by_nothing,
        "not_asked": report.signers.not_asked,
        "faults": list(report, usize::MAX),
        "unlisted": report.unlisted,
    });
    let beside = file.with_extension("new");
    std::fs::write(&beside, state.to_string()).and_then(|()| std::fs::rename(&beside, file)).map_err(|e| format!("{}: {e}", file.display()))
}

fn list(found: &AuditReport, most: usize) -> Vec<Value> {
    found.faults.iter().take(most).map(|f| json!({ "position": f.position.0, "what": f.what })).collect()
}

fn report(command: &Audit, found: &AuditReport, (checkpoints, stamped, unreadable): Seen) -> Report {
    let faults = found.faults.len() as u64 + found.unlisted;
    let mut text: String = found.faults.iter().take(command.most).map(|f| format!("position {}: {}\n", f.position.0, f.what)).collect();
    text.push_str(&format!("{} ledger entries, {} documents, {} other rows, {faults} faults\n", found.entries, found.documents, found.rows));
    let Signers { by_answer, by_list, by_nothing, not_asked } = found.signers;
    if found.signers != Signers::default() {
        text.push_str(&format!(
            "signers' certificates: {by_answer} judged by kept OCSP answers, {by_list} by kept revocation lists; of {by_nothing} nothing was kept, of {not_asked} nothing was asked then\n"
        ));
    }
    text.push_str(&format!("{checkpoints} checkpoints, {stamped} with a verified time stamp\n"));
    if unreadable > 0 {
        text.push_str(&format!("{unreadable} lines of the file could not be read; the chain tells whether a checkpoint is missing\n"));
    }
    if let Some((position, hash)) = &found.head {
        text.push_str(&format!("head: position {}, hash {hash}\n", position.0));
    }
    let json = json!({
        "entries": found.entries,
        "documents": found.documents,
        "rows": found.rows,
        "signers": { "by_answer": by_answer, "by_list": by_list, "by_nothing": by_nothing, "not_asked": not_asked },
        "checkpoints": checkpoints,
        "stamped": stamped,
        "unreadable_lines": unreadable,
        "faults": faults,
        "list": list(found, command.most),
        "head": found.head.as_ref().map(|(p, h)| json!({ "position": p.0, "hash": h.to_hex() })),
    });
    Report::new(if found.is_clean() { Health::Well } else { Health::Unwell }, text, json)
}
