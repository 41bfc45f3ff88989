//! `POST /validate`: answers like Kela's validation service for social-welfare documents (messaging.md §2.5), with the gateway's own examiner, so that
//! vendors can point their tools here. 200 with an empty body when frame and document are valid, else `{"description": "1: …;2: …"}`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::bounded::Bounded;
use super::fields::{self, Field};
use crate::domain::code::Code;
use crate::domain::finding::Finding;
use crate::domain::language::Language;
use crate::domain::limits;
use crate::domain::outage::{Outage, Part};
use crate::pipeline::examine::{Beside, DOCUMENT, Examiner, FRAME};
use crate::pipeline::intake::Parts;
use crate::telemetry;

/// The largest request: frame and document, each as large as a message may be; JSON's own escapes make a text of base64 little longer.
const BODY_OCTETS: usize = 2 * limits::MESSAGE_OCTETS;
/// How long a request's body may take to come: Kela's own clients give up after 30 s.
const BODY_TIME: Duration = Duration::from_secs(30);
/// How long a verdict may take; the gateway's own messages use the same pool.
const VERDICT_TIME: Duration = Duration::from_secs(30);
/// How many requests are in the house at once, being read, waiting or judged; more are told to come again. Memory is bounded by this and [`BODY_OCTETS`].
const AT_ONCE: usize = 4;
/// How many connections may stand, and for how long.
const CONNECTIONS: usize = 64;
const CONNECTION_LIFE: Duration = Duration::from_secs(120);
/// The longest `messageId`; a UUID has 36 characters.
const MESSAGE_ID: usize = 128;
/// The fields beside [`FRAME`] and [`DOCUMENT`].
const MESSAGE: &str = "messageId";
const REQUEST: &str = "palveluPyynto";
const LEVEL_FIELD: &str = "level";
/// The one level that was seen in a request to Kela's service.
const LEVEL: &str = "1";

struct Service {
    parts: Arc<Parts>,
    room: Arc<Semaphore>,
    /// Half the pool's threads, one at least: however many visitors come, the gateway's own messages find the other half.
    judging: Arc<Semaphore>,
}

/// What was asked, every field present.
struct Asked {
    frame: String,
    document: String,
    request: String,
}

/// Opens the port.
///
/// # Errors
/// An outage when the address is taken or not ours.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Outage> {
    TcpListener::bind(address).await.map_err(|e| Outage::new(Part::Machine, format!("[validate] listen = {address}: {e}")))
}

/// Answers until `stop`.
pub async fn serve(listener: TcpListener, parts: Arc<Parts>, mut stop: watch::Receiver<bool>) {
    let judging = Arc::new(Semaphore::new((parts.pool.threads() / 2).max(1)));
    let service = Arc::new(Service { parts, room: Arc::new(Semaphore::new(AT_ONCE)), judging });
    let router = Router::new().route("/validate", post(validate)).with_state(service);
    let until = async move {
        let _sender_gone = stop.wait_for(|s| *s).await;
    };
    // As the probe: its end is the end of this task, and the gateway lives on without it only while it stops.
    let _ended = axum::serve(Bounded::new(listener, CONNECTIONS, CONNECTION_LIFE), router).with_graceful_shutdown(until).await;
}

async fn validate(State(service): State<Arc<Service>>, request: Request) -> Response {
    let began = Instant::now();
    let examiner = Arc::clone(&service.parts.examiner);
    let language = language(request.headers(), examiner.site().language);
    let (verdict, response) = match judged(&service, request.into_body(), language).await {
        Ok(faults) if faults.is_empty() => ("valid", StatusCode::OK.into_response()),
        Ok(faults) => ("invalid", answer(StatusCode::BAD_REQUEST, &faults)),
        Err(response) => ("undecided", response),
    };
    telemetry::validated(verdict, began.elapsed());
    response
}

/// The faults' sentences, or the answer to a request that could not be judged.
async fn judged(service: &Service, body: Body, language: Language) -> Result<Vec<String>, Response> {
    let examiner = Arc::clone(&service.parts.examiner);
    let Ok(permit) = Arc::clone(&service.room).try_acquire_owned() else {
        let busy = answer(StatusCode::SERVICE_UNAVAILABLE, &[examiner.catalogue().word("validate-busy", language).to_owned()]);
        return Err(([(header::RETRY_AFTER, "1")], busy).into_response());
    };
    let large = || answer(StatusCode::PAYLOAD_TOO_LARGE, &sentences(&service.parts.examiner, &[fault("validate-size", "")], language));
    if body.size_hint().lower() > BODY_OCTETS as u64 {
        return Err(large());
    }
    let slow = |status| answer(status, &[service.parts.examiner.catalogue().word("validate-slow", language).to_owned()]);
    let read = tokio::time::timeout(BODY_TIME, to_bytes(body, BODY_OCTETS)).await.map_err(|_| slow(StatusCode::REQUEST_TIMEOUT))?;
    let octets = read.map_err(|_| large())?;
    let Ok(Ok(turn)) = tokio::time::timeout(VERDICT_TIME, Arc::clone(&service.judging).acquire_owned()).await else {
        return Err(slow(StatusCode::SERVICE_UNAVAILABLE));
    };
    let work = {
        let examiner = Arc::clone(&examiner);
        move || {
            // Held until the work ends, also when nobody waits for it any more.
            let _permits = (permit, turn);
            let findings = match asked(&octets) {
                Err(findings) => findings,
                Ok(asked) => {
                    drop(octets);
                    examiner.validate_beside(&Beside { frame: &asked.frame, document: &asked.document, request: &asked.request })
                }
            };
            sentences(&examiner, &findings, language)
        }
    };
    match tokio::time::timeout(VERDICT_TIME, service.parts.pool.run(work)).await {
        Ok(Ok(faults)) => Ok(faults),
        Ok(Err(_panicked)) => Err(answer(StatusCode::INTERNAL_SERVER_ERROR, &sentences(&examiner, &[Finding::whole(Code::E901)], language))),
        Err(_) => Err(slow(StatusCode::SERVICE_UNAVAILABLE)),
    }
}

/// Reads the request; all that is wrong with its fields is told at once.
fn asked(octets: &[u8]) -> Result<Asked, Vec<Finding>> {
    let names = [MESSAGE, REQUEST, LEVEL_FIELD, FRAME, DOCUMENT];
    let Some(mut fields) = fields::read(octets, &names) else { return Err(vec![fault("validate-json", "")]) };
    let mut out = Vec::new();
    let mut text = |name: &'static str, number_too: bool| match fields.remove(name) {
        Some(Field::Text(text)) if !text.is_empty() => text,
        Some(Field::Number(number)) if number_too => number,
        None | Some(Field::Null | Field::Text(_)) => {
            out.push(fault("validate-missing", name));
            String::new()
        }
        Some(_) => {
            out.push(fault("validate-text", name));
            String::new()
        }
    };
    let (id, request, level) = (text(MESSAGE, false), text(REQUEST, false), text(LEVEL_FIELD, true));
    let (frame, document) = (text(FRAME, false), text(DOCUMENT, false));
    if id.len() > MESSAGE_ID || !id.bytes().all(|b| b.is_ascii_graphic()) {
        out.push(fault("validate-id", ""));
    }
    if !level.is_empty() && level != LEVEL {
        out.push(fault("validate-level", ""));
    }
    if out.is_empty() { Ok(Asked { frame, document, request }) } else { Err(out) }
}

fn fault(rule: &str, element: &str) -> Finding {
    Finding::whole(Code::E860).with("rule", rule).with("element", element)
}

/// The errors as people read them, in the order of the findings. A semicolon parts two faults, so none stands within one.
fn sentences(examiner: &Examiner, findings: &[Finding], language: Language) -> Vec<String> {
    let sentence = |finding: &Finding| {
        let place =
            if finding.place.path == "/" { String::new() } else { format!(" ({}:{} {})", finding.place.line, finding.place.column, finding.place.path) };
        format!("{} {}{place}", finding.code.as_str(), examiner.sentence(finding, language)).replace(';', ",")
    };
    findings.iter().filter(|f| f.is_error()).map(sentence).collect()
}

fn answer(status: StatusCode, faults: &[String]) -> Response {
    let numbered: Vec<String> = faults.iter().enumerate().map(|(n, fault)| format!("{}: {fault}", n + 1)).collect();
    let body: Map<String, Value> = Map::from_iter([("description".to_owned(), Value::String(numbered.join(";")))]);
    (status, [(header::CONTENT_TYPE, "application/json")], json!(body).to_string()).into_response()
}

/// The first of the client's languages that Arkki speaks, the most wanted first; the site's where there is none.
pub(super) fn language(headers: &HeaderMap, site: Language) -> Language {
    let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut best: Option<(f32, Language)> = None;
    for part in wanted.split(',') {
        let (range, weight) = part.split_once(';').map_or((part, 1.0), |(range, q)| {
            let weight = q.trim().strip_prefix("q=").and_then(|q| q.parse().ok()).unwrap_or(0.0);
            (range, weight)
        });
        let Some(language) = range.trim().split('-').next().and_then(Language::parse) else { continue };
        if weight > 0.0 && best.is_none_or(|(most, _)| weight > most) {
            best = Some((weight, language));
        }
    }
    best.map_or(site, |(_, language)| language)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_language_asked_for() {
        for (header, want) in [
            ("", Language::Fi),
            ("sv-FI,sv;q=0.9,en;q=0.8", Language::Sv),
            ("de, en;q=0.5, sv;q=0.7", Language::Sv),
            ("en;q=0", Language::Fi),
            ("*", Language::Fi),
            ("EN", Language::En),
            (";;;q=,sv;q=nan", Language::Fi),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, header.parse().unwrap());
            assert_eq!(language(&headers, Language::Fi), want, "{header}");
        }
        assert_eq!(language(&HeaderMap::new(), Language::Sv), Language::Sv);
    }

    #[test]
    fn what_a_request_lacks_is_told_at_once() {
        let rules = |text: &str| match asked(text.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(findings) => findings.iter().map(|f| format!("{} {}", f.arg("rule").unwrap(), f.arg("element").unwrap())).collect(),
        };
        assert_eq!(rules("{"), ["validate-json "]);
        assert_eq!(rules("[]"), ["validate-json "]);
        assert_eq!(
            rules(r#"{"messageId":"a b","palveluPyynto":1,"level":2,"siirtokehysXml":"","asiakirjaXml":null}"#),
            ["validate-text palveluPyynto", "validate-missing siirtokehysXml", "validate-missing asiakirjaXml", "validate-id ", "validate-level ",]
        );
        assert_eq!(rules(r#"{"messageId":"x","palveluPyynto":"SP1","level":1,"siirtokehysXml":"a","asiakirjaXml":"b","more":[]}"#), Vec::<String>::new());
    }
}
