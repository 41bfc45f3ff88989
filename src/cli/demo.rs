//! `arkki demo`: the main job shown on one screen. Every sample goes through the real road: a broker (in this process, or a real RabbitMQ),
//! every check, a key made on the spot, an archive in a folder, and back on a reply queue.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::outcome::{self, Outcome};
use super::report::{Health, Report, many};
use super::send::Way;
use super::{send, validate};
use crate::adapters::amqp::{AmqpClient, Answers, Outgoing, Secret};
use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::adapters::embedded::{EmbeddedBroker, Letter};
use crate::app::{self, House, StartFault};
use crate::config::checked::Config;
use crate::config::raw::{Raw, RawInbound};
use crate::crypto::authority::{Authority, Validity};
use crate::domain::limits;
use crate::domain::oid::Oid;
use crate::domain::outage::Outage;
use crate::ports::broker::Published;
use crate::ports::clock::{Clock as _, Entropy as _};
use crate::v3::ack;
use crate::web::console;

/// The demo's queues.
const INBOUND: &str = "arkki.demo.inbound";
/// How long a sample that lacks what it hangs on is held: long enough to be seen, short enough for a demo.
const HOLD_SECONDS: u64 = 2;
/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The mark by which a folder is known as a demo's own, which may be made anew.
const MARK: &str = "arkki.toml";

const HELP: &str = r#"Examples:
  arkki demo                                         in the repository, on embedded parts
  arkki demo --archive /tmp/try --samples samples
  arkki demo --amqp amqp://guest:guest@localhost/%2f  queues arkki.demo.* are declared and stay

Exit codes: 0 every answer is the one its sample's name promises, 1 one is not, 2 it could not run."#;

/// What `demo` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Demo {
    /// The folder of samples.
    #[arg(long, default_value = "samples", value_name = "DIR")]
    samples: PathBuf,
    /// Where the archive is made; a folder of an earlier demo is made anew.
    #[arg(long, default_value = "demo-archive", value_name = "DIR")]
    archive: PathBuf,
    /// Run on a real RabbitMQ instead of the one in this process: amqp://user:password@host:5672/%2f
    #[arg(long, value_name = "URL")]
    amqp: Option<String>,
}

/// Runs the demo.
#[must_use]
pub fn run(command: &Demo, json: bool) -> Report {
    let messages = match samples(&command.samples) {
        Ok(messages) => messages,
        Err(report) => return report,
    };
    let config = match prepare(command) {
        Ok(config) => config,
        Err(why) => return Report::blind(why),
    };
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    let began = Instant::now();
    let shown = runtime.block_on(async {
        let (house, road, outcomes) = show(command, &config, messages, json).await?;
        let report = report(command, &outcomes, began.elapsed());
        let report = looked_at(&config, &road, report, json).await;
        house.close(config.stop).await;
        Ok::<_, StartFault>(report)
    });
    shown.unwrap_or_else(Report::blind)
}

/// The console over the demo's archive: on a terminal until Ctrl-C, else its first page is fetched and that is that.
async fn looked_at(config: &Config, road: &Road, report: Report, json: bool) -> Report {
    let is_live = !json && std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let opened = async {
        let watched = super::console::watched(config).await?;
        let entropy = SystemEntropy::open().map_err(|outage| outage.to_string())?;
        let road = match road {
            Road::Embedded(broker, _) => console::Road::embedded(broker.clone(), INBOUND, &entropy),
            Road::Broker(..) => {
                let way = Way::of(None, config).map_err(|report| report.text)?;
                console::Road::new(Secret::new(config.broker_url.reveal()), way, &entropy)
            }
        };
        super::console::open(config, config.console.listen, road, watched).await
    };
    let (entrance, console) = match opened.await {
        Ok(opened) => opened,
        Err(why) => return report.with_line(&format!("The console could not be opened: {why}")),
    };
    let address = console.address();
    if !is_live {
        let (stop, stopping) = watch::channel(false);
        let serving = tokio::spawn(console::serve(entrance, console, stopping));
        let page = super::console::first_page(&address).await;
        let _ended = stop.send(true);
        let _done = tokio::time::timeout(config.stop, serving).await;
        return match page {
            Ok(octets) => {
                report.with_line(&format!("The web console answered at {address} with its first page ({octets} octets); on a terminal it stays until Ctrl-C."))
            }
            Err(why) => report.with_line(&format!("The web console at {address} did not answer: {why}")),
        };
    }
    let Report { health, text, json } = report;
    print!("{text}\nThe web console over this archive:\n");
    if let Err(why) = super::console::until_stopped(config, entrance, console).await {
        return Report::blind(why);
    }
    Report::new(health, String::new(), json)
}

/// A sample: its name under the folder, and its octets.
struct Message {
    name: String,
    octets: Vec<u8>,
}

/// Every file of accepted, then of disclosures, which are accepted too, then refused and conflicts with those, then hostile, each in name order.
fn samples(folder: &Path) -> Result<Vec<Message>, Report> {
    let mut messages = Vec::new();
    for part in ["accepted", "disclosures", "refused", "conflicts", "hostile"] {
        let Ok(entries) = std::fs::read_dir(folder.join(part)) else { continue };
        let mut files: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.is_file()).collect();
        files.sort();
        for file in files {
            let octets = validate::read_message(&file, limits::MESSAGE_OCTETS).map_err(|e| Report::blind(format!("{}: {e}", file.display())))?;
            let name = file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
            messages.push(Message { name: format!("{part}/{name}"), octets });
        }
    }
    if messages.is_empty() {
        return Err(Report::blind(format!("no samples in {}: run the demo in the repository, or name the folder with --samples", folder.display())));
    }
    Ok(messages)
}

/// Makes the archive's folder with keys of its own, and a configuration that later commands can use.
fn prepare(command: &Demo) -> Result<Config, String> {
    let folder = &command.archive;
    if folder.exists() {
        if !folder.join(MARK).exists() && std::fs::read_dir(folder).map_err(told(folder))?.next().is_some() {
            return Err(format!("{} is not a demo's folder: name another with --archive", folder.display()));
        }
        std::fs::remove_dir_all(folder).map_err(told(folder))?;
    }
    std::fs::create_dir_all(folder).map_err(told(folder))?;
    let folder = folder.canonicalize().map_err(told(folder))?;
    let trust = keys(&folder, &command.samples)?;
    let path = |name: &str| folder.join(name).display().to_string();
    let inbound = [("demo".to_owned(), RawInbound { queue: INBOUND.into(), ..RawInbound::default() })].into();
    let mut raw = Raw { inbound, ..Raw::default() };
    raw.broker.dead_letter_exchange = "arkki.demo.dead-letter".into();
    raw.broker.dead_letter_queue = "arkki.demo.dead-letter".into();
    raw.broker.notice_queue = "arkki.demo.notice".into();
    raw.reply.allow_anonymous = true;
    raw.archive.url = format!("sqlite://{}", path("archive.sqlite"));
    raw.archive.site_key_file = path("site.key");
    raw.sign.key_file = path("system-key.pem");
    raw.sign.certificate_file = path("system.pem");
    raw.sign.trust = trust;
    raw.answer.language = "en".into();
    raw.answer.receivers = vec!["1.2.246.556.18007.2".into()];
    raw.limits.hold_seconds = HOLD_SECONDS;
    raw.telemetry.listen = String::new();
    raw.telemetry.level = "warn".into();
    let text = raw.written()?;
    std::fs::write(folder.join(MARK), text).map_err(told(&folder))?;
    let amqp = command.amqp.clone();
    Config::check(raw, &|name| if name == "ARKKI_BROKER_URL" { amqp.clone() } else { None }).map_err(|e| e.0)
}

/// An error of the machine, with the path it is about.
fn told(path: &Path) -> impl FnOnce(std::io::Error) -> String {
    let shown = path.display().to_string();
    move |e| format!("{shown}: {e}")
}

/// A test CA, a system key and a site key, made on the spot. Gives the trust anchors: this CA and the samples' own.
fn keys(folder: &Path, samples: &Path) -> Result<Vec<String>, String> {
    let now = SystemClock.now();
    let valid = Validity { from: now, until: now.plus(Duration::from_secs(365 * 86_400)) };
    let unit = Oid::parse("1.2.246.10.99999992.10.0").map_err(|_| "the demo's organisation has no OID".to_owned())?;
    let authority = Authority::make("demo", valid).map_err(|e| e.to_string())?;
    let system = authority.system("ARKKI DEMO", &unit, "ARKKI DEMO", valid).map_err(|e| e.to_string())?;
    let ca = authority.to_pem().map_err(|e| e.to_string())?;
    let mut site_key = Vec::new();
    let entropy = SystemEntropy::open().map_err(|e| e.to_string())?;
    for _ in 0..2 {
        site_key.extend(entropy.sixteen());
    }
    for (name, octets) in
        [("ca.pem", &ca.certificate_pem), ("system.pem", &system.certificate_pem), ("system-key.pem", &system.key_pem), ("site.key", &site_key)]
    {
        private(&folder.join(name), octets).map_err(|e| format!("{}: {e}", folder.join(name).display()))?;
    }
    let mut trust = vec![folder.join("ca.pem")];
    trust.extend(samples.join("keys/ca.pem").canonicalize().ok());
    Ok(trust.into_iter().map(|p| p.display().to_string()).collect())
}

/// Writes a file that only its owner may read.
fn private(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(octets)
}

async fn show(command: &Demo, config: &Config, messages: Vec<Message>, json: bool) -> Result<(House, Road, Vec<Outcome>), StartFault> {
    crate::telemetry::setup::logs(false, &config.log_level);
    let (house, mut road) = match &command.amqp {
        None => Road::embedded(config).await?,
        Some(_) => Road::broker(config).await?,
    };
    let progress = send::bar(messages.len(), json);
    let mut outcomes = Vec::new();
    // A part is answered before the next is sent: the refused ones are refused for what the accepted ones left in the archive.
    for part in ["accepted/", "disclosures/", "refused/", "conflicts/", "hostile/"] {
        let part: Vec<&Message> = messages.iter().filter(|m| m.name.starts_with(part)).collect();
        outcomes.extend(road.carry(&part, &progress).await?);
    }
    progress.finish_and_clear();
    Ok((house, road, outcomes))
}

/// The sender's side of the demo.
enum Road {
    Embedded(EmbeddedBroker, String),
    Broker(Box<AmqpClient>, Box<Answers>, String),
}

impl Road {
    async fn embedded(config: &Config) -> Result<(House, Self), StartFault> {
        let broker = EmbeddedBroker::new();
        let reply = "arkki.reply.anonymous.demo".to_owned();
        broker.declare(&reply);
        broker.declare(&config.notice_queue);
        let house = app::open_embedded(config, &broker).await?;
        Ok((house, Self::Embedded(broker, reply)))
    }

    async fn broker(config: &Config) -> Result<(House, Self), StartFault> {
        let house = app::open_on_broker(config).await?;
        let client = AmqpClient::connect(&Secret::new(config.broker_url.reveal()), "arkki demo").await?;
        let reply = format!("arkki.reply.{}.demo", client.user());
        client.declare_reply_queue(&reply).await?;
        let answers = client.answers(&reply).await?;
        Ok((house, Self::Broker(Box::new(client), Box::new(answers), reply)))
    }

    /// Publishes messages in order and waits for their answers.
    async fn carry(&mut self, messages: &[&Message], progress: &ProgressBar) -> Result<Vec<Outcome>, Outage> {
        let mut waiting = HashMap::new();
        let mut outcomes = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            let id = format!("{:x}-{index}", SystemClock.now().micros());
            if !owed_nothing(&message.name) {
                waiting.insert(id.clone(), (index, Instant::now()));
            }
            outcomes.push(Outcome { name: message.name.clone(), answer: None, took: Duration::ZERO });
            self.put(id, Arc::new(message.octets.clone())).await?;
        }
        // Ends with the last answer, or when the patience is up.
        while !waiting.is_empty() {
            let Some((correlation, body)) = self.take().await? else { break };
            let Some((index, sent)) = correlation.and_then(|id| waiting.remove(&id)) else { continue };
            progress.inc(1);
            if let Some(outcome) = outcomes.get_mut(index) {
                outcome.took = sent.elapsed();
                outcome.answer = ack::read(&body).ok();
            }
        }
        Ok(outcomes)
    }

    async fn put(&self, id: String, body: Arc<Vec<u8>>) -> Result<Published, Outage> {
        let content_type = Some("application/xml".to_owned());
        match self {
            Self::Embedded(broker, reply) => {
                let letter = Letter { message_id: Some(id), reply_to: Some(reply.clone()), content_type, body, ..Letter::default() };
                broker.put(INBOUND, letter)
            }
            Self::Broker(client, _, reply) => {
                let user_id = Some(client.user());
                client
                    .send(Outgoing {
                        queue: INBOUND.into(),
                        through: None,
                        message_id: Some(id),
                        correlation_id: None,
                        reply_to: Some(reply.clone()),
                        content_type,
                        user_id,
                        body,
                    })
                    .await
            }
        }
    }

    async fn take(&mut self) -> Result<Option<(Option<String>, Vec<u8>)>, Outage> {
        match self {
            Self::Embedded(broker, reply) => Ok(broker.take(reply, PATIENCE).await.map(|l| (l.correlation_id, l.body.as_ref().clone()))),
            Self::Broker(_, answers, _) => Ok(answers.next(PATIENCE).await?.map(|a| (a.correlation_id, a.body))),
        }
    }
}

/// An acknowledgement among the samples: it is recorded and owed no answer.
fn owed_nothing(name: &str) -> bool {
    name.contains("acknowledgement")
}

/// What a sample's name promises: AA for the accepted, the code for the refused; hostile ones must be refused with any code, but for an
/// acknowledgement, which is owed no answer.
fn as_promised(outcome: &Outcome) -> bool {
    match outcome.name.split_once('/') {
        Some(("accepted" | "disclosures", _)) => outcome.is("accepted"),
        Some(("refused" | "conflicts", name)) => outcome.is("refused") && name.get(..4).is_some_and(|code| outcome.is(code)),
        Some(_) if owed_nothing(&outcome.name) => outcome.answer.is_none(),
        Some(_) => outcome.is("refused"),
        None => false,
    }
}

/// How this program was called: what is shown to try can be typed as it stands.
fn me() -> String {
    std::env::args().next().filter(|called| called.contains('/')).unwrap_or_else(|| "arkki".to_owned())
}

fn next_steps(folder: &str, arkki: &str) -> String {
    let audit = format!("{arkki} --config {folder}/arkki.toml audit");
    let validate = format!("{arkki} validate --trust samples/keys/ca.pem samples/refused/*");
    let explain = format!("{arkki} codes E305");
    let wide = [&audit, &validate, &explain].map(String::len).into_iter().max().unwrap_or_default();
    format!(
        "\nThe archive lies in {folder}: archive.sqlite with documents, ledger and logs; arkki.toml, its configuration; keys made for this demo.\n\nTry next:\n  \
         {audit:<wide$}   every hash and signature, and the ledger\n  \
         {validate:<wide$}   the same verdicts, offline\n  \
         {explain:<wide$}   what a code means and what mends it\n  \
         {:<wide$}   a real RabbitMQ and PostgreSQL\n",
        "README.md"
    )
}

fn report(command: &Demo, outcomes: &[Outcome], took: Duration) -> Report {
    let odd: Vec<&str> = outcomes.iter().filter(|o| !as_promised(o)).map(|o| o.name.as_str()).collect();
    let mut text = outcome::table(outcomes);
    text.push_str(&format!("\n{} in {:.1} s: {}\n", many(outcomes.len() as u64, "message"), took.as_secs_f64(), outcome::counts(outcomes)));
    if odd.is_empty() {
        text.push_str("Every answer is the one the sample's name promises.\n");
    } else {
        text.push_str(&format!("NOT as promised: {}\n", odd.join(", ")));
    }
    text.push_str(&next_steps(&command.archive.display().to_string(), &me()));
    let list: Vec<Value> = outcomes.iter().map(Outcome::json).collect();
    let health = if odd.is_empty() { Health::Well } else { Health::Unwell };
    Report::new(health, text, json!({ "messages": list, "not_as_promised": odd, "archive": command.archive, "seconds": took.as_secs_f64() }))
}
