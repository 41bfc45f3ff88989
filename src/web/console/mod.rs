//! The web console (`arkki console`): pages for the people of the house, made on the server and working without scripts.
//!
//! * `session`, `guard`: who is in, and what stands before every page; `sections`: which page is whose
//! * `doors`, `openid`: how people come in; `people`: who may, and who is in; broken glass
//! * `board`: the gateway at this moment; `doctor`: whether everything is as it must be
//! * `disclosure`: a disclosure outside the archive is reported; `officer`: logs and notices for the data-protection officer
//! * `archivist`: documents found, looked at and invalidated; `operators`: messages, refusals and their replays, rehearsals, and the rules to read
//!
//! It reads the archive through its ports and writes the access log there; what changes a document goes to the inbound queue, as everybody's does.

mod answers;
mod archivist;
mod board;
mod disclosure;
mod doctor;
mod doors;
mod event;
mod fields;
mod form;
mod guard;
mod html;
mod officer;
mod openid;
mod operators;
mod pages;
mod people;
mod road;
mod sections;
pub mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{OnceCell, watch};

use super::bounded::Bounded;
use super::secure::{Card, Peer, Secure};
use crate::adapters::store::{self, Store};
use crate::app::Watching;
use crate::codes::console::ConsoleWords;
use crate::codes::rule_set::RuleSet;
use crate::config::checked::Config;
use crate::config::desk::Tls;
use crate::domain::environment::Environment;
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::outage::{Outage, Part};
use crate::domain::staff::Role;
use crate::pipeline::examine::Examiner;
use crate::ports::clock::{Clock, Entropy};
use board::Board;
use openid::OpenIdDoor;
pub use road::Road;
use session::{Desk, Visit};

/// How many connections may stand, and for how long: an organisation's people at their desks.
const CONNECTIONS: usize = 256;
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
    board: Board,
    openid: Option<Arc<OpenIdDoor>>,
    archive: OnceCell<Arc<Store>>,
    checked: doctor::Checked,
    rehearsals: operators::Rehearsals,
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
    /// A console that answers at this address, and watches with this.
    ///
    /// # Errors
    /// A file of the provider's door that cannot be used.
    pub fn new(
        (examiner, words, road): (Arc<Examiner>, ConsoleWords, Road),
        (entropy, clock): (Arc<dyn Entropy>, Arc<dyn Clock>),
        (config, watching): (Config, Option<Watching>),
        address: SocketAddr,
    ) -> Result<Self, String> {
        let scheme = if config.console.tls.is_some() { "https" } else { "http" };
        let host = config.console.address.as_deref().and_then(|own| own.split_once("://")).map_or_else(|| address.to_string(), |(_, host)| host.to_owned());
        let (system, desk) = (config.device.clone(), Desk::new(config.console.session));
        let openid = config.console.openid.as_ref().map(OpenIdDoor::new).transpose()?.map(Arc::new);
        let (board, archive, checked, origin) = (Board::new(watching), OnceCell::new(), doctor::Checked::default(), Origin { scheme, host });
        let rehearsals = operators::Rehearsals::default();
        Ok(Self { examiner, words, road, system, entropy, clock, desk, config, board, openid, archive, checked, rehearsals, origin })
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

    /// Whether what passes between browser and console is encrypted.
    fn is_secure(&self) -> bool {
        self.config.console.tls.is_some()
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
        let ours = cookies(request).find(|(key, _)| *key == name);
        let card = card(request).map(|card| card.digest);
        ours.and_then(|(_, value)| self.desk.visit(value, card, Instant::now()))
    }

    /// A session's cookie, for as long as it lasts; one that is empty ends it.
    fn set_cookie(&self, value: &str) -> String {
        let life = if value.is_empty() { 0 } else { self.desk.life().as_secs() };
        let secure = if self.is_secure() { "; Secure" } else { "" };
        format!("{}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={life}{secure}", self.cookie())
    }
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
        Self::held_to(console, request, |visit| roles.iter().any(|role| visit.may(*role)))
    }

    /// As [`Asked::by`], for a page that changes something: broken glass opens pages for reading only.
    ///
    /// # Errors
    /// As [`Asked::by`].
    #[allow(clippy::result_large_err)]
    fn acting(console: &Console, request: &Request, roles: &[Role]) -> Result<(Self, Visit), Response> {
        Self::held_to(console, request, |visit| roles.iter().any(|role| visit.person.may(*role)))
    }

    #[allow(clippy::result_large_err)]
    fn held_to(console: &Console, request: &Request, may: impl FnOnce(&Visit) -> bool) -> Result<(Self, Visit), Response> {
        let asked = Self::of(console, request);
        let Some(visit) = asked.visit.clone() else { return Err(pages::no_session(console, &asked, "no-session")) };
        if !may(&visit) {
            return Err(pages::words(console, &asked, StatusCode::FORBIDDEN, ("not-yours-heading", "not-yours")));
        }
        Ok((asked, visit))
    }
}

/// An open port.
pub enum Entrance {
    /// Plain HTTP, on this machine only.
    Plain(TcpListener),
    /// TLS.
    Secure(TcpListener, Tls),
}

impl Entrance {
    /// Where it is.
    ///
    /// # Errors
    /// The machine does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        let (Self::Plain(listener) | Self::Secure(listener, _)) = self;
        listener.local_addr()
    }
}

/// Opens the port: on this machine only, unless what comes is encrypted.
///
/// # Errors
/// An outage when the address is another machine's, taken, or not ours.
pub async fn listen(address: SocketAddr, tls: Option<&Tls>) -> Result<Entrance, Outage> {
    let refused = |why: String| Outage::new(Part::Machine, format!("--listen {address}: {why}"));
    if !address.ip().is_loopback() && tls.is_none() {
        let mend = "say 127.0.0.1 or [::1], or give it a certificate ([console] certificate_file); else others could read along";
        return Err(refused(format!("without TLS the console listens on this machine only: {mend}")));
    }
    let listener = TcpListener::bind(address).await.map_err(|e| refused(e.to_string()))?;
    Ok(match tls {
        None => Entrance::Plain(listener),
        Some(tls) => Entrance::Secure(listener, tls.clone()),
    })
}

/// Answers until `stop`.
///
/// # Errors
/// A certificate, key or list that cannot be used.
pub async fn serve(entrance: Entrance, console: Arc<Console>, stop: watch::Receiver<bool>) -> Result<(), String> {
    let router = router(&console).into_make_service_with_connect_info::<Peer>();
    let mut stopping = stop.clone();
    let looking = tokio::spawn(async move { console.board.look(stop).await });
    let until = async move {
        let _sender_gone = stopping.wait_for(|s| *s).await;
    };
    // As the probe: its end is the end of this task.
    match entrance {
        Entrance::Plain(listener) => {
            let _ended = axum::serve(Bounded::new(listener, CONNECTIONS, CONNECTION_LIFE), router).with_graceful_shutdown(until).await;
        }
        Entrance::Secure(listener, tls) => {
            let secure = Secure::new(listener, tls)?;
            let _ended = axum::serve(Bounded::new(secure, CONNECTIONS, CONNECTION_LIFE), router).with_graceful_shutdown(until).await;
        }
    }
    looking.abort();
    Ok(())
}

fn router(console: &Arc<Console>) -> Router {
    Router::new()
        .route("/", get(board::show))
        .route(board::STREAM, get(board::stream))
        .route("/board.js", get(|| async { ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], board::SCRIPT) }))
        .route("/enter/{token}", get(doors::link))
        .route(doors::CARD, get(doors::by_card))
        .route(openid::BEGIN, get(openid::begin))
        .route(openid::BACK, get(openid::back))
        .route("/leave", post(doors::leave))
        .route("/style.css", get(|| async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) }))
        .route(disclosure::PATH, get(disclosure::show).post(disclosure::take))
        .route(people::PATH, get(people::show).post(people::end))
        .route(people::GLASS, get(people::glass).post(people::break_glass))
        .route(doctor::PATH, get(doctor::show))
        .route(officer::PATH, get(officer::show))
        .route(officer::EXPORT, post(officer::export))
        .route(officer::CLIENT, post(officer::client))
        .route(officer::NOTICES, get(officer::notices))
        .merge(archivist::routes())
        .merge(operators::routes())
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(Arc::clone(console), guard::stand))
        .with_state(Arc::clone(console))
}

async fn not_found(State(console): State<Arc<Console>>, request: Request) -> Response {
    let asked = Asked::of(&console, &request);
    pages::words(&console, &asked, StatusCode::NOT_FOUND, ("not-found-heading", "not-found"))
}

/// The card on a request's connection.
fn card(request: &Request) -> Option<&Card> {
    request.extensions().get::<ConnectInfo<Peer>>().and_then(|peer| peer.0.card.as_ref())
}

fn cookies(request: &Request) -> impl Iterator<Item = (&str, &str)> {
    let all = request.headers().get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    all.filter_map(|cookie| cookie.trim().split_once('='))
}

fn query<'u>(uri: &'u Uri, name: &str) -> Option<&'u str> {
    uri.query().into_iter().flat_map(|query| query.split('&')).filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}
