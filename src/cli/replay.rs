//! `arkki replay`: folders of messages through the broker at a chosen rate; every answer held to the one that must come.

mod gather;
mod junit;
mod report;
mod road;
pub mod wanted;

use std::path::PathBuf;

use clap::Args;

use super::report::{Report, writable};
use crate::config::checked::Config;
use wanted::Wanted;

const HELP: &str = r#"Every *.xml of the folders is sent in the order of its name, a folder's files when those of the folder before are answered. The sender is the user of
[broker] url or ARKKI_BROKER_URL, as for `arkki send`. A file that cannot be read is named and the others go on. Ctrl-C stops sending, waits for what is on
its way, and reports. Messages that were sent before are repeats: they get the answers that they got; `arkki generate` makes new ones.

What must be answered, in this order: --expect; NAME.expected beside NAME.xml (docs/testing.md); the code that begins the file's name (E305-…); else any
answer will do. --expect takes accepted, refused, none, any, a code, or a folder of NAME.expected files. --record writes what came as NAME.expected.

Examples:
  arkki replay samples/accepted samples/refused --expect-all
  arkki replay plans --rate 50/s --junit plans.xml
  arkki replay old-cases --record        # before a change
  arkki replay old-cases                 # after it: whose answer is another now?

Exit codes: 0 every answer is the one that must come, 1 one is another or missing, 2 a file could not be read, or the broker not be reached."#;

/// What `replay` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Replay {
    /// At most so many messages a second (50/s), minute (300/min) or hour. Default: as fast as they are taken.
    #[arg(long, value_name = "RATE", value_parser = super::rate::parse)]
    rate: Option<f64>,
    /// What every answer must be: accepted, refused, none, any, a code, or a folder of NAME.expected files.
    #[arg(long, value_name = "WHAT", conflicts_with = "record")]
    expect: Option<String>,
    /// Fail also for files of which nothing says what must be answered: they must be accepted.
    #[arg(long, conflicts_with_all = ["record", "expect"])]
    expect_all: bool,
    /// Write each answer as NAME.expected beside its file, in place of one that is there.
    #[arg(long)]
    record: bool,
    /// Write the results as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// The inbound queue; the first of the configuration when left out.
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Where the answers go; it is declared if it is missing. Default arkki.reply.USER.replay
    #[arg(long, value_name = "QUEUE")]
    reply: Option<String>,
    /// Seconds to wait for an answer after the last one that came.
    #[arg(long, default_value_t = 90, value_name = "SECONDS")]
    timeout: u64,
    /// How many differences are shown; all of them are in --junit and --json.
    #[arg(long, default_value_t = 20, value_name = "N")]
    show: usize,
    /// Folders of messages, or single files.
    #[arg(required = true, value_name = "DIR")]
    from: Vec<PathBuf>,
}

/// A message, and what became of it.
struct Item {
    /// Its file.
    path: PathBuf,
    /// The name in reports: its path as it was given.
    name: String,
    /// Which folder it is of: the next folder waits for the answers of this one.
    step: usize,
    /// What must be answered; else why that cannot be known.
    wanted: Result<Wanted, String>,
    /// What became of it.
    fate: Fate,
}

enum Fate {
    /// Not sent: the run was stopped before.
    NotSent,
    /// It, or what must be answered to it, could not be read.
    Unreadable(String),
    /// Sent, and not answered in time.
    Unanswered,
    /// Answered, after so many seconds.
    Answered(Box<crate::v3::ack::AckRead>, f64),
    /// Answered with octets that are no acknowledgement.
    Strange(f64),
}

impl Item {
    /// How the answer differs from the wanted one; empty when it does not.
    fn difference(&self) -> Vec<(char, String)> {
        let Ok(wanted) = &self.wanted else { return Vec::new() };
        match &self.fate {
            Fate::NotSent | Fate::Unreadable(_) => Vec::new(),
            Fate::Unanswered => wanted.difference(None),
            Fate::Answered(ack, _) => wanted.difference(Some(ack)),
            Fate::Strange(_) => vec![('-', "an acknowledgement".to_owned()), ('+', "octets that are none".to_owned())],
        }
    }

    /// Why it could not be tried.
    fn fault(&self) -> Option<&str> {
        match (&self.fate, &self.wanted) {
            (Fate::Unreadable(why), _) | (_, Err(why)) => Some(why),
            _ => None,
        }
    }
}

/// Replays.
#[must_use]
pub fn run(command: &Replay, config: &Config, json: bool) -> Report {
    if let Err(report) = writable("--junit", command.junit.as_deref()) {
        return report;
    }
    let mut gathered = match gather::gather(command) {
        Ok(gathered) => gathered,
        Err(why) => return Report::blind(why),
    };
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    let ran = match runtime.block_on(road::carry(command, config, &mut gathered.items, json)) {
        Ok(Ok(ran)) => ran,
        Ok(Err(report)) => return report,
        Err(outage) => return Report::blind(format!("{}: {outage}", config.broker_url.shown())),
    };
    let recorded = if command.record { record(&gathered.items) } else { Ok(0) };
    if let Some(path) = &command.junit
        && let Err(e) = std::fs::write(path, junit::written(&gathered.items, &ran))
    {
        return Report::blind(format!("{}: {e}", path.display()));
    }
    match recorded {
        Ok(recorded) => report::report(command, &gathered, &ran, recorded),
        Err(why) => Report::blind(why),
    }
}

/// Writes what came beside each file; how many files were written.
fn record(items: &[Item]) -> Result<usize, String> {
    let mut written = 0;
    for item in items {
        let came = match &item.fate {
            Fate::Answered(ack, _) => Wanted::recorded(Some(ack)),
            Fate::Unanswered if gather::is_owed_nothing(&item.path) => Wanted::Silence,
            Fate::NotSent | Fate::Unreadable(_) | Fate::Unanswered | Fate::Strange(_) => continue,
        };
        let path = item.path.with_extension(gather::ENDING);
        std::fs::write(&path, came.written()).map_err(|e| format!("{}: {e}", path.display()))?;
        written += 1;
    }
    Ok(written)
}
