//! The web console (`arkki console`): pages for the people of the house, made on the server and working without scripts. It listens on this machine only;
//! a link that the terminal shows once lets one browser in. It reads no archive and writes none: what is sent goes to the inbound queue, as everybody's does.

mod answers;
mod disclosure;
mod event;
mod fields;
mod form;
mod guard;
mod html;
mod pages;
mod road;
pub mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::bounded::Bounded;
use crate::codes::console::ConsoleWords;
use crate::codes::rule_set::RuleSet;
use crate::domain::environment::Environment;
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::outage::{Outage, Part};
use crate::pipeline::examine::Examiner;
use crate::ports::clock::{Clock, Entropy};
pub use road::Road;
use session::{Desk, NoEntry, Visit};

/// How many connections may stand, and for how long: a few browsers of one machine.
const CONNECTIONS: usize = 32;
const CONNECTION_LIFE: Duration = Duration::from_secs(300);
/// What a session's cookie is called; the port follows, since browsers keep one jar for all ports of a machine.
const COOKIE: &str = "arkki-console";
const STYLE: &str = include_str!("style.css");

/// What the pages work with.
pub struct Console {
    /// Rules and sentences: lists to choose from, and findings in the page's language.
    pub examiner: Arc<Examiner>,
    /// The pages' words.
    pub words: ConsoleWords,
    /// The way to the gateway.
    pub road: Road,
    /// What the events name as the sending system.
    pub system: Oid,
    /// Random numbers.
    pub entropy: Arc<dyn Entropy>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Who is in.
    pub desk: Desk,
    address: String,
}

impl Console {
    /// A console that answers at this address.
    #[must_use]
    pub fn new(
        (examiner, words, road, system): (Arc<Examiner>, ConsoleWords, Road, Oid),
        (entropy, clock): (Arc<dyn Entropy>, Arc<dyn Clock>),
        address: SocketAddr,
    ) -> Self {
        Self { examiner, words, road, system, entropy, clock, desk: Desk::default(), address: address.to_string() }
    }

    /// A new link; the one before it is void.
    #[must_use]
    pub fn link(&self) -> String {
        format!("http://{}/enter/{}", self.address, self.desk.link(self.entropy.as_ref(), Instant::now()))
    }

    fn rules(&self) -> &RuleSet {
        self.examiner.rule_set()
    }

    fn environment(&self) -> Environment {
        self.examiner.site().frames.environment
    }

    fn cookie(&self) -> String {
        format!("{COOKIE}-{}", self.address.rsplit(':').next().unwrap_or_default())
    }

    /// The session of a request, where it has one.
    fn visit(&self, request: &Request) -> Option<Visit> {
        let name = self.cookie();
        let cookies = request.headers().get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
        let ours = cookies.filter_map(|cookie| cookie.trim().split_once('=')).find(|(key, _)| *key == name);
        ours.and_then(|(_, value)| self.desk.visit(value, Instant::now()))
    }
}

/// A request that came through the guard: who asks, and in which language.
struct Asked {
    visit: Option<Visit>,
    language: Language,
    path: String,
}

impl Asked {
    /// Reads session and language; a language chosen by link stays the session's.
    fn of(console: &Console, request: &Request) -> Self {
        let visit = console.visit(request);
        let chosen = query(request.uri(), "lang").and_then(Language::parse);
        if let (Some(visit), Some(language)) = (&visit, chosen) {
            console.desk.speak(visit, language, Instant::now());
        }
        let language = chosen.or_else(|| visit.as_ref().and_then(|visit| visit.language));
        let language = language.unwrap_or_else(|| super::validate::language(request.headers(), console.examiner.site().language));
        // Only a path of ours is written into a page's links.
        let path = if request.uri().path() == disclosure::PATH { disclosure::PATH } else { "/" };
        Self { visit, language, path: path.to_owned() }
    }
}

/// Opens the port, on this machine only.
///
/// # Errors
/// An outage when the address is another machine's, taken, or not ours.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Outage> {
    let refused = |why: String| Outage::new(Part::Machine, format!("--listen {address}: {why}"));
    if !address.ip().is_loopback() {
        return Err(refused("the console listens on this machine only: say 127.0.0.1 or [::1]; other machines would see what is typed here".to_owned()));
    }
    TcpListener::bind(address).await.map_err(|e| refused(e.to_string()))
}

/// Answers until `stop`.
pub async fn serve(listener: TcpListener, console: Arc<Console>, mut stop: watch::Receiver<bool>) {
    let router = Router::new()
        .route("/", get(home))
        .route("/enter/{token}", get(enter))
        .route("/leave", post(leave))
        .route("/style.css", get(|| async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) }))
        .route(disclosure::PATH, get(disclosure::show).post(disclosure::take))
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(Arc::clone(&console), guard::stand))
        .with_state(console);
    let until = async move {
        let _sender_gone = stop.wait_for(|s| *s).await;
    };
    // As the probe: its end is the end of this task.
    let _ended = axum::serve(Bounded::new(listener, CONNECTIONS, CONNECTION_LIFE), router).with_graceful_shutdown(until).await;
}

async fn home(State(console): State<Arc<Console>>, request: Request) -> Response {
    let asked = Asked::of(&console, &request);
    if asked.visit.is_none() {
        return pages::no_session(&console, &asked, "no-session");
    }
    pages::home(&console, &asked)
}

/// A link's token becomes a session.
async fn enter(State(console): State<Arc<Console>>, Path(token): Path<String>, request: Request) -> Response {
    let asked = Asked::of(&console, &request);
    match console.desk.enter(&token, console.entropy.as_ref(), Instant::now()) {
        Ok(cookie) => {
            let cookie = format!("{}={cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}", console.cookie(), session::SESSION_LIFE.as_secs());
            (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie), (header::LOCATION, "/".to_owned())]).into_response()
        }
        Err(NoEntry::Wrong) => pages::no_session(&console, &asked, "link-wrong"),
        Err(NoEntry::TooMany) => pages::words(&console, &asked, StatusCode::TOO_MANY_REQUESTS, ("too-many-heading", "too-many")),
    }
}

async fn leave(State(console): State<Arc<Console>>, request: Request) -> Response {
    let asked = Asked::of(&console, &request);
    let visit = match guard::form(&console, &asked, request).await {
        Ok((visit, _)) => visit,
        Err(response) => return response,
    };
    console.desk.leave(&visit);
    let gone = format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", console.cookie());
    let page = pages::words(&console, &Asked { visit: None, ..asked }, StatusCode::OK, ("left-heading", "left"));
    ([(header::SET_COOKIE, gone)], page).into_response()
}

async fn not_found(State(console): State<Arc<Console>>, request: Request) -> Response {
    let asked = Asked::of(&console, &request);
    pages::words(&console, &asked, StatusCode::NOT_FOUND, ("not-found-heading", "not-found"))
}

fn query<'u>(uri: &'u Uri, name: &str) -> Option<&'u str> {
    uri.query().into_iter().flat_map(|query| query.split('&')).filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}
