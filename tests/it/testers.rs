//! The testers' tools on a real broker and a gateway that works: messages made to order, folders replayed and held to answers, load, and the tap.

mod generate;
mod load;
mod replay;
mod tap;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::kit::Output;
use crate::road::Gateway;

/// `arkki … --json`, its exit code and its one value.
#[track_caller]
fn asked(gateway: &Gateway, args: &[&str], code: i32) -> Value {
    let mut all = args.to_vec();
    all.push("--json");
    let output = gateway.arkki(&all);
    exits(&output, code);
    serde_json::from_str(&output.text()).unwrap_or_else(|e| panic!("{e}: {} {}", output.text(), output.errors()))
}

#[track_caller]
fn exits(output: &Output, code: i32) {
    assert_eq!(output.code, Some(code), "{}\n{}", output.text(), output.errors());
}

/// `arkki generate` into a folder of the gateway's, with the sample keys.
fn generated(gateway: &Gateway, name: &str, args: &[&str]) -> PathBuf {
    let folder = gateway.folder.path().join(name);
    let keys = crate::kit::repository().join("samples/keys");
    let mut all = vec!["generate", "--out", folder.to_str().unwrap(), "--keys", keys.to_str().unwrap()];
    all.extend(args);
    gateway.arkki(&all).must();
    folder
}

fn named(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
