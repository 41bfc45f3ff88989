//! An operator's and a machine's days over the HTTP API alone, on a real gateway with PostgreSQL and RabbitMQ: messages, refusals, replays, a rehearsal, a reconciliation, a
//! backup; with the right token, one of too small a role, and none; with values that mean harm. Every answer is recorded, and validators of others hold it to the API's
//! own description, which they judge too.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::api::{Open, open_on};
use super::{LONG, Said, ask, samples};
use crate::kit::{self, process::Signal, wait_until_blocking};
use crate::road::files;

const PINS: &str = "tests/it/operating/requirements.txt";

/// The judge's Python, as `scripts/setup test` leaves it.
fn python() -> PathBuf {
    let sum = kit::run_with_input("cksum", [] as [&str; 0], &std::fs::read(kit::repository().join(PINS)).unwrap()).must();
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache"))).expect("a home");
    let folder = variable("ARKKI_JUDGES").unwrap_or_else(|| cache().join("arkki")).join(format!("openapi-{}", sum.split(' ').next().unwrap()));
    let python = folder.join("bin/python");
    assert!(folder.join("complete").is_file() && python.is_file(), "{} is missing: scripts/setup test makes it", python.display());
    python
}

fn judged(document: &Value, answers: &[Value]) -> String {
    let lines: String = std::iter::once(document).chain(answers).map(|value| format!("{value}\n")).collect();
    kit::run_with_input(python(), [kit::repository().join("tests/it/operating/judge.py")], lines.as_bytes()).must().trim().to_owned()
}

/// Who calls, and what was answered.
struct Caller<'a> {
    open: &'a Open,
    document: Value,
    answers: RefCell<Vec<Value>>,
}

impl Caller<'_> {
    /// The operation that a path belongs to: a word goes before a parameter.
    fn operation(&self, method: &str, path: &str) -> Value {
        let parts: Vec<&str> = path.split('?').next().unwrap().split('/').collect();
        let paths = self.document["paths"].as_object().unwrap();
        let fits = |known: &&String| {
            let known: Vec<&str> = known.split('/').collect();
            known.len() == parts.len() && known.iter().zip(&parts).all(|(known, part)| known == part || known.starts_with('{'))
        };
        let found = paths.keys().filter(fits).filter(|known| paths[*known][method.to_lowercase()].is_object()).min_by_key(|known| known.matches('{').count());
        paths[found.unwrap_or_else(|| panic!("no operation {method} {path}"))][method.to_lowercase()]["operationId"].clone()
    }

    fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Said {
        let path = format!("/api/v1{path}");
        let said = ask(self.open.port, method, &path, token, body.map(Value::to_string).as_deref());
        self.answers.borrow_mut().push(json!({ "operation": self.operation(method, &path), "status": said.status, "body": said.json() }));
        said
    }

    fn get(&self, path: &str) -> Value {
        self.well(self.call("GET", path, Some(&self.open.tokens[0]), None), path)
    }

    fn post(&self, path: &str, body: Value) -> Value {
        // The same by a reader's token is too little, and nothing of it is done; by none it is nobody's.
        assert_eq!(self.call("POST", path, Some(&self.open.tokens[0]), Some(&body)).status, 403, "{path}");
        assert_eq!(self.call("POST", path, None, Some(&body)).status, 401, "{path}");
        self.well(self.call("POST", path, Some(&self.open.tokens[2]), Some(&body)), path)
    }

    fn well(&self, said: Said, path: &str) -> Value {
        assert!(said.status == 200 && said.exit.as_deref() == Some("0"), "{path}: {} {}", said.status, said.body);
        said.json()
    }
}

fn positions(list: &Value) -> Vec<u64> {
    list["messages"].as_array().unwrap().iter().filter_map(|row| row["position"].as_u64()).collect()
}

fn rules(into: &Path) {
    for part in ["codes", "templates", "xsd"] {
        kit::copy_folder(&kit::repository().join(part), &into.join(part));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_day_over_http_alone() {
    let open = open_on(Some(kit::postgres::database().await.url)).await;
    let mut serve = open.gateway.serve(&[]);
    let document = ask(open.port, "GET", "/api/v1/openapi.json", None, None).json();
    let caller = Caller { open: &open, document, answers: RefCell::default() };
    open.gateway.send(&samples(&["01", "02", "03"]));
    let refused: Vec<PathBuf> = files(&kit::repository().join("samples/refused")).into_iter().filter(|f| f.to_str().unwrap().contains("/E30")).collect();
    let many = open.gateway.send(&refused).len() as u64;
    assert!(many >= 4);

    tokio::task::block_in_place(|| {
        messages(&caller, many);
        let code = refusals(&caller);
        replays(&caller, &code);
        the_archive(&caller);
        named(&caller);
        harm(&caller);
    });
    assert_eq!(judged(&caller.document, &caller.answers.borrow()), "ok");
    println!("{} answers judged", caller.answers.borrow().len());
    // The judge is not blind: another status, a member that is gone, a number that is a word.
    let mut spoilt = caller.answers.borrow().iter().find(|a| a["operation"] == "messages_list" && a["status"] == 200).unwrap().clone();
    spoilt["body"]["messages"][0]["revision"] = json!("one");
    assert!(judged(&caller.document, &[spoilt.clone()]).contains("revision"));
    spoilt["status"] = json!(299);
    assert!(judged(&caller.document, &[spoilt.clone()]).contains("299 is not described"));
    spoilt["status"] = json!(200);
    spoilt["body"].as_object_mut().unwrap().remove("next");
    assert!(judged(&caller.document, &[spoilt]).contains("'next' is a required property"));
    let mut other = caller.document.clone();
    other["paths"]["/api/v1/messages"]["get"]["parameters"][0]["in"] = json!("nowhere");
    assert!(judged(&other, &[]).contains("the description"));
    serve.signal(Signal::Term);
    assert!(serve.wait(LONG).is_some_and(|s| s.success()), "{}", open.gateway.log_text());
    std::fs::remove_dir_all(open.place()).unwrap();
}

fn messages(caller: &Caller<'_>, refused: u64) {
    let all = positions(&caller.get("/messages?last=1000"));
    assert_eq!(all.len() as u64, 3 + refused);
    // Page by page, without a gap.
    let (mut paged, mut next) = (Vec::new(), String::new());
    for _ in 0..all.len() {
        let page = caller.get(&format!("/messages?last=2{next}"));
        paged.extend(positions(&page));
        let Some(mark) = page["next"].as_u64() else { break };
        next = format!("&before={mark}");
    }
    assert_eq!(paged, all);
    let newest = caller.get("/messages?last=1")["messages"][0].clone();
    let text = |name: &str| newest[name].as_str().unwrap().to_owned();
    let count = |query: &str| positions(&caller.get(&format!("/messages?{query}"))).len() as u64;
    assert_eq!((count("state=accepted"), count("state=refused"), count("state=held")), (3, refused, 0));
    assert!((1..=refused).contains(&count(&format!("code={}", text("code")))));
    assert_eq!(count(&format!("message-id={}", text("message_id"))), 1);
    assert_eq!((count(&format!("sender={}", text("sender"))), count("sender=nobody")), (3 + refused, 0));
    assert_eq!((count("from=2020-01-01"), count("from=2099-01-01"), count("until=2020-01-01")), (3 + refused, 0, 0));
    let accepted = caller.get("/messages?state=accepted&last=1")["messages"][0].clone();
    assert_eq!(count(&format!("document={}", accepted["document_id"].as_str().unwrap())), 1);
    // One by its position, by its hash, and what follows a position that was seen: a machine follows by asking for what is newer.
    let shown = caller.get(&format!("/messages/{}", newest["position"]));
    assert_eq!(shown["messages"][0]["decisions"][0]["position"], newest["position"]);
    assert_eq!(caller.get(&format!("/messages/{}", text("message")))["messages"], shown["messages"]);
    let missing = caller.call("GET", "/messages/999999", Some(&caller.open.tokens[0]), None);
    assert_eq!((missing.status, missing.exit.as_deref()), (409, Some("1")));
    assert_eq!(caller.call("GET", "/messages", None, None).status, 401);
}

/// Gives the code of the largest group.
fn refusals(caller: &Caller<'_>) -> String {
    let groups = caller.get("/refusals/groups");
    let code = groups["groups"][0]["code"].as_str().unwrap().to_owned();
    let list = caller.get(&format!("/refusals?code={code}"));
    let ids: Vec<u64> = list["refusals"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect();
    // A list goes on where it ended.
    let first = caller.get("/refusals?limit=1");
    let mark = first["next"].as_str().unwrap().replace('/', "%2F");
    let second = caller.get(&format!("/refusals?limit=1&after={mark}"));
    assert_ne!(first["refusals"][0]["id"], second["refusals"][0]["id"]);
    let one = format!("/refusals/{}", ids[0]);
    let by_code = |why: &str| json!({ "code": code, "why": why });
    assert_eq!(caller.post("/refusals/comment", by_code("looked at"))["deed"], "comment");
    let held = caller.post("/refusals/hold", by_code("wait for the register"));
    assert_eq!((held["count"].as_u64(), caller.get(&one)["state"].as_str()), (Some(ids.len() as u64), Some("held")));
    caller.post("/refusals/release", by_code("it came"));
    let discarded = caller.post("/refusals/discard", json!({ "ids": [ids[0]], "why": "a test of theirs" }));
    assert_eq!(caller.get(&one)["state"], "discarded");
    let action = discarded["action"].as_u64().unwrap();
    let undone = caller.post(&format!("/refusals/actions/{action}/undo"), json!({ "why": "it was real" }));
    assert_eq!((undone["deed"].as_str(), caller.get(&one)["state"].as_str()), (Some("undo"), Some("open")));
    let actions = caller.get("/refusals/actions");
    let deeds: Vec<&str> = actions["actions"].as_array().unwrap().iter().map(|a| a["deed"].as_str().unwrap()).collect();
    assert_eq!(deeds, ["undo", "discard", "release", "hold", "comment"]);
    assert!(actions["actions"].as_array().unwrap().iter().all(|a| a["who"] == "api:the-administrator"), "{actions}");
    // A second time there is nothing to take back; the empty wish is not everything.
    let again = caller.call("POST", &format!("/refusals/actions/{action}/undo"), Some(&caller.open.tokens[1]), Some(&json!({ "why": "again" })));
    assert_eq!(again.status, 409, "{}", again.body);
    let all = caller.call("POST", "/refusals/hold", Some(&caller.open.tokens[1]), Some(&json!({ "why": "all of it" })));
    assert!(all.status == 400 && all.body.contains("name refusals"), "{} {}", all.status, all.body);
    code
}

fn replays(caller: &Caller<'_>, code: &str) {
    let preview = caller.post("/refusals/replay", json!({ "all": true, "why": "new rules" }));
    let ready = preview["preview"]["ready"].as_u64().unwrap();
    assert!(ready >= 4, "{preview}");
    // One a second: slow enough to be stopped.
    let begun = caller.post("/refusals/replay", json!({ "all": true, "why": "new rules", "yes": true, "rate": 1, "token": "night-1" }));
    let job = begun["job"]["id"].as_u64().unwrap();
    assert_eq!(begun["job"]["total"].as_u64(), Some(ready));
    let twice = caller.post("/refusals/replay", json!({ "all": true, "why": "new rules", "yes": true, "rate": 1, "token": "night-1" }));
    assert_eq!(twice["job"]["id"].as_u64(), Some(job), "the same word is the same replay");
    // With another wish it is refused, and another caller's is another replay.
    for (name, other) in [("rate", json!(2)), ("answer-again", json!(true)), ("code", json!(code)), ("token", json!("")), ("token", json!(" "))] {
        let mut body = json!({ "all": true, "why": "new rules", "yes": true, "rate": 1, "token": "night-1" });
        body[name] = other;
        let said = caller.call("POST", "/refusals/replay", Some(&caller.open.tokens[2]), Some(&body));
        assert!(said.status == 400 && said.body.contains("--token: "), "{body}: {} {}", said.status, said.body);
    }
    let theirs = json!({ "ids": [999_999], "why": "new rules", "yes": true, "rate": 1, "token": "night-1" });
    let said = caller.call("POST", "/refusals/replay", Some(&caller.open.tokens[1]), Some(&theirs));
    assert!(said.status == 409 && said.body.contains("the-operator"), "its own, which takes nothing: {} {}", said.status, said.body);
    let state = || caller.get(&format!("/refusals/jobs?job={job}"))["job"].clone();
    assert!(wait_until_blocking(LONG, || state()["decided"].as_u64() >= Some(1)), "{}", state());
    let asked = Instant::now();
    caller.post(&format!("/refusals/jobs/{job}/stop"), json!({}));
    assert!(wait_until_blocking(LONG, || state()["on_road"] == 0));
    println!("stopped after {} ms", asked.elapsed().as_millis());
    let stopped = state();
    assert!(stopped["state"] == "stopped" && stopped["waiting"].as_u64() >= Some(1), "{stopped}");
    // The gateway tells, and counts.
    let metrics = || ask(caller.open.gateway.port, "GET", "/metrics", None, None).body;
    assert!(wait_until_blocking(LONG, || metrics().contains("arkki_replay_jobs{state=\"stopped\"} 1")), "{}", metrics());
    assert!(metrics().contains(&format!("arkki_replay_messages{{state=\"waiting\"}} {}", stopped["waiting"])), "{}", metrics());
    assert!(wait_until_blocking(LONG, || caller.open.gateway.log_text().contains("a replay was stopped")), "{}", caller.open.gateway.log_text());
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(state()["decided"], stopped["decided"], "a stop stops");
    caller.post(&format!("/refusals/jobs/{job}/resume"), json!({}));
    assert!(wait_until_blocking(LONG, || state()["state"] == "done"), "{}", state());
    assert_eq!(state()["outcomes"]["same"].as_u64(), Some(ready), "under the same rules the same");
    assert!(wait_until_blocking(LONG, || metrics().contains("arkki_replay_jobs{state=\"done\"} 1")), "{}", metrics());
    assert!(metrics().contains(&format!("arkki_replayed_total{{outcome=\"same\"}} {ready}")), "{}", metrics());
    for told in ["a replay runs", "a replay was stopped", "a replay is done"] {
        assert!(wait_until_blocking(LONG, || caller.open.gateway.log_text().contains(told)), "{told}: {}", caller.open.gateway.log_text());
    }
    let jobs = caller.get("/refusals/jobs?last=5");
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(2), "{jobs}");
    let another = caller.post("/refusals/replay", json!({ "code": code, "why": "once more", "yes": true, "rate": 1 }));
    let ended = caller.post(&format!("/refusals/jobs/{}/end", another["job"]["id"]), json!({}));
    assert_eq!(ended["job"]["state"], "ended");
    let nobody = caller.call("POST", "/refusals/jobs/999/stop", Some(&caller.open.tokens[1]), Some(&json!({})));
    assert_eq!(nobody.status, 409, "{}", nobody.body);
    assert!(wait_until_blocking(LONG, || caller.open.gateway.log_text().contains("a replay was ended")), "{}", caller.open.gateway.log_text());
}

fn the_archive(caller: &Caller<'_>) {
    rules(&caller.open.place().join("next"));
    let rehearsed = caller.post("/rehearse", json!({ "rules": "next", "last": 100 }));
    assert!(rehearsed["changed"] == 0 && rehearsed["examined"].as_u64() >= Some(7), "{rehearsed}");
    let reconciled = || caller.get("/reconcile");
    assert_eq!((reconciled()["unexplained"].as_u64(), reconciled()["dead_letters"].as_u64()), (Some(0), Some(0)));
    let copied = caller.post("/backup", json!({ "folder": "night" }));
    assert!(copied["files"].as_u64() >= Some(10) && caller.open.place().join("night/backup.json").is_file(), "{copied}");
}

fn harm(caller: &Caller<'_>) {
    let administrator = Some(caller.open.tokens[2].as_str());
    for query in [
        "last=0",
        "last=100001",
        "last=-1",
        "last=many",
        "last=1&last=2",
        "before=x",
        "before=-1",
        "state=perhaps",
        "code=E9999",
        "from=yesterday",
        "until=2026-13-01",
        "config=%2Fetc%2Fpasswd",
        "json=false",
        "sender=%00",
        "sender=%ff",
        "nothing=1",
        "state=",
        "from=2026-11-02&until=2026-11-01",
    ] {
        let said = caller.call("GET", &format!("/messages?{query}"), administrator, None);
        assert_eq!(said.status, 400, "{query}: {}", said.body);
        for clap in ["error:", "Usage", "--help"] {
            assert!(!said.body.contains(clap), "one plain sentence: {query}: {}", said.body);
        }
    }
    // What is only strange is looked for, and not found.
    for query in
        ["sender=%27%3B%20DROP%20TABLE%20inbox%3B--", "document=--config%3D%2Fetc%2Fpasswd", "message-id=%3Cscript%3E", "sender=%F0%9F%92%A3", "document=%25"]
    {
        assert!(positions(&caller.get(&format!("/messages?{query}"))).is_empty(), "{query}");
    }
    for query in [
        "code=zz",
        "from=2026-11-02&until=2026-11-01",
        "limit=0",
        "limit=1001",
        "after=1",
        "after=a%2Fb",
        "after=99999999999999999999%2F1",
        "state=lost",
        "ids=x",
    ] {
        let said = caller.call("GET", &format!("/refusals?{query}"), administrator, None);
        assert_eq!(said.status, 400, "{query}: {}", said.body);
    }
    std::fs::write(caller.open.place().join("note.txt"), "no state, no certificate").unwrap();
    for (path, body) in [
        ("/audit", json!({ "resume": "note.txt" })),
        ("/audit", json!({ "resume": "next" })),
        ("/audit", json!({ "trust": ["note.txt"] })),
        ("/audit", json!({ "trust": ["next"] })),
        ("/audit", json!({ "trust": ["not-there"] })),
        ("/audit", json!({ "checkpoint": "next" })),
        ("/checkpoints/verify", json!({ "file": "next" })),
        ("/rehearse", json!({ "rules": "next", "profile": "zz" })),
        ("/refusals/replay", json!({ "all": true, "why": " ", "yes": true })),
        ("/refusals/replay", json!({ "all": true, "why": "x", "yes": true, "rate": 0 })),
        ("/refusals/replay", json!({ "all": true, "why": "x", "yes": true, "rate": 100_000_000 })),
        ("/refusals/replay", json!({ "all": "perhaps", "why": "x" })),
        ("/refusals/replay", json!({ "all": true })),
        ("/refusals/replay", json!({ "all": true, "why": "x", "wait": true })),
        ("/refusals/hold", json!({ "ids": (0..1001).collect::<Vec<_>>(), "why": "x" })),
        ("/refusals/hold", json!({ "all": true, "why": "x".repeat(9000) })),
        ("/refusals/hold", json!({ "why": "x" })),
        ("/refusals/replay", json!({ "all": true, "why": "x", "state": "held" })),
        ("/rehearse", json!({ "rules": "../next" })),
        ("/rehearse", json!({ "rules": "not-there" })),
        ("/backup", json!({ "folder": "/etc" })),
        ("/checkpoints/verify", json!({ "file": "not-there" })),
        ("/audit", json!({ "checkpoint": "not-there" })),
        ("/audit", json!({ "from": 1_000_000 })),
    ] {
        let said = caller.call("POST", path, administrator, Some(&body));
        assert_eq!(said.status, 400, "{path} {body}: {}", said.body);
    }
    assert_eq!(caller.call("GET", "/lilm/reconcile?from=2026-11-02&to=2026-11-01", administrator, None).status, 400);
    for path in ["/templates/groups/99", "/templates/elements/nothing", "/explain/nothing", "/codes?code=E9999"] {
        let said = caller.call("GET", path, administrator, None);
        assert_eq!(said.status, 400, "{path}: {}", said.body);
    }
    // Nothing of it did anything.
    assert_eq!(caller.get("/refusals/jobs")["jobs"].as_array().map(Vec::len), Some(3));
    assert_eq!(caller.get("/reconcile")["unexplained"], 0);
}

/// Refusals: what is asked is not left out unseen, and words that every operator reads name nobody.
fn named(caller: &Caller<'_>) {
    let administrator = Some(caller.open.tokens[2].as_str());
    // A refusal's group by its number, and by none that is there; a code in small letters.
    let groups = |query: &str| caller.get(&format!("/refusals/groups?{query}"))["groups"].as_array().map(Vec::len);
    let first = caller.get("/refusals?limit=1")["refusals"][0].clone();
    assert_eq!((groups(&format!("ids={}", first["id"])), groups("ids=999999")), (Some(1), Some(0)));
    let code = first["code"].as_str().unwrap();
    assert_eq!(caller.get(&format!("/refusals?code={}", code.to_lowercase()))["refusals"], caller.get(&format!("/refusals?code={code}"))["refusals"]);
    // What stands where its method does not look for it is not left out unseen.
    for (method, path, body) in [
        ("POST", "/refusals/discard?sender=nobody", Some(json!({ "why": "x", "code": "E301" }))),
        ("POST", "/refusals/discard?why=x&all", None),
        ("GET", "/refusals", Some(json!({ "sender": "nobody" }))),
    ] {
        let said = caller.call(method, path, administrator, body.as_ref());
        assert!(said.status == 400 && said.body.contains(&format!("parameters of {method}")), "{method} {path}: {} {}", said.status, said.body);
    }
    // Words that every operator reads name nobody, and neither does the refusal of such words.
    for why in ["asiakas 080885-902M", "asiakas 080885902M"] {
        for path in ["/refusals/hold", "/refusals/replay", "/refusals/actions/1/undo"] {
            let body = if path.ends_with("undo") { json!({ "why": why }) } else { json!({ "all": true, "why": why }) };
            let said = caller.call("POST", path, administrator, Some(&body));
            assert!(said.status == 400 && said.body.contains("--why: an identity code") && !said.body.contains("902M"), "{path}: {}", said.body);
        }
    }
    let named = caller.call("GET", "/refusals?after=080885-902M", administrator, None);
    assert!(named.status == 400 && named.body.contains("--after") && !named.body.contains("902M"), "{}", named.body);
}
