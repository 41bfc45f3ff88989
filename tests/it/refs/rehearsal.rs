//! A rehearsal from the console: only folders that the configuration names, one at a time, and nothing is written.

use super::{comes, number, refused};
use crate::console::browser::{Browser, Terminal};
use crate::kit;
use crate::road::Gateway;

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_the_configuration_is_rehearsed_and_no_other() {
    let folder = kit::temp_dir();
    let (rules, broken) = (folder.path().join("next"), folder.path().join("broken"));
    for part in ["codes", "templates", "xsd"] {
        kit::copy_folder(&kit::repository().join(part), &rules.join(part));
        kit::copy_folder(&kit::repository().join(part), &broken.join(part));
    }
    std::fs::write(broken.join("templates/1-client-relation.toml"), "group = ").unwrap();
    let gateway = Gateway::new(None, &format!("[console]\nrehearsals = [{rules:?}, {broken:?}]\n")).await;
    refused(&gateway, 40).await;
    let head = |gateway: &Gateway| serde_json::from_str::<serde_json::Value>(&gateway.arkki(&["audit", "--json"]).must()).unwrap()["head"].clone();
    let before = head(&gateway);
    let mut terminal = Terminal::open(&gateway);
    let mut browser = Browser::enter(&terminal.link());
    let page = browser.get("/rehearsal?lang=en");
    assert!(page.status == 200 && page.body.contains(rules.to_str().unwrap()), "{}", page.body);
    let csrf = page.field("csrf");
    // A folder is a number of the list; a path is none, and so is a number beyond it.
    for (folder, last) in [("/etc", "10"), ("2", "10"), ("-1", "10"), ("0", "0"), ("0", "5001"), ("0", "x")] {
        let wish = [("csrf", csrf.as_str()), ("folder", folder), ("last", last), ("action", "begin")];
        assert_eq!(browser.post("/rehearsal", &wish).status, 422, "{folder} {last}");
    }
    let wish = |csrf: &str, folder: &str| [("csrf", csrf.to_owned()), ("folder", folder.to_owned()), ("last", "25".to_owned()), ("action", "begin".to_owned())];
    let begin = |browser: &mut Browser, csrf: &str, folder: &str| {
        let fields = wish(csrf, folder);
        browser.post("/rehearsal", &fields.each_ref().map(|(name, value)| (*name, value.as_str()))).status
    };
    assert_eq!(begin(&mut browser, "forged", "0"), 403);
    assert_eq!(begin(&mut browser, &csrf, "0"), 303);
    // One at a time: it compiles two rule sets, which takes longer than this request.
    assert_eq!(begin(&mut browser, &csrf, "0"), 409);
    let is_over = |browser: &mut Browser| browser.get("/rehearsal").body.contains("name=\"folder\"");
    assert!(comes(|| is_over(&mut browser)), "{}", browser.get("/rehearsal").body);
    assert_eq!(number(&mut browser, "/rehearsal", "looked"), 25);
    assert_eq!(number(&mut browser, "/rehearsal", "changed"), 0);
    // Rules that are none are said to be that, and the next one may begin.
    assert_eq!(begin(&mut browser, &csrf, "1"), 303);
    assert!(comes(|| is_over(&mut browser)));
    let told = browser.get("/rehearsal");
    assert!(told.body.contains("role=\"alert\"") && told.body.contains("1-client-relation.toml"), "{}", told.body);
    terminal.end();
    assert_eq!(before, head(&gateway), "nothing is written");
}
