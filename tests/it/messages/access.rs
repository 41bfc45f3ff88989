//! Registered systems as operators meet them: what the doctor finds, and what the gateway does not start with.

use serde_json::Value;

use arkki::generate::document::Organisation;
use arkki::generate::query::{Parameter, QuerySpec};

use super::{Desk, Ground, SOON, closed_gateway, device, invalidation, registered, user};
use crate::faces::{exits, json};
use crate::kit::{self, Output};
use crate::road::Gateway;

/// State, text and what mends it, of the checks with this name.
fn check(output: &Output, name: &str) -> Vec<(String, String, String)> {
    let word = |c: &Value, key: &str| c[key].as_str().unwrap_or_default().to_owned();
    let report = json(output);
    let checks = report["checks"].as_array().unwrap().iter().filter(|c| c["name"] == name);
    checks.map(|c| (word(c, "state"), word(c, "what"), word(c, "mend"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_looks_at_every_registration() {
    let gateway = closed_gateway().await;
    gateway.arkki(&["migrate"]).must();
    for system in ["joining", "reading", "application", "other", "storing"] {
        gateway.vhost.user(&user(&gateway.vhost, system), "words");
    }
    let now = gateway.arkki(&["doctor", "--json"]);
    exits(&now, 1);
    assert_eq!(check(&now, "registrations")[0].0, "well");
    assert_eq!(check(&now, "registration joining")[0].0, "well");
    let ended = check(&now, "registration ended");
    assert_eq!(ended.len(), 2, "no such user, and ended: {ended:?}");
    assert!(ended[0].1.contains("no user") && ended[0].2.contains("rabbitmqctl add_user"), "{ended:?}");
    assert!(ended[1].1.contains("2020-12-31") && ended[1].1.contains("E851"), "{ended:?}");

    // One thing wrong each.
    let base = registered(&gateway.vhost).replace("until = \"2020-12-31\"\n", "");
    gateway.vhost.user(&user(&gateway.vhost, "ended"), "words");
    let path = gateway.folder.path().join("arkki.toml");
    let whole = std::fs::read_to_string(&path).unwrap();
    let doctor = |registrations: &str| {
        std::fs::write(&path, whole.replace(&registered(&gateway.vhost), registrations)).unwrap();
        gateway.arkki(&["doctor", "--json"])
    };
    exits(&doctor(&base), 0);
    for (old, new, name, words) in [
        ("1.2.246.10.99999992.18.21", "1.2.246.10.99999992.18.20", "registered devices", "different users"),
        ("devices = [\"1.2.246.10.99999992.18.22\"]", "devices = []", "registration application", "no device"),
        ("register_rights = ", "certificate_sha256 = \"12:34\"\nregister_rights = ", "registration other", "no SHA-256"),
    ] {
        assert!(base.contains(old), "{old}");
        let found = doctor(&base.replacen(old, new, 1));
        exits(&found, 1);
        let checks = check(&found, name);
        assert!(checks.iter().any(|(state, what, mend)| state == "unwell" && what.contains(words) && !mend.is_empty()), "{name}: {checks:?}");
    }
    let soon = doctor(&base.replacen("profile = \"storing\"", "from = \"2020-01-01\"\nuntil = \"2026-12-01\"\nprofile = \"storing\"", 1));
    let checks = check(&soon, "registration storing");
    assert!(checks.iter().any(|(_, what, mend)| (what.contains("ends on") || what.contains("ended on")) && mend.contains("renew")), "{checks:?}");
    let empty = doctor("[access]\nregistered_only = true\n");
    assert!(check(&empty, "registrations")[0].1.contains("E850"), "{}", empty.text());
    // Who may not see users is told so, and is not told that they are missing.
    std::fs::write(&path, whole.replace(&registered(&gateway.vhost), &base)).unwrap();
    let unseen = kit::run_command(gateway.command(&["doctor", "--json"]).env_remove("ARKKI_MANAGEMENT_URL"), b"");
    exits(&unseen, 2);
    assert_eq!(check(&unseen, "registered users")[0].0, "unseen");
}

#[tokio::test(flavor = "multi_thread")]
async fn production_does_not_start_with_an_open_door() {
    let gateway = Gateway::new(None, "").await;
    let path = gateway.folder.path().join("arkki.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    for (top, more, words) in [
        ("environment = \"production\"\n", "\n[access]\nregistered_only = false\n", "registered_only"),
        ("environment = \"production\"\n", "\n[validate]\nlisten = \"127.0.0.1:9465\"\n", "[validate]"),
        ("", "\n[registrations.a]\nuser = \"a\"\nprofile = \"admin\"\norganisation = \"1.2.3\"\n", "[registrations.a] profile"),
        ("", "\n[registrations.a]\nuser = \"a\"\nprofil = \"joining\"\n", "profil"),
        ("", "\n[senders.a]\nlanguage = \"de\"\n", "[senders.a] language"),
    ] {
        std::fs::write(&path, format!("{top}{config}{more}")).unwrap();
        let said = gateway.arkki(&["serve"]);
        exits(&said, 2);
        assert!(said.errors().contains(words), "{words}: {}", said.errors());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_has_ended_opens_nothing_beside_one_in_force() {
    let vhost = kit::rabbit::vhost().await;
    let lapsed = format!(
        "[registrations.lapsed]\nuser = {:?}\nprofile = \"joining\"\norganisation = {:?}\ndevices = [{:?}]\nuntil = \"2020-12-31\"\n",
        user(&vhost, "other"),
        Organisation::SAMPLE.node,
        device("other")
    );
    let config = registered(&vhost) + &lapsed;
    let gateway = Gateway::on(vhost, Some(kit::postgres::database().await.url), &config);
    let mut serve = gateway.serve(&[]);
    let ground = Ground::new();
    let relation = ground.relation(361);
    let mut joining = Desk::open(&gateway.vhost, "joining").await;
    let stored = joining.ask(&ground.framed(&relation, "joining", |_| ())).await;
    assert!(String::from_utf8_lossy(&stored).contains("<typeCode code=\"AA\""), "{}", String::from_utf8_lossy(&stored));
    let controller = Organisation::SAMPLE.unit;
    let mut other = Desk::open(&gateway.vhost, "other").await;
    for (number, controller, words) in [(520, None, "code=\"NF\""), (521, Some(controller), "E835")] {
        let octets = search_in(&ground, "other", number, controller);
        let answer = String::from_utf8(other.ask(&octets).await).unwrap();
        assert!(answer.contains(words) && !answer.contains(&relation.id), "{answer}");
    }
    serve.signal(kit::process::Signal::Term);
    assert!(serve.wait(SOON).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_site_keeps_strangers_out_of_registers_that_somebody_answers_for() {
    let vhost = kit::rabbit::vhost().await;
    let config = registered(&vhost).replace("registered_only = true", "registered_only = false");
    let gateway = Gateway::on(vhost, Some(kit::postgres::database().await.url), &config);
    let mut serve = gateway.serve(&[]);
    let ground = Ground::new();
    let relation = ground.relation(362);
    let mut joining = Desk::open(&gateway.vhost, "joining").await;
    let stored = joining.ask(&ground.framed(&relation, "joining", |_| ())).await;
    assert!(String::from_utf8_lossy(&stored).contains("<typeCode code=\"AA\""), "{}", String::from_utf8_lossy(&stored));
    // A device of nobody's: what is asked is all there is to judge.
    let unknown = |octets: Vec<u8>| String::from_utf8(octets).unwrap().replace(device("joining"), "1.2.246.10.99999976.18.1").into_bytes();
    let mut stranger = Desk::open(&gateway.vhost, "stranger").await;
    for (what, octets, code) in [
        ("store", ground.framed(&ground.relation(363), "joining", |_| ()), "E854"),
        ("bare", ground.relation(364).render(), "E854"),
        ("invalidate", invalidation(&ground, 362, "joining"), "E854"),
        ("query", search(&ground, "joining", 530), "E835"),
        ("query one register", search_in(&ground, "joining", 531, Some(Organisation::SAMPLE.unit)), "E835"),
    ] {
        let answer = String::from_utf8(stranger.ask(&unknown(octets)).await).unwrap();
        assert!(answer.contains(code) && answer.contains("5Y00009"), "{what}: {answer}");
    }
    serve.signal(kit::process::Signal::Term);
    assert!(serve.wait(SOON).is_some());
}

/// A search for a client's documents, as one of the systems sends it.
fn search(ground: &Ground, system: &str, number: u64) -> Vec<u8> {
    search_in(ground, system, number, None)
}

/// As [`search`], in the register of one controller.
fn search_in(ground: &Ground, system: &str, number: u64, controller: Option<&str>) -> Vec<u8> {
    let mut parameters = vec![Parameter::client(&ground.family.person.hetu)];
    parameters.extend(controller.map(|oid| Parameter::ids("custodianId", &[oid])));
    super::query(&QuerySpec::metadata(number, parameters), system)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_needs_its_profile_and_sees_the_registers_of_its_registration() {
    let gateway = closed_gateway().await;
    let mut serve = gateway.serve(&[]);
    let ground = Ground::new();
    let relation = ground.relation(360);
    let mut joining = Desk::open(&gateway.vhost, "joining").await;
    let stored = joining.ask(&ground.framed(&relation, "joining", |_| ())).await;
    assert!(String::from_utf8_lossy(&stored).contains("<typeCode code=\"AA\""), "{}", String::from_utf8_lossy(&stored));
    for (n, (system, words, sees)) in [
        ("joining", "<typeCode code=\"AA\"", true),
        ("reading", "<typeCode code=\"AA\"", true),
        ("storing", "E853", false),
        ("application", "E853", false),
        // Its frame says that it asks for the sample organisation; its registration says whose it is.
        ("other", "code=\"NF\"", false),
        ("ended", "E851", false),
        ("stranger", "E850", false),
    ]
    .into_iter()
    .enumerate()
    {
        let octets = search(&ground, system, 500 + n as u64);
        let answer = if system == "joining" { joining.ask(&octets).await } else { Desk::open(&gateway.vhost, system).await.ask(&octets).await };
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains(words) && answer.contains(&relation.id) == sees, "{system}: {answer}");
        assert!(!answer.contains("E85") || answer.contains("5Y00009"), "{system}: {answer}");
    }
    serve.signal(kit::process::Signal::Term);
    assert!(serve.wait(SOON).is_some());
}
