//! The second door: an OpenID Connect provider says who somebody is (authorization code with PKCE, RFC 7636). The console keeps nothing of the provider's
//! but the subject that it looks up among its own people.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::session::NoEntry;
use super::{Asked, Console, form, pages};
use crate::adapters::openid::Provider;
use crate::config::desk::OpenId;
use crate::crypto::jws::{Compact, VerifyingKey, encoded};
use crate::crypto::sha256;
use crate::domain::digest::Digest;
use crate::domain::staff::Door;
use crate::domain::time::Moment;
use crate::ports::clock::Entropy;
use crate::telemetry;

/// Where the way in begins.
pub(super) const BEGIN: &str = "/enter/openid/begin";
/// Where the provider sends people back to.
pub(super) const BACK: &str = "/enter/openid";
/// How long somebody may take at the provider.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// How many may be at the provider at once; one more forgets the first.
const UNDER_WAY: usize = 256;
/// How far the provider's clock may be ahead of ours, and how long a token may have been made before, in seconds.
const SKEW: i64 = 120;
/// The longest subject, in octets (OpenID Connect Core §2).
const SUBJECT_OCTETS: usize = 255;

/// The door's own state.
pub struct OpenIdDoor {
    place: OpenId,
    provider: Provider,
    under_way: Mutex<VecDeque<Attempt>>,
}

/// Somebody who was sent to the provider.
struct Attempt {
    /// The hash of `state`, which the browser's cookie holds as well: nobody is brought in by another's link.
    state: Digest,
    nonce: String,
    verifier: String,
    since: Instant,
}

impl OpenIdDoor {
    /// The door to this provider; it is asked when somebody comes.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn new(place: &OpenId) -> Result<Self, String> {
        Ok(Self { provider: Provider::new(place.ca_file.as_deref())?, place: place.clone(), under_way: Mutex::default() })
    }

    fn remember(&self, attempt: Attempt) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|one| one.since.elapsed() < PATIENCE);
        while under_way.len() >= UNDER_WAY {
            under_way.pop_front();
        }
        under_way.push_back(attempt);
    }

    /// Takes an attempt out, so that a code comes back once.
    fn take(&self, state: &str) -> Option<Attempt> {
        let (state, mut under_way) = (sha256(state.as_bytes()), self.under_way.lock().unwrap_or_else(PoisonError::into_inner));
        under_way.retain(|one| one.since.elapsed() < PATIENCE);
        let at = under_way.iter().position(|one| one.state == state)?;
        under_way.remove(at)
    }
}

/// What the provider says of itself.
struct Description {
    authorization: String,
    token: String,
    keys: String,
}

fn random(entropy: &dyn Entropy) -> String {
    encoded(&[entropy.sixteen(), entropy.sixteen()].concat())
}

fn cookie_name(console: &Console) -> String {
    format!("{}-login", console.cookie())
}

/// To the provider.
pub(super) async fn begin(State(console): State<Arc<Console>>, request: Request) -> Response {
    let asked = Asked::of(&console, &request);
    let Some(door) = console.openid.clone() else { return pages::words(&console, &asked, StatusCode::NOT_FOUND, ("not-found-heading", "not-found")) };
    let description = match described(Arc::clone(&door)).await {
        Ok(description) => description,
        Err(why) => return away(&console, &asked, &why),
    };
    let (state, nonce, verifier) = (random(console.entropy.as_ref()), random(console.entropy.as_ref()), random(console.entropy.as_ref()));
    let challenge = encoded(&sha256(verifier.as_bytes()).0);
    let back = format!("{}{BACK}", console.address());
    let fields = [
        ("response_type", "code"),
        ("scope", "openid"),
        ("client_id", door.place.client.as_str()),
        ("redirect_uri", back.as_str()),
        ("state", state.as_str()),
        ("nonce", nonce.as_str()),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", form::encoded(value))).collect();
    let joint = if description.authorization.contains('?') { '&' } else { '?' };
    let to = format!("{}{joint}{}", description.authorization, fields.join("&"));
    let secure = if console.is_secure() { "; Secure" } else { "" };
    // Lax: the provider's page leads back here, and a strict cookie would stay behind.
    let cookie = format!("{}={state}; Path=/enter; HttpOnly; SameSite=Lax; Max-Age={}{secure}", cookie_name(&console), PATIENCE.as_secs());
    door.remember(Attempt { state: sha256(state.as_bytes()), nonce, verifier, since: Instant::now() });
    (StatusCode::SEE_OTHER, [(header::LOCATION, to), (header::SET_COOKIE, cookie)]).into_response()
}

/// Back from the provider, with a code or without.
pub(super) async fn back(State(console): State<Arc<Console>>, request: Request) -> Response {
    let asked = Asked::of(&console, &request);
    let Some(door) = console.openid.clone() else { return pages::words(&console, &asked, StatusCode::NOT_FOUND, ("not-found-heading", "not-found")) };
    let pairs = form::pairs(request.uri().query().unwrap_or_default().as_bytes()).unwrap_or_default();
    let field = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let state = field("state").unwrap_or_default();
    let is_own_browser = super::cookies(&request).any(|(name, value)| name == cookie_name(&console) && value == state);
    let attempt = door.take(state).filter(|_| is_own_browser);
    let (Some(attempt), Some(code)) = (attempt, field("code")) else {
        telemetry::console_turned_away("openid");
        return pages::words(&console, &asked, StatusCode::FORBIDDEN, ("openid-not-heading", "openid-not"));
    };
    let redirect = format!("{}{BACK}", console.address());
    let (token, description) = match exchanged(Arc::clone(&door), code.to_owned(), attempt.verifier, redirect).await {
        Ok(answer) => answer,
        Err(why) => return away(&console, &asked, &why),
    };
    let subject = match keys(Arc::clone(&door), description.keys).await.map(|keys| subject(&token, &keys, &door.place, &attempt.nonce, console.clock.now())) {
        Ok(Ok(subject)) => subject,
        Ok(Err(why)) | Err(why) => return away(&console, &asked, &why),
    };
    let Some(person) = console.config.console.people.of_openid(&subject).cloned() else {
        telemetry::console_turned_away("openid");
        return pages::words(&console, &asked, StatusCode::FORBIDDEN, ("stranger-heading", "stranger"));
    };
    match console.desk.admit(&person, Door::OpenId, None, console.entropy.as_ref(), Instant::now()) {
        Ok(cookie) => pages::come_in(&console, &asked, &person, Door::OpenId, &cookie),
        Err(NoEntry::TooMany | NoEntry::Wrong | NoEntry::Nobody) => {
            pages::words(&console, &asked, StatusCode::TOO_MANY_REQUESTS, ("too-many-heading", "too-many"))
        }
    }
}

fn away(console: &Console, asked: &Asked, why: &str) -> Response {
    telemetry::console_away(why);
    pages::words(console, asked, StatusCode::BAD_GATEWAY, ("openid-away-heading", "openid-away"))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err("a question to the provider ended without a word".to_owned()))
}

async fn described(door: Arc<OpenIdDoor>) -> Result<Description, String> {
    blocking(move || describe(&door)).await
}

fn describe(door: &OpenIdDoor) -> Result<Description, String> {
    let issuer = &door.place.issuer;
    let page = door.provider.get(&format!("{issuer}/.well-known/openid-configuration"))?;
    let page: Value = serde_json::from_slice(&page).map_err(|_| format!("{issuer}: its description is no JSON"))?;
    let text = |name: &str| page.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if text("issuer") != *issuer {
        return Err(format!("{issuer}: its description names another issuer"));
    }
    // What stands before the path is the provider's scheme at least: a plain address would carry the code and the secret in clear.
    let is_safe = |url: &String| url.starts_with("https://") || (issuer.starts_with("http://") && url.starts_with("http://"));
    let all = Description { authorization: text("authorization_endpoint"), token: text("token_endpoint"), keys: text("jwks_uri") };
    if [&all.authorization, &all.token, &all.keys].into_iter().all(is_safe) { Ok(all) } else { Err(format!("{issuer}: an address without https")) }
}

/// The token for a code.
async fn exchanged(door: Arc<OpenIdDoor>, code: String, verifier: String, redirect: String) -> Result<(String, Description), String> {
    blocking(move || {
        let (description, place) = (describe(&door)?, &door.place);
        let basic = place.secret_file.as_ref().map(|file| {
            let secret = std::fs::read_to_string(file).map_err(|e| format!("[console] openid_secret_file {}: {e}", file.display()))?;
            let pair = format!("{}:{}", form::encoded(&place.client), form::encoded(secret.trim()));
            Ok::<_, String>(format!("Basic {}", crate::crypto::jws::basic(pair.as_bytes())))
        });
        let basic = basic.transpose()?;
        let mut fields = vec![("grant_type", "authorization_code"), ("code", &code), ("code_verifier", &verifier), ("redirect_uri", &redirect)];
        if basic.is_none() {
            fields.push(("client_id", &place.client));
        }
        let answer = door.provider.post(&description.token, basic.as_deref(), &fields)?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|_| format!("{}: its answer is no JSON", description.token))?;
        let token = answer.get("id_token").and_then(Value::as_str).ok_or_else(|| format!("{}: no id_token", description.token))?;
        Ok((token.to_owned(), description))
    })
    .await
}

async fn keys(door: Arc<OpenIdDoor>, url: String) -> Result<Value, String> {
    blocking(move || serde_json::from_slice(&door.provider.get(&url)?).map_err(|_| format!("{url}: no JSON"))).await
}

/// Whom a token names, where every claim holds (OpenID Connect Core §3.1.3.7).
fn subject(token: &str, keys: &Value, place: &OpenId, nonce: &str, now: Moment) -> Result<String, String> {
    let wrong = |what: &str| format!("{}: its token {what}", place.issuer);
    let token = Compact::read(token).map_err(|fault| wrong(&fault.to_string()))?;
    let header: Value = serde_json::from_slice(&token.header).map_err(|_| wrong("has no header"))?;
    let claims: Value = serde_json::from_slice(&token.payload).map_err(|_| wrong("has no claims"))?;
    let alg = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    if header.get("crit").is_some() {
        return Err(wrong("has extensions that must be understood"));
    }
    let (kid, none) = (header.get("kid").and_then(Value::as_str), Vec::new());
    let of_kid = |key: &&Value| kid.is_none_or(|kid| key.get("kid").and_then(Value::as_str) == Some(kid));
    let candidates = keys.get("keys").and_then(Value::as_array).unwrap_or(&none).iter().filter(of_kid).filter_map(|key| usable(key, alg));
    if !candidates.into_iter().any(|key| token.is_by(&key)) {
        return Err(wrong("is signed by none of its keys"));
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| claims.get(name).and_then(Value::as_f64);
    #[allow(clippy::cast_precision_loss)] // seconds since 1970
    let (now, skew) = (now.seconds() as f64, SKEW as f64);
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is_for_us = audiences.contains(&place.client.as_str()) && (audiences.len() == 1 || text("azp") == place.client);
    if text("iss") != place.issuer {
        return Err(wrong("names another issuer"));
    }
    if !is_for_us {
        return Err(wrong("is for somebody else"));
    }
    if nonce.is_empty() || text("nonce") != nonce {
        return Err(wrong("answers another question"));
    }
    if number("exp").is_none_or(|end| end + skew <= now) || number("iat").is_none_or(|made| made > now + skew) {
        return Err(wrong("is not of this moment"));
    }
    let subject = text("sub");
    if subject.is_empty() || subject.len() > SUBJECT_OCTETS {
        return Err(wrong("names nobody"));
    }
    Ok(subject.to_owned())
}

/// A key of the set, where it is of the algorithm's kind and for signatures.
fn usable(key: &Value, alg: &str) -> Option<VerifyingKey> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    if text("use").is_some_and(|of| of != "sig") || text("alg").is_some_and(|of| of != alg) {
        return None;
    }
    match (alg, text("kty")?) {
        ("RS256", "RSA") => VerifyingKey::rsa(text("n")?, text("e")?).ok(),
        ("ES256", "EC") if text("crv") == Some("P-256") => VerifyingKey::p256(text("x")?, text("y")?).ok(),
        _ => None,
    }
}
