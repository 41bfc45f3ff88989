//! `arkki serve`: carries messages until it is told to stop.

use clap::Args;
use serde_json::json;

use super::report::{Health, Report};
use crate::app;
use crate::config::checked::Config;
use crate::telemetry;

/// What `serve` takes.
#[derive(Args)]
pub struct Serve {
    /// End when this many messages have been answered and everything is settled (for benches and scripts).
    #[arg(long, value_name = "N")]
    until_answered: Option<u64>,
}

/// Runs the gateway until it is told to stop.
#[must_use]
pub fn run(command: &Serve, config: Config) -> Report {
    telemetry::setup::logs(config.log_json, &config.log_level);
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    match runtime.block_on(app::serve(config, command.until_answered)) {
        Ok(answered) => Report::new(Health::Well, String::new(), json!({ "answered": answered })),
        Err(fault) => Report::blind(fault),
    }
}
