//! The HTTP API of a running gateway: who is let in, what each route answers, and that no caller reaches more than its route.

use super::{LONG, ask, exits, json, samples};
use crate::kit::{self, process::Signal};
use crate::road::Gateway;

/// A gateway with the API, and a token of each role.
pub struct Open {
    pub gateway: Gateway,
    pub port: u16,
    /// A reader's, an operator's, an administrator's.
    pub tokens: [String; 3],
}

async fn open() -> Open {
    open_on(None).await
}

/// On this archive, or on a file of its own.
pub async fn open_on(archive_url: Option<String>) -> Open {
    let (port, folder) = (kit::ports::free(), kit::temp_dir());
    // The folder is the gateway's own; its name must be known before.
    let place = folder.keep();
    let more = format!(
        "[api]\nlisten = \"127.0.0.1:{port}\"\ntokens_file = {:?}\nfolder = {:?}\n",
        place.join("tokens").display().to_string(),
        place.display().to_string()
    );
    std::fs::write(place.join("tokens"), "").unwrap();
    let gateway = Gateway::new(archive_url, &more).await;
    let mut lines = String::from("# the callers\n");
    let tokens = ["reader", "operator", "administrator"].map(|role| {
        let made = json(&gateway.arkki(&["api", "token", &format!("the-{role}"), role, "--json"]));
        lines.push_str(&format!("{}\n", made["line"].as_str().unwrap()));
        made["token"].as_str().unwrap().to_owned()
    });
    std::fs::write(place.join("tokens"), lines).unwrap();
    gateway.arkki(&["migrate"]).must();
    Open { gateway, port, tokens }
}

impl Open {
    /// The API's own folder.
    pub fn place(&self) -> std::path::PathBuf {
        let config = std::fs::read_to_string(self.gateway.folder.path().join("arkki.toml")).unwrap();
        let line = config.lines().find(|line| line.starts_with("folder")).unwrap();
        line.split('"').nth(1).unwrap().into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_known_by_their_tokens_and_do_what_their_role_may() {
    let open = open().await;
    let (port, [reader, operator, administrator]) = (open.port, &open.tokens);
    let mut serve = open.gateway.serve(&[]);
    for token in [None, Some("wrong"), Some("")] {
        let said = ask(port, "GET", "/api/v1/doctor", token, None);
        assert_eq!(said.status, 401, "{}", said.body);
    }
    let doctor = ask(port, "GET", "/api/v1/doctor", Some(reader), None);
    assert_eq!((doctor.status, doctor.exit.as_deref()), (200, Some("0")), "{}", doctor.body);
    let names = |value: &serde_json::Value| value["checks"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&doctor.json()), names(&json(&open.gateway.arkki(&["doctor", "--json"]))));
    for (token, status) in [(reader, 403), (operator, 403), (administrator, 200)] {
        let said = ask(port, "POST", "/api/v1/audit", Some(token), Some("{}"));
        assert_eq!(said.status, status, "{}", said.body);
    }
    // The same as on the command line, option for option.
    let code = ask(port, "GET", "/api/v1/codes?code=E305&language=fi", Some(reader), None);
    assert_eq!(code.json(), json(&open.gateway.arkki(&["codes", "E305", "--language", "fi", "--json"])));
    let group = ask(port, "GET", "/api/v1/templates/groups/4", Some(reader), None);
    assert_eq!(group.json(), json(&open.gateway.arkki(&["templates", "show", "4", "--json"])));
    for (method, path, body, status, word) in [
        ("GET", "/api/v1/nothing", None, 404, "openapi.json"),
        ("GET", "/elsewhere", None, 404, "openapi.json"),
        ("POST", "/api/v1/doctor", Some("{}"), 405, "another method"),
        ("GET", "/api/v1/codes?colour=red", None, 400, "no parameter"),
        ("GET", "/api/v1/codes?language=de", None, 400, "fi, sv or en"),
        ("GET", "/api/v1/codes?config=/etc/passwd", None, 400, "no parameter"),
        ("GET", "/api/v1/codes?code=--help", None, 400, "no such code"),
        ("GET", "/api/v1/codes?code=%zz", None, 400, "cannot be read"),
        ("POST", "/api/v1/audit", Some("[]"), 400, "JSON object"),
        ("POST", "/api/v1/audit", Some(r#"{"most":{"a":1}}"#), 400, "neither"),
        ("POST", "/api/v1/audit", Some(r#"{"checkpoint":"../../etc/passwd"}"#), 400, "plain name"),
    ] {
        let said = ask(port, method, path, Some(administrator), body);
        assert!(said.status == status && said.body.contains(word), "{method} {path}: {} {}", said.status, said.body);
    }
    for (path, words) in [("codes?markdown=true", &["codes", "--markdown"][..]), ("codes?code=alerts", &["codes", "alerts"])] {
        let page = ask(port, "GET", &format!("/api/v1/{path}"), Some(reader), None).json();
        let name = if words.contains(&"alerts") { "yaml" } else { "markdown" };
        assert_eq!(page[name].as_str(), Some(open.gateway.arkki(words).must().as_str()), "{path}");
    }
    let plain = ask(port, "GET", "/api/v1/codes?language=de", Some(reader), None);
    assert_eq!(plain.json()["error"], "--language \"de\": say fi, sv or en");
    let named = ask(port, "GET", "/api/v1/codes?code=080885-902M", Some(reader), None);
    assert!(named.status == 400 && named.body.contains("identity code") && !named.body.contains("902M"), "{}", named.body);
    let other = ureq::get(format!("http://127.0.0.1:{port}/api/v1/audit")).header("authorization", format!("Bearer {administrator}"));
    let other = other.config().proxy(None).http_status_as_error(false).build().call().unwrap();
    assert_eq!((other.status().as_u16(), other.headers()["allow"].to_str().unwrap()), (405, "POST"));
    let large = format!("{{\"checkpoint\":\"{}\"}}", "a".repeat(300_000));
    assert_eq!(ask(port, "POST", "/api/v1/audit", Some(administrator), Some(&large)).status, 413);
    // A token taken out of the file is void at once.
    let path = open.place().join("tokens");
    let kept: String = std::fs::read_to_string(&path).unwrap().lines().filter(|line| !line.contains("the-operator")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, kept).unwrap();
    assert_eq!(ask(port, "GET", "/api/v1/doctor", Some(operator), None).status, 401);
    assert_eq!(ask(port, "GET", "/api/v1/keys", Some(reader), None).status, 200);
    // A file that is none lets nobody in, and says so where only the operator looks.
    std::fs::write(&path, "nonsense\n").unwrap();
    assert_eq!(ask(port, "GET", "/api/v1/keys", Some(reader), None).status, 503);
    let log = open.gateway.log_text();
    assert!(log.contains("lets nobody in") && log.contains("\"caller\":\"the-reader\""), "{log}");
    assert!(open.tokens.iter().all(|token| !log.contains(token.as_str())), "a token in the log");
    serve.signal(Signal::Term);
    assert!(serve.wait(LONG).is_some_and(|s| s.success()), "{}", open.gateway.log_text());
    std::fs::remove_dir_all(open.place()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_over_http_in_the_apis_own_folder() {
    let open = open().await;
    let administrator = &open.tokens[2];
    let mut serve = open.gateway.serve(&[]);
    open.gateway.send(&samples(&["01", "02", "03"]));
    let made = ask(open.port, "POST", "/api/v1/backup", Some(administrator), Some(r#"{"folder":"first"}"#));
    assert_eq!((made.status, made.exit.as_deref(), made.json()["position"].as_u64()), (200, Some("0"), Some(3)), "{}", made.body);
    assert!(open.place().join("first/backup.json").is_file() && open.place().join("first/archive.sqlite").is_file());
    let again = ask(open.port, "POST", "/api/v1/backup", Some(administrator), Some(r#"{"folder":"first"}"#));
    assert!(again.status == 400 && again.body.contains("is there already"), "{}", again.body);
    serve.signal(Signal::Term);
    assert!(serve.wait(LONG).is_some_and(|s| s.success()));
    std::fs::remove_dir_all(open.place()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_stands_in_the_description_and_answers() {
    let open = open().await;
    let mut serve = open.gateway.serve(&[]);
    let served = ask(open.port, "GET", "/api/v1/openapi.json", None, None);
    assert_eq!(served.status, 200);
    let document = served.json();
    assert_eq!(document, json(&open.gateway.arkki(&["api", "document", "--json"])));
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            let in_path: Vec<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
            let named: Vec<&str> =
                operation["parameters"].as_array().unwrap().iter().filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap()).collect();
            assert_eq!(in_path, named, "{path}");
            // A reader is let in or is told which role it needs; nothing is missing.
            let real = in_path.iter().fold(path.clone(), |path, name| path.replace(&format!("{{{name}}}"), "1"));
            let said = ask(open.port, &method.to_uppercase(), &real, Some(&open.tokens[0]), (method == "post").then_some("{}"));
            assert!(![404, 405, 500, 504].contains(&said.status), "{method} {path}: {} {}", said.status, said.body);
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "operation ids are unique");
    for verb in ["doctor", "backup", "audit", "topology_apply"] {
        assert!(ids.iter().any(|id| id == verb), "{verb}: {ids:?}");
    }
    serve.signal(Signal::Term);
    assert!(serve.wait(LONG).is_some_and(|s| s.success()));
    std::fs::remove_dir_all(open.place()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_answered_or_told_to_come_again_and_the_gateway_goes_on() {
    let open = open().await;
    let mut serve = open.gateway.serve(&[]);
    let (port, reader) = (open.port, open.tokens[0].clone());
    let callers: Vec<_> = (0..30)
        .map(|_| {
            let reader = reader.clone();
            std::thread::spawn(move || ask(port, "GET", "/api/v1/doctor", Some(&reader), None).status)
        })
        .collect();
    let answers = open.gateway.send(&samples(&["01", "02"]));
    assert!(answers.iter().all(|(_, answer, _)| answer == "AA"), "{answers:?}");
    let statuses: Vec<u16> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
    assert!(statuses.iter().all(|status| [200, 429].contains(status)) && statuses.contains(&200), "{statuses:?}");
    serve.signal(Signal::Term);
    assert!(serve.wait(LONG).is_some_and(|s| s.success()));
    std::fs::remove_dir_all(open.place()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_opened_to_others_and_not_without_tokens() {
    for (section, word) in [
        ("[api]\nlisten = \"0.0.0.0:9466\"\ntokens_file = \"/nowhere\"\n", "TLS"),
        ("[api]\nlisten = \"127.0.0.1:9466\"\n", "tokens_file"),
        ("[api]\nlisten = \"127.0.0.1:9466\"\ntokens_file = \"/nowhere\"\n", "/nowhere"),
    ] {
        let folder = kit::temp_dir();
        let config = folder.path().join("arkki.toml");
        std::fs::write(&config, section).unwrap();
        let mut command = std::process::Command::new(kit::arkki());
        command.arg("--config").arg(&config).arg("serve").env_remove("ARKKI_BROKER_URL").env_remove("ARKKI_ARCHIVE_URL");
        let refused = kit::run_command(&mut command, b"");
        exits(&refused, 2);
        assert!(refused.errors().contains(word), "{}", refused.errors());
    }
}
