//! `arkki doctor`: is everything as it must be? Each thing that is not is named, with the command that mends it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::registrations;
use super::report::{Health, Report};
use crate::adapters::amqp::doctor::{self, Check, State};
use crate::adapters::checkpoint_file::LineFile;
use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::adapters::keys::{self, KeyPlace, OpenFault};
use crate::adapters::store;
use crate::app;
use crate::config::checked::Config;
use crate::config::lilm;
use crate::crypto::certificate::Certificate;
use crate::crypto::trust::TrustAnchors;
use crate::domain::environment::Environment;
use crate::domain::ledger::Position;
use crate::domain::time::Moment;
use crate::ports::archive::Archive as _;
use crate::ports::checkpoints::Checkpoints as _;
use crate::ports::clock::Clock as _;

/// How much later than its pace a checkpoint may come before it is overdue.
const LATE: Duration = Duration::from_secs(60);
/// From how many days before its end a certificate is spoken of.
const SOON_DAYS: i64 = 60;

const HELP: &str = r#"It changes nothing. With [broker] management_url (or ARKKI_MANAGEMENT_URL) it sees policies and bindings too;
without, it names what it could not see.

Exit codes: 0 all is well, 1 something is not, 2 nothing seen is wrong but not everything could be seen."#;

/// What `doctor` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Doctor {}

/// Looks at rules, keys, archive and broker.
#[must_use]
pub fn run(_command: &Doctor, config: &Config) -> Report {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    let mut checks = house(config);
    checks.extend(runtime.block_on(world(config)));
    report(&checks)
}

/// What can be seen on this machine: memory, rules, keys, files. It takes some processor time: rules and schemas are compiled.
pub(crate) fn house(config: &Config) -> Vec<Check> {
    let mut checks = vec![memory(config)];
    checks.extend(rules(config));
    checks.extend(keys(config, SystemClock.now()));
    checks.push(checkpoint_file(config));
    checks.extend(sink(config));
    checks
}

/// What must be asked: the archive and the broker.
pub(crate) async fn world(config: &Config) -> Vec<Check> {
    let mut checks = vec![archive(config).await];
    checks.extend(newest_checkpoint(config, SystemClock.now()).await);
    match app::broker_settings(config) {
        Ok(settings) => {
            checks.extend(doctor::examine(&settings).await);
            checks.extend(registrations::checks(config, &doctor::users(&settings).await, SystemClock.now()));
        }
        Err(fault) => checks.push(unwell("broker settings", fault.0, "mend the configuration")),
    }
    checks
}

async fn archive(config: &Config) -> Check {
    let shown = config.archive_url.shown();
    let url = config.archive_url.reveal();
    if let Ok(left) = store::pending(url).await
        && !left.is_empty()
    {
        return unwell("archive", format!("{shown}: its tables are not those of this release ({} to run)", left.join(", ")), "arkki migrate");
    }
    let opened = async { store::open_unchanged(url, config.instance.clone(), Arc::new(SystemEntropy::open()?)).await?.counts().await };
    match opened.await {
        Ok(counts) if counts.unroutable > 0 => unwell(
            "archive",
            format!("{shown}: {} answers wait for a queue that is not there", counts.unroutable),
            "arkki topology apply, or declare the sender's reply queue",
        ),
        Ok(counts) => well(
            "archive",
            format!("{shown}: {} documents, {} messages, {} on hold, {} in the outbox", counts.documents, counts.messages, counts.held, counts.outbox),
        ),
        Err(outage) => {
            unseen("archive", format!("{shown}: {}", outage.detail), "start the database, or mend [archive] url and its password; then arkki migrate")
        }
    }
}

/// P12: what memory is bounded by.
fn memory(config: &Config) -> Check {
    let in_hand: usize = config.inbound.iter().map(|q| usize::from(q.prefetch)).sum();
    let bound = in_hand.saturating_mul(config.message_octets);
    // A message is in memory as it came, as the document cut out of it, and as the archived octets.
    let what = format!(
        "prefetch {in_hand} × largest message {} MiB: at most {} MiB in hand, three times that while it is worked on",
        config.message_octets >> 20,
        bound >> 20
    );
    well("memory bound", what)
}

/// Whether the FHIR server's files can be used; it is not asked, for it takes nothing but notices.
fn sink(config: &Config) -> Option<Check> {
    let place = config.sink.as_ref()?;
    Some(match app::sink(config) {
        Err(fault) => unwell("FHIR server", fault.to_string(), "mend [sink] and the files that it names"),
        Ok(_) if place.client.is_none() && place.token_file.is_none() => {
            unwell("FHIR server", format!("{}: it would not know who posts", place.url), "name certificate_file and key_file, or token_file, in [sink]")
        }
        Ok(_) => well("FHIR server", format!("{}: its files can be used; arkki lilm list shows what it has taken", place.url)),
    })
}

fn rules(config: &Config) -> Vec<Check> {
    let site_key = match app::site_key(config) {
        Ok(site_key) => site_key,
        Err(fault) => {
            let mend =
                "[archive] site_key_file names it: put back the one that is kept with the backup, for clients are found by it; a new archive gets a new one";
            return vec![unwell("site key", fault.0, mend)];
        }
    };
    match app::examiner_with(config, site_key) {
        Ok(examiner) => {
            let definitions = match &examiner.rule_set().sosmeta {
                Some(sosmeta) => format!("{} definitions compiled", sosmeta.len()),
                None => "no [sosmeta] folder: structured content is checked by Arkki's own rules only".to_owned(),
            };
            let mut checks = vec![well("rules and schemas", format!("rule set {}, profiles {}", examiner.rules(), examiner.profiles().join(", ")))];
            checks.extend(config.profile_schemas.iter().map(|(profile, entry)| {
                let remarks = examiner.remarks(profile).first().map_or_else(String::new, |remark| format!("; libxml2 remarks: {remark}"));
                well("schema", format!("{profile} is checked with {}, which compiles{remarks}", entry.display()))
            }));
            checks.push(well("structured content", definitions));
            let notices = lilm::faults((config.notice_root.as_ref(), config.notice_format), config.environment, &examiner.rule_set().lilm);
            checks.extend(notices.into_iter().map(|fault| unwell("notices", fault, "see docs/lilm.md")));
            checks
        }
        Err(fault) => vec![unwell("rules and schemas", fault.0, "mend the file it names")],
    }
}

fn keys(config: &Config, now: Moment) -> Vec<Check> {
    let mut checks = Vec::new();
    let anchors = match app::trust(config) {
        Ok(anchors) => anchors,
        Err(fault) => return vec![unwell("trust anchors", fault.0, "[sign] trust names PEM files with BEGIN CERTIFICATE in them")],
    };
    checks.push(anchors_check(config, anchors.anchors(), now));
    checks.push(revocation(config, now));
    let place = app::key_place(&config.key_file, config.token.as_ref());
    checks.extend(key_checks(config, &anchors, ("signing key", "signing certificate"), (&place, &config.certificate_file), now));
    if let Some(next) = &config.next_key {
        let place = app::key_place(&next.key_file, next.token.as_ref());
        checks.extend(key_checks(config, &anchors, ("next signing key", "next signing certificate"), (&place, &next.certificate_file), next.from.max(now)));
    }
    checks
}

/// A key and its certificate at the moment from which it signs.
fn key_checks(
    config: &Config,
    anchors: &TrustAnchors,
    (key_name, certificate_name): (&str, &str),
    (place, certificate): (&KeyPlace, &Path),
    at: Moment,
) -> Vec<Check> {
    let key = match keys::open(place, certificate) {
        Ok(key) => key,
        Err(OpenFault::Outage(outage)) => return vec![unwell(key_name, outage.detail, "put the token in its place, or mend [sign] pkcs11_module and labels")],
        Err(OpenFault::Problem(problem)) => return vec![unwell(key_name, problem.to_string(), "mend the file it names")],
    };
    let mut checks = vec![ending(certificate_name, &key.certificate, at)];
    checks.extend(app::unfit(config, &key).map(|what| unwell(key_name, what, "use the RSA key that DVV issued for this system")));
    if config.environment == Environment::Production && key.certificate.is_arkki_test() {
        checks.push(unwell(key_name, "environment = \"production\" with Arkki's test key, which is public".into(), "use the key that DVV issued"));
    }
    // Of one that has ended that is said already.
    if key.certificate.not_after() >= at && anchors.verify(key.certificate.der(), at).is_err() {
        let what = "the signing certificate does not lead to a trust anchor: `arkki audit` could not verify our own signatures".to_owned();
        checks.push(unwell(certificate_name, what, "add its CA to [sign] trust, and CAs between to [sign] intermediates"));
    }
    checks
}

/// Whether lists can be used and are of today. The responder is not asked: it is asked about real certificates, and its silence is an outage that metrics show.
fn revocation(config: &Config, now: Moment) -> Check {
    match app::revocations(config) {
        Err(fault) => unwell("revocation", fault.0, "put current lists of every authority where [sign] crls says"),
        Ok(_) if config.crls.is_empty() && config.ocsp.is_none() => well("revocation", "not asked: neither [sign] crls nor ocsp is set".into()),
        Ok(revocations) => match revocations.due() {
            Some(due) if due < now => unwell("revocation", format!("a list was due to be replaced on {due}"), "fetch the new one from its authority"),
            Some(due) => well("revocation", format!("lists are good until {due}")),
            None => well("revocation", "a responder is asked".into()),
        },
    }
}

/// Whether the file of checkpoints can be written. That there is none is well in a test; in production somebody who may write to the database could rewrite the ledger and its checkpoints.
fn checkpoint_file(config: &Config) -> Check {
    let mend = "say in [checkpoint] file where checkpoints are written, and have the file copied elsewhere";
    match &config.checkpoint_file {
        None if config.environment == Environment::Production => unwell("checkpoints", "they are kept in the database alone".into(), mend),
        None => well("checkpoints", "kept in the database alone: [checkpoint] file is empty".into()),
        Some(path) => match LineFile::new(path).try_open() {
            Ok(()) => well("checkpoints", format!("written to {}", path.display())),
            Err(outage) => unwell("checkpoints", outage.detail, "make its folder writable for Arkki's user"),
        },
    }
}

/// How old the newest checkpoint is. What the ledger has grown by since is what a rewriter could change unseen; nothing is said of an archive that cannot be looked at, for that is said elsewhere.
async fn newest_checkpoint(config: &Config, now: Moment) -> Option<Check> {
    let entropy = Arc::new(SystemEntropy::open().ok()?);
    let store = store::open_unchanged(config.archive_url.reveal(), config.instance.clone(), entropy).await.ok()?;
    let head = store.head().await.ok()?.map_or(Position(0), |(position, _)| position);
    let last = store.last_checkpoint().await.ok()?;
    let open = head.0.saturating_sub(last.as_ref().map_or(0, |c| c.statement.position.0));
    // Twice the pace, and the time a stopped gateway's last one may take: then one is overdue.
    let patience = config.checkpoint_time.saturating_mul(2).saturating_add(LATE);
    let first = store.ledger_page(Position(head.0.saturating_sub(open)), 1).await.ok()?;
    let waits = first.first().map_or(0, |entry| now.seconds().saturating_sub(entry.entry.at.seconds()));
    let age = last.as_ref().map(|c| now.seconds().saturating_sub(c.statement.at.seconds()));
    let what = match age {
        None if head == Position(0) => return Some(well("newest checkpoint", "none yet, for the ledger is empty".into())),
        None => format!("none yet; {open} entries wait for one, the oldest for {waits} s"),
        Some(age) if open == 0 => return Some(well("newest checkpoint", format!("{age} s old, at the ledger's end"))),
        Some(age) => format!("{age} s old; {open} entries since, the oldest {waits} s old"),
    };
    let overdue = u64::try_from(waits).is_ok_and(|waits| waits > patience.as_secs());
    Some(if overdue {
        unwell("newest checkpoint", what, "start arkki serve, and see in its log (arkki_checkpoint_failures_total) why none is made")
    } else {
        well("newest checkpoint", what)
    })
}

fn anchors_check(config: &Config, anchors: &[Certificate], now: Moment) -> Check {
    if config.environment == Environment::Production && anchors.iter().any(Certificate::is_arkki_test) {
        return unwell(
            "trust anchors",
            "environment = \"production\" with Arkki's test CA among the anchors: its key is public".into(),
            "take it out of [sign] trust",
        );
    }
    match anchors.iter().find(|a| days_left(a, now) < SOON_DAYS) {
        Some(anchor) => ending("trust anchors", anchor, now),
        None => well("trust anchors", format!("{} certificates", anchors.len())),
    }
}

fn days_left(certificate: &Certificate, now: Moment) -> i64 {
    (certificate.not_after().seconds() - now.seconds()) / 86_400
}

fn ending(name: &str, certificate: &Certificate, now: Moment) -> Check {
    let days = days_left(certificate, now);
    if certificate.not_before() > now {
        unwell(name, format!("it begins only on {}", certificate.not_before()), "check the clock, or wait")
    } else if certificate.not_after() < now {
        unwell(name, format!("it ended on {}", certificate.not_after()), "put the next one in its place now, then SIGHUP")
    } else if days < SOON_DAYS {
        unwell(name, format!("it ends in {days} days, on {}", certificate.not_after()), "order the next one now")
    } else {
        well(name, format!("{days} days left"))
    }
}

fn well(name: &str, what: String) -> Check {
    Check { name: name.to_owned(), state: State::Well, what, mend: None, loses: false }
}

fn unwell(name: &str, what: String, mend: &str) -> Check {
    Check { name: name.to_owned(), state: State::Unwell, what, mend: Some(mend.to_owned()), loses: false }
}

fn unseen(name: &str, what: String, mend: &str) -> Check {
    Check { name: name.to_owned(), state: State::Unseen, what, mend: Some(mend.to_owned()), loses: false }
}

const fn word(state: State) -> &'static str {
    match state {
        State::Well => "well",
        State::Unwell => "UNWELL",
        State::Odd => "odd",
        State::Unseen => "unseen",
    }
}

fn report(checks: &[Check]) -> Report {
    let mut text = String::new();
    for check in checks {
        text.push_str(&format!("{:<7} {}: {}\n", word(check.state), check.name, check.what));
        if let Some(mend) = &check.mend {
            text.push_str(&format!("        → {mend}\n"));
        }
    }
    let any = |state| checks.iter().any(|c| c.state == state);
    let health = if any(State::Unwell) {
        Health::Unwell
    } else if any(State::Unseen) {
        Health::Blind
    } else {
        Health::Well
    };
    text.push_str(match health {
        Health::Well if any(State::Odd) => "nothing is lost, but something is not as it was meant\n",
        Health::Well => "all is well\n",
        Health::Unwell => "something is not well\n",
        Health::Wish | Health::Blind => "nothing seen is wrong, but not everything could be seen\n",
    });
    let list: Vec<Value> = checks.iter().map(|c| json!({ "name": c.name, "state": word(c.state).to_lowercase(), "what": c.what, "mend": c.mend })).collect();
    Report::new(health, text, json!({ "checks": list }))
}
