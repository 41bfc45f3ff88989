//! `/rehearsal`: the last messages under other rules, read-only, before the rules change. The folders stand in the configuration; a browser names them by number. One runs at a
//! time, beside the pages, for a bounded time over a bounded number of messages.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::super::html::Html;
use super::super::session::Visit;
use super::super::{Asked, Console, guard, pages, query};
use super::{ROLES, messages, table, time};
use crate::app;
use crate::config::checked::Config;
use crate::domain::code::Code;
use crate::domain::time::Moment;
use crate::pipeline::rehearse::{self, Rehearsal, Turn, Wish};

/// Where it is.
pub(in super::super) const PATH: &str = "/rehearsal";
/// The most messages: `arkki rehearse` takes more.
const MOST: u32 = 5_000;
/// How many where nothing else is said.
const USUAL: &str = "500";
/// How long one may take.
const LONGEST: Duration = Duration::from_secs(120);
/// How many changes the page names.
const NAMED: usize = 200;
/// What a bare document is checked as where that is not kept.
const PROFILE: &str = "kanta-social";
/// How often the page brings itself up to date where its reader chose that, in seconds.
const REFRESH: &str = "3";

/// The rehearsal that runs, or ran last. It lives with the process: nothing of it is written.
#[derive(Default)]
pub struct Rehearsals(Mutex<Option<Arc<Run>>>);

impl Rehearsals {
    fn last(&self) -> Option<Arc<Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the place of the last one; `false` where it still runs.
    fn begin(&self, run: &Arc<Run>) -> bool {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if place.as_ref().is_some_and(|run| run.end.get().is_none()) {
            return false;
        }
        *place = Some(Arc::clone(run));
        true
    }
}

/// One rehearsal.
struct Run {
    folder: PathBuf,
    last: u32,
    who: String,
    at: Moment,
    looked: AtomicU64,
    is_stopped: AtomicBool,
    end: OnceLock<Result<Ended, String>>,
}

/// What it came to.
struct Ended {
    today: String,
    candidate: String,
    rehearsal: Rehearsal,
    /// Not all messages were examined: the time was up, or somebody stopped it.
    is_cut: bool,
}

pub(super) async fn show(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let refreshes = query(request.uri(), "refresh").is_some();
    page(&console, &asked, &visit, StatusCode::OK, (None, refreshes))
}

/// Begins one, or stops it.
pub(super) async fn begin(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit, pairs) = match guard::acting(&console, request, ROLES).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    let field = |name: &str| pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim());
    let back = || (StatusCode::SEE_OTHER, [(header::LOCATION, PATH)]).into_response();
    if field("action") == "stop" {
        if let Some(run) = console.rehearsals.last() {
            run.is_stopped.store(true, Ordering::Relaxed);
        }
        return back();
    }
    let folder = field("folder").parse::<usize>().ok().and_then(|at| console.config.console.rehearsals.get(at));
    let last = field("last").parse::<u32>().ok().filter(|last| (1..=MOST).contains(last));
    let (Some(folder), Some(last)) = (folder, last) else {
        return page(&console, &asked, &visit, StatusCode::UNPROCESSABLE_ENTITY, (Some("rehearsal-fault"), false));
    };
    let run = Arc::new(Run {
        folder: folder.clone(),
        last,
        who: visit.person.actor(),
        at: console.clock.now(),
        looked: AtomicU64::new(0),
        is_stopped: AtomicBool::new(false),
        end: OnceLock::new(),
    });
    if !console.rehearsals.begin(&run) {
        return page(&console, &asked, &visit, StatusCode::CONFLICT, (Some("rehearsal-busy"), false));
    }
    tokio::spawn(async move {
        let ended = tokio::spawn(rehearsed(console, Arc::clone(&run))).await;
        // Whatever became of it, the next one may begin.
        let _first = run.end.set(ended.unwrap_or_else(|_| Err("the rehearsal broke off".to_owned())));
    });
    back()
}

/// Reads both rule sets, then the messages.
async fn rehearsed(console: Arc<Console>, run: Arc<Run>) -> Result<Ended, String> {
    let begun = Instant::now();
    let (config, folder) = (console.config.clone(), run.folder.clone());
    let loading = tokio::task::spawn_blocking(move || {
        let today = app::examiner(&config).map_err(|fault| fault.to_string())?;
        let next = Config { rules_folder: Some(folder.clone()), ..config };
        let candidate = app::examiner(&next).map_err(|fault| format!("{}: {fault}", folder.display()))?;
        Ok::<_, String>((today, candidate))
    });
    let (today, candidate) = loading.await.map_err(|_| "the rules could not be read".to_owned())??;
    let archive = console.archive().await.map_err(|outage| outage.to_string())?;
    // Half of the machine: who looks at pages meanwhile must not notice.
    let threads = std::thread::available_parallelism().map_or(1, |n| (n.get() / 2).max(1));
    let mut is_cut = false;
    let looked = |rehearsal: &Rehearsal| {
        run.looked.store(rehearsal.looked, Ordering::Relaxed);
        is_cut = run.is_stopped.load(Ordering::Relaxed) || begun.elapsed() > LONGEST;
        !is_cut
    };
    let wish = Wish { last: run.last, profile: PROFILE, threads };
    let rehearsal = rehearse::run(archive.as_ref(), (&today, &candidate), wish, looked).await.map_err(|outage| outage.to_string())?;
    Ok(Ended { today: today.rules().to_hex(), candidate: candidate.rules().to_hex(), is_cut: is_cut && rehearsal.looked < u64::from(run.last), rehearsal })
}

fn page(console: &Console, asked: &Asked, visit: &Visit, status: StatusCode, (fault, refreshes): (Option<&str>, bool)) -> Response {
    let word = |key| console.words.get(key, asked.language);
    pages::page(console, asked, status, (word("rehearsal"), word("rehearsal")), |html| {
        html.leaf("p", &[], word("rehearsal-intro"));
        if let Some(fault) = fault {
            html.leaf("p", &[("class", "summary"), ("role", "alert")], word(fault));
        }
        let last = console.rehearsals.last();
        match &last {
            Some(run) if run.end.get().is_none() => running(console, asked, visit, html, run, refreshes),
            _ => form(console, asked, visit, html),
        }
        if let Some(run) = &last {
            html.leaf("h2", &[], word("rehearsal-last"));
            html.leaf("p", &[], &format!("{} · {} · {} · {} {}", run.folder.display(), run.who, time(run.at), word("rehearsal-messages"), run.last));
            match run.end.get() {
                Some(Ok(ended)) => result(console, asked, html, ended),
                Some(Err(why)) => html.leaf("p", &[("class", "summary"), ("role", "alert")], why),
                None => {}
            }
        }
    })
}

fn form(console: &Console, asked: &Asked, visit: &Visit, html: &mut Html) {
    let (word, folders) = (|key| console.words.get(key, asked.language), &console.config.console.rehearsals);
    if folders.is_empty() {
        html.open("p", &[("class", "calm")]);
        html.text(word("rehearsal-no-folder"));
        html.text(" ");
        html.leaf("code", &[], "[console] rehearsals");
        html.close("p");
        return;
    }
    html.open("form", &[("method", "post"), ("action", PATH), ("autocomplete", "off")]);
    html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
    html.open("div", &[("class", "fields")]);
    html.open("div", &[]);
    html.leaf("label", &[("for", "folder")], word("rehearsal-folder"));
    html.open("select", &[("id", "folder"), ("name", "folder")]);
    for (at, folder) in folders.iter().enumerate() {
        html.leaf("option", &[("value", &at.to_string())], &folder.display().to_string());
    }
    html.close("select");
    html.close("div");
    html.open("div", &[]);
    html.leaf("label", &[("for", "last")], word("rehearsal-messages"));
    let most = MOST.to_string();
    html.open("input", &[("id", "last"), ("name", "last"), ("type", "number"), ("min", "1"), ("max", &most), ("value", USUAL), ("required", "")]);
    html.close("div");
    html.close("div");
    html.open("p", &[("class", "actions")]);
    html.leaf("button", &[("class", "main"), ("name", "action"), ("value", "begin")], word("rehearsal-begin"));
    html.close("p");
    html.close("form");
}

fn running(console: &Console, asked: &Asked, visit: &Visit, html: &mut Html, run: &Run, refreshes: bool) {
    let word = |key| console.words.get(key, asked.language);
    let (looked, last) = (run.looked.load(Ordering::Relaxed).to_string(), run.last.to_string());
    html.leaf("p", &[("class", "calm"), ("role", "status")], &format!("{}: {looked} / {last}", word("rehearsal-runs")));
    html.leaf("progress", &[("value", &looked), ("max", &last), ("aria-label", word("rehearsal-runs"))], &format!("{looked} / {last}"));
    html.open("p", &[]);
    if refreshes {
        html.open("meta", &[("http-equiv", "refresh"), ("content", REFRESH)]);
        html.leaf("a", &[("href", PATH)], word("board-still"));
    } else {
        html.leaf("a", &[("href", PATH)], word("replay-look"));
        html.text(" · ");
        html.leaf("a", &[("href", "/rehearsal?refresh=1")], word("replay-refresh"));
    }
    html.close("p");
    html.open("form", &[("method", "post"), ("action", PATH)]);
    html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
    html.open("p", &[("class", "actions")]);
    html.leaf("button", &[("name", "action"), ("value", "stop")], word("replay-stop"));
    html.close("p");
    html.close("form");
}

fn result(console: &Console, asked: &Asked, html: &mut Html, ended: &Ended) {
    let (word, rehearsal) = (|key| console.words.get(key, asked.language), &ended.rehearsal);
    if ended.is_cut {
        html.leaf("p", &[("class", "fault"), ("role", "status")], word("rehearsal-cut"));
    }
    html.open("dl", &[]);
    for (id, key, value) in [
        ("looked", "rehearsal-looked", rehearsal.looked.to_string()),
        ("bare", "rehearsal-bare", rehearsal.bare.to_string()),
        ("changed", "rehearsal-changed", rehearsal.changed.len().to_string()),
        ("drifted", "rehearsal-drifted", rehearsal.drifted.to_string()),
        ("today", "rehearsal-today", ended.today.clone()),
        ("candidate", "rehearsal-candidate", ended.candidate.clone()),
    ] {
        html.leaf("dt", &[], word(key));
        html.leaf("dd", &[("id", id)], &value);
    }
    html.close("dl");
    if rehearsal.changed.is_empty() {
        html.leaf("p", &[("class", "good"), ("role", "status")], word("rehearsal-same"));
        return;
    }
    html.open("ul", &[]);
    for ((turn, code), count) in rehearsal.sums() {
        html.leaf("li", &[], &format!("{count} · {} {code}", word(turn_word(turn))));
    }
    html.close("ul");
    let words = |codes: &[Code]| {
        if codes.is_empty() { word("message-accepted").to_owned() } else { codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(", ") }
    };
    let heads = ["ledger-position", "when", "message-sender", "rehearsal-before", "rehearsal-after", "rehearsal-turn"].map(word);
    table(html, word("rehearsal-changed"), &heads, |html| {
        for one in rehearsal.changed.iter().take(NAMED) {
            html.open("tr", &[]);
            html.open("th", &[("scope", "row")]);
            html.leaf("a", &[("href", &format!("{}/{}", messages::PATH, one.position))], &one.position.to_string());
            html.close("th");
            [&time(one.at), &one.sender, &words(&one.before), &words(&one.after), word(turn_word(one.turn))]
                .into_iter()
                .for_each(|cell| html.leaf("td", &[], cell));
            html.close("tr");
        }
    });
    if rehearsal.changed.len() > NAMED {
        html.leaf("p", &[("class", "hint")], word("rehearsal-more"));
    }
}

const fn turn_word(turn: Turn) -> &'static str {
    match turn {
        Turn::Refused => "turn-refused",
        Turn::Taken => "turn-taken",
        Turn::Otherwise => "turn-otherwise",
    }
}
