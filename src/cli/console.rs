//! `arkki console`: the web console on this machine, with a link that lets one browser in.

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::report::{Health, Report};
use super::send::Way;
use crate::adapters::amqp::Secret;
use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::app;
use crate::codes::console::ConsoleWords;
use crate::codes::source::embedded;
use crate::config::checked::Config;
use crate::domain::environment::Environment;
use crate::domain::outage::Outage;
use crate::telemetry;
use crate::web::console::{self, Console, Road};

const HELP: &str = r#"The console listens on this machine only. The link that it prints works once and for five minutes; Enter prints another one. A session lasts 30 minutes
and ends with this command.

What is sent goes to the inbound queue as the user of [broker] url or ARKKI_BROKER_URL, as with `arkki send`; `arkki serve` answers it.

Examples:
  arkki console
  arkki console --listen 127.0.0.1:8088

Exit codes: 0 stopped as told, 2 could not start."#;

/// What `console` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct ConsoleCommand {
    /// Where to listen, instead of [console] listen: an address of this machine alone unless the console has a certificate. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

/// Serves the console until it is told to stop.
#[must_use]
pub fn run(command: &ConsoleCommand, config: &Config) -> Report {
    telemetry::setup::logs(config.log_json, &config.log_level);
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    match runtime.block_on(serve(command, config)) {
        Ok(()) => Report::new(Health::Well, String::new(), json!({ "stopped": true })),
        Err(Failed::Outage(outage)) => Report::blind(outage),
        Err(Failed::Report(report)) => report,
    }
}

enum Failed {
    Outage(Outage),
    Report(Report),
}

impl From<Outage> for Failed {
    fn from(outage: Outage) -> Self {
        Self::Outage(outage)
    }
}

async fn serve(command: &ConsoleCommand, config: &Config) -> Result<(), Failed> {
    let blind = |why: String| Failed::Report(Report::blind(why));
    let listener = console::listen(command.listen.unwrap_or(config.console.listen), config.console.tls.as_ref()).await?;
    let address = listener.address().map_err(|e| blind(e.to_string()))?;
    let entropy = Arc::new(SystemEntropy::open()?);
    let way = Way::of(None, config).map_err(Failed::Report)?;
    // It judges nothing that is archived: the message's own examination is the gateway's. The site's key finds a client's documents.
    let site_key = app::site_key(config).map_err(|fault| blind(fault.to_string()))?;
    let examiner = app::examiner_to_read(config, site_key).map_err(|fault| blind(fault.to_string()))?;
    let words = ConsoleWords::load(&embedded()).map_err(|fault| blind(fault.to_string()))?;
    let road = Road::new(Secret::new(config.broker_url.reveal()), way, entropy.as_ref());
    let watched = (config.clone(), app::Watching::new(config, &[]).ok());
    let console = Arc::new(Console::new((Arc::new(examiner), words, road), (entropy, Arc::new(SystemClock)), watched, address).map_err(blind)?);
    let (stop, stopping) = watch::channel(false);
    let mut signals = Vec::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        signals.push(signal(kind).map_err(|e| blind(format!("no signals: {e}")))?);
    }
    greet(&console, config.environment);
    let task = tokio::spawn(console::serve(listener, console, stopping));
    if let [terminate, interrupt] = signals.as_mut_slice() {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    let _serving_ended = stop.send(true);
    // A browser that keeps its connection open does not keep the console: what is in hand has this long.
    let _ended = tokio::time::timeout(config.stop, task).await;
    Ok(())
}

/// Prints the first link, and another one for each line that comes from the terminal. The links go to standard output and nowhere else.
fn greet(console: &Arc<Console>, environment: Environment) {
    let say = |line: &str| {
        let mut out = std::io::stdout().lock();
        let _closed = writeln!(out, "{line}").and_then(|()| out.flush());
    };
    if environment == Environment::Test {
        say("Test environment: test persons only.");
    }
    let Some(link) = console.link() else {
        return say(&format!("The console answers at {}: come in with a card or by the provider. Ctrl-C ends it.", console.address()));
    };
    say("Open this link in a browser on this machine; it works once, for five minutes. Enter gives another one, Ctrl-C ends the console.");
    say(&link);
    let console = Arc::clone(console);
    // A thread, not a task: reading a terminal blocks, and nothing waits for this one's end.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_err() {
                break;
            }
            console.link().iter().for_each(|link| say(link));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_address_is_refused_with_a_sentence() {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        for address in ["0.0.0.0:0", "192.0.2.1:80", "[::]:0"] {
            let Ok(address) = address.parse() else { continue };
            let refused = runtime.block_on(console::listen(address, None)).map(|_| ()).map_err(|outage| outage.to_string());
            assert!(refused.as_ref().is_err_and(|why| why.contains("this machine only")), "{refused:?}");
        }
    }
}
