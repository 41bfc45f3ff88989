//! What stands before every page: the request must be meant for this address, a form must come from a page of ours, and every answer says what a browser
//! may do with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::form::pairs;
use super::session::Visit;
use super::{Asked, Console, Origin, pages};
use crate::domain::staff::Role;

/// The largest form: ten data sets with words of the longest in each are half of it.
const FORM_OCTETS: usize = 128 * 1024;
/// How long a form may take to come.
const FORM_TIME: Duration = Duration::from_secs(10);

/// What every answer bears, an error's too, unless its page gave another value.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Lets a request through to its page, or refuses it.
pub(super) async fn stand(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let is_ours = is_here(&console.origin, request.headers()) && (is_reading(request.method()) || is_own_form(&console.origin, request.headers()));
    let is_hasty = is_ours && console.visit(&request).is_some_and(|visit| !console.desk.may_look(&visit, Instant::now()));
    let mut response = if is_hasty {
        let asked = Asked::of(&console, &request);
        pages::words(&console, &asked, StatusCode::TOO_MANY_REQUESTS, ("too-many-heading", "too-many"))
    } else if is_ours {
        next.run(request).await
    } else {
        // A stranger's request gets no session's language and no session's page.
        let language = super::super::validate::language(request.headers(), console.examiner.site().language);
        let asked = Asked { visit: None, language, path: "/".to_owned() };
        pages::words(&console, &asked, StatusCode::FORBIDDEN, ("refused-heading", "refused"))
    };
    for (name, value) in HEADERS {
        // A page that needs another one says so itself: a board with its script, a frame with a document's body.
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    if console.origin.scheme == "https" {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

/// A form of this session: its pairs. Counted, bounded, and with the session's secret in it.
///
/// # Errors
/// The answer to one that is none.
pub(super) async fn form(console: &Console, asked: &Asked, request: Request) -> Result<(Visit, Vec<(String, String)>), Response> {
    let Some(visit) = asked.visit.clone() else { return Err(pages::no_session(console, asked, "no-session")) };
    if !console.desk.may_post(&visit, Instant::now()) {
        return Err(pages::words(console, asked, StatusCode::TOO_MANY_REQUESTS, ("too-many-heading", "too-many")));
    }
    let unreadable = || pages::words(console, asked, StatusCode::PAYLOAD_TOO_LARGE, ("refused-heading", "unreadable"));
    let read = tokio::time::timeout(FORM_TIME, to_bytes(request.into_body(), FORM_OCTETS)).await.map_err(|_| unreadable())?;
    let pairs = read.ok().and_then(|octets| pairs(&octets)).ok_or_else(unreadable)?;
    if !pairs.iter().any(|(name, value)| name == "csrf" && visit.vouches(value)) {
        return Err(pages::words(console, asked, StatusCode::FORBIDDEN, ("refused-heading", "refused")));
    }
    Ok((visit, pairs))
}

/// The same, of somebody who came in, in one of these roles.
///
/// # Errors
/// The answer to anybody else, and to what is no form.
pub(super) async fn by(console: &Console, request: Request, roles: &[Role]) -> Result<(Asked, Visit, Vec<(String, String)>), Response> {
    let (asked, _) = Asked::by(console, &request, roles)?;
    let (visit, pairs) = form(console, &asked, request).await?;
    Ok((asked, visit, pairs))
}

/// The same, of somebody who may act in one of these roles.
///
/// # Errors
/// The answer to anybody else, and to what is no form.
pub(super) async fn acting(console: &Console, request: Request, roles: &[Role]) -> Result<(Asked, Visit, Vec<(String, String)>), Response> {
    let (asked, _) = Asked::acting(console, &request, roles)?;
    let (visit, pairs) = form(console, &asked, request).await?;
    Ok((asked, visit, pairs))
}

/// Whether the request names this address and no other: a name that somebody else's DNS points at this machine is refused.
fn is_here(origin: &Origin, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    matches!((hosts.next(), hosts.next()), (Some(host), None) if host.as_bytes() == origin.host.as_bytes())
}

fn is_reading(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// Whether a form came from a page of ours. A browser that obeys our `no-referrer` sends `Origin: null` with our own forms: then it must say in
/// `Sec-Fetch-Site` that the page was ours; one that says neither is refused.
fn is_own_form(own: &Origin, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text("sec-fetch-site");
    if site.is_some_and(|site| site != "same-origin") {
        return false;
    }
    match text("origin") {
        None | Some("null") => site.is_some(),
        Some(origin) => origin.split_once("://") == Some((own.scheme, own.host.as_str())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
        of.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_this_address_and_only_our_own_forms() {
        let here = &Origin { scheme: "http", host: "127.0.0.1:4711".to_owned() };
        for (host, want) in [("127.0.0.1:4711", true), ("localhost:4711", false), ("127.0.0.1", false), ("evil.example:4711", false)] {
            assert_eq!(is_here(here, &headers(&[("host", host)])), want, "{host}");
        }
        assert!(!is_here(here, &HeaderMap::new()));
        let mut two = headers(&[("host", here.host.as_str())]);
        two.append("host", here.host.parse().unwrap());
        assert!(!is_here(here, &two));
        for (given, want) in [
            (&[("origin", "http://127.0.0.1:4711")][..], true),
            (&[("origin", "null"), ("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("origin", "http://127.0.0.1:4711"), ("sec-fetch-site", "cross-site")], false),
            (&[("origin", "http://127.0.0.1:4712"), ("sec-fetch-site", "same-origin")], false),
            (&[("origin", "https://127.0.0.1:4711")], false),
            (&[("origin", "null")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[], false),
        ] {
            assert_eq!(is_own_form(here, &headers(given)), want, "{given:?}");
        }
    }
}
