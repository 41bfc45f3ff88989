//! The web console over a real socket, with a real RabbitMQ and a real gateway behind it: who gets in, what comes back, and a disclosure's whole way.

pub(crate) mod browser;

use std::time::Duration;

use crate::faces::{arkki, exits};
use crate::kit::process::Signal;
use crate::kit::wait_until_blocking;
use crate::road::Gateway;
use browser::{Answer, Browser, Terminal};

const FORM: &str = "/disclosures/new";
/// A test person's identity code (individual number 900–999), and a name that stands nowhere else.
const HETU: &str = "010190-900P";
const NAME: &str = "Konsolikanarialintunen";
const CONTROLLER: &str = "1.2.246.10.99999992.10.0";
const OTHER: &str = "1.2.246.10.99999984.10.0";

/// A disclosure by statute, as a person types it.
fn typed() -> Vec<(&'static str, &'static str)> {
    vec![
        ("language", "fi"),
        ("client_id", HETU),
        ("client_family", NAME),
        ("client_given", "Testi"),
        ("disclosed_at", "2026-11-20T09:30"),
        ("type", "document"),
        ("purpose", "social-welfare"),
        ("manner", "paper"),
        ("basis", "statute"),
        ("statute", "703/2023 62 §"),
        ("discloser_id", "90000000017"),
        ("discloser_family", "Sosionomi"),
        ("discloser_given", "Testi"),
        ("discloser_title", "sosionomi"),
        ("discloser_organisation", CONTROLLER),
        ("discloser_organisation_name", "Testilän hyvinvointialue"),
        ("recipient_kind", "controller"),
        ("recipient_organisation", OTHER),
        ("recipient_name", "Toisen testilän hyvinvointialue"),
        ("controller", CONTROLLER),
        ("controller_name", "Testilän hyvinvointialue"),
        ("register", "1"),
        ("description_1", "Palvelutarpeen arvio, paperikopio"),
        ("task_1", "25"),
        ("action", "send"),
    ]
}

fn with<'a>(fields: &[(&'a str, &'a str)], name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut fields = fields.to_vec();
    match fields.iter_mut().find(|(field, _)| *field == name) {
        Some(field) => field.1 = value,
        None => fields.push((name, value)),
    }
    fields
}

#[track_caller]
fn is_guarded(answer: &Answer) {
    let policy = answer.header("content-security-policy").unwrap_or_default();
    for word in ["default-src 'none'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(word) && !policy.contains("unsafe"), "{policy}");
    }
    for (name, value) in [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("cache-control", "no-store")] {
        assert_eq!(answer.header(name), Some(value), "{name} of {}", answer.head);
    }
    // The board's script is a file of the console's own; nothing stands inline.
    assert!(!answer.body.contains("<script>") && answer.body.matches("<script").count() == answer.body.matches("<script src=\"/board.js\"").count());
    assert!(!answer.body.contains(" style=") && !answer.body.contains(" onclick"), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_lets_one_browser_in_once() {
    let gateway = Gateway::new(None, "").await;
    let mut terminal = Terminal::open(&gateway);
    let link = terminal.link();
    let mut browser = Browser::at(&link);
    let outside = browser.get("/");
    assert_eq!((outside.status, browser.get(FORM).status), (403, 403));
    is_guarded(&outside);
    let forged = browser.get(&format!("/enter/{}", "0".repeat(64)));
    assert_eq!((forged.status, forged.header("set-cookie")), (403, None));
    let entered = browser.get(&link);
    assert_eq!((entered.status, entered.header("location")), (303, Some("/")));
    let cookie = entered.header("set-cookie").unwrap();
    for word in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=1800"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert_eq!(browser.get("/").status, 200);
    // A second browser with the same link, and one with a made-up cookie.
    let mut second = Browser::at(&link);
    assert_eq!(second.get(&link).status, 403);
    let other = |cookie: &String| format!("{}{}", &cookie[..cookie.len() - 1], if cookie.ends_with('0') { '1' } else { '0' });
    second.cookie = browser.cookie.as_ref().map(other);
    assert_eq!(second.get("/").status, 403);
    // Enter gives another link.
    let newer = terminal.another();
    assert_ne!(newer, link);
    second.cookie = None;
    assert_eq!(second.get(&newer).status, 303);
    // A session that was left is gone, also for who kept its cookie.
    let csrf = browser.get("/").field("csrf");
    let left = browser.post("/leave", &[("csrf", &csrf)]);
    assert_eq!(left.status, 200);
    assert!(left.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")));
    assert_eq!((browser.get("/").status, second.get("/").status), (403, 200));
    terminal.end();
    exits(&arkki(&["console", "--listen", "0.0.0.0:0"]), 2);
    assert!(arkki(&["console", "--listen", "192.0.2.1:8080"]).errors().contains("this machine only"));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_pages_and_names_are_refused_and_every_answer_is_guarded() {
    let gateway = Gateway::new(None, "").await;
    let mut terminal = Terminal::open(&gateway);
    let mut browser = Browser::enter(&terminal.link());
    for (path, status) in [("/", 200), (FORM, 200), ("/style.css", 200), ("/nothing", 404), ("/disclosures", 404), ("/leave", 405), ("/../etc/passwd", 404)] {
        let answer = browser.get(path);
        assert_eq!(answer.status, status, "{path}");
        is_guarded(&answer);
    }
    // DNS that was bent to point here.
    for host in ["evil.example", "localhost", "127.0.0.1", "127.0.0.1:1"] {
        let answer = browser.request("GET", "/", &[("Host", host)], "");
        assert_eq!(answer.status, 403, "{host}");
        is_guarded(&answer);
        assert!(!answer.body.contains("csrf"));
    }
    let csrf = browser.get(FORM).field("csrf");
    let fields = with(&typed(), "csrf", &csrf).iter().map(|(n, v)| format!("{n}={}", browser::encoded(v))).collect::<Vec<_>>().join("&");
    let own = browser.origin();
    for headers in [
        &[("Origin", "http://evil.example")][..],
        &[("Origin", own.as_str()), ("Sec-Fetch-Site", "cross-site")],
        &[("Origin", "null")],
        &[("Sec-Fetch-Site", "same-site")],
        &[],
    ] {
        let answer = browser.request("POST", FORM, headers, &fields);
        assert_eq!(answer.status, 403, "{headers:?}");
        is_guarded(&answer);
    }
    for token in ["", "0", &"0".repeat(64)] {
        let forged = browser.post(FORM, &with(&typed(), "csrf", token));
        assert_eq!(forged.status, 403);
    }
    // Another session's secret is none here.
    let other = Browser::enter(&terminal.another()).get(FORM).field("csrf");
    assert_eq!(browser.post(FORM, &with(&typed(), "csrf", &other)).status, 403);
    // Nothing of all that reached the queue.
    assert!(!browser.get(FORM).body.contains(NAME));
    let large = browser.request("POST", FORM, &[("Origin", &own)], &format!("csrf={csrf}&description={}", "x".repeat(200_000)));
    assert_eq!(large.status, 413);
    terminal.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_becomes_a_notice_and_its_faults_stand_beside_its_fields() {
    let gateway = Gateway::new(None, "").await;
    gateway.arkki(&["migrate"]).must();
    let mut serve = gateway.serve(&[]);
    let mut terminal = Terminal::open(&gateway);
    let mut browser = Browser::enter(&terminal.link());
    let csrf = browser.get(FORM).field("csrf");
    let event = browser.get(FORM).field("event");
    let fields = with(&with(&typed(), "csrf", &csrf), "event", &event).into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect::<Vec<_>>();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();

    // Missing: told at once, nothing sent.
    let missing = browser.post(FORM, &with(&fields, "client_id", ""));
    assert_eq!(missing.status, 422);
    assert!(missing.body.contains("href=\"#client_id\"") && missing.body.contains("aria-invalid=\"true\""), "{}", missing.body);
    // Refused by the gateway: each finding in the page's language, beside its field, and what was typed is still there.
    for (field, bad, code, shown, words) in [
        ("client_id", "010190-900Q", "E305", "client_id", "?lang=en"),
        ("task_1", "99", "E882", "task_1", "?lang=sv"),
        ("recipient_organisation", "", "E881", "recipient_kind", "?lang=fi"),
        ("disclosed_at", "2126-11-20T09:30", "E884", "disclosed_at", "?lang=en"),
        ("controller", "1.2.246.010", "E304", "controller", "?lang=en"),
    ] {
        browser.get(&format!("/{words}"));
        let refused = browser.post(FORM, &with(&fields, field, bad));
        assert_eq!(refused.status, 422, "{field}: {}", refused.body);
        assert!(refused.body.contains(&format!("({code})")), "{code}: {}", refused.body);
        assert!(refused.body.contains(&format!("href=\"#{shown}\"")) && refused.body.contains(&format!("id=\"{shown}-fault\"")), "{code}: {}", refused.body);
        assert!(refused.body.contains(&format!("value=\"{NAME}\"")), "{}", refused.body);
        assert!(!refused.body.contains("(line ") && !refused.body.contains("(rivi "), "{}", refused.body);
        is_guarded(&refused);
    }
    assert!(browser.get(FORM).body.contains(NAME), "the draft stays with the session");

    let done = browser.post(FORM, &fields);
    assert_eq!(done.status, 200, "{}", done.body);
    assert!(done.body.contains(&event) && !done.body.contains(NAME), "{}", done.body);
    is_guarded(&done);
    // The same again: the gateway repeats its answer, and there is one notice still.
    let again = browser.post(FORM, &fields);
    assert_eq!(again.status, 200);
    let position = |answer: &Answer| answer.between("<dd>", "</dd>");
    assert_eq!(position(&again), position(&done));
    assert!(!browser.get(FORM).body.contains(NAME), "what was taken is forgotten");
    assert!(gateway.arkki(&["audit"]).ok());
    let queue = format!("/api/queues/{}/arkki.notice", gateway.vhost.name);
    let notices = || serde_json::from_str::<serde_json::Value>(&gateway.vhost.api("GET", &queue, None).1).ok().and_then(|q| q["messages"].as_u64());
    assert!(wait_until_blocking(Duration::from_secs(20), || notices() == Some(1)), "{:?}", notices());
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
    terminal.end();
    // Nobody's name or identity code stands in what the console or the gateway said.
    for secret in [NAME, HETU] {
        assert!(!terminal.said().contains(secret) && !gateway.log_text().contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_words_come_back_as_words_and_an_absent_broker_loses_nothing() {
    let mut gateway = Gateway::new(None, "").await;
    // A broker that is not there: the port is closed.
    gateway.environment.clear();
    let mut terminal = Terminal::open_with(&gateway, "amqp://u:s3cret@127.0.0.1:1/v");
    let mut browser = Browser::enter(&terminal.link());
    let page = browser.get(FORM);
    let (csrf, hostile) = (page.field("csrf"), "\"'><script>alert(1)</script><img src=x onerror=y>&amp;\u{202e}</textarea>");
    let names: Vec<String> = page.names().into_iter().filter(|name| !matches!(name.as_str(), "csrf" | "action")).collect();
    assert!(names.len() > 35, "{names:?}");
    for action in ["add", "send"] {
        let mut fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), hostile)).collect();
        fields.extend([("csrf", csrf.as_str()), ("action", action), ("<b>", hostile)]);
        let answer = browser.post(FORM, &fields);
        assert!(matches!(answer.status, 200 | 422 | 503), "{}", answer.status);
        is_guarded(&answer);
        assert!(!answer.body.contains("<img") && answer.body.contains("&quot;&#39;&gt;&lt;script&gt;alert(1)"), "{}", answer.body);
    }
    let sent = with(&typed(), "csrf", &csrf).into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect::<Vec<_>>();
    let sent: Vec<(&str, &str)> = sent.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let away = browser.post(FORM, &sent);
    assert_eq!(away.status, 503, "{}", away.body);
    assert!(away.body.contains(NAME) && away.body.contains("role=\"status\"") && !away.body.contains("s3cret"), "{}", away.body);
    assert!(browser.get(FORM).body.contains(NAME));
    terminal.end();
    assert!(!terminal.said().contains("s3cret") && !terminal.said().contains(NAME), "{}", terminal.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn three_languages_each_label_bound_and_data_sets_come_and_go() {
    let gateway = Gateway::new(None, "").await;
    let mut terminal = Terminal::open(&gateway);
    let mut browser = Browser::enter(&terminal.link());
    for (wanted, lang, word) in [("sv-FI,sv;q=0.9", "sv", "Klient"), ("en", "en", "Client"), ("fi", "fi", "Asiakas"), ("de", "fi", "Asiakas")] {
        let answer = browser.request("GET", FORM, &[("Accept-Language", wanted)], "");
        assert!(answer.body.contains(&format!("<html lang=\"{lang}\">")) && answer.body.contains(word), "{wanted}");
    }
    for (language, heading) in [("sv", "Utlämnande utanför arkivet"), ("en", "A disclosure outside the archive"), ("fi", "Arkiston ulkopuolinen luovutus")] {
        assert!(browser.get(&format!("{FORM}?lang={language}")).body.contains(heading));
        // Chosen once, it stays.
        let page = browser.get(FORM);
        assert!(page.body.contains(heading) && page.body.contains(&format!("<html lang=\"{language}\">")));
        // Each word is a word, not its key.
        for key in ["field-", "hint-", "part-", "basis-", "kind-", "giver-"] {
            assert!(!page.body.contains(&format!(">{key}")), "{key} {language}");
        }
        for id in page.labelled() {
            assert_eq!(page.body.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}");
        }
        for id in page.described() {
            assert_eq!(page.body.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}");
        }
        assert!(page.body.len() < 100_000, "{} octets", page.body.len());
    }
    let csrf = browser.get(FORM).field("csrf");
    let more = browser.post(FORM, &[("csrf", &csrf), ("action", "add"), ("client_family", NAME), ("task_1", "24")]);
    assert!(more.body.contains("id=\"task_2\"") && more.body.contains(NAME) && more.body.contains("checked"), "{}", more.body);
    let fewer = browser.post(FORM, &[("csrf", &csrf), ("action", "remove"), ("task_2", "24")]);
    assert!(!fewer.body.contains("id=\"task_2\""));
    let last = browser.post(FORM, &[("csrf", &csrf), ("action", "forget"), ("client_family", NAME)]);
    assert!(!last.body.contains(NAME) && !browser.get(FORM).body.contains(NAME));
    // Forms are counted: a machine that sends them without end is told to wait.
    let statuses: Vec<u16> = (0..40).map(|_| browser.post(FORM, &[("csrf", &csrf), ("action", "forget")]).status).collect();
    assert!(statuses.first() == Some(&200) && statuses.last() == Some(&429), "{statuses:?}");
    terminal.end();
}
