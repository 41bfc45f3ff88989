//! The seeds of the fuzzing, and every octets that ever broke a reader: what is promised of any octets holds for them. `make fuzz` looks for more.

use std::path::Path;

#[path = "../../../fuzz/checks.rs"]
mod checks;

/// A target of `make fuzz` and what it calls.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 5] =
    [("prepass", checks::prepass), ("schema", checks::schema), ("examine", checks::examine), ("signature", checks::signature), ("body", checks::body)];

#[test]
fn seeds_and_past_crashes_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let files = |folder: std::path::PathBuf| {
        let listed = std::fs::read_dir(folder).into_iter().flatten();
        listed.map(|e| e.unwrap().path()).filter(|path| path.is_file()).collect::<Vec<_>>()
    };
    for (name, check) in TARGETS {
        let seeds = files(root.join("corpus").join(name));
        assert!(!seeds.is_empty(), "no seeds for {name}");
        for path in seeds.into_iter().chain(files(root.join("crashes").join(name))) {
            println!("{}", path.display());
            check(&std::fs::read(&path).unwrap());
        }
    }
}

/// Each target has its binary, its seeds and its name in the script.
#[test]
fn every_target_is_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = std::fs::read_to_string(root.join("scripts/fuzz")).unwrap();
    let manifest = std::fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        let line = script.lines().find(|line| line.contains("|| targets=(")).unwrap();
        assert!(line.contains(name) && manifest.contains(&format!("name = \"{name}\"")) && root.join(format!("fuzz/targets/{name}.rs")).is_file(), "{name}");
    }
}
