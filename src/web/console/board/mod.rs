//! The board: the gateway at this moment, for operators. What it shows is `arkki top`'s snapshot; small plots show the last minutes. With the console's one
//! script it is brought up to date as it stands there; without, by a link.
//!
//! * `live`: looks from time to time, and tells the pages that stand open
//! * `plot`: a line of numbers as a picture

mod live;
mod plot;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

pub(super) use live::{Board, stream};

use self::live::{Look, Series};
use super::html::Html;
use super::session::Visit;
use super::{Asked, Console, pages};
use crate::domain::language::Language;
use crate::domain::staff::Role;
use crate::telemetry::alarms;
use crate::telemetry::snapshot::Snapshot;

/// Where the board's news come from.
pub(super) const STREAM: &str = "/board/stream";
/// The console's one script.
pub(super) const SCRIPT: &str = include_str!("board.js");
/// What a browser may do with the board, and with a replay that keeps itself up to date: run the console's own script and listen to its news.
pub(super) const POLICY: &str =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
/// How often a page brings itself up to date without a script, in seconds, where its reader chose that.
const REFRESH: u32 = 10;

/// The first page: the board for operators, and for everybody where they may go.
pub(super) async fn show(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit) = match Asked::by(&console, &request, &Role::ALL) {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    if !visit.may(Role::Operator) {
        return pages::home(&console, &asked, &visit);
    }
    let refreshes = super::query(request.uri(), "refresh").is_some();
    let mut response = page(&console, &asked, &visit, refreshes);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

fn page(console: &Console, asked: &Asked, visit: &Visit, refreshes: bool) -> Response {
    let word = |key| console.words.get(key, asked.language);
    let series = console.board.now();
    pages::page(console, asked, StatusCode::OK, (word("board"), word("board")), |html| {
        html.open("div", &[("id", "board"), ("data-stream", &format!("{STREAM}?lang={}", asked.language.as_str()))]);
        render(console, asked.language, &series, html);
        html.close("div");
        html.open("p", &[("class", "hint")]);
        html.leaf("span", &[("id", "live"), ("data-live", word("board-live")), ("data-lost", word("board-lost"))], "");
        html.open("noscript", &[]);
        if refreshes {
            html.open("meta", &[("http-equiv", "refresh"), ("content", &REFRESH.to_string())]);
            html.leaf("a", &[("href", "/")], word("board-still"));
        } else {
            html.leaf("a", &[("href", "/")], word("board-again"));
            html.text(" · ");
            html.leaf("a", &[("href", "/?refresh=1")], word("board-refresh"));
        }
        html.close("noscript");
        html.close("p");
        pages::ways(console, asked, visit, html);
        html.open("script", &[("src", "/board.js"), ("defer", "")]);
        html.close("script");
    })
}

/// All that changes, as it stands in the page and as it is sent to it.
fn render(console: &Console, language: Language, series: &Series, html: &mut Html) {
    let word = |key| console.words.get(key, language);
    glass(console, language, html);
    let Some(snapshot) = &series.snapshot else {
        html.leaf("p", &[("class", "calm")], word("board-none"));
        return;
    };
    open_alarms(console, language, snapshot, html);
    tiles(console, language, series, snapshot, html);
    instances(console, language, snapshot, html);
    queues(console, language, snapshot, html);
    lasting(console, language, snapshot, html);
    html.leaf("p", &[("class", "hint")], &format!("{} {}", word("board-at"), snapshot.at.to_iso()));
}

/// Whose glass is broken: everybody at the board sees it until it is mended.
fn glass(console: &Console, language: Language, html: &mut Html) {
    let broken = console.desk.seen(std::time::Instant::now()).into_iter().filter(|one| one.has_glass);
    for one in broken {
        html.open("div", &[("class", "summary"), ("role", "alert")]);
        html.leaf("p", &[], &format!("{}: {}", console.words.get("board-glass", language), one.person.name));
        html.close("div");
    }
}

fn open_alarms(console: &Console, language: Language, snapshot: &Snapshot, html: &mut Html) {
    let word = |key| console.words.get(key, language);
    if snapshot.alarms.is_empty() {
        html.leaf("p", &[("class", "good"), ("role", "status")], word("board-calm"));
        return;
    }
    html.open("div", &[("class", "summary"), ("role", "alert")]);
    html.leaf("h2", &[], word("board-alarms"));
    html.open("ul", &[("class", "alarms")]);
    for open in &snapshot.alarms {
        html.open("li", &[]);
        html.leaf("strong", &[], &open.name);
        let since = format!(" ({} {}) ", word("board-since"), open.since.to_iso());
        html.text(&since);
        if let Some(rule) = alarms::rule(&open.name) {
            html.text(rule.says(language));
            html.text(" → ");
            html.leaf("code", &[], rule.mend);
        }
        html.close("li");
    }
    html.close("ul");
    html.close("div");
}

/// One number with its past.
struct Tile<'a> {
    name: &'a str,
    value: String,
    more: String,
    past: Vec<f64>,
}

fn tiles(console: &Console, language: Language, series: &Series, snapshot: &Snapshot, html: &mut Html) {
    let word = |key| console.words.get(key, language);
    let (flow, standing) = (&snapshot.flow, &snapshot.standing);
    let past = |of: fn(&Look) -> f64| series.past.iter().map(of).collect::<Vec<f64>>();
    let tile = |name, value: String, more: String, past: Vec<f64>| Tile { name: word(name), value, more, past };
    let all = [
        tile("board-rate", per_second(flow.per_second), format!("{} {}", word("board-answers"), per_second(flow.answers_per_second)), past(|l| l.rate)),
        tile("board-latency", seconds(flow.p50), format!("99 %: {}", seconds(flow.p99)), past(|l| l.p99)),
        tile("board-oldest", seconds(Some(standing.oldest)), String::new(), past(|l| l.oldest)),
        tile("board-outbox", count(standing.outbox), format!("{} {}", word("board-eldest"), seconds(Some(standing.outbox_oldest))), past(|l| l.outbox)),
        tile("board-queued", count(inbound(snapshot)), String::new(), past(|l| l.queued)),
        tile("board-held", count(standing.held), format!("{} {}", word("board-eldest"), seconds(Some(standing.held_oldest))), Vec::new()),
        tile("board-unexplained", standing.unexplained.map_or_else(|| "–".to_owned(), count), String::new(), Vec::new()),
        tile("board-unroutable", count(standing.unroutable), String::new(), Vec::new()),
        tile("board-documents", count(standing.documents), format!("{} {}", word("board-ledger"), count(standing.ledger)), Vec::new()),
    ];
    html.open("div", &[("class", "tiles")]);
    for tile in all {
        html.open("section", &[("class", "tile")]);
        html.leaf("h2", &[], tile.name);
        html.leaf("p", &[("class", "number")], &tile.value);
        if !tile.more.is_empty() {
            html.leaf("p", &[("class", "hint")], &tile.more);
        }
        plot::draw(html, &tile.past, &format!("{}: {}", tile.name, word("board-past")));
        html.close("section");
    }
    html.close("div");
}

fn inbound(snapshot: &Snapshot) -> u64 {
    snapshot.queues.iter().filter(|queue| queue.role == "inbound").map(|queue| queue.messages).sum()
}

/// A table that scrolls by itself where the screen is narrow.
pub(super) fn table(html: &mut Html, caption: &str, heads: &[&str], rows: &[Vec<String>]) {
    html.open("div", &[("class", "scrolls"), ("tabindex", "0"), ("role", "region"), ("aria-label", caption)]);
    html.open("table", &[]);
    html.leaf("caption", &[], caption);
    html.open("thead", &[]);
    html.open("tr", &[]);
    heads.iter().for_each(|head| html.leaf("th", &[("scope", "col")], head));
    html.close("tr");
    html.close("thead");
    html.open("tbody", &[]);
    for row in rows {
        html.open("tr", &[]);
        for (at, cell) in row.iter().enumerate() {
            if at == 0 { html.leaf("th", &[("scope", "row")], cell) } else { html.leaf("td", &[], cell) }
        }
        html.close("tr");
    }
    html.close("tbody");
    html.close("table");
    html.close("div");
}

fn instances(console: &Console, language: Language, snapshot: &Snapshot, html: &mut Html) {
    let word = |key| console.words.get(key, language);
    let row = |one: &crate::telemetry::snapshot::Instance| {
        let state = if !one.is_up {
            word("board-down").to_owned()
        } else if !one.outages.is_empty() {
            format!("{}: {}", word("board-outage"), one.outages.join(", "))
        } else if one.has_broker {
            word("board-up").to_owned()
        } else {
            word("board-no-broker").to_owned()
        };
        vec![one.name.clone(), state, per_second(one.per_second), count(one.in_hand), count(one.lanes), count(one.lane_waits)]
    };
    let heads = [word("board-instance"), word("board-state"), word("board-rate"), word("board-in-hand"), word("board-lanes"), word("board-lane-waits")];
    table(html, word("board-instances"), &heads, &snapshot.instances.iter().map(row).collect::<Vec<_>>());
}

fn queues(console: &Console, language: Language, snapshot: &Snapshot, html: &mut Html) {
    if snapshot.queues.is_empty() {
        return;
    }
    let word = |key| console.words.get(key, language);
    let row = |one: &crate::telemetry::snapshot::Queue| vec![one.name.clone(), one.role.clone(), count(one.messages), count(one.consumers)];
    let heads = [word("board-queue"), word("board-role"), word("board-messages"), word("board-readers")];
    table(html, word("board-queues"), &heads, &snapshot.queues.iter().map(row).collect::<Vec<_>>());
}

fn lasting(console: &Console, language: Language, snapshot: &Snapshot, html: &mut Html) {
    let word = |key| console.words.get(key, language);
    html.open("dl", &[]);
    for (role, days) in &snapshot.standing.certificate_days {
        html.leaf("dt", &[], &format!("{} ({role})", word("board-certificate")));
        html.leaf("dd", &[], &format!("{days} {}", word("board-days")));
    }
    for (folder, free) in &snapshot.standing.disk_free {
        html.leaf("dt", &[], &format!("{} {folder}", word("board-disk")));
        html.leaf("dd", &[], &format!("{:.0} % {}", free * 100.0, word("board-free")));
    }
    html.close("dl");
}

fn per_second(rate: Option<f64>) -> String {
    match rate {
        None => "–".to_owned(),
        Some(rate) if rate > 0.0 && rate < 10.0 => format!("{rate:.1}/s"),
        Some(rate) => format!("{rate:.0}/s"),
    }
}

fn seconds(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(0.0) => "0 s".to_owned(),
        Some(s) if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        Some(s) if s < 10.0 => format!("{s:.1} s"),
        Some(s) if s < 120.0 => format!("{s:.0} s"),
        Some(s) if s < 7200.0 => format!("{:.0} min", s / 60.0),
        Some(s) => format!("{:.0} h", s / 3600.0),
    }
}

/// A count in groups of three, which do not break.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!([count(0), count(999), count(1_000), count(1_234_567)], ["0", "999", "1\u{a0}000", "1\u{a0}234\u{a0}567"]);
        assert_eq!(
            [seconds(None), seconds(Some(0.0)), seconds(Some(0.012)), seconds(Some(90.0)), seconds(Some(600.0))],
            ["–", "0 s", "12 ms", "90 s", "10 min"]
        );
        assert_eq!([per_second(None), per_second(Some(0.0)), per_second(Some(0.5)), per_second(Some(1500.4))], ["–", "0/s", "0.5/s", "1500/s"]);
    }
}
