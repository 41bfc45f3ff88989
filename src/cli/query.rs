//! `arkki query`: the archive's searches and fetches for an operator, by the same functions as queries over the queue, and in the same access log.

mod shown;

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::actor;
use super::report::{Fault, Report};
use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::app;
use crate::config::checked::Config;
use crate::crypto::sealed::Sort;
use crate::domain::digest::Digest;
use crate::domain::document::{Date, Group};
use crate::domain::finding::Place;
use crate::domain::language::Language;
use crate::domain::limits;
use crate::domain::log::Sealed;
use crate::domain::oid::Oid;
use crate::domain::outage::Outage;
use crate::domain::person::HETU_ROOT;
use crate::domain::query::{Criteria, Query, SealedIds, Want, WantedState};
use crate::domain::scope::Scope;
use crate::domain::time::{Hl7Time, Moment, iso_date};
use crate::pipeline::desk;
use crate::pipeline::examine::Examiner;
use crate::pipeline::query;
use crate::rules::query::Answered;
use crate::v3::query::client_hash;

/// The longest line read as a client's id.
const CLIENT_OCTETS: u64 = 256;

const HELP: &str = r#"All criteria must hold. Give at least one of --client, --case, --relation, --document, --set, or a span of dates of at most a year.
A client's id is read from a file or from standard input, never from the command line, where others could see it:

  arkki query --register 1.2.246.10.99999992.10.0 --client - --from 2026-01-01 < id.txt
  arkki query --register 1.2.246.10.99999992.10.0 --case 1.2.246.10.99999992.95.2026.1.102 --json
  arkki query --register 1.2.246.10.99999992.10.0 --fetch 1.2.246.10.99999992.95.2026.1.4 -o document.xml

Each search and each document shown is written to the access log before it is shown, and has its entry in the ledger.
Exit codes: 0 answered (also with nothing found), 1 refused or too many, 2 the archive or a file could not be used."#;

/// What `query` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct QueryCommand {
    /// On whose behalf: the controller, or the organisation whose own registers are searched.
    #[arg(long, value_name = "OID")]
    register: String,
    /// A file with the client's id; - reads standard input.
    #[arg(long, value_name = "FILE")]
    client: Option<PathBuf>,
    /// The root of the client's id.
    #[arg(long, value_name = "OID", default_value = HETU_ROOT)]
    client_root: String,
    /// The service task's code.
    #[arg(long, value_name = "CODE")]
    service_task: Option<String>,
    /// The general document type's code.
    #[arg(long = "type", value_name = "CODE")]
    general_type: Option<String>,
    /// The specific document type's code.
    #[arg(long, value_name = "CODE")]
    specific_type: Option<String>,
    /// The case.
    #[arg(long, value_name = "OID")]
    case: Option<String>,
    /// The client relation.
    #[arg(long, value_name = "OID")]
    relation: Option<String>,
    /// Authored on this day or later.
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<String>,
    /// Authored on this day or earlier.
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<String>,
    /// The document group: 1, 2, 3, 4, 5, 8 or 9.
    #[arg(long, value_name = "N")]
    group: Option<u8>,
    /// The controller, where the organisation has several.
    #[arg(long, value_name = "OID")]
    controller: Option<String>,
    /// A document; may be given again.
    #[arg(long, value_name = "OID")]
    document: Vec<String>,
    /// A set; may be given again.
    #[arg(long, value_name = "OID")]
    set: Vec<String>,
    /// valid, invalidated or any.
    #[arg(long, value_name = "STATE", default_value = "valid")]
    state: String,
    /// Every version, not the latest only.
    #[arg(long)]
    all_versions: bool,
    /// As the archive stood when this day ended, or at this moment (2026-01-31T12:00:00Z).
    #[arg(long, value_name = "WHEN")]
    as_of: Option<String>,
    /// Write this document's archived octets to --output.
    #[arg(long, value_name = "OID", requires = "output", conflicts_with_all = ["document", "set"])]
    fetch: Option<String>,
    /// Where the fetched document goes: a new file, readable by its owner alone, or - for standard output.
    #[arg(long, short, value_name = "FILE", requires = "fetch")]
    output: Option<PathBuf>,
    /// The purpose of use's code, one that the rules know, for the access log.
    #[arg(long, value_name = "CODE")]
    purpose: Option<String>,
    /// Language of table and sentences: fi, sv or en; the configuration's when left out.
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
}

/// Searches, writes the log, shows.
#[must_use]
pub fn run(command: &QueryCommand, config: &Config) -> Report {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    runtime.block_on(ask(command, config)).unwrap_or_else(Report::from)
}

async fn ask(command: &QueryCommand, config: &Config) -> Result<Report, Fault> {
    let language = match &command.language {
        None => config.language,
        Some(text) => Language::parse(text).ok_or_else(|| Fault::Wish(format!("--language {text:?}: say fi, sv or en")))?,
    };
    let examiner = app::examiner(config).map_err(|fault| fault.to_string())?;
    purpose(command.purpose.as_deref(), &examiner).map_err(Fault::Wish)?;
    let (query, scope) = read(command, &examiner, language).map_err(Fault::Wish)?;
    let archive = super::audit::open(config).await?;
    let shown = |outage: Outage| format!("{}: {outage}", config.archive_url.shown());
    let looked = query::look(archive.as_ref(), &query, &scope, None).await.map_err(shown)?;
    let answered = crate::rules::query::judge(&query, looked, &Place::whole());
    log(&Purpose { purpose: command.purpose.as_deref(), shows: None }, config, &examiner, &archive, (&query, &scope, &answered)).await?;
    if let (Some(output), Some(octets)) = (&command.output, answered.octets.first()) {
        write(output, octets)?;
    }
    Ok(shown::report(&examiner, &query, &answered, language, command.output.as_deref()))
}

/// Why an operator looks.
pub(super) struct Purpose<'a> {
    /// The purpose of use's code.
    pub(super) purpose: Option<&'a str>,
    /// What the log calls the showing of a document, where it is no `show` and no `fetch`.
    pub(super) shows: Option<&'a str>,
}

/// The search and what it shows become durable before anything is shown.
pub(super) async fn log(
    why: &Purpose<'_>,
    config: &Config,
    examiner: &Examiner,
    archive: &Arc<crate::adapters::store::Store>,
    (query, scope, answered): (&Query, &Scope, &Answered),
) -> Result<(), String> {
    let entropy = SystemEntropy::open().map_err(|outage| outage.to_string())?;
    let actor = actor::actor();
    let looker = desk::Looker { actor: &actor, purpose: why.purpose, shows: why.shows };
    let logged = desk::log(archive.as_ref(), examiner, (&entropy, &SystemClock), &looker, (query, scope, answered)).await;
    logged.map_err(|outage| format!("{}: {outage}", config.archive_url.shown()))
}

/// The access log takes a purpose that the rules know, and no words of anybody's own: they could name a person.
fn purpose(code: Option<&str>, examiner: &Examiner) -> Result<(), String> {
    let services = &examiner.rule_set().services;
    match code {
        Some(code) if !services.knows_purpose(code) => {
            Err(format!("--purpose: not a purpose of use that the rules know; there are: {}", services.purposes().join(", ")))
        }
        Some(_) | None => Ok(()),
    }
}

fn read(command: &QueryCommand, examiner: &Examiner, language: Language) -> Result<(Query, Scope), String> {
    let oid = |text: &String, option: &str| Oid::parse(text).map_err(|_| format!("{option}: not an OID"));
    let perhaps = |text: &Option<String>, option: &str| text.as_ref().map(|text| oid(text, option)).transpose();
    let day = |text: &Option<String>, option: &str| -> Result<Option<Date>, String> {
        text.as_ref().map(|text| iso_date(text).ok_or_else(|| format!("{option} {text:?}: a day as YYYY-MM-DD is needed"))).transpose()
    };
    let all = |texts: &[String], option: &str| texts.iter().map(|text| oid(text, option)).collect::<Result<Vec<Oid>, String>>();
    let mut ids = all(&command.document, "--document")?;
    ids.extend(perhaps(&command.fetch, "--fetch")?);
    let named = command.client.as_ref().map(|file| client(file, &command.client_root, (examiner, language))).transpose()?;
    let criteria = Criteria {
        client: named.as_ref().map(|(client, _)| *client),
        service_task: command.service_task.clone(),
        general_type: command.general_type.clone(),
        specific_type: command.specific_type.clone(),
        case_id: perhaps(&command.case, "--case")?,
        relation_id: perhaps(&command.relation, "--relation")?,
        from: day(&command.from, "--from")?,
        to: day(&command.to, "--to")?,
        group: command.group.map(|n| Group::from_number(n).ok_or_else(|| format!("--group {n}: there is no such group"))).transpose()?,
        controller: perhaps(&command.controller, "--controller")?,
        ids,
        sets: all(&command.set, "--set")?,
        state: WantedState::parse(&command.state).ok_or_else(|| format!("--state {:?}: say valid, invalidated or any", command.state))?,
        all_versions: command.all_versions,
        as_of: command.as_of.as_ref().map(|text| moment(text).ok_or_else(|| format!("--as-of {text:?}: a day or a moment is needed"))).transpose()?,
    };
    if let Some(rule) = criteria.fault() {
        return Err(examiner.catalogue().word(rule, language).to_owned());
    }
    if criteria.ids.len() + criteria.sets.len() > limits::QUERY_HITS as usize {
        return Err(format!("at most {} documents and sets at a time", limits::QUERY_HITS));
    }
    let want = if command.fetch.is_some() { Want::Documents } else { Want::Metadata };
    let sealed = SealedIds { client: named.and_then(|(_, sealed)| sealed), person: None };
    desk::own(&oid(&command.register, "--register")?, criteria, (want, sealed), examiner.rule_set())
        .map_err(|rule| examiner.catalogue().word(rule, language).to_owned())
}

/// A client's id from a file or standard input: its keyed hash, and sealed for the logs.
///
/// # Errors
/// Why it cannot be read or is none; never the id.
pub(super) fn client(file: &PathBuf, root: &str, (examiner, language): (&Examiner, Language)) -> Result<(Digest, Option<Sealed>), String> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().take(CLIENT_OCTETS).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|f| f.take(CLIENT_OCTETS).read_to_string(&mut text))
    };
    read.map_err(|e| format!("{}: {e}", file.display()))?;
    client_of(&text, root, (examiner, language))
}

/// As [`client`], of an id that is at hand.
///
/// # Errors
/// Why it is none; never the id.
pub(super) fn client_of(id: &str, root: &str, (examiner, language): (&Examiner, Language)) -> Result<(Digest, Option<Sealed>), String> {
    let root = Oid::parse(root).map_err(|_| "--client-root: not an OID".to_owned())?;
    let wrong = |rule| format!("--client: {}", examiner.catalogue().word(rule, language));
    let sealed = std::cell::RefCell::new(None);
    let hash = |octets: &[u8]| {
        let digest = examiner.client_hash(octets);
        sealed.replace(examiner.seal(Sort::Client, &digest, octets));
        digest
    };
    let digest = client_hash(&root, id.trim(), examiner.site().frames.environment, &hash).map_err(wrong)?;
    Ok((digest, sealed.into_inner()))
}

/// A moment, or the end of a day in Finnish time.
fn moment(text: &str) -> Option<Moment> {
    if let Some(Date { year, month, day }) = iso_date(text) {
        let end = Hl7Time::parse(&format!("{year:04}{month:02}{day:02}235959")).ok()?.moment;
        return Some(Moment::from_micros(end.micros() + 999_999));
    }
    Moment::parse_iso(text)
}

fn write(output: &PathBuf, octets: &[u8]) -> Result<(), String> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let wrong = |e: std::io::Error| format!("{}: {e}", output.display());
    if output.as_os_str() == "-" {
        return std::io::stdout().write_all(octets).map_err(wrong);
    }
    // Never over something else, and for its owner alone.
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(output).and_then(|mut file| file.write_all(octets)).map_err(wrong)
}
