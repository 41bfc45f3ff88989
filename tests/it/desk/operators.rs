//! The operators' pages: a refused message is found, its way is seen, and its findings stand beside its lines for whoever gives a reason; the rules are read.

use crate::console::browser::{Browser, Terminal};
use crate::desk::origin;
use crate::kit;
use crate::kit::browser::{Chromium, walk};
use crate::kit::process::Signal;
use crate::road::{Gateway, files};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_is_found_and_its_findings_stand_beside_its_lines() {
    let gateway = Gateway::new(None, "").await;
    let mut serve = gateway.serve(&[]);
    let samples = |folder: &str| files(&kit::repository().join("samples").join(folder));
    let refused = samples("refused").into_iter().find(|file| file.to_str().unwrap().contains("/E305")).unwrap();
    let good = samples("accepted").remove(0);
    let hetu = "060666-966W";
    let answers = gateway.send(&[good, refused.clone()]);
    assert!(answers[0].1 == "AA" && answers[1].1 == "AE", "{answers:?}");
    let mut terminal = Terminal::open(&gateway);
    let mut browser = Browser::enter(&terminal.link());
    let list = browser.get("/messages?state=refused&lang=en");
    assert!(list.status == 200 && list.body.contains("Refused") && !list.body.contains("<td>Accepted"), "{}", list.body);
    assert!(!browser.get("/messages?code=E999").body.contains("<table"));
    let hash = arkki::crypto::sha256(&std::fs::read(&refused).unwrap()).to_hex();
    assert!(list.body.contains(&format!("/messages/{hash}")), "{}", list.body);
    let page = browser.get(&format!("/messages/{hash}"));
    for word in ["E305", "Received", "Examined", "Decided", "Answer delivered", &hash] {
        assert!(page.body.contains(word), "{word}: {}", page.body);
    }
    // Nothing of what is in it is shown without a reason; with one, the place is marked and the look is in the log.
    assert!(!page.body.contains("<mark") && !page.body.contains("patientRole extension"));
    let csrf = page.field("csrf");
    let path = format!("/messages/{hash}/lines");
    let asked = browser.post(&path, &[("csrf", &csrf), ("why", " ")]);
    assert!(asked.status == 422 && !asked.body.contains("<mark"), "{}", asked.status);
    assert_eq!(browser.post(&path, &[("csrf", "x"), ("why", "support case 7")]).status, 403);
    let shown = browser.post(&path, &[("csrf", &csrf), ("why", "support case 7")]);
    let octets = std::fs::read_to_string(&refused).unwrap();
    assert!(shown.status == 200 && shown.body.contains("<mark>"), "{}", shown.body);
    let marked = shown.body.split("<mark>").nth(1).unwrap().split("</mark>").next().unwrap();
    assert!(!marked.is_empty() && octets.contains(&format!("extension=\"{marked}\"")), "the value, and nothing else: {marked}");
    let export = gateway.folder.path().join("log.csv");
    let arguments = ["log", "export", "--controller", "1.2.246.10.99999992.10.0", "--from", "2026-01-01", "--to", "2099-12-31", "-o", export.to_str().unwrap()];
    gateway.arkki(&arguments).must();
    let log = std::fs::read_to_string(&export).unwrap();
    assert!(log.lines().any(|row| row.contains("show-message") && row.contains("support case 7") && row.contains(&hash)), "{log}");
    // What is not there, and hostile words in every field.
    assert_eq!((browser.get("/messages/00000000").status, browser.get("/messages/%3Cscript%3E").status), (404, 404));
    let hostile = browser.get("/messages?id=%22%3E%3Cscript%3E&document=%27&sender=%00&code=%3C&from=x&to=y&state=z&before=w");
    assert!(hostile.status == 200 && !hostile.body.contains("<script"), "{}", hostile.status);
    // The rules.
    let rules = browser.get("/rules?lang=fi");
    assert!(rules.status == 200 && rules.body.contains("/rules/codes/E308") && rules.body.contains("/rules/groups/5"), "{}", rules.status);
    for page in ["/rules/codes/E308", "/rules/groups/5"] {
        assert_eq!(browser.get(page).status, 200, "{page}");
    }
    assert_eq!((browser.get("/rules/codes/E000").status, browser.get("/rules/groups/99").status), (404, 404));
    assert!(!terminal.said().contains(hetu) && !gateway.log_text().contains(hetu));
    if let Some(chromium) = Chromium::open() {
        let link = terminal.another();
        chromium.goto(&link);
        let origin = origin(&link);
        let message = format!("/messages/{hash}");
        walk(
            &chromium,
            &origin,
            &[("messages", "/messages"), ("message", &message), ("rules", "/rules"), ("rules-code", "/rules/codes/E308"), ("rules-group", "/rules/groups/5")],
        );
    }
    terminal.end();
    gateway.arkki(&["audit"]).must();
    serve.signal(Signal::Term);
    serve.wait(std::time::Duration::from_secs(60));
}
