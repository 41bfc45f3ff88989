//! `arkki signature verify`: what a document's signatures prove, step by step, and what they do not.

pub(crate) mod archived;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::codes::language;
use super::report::{Health, Report};
use super::validate::read_message;
use crate::adapters::clock::SystemClock;
use crate::app;
use crate::cda::beside::SIGNATURE_OCTETS;
use crate::cda::explain::{Asked, Explanation, Outcome, Step, Verdict, explain};
use crate::cda::verify::SignerRule;
use crate::codes::catalogue::Catalogue;
use crate::codes::explanations::Explanations;
use crate::codes::rule_set::RuleSet;
use crate::codes::signatures::SigningPlace;
use crate::config::checked::{Config, ConfigFault};
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::time::Moment;
use crate::ports::clock::Clock as _;
use crate::xml::encoding::Decoded;
use crate::xml::identity::Identities;
use crate::xml::prepass::{self, Encoding};
use crate::xml::tree::{self, Document, HL7FI};

const HELP: &str = r#"Needs no broker, no database (but for --archived) and no keys. Without --config the anchors are those of --trust, and revocation is asked of the lists of --crl only.

Examples:
  arkki signature verify --trust samples/keys/ca.pem samples/accepted/03-client-document-fi-signed.xml
  arkki signature verify --language fi --trust ca.pem --crl ca.crl document.xml
  arkki signature verify --beside document.sig.xml --trust ca.pem document.xml
  arkki --config arkki.toml signature verify --archived 1.2.246.10.99999992.95.2026.1.1

Exit codes: 0 every signature is valid, 1 one is not or there is none, 2 a file, the rules or the anchors could not be read."#;

/// What `signature` takes.
#[derive(Args)]
pub struct Signature {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Verify and explain the signatures of a document.
    Verify(Verify),
}

/// What `signature verify` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Verify {
    /// The profile of signatures; by the document's own header when not given.
    #[arg(long, value_enum)]
    profile: Option<Profile>,
    /// A PEM file of trust anchors, beside the configuration's; may be repeated.
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// A file of revocation lists, DER or PEM, beside the configuration's; may be repeated.
    #[arg(long, value_name = "FILE")]
    crl: Vec<PathBuf>,
    /// The signature that lies beside the document (plain CDA R2).
    #[arg(long, value_name = "FILE")]
    beside: Option<PathBuf>,
    /// When the document came, as 2026-11-22T08:00:00Z: revocation is judged as of then. Now, when not given.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "archived")]
    at: Option<Moment>,
    /// A document of the archive: its OID, or its ledger position. It is judged as of when it was archived, with what was kept then.
    #[arg(long, value_name = "OID", conflicts_with_all = ["file", "beside", "profile", "crl"])]
    archived: Option<String>,
    /// Language of the sentences: fi, sv or en.
    #[arg(long, default_value = "en", value_parser = language)]
    language: Language,
    /// The document.
    #[arg(required_unless_present = "archived")]
    file: Option<PathBuf>,
}

fn time(text: &str) -> Result<Moment, String> {
    Moment::parse_iso(text).ok_or_else(|| "say it as 2026-11-22T08:00:00Z".to_owned())
}

#[derive(Clone, Copy, ValueEnum)]
enum Profile {
    /// In hl7fi:localSocialHeader, over nonXMLBody.
    KantaSocial,
    /// In hl7fi:localHeader, over the body.
    KantaPatient,
    /// Beside the document, over its octets.
    Cda,
}

/// Explains.
#[must_use]
pub fn run(command: &Signature, config: Option<&Path>) -> Report {
    let Command::Verify(command) = &command.command;
    verify(command, config).unwrap_or_else(Report::blind)
}

fn verify(command: &Verify, config: Option<&Path>) -> Result<Report, ConfigFault> {
    let config = configured(command, config)?;
    let files = app::rule_files(config.rules_folder.as_deref())?;
    let fault = |e: &dyn std::fmt::Display| ConfigFault(e.to_string());
    let (rules, sentences) = (RuleSet::load(&files).map_err(|e| fault(&e))?, Explanations::load(&files).map_err(|e| fault(&e))?);
    let said = Said { sentences: &sentences, catalogue: &rules.catalogue, language: command.language };
    match (&command.archived, &command.file) {
        (Some(which), _) => {
            let runtime = super::runtime().map_err(|report| ConfigFault(report.text))?;
            let (subject, explanation) = runtime.block_on(archived::explained(which, &config, &rules)).map_err(ConfigFault)?;
            Ok(said.report(&subject, &explanation))
        }
        (None, Some(file)) => Ok(said.report(&file.to_string_lossy(), &of_file(command, file, &config, &rules)?)),
        (None, None) => Err(ConfigFault("name a document, or one of the archive with --archived".into())),
    }
}

fn of_file(command: &Verify, file: &Path, config: &Config, rules: &RuleSet) -> Result<Explanation, ConfigFault> {
    let (anchors, revocations) = (app::trust(config)?, app::revocations(config)?);
    let senders = senders(config)?;
    let octets = read(file, config.document_octets)?;
    let decoded = decoded(&octets, file)?;
    let document = parse(&decoded.text, file)?;
    let beside_octets = command.beside.as_ref().map(|path| read(path, SIGNATURE_OCTETS)).transpose()?;
    let beside_text = match (&beside_octets, &command.beside) {
        (Some(octets), Some(path)) => Some((self::decoded(octets, path)?, path)),
        _ => None,
    };
    let beside = beside_text.as_ref().map(|(decoded, path)| parse(&decoded.text, path)).transpose()?;
    let place = place(command, &document);
    if place != SigningPlace::Detached && prepass::objection(&decoded).is_some() {
        return Err(unreadable(file));
    }
    let arrived = command.at.unwrap_or_else(|| SystemClock.now());
    let asked = Asked {
        profile: rules.signatures.at(place),
        anchors: &anchors,
        rule: SignerRule { senders: &senders, require_professional: false },
        status: &|certificate| {
            let source = revocations.list_of(certificate).map(|(issuer, from, next)| by_list(issuer, from, next));
            (revocations.by_lists(certificate, arrived), source)
        },
        octets: &octets,
        arrived,
    };
    Ok(explain(&document, beside.as_ref(), &asked))
}

/// Which list spoke.
fn by_list(issuer: String, from: Moment, next: Moment) -> Step {
    Step { key: "by-list", words: vec![("issuer", issuer), ("from", from.to_iso()), ("until", next.to_iso())], outcome: Outcome::Told }
}

fn senders(config: &Config) -> Result<Vec<Oid>, ConfigFault> {
    config.signers.iter().map(|s| Oid::parse(s).map_err(|_| ConfigFault(format!("[sign] signers: {s:?} is not an OID")))).collect()
}

fn configured(command: &Verify, config: Option<&Path>) -> Result<Config, ConfigFault> {
    let config = match config {
        Some(path) => Config::read(Some(path))?,
        None => Config { trust: Vec::new(), ..Config::read(None)? },
    };
    let more = |mine: &[PathBuf], theirs: &[PathBuf]| mine.iter().chain(theirs).cloned().collect();
    Ok(Config { trust: more(&config.trust, &command.trust), crls: more(&config.crls, &command.crl), ..config })
}

fn read(path: &Path, most: usize) -> Result<Vec<u8>, ConfigFault> {
    let octets = read_message(path, most).map_err(|e| ConfigFault(format!("{}: {e}", path.display())))?;
    if octets.len() > most { Err(ConfigFault(format!("{}: more than {most} octets", path.display()))) } else { Ok(octets) }
}

fn unreadable(path: &Path) -> ConfigFault {
    ConfigFault(format!("{}: not a document the gateway reads; `arkki validate` says why", path.display()))
}

fn decoded<'o>(octets: &'o [u8], path: &Path) -> Result<Decoded<'o>, ConfigFault> {
    prepass::decode(octets, Encoding::Any, octets.len()).map_err(|_| unreadable(path))
}

/// The gateway's own way to a tree: what it would not parse is not explained either.
fn parse<'t>(text: &'t str, path: &Path) -> Result<Document<'t>, ConfigFault> {
    let walked = prepass::walk(text, &Identities::usual()).map_err(|_| unreadable(path))?;
    tree::parse(walked.text).map_err(|_| unreadable(path))
}

fn place(command: &Verify, document: &Document<'_>) -> SigningPlace {
    let has = |name: &str| tree::child(document.root_element(), HL7FI, name).is_some();
    match command.profile {
        Some(Profile::KantaSocial) => SigningPlace::SocialHeader,
        Some(Profile::KantaPatient) => SigningPlace::PatientHeader,
        Some(Profile::Cda) => SigningPlace::Detached,
        None if command.beside.is_some() => SigningPlace::Detached,
        None if has("localSocialHeader") => SigningPlace::SocialHeader,
        None if has("localHeader") => SigningPlace::PatientHeader,
        None => SigningPlace::Detached,
    }
}

/// Sentences in one language.
pub(crate) struct Said<'s> {
    pub(crate) sentences: &'s Explanations,
    pub(crate) catalogue: &'s Catalogue,
    pub(crate) language: Language,
}

impl Said<'_> {
    fn report(&self, file: &str, explanation: &Explanation) -> Report {
        let mut text = format!("{file}\n");
        self.lines(&explanation.document, &mut text);
        for (n, steps) in explanation.signatures.iter().enumerate() {
            text.push_str(&format!("\n{} {}\n", self.sentences.say("signature", &[], self.language), n + 1));
            self.lines(steps, &mut text);
        }
        text.push('\n');
        self.lines(&explanation.coverage, &mut text);
        let verdict = self.sentences.say(explanation.verdict.as_str(), &[], self.language);
        text.push_str(&format!("\n{verdict}\n"));
        let signatures: Vec<Value> = explanation.signatures.iter().map(|steps| self.json(steps)).collect();
        let json = json!({
            "file": file,
            "verdict": explanation.verdict.as_str(),
            "document": self.json(&explanation.document),
            "signatures": signatures,
            "coverage": self.json(&explanation.coverage),
        });
        let health = if explanation.verdict == Verdict::Valid { Health::Well } else { Health::Unwell };
        Report::new(health, text, json)
    }

    /// A step's sentences: its own where it holds, the findings' where it fails.
    pub(crate) fn step(&self, step: &Step) -> (char, &'static str, Vec<String>) {
        let own = |key: &str| {
            let mut words = step.words.clone();
            let element = words.iter().find(|(name, _)| *name == "element").map(|(_, element)| element.clone()).unwrap_or_default();
            let target = if element.is_empty() { "whole" } else { "body" };
            words.push(("target", self.sentences.say(target, &[("element", element)], self.language)));
            self.sentences.say(key, &words, self.language)
        };
        match &step.outcome {
            Outcome::Holds => ('✓', "holds", vec![own(step.key)]),
            Outcome::Told => ('·', "told", vec![own(step.key)]),
            Outcome::NotLooked => (
                '–',
                "not-looked",
                vec![self.sentences.say("not-looked", &[("step", self.sentences.say(&format!("name-{}", step.key), &[], self.language))], self.language)],
            ),
            Outcome::Fails(found) => {
                let sentence = |f: &crate::domain::finding::Finding| {
                    format!("{} {}:{} {} {}", f.code.as_str(), f.place.line, f.place.column, f.place.path, self.catalogue.text(f, self.language))
                };
                let is_error = found.iter().any(crate::domain::finding::Finding::is_error);
                (if is_error { '✗' } else { '!' }, if is_error { "fails" } else { "warned" }, found.iter().map(sentence).collect())
            }
        }
    }

    fn lines(&self, steps: &[Step], text: &mut String) {
        for step in steps {
            let (mark, _, sentences) = self.step(step);
            for sentence in sentences {
                text.push_str(&format!("  {mark} {sentence}\n"));
            }
        }
    }

    fn json(&self, steps: &[Step]) -> Value {
        let each = |step: &Step| {
            let (_, outcome, sentences) = self.step(step);
            json!({ "step": step.key, "outcome": outcome, "text": sentences.join(" ") })
        };
        Value::Array(steps.iter().map(each).collect())
    }
}
