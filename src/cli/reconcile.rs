//! `arkki reconcile`: holds ledger, inbox, documents, events, notices, logs, outbox, holds and the broker's queues against each other, and names whatever is
//! not explained.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::audit;
use super::report::{Health, Report};
use crate::adapters::amqp::AmqpDepths;
use crate::app;
use crate::config::checked::Config;
use crate::domain::reconciling::Unexplained;
use crate::pipeline::reconcile::{Reconciled, reconcile};
use crate::ports::broker::Depths;

const HELP: &str = r#"It only reads; the gateway may be at work meanwhile, and does the same every [archive] reconcile_minutes (arkki_unexplained in /metrics).
It asks whether everything is there; arkki audit asks whether it is still as it was made. The broker is asked through [broker] management_url.

Examples:
  arkki reconcile
  arkki reconcile --json | jq .unexplained

Exit codes: 0 everything is explained, 1 something is not (each is named), 2 the archive could not be read."#;

/// What `reconcile` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Reconcile {
    /// How many to name.
    #[arg(long, default_value_t = 50, value_name = "N")]
    most: usize,
}

/// Reconciles once.
#[must_use]
pub fn run(command: &Reconcile, config: &Config) -> Report {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    let done = async {
        let archive = audit::open(config).await?;
        let broker = match &config.management_url {
            Some(_) => Some(AmqpDepths::new(Arc::new(app::broker_settings(config).map_err(|fault| fault.to_string())?))),
            None => None,
        };
        let broker = broker.as_ref().map(|broker| broker as &dyn Depths);
        let sum = reconcile(archive.as_ref(), broker, Duration::ZERO, &mut |_| ()).await;
        sum.map_err(|outage| format!("{}: {outage}", config.archive_url.shown())) as Result<_, String>
    };
    match runtime.block_on(done) {
        Ok(sum) => shown(&sum, command.most),
        Err(why) => Report::blind(why),
    }
}

fn shown(sum: &Reconciled, most: usize) -> Report {
    let mut text = format!("ledger entries  {}\non hold         {}\n", sum.entries, sum.held);
    match &sum.queues {
        Some(queues) => text.push_str(&format!(
            "inbound queues  {} messages wait\ndead letters    {} in the queue, {} refusals without an answer in the ledger\n",
            queues.inbound, queues.dead_letters, sum.unanswered
        )),
        None => text.push_str("broker          not asked: [broker] management_url is not set, or does not answer\n"),
    }
    if sum.former > 0 {
        text.push_str(&format!("former release  {} answers that it may have sent: it was at work then, and noted nothing\n", sum.former));
    }
    if !sum.unlisted.is_empty() {
        text.push_str(&format!("former release  {} of its refusals are not listed yet; a running gateway lists them in its next round\n", sum.unlisted.len()));
    }
    text.push_str(&format!("unexplained     {}\n", sum.unexplained));
    for one in sum.named.iter().take(most) {
        text.push_str(&line(one));
    }
    let left = sum.unexplained.saturating_sub(sum.named.iter().take(most).count() as u64);
    if left > 0 && sum.named.len() > most {
        text.push_str(&format!("… and {left} more; --most names them\n"));
    }
    let named: Vec<_> = sum
        .named
        .iter()
        .map(|one| {
            json!({ "position": one.position.map(|p| p.0), "missing": one.missing.as_str(), "which": one.which, "says": one.missing.sentence(), "do": one.missing.advice() })
        })
        .collect();
    let json = json!({
        "entries": sum.entries,
        "held": sum.held,
        "inbound": sum.queues.map(|q| q.inbound),
        "dead_letters": sum.queues.map(|q| q.dead_letters),
        "unanswered_refusals": sum.unanswered,
        "former": sum.former,
        "unlisted": sum.unlisted.len(),
        "unexplained": sum.unexplained,
        "named": named,
    });
    Report::new(if sum.unexplained == 0 { Health::Well } else { Health::Unwell }, text, json)
}

fn line(one: &Unexplained) -> String {
    let position = one.position.map_or_else(|| "–".to_owned(), |position| position.0.to_string());
    let which = if one.which.is_empty() { String::new() } else { format!(" ({})", one.which) };
    format!("{position:>9}  {}{which}: {}\n", one.missing.sentence(), one.missing.advice())
}
