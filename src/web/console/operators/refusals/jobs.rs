//! Replays: their progress, a stop that acts within a second, and what each message came to.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::super::super::board;
use super::super::super::html::Html;
use super::super::super::session::Visit;
use super::super::super::{Asked, Console, guard, pages, query};
use super::super::{ROLES, messages, table, time};
use super::{JOBS, PAGE, PATH, by, field, link, onward, unreadable};
use crate::domain::language::Language;
use crate::domain::refused::{ItemState, Job, JobId, JobItem, JobState, RefusalId, ReplayOutcome};
use crate::ports::refusals::{Change, Refusals as _};

/// How many replays the list shows, the newest.
const SHOWN: u32 = 50;
/// How often an open page is told of the progress.
const LOOK: Duration = Duration::from_millis(500);
/// How often a page without script brings itself up to date where its reader chose that, in seconds.
const REFRESH: &str = "3";

/// The newest replays.
pub(super) async fn list(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, _) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let found = async { console.archive().await?.replay_jobs(SHOWN).await };
    let found = match found.await {
        Ok(found) => found,
        Err(outage) => return pages::out_of_reach(&console, &asked, &outage),
    };
    let word = |key| console.words.get(key, asked.language);
    pages::page(&console, &asked, StatusCode::OK, (word("replays"), word("replays")), |html| {
        if found.is_empty() {
            html.leaf("p", &[("role", "status")], word("replays-none"));
        } else {
            let heads = ["replay", "when", "who", "refusals-why", "state", "replay-decided", "replay-waiting"].map(word);
            table(html, word("replays"), &heads, |html| {
                for job in &found {
                    html.open("tr", &[]);
                    html.open("th", &[("scope", "row")]);
                    html.leaf("a", &[("href", &format!("{JOBS}/{}", job.id.0))], &format!("{} {}", word("replay"), job.id.0));
                    html.close("th");
                    let decided = format!("{} / {}", job.decided(), job.total);
                    [&time(job.by.at), &job.by.who, &job.by.why, word(job_word(job.state)), &decided, &job.waiting.to_string()]
                        .into_iter()
                        .for_each(|cell| html.leaf("td", &[], cell));
                    html.close("tr");
                }
            });
        }
        link(html, PATH, word("refusals"));
    })
}

/// One replay.
pub(super) async fn show(State(console): State<Arc<Console>>, Path(id): Path<String>, request: Request) -> Response {
    let (asked, visit) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let after = RefusalId(query(request.uri(), "after").and_then(|id| id.parse().ok()).filter(|id| i64::try_from(*id).is_ok()).unwrap_or(0));
    let refreshes = query(request.uri(), "refresh").is_some();
    let found = async {
        let archive = console.archive().await?;
        let Some(job) = archive.replay_job(job_id(&id)).await? else { return Ok(None) };
        Ok(Some((archive.replay_items(job.id, after, PAGE).await?, job)))
    };
    match found.await {
        Ok(Some((items, job))) => {
            let mut response = page(&console, &asked, &visit, &job, &items, refreshes);
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(board::POLICY));
            response
        }
        Ok(None) => none(&console, &asked),
        Err(outage) => pages::out_of_reach(&console, &asked, &outage),
    }
}

fn none(console: &Console, asked: &Asked) -> Response {
    pages::words(console, asked, StatusCode::NOT_FOUND, ("replay-none-heading", "replay-none"))
}

/// The number in an address; one that no replay has where it is none.
fn job_id(text: &str) -> JobId {
    JobId(text.parse().ok().filter(|id| i64::try_from(*id).is_ok()).unwrap_or(0))
}

/// Whether something of it will still change by itself.
fn is_moving(job: &Job) -> bool {
    job.state == JobState::Running || job.on_road > 0
}

fn page(console: &Console, asked: &Asked, visit: &Visit, job: &Job, items: &[JobItem], refreshes: bool) -> Response {
    let word = |key| console.words.get(key, asked.language);
    let (title, own) = (format!("{} {}", word("replay"), job.id.0), format!("{JOBS}/{}", job.id.0));
    pages::page(console, asked, StatusCode::OK, (&title, &title), |html| {
        html.leaf("p", &[], &format!("{} · {} · {}", job.by.who, time(job.by.at), job.by.why));
        html.open("p", &[("class", "hint")]);
        html.leaf("code", &[], &job.criteria);
        html.text(&format!(" · {} {}", word("replay-rate"), job.rate));
        if job.answer_again {
            html.text(&format!(" · {}", word("replay-again")));
        }
        html.close("p");
        html.open("div", &[("id", "board"), ("data-stream", &format!("{own}/stream?lang={}", asked.language.as_str()))]);
        progress(console, asked.language, job, html);
        html.close("div");
        if is_moving(job) {
            up_to_date(console, asked, html, (&own, refreshes));
        }
        changes(console, asked, visit, html, job, &own);
        results(console, asked, html, items, &own);
        link(html, JOBS, word("replays"));
        link(html, PATH, word("refusals"));
    })
}

/// By which way the page keeps up: the console's script, or what its reader chooses.
fn up_to_date(console: &Console, asked: &Asked, html: &mut Html, (own, refreshes): (&str, bool)) {
    let word = |key| console.words.get(key, asked.language);
    html.open("p", &[("class", "hint")]);
    html.leaf("span", &[("id", "live"), ("data-live", word("board-live")), ("data-lost", word("board-lost"))], "");
    html.open("noscript", &[]);
    if refreshes {
        html.open("meta", &[("http-equiv", "refresh"), ("content", REFRESH)]);
        html.leaf("a", &[("href", own)], word("board-still"));
    } else {
        html.leaf("a", &[("href", own)], word("replay-look"));
        html.text(" · ");
        html.leaf("a", &[("href", &format!("{own}?refresh=1"))], word("replay-refresh"));
    }
    html.close("noscript");
    html.close("p");
    html.open("script", &[("src", "/board.js"), ("defer", "")]);
    html.close("script");
}

/// All that changes, as it stands in the page and as it is sent to it.
fn progress(console: &Console, language: Language, job: &Job, html: &mut Html) {
    let word = |key| console.words.get(key, language);
    html.leaf("p", &[("class", "calm"), ("role", "status"), ("id", "state")], word(job_word(job.state)));
    if job.total == 0 {
        html.leaf("p", &[], word("replay-took-nothing"));
        return;
    }
    let (ended, total) = ((job.decided() + job.dropped).to_string(), job.total.to_string());
    html.leaf("progress", &[("value", &ended), ("max", &total), ("aria-label", word("replay-progress"))], &format!("{ended} / {total}"));
    html.open("dl", &[]);
    let row = |html: &mut Html, id: &str, key: &'static str, value: String| {
        html.leaf("dt", &[], word(key));
        html.leaf("dd", &[("id", id)], &value);
    };
    row(html, "decided", "replay-decided", format!("{} / {total}", job.decided()));
    row(html, "waiting", "replay-waiting", job.waiting.to_string());
    row(html, "on-road", "replay-on-road", job.on_road.to_string());
    row(html, "dropped", "replay-dropped", job.dropped.to_string());
    for (outcome, count) in ReplayOutcome::ALL.iter().zip(job.outcomes) {
        row(html, outcome.as_str(), outcome_word(*outcome), count.to_string());
    }
    html.close("dl");
    if let Some((who, at)) = &job.changed {
        html.leaf("p", &[("class", "hint")], &format!("{}: {who} · {}", word("replay-changed"), time(*at)));
    }
}

/// What may be done to it as it stands.
fn changes(console: &Console, asked: &Asked, visit: &Visit, html: &mut Html, job: &Job, own: &str) {
    let word = |key| console.words.get(key, asked.language);
    let offered: &[(&str, &str)] = match job.state {
        JobState::Running => &[("stop", "replay-stop"), ("end", "replay-end")],
        JobState::Stopped => &[("resume", "replay-resume"), ("end", "replay-end")],
        JobState::Done | JobState::Ended => return,
    };
    html.open("form", &[("method", "post"), ("action", own), ("id", "change")]);
    html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
    html.open("p", &[("class", "actions")]);
    for (value, key) in offered {
        let class = if *value == "end" { "" } else { "main" };
        html.leaf("button", &[("class", class), ("name", "change"), ("value", value)], word(key));
    }
    html.close("p");
    html.close("form");
    html.leaf("p", &[("class", "hint")], word("replay-change-hint"));
}

/// What each message came to.
fn results(console: &Console, asked: &Asked, html: &mut Html, items: &[JobItem], own: &str) {
    let word = |key| console.words.get(key, asked.language);
    if items.is_empty() {
        return;
    }
    html.leaf("h2", &[("id", "items")], word("messages"));
    table(html, word("messages"), &["replay-before", "state", "replay-outcome", "replay-after", "when"].map(word), |html| {
        for item in items {
            let (replayed, dash) = (&item.replayed, || "–".to_owned());
            html.open("tr", &[]);
            html.open("th", &[("scope", "row")]);
            html.leaf("a", &[("href", &format!("{}/{}", messages::PATH, replayed.before.0))], &replayed.before.0.to_string());
            html.close("th");
            html.leaf("td", &[], word(item_word(replayed.state)));
            html.leaf("td", &[], replayed.outcome.map_or("–", |outcome| word(outcome_word(outcome))));
            html.leaf("td", &[], &replayed.after.map_or_else(dash, |after| after.0.to_string()));
            html.leaf("td", &[], &replayed.at.map_or_else(dash, time));
            html.close("tr");
        }
    });
    if let Some(last) = items.last().filter(|_| items.len() >= PAGE as usize) {
        html.open("p", &[]);
        html.leaf("a", &[("href", &format!("{own}?after={}#items", last.refusal.0)), ("rel", "next")], word("refusals-more"));
        html.close("p");
    }
}

/// Stops, resumes or ends it.
pub(super) async fn change(State(console): State<Arc<Console>>, Path(id): Path<String>, request: Request) -> Response {
    let (asked, visit, pairs) = match guard::acting(&console, request, ROLES).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    let change = match field(&pairs, "change") {
        "stop" => Change::Stop,
        "resume" => Change::Resume,
        "end" => Change::End,
        _ => return unreadable(&console, &asked),
    };
    let changed = async { console.archive().await?.change_replay(job_id(&id), change, &by(&console, &visit, "")).await };
    match changed.await {
        Ok(Some(job)) => onward(&format!("{JOBS}/{}", job.id.0)),
        Ok(None) => none(&console, &asked),
        Err(outage) => pages::out_of_reach(&console, &asked, &outage),
    }
}

/// A page that stands open.
struct Reader {
    console: Arc<Console>,
    visit: Visit,
    language: Language,
    job: JobId,
    is_over: bool,
    _place: tokio::sync::OwnedSemaphorePermit,
}

/// The replay's progress for as long as it moves and the session lasts; then the word that the page is to be made anew, with other buttons.
pub(super) async fn stream(State(console): State<Arc<Console>>, Path(id): Path<String>, request: Request) -> Response {
    let (asked, visit) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let Some(place) = console.board.reader() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let reader = Reader { visit, language: asked.language, job: job_id(&id), is_over: false, _place: place, console: Arc::clone(&console) };
    let events = stream::unfold(reader, |mut reader| async move {
        if reader.is_over {
            return None;
        }
        tokio::time::sleep(LOOK).await;
        if reader.console.board.is_over() || !reader.console.desk.is_in(&reader.visit, Instant::now()) {
            return None;
        }
        let archive = reader.console.archive().await.ok()?;
        let job = archive.replay_job(reader.job).await.ok()??;
        if is_moving(&job) {
            let mut html = Html::default();
            progress(&reader.console, reader.language, &job, &mut html);
            return Some((Ok::<_, Infallible>(Event::default().event("board").data(html.fragment())), reader));
        }
        reader.is_over = true;
        Some((Ok(Event::default().event("over").data("over")), reader))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

const fn job_word(state: JobState) -> &'static str {
    match state {
        JobState::Running => "replay-running",
        JobState::Stopped => "replay-stopped",
        JobState::Done => "replay-done",
        JobState::Ended => "replay-ended",
    }
}

pub(super) const fn item_word(state: ItemState) -> &'static str {
    match state {
        ItemState::Waiting => "replay-item-waiting",
        ItemState::OnRoad => "replay-on-road",
        ItemState::Decided => "step-decided",
        ItemState::Dropped => "replay-dropped",
    }
}

pub(super) const fn outcome_word(outcome: ReplayOutcome) -> &'static str {
    match outcome {
        ReplayOutcome::Accepted => "outcome-accepted",
        ReplayOutcome::Same => "outcome-same",
        ReplayOutcome::Refused => "outcome-refused",
        ReplayOutcome::Held => "outcome-held",
        ReplayOutcome::Already => "outcome-already",
    }
}
