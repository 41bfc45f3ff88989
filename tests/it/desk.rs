//! The web console in a real browser: what people see, at every width, in the dark, by the keyboard alone, without scripts; and axe-core's word on each page.

mod archivist;
mod operators;
mod pictures;

use crate::console::browser::Terminal;
use crate::kit::browser::{Chromium, ENTER, screenshots, walk};
use crate::road::Gateway;

/// Where the console of this link answers.
pub fn origin(link: &str) -> String {
    link.split("/enter/").next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_a_disclosure_is_seen_in_three_languages_light_and_dark_and_narrow() {
    let Some(browser) = Chromium::open() else { return };
    let gateway = Gateway::new(None, "").await;
    let mut terminal = Terminal::open(&gateway);
    let link = terminal.link();
    browser.goto(&link);
    let origin = origin(&link);
    assert_eq!(browser.url(), format!("{origin}/"));
    for (name, octets) in walk(&browser, &origin, &[("home", "/"), ("disclosure", "/disclosures/new")]) {
        assert!(octets < 100 * 1024, "{name} weighs {octets} octets");
    }
    // Light is light and dark is dark.
    browser.goto(&origin);
    let light = browser.picture("home-light").lightness();
    browser.dark(true);
    let dark = browser.picture("home-dark").lightness();
    assert!(light > 200.0 && dark < 60.0, "{light} {dark}");
    browser.dark(false);
    // Without scripts, by the keyboard alone: from home to the form, and its findings.
    browser.scripts(false);
    browser.goto(&format!("{origin}/?lang=en"));
    browser.scripts(true);
    browser.tab_to("a[href='/disclosures/new']");
    browser.press(ENTER);
    browser.tab_to("#client_id");
    browser.press("010190-900Q");
    browser.tab_to("button[value='send']");
    browser.press(ENTER);
    // What is needed and not there keeps the form here, and the focus goes to it.
    assert_eq!(browser.run("return document.activeElement.matches(':invalid')", &[]), serde_json::json!(true));
    browser.is_accessible();
    assert!(screenshots().join("disclosure-fi-320.png").is_file());
    drop(browser);
    terminal.end();
}
