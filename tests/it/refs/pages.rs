//! The pages as forms and addresses: who may, what is refused, what is kept of it, and that nothing is ever doubled.

use std::time::{Duration, Instant};

use super::{GROUP, comes, number, refused};
use crate::console::browser::{Browser, Terminal};
use crate::kit::process::Signal;
use crate::road::Gateway;

const SOON: Duration = Duration::from_secs(60);
const FINDING: &str = "/ClinicalDocument/recordTarget";

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_put_aside_discarded_and_taken_back_with_a_reason() {
    let gateway = Gateway::new(None, "").await;
    let hashes = refused(&gateway, 60).await;
    let mut terminal = Terminal::open(&gateway);
    let mut browser = Browser::enter(&terminal.link());
    let list = browser.get("/refusals?lang=en");
    assert!(list.status == 200 && list.body.contains("E305") && list.body.contains(FINDING) && list.body.contains(">60<"), "{}", list.body);
    assert!(browser.get("/refusals?sender=nobody").body.contains("There are no refusals"));
    let group = browser.get(GROUP);
    assert!(group.status == 200 && group.body.contains(&format!("/messages/{}", hashes[59])), "{}", group.body);
    // Fifty of sixty, and the rest behind the mark.
    let before = group.body.split("\" rel=\"next\"").next().unwrap_or_default();
    let next = before.rsplit("href=\"/refusals/group?").next().unwrap_or_default().replace("&amp;", "&");
    let rest = browser.get(&format!("/refusals/group?{next}").replace("#messages", ""));
    assert_eq!(rest.body.matches("href=\"/messages/").count(), 10, "{next}");
    let csrf = group.field("csrf");
    let which = [("code", "E305"), ("finding", FINDING)];
    let act = |csrf: &str, deed: &str, why: &str| -> Vec<(String, String)> {
        let more = [("csrf", csrf), ("deed", deed), ("why", why)];
        which.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let post = |browser: &mut Browser, path: &str, fields: &[(String, String)]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        browser.post(path, &fields)
    };
    // A forged form, no reason, one that names somebody, a deed that there is not, and refusals that nobody named: nothing is done.
    for (fields, status) in [
        (act("forged", "hold", "tonight"), 403),
        (act(&csrf, "hold", " "), 422),
        (act(&csrf, "hold", "for 010190-900P"), 422),
        (act(&csrf, "undo", "x"), 422),
        (vec![("csrf".to_owned(), csrf.clone()), ("deed".to_owned(), "hold".to_owned()), ("why".to_owned(), "all of them".to_owned())], 422),
    ] {
        let answer = post(&mut browser, "/refusals/deeds", &fields);
        assert_eq!(answer.status, status, "{fields:?}: {}", answer.body);
    }
    assert_eq!(number(&mut browser, GROUP, "open"), 60);
    assert!(browser.get("/refusals/deeds").body.contains("Nothing was done yet"));
    // Put aside and opened again; discarded, and that taken back.
    for (deed, open, held, discarded) in [("hold", 0, 60, 0), ("release", 60, 0, 0), ("discard", 0, 0, 60)] {
        let answer = post(&mut browser, "/refusals/deeds", &act(&csrf, deed, &format!("ticket 118, {deed} <b>")));
        assert_eq!(answer.status, 303, "{}", answer.body);
        let counts = ["open", "held", "discarded"].map(|state| number(&mut browser, GROUP, state));
        assert_eq!(counts, [open, held, discarded], "{deed}");
    }
    let deeds = browser.get("/refusals/deeds");
    for word in ["ticket 118, hold &lt;b&gt;", "console:local-tester", "60 refusals", "code=E305"] {
        assert!(deeds.body.contains(word), "{word}: {}", deeds.body);
    }
    let undo = |action: &str, why: &str| [("csrf", &csrf), ("action", &action.to_owned()), ("why", &why.to_owned())].map(|(n, v)| (n.to_owned(), v.clone()));
    assert_eq!(post(&mut browser, "/refusals/undo", &undo("3", "")).status, 422);
    assert_eq!(post(&mut browser, "/refusals/undo", &undo("3", "those were real")).status, 303);
    assert_eq!(number(&mut browser, GROUP, "open"), 60);
    let twice = post(&mut browser, "/refusals/undo", &undo("3", "once more"));
    assert!(twice.status == 303 && twice.header("location").is_some_and(|to| to.contains("not-undone")), "{}", twice.head);
    let deeds = browser.get("/refusals/deeds");
    assert!(deeds.body.contains("those were real") && !deeds.body.contains("once more"), "{}", deeds.body);
    // On the message's own page, with words about it alone.
    let message = format!("/messages/{}", hashes[7]);
    let page = browser.get(&message);
    assert!(page.body.contains("id=\"refusal\"") && page.body.contains("ticket 118, discard"), "{}", page.body);
    let id = page.between("name=\"id\" value=\"", "\"");
    let comment = [("csrf", csrf.as_str()), ("id", &id), ("deed", "comment"), ("why", "asked the sender")];
    assert_eq!(browser.post("/refusals/deeds", &comment).status, 303);
    assert!(browser.get(&message).body.contains("asked the sender"));
    assert!(!browser.get(&format!("/messages/{}", hashes[8])).body.contains("asked the sender"));
    // Hostile and unreadable addresses.
    for (path, status) in [
        ("/refusals?state=gone", 422),
        ("/refusals?code=%00", 422),
        ("/refusals?sender=%22%3E%3Cscript%3E", 200),
        ("/refusals?after=%00/x", 200),
        ("/refusals/group", 404),
        ("/refusals/group?code=E305&finding=%3Cscript%3E", 404),
        ("/refusals/replay", 422),
        ("/refusals/replay?id=x", 422),
        ("/refusals/jobs/x", 404),
        ("/refusals/jobs/99999999999999999999", 404),
    ] {
        let answer = browser.get(path);
        assert!(answer.status == status && !answer.body.contains("<script"), "{path}: {}", answer.status);
    }
    terminal.end();
    gateway.arkki(&["audit"]).must();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_previewed_begun_once_stopped_within_a_second_and_resumed() {
    let gateway = Gateway::new(None, "").await;
    let hashes = refused(&gateway, 200).await;
    let mut serve = gateway.serve(&[]);
    let mut terminal = Terminal::open(&gateway);
    let mut browser = Browser::enter(&terminal.link());
    let mut other = Browser::enter(&terminal.another());
    let path = GROUP.replace("/group?", "/replay?");
    let form = browser.get(&format!("{path}&lang=en"));
    let others = other.get(&path);
    for id in ["matching", "goes"] {
        assert_eq!(number(&mut browser, &path, id), 200, "{id}");
    }
    let fields = |page: &crate::console::browser::Answer, rate: &str, why: &str| {
        let hidden = ["csrf", "token", "code", "finding"].map(|name| (name.to_owned(), page.field(name)));
        hidden.into_iter().chain([("rate".to_owned(), rate.to_owned()), ("why".to_owned(), why.to_owned())]).collect::<Vec<_>>()
    };
    let post = |browser: &mut Browser, fields: &[(String, String)]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        browser.post("/refusals/replay", &fields)
    };
    for (rate, why, status) in [("0", "mended", 422), ("5000", "mended", 422), ("x", "mended", 422), ("40", "", 422), ("40", "010190-900P", 422)] {
        assert_eq!(post(&mut browser, &fields(&form, rate, why)).status, status, "{rate} {why}");
    }
    let mut forged = fields(&form, "40", "mended");
    forged[0].1 = "forged".to_owned();
    assert_eq!(post(&mut browser, &forged).status, 403);
    assert!(browser.get("/refusals/jobs").body.contains("Nothing was replayed yet"));
    // Twice the same form, and somebody else at the same moment.
    let wish = fields(&form, "40", "the registers came");
    let begun = post(&mut browser, &wish);
    let (again, late) = (post(&mut browser, &wish), post(&mut other, &fields(&others, "40", "me too")));
    let to = |answer: &crate::console::browser::Answer| answer.header("location").unwrap_or_default().to_owned();
    assert!(begun.status == 303 && to(&begun) == to(&again), "{} {}", begun.body, again.head);
    let job = to(&begun);
    let page = other.get(&format!("{}?lang=en", to(&late)));
    assert!(page.body.contains("Nothing was doubled"), "{}", page.body);
    assert!(other.get(&path).body.contains("Another replay has taken all of these already"));
    // Progress; a stop that acts within a second; what waits keeps its place.
    assert!(comes(|| number(&mut browser, &job, "decided") > 10));
    let csrf = form.field("csrf");
    assert_eq!(browser.post(&job, &[("csrf", "forged"), ("change", "stop")]).status, 403);
    assert_eq!(browser.post(&job, &[("csrf", &csrf), ("change", "burn")]).status, 422);
    let asked = Instant::now();
    assert_eq!(browser.post(&job, &[("csrf", &csrf), ("change", "stop")]).status, 303);
    let settled = crate::kit::wait_until_blocking(SOON, || number(&mut browser, &job, "on-road") == 0);
    let took = asked.elapsed();
    assert!(settled);
    let stopped = number(&mut browser, &job, "decided");
    println!("stopped with {stopped} of 200 decided, {} ms after it was asked", took.as_millis());
    std::thread::sleep(Duration::from_millis(1200));
    assert!(number(&mut browser, &job, "decided") == stopped && stopped < 200, "a stop stops");
    assert!(browser.get(&job).body.contains("Stopped"));
    assert_eq!(browser.post(&job, &[("csrf", &csrf), ("change", "resume")]).status, 303);
    assert!(comes(|| number(&mut browser, &job, "decided") == 200), "{}", browser.get(&job).body);
    assert!(comes(|| browser.get(&job).body.contains("Done")));
    // Each once, and the link both ways on the message's page.
    let message = browser.get(&format!("/messages/{}", hashes[3]));
    for word in ["Replay 1", "the registers came", "console:local-tester"] {
        assert!(message.body.contains(word), "{word}: {}", message.body);
    }
    assert!(!message.body.contains("me too"));
    serve.signal(Signal::Term);
    serve.wait(SOON);
    terminal.end();
    gateway.arkki(&["audit"]).must();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_operator_sees_and_does_nothing_of_it() {
    let people = "[console]\nlink = \"anna\"\n[people.anna]\norganisation = \"1.2.246.10.99999992.10.0\"\nroles = [\"archivist\", \"administrator\"]\n";
    let gateway = Gateway::new(None, people).await;
    gateway.arkki(&["migrate"]).must();
    let mut terminal = Terminal::open(&gateway);
    let mut browser = Browser::enter(&terminal.link());
    assert!(!browser.get("/").body.contains("href=\"/refusals\""));
    let csrf = browser.get("/glass").field("csrf");
    for path in
        ["/refusals", GROUP, "/refusals/deeds", "/refusals/replay?code=E305", "/refusals/jobs", "/refusals/jobs/1", "/refusals/jobs/1/stream", "/rehearsal"]
    {
        assert_eq!(browser.get(path).status, 403, "{path}");
    }
    // Nor behind broken glass.
    let broken = browser.post("/glass", &[("csrf", &csrf), ("action", "break"), ("reason", "A child is in danger tonight")]);
    assert_eq!(broken.status, 303);
    for path in ["/refusals/deeds", "/refusals/undo", "/refusals/replay", "/refusals/jobs/1", "/rehearsal"] {
        let wish = [("csrf", csrf.as_str()), ("code", "E305"), ("deed", "hold"), ("why", "x"), ("change", "stop")];
        assert_eq!(browser.post(path, &wish).status, 403, "{path}");
    }
    assert_eq!(browser.get("/refusals").status, 403);
    terminal.end();
}
