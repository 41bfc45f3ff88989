//! The house's rules that a compiler does not know, held by reading the source tree: floors, one library in one folder, sizes, words.
//! A failure lists every breach with file and line. Where a rule must give way, the exception is a row in this file, with its reason.

mod source;

use super::kit;
use source::{Source, Token};
use std::collections::BTreeMap;
use std::path::Path;

/// The floors of the house, lowest first; a module may use its own floor and those below.
const FLOORS: [&[&str]; 5] = [
    &["domain"],
    &["crypto", "codes", "xml", "cda", "v3", "fhir", "generate"],
    &["import", "rules", "ports", "pipeline", "telemetry", "config"],
    &["adapters"],
    &["cli", "web", "app"],
];

/// Each library and the only places that may name it. A library that is in Cargo.toml must have its row here.
const LIBRARIES: [(&str, &[&str]); 34] = [
    ("async_rs", &["src/adapters/amqp"]),
    ("async_trait", &["src/ports", "src/adapters", "src/pipeline"]),
    ("axum", &["src/web"]),
    ("base64", &["src/crypto", "src/xml", "src/cda", "src/v3", "src/fhir", "src/generate", "src/import", "src/adapters/amqp", "src/pipeline/checkpoint"]),
    ("base64_simd", &["src/cda/body"]),
    ("clap", &["src/cli"]),
    ("cryptoki", &["src/adapters/keys"]),
    ("csv", &["src/import"]),
    ("encoding_rs", &["src/xml"]),
    ("futures_io", &["src/adapters/amqp"]),
    ("futures_util", &["src/ports", "src/pipeline", "src/adapters", "src/app", "src/web/console/board", "src/web/console/operators/refusals"]),
    ("getrandom", &["src/adapters", "src/crypto"]),
    ("indicatif", &["src/cli"]),
    ("jsonschema", &["src/cda/structured"]),
    ("lapin", &["src/adapters/amqp"]),
    ("metrics", &["src/telemetry"]),
    ("metrics_exporter_prometheus", &["src/telemetry", "src/web"]),
    ("mimalloc", &["src/main.rs"]),
    ("miniz_oxide", &["src/cda/body"]),
    ("openssl", &["src/crypto"]),
    ("quick_xml", &["src/xml"]),
    ("regex", &["src/adapters/amqp"]),
    ("ratatui", &["src/cli/top.rs", "src/cli/top"]),
    ("roxmltree", &["src/xml"]),
    ("rustix", &["src/adapters/machine.rs"]),
    ("serde", &["src/codes", "src/cda/template", "src/cda/structured", "src/config", "src/import", "src/cli", "src/web"]),
    ("serde_json", &["src/cli", "src/cda", "src/fhir", "src/generate", "src/import", "src/adapters/amqp", "src/pipeline/checkpoint", "src/web"]),
    ("sqlx", &["src/adapters/store"]),
    ("tokio", &["src/ports", "src/pipeline", "src/adapters", "src/cli", "src/web", "src/app.rs", "src/app"]),
    ("tokio_rustls", &["src/web/secure.rs"]),
    ("toml", &["src/codes", "src/cda/template", "src/config", "src/import"]),
    ("tracing", &["src/telemetry"]),
    ("tracing_subscriber", &["src/telemetry"]),
    ("ureq", &["src/cli", "src/adapters/amqp", "src/adapters/https.rs", "src/adapters/fhir_sink.rs", "src/adapters/openid.rs"]),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 10] = ["base", "common", "helper", "helpers", "manager", "misc", "service", "types", "util", "utils"];

/// Ways to end the program where an error should have been returned.
const ABRUPT: [&str; 8] = [".unwrap()", ".unwrap_err()", ".expect(", ".expect_err(", "panic!(", "todo!(", "unimplemented!(", "process::abort("];
/// Where one of [`ABRUPT`] stands all the same: file, the line's text, why it cannot be reached from outside.
const ABRUPT_REVIEWED: [(&str, &str, &str); 1] =
    [("src/adapters/clock.rs", "process::abort(", "the kernel has no random numbers: a guessable id would be worse")];

const UNSAFE_HOME: &str = "src/xml/schema.rs";
/// Lines of a file and of a function: aimed at, and never passed.
const FILE_LINES: (usize, usize) = (400, 600);
const FUNCTION_LINES: (usize, usize) = (70, 100);
/// The shortest module doc that can say something.
const DOC_OCTETS: usize = 24;

#[test]
fn nobody_imports_from_above() {
    let floor_of = |module: &str| FLOORS.iter().position(|floor| floor.contains(&module));
    let mut breaches = Vec::new();
    for source in source::all("src") {
        let Some(module) = source.module() else { continue };
        let Some(floor) = floor_of(module) else {
            breaches.push(format!("{}: module `{module}` has no floor; give it one in tests/it/tidy.rs", source.name));
            continue;
        };
        for (line, target) in source.crate_references() {
            match floor_of(&target) {
                Some(other) if other > floor => breaches.push(format!("{}:{line}: floor {floor} reaches up to `{target}` on floor {other}", source.name)),
                _ => {}
            }
        }
    }
    none(breaches);
}

#[test]
fn adapters_do_not_know_each_other() {
    let mut breaches = Vec::new();
    for source in source::all("src/adapters") {
        let Some(own) = source.name.strip_prefix("src/adapters/").and_then(|rest| rest.split(['/', '.']).next()).filter(|own| *own != "mod") else { continue };
        for (line, path) in source.paths_after("crate::adapters::") {
            if path != own {
                breaches.push(format!("{}:{line}: adapter `{own}` uses adapter `{path}`; only the composition root names them together", source.name));
            }
        }
    }
    none(breaches);
}

#[test]
fn a_library_has_one_home() {
    let manifest: toml::Table = kit_text("Cargo.toml").parse().expect("Cargo.toml");
    let homes: BTreeMap<&str, &[&str]> = LIBRARIES.into_iter().collect();
    let mut breaches = Vec::new();
    for library in manifest["dependencies"].as_table().expect("a table").keys().map(|name| name.replace('-', "_")) {
        if !homes.contains_key(library.as_str()) {
            breaches.push(format!("Cargo.toml: `{library}` has no row in tests/it/tidy.rs"));
        }
    }
    for source in source::all("src") {
        for (line, token) in source.code.tokens() {
            let Token::Root(name) = token else { continue };
            if let Some(allowed) = homes.get(name).filter(|homes| !homes.iter().any(|home| source.lies_in(home))) {
                breaches.push(format!("{}:{line}: `{name}` belongs in {}", source.name, allowed.join(", ")));
            }
        }
    }
    none(breaches);
}

#[test]
fn one_cryptography_for_tls_and_one_for_signatures() {
    let lock: toml::Table = kit_text("Cargo.lock").parse().expect("Cargo.lock");
    let packages: Vec<&str> = lock["package"].as_array().expect("packages").iter().filter_map(|package| package["name"].as_str()).collect();
    assert!(packages.contains(&"ring"));
    for second in ["aws-lc-rs", "aws-lc-sys", "native-tls", "boring"] {
        assert!(!packages.contains(&second), "{second} came in: with two providers rustls' automatic choice panics");
    }
}

#[test]
fn names_say_what_is_inside() {
    let mut breaches = Vec::new();
    for source in source::all("src").into_iter().chain(source::all("tests")) {
        for part in Path::new(&source.name).with_extension("").iter().filter_map(|part| part.to_str()) {
            if EMPTY_NAMES.contains(&part) {
                breaches.push(format!("{}: `{part}` is no name", source.name));
            }
        }
    }
    none(breaches);
}

#[test]
fn unsafe_has_one_home() {
    let mut breaches = Vec::new();
    for source in everything() {
        for (line, text) in source.code.lines() {
            let named = source::words(text).any(|word| word == "unsafe") || text.contains("allow(unsafe_code");
            if named && source.name != UNSAFE_HOME {
                breaches.push(format!("{}:{line}: unsafe", source.name));
            }
        }
    }
    none(breaches);
}

#[test]
fn nothing_ends_abruptly() {
    let mut breaches = Vec::new();
    // `#[cfg(test)] mod tests;` in a file of its own is a test all the same.
    for source in source::all("src").into_iter().filter(|s| !s.name.ends_with("/tests.rs")) {
        for (line, text) in source.product.lines() {
            let reviewed = ABRUPT_REVIEWED.iter().any(|(file, part, _)| source.name == *file && text.contains(part));
            if !reviewed && ABRUPT.iter().any(|abrupt| text.contains(abrupt)) {
                breaches.push(format!("{}:{line}: {}", source.name, text.trim()));
            }
        }
    }
    none(breaches);
}

#[test]
fn files_and_functions_keep_their_size() {
    let (mut breaches, mut aims) = (Vec::new(), Vec::new());
    for source in everything() {
        let lines = source.text.lines().count();
        let whole = std::iter::once((1, lines, "file".to_owned(), FILE_LINES));
        let functions = source.code.functions().into_iter().map(|(line, length, name)| (line, length, format!("fn {name}"), FUNCTION_LINES));
        for (line, length, what, (aim, most)) in whole.chain(functions) {
            let note = format!("{}:{line}: {what} has {length} lines", source.name);
            if length > most {
                breaches.push(format!("{note}, more than {most}"));
            } else if length > aim {
                aims.push(format!("{note}; aim at {aim}"));
            }
        }
    }
    aims.iter().for_each(|aim| println!("{aim}"));
    none(breaches);
}

#[test]
fn every_file_says_what_it_is() {
    let mut breaches = Vec::new();
    for source in everything() {
        let doc: String = source.text.lines().take_while(|line| line.starts_with("//!")).collect();
        if doc.len() < DOC_OCTETS {
            breaches.push(format!("{}:1: no module doc", source.name));
        }
    }
    none(breaches);
}

#[test]
fn codes_are_unique_and_complete() {
    let table: toml::Table = kit_text("codes/refusals.toml").parse().expect("codes/refusals.toml");
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for row in table["code"].as_array().expect("[[code]]") {
        for key in ["id", "name"] {
            *seen.entry(format!("{key} = {}", row[key])).or_default() += 1;
        }
    }
    assert!(!seen.is_empty());
    none(seen.into_iter().filter(|(_, times)| *times > 1).map(|(what, times)| format!("codes/refusals.toml: {what} stands {times} times")).collect());
}

#[test]
fn nothing_names_a_machine_or_waits_for_later() {
    // Put together here, so that this file does not find itself.
    let places = [["/ho", "me/"], ["/Use", "rs/"], ["/ro", "ot/"], ["C:", "\\\\"], ["/wo", "rk/"], ["spar", "se+http"], ["[source.", "crates-io]"]]
        .map(|parts| parts.concat());
    let later = [["TO", "DO"], ["FIX", "ME"], ["HA", "CK:"]].map(|parts| parts.concat());
    let mut breaches = Vec::new();
    for (name, text) in source::texts() {
        for (index, line) in text.lines().enumerate() {
            if let Some(place) = places.iter().find(|place| line.contains(*place)) {
                breaches.push(format!("{name}:{}: names a machine's place {place}", index + 1));
            }
            if later.iter().any(|word| line.contains(word)) {
                breaches.push(format!("{name}:{}: waits for later", index + 1));
            }
        }
    }
    none(breaches);
}

#[test]
fn no_test_is_left_out_in_silence() {
    let mut breaches = Vec::new();
    for source in source::all("src").into_iter().chain(source::all("tests")) {
        for (line, text) in source.code.lines() {
            if text.trim_start().starts_with("#[ignore") {
                breaches.push(format!("{}:{line}: an ignored test", source.name));
            }
        }
    }
    none(breaches);
}

fn everything() -> Vec<Source> {
    ["src", "tests", "examples", "benches"].into_iter().flat_map(source::all).chain(source::file("build.rs")).collect()
}

fn kit_text(name: &str) -> String {
    std::fs::read_to_string(kit::repository().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[track_caller]
fn none(breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}
