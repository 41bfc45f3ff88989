//! The HTTP API: the command line's verbs for machines. Each route is one command ([`route`]); it runs as that command does, in a thread of its own, and the answer is
//! what `arkki … --json` prints. Callers have tokens with roles ([`tokens`]); the description is made from the same table ([`openapi`]).

mod answers;
pub mod openapi;
pub mod route;
pub mod tokens;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use self::route::{Method, Route, Values, members};
use super::bounded::Bounded;
use crate::domain::outage::{Outage, Part};
use crate::telemetry;

/// Below it all routes lie.
pub const BASE: &str = "/api/v1";
/// The header with the command's exit code.
pub(super) const EXIT: &str = "arkki-exit";
/// How many calls run at once: each may have a connection to the database, and the gateway's own work comes first.
const AT_ONCE: usize = 4;
/// How long a call waits for its turn.
const TURN: Duration = Duration::from_secs(10);
/// The largest body: a few texts.
const BODY_OCTETS: usize = 256 * 1024;
/// How long a body may take to come.
const BODY_TIME: Duration = Duration::from_secs(10);
/// How long a call may take before its caller is told to stop waiting; what the command does is done all the same.
const CALL_TIME: Duration = Duration::from_secs(15 * 60);
/// How many connections may stand, and for how long.
const CONNECTIONS: usize = 64;
const CONNECTION_LIFE: Duration = Duration::from_secs(20 * 60);

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub exit: u8,
    /// Its report.
    pub report: Value,
}

/// Runs a command, given as the words of its command line, for a caller. Blocks.
///
/// # Errors
/// The words are no command line: what is wrong with them.
pub type Runner = dyn Fn(&str, &[String]) -> Result<Ran, String> + Send + Sync;

/// The API.
pub struct Api {
    /// Every route.
    pub routes: Vec<Route>,
    /// The file of tokens, read for each request: a token that is taken out of it is void at once.
    pub tokens: PathBuf,
    /// The folder of the files that callers may name.
    pub folder: Option<PathBuf>,
    /// What runs a route's command.
    pub run: Box<Runner>,
    /// This release.
    pub version: &'static str,
}

struct Desk {
    api: Arc<Api>,
    description: Value,
    turns: Arc<Semaphore>,
}

/// Opens the port.
///
/// # Errors
/// An outage when the address is taken or not ours.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Outage> {
    TcpListener::bind(address).await.map_err(|e| Outage::new(Part::Machine, format!("[api] listen = {address}: {e}")))
}

/// Answers until `stop`.
pub async fn serve(listener: TcpListener, api: Api, mut stop: watch::Receiver<bool>) {
    let description = openapi::document(&api.routes, api.version);
    let desk = Arc::new(Desk { api: Arc::new(api), description, turns: Arc::new(Semaphore::new(AT_ONCE)) });
    let until = async move {
        let _sender_gone = stop.wait_for(|s| *s).await;
    };
    let router = Router::new().fallback(answer).with_state(desk);
    // As the probe: its end is the end of this task, and the gateway lives on without it only while it stops.
    let _ended = axum::serve(Bounded::new(listener, CONNECTIONS, CONNECTION_LIFE), router).with_graceful_shutdown(until).await;
}

async fn answer(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let mut response = match answered(&desk, request).await {
        Ok(response) | Err(response) => response,
    };
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("content-security-policy"), "default-src 'none'"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The answer; what stops on the way is an answer too.
async fn answered(desk: &Arc<Desk>, request: Request) -> Result<Response, Response> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().strip_prefix(BASE).unwrap_or_default().to_owned();
    if path == "/openapi.json" && head.method == axum::http::Method::GET {
        return Ok(json_of(StatusCode::OK, &desk.description));
    }
    let callers = tokens::read(&desk.api.tokens).map_err(|fault| {
        telemetry::api_closed(&fault.0);
        refused(StatusCode::SERVICE_UNAVAILABLE, "the file of tokens cannot be read: see the gateway's log")
    })?;
    let Some(caller) = bearer(&head.headers).and_then(|token| tokens::caller(&callers, token)) else {
        let unknown = refused(StatusCode::UNAUTHORIZED, "a token is needed: Authorization: Bearer …");
        return Err(([(header::WWW_AUTHENTICATE, "Bearer")], unknown).into_response());
    };
    let found: Vec<(&Route, Values)> = desk.api.routes.iter().filter_map(|route| Some((route, route.matches(&path)?))).collect();
    if found.is_empty() {
        return Err(refused(StatusCode::NOT_FOUND, "no such route: see /api/v1/openapi.json"));
    }
    // A word of the table goes before a parameter in its place: `/refusals/groups` is not the refusal called "groups".
    let mut allowed: Vec<&str> = found.iter().map(|(route, _)| route.method.as_str()).collect();
    allowed.sort_unstable();
    allowed.dedup();
    let mine = found.into_iter().filter(|(route, _)| route.method.as_str() == head.method.as_str()).min_by_key(|(_, values)| values.len());
    let Some((route, mut values)) = mine else {
        let other = refused(StatusCode::METHOD_NOT_ALLOWED, "this route is called with another method: see /api/v1/openapi.json");
        return Err(([(header::ALLOW, allowed.join(", "))], other).into_response());
    };
    if caller.role < route.role {
        return Err(refused(StatusCode::FORBIDDEN, &format!("this needs the role {}", route.role.as_str())));
    }
    let more = brought(route.method, &head, body).await?;
    if more.iter().any(|(name, _)| route.is_in_path(name)) {
        return Err(refused(StatusCode::BAD_REQUEST, "a parameter of the path stands in the path only"));
    }
    values.extend(more);
    let words = route.arguments(&values, desk.api.folder.as_deref()).map_err(|why| refused(StatusCode::BAD_REQUEST, &why))?;
    let turn = tokio::time::timeout(TURN, Arc::clone(&desk.turns).acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        let busy = refused(StatusCode::TOO_MANY_REQUESTS, "too many calls at once");
        return Err(([(header::RETRY_AFTER, "1")], busy).into_response());
    };
    let began = Instant::now();
    let ran = run(Arc::clone(&desk.api), caller.name.clone(), words, turn).await;
    let exit = ran.as_ref().ok().map_or(2, |ran| ran.exit);
    telemetry::api_called(&caller.name, &route.command.join(" "), exit, began.elapsed());
    let ran = ran?;
    let status = match ran.exit {
        0 => StatusCode::OK,
        1 => StatusCode::CONFLICT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = json_of(status, &ran.report);
    response.headers_mut().insert(HeaderName::from_static(EXIT), HeaderValue::from(u16::from(ran.exit)));
    Ok(response)
}

/// Runs the command in a thread of its own: it has a runtime of its own, as on the command line. The turn is held until it ends, whoever waits.
async fn run(api: Arc<Api>, caller: String, words: Vec<String>, turn: OwnedSemaphorePermit) -> Result<Ran, Response> {
    let (done, outcome) = oneshot::channel();
    let work = move || {
        let ran = (api.run)(&caller, &words);
        drop(turn);
        // Who asked may have gone.
        let _gone = done.send(ran);
    };
    let defect = || refused(StatusCode::INTERNAL_SERVER_ERROR, "a defect: see the gateway's log");
    std::thread::Builder::new().name("api".to_owned()).spawn(work).map_err(|_| defect())?;
    match tokio::time::timeout(CALL_TIME, outcome).await {
        Err(_) => Err(refused(StatusCode::GATEWAY_TIMEOUT, "it takes longer than a call may; it goes on")),
        Ok(Err(_)) => Err(defect()),
        Ok(Ok(Err(slip))) => Err(refused(StatusCode::BAD_REQUEST, &slip)),
        Ok(Ok(Ok(ran))) => Ok(ran),
    }
}

/// The values beside those of the path. What stands where its method does not look for it would be left out unseen: it is refused.
async fn brought(method: Method, head: &Parts, body: Body) -> Result<Values, Response> {
    let slip = |why: &str| refused(StatusCode::BAD_REQUEST, why);
    let asked = head.uri.query().unwrap_or_default();
    match method {
        Method::Get => {
            let nothing = tokio::time::timeout(BODY_TIME, to_bytes(body, 0)).await;
            if !nothing.is_ok_and(|read| read.is_ok_and(|octets| octets.is_empty())) {
                return Err(slip("parameters of GET stand in the query: it takes no body"));
            }
            query(asked).ok_or_else(|| slip("the query cannot be read"))
        }
        Method::Post if !asked.is_empty() => Err(slip("parameters of POST stand in the body, a JSON object: it takes no query")),
        Method::Post => posted(&head.headers, body).await,
    }
}

async fn posted(headers: &HeaderMap, body: Body) -> Result<Values, Response> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let is_json = kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    let large = || refused(StatusCode::PAYLOAD_TOO_LARGE, &format!("a body has at most {BODY_OCTETS} octets and comes within {} s", BODY_TIME.as_secs()));
    let read = tokio::time::timeout(BODY_TIME, to_bytes(body, BODY_OCTETS)).await.map_err(|_| large())?;
    let octets = read.map_err(|_| large())?;
    if octets.is_empty() {
        return Ok(Values::new());
    }
    if !is_json {
        return Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type: application/json is needed"));
    }
    let object: Map<String, Value> = serde_json::from_slice(&octets).map_err(|_| refused(StatusCode::BAD_REQUEST, "the body is not a JSON object"))?;
    members(object).map_err(|why| refused(StatusCode::BAD_REQUEST, &why))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn query(text: &str) -> Option<Values> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, "true"));
            Some((decoded(&name.replace('+', " "))?, decoded(&value.replace('+', " "))?))
        })
        .collect()
}

/// Percent-decoded; `None` where it is not, or is no text.
fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            octets.push(digit()? << 4 | digit()?);
        } else {
            octets.push(octet);
        }
    }
    String::from_utf8(octets).ok()
}

fn refused(status: StatusCode, why: &str) -> Response {
    json_of(status, &json!({ "error": why }))
}

fn json_of(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
