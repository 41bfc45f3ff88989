//! `arkki topology`: the queues and exchanges that Arkki needs, shown or declared; another number of partitions.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::report::{Health, Report};
use crate::adapters::amqp::switch::{Step, SwitchFault, switch};
use crate::adapters::amqp::topology::{self, Applied};
use crate::adapters::amqp::{AmqpSettings, InboundQueue};
use crate::app;
use crate::config::checked::Config;
use crate::domain::limits;

const HELP: &str = r#"Examples:
  arkki topology plan                    what would be declared, with every argument
  arkki topology apply                   declare it; a queue that stands with other arguments is named with the command that mends it
  arkki topology apply --partitions 8    bring the inbound queue to 8 partitions while messages flow (docs/partitions.md)

Exit codes: 0 well, 1 something stands with other arguments, or an old partition did not run empty in time, 2 the broker could not be reached, or the
queues' depths could not be seen."#;

const APPLY_HELP: &str = r#"Without --partitions: declares what the configuration says and takes nothing away. Safe to repeat.

With --partitions N: binds the N queues, unbinds the others, waits until those have run empty, and deletes them. It may be broken off and run again at any
moment; it needs [broker] management_url, for a queue whose depth cannot be seen is never deleted. Old partitions run empty only while instances consume
them: change [inbound.X] partitions of the running instances before a growth, after a shrinking."#;

/// What `topology` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Topology {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show what would be declared; the broker is not asked.
    Plan,
    /// Declare it. Safe to repeat: what stands as it should is left as it is.
    Apply(Apply),
}

#[derive(Args)]
#[command(after_help = APPLY_HELP)]
struct Apply {
    /// Switch to so many partition queues, 0 to 64.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=i64::from(limits::PARTITIONS)))]
    partitions: Option<u16>,
    /// Of which [inbound.NAME]; needed only where there are several.
    #[arg(long, value_name = "NAME", requires = "partitions")]
    inbound: Option<String>,
    /// How many seconds old partitions may take to run empty.
    #[arg(long, default_value_t = 600, value_name = "SECONDS", requires = "partitions")]
    wait: u64,
}

/// Shows or declares.
#[must_use]
pub fn run(command: &Topology, config: &Config, json: bool) -> Report {
    let settings = match app::broker_settings(config) {
        Ok(settings) => settings,
        Err(fault) => return Report::blind(fault),
    };
    let apply = match &command.verb {
        Verb::Plan => {
            let plan: Vec<String> = topology::plan(&settings).iter().map(ToString::to_string).collect();
            return Report::new(Health::Well, plan.iter().map(|d| format!("{d}\n")).collect(), plan.into_iter().map(Value::String).collect());
        }
        Verb::Apply(apply) => apply,
    };
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    let applied = match runtime.block_on(topology::apply(&declared(&settings, apply))) {
        Ok(applied) => applied,
        Err(outage) => return Report::blind(format!("{}: {outage}", config.broker_url.shown())),
    };
    let report = report(&applied);
    match (apply.partitions, report.health) {
        (Some(count), Health::Well) => match chosen(&settings, apply) {
            Ok(inbound) => runtime.block_on(switched(&settings, inbound, count, apply, json)),
            Err(report) => report,
        },
        _ => report,
    }
}

/// With --partitions the switch itself makes the partitions, as many as it is told and not as many as the configuration says.
fn declared(settings: &AmqpSettings, apply: &Apply) -> AmqpSettings {
    let mut settings = settings.clone();
    if apply.partitions.is_some() {
        settings.inbound.iter_mut().filter(|q| apply.inbound.as_ref().is_none_or(|name| *name == q.name)).for_each(|q| q.partitions = 0);
    }
    settings
}

fn chosen<'a>(settings: &'a AmqpSettings, apply: &Apply) -> Result<&'a InboundQueue, Report> {
    let names: Vec<&str> = settings.inbound.iter().map(|q| q.name.as_str()).collect();
    let found = match (&apply.inbound, settings.inbound.as_slice()) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(name), all) => all.iter().find(|q| q.name == *name),
    };
    found.ok_or_else(|| Report::wish(format!("--inbound NAME: one of {}", names.join(", "))))
}

async fn switched(settings: &AmqpSettings, inbound: &InboundQueue, count: u16, apply: &Apply, json: bool) -> Report {
    let mut steps = Vec::new();
    let mut told = |step: &Step| {
        if !json {
            // Told as it happens: draining takes its time.
            let _closed = writeln!(std::io::stdout(), "{step}");
        }
        steps.push(step.to_string());
        ControlFlow::Continue(())
    };
    let outcome = switch(settings, inbound, count, Duration::from_secs(apply.wait), &mut told).await;
    let (health, text, full) = match outcome {
        Ok(()) if inbound.partitions == count => (Health::Well, format!("{} has {count} partitions\n", inbound.queue), Vec::new()),
        Ok(()) => {
            let text =
                format!("{} has {count} partitions; write [inbound.{}] partitions = {count} in every instance's configuration\n", inbound.queue, inbound.name);
            (Health::Well, text, Vec::new())
        }
        Err(SwitchFault::Full(full)) => {
            let lines = full.iter().map(|(queue, messages, consumers)| match consumers {
                0 => {
                    format!("{queue} holds {messages} messages and nobody consumes it: run an instance with [inbound.{}] partitions as before\n", inbound.name)
                }
                _ => format!("{queue} holds {messages} messages yet\n"),
            });
            let text = format!("{}it goes on where it ended: arkki topology apply --partitions {count}\n", lines.collect::<String>());
            (Health::Unwell, text, full.into_iter().map(|(queue, ..)| queue).collect())
        }
        Err(SwitchFault::Refused { said, mend }) => (Health::Unwell, format!("{said}\n        → {mend}\n"), Vec::new()),
        Err(SwitchFault::Blind { what, mend }) => {
            return Report::blind(format!("the queues' depths cannot be seen, so no partition was changed: {what}\n        → {mend}"));
        }
        Err(SwitchFault::Outage(outage)) => return Report::blind(format!("{outage}; what was done stands: arkki topology apply --partitions {count} goes on")),
        Err(SwitchFault::BrokenOff) => (Health::Unwell, "broken off\n".to_owned(), Vec::new()),
    };
    Report::new(health, text, json!({ "inbound": inbound.name, "partitions": count, "steps": steps, "not_empty": full }))
}

fn report(applied: &[Applied]) -> Report {
    let mut text = String::new();
    for one in applied {
        match &one.fault {
            None => text.push_str(&format!("well    {}\n", one.declaration)),
            Some(fault) => text.push_str(&format!("UNWELL  {}\n        {}\n        {}\n", one.declaration, fault.said, fault.mend)),
        }
    }
    let health = if applied.iter().all(|a| a.fault.is_none()) { Health::Well } else { Health::Unwell };
    let list: Vec<Value> = applied
        .iter()
        .map(|a| json!({ "declaration": a.declaration.to_string(), "well": a.fault.is_none(), "said": a.fault.as_ref().map(|f| f.said.as_str()), "mend": a.fault.as_ref().map(|f| f.mend.as_str()) }))
        .collect();
    Report::new(health, text, Value::Array(list))
}
