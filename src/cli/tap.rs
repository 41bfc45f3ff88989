//! `arkki tap`: what passes through the broker, live and masked, without taking anything from anybody.

mod seen;

use std::io::Write as _;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::report::{Health, Report};
use super::stop::Stop;
use crate::adapters::amqp::{Passing, Secret, Tap, partitions};
use crate::adapters::clock::SystemClock;
use crate::config::checked::Config;
use crate::domain::outage::Outage;
use crate::ports::clock::Clock as _;
use seen::{masked, seen};

/// How long the tracer has to show that it is on.
const PROOF: Duration = Duration::from_secs(3);
/// How long at most between two looks at Ctrl-C and at the time.
const LOOK: Duration = Duration::from_millis(200);

const HELP: &str = r#"The broker's own tracer (firehose) copies every message to a queue of this command's alone; that queue is bounded, and gone when the command ends. The
tracer must be on, and costs the broker some of its speed while it is: `rabbitmqctl trace_on -p VHOST` before, `rabbitmqctl trace_off -p VHOST` after.
Shown are moment, way, queue, user, message id, size, and of the content what it is, codes and document ids. Never text, names or identity codes; what looks
like an identity code is covered wherever it stands. Without the tracer, `arkki messages follow` shows what the archive decides.

Ways: in (to an inbound queue), answer, notice, other; LOST is a message that no queue took. What the broker itself moves to the dead-letter queue passes
unseen: its depth is in `arkki top`. Of a message whose headers are nested too deep to be read safely, user and ids are not shown.

Examples:
  arkki tap
  arkki tap --only in --only notice --count 20
  arkki tap --for 10 --json > passed.jsonl

Exit codes: 0 ended by Ctrl-C, --for or --count, 2 the broker could not be reached, or its tracer is off."#;

/// What `tap` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct TapCommand {
    /// Show this way only; may be repeated.
    #[arg(long, value_enum, value_name = "WAY")]
    only: Vec<WayName>,
    /// Show only what this user sends.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Show also each delivery to a consumer, beside each publication.
    #[arg(long)]
    deliveries: bool,
    /// End after so many lines.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End after so many seconds.
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WayName {
    /// To an inbound queue.
    In,
    /// To a reply queue.
    Answer,
    /// To the notice queue.
    Notice,
    /// Anything else.
    Other,
}

impl WayName {
    const fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Answer => "answer",
            Self::Notice => "notice",
            Self::Other => "other",
        }
    }

    fn of(passing: &Passing, config: &Config) -> Self {
        let goes_to = |name: &str| passing.queues.iter().any(|queue| queue == name);
        let is_inbound = config.inbound.iter().any(|inbound| {
            let to_partition = |queue: &String| partitions::number(&inbound.queue, queue).is_some();
            goes_to(&inbound.queue) || passing.exchange == partitions::exchange(&inbound.queue) || passing.queues.iter().any(to_partition)
        });
        if is_inbound {
            Self::In
        } else if goes_to(&config.notice_queue) {
            Self::Notice
        } else if passing.exchange.is_empty() && passing.correlation_id.is_some() {
            Self::Answer
        } else {
            Self::Other
        }
    }
}

/// Shows.
#[must_use]
pub fn run(command: &TapCommand, config: &Config, json: bool) -> Report {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    match runtime.block_on(show(command, config, json)) {
        Ok(report) => report,
        Err(outage) => Report::blind(format!("{}: {outage}", config.broker_url.shown())),
    }
}

async fn show(command: &TapCommand, config: &Config, json: bool) -> Result<Report, Outage> {
    let name = super::send::run_id()?;
    let mut tap = Tap::open(&Secret::new(config.broker_url.reveal()), &name).await?;
    let stop = Stop::listen();
    if !tap.is_on(PROOF).await? {
        tap.close().await;
        let vhost =
            config.broker_url.reveal().rsplit_once('/').map_or("/", |(_, name)| name.split('?').next().unwrap_or("/")).replace("%2f", "/").replace("%2F", "/");
        return Ok(Report::blind(format!(
            "the broker's tracer is off: rabbitmqctl trace_on -p {vhost}\n(it costs the broker some of its speed; rabbitmqctl trace_off -p {vhost} afterwards)"
        )));
    }
    let end = command.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut shown = 0_u64;
    // Ends by Ctrl-C, after the time or the count, or when nobody reads any more; each turn waits a bounded time.
    while !stop.is_asked() && end.is_none_or(|end| Instant::now() < end) && command.count.is_none_or(|count| shown < count) {
        let Some(passing) = tap.next(LOOK).await? else { continue };
        let way = WayName::of(&passing, config);
        let wanted = (command.only.is_empty() || command.only.contains(&way))
            && (command.deliveries || !passing.is_delivery)
            && command.user.as_ref().is_none_or(|user| passing.user.as_ref() == Some(user));
        if !wanted {
            continue;
        }
        shown += 1;
        let at = SystemClock.now().to_iso();
        let line = if json { as_json(&passing, way, &at).to_string() } else { as_line(&passing, way, &at) };
        if writeln!(std::io::stdout(), "{line}").is_err() {
            break;
        }
    }
    tap.close().await;
    // Everything was printed as it went.
    Ok(Report::new(Health::Well, String::new(), Value::Null))
}

fn as_line(passing: &Passing, way: WayName, at: &str) -> String {
    let seen = seen(&passing.body);
    let facts: Vec<String> = seen.facts.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let id = passing.message_id.as_deref().map(seen::plain).unwrap_or_else(|| "–".to_owned());
    let to = passing.correlation_id.as_deref().filter(|_| way != WayName::In).map(|id| format!(" to={}", seen::plain(id))).unwrap_or_default();
    let lost = match passing.routed {
        Some(true) => "",
        Some(false) => " LOST",
        None => " (headers not read)",
    };
    let again = if passing.redelivered { " again" } else { "" };
    let delivered = if passing.is_delivery { ">" } else { "" };
    let line = format!(
        "{} {delivered}{:<6} {:<28} {:<10} {id}{to} {} {} {}{lost}{again}",
        at.get(11..23).unwrap_or(at),
        way.word(),
        masked(&queues(passing)),
        passing.user.as_deref().map(seen::plain).unwrap_or_default(),
        size(passing.body.len()),
        seen.what,
        facts.join(" "),
    );
    line.trim_end().to_owned()
}

fn as_json(passing: &Passing, way: WayName, at: &str) -> Value {
    let seen = seen(&passing.body);
    let facts: serde_json::Map<String, Value> = seen.facts.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect();
    let named = |value: &Option<String>| value.as_deref().map(seen::plain);
    json!({
        "at": at, "way": way.word(), "queues": passing.queues.iter().map(|q| seen::plain(q)).collect::<Vec<_>>(), "delivery": passing.is_delivery,
        "routed": passing.routed, "redelivered": passing.redelivered, "user": named(&passing.user), "message_id": named(&passing.message_id),
        "correlation_id": named(&passing.correlation_id), "reply_to": named(&passing.reply_to), "octets": passing.body.len(), "what": seen.what, "facts": facts,
    })
}

fn queues(passing: &Passing) -> String {
    passing.queues.iter().map(|queue| seen::plain(queue)).collect::<Vec<_>>().join(",")
}

fn size(octets: usize) -> String {
    if octets < 1024 { format!("{octets} B") } else { format!("{:.1} KiB", octets as f64 / 1024.0) }
}
