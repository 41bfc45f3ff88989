//! The web console (`arkki console`): pages for the people of the house, made on the server and working without scripts.
//!
//! * `session`, `guard`: who is in, and what stands before every page; `sections`: which page is whose
//! * `archivist`: documents found, looked at and invalidated
//! * `board`: the gateway at this moment; `disclosure`: a disclosure outside the archive is reported
//!
//! It reads the archive through its ports and writes the access log there; what changes a document goes to the inbound queue, as everybody's does.

mod answers;
mod archivist;
mod disclosure;
mod event;
mod fields;
mod form;
mod guard;
mod html;
mod pages;
mod road;
mod sections;
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
use tokio::sync::{OnceCell, watch};

use super::bounded::Bounded;
use crate::adapters::store::{self, Store};
use crate::codes::console::ConsoleWords;
use crate::codes::rule_set::RuleSet;
use crate::config::checked::Config;
use crate::domain::digest::Digest;
use crate::domain::environment::Environment;
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::outage::{Outage, Part};
use crate::domain::staff::{Door, Person, Role};
use crate::pipeline::examine::Examiner;
use crate::ports::clock::{Clock, Entropy};
use crate::telemetry;
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
    /// The whole configuration.
    pub config: Config,
    archive: OnceCell<Arc<Store>>,
    origin: Origin,
}

/// What browsers call this console.
struct Origin {
    /// `https` or `http`.
    scheme: &'static str,
    /// Name or address, with its port.
    host: String,
}

impl Console {
    /// A console that answers at this address.
    #[must_use]
    pub fn new(
        (examiner, words, road): (Arc<Examiner>, ConsoleWords, Road),
        (entropy, clock): (Arc<dyn Entropy>, Arc<dyn Clock>),
        config: Config,
        address: SocketAddr,
    ) -> Self {
        let scheme = if config.console.tls.is_some() { "https" } else { "http" };
        let host = config.console.address.as_deref().and_then(|own| own.split_once("://")).map_or_else(|| address.to_string(), |(_, host)| host.to_owned());
        let (system, desk) = (config.device.clone(), Desk::new(config.console.session));
        Self { examiner, words, road, system, entropy, clock, desk, config, archive: OnceCell::new(), origin: Origin { scheme, host } }
    }

    /// The archive as it stands: opened when a page first needs it, since some need none.
    ///
    /// # Errors
    /// It is out of reach, or of another release.
    pub async fn archive(&self) -> Result<Arc<Store>, Outage> {
        let open = || store::open_unchanged(self.config.archive_url.reveal(), self.config.instance.clone(), Arc::clone(&self.entropy));
        self.archive.get_or_try_init(open).await.cloned()
    }

    /// A new link; the one before it is void. `None` where the link lets nobody in.
    #[must_use]
    pub fn link(&self) -> Option<String> {
        self.config.console.link.as_ref()?;
        Some(format!("{}/enter/{}", self.address(), self.desk.link(self.entropy.as_ref(), Instant::now())))
    }

    /// What people write in their browsers.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}://{}", self.origin.scheme, self.origin.host)
    }

    fn rules(&self) -> &RuleSet {
        self.examiner.rule_set()
    }

    fn environment(&self) -> Environment {
        self.examiner.site().frames.environment
    }

    fn cookie(&self) -> String {
        format!("{COOKIE}-{}", self.origin.host.rsplit(':').next().unwrap_or_default())
    }

    /// The session of a request, where it has one.
    fn visit(&self, request: &Request) -> Option<Visit> {
        let name = self.cookie();
        let cookies = request.headers().get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
        let ours = cookies.filter_map(|cookie| cookie.trim().split_once('=')).find(|(key, _)| *key == name);
        let card = request.extensions().get::<Card>().map(|card| card.digest);
        ours.and_then(|(_, value)| self.desk.visit(value, card, Instant::now()))
    }

    /// A session's cookie, for as long as it lasts; one that is empty ends it.
    fn set_cookie(&self, value: &str) -> String {
        let life = if value.is_empty() { 0 } else { self.desk.life().as_secs() };
        let secure = if self.origin.scheme == "https" { "; Secure" } else { "" };
        format!("{}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={life}{secure}", self.cookie())
    }
}

/// The certificate card that was shown on a request's connection; the handshake has held it against its issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The subject's serial number.
    pub serial: String,
    /// SHA-256 of the certificate.
    pub digest: Digest,
}

/// A request that came through the guard: who asks, and in which language.
struct Asked {
    visit: Option<Visit>,
    language: Language,
    /// This page's path with its query, for links to itself in another language.
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
        Self { visit, language, path: sections::own_path(request.uri()) }
    }

    /// As [`Asked::of`], for a page that only people in one of these roles see.
    ///
    /// # Errors
    /// The answer to anybody else: how to come in, or that the page is not theirs.
    #[allow(clippy::result_large_err)] // an answer is made once a request
    fn by(console: &Console, request: &Request, roles: &[Role]) -> Result<(Self, Visit), Response> {
        let asked = Self::of(console, request);
        let Some(visit) = asked.visit.clone() else { return Err(pages::no_session(console, &asked, "no-session")) };
        if !roles.iter().any(|role| visit.may(*role)) {
            return Err(pages::words(console, &asked, StatusCode::FORBIDDEN, ("not-yours-heading", "not-yours")));
        }
        Ok((asked, visit))
    }
}

/// Opens the port: on this machine only, unless what comes is encrypted.
///
/// # Errors
/// An outage when the address is another machine's, taken, or not ours.
pub async fn listen(address: SocketAddr, has_tls: bool) -> Result<TcpListener, Outage> {
    let refused = |why: String| Outage::new(Part::Machine, format!("--listen {address}: {why}"));
    if !address.ip().is_loopback() && !has_tls {
        return Err(refused("the console listens on this machine only: say 127.0.0.1 or [::1], or give it a certificate ([console] certificate_file); else others could read along".to_owned()));
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
        .merge(archivist::routes())
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
    match Asked::by(&console, &request, &Role::ALL) {
        Ok((asked, visit)) => pages::home(&console, &asked, &visit),
        Err(response) => response,
    }
}

/// A link's token becomes a session.
async fn enter(State(console): State<Arc<Console>>, Path(token): Path<String>, request: Request) -> Response {
    let asked = Asked::of(&console, &request);
    let person = console.config.console.link.as_ref();
    match console.desk.enter(&token, person, console.entropy.as_ref(), Instant::now()) {
        Ok(cookie) => entered(&console, person, Door::Link, &cookie),
        Err(NoEntry::Wrong | NoEntry::Nobody) => pages::no_session(&console, &asked, "link-wrong"),
        Err(NoEntry::TooMany) => pages::words(&console, &asked, StatusCode::TOO_MANY_REQUESTS, ("too-many-heading", "too-many")),
    }
}

/// Somebody is in: the cookie, and the way to the first page.
fn entered(console: &Console, person: Option<&Person>, door: Door, cookie: &str) -> Response {
    telemetry::console_entered(person.map_or("", |person| &person.key), door.as_str());
    (StatusCode::SEE_OTHER, [(header::SET_COOKIE, console.set_cookie(cookie)), (header::LOCATION, "/".to_owned())]).into_response()
}

async fn leave(State(console): State<Arc<Console>>, request: Request) -> Response {
    let asked = Asked::of(&console, &request);
    let visit = match guard::form(&console, &asked, request).await {
        Ok((visit, _)) => visit,
        Err(response) => return response,
    };
    console.desk.leave(&visit);
    let gone = console.set_cookie("");
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
