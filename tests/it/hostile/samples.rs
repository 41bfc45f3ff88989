//! Every sample through `arkki send`: its answer is the one its name says, `arkki validate` says the same where no archive is needed, and the canary
//! among the clients is found in no log, metric, header or answer.

use std::path::PathBuf;

use arkki::domain::ack::AckType;
use arkki::generate::fault::{Fault, Needs};
use arkki::generate::hostile;
use arkki::generate::person::Person;
use arkki::v3::ack;
use lapin::BasicProperties;

use crate::faults::mix::REPLIES;
use crate::faults::place::{REST, more, page};
use crate::faults::queue::{DEAD, Found, INBOUND};
use crate::faults::ways::Bench;
use crate::kit::{self, canary, wait_until};
use crate::road;

fn folder(name: &str) -> Vec<PathBuf> {
    let files = road::files(&kit::repository().join("samples").join(name));
    assert!(!files.is_empty(), "samples/{name}");
    files
}

fn stem(file: &str) -> String {
    PathBuf::from(file).file_stem().unwrap().to_str().unwrap().to_owned()
}

/// What a hostile sample's answer is: its code, or nothing for the acknowledgement.
fn hostile_code(name: &str) -> Option<&'static str> {
    let all = hostile::small(b"<ClinicalDocument  <realmCode code=\"FI\"/><recordTarget>(TESTI)</name>");
    all.iter().find(|h| h.name == name).unwrap_or_else(|| panic!("samples/hostile/{name}.xml")).code
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_gets_the_answer_that_its_name_says_and_the_canary_is_heard_nowhere() {
    let bench = Bench::new(&more("hold_seconds = 2")).await;
    let (accepted, refused) = (folder("accepted"), folder("refused"));
    for part in [&accepted, &folder("disclosures")] {
        for (file, answer, code) in tokio::task::block_in_place(|| bench.gateway.send(part)) {
            assert_eq!(answer, "AA", "{file}: {code}");
        }
    }
    for (file, answer, code) in tokio::task::block_in_place(|| bench.gateway.send(&refused)) {
        assert!(code.starts_with(&stem(&file)[..4]) && answer != "AA", "{file}: {answer} {code}");
    }
    let hostile: Vec<PathBuf> = folder("hostile").into_iter().filter(|f| f.file_stem().unwrap() != "acknowledgement").collect();
    for (file, answer, code) in tokio::task::block_in_place(|| bench.gateway.send(&hostile)) {
        assert!(code.starts_with(hostile_code(&stem(&file)).expect("a code")) && answer == "AE", "{file}: {answer} {code}");
    }
    assert_eq!(hostile_code("acknowledgement"), None);
    offline_says_the_same(&bench, &accepted, &refused, &hostile);
    let told = sent_again(&bench, &[accepted, refused, folder("hostile")].concat()).await;
    sings_nowhere(&bench, &told);
    bench.stop();
}

/// `arkki validate --json`: the same verdict and first code, where no archive is needed.
fn offline_says_the_same(bench: &Bench, accepted: &[PathBuf], refused: &[PathBuf], hostile: &[PathBuf]) {
    let needs: std::collections::HashMap<String, Needs> = Fault::all().map(|f| (f.name(), f.needs)).collect();
    let files = [accepted, refused, hostile].concat();
    let mut args = vec!["validate", "--json", "--profile", "kanta-social", "--stage", "all"];
    args.extend(files.iter().map(|f| f.to_str().unwrap()));
    let output = tokio::task::block_in_place(|| bench.gateway.arkki(&args));
    assert_eq!(output.code, Some(1), "some are refused: {}", output.errors());
    let lines: Vec<serde_json::Value> =
        output.text().lines().filter_map(|l| serde_json::from_str(l).ok()).filter(|v: &serde_json::Value| v["file"].is_string()).collect();
    assert_eq!(lines.len(), files.len(), "one object a file");
    let mut by_archive = 0;
    for (line, file) in lines.iter().zip(&files) {
        assert_eq!(line["file"].as_str(), file.to_str());
        let name = stem(file.to_str().unwrap());
        let first = line["findings"].as_array().and_then(|f| f.iter().find(|f| f["severity"] == "error")).and_then(|f| f["code"].as_str());
        let expected = match file.parent().unwrap().file_name().unwrap().to_str().unwrap() {
            "accepted" => None,
            "hostile" => hostile_code(&name),
            _ if needs[&name] == Needs::Nothing => Some(&name[..4]),
            // Seen in the header or only in the archive; either way it is not another code.
            _ => {
                by_archive += 1;
                first.filter(|code| name.starts_with(code))
            }
        };
        assert_eq!(first, expected, "{name}");
        assert_eq!(line["verdict"], if expected.is_some() { "refused" } else { "accepted" }, "{name}");
    }
    println!("validate: {} files, {by_archive} of them for the archive to judge", files.len());
}

/// Everything once more by hand, with an address and without: what lies in the reply queue and in quarantine afterwards.
async fn sent_again(bench: &Bench, files: &[PathBuf]) -> Vec<Found> {
    for (number, file) in files.iter().enumerate() {
        let octets = std::fs::read(file).unwrap();
        bench.send(&octets, Bench::honest(&format!("again-{number}"), REPLIES[0])).await;
        bench.send(&octets, BasicProperties::default().with_user_id("guest".into()).with_message_id(format!("nowhere-{number}").into())).await;
    }
    let at_rest = || async {
        let nothing = bench.sql("SELECT (SELECT count(*) FROM held) + (SELECT count(*) FROM outbox)") == "0";
        nothing && bench.desk.ready(INBOUND).await == 0 && bench.desk.ready(REPLIES[0]).await as usize >= files.len() - 1
    };
    assert!(wait_until(REST, at_rest).await, "{} answers of {}", bench.desk.ready(REPLIES[0]).await, files.len());
    assert!(wait_until(REST, || async { bench.desk.ready(DEAD).await as usize >= files.len() - 1 }).await, "{}", bench.desk.ready(DEAD).await);
    let mut told = bench.desk.take_all(REPLIES[0]).await;
    assert_eq!(told.len(), files.len() - 1, "all but the acknowledgement");
    for answer in &told {
        let number: usize = answer.correlation().trim_start_matches("again-").parse().unwrap();
        let (read, file) = (ack::read(&answer.body).unwrap(), &files[number]);
        let is_accepted = file.parent().unwrap().ends_with("accepted");
        assert_eq!(read.ack_type == AckType::Accept, is_accepted, "{}: told again", file.display());
        assert!(
            is_accepted
                || read.details.first().is_some_and(|d| !stem(file.to_str().unwrap()).starts_with('E') || stem(file.to_str().unwrap()).starts_with(&d.code)),
            "{}",
            file.display()
        );
    }
    for dead in bench.desk.take_all(DEAD).await {
        // Its body is what was sent; its headers are the broker's.
        told.push(Found { body: Vec::new(), ..dead });
    }
    told
}

fn sings_nowhere(bench: &Bench, told: &[Found]) {
    let person = Person::canary();
    let mut needles = vec![person.hetu.clone(), person.family.to_owned(), person.given[0].to_owned()];
    // As PostgreSQL would write octets, as base64 would hide the code at each of its three places, and as somebody might mask it halfway.
    let hex: String = person.hetu.bytes().map(|b| format!("{b:02x}")).collect();
    needles.push(hex);
    for shift in 0..3 {
        use base64::Engine as _;
        let padded = [" ".repeat(shift).as_str(), &person.hetu].concat();
        let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(padded);
        let whole = text.get(shift.div_ceil(1) + 1..text.len() - 2).unwrap_or(&text);
        needles.push(whole.to_owned());
    }
    let needles: Vec<&str> = needles.iter().map(String::as_str).collect();
    // The search itself must be able to find.
    let proof = kit::temp_dir();
    let sample = std::fs::read(kit::repository().join("samples/accepted/01-client-relation-fi.xml")).unwrap();
    std::fs::write(proof.path().join("sample"), sample).unwrap();
    assert!(canary::grep(&[proof.path()], &needles).iter().any(|hit| hit.needle == 0), "the canary is in the samples");
    let metrics = bench.gateway.folder.path().join("metrics");
    std::fs::write(&metrics, page(bench.gateway.port, "/metrics")).unwrap();
    let replies = bench.gateway.folder.path().join("told");
    let text: Vec<String> = told.iter().map(|f| format!("{:?} {} {}", f.properties, f.routing_key, String::from_utf8_lossy(&f.body))).collect();
    std::fs::write(&replies, text.join("\n")).unwrap();
    // No personal value has a column: every table, but for the octets and answers themselves.
    let columns = bench.gateway.folder.path().join("columns");
    let tables = ["document", "client_relation", "case_file", "ledger", "head", "access_log", "disclosure_log", "frame", "held", "held_reply", "outbox"];
    let rows: Vec<String> = tables.iter().map(|table| bench.sql(&format!("SELECT row_to_json(t) FROM {table} t"))).collect();
    assert!(rows.iter().map(|r| r.lines().count()).sum::<usize>() > 100, "rows were searched");
    std::fs::write(&columns, rows.join("\n")).unwrap();
    let places = [columns, bench.gateway.log(), metrics, replies, kit::rabbit::server().logs(), kit::postgres::server().log()];
    assert!(bench.gateway.log_text().contains("\"level\":\"DEBUG\""), "debug lines were searched too");
    assert_eq!(canary::grep(&places, &needles), [], "the canary sings");
}
