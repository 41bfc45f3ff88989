//! README's walk with a real RabbitMQ and PostgreSQL, line by line as it stands there, in a copy of what a clone brings.

use std::process::Command;
use std::time::Duration;

use crate::kit::process::{Process, Signal};
use crate::kit::{self, Output};

/// The lines of README's block that builds, without the build and the addresses, which are the kit's here.
fn lines() -> Vec<String> {
    let readme = std::fs::read_to_string(kit::repository().join("README.md")).unwrap();
    let block = readme.split("```").find(|block| block.contains("cargo build --release")).expect("README's block");
    block.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("cargo build")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn readme_works_as_written() {
    let clone = kit::temp_dir();
    for part in ["config", "samples"] {
        kit::copy_folder(&kit::repository().join(part), &clone.path().join(part));
    }
    let (vhost, database) = (kit::rabbit::vhost().await, kit::postgres::database().await);
    let user = format!("readme-{}", vhost.name);
    let broker = vhost.user(&user, "secret");
    let body = r#"{"password":"secret","tags":"monitoring"}"#;
    assert!(vhost.api("PUT", &format!("/api/users/{user}"), Some(body)).0 < 300);
    let management = vhost.management_url.replacen("http://", &format!("http://{user}:secret@"), 1);
    let path = format!("{}:{}", kit::arkki().parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let mut config = None;
    let shell = |line: &str, config: &Option<String>| {
        let mut command = Command::new("bash");
        command.args(["-c", line]).current_dir(clone.path()).env("PATH", &path);
        command.env("ARKKI_BROKER_URL", &broker).env("ARKKI_MANAGEMENT_URL", &management).env("ARKKI_ARCHIVE_URL", &database.url);
        if let Some(config) = config {
            command.env("ARKKI_CONFIG", config);
        }
        command
    };
    let mut serve: Option<Process> = None;
    let log = clone.path().join("serve.log");
    for line in lines() {
        if let Some(export) = line.strip_prefix("export ") {
            let (name, value) = export.split_once('=').unwrap();
            match name {
                "ARKKI_CONFIG" => config = value.split_whitespace().next().map(str::to_owned),
                other => assert!(["ARKKI_BROKER_URL", "ARKKI_MANAGEMENT_URL", "ARKKI_ARCHIVE_URL"].contains(&other), "{line}"),
            }
        } else if let Some((command, _)) = line.split_once('&').filter(|(c, rest)| c.starts_with("arkki serve") && !rest.starts_with('&')) {
            serve = Some(Process::start(&mut shell(&format!("exec {command}"), &config), &log));
        } else {
            let output: Output = kit::run_command(&mut shell(&line, &config), b"");
            let want = i32::from(line.starts_with("arkki validate samples/refused"));
            assert_eq!(output.code, Some(want), "{line}\n{}\n{}\n{}", output.text(), output.errors(), std::fs::read_to_string(&log).unwrap_or_default());
        }
    }
    let mut serve = serve.expect("README starts the gateway");
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(40)).is_some_and(|s| s.success()), "{}", std::fs::read_to_string(&log).unwrap_or_default());
}
