//! What stands around the code, held to the code: compose file, image, systemd unit, scripts. The same name, port and bound everywhere.

use super::kit::{self, repository, run, run_command};
use serde_yaml_ng::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Environment names that look like these hold secrets, unless they name a file.
const SECRET_WORDS: [&str; 4] = ["PASS", "SECRET", "TOKEN", "KEY"];
/// What `scripts/setup` itself runs; everything else is hidden from it in the test of its refusal.
const PLAIN_TOOLS: [&str; 14] = ["awk", "bash", "cat", "cut", "dirname", "grep", "head", "id", "mktemp", "sed", "sh", "sort", "tr", "wc"];
const PORT: &str = "9464";

fn text(name: &str) -> String {
    std::fs::read_to_string(repository().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn toml(name: &str) -> toml::Table {
    text(name).parse().unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn compose() -> Value {
    let mut value: Value = serde_yaml_ng::from_str(&text("docker-compose.yml")).expect("docker-compose.yml");
    value.apply_merge().expect("docker-compose.yml");
    value
}

fn services(compose: &Value) -> impl Iterator<Item = (&str, &Value)> {
    compose["services"].as_mapping().expect("services").iter().map(|(name, service)| (name.as_str().expect("a name"), service))
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_sequence().into_iter().flatten().map(|item| item.as_str().expect("a string")).collect()
}

fn seconds(duration: &str) -> i64 {
    duration.trim_end_matches('s').parse().unwrap_or_else(|_| panic!("{duration}: seconds"))
}

fn stop_seconds() -> i64 {
    toml("config/arkki.toml")["limits"]["stop_seconds"].as_integer().expect("[limits] stop_seconds")
}

#[test]
fn every_service_is_watched_and_stays_on_this_machine() {
    let compose = compose();
    let named: BTreeSet<&str> = services(&compose).map(|(name, _)| name).collect();
    assert_eq!(named, BTreeSet::from(["arkki", "migrate", "postgres", "rabbitmq", "topology"]));
    for (name, service) in services(&compose) {
        let stays = !service["restart"].is_null();
        assert_eq!(stays, !service["healthcheck"]["test"].is_null(), "{name}: a service that stays is watched, one that ends is not");
        for port in strings(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} publishes {port} to the world");
        }
        for volume in strings(&service["volumes"]) {
            if let Some(file) = volume.strip_prefix("./") {
                assert!(repository().join(file.split(':').next().expect("a path")).is_file(), "{name} mounts {volume}, which is not there");
                assert!(volume.ends_with(":ro"), "{name} may write to {volume}");
            }
        }
        for (other, how) in service["depends_on"].as_mapping().into_iter().flatten() {
            let other = &compose["services"][other];
            match how["condition"].as_str().expect("a condition") {
                "service_healthy" => assert!(!other["healthcheck"].is_null(), "{name} waits for the health of a service that has none"),
                "service_completed_successfully" => assert!(other["restart"].is_null(), "{name} waits for the end of a service that never ends"),
                condition => panic!("{name}: {condition}"),
            }
        }
        if service["image"].as_str() == Some("arkki") {
            let command = strings(&service["command"]);
            let help = run(kit::arkki(), command.iter().copied().chain(["--help"]));
            assert!(help.ok(), "`arkki {}`: {}", command.join(" "), help.errors());
        }
    }
    assert!(seconds(compose["services"]["arkki"]["stop_grace_period"].as_str().expect("seconds")) > stop_seconds(), "killed while it settles what is in hand");
}

#[test]
fn secrets_are_files_that_the_script_makes() {
    let compose = compose();
    let declared: BTreeSet<&str> = compose["secrets"].as_mapping().expect("secrets").keys().filter_map(Value::as_str).collect();
    for (name, service) in services(&compose) {
        for secret in strings(&service["secrets"]) {
            assert!(declared.contains(secret), "{name} uses the secret {secret}, which is not declared");
        }
        for (key, _) in service["environment"].as_mapping().into_iter().flatten() {
            let key = key.as_str().expect("a name");
            assert!(key.ends_with("_FILE") || !SECRET_WORDS.iter().any(|word| key.contains(word)), "{name}: {key} holds a secret in clear");
        }
    }
    // The script, run in a copy of the little that it reads.
    let copy = kit::temp_dir();
    std::fs::create_dir_all(copy.path().join("scripts")).expect("folder");
    std::fs::create_dir_all(copy.path().join("samples/keys")).expect("folder");
    std::fs::copy(repository().join("scripts/secrets"), copy.path().join("scripts/secrets")).expect("the script");
    for key in ["ca.pem", "system.pem", "system-key.pem"] {
        std::fs::copy(repository().join("samples/keys").join(key), copy.path().join("samples/keys").join(key)).expect("a test key");
    }
    run(copy.path().join("scripts/secrets"), [""; 0]).must();
    let read = |secret: &str| std::fs::read(copy.path().join(compose["secrets"][secret]["file"].as_str().expect("a file"))).expect("made by the script");
    let first: Vec<Vec<u8>> = declared.iter().map(|secret| read(secret)).collect();
    assert!(first.iter().all(|secret| secret.len() >= 32), "a secret shorter than 32 octets");
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), declared.len(), "two secrets are the same");
    run(copy.path().join("scripts/secrets"), [""; 0]).must();
    assert!(declared.iter().map(|secret| read(secret)).eq(first), "the second run replaced a secret");
    assert!(text(".gitignore").contains("deploy/secrets") && text(".dockerignore").contains("deploy/secrets"), "secrets could be committed or built in");
}

#[test]
fn the_compose_configuration_fits_its_neighbours() {
    let (compose, ours, every) = (compose(), toml("deploy/arkki.toml"), toml("config/arkki.toml"));
    for (section, value) in &ours {
        assert!(every.contains_key(section), "deploy/arkki.toml: {section} is not in config/arkki.toml");
        for option in value.as_table().into_iter().flat_map(toml::Table::keys) {
            assert!(every[section].get(option).is_some(), "deploy/arkki.toml: [{section}] {option} is not in config/arkki.toml");
        }
    }
    let mounted = strings(&compose["services"]["arkki"]["secrets"]);
    for part in text("deploy/arkki.toml").split('"').filter_map(|part| part.strip_prefix("/run/secrets/")) {
        assert!(mounted.contains(&part), "deploy/arkki.toml reads the secret {part}, which is not mounted");
    }
    let environment = &compose["services"]["postgres"]["environment"];
    let archive =
        format!("postgres://{}@postgres/{}", environment["POSTGRES_USER"].as_str().expect("user"), environment["POSTGRES_DB"].as_str().expect("name"));
    assert_eq!(ours["archive"]["url"].as_str(), Some(archive.as_str()));
    let broker = strings(&compose["services"]["rabbitmq"]["command"]).join(" ");
    assert!(broker.contains("default_user = arkki\\n") && broker.contains("/run/secrets/broker_password"));
    assert_eq!(ours["broker"]["url"].as_str(), Some("amqp://arkki@rabbitmq:5672/%2f"));
    assert_eq!(ours["broker"]["management_url"].as_str(), Some("http://arkki@rabbitmq:15672"));
    let most = text("deploy/rabbitmq.conf").lines().find_map(|line| line.strip_prefix("max_message_size = ")?.parse::<i64>().ok());
    assert!(most >= every["limits"]["message_octets"].as_integer(), "the broker refuses messages that Arkki takes");
    let plugins = text("deploy/rabbitmq.plugins");
    assert!(["rabbitmq_management", "rabbitmq_consistent_hash_exchange"].iter().all(|plugin| plugins.contains(plugin)));
}

#[test]
fn the_probe_has_one_port() {
    let compose = compose();
    assert_eq!(toml("config/arkki.toml")["telemetry"]["listen"].as_str(), Some(format!("127.0.0.1:{PORT}").as_str()));
    assert_eq!(toml("deploy/arkki.toml")["telemetry"]["listen"].as_str(), Some(format!("0.0.0.0:{PORT}").as_str()));
    assert_eq!(strings(&compose["services"]["arkki"]["ports"]), [format!("127.0.0.1:{PORT}:{PORT}")]);
    assert!(strings(&compose["services"]["arkki"]["healthcheck"]["test"]).join(" ").contains(&format!("/dev/tcp/127.0.0.1/{PORT} ")));
    let scrape: Value = serde_yaml_ng::from_str(&text("deploy/prometheus.yml")).expect("deploy/prometheus.yml");
    let job = scrape["scrape_configs"].as_sequence().expect("jobs").iter().find(|job| job["job_name"] == "arkki").expect("our job");
    assert_eq!(strings(&job["static_configs"][0]["targets"]), [format!("127.0.0.1:{PORT}")]);
    assert!(dockerfile().contains(&("EXPOSE".to_owned(), PORT.to_owned())));
}

/// The health check is a line of shell: run against a probe that is ready, one that is not, and none.
#[test]
fn the_health_check_tells_ready_from_not() {
    use std::io::{Read as _, Write as _};
    let compose = compose();
    let line = *strings(&compose["services"]["arkki"]["healthcheck"]["test"]).last().expect("a command");
    let probe = |answer: Option<&'static str>| {
        let port = kit::ports::free();
        let listener = answer.map(|_| std::net::TcpListener::bind(("127.0.0.1", port)).expect("a port of ours"));
        let server = listener.zip(answer).map(|(listener, answer)| {
            std::thread::spawn(move || {
                let (mut peer, _) = listener.accept().expect("the health check");
                let mut asked = [0; 64];
                let length = peer.read(&mut asked).expect("a request");
                peer.write_all(answer.as_bytes()).expect("an answer");
                assert!(asked[..length].starts_with(b"GET /readyz HTTP/1.0\r\n"));
            })
        });
        let out = run("bash", ["-c", &line.replace(PORT, &port.to_string())]);
        server.into_iter().for_each(|server| server.join().expect("a request for /readyz"));
        out.ok()
    };
    assert!(probe(Some("HTTP/1.0 200 OK\r\n\r\nready\n")));
    assert!(!probe(Some("HTTP/1.0 503 Service Unavailable\r\n\r\n")));
    assert!(!probe(None));
}

/// The Dockerfile's instructions, continued lines joined.
fn dockerfile() -> Vec<(String, String)> {
    let joined = text("Dockerfile").replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').expect("an instruction and its words")).map(|(word, rest)| (word.to_owned(), rest.trim().to_owned())).collect()
}

#[test]
fn the_image_is_built_from_what_is_here() {
    let instructions = dockerfile();
    let all = |word: &str| instructions.iter().filter(move |(instruction, _)| instruction == word).map(|(_, rest)| rest.as_str()).collect::<Vec<_>>();
    let manifest = toml("Cargo.toml");
    let [build, run] = all("FROM").try_into().expect("two stages");
    let rust = build.strip_prefix("rust:").and_then(|rest| rest.strip_suffix("-bookworm AS build")).expect("a Rust image on Debian 12");
    let version = |text: &str| text.split('.').map(|part| part.parse::<u32>().expect("a number")).collect::<Vec<_>>();
    assert!(version(rust) >= version(manifest["package"]["rust-version"].as_str().expect("rust-version")), "the image's Rust is too old");
    assert_eq!(run, "debian:bookworm-slim", "built and run on the same Debian: the same libxml2 and OpenSSL");
    let runs = all("RUN").join("\n");
    assert!(runs.contains("--locked") && runs.contains(&format!("--bin {}", manifest["package"]["name"].as_str().expect("a name"))));
    let setup = text("scripts/setup");
    for package in ["libssl-dev", "libxml2-dev", "pkg-config"] {
        assert!(runs.contains(package) && setup.contains(package), "{package}");
    }
    for copy in all("COPY") {
        let words: Vec<&str> = copy.split_whitespace().collect();
        match words[..] {
            ["--from=build", from, to] => assert!(runs.contains(&format!("cp target/release/arkki {from}")) && all("ENTRYPOINT") == [format!("[\"{to}\"]")]),
            [from, _] => assert!(repository().join(from).exists(), "COPY {copy}: not here"),
            _ => panic!("COPY {copy}"),
        }
    }
    let user = all("USER").pop().expect("a user");
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id >= 1000)), "runs as {user}");
    assert!(runs.contains(&format!("--uid {}", user.split(':').next().expect("an id"))));
}

#[test]
fn the_unit_stops_gently_and_holds_no_rights() {
    let unit = text("deploy/arkki.service");
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_else(|| panic!("{key} is not set"));
    assert_eq!(value("ExecStart"), "/usr/local/bin/arkki serve --config /etc/arkki/arkki.toml");
    assert_eq!((value("Restart"), value("KillSignal"), value("User")), ("on-failure", "SIGTERM", "arkki"));
    assert!(seconds(value("TimeoutStopSec")) > stop_seconds());
    for (key, wanted) in [("NoNewPrivileges", "yes"), ("CapabilityBoundingSet", ""), ("ProtectSystem", "strict"), ("ProtectHome", "yes"), ("LimitCORE", "0")] {
        assert_eq!(value(key), wanted, "{key}");
    }
}

#[test]
fn setup_does_nothing_where_all_is_there_and_says_one_command_where_it_may_not_install() {
    let script = repository().join("scripts/setup");
    let again = run(&script, ["test"]);
    assert!(again.ok() && again.stdout.is_empty(), "{}{}", again.text(), again.errors());
    assert_eq!(run(&script, ["everything"]).code, Some(2));
    // A machine with a shell and nothing else: no compiler, no package manager, no Rust.
    let bare = kit::temp_dir();
    for tool in PLAIN_TOOLS {
        symlink(kit::tool(tool), bare.path().join(tool)).expect("a link");
    }
    let out = run_command(Command::new(kit::tool("bash")).arg(&script).arg("demo").env_clear().env("PATH", bare.path()).env("HOME", "/nonexistent"), b"");
    let said = out.errors();
    assert_eq!(out.code, Some(3), "{said}");
    for part in
        ["sudo apt-get install --no-install-recommends gcc libc6-dev libssl-dev libxml2-dev pkg-config\n", "sudo dnf install ", "brew install ", "rustup"]
    {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
}

#[test]
fn scripts_can_be_run_and_read() {
    for script in ["scripts/setup", "scripts/secrets", ".ci/run"] {
        let path = repository().join(script);
        run("bash", [Path::new("-n"), &path]).must();
        run("test", [Path::new("-x"), &path]).must();
        assert!(text(script).contains("set -eu"), "{script} goes on after a failure");
    }
    let makefile = text("Makefile");
    for target in ["demo", "test", "lint", "bench", "samples"] {
        assert!(makefile.lines().any(|line| line.starts_with(&format!("{target}:")) && line.contains("## ")), "make {target} is not explained");
    }
}
