//! `arkki migrate`: the archive's tables, brought up to this release.

use clap::Args;
use serde_json::json;

use super::report::{Health, Report};
use crate::adapters::store;
use crate::config::checked::Config;

const HELP: &str = r#"Safe to repeat, and to run beside a gateway of the release before. `arkki serve` does the same at its start.

Exit codes: 0 the tables are up to date, 2 the database could not be reached or is of a later release."#;

/// What `migrate` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Migrate {}

/// Brings the archive's tables up to this release. Safe to repeat, and to run beside a gateway of the release before.
#[must_use]
pub fn run(_command: &Migrate, config: &Config) -> Report {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    match runtime.block_on(store::migrate(config.archive_url.reveal())) {
        Err(outage) => Report::blind(format!("{}: {outage}", config.archive_url.shown())),
        Ok(done) => {
            let text =
                if done.is_empty() { "the archive's tables are up to date\n".to_owned() } else { done.iter().map(|name| format!("ran {name}\n")).collect() };
            Report::new(Health::Well, text, json!({ "ran": done }))
        }
    }
}
