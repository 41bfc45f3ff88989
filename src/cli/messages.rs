//! `arkki messages`: the ledger of messages as operators look at it: lists, everything about one, and what is decided as it is decided. Nothing that is shown
//! names a person or comes out of a document, so no look is logged.

pub(super) mod shown;

use std::io::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::audit;
use super::report::{Fault, Health, Report};
use super::when::{from, in_order, until};
use crate::adapters::store::Store;
use crate::config::checked::Config;
use crate::domain::facts::Standing;
use crate::domain::ledger::Position;
use crate::domain::messages::{MessageCriteria, MessageName, MessageRow};
use crate::domain::outage::Outage;
use crate::domain::time::Moment;
use crate::ports::archive::Archive as _;
use crate::ports::messages::Messages as _;

/// How often the ledger is looked at for what is new.
const LOOK: Duration = Duration::from_millis(500);
/// How many rows one look takes.
const ROWS: u32 = 500;
/// How long the archive may be out of reach before following ends.
const PATIENCE: u32 = 120;
/// The most pages that one list asks for: each walks over thousands of messages.
const PAGES: u32 = 10_000;

const HELP: &str = r#"Examples:
  arkki messages list                                              the newest 50
  arkki messages list --state refused --from 2026-11-22            refused today
  arkki messages list --code E305 --sender his-a --last 500 --json
  arkki messages list --message-id 7d9f0c1e-55d1-4f8e-9f0e-0c1a    by the AMQP message id
  arkki messages list --document 1.2.246.10.99999992.95.2026.1.30
  arkki messages show 1742                                         by ledger position
  arkki messages show 5f0c9a7be1d2                                 by the beginning of its hash, as logs show it
  arkki messages follow --state refused                            live, until Ctrl-C

A message's address for good is a ledger position of its own, or its hash. States: accepted, refused, noted, answered (queries), held.
Days are Finnish days; moments bear their zone (2026-11-22T10:00:00+02:00).

Exit codes: 0 found, 1 nothing of that name, 2 the archive could not be read."#;

/// What `messages` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct MessagesCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Show messages that meet the criteria, newest first.
    List(List),
    /// Show everything about one message: received, examined, decided, signed, archived, answered, delivered; by whom, when, under which rules.
    Show {
        /// A ledger position, or the message's hash or its first 8 digits or more (sha:12345678 where they are all decimal).
        #[arg(value_name = "POSITION|HASH", value_parser = name)]
        name: MessageName,
    },
    /// Show decisions as they are taken, until Ctrl-C.
    Follow(Follow),
}

/// Which messages.
#[derive(Args)]
struct Which {
    /// Sent by this sender.
    #[arg(long, value_name = "NAME")]
    sender: Option<String>,
    /// With this code, as E305.
    #[arg(long, value_name = "CODE", value_parser = code)]
    code: Option<String>,
    /// In this state: accepted, refused, noted, answered or held.
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<Standing>,
}

/// What `messages list` takes.
#[derive(Args)]
struct List {
    #[command(flatten)]
    which: Which,
    /// With this AMQP message id.
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
    /// About this document, event or notice.
    #[arg(long, value_name = "ID")]
    document: Option<String>,
    /// Decided on this day or at this moment, or later.
    #[arg(long, value_name = "TIME", value_parser = from)]
    from: Option<Moment>,
    /// Decided on this day or before this moment.
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Option<Moment>,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    last: u32,
    /// Go on after a page: the number that the page before ended with.
    #[arg(long, value_name = "N")]
    before: Option<u64>,
}

/// What `messages follow` takes.
#[derive(Args)]
struct Follow {
    #[command(flatten)]
    which: Which,
    /// Begin behind this ledger position; without it, with what is decided from now on.
    #[arg(long, value_name = "POSITION")]
    after: Option<u64>,
    /// End after so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

fn name(text: &str) -> Result<MessageName, String> {
    MessageName::parse(text).ok_or_else(|| "neither a ledger position nor 8 to 64 hexadecimal digits".to_owned())
}

/// A code as `arkki codes` lists it, in small letters too.
///
/// # Errors
/// There is none of that name.
pub(super) fn code(text: &str) -> Result<String, String> {
    let code = text.to_ascii_uppercase();
    crate::domain::code::Code::parse(&code).map(|_| code).ok_or_else(|| "no such code; arkki codes lists them".to_owned())
}

fn state(text: &str) -> Result<Standing, String> {
    shown::STATES.into_iter().find(|(_, word)| *word == text).map(|(state, _)| state).ok_or_else(|| "say accepted, refused, noted, answered or held".to_owned())
}

/// Lists, shows or follows.
#[must_use]
pub fn run(command: &MessagesCommand, config: &Config, json: bool) -> Report {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    let done = async {
        let archive = audit::open(config).await?;
        let told = |outage: Outage| format!("{}: {outage}", config.archive_url.shown());
        match &command.what {
            What::List(wanted) => {
                in_order(wanted.from, wanted.until, "--until")?;
                Ok(list(&archive, wanted).await.map_err(told)?)
            }
            What::Show { name } => Ok(show(&archive, name).await.map_err(told)?),
            What::Follow(wanted) => Ok(follow(&archive, wanted, json).await.map_err(told)?),
        }
    };
    runtime.block_on(done).unwrap_or_else(|fault: Fault| fault.into())
}

async fn list(archive: &Store, wanted: &List) -> Result<Report, Outage> {
    let criteria = MessageCriteria {
        amqp_id: wanted.message_id.clone(),
        document_id: wanted.document.clone(),
        sender: wanted.which.sender.clone(),
        code: wanted.which.code.clone(),
        from: wanted.from,
        until: wanted.until,
        state: wanted.which.state,
    };
    let (mut rows, mut next) = (Vec::new(), wanted.before);
    for _ in 0..PAGES {
        let room = wanted.last.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        let page = archive.messages(&criteria, next, room.min(ROWS)).await?;
        rows.extend(page.rows);
        next = page.next;
        if next.is_none() || rows.len() >= usize::try_from(wanted.last).unwrap_or(usize::MAX) {
            break;
        }
    }
    Ok(shown::list(&rows, next))
}

async fn show(archive: &Store, name: &MessageName) -> Result<Report, Outage> {
    let found = archive.message(name).await?;
    let mut all = Vec::with_capacity(found.len());
    for facts in found {
        // An answer to a query bears what was found; those of the others bear codes, places and our own sentences.
        let answer = if facts.row.state == Standing::Answered { None } else { archive.message_answer(&facts.row.key).await? };
        all.push((facts, answer.and_then(|answer| crate::v3::ack::read(&answer).ok())));
    }
    Ok(if all.is_empty() {
        Report::new(Health::Unwell, "no message of that name is in the archive\n".to_owned(), json!({ "messages": [] }))
    } else {
        shown::messages(&all)
    })
}

/// Shows what is decided, line by line. A reader that goes away ends it.
async fn follow(archive: &Store, wanted: &Follow, json: bool) -> Result<Report, Outage> {
    let mut after = match wanted.after {
        Some(after) => Position(after),
        None => archive.head().await?.map_or(Position(0), |(position, _)| position),
    };
    let which = &wanted.which;
    let takes = |row: &MessageRow| {
        which.sender.as_deref().is_none_or(|sender| row.key.sender.as_str() == sender)
            && which.code.as_deref().is_none_or(|code| row.code.as_deref() == Some(code))
            && which.state.is_none_or(|state| row.state == state)
    };
    let (mut told, mut failed) = (0_u64, 0_u32);
    let done = || Ok(Report::new(Health::Well, String::new(), serde_json::Value::Null));
    // Ends with Ctrl-C, with the count, with its reader, or with an archive that stays away.
    loop {
        match archive.decided_after(after, ROWS).await {
            Ok(rows) => {
                failed = 0;
                let is_full = rows.len() >= usize::try_from(ROWS).unwrap_or(usize::MAX);
                after = rows.last().and_then(|row| row.position).unwrap_or(after);
                for row in rows.iter().filter(|row| takes(row)) {
                    let line = if json { shown::value(row).to_string() } else { shown::line(row) };
                    if writeln!(std::io::stdout(), "{line}").is_err() {
                        return done();
                    }
                    told += 1;
                    if wanted.count.is_some_and(|count| told >= count) {
                        return done();
                    }
                }
                if is_full {
                    continue;
                }
            }
            Err(outage) if failed < PATIENCE => {
                failed += 1;
                if failed == 1 {
                    let _closed = writeln!(std::io::stderr(), "{outage}; waiting for it");
                }
            }
            Err(outage) => return Err(outage),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => return done(),
        }
    }
}
