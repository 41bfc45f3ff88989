//! The generator and the samples it makes, judged by tools that know nothing of it.

mod documents;
mod folder;
pub mod judged;
mod queues;
mod sent;

use std::process::{Command, Output, Stdio};

use arkki::generate::keys::{Keys, SIGNED_AT};

use crate::kit::{repository as root, shared};

/// The keys in `samples/keys`.
pub fn keys() -> Keys {
    Keys::read(|name| std::fs::read(root().join("samples/keys").join(name)).ok(), SIGNED_AT).expect("samples/keys cannot be read")
}

/// Runs a tool; fails with what to install when it is not there.
fn tool(name: &str, package: &str, arguments: &[&str]) -> Output {
    let output = Command::new(name).args(arguments).stdin(Stdio::null()).output();
    output.unwrap_or_else(|error| panic!("{name}: {error}; install the package {package}"))
}

/// Files in a folder of their own, and xmllint over all of them at once with these arguments before them.
fn xmllint(files: &[(String, Vec<u8>)], arguments: &[&str]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let mut all: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
    for (name, octets) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, octets).unwrap();
        all.push(path.to_string_lossy().into_owned());
    }
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let output = tool("xmllint", "libxml2-utils", &all);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said.lines().filter(|l| !l.ends_with("validates")).take(12).collect::<Vec<_>>().join("\n")) }
}
