//! `arkki lilm`: notices of disclosures outside the archive after their commit: where each stands, trying one again, and the proof that none is missing.
//! Nothing that is shown names a person, so no look is logged.

mod given;
mod shown;

use clap::{Args, Subcommand};
use serde_json::json;

use super::audit;
use super::codes::language;
use super::report::{Fault, Health, Report};
use super::when::in_order;
use crate::adapters::clock::SystemClock;
use crate::adapters::store::Store;
use crate::app;
use crate::config::checked::Config;
use crate::domain::document::Date;
use crate::domain::handover::Standing;
use crate::domain::language::Language;
use crate::domain::ledger::Position;
use crate::domain::oid::Oid;
use crate::domain::outage::Outage;
use crate::domain::reckoning::Reckoned;
use crate::domain::time::{Moment, end_of_day, iso_date};
use crate::pipeline::reckoner::{self, Wanted};
use crate::ports::archive::Archive as _;
use crate::ports::clock::Clock as _;
use crate::ports::notices::{Notices as _, Retried};

/// How many notices are read at once.
const PAGE: u32 = 500;

const HELP: &str = r#"Examples:
  arkki lilm reconcile                                                     all registers, from the first day
  arkki lilm reconcile --controller 1.2.246.10.99999992.10.0 --from 2026-11-01 --to 2026-11-30 --json
  arkki lilm list --standing stopped
  arkki lilm show 1.2.246.10.99999992.95.2026.7.1
  arkki lilm show 1.2.246.10.99999992.95.2026.7.1 --cda > notice.xml            the document itself; the look is logged first
  arkki lilm retry 1.2.246.10.99999992.95.2026.7.1

Exit codes: 0 well, 1 something is missing, unsent or refused (reconcile), or there is no such notice, 2 the archive could not be read."#;

/// What `lilm` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Lilm {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Show notices and where each stands: on the notice queue, and with the FHIR server.
    List {
        /// Only those that stand so with the FHIR server: waiting, taken or stopped.
        #[arg(long, value_name = "STANDING", value_parser = standing)]
        standing: Option<Standing>,
        /// How many at most, the newest.
        #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        last: u32,
    },
    /// Show one notice: what is archived and logged of it, where it went, and under which ids it was sent and is stored.
    Show {
        /// The notice's id.
        #[arg(value_parser = oid)]
        id: Oid,
        /// Give the CDA document of view LILM itself, as archived. It names people: the look is written to the access log first.
        #[arg(long, conflicts_with = "bundle")]
        cda: bool,
        /// Give the FHIR bundle itself, as archived; logged as well.
        #[arg(long)]
        bundle: bool,
    },
    /// Hand a notice over to the FHIR server again at once: after its refusal was looked into, or because waiting is too long.
    Retry {
        /// The notice's id.
        #[arg(value_parser = oid)]
        id: Oid,
    },
    /// Prove that disclosures outside, notices, log rows and what has left are the same ones, and name each that is missing, unsent or late.
    Reconcile {
        /// Only of this controller's registers.
        #[arg(long, value_name = "OID", value_parser = oid)]
        controller: Option<Oid>,
        /// Disclosed on this day or later.
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
        from: Option<Date>,
        /// Disclosed on this day or earlier.
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
        to: Option<Date>,
        /// Language of the words: fi, sv or en.
        #[arg(long, default_value = "en", value_parser = language)]
        language: Language,
    },
}

fn oid(text: &str) -> Result<Oid, String> {
    Oid::parse(text).map_err(|_| "not an OID".to_owned())
}

fn day(text: &str) -> Result<Date, String> {
    iso_date(text).ok_or_else(|| "a day as YYYY-MM-DD is needed".to_owned())
}

fn standing(text: &str) -> Result<Standing, String> {
    Standing::parse(text).ok_or_else(|| "say waiting, taken or stopped".to_owned())
}

/// Shows, tries again, or adds up.
#[must_use]
pub fn run(command: &Lilm, config: &Config) -> Report {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    let done = async {
        let archive = audit::open(config).await?;
        let told = |outage: Outage| format!("{}: {outage}", config.archive_url.shown());
        match &command.what {
            What::List { standing, last } => Ok(shown::list(&newest(&archive, *standing, *last as usize).await.map_err(told)?)),
            What::Show { id, cda: false, bundle: false } => Ok(show(&archive, config, id).await.map_err(told)?),
            What::Show { id, cda, .. } => match archive.notice(id).await.map_err(told)? {
                None => Ok(unknown(id)),
                Some(notice) => Ok(given::octets(archive.as_ref(), config, &notice, if *cda { given::Which::Cda } else { given::Which::Bundle }).await?),
            },
            What::Retry { id } => Ok(retry(&archive, config, id).await.map_err(told)?),
            What::Reconcile { controller, from, to, language } => {
                let rules = crate::codes::rule_set::RuleSet::load(&app::rule_files(config.rules_folder.as_deref()).map_err(|fault| fault.0)?);
                let rules = rules.map_err(|fault| fault.to_string())?;
                let (from, before) = (from.map(begin_of_day), to.map(|day| Moment::from_micros(end_of_day(day).micros() + 1)));
                in_order(from, before, "--to")?;
                let wanted = Wanted { controller: controller.as_ref().map(|oid| oid.as_str().to_owned()), from, before };
                let sum = reckoner::reckon(archive.as_ref(), &wanted, SystemClock.now(), app::sink_from(config)).await.map_err(told)?;
                Ok(shown::reckoning(&sum, &rules.catalogue, *language))
            }
        }
    };
    runtime.block_on(done).unwrap_or_else(|fault: Fault| fault.into())
}

/// The first microsecond of a day in Finnish time: the one after the last of the day before.
fn begin_of_day(date: Date) -> Moment {
    let before = Moment::from_micros(end_of_day(date).micros() - 36 * 3600 * 1_000_000);
    Moment::from_micros(end_of_day(before.helsinki_date()).micros() + 1)
}

async fn newest(archive: &Store, standing: Option<Standing>, last: usize) -> Result<Vec<Reckoned>, Outage> {
    let (mut found, mut after) = (std::collections::VecDeque::with_capacity(last), Position(0));
    // Each page begins where the one before ended: bounded by the ledger.
    loop {
        let page = archive.reckon(after, PAGE).await?;
        let Some(end) = page.last() else { return Ok(found.into()) };
        after = end.position;
        for one in page.into_iter().filter(|one| standing.is_none_or(|wanted| one.sink.as_ref().is_some_and(|sink| sink.standing == wanted))) {
            if found.len() == last {
                found.pop_front();
            }
            found.push_back(one);
        }
    }
}

async fn show(archive: &Store, config: &Config, id: &Oid) -> Result<Report, Outage> {
    let Some(position) = archive.notice_position(id.as_str()).await? else { return Ok(unknown(id)) };
    let before = Position(position.0.saturating_sub(1));
    let one = archive.reckon(before, 1).await?.into_iter().next().filter(|one| one.position == position);
    let Some(one) = one else { return Ok(unknown(id)) };
    let flaws = one.flaws(SystemClock.now(), app::sink_from(config));
    Ok(shown::one(&one, &flaws, &archive.stored_ids(id.as_str()).await?))
}

async fn retry(archive: &Store, config: &Config, id: &Oid) -> Result<Report, Outage> {
    let (health, text, word) = match archive.retry_notice(id.as_str(), SystemClock.now()).await? {
        Retried::Unknown => return Ok(unknown(id)),
        Retried::Taken => (Health::Unwell, format!("{id}: the FHIR server has it; arkki lilm show {id} names the ids\n"), "taken"),
        Retried::Due if config.sink.is_none() => {
            (Health::Unwell, format!("{id} is due, and this configuration names no [sink]: whoever runs with one hands it over\n"), "due")
        }
        Retried::Due => (Health::Well, format!("{id} is due: arkki serve hands it over now\n"), "due"),
    };
    Ok(Report::new(health, text, json!({ "id": id.as_str(), "retry": word })))
}

fn unknown(id: &Oid) -> Report {
    Report::new(Health::Unwell, format!("no notice {id} is archived\n"), json!({ "id": id.as_str(), "found": false }))
}
