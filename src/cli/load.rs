//! `arkki load`: messages that arrive at a fixed rate whatever becomes of those before them, and how long each took from its arrival to its answer.

mod drive;
mod histogram;
mod page;
mod plot;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::report::{Health, Report, many, writable};
use crate::config::checked::Config;
use crate::domain::limits;
use drive::{Ended, Measured};
use histogram::Histogram;

const HELP: &str = r#"Good documents of synthetic clients (client relation, case, documents of phase I) arrive one after another at the rate, as they would from many senders: an
archive that stalls is not spared those that arrive meanwhile. Each latency counts from the moment at which the message was to arrive, so what a stall
did to those behind it is in the figures (no coordinated omission); the figure from the actual sending stands beside it, and how late this tool itself was.
Put into the environment that is tested only: the documents stay in the archive. Ctrl-C ends the arrivals and reports.

Examples:
  arkki load --rate 200/s --for 60 --html load.html
  arkki load --rate 50/s --for 30 --most-p99 500        for CI: fail when the 99th percentile is above 500 ms

Exit codes: 0 every message was accepted (and in time), 1 one was not, 2 the broker or the queue could not be reached."#;

/// What `load` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Load {
    /// How many messages arrive a second (200/s), minute or hour.
    #[arg(long, default_value = "50/s", value_name = "RATE", value_parser = super::rate::parse)]
    rate: f64,
    /// For how many seconds they arrive, after the warm-up.
    #[arg(long = "for", default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// How many seconds before that are sent and not counted.
    #[arg(long, default_value_t = 3, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(..=3_600))]
    warm_up: u32,
    /// How they arrive.
    #[arg(long, value_enum, default_value = "random")]
    arrivals: Arrivals,
    /// How large each message is, about, in octets.
    #[arg(long, default_value_t = 20_000, value_name = "OCTETS", value_parser = clap::value_parser!(u32).range(6_000..=20_000_000))]
    size: u32,
    /// What the documents follow from; drawn anew when left out, so that nothing is a repeat.
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Fail when the 99th percentile from arrival to answer is above so many milliseconds.
    #[arg(long, value_name = "MS")]
    most_p99: Option<f64>,
    /// Write a report with plots: one file that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// The inbound queue; the first of the configuration when left out.
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Where the answers go; it is declared if it is missing. Default arkki.reply.USER.load
    #[arg(long, value_name = "QUEUE")]
    reply: Option<String>,
    /// Seconds to wait for answers after the last arrival.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    timeout: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Arrivals {
    /// At random moments, as from many senders that know nothing of each other (Poisson).
    Random,
    /// At even distances.
    Even,
}

/// Loads.
#[must_use]
pub fn run(command: &Load, config: &Config, json: bool) -> Report {
    let most = limits::MESSAGE_OCTETS.min(config.message_octets);
    if usize::try_from(command.size).is_ok_and(|size| size > most) {
        return Report::blind(format!("--size: a message has at most {most} octets here"));
    }
    if let Err(report) = writable("--html", command.html.as_deref()) {
        return report;
    }
    let seed = match command.seed.map_or_else(super::generate::drawn, Ok) {
        Ok(seed) => seed,
        Err(why) => return Report::blind(why),
    };
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    let measured = match runtime.block_on(drive::drive(command, config, seed, json)) {
        Ok(Ok(measured)) => measured,
        Ok(Err(report)) => return report,
        Err(outage) => return Report::blind(format!("{}: {outage}", config.broker_url.shown())),
    };
    if let Some(path) = &command.html
        && let Err(e) = std::fs::write(path, page::page(command, &measured))
    {
        return Report::blind(format!("{}: {e}", path.display()));
    }
    report(command, &measured)
}

/// The percentiles that are told.
const TOLD: [(&str, f64); 6] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9), ("p99.99", 99.99), ("most", 100.0)];

/// The three figures, by name.
fn figures(measured: &Measured) -> [(&'static str, &Histogram); 3] {
    [("arrival to answer", &measured.latency), ("sending to answer", &measured.service), ("how late this tool was", &measured.lag)]
}

/// Why it did not go well, sentence by sentence.
fn faults(command: &Load, measured: &Measured) -> Vec<String> {
    let mut faults = Vec::new();
    let other: u64 = measured.answers.iter().filter(|(answer, _)| *answer != "AA").map(|(_, count)| count).sum();
    if other > 0 {
        faults.push(format!("{other} messages were not accepted"));
    }
    if measured.open > 0 {
        faults.push(format!("{} messages were not answered within {} s of the last arrival", measured.open, command.timeout));
    }
    if measured.ended == Ended::Behind {
        faults.push(format!("the answers fell {} messages behind the arrivals: no more were sent", drive::MOST_OPEN));
    }
    let p99 = measured.latency.at(99.0) / 1000.0;
    if let Some(most) = command.most_p99
        && p99 > most
    {
        faults.push(format!("the 99th percentile is {p99:.1} ms, above {most} ms"));
    }
    faults
}

fn report(command: &Load, measured: &Measured) -> Report {
    let faults = faults(command, measured);
    let mut text = format!("{:<24}", "ms");
    TOLD.iter().for_each(|(name, _)| text.push_str(&format!("{name:>10}")));
    text.push('\n');
    for (name, histogram) in figures(measured) {
        text.push_str(&format!("{name:<24}"));
        TOLD.iter().for_each(|(_, per_cent)| text.push_str(&format!("{:>10.1}", histogram.at(*per_cent) / 1000.0)));
        text.push('\n');
    }
    let answers: Vec<String> = measured.answers.iter().map(|(answer, count)| format!("{count} {answer}")).collect();
    text.push_str(&format!(
        "\n{} of about {} octets arrived in {:.1} s ({:.1}/s wanted); {:.1} answers/s\nanswers: {}\nseed {}\n",
        many(measured.sent, "message"),
        command.size,
        measured.arrived_for.as_secs_f64(),
        command.rate,
        measured.throughput(),
        if answers.is_empty() { "none".to_owned() } else { answers.join(", ") },
        measured.seed,
    ));
    if measured.ended == Ended::Stopped {
        text.push_str("stopped before its time\n");
    }
    if measured.latency.at(50.0) < 2.0 * measured.lag.at(99.0) {
        text.push_str("this tool itself was late: part of the latency is its own; give it a machine of its own, or a lower rate\n");
    }
    if let Some(path) = &command.html {
        text.push_str(&format!("report: {}\n", path.display()));
    }
    faults.iter().for_each(|fault| text.push_str(&format!("UNWELL  {fault}\n")));
    let percentiles =
        |h: &Histogram| -> Value { TOLD.iter().map(|(name, p)| ((*name).to_owned(), json!(h.at(*p) / 1000.0))).collect::<serde_json::Map<_, _>>().into() };
    let value = json!({
        "rate": command.rate, "seconds": measured.arrived_for.as_secs_f64(), "sent": measured.sent, "counted": measured.latency.count(),
        "open": measured.open, "answers": measured.answers, "throughput": measured.throughput(), "seed": measured.seed,
        "arrival_to_answer_ms": percentiles(&measured.latency), "sending_to_answer_ms": percentiles(&measured.service),
        "tool_late_ms": percentiles(&measured.lag), "faults": faults,
    });
    Report::new(if faults.is_empty() { Health::Well } else { Health::Unwell }, text, value)
}

impl Load {
    fn warm_up(&self) -> Duration {
        Duration::from_secs(u64::from(self.warm_up))
    }

    /// Warm-up and all.
    fn whole(&self) -> Duration {
        self.warm_up() + Duration::from_secs(u64::from(self.seconds))
    }
}
