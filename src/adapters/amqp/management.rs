//! RabbitMQ's management HTTP API, read only. `ureq` lives here and blocks: called through `spawn_blocking`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::connect::outage;
use super::settings::Secret;
use crate::domain::outage::Outage;

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(10);
/// The largest answer taken: one queue with its statistics is a few kilobytes.
const ANSWER_OCTETS: u64 = 8 * 1024 * 1024;

/// The API of one broker, as one user, for one virtual host.
pub(super) struct Management {
    agent: ureq::Agent,
    base: String,
    authorization: String,
    pub(super) user: String,
    /// The user stands in `management_url`: its password too, and nothing has proved it yet.
    named: bool,
    vhost: String,
}

/// What the API said.
pub(super) enum Said {
    /// It is so.
    This(Value),
    /// There is no such thing.
    Nothing,
    /// This user may not see it.
    NotForUs,
}

impl Management {
    /// `url` is `http[s]://user:password@host:port`; without a user in it, the broker's own user is taken.
    pub(super) fn new(url: &Secret, fallback: (&str, &str), vhost: &str) -> Result<Self, Outage> {
        let bad = || outage("[broker] management_url is not http[s]://[user:password@]host[:port]");
        let (scheme, rest) = url.reveal().trim_end_matches('/').split_once("://").ok_or_else(bad)?;
        if !matches!(scheme, "http" | "https") {
            return Err(bad());
        }
        let (user, password, host, named) = match rest.rsplit_once('@') {
            Some((credentials, host)) => {
                let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
                (decoded(user), decoded(password), host, true)
            }
            None => (fallback.0.to_owned(), fallback.1.to_owned(), rest, false),
        };
        // Never by a proxy: the broker is a neighbour, and its password is not for a third.
        let agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).timeout_global(Some(ANSWER)).max_redirects(0).build().into();
        let authorization = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        Ok(Self { agent, base: format!("{scheme}://{host}/api"), authorization, user, named, vhost: encoded(vhost) })
    }

    /// What lets this user in: a tag, and a password where the URL brings one of its own.
    pub(super) fn way_in(&self) -> String {
        let tag = format!("rabbitmqctl set_user_tags {} monitoring", super::topology::quoted(&self.user));
        if self.named { format!("mend the password in [broker] management_url, or {tag}") } else { tag }
    }

    /// `kind` is `queues` or `exchanges`; `more` what follows the name.
    pub(super) fn thing(&self, kind: &str, name: &str, more: &str) -> Result<Said, Outage> {
        self.get(&format!("/{kind}/{}/{}{more}", self.vhost, encoded(name)))
    }

    /// The bindings that lead out of an exchange.
    pub(super) fn bindings_of(&self, exchange: &str) -> Result<Said, Outage> {
        self.thing("exchanges", exchange, "/bindings/source")
    }

    /// Every queue of the virtual host: name and messages. Depths are as old as the broker's statistics.
    pub(super) fn queues(&self) -> Result<Said, Outage> {
        self.get(&format!("/queues/{}?columns=name,messages", self.vhost))
    }

    /// Every queue of the virtual host: name, messages and consumers.
    pub(super) fn depths(&self) -> Result<Said, Outage> {
        self.get(&format!("/queues/{}?columns=name,messages,consumers", self.vhost))
    }

    /// The user's permissions in the virtual host.
    pub(super) fn permissions(&self, user: &str) -> Result<Said, Outage> {
        self.get(&format!("/permissions/{}/{}", self.vhost, encoded(user)))
    }

    /// All users; only an administrator may see them.
    pub(super) fn users(&self) -> Result<Said, Outage> {
        self.get("/users")
    }

    /// Whether it is there at all, and lets us in.
    pub(super) fn overview(&self) -> Result<Said, Outage> {
        self.get("/overview")
    }

    fn get(&self, path: &str) -> Result<Said, Outage> {
        let answer = self.agent.get(format!("{}{path}", self.base)).header("authorization", &self.authorization).call();
        let mut answer = answer.map_err(|e| outage(format!("management API: {e}")))?;
        match answer.status().as_u16() {
            200 => {
                let body = answer.body_mut().with_config().limit(ANSWER_OCTETS).read_to_vec().map_err(|e| outage(format!("management API: {e}")))?;
                serde_json::from_slice(&body).map(Said::This).map_err(|_| outage("management API: the answer is not JSON"))
            }
            404 => Ok(Said::Nothing),
            401 | 403 => Ok(Said::NotForUs),
            status => Err(outage(format!("management API: status {status}"))),
        }
    }
}

/// Percent-encodes everything that is not plain: virtual hosts are often called `/`.
fn encoded(name: &str) -> String {
    name.bytes().map(|b| if b.is_ascii_alphanumeric() || b"-._~".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, coded)) = rest.split_once('%') {
        octets.extend_from_slice(plain.as_bytes());
        match coded.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(octet) => {
                octets.push(octet);
                rest = coded.get(2..).unwrap_or_default();
            }
            None => {
                octets.push(b'%');
                rest = coded;
            }
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_and_passwords_decoded() {
        assert_eq!(encoded("/"), "%2F");
        assert_eq!(encoded("a.b-c_ä"), "a.b-c_%C3%A4");
        assert_eq!(decoded("p%40ss%"), "p@ss%");
        assert_eq!(decoded("%2Fx%zz"), "/x%zz");
    }

    #[test]
    fn the_user_comes_from_the_url_or_from_the_broker() {
        let user = |url: &str| Management::new(&Secret::new(url), ("own", "x"), "/").map(|m| (m.user, m.base)).ok();
        assert_eq!(user("http://a:b@h:15672/"), Some(("a".into(), "http://h:15672/api".into())));
        assert_eq!(user("https://h"), Some(("own".into(), "https://h/api".into())));
        assert_eq!(user("ftp://h"), None);
        assert_eq!(user("h:15672"), None);
    }
}
