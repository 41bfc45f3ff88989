//! `arkki refusals replay`: what a replay would take, its beginning, and its progress.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{Which, by, shown, words};
use crate::adapters::clock::SystemEntropy;
use crate::adapters::store::Store;
use crate::cli::actor::actor;
use crate::cli::report::{Fault, Health, Report};
use crate::config::checked::Config;
use crate::crypto::sha256;
use crate::domain::outage::Outage;
use crate::domain::refused::{AT_ONCE, FASTEST, Job, JobState, NewJob, RATE, RefusedState};
use crate::ports::clock::Entropy as _;
use crate::ports::refusals::Refusals as _;

/// How many messages of a job are shown at once.
pub(super) const ITEMS: u32 = 100;
/// The longest word of a caller's own.
const TOKEN_OCTETS: usize = 200;
/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(300);
/// How long a job may stand still before `--wait` gives up looking: whoever serves may be away.
const PATIENCE: Duration = Duration::from_secs(300);

/// What `replay` takes.
#[derive(Args)]
pub(super) struct Replay {
    #[command(flatten)]
    which: Which,
    /// Why; kept with your name beside each message.
    #[arg(long, value_name = "WORDS")]
    why: String,
    /// Begin. Without it only what would be taken is said.
    #[arg(long)]
    yes: bool,
    /// How many messages a second.
    #[arg(long, default_value_t = RATE, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(FASTEST)))]
    rate: u32,
    /// Send the stored answer again where a message comes to what its sender was told before: for answers that were lost.
    #[arg(long)]
    answer_again: bool,
    /// A word of your own for this replay: the same word twice is one replay, however often the command is run. With another wish it is refused.
    #[arg(long, value_name = "WORD")]
    token: Option<String>,
    /// Stay and show progress until nothing waits. Leaving early (Ctrl-C) stops nothing.
    #[arg(long, requires = "yes")]
    wait: bool,
}

/// Previews or begins.
pub(super) async fn replay(archive: &Arc<Store>, config: &Config, replay: &Replay, json: bool) -> Result<Report, Fault> {
    let told = |outage: Outage| format!("{}: {outage}", config.archive_url.shown());
    let (criteria, why) = (replay.which.meant()?, words(&replay.why)?);
    if let Some(state) = criteria.state.filter(|state| *state != RefusedState::Open) {
        return Err(Fault::Wish(format!("--state {}: only open refusals are replayed; arkki refusals release opens what was put aside", state.as_str())));
    }
    if !replay.yes {
        let rules = super::rules(config)?;
        let preview = archive.preview_replay(&criteria, &rules).await.map_err(told)?;
        return Ok(shown::preview(&criteria, &preview, replay.rate));
    }
    let token = match &replay.token {
        Some(word) => own(word)?,
        None => format!("cli#{}", sha256(&SystemEntropy::open().map_err(told)?.sixteen())),
    };
    let new = NewJob { criteria, by: by(why), token, rate: replay.rate, answer_again: replay.answer_again };
    let mut job = archive.start_replay(&new).await.map_err(told)?;
    if (job.criteria.as_str(), job.rate, job.answer_again) != (new.criteria.shown().as_str(), new.rate, new.answer_again) {
        let id = job.id.0;
        return Err(Fault::Wish(format!(
            "--token: you gave this word to replay {id}, of other refusals, another rate or another --answer-again; say another word"
        )));
    }
    if job.total == 0 {
        let text = format!("replay {} took nothing: no open refusal meets the criteria, or another replay has them in hand (arkki refusals jobs)\n", job.id.0);
        return Ok(Report::new(Health::Unwell, text, json!({ "job": shown::job_value(&job) })));
    }
    if replay.wait {
        job = wait(archive, job, json).await.map_err(told)?;
    }
    let more = if job.total >= u64::from(AT_ONCE) { "the bound of one replay was reached; run the command again for the rest\n" } else { "" };
    let mut report = shown::job(&job, &[]);
    report.text.push_str(more);
    Ok(report)
}

/// The token of a word: its actor's own, so that nobody comes upon another's replay.
fn own(word: &str) -> Result<String, Fault> {
    if word.trim().is_empty() || word.len() > TOKEN_OCTETS {
        return Err(Fault::Wish(format!("--token: say a word of 1 to {TOKEN_OCTETS} octets, or leave it out")));
    }
    let actor = actor();
    // With its length before it no actor and word read as another's.
    Ok(format!("cli:{}:{actor}:{word}", actor.len()))
}

async fn wait(archive: &Store, mut job: Job, json: bool) -> Result<Job, Outage> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = if json { ProgressBar::hidden() } else { ProgressBar::new(job.total).with_style(style) };
    let mut moved = std::time::Instant::now();
    // Ends with the job, with a stop, or when nobody serves.
    while job.state == JobState::Running && moved.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK).await;
        let before = job.decided();
        job = archive.replay_job(job.id).await?.unwrap_or(job);
        if job.decided() != before {
            moved = std::time::Instant::now();
        }
        bar.set_position(job.decided() + job.dropped);
        bar.set_message(shown::outcomes(&job));
    }
    bar.finish_and_clear();
    Ok(job)
}
