//! The command line as its users meet it: help, verdicts, refusals to start, exit codes, JSON; and the port that machines watch.

mod audits;
mod beside;
mod defects;
mod demo;
mod help;
mod house;
mod offline;
mod probes;
mod readme;
mod refusals;
mod world;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::kit::{self, Output};

/// `arkki` in the repository's root, with nothing of ours in its environment.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(kit::arkki());
    command.args(args).current_dir(kit::repository());
    for name in ["ARKKI_CONFIG", "ARKKI_BROKER_URL", "ARKKI_ARCHIVE_URL", "ARKKI_MANAGEMENT_URL"] {
        command.env_remove(name);
    }
    command
}

pub fn arkki(args: &[&str]) -> Output {
    kit::run_command(&mut command(args), b"")
}

/// The one JSON value on standard output.
#[track_caller]
pub fn json(output: &Output) -> Value {
    serde_json::from_str(&output.text()).unwrap_or_else(|e| panic!("{e}: {} {}", output.text(), output.errors()))
}

/// The exit code, with what was said when it is another.
#[track_caller]
pub fn exits(output: &Output, code: i32) {
    assert_eq!(output.code, Some(code), "{}\n{}", output.text(), output.errors());
}

/// Samples by the beginning of their names, in the order asked.
fn samples(folder: &str, names: &[&str]) -> Vec<std::path::PathBuf> {
    let all = crate::road::files(&kit::repository().join("samples").join(folder));
    names.iter().map(|n| all.iter().find(|f| name(f).starts_with(n)).unwrap_or_else(|| panic!("no sample {n}")).clone()).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|n| n.to_str()).unwrap_or_default()
}
