//! The archivist's desk on a real gateway: found, seen, compared, invalidated; what another's registers keep to themselves; hostile words; the access log.

use std::time::Duration;

use serde_json::json;

use super::origin;
use crate::console::browser::{Browser, Terminal};
use crate::kit::browser::{Chromium, ENTER, SPACE, walk};
use crate::kit::process::{Process, Signal};
use crate::kit::{self, wait_until_blocking};
use crate::road::Gateway;
use arkki::domain::language::Language;
use arkki::generate::family::Family;
use arkki::generate::person::Person;

/// Of `samples/accepted`: a client document in XHTML and JSON, signed; a PDF; the second version of a case; a will.
const STRUCTURED: &str = "1.2.246.10.99999992.95.2026.1.4";
const PDF: &str = "1.2.246.10.99999992.95.2026.1.7";
const CASE: &str = "1.2.246.10.99999992.95.2026.1.20";
const HETU: &str = "060666-966W";
const OWN: &str = "1.2.246.10.99999992.10.0";
const OTHER: &str = "1.2.246.10.99999984.10.0";

/// A gateway with the accepted samples in its archive.
struct Place {
    gateway: Gateway,
    serve: Process,
}

impl Place {
    async fn open(organisation: &str) -> Self {
        let gateway = Gateway::new(None, &format!("[console]\norganisation = \"{organisation}\"\n")).await;
        gateway.arkki(&["migrate"]).must();
        let serve = gateway.serve(&[]);
        for (file, answer, details) in gateway.send(&crate::road::files(&kit::repository().join("samples/accepted"))) {
            assert_eq!(answer, "AA", "{file}: {details}");
        }
        Self { gateway, serve }
    }

    fn end(mut self, terminal: &mut Terminal) {
        terminal.end();
        self.serve.signal(Signal::Term);
        assert!(self.serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", self.gateway.log_text());
        // The looks are in the ledger's order and whole.
        assert!(self.gateway.arkki(&["audit"]).ok());
        for secret in [HETU, "Häkkilintunen"] {
            assert!(!terminal.said().contains(secret) && !self.gateway.log_text().contains(secret));
        }
    }

    /// What the access log has of the console's people.
    fn log(&self) -> String {
        self.gateway.arkki(&["log", "export", "--controller", OWN, "--from", "2026-01-01", "--to", "2126-12-31", "--format", "csv"]).text()
    }
}

fn paths(id: &str) -> [String; 7] {
    ["", "/body", "/body.pdf", "/form", "/signature", "/invalidate", "/compare?with=1.2.3"].map(|rest| format!("/documents/{id}{rest}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archivist_finds_looks_compares_and_invalidates() {
    let Some(browser) = Chromium::open() else { return };
    let place = Place::open(OWN).await;
    let mut terminal = Terminal::open(&place.gateway);
    let link = terminal.link();
    let origin = origin(&link);
    browser.goto(&link);
    browser.goto(&format!("{origin}/documents?lang=en"));
    // By the keyboard alone: a client's documents.
    browser.tab_to("#client");
    browser.press(HETU);
    browser.press(ENTER);
    assert!(browser.text("#found").starts_with("Documents found: "), "{}", browser.text("main"));
    assert!(!browser.url().contains(HETU) && browser.look(".documents li").len() > 4, "{}", browser.url());
    browser.is_accessible();
    browser.picture("documents-found");
    assert!(!browser.text("main").contains("95.2026.1.30"), "a will is shown");
    browser.tab_to(".documents a");
    browser.press(ENTER);
    assert!(browser.url().contains("/documents/1.2.246."), "{}", browser.url());
    browser.goto(&format!("{origin}/documents/{STRUCTURED}"));
    // Its body is painted in a frame that has no right.
    assert_eq!(browser.run("return document.querySelector('iframe').getAttribute('sandbox')", &[]), json!(""));
    assert!(browser.text("main").contains("ledger position") && browser.text("#versions").contains("Versions"));
    browser.is_accessible();
    let seen = browser.picture("document-structured");
    assert!(seen.colours() > 20, "{}", seen.colours());
    // The second version of a case against the first.
    browser.goto(&format!("{origin}/documents/{CASE}"));
    browser.click(".chain a[href*='compare']");
    assert!(browser.look("del").len() + browser.look("ins").len() > 1, "{}", browser.text("main"));
    browser.is_accessible();
    browser.picture("compare");
    // An invalidation: chosen, looked at, refused without the box, done with it.
    browser.goto(&format!("{origin}/documents/{PDF}"));
    browser.click("a[href$='/invalidate']");
    browser.click("button[value='preview']");
    assert!(browser.text(".fault").contains("Choose a reason"), "{}", browser.text("main"));
    browser.fill("#words", "Tested: \"><b>x</b>");
    browser.tab_to("button[value='preview']");
    browser.press(ENTER);
    assert!(browser.text("main").contains("valid → invalidated"), "{}", browser.text("main"));
    browser.is_accessible();
    browser.picture("invalidate-second");
    browser.click("button[value='send']");
    assert!(browser.text("[role='alert']").contains("nothing was done"));
    browser.tab_to("#sure");
    browser.press(SPACE);
    browser.tab_to("button[value='send']");
    browser.press(ENTER);
    assert_eq!(browser.text("h1"), "The document is invalidated", "{}", browser.text("main"));
    browser.is_accessible();
    browser.goto(&format!("{origin}/documents/{PDF}"));
    let page = browser.text("main");
    assert!(page.contains("invalidated") && page.contains("Tested: \"><b>x</b>") && browser.look("main b").is_empty(), "{page}");
    // All of it is in the log, under the person's name.
    let log = place.log();
    for action in ["search", "show", "show-body", "compare", "invalidate-preview", "invalidate-send"] {
        assert!(log.lines().any(|line| line.contains("console:") && line.contains(action)), "{action}: {log}");
    }
    drop(browser);
    place.end(&mut terminal);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_the_desk_in_three_languages_light_dark_and_narrow_and_a_pdf_is_painted() {
    let Some(browser) = Chromium::open() else { return };
    let place = Place::open(OWN).await;
    let mut terminal = Terminal::open(&place.gateway);
    let link = terminal.link();
    let origin = origin(&link);
    browser.goto(&link);
    let document = format!("/documents/{STRUCTURED}");
    let [sheet, pdf, form, signature, invalidate] =
        [document.clone(), format!("/documents/{PDF}"), format!("{document}/form"), format!("{document}/signature"), format!("{document}/invalidate")];
    let compared = format!("/documents/{CASE}/compare?with=1.2.246.10.99999992.95.2026.1.2");
    let relation = "/documents?document=1.2.246.10.99999992.95.2026.1.1";
    let pages = [
        ("documents", "/documents"),
        ("documents-one", relation),
        ("document", &sheet),
        ("document-pdf", &pdf),
        ("form", &form),
        ("signature", &signature),
        ("invalidate", &invalidate),
        ("compare", &compared),
        ("document-none", "/documents/1.2.3"),
    ];
    for (name, octets) in walk(&browser, &origin, &pages) {
        assert!(octets < 100 * 1024, "{name} weighs {octets} octets");
    }
    // Chromium's own viewer paints the first page inside ours: its dark blue bar on white.
    browser.goto(&format!("{origin}{pdf}?lang=fi"));
    let painted = || {
        let picture = browser.picture("pdf-in-page");
        picture.near([51, 51, 102], 8) > 1_000 && picture.near([255, 255, 255], 2) > 50_000
    };
    assert!(wait_until_blocking(Duration::from_secs(20), painted), "the PDF is not painted: target/screenshots/pdf-in-page.png");
    browser.goto(&format!("{origin}{pdf}/body.pdf"));
    assert!(wait_until_blocking(Duration::from_secs(20), || browser.picture("pdf-alone").near([51, 51, 102], 8) > 1_000));
    // Without scripts everything is the same, for there are none.
    browser.scripts(false);
    browser.goto(&format!("{origin}{sheet}"));
    let without = browser.picture("document-without-scripts");
    browser.scripts(true);
    assert!(without.colours() > 20);
    drop(browser);
    place.end(&mut terminal);
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_registers_and_wills_are_not_there_and_bodies_bear_their_own_policy() {
    let place = Place::open(OTHER).await;
    let mut terminal = Terminal::open(&place.gateway);
    let mut stranger = Browser::enter(&terminal.link());
    for path in paths(STRUCTURED).iter().chain(&paths(PDF)) {
        let answer = stranger.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains(HETU) && !answer.body.contains("Häkkilintunen"), "{path}");
    }
    let page = stranger.get("/documents");
    let csrf = page.field("csrf");
    let found = stranger.post("/documents", &[("csrf", &csrf), ("client", HETU), ("state", "any")]);
    assert!(found.status == 200 && !found.body.contains("/documents/1."), "{}", found.body);
    let refused =
        stranger.post(&format!("/documents/{PDF}/invalidate"), &[("csrf", &csrf), ("scope", "version"), ("words", "x"), ("sure", "yes"), ("action", "send")]);
    assert_eq!(refused.status, 404);
    for forged in ["", "0", &"0".repeat(64)] {
        let answer = stranger.post(&format!("/documents/{PDF}/invalidate"), &[("csrf", forged), ("words", "x"), ("sure", "yes"), ("action", "send")]);
        assert_eq!(answer.status, 403);
    }
    for (field, value) in [("client", "060666-966X"), ("document", "1.2.246.010"), ("from", "2026-02-30"), ("specific_type", "x")] {
        assert_eq!(stranger.post("/documents", &[("csrf", &csrf), (field, value)]).status, 422, "{field}");
    }
    terminal.end();
    // The house's own archivist: no will by any way, and each body under its policy.
    let config = place.gateway.folder.path().join("arkki.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace(OTHER, OWN);
    std::fs::write(&config, text).unwrap();
    let mut terminal = Terminal::open(&place.gateway);
    let mut own = Browser::enter(&terminal.link());
    let will = std::fs::read_to_string(kit::repository().join("samples/accepted/11-permission-fi.xml")).unwrap();
    let will = will.split("<id root=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    for path in paths(&will) {
        assert_eq!(own.get(&path).status, 404, "{path}");
    }
    let body = own.get(&format!("/documents/{STRUCTURED}/body"));
    let policy = body.header("content-security-policy").unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; img-src data:; style-src 'unsafe-inline'") && policy.ends_with("sandbox"), "{policy}");
    assert_eq!((body.header("x-content-type-options"), body.header("content-type")), (Some("nosniff"), Some("application/xhtml+xml; charset=utf-8")));
    let pdf = own.request_octets(&format!("/documents/{PDF}/body.pdf"));
    assert!(pdf.0.contains("application/pdf") && pdf.0.contains("default-src 'none'; frame-ancestors 'self'") && pdf.1.starts_with(b"%PDF-"), "{}", pdf.0);
    assert_eq!(own.get(&format!("/documents/{PDF}/body")).status, 404);
    let page = own.get(&format!("/documents/{STRUCTURED}"));
    assert!(page.body.contains("sandbox=\"\"") && page.header("content-security-policy").is_some_and(|policy| policy.contains("frame-src 'self'")));
    // More than fit a person's eyes are never shown; the ways to narrow are. (Few here: the criteria are held together.)
    let csrf = own.get("/documents").field("csrf");
    let narrowed = own.post("/documents", &[("csrf", &csrf), ("client", HETU), ("narrow", "by-group=2"), ("state", "any")]);
    assert!(narrowed.status == 200 && narrowed.body.contains("value=\"2\" selected"), "{}", narrowed.body);
    place.end(&mut terminal);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_words_in_every_field_do_nothing() {
    let Some(browser) = Chromium::open() else { return };
    let mut place = Place::open(OWN).await;
    let hostile = "\"'><img src=x onerror=document.title='owned'><script>document.title='owned'</script>";
    let person = Person::new((1990, 1, 1), 951, vec![hostile], hostile);
    let family = Family::of(person, 7, 77, Language::Fi);
    let folder = kit::temp_dir();
    let mut files = Vec::new();
    for (at, document) in family.in_order().into_iter().enumerate().filter(|(_, document)| !document.signed) {
        let path = folder.path().join(format!("{at:02}.xml"));
        std::fs::write(&path, document.render()).unwrap();
        files.push((path, document.id.clone(), document.group.is_will()));
    }
    let answers = place.gateway.send(&files.iter().map(|(path, ..)| path.clone()).collect::<Vec<_>>());
    let taken: Vec<&String> = answers.iter().zip(&files).filter(|((_, answer, _), (_, _, will))| answer == "AA" && !will).map(|(_, (_, id, _))| id).collect();
    assert!(taken.len() >= 3, "{answers:?}");
    let mut terminal = Terminal::open(&place.gateway);
    let link = terminal.link();
    let origin = origin(&link);
    browser.goto(&link);
    for id in taken {
        for rest in ["", "/body", "/form", "/signature", "/invalidate"] {
            browser.goto(&format!("{origin}/documents/{id}{rest}"));
            assert_ne!(browser.title(), "owned", "{id}{rest}");
            assert!(browser.look("main script, main img, body > script").is_empty(), "{id}{rest}: {}", browser.source());
        }
        browser.goto(&format!("{origin}/documents/{id}"));
        assert!(browser.text("main").contains("<script>"), "{}", browser.text("main"));
        browser.is_accessible();
    }
    browser.picture("hostile");
    drop(browser);
    terminal.end();
    place.serve.signal(Signal::Term);
    assert!(place.serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()));
}
