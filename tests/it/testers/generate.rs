//! What is made to order is answered as the order says.

use std::collections::BTreeMap;
use std::time::Duration;

use arkki::generate::fault::{Fault, Needs};
use arkki::generate::order::Kind;

use super::{asked, exits, generated, named};
use crate::faces::arkki;
use crate::kit::process::Signal;
use crate::kit::{self};
use crate::road::{Gateway, files};

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_and_every_fault_gets_the_answer_beside_it() {
    for archive in [Some(kit::postgres::database().await.url), None] {
        let gateway = Gateway::new(archive, "[limits]\nhold_seconds = 2\n[answer]\nreceivers = [\"1.2.246.556.18007.2\"]\n").await;
        let mut serve = gateway.serve(&[]);
        let mut folders: Vec<String> = Vec::new();
        for kind in Kind::ALL {
            // One seed for all: clients of one kind are not those of another.
            folders.push(generated(&gateway, kind.word(), &["--kind", kind.word(), "--count", "2", "--seed", "11"]).display().to_string());
        }
        let faults = Fault::all().filter(|f| f.needs != Needs::Hold).count().to_string();
        folders.push(generated(&gateway, "faults", &["--fault", "any", "--count", &faults, "--seed", "12"]).display().to_string());
        let mut warnings: Vec<&str> = Fault::warnings().map(|f| f.code.as_str()).collect();
        warnings.dedup();
        for code in warnings {
            folders.push(generated(&gateway, code, &["--fault", code, "--count", "1"]).display().to_string());
        }
        for kind in Kind::ALL.iter().filter(|kind| kind.group().is_some()) {
            let name = format!("faulty-{}", kind.word());
            folders.push(generated(&gateway, &name, &["--kind", kind.word(), "--fault", "E305", "--count", "1"]).display().to_string());
        }
        let mut args = vec!["replay", "--timeout", "60"];
        args.extend(folders.iter().map(String::as_str));
        let report = asked(&gateway, &args, 0);
        assert_eq!(report["wrong"], 0);
        assert!(report["well"].as_u64() > Some(300), "{}", report["well"]);
        serve.signal(Signal::Term);
        assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
        gateway.arkki(&["audit"]).must();
    }
}

#[test]
fn the_same_order_makes_the_same_octets_and_writes_over_nothing() {
    let folder = kit::temp_dir();
    let make = |name: &str, seed: &[&str], code: i32| {
        let out = folder.path().join(name);
        let mut args = vec!["generate", "--kind", "client-document", "--count", "3", "--out", out.to_str().unwrap()];
        args.extend(seed);
        exits(&arkki(&args), code);
        if code == 0 { files(&out).iter().map(|f| (named(f), std::fs::read(f).unwrap())).collect() } else { BTreeMap::new() }
    };
    let first = make("a", &["--seed", "5"], 0);
    assert_eq!(first.len(), 9);
    assert!(first == make("b", &["--seed", "5"], 0));
    assert!(first != make("c", &["--seed", "6"], 0));
    // Without a seed nothing is a repeat.
    assert!(make("d", &[], 0) != make("e", &[], 0));
    make("a", &["--seed", "5"], 2);
}

#[test]
fn one_message_goes_to_standard_output_and_what_cannot_be_made_is_said() {
    let one = arkki(&["generate", "--kind", "case", "--out", "-", "--seed", "1", "--carried", "bare"]);
    exits(&one, 0);
    assert!(one.text().contains("<ClinicalDocument") || one.text().contains(":ClinicalDocument"), "{}", one.text());
    exits(&arkki(&["generate", "--kind", "family", "--out", "-"]), 2);
    let folder = kit::temp_dir();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    // A signature's fault does not show where there is none.
    let nowhere = arkki(&["generate", "--kind", "permission", "--fault", "E604", "--out", out]);
    exits(&nowhere, 1);
    assert!(nowhere.text().contains("no fault E604 shows"), "{}", nowhere.text());
    let unknown = arkki(&["generate", "--fault", "E999", "--out", out]);
    exits(&unknown, 2);
    assert!(unknown.errors().contains("--list"), "{}", unknown.errors());
    let keyless = arkki(&["generate", "--kind", "client-document", "--keys", out, "--out", out]);
    exits(&keyless, 2);
    assert!(keyless.errors().contains("samples/keys"), "{}", keyless.errors());
    let list = crate::faces::json(&arkki(&["generate", "--list", "--json"]));
    assert_eq!(list["kinds"].as_array().map(Vec::len), Some(Kind::ALL.len()));
    assert_eq!(list["faults"].as_array().map(Vec::len), Some(Fault::all().count()));
}
