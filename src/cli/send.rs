//! `arkki send`: publish files, wait for the acknowledgements, show them.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::outcome::{self, Outcome};
use super::report::{Health, Report};
use super::validate::read_message;
use crate::adapters::amqp::{AmqpClient, Outgoing, Secret, Through, partitions};
use crate::adapters::clock::SystemEntropy;
use crate::app;
use crate::config::checked::Config;
use crate::crypto::hmac_sha256;
use crate::domain::outage::{Outage, Part};
use crate::pipeline::examine::Examiner;
use crate::ports::broker::Published;
use crate::ports::clock::Entropy as _;
use crate::v3::ack;

/// How many messages may be on their way without an answer: more would only fill the reply queue.
const WINDOW: usize = 200;

const HELP: &str = r#"The sender is the user of [broker] url or ARKKI_BROKER_URL: RabbitMQ checks that it is the message's user_id. The reply queue must match
that sender's patterns at the gateway (default arkki.reply.<user>.*).

Where the inbound queue has partitions, a message goes through their exchange with the header x-partition: the first 16 hexadecimal digits of
HMAC-SHA-256 over its client's id with the site's key ([archive] site_key_file). With --queue it goes to that queue and bears no header.

Examples:
  arkki send samples/accepted/*.xml --expect accepted
  arkki send samples/refused/E305-*.xml --expect E305 --show

Exit codes: 0 all answered (and as expected), 1 an answer is missing or another, 2 the broker, the queue or a file could not be reached."#;

/// What `send` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Send {
    /// Fail unless every answer is this: accepted, refused, or a code such as E305.
    #[arg(long, value_name = "OUTCOME", value_parser = outcome)]
    expect: Option<String>,
    /// The inbound queue; the first of the configuration when left out.
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Where the answers go; it is declared if it is missing. Default arkki.reply.USER.send
    #[arg(long, value_name = "QUEUE")]
    reply: Option<String>,
    /// Seconds to wait for an answer after the last one that came. A message that hangs on a missing case is held first.
    #[arg(long, default_value_t = 90, value_name = "SECONDS")]
    timeout: u64,
    /// Show the acknowledgements themselves.
    #[arg(long)]
    show: bool,
    /// Messages: bare documents or frames.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Read before anything is sent: what no answer can be would be found out too late.
fn outcome(text: &str) -> Result<String, String> {
    match text {
        "accepted" | "refused" => Ok(text.to_owned()),
        code => super::messages::code(code).map_err(|_| "say accepted, refused or a code, as E305; arkki codes lists them".to_owned()),
    }
}

/// Sends, waits and shows.
#[must_use]
pub fn run(command: &Send, config: &Config, json: bool) -> Report {
    // Before anything is declared or sent: a file that cannot be read leaves no trace at the broker.
    match read_all(&command.files, config.message_octets) {
        Ok(messages) => deliver(command, &messages, config, json),
        Err(report) => report,
    }
}

/// Sends one message that was made or read elsewhere, with its name for the report; waits so many seconds, and perhaps shows the answer.
pub(super) fn one((name, octets): (String, Vec<u8>), (timeout, show): (u64, bool), config: &Config, json: bool) -> Report {
    let command = Send { expect: Some("accepted".to_owned()), queue: None, reply: None, timeout, show, files: vec![name.into()] };
    deliver(&command, &[octets], config, json)
}

fn deliver(command: &Send, messages: &[Vec<u8>], config: &Config, json: bool) -> Report {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    match runtime.block_on(send(command, messages, config, json)) {
        Ok(report) => report,
        Err(outage) => Report::blind(format!("{}: {outage}", config.broker_url.shown())),
    }
}

async fn send(command: &Send, messages: &[Vec<u8>], config: &Config, json: bool) -> Result<Report, Outage> {
    let way = match Way::of(command.queue.as_deref(), config) {
        Ok(way) => way,
        Err(report) => return Ok(report),
    };
    let client = AmqpClient::connect(&Secret::new(config.broker_url.reveal()), "arkki send").await?;
    let user = client.user();
    let reply = command.reply.clone().unwrap_or_else(|| format!("arkki.reply.{user}.send"));
    client.declare_reply_queue(&reply).await?;
    let run = run_id()?;
    let progress = bar(messages.len(), json);
    let mut answers = client.answers(&reply).await?;
    let mut waiting: HashMap<String, (usize, Instant)> = HashMap::new();
    let mut outcomes: Vec<Outcome> = command.files.iter().map(|f| Outcome { name: f.display().to_string(), answer: None, took: Duration::ZERO }).collect();
    let mut next = 0;
    let patience = Duration::from_secs(command.timeout);
    // Ends when every message has its answer or the patience is up.
    while next < messages.len() || !waiting.is_empty() {
        if next < messages.len() && waiting.len() < WINDOW {
            let id = format!("{run}-{next}");
            let outgoing = Outgoing {
                queue: way.queue.clone(),
                through: way.through(&messages[next])?,
                message_id: Some(id.clone()),
                correlation_id: None,
                reply_to: Some(reply.clone()),
                content_type: Some("application/xml".into()),
                user_id: Some(user.clone()),
                body: Arc::new(messages[next].clone()),
            };
            waiting.insert(id, (next, Instant::now()));
            if client.send(outgoing).await? == Published::Unroutable {
                return Ok(Report::blind(format!("there is no queue {}: run `arkki topology apply`", way.queue)));
            }
            next += 1;
            continue;
        }
        let Some(answer) = answers.next(patience).await? else { break };
        // Answers of an earlier run may lie in the same queue: they belong to nobody here.
        let Some((index, sent)) = answer.correlation_id.as_ref().and_then(|id| waiting.remove(id)) else { continue };
        progress.inc(1);
        if let Some(outcome) = outcomes.get_mut(index) {
            outcome.took = sent.elapsed();
            outcome.answer = ack::read(&answer.body).ok();
        }
        if command.show {
            let _closed = std::io::stdout().write_all(&answer.body);
        }
    }
    progress.finish_and_clear();
    client.close().await;
    Ok(report(command, &outcomes, || no_way_back(config, &user, &reply)))
}

/// Where messages go.
pub struct Way {
    queue: String,
    /// Where the queue has partitions: what reads the client, and the key that hides it.
    partitions: Option<(Examiner, Vec<u8>)>,
}

impl Way {
    /// To this queue, or to the configuration's first inbound queue.
    ///
    /// # Errors
    /// A report that says what is missing to find a message's partition.
    pub fn of(queue: Option<&str>, config: &Config) -> Result<Self, Report> {
        let inbound = config.inbound.first().filter(|_| queue.is_none());
        let queue = queue.map(str::to_owned).or_else(|| inbound.map(|q| q.queue.clone())).unwrap_or_default();
        if inbound.is_none_or(|q| q.partitions == 0) {
            return Ok(Self { queue, partitions: None });
        }
        let site_key = app::site_key(config).map_err(|fault| Report::blind(format!("{fault}; partitions need it, or say --queue {queue}")))?;
        let examiner = app::examiner_to_read(config, site_key.clone()).map_err(Report::blind)?;
        Ok(Self { queue, partitions: Some((examiner, site_key)) })
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The partition of a message's client. A message without a readable client has no order to keep: its octets spread it.
    ///
    /// # Errors
    /// An outage where no keyed hash can be made.
    pub fn through(&self, message: &[u8]) -> Result<Option<Through>, Outage> {
        let Some((examiner, site_key)) = &self.partitions else { return Ok(None) };
        let hash = match examiner.client(message) {
            Some(client) => client,
            None => hmac_sha256(site_key, message).map_err(|_| Outage::new(Part::Machine, "no keyed hash could be made"))?,
        };
        Ok(Some(Through { exchange: partitions::exchange(&self.queue), partition: partitions::value(&hash) }))
    }
}

/// Why no answer may have come: by this configuration the gateway sends none to that queue. The gateway's own configuration may be another one.
fn no_way_back(config: &Config, user: &str, reply: &str) -> Option<String> {
    let rules = app::door(config).ok()?;
    let sentence = format!("no answer goes to {reply} for {user} by this configuration: [senders.{user}] replies says which queues it may ask for\n");
    (!rules.may_reply(user, reply)).then_some(sentence)
}

fn report(command: &Send, outcomes: &[Outcome], way_back: impl FnOnce() -> Option<String>) -> Report {
    let unanswered = outcomes.iter().filter(|o| o.answer.is_none()).count();
    let unexpected: Vec<&Outcome> = command.expect.iter().flat_map(|expected| outcomes.iter().filter(move |o| !o.is(expected))).collect();
    let mut text = format!("{}\n{}\n", outcome::table(outcomes), outcome::counts(outcomes));
    if let Some(expected) = &command.expect
        && !unexpected.is_empty()
    {
        text.push_str(&format!("{} of {} are not {expected}\n", unexpected.len(), outcomes.len()));
    }
    if unanswered > 0
        && let Some(sentence) = way_back()
    {
        text.push_str(&sentence);
    }
    let health = if unanswered == 0 && unexpected.is_empty() { Health::Well } else { Health::Unwell };
    let list: Vec<Value> = outcomes.iter().map(Outcome::json).collect();
    Report::new(health, text, json!({ "messages": list, "unanswered": unanswered, "unexpected": unexpected.len() }))
}

fn read_all(files: &[PathBuf], most: usize) -> Result<Vec<Vec<u8>>, Report> {
    files.iter().map(|f| read_message(Path::new(f), most).map_err(|e| Report::blind(format!("{}: {e}", f.display())))).collect()
}

/// A name for this run, so that answers of another are not mistaken for ours.
pub(super) fn run_id() -> Result<String, Outage> {
    Ok(SystemEntropy::open()?.sixteen().iter().take(6).map(|b| format!("{b:02x}")).collect())
}

pub(super) fn bar(count: usize, quiet: bool) -> ProgressBar {
    if quiet || count < 2 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len}  {per_sec}  {eta}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(count as u64).with_style(style)
}
