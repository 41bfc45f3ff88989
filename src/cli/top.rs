//! `arkki top`: the gateway at this moment, on a terminal and live, or once as lines or JSON.

mod screen;
mod shown;

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::codes::language;
use super::report::{Health, Report};
use crate::app::Watching;
use crate::config::checked::Config;
use crate::domain::language::Language;
use crate::telemetry::snapshot::Snapshot;
use screen::View;

const HELP: &str = r#"Reads /metrics of the instances, and the queues from RabbitMQ's management API where [broker] management_url is set. It changes nothing and
shows nothing personal.

Keys: q quit, p pause, + and - faster and slower, Tab the next page (all, queues, alarms), arrows scroll, ? what the numbers mean.

Examples:
  arkki top
  arkki top --instance gw1:9464 --instance gw2:9464
  arkki top --once          one look, for a script
  arkki top --once --json

Exit codes: 0 well, 1 an alarm is open or an instance is down (with --once), 2 could not look."#;

/// Between the two looks of `--once`: rates need two.
const ONCE: Duration = Duration::from_secs(1);
/// How long a key is waited for before the screen is looked at again.
const KEYS: Duration = Duration::from_millis(50);
/// The quickest and the slowest pace.
const PACE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// What `top` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Top {
    /// Watch this instance, HOST:PORT of its telemetry.listen; may be repeated. Without it those of telemetry.instances.
    #[arg(long, value_name = "HOST:PORT")]
    instance: Vec<String>,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = pace)]
    every: f64,
    /// Look once and print it, instead of the live view.
    #[arg(long)]
    once: bool,
    /// Language of the alarms: fi, sv or en.
    #[arg(long, default_value = "en", value_parser = language)]
    language: Language,
}

fn pace(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "say a number of seconds".to_owned())?;
    (PACE.0.as_secs_f64()..=PACE.1.as_secs_f64()).contains(&seconds).then_some(seconds).ok_or_else(|| "say 0.5 to 60 seconds".to_owned())
}

/// Watches until it is told to stop, or once.
#[must_use]
pub fn run(command: &Top, config: &Config, json: bool) -> Report {
    let watching = match Watching::new(config, &command.instance) {
        Ok(watching) => Arc::new(watching),
        Err(fault) => return Report::blind(fault),
    };
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    if command.once || json {
        let snapshot = runtime.block_on(async {
            watching.look().await;
            tokio::time::sleep(ONCE).await;
            watching.look().await
        });
        return report(&snapshot, command.language);
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Report::blind("arkki top draws on a terminal, and this is none; --once prints one look");
    }
    match live(command, &runtime, &watching) {
        Ok(()) => Report::new(Health::Well, String::new(), serde_json::json!({ "stopped": true })),
        Err(error) => Report::blind(format!("the terminal: {error}")),
    }
}

fn report(snapshot: &Snapshot, language: Language) -> Report {
    if snapshot.instances.iter().all(|instance| !instance.is_up) {
        let names: Vec<&str> = snapshot.instances.iter().map(|instance| instance.name.as_str()).collect();
        return Report::blind(format!("no instance answers: {}; is `arkki serve` running, and is this its [telemetry] listen?", names.join(", ")));
    }
    let health = if snapshot.alarms.is_empty() { Health::Well } else { Health::Unwell };
    Report::new(health, shown::lines(snapshot, language), shown::json(snapshot, language))
}

/// Looks in the background, so that a silent instance keeps no key waiting.
fn live(command: &Top, runtime: &tokio::runtime::Runtime, watching: &Arc<Watching>) -> std::io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let mut view = View::new(Duration::from_secs_f64(command.every), command.language);
    let (give, mut take) = mpsc::channel::<Snapshot>(1);
    let (mut looking, mut next) = (false, Instant::now());
    // Ends with a key, or with the terminal.
    let outcome = loop {
        if let Ok(snapshot) = take.try_recv() {
            looking = false;
            view.take(snapshot);
        }
        if !looking && !view.is_paused && Instant::now() >= next {
            (looking, next) = (true, Instant::now() + view.pace);
            let (give, watching) = (give.clone(), Arc::clone(watching));
            runtime.spawn(async move {
                let snapshot = watching.look().await;
                let _gone = give.send(snapshot).await;
            });
        }
        if let Err(error) = terminal.draw(|frame| view.draw(frame)) {
            break Err(error);
        }
        match event::poll(KEYS).and_then(|ready| if ready { event::read().map(Some) } else { Ok(None) }) {
            Err(error) => break Err(error),
            Ok(Some(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                let interrupt = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
                if interrupt || !pressed(&mut view, key.code) {
                    break Ok(());
                }
            }
            Ok(_) => {}
        }
    };
    ratatui::restore();
    outcome
}

/// Does what a key says; `false` for the one that quits.
fn pressed(view: &mut View, key: KeyCode) -> bool {
    match key {
        KeyCode::Char('q' | 'Q') | KeyCode::Esc => return false,
        KeyCode::Char('p' | ' ') => view.is_paused = !view.is_paused,
        KeyCode::Char('+') => view.pace = (view.pace / 2).max(PACE.0),
        KeyCode::Char('-') => view.pace = (view.pace * 2).min(PACE.1),
        KeyCode::Tab => view.turn(true),
        KeyCode::BackTab => view.turn(false),
        KeyCode::Down => view.scroll = view.scroll.saturating_add(1),
        KeyCode::Up => view.scroll = view.scroll.saturating_sub(1),
        KeyCode::Char('?' | 'h') => view.is_explained = !view.is_explained,
        _ => {}
    }
    true
}
