//! The pictures of README.md and docs/console.md, of test persons: painted anew in each run, and written to `docs/pictures/` by `make pictures`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::origin;
use crate::console::browser::Terminal;
use crate::kit::browser::{Chromium, screenshots};
use crate::kit::process::Signal;
use crate::kit::{self, wait_until_blocking};
use crate::road::{Gateway, files};

/// A page that shows a picture loads it in a moment, and a clone stays small.
const MOST_OCTETS: u64 = 120 * 1024;
const SOON: Duration = Duration::from_secs(30);
const STRUCTURED: &str = "1.2.246.10.99999992.95.2026.1.4";
const PDF: &str = "1.2.246.10.99999992.95.2026.1.7";
const CASE: &str = "1.2.246.10.99999992.95.2026.1.20";
/// Their names.
const PICTURES: [&str; 7] = ["board", "compare", "document-pdf", "document-structured", "documents-found", "invalidate-second", "message"];

fn folder() -> PathBuf {
    kit::repository().join("docs/pictures")
}

/// Keeps what the window shows: among the run's screenshots, and where `make pictures` asks for it, in the documentation.
#[track_caller]
fn keep(browser: &Chromium, name: &str) {
    assert!(PICTURES.contains(&name));
    assert_eq!(browser.sticks_out(), Vec::<String>::new(), "{name}");
    let picture = browser.picture(&format!("docs-{name}"));
    assert!(picture.colours() > 20, "{name} shows nothing");
    let painted = screenshots().join(format!("docs-{name}.png"));
    let octets = std::fs::metadata(&painted).unwrap().len();
    assert!(octets <= MOST_OCTETS, "{name} has {octets} octets");
    if std::env::var("ARKKI_PICTURES").is_ok_and(|value| value == "1") {
        std::fs::copy(&painted, folder().join(format!("{name}.png"))).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pictures_of_the_documentation_can_be_painted_again() {
    let Some(browser) = Chromium::open() else { return };
    let gateway = Gateway::new(None, "").await;
    let mut serve = gateway.serve(&[]);
    let samples = |folder: &str| files(&kit::repository().join("samples").join(folder));
    let refused: Vec<PathBuf> =
        samples("refused").into_iter().filter(|file| ["/E1", "/E2", "/E3"].iter().any(|code| file.to_str().unwrap().contains(code))).collect();
    let one = refused.iter().find(|file| file.to_str().unwrap().contains("/E305")).unwrap();
    let mut terminal = Terminal::open(&gateway);
    let link = terminal.link();
    let origin = origin(&link);
    let goto = |path: &str| browser.goto(&format!("{origin}{path}"));
    browser.size(1200, 800);
    browser.goto(&link);
    goto("/?lang=en");
    gateway.send(&samples("accepted"));
    gateway.send(&refused);

    goto("/documents");
    browser.fill("#client", "060666-966W");
    browser.press(crate::kit::browser::ENTER);
    browser.shows("#found", "Documents found: ");
    keep(&browser, "documents-found");
    goto(&format!("/documents/{STRUCTURED}"));
    keep(&browser, "document-structured");
    goto(&format!("/documents/{PDF}"));
    // The viewer paints after the page.
    assert!(wait_until_blocking(SOON, || browser.picture("docs-pdf-waits").near([51, 51, 102], 8) > 1_000), "the PDF is not painted");
    keep(&browser, "document-pdf");
    goto(&format!("/documents/{CASE}"));
    browser.click(".chain a[href*='compare']");
    browser.shows("h1", "Versions side by side");
    keep(&browser, "compare");
    goto(&format!("/documents/{PDF}/invalidate"));
    browser.fill("#words", "Sent for another client's case");
    browser.click("button[value='preview']");
    browser.shows("main", "valid → invalidated");
    keep(&browser, "invalidate-second");

    // A refused message, its findings beside its lines.
    let hash = arkki::crypto::sha256(&std::fs::read(one).unwrap()).to_hex();
    goto(&format!("/messages/{hash}"));
    browser.fill("#why", "The sender asks what is wrong");
    browser.press(crate::kit::browser::ENTER);
    browser.shows("main", "E305");
    browser.run("document.querySelector('#lines').scrollIntoView()", &[]);
    assert!(!browser.look("mark").is_empty(), "{}", browser.source());
    keep(&browser, "message");

    // The board, with a few looks in its plots.
    goto("/");
    assert!(wait_until_blocking(SOON, || browser.look("#board svg").len() >= 5), "{}", browser.text("#board"));
    gateway.send(&refused);
    let moving = || browser.text("#live").contains("Kept up to date");
    assert!(wait_until_blocking(SOON, moving), "{}", browser.text("main"));
    std::thread::sleep(Duration::from_secs(12));
    keep(&browser, "board");
    drop(browser);
    terminal.end();
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
}

/// What stands in the folder is small, is made by the test above, and is shown with words for who does not see it.
#[test]
fn every_picture_is_shown_with_words_that_say_what_it_shows() {
    let there: BTreeSet<String> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, PICTURES.iter().map(|name| format!("{name}.png")).collect());
    for name in &there {
        let octets = std::fs::metadata(folder().join(name)).unwrap().len();
        assert!(octets <= MOST_OCTETS, "{name} has {octets} octets");
    }
    for (page, path, at_least) in [("README.md", "docs/pictures/", 4), ("docs/console.md", "pictures/", PICTURES.len())] {
        let text = std::fs::read_to_string(kit::repository().join(page)).unwrap();
        let mut shown = BTreeSet::new();
        for (words, rest) in text.split("![").skip(1).filter_map(|image| image.split_once("](")) {
            let target = rest.split(')').next().unwrap_or_default();
            let name = target.strip_prefix(path).unwrap_or_else(|| panic!("{page}: {target}"));
            assert!(there.contains(name), "{page} shows {name}, which is not there");
            assert!(words.chars().count() >= 40, "{page}: {name} has too few words for who does not see it: {words:?}");
            shown.insert(name.to_owned());
        }
        assert!(shown.len() >= at_least, "{page} shows {shown:?}");
    }
}
