//! The pages on access and on the validation service, run as they stand: their configuration, their commands, and what the commands print.

use std::process::Command;

use crate::kit;
use crate::kit::rabbit::{self, Vhost};
use crate::road::Gateway;

/// A page's fenced blocks, in order: language and text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(kit::repository().join("docs").join(page)).unwrap();
    let fenced = text.split("```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').map(|(language, text)| (language.trim().to_owned(), text.to_owned())).unwrap()).collect()
}

/// A line of the page stands for a printed one; `…` for anything.
fn stands_for(written: &str, printed: &str) -> bool {
    let mut rest = printed;
    for (n, part) in written.split('…').enumerate() {
        match rest.find(part) {
            Some(at) if at == 0 || n > 0 => rest = &rest[at + part.len()..],
            _ => return false,
        }
    }
    rest.is_empty() || written.ends_with('…')
}

/// The broker's own command, in the page's words and this run's virtual host.
fn rabbitmqctl(vhost: &Vhost, line: &str) {
    let arguments: Vec<&str> = line.split_whitespace().skip(1).map(|word| if word == "/" { vhost.name.as_str() } else { word }).collect();
    let said = rabbit::server().ctl(&arguments);
    assert!(said.ok(), "{line}: {}", said.errors());
}

/// Runs a page; `port` stands for the one it names.
async fn run(page: &str, port: u16) {
    let blocks = blocks(page);
    let config: String = blocks.iter().filter(|(language, _)| language == "toml").map(|(_, text)| text.replace("9465", &port.to_string())).collect();
    let gateway = Gateway::new(None, &config).await;
    let serve = gateway.serve(&[]);
    let place = gateway.vhost.amqp_url.rsplit_once('@').unwrap().1.to_owned();
    std::os::unix::fs::symlink(kit::repository().join("samples"), gateway.folder.path().join("samples")).unwrap();
    let path = format!("{}:{}", kit::arkki().parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let mut printed = String::new();
    tokio::task::block_in_place(|| {
        for (language, text) in &blocks {
            match language.as_str() {
                "sh" => {
                    for line in text.lines() {
                        if line.starts_with("rabbitmqctl ") {
                            rabbitmqctl(&gateway.vhost, line);
                            continue;
                        }
                        let line = line.replace("127.0.0.1/%2f", &place).replace("9465", &port.to_string());
                        let mut command = Command::new("bash");
                        command.args(["-c", &line]).current_dir(gateway.folder.path()).env("PATH", &path).env("ARKKI_CONFIG", "arkki.toml");
                        let broker = [("ARKKI_BROKER_URL", gateway.vhost.amqp_url.as_str()), ("ARKKI_ARCHIVE_URL", gateway.archive_url.as_str())];
                        command.envs(broker).env("ARKKI_MANAGEMENT_URL", gateway.vhost.management_url.replacen("http://", "http://guest:guest@", 1));
                        let said = kit::run_command(&mut command, b"");
                        assert!(said.ok(), "{line}\n{}{}", said.text(), said.errors());
                        printed.push_str(&said.text());
                    }
                }
                "text" => {
                    let pairs = text.lines().zip(printed.lines()).filter(|(written, printed)| !stands_for(written, printed));
                    let differs: Vec<_> = pairs.collect();
                    assert!(differs.is_empty() && text.lines().count() == printed.lines().count(), "{page} says\n{text}\nand it is\n{printed}\n{differs:#?}");
                    printed.clear();
                }
                _ => {}
            }
        }
    });
    drop(serve);
}

#[tokio::test(flavor = "multi_thread")]
async fn access() {
    run("access.md", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn validation_service() {
    run("validation-service.md", kit::ports::free()).await;
}

#[test]
fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
    for (written, printed, want) in
        [("a … c", "a b c", true), ("a …", "a b c", true), ("a b", "a b c", false), ("… c", "a b c", true), ("a … d", "a b c", false)]
    {
        assert_eq!(stands_for(written, printed), want, "{written}");
    }
}
