//! `arkki rehearse`: the last messages under other rules, read-only. Shows whose verdict would change, before the rules do.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::audit;
use super::report::{Fault, Health, Report, many};
use crate::app;
use crate::config::checked::Config;
use crate::domain::code::Code;
use crate::domain::outage::Outage;
use crate::pipeline::examine::Examiner;
use crate::pipeline::rehearse::{self, Changed, Rehearsal, Wish};

const HELP: &str = r#"Examples:
  arkki rehearse --rules /etc/arkki/rules-next --last 10000
  arkki rehearse --rules ./rules --last 500 --json

Reads kept messages (refused ones and events as they came, of archived ones the document) and judges each twice: under today's rules and under the
candidate's. Nothing is written, and no look is logged, since no person sees a message: only numbers, senders, document ids and codes are shown. What only
the archive knows (versions, cases, wills) stays out, as in arkki validate.

Exit codes: 0 no verdict would change, 1 at least one would, 2 the archive or one of the rule sets could not be read."#;

/// What `rehearse` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Rehearse {
    /// The folder with the candidate rules.
    #[arg(long, value_name = "FOLDER")]
    rules: PathBuf,
    /// How many messages, the newest.
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    last: u32,
    /// What a bare document is checked as where that is not kept.
    #[arg(long, default_value = "kanta-social", value_name = "PROFILE")]
    profile: String,
    /// How many changes are listed.
    #[arg(long, default_value_t = 50, value_name = "N")]
    most: usize,
}

/// Rehearses.
#[must_use]
pub fn run(command: &Rehearse, config: &Config, json: bool) -> Report {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    runtime.block_on(ask(command, config, json)).unwrap_or_else(Report::from)
}

async fn ask(command: &Rehearse, config: &Config, json: bool) -> Result<Report, Fault> {
    let told = |outage: Outage| format!("{}: {outage}", config.archive_url.shown());
    let today = app::examiner(config).map_err(|fault| fault.to_string())?;
    let next = Config { rules_folder: Some(command.rules.clone()), ..config.clone() };
    let candidate = app::examiner(&next).map_err(|fault| Fault::Wish(format!("{}: {fault}", command.rules.display())))?;
    for profiles in [&today, &candidate].map(|examiner| &examiner.rule_set().profiles) {
        if profiles.get(&command.profile).is_none() {
            return Err(Fault::Wish(format!("--profile {:?}: no such profile; there are: {}", command.profile, profiles.names().join(", "))));
        }
    }
    let archive = audit::open(config).await?;
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} messages  {per_sec}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = if json { ProgressBar::hidden() } else { ProgressBar::new(u64::from(command.last)).with_style(style) };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let wish = Wish { last: command.last, profile: &command.profile, threads };
    let looked = |rehearsal: &Rehearsal| {
        bar.set_position(rehearsal.looked);
        true
    };
    let rehearsal = rehearse::run(archive.as_ref(), (&today, &candidate), wish, looked).await.map_err(told)?;
    bar.finish_and_clear();
    Ok(shown(&today, &candidate, &rehearsal, command.most))
}

fn shown(today: &Examiner, candidate: &Examiner, rehearsal: &Rehearsal, most: usize) -> Report {
    let words = |codes: &[Code]| if codes.is_empty() { "accepted".to_owned() } else { codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(",") };
    let changed = rehearsal.changed.len();
    let mut text = format!("today      {}\ncandidate  {}\n", today.rules().to_hex(), candidate.rules().to_hex());
    text.push_str(&format!("examined   {}, {} of them without their frame\n", many(rehearsal.looked, "message"), rehearsal.bare));
    text.push_str(&format!("change     {changed}\n"));
    for ((turn, code), count) in rehearsal.sums() {
        text.push_str(&format!("{count:>9}  {} {code}\n", turn.as_str()));
    }
    for one in rehearsal.changed.iter().take(most) {
        let document = one.document.as_deref().unwrap_or("-");
        text.push_str(&format!("{:>9}  {}  {:<20}  {} -> {}  {document}\n", one.position, one.at.to_iso(), one.sender, words(&one.before), words(&one.after)));
    }
    if changed > most {
        text.push_str(&format!("{} more: --most shows them\n", changed - most));
    }
    if rehearsal.drifted > 0 {
        let drifted = rehearsal.drifted;
        text.push_str(&format!("{drifted} are judged otherwise today than the archive did: by what only the archive knows, or by rules changed since\n"));
    }
    let each = |one: &Changed| {
        json!({
            "position": one.position, "at": one.at.to_iso(), "sender": one.sender, "document": one.document, "archived": one.archived,
            "turn": one.turn.as_str(), "before": codes(&one.before), "after": codes(&one.after),
        })
    };
    let sums: Vec<Value> = rehearsal.sums().into_iter().map(|((turn, code), count)| json!({ "turn": turn.as_str(), "code": code, "count": count })).collect();
    let json = json!({
        "today": today.rules().to_hex(), "candidate": candidate.rules().to_hex(), "examined": rehearsal.looked, "bare": rehearsal.bare,
        "drifted": rehearsal.drifted, "changed": changed, "sums": sums, "list": rehearsal.changed.iter().take(most).map(each).collect::<Vec<_>>(),
    });
    Report::new(if changed == 0 { Health::Well } else { Health::Unwell }, text, json)
}

fn codes(codes: &[Code]) -> Vec<&'static str> {
    codes.iter().map(|code| code.as_str()).collect()
}
