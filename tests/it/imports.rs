//! `arkki import`: an old system emptied into the archive, in dry run and in earnest, killed and gone on with, and reconciled to the row.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arkki::domain::language::Language;
use arkki::generate::person::Person;
use arkki::generate::random::Random;
use base64::Engine as _;
use serde_json::Value;

use crate::kit::process::{Process, Signal};
use crate::kit::{self, Output};
use crate::road::Gateway;

/// Rows of the great import, and rows of a client.
const ROWS: usize = 5_000;
const OF_A_CLIENT: usize = 20;
/// How long the whole of it may take before something must hang.
const DEADLINE: Duration = Duration::from_secs(600);

const MAPPING: &str = r#"
[organisation]
controller = "1.2.246.10.99999992.10.0"
name = "Testilän hyvinvointialue (TESTI)"
ids = "1.2.246.10.99999992.95.2026.7"
real_time_since = "2024-09-01"
[software]
moderator = "Testitoimittaja Oy"
product = "Vanha järjestelmä"
version = "3.1"
[columns]
file = "Tiedosto"
client = "Henkilötunnus"
family = "Sukunimi"
given = "Etunimet"
authored = "Laadittu"
type = "Tyyppi"
task = "Tehtävä"
original = "Alkuperäinen tehtävä"
edition = "Luokitus"
case = "Asia"
[codes.type]
"PÄÄTÖS" = "11"
[codes.task]
"PO" = "25"
"#;

const HEADING: &str = "Tiedosto;Henkilötunnus;Sukunimi;Etunimet;Laadittu;Tyyppi;Tehtävä;Alkuperäinen tehtävä;Luokitus;Asia;Muuta";

/// A manifest, its mapping and its files in a folder.
struct Old {
    folder: kit::TempDir,
}

impl Old {
    fn new() -> Self {
        let folder = kit::temp_dir();
        std::fs::create_dir(folder.path().join("files")).unwrap();
        std::fs::write(folder.path().join("mapping.toml"), MAPPING).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn file(&self, name: &str, octets: &[u8]) {
        std::fs::write(self.folder.path().join("files").join(name), octets).unwrap();
    }

    fn manifest(&self, rows: &[String]) {
        std::fs::write(self.folder.path().join("old.csv"), format!("{HEADING}\n{}\n", rows.join("\n"))).unwrap();
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let mut all: Vec<String> = ["import", "--files"].map(str::to_owned).into();
        all.extend([
            self.path("files"),
            "--mapping".to_owned(),
            self.path("mapping.toml"),
            "--report".to_owned(),
            self.path("report.csv"),
            "--json".to_owned(),
        ]);
        all.extend(more.iter().map(|m| (*m).to_owned()));
        all.push(self.path("old.csv"));
        all
    }

    fn run(&self, gateway: &Gateway, more: &[&str]) -> (Output, Value) {
        let arguments = self.arguments(more);
        let output = gateway.arkki(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let report = serde_json::from_str(&output.text()).unwrap_or_else(|e| panic!("{e}: {} {}", output.text(), output.errors()));
        (output, report)
    }

    /// The report file: line → fate, code, document, position.
    fn fates(&self) -> BTreeMap<u64, [String; 4]> {
        let text = std::fs::read_to_string(self.path("report.csv")).unwrap();
        text.lines()
            .skip(1)
            .map(|line| {
                let v: Vec<&str> = line.split(';').collect();
                (v[0].parse().unwrap(), [v[2], v[6], v[4], v[5]].map(str::to_owned))
            })
            .collect()
    }
}

fn xhtml(words: &str) -> Vec<u8> {
    format!("<html xmlns=\"http://www.w3.org/1999/xhtml\"><head><title>Päätös</title></head><body><p>{words}</p></body></html>").into_bytes()
}

/// The PDF in a sample.
fn pdf() -> Vec<u8> {
    let text = std::fs::read_to_string(kit::repository().join("samples/accepted/09-old-document-fi-pdf.xml")).unwrap();
    let start = text.find("representation=\"B64\">").unwrap() + "representation=\"B64\">".len();
    let body = &text[start..start + text[start..].find('<').unwrap()];
    base64::engine::general_purpose::STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap()
}

fn good(file: &str, hetu: &str) -> String {
    format!("{file};{hetu};Testinen;Testi Koe;14.5.1997;PÄÄTÖS;PO;10;1989;;x")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dry_run_names_every_row_that_would_be_refused_and_sends_nothing() {
    let gateway = Gateway::new(None, "").await;
    let old = Old::new();
    old.file("a.pdf", &pdf());
    old.file("b.xhtml", &xhtml("b"));
    old.file("empty.pdf", b"");
    old.file("cut.xhtml", b"<html xmlns=\"http://www.w3.org/1999/xhtml\"><p>");
    std::fs::write(old.path("secret.txt"), "outside").unwrap();
    let hetu = "080885-902M";
    let rows = [
        (good("a.pdf", hetu), "passes", ""),
        (good("b.xhtml", "280260-904A"), "passes", ""),
        (good("none.pdf", hetu), "refused", "import-no-file"),
        (good("../secret.txt", hetu), "refused", "import-outside"),
        (good("empty.pdf", hetu), "refused", "import-no-octets"),
        (good("cut.xhtml", hetu), "refused", "E507"),
        (good("a.pdf", hetu), "refused", "import-twice"),
        (good("a.pdf", "080885-902N"), "refused", "hetu-check"),
        (good("b.xhtml", hetu).replace("14.5.1997", "31.2.1997"), "refused", "import-date"),
        (good("b.xhtml", hetu).replace("14.5.1997", "1.9.2024"), "refused", "import-not-old"),
        (good("b.xhtml", hetu).replace("PO;10;1989", "PO;;"), "refused", "E406"),
        (good("b.xhtml", hetu).replace("PO;10", "24;10"), "refused", "E407"),
        (good("b.xhtml", hetu).replace("PO;10", "77;10"), "refused", "import-code"),
        (good("b.xhtml", hetu).replace("Testinen", ""), "refused", "import-empty"),
    ];
    old.manifest(&rows.iter().map(|(row, ..)| row.clone()).collect::<Vec<_>>());
    let (output, report) = old.run(&gateway, &[]);
    assert_eq!(output.code, Some(1), "{}", output.errors());
    assert_eq!((report["rows"].as_u64(), report["pass"].as_u64(), report["refused"].as_u64()), (Some(14), Some(2), Some(12)));
    assert_eq!(report["permanent_sample"].as_u64(), Some(rows.len() as u64 - 5), "born on the 8th and the 28th; the rows that could not be read are none's");
    let fates = old.fates();
    for (at, (row, fate, code)) in rows.iter().enumerate() {
        let [is, why, ..] = &fates[&(at as u64 + 2)];
        assert_eq!((is.as_str(), why.as_str()), (*fate, *code), "{row}");
    }
    let said = format!("{}{}{}", output.text(), output.errors(), std::fs::read_to_string(old.path("report.csv")).unwrap());
    assert!(!said.contains(hetu) && !said.contains("280260-904A") && !said.contains("Testinen"), "a row is named by its line and file only");
    // Publishing stops before the first message as long as rows are refused and nobody said to leave them.
    let (output, _) = old.run(&gateway, &["--publish"]);
    assert_eq!(output.code, Some(1));
    assert!(!Path::new(&old.path("old.csv.journal")).exists(), "nothing was sent, nothing is remembered");
    let only: Vec<String> = vec![good("a.pdf", hetu), good("b.xhtml", "010190-999W")];
    old.manifest(&only);
    let (output, report) = old.run(&gateway, &["--only-sample"]);
    assert_eq!((output.code, report["rows"].as_u64(), report["outside_sample"].as_u64()), (Some(0), Some(1), Some(1)));
}

/// Five thousand rows: 250 clients with twenty each, a broken file and a wrong row now and then. Gives the lines that must be refused.
fn great(old: &Old) -> HashSet<u64> {
    let mut random = Random::new(77);
    let (mut rows, mut refused) = (Vec::with_capacity(ROWS), HashSet::new());
    let mut persons = HashSet::new();
    while rows.len() < ROWS {
        let person = Person::random(&mut random, Language::Fi);
        if !persons.insert(person.hetu.clone()) || person.born.0 > 1995 {
            continue;
        }
        for _ in 0..OF_A_CLIENT {
            let at = rows.len();
            let line = at as u64 + 2;
            let name = format!("{at}.xhtml");
            let mut row = format!("{name};{};{};{};{}.5.1999;PÄÄTÖS;PO;10;1989;a{};", person.hetu, person.family, person.given.join(" "), at % 28 + 1, at % 3);
            match at % 500 {
                7 => old.file(&name, b"<html xmlns=\"http://www.w3.org/1999/xhtml\"><p>"),
                11 => row = row.replace(";PO;10", ";24;10"),
                13 => row = row.replace(".5.1999", ".5.2025"),
                _ => {}
            }
            if matches!(at % 500, 7 | 11 | 13) {
                refused.insert(line);
            }
            if at % 500 != 7 {
                old.file(&name, &xhtml(&format!("Asiakirja {at}. {}", "Teksti on keksitty. ".repeat(20))));
            }
            rows.push(row);
        }
    }
    old.manifest(&rows);
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_old_documents_arrive_exactly_once_though_the_import_is_killed_twice() {
    let database = kit::postgres::database().await;
    let gateway = Gateway::new(Some(database.url.clone()), "").await;
    let old = Old::new();
    let refused = great(&old);
    let mut serve = gateway.serve(&[]);
    let began = Instant::now();
    let journal = PathBuf::from(old.path("old.csv.journal"));
    let archived = || {
        let text = std::fs::read_to_string(&journal).unwrap_or_default();
        text.lines().filter(|l| l.contains("\"answer\"") && l.contains("\"AA\"")).count()
    };
    let arguments = old.arguments(&["--publish", "--leave-refused", "--rate", "2000"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut kills = Vec::new();
    for share in [ROWS / 5, ROWS / 2] {
        let mut import = Process::start(&mut gateway.command(&arguments), Path::new(&old.path("import.log")));
        let reached = tokio::task::block_in_place(|| kit::wait_until_blocking(DEADLINE, || archived() >= share || import.exit_status().is_some()));
        assert!(reached && import.exit_status().is_none(), "ended before it could be killed: {}", std::fs::read_to_string(old.path("import.log")).unwrap());
        import.kill9();
        kills.push(archived());
    }
    assert!(kills[0] < kills[1] && kills[1] < ROWS, "{kills:?}: midway both times");
    let (output, report) = tokio::task::block_in_place(|| old.run(&gateway, &["--publish", "--leave-refused", "--rate", "2000"]));
    assert_eq!(output.code, Some(1), "rows are refused: {} {}", output.text(), output.errors());
    let number = |key: &str| report[key].as_u64().unwrap();
    assert_eq!((number("rows"), number("archived"), number("refused"), number("left")), (5_000, 5_000 - refused.len() as u64, refused.len() as u64, 0));
    println!("killed at {kills:?} answers, finished after {:.0} s: {report}", began.elapsed().as_secs_f32());
    // Each row by name: in the archive once under the id and position that the report gives, or refused for what was wrong with it.
    let documents = kit::postgres::server().sql(&database.name, "SELECT id || ' ' || position || ' ' || doc_group FROM document");
    let documents: HashSet<&str> = documents.lines().collect();
    let mut expected = 0;
    for (line, [fate, code, id, position]) in old.fates() {
        match fate.as_str() {
            "archived" => {
                expected += 1;
                assert!(!refused.contains(&line) && documents.contains(format!("{id} {position} 4").as_str()), "line {line}: {id} {position}");
            }
            "refused" => assert!(refused.contains(&line) && ["E507", "E407", "import-not-old"].contains(&code.as_str()), "line {line}: {code}"),
            other => panic!("line {line}: {other}"),
        }
    }
    let of_group = |group: u8| documents.iter().filter(|d| d.ends_with(&format!(" {group}"))).count();
    assert_eq!(
        (of_group(4), of_group(1) as u64, of_group(2) as u64),
        (expected, number("relations"), number("cases")),
        "nothing lies there that no row accounts for"
    );
    // Once more: nothing is sent, the same is said.
    let before = documents.len();
    let (again, repeated) = tokio::task::block_in_place(|| old.run(&gateway, &["--publish", "--leave-refused"]));
    assert_eq!((again.code, repeated["archived"].as_u64()), (Some(1), Some(number("archived"))));
    assert_eq!(kit::postgres::server().sql(&database.name, "SELECT count(*) FROM document").trim().parse(), Ok(before));
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()));
    let mut log = String::new();
    let _ = write!(log, "{}", gateway.log_text());
    assert!(!log.contains("Asiakirja 1"), "no document text in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_manifest_and_a_changed_file_are_told_apart() {
    let gateway = Gateway::new(None, "").await;
    let old = Old::new();
    old.file("a.xhtml", &xhtml("a"));
    old.manifest(&[good("a.xhtml", "080885-902M")]);
    // No gateway runs: everything is sent, nothing is answered.
    let (output, report) = old.run(&gateway, &["--publish", "--timeout", "2"]);
    assert_eq!((output.code, report["left"].as_u64()), (Some(2), Some(1)), "{}", output.errors());
    let mut serve = gateway.serve(&[]);
    let (output, report) = old.run(&gateway, &["--publish"]);
    assert_eq!((output.code, report["archived"].as_u64()), (Some(0), Some(1)), "{}", output.errors());
    old.manifest(&[good("a.xhtml", "280260-904A")]);
    let arguments = old.arguments(&["--publish"]);
    let other = gateway.arkki(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(other.code, Some(2));
    assert!(format!("{}{}", other.text(), other.errors()).contains("another manifest"));
    // A journal of its own: the same file for another client is another import, under ids of its own.
    let (output, report) = old.run(&gateway, &["--publish", "--journal", &old.path("second.journal")]);
    assert_eq!((output.code, report["archived"].as_u64()), (Some(0), Some(1)), "{}", output.errors());
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()));
    // A file that changes between its sending and its answer is not sent under the same id; put back, it is the repeat that it is.
    old.file("a.xhtml", &xhtml("first"));
    let journal = old.path("third.journal");
    let third = ["--publish", "--timeout", "2", "--journal", &journal];
    let mut serve = gateway.serve(&[]);
    assert_eq!(old.run(&gateway, &third).1["archived"].as_u64(), Some(1));
    let lines = std::fs::read_to_string(&journal).unwrap();
    let lost: String = lines.lines().filter(|line| !line.starts_with("{\"answer\":[\"d0\"")).map(|line| format!("{line}\n")).collect();
    assert_ne!(lost, lines);
    std::fs::write(&journal, lost).unwrap();
    old.file("a.xhtml", &xhtml("second"));
    assert_eq!(old.run(&gateway, &third).1["left"].as_u64(), Some(1));
    assert!(std::fs::read_to_string(old.path("report.csv")).unwrap().contains("put it back"));
    old.file("a.xhtml", &xhtml("first"));
    assert_eq!(old.run(&gateway, &third).1["archived"].as_u64(), Some(1));
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()));
}
