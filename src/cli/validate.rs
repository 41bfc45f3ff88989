//! `arkki validate`: exactly the gateway's verdict, offline. The same function, the same rules, the same trust anchors.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::codes::language;
use super::report::{Health, Report};
use crate::adapters::clock::SystemClock;
use crate::adapters::revocation::Revocations;
use crate::app;
use crate::cda::signers::judge;
use crate::cda::verify::SignatureFact;
use crate::config::checked::{Config, ConfigFault};
use crate::domain::finding::Finding;
use crate::domain::language::Language;
use crate::pipeline::examine::{Examiner, Stage};
use crate::ports::clock::Clock as _;

const HELP: &str = r#"Needs no broker, no database and no keys. Without --config it uses the rules in the binary and the anchors of --trust. With --json it
prints one object a line: {"file","verdict":"accepted"|"refused","rules","findings":[{"code","rule","severity","line","column","path","text",
"source"}],"declares":what a PDF says of itself, or null}; `arkki explain RULE` tells more.

Examples:
  arkki validate --trust samples/keys/ca.pem samples/accepted/*
  arkki validate --profile cda-r2 --stage schema --json document.xml

A bare document is checked as --profile: kanta-social, kanta-patient, cda-r2 or cda-r2-sdtc; one in a frame as the frame's interaction says. The schema
stage takes every encoding of XML; that the archive takes UTF-8 without a byte-order mark only is a rule of the kanta profiles in --stage all. A DOCTYPE is
refused always. Metadata and body are checked in kanta-social only, the one profile that is archived; signatures in the kanta profiles, where they
stand in the document (one beside it: arkki signature verify).

Exit codes: 0 every file accepted, 1 one is refused, 2 a file, the rules or the trust anchors could not be read."#;

/// What `validate` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Validate {
    /// What a bare document is checked as: kanta-social, kanta-patient, cda-r2, cda-r2-sdtc.
    #[arg(long, default_value = "kanta-social")]
    profile: String,
    /// How far to check.
    #[arg(long, value_enum, default_value = "all")]
    stage: StageName,
    /// A PEM file of trust anchors, beside the configuration's; may be repeated.
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Language of the sentences: fi, sv or en.
    #[arg(long, default_value = "en", value_parser = language)]
    language: Language,
    /// Documents, or frames with a document in them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum StageName {
    /// Encoding, well-formedness and XML Schema.
    Schema,
    /// Everything that needs no archive: schema, template, body, header, signatures.
    All,
}

/// What an offline verdict leaves open; printed once.
const NOT_CHECKED: &str = "not checked without an archive: that case and client relation exist and fit, versions, and whether the ids are taken";

/// Validates every file.
#[must_use]
pub fn run(command: &Validate, config: Option<&Path>, json: bool) -> Report {
    let examiner = match open(command, config) {
        Ok(examiner) => examiner,
        Err(fault) => return Report::blind(fault),
    };
    let revocations = match configured(command, config).and_then(|config| app::revocations(&config)) {
        Ok(revocations) => revocations,
        Err(fault) => return Report::blind(fault),
    };
    let stage = match command.stage {
        StageName::Schema => Stage::Schema,
        StageName::All => Stage::All,
    };
    let mut health = Health::Well;
    for path in &command.files {
        match read_message(path, examiner.site().octets.0) {
            Ok(octets) => {
                let findings = examiner.validate_and(&command.profile, &octets, stage, |facts| judge_now(&revocations, facts));
                let refused = findings.iter().any(Finding::is_error);
                health = health.max(if refused { Health::Unwell } else { Health::Well });
                let declares = (stage == Stage::All && !refused).then(|| examiner.declares(&octets)).flatten();
                print(&examiner, command.language, path, (&findings, refused, declares.as_deref()), json);
            }
            Err(why) => {
                health = Health::Blind;
                let _closed = writeln!(std::io::stderr(), "{}: {why}", path.display());
            }
        }
    }
    if !json && stage == Stage::All {
        let _closed = writeln!(std::io::stdout(), "\n{NOT_CHECKED}");
    }
    Report::new(health, String::new(), Value::Null)
}

/// What time and the revocation lists say of the signers. The responder is not asked: this is an offline verdict.
fn judge_now(revocations: &Revocations, facts: &[SignatureFact]) -> Vec<Finding> {
    let now = SystemClock.now();
    let statuses: Vec<_> = facts.iter().map(|fact| revocations.by_lists(&fact.signed_with, now)).collect();
    judge(facts, &statuses, now)
}

/// An examiner for a configuration, or for none: then the binary's rules and the anchors given.
fn open(command: &Validate, config: Option<&Path>) -> Result<Examiner, ConfigFault> {
    // The site key makes column values, never verdicts: any key gives the same ones.
    app::examiner_for(&configured(command, config)?, vec![0; 32], &command.profile)
}

fn configured(command: &Validate, config: Option<&Path>) -> Result<Config, ConfigFault> {
    let config = match config {
        Some(path) => Config::read(Some(path))?,
        None => Config { trust: Vec::new(), ..Config::read(None)? },
    };
    Ok(Config { trust: config.trust.iter().chain(&command.trust).cloned().collect(), ..config })
}

/// Reads one file; one above the message limit is read just far enough to be refused for its size.
pub(super) fn read_message(path: &Path, most: usize) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut octets = Vec::new();
    std::fs::File::open(path)?.take((most as u64).saturating_add(1)).read_to_end(&mut octets)?;
    Ok(octets)
}

fn print(examiner: &Examiner, language: Language, path: &Path, (findings, refused, declares): (&[Finding], bool, Option<&str>), json: bool) {
    let verdict = if refused { "refused" } else { "accepted" };
    let mut out = std::io::stdout().lock();
    if json {
        let list: Vec<Value> = findings
            .iter()
            .map(|f| {
                let (rule, source) = examiner.rule_set().rule_of(f);
                json!({
                    "code": f.code.as_str(),
                    "rule": rule,
                    "source": source,
                    "severity": f.code.severity().as_str(),
                    "line": f.place.line,
                    "column": f.place.column,
                    "path": f.place.path,
                    "text": examiner.sentence(f, language),
                })
            })
            .collect();
        let line = json!({ "file": path.to_string_lossy(), "verdict": verdict, "rules": examiner.rules().to_hex(), "findings": list, "declares": declares });
        let _closed = writeln!(out, "{line}");
        return;
    }
    let _closed = writeln!(out, "{verdict:<9} {}", path.display());
    if let Some(claim) = declares {
        let words = match language {
            Language::Fi => "tiedosto ilmoittaa olevansa",
            Language::Sv => "filen uppger sig vara",
            Language::En => "the file declares",
        };
        let _closed = writeln!(out, "          {words} {claim}");
    }
    for f in findings {
        let (rule, source) = examiner.rule_set().rule_of(f);
        let _closed = writeln!(
            out,
            "          {} {}:{} {}\n               {}\n               [{}{source}]",
            f.code.as_str(),
            f.place.line,
            f.place.column,
            f.place.path,
            examiner.sentence(f, language),
            rule.map(|rule| format!("{rule}: ")).unwrap_or_default(),
        );
    }
}
