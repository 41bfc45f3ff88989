//! `arkki demo`: the main job on one screen, on embedded parts and on a real RabbitMQ.

use std::time::Duration;

use super::{arkki, command, exits, json};
use crate::console::browser::Browser;
use crate::kit::terminal::Terminal;
use crate::kit::{self, wait_until_blocking};

fn samples() -> usize {
    ["accepted", "disclosures", "refused", "conflicts", "hostile"]
        .iter()
        .map(|f| std::fs::read_dir(kit::repository().join("samples").join(f)).unwrap().count())
        .sum()
}

#[test]
fn on_embedded_parts_every_answer_is_as_promised_and_the_archive_can_be_audited() {
    let folder = kit::temp_dir();
    let archive = folder.path().join("try");
    let archive = archive.to_str().unwrap();
    let output = arkki(&["demo", "--archive", archive]);
    exits(&output, 0);
    let text = output.text();
    assert!(text.starts_with("sample ") && text.contains("Every answer is the one the sample's name promises."), "{text}");
    assert!(text.contains("accepted/01-client-relation-fi.xml") && text.contains("E305"), "{text}");
    assert_eq!(text.lines().take_while(|l| !l.is_empty()).count(), samples() + 1, "{text}");
    // Without a terminal the console's first page is fetched, and that is that: no way in is printed, and nothing answers any more.
    let address = text.split("The web console answered at ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("{text}"));
    assert!(!text.contains("/enter/") && std::net::TcpStream::connect(address.trim_start_matches("http://")).is_err(), "{text}");
    // What it says to try next works as written.
    let config = format!("{archive}/arkki.toml");
    for (begins, code) in [(format!("--config {config} audit"), 0), ("validate --trust".to_owned(), 1), ("codes E305".to_owned(), 0)] {
        let line = text.lines().find(|line| line.contains(&begins)).unwrap_or_else(|| panic!("{begins}: {text}"));
        let typed = line.trim_start().split("   ").next().unwrap();
        let output = kit::run_command(std::process::Command::new("bash").args(["-c", typed]).current_dir(kit::repository()), b"");
        exits(&output, code);
    }
    // Each notice has left on its queue.
    let notices = arkki(&["--config", &config, "lilm", "list"]).text();
    assert!(notices.contains("emitted") && !notices.contains("leaving"), "{notices}");
    // Again in the same folder; a folder of somebody else's is left alone.
    let again = json(&arkki(&["demo", "--json", "--archive", archive]));
    assert_eq!(again["messages"].as_array().map(Vec::len), Some(samples()));
    assert_eq!(again["not_as_promised"].as_array().map(Vec::len), Some(0));
    std::fs::write(folder.path().join("diary.txt"), "mine").unwrap();
    let refused = arkki(&["demo", "--archive", folder.path().to_str().unwrap()]);
    exits(&refused, 2);
    assert!(refused.errors().contains("--archive") && folder.path().join("diary.txt").exists());
    exits(&arkki(&["demo", "--samples", folder.path().to_str().unwrap(), "--archive", archive]), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_real_broker_the_answers_are_the_same() {
    let vhost = kit::rabbit::vhost().await;
    let folder = kit::temp_dir();
    let archive = folder.path().join("try");
    for _ in 0..2 {
        let output = arkki(&["demo", "--json", "--archive", archive.to_str().unwrap(), "--amqp", &vhost.amqp_url]);
        exits(&output, 0);
        assert_eq!(json(&output)["messages"].as_array().map(Vec::len), Some(samples()));
    }
    assert!(!std::fs::read_to_string(archive.join("arkki.toml")).unwrap().contains("guest:guest"), "a password was written down");
    exits(&arkki(&["demo", "--archive", archive.to_str().unwrap(), "--amqp", "amqp://u:s3cret@127.0.0.1:1/v"]), 2);
}

#[test]
fn on_a_terminal_the_console_is_served_until_it_is_interrupted() {
    let folder = kit::temp_dir();
    let archive = folder.path().join("try");
    let terminal = Terminal::open(200, 50, &command(&["demo", "--archive", archive.to_str().unwrap()]));
    let screen = terminal.shows(&["Every answer is the one", "The web console over this archive:", "Ctrl-C ends the console.", "/enter/"]);
    let links = |screen: &[String]| screen.iter().filter(|line| line.starts_with("http://127.0.0.1:") && line.contains("/enter/")).cloned().collect::<Vec<_>>();
    let link = links(&screen).pop().unwrap();
    // The demo's archive is in it, for every role; the second step of the walk in docs/console.md.
    let mut browser = Browser::enter(link.trim());
    let csrf = browser.get("/documents?lang=en").field("csrf");
    let found = browser.post("/documents", &[("csrf", &csrf), ("client", "060666-966W"), ("state", "any")]);
    assert!(found.status == 200 && found.body.contains("/documents/1.2.246.10.99999992.95.2026.1.7\""), "{}", found.body);
    for (path, words) in
        [("/?lang=en", "id=\"board\""), ("/messages?code=E305", "E305"), ("/doctor", "</html>"), ("/officer/notices", "</html>"), ("/rules", "E305")]
    {
        let page = browser.get(path);
        assert!(page.status == 200 && page.body.contains(words), "{path}: {} {}", page.status, page.body);
    }
    // Enter gives another link.
    terminal.press("Enter");
    assert!(wait_until_blocking(Duration::from_secs(30), || links(&terminal.screen()).len() == 2), "{}", terminal.screen().join("\n"));
    terminal.press("C-c");
    terminal.shows(&["ended 0"]);
    let host = link.trim_start_matches("http://").split('/').next().unwrap();
    assert!(std::net::TcpStream::connect(host).is_err(), "something still answers at {host}");
    // What it leaves is whole.
    exits(&arkki(&["--config", archive.join("arkki.toml").to_str().unwrap(), "audit"]), 0);
}
