//! `--help` teaches: every option has its sentence, every command its exit codes.

use super::{arkki, exits};

/// Every command with the options of its own.
const COMMANDS: [(&[&str], &[&str]); 54] = [
    (&["serve"], &["--until-answered"]),
    (&["demo"], &["--samples", "--archive", "--amqp"]),
    (&["doctor"], &[]),
    (&["send"], &["--expect", "--queue", "--reply", "--timeout", "--show"]),
    (&["replay"], &["--rate", "--expect", "--expect-all", "--record", "--junit", "--queue", "--reply", "--timeout", "--show"]),
    (&["generate"], &["--kind", "--fault", "--count", "--seed", "--out", "--language", "--carried", "--alone", "--body", "--keys", "--list"]),
    (&["load"], &["--rate", "--for", "--warm-up", "--arrivals", "--size", "--seed", "--most-p99", "--html", "--queue", "--reply", "--timeout"]),
    (&["tap"], &["--only", "--user", "--deliveries", "--count", "--for"]),
    (&["disclose"], &["--file", "--controller", "--recipient", "--statute", "--permission", "--task", "--description", "--show"]),
    (&["validate"], &["--profile", "--stage", "--trust", "--language"]),
    (&["topology"], &["plan", "apply"]),
    (&["topology", "plan"], &[]),
    (&["topology", "apply"], &[]),
    (&["migrate"], &[]),
    (&["codes"], &["--language", "--markdown", "[CODE]"]),
    (
        &["import"],
        &[
            "--files",
            "--mapping",
            "--publish",
            "--leave-refused",
            "--only-sample",
            "--rate",
            "--report",
            "--journal",
            "--trust",
            "--queue",
            "--reply",
            "--timeout",
            "--language",
        ],
    ),
    (&["explain"], &["--language", "<WHAT>"]),
    (&["templates"], &["--language", "list", "show", "explain", "test", "page", "rules"]),
    (&["templates", "show"], &["<GROUP>"]),
    (&["audit"], &["--most"]),
    (&["messages"], &["list", "show", "follow"]),
    (&["messages", "list"], &["--sender", "--code", "--state", "--message-id", "--document", "--from", "--until", "--last", "--before"]),
    (&["messages", "follow"], &["--sender", "--code", "--state", "--after", "--count"]),
    (&["reconcile"], &["--most"]),
    (&["console"], &["--listen"]),
    (&["top"], &["--instance", "--every", "--once", "--language"]),
    (&["history"], &["<ID>", "--register", "--at", "--language"]),
    (&["lilm"], &["list", "show", "retry", "reconcile"]),
    (&["lilm", "list"], &["--standing", "--last"]),
    (&["lilm", "show"], &["<ID>"]),
    (&["lilm", "reconcile"], &["--controller", "--from", "--to", "--language"]),
    (
        &["refusals"],
        &["groups", "list", "show", "hold", "release", "discard", "comment", "undo", "actions", "octets", "replay", "jobs", "stop", "resume", "end"],
    ),
    (&["refusals", "groups"], &["--code", "--finding", "--sender", "--from", "--until", "--state", "--limit"]),
    (&["refusals", "list"], &["--code", "--finding", "--sender", "--from", "--until", "--state", "--limit", "--after"]),
    (&["refusals", "show"], &["<ID>"]),
    (&["refusals", "octets"], &["<ID>", "--output"]),
    (&["refusals", "hold"], &["--why", "--all", "[ID]"]),
    (&["refusals", "release"], &["--why", "--all", "[ID]"]),
    (&["refusals", "discard"], &["--why", "--all", "[ID]"]),
    (&["refusals", "comment"], &["--why", "--all", "[ID]"]),
    (&["refusals", "undo"], &["<ACTION>", "--why"]),
    (&["refusals", "actions"], &["--last"]),
    (&["refusals", "replay"], &["--why", "--yes", "--rate", "--answer-again", "--token", "--wait", "--all"]),
    (&["refusals", "jobs"], &["[JOB]", "--last", "--after"]),
    (&["refusals", "stop"], &["<JOB>"]),
    (&["rehearse"], &["--rules", "--last", "--profile", "--most"]),
    (&["log"], &["export", "client"]),
    (&["log", "export"], &["--controller", "--from", "--to", "--format", "--log", "--output", "--language"]),
    (&["log", "client"], &["--client", "--root", "--controller", "--older", "--reason", "--format", "--log", "--output", "--language"]),
    (&["backup"], &["<FOLDER>"]),
    (&["restore"], &["<FOLDER>", "--checkpoint", "--log"]),
    (&["api"], &["token", "document"]),
    (&["api", "token"], &["<NAME>", "<ROLE>"]),
    (&["api", "document"], &[]),
];

/// The lines of help on one option: its own and those under it until the next one.
fn said_of(help: &str, option: &str) -> String {
    let mut said = String::new();
    let mut within = false;
    for line in help.lines() {
        let starts = |what: &str| {
            let line = line.trim_start();
            line.starts_with(what) || line.split_once(", ").is_some_and(|(short, long)| short.len() == 2 && long.starts_with(what))
        };
        if starts(option) {
            within = true;
        } else if starts("-") || line.ends_with(':') {
            within = false;
        }
        if within {
            said.push_str(line);
        }
    }
    said
}

#[test]
fn every_command_names_its_options_and_exit_codes() {
    for (path, own) in COMMANDS {
        let mut args = path.to_vec();
        args.push("--help");
        let output = arkki(&args);
        exits(&output, 0);
        let help = output.text();
        for option in own.iter().chain(&["--config", "--json", "--help"]) {
            let words = said_of(&help, option).split_whitespace().filter(|w| w.chars().all(char::is_alphabetic)).count();
            assert!(words >= 2, "{path:?} {option}: {help}");
        }
        if path.len() == 1 {
            assert!(help.contains("Exit codes: 0 "), "{path:?}: {help}");
        }
    }
}

#[test]
fn the_first_page_names_every_command_and_a_slip_could_not_look() {
    let output = arkki(&["--help"]);
    exits(&output, 0);
    for (path, _) in COMMANDS {
        assert!(output.text().contains(&format!("\n  {} ", path[0])), "{}", output.text());
    }
    assert!(output.text().contains("Exit codes: 0 well, 1 unwell, 2 could not look."));
    for slip in [&["sned"][..], &["send"], &["codes", "--langauge", "fi"], &["codes", "--language", "de"], &["validate", "--stage", "half", "x"], &[]] {
        exits(&arkki(slip), 2);
    }
    exits(&arkki(&["--version"]), 0);
}
