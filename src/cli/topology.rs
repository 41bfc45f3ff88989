//! `arkki topology`: the queues and exchanges that Arkki needs, shown or declared.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::report::{Health, Report};
use crate::adapters::amqp::topology::{self, Applied, Argument, Declaration};
use crate::app;
use crate::config::checked::Config;

const HELP: &str = r#"Examples:
  arkki topology plan     what would be declared, with every argument
  arkki topology apply    declare it; a queue that stands with other arguments is named with the command that mends it

Exit codes: 0 well, 1 something stands with other arguments, 2 the broker could not be reached."#;

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
    Apply,
}

/// Shows or declares.
#[must_use]
pub fn run(command: &Topology, config: &Config) -> Report {
    let settings = match app::broker_settings(config) {
        Ok(settings) => settings,
        Err(fault) => return Report::blind(fault),
    };
    match command.verb {
        Verb::Plan => {
            let plan = topology::plan(&settings);
            Report::new(Health::Well, plan.iter().map(|d| format!("{}\n", shown(d))).collect(), plan.iter().map(|d| Value::String(shown(d))).collect())
        }
        Verb::Apply => {
            let runtime = match super::runtime() {
                Ok(runtime) => runtime,
                Err(report) => return report,
            };
            match runtime.block_on(topology::apply(&settings)) {
                Ok(applied) => report(&applied),
                Err(outage) => Report::blind(format!("{}: {outage}", config.broker_url.shown())),
            }
        }
    }
}

fn report(applied: &[Applied]) -> Report {
    let mut text = String::new();
    for one in applied {
        match &one.fault {
            None => text.push_str(&format!("well    {}\n", shown(&one.declaration))),
            Some(fault) => text.push_str(&format!("UNWELL  {}\n        {}\n        {}\n", shown(&one.declaration), fault.said, fault.mend)),
        }
    }
    let health = if applied.iter().all(|a| a.fault.is_none()) { Health::Well } else { Health::Unwell };
    let list: Vec<Value> = applied
        .iter()
        .map(|a| json!({ "declaration": shown(&a.declaration), "well": a.fault.is_none(), "said": a.fault.as_ref().map(|f| f.said.as_str()), "mend": a.fault.as_ref().map(|f| f.mend.as_str()) }))
        .collect();
    Report::new(health, text, Value::Array(list))
}

fn shown(declaration: &Declaration) -> String {
    match declaration {
        Declaration::Exchange { name } => format!("exchange {name} (fanout, durable)"),
        Declaration::Queue { name, arguments, .. } => {
            let list: Vec<String> = arguments
                .iter()
                .map(|(key, value)| match value {
                    Argument::Text(text) => format!("{key}={text}"),
                    Argument::Number(number) => format!("{key}={number}"),
                })
                .collect();
            format!("queue {name} ({})", list.join(", "))
        }
        Declaration::Binding { exchange, queue } => format!("binding {exchange} → {queue}"),
    }
}
