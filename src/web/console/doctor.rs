//! Whether everything is as it must be, as `arkki doctor` says it, and what the broker should hold, as `arkki topology` says it. For operators.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tokio::sync::Mutex;

use super::board::table;
use super::html::Html;
use super::{Asked, Console, pages};
use crate::adapters::amqp::doctor::{Check, State as Stands};
use crate::adapters::amqp::topology::{self, Declaration};
use crate::app;
use crate::cli::doctor;
use crate::domain::staff::Role;

/// The page's path.
pub(super) const PATH: &str = "/doctor";
/// Whose it is.
pub(super) const ROLES: &[Role] = &[Role::Operator, Role::Administrator];
/// How long what was seen of servers is shown before they are asked anew.
const FRESH: Duration = Duration::from_secs(20);
/// How long what was seen of this house (configuration, keys, rules, schemas) is shown; longer, for all rules and schemas are compiled for it. What is older is
/// shown once more, while it is looked at anew.
const HOUSE_FRESH: Duration = Duration::from_secs(60);

/// What was seen last, and when.
type Seen = Mutex<Option<(Instant, Arc<Vec<Check>>)>>;

/// What was seen of the house and of the servers. One looks at a time, however many ask.
#[derive(Default)]
pub struct Checked {
    house: Seen,
    world: Seen,
    is_looking: AtomicBool,
}

pub(super) async fn show(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, _) = match Asked::by(&console, &request, ROLES) {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let (house, world) = tokio::join!(house(&console), world(&console));
    let checks: Vec<&Check> = house.iter().chain(world.iter()).collect();
    let word = |key| console.words.get(key, asked.language);
    pages::page(&console, &asked, StatusCode::OK, (word("doctor"), word("doctor")), |html| {
        let any = |state| checks.iter().any(|check| check.state == state);
        let (class, sum) = if any(Stands::Unwell) {
            ("fault", "doctor-unwell")
        } else if any(Stands::Unseen) {
            ("fault", "doctor-blind")
        } else {
            ("good", "doctor-well")
        };
        html.leaf("p", &[("class", class), ("role", "status")], word(sum));
        for (state, heading) in
            [(Stands::Unwell, "doctor-is-unwell"), (Stands::Unseen, "doctor-is-unseen"), (Stands::Odd, "doctor-is-odd"), (Stands::Well, "doctor-is-well")]
        {
            group(&console, &asked, html, heading, checks.iter().copied().filter(|check| check.state == state));
        }
        declarations(&console, &asked, html);
    })
}

async fn world(console: &Console) -> Arc<Vec<Check>> {
    let mut seen = console.checked.world.lock().await;
    if let Some((_, checks)) = seen.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
        return Arc::clone(checks);
    }
    let checks = Arc::new(doctor::world(&console.config).await);
    *seen = Some((Instant::now(), Arc::clone(&checks)));
    checks
}

/// Waits for the first look alone: a later one is made behind the page that asks for it.
async fn house(console: &Arc<Console>) -> Arc<Vec<Check>> {
    let mut seen = console.checked.house.lock().await;
    if let Some((at, checks)) = seen.as_ref() {
        if at.elapsed() >= HOUSE_FRESH && !console.checked.is_looking.swap(true, Ordering::AcqRel) {
            let console = Arc::clone(console);
            tokio::spawn(async move {
                let checks = compiled(&console).await;
                *console.checked.house.lock().await = Some((Instant::now(), checks));
                console.checked.is_looking.store(false, Ordering::Release);
            });
        }
        return Arc::clone(checks);
    }
    let checks = compiled(console).await;
    *seen = Some((Instant::now(), Arc::clone(&checks)));
    checks
}

async fn compiled(console: &Console) -> Arc<Vec<Check>> {
    let config = console.config.clone();
    Arc::new(tokio::task::spawn_blocking(move || doctor::house(&config)).await.unwrap_or_default())
}

fn group<'c>(console: &Console, asked: &Asked, html: &mut Html, heading: &str, checks: impl Iterator<Item = &'c Check>) {
    let checks: Vec<&Check> = checks.collect();
    if checks.is_empty() {
        return;
    }
    html.leaf("h2", &[], console.words.get(heading, asked.language));
    html.open("ul", &[("class", "rows")]);
    for check in checks {
        html.open("li", &[]);
        html.leaf("strong", &[], &check.name);
        html.text(": ");
        html.text(&check.what);
        if let Some(mend) = &check.mend {
            html.open("p", &[]);
            html.text("→ ");
            html.leaf("code", &[], mend);
            html.close("p");
        }
        html.close("li");
    }
    html.close("ul");
}

/// What the broker should hold.
fn declarations(console: &Console, asked: &Asked, html: &mut Html) {
    let word = |key| console.words.get(key, asked.language);
    let Ok(settings) = app::broker_settings(&console.config) else { return };
    let rows = topology::plan(&settings).into_iter().map(|declaration| {
        let (kind, name, more) = match declaration {
            Declaration::Exchange { name, leads } => ("topology-exchange", name, format!("{leads:?}")),
            Declaration::Queue { name, role, arguments } => {
                let arguments = arguments.iter().map(|(key, value)| match value {
                    topology::Argument::Text(text) => format!("{key}={text}"),
                    topology::Argument::Number(number) => format!("{key}={number}"),
                    topology::Argument::Flag(flag) => format!("{key}={flag}"),
                });
                ("topology-queue", name, format!("{role:?}; {}", arguments.collect::<Vec<_>>().join(", ")))
            }
            Declaration::Binding { exchange, queue, key } => ("topology-binding", format!("{exchange} → {queue}"), key.to_owned()),
        };
        vec![name, word(kind).to_owned(), more]
    });
    table(html, word("topology"), &[word("topology-name"), word("topology-kind"), word("topology-more")], &rows.collect::<Vec<_>>());
    html.open("p", &[]);
    html.text(word("topology-apply"));
    html.text(" ");
    html.leaf("code", &[], "arkki topology apply");
    html.close("p");
}
