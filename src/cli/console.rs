//! `arkki console`: the web console on this machine, with a link that lets one browser in.

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
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
use crate::web::console::{self, Console, Entrance, Road};
use crate::web::probe;

/// The largest page fetched to see that the console answers.
const PAGE_OCTETS: u64 = 1024 * 1024;

const HELP: &str = r#"The console listens on this machine only, unless [console] has a certificate. The link that it prints works once and for five minutes; Enter prints another
one. With [people], people come in by a certificate card or by an OpenID Connect provider (docs/console.md). Sessions are short and end with this command.

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
    let listen = command.listen.unwrap_or(config.console.listen);
    if !listen.ip().is_loopback() && config.console.tls.is_none() {
        console::listen(listen, None).await?;
    }
    let way = Way::of(None, config).map_err(Failed::Report)?;
    let road = Road::new(Secret::new(config.broker_url.reveal()), way, &SystemEntropy::open()?);
    let (entrance, console) = open(config, listen, road, app::Watching::new(config, &[]).ok()).await.map_err(blind)?;
    until_stopped(config, entrance, console).await.map_err(blind)
}

/// A console at this address, over this road, with this to watch; it does not answer yet.
///
/// # Errors
/// What cannot be used.
pub(super) async fn open(config: &Config, listen: SocketAddr, road: Road, watched: Option<app::Watching>) -> Result<(Entrance, Arc<Console>), String> {
    let entrance = console::listen(listen, config.console.tls.as_ref()).await.map_err(|outage| outage.to_string())?;
    let address = entrance.address().map_err(|e| e.to_string())?;
    let entropy = Arc::new(SystemEntropy::open().map_err(|outage| outage.to_string())?);
    // It judges nothing that is archived: the message's own examination is the gateway's. The site's key finds a client's documents.
    let site_key = app::site_key(config).map_err(|fault| fault.to_string())?;
    let examiner = app::examiner_to_read(config, site_key).map_err(|fault| fault.to_string())?;
    let words = ConsoleWords::load(&embedded()).map_err(|fault| fault.to_string())?;
    let console = Console::new((Arc::new(examiner), words, road), (entropy, Arc::new(SystemClock)), (config.clone(), watched), address)?;
    Ok((entrance, Arc::new(console)))
}

/// Shows the link, answers, and ends with the signal.
///
/// # Errors
/// There are no signals, or the certificate cannot be used.
pub(super) async fn until_stopped(config: &Config, entrance: Entrance, console: Arc<Console>) -> Result<(), String> {
    let (stop, stopping) = watch::channel(false);
    let mut signals = Vec::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        signals.push(signal(kind).map_err(|e| format!("no signals: {e}"))?);
    }
    greet(&console, config.environment);
    let mut task = tokio::spawn(console::serve(entrance, console, stopping));
    let told = async {
        if let [terminate, interrupt] = signals.as_mut_slice() {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
    };
    tokio::select! {
        () = told => {}
        ended = &mut task => return ended.unwrap_or_else(|_| Err("the console ended by itself".to_owned())),
    }
    let _serving_ended = stop.send(true);
    // A browser that keeps its connection open does not keep the console: what is in hand has this long.
    let _ended = tokio::time::timeout(config.stop, task).await;
    Ok(())
}

/// Metrics of this process on a port of their own, and what watches them: the demo is gateway and console in one.
///
/// # Errors
/// The port, or the recorder's words.
pub(super) async fn watched(config: &Config) -> Result<Option<app::Watching>, String> {
    let metrics = telemetry::setup::metrics()?;
    let listener = probe::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.map_err(|outage| outage.to_string())?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    // It ends with the process, as the demo does.
    let (never, stop) = watch::channel(false);
    tokio::spawn(async move {
        probe::serve(listener, metrics, Box::new(Vec::new), stop).await;
        drop(never);
    });
    Ok(app::Watching::new(config, &[address.to_string()]).ok())
}

/// Fetches the console's first page as a stranger: how many octets it has.
///
/// # Errors
/// It does not answer as it should: to a stranger with the way in.
pub(super) async fn first_page(address: &str) -> Result<usize, String> {
    let host = address.strip_prefix("http://").ok_or("the console speaks TLS")?;
    let mut stream = tokio::net::TcpStream::connect(host).await.map_err(|e| e.to_string())?;
    let asked = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).await.map_err(|e| e.to_string())?;
    let mut answer = String::new();
    stream.take(PAGE_OCTETS).read_to_string(&mut answer).await.map_err(|e| e.to_string())?;
    if answer.starts_with("HTTP/1.1 403 ") && answer.contains("</html>") { Ok(answer.len()) } else { Err("it is not the page that strangers see".to_owned()) }
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
