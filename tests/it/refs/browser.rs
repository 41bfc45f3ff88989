//! The same in a real browser: groups, preview, begin, progress by itself, stop, resume; discard and undo; without scripts; and axe's word on each page.

use std::time::Duration;

use serde_json::json;

use super::{GROUP, comes, refused};
use crate::console::browser::Terminal;
use crate::kit::browser::{Chromium, ENTER, walk};
use crate::kit::process::Signal;
use crate::road::Gateway;

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_replayed_stopped_and_resumed_by_people_with_and_without_scripts() {
    let Some(browser) = Chromium::open() else { return };
    let gateway = Gateway::new(None, "[console]\nrehearsals = [\"/etc/arkki/rules-next\"]\n").await;
    let hashes = refused(&gateway, 150).await;
    let mut serve = gateway.serve(&[]);
    let mut terminal = Terminal::open(&gateway);
    let link = terminal.link();
    browser.goto(&link);
    let origin = link.split("/enter/").next().unwrap().to_owned();
    // Discarded, and taken back.
    browser.goto(&format!("{origin}/refusals?lang=en"));
    browser.picture("refusals-groups");
    browser.click("tbody a");
    browser.shows("h1", "Group E305");
    browser.fill("#deed-why", "a test of the engine");
    browser.click("button[value='discard']");
    browser.shows("h1", "What was done");
    browser.shows(".rows", "Discard · console:local-tester");
    browser.picture("refusals-deeds");
    browser.click("summary");
    browser.fill("#undo-1", "those were real");
    browser.click("button[name='action'][value='1']");
    browser.shows(".rows", "taken back by 2");
    // Preview, begin: the page keeps itself up to date.
    browser.goto(&format!("{origin}{GROUP}"));
    browser.shows("#open", "150");
    browser.click("#replay");
    browser.shows("#goes", "150");
    browser.picture("refusals-preview");
    browser.is_accessible();
    browser.run("document.getElementById('rate').value = '8'", &[]);
    browser.fill("#why", "the registers came");
    browser.click("button[value='begin']");
    browser.shows("h1", "Replay 1");
    browser.shows("#live", "Kept up to date by itself.");
    let decided = || browser.run("return parseInt(document.querySelector('#decided')?.innerText ?? '0')", &[]).as_u64().unwrap_or(0);
    assert!(comes(|| decided() >= 10), "{}", browser.source());
    browser.is_accessible();
    browser.picture("replay-running");
    browser.tab_to("button[value='stop']");
    browser.press(ENTER);
    browser.shows("#state", "Stopped");
    browser.shows("button[value='resume']", "Resume");
    std::thread::sleep(Duration::from_millis(1200));
    browser.goto(&format!("{origin}/refusals/jobs/1"));
    let stopped = decided();
    std::thread::sleep(Duration::from_millis(600));
    browser.goto(&format!("{origin}/refusals/jobs/1"));
    assert!(decided() == stopped && stopped < 150, "a stop stops: {stopped} {}", decided());
    // The same without scripts: resumed, looked at, stopped, resumed to the end. What the driver itself asks of a page is a script too: it asks when the page stands.
    let without = |go: &dyn Fn()| {
        browser.scripts(false);
        go();
        std::thread::sleep(Duration::from_millis(1500));
        browser.scripts(true);
    };
    let press = |css: &str, state: &str| {
        browser.tab_to(css);
        without(&|| browser.press(ENTER));
        browser.shows("#state", state);
    };
    press("button[value='resume']", "Running");
    assert!(browser.text("#live").is_empty() && browser.source().contains("refresh=1"), "{}", browser.source());
    press("button[value='stop']", "Stopped");
    press("button[value='resume']", "Running");
    let again = || {
        without(&|| browser.goto(&format!("{origin}/refusals/jobs/1")));
        browser.text("#state") == "Done"
    };
    assert!(comes(again), "{}", browser.source());
    assert!(browser.text("#decided").starts_with("150 / 150"), "{}", browser.text("#decided"));
    browser.picture("replay-done");
    browser.goto(&format!("{origin}/messages/{}?lang=en", hashes[0]));
    browser.shows("main", "the registers came");
    assert_eq!(browser.run("return document.querySelectorAll('#refusal').length", &[]), json!(1));
    let message = format!("/messages/{}", hashes[0]);
    let replay = GROUP.replace("/group?", "/replay?");
    let pages = [
        ("refusals", "/refusals"),
        ("refusals-group", GROUP),
        ("deeds", "/refusals/deeds"),
        ("replay-preview", &replay),
        ("replays", "/refusals/jobs"),
        ("replay", "/refusals/jobs/1"),
        ("refused-message", &message),
        ("rehearsal", "/rehearsal"),
    ];
    for (name, octets) in walk(&browser, &origin, &pages) {
        assert!(octets < 100 * 1024, "{name} weighs {octets} octets");
    }
    drop(browser);
    terminal.end();
    serve.signal(Signal::Term);
    serve.wait(Duration::from_secs(60));
}
