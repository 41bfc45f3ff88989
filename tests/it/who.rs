//! Who is at the console's desk: roles, certificate cards over real TLS, a real OpenID Connect provider, broken glass, the officer's file. The browser is curl:
//! another program than ours reads our TLS, our cookies and our redirects.

mod officer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use arkki::crypto::authority::{Authority, Issued, Validity};
use arkki::domain::oid::Oid;
use arkki::domain::time::Moment;

use crate::console::browser::{Browser, Terminal};
use crate::kit::browser::{Chromium, walk};
use crate::kit::process::Signal;
use crate::kit::{self, wait_until_blocking};
use crate::road::Gateway;

const SOON: Duration = Duration::from_secs(60);
const DAY: i64 = 86_400;

/// A process that is ended with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts something and waits until its output says a word.
fn start(command: &mut Command, log: &Path, word: &str) -> Running {
    let out = File::create(log).unwrap();
    let running = Running(command.stdin(Stdio::piped()).stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap());
    let said = || std::fs::read_to_string(log).unwrap_or_default();
    assert!(wait_until_blocking(SOON, || said().contains(word)), "{}", said());
    running
}

/// What curl says: the last answer's status, and everything that it printed (heads and bodies).
fn curl(jar: &Path, args: &[&str]) -> (u16, String) {
    let output = Command::new("curl")
        .args(["-s", "-k", "-i", "--max-time", "30", "-w", "\nSTATUS %{http_code}", "-b"])
        .arg(jar)
        .arg("-c")
        .arg(jar)
        .args(args)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let status = text.rsplit("STATUS ").next().and_then(|n| n.trim().parse().ok()).unwrap_or(0);
    (status, text)
}

fn valid(from: i64, until: i64) -> Validity {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    Validity { from: Moment::from_seconds(now + from * DAY), until: Moment::from_seconds(now + until * DAY) }
}

fn write(folder: &Path, name: &str, issued: &Issued) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    std::fs::write(&certificate, &issued.certificate_pem).unwrap();
    std::fs::write(&key, &issued.key_pem).unwrap();
    (certificate, key)
}

const PEOPLE: &str = "[people.anna]\nname = \"Anna A\"\norganisation = \"1.2.246.10.99999992.10.0\"\nroles = [\"archivist\"]\ncard = \"1.2.246.900.1\"\n\
                      [people.bo]\nname = \"Bo B\"\norganisation = \"1.2.246.10.99999992.10.0\"\nroles = [\"operator\"]\nopenid = \"bo\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_card_in_force_lets_its_owner_in_and_no_other_card_does() {
    let folder = kit::temp_dir();
    let at = |name: &str| folder.path().join(name);
    let authority = Authority::make("cards", valid(-30, 365)).unwrap();
    let foreign = Authority::make("others", valid(-30, 365)).unwrap();
    let card = |of: &Authority, serial: &str, when| of.system("Testilä", &Oid::parse(serial).unwrap(), "CARD", when).unwrap();
    write(folder.path(), "ca", &authority.to_pem().unwrap());
    let cards = [
        ("anna", card(&authority, "1.2.246.900.1", valid(-1, 30))),
        ("again", card(&authority, "1.2.246.900.1", valid(-1, 30))),
        ("stranger", card(&authority, "1.2.246.900.9", valid(-1, 30))),
        ("expired", card(&authority, "1.2.246.900.1", valid(-20, -1))),
        ("foreign", card(&foreign, "1.2.246.900.1", valid(-1, 30))),
        ("revoked", card(&authority, "1.2.246.900.1", valid(-1, 30))),
        ("server", card(&authority, "1.2.246.900.2", valid(-1, 30))),
    ];
    cards.iter().for_each(|(name, issued)| drop(write(folder.path(), name, issued)));
    revoke(folder.path(), "revoked");
    let port = kit::ports::free();
    let more = format!(
        "[console]\nlisten = \"127.0.0.1:{port}\"\ncertificate_file = {:?}\nkey_file = {:?}\ncard_authorities = [{:?}]\ncard_crls = [{:?}]\nlink = \"bo\"\n{PEOPLE}",
        at("server.pem"),
        at("server.key"),
        at("ca.pem"),
        at("list.pem"),
    );
    let gateway = Gateway::new(None, &more).await;
    let log = at("console.log");
    let _console = start(&mut gateway.command(&["console"]), &log, "https://127.0.0.1:");
    let origin = format!("https://127.0.0.1:{port}");
    let with = |name: &str, jar: &str, path: &str| {
        let (certificate, key) = (at(&format!("{name}.pem")), at(&format!("{name}.key")));
        curl(&at(jar), &["--cert", certificate.to_str().unwrap(), "--key", key.to_str().unwrap(), &format!("{origin}{path}")])
    };
    let (status, text) = with("anna", "anna.jar", "/enter/card");
    assert_eq!(status, 303, "{text}");
    for word in ["Secure", "HttpOnly", "SameSite=Strict", "strict-transport-security"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let (status, text) = with("anna", "anna.jar", "/?lang=en");
    assert!(status == 200 && text.contains("Anna A") && text.contains("href=\"/documents\""), "{text}");
    // An archivist has the archivist's pages and no other's.
    assert!(!text.contains("href=\"/officer\"") && !text.contains("href=\"/people\""));
    for other in ["/officer", "/people", "/doctor", "/glass", "/board/stream", "/officer/notices"] {
        assert_eq!(with("anna", "anna.jar", other).0, 403, "{other}");
    }
    // Her cookie without her card, and with another card that says the same of itself: nobody.
    assert_eq!(curl(&at("anna.jar"), &[&format!("{origin}/")]).0, 403);
    assert_eq!(with("again", "anna.jar", "/").0, 403);
    // In force, and nobody's here; no card at all.
    let (status, text) = with("stranger", "stranger.jar", "/enter/card");
    assert!(status == 403 && !text.to_lowercase().contains("set-cookie"), "{text}");
    assert_eq!(curl(&at("none.jar"), &[&format!("{origin}/enter/card")]).0, 403);
    // Out of force: the handshake ends, and no page is made.
    for name in ["expired", "foreign", "revoked"] {
        assert_eq!(with(name, &format!("{name}.jar"), "/enter/card").0, 0, "{name}");
    }
    // Plain HTTP on the port of TLS is nothing.
    assert_eq!(curl(&at("plain.jar"), &[&format!("http://127.0.0.1:{port}/")]).0, 0);
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("turned away") && said.contains("anna"), "{said}");
}

/// A revocation list with one certificate on it, made by OpenSSL's own tool.
fn revoke(folder: &Path, name: &str) {
    let run = |args: &[&str]| {
        let output = Command::new("openssl").current_dir(folder).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    std::fs::write(folder.join("index.txt"), "").unwrap();
    std::fs::write(folder.join("crlnumber"), "01\n").unwrap();
    let section = "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ncrlnumber = crlnumber\ndefault_md = sha256\ndefault_crl_days = 7\ncertificate = ca.pem\nprivate_key = ca.key\n";
    std::fs::write(folder.join("ca.cnf"), section).unwrap();
    run(&["ca", "-config", "ca.cnf", "-revoke", &format!("{name}.pem")]);
    run(&["ca", "-config", "ca.cnf", "-gencrl", "-out", "list.pem"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_provider_says_who_somebody_is_and_a_forged_way_back_is_none() {
    // The provider comes with the browser's packages.
    if kit::browser::left_out() {
        return;
    }
    let folder = kit::temp_dir();
    let at = |name: &str| folder.path().join(name);
    let (port, provider) = (kit::ports::free(), kit::ports::free());
    let origin = format!("http://127.0.0.1:{port}");
    let more = format!(
        "[console]\nlisten = \"127.0.0.1:{port}\"\naddress = \"{origin}\"\nopenid_issuer = \"http://127.0.0.1:{provider}\"\nopenid_client = \"arkki\"\nopenid_secret_file = {:?}\n{PEOPLE}",
        at("secret")
    );
    std::fs::write(at("secret"), "a secret of the test, long enough for anybody\n").unwrap();
    let gateway = Gateway::new(None, &more).await;
    let _console = start(&mut gateway.command(&["console"]), &at("console.log"), &origin);
    let run = |account: &str| {
        let mut node = Command::new("node");
        node.arg(kit::repository().join("tests/it/who/provider.mjs"))
            .env("MODULES", kit::browser::npm())
            .env("PORT", provider.to_string())
            .env("CLIENT", "arkki")
            .env("SECRET", "a secret of the test, long enough for anybody")
            .env("REDIRECT", format!("{origin}/enter/openid"))
            .env("ACCOUNT", account);
        start(&mut node, &at(&format!("{account}.log")), "ready")
    };
    let begin = format!("{origin}/enter/openid/begin");
    // Out of reach: said so, and nobody is in.
    assert_eq!(curl(&at("early.jar"), &[&begin]).0, 502);
    let node = run("bo");
    let (status, text) = curl(&at("bo.jar"), &["-L", &begin]);
    assert!(status == 200 && text.contains("SameSite=Strict") && text.contains("url=/"), "{text}");
    let (status, text) = curl(&at("bo.jar"), &[&format!("{origin}/?lang=en")]);
    assert!(status == 200 && text.contains("Bo B") && text.contains("id=\"board\"") && !text.contains("href=\"/documents\""), "{text}");
    // The same way back once more, one that was never begun here, and one from another browser.
    let back = text_of_redirect(&curl(&at("second.jar"), &[&begin]).1);
    assert!(back.contains("code_challenge_method=S256") && back.contains("state=") && back.contains("nonce="), "{back}");
    let state = back.split("state=").nth(1).unwrap().split('&').next().unwrap();
    for (jar, forged) in
        [("second.jar", "state=made-up&code=x".to_owned()), ("other.jar", format!("state={state}&code=x")), ("second.jar", format!("state={state}"))]
    {
        assert_eq!(curl(&at(jar), &[&format!("{origin}/enter/openid?{forged}")]).0, 403, "{forged}");
    }
    drop(node);
    // Somebody whom the provider knows and we do not.
    let _node = run("eve");
    let (status, text) = curl(&at("eve.jar"), &["-L", &begin]);
    assert_eq!(status, 403, "{text}");
    assert_eq!(curl(&at("eve.jar"), &[&format!("{origin}/")]).0, 403);
}

fn text_of_redirect(text: &str) -> String {
    text.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn glass_is_broken_with_a_reason_and_the_officers_file_is_logged() {
    let gateway = Gateway::new(None, &format!("[console]\nlink = \"rolf\"\n[people.rolf]\nname = \"Rolf\"\norganisation = \"1.2.246.10.99999992.10.0\"\nroles = [\"operator\", \"data-protection-officer\", \"administrator\"]\n{PEOPLE}")).await;
    gateway.arkki(&["migrate"]).must();
    let mut terminal = Terminal::open(&gateway);
    let mut browser = Browser::enter(&terminal.link());
    assert_eq!(browser.get("/documents").status, 403);
    assert_eq!(browser.get("/disclosures/new").status, 200, "an officer reports disclosures");
    let csrf = browser.get("/glass").field("csrf");
    // A word is no reason, an identity code is none either.
    for reason in ["now", "", "the client 010190-900P is here"] {
        assert_eq!(browser.post("/glass", &[("csrf", &csrf), ("action", "break"), ("reason", reason)]).status, 422, "{reason}");
    }
    assert_eq!(browser.get("/documents").status, 403);
    let broken = browser.post("/glass", &[("csrf", &csrf), ("action", "break"), ("reason", "A child is in danger tonight")]);
    assert_eq!(broken.status, 303, "{}", broken.body);
    assert_eq!(browser.get("/documents").status, 200);
    assert!(browser.get("/?lang=en").body.contains("Glass is broken"));
    assert!(terminal.said().contains("GLASS BROKEN") && !terminal.said().contains("danger"), "{}", terminal.said());
    browser.post("/glass", &[("csrf", &csrf), ("action", "mend")]);
    assert_eq!(browser.get("/documents").status, 403);
    // The officer's file: not without the confirmation, and then with its own row and the glass's in it.
    let wish = [("csrf", csrf.as_str()), ("from", "2026-01-01"), ("to", "2099-12-31"), ("log", "both"), ("format", "csv")];
    assert_eq!(browser.post("/officer/export", &wish).status, 422);
    let confirmed: Vec<(&str, &str)> = wish.iter().copied().chain([("confirm", "yes")]).collect();
    let file = browser.post("/officer/export", &confirmed);
    assert_eq!(file.status, 200, "{}", file.body);
    assert!(file.head.contains("attachment") && file.body.contains("break-glass") && file.body.contains("console:rolf"), "{}", file.body);
    let again = browser.post("/officer/export", &confirmed);
    assert!(again.body.contains("export"), "the first export is a row of the second: {}", again.body);
    assert_eq!(browser.get("/officer/notices").status, 200);
    // The administrator ends a session: the own one here.
    let page = browser.get("/people?lang=en");
    assert!(page.body.contains("Anna A") && page.body.contains("Rolf"), "{}", page.body);
    let mark = page.between("name=\"end\" value=\"", "\"");
    assert_eq!(browser.post("/people", &[("csrf", &csrf), ("end", &mark)]).status, 303);
    assert_eq!(browser.get("/").status, 403);
    assert!(gateway.arkki(&["audit"]).ok(), "what the console wrote is in order");
    terminal.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_the_house_are_seen_at_every_width_and_the_board_keeps_itself_up_to_date() {
    let Some(browser) = Chromium::open() else { return };
    let gateway = Gateway::new(None, "").await;
    gateway.arkki(&["migrate"]).must();
    let mut serve = gateway.serve(&[]);
    let mut terminal = Terminal::open(&gateway);
    let link = terminal.link();
    browser.goto(&link);
    let origin = link.split("/enter/").next().unwrap().to_owned();
    let pages = [("board", "/"), ("doctor", "/doctor"), ("officer", "/officer"), ("notices", "/officer/notices"), ("people", "/people"), ("glass", "/glass")];
    for (name, octets) in walk(&browser, &origin, &pages) {
        assert!(octets < 100 * 1024, "{name} weighs {octets} octets");
    }
    browser.goto(&format!("{origin}/?lang=en"));
    assert!(wait_until_blocking(SOON, || browser.text("#live") == "Kept up to date by itself."), "{}", browser.text("#live"));
    assert!(wait_until_blocking(SOON, || browser.look("#board svg").len() >= 5), "plots: {}", browser.text("#board"));
    assert!(browser.text("#board").contains("arkki.inbound"), "{}", browser.text("#board"));
    browser.picture("board-live");
    // The gateway ends: the board says so by itself.
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|status| status.success()), "{}", gateway.log_text());
    assert!(wait_until_blocking(SOON, || browser.text("#board").contains("InstanceDown")), "{}", browser.text("#board"));
    drop(browser);
    terminal.end();
}
