//! The second door: an OpenID Connect provider says who somebody is (authorization code with PKCE, RFC 7636). The console keeps nothing of the provider's
//! but the subject that it looks up among its own people.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::Semaphore;

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
/// How many may be asking for the provider's description at once: strangers ask too, and each holds a thread.
const ASKING: usize = 8;
/// How far the provider's clock may be ahead of ours, and how long a token may have been made before, in seconds.
const SKEW: i64 = 120;
/// The longest subject, in octets (OpenID Connect Core §2).
const SUBJECT_OCTETS: usize = 255;

/// The door's own state.
pub struct OpenIdDoor {
    place: OpenId,
    provider: Provider,
    under_way: Mutex<VecDeque<Attempt>>,
    asking: Semaphore,
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
        Ok(Self { provider: Provider::new(place.ca_file.as_deref())?, place: place.clone(), under_way: Mutex::default(), asking: Semaphore::new(ASKING) })
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
    let Ok(turn) = door.asking.try_acquire() else {
        return pages::words(&console, &asked, StatusCode::TOO_MANY_REQUESTS, ("too-many-heading", "too-many"));
    };
    let description = match described(Arc::clone(&door)).await {
        Ok(description) => description,
        Err(why) => return away(&console, &asked, &why),
    };
    drop(turn);
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
    // Where several may take it, or somebody in particular shall, it says for whom it was made.
    let is_ours = if audiences.len() > 1 || claims.get("azp").is_some() { text("azp") == place.client } else { true };
    let is_for_us = is_ours && audiences.contains(&place.client.as_str());
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::jws::made::Maker;

    const NOW: i64 = 1_800_000_000;

    fn place() -> OpenId {
        OpenId { issuer: "https://id.example".into(), client: "arkki".into(), secret_file: None, ca_file: None }
    }

    fn keys(maker: &Maker, kid: &str) -> Value {
        let (x, y) = maker.point();
        json!({ "keys": [{ "kty": "oct", "kid": kid, "k": "AAAA" }, { "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": x, "y": y }] })
    }

    /// A token as it must be, but for these claims; one that is null is left out.
    fn claims(changes: &Value) -> String {
        let mut claims = json!({ "iss": "https://id.example", "aud": "arkki", "sub": "bo", "nonce": "n", "iat": NOW, "exp": NOW + 300 });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims.to_string()
    }

    fn said(keys: &Value, token: &str) -> Result<String, String> {
        subject(token, keys, &place(), "n", Moment::from_seconds(NOW))
    }

    #[test]
    fn only_a_token_for_us_of_this_moment_and_this_question_names_somebody() {
        let maker = Maker::new();
        let (keys, header) = (keys(&maker, "k"), r#"{"alg":"ES256","kid":"k"}"#);
        let with = |changes: &Value| said(&keys, &maker.token(header, &claims(changes)));
        for good in [
            json!({}),
            json!({ "aud": ["arkki"] }),
            json!({ "aud": ["arkki", "other"], "azp": "arkki" }),
            json!({ "azp": "arkki" }),
            json!({ "exp": NOW - SKEW + 1, "iat": NOW + SKEW }),
        ] {
            assert_eq!(with(&good), Ok("bo".to_owned()), "{good}");
        }
        for bad in [
            json!({ "iss": "https://id.example/" }),
            json!({ "iss": null }),
            json!({ "aud": "other" }),
            json!({ "aud": ["other"] }),
            json!({ "aud": ["arkki", "other"] }),
            json!({ "aud": ["arkki", "other"], "azp": "other" }),
            json!({ "azp": "other" }),
            json!({ "aud": null }),
            json!({ "nonce": "m" }),
            json!({ "nonce": null }),
            json!({ "exp": NOW - SKEW }),
            json!({ "exp": null }),
            json!({ "exp": "2100000000" }),
            json!({ "iat": NOW + SKEW + 1 }),
            json!({ "iat": null }),
            json!({ "sub": "" }),
            json!({ "sub": "b".repeat(SUBJECT_OCTETS + 1) }),
            json!({ "sub": 7 }),
        ] {
            assert!(with(&bad).is_err(), "{bad}");
        }
        // No question was asked: nothing is its answer.
        let unasked = maker.token(header, &claims(&json!({ "nonce": "" })));
        assert!(subject(&unasked, &keys, &place(), "", Moment::from_seconds(NOW)).is_err());
    }

    #[test]
    fn only_a_key_of_the_provider_signs_and_only_by_its_own_algorithm() {
        let (maker, other) = (Maker::new(), Maker::new());
        let (keys, good) = (keys(&maker, "k"), claims(&json!({})));
        let header = |alg: &str, more: &str| format!("{{\"alg\":\"{alg}\"{more}}}");
        assert!(said(&keys, &maker.token(&header("ES256", ""), &good)).is_ok(), "no kid: any of its keys");
        for (alg, more) in [
            ("none", ""),
            ("None", ""),
            ("HS256", ",\"kid\":\"k\""),
            ("RS256", ""),
            ("ES384", ""),
            ("", ""),
            ("ES256", ",\"kid\":\"old\""),
            ("ES256", ",\"crit\":[\"x\"]"),
        ] {
            assert!(said(&keys, &maker.token(&header(alg, more), &good)).is_err(), "{alg}{more}");
        }
        assert!(said(&keys, &other.token(&header("ES256", ",\"kid\":\"k\""), &good)).is_err(), "another's key");
        // Without a signature, and with that of other claims.
        let token = maker.token(&header("none", ""), &good);
        assert!(said(&keys, &format!("{}.", token.rsplit_once('.').unwrap().0)).is_err());
        let (ours, changed) = (maker.token(&header("ES256", ""), &good), maker.token(&header("ES256", ""), &claims(&json!({ "sub": "anna" }))));
        assert!(said(&keys, &format!("{}.{}", changed.rsplit_once('.').unwrap().0, ours.rsplit_once('.').unwrap().1)).is_err());
        // The provider changed its key: the old one is void with the next question.
        assert!(said(&self::keys(&other, "k"), &maker.token(&header("ES256", ""), &good)).is_err());
        assert!(said(&json!({}), &ours).is_err() && said(&json!({ "keys": [7, {}, { "kty": "EC" }] }), &ours).is_err());
    }
}
