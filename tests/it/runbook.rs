//! `docs/operating.md` is a runbook: every command in it is one that `arkki` takes, every option that it names exists, and its `sh` blocks run in the page's
//! order as one operator's day, on a real RabbitMQ and a real PostgreSQL.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use crate::kit;
use crate::kit::process::Process;

/// The whole day: a first start, a flood, a change of rules, a backup and a restore, on a machine that builds beside it.
const DAY: Duration = Duration::from_secs(600);
/// What the page says for the deliverer's folder of rules, its ports and its places.
const RULES: &str = "/usr/share/arkki/";

fn page() -> String {
    std::fs::read_to_string(kit::repository().join("docs/operating.md")).unwrap()
}

/// The page's fenced blocks, in order: language and text.
fn blocks(page: &str) -> Vec<(String, String)> {
    // A block within a list is indented like the list's text.
    let flat: String = page.lines().map(|line| if line.trim_start().starts_with("```") { line.trim_start() } else { line }).collect::<Vec<_>>().join("\n");
    let fenced = flat.split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).map(|(language, text)| (language.trim().to_owned(), text.to_owned())).collect()
}

/// What stands between single backticks outside the blocks.
fn spans(page: &str) -> Vec<String> {
    let bare: String = page.split("```").step_by(2).collect();
    // A span may go over a line's end, as Markdown lets it.
    bare.split("\n\n")
        .flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2).map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>())
        .collect()
}

/// The `arkki` commands of a line of shell, each without what is not its own: the comment, a pipe, what is written where.
fn commands(line: &str) -> Vec<String> {
    let (mut parts, mut quote) = (vec![String::new()], None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') => break,
            (None, '|' | ';' | '&') => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(c);
    }
    let bare = parts.iter().map(|part| part.split(" 2>").next().unwrap_or_default().trim().trim_start_matches("until ").to_owned());
    bare.filter(|part| part.starts_with("arkki ")).collect()
}

/// Whether `arkki` takes this line: with `--help` behind it, everything before is read and nothing is done. Placeholders of prose end it.
fn is_taken(written: &str) -> Result<(), String> {
    // In prose a word in capitals stands for a number or a place, and `…` for the rest.
    let is_word = |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase());
    let read = written.split('…').next().unwrap_or_default();
    let mut command = read.split_whitespace().map(|word| if is_word(&word) { "1" } else { word }).collect::<Vec<_>>().join(" ");
    if read != written && command.rsplit(' ').next().is_some_and(|last| last.starts_with("--")) {
        command.push_str(" 1");
    }
    let mut shell = Command::new("bash");
    // Words are split as a shell splits them, quotes and all.
    let script = format!("set -f; arkki() {{ {} \"$@\" --help; }}; {command}", kit::arkki().display());
    shell.args(["-c", &script]).current_dir(kit::repository()).env_remove("ARKKI_CONFIG");
    let said = kit::run_command(&mut shell, b"");
    if said.ok() { Ok(()) } else { Err(format!("{command}: {}", said.errors().lines().next().unwrap_or_default())) }
}

#[test]
fn every_command_is_one_that_arkki_takes() {
    let page = page();
    let mut all: BTreeSet<String> = BTreeSet::new();
    for (language, text) in blocks(&page).into_iter().filter(|(language, _)| ["sh", "console", ""].contains(&language.as_str())) {
        let lines = text.lines().map(str::trim).filter(|line| language == "sh" || line.starts_with("$ "));
        lines.for_each(|line| all.extend(commands(line.trim_start_matches("$ "))));
    }
    spans(&page).iter().filter(|span| span.starts_with("arkki ")).for_each(|span| all.extend(commands(span)));
    assert!(all.len() > 40, "{all:#?}");
    let wrong: Vec<String> = all.iter().filter_map(|command| is_taken(command).err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(is_taken("arkki refusals list --coed E305").is_err() && is_taken("arkki refusal list").is_err(), "the test can fail");
}

/// `[section] key` of a span, with a key of config/arkki.toml's form.
fn option(span: &str) -> Option<(&str, &str)> {
    let (section, rest) = span.strip_prefix('[')?.split_once("] ")?;
    let key = rest.split([' ', '=']).next()?;
    (!key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')).then_some((section, key))
}

#[test]
fn every_option_that_it_names_exists() {
    let page = page();
    let config = std::fs::read_to_string(kit::repository().join("config/arkki.toml")).unwrap();
    let mut known = BTreeSet::new();
    let mut section = String::new();
    // Examples that stand as comments count.
    for line in config.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.split('.').next().unwrap_or_default().to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            known.insert((section.clone(), key.to_owned()));
        }
    }
    let spans = spans(&page);
    let mut named: Vec<(String, String)> =
        spans.iter().filter_map(|span| option(span)).map(|(s, k)| (s.split('.').next().unwrap_or(s).to_owned(), k.to_owned())).collect();
    for (_, text) in blocks(&page).into_iter().filter(|(language, _)| language == "toml") {
        let mut section = String::new();
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
                section = name.split('.').next().unwrap_or_default().to_owned();
            } else if let Some((key, _)) = line.split_once(" = ") {
                named.push((section.clone(), key.to_owned()));
            }
        }
    }
    assert!(named.len() > 12, "{named:?}");
    let unknown: Vec<_> = named.iter().filter(|option| !known.contains(*option)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// The page's `sh` blocks as one script that ends at the first line whose exit code is not the one that the page says (`# exit N`; else 0).
fn script(page: &str) -> String {
    let mut script = "trap 'kill $(jobs -p) 2>/dev/null' EXIT\n".to_owned();
    for line in blocks(page).into_iter().filter(|(language, _)| language == "sh").flat_map(|(_, text)| text.lines().map(str::to_owned).collect::<Vec<_>>()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wanted = line.rsplit_once("# exit ").map_or("0", |(_, code)| code.trim());
        script.push_str(&format!(
            "echo \"+ \"{}\n{line}\ncode=$?; [ $code = {wanted} ] || {{ echo \"exit code $code, and {wanted} is right\"; exit 99; }}\n",
            quoted(line)
        ));
    }
    script
}

fn quoted(line: &str) -> String {
    format!("'{}'", line.replace('\'', "'\\''"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_runs_in_its_order() {
    let site = kit::temp_dir();
    kit::copy_folder(&kit::repository().join("samples"), &site.path().join("samples"));
    let (vhost, database) = (kit::rabbit::vhost().await, kit::postgres::database().await);
    let user = format!("runbook-{}", vhost.name);
    let broker = vhost.user(&user, "secret");
    assert!(vhost.api("PUT", &format!("/api/users/{user}"), Some(r#"{"password":"secret","tags":"monitoring"}"#)).0 < 300);
    let management = vhost.management_url.replacen("http://", &format!("http://{user}:secret@"), 1);
    let (server, probe) = (database.url.rsplit_once('/').unwrap().0.to_owned(), kit::ports::free().to_string());
    let port = server.rsplit_once(':').unwrap().1.to_owned();
    let fresh = format!("{}_restored", database.name);
    // The page's places, and this run's.
    let here = |text: &str| {
        let places = [
            ("amqp://arkki:secret@127.0.0.1/%2f", broker.as_str()),
            ("http://arkki:secret@127.0.0.1:15672", &management),
            ("postgres://arkki@127.0.0.1/restored", &format!("{server}/{fresh}")),
            ("postgres://arkki@127.0.0.1/arkki", &database.url),
            ("-U arkki restored", &format!("-U arkki -p {port} {fresh}")),
            ("--sender arkki", &format!("--sender {user}")),
            ("127.0.0.1:9464", &format!("127.0.0.1:{probe}")),
            (RULES, &format!("{}/", kit::repository().display())),
        ];
        places.into_iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
    };
    let page = page();
    let config: String = blocks(&page).into_iter().filter(|(language, _)| language == "toml").map(|(_, text)| here(&text)).collect();
    std::fs::write(site.path().join("arkki.toml"), config).unwrap();
    let script = here(&script(&page));
    std::fs::write(site.path().join("day.sh"), &script).unwrap();
    let path = format!("{}:{}", kit::arkki().parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("bash");
    command.arg("day.sh").current_dir(site.path()).env("PATH", path).env("USER", "ada").env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    let log = site.path().join("day.log");
    let mut day = Process::start(&mut command, &log);
    let ended = tokio::task::block_in_place(|| day.wait(DAY));
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    if std::env::var_os("ARKKI_RUNBOOK").is_some() {
        println!("{said}");
    }
    let tail: Vec<&str> = said.lines().rev().take(60).collect();
    assert!(ended.is_some_and(|status| status.success()), "{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
}
