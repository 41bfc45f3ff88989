//! `arkki refusals`: refused messages in groups and lists, what people do about them, and replays through the one road.

mod jobs;
mod shown;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::actor::actor;
use super::audit;
use super::report::{Fault, Health, Report};
use super::when::{from, in_order, until};
use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::adapters::store::Store;
use crate::app;
use crate::config::checked::Config;
use crate::crypto::sha256;
use crate::domain::change::{Access, Look};
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::outage::Outage;
use crate::domain::person::names_a_person;
use crate::domain::refused::{ActionId, By, Deed, JobId, NAMED, RefusalId, RefusedCriteria, RefusedMark, RefusedMessage, RefusedState};
use crate::domain::time::Moment;
use crate::pipeline::given::{self, Given};
use crate::ports::clock::{Clock as _, Entropy as _};
use crate::ports::refusals::{Change, Refusals as _};

const HELP: &str = r#"Examples:
  arkki refusals groups                                           by code and first finding, those with most open ones first
  arkki refusals list --code E305 --sender engine                 newest first; --after goes on where a list ended
  arkki refusals show 4711                                        by its number, or any ledger position of its decisions
  arkki refusals hold --code E402 --why "the registers come tonight"
  arkki refusals replay --code E402 --why "the registers came"    what it would take; add --yes to begin
  arkki refusals replay 4711 --why "mended" --yes --wait
  arkki refusals jobs
  arkki refusals stop 3       what waits keeps its place; arkki refusals resume 3 goes on, arkki refusals end 3 lets it go
  arkki refusals discard --code E101 --until 2026-11-01 --why "a test of the engine"
  arkki refusals undo 12 --why "those were real"

A replay goes through the same road as any message, as its own sender and to its own reply address. A message is in hand of one job at most. Where a
replay comes to what its sender was told before, the sender is not told again, unless --answer-again says so. Words given with --why are kept and shown
to every operator: name no person in them.

Exit codes: 0 well, 1 there is no such thing, or nothing was changed, 2 the archive could not be read."#;

/// What `refusals` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Refusals {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Show refusals grouped by code and first finding, with counts, senders, first and last seen.
    Groups {
        #[command(flatten)]
        which: Which,
        /// How many groups at most.
        #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
    },
    /// Show refusals, those refused last first.
    List {
        #[command(flatten)]
        which: Which,
        /// Go on after the last line of another list: its moment and number as that list's end shows them.
        #[arg(long, value_name = "MARK", value_parser = mark)]
        after: Option<RefusedMark>,
        /// How many at most.
        #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
    },
    /// Show one refusal: its group, decisions, actions and replays.
    Show {
        /// Its number, or a ledger position of one of its decisions.
        #[arg(value_name = "ID")]
        id: u64,
    },
    /// Write the message as it was received to a file; the look is written to the access log first.
    Octets {
        /// Its number, or a ledger position of one of its decisions.
        #[arg(value_name = "ID")]
        id: u64,
        /// The file; it must not be there yet.
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Put refusals aside: no replay takes them.
    Hold(Doing),
    /// Open what was put aside.
    Release(Doing),
    /// Say that nothing will be done about them.
    Discard(Doing),
    /// Say something about them, for whoever looks next.
    Comment(Doing),
    /// Take a hold, a release or a discard back: what has not changed since stands as before.
    Undo {
        /// The action's number.
        #[arg(value_name = "ACTION")]
        action: u64,
        /// Why; kept with your name, and shown to every operator.
        #[arg(long, value_name = "WORDS")]
        why: String,
    },
    /// Show what was done: hold, release, discard, comment, undo.
    Actions {
        /// How many at most, the newest.
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
        last: u32,
    },
    /// Send open refusals through the road again. Without --yes: say what that would take.
    Replay(jobs::Replay),
    /// Show replays, or one with what each message came to.
    Jobs {
        /// Only this one, with its messages.
        #[arg(value_name = "JOB")]
        job: Option<u64>,
        /// How many at most, the newest.
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
        last: u32,
        /// Go on after this refusal.
        #[arg(long, default_value_t = 0, value_name = "ID")]
        after: u64,
    },
    /// Stop a replay, within a second; what waits keeps its place.
    Stop(OneJob),
    /// Go on with a stopped replay.
    Resume(OneJob),
    /// End a replay for good; what waits is free for others.
    End(OneJob),
}

/// A job by its number.
#[derive(Args)]
struct OneJob {
    /// The job's number.
    #[arg(value_name = "JOB")]
    job: u64,
}

/// What is done, to which, and why.
#[derive(Args)]
struct Doing {
    #[command(flatten)]
    which: Which,
    /// Why; kept with your name, and shown to every operator.
    #[arg(long, value_name = "WORDS")]
    why: String,
}

/// Which refusals.
#[derive(Args)]
struct Which {
    /// These, by their numbers.
    #[arg(value_name = "ID")]
    ids: Vec<u64>,
    /// Only those in this state: open, held, discarded or mended.
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<RefusedState>,
    /// Only those with this code, as E305.
    #[arg(long, value_name = "CODE", value_parser = super::messages::code)]
    code: Option<String>,
    /// Only those with the first finding at this place, as `groups` shows it.
    #[arg(long, value_name = "PATH")]
    finding: Option<String>,
    /// Only those of this sender.
    #[arg(long, value_name = "NAME")]
    sender: Option<String>,
    /// Refused on this day (YYYY-MM-DD, Finnish time), at this moment (with its zone), or later.
    #[arg(long, value_name = "WHEN", value_parser = from)]
    from: Option<Moment>,
    /// Refused on this day, or before this moment.
    #[arg(long, value_name = "WHEN", value_parser = until)]
    until: Option<Moment>,
    /// Every refusal: an action that names nothing else must say so.
    #[arg(long)]
    all: bool,
}

impl Which {
    fn criteria(&self) -> Result<RefusedCriteria, Fault> {
        if self.ids.len() > NAMED {
            return Err(Fault::Wish(format!("at most {NAMED} refusals can be named at once; name a group, a sender or a time")));
        }
        in_order(self.from, self.until, "--until")?;
        Ok(RefusedCriteria {
            ids: self.ids.iter().copied().map(RefusalId).collect(),
            state: self.state,
            code: self.code.clone(),
            finding: self.finding.clone(),
            sender: self.sender.clone(),
            from: self.from,
            until: self.until,
        })
    }

    /// As [`Which::criteria`], of an action: the empty wish is not taken for everything.
    fn meant(&self) -> Result<RefusedCriteria, Fault> {
        let criteria = self.criteria()?;
        if !self.all && criteria == RefusedCriteria::default() {
            return Err(Fault::Wish("name refusals: numbers, --code, --finding, --sender, --from, --until or --state; or say --all".to_owned()));
        }
        Ok(criteria)
    }
}

fn state(text: &str) -> Result<RefusedState, String> {
    RefusedState::parse(text).ok_or_else(|| "say open, held, discarded or mended".to_owned())
}

fn mark(text: &str) -> Result<RefusedMark, String> {
    let parts = text.split_once('/').and_then(|(at, id)| Some(RefusedMark { at: Moment::from_micros(at.parse().ok()?), id: RefusalId(id.parse().ok()?) }));
    parts.ok_or_else(|| "a mark as another list's end shows it is needed: MICROSECONDS/ID".to_owned())
}

/// Words that are kept. Read here and not by the parser of the command line, which repeats what it does not take.
fn words(text: &str) -> Result<&str, Fault> {
    match text.trim() {
        "" => Err(Fault::Wish("--why: say why".to_owned())),
        words if names_a_person(words) => Err(Fault::Wish("--why: an identity code stands in it: every operator reads these words".to_owned())),
        words => Ok(words),
    }
}

/// Today's rule set, as the gateway with this configuration names it.
fn rules(config: &Config) -> Result<Digest, String> {
    app::examiner_to_read(config, vec![0; 32]).map(|examiner| examiner.rules()).map_err(|fault| fault.to_string())
}

fn by(why: &str) -> By {
    By::new(&actor(), why, SystemClock.now())
}

/// Shows or does it.
#[must_use]
pub fn run(command: &Refusals, config: &Config, json: bool) -> Report {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    runtime.block_on(ask(&command.what, config, json)).unwrap_or_else(Report::from)
}

async fn ask(what: &What, config: &Config, json: bool) -> Result<Report, Fault> {
    let archive = audit::open(config).await?;
    let told = |outage: Outage| format!("{}: {outage}", config.archive_url.shown());
    match what {
        What::Groups { which, limit } => Ok(shown::groups(&archive.refusal_groups(&which.criteria()?, None, *limit).await.map_err(told)?)),
        What::List { which, after, limit } => Ok(shown::list(&archive.refusals(&which.criteria()?, *after, *limit).await.map_err(told)?, *limit)),
        What::Show { id } => Ok(found(&archive, *id).await.map_err(told)?.map_or_else(|| no_refusal(*id), |message| shown::one(&message))),
        What::Octets { id, output } => Ok(octets(&archive, config, *id, output).await?),
        What::Hold(doing) => Ok(act(&archive, Deed::Hold, doing).await?.map_err(told)?),
        What::Release(doing) => Ok(act(&archive, Deed::Release, doing).await?.map_err(told)?),
        What::Discard(doing) => Ok(act(&archive, Deed::Discard, doing).await?.map_err(told)?),
        What::Comment(doing) => Ok(act(&archive, Deed::Comment, doing).await?.map_err(told)?),
        What::Undo { action, why } => Ok(match archive.undo_action(ActionId(*action), &by(words(why)?)).await.map_err(told)? {
            Some(acted) => shown::acted(Deed::Undo, acted),
            None => {
                let text = format!("there is no hold, release or discard {action} that could be taken back\n");
                Report::new(Health::Unwell, text, json!({ "action": action, "undone": false }))
            }
        }),
        What::Actions { last } => Ok(shown::actions(&archive.refusal_actions(*last).await.map_err(told)?)),
        What::Replay(replay) => jobs::replay(&archive, config, replay, json).await,
        What::Jobs { job: None, last, .. } => Ok(shown::jobs(&archive.replay_jobs(*last).await.map_err(told)?)),
        What::Jobs { job: Some(id), after, .. } => {
            let Some(job) = archive.replay_job(JobId(*id)).await.map_err(told)? else { return Ok(no_job(*id)) };
            Ok(shown::job(&job, &archive.replay_items(JobId(*id), RefusalId(*after), jobs::ITEMS).await.map_err(told)?))
        }
        What::Stop(one) => Ok(change(&archive, one.job, Change::Stop).await.map_err(told)?),
        What::Resume(one) => Ok(change(&archive, one.job, Change::Resume).await.map_err(told)?),
        What::End(one) => Ok(change(&archive, one.job, Change::End).await.map_err(told)?),
    }
}

async fn act(archive: &Store, deed: Deed, doing: &Doing) -> Result<Result<Report, Outage>, Fault> {
    let (criteria, why) = (doing.which.meant()?, words(&doing.why)?);
    Ok(archive.act_on_refusals(&criteria, deed, &by(why)).await.map(|acted| shown::acted(deed, acted)))
}

async fn change(archive: &Store, id: u64, change: Change) -> Result<Report, Outage> {
    Ok(archive.change_replay(JobId(id), change, &by("")).await?.map_or_else(|| no_job(id), |job| shown::job(&job, &[])))
}

fn no_job(id: u64) -> Report {
    Report::new(Health::Unwell, format!("there is no replay {id}\n"), json!({ "job": id, "found": false }))
}

async fn found(archive: &Store, id: u64) -> Result<Option<RefusedMessage>, Outage> {
    match archive.refusal_at(Position(id)).await? {
        Some(id) => archive.refusal(id).await,
        None => Ok(None),
    }
}

fn no_refusal(id: u64) -> Report {
    Report::new(Health::Unwell, format!("no refusal {id} is kept\n"), json!({ "id": id, "found": false }))
}

/// Logs the look, then writes the octets.
async fn octets(archive: &Arc<Store>, config: &Config, id: u64, file: &Path) -> Result<Report, String> {
    let Some(message) = found(archive, id).await.map_err(|outage| format!("{}: {outage}", config.archive_url.shown()))? else { return Ok(no_refusal(id)) };
    if message.envelope.octets.is_empty() {
        let text = format!("the octets of refusal {id} are not kept: it was taken later (arkki query shows the document), or their time is up\n");
        return Ok(Report::new(Health::Unwell, text, json!({ "id": id, "octets": 0 })));
    }
    write(archive, config, &message, file).await?;
    let octets = message.envelope.octets.len();
    let text = format!("{octets} octets in {}; the look stands in the access log\n", file.display());
    Ok(Report::new(Health::Well, text, json!({ "id": id, "file": file.display().to_string(), "octets": octets })))
}

/// What the ledger and the access log say of a look at its octets.
fn seen(message: &RefusedMessage, entropy: &SystemEntropy, rules: Digest) -> Given {
    let (row, actor) = (&message.row, actor());
    let look = Look {
        access: Access { actor: actor.clone(), action: "show".to_owned(), ..Access::default() },
        document_id: None,
        controller: String::new(),
        organisation: None,
        person: None,
        client: None,
        detail: Some(format!("refused message {} of {}: {}", row.id.0, row.key.sender, row.code)),
        query_id: None,
        client_sealed: None,
        person_sealed: None,
    };
    let says = format!("arkki-seen-1\nrefusal {}\nmessage {}\nposition ", row.id.0, row.key.octets);
    Given { actor, number: sha256(&entropy.sixteen()), at: SystemClock.now(), rules, says, looks: vec![look] }
}

async fn write(archive: &Store, config: &Config, message: &RefusedMessage, file: &Path) -> Result<(), String> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let rules = rules(config)?;
    let entropy = SystemEntropy::open().map_err(|outage| outage.to_string())?;
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let mut opened = opened.map_err(|fault| format!("{}: {fault}", file.display()))?;
    let seen = seen(message, &entropy, rules);
    given::log(archive, seen).await.map_err(|outage| format!("{}: {outage}", config.archive_url.shown()))?;
    opened.write_all(&message.envelope.octets).map_err(|fault| format!("{}: {fault}", file.display()))
}
