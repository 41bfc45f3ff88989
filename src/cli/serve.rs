//! `arkki serve`: carries messages until it is told to stop.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::sync::watch;

use super::api;
use super::report::{Health, Report};
use crate::app;
use crate::config::checked::Config;
use crate::telemetry;

/// How long calls of the API in hand may take once the gateway has stopped.
const API_END: Duration = Duration::from_secs(2);

const HELP: &str = r#"Before the first start: arkki migrate, arkki topology apply, arkki doctor.
When database, key or broker is out of reach it waits, keeps what it has and goes on by itself; /readyz says what is missing.
At its start it waits for them a minute, then it ends with 2: whoever started it decides.
SIGTERM settles what is in hand and ends within [limits] stop_seconds. SIGHUP takes the keys of [sign] and [next_key] as they stand in the file now.

Exit codes: 0 stopped as told, 2 could not start, or a defect ended one of its tasks."#;

/// What `serve` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Serve {
    /// End when this many messages have been answered and everything is settled (for benches and scripts).
    #[arg(long, value_name = "N")]
    until_answered: Option<u64>,
}

/// Runs the gateway until it is told to stop.
#[must_use]
pub fn run(command: &Serve, path: Option<&std::path::Path>, config: Config) -> Report {
    telemetry::setup::logs(config.log_json, &config.log_level);
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    let (stop, stopping) = watch::channel(false);
    let served = runtime.block_on(async {
        let api = match config.api.clone() {
            Some(place) => Some(api::start(place, path, stopping).await.map_err(|failed| Report::blind(failed.0))?),
            None => None,
        };
        let served = app::serve(config, &|| Config::read(path), command.until_answered).await;
        stop.send_replace(true);
        if let Some(api) = api {
            // Who keeps a connection open does not keep the gateway.
            let _ended = tokio::time::timeout(API_END, api).await;
        }
        served.map_err(Report::blind)
    });
    match served {
        Ok(answered) => Report::new(Health::Well, String::new(), json!({ "answered": answered })),
        Err(report) => report,
    }
}
